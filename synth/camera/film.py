"""The photometric camera: one explicit exposure, white balance and response curve. Nothing here looks at a whole image.

>>> film = Film(exposure_ev=meter(irradiance), response="filmic")
>>> display = film.develop(rgb)  # without noise
>>> display = film.render(SensorNoise(iso=800).apply(film.expose(rgb), rng))  # with noise: synth.camera.sensor

Units: *linear* is scene-linear Rec.709 radiance; *exposed* is linear times 2**EV, on which 0.18 is a correctly exposed
grey card; *display* is the code value in [0, 1] that an 8-bit file holds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from assets.errors import SpecError
from synth.lighting.sphere import LUMINANCE

if TYPE_CHECKING:
    from synth.camera.camera import Camera
    from synth.lighting.envmap import EnvMap

GREY = 0.18
"""Reflectance of the grey card, and the exposed value that it should have."""
FILMIC_CONTRAST, FILMIC_WHITE = 0.9, 12.0
"""Slope of the filmic toe in log-log, and the exposed value (6 stops above grey) that becomes display white."""


def _srgb(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-12) ** (1 / 2.4) - 0.055)


def _srgb_inverse(y: np.ndarray) -> np.ndarray:
    return np.where(y <= 12.92 * 0.0031308, y / 12.92, ((y + 0.055) / 1.055) ** 2.4)


# Display white over the asymptote, and the half-saturation that sends grey to where sRGB does: from
# (1 + k w**-c) g**c / (g**c + k) = s follows k = g**c (1 - s) / (s - (g / w)**c).
_GREY_DISPLAY = float(_srgb(np.array(GREY)))
_HALF = GREY**FILMIC_CONTRAST * (1 - _GREY_DISPLAY) / (_GREY_DISPLAY - (GREY / FILMIC_WHITE) ** FILMIC_CONTRAST)
_ASYMPTOTE = 1 + _HALF * FILMIC_WHITE**-FILMIC_CONTRAST


def _filmic(x: np.ndarray) -> np.ndarray:
    """y = (1 + k w**-c) x**c / (x**c + k): the Naka-Rushton response of film and photoreceptors, white at x = w.

    Toe: in the shadows y ~ x**c, steeper than sRGB's x**(1/2.4), so they fall off; shoulder: highlights roll off to w.
    """
    power = np.clip(x, 0, FILMIC_WHITE) ** FILMIC_CONTRAST
    return _ASYMPTOTE * power / (power + _HALF)


def _filmic_inverse(y: np.ndarray) -> np.ndarray:
    part = y / _ASYMPTOTE
    return (_HALF * part / (1 - part)) ** (1 / FILMIC_CONTRAST)


RESPONSES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]] = {
    "linear": (lambda x: np.clip(x, 0, 1), lambda y: y),
    "gamma": (lambda x: np.clip(x, 0, 1) ** (1 / 2.2), lambda y: y**2.2),
    "srgb": (_srgb, _srgb_inverse),
    "filmic": (_filmic, _filmic_inverse),
}
"""Named response curves: (exposed to display, its exact inverse on [0, 1]). Each is monotonic and acts a channel."""


@dataclasses.dataclass(frozen=True)
class Film:
    """How linear radiance becomes display values: multiply by 2**EV, multiply by the balance, bend by the response."""

    exposure_ev: float = 0.0
    """Stops: one more doubles the exposed value."""
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Linear Rec.709 gains of red, green, blue; green is 1, so that balance and exposure stay apart."""
    response: str = "srgb"
    """A name of :data:`RESPONSES`."""

    def __post_init__(self) -> None:
        gains = np.asarray(self.white_balance, np.float64)
        if not np.isfinite(self.exposure_ev):
            raise SpecError(f"film.exposure_ev: {self.exposure_ev!r}, expected a finite number of stops")
        if gains.shape != (3,) or not np.isfinite(gains).all() or gains.min() <= 0 or abs(gains[1] - 1) > 1e-6:
            raise SpecError(f"film.white_balance: {self.white_balance!r}, expected three positive gains with green 1")
        if self.response not in RESPONSES:
            raise SpecError(f"film.response: {self.response!r} is not one of {', '.join(RESPONSES)}")

    def expose(self, linear: np.ndarray) -> np.ndarray:
        """linear (..., 3) scene-linear radiance to exposed (..., 3) float32: what the sensor collects, before noise."""
        return (np.asarray(linear, np.float32) * np.float32(2.0**self.exposure_ev)).astype(np.float32)

    def render(self, exposed: np.ndarray) -> np.ndarray:
        """exposed (..., 3) to display (..., 3) float32 in [0, 1]: balance, then the response."""
        balanced = np.asarray(exposed, np.float64) * self.white_balance
        return np.clip(RESPONSES[self.response][0](balanced), 0, 1).astype(np.float32)

    def develop(self, linear: np.ndarray) -> np.ndarray:
        """linear (..., 3) scene-linear Rec.709 radiance to display (..., 3) float32 in [0, 1]."""
        return self.render(self.expose(linear))

    def invert(self, display: np.ndarray) -> np.ndarray:
        """display (..., 3) in [0, 1] to linear (..., 3) float32; display 1 gives the least radiance that clips."""
        exposed = RESPONSES[self.response][1](np.asarray(display, np.float64)) / self.white_balance
        return (exposed * 2.0**-self.exposure_ev).astype(np.float32)


