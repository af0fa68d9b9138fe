"""Continuous-time building blocks of motion: functions of time alone, so a clip is the prefix of a longer one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

import numpy as np

Event = TypeVar("Event")


def events(
    rng: np.random.Generator, start: float, end: float, draw: Callable[[np.random.Generator], tuple[float, Event]]
) -> list[tuple[float, Event]]:
    """A renewal process: (time, event) from ``start`` until the first one past ``end``, seconds.

    ``draw`` gives the gap to the next event and the event. A later ``end`` only appends.
    """
    happened = []
    time = start
    while time <= end:
        gap, event = draw(rng)
        happened.append((time, event))
        time += gap
    happened.append((time, draw(rng)[1]))
    return happened


def log_normal(rng: np.random.Generator, mean: float, sigma: float, at_least: float = 0.0) -> float:
    """A log-normal draw of the given mean (before the lower limit); ``sigma`` is that of the logarithm."""
    return max(float(mean * np.exp(sigma * rng.standard_normal() - sigma**2 / 2)), at_least)


def truncated_normal(rng: np.random.Generator, sigma: float | np.ndarray, limit: float = 2.0) -> np.ndarray:
    """Zero-mean normal draws of scale ``sigma``; those beyond ``limit`` sigmas are folded back."""
    draw = rng.standard_normal(np.shape(sigma))
    folded = np.abs((draw + limit) % (4 * limit) - 2 * limit) - limit  # a triangle wave
    return -folded * sigma


def during(time: np.ndarray, start: float, end: float) -> slice:
    """The part of ascending times (T,) from ``start`` to ``end``: long clips hold thousands of short events."""
    return slice(*np.searchsorted(time, [start, end]))


def minimum_jerk(s: np.ndarray) -> np.ndarray:
    """Position in [0, 1] along a point-to-point human movement (Flash & Hogan 1985), s the fraction of its duration."""
    s = np.clip(s, 0.0, 1.0)
    return s**3 * (10 - 15 * s + 6 * s**2)


def soft_limit(x: np.ndarray, knee: float, limit: float) -> np.ndarray:
    """x itself up to ``knee`` in magnitude, then smoothly (C1) saturating at ``limit``."""
    size = np.abs(x)
    beyond = np.maximum(size - knee, 0.0) / (limit - knee)
    return np.sign(x) * (np.minimum(size, knee) + (limit - knee) * np.tanh(beyond))


@dataclasses.dataclass(frozen=True)
class BandNoise:
    """Stationary band-limited noise: a sum of sinusoids that can be evaluated at any time."""

    frequency: np.ndarray
    """(K,) float64, Hz."""
    amplitude: np.ndarray
    """(K, D) float64, in the unit of the noise."""
    phase: np.ndarray
    """(K, D) float64, radians."""

    @classmethod
    def sample(
        cls, rng: np.random.Generator, rms: float | np.ndarray, band: tuple[float, float], slope: float = 1.0
    ) -> BandNoise:
        """Noise of root mean square ``rms`` ((D,) or a number) within ``band`` Hz.

        Power spectral density falls as 1/f**slope: frequencies are log-uniform, one a stratum, so that equal
        amplitudes give 1/f and a factor f**((1 - slope) / 2) gives any other slope.
        """
        count = 24
        rms = np.atleast_1d(np.asarray(rms, np.float64))
        octave = (np.arange(count) + rng.random(count)) / count
        frequency = band[0] * (band[1] / band[0]) ** octave
        amplitude = frequency ** ((1 - slope) / 2)
        amplitude *= np.sqrt(2 / np.sum(amplitude**2))
        return cls(frequency, amplitude[:, None] * rms, rng.uniform(0, 2 * np.pi, (count, len(rms))))

    def __call__(self, time: np.ndarray) -> np.ndarray:
        """time (T,) seconds to (T, D) float64."""
        angle = 2 * np.pi * self.frequency * np.asarray(time, np.float64)[:, None]
        return np.einsum("tkd,kd->td", np.sin(angle[:, :, None] + self.phase), self.amplitude)


@dataclasses.dataclass(frozen=True)
class Steps:
    """Values held in turn, with a minimum-jerk movement from each to the next."""

    start: np.ndarray
    """(K,) float64, seconds, ascending: when the movement to each value begins."""
    duration: np.ndarray
    """(K,) float64, seconds: how long it takes; shortened where the next begins before it is over."""
    value: np.ndarray
    """(K, D) float64."""

    def __call__(self, time: np.ndarray) -> np.ndarray:
        """time (T,) seconds to (T, D) float64; before the first start the first value, after the last the last."""
        time = np.asarray(time, np.float64)
        index = np.clip(np.searchsorted(self.start, time, side="right") - 1, 0, len(self.start) - 1)
        room = np.diff(self.start, append=np.inf)
        duration = np.maximum(np.minimum(self.duration, room), 1e-9)
        part = minimum_jerk((time - self.start[index]) / duration[index])[:, None]
        before = self.value[np.maximum(index - 1, 0)]
        return before + (self.value[index] - before) * part


def pulse(time: np.ndarray, start: float, onset: float, apex: float, offset: float) -> np.ndarray:
    """Onset, apex and offset of a facial action: (T,) float64 in [0, 1]; durations in seconds."""
    rise = minimum_jerk((time - start) / onset)
    return rise - minimum_jerk((time - start - onset - apex) / offset)


@dataclasses.dataclass(frozen=True)
class Track:
    """A curve through keys: smooth to the second derivative, at rest in every extreme, never beyond its keys' range.

    Each span is the quintic with no acceleration at its keys: between two extremes that is a minimum-jerk movement.
    """

    times: np.ndarray
    """(K,) float64 ascending, seconds."""
    values: np.ndarray
    """(K,) float64."""

    def __call__(self, time: np.ndarray) -> np.ndarray:
        """time (T,) seconds to (T,) float64; the first value before the first key, the last after the last."""
        if len(self.times) == 1:
            return np.full(len(time), self.values[0])
        index = np.clip(np.searchsorted(self.times, time, side="right") - 1, 0, len(self.times) - 2)
        span = np.diff(self.times)[index]
        s = np.clip((time - self.times[index]) / span, 0, 1)
        slopes = self._slopes()
        a, b = self.values[index], self.values[index + 1]
        ease, start, finish = minimum_jerk(s), s - s**3 * (6 - 8 * s + 3 * s**2), -(s**3) * (4 - 7 * s + 3 * s**2)
        curve = a + (b - a) * ease + span * (slopes[index] * start + slopes[index + 1] * finish)
        return np.clip(curve, np.minimum(a, b), np.maximum(a, b))

    def _slopes(self) -> np.ndarray:
        """(K,) by Fritsch & Butland (1984): none at extremes and ends, the secants' harmonic mean elsewhere."""
        secants = np.diff(self.values) / np.diff(self.times)
        before, after = secants[:-1], secants[1:]
        total = before + after
        mean = np.where(before * after > 0, 2 * before * after / np.where(total == 0, 1, total), 0.0)
        return np.concatenate([[0.0], mean, [0.0]])
