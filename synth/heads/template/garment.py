"""The template's garment: a crew-neck shirt over shoulders and chest, a shell a few millimetres off the skin."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from synth.heads.template.landmarks import BOTTOM
from synth.heads.template.sculpt import smoothstep
from synth.heads.template.surface import Surface, cylinder

COLUMNS = 97
"""Vertices around, both ends of the seam at the back included."""
_RIB = 17.0
"""Breadth of the collar's ribbing, mm."""
# Down from the neckline, mm, and off the skin, mm: the folded edge from its inside, the ribbing, its seam.
_HEM = ((5.0, 0.5), (1.4, 0.6), (0.2, 1.1), (0.0, 1.9), (0.5, 2.7), (2.0, 3.1), (6.0, 3.2), (11.0, 3.2), (15.0, 3.0),
        (16.4, 2.6), (17.2, 1.9), (18.2, 2.2), (20.0, 2.7))
_ROWS = 26
"""Rows of cloth below the ribbing."""
TILE = 12.0
"""Side of the square of cloth that the garment's texture shows, mm."""


def garment(surface: Surface) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (V, 3) mm, faces, uv and mirror images (V,), counted from 0. Rows of ``COLUMNS`` from the collar down.

    uv counts the texture's tiles, so that it repeats.
    """
    turn = np.linspace(-np.pi, np.pi, COLUMNS)
    down = np.array([d for d, _ in _HEM])
    depth = np.concatenate([down, down[-1] + np.linspace(0, 1, _ROWS + 1)[1:] ** 1.25 * 150])
    off = np.concatenate([[o for _, o in _HEM], np.linspace(3.0, 5.0, _ROWS)])
    height = np.round(_heights(surface, turn, depth), 4)  # last bits depend on the machine's threads
    q = np.stack([np.broadcast_to(turn, height.shape), height], axis=2)
    skin = surface(cylinder(q.reshape(-1, 2))).reshape(*height.shape, 3)
    normal = _normals(skin)
    taut = _taut(skin, normal, depth)
    cloth = taut + off[:, None, None] * _normals(taut)
    free = smoothstep(_RIB, 3 * _RIB, depth)[:, None, None]  # below the collar cloth bridges the skin's hollows
    for _ in range(30):
        cloth += free * 0.5 * (_neighbours(cloth) - cloth)
        short = off[:, None] - ((cloth - skin) * normal).sum(axis=2)
        cloth += np.maximum(short, 0)[:, :, None] * normal
    cloth = 0.5 * (cloth + cloth[:, ::-1] * (-1, 1, 1))
    cloth[:, [0, -1], 0] = 0.0
    rows = len(depth)
    index = np.arange(rows * COLUMNS).reshape(rows, COLUMNS)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    half = COLUMNS // 2
    left = np.concatenate([np.stack(corner, axis=2)[:, half:].reshape(-1, 3) for corner in ((a, c, b), (b, c, d))])
    mirror = index[:, ::-1].ravel()
    faces = np.concatenate([left, mirror[left][:, ::-1]])
    around = np.round(2 * np.pi * 75 / TILE)
    uv = np.stack([np.broadcast_to(turn / (2 * np.pi) * around, height.shape), height / TILE], axis=2)
    return cloth.reshape(-1, 3), faces.astype(np.int32), uv.reshape(-1, 2), mirror


def _heights(surface: Surface, turn: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Unrolled heights (R, COLUMNS), mm, of rows that lie ``depth`` (R,) mm of skin below the collar's edge.

    The edge is where a bowl, low at the throat, cuts the neck. Below the ribbing, rows spread out to the bust's edge.
    """
    height = np.linspace(-170.0, BOTTOM, 241)
    q = np.stack(np.meshgrid(turn, height, indexing="ij"), axis=2)
    skin = surface(cylinder(q.reshape(-1, 2))).reshape(*q.shape[:2], 3)
    x, y, z = np.moveaxis(skin, 2, 0)
    over = y - (-182.0 - 0.33 * z + 0.0015 * x**2 + 0.7e-6 * x**4)
    length = np.pad(np.cumsum(np.linalg.norm(np.diff(skin, axis=1), axis=2), axis=1), ((0, 0), (1, 0)))
    cut = np.argmax(over < 0, axis=1)
    rows = np.arange(len(turn))
    above, below = over[rows, cut - 1], over[rows, cut]
    edge = length[rows, cut - 1] + (length[rows, cut] - length[rows, cut - 1]) * above / (above - below)
    edge = gaussian_filter1d(edge, 4.0, mode="wrap")
    hem = len(_HEM)
    spread = (length[:, -1] - edge - depth[hem - 1]) / (depth[-1] - depth[hem - 1])
    down = np.where(np.arange(len(depth)) < hem, depth, depth[hem - 1] + (depth - depth[hem - 1]) * spread[:, None])
    return np.stack([np.interp(edge[k] + down[k], length[k], height) for k in range(len(turn))], axis=1)


def _taut(skin: np.ndarray, normal: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """A grid (R, COLUMNS, 3) round the skin without its hollows, smoothest at the collar, which leaps over tendons."""

    def around(grid: np.ndarray, width: float) -> np.ndarray:
        smooth = gaussian_filter1d(grid[:, :-1], width, axis=1, mode="wrap")
        return np.concatenate([smooth, smooth[:, :1]], axis=1)

    tight, loose = around(skin, 5.0), around(skin, 2.0)
    grid = tight + smoothstep(0, 4 * _RIB, depth)[:, None, None] * (loose - tight)
    short = np.maximum(((skin - grid) * normal).sum(axis=2), 0)
    push = around(maximum_filter1d(short, 9, axis=1, mode="wrap"), 3.0)
    return grid + push[:, :, None] * around(normal, 3.0)


def _neighbours(grid: np.ndarray) -> np.ndarray:
    """Mean of the four neighbours of a grid's points (R, COLUMNS, 3), closed at the seam; the ends stay."""
    ring = np.concatenate([grid[:, -2:-1], grid, grid[:, 1:2]], axis=1)
    padded = np.concatenate([ring[:1], ring, ring[-1:]])
    return 0.25 * (padded[2:, 1:-1] + padded[:-2, 1:-1] + padded[1:-1, 2:] + padded[1:-1, :-2])


def _normals(grid: np.ndarray) -> np.ndarray:
    """Outward unit normals (R, COLUMNS, 3) of a grid whose rows run down and whose columns turn to the left."""
    ring = np.concatenate([grid[:, -2:-1], grid, grid[:, 1:2]], axis=1)
    normal = np.cross(np.gradient(grid, axis=0), ring[:, 2:] - ring[:, :-2])
    # The hem's rows turn back on themselves: there the last row that runs down decides.
    first = len(_HEM) - 6
    normal[:first] = normal[first]
    return normal / np.linalg.norm(normal, axis=2, keepdims=True)
