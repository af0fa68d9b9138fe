"""Solids that worn things are made of: swept tubes and bars, pads, sheets. Millimetres."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from synth.scene import unit

MIRROR = np.array([-1.0, 1.0, 1.0])
_CAP = np.array([(0.98, 0.2), (0.83, 0.56), (0.56, 0.83), (0.2, 0.98)])
"""How far a rounded end has come, and its breadth, ring by ring from the end's middle inwards."""


@dataclasses.dataclass(frozen=True)
class Mesh:
    """A piece of what is worn, in the fitting's frame."""

    vertices: np.ndarray
    """(V, 3) float64 mm."""
    faces: np.ndarray
    """(F, 3) int, counter-clockwise seen from outside."""
    uv: np.ndarray
    """(V, 2) mm along the surface."""

    def mirrored(self) -> Mesh:
        """Its image on the head's other side."""
        return Mesh(self.vertices * MIRROR, self.faces[:, ::-1], self.uv)


def join(meshes: Sequence[Mesh]) -> Mesh:
    """Several meshes as one."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]),
                np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]),
                np.concatenate([mesh.uv for mesh in meshes]))


def sweep(path: np.ndarray, across: np.ndarray, half: np.ndarray, *, closed: bool = False, power: float = 2.0,
          sides: int = 16) -> Mesh:
    """A bar along ``path`` (K, 3) whose section is a superellipse: 2 is an ellipse, 4 a rounded rectangle.

    across: the section's first axis, (K, 3), or (3,) at the start, from where it is carried along without twist;
    half: (K, 2) or (2,) half sizes along the first axis and square to it. An open bar's ends are rounded.
    """
    half = np.broadcast_to(half, (len(path), 2)).astype(float)
    tangent = _tangents(path, closed)
    across = _carried(across, tangent) if np.ndim(across) == 1 else across
    across = unit(across - (across * tangent).sum(axis=1, keepdims=True) * tangent)
    if not closed:
        path, across, half, tangent = _rounded(path, across, half, tangent)
    other = np.cross(tangent, across)
    turn = 2 * np.pi * np.arange(sides) / sides
    ring = np.stack([np.sign(f) * np.abs(f) ** (2 / power) for f in (np.cos(turn), np.sin(turn))], axis=1)
    size = half[:, None] * ring
    points = path[:, None] + size[..., :1] * across[:, None] + size[..., 1:] * other[:, None]
    along = np.cumsum(np.linalg.norm(np.diff(path, axis=0, prepend=path[:1]), axis=1))
    around = turn / (2 * np.pi) * 4 * half.sum(axis=1).mean()
    uv = np.stack(np.broadcast_arrays(along[:, None], around), axis=2)
    return Mesh(points.reshape(-1, 3), lattice(*points.shape[:2], rows_close=closed, columns_close=True),
                uv.reshape(-1, 2))


def lattice(rows: int, columns: int, rows_close: bool = False, columns_close: bool = False) -> np.ndarray:
    """(F, 3) faces of a grid of vertices, row by row; its outside is columns x rows (right-handed)."""
    index = np.arange(rows * columns).reshape(rows, columns)
    if rows_close:
        index = np.concatenate([index, index[:1]])
    if columns_close:
        index = np.concatenate([index, index[:, :1]], axis=1)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    return np.concatenate([np.stack(corner, axis=2).reshape(-1, 3) for corner in ((a, b, c), (b, d, c))])


def ellipsoid(centre: np.ndarray, axes: np.ndarray, rings: int = 9, sides: int = 16) -> Mesh:
    """An ellipsoid of half axes ``axes`` (3, 3), right-handed rows."""
    polar, turn = np.linspace(0.02, np.pi - 0.02, rings), 2 * np.pi * np.arange(sides) / sides
    unit = np.stack(np.broadcast_arrays(np.sin(polar)[:, None] * np.cos(turn), np.sin(polar)[:, None] * np.sin(turn),
                                        -np.cos(polar)[:, None]), axis=2)
    points = centre + unit @ axes
    size = np.linalg.norm(axes, axis=1).max()
    uv = size * np.stack(np.broadcast_arrays(turn, polar[:, None]), axis=2)
    return Mesh(points.reshape(-1, 3), lattice(rings, sides, columns_close=True), uv.reshape(-1, 2))


def bezier(*points: np.ndarray, count: int = 12) -> np.ndarray:
    """(count, 3) points of a quadratic or cubic Bezier curve (de Casteljau's algorithm)."""
    t = np.linspace(0, 1, count)[:, None]
    level = [np.broadcast_to(point, (count, 3)) for point in points]
    while len(level) > 1:
        level = [(1 - t) * p + t * q for p, q in zip(level[:-1], level[1:], strict=True)]
    return level[0]


def resample(path: np.ndarray, step: float) -> np.ndarray:
    """A curve (K, D) by points ``step`` apart, its ends kept."""
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    at = np.linspace(0, length[-1], max(2, round(length[-1] / step) + 1))
    return np.stack([np.interp(at, length, column) for column in path.T], axis=1)


def _tangents(path: np.ndarray, closed: bool) -> np.ndarray:
    if closed:
        return unit(np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0))
    return unit(np.gradient(path, axis=0))


def _carried(start: np.ndarray, tangent: np.ndarray) -> np.ndarray:
    """A direction carried along a curve without twist (parallel transport)."""
    out = [np.asarray(start, float)]
    for t in tangent:
        out.append(unit(out[-1] - t * (t @ out[-1])))
    return np.array(out[1:])


def _rounded(path: np.ndarray, across: np.ndarray, half: np.ndarray, tangent: np.ndarray) -> tuple[np.ndarray, ...]:
    """A bar's rings with more of them at both ends, ever smaller: caps."""
    reach, breadth = _CAP.T[..., None]
    ends = []
    for end, sign in ((0, -1), (-1, 1)):
        order = slice(None) if sign < 0 else slice(None, None, -1)
        beyond = path[end] + sign * half[end].min() * reach * tangent[end]
        rings = (beyond, across[end] + 0 * reach, half[end] * breadth, tangent[end] + 0 * reach)
        close = (beyond[:1], across[end][None], half[end][None] * 1e-3, tangent[end][None])
        ends.append([np.concatenate([tip, ring])[order] for tip, ring in zip(close, rings, strict=True)])
    return tuple(np.concatenate(three) for three in zip(ends[0], (path, across, half, tangent), ends[1], strict=True))
