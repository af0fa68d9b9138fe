import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from synth.camera.camera import Camera, look_at
from synth.camera.framing import (
    HANDHELD_ROTATION,
    HANDHELD_TRANSLATION,
    Framing,
    handheld,
    sample_cameras,
    sample_framing,
)
from synth.spec import CameraSpec

CENTER, HEIGHT = np.array([0.02, 1.55, 0.03]), 0.23


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_look_at_is_right_handed_and_level():
    matrix = look_at([1.0, 2.0, 3.0], [0.0, 1.5, 0.0])
    rotation = matrix[:3, :3]
    assert np.allclose(rotation @ rotation.T, np.eye(3)) and np.linalg.det(rotation) == pytest.approx(1)
    assert rotation[1, 0] == pytest.approx(0)  # right is horizontal
    assert np.allclose(look_at([0, 0, 1.0], [0, 0, 0]), [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]])


def test_image_axes():
    camera = Camera(look_at([0, 0, 2.0], [0, 0, 0]), 50.0, 200, 100)
    pixels, depth = camera.project(np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.5]]))
    assert pixels[0].tolist() == [100, 50] and depth.tolist() == [2, 2, 2, 1.5]
    assert pixels[1, 0] > 100 and pixels[2, 1] < 50  # +X is right, +Y is up
    # similar triangles on a sensor 36 mm wide: 0.1 m at 2 m is 2.5 mm at 50 mm
    assert pixels[1, 0] - 100 == pytest.approx(2.5 / 36 * 200)


def test_roll_turns_the_camera_anticlockwise():
    camera = Camera(look_at([0, 0, 2.0], [0, 0, 0], roll=0.1), 50.0, 200, 100)
    up, _ = camera.project(np.array([0, 0.1, 0]))
    assert up[0] > 100  # so the world turns clockwise


def test_rays_and_project_agree():
    camera = Camera(look_at([0.4, 1.2, 1.6], [0.1, 1.4, 0], roll=0.05), 42.0, 33, 21)
    rays = camera.rays()
    assert np.allclose(np.linalg.norm(rays, axis=-1), 1)
    pixels, depth = camera.project(camera.camera_to_world[:3, 3] + 2.5 * rays)
    columns, rows = np.meshgrid(np.arange(33) + 0.5, np.arange(21) + 0.5)
    assert np.allclose(pixels, np.stack([columns, rows], -1)) and depth.min() > 0


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("width", "height"), [(192, 192), (640, 360), (360, 640)])
def test_composition_is_what_was_asked(seed, width, height):
    framing = sample_framing(generator(seed), CameraSpec(), width, height)
    camera = framing.camera(CENTER, HEIGHT, width, height)
    chin, crown = camera.project(CENTER + np.array([[0, -HEIGHT / 2, 0], [0, HEIGHT / 2, 0]]))[0]
    assert np.linalg.norm(chin - crown) / height == pytest.approx(framing.head_height, rel=1e-3)
    assert chin[1] > crown[1]
    seen, _ = camera.project(CENTER)
    assert np.allclose(seen / [width, height], framing.head_position, atol=1e-3)
    offset = camera.camera_to_world[:3, 3] - CENTER
    assert np.arctan2(offset[0], offset[2]) == pytest.approx(framing.azimuth)
    assert np.arcsin(offset[1] / np.linalg.norm(offset)) == pytest.approx(framing.elevation)
    assert camera.focal_mm == framing.focal_mm


def test_positive_azimuth_stands_on_the_subjects_left():
    camera = Framing(50.0, 0.5, 0.5, 0.0, 0.0, (0.5, 0.5)).camera(CENTER, HEIGHT, 100, 100)
    assert camera.camera_to_world[0, 3] > CENTER[0] + 0.1
    nose, _ = camera.project(CENTER + [0, 0, 0.12])
    assert nose[0] < 50  # seen from their left, they face the left of the image


