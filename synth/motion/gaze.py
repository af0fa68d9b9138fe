"""Where the eyes look: fixations on targets in the world, saccades between them, eyes that counter-rotate the head."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.spatial.transform import Rotation

from synth.motion.curves import BandNoise, Steps, events, log_normal, soft_limit, truncated_normal
from synth.motion.gesture import PURSUIT, Played
from synth.motion.headpose import HeadMotion

Fixation = tuple[str, np.ndarray]
"""On what, and (2) radians: ``partner``, a ``glance`` from where the head faces, or a place in the ``world``."""
EYE_SEPARATION = 0.063
"""Metres between the eyeballs' centres (median adult, Dodgson 2004). Individual eyes differ by a tenth of a degree."""
REFRACTORY = 0.15
"""Seconds at least between two saccades."""
COMFORT, LIMIT = np.radians(24.0), np.radians(34.0)
"""Eye-in-head eccentricity, radians, from which the eye lags its target, and which it never exceeds."""


def saccade_duration(amplitude: np.ndarray) -> np.ndarray:
    """Seconds that a saccade of ``amplitude`` radians takes: 21 ms + 2.2 ms a degree.

    The main sequence (Bahill, Clark & Stark 1975, Math. Biosciences 24; coefficients of Carpenter 1988). With the
    minimum-jerk profile its peak velocity is 1.875 amplitude / duration: 290, 440, 580 degrees/s at 5, 10, 20 degrees.
    """
    return 0.021 + 0.0022 * np.degrees(amplitude)


@dataclasses.dataclass(frozen=True)
class Gaze:
    """The line of sight over time."""

    target: Steps
    """World yaw and pitch (2) of the fixated point, radians; positive to the subject's left, and down."""
    distance: float
    """Metres from the eyes to the fixated points."""
    drift: BandNoise
    """(2) radians: fixational drift, a tenth of a degree."""
    micro: Steps | None = None
    """(2) radians: where micro-saccades put the eye within a fixation."""
    gestures: tuple[Played, ...] = ()
    """Things that are followed with the eyes."""

    def eyes(self, time: np.ndarray, head: Rotation) -> tuple[np.ndarray, np.ndarray]:
        """Rotation vectors of the left and right eye in the head, (T, 3) float64 radians; ``head`` is T rotations.

        The target stays in the world while the head moves, so the vestibulo-ocular reflex (gain 1, as in light) is
        this change of frame; each eye aims at the same point, hence vergence; the rotation is the shortest from
        straight ahead, which is Listing's law: no torsion.
        """
        yaw, pitch = self.line(time).T
        direction = np.stack([np.cos(pitch) * np.sin(yaw), -np.sin(pitch), np.cos(pitch) * np.cos(yaw)], axis=1)
        point = head.inv().apply(self.distance * direction)
        offset = np.array([EYE_SEPARATION / 2, 0.0, 0.0])
        return _aim(point - offset), _aim(point + offset)

    def line(self, time: np.ndarray) -> np.ndarray:
        """World yaw and pitch (T, 2) of the line of sight, radians, at ascending times (T,) seconds."""
        total = self.target(time) + self.drift(time)
        if self.micro is not None:
            total += self.micro(time)
        for gesture in self.gestures:
            gesture.add(PURSUIT, time, total, np.pi / 180)
        return total


def _aim(line: np.ndarray) -> np.ndarray:
    """Rotation vectors (T, 3) that take +Z to the directions of ``line`` (T, 3), within the reach of the eye."""
    across = np.linalg.norm(line[:, :2], axis=1)
    angle = soft_limit(np.arctan2(across, line[:, 2]), COMFORT, LIMIT)
    axis = np.stack([-line[:, 1], line[:, 0], np.zeros(len(line))], axis=1) / np.maximum(across, 1e-12)[:, None]
    return axis * angle[:, None]


