"""Spontaneous and gaze-evoked blinks."""

from __future__ import annotations

import dataclasses

import numpy as np

from synth.motion.curves import during, events, log_normal, minimum_jerk

RATE = {"rest": 17.0, "conversation": 26.0, "attention": 6.0}
"""Mean blinks a minute: 17 at rest, 26 in conversation, 4.5 reading (Bentivoglio et al. 1997, Mov. Disord. 12)."""

PAIRS = 0.12
"""Share of the blinks that a second one follows at once (a choice: bursts are common, their share varies by person)."""


@dataclasses.dataclass(frozen=True)
class Blink:
    """One closure of both lids."""

    start: float
    """Seconds: when the lid begins to fall."""
    closing: float
    """Seconds. About 92 ms, shorter than the opening (VanderWerf et al. 2003, J. Neurophysiology 89)."""
    closed: float
    """Seconds that the lid stays down."""
    opening: float
    """Seconds. About 240 ms (VanderWerf et al. 2003)."""
    depth: float
    """Closure reached, in (0, 1]: spontaneous blinks are often incomplete."""

    def __call__(self, time: np.ndarray) -> np.ndarray:
        """Closure (T,) in [0, 1] at times (T,) seconds."""
        down = minimum_jerk((time - self.start) / self.closing)
        # The lid rises fast, then creeps up the last millimetre: warp time so that half the way takes 35 % of it.
        progress = np.clip((time - self.start - self.closing - self.closed) / self.opening, 0, 1)
        return self.depth * (down - minimum_jerk(progress**0.66))


def sample_blinks(rng: np.random.Generator, start: float, end: float, rate: float) -> list[Blink]:
    """Blinks between two times (seconds) at a mean ``rate`` a minute, at log-normal intervals, some in pairs."""
    # A long-tailed interval distribution: most are short, a few last for many seconds (Bentivoglio et al. 1997).
    def draw(rng: np.random.Generator) -> tuple[float, list[Blink]]:
        pair = [sample_blink(rng, 0.0), sample_blink(rng, rng.uniform(0.4, 0.7))]
        return log_normal(rng, 60 / rate * (1 + PAIRS), 0.7, at_least=0.8), pair[: 1 + (rng.random() < PAIRS)]

    first = start + rng.random() * 60 / rate
    return [dataclasses.replace(blink, start=time + blink.start) for time, burst in events(rng, first, end, draw)
            for blink in burst]


def sample_blink(rng: np.random.Generator, start: float) -> Blink:
    """One blink that begins at ``start`` seconds."""
    return Blink(
        start=start,
        closing=log_normal(rng, 0.092, 0.17, at_least=0.06),
        closed=log_normal(rng, 0.025, 0.5),
        opening=log_normal(rng, 0.242, 0.2, at_least=0.14),
        depth=1.0 if rng.random() < 0.8 else float(rng.uniform(0.5, 0.95)),
    )


def evoked_blinks(rng: np.random.Generator, times: np.ndarray, amplitudes: np.ndarray) -> list[Blink]:
    """Blinks that accompany gaze shifts (Evinger et al. 1994, Exp. Brain Research 100): likelier the larger the shift.

    times (K,) seconds and amplitudes (K,) degrees of the gaze shifts.
    """
    blinks = []
    for time, amplitude in zip(times, amplitudes, strict=True):
        chance, blink = rng.random(), sample_blink(rng, float(time))
        if chance < np.clip((amplitude - 15) / 60, 0, 0.6):
            blinks.append(blink)
    return blinks


def closure(blinks: list[Blink], time: np.ndarray) -> np.ndarray:
    """AU45 (T,) float64 in [0, 1] at ascending times (T,) seconds: the deepest of the blinks under way."""
    shut = np.zeros(len(time))
    for blink in blinks:
        part = during(time, blink.start, blink.start + blink.closing + blink.closed + blink.opening)
        shut[part] = np.maximum(shut[part], blink(time[part]))
    return shut
