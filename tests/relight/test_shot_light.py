"""The light of a shot: orientation, turns, exposure, and where it is read from."""

from __future__ import annotations

import numpy as np
import pytest

from assets.errors import AssetError, SpecError
from relight.pipeline.composite import Developer, foreground, over, put_before
from relight.pipeline.light import ShotLight, read_light
from synth.camera.film import RESPONSES, Film
from synth.lighting import sphere
from synth.lighting.envmap import EnvMap
from synth.lighting.sphere import rotation_about, rotation_from_euler

AXES = {"right": (1, 0, 0), "left": (-1, 0, 0), "up": (0, 1, 0), "down": (0, -1, 0), "camera": (0, 0, 1),
        "behind": (0, 0, -1)}


def lamp(direction, height: int = 64) -> EnvMap:
    """A lamp about a world direction, with a dim rest."""
    near = sphere.directions(height) @ np.asarray(direction, float)
    return EnvMap(np.repeat((0.01 + np.exp(60 * (near - 1)))[..., None], 3, axis=2).astype(np.float32))


def brightest(maps: np.ndarray) -> np.ndarray:
    """(3,) direction of the brightest texel of (1, 3, h, 2h) light about the camera."""
    row, column = np.unravel_index(maps[0, 1].argmax(), maps.shape[2:])
    return sphere.directions(maps.shape[2])[row, column]


@pytest.mark.parametrize("name", AXES)
def test_light_lies_where_the_map_has_it(name):
    found = brightest(ShotLight([lamp(AXES[name])]).in_camera_axes([0], 32))
    assert found @ np.array(AXES[name]) > 0.98


def test_turning_the_light_is_turning_the_map():
    map_, euler = lamp((0.3, 0.4, 0.85)), (35.0, -20.0, 10.0)
    turned = ShotLight([map_], rotation=euler).in_camera_axes([0], 32)
    expected = rotation_from_euler(*euler) @ np.array([0.3, 0.4, 0.85])
    assert brightest(turned) @ expected / np.linalg.norm(expected) > 0.98
    same = ShotLight([map_.rotated(rotation_from_euler(*euler))]).in_camera_axes([0], 32)
    assert np.abs(turned - same).max() < 0.05 * same.max()


def test_a_positive_yaw_carries_what_is_behind_the_camera_to_the_right():
    assert brightest(ShotLight([lamp((0, 0, 1))], rotation=(90, 0, 0)).in_camera_axes([0], 32))[0] > 0.98


def test_a_spin_turns_on_over_the_shot():
    light = ShotLight([lamp((0, 0, 1))], frames=8, spin=360)
    for frame in range(8):
        expected = rotation_about((0, 1, 0), 45 * frame) @ np.array([0, 0, 1])
        assert brightest(light.in_camera_axes([frame], 32)) @ expected > 0.98
    assert light.moves and not ShotLight([lamp((0, 0, 1))], frames=8).moves


def test_exposure_is_that_of_a_meter_and_stops_are_added():
    bright, dim = (ShotLight([EnvMap(np.full((16, 32, 3), radiance, np.float32))]) for radiance in (4, 0.5))
    assert dim.film.exposure_ev - bright.film.exposure_ev == pytest.approx(3, abs=1e-4)
    grey = Developer(bright.film).display(np.full((1, 3), 0.18 * 4, np.float32))
    np.testing.assert_allclose(grey, RESPONSES["srgb"][0](np.array(0.18)), atol=2e-3)
    more = ShotLight(bright.maps, exposure=1.5)
    assert more.film.exposure_ev - bright.film.exposure_ev == pytest.approx(1.5)


def test_what_is_behind_is_what_the_camera_looks_at():
    light = ShotLight([lamp((0, 0, -1))])
    ahead = np.array([[[0, 0, -1.0], [0.5, 0, -1]]], np.float32)
    seen = light.behind([0], ahead)[0, 0, :, 0]
    assert seen[0] > 0.9 and seen[1] < 0.2


def test_a_folder_plays_its_maps_one_a_frame_and_starts_again(tmp_path):
    for number, direction in enumerate([(1, 0, 0), (-1, 0, 0)]):
        lamp(direction).save(tmp_path / f"sky_{number + 9}.exr")
    light = read_light(str(tmp_path), frames=3)
    assert [round(float(brightest(light.in_camera_axes([frame], 32))[0])) for frame in range(3)] == [1, -1, 1]


def test_a_light_of_the_library_by_its_short_name():
    full, short = read_light("procedural/sunsky/0012"), read_light("sunsky/0012")
    np.testing.assert_array_equal(full.map(0).data, short.map(0).data)


@pytest.mark.parametrize("place,message", [
    ("nowhere", "nowhere: no such file or folder, and no light of that name"),
    ("nowhere.exr", "nowhere.exr: "),
])
def test_a_light_that_is_not_there(place, message):
    with pytest.raises(AssetError, match=message):
        read_light(place)


def test_an_image_that_is_no_hdri_is_refused(tmp_path):
    from PIL import Image

    Image.new("RGB", (64, 32)).save(tmp_path / "ldr.png")
    with pytest.raises(AssetError, match=r"ldr\.png: "):
        read_light(str(tmp_path / "ldr.png"))


@pytest.mark.parametrize("field", [{"exposure": float("nan")}, {"rotation": (0, np.inf, 0)}, {"response": "log"},
                                   {"focal_mm": 0}, {"frames": 0}, {"maps": []}])
def test_settings_that_cannot_be(field):
    with pytest.raises(SpecError):
        ShotLight(**{"maps": [lamp((0, 0, 1))], **field})


@pytest.mark.parametrize("response", ["srgb", "filmic", "gamma"])
def test_the_table_develops_as_the_film_does(response):
    film = Film(1.3, (1.1, 1.0, 0.9), response)
    developer = Developer(film)
    radiance = np.random.default_rng(0).uniform(0, 0.4, (50, 3)).astype(np.float32) ** 2
    np.testing.assert_allclose(developer.display(radiance.copy()), film.develop(radiance), atol=2e-3)
    display = np.random.default_rng(1).uniform(0, 0.98, (50, 3)).astype(np.float32)
    np.testing.assert_allclose(developer.radiance(display), film.invert(display), rtol=2e-3, atol=1e-4)


def test_a_picture_is_put_together_only_where_both_are_seen():
    rng, developer = np.random.default_rng(4), Developer(Film(0.3, response="filmic"))
    person, shown = (rng.uniform(0, 1, (9, 8, 3)).astype(np.float32) for _ in range(2))
    alpha = np.clip(rng.uniform(-0.5, 1.5, (9, 8)), 0, 1).astype(np.float32)
    behind = developer.radiance(shown)
    expected = developer.display(over(person, alpha, behind, developer))
    np.testing.assert_allclose(put_before(person, alpha, shown, behind, developer), expected, atol=2e-3)


def test_taking_a_picture_apart_and_putting_it_together_gives_it_back():
    rng, developer = np.random.default_rng(2), Developer(Film(0.5, response="srgb"))
    person, behind = (rng.uniform(0.05, 0.9, (6, 5, 3)).astype(np.float32) for _ in range(2))
    alpha = rng.uniform(0.2, 1, (6, 5)).astype(np.float32)
    picture = developer.display(over(person, alpha, developer.radiance(behind), developer))
    found = foreground(picture, alpha, behind, developer)
    np.testing.assert_allclose(found, person, atol=0.02)
