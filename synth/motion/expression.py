"""Facial expressions as combinations of action units with onset, apex and offset."""

from __future__ import annotations

import dataclasses

import numpy as np

from synth.motion.curves import events, log_normal, pulse

EMOTIONS: dict[str, dict[str, float]] = {
    "happiness": {"AU6": 0.8, "AU12": 1.0, "AU25": 0.5},
    "surprise": {"AU1": 0.9, "AU2": 0.9, "AU5": 0.7, "AU25": 0.6, "AU26": 0.8},
    "sadness": {"AU1": 0.9, "AU4": 0.6, "AU15": 0.8, "AU17": 0.3},
    "anger": {"AU4": 1.0, "AU5": 0.5, "AU7": 0.7, "AU23": 0.8},
    "disgust": {"AU9": 0.9, "AU10": 0.5, "AU15": 0.6, "AU17": 0.3},
    "fear": {"AU1": 0.8, "AU2": 0.6, "AU4": 0.6, "AU5": 0.8, "AU7": 0.4, "AU20": 0.7, "AU25": 0.4, "AU26": 0.5},
}
"""Prototypes of the basic emotions (EMFACS: Friesen & Ekman 1983), with the relative strength of each unit."""

CONVERSATION: dict[str, dict[str, float]] = {
    "smile": {"AU12": 0.6, "AU6": 0.2},
    "laugh": {"AU6": 0.9, "AU12": 1.0, "AU25": 0.8, "AU26": 0.6, "AU7": 0.4},
    "brow_flash": {"AU1": 0.7, "AU2": 0.7, "AU5": 0.2},
    "thought": {"AU4": 0.5, "AU7": 0.3, "AU24": 0.4},
    "doubt": {"AU1": 0.4, "AU2": 0.4, "AU15": 0.5, "AU17": 0.7},
    "dimple": {"AU14": 0.8},
    "squint": {"AU7": 0.7, "AU6": 0.4, "AU4": 0.3},
    "pressed_lips": {"AU24": 0.7, "AU17": 0.3},
    "sneer": {"AU10": 0.6, "AU9": 0.3},
    "pucker": {"AU18": 0.8},
}
"""What faces do between the emotions (Chovil 1991: most facial displays in conversation are of this kind)."""

JAW_OF_DROP = np.radians(13.0)
"""Jaw opening, radians, that goes with a full AU26 of an expression."""


@dataclasses.dataclass(frozen=True)
class Expression:
    """One facial action: several units that rise, hold and fall nearly together."""

    start: float
    """Seconds."""
    units: dict[str, float]
    """Peak of each one-sided unit (``AU12_L``), in [0, 1]."""
    lags: dict[str, float]
    """Seconds that each unit starts after the first."""
    onset: float
    """Seconds to rise. Spontaneous smiles take about half a second (Schmidt, Cohn & Tian 2003)."""
    apex: float
    """Seconds at the peak."""
    offset: float
    """Seconds to fall, slower than the onset."""

    @property
    def end(self) -> float:
        """Seconds: when the last unit is at rest again."""
        return self.start + max(self.lags.values()) + self.onset + self.apex + self.offset

    def __call__(self, time: np.ndarray) -> dict[str, np.ndarray]:
        """Each unit's activation (T,) in [0, 1] at times (T,) seconds."""
        return {
            name: peak * pulse(time, self.start + self.lags[name], self.onset, self.apex, self.offset)
            for name, peak in self.units.items()
        }


def sample_expressions(
    rng: np.random.Generator, start: float, end: float, gap: float, emotional: float
) -> list[Expression]:
    """Expressions between two times (seconds), with some ``gap`` seconds of calm from one to the next.

    ``emotional`` is the fraction that are full emotions; they are stronger and last longer.
    """

    def draw(rng: np.random.Generator) -> tuple[float, Expression]:
        found = _sample_expression(rng, rng.random() < emotional)
        # The next may begin while this one fades: faces pass from one expression into another.
        return found.onset + found.apex + 0.5 * found.offset + log_normal(rng, gap, 0.6), found

    first = start + rng.random() * gap
    return [dataclasses.replace(found, start=time) for time, found in events(rng, first, end, draw)]


def _sample_expression(rng: np.random.Generator, emotion: bool) -> Expression:
    table = EMOTIONS if emotion else CONVERSATION
    name = list(table)[rng.integers(len(table))]
    strength = rng.uniform(0.45, 1.0) if emotion else rng.uniform(0.3, 0.9)
    # Posed or mixed feelings pull harder on one side; spontaneous ones by a tenth or so (Borod et al. 1998).
    lean = float(np.clip(rng.normal(0, 0.12), -0.3, 0.3)) + (rng.choice([-0.6, 0.6]) if name == "dimple" else 0.0)
    units, lags = {}, {}
    for unit, relative in table[name].items():
        peak = strength * relative * np.exp(rng.normal(0, 0.15))
        lag = rng.uniform(0, 0.08)
        for side, sign in (("L", 1.0), ("R", -1.0)):
            units[f"{unit}_{side}"] = float(np.clip(peak * (1 + sign * lean), 0, 1))
            lags[f"{unit}_{side}"] = float(lag)
    return Expression(
        0.0, units, lags,
        onset=log_normal(rng, 0.45 if emotion else 0.35, 0.3, at_least=0.15),
        apex=log_normal(rng, 1.4 if emotion else 0.7, 0.6),
        offset=log_normal(rng, 0.9 if emotion else 0.6, 0.35, at_least=0.25),
    )


def question_brows(rng: np.random.Generator, ends: np.ndarray) -> list[Expression]:
    """Brows that rise on the last syllables (Q,) seconds of questions, and stay for the answer (Ekman 1979)."""
    raised = []
    for end in ends:
        inner, outer = rng.uniform(0.4, 0.8, 2)
        units = {"AU1_L": inner, "AU1_R": inner, "AU2_L": outer, "AU2_R": outer, "AU5_L": 0.25, "AU5_R": 0.25}
        raised.append(Expression(float(end) - 0.3, units, dict.fromkeys(units, 0.0), 0.3, rng.uniform(0.3, 0.9), 0.5))
    return raised


def brow_beats(rng: np.random.Generator, beats: np.ndarray) -> list[Expression]:
    """Raised brows on some of the stressed syllables ``beats`` (K,) seconds (Ekman 1979: the speaker's baton)."""
    raised = []
    for beat in beats:
        chance, inner, outer = rng.random(), rng.uniform(0.15, 0.45), rng.uniform(0.1, 0.45)
        units = {"AU1_L": inner, "AU1_R": inner, "AU2_L": outer, "AU2_R": outer}
        if chance < 0.4:
            raised.append(Expression(float(beat) - 0.15, units, dict.fromkeys(units, 0.0), 0.15, 0.15, 0.35))
    return raised
