"""Coloured gels, sets of small lights, and smooth gradients."""

from __future__ import annotations

import math

import numpy as np

from synth.lighting import sphere
from synth.lighting.emitters import blackbody, coloured, draw, hue_colour, pick, small_disc, smooth_noise
from synth.lighting.envmap import EnvMap
from synth.lighting.families.base import Params
from synth.lighting.families.studio import Softbox, over, room

RGB = tuple[float, float, float]


class GelParams(Params):
    """Softboxes behind coloured filters."""

    lights: tuple[Softbox, ...]
    """Place, size and radiance; their colour temperature is not used."""
    colours: tuple[RGB, ...]
    """Filter of each light, unit mean."""
    ambient: RGB
    """Radiance of the room."""


class Gels:
    """Music-video light: two to four saturated lights in complementary, analogous or triadic hues."""

    name, count = "gels", 360
    tags = ("indoor", "studio", "coloured", "neon")

    def sample(self, rng: np.random.Generator) -> GelParams:
        """See :class:`Family`."""
        base, spread = draw(rng, 0, 1), pick(rng, 1 / 2, 1 / 3, 1 / 12, 5 / 12)
        count, side = pick(rng, 2, 2, 3, 4), pick(rng, -1, 1)
        lights, colours = [], []
        for i in range(count):
            sign = side if i % 2 == 0 else -side
            azimuth = sign * (draw(rng, 30, 95) if i < 2 else draw(rng, 110, 165))
            lights.append(
                Softbox(
                    azimuth=azimuth,
                    elevation=draw(rng, -20, 45),
                    half_width=draw(rng, 6, 26),
                    half_height=draw(rng, 10, 35),
                    radiance=draw(rng, 1.5, 12),
                    roll=draw(rng, -30, 30),
                )
            )
            colours.append(_rounded(hue_colour(base + i * spread, draw(rng, 0.6, 1.0))))
        ambient = _rounded(hue_colour(draw(rng, 0, 1), 0.5) * draw(rng, 0.003, 0.06))
        return GelParams(lights=tuple(lights), colours=tuple(colours), ambient=ambient)

    def render(self, params: GelParams, height: int) -> EnvMap:
        """See :class:`Family`."""
        image = room(height, 1.0) * np.array(params.ambient, np.float32)
        for light, colour in zip(params.lights, params.colours, strict=True):
            neutral = light.model_copy(update={"kelvin": 6500.0})
            image = over(image, neutral.light(height) * np.array(colour, np.float32))
        return EnvMap(image)


class Lamp(Params):
    """A small round light."""

    azimuth: float
    """Of its centre."""
    elevation: float
    """Of its centre."""
    radius: float
    """Angular radius."""
    irradiance: RGB
    """Irradiance on a surface that faces it."""


class PointsParams(Params):
    """Small lights in the dark."""

    lamps: tuple[Lamp, ...]
    """All of them."""
    ambient: RGB
    """Radiance everywhere else."""


class Points:
    """One to twelve small lamps, white or coloured: hard shadows and sharp glints."""

    name, count = "points", 280
    tags = ("points", "hard", "night")

    def sample(self, rng: np.random.Generator) -> PointsParams:
        """See :class:`Family`."""
        count = pick(rng, 1, 2, 3, 5, 8, 12)
        vivid = rng.random() < 0.4
        lamps = []
        for i in range(count):
            # The first lamp stands before the face, so that no set leaves it black; the others are anywhere.
            azimuth = draw(rng, -80, 80) if i == 0 else draw(rng, -180, 180)
            elevation = round(math.degrees(math.asin(-0.3 + 1.2 * rng.random())), 3)
            colour = hue_colour(draw(rng, 0, 1), draw(rng, 0.4, 1)) if vivid else blackbody(draw(rng, 2200, 8500))
            strength = draw(rng, 1.0, 5.0) / math.sqrt(count)
            lamps.append(
                Lamp(
                    azimuth=azimuth,
                    elevation=elevation,
                    radius=draw(rng, 0.3, 2.5),
                    irradiance=_rounded(colour * strength),
                )
            )
        ambient = _rounded(blackbody(draw(rng, 3000, 12000)) * draw(rng, 0.002, 0.08))
        return PointsParams(lamps=tuple(lamps), ambient=ambient)

    def render(self, params: PointsParams, height: int) -> EnvMap:
        """See :class:`Family`."""
        image = room(height, 1.0) * np.array(params.ambient, np.float32)
        for lamp in params.lamps:
            direction = sphere.direction_from_angles(lamp.azimuth, lamp.elevation)
            # A disc of uniform radiance L facing a surface gives it pi L sin^2(radius).
            radiance = np.array(lamp.irradiance) / (math.pi * math.sin(math.radians(lamp.radius)) ** 2)
            image = image + coloured(small_disc(height, direction, lamp.radius), radiance)
        return EnvMap(image)


class GradientParams(Params):
    """A smooth field of colour."""

    azimuth: float
    """Of the bright end of the gradient's axis."""
    elevation: float
    """Of the bright end of the gradient's axis."""
    stops: tuple[RGB, RGB, RGB]
    """Radiance at the bright end, half-way and at the far end."""
    exponent: float
    """Above 1 draws the bright end together."""
    noise: float
    """Amplitude of smooth blotches, as a share of the radiance."""
    noise_seed: int
    """Their shapes."""


class Gradient:
    """Very soft light: a three-colour gradient along any axis, with smooth blotches."""

    name, count = "gradient", 240
    tags = ("soft", "gradient", "abstract")

    def sample(self, rng: np.random.Generator) -> GradientParams:
        """See :class:`Family`."""
        vivid = rng.random() < 0.5
        levels = (draw(rng, 0.8, 4.0), draw(rng, 0.15, 0.9), draw(rng, 0.01, 0.4))
        stops = tuple(
            _rounded(level * (hue_colour(draw(rng, 0, 1), draw(rng, 0.2, 0.9)) if vivid else blackbody(kelvin)))
            for level, kelvin in zip(levels, (draw(rng, 2800, 12000) for _ in levels), strict=True)
        )
        return GradientParams(
            azimuth=draw(rng, -150, 150),
            elevation=draw(rng, -30, 90),
            stops=stops,
            exponent=draw(rng, 0.7, 3.0),
            noise=pick(rng, 0.0, draw(rng, 0.1, 0.5)),
            noise_seed=int(rng.random() * 2**31),
        )

    def render(self, params: GradientParams, height: int) -> EnvMap:
        """See :class:`Family`."""
        axis = sphere.direction_from_angles(params.azimuth, params.elevation).astype(np.float32)
        along = (0.5 + 0.5 * np.clip(sphere.directions(height) @ axis, -1, 1)) ** np.float32(params.exponent)
        positions = (0.0, 0.5, 1.0)
        image = np.stack(
            [np.interp(along, positions, [stop[c] for stop in reversed(params.stops)]) for c in range(3)], -1
        )
        if params.noise:
            rng = np.random.Generator(np.random.PCG64(params.noise_seed))
            image = image * np.maximum(1 + params.noise * smooth_noise(height, rng, 3.0), 0.05)[..., None]
        return EnvMap(image.astype(np.float32))


def _rounded(colour: np.ndarray) -> RGB:
    """A colour as a tuple of short decimals, for parameters that are hashed as text."""
    return tuple(round(float(c), 5) for c in colour)
