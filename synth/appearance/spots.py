"""Small marks on the skin: freckles, moles, age spots, blemishes, and veins. Sizes in mm, whatever the texture's."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from synth.appearance import texels
from synth.appearance.description import SkinLook
from synth.appearance.regions import near
from synth.heads.head import HeadModel
from synth.heads.template.sculpt import smoothstep


class Spots:
    """Draws marks on one head's skin texture."""

    def __init__(self, head: HeadModel, size: int):
        """size: texels a side."""
        self._place = texels.positions(head, "skin", size)
        self._footprint = texels.metric(head, "skin", size).footprint
        self._corners, self._uv, self._area = _surface(head)

    def draw(self, rng: np.random.Generator, count: int, density: Callable[[np.ndarray], np.ndarray],
             radius: tuple[float, float], strength: tuple[float, float], softness: float = 0.5,
             ragged: float = 0.25) -> np.ndarray:
        """(H W,) float32: the strongest mark at each texel, 0 where there is none.

        density: canonical places (K, 3) to relative marks an area. radius: median, mm, and the spread of its logarithm.
        strength: least and greatest. softness: share of the radius over which a mark fades. ragged: how far from round.
        """
        image = np.zeros(self._place.shape[:2], np.float32)
        if count <= 0:
            return image.ravel()
        mass = np.cumsum(self._area * np.maximum(density(self._corners.mean(axis=1)), 0))
        chosen = np.searchsorted(mass, rng.random(count) * mass[-1])
        a, b = np.sqrt(rng.random(count)), rng.random(count)
        weights = np.stack([1 - a, a * (1 - b), a * b], axis=1)
        centres = np.einsum("sc,scx->sx", weights, self._corners[chosen]).astype(np.float32)
        uv = np.einsum("sc,scx->sx", weights, self._uv[chosen]) % 1
        radii = radius[0] * np.exp(radius[1] * rng.normal(size=count))
        strengths, lobes = rng.uniform(*strength, count), rng.uniform(0, 2 * np.pi, (count, 2))
        for k in range(count):
            self._mark(image, centres[k], uv[k], radii[k], strengths[k], softness, ragged * np.sin(lobes[k]), lobes[k])
        return image.ravel()

    def _mark(self, image: np.ndarray, centre: np.ndarray, uv: np.ndarray, radius: float, strength: float,
              softness: float, ragged: np.ndarray, phase: np.ndarray) -> None:
        size = len(image)
        row, col = np.minimum(((1 - uv[1]) * size, uv[0] * size), size - 1).astype(int)
        texel = max(float(self._footprint[row, col]), 1e-3)
        seen = max(radius, 0.6 * texel)  # a mark smaller than a texel is that much fainter
        reach = min(int(np.ceil(1.7 * seen / texel)) + 1, size // 8)
        box = slice(max(row - reach, 0), row + reach + 1), slice(max(col - reach, 0), col + reach + 1)
        away = self._place[box] - centre
        turn = np.arctan2(away[..., 1], away[..., 0] + away[..., 2])
        edge = 1 + ragged[0] * np.sin(2 * turn + phase[0]) + 0.7 * ragged[1] * np.sin(3 * turn + phase[1])
        distance = np.sqrt(np.square(away).sum(axis=2)) / (seen * edge)
        mark = strength * (radius / seen) ** 2 * smoothstep(1 + softness, 1 - softness, distance)
        np.maximum(image[box], mark, out=image[box])


@functools.lru_cache(maxsize=4)
def _surface(head: HeadModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Corners (F, 3, 3) mm of the skin's triangles in canonical space, their uv (F, 3, 2) and areas (F,)."""
    parts = [part for part in head.parts if part.material == "skin"]
    corners = np.concatenate([head.canonical[part.vertex_map[part.faces]] for part in parts])
    a, b, c = corners.transpose(1, 0, 2).astype(float)
    uv = np.concatenate([part.uv[part.faces] for part in parts])
    return corners, uv, np.linalg.norm(np.cross(b - a, c - a), axis=1)


def freckle_density(point: np.ndarray) -> np.ndarray:
    """Where the sun brings freckles out: across cheeks and nose, fewer on forehead and chin, few on the neck."""
    face = near(point, (24, -20, 90), (24, 15, 40)) + 0.8 * near(point, (0, -20, 105), (14, 16, 22))
    face += 0.35 * near(point, (10, 42, 96), (40, 24, 44)) + 0.18 * near(point, (12, -75, 92), (30, 30, 40))
    return face + 0.05 * smoothstep(-20, 20, point[:, 2])


def added_melanin(rng: np.random.Generator, look: SkinLook, spots: Spots) -> np.ndarray:
    """(H W,) float32 volume fraction of melanosomes that freckles, moles and age spots add to the skin's."""
    freckles = spots.draw(rng, int(700 * look.freckles), freckle_density, (0.75, 0.35),
                          (0.008, 0.03 + 0.05 * look.freckles), 0.85)
    freckles += spots.draw(rng, int(500 * look.freckles), freckle_density, (1.5, 0.4), (0.004, 0.014), 0.95)
    moles = spots.draw(rng, look.moles, _mole_density, (0.85, 0.4), (0.15, 0.45), 0.3, 0.12)
    # Lentigines are flat, uneven and sharper than freckles.
    old = look.age_spots
    spotted = spots.draw(rng, int(24 * old), _age_density, (1.7, 0.4), (0.012, 0.02 + 0.035 * old), 0.6, 0.3)
    small = spots.draw(rng, int(60 * old), _age_density, (0.8, 0.35), (0.012, 0.04), 0.5, 0.3)
    return np.maximum(np.maximum(freckles, moles), np.maximum(spotted, small))


def inflamed(rng: np.random.Generator, look: SkinLook, spots: Spots) -> tuple[np.ndarray, np.ndarray]:
    """(H W,) float32 logarithms by which blemishes raise blood, and by which healed ones raise melanin."""
    fresh = spots.draw(rng, round(16 * look.blemishes), _blemish_density, (1.3, 0.4), (0.35, 0.9), 0.85)
    core = spots.draw(rng, round(12 * look.blemishes), _blemish_density, (0.7, 0.3), (0.3, 0.8), 0.7)
    marks = spots.draw(rng, round(30 * look.blemishes), _blemish_density, (1.1, 0.4), (0.10, 0.40), 0.8)
    return np.maximum(fresh, core) + 0.5 * marks, marks


def spider_veins(rng: np.random.Generator, point: np.ndarray) -> np.ndarray:
    """Fine red vessels beside the nose and on the cheeks, 0 to 1: lines where a noise changes its sign."""
    line = np.exp(-np.square(texels.solid_noise(rng, point, 5.0) / 0.09))
    where = near(point, (17, -34, 98), (6, 9, 14)) + 0.7 * near(point, (36, -26, 84), (14, 10, 22))
    return line * where * smoothstep(0.1, 0.9, texels.solid_noise(rng, point, 9.0))


def pores(rng: np.random.Generator, point: np.ndarray) -> np.ndarray:
    """Plugged and shaded pores of nose, inner cheeks and forehead, 0 to 1: they show as darker dots."""
    where = near(point, (0, -32, 112), (16, 20, 22)) + 0.8 * near(point, (25, -30, 90), (13, 16, 16))
    where += 0.4 * near(point, (0, 42, 97), (34, 18, 30)) + 0.5 * near(point, (0, -97, 97), (14, 10, 14))
    return np.minimum(where, 1) * smoothstep(0.5, 1.7, texels.solid_noise(rng, point, 1.5))


def deep_veins(rng: np.random.Generator, point: np.ndarray) -> np.ndarray:
    """Blue veins beneath temples, forehead and neck, 0 to 1."""
    stretched = point * np.float32([1.0, 0.55, 1.0])
    line = np.exp(-np.square(texels.solid_noise(rng, stretched, 34.0) / 0.075))
    where = near(point, (60, 26, 45), (13, 22, 26)) + 0.45 * near(point, (16, 48, 96), (12, 18, 30))
    where += 0.8 * near(point, (40, -130, 15), (20, 34, 34)) + 0.5 * near(point, (33, -14, 86), (14, 7, 18))
    return np.clip(line * where * smoothstep(-0.3, 0.8, texels.solid_noise(rng, point, 45.0)), 0, 1)


def _mole_density(point: np.ndarray) -> np.ndarray:
    return (point[:, 1] > -190) * (point[:, 2] > 5) * (np.hypot(np.abs(point[:, 0]) - 31, point[:, 1]) > 17)


def _age_density(point: np.ndarray) -> np.ndarray:
    return (near(point, (54, 5, 66), (16, 34, 36)) + 0.5 * near(point, (24, 52, 90), (34, 18, 44))
            + 0.4 * near(point, (44, -34, 78), (16, 18, 30)))


def _blemish_density(point: np.ndarray) -> np.ndarray:
    return (near(point, (40, -46, 76), (16, 24, 34)) + 0.6 * near(point, (0, -96, 96), (22, 12, 24))
            + 0.6 * near(point, (10, 46, 95), (34, 16, 44)) + 0.3 * near(point, (0, -34, 112), (12, 12, 18)))
