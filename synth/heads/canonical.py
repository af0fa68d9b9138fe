"""Where a head's points would lie on the template: one space in which skin is painted and motions carried over."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.interpolate import RBFInterpolator

LANDMARKS: dict[str, tuple[float, float, float]] = {
    "crown": (0, 113, -7.8), "glabella": (0, 19.5, 97.4), "sellion": (0, 5, 94.3), "pronasale": (0, -37.4, 118.4),
    "subnasale": (0, -47.6, 103.5), "labiale_superius": (0, -59.1, 102.9), "labiale_inferius": (0, -77.7, 100.1),
    "sublabiale": (0, -86.2, 95.4), "pogonion": (0, -100.2, 99.2), "gnathion": (-0, -113.4, 86.9),
    "eye": (31.5, 0, 76), "endocanthion": (18.4, -1.3, 82.1), "exocanthion": (44.7, 0.5, 81.6),
    "brow_inner": (11.9, 15.6, 94.7), "brow_middle": (33.1, 18.7, 92.6), "brow_outer": (48.4, 13.1, 79.4),
    "orbitale": (31.8, -11.2, 89.7), "zygion": (66.4, -22, 39.9), "alare": (19.3, -39.5, 98.6),
    "cheilion": (26, -67.5, 90.9), "gonion": (52, -74, 13), "tragion": (69.2, -5.7, -1.9),
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
