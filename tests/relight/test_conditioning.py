"""What a network is told of light: that it comes from where it comes from, and is as strong as it is."""

import numpy as np
import pytest

from assets.errors import SpecError
from relight.conditioning.environment import Environment, look_angles, metered_ev
from relight.conditioning.light_maps import LOG_WHITE, WHITE, decode_log, direction_map, encode_ldr, encode_log
from synth.camera.camera import Camera, look_at
from synth.camera.film import GREY
from synth.lighting.envmap import EnvMap
from synth.lighting.sphere import LUMINANCE, directions, rotation_from_euler, solid_angles

HEIGHT = 16
AXES = {"right": [1, 0, 0], "left": [-1, 0, 0], "up": [0, 1, 0], "down": [0, -1, 0], "behind the camera": [0, 0, 1],
        "ahead": [0, 0, -1]}
"""In camera axes."""


def camera(yaw=0.0, pitch=0.0, roll=0.0, size=(32, 24)):
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_euler(yaw, pitch, roll)
    return Camera(matrix, 35.0, *size)


def spot(direction, height=64):
    """A round light of 20 degrees about a world direction, over a dim sky."""
    facing = directions(height) @ np.asarray(direction, np.float32) > np.cos(np.radians(10))
    return EnvMap((0.02 + 30 * facing[..., None] * np.float32([1, 0.8, 0.6])).astype(np.float32))


def noise_map(seed=0, height=32):
    return EnvMap(np.random.default_rng(seed).gamma(0.5, 2, (height, 2 * height, 3)).astype(np.float32))


def lit_sphere(light, view, size=33):
    """(size, size) luminance of a white matte ball, seen by an orthographic camera: its picture, row 0 on top."""
    y, x = np.mgrid[1 : -1 : size * 1j, -1 : 1 : size * 1j]
    inside = x**2 + y**2 < 0.95
    normals = np.stack([x, y, np.sqrt(np.maximum(1 - x**2 - y**2, 0))], axis=-1)
    world = normals @ view.camera_to_world[:3, :3].T
    return np.where(inside, light.irradiance(world) @ LUMINANCE, 0), normals


