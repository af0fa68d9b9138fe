import itertools

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from synth.motion.blinks import RATE, closure, sample_blinks
from synth.motion.curves import BandNoise, Steps, minimum_jerk, pulse, soft_limit, truncated_normal
from synth.motion.expression import EMOTIONS, sample_expressions
from synth.motion.gaze import LIMIT, Gaze, saccade_duration
from synth.motion.generate import sample_performance
from synth.motion.headpose import LIMIT as HEAD_LIMIT
from synth.motion.performance import ACTION_UNITS, POSES, base_unit
from synth.motion.speech import Voice, sample_speech

STYLES = ("speech", "emotion", "listening", "turns", "gaze")
"""The mixed performances, in which anything may happen."""


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def runs(active: np.ndarray) -> list[int]:
    """Lengths of the runs of True."""
    return [len(list(group)) for value, group in itertools.groupby(active) if value]


# Building blocks


def test_band_noise_has_its_rms_and_band():
    time = np.arange(8192) / 64
    power = np.zeros(4097)
    for seed in range(8):
        curve = BandNoise.sample(generator(seed), 2.0, (0.5, 4.0))(time)[:, 0]
        assert abs(curve.std() - 2.0) < 0.15
        power += np.abs(np.fft.rfft(curve * np.hanning(len(curve)))) ** 2
    frequency = np.fft.rfftfreq(len(time), 1 / 64)
    inside = (frequency > 0.45) & (frequency < 4.1)
    assert power[~inside].sum() < 1e-4 * power.sum()
    # 1/f: as much power in each octave
    octaves = [power[(frequency >= low) & (frequency < 2 * low)].sum() for low in (0.5, 1.0, 2.0)]
    assert max(octaves) / min(octaves) < 1.6


def test_band_noise_slope_moves_power_to_low_frequencies():
    steep, flat = (BandNoise.sample(generator(0), 1.0, (0.1, 10), slope=slope).amplitude for slope in (2.0, 0.0))
    assert np.argmax(steep) == 0 and np.argmax(flat) == len(flat) - 1


def test_steps_arrive_hold_and_are_continuous():
    steps = Steps(np.array([0.0, 1.0, 1.1]), np.array([0.1, 0.5, 0.2]), np.array([[0.0], [2.0], [1.0]]))
    assert steps(np.array([-1.0, 0.9]))[:, 0].tolist() == [0.0, 0.0]
    assert steps(np.array([5.0]))[0, 0] == 1.0
    dense = steps(np.arange(0, 2, 1e-4))[:, 0]
    assert np.abs(np.diff(dense)).max() < 0.02


def test_minimum_jerk_soft_limit_and_pulse():
    assert minimum_jerk(np.array([-1, 0, 0.5, 1, 2])).tolist() == [0, 0, 0.5, 1, 1]
    x = np.linspace(-3, 3, 601)
    y = soft_limit(x, 0.7, 1.0)
    assert np.array_equal(y[np.abs(x) < 0.7], x[np.abs(x) < 0.7]) and np.abs(y).max() < 1 and np.diff(y).min() > 0
    time = np.array([0, 1.0, 1.5, 2.0, 2.25, 2.5])
    assert np.allclose(pulse(time, 1.0, 0.5, 0.5, 0.5), [0, 0, 1, 1, 0.5, 0])


def test_truncated_normal():
    draws = truncated_normal(generator(0), np.full(20000, 3.0))
    assert np.abs(draws).max() <= 6.0 and abs(draws.mean()) < 0.1 and 2.5 < draws.std() < 3.0


# Blinks


def test_blink_rate_and_durations_are_the_measured_ones():
    blinks = [blink for seed in range(10) for blink in sample_blinks(generator(seed), 0, 600, RATE["rest"])]
    assert 15.5 < len(blinks) / 100 < 18.5  # a minute
    closing, opening = (np.array([getattr(blink, name) for blink in blinks]) for name in ("closing", "opening"))
    assert 0.085 < closing.mean() < 0.1 and 0.22 < opening.mean() < 0.26
    assert (closing < opening).mean() > 0.99
    total = closing + opening + [blink.closed for blink in blinks]
    assert 0.3 < total.mean() < 0.4 and total.max() < 0.8


