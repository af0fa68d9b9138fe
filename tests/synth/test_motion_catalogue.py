import functools

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from synth.motion.catalogue import PERFORMANCES
from synth.motion.gaze import LIMIT
from synth.motion.generate import sample_performance
from synth.motion.headpose import LIMIT as HEAD_LIMIT
from synth.motion.performance import ACTION_UNITS, POSES, Performance, base_unit

NAMES = tuple(PERFORMANCES)


@functools.cache
def played(name: str, seed: int = 1) -> Performance:
    """Twenty seconds at 60 frames a second."""
    return sample_performance(np.random.default_rng(seed), 1200, 60.0, name)


def total(performance: Performance) -> Rotation:
    return Rotation.from_rotvec(performance.head) * Rotation.from_rotvec(performance.neck)


def yaw_pitch_roll(performance: Performance) -> np.ndarray:
    """(T, 3) degrees."""
    return total(performance).as_euler("YXZ", degrees=True)


def test_there_are_many_and_each_says_what_it_shows():
    assert len(PERFORMANCES) >= 40
    described = [act.description for act in PERFORMANCES.values()]
    assert len(set(described)) == len(described) and all(10 < len(text) < 100 for text in described)
    assert all(act.weight > 0 for act in PERFORMANCES.values())


@pytest.mark.parametrize("name", NAMES)
def test_curves_are_human(name):
    """Every limit holds for every performance.

    Action units: brows rise and lips part within 0.15 s at the fastest, 13 a second at a minimum-jerk movement's peak
    (spontaneous onsets take 0.3 to 0.7 s: Schmidt, Cohn & Tian 2003); lips that meet for p or b move at 200 mm/s and
    have some 8 mm to go (Loefqvist & Gracco 1997). Lids: 92 ms down (VanderWerf et al. 2003). Head: gaze shifts of 60
    degrees peak at 250 degrees a second (Zangemeister et al. 1981). Jaw: a quarter of a metre a
    second at the incisors, 90 mm from the joint (of the order of what Ostry & Flanagan 1989 saw in speech and chewing).
    """
    performance = played(name)
    for unit, curve in performance.units.items():
        speed = np.abs(np.diff(curve.astype(float))).max() * 60
        limit = {"AU45": 32, "AU25": 25}.get(base_unit(unit), 16 if PERFORMANCES[name].voice else 13)
        assert speed < limit, unit
    rotation = total(performance)
    assert np.degrees((rotation[:-1].inv() * rotation[1:]).magnitude()).max() * 60 < 250
    assert np.all(np.abs(rotation.as_euler("YXZ")[:, [1, 0, 2]]).max(axis=0) <= HEAD_LIMIT + 1e-6)
    assert np.degrees(np.abs(np.diff(performance.jaw, axis=0))).max() * 60 < 165
    assert 0 <= performance.jaw[:, 0].min() and performance.jaw[:, 0].max() < np.radians(24.1)
    for eye in (performance.left_eye, performance.right_eye):
        assert np.linalg.norm(eye, axis=1).max() <= LIMIT
        assert np.degrees(np.linalg.norm(np.diff(eye, axis=0), axis=1)).max() * 60 < 800
    assert np.abs(np.diff(performance.translation, axis=0)).max() * 60 < 0.2
    assert np.abs(performance.translation).max() < 0.04


@pytest.mark.parametrize("name", NAMES)
def test_a_longer_clip_has_the_shorter_as_prefix_and_the_seed_decides(name):
    short, again, long, other = (
        sample_performance(np.random.default_rng(seed), frames, 24.0, name)
        for seed, frames in ((5, 7), (5, 7), (5, 200), (6, 7)))
    for key in (*POSES, "translation"):
        assert np.array_equal(getattr(short, key), getattr(again, key))
        assert np.array_equal(getattr(short, key), getattr(long, key)[:7])
    for unit in ACTION_UNITS:
        for side, expected in zip(short.unit(unit), long.unit(unit), strict=True):
            assert np.array_equal(side, expected[:7])
    assert not np.array_equal(short.neck, other.neck)


@pytest.mark.parametrize("fps", [1.0, 23.976, 240.0])
def test_one_frame_and_odd_rates(fps):
    for name in NAMES[::8]:
        assert sample_performance(np.random.default_rng(0), 1, fps, name).frames == 1


def test_eight_frames_are_rarely_at_rest_and_start_at_different_phases():
    shown, moved = [], []
    for name in NAMES:
        for seed in (0, 1):
            clip = sample_performance(np.random.default_rng(seed), 8, 24.0, name)
            head = np.degrees(max(np.abs(getattr(clip, key)).max() for key in POSES))
            turned = np.degrees(max(np.ptp(getattr(clip, key), axis=0).max() for key in POSES))
            shown.append(head > 8 or max(curve.max() for curve in clip.units.values()) > 0.25)
            moved.append(turned > 2 or max(np.ptp(curve) for curve in clip.units.values()) > 0.2)
    assert np.mean(shown) > 0.9 and 0.65 < np.mean(moved)
    smiles = [sample_performance(np.random.default_rng(seed), 1, 24.0, "joy").unit("AU12")[0][0] for seed in range(40)]
    assert np.mean(np.array(smiles) > 0.6) > 0.15 and np.mean(np.array(smiles) < 0.3) > 0.15


