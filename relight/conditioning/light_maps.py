"""Three encodings of light for a network: what is bright, how bright the brightest is, and where it is.

Constants only, never a map's own maximum: a light twice as bright looks twice as bright to the network.
"""

from __future__ import annotations

import functools

import numpy as np

from synth.camera.film import RESPONSES
from synth.lighting import sphere

WHITE = 16.0
"""Radiance that becomes 1 in the LDR map."""
LOG_WHITE = 1e4
"""Radiance that becomes 1 in the log map; more is above 1."""


def encode_ldr(radiance: np.ndarray) -> np.ndarray:
    """Radiance of any shape to [0, 1] float32: extended Reinhard (Reinhard et al. 2002, eq. 4), then the sRGB curve."""
    radiance = np.asarray(radiance, np.float32)
    return RESPONSES["srgb"][0](radiance * (1 + radiance / WHITE**2) / (1 + radiance))


def encode_log(radiance: np.ndarray) -> np.ndarray:
    """Radiance of any shape to float32: log1p(x) / log1p(1e4)."""
    return np.log1p(np.asarray(radiance, np.float32)) / np.float32(np.log1p(LOG_WHITE))


def decode_log(encoded: np.ndarray) -> np.ndarray:
    """The inverse of :func:`encode_log`: radiance, float32."""
    return np.expm1(np.asarray(encoded, np.float32) * np.float32(np.log1p(LOG_WHITE)))


@functools.lru_cache(maxsize=8)
def direction_map(height: int) -> np.ndarray:
    """(3, height, 2 height) float32 unit vectors of the texels, camera axes (x right, y up, looking along -z).

    The centre column is what the camera looks at, the right half is to its right. Read-only.
    """
    directions = np.ascontiguousarray(sphere.directions(height).transpose(2, 0, 1))
    directions.flags.writeable = False
    return directions
