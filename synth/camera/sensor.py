"""Sensor noise, applied when images are loaded, never baked into the dataset."""

from __future__ import annotations

import dataclasses

import numpy as np

from assets.errors import SpecError


@dataclasses.dataclass(frozen=True)
class SensorNoise:
    """Photon, read and quantisation noise of one sensor (the Poisson-Gaussian model, EMVA 1288).

    It acts on *exposed* values (see :mod:`synth.camera.film`), before white balance and response, where photons are
    counted. An exposed value x has mean x and variance ``shot * x + floor``.
    """

    full_well: float = 50_000.0
    """Electrons that a pixel holds."""
    white: float = 8.0
    """Exposed value that fills it at ISO 100: highlights three stops above display white are kept, more clips."""
    iso: float = 400.0
    """Sensitivity: at twice the ISO half the electrons make the same exposed value. Clipping stays at ``white``."""
    read_noise: float = 3.0
    """Standard deviation, electrons."""
    prnu: float = 0.0
    """Photo-response non-uniformity: standard deviation of the pixels' gain (0.005 is usual), fixed over frames."""
    bits: int = 14
    """Bits of the converter over [0, white]; values below the black level survive, as in raw files."""

    def __post_init__(self) -> None:
        for name in ("full_well", "white", "iso"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise SpecError(f"sensor.{name}: {getattr(self, name)!r}, expected a positive number")
        for name in ("read_noise", "prnu"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise SpecError(f"sensor.{name}: {getattr(self, name)!r}, expected zero or a positive number")
        if not 1 <= self.bits <= 24:
            raise SpecError(f"sensor.bits: {self.bits!r}, expected 1 to 24")

    @property
    def electrons(self) -> float:
        """Electrons that an exposed value of 1 makes."""
        return self.full_well / self.white * 100 / self.iso

    @property
    def step(self) -> float:
        """Exposed value of one step of the converter."""
        return self.white / 2**self.bits

    @property
    def shot(self) -> float:
        """Slope of the variance against the exposed value."""
        return 1 / self.electrons

    @property
    def floor(self) -> float:
        """Variance of black: read noise and quantisation."""
        return (self.read_noise / self.electrons) ** 2 + self.step**2 / 12

    def pattern(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """The sensor's gain map, float32 of ``shape``, mean 1: draw it once a camera and pass it to every frame."""
        return (1 + self.prnu * np.clip(rng.standard_normal(shape), -4, 4)).astype(np.float32)

    def apply(self, exposed: np.ndarray, rng: np.random.Generator, pattern: np.ndarray | None = None) -> np.ndarray:
        """Exposed values of any shape, at least 0, to noisy ones, float32; unbiased below ``white``, where it clips.

        Dark pixels may come out slightly negative: cutting them here would brighten every shadow on average.
        """
        mean = np.clip(np.asarray(exposed, np.float64), 0, None)
        if pattern is not None:
            mean = mean * pattern
        # Far beyond saturation the count does not matter, but the Poisson sampler overflows.
        collected = rng.poisson(np.minimum(mean, 4 * self.white) * self.electrons)
        signal = (collected + rng.normal(0, self.read_noise, mean.shape)) / self.electrons
        return (np.minimum(np.round(signal / self.step), 2**self.bits) * self.step).astype(np.float32)


def sample_noise(rng: np.random.Generator) -> SensorNoise:
    """A sensor from a bright studio (ISO 100) to a dim room (ISO 6400)."""
    return SensorNoise(
        iso=float(100 * 2 ** rng.uniform(0, 6)),
        read_noise=float(rng.uniform(1.5, 5.0)),
        prnu=float(rng.uniform(0.002, 0.008)),
        bits=int(rng.choice([12, 14])),
    )