@pytest.mark.parametrize("name", AXES)
@pytest.mark.parametrize("angles", [(0, 0, 0), (140, 25, -30)])
def test_light_from_each_axis_is_at_its_place_of_the_map_and_lights_that_side(name, angles):
    view, axis = camera(*angles), np.array(AXES[name], float)
    light = spot(view.camera_to_world[:3, :3] @ axis)
    radiance = Environment([light]).in_camera_axes([view], HEIGHT)[0]
    brightest = np.unravel_index(radiance.sum(axis=0).argmax(), radiance.shape[1:])
    where = direction_map(HEIGHT)[:, brightest[0], brightest[1]]
    assert where @ axis > np.cos(np.radians(15))
    half = {"right": brightest[1] >= HEIGHT, "left": brightest[1] < HEIGHT, "up": brightest[0] < HEIGHT // 2,
            "down": brightest[0] >= HEIGHT // 2, "ahead": HEIGHT // 2 <= brightest[1] < 3 * HEIGHT // 2,
            "behind the camera": not HEIGHT // 2 <= brightest[1] < 3 * HEIGHT // 2}
    assert half[name], f"texel {brightest} of {HEIGHT} x {2 * HEIGHT}"
    picture, normals = lit_sphere(light, view)
    if name != "ahead":  # behind the ball: no light on what is seen of it
        lit = normals[np.unravel_index(picture.argmax(), picture.shape)]
        assert lit @ axis > 0.9 and lit @ where > 0.8


def test_doubling_the_light_doubles_what_it_should():
    view, light = camera(20, 10, 5), noise_map()
    one, two = (Environment([light.exposed(stops)]).in_camera_axes([view], HEIGHT) for stops in (0, 1))
    np.testing.assert_allclose(two, 2 * one, rtol=1e-6)
    np.testing.assert_allclose(decode_log(encode_log(two)), 2 * decode_log(encode_log(one)), rtol=1e-4, atol=1e-6)
    assert (encode_ldr(two) > encode_ldr(one)).all() and (encode_log(two) > encode_log(one)).all()
    assert direction_map(HEIGHT) is direction_map(HEIGHT) and not direction_map(HEIGHT).flags.writeable


def test_encodings_are_those_constants():
    assert encode_ldr(np.float32(WHITE)) == pytest.approx(1)
    assert encode_log(np.float32(LOG_WHITE)) == pytest.approx(1)
    reinhard = 0.5 * (1 + 0.5 / 256) / 1.5
    assert encode_ldr(np.float32(0.5)) == pytest.approx(1.055 * reinhard ** (1 / 2.4) - 0.055, rel=1e-6)
    assert encode_log(np.float32(0.5)) == pytest.approx(np.log(1.5) / np.log(10001), rel=1e-6)
    bright = np.float32([0, 1e-3, 1, 16, 1e3, 1e6])
    assert (np.diff(encode_log(bright)) > 0).all() and encode_ldr(bright).max() == pytest.approx(1)
    # A map's own maximum has no say: one more sun changes no other texel.
    assert (encode_log(np.append(bright, np.float32(1e9)))[:-1] == encode_log(bright)).all()


def test_turning_map_and_camera_together_changes_nothing():
    light, turn = spot([0.6, 0.64, 0.48], height=128), rotation_from_euler(70, -40, 25)
    view = camera(10, -20, 5)
    turned = Camera(np.block([[turn @ view.camera_to_world[:3, :3], np.zeros((3, 1))], [np.zeros((1, 3)), 1]]), 35.0,
                    32, 24)
    before = Environment([light]).in_camera_axes([view], HEIGHT)
    after = Environment([light.rotated(turn)]).in_camera_axes([turned], HEIGHT)
    assert before.max() > 10
    np.testing.assert_allclose(after, before, atol=0.05 * before.max())
    assert np.abs(after - before).mean() < 0.03 * before.mean()


@pytest.mark.parametrize("rows", [8, 16, 48, 200])
def test_sizes_and_turns_keep_the_power(rows):
    light, views = noise_map(height=rows), [camera(*angles) for angles in ((0, 0, 0), (33, 50, -20))]
    radiance = Environment([light, light]).in_camera_axes(views, HEIGHT)
    power = (radiance * solid_angles(HEIGHT)).sum(axis=(2, 3)) / (4 * np.pi)
    np.testing.assert_allclose(power, [light.mean, light.mean], rtol=1e-5)
    uniform = EnvMap(np.full((rows, 2 * rows, 3), 0.7, np.float32))
    np.testing.assert_allclose(Environment([uniform]).in_camera_axes(views[1:], HEIGHT), 0.7, rtol=1e-5)


def test_agrees_with_the_rotation_of_maps():
    light, view = spot([0.36, 0.48, -0.8], height=64), camera(-65, 20, 10)
    expected = light.rotated(view.camera_to_world[:3, :3].T).resized(HEIGHT).data.transpose(2, 0, 1)
    found = Environment([light]).in_camera_axes([view], HEIGHT)[0]
    assert np.abs(found - expected).max() < 0.03 * expected.max()


def test_the_background_is_what_the_camera_looks_at():
    views = [Camera(look_at([0.3 * t, 0.1, 1], [0, 0, 0], roll=0.2 * t), 28.0, 32, 24) for t in range(3)]
    maps = [noise_map(0), noise_map(1), noise_map(2, height=16)]
    inverse = [view.rays() @ view.camera_to_world[:3, :3] for view in views]
    np.testing.assert_allclose(inverse[1], inverse[0], atol=1e-12)
    seen = Environment(maps).look_up(look_angles(views, inverse[0][None]))
    for t in range(3):
        np.testing.assert_allclose(seen[t], maps[t].look_up(views[t].rays()), rtol=1e-3, atol=1e-4)
    each = Environment(maps).look_up(look_angles(views, np.stack(inverse) * 2))  # length does not count
    np.testing.assert_allclose(each, seen, rtol=1e-3, atol=1e-4)


def test_the_background_and_the_light_map_show_the_same_place():
    view = camera(200, -15, 8)
    ahead = spot(view.camera_to_world[:3, :3] @ [0, 0, -1])
    environment = Environment([ahead])
    rays = (view.rays() @ view.camera_to_world[:3, :3])[None]
    picture, radiance = environment.look_up(look_angles([view], rays))[0], environment.in_camera_axes([view], HEIGHT)[0]
    assert picture[12, 16].min() > 15 > picture[0, 0].max()
    assert radiance[:, 7:9, 15:17].min() > 3, "in the middle of the map, too"


def test_the_meter_reads_what_faces_the_camera():
    view = camera(90)
    grey_world = EnvMap(np.full((16, 32, 3), 0.25, np.float32))
    assert 2.0 ** metered_ev([grey_world], [view]) * 0.25 * GREY == pytest.approx(GREY, rel=1e-3)
    facing = spot(view.camera_to_world[:3, 2])
    assert metered_ev([facing, facing], [view, view]) < metered_ev([facing, facing], [camera(), view]) - 0.5
    assert metered_ev([EnvMap(np.zeros((8, 16, 3), np.float32))], [view]) == 0


def test_no_map_is_refused():
    with pytest.raises(SpecError, match="expected one a frame"):
        Environment([])