def features(performance: Performance) -> np.ndarray:
    """What tells performances apart: means and spreads of units (their unsided sum and difference) and of poses."""
    rows = []
    for unit in ACTION_UNITS:
        left, right = performance.unit(unit)
        rows += [(left + right) / 2, np.abs(left - right)]
    poses = np.concatenate([yaw_pitch_roll(performance) / 12, np.degrees(performance.jaw[:, :2]) / 6,
                            np.degrees(performance.left_eye[:, :2]) / 12, 200 * performance.translation], axis=1)
    left, right = performance.unit("AU45")
    curves = np.concatenate([np.array(rows).T, poses, np.maximum([left - right, right - left], 0).T], axis=1)
    speed = np.abs(np.diff(curves, axis=0)).mean(axis=0) * performance.fps
    return np.concatenate([np.abs(curves).mean(axis=0), curves.std(axis=0), 0.3 * speed])


@functools.cache
def signature(name: str, seed: int) -> np.ndarray:
    return features(sample_performance(np.random.default_rng(seed), 320, 16.0, name))


def test_performances_are_distinct():
    """No two are alike, and a new playing of one is nearer to itself than to any other, nearly always."""
    centre = np.array([np.mean([signature(name, seed) for seed in (1, 2)], axis=0) for name in NAMES])
    distance = np.linalg.norm(centre[:, None] - centre[None], axis=2) + 9 * np.eye(len(NAMES))
    closest = np.unravel_index(distance.argmin(), distance.shape)
    assert distance.min() > 0.22, [NAMES[k] for k in closest]
    new = np.array([signature(name, 3) for name in NAMES])
    nearest = np.linalg.norm(new[:, None] - centre[None], axis=2).argmin(axis=1)
    assert np.mean(nearest == np.arange(len(NAMES))) > 0.6


# What single ones promise


@pytest.mark.parametrize("name", ["yaw_sweep", "profile"])
def test_turns_reach_sixty_degrees(name):
    reach = [np.abs(yaw_pitch_roll(played(name, seed))[:, 0]).max() for seed in range(1, 6)]
    assert 52 < max(reach) < 65 and min(reach) > 38


def test_eyes_lead_and_the_head_follows():
    leads = []
    for seed in range(1, 5):
        performance = played("profile", seed)
        yaw = np.unwrap(np.radians(yaw_pitch_roll(performance)[:, 0]))
        gaze = yaw + performance.left_eye[:, 1]
        for start in np.flatnonzero((np.abs(yaw[:-45]) < 0.15) & (np.abs(yaw[45:]) > 0.6)):
            span = slice(start, start + 60)
            gone = np.abs(yaw[start + 45])
            leads.append(np.argmax(np.abs(yaw[span]) > 0.3 * gone) - np.argmax(np.abs(gaze[span]) > 0.3 * gone))
    assert len(leads) > 20 and np.median(leads) >= 3  # frames at 60 a second


def test_a_shaken_head_keeps_its_gaze():
    performance = played("shake")
    yaw = yaw_pitch_roll(performance)[:, 0]
    gaze = yaw + np.degrees(performance.left_eye[:, 1])
    fast = np.abs(np.diff(yaw)) * 60 > 40
    assert fast.sum() > 100 and np.median(np.abs(np.diff(gaze))[fast]) < 0.1 * np.median(np.abs(np.diff(yaw))[fast])


def test_winks_shut_one_eye_only():
    for name, side in (("wink_left", 0), ("wink_right", 1)):
        shut = played(name).unit("AU45")
        winking = (shut[side] > 0.9) & (shut[1 - side] < 0.1)
        assert winking.any() and not ((shut[1 - side] > 0.9) & (shut[side] < 0.1)).any()


def test_reading_blinks_rarely_and_scans_lines():
    performance = played("reading", 4)
    yaw = np.degrees(performance.left_eye[:, 1])
    steps = np.diff(yaw)
    back, on = steps > 2.5, (steps < -0.4) & (steps > -2.5)
    assert on.sum() > 3 * back.sum() > 0
    blinks = [(np.diff((played(name, seed).unit("AU45")[0] > 0.5).astype(int)) > 0).sum()
              for name in ("reading", "speech") for seed in (1, 2, 3, 4)]
    assert 2 * sum(blinks[:4]) < sum(blinks[4:])


def test_smiles_grow_faster_than_they_fade():
    ratios = []
    for seed in (1, 2, 3):
        smile = played("joy", seed).unit("AU12")[0]
        rate = np.diff(smile.astype(float))
        ratios.append((rate > 0.002).sum() / (rate < -0.002).sum())
    assert np.mean(ratios) < 0.8


def test_speech_kinds_differ_as_they_should():
    def opening(name: str) -> float:
        return float(np.mean([np.degrees(played(name, seed).jaw[:, 0]).mean() for seed in (1, 2, 3)]))

    assert opening("speech_mumbled") < 0.7 * opening("speech") and opening("shouting") > 1.2 * opening("speech")
    assert opening("speech_whisper") < 0.7 * opening("speech_emphatic")
    smiling, plain = (np.mean(played(name).unit("AU12")[0]) for name in ("speech_smiling", "speech_calm"))
    assert smiling > 2 * plain


def test_every_unit_is_used_somewhere():
    acts = PERFORMANCES.values()
    used = {base_unit(track) for act in acts for gesture in act.gestures for track in gesture.tracks}
    used = (used | {base_unit(name) for act in acts for name in act.mood}) & set(ACTION_UNITS)
    assert used == set(ACTION_UNITS)
