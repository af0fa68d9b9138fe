"""Drawing plausible people from the template's shape space."""

from __future__ import annotations

import numpy as np

from synth.heads.template.identity import FACE_SHAPES, SHAPES

SHAPE_COUNT = len(SHAPES)
"""Coefficients of an identity."""
_DROOP = 0.09
"""Share of the upper lid's way to shut for one standard deviation of ``lid_droop``."""
_SPREAD = {"hairline": 0.9, "age": 0.9, "masculinity": 1.0, "lid_droop": 0.8}


def sample_shape(rng: np.random.Generator, count: int) -> np.ndarray:
    """(S,) float32 coefficients. Traits are normal, cut at 2.2 sd; hair is one of a few styles."""
    if count != SHAPE_COUNT:
        raise ValueError(f"shape directions: {count}, the template has {SHAPE_COUNT}")
    spread = np.array([_SPREAD.get(name, 0.85) for name in SHAPES])
    shape = np.clip(rng.normal(size=SHAPE_COUNT), -2.2, 2.2) * spread
    index = {name: k for k, name in enumerate(SHAPES)}
    # The sexes differ in proportion, not only by chance: two soft modes rather than one androgynous middle.
    shape[index["masculinity"]] = rng.choice([-0.9, 0.9]) + 0.45 * rng.normal()
    shape[index["age"]] = np.clip(rng.gamma(2.0, 0.55) - 0.5, -0.5, 2.4)
    shape[FACE_SHAPES:] = _hair(rng, shape[index["masculinity"]])
    return shape.astype(np.float32)


def lid_droop(shape: np.ndarray) -> float:
    """How far an identity's upper lids hang at rest, as a share of their way to shut."""
    return _DROOP * float(shape[SHAPES.index("lid_droop")])


def _hair(rng: np.random.Generator, masculinity: float) -> np.ndarray:
    """Coefficients of the hair directions: bald, cropped, short or covering the ears."""
    hair = dict.fromkeys(SHAPES[FACE_SHAPES:], 0.0)
    odds = [0.12, 0.3, 0.4, 0.18] if masculinity > 0 else [0.03, 0.1, 0.32, 0.55]
    style = rng.choice(["bald", "crop", "short", "bob"], p=odds)
    if style != "bald":
        hair["hair_short"] = 1.0
        hair["hairline"] = np.clip(0.6 * rng.normal(), -1.2, 1.2)
    if style in ("short", "bob"):
        hair["hair_volume"] = rng.uniform(0.4, 1.5)
        hair["hair_fringe"] = rng.choice([0.0, rng.uniform(0.5, 1.0)])
        hair["hair_sides"] = rng.uniform(0.1, 0.6)
    if style == "bob":
        hair["hair_bob"] = rng.uniform(0.7, 1.5)
        hair["hair_sides"] = rng.uniform(0.4, 0.9)
    return np.array(list(hair.values()))
