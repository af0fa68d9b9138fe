"""Where hair begins on the template's scalp. Millimetres."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

_LINE = np.array([
    # azimuth in degrees from the front, hairline height in mm
    (0, 67), (10, 67.5), (20, 69), (28, 68.5), (36, 61), (43, 49), (50, 42), (57, 34), (63, 22), (68, 4), (72, -10),
    (77, -14), (82, -4), (88, 12), (96, 22), (104, 22), (112, 8), (122, -14), (135, -44), (150, -66), (165, -72),
    (180, -74),
], float)


def hairline(point: np.ndarray) -> np.ndarray:
    """Signed distance-like height (K,) of canonical places (K, 3) over the hairline, mm: positive where hair grows."""
    azimuth = np.degrees(np.arctan2(np.abs(point[:, 0]) / 75, point[:, 2] / 94))
    angles = np.arange(0, 181.0)
    line = gaussian_filter1d(np.interp(angles, _LINE[:, 0], _LINE[:, 1]), 2.0, mode="nearest")
    # Shortened where the line is steep, so that it is about a distance; a degree is about 1.35 mm of skin.
    slope = np.interp(azimuth, angles, np.gradient(line)) / 1.35
    return (point[:, 1] - np.interp(azimuth, angles, line)) / np.sqrt(1 + slope**2)