def sample_gaze(
    rng: np.random.Generator, start: float, end: float, head: HeadMotion, dwell: float, contact: float
) -> tuple[Gaze, np.ndarray, np.ndarray]:
    """Gaze between two times (seconds); also the saccades' times (K,) seconds and amplitudes (K,) radians.

    ``dwell`` is the mean fixation in seconds, ``contact`` the fraction of fixations on the partner, who is ahead.
    """
    rng, rng_forced, rng_micro = (np.random.default_rng(seed) for seed in rng.integers(1 << 62, size=3))
    partner = rng.normal(0, np.radians([6.0, 3.0]))
    distance = float(np.exp(rng.uniform(np.log(0.8), np.log(4.0))))
    drift = BandNoise.sample(rng, np.radians([0.1, 0.1]), (0.2, 4.0))

    def draw(rng: np.random.Generator) -> tuple[float, Fixation]:
        return log_normal(rng, dwell, 0.6, at_least=0.2), ("partner" if rng.random() < contact else "glance",
                                                           _glance(rng))

    # Gaze leads the head: every head turn begins with a saccade, a little earlier (Freedman & Sparks 1997).
    forced = [
        (time - 0.05, ("partner" if rng_forced.random() < 0.5 * contact else "glance", _glance(rng_forced)))
        for time in head.turn_times
    ]
    free = [fixation for fixation in events(rng, start, end, draw) + forced
            if not any(span.start - 0.1 < fixation[0] < span.end for span in head.gestures if span.steady)]
    scored = []
    for gesture in head.gestures:
        if gesture.looks:
            ahead = head.angles(np.array([gesture.start - 0.1]))[0, [1, 0]]
            scored += [(time, ("world", ahead + (yaw, pitch))) for time, yaw, pitch in gesture.looks]
    kept = _spaced(sorted(free + scored, key=lambda fixation: fixation[0]))
    times = np.array([time for time, _ in kept])
    ahead = head.angles(times + 0.7)[:, [1, 0]]  # where the head will be once a turn that begins now is over
    target = np.array([_target(fixation, forward, partner) for (_, fixation), forward in zip(kept, ahead, strict=True)])
    amplitude = np.linalg.norm(np.diff(target, axis=0, prepend=target[:1]), axis=1)
    gaze = Gaze(Steps(times, saccade_duration(amplitude), target), distance, drift, _micro(rng_micro, start, end),
                head.gestures)
    return gaze, times, amplitude


def _spaced(fixations: list[tuple[float, Fixation]]) -> list[tuple[float, Fixation]]:
    """Those that begin long enough after the one before."""
    kept = fixations[:1]
    for fixation in fixations[1:]:
        if fixation[0] - kept[-1][0] >= REFRACTORY:
            kept.append(fixation)
    return kept


def _target(fixation: Fixation, ahead: np.ndarray, partner: np.ndarray) -> np.ndarray:
    """World yaw and pitch (2) radians of a fixation while the head faces ``ahead`` (2)."""
    kind, place = fixation
    if kind == "world":
        return place
    # Nobody holds an eye beyond some 20 degrees: a target further out would have drawn the head along.
    wish = partner - ahead if kind == "partner" else place
    return ahead + wish * min(1.0, np.radians(20) / max(float(np.linalg.norm(wish)), 1e-9))


def _micro(rng: np.random.Generator, start: float, end: float) -> Steps:
    """Micro-saccades: one or two a second, a third of a degree (Martinez-Conde, Macknik & Hubel 2004)."""

    def draw(rng: np.random.Generator) -> tuple[float, np.ndarray]:
        return log_normal(rng, 0.7, 0.5, at_least=REFRACTORY), truncated_normal(rng, np.radians([0.2, 0.12]))

    found = events(rng, start, end, draw)
    times, places = np.array([time for time, _ in found]), np.array([place for _, place in found])
    return Steps(times, saccade_duration(np.linalg.norm(np.diff(places, axis=0, prepend=places[:1]), axis=1)), places)


def _glance(rng: np.random.Generator) -> np.ndarray:
    """Yaw and pitch (2) radians of a look away from straight ahead.

    Magnitudes are exponential, as measured in conversation (Lee, Badler & Badler 2002, "Eyes Alive": a scale of 6.9
    degrees, here 27.5 at most); directions favour the horizontal.
    """
    size = np.radians(min(rng.exponential(6.9) + 1.0, 27.5))
    angle = rng.uniform(0, 2 * np.pi)
    return size * np.array([np.cos(angle), 0.6 * np.sin(angle)])
