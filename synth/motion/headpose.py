"""How a head moves: drift, turns that are held, nods and shakes, breathing."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.spatial.transform import Rotation

from synth.motion.curves import BandNoise, Steps, during, events, log_normal, soft_limit, truncated_normal
from synth.motion.gesture import HEAD, SHIFT, Played

LIMIT = np.radians([40.0, 64.0, 30.0])
"""Largest pitch, yaw and roll, radians: comfortable parts of what necks can do (50 down and 60 up, 75 to a side, 40
tilted; Youdas et al. 1992, Physical Therapy 72)."""


@dataclasses.dataclass(frozen=True)
class Oscillation:
    """A burst of nods (about X) or head shakes (about Y)."""

    start: float
    """Seconds."""
    cycles: float
    """How many."""
    frequency: float
    """Hz. Ordinary nods lie at 1.8 to 3.7 Hz (Hadar et al. 1983, Human Movement Science 2)."""
    angles: np.ndarray
    """(3,) float64 peak pitch, yaw, roll in radians."""

    def __call__(self, time: np.ndarray) -> np.ndarray:
        """(T, 3) radians at times (T,) seconds: a sinusoid that fades in and out."""
        s = (time - self.start) * self.frequency / self.cycles
        window = np.where((s > 0) & (s < 1), np.sin(np.pi * np.clip(s, 0, 1)) ** 2, 0.0)
        return (window * np.sin(2 * np.pi * self.cycles * s))[:, None] * self.angles


@dataclasses.dataclass(frozen=True)
class HeadMotion:
    """The pose of the head over time."""

    drift: BandNoise
    """(3) radians: slow wander of pitch, yaw, roll."""
    turns: Steps
    """(3) radians: poses that are taken up and held."""
    turn_times: np.ndarray
    """(K,) seconds: when each turn begins, those of gestures too."""
    bursts: tuple[Oscillation, ...]
    """Nods and shakes."""
    sway: BandNoise
    """(3) metres: the torso's sway carries the head along."""
    breath: BandNoise
    """(1): unit noise at the rate of breathing."""
    tremor: BandNoise
    """(3) radians: physiological tremor, some hundredths of a degree at 4 to 9 Hz."""
    gestures: tuple[Played, ...] = ()
    """What is done with head and torso on purpose."""

    def angles(self, time: np.ndarray) -> np.ndarray:
        """Pitch, yaw, roll (T, 3) float64 radians about X, Y, Z at ascending times (T,) seconds."""
        total = self.drift(time) + self.turns(time) + self.tremor(time)
        total[:, :1] += np.radians(0.25) * self.breath(time)
        for burst in self.bursts:
            part = during(time, burst.start, burst.start + burst.cycles / burst.frequency)
            total[part] += burst(time[part])
        for gesture in self.gestures:
            gesture.add(HEAD, time, total, np.pi / 180)
        return soft_limit(total, 0.9 * LIMIT, LIMIT)

    def translation(self, time: np.ndarray) -> np.ndarray:
        """(T, 3) float64 metres at ascending times (T,) seconds."""
        total = self.sway(time)
        total[:, 1:] += np.array([0.0008, 0.0006]) * self.breath(time)
        for gesture in self.gestures:
            gesture.add(SHIFT, time, total, 0.001)
        return total

    def rotation(self, time: np.ndarray) -> Rotation:
        """T rotations: yaw about the body's axis, then pitch, then roll, each about the turned axes."""
        return Rotation.from_euler("YXZ", self.angles(time)[:, [1, 0, 2]])


def sample_head(
    rng: np.random.Generator, start: float, end: float, yaw_deg: float, dwell: float, nods_a_minute: float,
    lively: float, beats: np.ndarray, gestures: tuple[Played, ...] = (),
) -> HeadMotion:
    """Head motion between two times (seconds).

    ``yaw_deg`` is the standard deviation of held turns, degrees; ``dwell`` the mean time between them, seconds;
    ``lively`` scales the wander (1 is a listener);
    ``beats`` (K,) seconds are stressed syllables, each with a small nod of its own (Hadar et al. 1983).
    ``gestures`` come on top.
    """
    rng_turn, rng_nod, rng_beat, rng = (np.random.default_rng(seed) for seed in rng.integers(1 << 62, size=4))
    drift = BandNoise.sample(rng, lively * np.radians([1.3, 2.0, 1.0]), (0.05, 1.2), slope=2.0)
    sway = BandNoise.sample(rng, np.array([0.003, 0.0015, 0.004]), (0.08, 0.7), slope=1.5)
    habit = rng.normal(0, np.radians([3.0, 4.0, 2.5]))
    spread = np.radians([0.4 * yaw_deg, yaw_deg, 0.25 * yaw_deg])

    def turn(rng: np.random.Generator) -> tuple[float, tuple[np.ndarray, float]]:
        pose = habit + truncated_normal(rng, spread)
        return log_normal(rng, dwell, 0.5, at_least=0.7), (pose, rng.uniform(0.8, 1.25))

    def nod(rng: np.random.Generator) -> tuple[float, Oscillation]:
        gap = log_normal(rng, 60 / nods_a_minute, 0.6, at_least=1.5)
        shake = rng.random() < 0.2
        peak = np.radians(rng.uniform(4, 9)) * (np.array([0.1, 1.0, 0.15]) if shake else np.array([1.0, 0.1, 0.05]))
        return gap, Oscillation(0.0, float(rng.choice([1.5, 2.0, 2.5, 3.0])), float(rng.uniform(1.8, 3.2)), peak)

    turning = events(rng_turn, start, end, turn)
    times, value = np.array([time for time, _ in turning]), np.array([pose for _, (pose, _) in turning])
    amplitude = np.degrees(np.linalg.norm(np.diff(value, axis=0, prepend=value[:1]), axis=1))
    # Larger turns are faster but still longer: about 0.45 s for 10 degrees, 0.75 s for 40 (Zangemeister et al. 1981).
    duration = (0.35 + 0.010 * amplitude) * np.array([pace for _, (_, pace) in turning])
    bursts = [
        dataclasses.replace(burst, start=time) for time, burst in events(rng_nod, start, end, nod)
    ] if nods_a_minute > 0 else []
    for beat in beats:
        peak = np.radians(rng_beat.uniform(0.8, 3.0, 3)) * np.array([1.0, *rng_beat.uniform(-0.4, 0.4, 2)])
        bursts.append(Oscillation(float(beat) - 0.1, 1.0, float(rng_beat.uniform(1.5, 2.5)), peak))
    breath = BandNoise.sample(rng, 1.0, (0.2, 0.32))  # 12 to 19 a minute, as adults breathe at rest
    tremor = BandNoise.sample(rng, np.radians([0.03, 0.03, 0.02]), (4.0, 9.0))
    turn_times = np.sort(np.concatenate([times, *(gesture.turn_times for gesture in gestures)]))
    return HeadMotion(drift, Steps(times, duration, value), turn_times, tuple(bursts), sway, breath, tremor,
                      tuple(gestures))
