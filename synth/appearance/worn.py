"""Materials of glasses and head covers: metal and acetate, lenses, knit, twill and printed cloth."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from synth.appearance.description import WornLook
from synth.heads.worn.covers import TILE
from synth.heads.worn.glasses import GLASSES
from synth.scene import AnyMaterial, Glass, Material

SIZE = 512
"""Texels across a texture's square."""
_METALS = ((0.30, 0.30, 0.31), (0.10, 0.10, 0.11), (0.42, 0.29, 0.12), (0.36, 0.20, 0.13), (0.02, 0.02, 0.022))
"""Silver, gunmetal, gold, copper, lacquered black; diffuse stand-ins, as the surface model has no metals."""
_ACETATES = ((0.012, 0.012, 0.013), (0.015, 0.02, 0.05), (0.09, 0.012, 0.02), (0.02, 0.045, 0.03), (0.10, 0.055, 0.03),
             (0.45, 0.42, 0.38), (0.16, 0.17, 0.19), (0.40, 0.22, 0.20))
_DYES = ((0.02, 0.02, 0.022), (0.025, 0.035, 0.075), (0.16, 0.16, 0.165), (0.55, 0.52, 0.46), (0.28, 0.21, 0.14),
         (0.22, 0.025, 0.025), (0.05, 0.075, 0.04), (0.09, 0.045, 0.025), (0.36, 0.16, 0.03), (0.10, 0.18, 0.30),
         (0.42, 0.19, 0.20), (0.20, 0.10, 0.22), (0.04, 0.16, 0.15), (0.68, 0.66, 0.62))
"""Cloth, scene-linear Rec.709."""


def paint_worn(rng: np.random.Generator, look: WornLook) -> dict[str, AnyMaterial]:
    """Materials ``frame lens cover`` by name; the same draws are made whatever is worn."""
    frame, lens, cover = rng.spawn(3)
    return {"frame": _frame(frame, look.glasses), "lens": _lens(lens, look.glasses), "cover": _cover(cover, look.cover)}


def _frame(rng: np.random.Generator, style: str | None) -> Material:
    """Metal for wire frames; else acetate: black, tortoiseshell or coloured."""
    metal, kind = rng.integers(len(_METALS)), rng.random()
    dye = _pick(rng, _ACETATES)
    if style is None or GLASSES[style].wire:
        return Material(np.float32(_METALS[metal]), roughness=0.22, specular=1.0, clearcoat=0.6, clearcoat_gloss=0.95)
    if kind < 0.35:
        return Material(np.float32(_ACETATES[0]), roughness=0.25, specular=0.5)
    if kind < 0.65:
        return Material(_tortoise(rng), roughness=0.22, specular=0.5)
    return Material(np.float32(dye), roughness=0.25, specular=0.5)


def _lens(rng: np.random.Generator, style: str | None) -> AnyMaterial:
    """Clear glass; of sunglasses, glossy dark plastic that nobody sees through: thin glass has no tint here."""
    tint = _pick(rng, ((0.008, 0.008, 0.009), (0.022, 0.012, 0.006), (0.008, 0.013, 0.010)))
    if style is not None and GLASSES[style].dark:
        return Material(np.float32(tint), roughness=0.03, specular=0.6)
    return Glass(1.5, thin=True)


def _cover(rng: np.random.Generator, style: str | None) -> Material:
    dye, second, third = (_pick(rng, _DYES) * rng.uniform(0.8, 1.2) for _ in range(3))
    kind, seed = rng.random(), rng.spawn(1)[0]
    if style in (None, "beanie"):
        height = _ribs() if kind < 0.6 else _stockinette()
        return _cloth(_heather(seed, dye, 0.12), height, roughness=0.9)
    if style == "bucket_hat" and kind < 0.3:
        return _cloth(_heather(seed, dye, 0.06), 0.05 * _noise(seed, 2.0), roughness=0.95)  # felt
    if style in ("cap", "bucket_hat"):
        return _cloth(_heather(seed, dye, 0.05), _twill(), roughness=0.85)
    printed = style == "headscarf" and kind < 0.5
    colour = _print(seed, dye, second, third) if printed else _heather(seed, dye, 0.03)
    return _cloth(colour, 0.5 * _weave(), roughness=0.75)


def _cloth(colour: np.ndarray, height: np.ndarray, roughness: float) -> Material:
    """Cloth of a relief ``height`` (H, W) mm, whose hollows are darker."""
    depth = (height - height.max()) / max(np.ptp(height), 1e-6)
    shade = 1 + 0.35 * np.clip(depth, -1, 0)[..., None]
    return Material(np.clip(colour * shade, 0.004, 0.9).astype(np.float32), roughness=roughness, specular=0.12,
                    normal_map=_normals(height))


