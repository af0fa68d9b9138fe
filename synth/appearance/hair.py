"""Painting the hair cap: strands run from the crown outwards, which is radially in its texture."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d, map_coordinates

from synth.appearance import texels
from synth.heads.head import HeadModel
from synth.heads.template.hair import hairline
from synth.heads.template.sculpt import smoothstep
from synth.scene import Material


def paint_hair(rng: np.random.Generator, head: HeadModel, colour: np.ndarray, skin: np.ndarray, size: int) -> Material:
    """The hair's material: strands as albedo and as a normal map. Skin shows between the roots at the hairline."""
    at = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    u, v = np.meshgrid(at, -at)
    radius, turn = np.hypot(u, v), np.arctan2(v, u)
    warp = 0.10 * texels.noise(rng, size, size / 9) + 0.025 * texels.noise(rng, size, size / 30)
    strands = 0.65 * _strands(rng, turn + warp, radius, 1400) + 0.5 * _strands(rng, turn + warp, radius, 420)
    locks = _strands(rng, turn + 1.3 * warp, radius, 70)
    clear = np.clip(radius / 0.11, 0, 1)  # about the crown strands are finer than texels
    tone = np.exp(0.34 * clear * strands + 0.12 * locks - 0.08)
    albedo = np.float32(colour) * tone[..., None]
    if any(part.name == "hair" for part in head.parts):
        place = texels.positions(head, "hair", size)
        over = hairline(place.reshape(-1, 3)).astype(np.float32).reshape(size, size)
        front = smoothstep(-14, -4, place[..., 1]) * smoothstep(8, 22, place[..., 2])
        bare = smoothstep(2.0, -1.5, over + 2.2 * strands + 1.0 * locks) * front
        albedo += 0.9 * bare[..., None] * (skin - albedo)
    height = (strands + 0.5 * locks) * clear**2
    return Material(
        albedo=np.clip(albedo, 0.01, 0.9), roughness=np.clip(0.52 + 0.05 * strands, 0.25, 0.7),
        specular=0.28, normal_map=texels.normals_from_height(height, 0.3),
    )


def _strands(rng: np.random.Generator, turn: np.ndarray, radius: np.ndarray, count: int) -> np.ndarray:
    """Unit noise with ``count`` strands around the crown that slowly change along their length."""
    table = gaussian_filter1d(rng.standard_normal((48, count)), 3.0, axis=0, mode="wrap")
    table /= table.std()
    at = [radius * 80, (turn / (2 * np.pi) + 0.5) * count]
    return map_coordinates(table, at, output=np.float32, order=1, mode="grid-wrap")
