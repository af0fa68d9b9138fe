"""Bins of equal solid angle over the sphere of directions, laid out as the texels of a square.

The square is folded into an octahedron whose axis is world Y, in the equal-area way of Clarberg 2008, "Fast equal-area
mapping of the (hemi)sphere using SIMD": its centre is +Y, its corners are -Y, and neighbours on the square are
neighbours on the sphere.
"""

from __future__ import annotations

import dataclasses

import numpy as np

R2 = np.array([0.7548776662466927, 0.5698402909980532])
"""Roberts 2018: steps of a sequence of points that fill the unit square evenly, however many there are."""


def to_square(vectors: np.ndarray) -> np.ndarray:
    """(..., 2) points of the unit square, float64 in [0, 1], from unit world vectors (..., 3)."""
    x, up, z = np.moveaxis(np.asarray(vectors, np.float64), -1, 0)
    radius = np.sqrt(np.maximum(1 - np.abs(up), 0))
    turn = np.arctan2(np.abs(x), np.abs(z)) * (2 / np.pi)  # 0 along z, 1 along x
    u, v = radius * turn, radius * (1 - turn)
    u, v = np.where(up < 0, 1 - v, u), np.where(up < 0, 1 - u, v)
    return np.stack([np.copysign(u, x), np.copysign(v, z)], axis=-1) / 2 + 0.5


def to_sphere(points: np.ndarray) -> np.ndarray:
    """(..., 3) unit world vectors, float64, from points (..., 2) of the unit square: undoes :func:`to_square`."""
    u, v = np.moveaxis(2 * np.asarray(points, np.float64) - 1, -1, 0)
    across, along = np.abs(u), np.abs(v)
    signed = 1 - (across + along)
    radius = 1 - np.abs(signed)
    turn = np.where(radius > 0, (across - along) / np.where(radius > 0, radius, 1) + 1, 1) * (np.pi / 4)
    up = np.copysign(1 - radius**2, signed)
    flat = radius * np.sqrt(np.maximum(2 - radius**2, 0))
    return np.stack([np.copysign(np.sin(turn), u) * flat, up, np.copysign(np.cos(turn), v) * flat], axis=-1)


@dataclasses.dataclass(frozen=True)
class Basis:
    """Two nested resolutions of bins: light that meets what the camera sees needs finer ones than light that bounces.

    A vector of light has :attr:`size` entries a channel: ``fine``² of the fine bins in row-major order of the square,
    then ``coarse``² of the coarse ones. Each is the mean radiance over its bin.
    """

    fine: int = 32
    """Bins a side for light that arrives at the first hit straight from the sky: 32 are 6.4 degrees wide."""
    coarse: int = 8
    """Bins a side for light that arrives there by way of other surfaces."""

    @property
    def size(self) -> int:
        """D, the length of a vector of light."""
        return self.fine**2 + self.coarse**2

    def bins(self, vectors: np.ndarray, side: int) -> np.ndarray:
        """(...) int64 bin numbers, 0 to side² - 1, that unit world vectors (..., 3) fall into."""
        row_column = np.minimum((to_square(vectors) * side).astype(np.int64), side - 1)
        return row_column[..., 1] * side + row_column[..., 0]

    def centres(self, side: int) -> np.ndarray:
        """(side², 3) float64 unit world vectors through the middles of the bins."""
        ticks = (np.arange(side) + 0.5) / side
        return to_sphere(np.stack(np.meshgrid(ticks, ticks), axis=-1)).reshape(-1, 3)
