"""From action units and gaze to the template's expression coefficients."""

from __future__ import annotations

import numpy as np

from synth.heads.template.expression import BASE_UNITS, EXPRESSIONS
from synth.motion.performance import Performance

UNITS = (*BASE_UNITS, "AU5", "AU7", "AU45")
"""Action units that the template knows, each for both sides or with ``_L`` / ``_R``."""
_UPPER_TRAVEL = np.radians(38.0)
"""How far the upper lid turns about the eye to shut it, radians."""


def drive(performance: Performance, droop: float) -> np.ndarray:
    """(T, E) float32 coefficients of the template's expressions.

    droop: how far the identity's upper lid hangs at rest, as a share of its way to shut. Lids follow the gaze (about
    three quarters of its pitch above; Becker & Fuchs 1988), blinks override everything: at 1 the eye is shut.
    """
    out = np.zeros((performance.frames, len(EXPRESSIONS)), np.float32)
    for name in BASE_UNITS:
        for side, curve in zip("LR", performance.unit(name), strict=True):
            out[:, EXPRESSIONS.index(f"{name}_{side}")] = curve
    for k, side in enumerate("LR"):
        lids = ("AU45", "AU5", "AU7", "AU6", "AU12")
        blink, widen, tighten, cheek, smile = (performance.unit(name)[k] for name in lids)
        pitch = (performance.left_eye, performance.right_eye)[k][:, 0]
        upper = droop + 0.78 * pitch / _UPPER_TRAVEL - 0.24 * widen + 0.20 * tighten + 0.10 * cheek + 0.04 * smile
        lower = -1.3 * pitch + 1.6 * tighten + 0.9 * cheek + 0.4 * smile - 0.3 * widen
        upper, lower = np.clip(upper, -0.35, 0.8), np.clip(lower, -0.9, 2.2)
        shut = blink.astype(np.float64)
        upper, lower = upper + shut * (1 - upper), lower + shut * (1 - lower)
        for lid, closure, rest in (("upper_lid", upper, droop), ("lower_lid", lower, 0.0)):
            out[:, EXPRESSIONS.index(f"{lid}_{side}")] = closure - rest
            out[:, EXPRESSIONS.index(f"{lid}_arc_{side}")] = closure * (1 - closure)
    return out
