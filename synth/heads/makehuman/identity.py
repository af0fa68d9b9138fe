"""Who MakeHuman's people are: ancestry, sex and age as products of weights, and sliders for every feature.

MakeHuman's macro targets are corners (ancestry x sex x age) between which a person lies: the weight of a corner is the
product of the three shares, and all weights sum to 1. ``young`` is 25 years, ``old`` is 90.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np

from assets.errors import AssetError
from assets.files import one_line
from assets.makehuman.targets import Slider, read_sliders, read_target
from synth.heads.makehuman.base import METRES, BaseMesh

ANCESTRIES, SEXES, AGES = ("african", "asian", "caucasian"), ("female", "male"), ("young", "old")
MACROS = tuple("-".join(corner) for corner in itertools.product(ANCESTRIES, SEXES, AGES))
"""Names of the corners, the first columns of the shape directions."""
YOUNG, OLD = 25.0, 90.0
"""Years at which a person is wholly one or the other."""
GROUPS = ("head", "forehead", "eyebrows", "neck", "eyes", "nose", "mouth", "ears", "chin", "cheek")
"""Folders of the sliders that shape head and neck."""
_WHOLE = ("head", "neck")
"""Folders whose targets may carry the head away from the body: the head stays where it is, the body moves instead."""


@dataclasses.dataclass(frozen=True, eq=False)
class Shapes:
    """All that makes people differ."""

    names: tuple[str, ...]
    """Of the columns: macro corners, then targets as ``nose/nose-hump-incr``; left and right ones are one column."""
    sliders: np.ndarray
    """(K, 2) int32: columns towards -1 and +1 of each slider; -1 where there is none."""
    neutral: np.ndarray
    """(N, 3) float32 metres, head frame: the mean of all corners."""
    directions: np.ndarray
    """(N, 3, S) float32 metres at full strength."""


def read_shapes(folder: Path, base: BaseMesh) -> Shapes:
    """Every target that shapes heads, read from a MakeHuman data folder."""
    targets = folder / "targets"
    columns = {f"macrodetails/{corner}": [targets / "macrodetails" / f"{corner}.target"] for corner in MACROS}
    pairs: dict[tuple[str, str], None] = {}
    for slider in (*read_sliders(folder / "modifiers" / "modeling_modifiers.json"), *_asymmetries(targets)):
        if slider.group not in (*GROUPS, "asym"):
            continue
        ends = ["", ""]
        for k, name in enumerate((slider.low, slider.high)):
            if name:
                both = name.removeprefix("l-").removeprefix("r-")
                ends[k] = f"{slider.group}/{both}"
                columns.setdefault(ends[k], []).append(targets / slider.group / f"{name}.target")
        pairs[tuple(ends)] = None
    place = {name: k for k, name in enumerate(columns)}
    sliders = np.array([[place.get(end, -1) for end in ends] for ends in pairs], np.int32).reshape(-1, 2)
    directions = np.stack([_column(base, name, files) for name, files in columns.items()], axis=2)
    mean = directions[:, :, : len(MACROS)].mean(axis=2)
    return Shapes(tuple(columns), sliders, base.vertices + mean, directions)


def _asymmetries(targets: Path) -> list[Slider]:
    """Pairs of one-sided targets of the face, each one a slider from the right one to the left one."""
    try:
        names = sorted(file.stem for file in (targets / "asym").glob("asym-*-l.target"))
    except OSError as error:
        raise AssetError(f"{one_line(targets)}: cannot be listed ({one_line(error.strerror or error)})") from None
    return [Slider("asym", f"{name.removesuffix('-l')}-r", name) for name in names]


def _column(base: BaseMesh, name: str, files: list[Path]) -> np.ndarray:
    """(N, 3) float32 metres: what a column's targets do together, without carrying the eyes away."""
    out = sum(read_target(file, len(base.vertices)).dense(len(base.vertices)) for file in files) * np.float32(METRES)
    if name.partition("/")[0] in ("macrodetails", *_WHOLE):
        out -= np.mean([out[base.vertices_of(f"joint-{side}-eye")].mean(axis=0) for side in "lr"], axis=0)
    return out