def meter(irradiance: np.ndarray) -> float:
    """Stops at which a grey card is exposed to 0.18, by an incident-light reading.

    irradiance (3,): integral of radiance times cosine over the hemisphere that faces the camera, linear Rec.709. The
    card's radiance is 0.18 E / pi, so EV = -log2(Y(E) / pi) whatever the subject's skin is.
    """
    luminance = float(np.asarray(irradiance, np.float64) @ LUMINANCE)
    if not (np.isfinite(luminance) and luminance > 0):
        raise SpecError(f"irradiance: {np.asarray(irradiance).tolist()} has no positive luminance to expose for")
    return float(-np.log2(luminance / np.pi))


def meter_clip(maps: Sequence[EnvMap], cameras: Sequence[Camera]) -> float:
    """Stops for all T frames, as a camera with locked exposure has: by their mean irradiance; 0 in the dark."""
    # A light from behind alone leaves the meter dark: then the mean of all directions, as a lumisphere would read.
    readings = np.mean([(light.irradiance(camera.camera_to_world[:3, 2]), np.pi * light.mean)
                        for light, camera in zip(maps, cameras, strict=True)], axis=0)
    return next((meter(reading) for reading in readings if reading.max() > 0), 0.0)


def white_point(kelvin: float, tint: float = 0.0) -> np.ndarray:
    """Linear Rec.709 colour (3,) of an illuminant of luminance 1: CIE daylight above 5000 K, black body below 4000 K.

    Between, the two loci are blended in mired. ``tint`` is Duv: distance from the locus in CIE 1960 uv, positive green.
    """
    if not 2000 <= kelvin <= 25000:
        raise SpecError(f"kelvin: {kelvin!r}, expected 2000 to 25000")
    blend = np.clip((250 - 1e6 / kelvin) / 50, 0, 1)
    step = kelvin * 1e-3

    def locus(t: float) -> np.ndarray:
        return (1 - blend) * _black_body_uv(t) + blend * _daylight_uv(t)

    tangent = locus(kelvin + step) - locus(kelvin - step)
    normal = np.array([tangent[1], -tangent[0]]) / np.linalg.norm(tangent)
    u, v = locus(kelvin) + tint * normal * np.sign(normal[1])
    x, y = 3 * u / (2 * u - 8 * v + 4), 2 * v / (2 * u - 8 * v + 4)
    xyz = np.array([x / y, 1.0, (1 - x - y) / y])
    return np.linalg.solve(_RGB_TO_XYZ, xyz)


def balance_for(colour: np.ndarray) -> tuple[float, float, float]:
    """Gains that make ``colour`` (3,), a grey card's linear Rec.709 radiance, neutral: von Kries, green 1.

    Von Kries scaling in the sensor's own primaries (Rec.709 here), as the channel multipliers of a raw file.
    """
    colour = np.asarray(colour, np.float64)
    if colour.shape != (3,) or not np.isfinite(colour).all() or colour.min() <= 0:
        raise SpecError(f"grey card: {colour.tolist()}, expected three positive numbers")
    red, green, blue = (float(gain) for gain in colour[1] / colour)
    return red, green, blue


def sample_film(rng: np.random.Generator, metered_ev: float = 0.0) -> Film:
    """A camera's settings: exposure around the metered one, balance around daylight, one of the display responses.

    Balance is drawn in mired, where steps look alike, about D65, so that coloured light stays coloured.
    """
    kelvin = 1e6 / (1e6 / 6504 + np.clip(rng.normal(0, 15), -40, 40))
    tint = float(np.clip(rng.normal(0, 0.002), -0.006, 0.006))
    exposure = metered_ev + float(np.clip(rng.normal(0, 0.4), -1.2, 1.2))
    response = str(rng.choice(["srgb", "filmic", "gamma"], p=[0.45, 0.4, 0.15]))
    return Film(exposure, balance_for(white_point(float(kelvin), tint)), response)


_RGB_TO_XYZ = np.array([  # ITU-R BT.709 primaries, D65
    [0.4123908, 0.3575843, 0.1804808], [0.2126390, 0.7151687, 0.0721923], [0.0193308, 0.1191948, 0.9505322]
])


def _daylight_uv(kelvin: float) -> np.ndarray:
    """CIE 15 daylight locus (4000 to 25000 K) in CIE 1960 uv."""
    t = 1e3 / kelvin
    if kelvin <= 7000:
        x = 0.244063 + 0.09911 * t + 2.9678 * t**2 - 4.6070 * t**3
    else:
        x = 0.237040 + 0.24748 * t + 1.9018 * t**2 - 2.0064 * t**3
    y = -3.0 * x**2 + 2.870 * x - 0.275
    return np.array([4 * x, 6 * y]) / (-2 * x + 12 * y + 3)


def _black_body_uv(kelvin: float) -> np.ndarray:
    """Planckian locus in CIE 1960 uv (Krystek 1985, 1000 to 15000 K)."""
    t = kelvin
    u = (0.860117757 + 1.54118254e-4 * t + 1.28641212e-7 * t**2) / (1 + 8.42420235e-4 * t + 7.08145163e-7 * t**2)
    v = (0.317398726 + 4.22806245e-5 * t + 4.20481691e-8 * t**2) / (1 - 2.89741816e-5 * t + 1.61456053e-7 * t**2)
    return np.array([u, v])
