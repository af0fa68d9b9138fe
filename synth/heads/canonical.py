"""Where a head's points would lie on the template: one space in which skin is painted and motions carried over."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.interpolate import RBFInterpolator

LANDMARKS: dict[str, tuple[float, float, float]] = {
    "crown": (0, 113, -8), "glabella": (0, 19.1, 99.6), "sellion": (0, 6, 93.8), "pronasale": (0, -36.3, 118),
    "subnasale": (0, -46.2, 105.9), "labiale_superius": (0, -57.2, 102), "labiale_inferius": (0, -75.6, 100.6),
    "sublabiale": (0, -86.3, 94.2), "pogonion": (0, -100, 98.6), "gnathion": (0, -112.5, 86.8),
    "eye": (31.5, 0, 76), "endocanthion": (19.7, -1.3, 84), "exocanthion": (43.6, 0.5, 83.6),
    "brow_inner": (11.9, 15.6, 97.5), "brow_middle": (33.1, 18.7, 96.2), "brow_outer": (48.4, 13.1, 81.6),
    "orbitale": (31.8, -11.2, 86.7), "zygion": (67, -22, 40), "alare": (18.1, -39.1, 98.4),
    "cheilion": (25.3, -66.2, 89.8), "gonion": (51, -73, 13), "tragion": (70, -6, -2),
}
"""Craniofacial landmarks (Farkas 1994) on the mean template, mm; of pairs the subject's left one."""


def canonical(neutral: np.ndarray, landmarks: Mapping[str, np.ndarray]) -> np.ndarray:
    """(N, 3) float32 mm: ``neutral`` (N, 3) metres, warped so that its ``landmarks`` fall on the template's.

    landmarks: name in ``LANDMARKS`` (``left_`` / ``right_`` before paired ones) to its place on ``neutral``, (3,) m.
    Scale and shift first (all heads face +Z), then radial basis functions that grow at most linearly: far from the
    face nothing is torn.
    """
    names = sorted(landmarks)
    source = np.array([landmarks[name] for name in names], float)
    target = np.array([template_landmark(name) for name in names])
    spread = source - source.mean(axis=0)
    scale = (spread * (target - target.mean(axis=0))).sum() / (spread**2).sum()
    shift = target.mean(axis=0) - scale * source.mean(axis=0)
    aligned, moved = scale * neutral.astype(float) + shift, scale * source + shift
    if len(names) < 5:
        return aligned.astype(np.float32)
    warp = RBFInterpolator(moved, target - moved, kernel="linear", degree=0, smoothing=0.5)
    return (aligned + warp(aligned)).astype(np.float32)


def template_landmark(name: str) -> np.ndarray:
    """(3,) mm: a landmark's place on the mean template."""
    side = -1.0 if name.startswith("right_") else 1.0
    return np.array(LANDMARKS[name.removeprefix("left_").removeprefix("right_")]) * (side, 1, 1)
