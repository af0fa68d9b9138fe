"""Materials of what MakeHuman's people wear: strands of hair, brows, enamel and gums."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from synth.heads.makehuman.hair import UNDER
from synth.scene import Material

_STRANDS, _ALONG = 512, 32
"""Width and height of the strands' texture."""


def paint_wardrobe(rng: np.random.Generator, hair: np.ndarray) -> dict[str, Material]:
    """Materials by name, ``strands``, ``brows``, ``enamel`` and ``gums``, for a colour of hair (3,)."""
    enamel = np.array([0.66, 0.60, 0.47]) * rng.uniform(0.82, 1.08)
    gums = np.array([0.42, 0.14, 0.13]) * rng.uniform(0.75, 1.1)
    return {
        "strands": _paint_strands(rng, hair),
        "brows": Material(np.float32(np.clip(0.7 * hair, 0.01, 0.9)), roughness=0.5, specular=0.28),
        "enamel": Material(np.float32(enamel), roughness=0.22, specular=0.5, clearcoat=0.5, clearcoat_gloss=0.9),
        "gums": Material(np.float32(gums), roughness=0.3, specular=0.4, clearcoat=0.4, clearcoat_gloss=0.8),
    }


def _paint_strands(rng: np.random.Generator, hair: np.ndarray) -> Material:
    """Each strand its own tone, darker at the root; the undercoat, which little light reaches, darkest."""
    columns = (np.arange(_STRANDS) + 0.5) / _STRANDS
    locks = gaussian_filter1d(rng.standard_normal(_STRANDS), 6, mode="wrap")
    strand = 0.22 * rng.standard_normal(_STRANDS) + 0.2 * locks
    tone = np.where(columns < UNDER, 0.5 * np.exp(0.5 * strand), np.exp(strand))
    v = 1 - (np.arange(_ALONG) + 0.5) / _ALONG
    bleached = rng.uniform(0.0, 0.3) * v  # by sun, towards the tips
    shade = (0.8 + 0.25 * v)[:, None] * tone
    colour = np.asarray(hair, float) ** (1 - 0.35 * bleached[:, None, None])
    roughness = np.clip(0.42 + 0.05 * strand, 0.25, 0.65) * np.ones((_ALONG, 1))
    return Material(np.float32(np.clip(colour * shade[..., None], 0.01, 0.9)), roughness=np.float32(roughness),
                    specular=0.3)
