"""Where on the head each texel lies: painting happens in head space, so that it needs no UV layout to be drawn for."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates

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


@dataclasses.dataclass(frozen=True, eq=False)
class Metric:
    """How large texels are on the skin: the derivatives of canonical position along +u and +v, canonical mm a texel.

    The frame is the renderer's: one axis along +u on the surface, the other across it.
    """

    along: np.ndarray
    """(H, W) float32: length of a step along +u."""
    shear: np.ndarray
    """(H, W) float32: how far a step along +v goes along +u's direction."""
    across: np.ndarray
    """(H, W) float32: how far it goes across."""
    whole: np.ndarray
    """(H, W) bool: False at seams and where the UV map folds, where there is no derivative."""

    @property
    def footprint(self) -> np.ndarray:
        """(H, W) float32 mm: the longer side of each texel."""
        return np.maximum(self.along, np.hypot(self.shear, self.across))

    def window(self, box: tuple[slice, slice]) -> Metric:
        """The same of a part of the texture."""
        return Metric(self.along[box], self.shear[box], self.across[box], self.whole[box])

    def slopes(self, height: np.ndarray) -> np.ndarray:
        """(H, W, 2) float32 derivatives of a height map (H, W), mm, along the frame's axes: 1 is 45 degrees."""
        down, right = np.gradient(height.astype(np.float32, copy=False))
        x = right / self.along
        y = (-down - self.shear * x) / self.across
        return np.clip(np.where(self.whole[..., None], np.stack([x, y], axis=2), 0), -3, 3)


@functools.lru_cache(maxsize=4)
def metric(head: HeadModel, material: str, size: int) -> Metric:
    """The metric of a material's texture of ``size`` texels a side."""
    place = positions(head, material, size)
    steps, whole = [], np.ones((size, size), bool)
    for shift, axis in ((-1, 1), (1, 0)):  # one texel along +u, one along +v
        forward, back = np.roll(place, shift, axis) - place, place - np.roll(place, -shift, axis)
        lengths = np.stack([np.linalg.norm(forward, axis=2), np.linalg.norm(back, axis=2)])
        whole &= lengths.max(axis=0) < 5 * lengths.min(axis=0) + 1200 / size
        steps.append(0.5 * (forward + back))
    along = np.linalg.norm(steps[0], axis=2)
    whole &= along > 1e-4
    along = np.maximum(along, np.float32(1e-4))
    shear = (steps[0] * steps[1]).sum(axis=2) / along
    across = np.sqrt(np.maximum(np.square(steps[1]).sum(axis=2) - shear * shear, 0))
    whole &= across > 0.1 * np.abs(shear) + 1e-4
    return Metric(along, shear, np.maximum(across, np.float32(1e-4)), whole)


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


def solid_noise(rng: np.random.Generator, point: np.ndarray, wavelength: float) -> np.ndarray:
    """(K,) float32 noise of unit variance in space at points (K, 3), so that no UV map stretches it.

    wavelength: of the one octave that it holds, in the points' unit. It is one random block, turned, shifted, repeated.
    """
    block = _block()
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0] * (_BLOCK_WAVE / wavelength)
    shift, turn = rng.uniform(0, len(block), 3).astype(np.float32), turn.astype(np.float32)
    x, y, z = np.ascontiguousarray(point.T)
    # Not a matrix product: its last bits depend on where the array lies in memory.
    at = np.stack([turn[k, 0] * x + turn[k, 1] * y + turn[k, 2] * z + shift[k] for k in range(3)])
    return map_coordinates(block, at, order=1, mode="grid-wrap", output=np.float32)


_BLOCK_WAVE = 7.0
"""Wavelength in voxels of the noise in :func:`_block`."""


@functools.lru_cache(maxsize=1)
def _block(size: int = 80) -> np.ndarray:
    """(size,) * 3 float32 noise of unit variance, an octave wide, which repeats."""
    white = np.random.Generator(np.random.PCG64(7)).standard_normal((size,) * 3, np.float32)
    across = np.fft.fftfreq(size).astype(np.float32)
    length = np.sqrt(across[:, None, None] ** 2 + across[:, None] ** 2 + np.fft.rfftfreq(size).astype(np.float32) ** 2)
    octaves = np.log2(np.maximum(length, 1e-6) * _BLOCK_WAVE)
    noise = np.fft.irfftn(np.fft.rfftn(white) * np.exp(-np.square(octaves / 0.5)), s=white.shape).astype(np.float32)
    return noise / noise.std()


def normals_from_height(height: np.ndarray, strength: float) -> np.ndarray:
    """(H, W, 3) float32 tangent-space unit normals of a height map, x along +u, y along +v (rows run down)."""
    dx = np.float32(0.5 * strength) * (np.roll(height, -1, axis=1) - np.roll(height, 1, axis=1))
    dy = np.float32(0.5 * strength) * (np.roll(height, 1, axis=0) - np.roll(height, -1, axis=0))
    length = np.sqrt(dx * dx + dy * dy + 1)
    return np.stack([-dx / length, -dy / length, 1 / length], axis=2)
