"""Where on the head each texel lies: painting happens in head space, so that it needs no UV layout to be drawn for."""

from __future__ import annotations

import functools

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from synth.heads.head import HeadModel


@functools.lru_cache(maxsize=8)
def positions(head: HeadModel, material: str, size: int) -> np.ndarray:
    """(size, size, 3) float32 canonical head position of each texel, mm, row 0 at v = 1. Gaps: the nearest one's."""
    meshes = [mesh for mesh in head.parts if mesh.material == material]
    starts = np.cumsum([0, *(len(mesh.uv) for mesh in meshes)])
    faces = np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)])
    points = head.canonical[np.concatenate([mesh.vertex_map for mesh in meshes])]
    image = _rasterise(np.concatenate([mesh.uv for mesh in meshes]), faces, points, size)
    image.flags.writeable = False  # callers share it
    return image


def _rasterise(uv: np.ndarray, faces: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """Interpolate vertex values (V, C) over the UV square, which repeats. Gaps take the nearest covered texel's."""
    pixel = np.stack([uv[:, 0] * size - 0.5, (1 - uv[:, 1]) * size - 0.5], axis=1)
    corner = pixel[faces].astype(np.float64)
    low = np.ceil(corner.min(axis=1) - 1e-6).astype(int)
    extent = np.floor(corner.max(axis=1) + 1e-6).astype(int) - low + 1
    a, b, c = corner[:, 0], corner[:, 1], corner[:, 2]
    area = np.cross(b - a, c - a)
    image = np.zeros((size, size, values.shape[1]), np.float32)
    covered = np.zeros((size, size), bool)
    longest = extent.max(axis=1)
    usable = (extent.min(axis=1) > 0) & (np.abs(area) > 1e-12)
    for cap in 2 ** np.arange((size - 1).bit_length() + 1):  # small faces first; none is larger than the texture
        chosen = np.flatnonzero(usable & (longest <= cap) & (longest > cap // 2))
        for batch in np.array_split(chosen, max(1, len(chosen) * cap * cap // 4_000_000)):
            grid = np.stack(np.meshgrid(np.arange(cap), np.arange(cap), indexing="xy"), axis=2).reshape(-1, 2)
            at = low[batch][:, None] + grid
            q = at - a[batch][:, None]
            wb = np.cross(q, (c - a)[batch][:, None]) / area[batch][:, None]
            wc = np.cross((b - a)[batch][:, None], q) / area[batch][:, None]
            which, where = np.nonzero((wb >= -1e-6) & (wc >= -1e-6) & (wb + wc <= 1 + 1e-6))
            w = np.stack([1 - wb - wc, wb, wc], axis=2)[which, where]
            col, row = at[which, where].T % size
            image[row, col] = np.einsum("kc,kcd->kd", w, values[faces[batch[which]]])
            covered[row, col] = True
    if not covered.all() and covered.any():
        rows, cols = distance_transform_edt(~covered, return_distances=False, return_indices=True)
        image = image[rows, cols]
    return image


def noise(rng: np.random.Generator, size: int, scale: float) -> np.ndarray:
    """(size, size) float32 smooth noise of unit variance whose features are ``scale`` texels across. Tiles."""
    coarse = max(1, int(scale / 4))
    small = gaussian_filter(rng.standard_normal((-(-size // coarse),) * 2, np.float32), scale / coarse, mode="wrap")
    if coarse > 1:
        at = np.arange(size) // coarse
        share = ((np.arange(size) % coarse) / coarse).astype(np.float32)
        small = small[at] + share[:, None] * (np.roll(small, -1, axis=0)[at] - small[at])
        small = small[:, at] + share * (np.roll(small, -1, axis=1)[:, at] - small[:, at])
    return small / np.float32(max(small.std(), 1e-9))


def normals_from_height(height: np.ndarray, strength: float) -> np.ndarray:
    """(H, W, 3) float32 tangent-space unit normals of a height map, x along +u, y along +v (rows run down)."""
    dx = np.float32(0.5 * strength) * (np.roll(height, -1, axis=1) - np.roll(height, 1, axis=1))
    dy = np.float32(0.5 * strength) * (np.roll(height, 1, axis=0) - np.roll(height, -1, axis=0))
    length = np.sqrt(dx * dx + dy * dy + 1)
    return np.stack([-dx / length, -dy / length, 1 / length], axis=2)
