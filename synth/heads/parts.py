"""Cutting a head model's one mesh into parts with their own materials and UVs."""

from __future__ import annotations

import dataclasses

import numpy as np

from assets.errors import AssetError
from synth.heads.layout import LAYOUTS
from synth.scene import MeshPart


def make_parts(name: str, family: str, arrays: dict, checked: dict[str, np.ndarray]) -> tuple[MeshPart, ...]:
    """Parts of a model. The template says which face is whose; FLAME and SMPL-X are cut by vertex number."""
    faces = checked["f"]
    if "part_of_face" in arrays:
        owner, names, uv = arrays["part_of_face"], [str(text) for text in arrays["part_names"]], arrays["uv"]
        if owner.shape != (len(faces),) or uv.shape != (len(checked["v_template"]), 2) or owner.max() >= len(names):
            raise AssetError(f"{name}: part_of_face {owner.shape} or uv {uv.shape} do not fit the model's mesh")
        return tuple(_part(part, faces[owner == k], uv) for k, part in enumerate(names))
    vertices = checked["v_template"]
    owner = np.zeros(len(faces), int)
    balls = LAYOUTS[family].eyeballs
    for k, (first, last) in enumerate(balls, start=1):
        owner[((faces >= first) & (faces < last)).all(axis=1)] = k
    centres = np.array([vertices[first:last].mean(axis=0) for first, last in balls])
    parts = [_cylinder_part("skin", faces[owner == 0], _cylinder_uv(vertices, centres.mean(axis=0)))]
    for k, part in enumerate(("left_eye", "right_eye"), start=1):
        parts.append(_part(part, faces[owner == k], _eye_uv(vertices, centres[k - 1])))
    return tuple(parts)


def _part(name: str, faces: np.ndarray, uv: np.ndarray) -> MeshPart:
    vertex_map, local = np.unique(faces, return_inverse=True)
    material = "eye" if name.endswith("_eye") else name
    return MeshPart(name, vertex_map.astype(np.int32), local.reshape(-1, 3).astype(np.int32),
                    np.ascontiguousarray(uv[vertex_map], np.float32), material)


def _cylinder_part(name: str, faces: np.ndarray, uv: np.ndarray) -> MeshPart:
    """A part whose u goes round: vertices of faces across the seam are repeated, with 1 added to the low u."""
    u, count = uv[faces, 0], len(uv)
    beyond = (np.ptp(u, axis=1, keepdims=True) > 0.5) & (u < 0.5)
    part = _part(name, faces + count * beyond, np.concatenate([uv, uv + (1, 0)]))
    return dataclasses.replace(part, vertex_map=part.vertex_map % np.int32(count))


def _cylinder_uv(vertices: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """(N, 2) projection onto a cylinder through the head; the face in the middle, its seam at the back of the head."""
    ray = vertices - (eyes - (0, 0, 0.075))
    height = np.clip((ray[:, 1] + 0.25) / 0.4, 0, 1)
    return np.stack([0.5 + np.arctan2(ray[:, 0], ray[:, 2]) / (2 * np.pi), height], axis=1)


def _eye_uv(vertices: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """(N, 2) polar projection about the gaze, as the template's eyes have it."""
    from synth.heads.template.eyes import eye_texture_radius

    ray = vertices - centre
    angle = np.arctan2(np.hypot(ray[:, 0], ray[:, 1]), ray[:, 2])
    turn = np.arctan2(ray[:, 1], ray[:, 0])
    radius = eye_texture_radius(angle)
    return 0.5 + np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
