"""What was made small comes back at full resolution with the source's detail, and with edges where the source has them.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from relight.pipeline.detail import STEEPEST, enlarge, upsample
from relight.pipeline.framing import cut

GALLERY = Path(__file__).parents[2] / "docs" / "gallery" / "first-light.jpg"


def whole(picture: np.ndarray) -> tuple[float, float, float, float]:
    return 0.0, 0.0, float(picture.shape[1]), float(picture.shape[0])


def reduced(picture: np.ndarray, size: int) -> np.ndarray:
    return cut(picture, whole(picture), (size, size))


def bicubic(picture: np.ndarray, size: int) -> np.ndarray:
    return np.clip(cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC), 0, 1)


def psnr(found: np.ndarray, truth: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((found - truth) ** 2)))


def texture(seed: int = 0, size: int = 256) -> np.ndarray:
    """(size, size, 3) grain of all sizes, in [0.1, 0.7]."""
    rng = np.random.default_rng(seed)
    grain = sum(cv2.GaussianBlur(rng.normal(0, sigma, (size, size, 3)), (0, 0), sigma) for sigma in (0.8, 2, 6))
    return np.clip(0.4 + 0.2 * grain, 0.1, 0.7).astype(np.float32)


def test_at_the_same_size_nothing_changes():
    rng = np.random.default_rng(0)
    small, alpha, source = rng.random((32, 48, 3), np.float32), rng.random((32, 48), np.float32), texture()[:32, :48]
    found = upsample(small, alpha, source, source)
    assert np.array_equal(found[0], small) and np.array_equal(found[1], alpha)


def test_an_affine_relight_is_recovered():
    source = texture()
    truth = source * np.float32([1.2, 0.8, 0.5]) + np.float32([0.02, 0.1, 0.0])
    found, alpha = upsample(reduced(truth, 64), np.ones((64, 64), np.float32), reduced(source, 64), source)
    assert psnr(found, truth) > 55 and np.abs(found - truth).max() < 0.02 and np.abs(alpha - 1).max() < 1e-5
    assert found.dtype == alpha.dtype == np.float32


def test_light_that_falls_off_keeps_the_texture():
    source = texture()
    light = 1.2 - np.linspace(0, 1, 256, dtype=np.float32)[None, :, None] * np.float32([0.7, 0.9, 1.0])
    truth = source * light
    small = cv2.GaussianBlur(reduced(truth, 64), (0, 0), 0.5)
    found, _ = upsample(small, np.ones((64, 64), np.float32), reduced(source, 64), source)
    assert psnr(found, truth) > psnr(bicubic(small, 256), truth) + 6


def test_rendered_people_under_other_lights_beat_bicubic_enlargement():
    tiles = np.asarray(Image.open(GALLERY).convert("RGB"), np.float32) / 255
    gains = []
    for row, lit, relit in [(0, 0, 5), (0, 3, 1), (1, 1, 2), (1, 5, 4), (2, 2, 0), (3, 4, 3)]:
        source, truth = (tiles[232 * row:232 * (row + 1), 232 * c:232 * (c + 1)] for c in (lit, relit))
        small = reduced(truth, 58)
        found, _ = upsample(small, np.ones((58, 58), np.float32), reduced(source, 58), np.ascontiguousarray(source))
        person = np.s_[60:180, 80:150]
        gains.append(psnr(found[person], truth[person]) - psnr(bicubic(small, 232)[person], truth[person]))
    assert np.mean(gains) > 0.8 and min(gains) > -1, gains


def test_alpha_follows_the_source_and_stays_in_range():
    y, x = np.mgrid[:256, :256]
    truth = (np.hypot(x - 128, y - 140) + 6 * np.sin(np.arctan2(y - 140, x - 128) * 24) < 80).astype(np.float32)
    truth = cv2.GaussianBlur(truth, (0, 0), 0.7)
    source = truth[..., None] * np.float32([0.7, 0.5, 0.4]) + (1 - truth[..., None]) * np.float32([0.1, 0.3, 0.2])
    source += 0.02 * (texture() - 0.4)
    small = reduced(truth[..., None], 64)[..., 0]
    _, alpha = upsample(reduced(source, 64), small, reduced(source, 64), source)
    assert alpha.min() >= 0 and alpha.max() <= 1
    assert psnr(alpha, truth) > psnr(bicubic(small, 256), truth) + 4
    inside = cv2.erode(truth, np.ones((15, 15))) > 0.99
    outside = cv2.dilate(truth, np.ones((15, 15))) < 0.01
    assert alpha[inside].min() > 0.97 and alpha[outside].max() < 0.03, "no halo"


def test_the_old_background_does_not_colour_the_person():
    y, x = np.mgrid[:256, :256]
    mask = (np.hypot(x - 128, y - 128) < 80).astype(np.float32)
    alpha = cv2.GaussianBlur(mask, (0, 0), 1.0)
    source = alpha[..., None] * np.float32([0.5, 0.4, 0.3]) + (1 - alpha[..., None]) * np.float32([0.0, 1.0, 0.0])
    person = np.broadcast_to(np.float32([0.8, 0.4, 0.3]), (64, 64, 3))
    found, covered = upsample(np.ascontiguousarray(person), reduced(alpha[..., None], 64)[..., 0],
                              reduced(source, 64), source)
    assert np.abs(found - person[0, 0])[covered > 0.2].max() < 0.12


def test_strong_gains_do_not_blow_up_steps_of_eight_bits():
    dark = np.round(255 * (0.02 + 0.02 * np.linspace(0, 1, 256)[None, :, None] * np.ones((256, 1, 3)))) / 255
    dark = dark.astype(np.float32)
    small = np.full((64, 64, 3), 0.6, np.float32)
    found, _ = upsample(small, np.ones((64, 64), np.float32), reduced(dark, 64), dark)
    assert np.abs(found - 0.6).max() <= STEEPEST / 255


@pytest.mark.parametrize("picture,rectangle", [((90, 120), (20.3, 10.2, 84.3, 74.2)),
                                               ((60, 50), (-10.5, -4.0, 70.5, 77)), ((5, 7), (-3.0, -3, 10, 10))])
def test_a_person_is_put_where_the_rectangle_is(picture, rectangle):
    source = cv2.resize(texture(), (picture[1], picture[0]), interpolation=cv2.INTER_AREA)
    small = cut(source, rectangle, (32, 32))
    colour, alpha = enlarge(0.5 * small, np.ones((32, 32), np.float32), small, source, rectangle)
    assert colour.shape == source.shape and alpha.shape == source.shape[:2] and colour.dtype == np.float32
    y, x = np.mgrid[:picture[0], :picture[1]] + 0.5
    left, top, right, bottom = rectangle
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    assert not alpha[~inside].any() and np.isfinite(colour).all()
    middle = alpha > 0.999
    assert middle.mean() > 0.2 and np.abs(colour - 0.5 * source)[middle].max() < 0.05
