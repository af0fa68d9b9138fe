"""Living skin: wrinkles follow the muscles of their own side, blood follows feeling with a lag."""

import dataclasses

import numpy as np
import pytest

from synth.appearance import texels
from synth.appearance.description import Appearance, SkinLook
from synth.appearance.living import STEADY, Life, blood, emotions, follow
from synth.appearance.relief import make_relief, normals
from synth.heads.head import HeadModel
from synth.heads.load import load_head
from synth.motion.performance import Performance, neutral

LOOK = Appearance(skin=SkinLook(wrinkles=0.4, flushing=0.8, seed=5))
SIZE = 384
FPS = 24.0


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


@pytest.fixture(scope="module")
def life(head) -> Life:
    albedo = np.full((SIZE, SIZE, 3), (0.42, 0.26, 0.19), np.float32)
    return Life(head, LOOK, albedo, make_relief(head, LOOK, SIZE))


def playing(frames: int = 1, **units: np.ndarray | float) -> Performance:
    curves = {name: np.broadcast_to(np.float32(curve), frames).copy() for name, curve in units.items()}
    return dataclasses.replace(neutral(frames, FPS), units=curves)


def half(head: HeadModel, side: int) -> np.ndarray:
    """(SIZE, SIZE) bool: the front of the left (1) or the right (-1) side of the face, clear of the midline."""
    place = texels.positions(head, "skin", SIZE)
    return (place[..., 0] * side > 9) & (place[..., 2] > 30)


UNITS = ("AU1", "AU2", "AU4", "AU6", "AU9", "AU12", "AU14", "AU15", "AU17", "AU18", "AU20")


@pytest.mark.parametrize("unit", UNITS)
def test_wrinkles_deepen_with_the_muscle_on_its_side_alone(head, life, unit):
    left, right = half(head, 1), half(head, -1)
    rest, depth = life.rest.normal_map, []
    for much in (0.3, 0.6, 1.0):
        (material,) = life.perform(playing(**{f"{unit}_L": much}))
        np.testing.assert_allclose(material.normal_map[right], rest[right], atol=1e-4)
        depth.append(float(np.abs(material.normal_map - rest)[left].sum()))
    assert 0 < depth[0] < depth[1] < depth[2]


def test_stretched_skin_is_smoother(head, life):
    place = texels.positions(head, "skin", SIZE)
    forehead = (np.abs(place[..., 1] - 48) < 14) & (np.abs(place[..., 0]) < 40) & (place[..., 2] > 60)
    (frown,) = life.perform(playing(AU4=1))
    assert frown.normal_map[forehead, 2].mean() > life.rest.normal_map[forehead, 2].mean()


def test_wrinkles_of_the_old_are_deeper(head):
    flat = np.full((SIZE, SIZE, 3), 0.3, np.float32)
    change = []
    for wrinkles in (0.05, 0.9):
        look = LOOK.model_copy(update={"skin": LOOK.skin.model_copy(update={"wrinkles": wrinkles})})
        life = Life(head, look, flat, make_relief(head, look, SIZE))
        (raised,) = life.perform(playing(AU1=1, AU2=1))
        change.append(np.abs(raised.normal_map - life.rest.normal_map).sum())
    assert 1.2 * change[0] < change[1]


def test_rest_is_the_very_same_object(life):
    assert all(material is life.rest for material in life.perform(neutral(5, FPS)))
    ramp = np.concatenate([np.zeros(6), np.linspace(0, 1, 6)])
    frames = life.perform(playing(12, AU12=ramp))
    assert [frames[k] is life.rest for k in range(12)] == [True] * 7 + [False] * 5
    assert frames[9] is frames[9] and frames[-1] is frames[11] and len(frames) == 12
    with pytest.raises(IndexError):
        frames[12]


def test_only_what_lives_changes(life):
    (material,) = life.perform(playing(AU4=1, AU12=1, AU24=1))
    assert material.roughness is life.rest.roughness and material.clearcoat is life.rest.clearcoat
    for name in ("albedo", "normal_map"):
        image = getattr(material, name)
        assert image.dtype == np.float32 and image.shape == (SIZE, SIZE, 3) and np.isfinite(image).all()
        assert not np.array_equal(image, getattr(life.rest, name))
    np.testing.assert_allclose(np.linalg.norm(material.normal_map, axis=2), 1, atol=1e-5)
    assert material.normal_map[..., 2].min() > 0


