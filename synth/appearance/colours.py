"""Ranges of human colouring, scene-linear Rec.709 reflectance."""

from __future__ import annotations

import numpy as np

MONK = ("f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420")
"""The ten swatches of the Monk Skin Tone scale, sRGB (E. Monk, 2019; skintone.google, CC-BY-4.0)."""

HAIR = {
    "black": (0.012, 0.010, 0.009), "dark_brown": (0.030, 0.019, 0.013), "brown": (0.075, 0.043, 0.025),
    "light_brown": (0.15, 0.092, 0.050), "blond": (0.34, 0.23, 0.12), "red": (0.20, 0.070, 0.026),
    "grey": (0.30, 0.29, 0.275),
}
"""Diffuse colour of a mass of hair."""

IRIS = {
    "blue": ((0.15, 0.25, 0.36), (0.05, 0.09, 0.16)), "green": ((0.17, 0.23, 0.10), (0.06, 0.09, 0.04)),
    "grey": ((0.20, 0.24, 0.26), (0.07, 0.085, 0.095)), "hazel": ((0.20, 0.12, 0.035), (0.06, 0.075, 0.03)),
    "brown": ((0.105, 0.048, 0.017), (0.035, 0.016, 0.007)),
    "dark_brown": ((0.045, 0.021, 0.010), (0.018, 0.009, 0.005)),
}
"""Iris family to the colours of its fibres and of what lies between them."""


def linear(hexadecimal: str) -> np.ndarray:
    """sRGB hex to scene-linear Rec.709 (IEC 61966-2-1)."""
    value = np.array([int(hexadecimal[k : k + 2], 16) for k in (0, 2, 4)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def skin_reflectance(tone: float) -> np.ndarray:
    """Diffuse reflectance (3,) of facial skin at a place on the Monk scale, 1 (lightest) to 10, fractions in between.

    The swatches are paints, lighter and greyer than skin reflects: red is brought to at most 0.62 and the ratios of
    light skin to those measured on faces, about 1 : 0.66 : 0.52 (Xiao et al. 2017); the darkest,
    nearly grey as paints, gain the red that melanin lets through.
    """
    swatches = np.log(np.stack([linear(code) for code in MONK]))
    at = np.clip(tone - 1, 0, 9)
    low = min(int(at), 8)
    swatch = np.exp(swatches[low] + (at - low) * (swatches[low + 1] - swatches[low]))
    light = np.clip(swatch.mean() / 0.8, 0, 1) ** 0.5
    return np.array([0.048, 0.029, 0.019]) + swatch * (1 - light * np.array([0.38, 0.54, 0.61]))


def sample_skin_tone(rng: np.random.Generator) -> float:
    """A place on the Monk scale, 1.6 to 9.4: near uniform, so that every tone is as frequent."""
    return float(rng.uniform(1.6, 9.4))


def sample_hair(rng: np.random.Generator, tone: float) -> np.ndarray:
    """Hair colour (3,): fair hair is rarer the darker the skin."""
    fair = np.clip((5.0 - tone) / 3.0, 0, 1)
    weights = np.array([0.30 + 0.5 * (1 - fair), 0.3, 0.22 * fair + 0.04, 0.16 * fair, 0.16 * fair, 0.06 * fair, 0.09])
    name = rng.choice(list(HAIR), p=weights / weights.sum())
    return np.array(HAIR[str(name)]) * rng.uniform(0.8, 1.25)


def sample_iris(rng: np.random.Generator, tone: float) -> tuple[np.ndarray, np.ndarray]:
    """Colours of an iris's fibres and of its ground."""
    fair = np.clip((5.5 - tone) / 3.5, 0, 1)
    weights = np.array([0.24 * fair, 0.13 * fair, 0.12 * fair, 0.05 + 0.15 * fair, 0.3, 0.25 + 0.45 * (1 - fair)])
    fibre, ground = IRIS[str(rng.choice(list(IRIS), p=weights / weights.sum()))]
    return np.array(fibre) * rng.uniform(0.85, 1.2), np.array(ground)
