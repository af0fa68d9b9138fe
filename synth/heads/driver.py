"""From action units and gaze to coefficients of the expression directions that every family of heads names alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synth.motion.performance import ACTION_UNITS, Performance

LID_UNITS = ("AU5", "AU7", "AU45")
"""Action units of the lids alone: a family has them where it has the directions in ``LIDS``."""
BASE_UNITS = tuple(name for name in ACTION_UNITS if name not in LID_UNITS)
"""Units with one direction a side."""
LIDS = ("upper_lid", "upper_lid_arc", "lower_lid", "lower_lid_arc")
"""Directions of the lids: upper and lower at 1 shut the eye. ``arc`` is 4 times what the way there, half done, needs
beyond the chord: a lid goes round the eyeball, not through it."""
EXPRESSIONS = tuple(f"{name}_{side}" for name in (*BASE_UNITS, *LIDS) for side in "LR")
"""Every name of an expression direction."""
_UPPER_TRAVEL = np.radians(38.0)
"""How far the upper lid turns about the eye to shut it, radians."""

_JAW_OF_AU8 = np.radians(5.0)
"""How far the jaw may hang, radians, such that AU8 at 1 brings the lips together again."""


def units_of(names: Sequence[str]) -> tuple[str, ...]:
    """The action units that a family with these expression directions performs."""
    lids = LID_UNITS if {f"{lid}_{side}" for lid in LIDS for side in "LR"} <= set(names) else ()
    return (*(unit for unit in BASE_UNITS if f"{unit}_L" in names and f"{unit}_R" in names), *lids)


def drive(performance: Performance, names: Sequence[str], droop: float = 0.0) -> np.ndarray:
    """(T, E) float32 coefficients of the expression directions called ``names``.

    droop: how far the identity's upper lid hangs at rest, as a share of its way to shut. Lids follow the gaze (about
    three quarters of its pitch above; Becker & Fuchs 1988), blinks override everything: at 1 the eye is shut.
    """
    out = np.zeros((performance.frames, len(names)), np.float32)
    place = {name: k for k, name in enumerate(names)}
    for unit in {name.partition("_")[0] for name in performance.units} & set(BASE_UNITS):
        for side, curve in zip("LR", performance.unit(unit), strict=True):
            if f"{unit}_{side}" in place:
                out[:, place[f"{unit}_{side}"]] = curve * _room(performance, unit)
    for k, side in enumerate("LR"):
        if f"upper_lid_{side}" not in place:
            continue
        upper, lower = _closures(performance, k, droop)
        for lid, closure, rest in (("upper_lid", upper, droop), ("lower_lid", lower, 0.0)):
            out[:, place[f"{lid}_{side}"]] = closure - rest
            out[:, place[f"{lid}_arc_{side}"]] = closure * (1 - closure)
    return out


def _room(performance: Performance, unit: str) -> np.ndarray | float:
    """How much of a unit the mouth leaves room for: AU8 brings lips together no further than they are apart."""
    if unit != "AU8":
        return 1.0
    apart = np.maximum(performance.jaw[:, 0], 0) / _JAW_OF_AU8
    for other, share in (("AU25", 0.8), ("AU26", 0.6)):
        apart = apart + share * np.mean(performance.unit(other), axis=0)
    return np.clip(apart, 0.08, 1.0)


def _closures(performance: Performance, side: int, droop: float) -> tuple[np.ndarray, np.ndarray]:
    """How far the upper and the lower lid of one eye are on their way to shut: two (T,) arrays."""
    lids = ("AU45", "AU5", "AU7", "AU6", "AU12")
    blink, widen, tighten, cheek, smile = (performance.unit(name)[side] for name in lids)
    pitch = (performance.left_eye, performance.right_eye)[side][:, 0]
    upper = droop + 0.78 * pitch / _UPPER_TRAVEL - 0.24 * widen + 0.20 * tighten + 0.10 * cheek + 0.04 * smile
    lower = -1.3 * pitch + 1.6 * tighten + 0.9 * cheek + 0.4 * smile - 0.3 * widen
    upper, lower = np.clip(upper, -0.35, 0.8), np.clip(lower, -0.9, 2.2)
    shut = blink.astype(np.float64)
    return upper + shut * (1 - upper), lower + shut * (1 - lower)
