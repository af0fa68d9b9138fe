"""Radiance as display values, as :mod:`synth.camera.film` and :mod:`synth.camera.sensor` make them, at the speed that a
loader needs: 8 bits, as a video file holds them, and curves from tables.
"""

from __future__ import annotations

import functools

import numpy as np
import scipy.special

from synth.camera.film import FILMIC_WHITE, RESPONSES, Film
from synth.camera.sensor import SensorNoise

_LAST = 65535


def develop(radiance: np.ndarray, film: Film) -> np.ndarray:
    """(H, W, 3) float32 scene-linear radiance to (3, H, W) uint8 display values: exposure, balance, response."""
    return display(radiance, np.float32(2.0**film.exposure_ev) * np.float32(film.white_balance), film.response)


def display(linear: np.ndarray, gains: np.ndarray, response: str) -> np.ndarray:
    """(H, W, 3) float32 times gains (3,), bent by a response, to (3, H, W) uint8, within 0.51 of its step of 1/255.

    The table is over the root of the value, where display curves are nearly straight.
    """
    table, white = _curve(response)
    height, width, _ = linear.shape
    scale = np.tile(np.asarray(gains, np.float32) * np.float32(_LAST**2 / white), width)  # rows are long, pixels short
    place = linear.reshape(height, -1) * scale
    np.minimum(np.maximum(place, 0, out=place), np.float32(_LAST**2), out=place)
    np.sqrt(place, out=place)
    place += np.float32(0.5)
    return table.take(place.astype(np.uint16).reshape(height, width, 3).transpose(2, 0, 1))


@functools.cache
def _curve(response: str) -> tuple[np.ndarray, float]:
    """(65536,) uint8 display values over the root of exposed ones, and the exposed value of the last."""
    white = FILMIC_WHITE if response == "filmic" else 1.0
    exposed = white * (np.arange(_LAST + 1) / _LAST) ** 2
    return np.rint(255 * RESPONSES[response][0](exposed)).astype(np.uint8), white


class Recorder:
    """One sensor during one take: its fixed pattern, and fresh noise in every frame."""

    def __init__(self, noise: SensorNoise, seed: int, shape: tuple[int, int, int]):
        self._noise, self._bits = noise, np.random.PCG64(seed)
        self._pattern = 1 + np.float32(noise.prnu) * self._normal(shape)

    def record(self, exposed: np.ndarray) -> np.ndarray:
        """Exposed values (H, W, 3) to noisy ones, float32, as :meth:`SensorNoise.apply` does.

        Photons are counted by their normal approximation, of the same mean and variance: below some ten electrons,
        where a Poisson law is skewed, read noise of a few electrons hides it.
        """
        noise = self._noise
        collected = np.minimum(np.maximum(exposed, 0), np.float32(4 * noise.white)) * self._pattern
        deviation = np.sqrt(collected * np.float32(noise.shot) + np.float32((noise.read_noise / noise.electrons) ** 2))
        collected += deviation * self._normal(exposed.shape)
        collected *= np.float32(1 / noise.step)
        np.rint(collected, out=collected)
        np.minimum(collected, np.float32(2**noise.bits), out=collected)
        collected *= np.float32(noise.step)
        return collected

    def _normal(self, shape: tuple[int, ...]) -> np.ndarray:
        """Standard normal float32 of 65,536 levels, in a fifth of the time of a generator's own."""
        count = int(np.prod(shape))
        words = self._bits.random_raw(-(-count // 4)).astype("<u8", copy=False)
        return _quantiles().take(words.view("<u2")[:count]).reshape(shape)


@functools.cache
def _quantiles() -> np.ndarray:
    """(65536,) float32 standard normal quantiles of the middles of equal shares."""
    return scipy.special.ndtri((np.arange(_LAST + 1) + 0.5) / (_LAST + 1)).astype(np.float32)