def _normals(height: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32 tangent-space normals of a relief in mm on the texture's square of cloth."""
    texel = TILE / len(height)
    across = (np.roll(height, -1, axis=1) - np.roll(height, 1, axis=1)) / (2 * texel)
    up = (np.roll(height, 1, axis=0) - np.roll(height, -1, axis=0)) / (2 * texel)  # row 0 is v = 1
    normal = np.stack([-across, -up, np.ones_like(height)], axis=2)
    return (normal / np.linalg.norm(normal, axis=2, keepdims=True)).astype(np.float32)


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """u and v of texels, in [0, 1)."""
    at = (np.arange(SIZE) + 0.5) / SIZE
    return np.meshgrid(at, at[::-1])


def _stockinette(wales: int = 28, courses: int = 36) -> np.ndarray:
    """Rows of Vs, mm."""
    u, v = _grid()
    slant = np.abs(np.mod(wales * u, 1) - 0.5) * 2
    return 0.28 * np.cos(2 * np.pi * wales * u) + 0.22 * np.cos(2 * np.pi * (courses * v + 0.6 * slant))


def _ribs(ribs: int = 14) -> np.ndarray:
    """Two-by-two ribbing, mm."""
    u, _ = _grid()
    wave = np.cos(2 * np.pi * ribs * u)
    return 0.75 * np.tanh(1.6 * wave) + 0.6 * _stockinette(2 * ribs, 36)


def _twill(lines: int = 64) -> np.ndarray:
    u, v = _grid()
    return 0.05 * np.cos(2 * np.pi * lines * (u + v)) + 0.02 * np.cos(2 * np.pi * 2 * lines * (u - v))


def _weave(threads: int = 84) -> np.ndarray:
    u, v = _grid()
    return 0.05 * np.cos(2 * np.pi * threads * u) * np.cos(2 * np.pi * threads * v)


def _noise(rng: np.random.Generator, texels: float) -> np.ndarray:
    """(SIZE, SIZE) repeating noise of unit deviation, smooth over ``texels``."""
    noise = gaussian_filter(rng.standard_normal((SIZE, SIZE)), texels, mode="wrap")
    return noise / noise.std()


def _heather(rng: np.random.Generator, dye: np.ndarray, strength: float) -> np.ndarray:
    """(SIZE, SIZE, 3) yarn whose fibres took the dye unevenly."""
    return dye * (1 + strength * (0.7 * _noise(rng, 1.0) + 0.5 * _noise(rng, 6.0)))[..., None]


def _tortoise(rng: np.random.Generator) -> np.ndarray:
    """(SIZE, SIZE, 3) float32 dark clouds in amber."""
    cloud = 0.8 * _noise(rng, 22.0) + 0.35 * _noise(rng, 8.0)
    share = 1 / (1 + np.exp(-4.5 * (cloud + 0.35)))[..., None]
    amber = np.array([0.20, 0.075, 0.02]) * rng.uniform(0.7, 1.3)
    return ((1 - share) * amber + share * np.array([0.022, 0.009, 0.005])).astype(np.float32)


def _print(rng: np.random.Generator, *dyes: np.ndarray) -> np.ndarray:
    """(SIZE, SIZE, 3) a printed pattern in three colours: dots, stripes, checks or flowers."""
    u, v = _grid()
    ground, second, third = dyes
    kind, number = rng.integers(4), int(rng.integers(3, 8))
    if kind == 0:
        one = _soft(np.cos(2 * np.pi * number * u) + np.cos(2 * np.pi * number * v), 1.1)
        other = _soft(-np.cos(2 * np.pi * number * u) - np.cos(2 * np.pi * number * v), 1.5)
    elif kind == 1:
        one, other = _soft(np.cos(2 * np.pi * number * v), 0.3), _soft(np.cos(4 * np.pi * number * v + 1), 0.93)
    elif kind == 2:
        one = 0.5 * _soft(np.cos(2 * np.pi * number * u), 0.0) + 0.5 * _soft(np.cos(2 * np.pi * number * v), 0.0)
        other = np.maximum(_soft(np.cos(2 * np.pi * number * u), 0.985), _soft(np.cos(2 * np.pi * number * v), 0.985))
    else:
        one, other = np.zeros_like(u), np.zeros_like(u)
        for _ in range(5 * number):
            (x, y), size, petals, turn = rng.random(2), rng.uniform(0.04, 0.09), rng.integers(5, 8), rng.uniform(0, 6)
            dx, dy = np.mod(u - x + 0.5, 1) - 0.5, np.mod(v - y + 0.5, 1) - 0.5
            reach = np.hypot(dx, dy) / size
            one = np.maximum(one, _soft(0.80 + 0.22 * np.cos(petals * np.arctan2(dy, dx) + turn) - reach, 0.0))
            other = np.maximum(other, _soft(0.3 - reach, 0.0))
    colour = ground + one[..., None] * (second - ground)
    return colour + other[..., None] * (third - colour)


def _soft(value: np.ndarray, threshold: float) -> np.ndarray:
    """1 where ``value`` is over the threshold, with a printed edge's softness."""
    return 1 / (1 + np.exp(-30 * (value - threshold)))


def _pick(rng: np.random.Generator, colours: tuple) -> np.ndarray:
    return np.array(colours[int(rng.integers(len(colours)))])
