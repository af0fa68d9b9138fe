"""The template's hair: a cap over the scalp that hides beneath the skin until a hair style raises it. Millimetres."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from synth.heads.template.mesh import Skin
from synth.heads.template.sculpt import smoothstep
from synth.heads.template.surface import to_disk

_LINE = np.array([
    # azimuth in degrees from the front, hairline height in mm
    (0, 67), (10, 67.5), (20, 69), (28, 68.5), (36, 61), (43, 49), (50, 42), (57, 34), (63, 22), (68, 4), (72, -10),
    (77, -14), (82, -4), (88, 12), (96, 22), (104, 22), (112, 8), (122, -14), (135, -44), (150, -66), (165, -72),
    (180, -74),
], float)
HIDDEN = -2.5
"""Distance, mm, of the cap beneath the skin where there is no hair."""


def scalp(point: np.ndarray, parameter: np.ndarray) -> np.ndarray:
    """Signed distance-like height (K,) over the hairline, mm: positive where hair grows."""
    azimuth = np.degrees(np.abs(np.arctan2(parameter[:, 0], parameter[:, 2])))
    return _over(point, azimuth)


def hair_cap(skin: Skin, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (V, 3) mm beneath the skin, faces, uv and mirror images of the cap, finer than the skin beneath it."""
    over = scalp(points, skin.parameter)
    used = (over[skin.faces] > -16).all(axis=1)
    faces = skin.faces[used]
    kept, faces = np.unique(faces, return_inverse=True)
    faces = faces.reshape(-1, 3)
    rank = np.full(len(points), -1)
    rank[kept] = np.arange(len(kept))
    mirror = rank[skin.mirror[kept]]
    vertices = points[kept] + HIDDEN * _normals(points, skin.faces)[kept]
    disk = to_disk(skin.parameter[kept])
    vertices, disk, faces, mirror = _subdivide(vertices, disk, faces, mirror)
    azimuth = np.arctan2(disk[:, 0], disk[:, 1])
    level = np.log(np.maximum(np.hypot(disk[:, 0], disk[:, 1]), 1e-6))
    radius = np.interp(level, [-6, -1.0, 0.2, 1.6], [0.0, 0.14, 0.34, 0.495])
    uv = 0.5 + radius[:, None] * np.stack([np.sin(azimuth), -np.cos(azimuth)], axis=1)
    return vertices, faces.astype(np.int32), uv, mirror


def _subdivide(vertices: np.ndarray, disk: np.ndarray, faces: np.ndarray, mirror: np.ndarray):
    """Split each triangle in four at its edges' midpoints; mirror images follow."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, inverse = np.unique(edges, axis=0, return_inverse=True)
    middle = len(vertices) + inverse.reshape(3, -1).T
    a, b, c = faces.T
    ab, bc, ca = middle.T
    finer = np.concatenate([np.stack(t, axis=1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    key = {tuple(edge): k for k, edge in enumerate(unique.tolist())}
    twin = [len(vertices) + key[tuple(sorted(edge))] for edge in mirror[unique].tolist()]
    return (
        np.concatenate([vertices, vertices[unique].mean(axis=1)]), np.concatenate([disk, disk[unique].mean(axis=1)]),
        finer, np.concatenate([mirror, twin]),
    )


def _normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corner = points[faces]
    face = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    total = np.stack([np.bincount(faces.ravel(), np.repeat(face[:, k], 3), minlength=len(points)) for k in range(3)], 1)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def growth(point: np.ndarray, over: np.ndarray) -> np.ndarray:
    """How far (K,) in [0, 1] hair has come to its full thickness at ``over`` mm above the hairline."""
    soft = np.where(point[:, 2] > 30, 9.0, 12.0)
    return smoothstep(-1.0, 1.0, over / soft)


def cap_frame(cap: np.ndarray, points: np.ndarray, skin: Skin) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For cap points (K, 3) mm: height over the hairline, growth in [0, 1], and the direction in which hair stands."""
    skin_points = points[: len(skin.parameter)]
    nearest = cKDTree(skin_points).query(cap, k=4)
    weight = 1 / (nearest[0] + 0.5)
    weight /= weight.sum(axis=1, keepdims=True)
    over = (scalp(skin_points, skin.parameter)[nearest[1]] * weight).sum(axis=1)
    over *= 1 - 0.6 * smoothstep(-5, -45, cap[:, 2])  # hair thins out more slowly towards the nape
    outward = (_normals(skin_points, skin.faces)[nearest[1]] * weight[:, :, None]).sum(axis=1)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    return over, growth(cap, over), outward


def clumps(cap: np.ndarray) -> np.ndarray:
    """Strand-like relief (K,) in about [-1.5, 1.5]: noise stretched along the way hair falls from the crown."""
    side = np.arctan2(cap[:, 0], cap[:, 2] + 10)
    up = cap[:, 1]
    return (
        0.7 * np.sin(11 * side + 1.9 * np.sin(4 * side + 0.03 * up)) + 0.45 * np.sin(23 * side + 0.02 * up)
        + 0.3 * np.sin(41 * side + 0.05 * up + 2 * np.sin(3 * side + 1)) + 0.25 * np.sin(0.2 * up + 7 * side)
    )


def hairline(point: np.ndarray) -> np.ndarray:
    """As :func:`scalp`, for skin points (K, 3) mm whose capsule points aren't known."""
    azimuth = np.degrees(np.arctan2(np.abs(point[:, 0]) / 75, point[:, 2] / 94))
    return _over(point, azimuth)


def _over(point: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Height over the line, shortened where the line is steep so that it is about a distance."""
    angles = np.arange(0, 181.0)
    line = gaussian_filter1d(np.interp(angles, _LINE[:, 0], _LINE[:, 1]), 2.0, mode="nearest")
    slope = np.interp(azimuth, angles, np.gradient(line)) / 1.35  # a degree is about 1.35 mm of skin
    return (point[:, 1] - np.interp(azimuth, angles, line)) / np.sqrt(1 + slope**2)
