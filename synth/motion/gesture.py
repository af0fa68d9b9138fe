"""Gestures: short scores for face, head and eyes, played again and again and never twice alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from synth.motion.curves import Track, during, events, log_normal
from synth.motion.performance import ACTION_UNITS, base_unit

Keys = tuple[tuple[float, float], ...]
"""(seconds since the gesture began, value) in ascending order."""

JAW = ("jaw", "jaw_side")
"""Jaw opening, and its swing to the subject's left, degrees."""
HEAD = ("pitch", "yaw", "roll")
"""Head down, to the subject's left, and its crown to the subject's right, degrees."""
SHIFT = ("shift_x", "shift_y", "shift_z")
"""Millimetres that the torso carries the head: to the subject's left, up, forward."""
PURSUIT = ("look_x", "look_y")
"""Smooth travel of the fixated point to the subject's left, and down, degrees."""
SIDEWAYS = ("jaw_side", "yaw", "roll", "shift_x", "look_x")
"""Channels whose sign flips in the mirror."""
_GAZE_TURN = 8.0
"""Degrees of head turn from which the eyes go ahead."""


@dataclasses.dataclass(frozen=True)
class Gesture:
    """What is done once, as it would be written down: playing it varies everything a little."""

    tracks: Mapping[str, Keys]
    """Channel to keys: an action unit (``AU12``, or ``AU12_L``) in [0, 1], or one of :data:`JAW`, :data:`HEAD`,
    :data:`SHIFT`, :data:`PURSUIT`."""
    looks: tuple[tuple[float, float, float], ...] = ()
    """(seconds, yaw, pitch) fixations, degrees in the world from where the head faced when the gesture began."""
    steady: bool = False
    """The eyes stay where they are, in the world, while the head moves; no other fixation comes between."""
    unblinking: bool = False
    """No spontaneous blink comes between."""
    mirrors: bool = True
    """Half of the time it is played as its mirror image."""
    strength: tuple[float, float] = (0.7, 1.0)
    """Range of the factor on every value."""
    lean: float = 0.10
    """Spread of the left side's share over the right's: faces are lopsided by a tenth (Borod et al. 1998)."""

    def __post_init__(self) -> None:
        for name, keys in self.tracks.items():
            times = [time for time, _ in keys]
            is_unit = base_unit(name) in ACTION_UNITS
            if not is_unit and name not in (*JAW, *HEAD, *SHIFT, *PURSUIT):
                raise ValueError(f"tracks: {name!r} is no action unit and no channel of head, jaw or gaze")
            if len(keys) < 2 or any(b <= a for a, b in zip(times, times[1:], strict=False)):
                raise ValueError(f"tracks[{name!r}]: expected at least two keys at ascending times, got {times}")
            if keys[0][1] != 0 or keys[-1][1] != 0:
                raise ValueError(f"tracks[{name!r}]: expected to begin and end at 0, got {keys[0]} and {keys[-1]}")
            if is_unit and not all(0 <= value <= 1 for _, value in keys):
                raise ValueError(f"tracks[{name!r}]: values beyond [0, 1]")

    @property
    def duration(self) -> float:
        """Seconds until the last key."""
        return max([keys[-1][0] for keys in self.tracks.values()] + [time for time, *_ in self.looks])


@dataclasses.dataclass(frozen=True)
class Played:
    """A gesture as it happened."""

    start: float
    """Seconds."""
    end: float
    """Seconds: when its last key is past."""
    tracks: Mapping[str, Track]
    """Curves over the performance's time; units are one-sided (``AU12_L``)."""
    looks: tuple[tuple[float, float, float], ...]
    """(seconds, yaw, pitch) of fixations: the performance's time, radians."""
    steady: bool
    """See :class:`Gesture`."""
    unblinking: bool
    """See :class:`Gesture`."""

    def add(self, names: Sequence[str], time: np.ndarray, out: np.ndarray, scale: float) -> None:
        """Add channels ``names`` to the columns of ``out`` (T, len(names)) at ascending times (T,), times ``scale``."""
        if set(names).isdisjoint(self.tracks):
            return
        part = during(time, self.start, self.end)
        if part.start == part.stop:
            return
        for column, name in enumerate(names):
            if name in self.tracks:
                out[part, column] += scale * self.tracks[name](time[part])

    @property
    def turn_times(self) -> np.ndarray:
        """(K,) seconds at which the head sets off for somewhere else."""
        found = []
        for name in ("yaw", "pitch"):
            if name in self.tracks and not self.steady and not self.looks:
                track = self.tracks[name]
                found.append(track.times[:-1][np.abs(np.diff(track.values)) > _GAZE_TURN])
        return np.sort(np.concatenate(found)) if found else np.zeros(0)