def test_blink_closure_falls_fast_and_reaches_its_depth():
    time = np.arange(0, 20, 0.001)
    blinks = sample_blinks(generator(3), 0, 20, RATE["rest"])
    shut = closure(blinks, time)
    assert shut.min() == 0 and shut.max() == pytest.approx(max(blink.depth for blink in blinks if blink.start < 19))
    speed = np.diff(shut) * 1000
    assert speed.max() > 1.5 * -speed.min()


# Gaze


def test_saccades_lie_on_the_main_sequence():
    amplitudes = np.radians([2.0, 5.0, 10.0, 20.0, 30.0])
    peaks = []
    for amplitude in amplitudes:
        duration = np.array([1.0, saccade_duration(amplitude)])
        steps = Steps(np.array([0.0, 0.1]), duration, np.array([[0.0], [amplitude]]))
        time = np.arange(0, 0.4, 1e-4)
        peaks.append(np.degrees(np.gradient(steps(time)[:, 0], time).max()))
    # Human peak velocities (Bahill, Clark & Stark 1975, fig. 1), degrees a second, with their scatter.
    for peak, low, high in zip(peaks, (100, 200, 330, 450, 500), (220, 380, 550, 700, 800), strict=True):
        assert low < peak < high
    assert np.all(np.diff(peaks) > 0) and np.all(np.diff(peaks) / np.diff(np.degrees(amplitudes)) < 60)


def still_gaze(yaw: float, pitch: float, distance: float) -> Gaze:
    calm = BandNoise(np.ones(1), np.zeros((1, 2)), np.zeros((1, 2)))
    return Gaze(Steps(np.zeros(1), np.ones(1), np.array([[yaw, pitch]])), distance, calm)


def test_eyes_counter_rotate_the_head():
    gaze = still_gaze(0.05, 0.1, 1e6)
    angles = np.stack([np.linspace(-15, 15, 50), np.linspace(8, -5, 50), np.linspace(0, 4, 50)], axis=1)
    head = Rotation.from_euler("YXZ", angles, degrees=True)
    eyes = gaze.eyes(np.linspace(0, 1, 50), head)
    expected = [np.cos(0.1) * np.sin(0.05), -np.sin(0.1), np.cos(0.1) * np.cos(0.05)]
    for eye in eyes:
        line = (head * Rotation.from_rotvec(eye)).apply([0.0, 0.0, 1.0])
        assert np.allclose(line, expected, atol=1e-6)
        assert np.abs(eye[:, 2]).max() == 0  # Listing: no torsion


def test_eyes_converge_on_a_near_point_and_stay_in_their_orbits():
    straight = Rotation.from_rotvec(np.zeros((1, 3)))
    left, right = still_gaze(0.0, 0.0, 0.5).eyes(np.zeros(1), straight)
    assert left[0, 1] == pytest.approx(-np.arctan(0.0315 / 0.5), rel=1e-6)  # the left eye, at +X, turns to the right
    assert np.allclose(left[0], -right[0])
    wide, _ = still_gaze(1.4, 0.0, 2.0).eyes(np.zeros(1), straight)
    assert 0.9 * LIMIT < np.linalg.norm(wide) <= LIMIT


def test_gaze_holds_its_target_between_saccades():
    performance = sample_performance(generator(11), 2400, 120.0, "turns")
    head = Rotation.from_rotvec(performance.head) * Rotation.from_rotvec(performance.neck)
    # The middle of the two lines of sight, in the world
    line = sum(Rotation.from_rotvec(eye).apply([0, 0, 1.0]) for eye in (performance.left_eye, performance.right_eye))
    world = head.apply(line / np.linalg.norm(line, axis=1, keepdims=True))
    in_head = np.degrees(np.linalg.norm(np.diff(performance.left_eye, axis=0), axis=1)) * 120
    in_world = np.degrees(np.linalg.norm(np.diff(world, axis=0), axis=1)) * 120
    head_speed = np.degrees((head[:-1].inv() * head[1:]).magnitude()) * 120
    fixating = in_head < 60
    moving = fixating & (head_speed > 15)
    assert moving.sum() > 100
    assert np.median(in_world[moving]) < 0.15 * np.median(head_speed[moving])
    assert 0.85 < fixating.mean() < 0.99


# Speech and expressions


def test_syllable_rate_and_pauses():
    rates = []
    for seed in range(20):
        speech = sample_speech(generator(seed), 0, 60, Voice())
        gaps = np.diff(speech.syllables)
        rates.append(1 / np.median(gaps))
        assert (gaps > 0.5).sum() > 5  # pauses between phrases
        jaw = speech.mouth(np.arange(0, 60, 0.01))[:, 0]
        assert jaw.min() == 0 and np.radians(2) < np.percentile(jaw, 95) < np.radians(14)
    assert min(rates) > 2.7 and max(rates) < 6.5 and 4.0 < np.mean(rates) < 5.2