def test_draws_fill_the_ranges_of_the_spec():
    spec = CameraSpec(focal_mm=(35.0, 105.0), head_height=(0.4, 0.6), yaw_deg=20.0)
    framings = [sample_framing(generator(seed), spec, 512, 512) for seed in range(600)]
    focal = np.array([framing.focal_mm for framing in framings])
    assert 35 <= focal.min() < 37 and 100 < focal.max() <= 105
    assert np.mean(np.log(focal)) == pytest.approx(np.log(35 * 105) / 2, abs=0.05)  # log-uniform
    assert np.std(np.log(focal)) == pytest.approx(np.log(3) / np.sqrt(12), rel=0.08)
    size = np.array([framing.head_height for framing in framings])
    assert 0.4 <= size.min() < 0.41 and 0.59 < size.max() <= 0.6
    azimuth = np.degrees([framing.azimuth for framing in framings])
    assert 17 < azimuth.std() < 22 and abs(azimuth.mean()) < 2.5
    position = np.array([framing.head_position for framing in framings])
    assert position[:, 0].std() > 0.04 and position[:, 1].mean() < 0.49


@pytest.mark.parametrize(("width", "height"), [(192, 192), (1920, 1080), (360, 640), (200, 900)])
def test_the_head_stays_inside_the_frame(width, height):
    spec = CameraSpec(head_height=(0.6, 0.9), handheld=1.0)
    angle = np.linspace(0, 2 * np.pi, 24)
    for seed in range(20):
        for camera in sample_cameras(generator(seed), spec, CENTER, HEIGHT, width, height, 24, 24.0)[::8]:
            right, up = camera.camera_to_world[:3, 0], camera.camera_to_world[:3, 1]
            outline = CENTER + HEIGHT * (np.cos(angle)[:, None] * 0.425 * right + np.sin(angle)[:, None] * 0.5 * up)
            pixels, _ = camera.project(outline)
            assert pixels.min() >= 0 and np.all(pixels <= [width, height])


def test_handheld_shakes_by_its_amplitude_and_smoothly():
    base = Camera(look_at([0, 1.5, 1.2], [0, 1.5, 0]), 50.0, 192, 192)
    cameras = handheld(base, generator(1), 1.0, 3000, 60.0)
    matrices = np.array([camera.camera_to_world for camera in cameras])
    local = np.linalg.inv(base.camera_to_world) @ matrices
    rotation = Rotation.from_matrix(local[:, :3, :3]).as_rotvec()
    assert np.allclose(rotation.std(axis=0), HANDHELD_ROTATION, rtol=0.2)
    assert np.allclose(local[:, :3, 3].std(axis=0), HANDHELD_TRANSLATION, rtol=0.2)
    # Hardly anything moves from one frame to the next, yet it never freezes
    steps = np.linalg.norm(np.diff(rotation, axis=0), axis=1)
    assert 1e-5 < np.median(steps) < 0.15 * HANDHELD_ROTATION[0]
    power = np.abs(np.fft.rfft(rotation[:, 1] * np.hanning(3000))) ** 2
    frequency = np.fft.rfftfreq(3000, 1 / 60)
    assert power[frequency > 9].sum() < 1e-4 * power.sum()


def test_handheld_scales_and_a_tripod_is_still():
    tripod, hand, double = (
        sample_cameras(generator(2), CameraSpec(handheld=h), CENTER, HEIGHT, 128, 128, 12, 24.0) for h in (0, 1, 2)
    )
    assert all(np.array_equal(camera.camera_to_world, tripod[0].camera_to_world) for camera in tripod)
    moved, twice = (np.linalg.norm(cameras[5].camera_to_world[:3, 3] - tripod[5].camera_to_world[:3, 3])
                    for cameras in (hand, double))
    assert moved > 1e-5 and twice == pytest.approx(2 * moved)


def test_the_seed_decides_and_a_longer_clip_has_the_shorter_as_prefix():
    spec = CameraSpec()
    short, long, other = (sample_cameras(generator(seed), spec, CENTER, HEIGHT, 192, 192, frames, 24.0)
                          for seed, frames in ((3, 8), (3, 40), (4, 8)))
    assert len(short) == 8 and len(long) == 40
    for one, two in zip(short, long[:8], strict=True):
        assert np.array_equal(one.camera_to_world, two.camera_to_world)
        assert dataclasses.astuple(one)[1:] == dataclasses.astuple(two)[1:]
    assert not np.allclose(short[0].camera_to_world, other[0].camera_to_world)
