"""The loader's fast camera against the plain one, and what a crop shows against the rays of its pixels."""

import numpy as np
import pytest

from relight.data.photograph import Recorder, develop, display
from relight.data.view import View
from synth.camera.camera import Camera, look_at
from synth.camera.film import RESPONSES, Film
from synth.camera.sensor import SensorNoise


@pytest.mark.parametrize("response", RESPONSES)
def test_pictures_are_those_of_the_film_in_8_bits(response):
    rng = np.random.default_rng(0)
    radiance = np.concatenate([rng.gamma(0.3, 2, (40, 30, 3)), np.zeros((1, 30, 3)), -rng.random((1, 30, 3)),
                               np.full((1, 30, 3), 1e6), np.geomspace(1e-8, 20, 90).reshape(1, 30, 3)])
    film = Film(0.7, (1.3, 1.0, 0.8), response)
    found = develop(radiance.astype(np.float32), film)
    assert found.shape == (3, 44, 30) and found.dtype == np.uint8
    wanted = 255 * film.develop(radiance.astype(np.float32)).transpose(2, 0, 1)
    assert np.abs(found - wanted).max() < 0.51
    again = display(film.expose(radiance), film.white_balance, response)
    assert np.abs(again.astype(int) - found).max() <= 1


def test_noise_has_the_mean_and_variance_of_the_sensor():
    noise = SensorNoise(iso=3200, read_noise=4, prnu=0, bits=12)
    for level in (0.0, 0.02, 0.3, 2.0):
        exposed = np.full((64, 64, 3), level, np.float32)
        ours = np.stack([Recorder(noise, seed, exposed.shape).record(exposed) for seed in range(6)])
        theirs = np.stack([noise.apply(exposed, np.random.default_rng(seed)) for seed in range(6)])
        spread = np.sqrt(noise.shot * level + noise.floor)
        assert theirs.mean() == pytest.approx(level, abs=0.02 * spread)
        assert ours.mean() == pytest.approx(level, abs=0.02 * spread)
        assert ours.std() == pytest.approx(spread, rel=0.02)
        assert ours.std() == pytest.approx(theirs.std(), rel=0.02)
        steps = ours / noise.step
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)
    full = Recorder(noise, 0, (8, 8, 3)).record(np.full((8, 8, 3), 100, np.float32))
    assert (full == noise.white).all()
    below = Recorder(noise, 0, (8, 8, 3)).record(np.full((8, 8, 3), -0.1, np.float32))  # transport may undershoot
    assert np.isfinite(below).all() and abs(below.mean()) < 0.01


def test_the_pattern_stays_and_the_noise_does_not():
    noise = SensorNoise(iso=100, read_noise=0, prnu=0.01)
    bright = np.full((32, 32, 3), 4.0, np.float32)
    recorder = Recorder(noise, 3, bright.shape)
    frames = np.stack([recorder.record(bright) for _ in range(200)])
    shot = np.sqrt(noise.shot * 4)
    assert frames.mean(axis=0).std() == pytest.approx(0.04, rel=0.05)
    assert (frames - frames.mean(axis=0)).std() == pytest.approx(shot, rel=0.05)
    same = Recorder(noise, 3, bright.shape).record(bright)
    assert np.array_equal(same, frames[0]) and not np.array_equal(frames[0], frames[1])
    assert not np.array_equal(Recorder(noise, 4, bright.shape).record(bright), same)


def test_normals_are_normal():
    values = Recorder(SensorNoise(), 0, (1, 1, 3))._normal((200, 200, 3))
    assert values.mean() == pytest.approx(0, abs=0.01) and values.var() == pytest.approx(1, abs=0.01)
    assert (values**4).mean() == pytest.approx(3, abs=0.1) and np.abs(values).max() > 4
    flat = values.ravel()
    assert abs((flat[1:] * flat[:-1]).mean()) < 0.01


def test_a_whole_view_is_the_camera():
    camera = Camera(look_at([0.2, 0.1, 1], [0, 0, 0]), 40.0, 24, 18)
    whole = View.draw(np.random.default_rng(0), (24, 18), (24, 18), 1.0)
    rays = whole.rays(camera).astype(np.float64) @ camera.camera_to_world[:3, :3].T
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    np.testing.assert_allclose(rays, camera.rays(), atol=1e-6)
    image = np.random.default_rng(1).random((18, 24, 3), np.float32)
    assert whole.crop(image) is image


@pytest.mark.parametrize("size", [(12, 9), (40, 30), (16, 16)])
def test_a_crop_shows_what_its_rays_point_at(size):
    """A picture whose values are its own rays: linear, so that filters change nothing away from its edges."""
    camera = Camera(np.eye(4), 50.0, 48, 36)
    image, pixel = View(0, 0, 48, 36, 48, 36).rays(camera), 0.015
    for seed in range(4):
        view = View.draw(np.random.default_rng(seed), (48, 36), size, 0.4)
        assert view.left >= 0 and view.top >= 0 and view.right <= 48 and view.bottom <= 36
        assert (view.right - view.left) / (view.bottom - view.top) == pytest.approx(size[0] / size[1])
        shown, rays = view.crop(image), view.rays(camera)
        assert shown.shape == (size[1], size[0], 3)
        np.testing.assert_allclose(shown[3:-3, 3:-3], rays[3:-3, 3:-3], atol=0.1 * pixel)
        assert view.crop(image[..., 0]).shape == (size[1], size[0])
    assert View.draw(np.random.default_rng(0), (48, 36), size, 0.4) != view