def test_lips_and_jaw_move_together():
    mouth = sample_speech(generator(4), 0, 60, Voice()).mouth(np.arange(0, 60, 0.01))
    assert np.corrcoef(mouth[:, 0], mouth[:, 1])[0, 1] > 0.6
    assert mouth[:, 1:].min() >= 0 and mouth[:, 1:].max() <= 1


def test_expressions_are_emfacs_prototypes_with_onset_apex_offset():
    expressions = sample_expressions(generator(0), 0, 600, gap=1.0, emotional=1.0)
    prototypes = {frozenset(units) for units in EMOTIONS.values()}
    assert {frozenset(map(base_unit, expression.units)) for expression in expressions} == prototypes
    lopsided = 0
    for expression in expressions:
        assert 0.15 <= expression.onset < 2 and 0.25 <= expression.offset < 4
        time = expression.start + np.linspace(-0.1, expression.onset + expression.apex + expression.offset + 0.3, 400)
        for name, curve in expression(time).items():
            assert curve[0] == curve[-1] == 0 and curve.max() == pytest.approx(expression.units[name], abs=1e-9)
        lopsided += any(abs(expression.units[f"{u}_L"] - expression.units[f"{u}_R"]) > 0.05
                        for u in map(base_unit, expression.units))
    assert 0.3 < lopsided / len(expressions) < 0.95
    assert all(unit in ACTION_UNITS for units in EMOTIONS.values() for unit in units)


# The whole


def test_another_frame_rate_samples_the_same_performance():
    slow = sample_performance(generator(8), 10, 24.0, "speech")
    fast = sample_performance(generator(8), 19, 48.0, "speech")
    assert np.allclose(slow.jaw, fast.jaw[::2], atol=1e-6)


@pytest.mark.parametrize("style", STYLES)
def test_poses_stay_human(style):
    performance = sample_performance(generator(21), 60 * 60, 60.0, style)
    total = Rotation.from_rotvec(performance.head) * Rotation.from_rotvec(performance.neck)
    angles = total.as_euler("YXZ")[:, [1, 0, 2]]
    assert np.all(np.abs(angles).max(axis=0) <= HEAD_LIMIT + 1e-6)
    assert np.degrees(angles[:, 1].std()) > 2
    speed = np.degrees((total[:-1].inv() * total[1:]).magnitude()) * 60
    assert 1 < np.mean(speed) < 40 and speed.max() < 250
    assert np.degrees(np.abs(angles).max(axis=0)).max() < 45
    assert performance.jaw[:, 0].min() >= 0 and np.degrees(performance.jaw[:, 0].max()) < 25
    assert np.abs(performance.translation).max() < 0.03
    assert {base_unit(name) for name in performance.units} <= set(ACTION_UNITS)
    blinks = len(runs(performance.unit("AU45")[0] > 0.3))
    assert 5 <= blinks <= 60


@pytest.mark.parametrize("style", STYLES)
def test_eight_frames_already_move(style):
    moved = []
    for seed in range(40):
        performance = sample_performance(generator(seed), 8, 24.0, style)
        poses = max(np.degrees(np.ptp(getattr(performance, name), axis=0).max()) for name in POSES)
        units = max(np.ptp(curve) for curve in performance.units.values())
        moved.append(poses > 2 or units > 0.2)
    assert np.mean(moved) > 0.9


def test_blinks_of_a_performance_come_at_the_measured_rate():
    counts = [len(runs(sample_performance(generator(seed), 60 * 120, 60.0, "listening").unit("AU45")[0] > 0.3))
              for seed in range(12)]
    assert 13.5 < np.sum(counts) / 24 < 20.5  # a minute, gaze-evoked ones included; people differ by 30 %


def test_every_style_is_drawn_and_bad_requests_are_refused():
    talking = sum(np.ptp(sample_performance(generator(seed), 48, 24.0).jaw[:, 0]) > 0.03 for seed in range(60))
    assert 10 < talking < 50
    with pytest.raises(ValueError, match="grumbling.*speech"):
        sample_performance(generator(0), 8, 24.0, "grumbling")
    with pytest.raises(ValueError, match="frames"):
        sample_performance(generator(0), 0, 24.0)
