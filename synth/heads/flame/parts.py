"""Cutting a head model's one mesh into parts with their own materials and UVs."""

from __future__ import annotations

import dataclasses

import numpy as np

from synth.heads.flame.layout import LAYOUTS
from synth.heads.template.eyes import LIMBUS, eye_texture_radius
from synth.heads.template.load import make_part
from synth.scene import MeshPart


def make_parts(family: str, checked: dict[str, np.ndarray]) -> tuple[MeshPart, ...]:
    """Parts of a model, cut by vertex number."""
    faces = checked["f"]
    vertices = checked["v_template"]
    owner = np.zeros(len(faces), int)
    balls = LAYOUTS[family].eyeballs
    for k, (first, last) in enumerate(balls, start=1):
        owner[((faces >= first) & (faces < last)).all(axis=1)] = k
    centres = np.array([vertices[first:last].mean(axis=0) for first, last in balls])
    parts = [_cylinder_part("skin", faces[owner == 0], _cylinder_uv(vertices, centres.mean(axis=0)))]
    for k, side in enumerate(("left", "right"), start=1):
        uv = _eye_uv(vertices, centres[k - 1])
        ball = faces[owner == k]
        iris = np.hypot(*(uv[ball].mean(axis=1) - 0.5).T) < eye_texture_radius(np.array(LIMBUS))
        parts += [make_part(f"{side}_sclera", ball[~iris], uv), make_part(f"{side}_iris", ball[iris], uv)]
    return tuple(parts)


def _cylinder_part(name: str, faces: np.ndarray, uv: np.ndarray) -> MeshPart:
    """A part whose u goes round: vertices of faces across the seam are repeated, with 1 added to the low u."""
    u, count = uv[faces, 0], len(uv)
    beyond = (np.ptp(u, axis=1, keepdims=True) > 0.5) & (u < 0.5)
    part = make_part(name, faces + count * beyond, np.concatenate([uv, uv + (1, 0)]))
    return dataclasses.replace(part, vertex_map=part.vertex_map % np.int32(count))


def _cylinder_uv(vertices: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """(N, 2) projection onto a cylinder through the head; the face in the middle, its seam at the back of the head."""
    ray = vertices - (eyes - (0, 0, 0.075))
    height = np.clip((ray[:, 1] + 0.25) / 0.4, 0, 1)
    return np.stack([0.5 + np.arctan2(ray[:, 0], ray[:, 2]) / (2 * np.pi), height], axis=1)


def _eye_uv(vertices: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """(N, 2) polar projection about the gaze, as the template's eyes have it."""
    ray = vertices - centre
    angle = np.arctan2(np.hypot(ray[:, 0], ray[:, 1]), ray[:, 2])
    turn = np.arctan2(ray[:, 1], ray[:, 0])
    radius = eye_texture_radius(angle)
    return 0.5 + np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
