"""Sun and sky: Preetham's analytic daylight ("A Practical Analytic Model for Daylight", SIGGRAPH 1999), with clouds."""

from __future__ import annotations

import math

import numpy as np
import pydantic

from synth.lighting import sphere
from synth.lighting.emitters import blackbody, coloured, draw, pick, small_disc, smooth_noise, smoothstep, xyy_to_rgb
from synth.lighting.envmap import EnvMap
from synth.lighting.families.base import Params

SUN_RADIUS = 0.265
"""Angular radius of the sun's disc, degrees."""
_UNIT = 10.0
"""kcd/m2 in one scene unit of radiance."""
_SUN_LUMINANCE = 133.1 / (2 * math.pi * (1 - math.cos(math.radians(SUN_RADIUS)))) / _UNIT
"""Luminance of the disc above the atmosphere: the solar illuminance constant, 133.1 klx, over its solid angle."""


class SunSkyParams(Params):
    """Daylight."""

    azimuth: float
    """Of the sun."""
    elevation: float = pydantic.Field(ge=0, le=90)
    """Of the sun."""
    turbidity: float = pydantic.Field(3.0, ge=1.7, le=8)
    """Haze: 2 is alpine air, 6 is milky."""
    cloud: float = pydantic.Field(0.0, ge=0, le=1)
    """Cloud cover: 0 clear, 1 overcast with no visible sun."""
    cloud_seed: int = 0
    """Shapes of the clouds."""
    ground: tuple[float, float, float] = (0.2, 0.2, 0.2)
    """Diffuse reflectance of the ground."""


class SunSky:
    """Physical daylight from dawn to noon, clear to overcast, over grass, sand, asphalt or snow."""

    name, count = "sunsky", 560
    tags = ("outdoor", "natural", "sun", "sky")

    def sample(self, rng: np.random.Generator) -> SunSkyParams:
        """See :class:`Family`."""
        ground = pick(
            rng, (0.09, 0.15, 0.05), (0.36, 0.28, 0.18), (0.12, 0.12, 0.12), (0.3, 0.29, 0.27), (0.75, 0.78, 0.82)
        )
        return SunSkyParams(
            azimuth=draw(rng, -180, 180),
            elevation=round(2 + 73 * rng.random() ** 1.5, 4),  # the low sun of portraits more often than noon
            turbidity=draw(rng, 1.9, 6.0),
            cloud=pick(rng, 0.0, 0.0, draw(rng, 0.05, 0.6), draw(rng, 0.6, 1.0), 1.0),
            cloud_seed=int(rng.random() * 2**31),
            ground=ground,
        )

    def render(self, params: SunSkyParams, height: int) -> EnvMap:
        """See :class:`Family`."""
        rays = sphere.directions(height).astype(np.float64)
        sun = sphere.direction_from_angles(params.azimuth, params.elevation)
        sky = _preetham(rays, sun, params.turbidity) / _UNIT
        beam = _sun_colour(sun[1], params.turbidity)
        if params.cloud > 0:
            sky, transmittance = _clouds(sky, rays, sun, beam, params, height)
            beam = beam * transmittance
        above = _share_above_horizon(height)
        lit = sky * above + coloured(small_disc(height, sun, SUN_RADIUS), beam)
        downward = EnvMap(lit.astype(np.float32)).irradiance(np.array([0.0, 1.0, 0.0]))
        ground = downward / math.pi * np.array(params.ground)
        return EnvMap((lit + (1 - above) * ground).astype(np.float32))


def _share_above_horizon(height: int) -> np.ndarray:
    """(H, 1, 1) float64 share of each row above the horizon: a half in the middle row of an odd height."""
    return np.clip(height / 2 - np.arange(height), 0, 1)[:, None, None]


