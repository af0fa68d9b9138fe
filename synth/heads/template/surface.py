"""The template's skin as a function on a capsule: landmarks, joined smoothly, then sculpted.

The parameter domain is a capsule (a cylinder with a hemisphere on top), unrolled conformally to a disk: the crown is
the disk's centre, the bust's edge its rim. Conformal, so that a planar Delaunay triangulation suits the capsule too.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.interpolate import RBFInterpolator

from synth.heads.template import sculpt
from synth.heads.template.landmarks import EQUATOR, RADIUS, landmarks


@dataclasses.dataclass(frozen=True)
class Surface:
    """The skin without holes: capsule points to head points, mm."""

    base: RBFInterpolator
    """Thin-plate-like (triharmonic, C2) interpolation of the landmarks over the capsule."""

    def __call__(self, parameter: np.ndarray) -> np.ndarray:
        """(K, 3) capsule points to (K, 3) skin points, mm."""
        return sculpt.sculpt(self.base(parameter), parameter)

    def locate(self, target: np.ndarray, guess: np.ndarray, view=lambda point: point[:, :2]) -> np.ndarray:
        """Capsule points whose skin points are seen at ``target`` (K, 2) under ``view``, by Newton's method.

        guess: (K, 2) azimuth in radians and unrolled height in mm; ``view`` defaults to the front view (x, y).
        """
        q = guess.astype(float).copy()
        steps = (np.array([1e-3, 0.0]), np.array([0.0, 0.08]))
        for _ in range(30):
            here = view(self(cylinder(q)))
            jacobian = np.stack(
                [(view(self(cylinder(q + step))) - here) / step.sum() for step in steps], axis=2
            )
            move = np.linalg.solve(jacobian + 1e-9 * np.eye(2), (target - here)[:, :, None])[:, :, 0]
            q += 0.7 * np.clip(move, (-0.05, -4.0), (0.05, 4.0))
        error = np.abs(view(self(cylinder(q))) - target).max()
        if not error < 0.05 * max(1.0, np.abs(target).max()):
            raise RuntimeError(f"template: no skin point at the wanted place (off by {error:.3g})")
        return cylinder(q)


def build_surface() -> Surface:
    """Solve for the interpolation of the landmarks."""
    parameters, points = landmarks()
    return Surface(RBFInterpolator(parameters, points, kernel="cubic", smoothing=25.0, degree=1))


def cylinder(q: np.ndarray) -> np.ndarray:
    """(K, 2) azimuth in radians and unrolled height in mm, below the equator, to (K, 3) capsule points, mm."""
    return np.stack([RADIUS * np.sin(q[:, 0]), q[:, 1], RADIUS * np.cos(q[:, 0])], axis=1)


def to_disk(parameter: np.ndarray) -> np.ndarray:
    """Capsule points (K, 3) mm to the conformal disk (K, 2): the face is at azimuth 0, which is +y."""
    azimuth = np.arctan2(parameter[:, 0], parameter[:, 2])
    height = parameter[:, 1]
    ring = np.hypot(parameter[:, 0], parameter[:, 2])
    with np.errstate(invalid="ignore"):
        polar = ring / (RADIUS + np.maximum(height - EQUATOR, 0))  # stereographic: tan(polar angle / 2)
        radius = np.where(height > EQUATOR, polar, np.exp((EQUATOR - height) / RADIUS))
    return np.stack([radius * np.sin(azimuth), radius * np.cos(azimuth)], axis=1)


def from_disk(disk: np.ndarray) -> np.ndarray:
    """Inverse of :func:`to_disk`."""
    radius = np.hypot(disk[:, 0], disk[:, 1])
    azimuth = np.arctan2(disk[:, 0], disk[:, 1])
    polar = 2 * np.arctan(np.minimum(radius, 1))
    ring = np.where(radius < 1, RADIUS * np.sin(polar), RADIUS)
    height = np.where(radius < 1, EQUATOR + RADIUS * np.cos(polar), EQUATOR - RADIUS * np.log(np.maximum(radius, 1)))
    return np.stack([ring * np.sin(azimuth), height, ring * np.cos(azimuth)], axis=1)
