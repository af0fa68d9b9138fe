"""Hair seen on and through the skin: roots and shaved beards as shadows; brows and scalp, painted without strands."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter, map_coordinates

from synth.appearance import texels
from synth.appearance.description import HairLook
from synth.hair.beard import growth
from synth.hair.brows import brow_coordinates
from synth.hair.scalp import Density
from synth.heads.template.sculpt import smoothstep
from synth.scene import Fibre


def hair_colour(look: HairLook) -> np.ndarray:
    """(3,) float32 linear Rec.709: what a mass of a person's hair reflects, grey hairs among the others."""
    pigmented, white = Fibre(look.eumelanin, look.pheomelanin), Fibre(0.02, 0.0)
    return (1 - look.grey) * pigmented.colour + look.grey * white.colour


def darkness(look: HairLook) -> float:
    """How much of the light roots take, 0 to 1: black hair most of it, fair and grey hair little."""
    return float(np.clip(1 - hair_colour(look).mean() / 0.3, 0, 1))


def beard_shadow(rng: np.random.Generator, point: np.ndarray, look: HairLook) -> np.ndarray:
    """(K,) share of light that the roots of a shaved beard take from beneath the skin, 0 to 1."""
    shade = np.zeros(len(point), np.float32)
    if look.beard_growth == 0:
        return shade
    where = np.flatnonzero((point[:, 1] < 25) & (point[:, 1] > -140) & (point[:, 2] > -10))
    place = point[where]
    up = np.float32([0, 1, 0])
    moved = place + 2.5 * texels.solid_noise(rng, place, 14.0)[:, None] * up
    patchy = 1 + 0.09 * texels.solid_noise(rng, place, 11.0) + 0.22 * texels.solid_noise(rng, place, 1.3)
    # Follicles thin out over some mm, where strands only begin.
    thick = sum(share * growth(moved + offset * up) for offset, share in ((0.0, 0.4), (3.0, 0.35), (8.0, 0.25)))
    shade[where] = np.clip(0.45 * look.beard_growth * darkness(look) * thick * patchy, 0, 0.8)
    return shade


def scalp(point: np.ndarray, look: HairLook) -> np.ndarray:
    """(K,) how thick scalp hair stands, 0 to 1: where its strands grow, see :class:`synth.hair.scalp.Density`."""
    if look.style == "bald":
        look = look.model_copy(update={"hairline": 2.0, "density": 0.5 * look.density})
    density = Density(look)
    thick = np.zeros(len(point), np.float32)
    where = np.flatnonzero(point[:, 1] > -95)
    place = point[where]
    x, y = np.abs(place[:, 0]), place[:, 1]
    ear = smoothstep(70, 74, x) * smoothstep(32, 22, y) * smoothstep(-60, -45, place[:, 2])
    thick[where] = density.kept(place) * (1 - ear) * min(look.density, 1.0)
    return thick


def brow_roots(point: np.ndarray, look: HairLook) -> np.ndarray:
    """(K,) how thick the roots of the brows stand, 0 to 1."""
    s, t = brow_coordinates(point)
    breadth = look.brow_thickness * np.interp(s, [0, 0.15, 0.6, 1], [2.6, 3.4, 2.6, 1.2])
    mask = np.exp(-np.square(t / breadth)) * smoothstep(-0.05, 0.12, s) * smoothstep(1.05, 0.85, s)
    return (mask * (point[:, 2] > 55) * min(look.brow_density, 1.0)).astype(np.float32)


def painted_brows(rng: np.random.Generator, point: np.ndarray, look: HairLook) -> np.ndarray:
    """(K,) coverage by brow hairs, drawn stroke by stroke in the front view; each side its own."""
    scale, low = 14, np.array([4.0, 2.0])
    width, height = int(56 * scale), int(36 * scale)
    out = np.zeros(len(point), np.float32)
    chosen = np.flatnonzero((point[:, 2] > 55) & (np.abs(point[:, 0]) < 59) & (np.abs(point[:, 1] - 18) < 16))
    for sign in (1, -1):
        canvas = Image.new("L", (width, height))
        draw = ImageDraw.Draw(canvas)
        for _ in range(int(420 * look.brow_density)):
            line, shade, pen = _brow_hair(rng, look.brow_thickness)
            draw.line([tuple(p) for p in (line - low) * scale], fill=shade, width=pen)
        image = gaussian_filter(np.asarray(canvas, np.float32) / 255, 2.4)
        side = chosen[point[chosen, 0] * sign > 0]
        at = (np.stack([np.abs(point[side, 0]), point[side, 1]]) - low[:, None]) * scale
        out[side] = map_coordinates(image, at[::-1], order=1, mode="constant")
    return np.clip(1.15 * out, 0, 1)


def _brow_hair(rng: np.random.Generator, thickness: float) -> tuple[np.ndarray, int, int]:
    """Points (6, 2) mm of one hair in the front view, its shade and its width in pixels."""
    s, across = rng.beta(1.05, 1.15), rng.uniform(-0.5, 0.5)
    root = _brow_line(s) + (0, across * thickness * np.interp(s, [0, 0.1, 0.6, 1], [4.6, 6.2, 4.6, 1.6]))
    tangent = _brow_line(min(s + 0.02, 1.02)) - _brow_line(s)
    heading = np.arctan2(tangent[1], tangent[0]) + np.interp(s, [0, 0.25, 0.6, 1], [0.95, 0.5, 0.1, -0.05])
    heading += -0.5 * across + 0.14 * rng.normal()
    length = rng.uniform(4.0, 7.0) * np.interp(s, [0, 0.2, 1], [0.8, 1, 0.75])
    steps = np.linspace(0, 1, 6)[:, None]
    angle = heading - 0.35 * np.interp(s, [0, 1], [1, 0.4]) * steps
    line = root + length * steps * np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    return line, int(rng.uniform(150, 255)), int(rng.integers(2, 5))


def _brow_line(s: float) -> np.ndarray:
    """Point (x, y) mm on the brow's axis, from its head (s = 0) to its tail (1)."""
    x = 12.5 + 37.5 * s
    return np.array([x, np.interp(x, [10, 14, 22, 32, 40, 46, 52], [13.4, 14.6, 17.0, 19.4, 19.0, 16.4, 12.6])])
