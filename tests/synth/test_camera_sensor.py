import dataclasses

import numpy as np
import pytest

from assets.errors import SpecError
from synth.camera.film import Film
from synth.camera.sensor import SensorNoise, sample_noise

COUNT = 60_000


def draw(sensor: SensorNoise, exposed: float, seed: int = 0) -> np.ndarray:
    return sensor.apply(np.full(COUNT, exposed, np.float32), np.random.default_rng(seed)).astype(np.float64)


@pytest.mark.parametrize("iso", [100.0, 1600.0])
@pytest.mark.parametrize("exposed", [0.0, 0.002, 0.18, 1.0, 4.0])
def test_noise_is_unbiased_with_variance_affine_in_the_signal(iso, exposed):
    sensor = SensorNoise(iso=iso)
    noisy = draw(sensor, exposed)
    variance = sensor.shot * exposed + sensor.floor
    assert abs(noisy.mean() - exposed) < 4.5 * np.sqrt(variance / COUNT)
    assert noisy.var() == pytest.approx(variance, rel=0.04)  # 4.5 standard errors of a variance, or more


def test_terms_of_the_variance():
    sensor = SensorNoise(full_well=40_000, white=8, iso=200, read_noise=4, bits=14)
    assert sensor.electrons == 2500 and sensor.shot == 1 / 2500
    assert sensor.floor == pytest.approx((4 / 2500) ** 2 + (8 / 2**14) ** 2 / 12)
    doubled = dataclasses.replace(sensor, iso=400)
    assert doubled.shot == 2 * sensor.shot


def test_quantisation_and_clipping():
    sensor = SensorNoise(bits=8, read_noise=0.5)
    noisy = draw(sensor, 0.5)
    assert np.allclose(noisy / sensor.step, np.round(noisy / sensor.step))
    assert np.all(draw(sensor, 50.0) == sensor.white)
    assert np.isfinite(sensor.apply(np.array([1e30], np.float32), np.random.default_rng(0))).all()


def test_black_keeps_its_negatives():
    noisy = draw(SensorNoise(iso=1600), 0.0)
    assert (noisy < 0).mean() > 0.3
    assert Film().render(noisy[:, None].repeat(3, 1)).min() == 0


def test_pattern_is_fixed_and_multiplies():
    sensor = SensorNoise(prnu=0.05, read_noise=0, iso=100, full_well=1e7)
    pattern = sensor.pattern((64, 64, 3), np.random.default_rng(5))
    assert pattern.mean() == pytest.approx(1, abs=2e-3) and pattern.std() == pytest.approx(0.05, rel=0.05)
    flat = np.full((64, 64, 3), 0.5, np.float32)
    frames = [sensor.apply(flat, np.random.default_rng(seed), pattern) for seed in (0, 1)]
    assert not np.array_equal(*frames)
    for frame in frames:
        assert np.corrcoef(frame.ravel(), pattern.ravel())[0, 1] > 0.99
    assert np.allclose(sensor.pattern((4,), np.random.default_rng(0)), SensorNoise(prnu=0.05).pattern(
        (4,), np.random.default_rng(0)))


def test_shape_dtype_and_the_seed_decides():
    image = np.random.default_rng(0).random((7, 5, 3), np.float32)
    sensor = sample_noise(np.random.default_rng(3))
    one, same, other = (sensor.apply(image, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == image.shape and one.dtype == np.float32
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert sensor == sample_noise(np.random.default_rng(3))
    assert sample_noise(np.random.default_rng(4)) != sensor


@pytest.mark.parametrize(("field", "value"), [("iso", 0), ("full_well", -1), ("read_noise", -0.1), ("bits", 0),
                                              ("white", np.nan), ("prnu", np.inf)])
def test_bad_sensors_are_refused(field, value):
    with pytest.raises(SpecError, match=f"sensor.{field}"):
        SensorNoise(**{field: value})
