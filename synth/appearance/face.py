"""Which texels are the bare skin of a face: where its colour is measured."""

from __future__ import annotations

import numpy as np

from synth.appearance import texels
from synth.heads.head import HeadModel

EXTENT = ((-52.0, 52.0), (-92.0, 62.0))
"""Canonical mm to the left and upwards of the eyes' middle: forehead to chin, cheek to cheek, as spectrophotometers
and cameras sample it."""


def face_mask(head: HeadModel, size: int) -> np.ndarray:
    """(size, size) bool: texels of forehead, cheeks, nose and chin, without eyes, lids, brows and lips."""
    x, y, z = np.moveaxis(texels.positions(head, "skin", size), 2, 0)
    (left, right), (low, high) = EXTENT
    inside = (x > left) & (x < right) & (y > low) & (y < high) & (z > 60)
    eyes = (np.abs(np.abs(x) - 31) < 22) & (y > -14) & (y < 28)
    mouth = (np.abs(x) < 30) & (y > -84) & (y < -56)
    chosen = inside & ~eyes & ~mouth
    return chosen if chosen.any() else inside  # textures of a few texels