@pytest.mark.parametrize("tone", [(0.01, 0.01, 0.011), (0.9, 0.9, 0.88)])
def test_albedo_stays_in_range_and_so_does_the_original(head, tone):
    albedo = np.full((SIZE, SIZE, 3), tone, np.float32)
    life = Life(head, LOOK, albedo, make_relief(head, LOOK, SIZE))
    everything = {name: 1.0 for name in ("AU1", "AU4", "AU6", "AU7", "AU12", "AU17", "AU24", "AU31")}
    (material,) = life.perform(playing(**everything))
    assert material.albedo.min() >= 0.0099999 and material.albedo.max() <= 0.9000001
    assert np.array_equal(albedo, np.full_like(albedo, tone)) and life.rest.albedo is albedo
    np.testing.assert_allclose(normals(make_relief(head, LOOK, SIZE).slopes), life.rest.normal_map)


def test_anger_reddens_and_pressing_blanches(head, life):
    place = texels.positions(head, "skin", SIZE)
    cheek = np.linalg.norm(place - np.float32((42, -35, 80)), axis=2) < 8
    lips = np.linalg.norm(place - np.float32((6, -73, 102)), axis=2) < 4

    def redness(material, where: np.ndarray) -> float:
        return float((material.albedo[where, 0] / material.albedo[where, 1]).mean())

    (angry,), (pressed,) = life.perform(playing(AU4=1, AU23=1, AU7=1)), life.perform(playing(AU24=1))
    assert redness(angry, cheek) > 1.05 * redness(life.rest, cheek)
    assert redness(pressed, lips) < 0.93 * redness(life.rest, lips)
    assert not any(flow.any() for flow in blood(playing(30, AU4=1, AU23=1), 0.0, 1).values())


def test_blood_lags_and_returns():
    frames = np.arange(1200)
    burst = ((frames >= 48) & (frames < 144)).astype(float)
    flow = blood(playing(1200, AU4=burst, AU23=burst, AU12_L=burst), 1.0, 1)
    face, rim = flow["face"], flow["rim_L"]
    assert np.abs(face[:48]).max() == 0
    assert 0 < face[54] < 0.4 * face[140]  # a quarter of a second after the cause there is little of it yet
    assert rim[54] > 0.8 * rim[140] and not flow["rim_R"].any()  # pressure is quick, and one side's
    assert face[168] > 0.5 * face[143]  # a second after its end most is still there
    assert np.abs(face[-24:]).max() < 0.03
    assert np.abs(np.diff(face)).max() < 0.05


def test_the_first_frame_is_in_equilibrium():
    flow = blood(playing(48, AU4=1, AU23=1), 1.0, 1)
    single = blood(playing(1, AU4=1, AU23=1), 1.0, 1)
    assert single["face"][0] == pytest.approx(flow["face"][0]) and single["face"][0] > 0.3
    assert np.abs(flow["face"] - flow["face"][0]).max() < 0.15  # drift and pulse alone


def test_blood_repeats_by_seed_and_drifts_by_it():
    act = playing(240, AU12=np.linspace(0, 1, 240))
    one, same, other = blood(act, 1.0, 7), blood(act, 1.0, 7), blood(act, 1.0, 8)
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert np.abs(one["face"] - other["face"]).max() > STEADY


def test_follow_is_quick_to_rise_and_slow_to_fall():
    step = follow(np.r_[0.0, np.ones(200), np.zeros(200)], 20.0, 1.0, 4.0)
    assert step[20] == pytest.approx(1 - np.exp(-1), abs=0.02)
    assert step[200 + 80] == pytest.approx(np.exp(-1), abs=0.02)


def test_emotions_are_told_apart():
    looks = {"anger": dict(AU4=1, AU7=1, AU23=1), "fear": dict(AU1=1, AU2=1, AU5=1, AU20=1), "joy": dict(AU6=1, AU12=1),
             "grief": dict(AU1=1, AU4=0.6, AU15=1), "strain": dict(AU34=1), "disgust": dict(AU9=1, AU10=0.5)}
    for name, units in looks.items():
        felt = {emotion: curve[0] for emotion, curve in emotions(playing(**units)).items()}
        assert max(felt, key=felt.get) == name, felt