def macro_weights(female: float, years: float, ancestry: np.ndarray) -> np.ndarray:
    """(12,) float64 weights of ``MACROS``, summing to 1. ancestry: (3,) shares of ``ANCESTRIES``."""
    old = np.clip((years - YOUNG) / (OLD - YOUNG), 0, 1)
    return np.einsum("i,j,k->ijk", ancestry, [female, 1 - female], [1 - old, old]).ravel()


@dataclasses.dataclass(frozen=True)
class Traits:
    """What a person's shape follows from, and what they choose to wear."""

    female: float
    """Share of the female corners, 0 to 1."""
    years: float
    """Age."""
    ancestry: tuple[float, float, float]
    """Shares of ``ANCESTRIES``."""


def sample_traits(rng: np.random.Generator) -> Traits:
    """An adult from 18 to 85; most are clearly a woman or a man, ancestries mix."""
    strength = 1 - np.clip(abs(rng.normal(0, 0.14)), 0, 0.45)
    female = strength if rng.random() < 0.5 else 1 - strength
    years = 18 + 67 * rng.beta(1.2, 1.7)
    return Traits(float(female), float(years), tuple(rng.dirichlet([0.5, 0.5, 0.5])))


SPREAD = {"head": 0.10, "forehead": 0.20, "eyebrows": 0.25, "neck": 0.14, "eyes": 0.19, "nose": 0.20, "mouth": 0.18,
          "ears": 0.20, "chin": 0.21, "cheek": 0.22, "asym": 0.08}
"""Standard deviations of sliders by folder. At 1 most are caricatures; these spread head length, breadth and height,
and the widths of nose and mouth, as among adults (Farkas 1994)."""
_SPREADS = {
    "head/head-angle-out": 0.05, "head/head-trans-out": 0.0, "head/head-fat-incr": 0.28, "head/head-age-incr": 0.15,
    "neck/neck-trans-out": 0.0, "nose/nose-trans-out": 0.0, "mouth/mouth-trans-out": 0.0,
    **{f"head/head-{shape}": 0.18 for shape in ("oval", "round", "rectangular", "square", "triangular", "diamond",
                                                "invertedtriangular")},
}
"""Those that differ from their folder's, by the name of the column towards +1."""
_MEANS = {"mouth/mouth-scale-horiz-incr": 0.5, "mouth/mouth-angles-up": 0.25, "mouth/mouth-upperlip-height-incr": -0.15,
          "eyebrows/eyebrows-trans-up": 0.3, "eyebrows/eyebrows-angle-up": 0.2, "eyes/eye-trans-out": 0.3,
          "nose/nose-scale-depth-incr": 0.1, "chin/chin-height-incr": 0.1}
"""Sliders that are not 0 on average. MakeHuman's mouths are 6 mm narrower and its eyes 4 mm closer than Farkas's, and
its brows and mouths at rest look stern."""


def sample_shape(rng: np.random.Generator, traits: Traits, names: tuple[str, ...], sliders: np.ndarray) -> np.ndarray:
    """(S,) float32 coefficients of the shape directions, for a person with these traits."""
    out = np.zeros(len(names), np.float32)
    out[: len(MACROS)] = macro_weights(traits.female, traits.years, np.array(traits.ancestry)) - 1 / len(MACROS)
    for low, high in sliders:
        name = names[high]
        value = np.clip(rng.normal(), -2.3, 2.3) * _SPREADS.get(name, SPREAD[name.partition("/")[0]])
        value += _MEANS.get(name, 0.0)
        if name == "head/head-age-incr":
            value += np.interp(traits.years, [18, 35, 60, 85], [-0.5, 0.0, 0.3, 0.8])
        if value >= 0 or low >= 0:
            out[high if value >= 0 else low] = abs(value)
    return out
