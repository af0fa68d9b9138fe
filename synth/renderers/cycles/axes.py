"""Blender's world has +Z up where ours has +Y: the one place where axes change. A face that looks along our +Z looks
along Blender's -Y there, as its modellers expect."""

from __future__ import annotations

import numpy as np

TO_BLENDER = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
"""(4, 4): our world axes to Blender's."""


def to_blender(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) in our world axes as contiguous float32 in Blender's."""
    turned = np.empty(vectors.shape, np.float32)
    turned[..., 0], turned[..., 1], turned[..., 2] = vectors[..., 0], -vectors[..., 2], vectors[..., 1]
    return turned


def from_blender(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) in Blender's world axes as contiguous float32 in ours."""
    turned = np.empty(vectors.shape, np.float32)
    turned[..., 0], turned[..., 1], turned[..., 2] = vectors[..., 0], vectors[..., 2], -vectors[..., 1]
    return turned