def _preetham(rays: np.ndarray, sun: np.ndarray, turbidity: float) -> np.ndarray:
    """(H, W, 3) float64 clear-sky radiance, kcd/m2, linear Rec.709 (Preetham et al., appendix A.2)."""
    t, theta_sun = turbidity, math.acos(min(float(sun[1]), 1.0))
    cos_theta = np.maximum(rays[..., 1], 0.01)  # the model diverges below the horizon
    gamma = np.arccos(np.clip(rays @ sun, -1, 1))
    chi = (4 / 9 - t / 120) * (math.pi - 2 * theta_sun)
    zenith_luminance = max((4.0453 * t - 4.9710) * math.tan(chi) - 0.2155 * t + 2.4192, 0.05)
    powers, haze = np.array([theta_sun**3, theta_sun**2, theta_sun, 1.0]), np.array([t * t, t, 1.0])
    zenith_x = (
        haze
        @ np.array(
            [
                [0.00166, -0.00375, 0.00209, 0.0],
                [-0.02903, 0.06377, -0.03202, 0.00394],
                [0.11693, -0.21196, 0.06052, 0.25886],
            ]
        )
        @ powers
    )
    zenith_y = (
        haze
        @ np.array(
            [
                [0.00275, -0.00610, 0.00317, 0.0],
                [-0.04214, 0.08970, -0.04153, 0.00516],
                [0.15346, -0.26756, 0.06670, 0.26688],
            ]
        )
        @ powers
    )
    coefficients = {
        "Y": (
            0.1787 * t - 1.4630,
            -0.3554 * t + 0.4275,
            -0.0227 * t + 5.3251,
            0.1206 * t - 2.5771,
            -0.0670 * t + 0.3703,
        ),
        "x": (
            -0.0193 * t - 0.2592,
            -0.0665 * t + 0.0008,
            -0.0004 * t + 0.2125,
            -0.0641 * t - 0.8989,
            -0.0033 * t + 0.0452,
        ),
        "y": (
            -0.0167 * t - 0.2608,
            -0.0950 * t + 0.0092,
            -0.0079 * t + 0.2102,
            -0.0441 * t - 1.6537,
            -0.0109 * t + 0.0529,
        ),
    }

    def perez(name: str) -> np.ndarray:
        """Perez's relative luminance or chromaticity, 1 at the zenith (equation 3)."""
        a, b, c, d, e = coefficients[name]
        here = (1 + a * np.exp(b / cos_theta)) * (1 + c * np.exp(d * gamma) + e * np.cos(gamma) ** 2)
        return here / ((1 + a * math.exp(b)) * (1 + c * math.exp(d * theta_sun) + e * math.cos(theta_sun) ** 2))

    return xyy_to_rgb(zenith_x * perez("x"), zenith_y * perez("y"), np.maximum(zenith_luminance * perez("Y"), 0))


def _sun_colour(sine_elevation: float, turbidity: float) -> np.ndarray:
    """(3,) float64 radiance of the sun's disc after the atmosphere, scene units (Preetham et al., appendix A.1).

    Rayleigh scattering, aerosols (Angstrom) and ozone, each at one effective wavelength for red, green and blue.
    """
    elevation = math.degrees(math.asin(min(sine_elevation, 1.0)))
    mass = 1 / (sine_elevation + 0.15 * (elevation + 3.885) ** -1.253)
    wavelength = np.array([0.610, 0.550, 0.465])  # micrometres
    rayleigh = 0.008735 * wavelength**-4.08
    aerosol = (0.04608 * turbidity - 0.04586) * wavelength**-1.3
    ozone = 0.35 * np.array([0.118, 0.085, 0.010])
    return _SUN_LUMINANCE * blackbody(5900) * np.exp(-mass * (rayleigh + aerosol + ozone))


def _clouds(
    sky: np.ndarray, rays: np.ndarray, sun: np.ndarray, beam: np.ndarray, params: SunSkyParams, height: int
) -> tuple[np.ndarray, float]:
    """The sky (H, W, 3) behind clouds, and the share of the sun's beam that still comes through.

    Thick cloud has the CIE overcast distribution, (1 + 2 sin elevation) / 3, and passes on about a third of the light
    that falls on it.
    """
    rng = np.random.Generator(np.random.PCG64(params.cloud_seed))
    shapes = (
        smooth_noise(height, rng, 4.0) + 0.5 * smooth_noise(height, rng, 11.0) + 0.25 * smooth_noise(height, rng, 25.0)
    )
    level = 2.6 - 6.2 * params.cloud  # shapes span about -2.6 to 2.6; cover 1 leaves no hole
    cover = smoothstep(level - 0.5, level + 0.7, shapes)[..., None].astype(np.float64)
    clear = EnvMap(np.where(rays[..., 1:2] > 0, sky, 0).astype(np.float32)).irradiance(np.array([0.0, 1.0, 0.0]))
    direct = beam * 2 * math.pi * (1 - math.cos(math.radians(SUN_RADIUS))) * sun[1]
    falling = (clear + direct) @ sphere.LUMINANCE
    overcast = (1 + 2 * np.maximum(rays[..., 1:2], 0)) / 3 * (9 / (7 * math.pi)) * 0.35 * falling
    white = 0.7 * np.ones(3) + 0.3 * (clear + direct) / falling
    towards_sun = 1 + 1.5 * (1 - params.cloud) * np.maximum(rays @ sun, 0)[..., None] ** 8  # silver lining
    texture = 1 + 0.15 * shapes[..., None] * (1 - 0.7 * params.cloud)
    sunlit = 1 + 2.5 * (1 - params.cloud)  # scattered clouds catch the full sun
    cloudy = overcast * sunlit * white * towards_sun * np.maximum(texture, 0.2)
    open_sky = 1 - float(smoothstep(0.15, 0.75, np.array(params.cloud)))
    return sky * (1 - cover) + cloudy * cover, open_sky
