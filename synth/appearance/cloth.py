"""Cloth of a plain garment: dyed cotton jersey."""

from __future__ import annotations

import numpy as np

from synth.scene import Material

DYES = ((0.62, 0.60, 0.56), (0.035, 0.035, 0.038), (0.16, 0.16, 0.165), (0.028, 0.045, 0.10), (0.10, 0.017, 0.02),
        (0.045, 0.075, 0.045), (0.18, 0.12, 0.075), (0.14, 0.20, 0.27), (0.33, 0.30, 0.25))
"""Diffuse colours of common shirts, scene-linear Rec.709."""
WALES = 12
"""Columns of stitches across the texture's square, which is 12 mm wide (see ``synth.heads.template.garment``)."""


def paint_cloth(rng: np.random.Generator, dye: int, size: int = 192) -> Material:
    """A shirt's material. Its texture, ``size`` texels a side, repeats."""
    colour = np.array(DYES[dye % len(DYES)]) * rng.uniform(0.75, 1.2)
    at = 2 * np.pi * WALES * (np.arange(size) + 0.5) / size
    u, v = np.meshgrid(at, at)
    slant = np.abs(np.mod(u / (2 * np.pi), 1) - 0.5) * 2  # each wale is a row of Vs
    height = 0.5 * np.cos(u) + 0.5 * np.cos(v + 3.0 * slant)
    shade = 1 + 0.10 * height[..., None] + 0.03 * rng.standard_normal((size, size, 1))
    return Material(np.clip(colour * shade, 0.01, 0.9).astype(np.float32), roughness=0.85, specular=0.15)