def play(rng: np.random.Generator, gesture: Gesture, start: float) -> Played:
    """One playing of ``gesture`` from ``start`` seconds: tempo, strength, sides and each key's time and value vary."""
    tempo, strength = float(np.exp(rng.normal(0, 0.13))), rng.uniform(*gesture.strength)
    flip = gesture.mirrors and rng.random() < 0.5
    lean = float(np.clip(rng.normal(0, gesture.lean), -0.3, 0.3))
    tracks = {}
    for name, keys in gesture.tracks.items():
        times, values = np.array(keys).T
        gaps = np.diff(times, prepend=0.0) * tempo * np.exp(rng.normal(0, 0.07, len(times)))
        times = start + np.cumsum(np.maximum(gaps, 0)) + rng.uniform(0, 0.05)
        values = values * strength * np.exp(rng.normal(0, 0.06, len(values)))
        if base_unit(name) not in ACTION_UNITS:
            tracks[name] = Track(times, -values if flip and name in SIDEWAYS else values)
            continue
        base, _, side = name.partition("_")
        for each, sign in (("L", 1.0), ("R", -1.0)):
            if side and each != ({"L": "R", "R": "L"}[side] if flip else side):
                continue
            # Shut eyes shut on both sides; other actions come a few hundredths of a second earlier on one.
            share, lag = (1.0, 0.0) if base == "AU45" else (1 + sign * lean, rng.uniform(0, 0.03))
            full = np.array([value for _, value in keys]) if base == "AU45" else values * share
            tracks[f"{base}_{each}"] = Track(times + lag, np.clip(full, 0, 1))
    stretch = tempo * float(np.exp(rng.normal(0, 0.03)))
    scale = np.radians(strength) * np.array([-1.0 if flip else 1.0, 1.0])
    looks = tuple((start + stretch * time, *(scale * (yaw, pitch))) for time, yaw, pitch in gesture.looks)
    end = max([track.times[-1] for track in tracks.values()] + [time for time, *_ in looks])
    return Played(start, float(end), tracks, looks, gesture.steady, gesture.unblinking)


def sample_gestures(
    rng: np.random.Generator, start: float, end: float, gestures: Sequence[Gesture], calm: float
) -> list[Played]:
    """Gestures between two times (seconds), each drawn from ``gestures``, with about ``calm`` seconds in between."""
    if not gestures:
        return []

    def draw(rng: np.random.Generator) -> tuple[float, Gesture]:
        gesture = gestures[rng.integers(len(gestures))]
        return 1.4 * gesture.duration + 0.2 + log_normal(rng, calm, 0.5), gesture

    first = start - rng.random() * calm
    seeds = np.random.default_rng(rng.integers(1 << 62))
    found = events(rng, first, end, draw)
    return [play(np.random.default_rng(seeds.integers(1 << 62)), gesture, time) for time, gesture in found]


def swell(peak: float, start: float = 0.0, rise: float = 0.6, hold: float = 1.0, fall: float = 1.2) -> Keys:
    """What builds, is held and decays: three quarters of the rise come early, and it lets go fast, then lingers."""
    top, over = start + rise, start + rise + hold
    return ((start, 0.0), (start + 0.6 * rise, 0.75 * peak), (top, peak), (over, 0.88 * peak),
            (over + 0.4 * fall, 0.32 * peak), (over + fall, 0.0))


def flick(peak: float, start: float, rise: float, hold: float, fall: float) -> Keys:
    """A quick action: up, a moment there, down."""
    return ((start, 0.0), (start + rise, peak), (start + rise + hold, peak), (start + rise + hold + fall, 0.0))


def pulses(count: int, period: float, high: float, low: float = 0.0, start: float = 0.0, fade: float = 0.0) -> Keys:
    """``count`` strokes between ``low`` and ``high`` from rest to rest, each weaker by ``fade`` of the first."""
    keys = [(start, 0.0)]
    for k in range(count):
        weight = max(1 - fade * k, 0.1)
        keys += [(start + (k + 0.45) * period, high * weight), (start + (k + 0.95) * period, low * weight)]
    return (*keys, (keys[-1][0] + period, 0.0))


def together(parts: Mapping[str, tuple[float, float]], rise: float, hold: float, fall: float) -> dict[str, Keys]:
    """Tracks that swell together: channel to (peak, seconds that it starts after the first)."""
    return {name: swell(peak, start, rise, hold, fall) for name, (peak, start) in parts.items()}
