"""Luminous panels around a head, an LED stage, as vectors of light.

A panel at a finite distance lies in another direction from each point of a head; here all of them are taken as seen
from one point. In a cube 2 m wide, the irradiance on a ball of 10 cm radius in its middle is so in error by 13 % (root
mean square over the ball) under a single panel 25 cm wide, by 5.6 % under one whole wall, by 1.6 % under 384 panels of
random radiance, and by nothing on average. The error is proportional to the size of the head over that of the cube.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse

from assets.errors import SpecError
from synth.transport.directions import R2, Basis

_CELLS = 16
"""Parts of a panel across a fine bin."""
_MOST_CELLS = 256
"""Most parts of a panel across."""


def panel_matrix(
    centres: np.ndarray,
    half_axes: np.ndarray,
    basis: Basis,
    eye: np.ndarray | tuple[float, float, float] = (0.0, 0.0, 0.0),
    exponent: float = 0.0,
) -> scipy.sparse.csr_matrix:
    """Sparse float32 (D, N): the vector of light of each of N panels of radiance 1, of exactly its power at ``eye``.

    Its product with the panels' radiance (N, 3), which may change with every frame, is the stage's vector of light.
    Panels don't hide each other.

    centres: (N, 3) world metres. half_axes: (N, 2, 3) world metres, from the centre to the middles of two adjacent
    sides; a panel shines to the side that their cross product points to. eye: (3,) world metres, the middle of the
    head. exponent: radiance falls with this power of the cosine to the panel's normal: 0 for a Lambertian emitter.
    """
    centres, half_axes = np.asarray(centres, np.float64), np.asarray(half_axes, np.float64)
    _check(centres, half_axes, exponent)
    columns = [_panel(centre - eye, axes, basis, exponent) for centre, axes in zip(centres, half_axes, strict=True)]
    return scipy.sparse.hstack(columns, "csr", np.float32) if columns else scipy.sparse.csr_matrix((basis.size, 0))


def project_panels(
    centres: np.ndarray,
    half_axes: np.ndarray,
    radiance: np.ndarray,
    basis: Basis,
    eye: np.ndarray | tuple[float, float, float] = (0.0, 0.0, 0.0),
    exponent: float = 0.0,
) -> np.ndarray:
    """(D, 3) float32 vector of light of panels of linear Rec.709 ``radiance`` (N, 3), see :func:`panel_matrix`."""
    radiance = np.asarray(radiance, np.float32)
    if radiance.shape != (len(centres), 3) or not np.isfinite(radiance).all() or (radiance < 0).any():
        raise SpecError(f"radiance: got an array of shape {radiance.shape}, expected ({len(centres)}, 3), finite, >= 0")
    return panel_matrix(centres, half_axes, basis, eye, exponent) @ radiance


def _check(centres: np.ndarray, half_axes: np.ndarray, exponent: float) -> None:
    if centres.ndim != 2 or centres.shape[1] != 3 or not np.isfinite(centres).all():
        raise SpecError(f"centres: got an array of shape {centres.shape}, expected finite (N, 3)")
    if half_axes.shape != (len(centres), 2, 3) or not np.isfinite(half_axes).all():
        raise SpecError(f"half_axes: got an array of shape {half_axes.shape}, expected finite ({len(centres)}, 2, 3)")
    if not (np.linalg.norm(np.cross(half_axes[:, 0], half_axes[:, 1]), axis=-1) > 0).all():
        raise SpecError("half_axes: a panel has no area, expected two axes that are not parallel")
    if not 0 <= exponent < math.inf:
        raise SpecError(f"exponent: {exponent}, expected a number >= 0")


def _panel(centre: np.ndarray, axes: np.ndarray, basis: Basis, exponent: float) -> scipy.sparse.csr_matrix:
    """(D, 1) means over the bins of the radiance of one panel, seen from the origin."""
    normal = np.cross(*axes) / np.linalg.norm(np.cross(*axes))
    distance = -float(centre @ normal)  # of the origin before the panel
    if distance <= 0:
        return scipy.sparse.csr_matrix((basis.size, 1))
    nearest = centre - np.clip(np.linalg.lstsq(axes.T, centre, rcond=None)[0], -1, 1) @ axes
    cell = np.linalg.norm(nearest) * math.sqrt(4 * math.pi) / basis.fine / _CELLS
    counts = np.clip(np.ceil(2 * np.linalg.norm(axes, axis=1) / cell), 1, _MOST_CELLS).astype(int)
    down, right = (np.linspace(-1, 1, count + 1)[:, None] * axis for count, axis in zip(counts, axes, strict=True))
    corners = centre + down[:, None] + right
    # A point anywhere in each cell, not its middle: rows of those would fall into a bin or beside it all at once.
    down, right = ((np.arange(counts.prod())[:, None] * R2 + 0.5) % 1).T.reshape(2, *counts, 1)
    points = (corners[:-1, :-1] + 2 * down / counts[0] * axes[0] + 2 * right / counts[1] * axes[1]).reshape(-1, 3)
    towards = points / np.linalg.norm(points, axis=1, keepdims=True)
    areas = _solid_angles(corners).ravel() * (towards @ -normal) ** exponent
    parts = []
    for side in (basis.fine, basis.coarse):
        power = np.bincount(basis.bins(towards, side), areas, side * side)
        parts.append(power * (side * side / (4 * math.pi)))
    return scipy.sparse.csr_matrix(np.concatenate(parts)[:, None])


def _solid_angles(corners: np.ndarray) -> np.ndarray:
    """(R, C) steradians of the cells of a grid of points (R + 1, C + 1, 3), seen from the origin."""
    unit = corners / np.linalg.norm(corners, axis=-1, keepdims=True)
    a, b, c, d = unit[:-1, :-1], unit[1:, :-1], unit[1:, 1:], unit[:-1, 1:]

    def triangle(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
        # Van Oosterom and Strackee 1983, "The solid angle of a plane triangle".
        volume = np.einsum("...i,...i", p, np.cross(q, r))
        pq, qr, rp = (np.einsum("...i,...i", one, other) for one, other in ((p, q), (q, r), (r, p)))
        return 2 * np.arctan2(np.abs(volume), 1 + pq + qr + rp)

    return triangle(a, b, c) + triangle(a, c, d)
