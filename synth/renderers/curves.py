"""Strands as renderers draw them: cubic B-splines cut into straight pieces. Plain numpy."""

from __future__ import annotations

import functools

import numpy as np

from synth.scene import Strands

PIECES = 2
"""Straight pieces between two points of a strand."""


@functools.cache
def basis(points: int) -> np.ndarray:
    """((K - 1) PIECES + 1, K) float32: from a strand's K points to those of its pieces, on the uniform cubic B-spline.

    Left alone it would stay away from its ends; with p[-1] = 2 p[0] - p[1] it starts at p[0] (and so at the tip).
    """
    t = np.arange(PIECES)[:, None] / PIECES
    span = np.concatenate([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6
    spline = np.zeros(((points - 1) * PIECES + 1, points + 2))
    for first in range(points - 1):
        spline[first * PIECES:(first + 1) * PIECES, first:first + 4] = span
    spline[-1, -3:] = [1 / 6, 4 / 6, 1 / 6]
    inner = spline[:, 1:-1].copy()
    inner[:, :2] += spline[:, :1] * [2, -1]
    inner[:, -2:] += spline[:, -1:] * [-1, 2]
    return inner.astype(np.float32)


def pieces(group: Strands, vertices: np.ndarray) -> np.ndarray:
    """(S, P, 3) float32 metres: the ends of every strand's P - 1 pieces on a frame's model vertices (N, 3)."""
    placed = group.place(vertices)
    # Plain products: BLAS may round differently where memory is aligned differently.
    return sum(share[:, None] * placed[:, k, None] for k, share in enumerate(basis(placed.shape[1]).T))


def radii(group: Strands) -> np.ndarray:
    """(S, P) float32 metres: the radii there."""
    return np.maximum(group.radii @ basis(group.radii.shape[1]).T, 1e-6)


def per_strand(group: Strands) -> int:
    """Pieces of each strand."""
    return len(basis(group.radii.shape[1])) - 1
