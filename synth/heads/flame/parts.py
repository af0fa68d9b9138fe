"""Cutting a head model's one mesh into parts with their own materials and UVs."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.spatial import cKDTree

from synth.heads.template.load import make_part
from synth.heads.template.sculpt import lip_coordinates
from synth.scene import MeshPart


def make_parts(faces: np.ndarray, neutral: np.ndarray, canonical: np.ndarray, eyeballs: tuple[np.ndarray, np.ndarray],
               uv: tuple[np.ndarray, np.ndarray] | None) -> tuple[MeshPart, ...]:
    """Skin, lips, inner mouth where there is one; eyeballs are replaced, see :mod:`synth.heads.flame.eyes`.

    faces: (F, 3); neutral: (N, 3) metres; canonical: (N, 3) mm; uv: (T, 2) and (F, 3), None: a cylinder's projection.
    """
    owner = face_owner(faces, len(neutral), eyeballs)
    labels = _label_skin(canonical, faces, owner == 0)
    centres = [0.5 * (neutral[ball].min(axis=0) + neutral[ball].max(axis=0)) for ball in eyeballs]
    ray = neutral - (np.mean(centres, axis=0) - (0, 0, 0.075))  # from the middle of the head
    parts = []
    for name in ("skin", "lips", "mouth"):
        chosen = labels == name
        if chosen.any():
            parts.append(_cylinder_part(name, faces[chosen], ray) if uv is None
                         else seamed_part(name, faces[chosen], uv[0], uv[1][chosen]))
    return tuple(parts)


def face_owner(faces: np.ndarray, count: int, eyeballs: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """(F,) int: 1 for faces of the left eyeball, 2 of the right one, 0 of the rest."""
    ball = np.zeros(count, int)
    for k, chosen in enumerate(eyeballs, start=1):
        ball[chosen] = k
    corners = ball[faces]
    return np.where((corners == corners[:, :1]).all(axis=1), corners[:, 0], 0)


def seamed_part(name: str, faces: np.ndarray, vt: np.ndarray, ft: np.ndarray) -> MeshPart:
    """A part whose UVs have seams: a model vertex is repeated for each of its texture coordinates."""
    pairs, local = np.unique(np.stack([faces.ravel(), ft.ravel()], axis=1), axis=0, return_inverse=True)
    part = make_part(name, np.arange(len(pairs))[local.reshape(-1, 3)], vt[pairs[:, 1]])
    return dataclasses.replace(part, vertex_map=pairs[:, 0].astype(np.int32))


def _label_skin(canonical: np.ndarray, faces: np.ndarray, is_skin: np.ndarray) -> np.ndarray:
    """(F,) text: ``skin``, ``lips`` or ``mouth`` (inner surface behind the lips); empty for faces that are no skin."""
    corners = canonical[faces]
    middle = corners.mean(axis=1)
    s, t = lip_coordinates(middle)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    lips = (np.abs(t) < 1) & (s < 0.97) & (middle[:, 2] > 76) & (normal[:, 2] > -0.5)
    # Behind the front: how far the foremost skin within 4 mm in the front view lies before a face.
    region = is_skin & (np.abs(middle[:, 0]) < 30) & (middle[:, 1] > -90) & (middle[:, 1] < -54) & (middle[:, 2] > 20)
    inner = np.zeros(len(faces), bool)
    if region.any():
        there = middle[region]
        near = cKDTree(there[:, :2]).query(there[:, :2], k=min(24, len(there)), distance_upper_bound=4.0)[1]
        depth = np.append(there[:, 2], -np.inf)
        inner[region] = depth[near.reshape(len(there), -1)].max(axis=1) - there[:, 2] > 5.0
    out = np.where(is_skin, "skin", "").astype("<U5")
    out[is_skin & lips] = "lips"
    out[is_skin & inner] = "mouth"
    return out


def _cylinder_part(name: str, faces: np.ndarray, ray: np.ndarray) -> MeshPart:
    """A part in a cylinder's projection: the face in the middle, the seam at the back of the head.

    Faces across the seam have their vertices of low u again, with 1 added. Faces that look inwards (behind the lips,
    in the nostrils, under the chin) lie behind others in this projection: they have the lower quarter to themselves.
    """
    count, height = len(ray), np.clip((ray[:, 1] + 0.25) / 0.4, 0, 1)
    u = 0.5 + np.arctan2(ray[:, 0], ray[:, 2]) / (2 * np.pi)
    outer, inner = np.stack([u, 0.26 + 0.74 * height], axis=1), np.stack([u, 0.24 * height], axis=1)
    corners = ray[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inwards = (normal * corners.mean(axis=1))[:, [0, 2]].sum(axis=1) < 0
    beyond = (np.ptp(u[faces], axis=1, keepdims=True) > 0.5) & (u[faces] < 0.5)
    part = make_part(name, faces + count * beyond + 2 * count * inwards[:, None],
                     np.concatenate([outer, outer + (1, 0), inner, inner + (1, 0)]))
    return dataclasses.replace(part, vertex_map=part.vertex_map % np.int32(count))
