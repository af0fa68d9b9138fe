"""Studio set-ups after the portrait handbooks: softboxes, beauty dish and ring light, rim light."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pydantic

from synth.lighting import sphere
from synth.lighting.emitters import area_light, blackbody, coloured, draw, pick, smoothstep
from synth.lighting.envmap import EnvMap
from synth.lighting.families.base import Params

PATTERNS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "butterfly": ((-6, 6), (35, 55)),
    "loop": ((20, 35), (25, 40)),
    "rembrandt": ((40, 55), (35, 50)),
    "split": ((80, 95), (0, 20)),
    "broad": ((25, 50), (10, 30)),
    "clamshell": ((-8, 8), (30, 45)),
}
"""Key azimuth (either side) and elevation ranges, degrees, of the classic patterns."""


class Softbox(Params):
    """A flat rectangular light facing the head."""

    azimuth: float
    """Of its centre."""
    elevation: float
    """Of its centre."""
    half_width: float
    """Half its width, as an angle."""
    half_height: float
    """Half its height, as an angle."""
    radiance: float
    """At the centre of its front."""
    kelvin: float = 5600.0
    """Colour temperature."""
    roll: float = 0.0
    """About the line to the head."""

    def light(self, height: int, shape: Literal["box", "disc"] = "box", **options: float) -> np.ndarray:
        """(H, 2H, 3) float32 radiance of this light alone."""
        direction = sphere.direction_from_angles(self.azimuth, self.elevation)
        mask = area_light(height, direction, self.half_width, self.half_height, shape=shape, roll=self.roll, **options)
        return coloured(mask, self.radiance * blackbody(self.kelvin))


class StudioParams(Params):
    """Key, fill and rim in a dark or light studio."""

    pattern: str
    """Name of the key's pattern, for the record."""
    lights: tuple[Softbox, ...]
    """Key first, then fill and rims."""
    wall: float = pydantic.Field(ge=0)
    """Radiance of the walls and of the backdrop in dim studio light."""
    backdrop: float = pydantic.Field(0.0, ge=0)
    """Additional radiance of a lit backdrop behind the head."""


class Studio:
    """A softbox key in a classic pattern, with or without a fill, rim lights and a lit backdrop."""

    name, count = "studio", 520
    tags = ("indoor", "studio", "softbox", "key")

    def sample(self, rng: np.random.Generator) -> StudioParams:
        """See :class:`Family`."""
        pattern = pick(rng, *PATTERNS)
        azimuths, elevations = PATTERNS[pattern]
        side = pick(rng, -1, 1)
        size = draw(rng, 8, 28)
        # Brighter when smaller, as the same lamp in a smaller box is.
        key = Softbox(
            azimuth=side * draw(rng, *azimuths),
            elevation=draw(rng, *elevations),
            half_width=size,
            half_height=round(size * draw(rng, 0.7, 1.6), 3),
            radiance=round(2500 / size**2 * draw(rng, 0.6, 1.6), 3),
            kelvin=draw(rng, 3600, 6800),
            roll=draw(rng, -20, 20),
        )
        lights = [key]
        if pattern == "clamshell" or rng.random() < 0.6:
            low = pattern == "clamshell"
            lights.append(
                Softbox(
                    azimuth=0 if low else -side * draw(rng, 30, 70),
                    elevation=-35 if low else draw(rng, -5, 25),
                    half_width=draw(rng, 15, 35),
                    half_height=draw(rng, 15, 30),
                    radiance=round(key.radiance * draw(rng, 0.04, 0.3), 3),
                    kelvin=key.kelvin,
                )
            )
        for rim_side in (-1, 1):
            if rng.random() < 0.4:
                lights.append(
                    Softbox(
                        azimuth=rim_side * draw(rng, 120, 160),
                        elevation=draw(rng, 5, 40),
                        half_width=draw(rng, 4, 10),
                        half_height=draw(rng, 12, 30),
                        radiance=round(key.radiance * draw(rng, 0.3, 1.5), 3),
                        kelvin=draw(rng, 3200, 7500),
                    )
                )
        backdrop = draw(rng, 0.1, 1.5) if rng.random() < 0.35 else 0.0
        return StudioParams(pattern=pattern, lights=tuple(lights), wall=draw(rng, 0.005, 0.12), backdrop=backdrop)

    def render(self, params: StudioParams, height: int) -> EnvMap:
        """See :class:`Family`."""
        image = room(height, params.wall) + backdrop(height, params.backdrop)
        for light in params.lights:
            image = over(image, light.light(height))
        return EnvMap(image)


class BeautyParams(Params):
    """A frontal round light: ring or beauty dish, with white cards around."""

    kind: Literal["ring", "dish"]
    """A ring around the lens, or a dish above it with a dim centre."""
    key: Softbox
    """Its place, size and colour; ``half_width`` is the radius."""
    hollow: float
    """Inner radius over outer radius."""
    cards: tuple[Softbox, ...]
    """White reflectors at the sides and below."""
    wall: float
    """Radiance of the room."""


class Beauty:
    """Fashion and make-up light: a ring light round the lens, or a beauty dish above with fill cards."""

    name, count = "beauty", 240
    tags = ("indoor", "studio", "ring", "beauty")

    def sample(self, rng: np.random.Generator) -> BeautyParams:
        """See :class:`Family`."""
        kind = pick(rng, "ring", "dish")
        radius = draw(rng, 8, 22)
        elevation = draw(rng, -4, 6) if kind == "ring" else draw(rng, 25, 50)
        key = Softbox(
            azimuth=draw(rng, -8, 8),
            elevation=elevation,
            half_width=radius,
            half_height=radius,
            radiance=round(2600 / radius**2 * draw(rng, 0.6, 1.5), 3),
            kelvin=draw(rng, 3200, 6500),
        )
        cards = [
            Softbox(
                azimuth=azimuth,
                elevation=elevation,
                half_width=draw(rng, 10, 25),
                half_height=draw(rng, 12, 30),
                radiance=round(key.radiance * draw(rng, 0.01, 0.12), 3),
                kelvin=key.kelvin,
            )
            for azimuth, elevation in ((-65, 0), (65, 0), (0, -45))
            if rng.random() < 0.6
        ]
        hollow = draw(rng, 0.55, 0.85) if kind == "ring" else draw(rng, 0.0, 0.25)
        return BeautyParams(kind=kind, key=key, hollow=hollow, cards=tuple(cards), wall=draw(rng, 0.01, 0.3))

    def render(self, params: BeautyParams, height: int) -> EnvMap:
        """See :class:`Family`."""
        image = room(height, params.wall)
        for card in params.cards:
            image = over(image, card.light(height, falloff=0.5))
        return EnvMap(over(image, params.key.light(height, "disc", hollow=params.hollow)))


class RimParams(Params):
    """Light from behind only."""

    lights: tuple[Softbox, ...]
    """Strip boxes behind the head."""
    fill: float
    """Radiance of a large dim card in front; 0 for a silhouette."""
    wall: float
    """Radiance of the room."""


class Rim:
    """One to three strip boxes behind the head: edges of light around a dark face."""

    name, count = "rim", 240
    tags = ("indoor", "studio", "rim", "low-key")

    def sample(self, rng: np.random.Generator) -> RimParams:
        """See :class:`Family`."""
        side, lights = pick(rng, -1, 1), []
        for azimuth in (side * draw(rng, 110, 155), -side * draw(rng, 110, 155), 180.0)[: pick(rng, 1, 2, 2, 3)]:
            lights.append(
                Softbox(
                    azimuth=azimuth,
                    elevation=draw(rng, 35, 65) if azimuth == 180 else draw(rng, 0, 40),
                    half_width=draw(rng, 4, 9),
                    half_height=draw(rng, 14, 35),
                    radiance=draw(rng, 5, 40),
                    kelvin=draw(rng, 2800, 8000),
                    roll=draw(rng, -15, 15),
                )
            )
        return RimParams(lights=tuple(lights), fill=pick(rng, 0.0, draw(rng, 0.02, 0.2)), wall=draw(rng, 0.003, 0.05))

    def render(self, params: RimParams, height: int) -> EnvMap:
        """See :class:`Family`."""
        image = room(height, params.wall)
        if params.fill:
            image = over(
                image, coloured(area_light(height, sphere.direction_from_angles(0, 5), 40, 40), np.full(3, params.fill))
            )
        for light in params.lights:
            image = over(image, light.light(height))
        return EnvMap(image)


def room(height: int, radiance: float) -> np.ndarray:
    """(H, 2H, 3) float32 grey room, darker below and with a soft seam where the walls meet the floor."""
    up = sphere.directions(height)[..., 1:2]
    shade = 0.75 + 0.35 * up - 0.3 * smoothstep(0.25, 0.5, -up)
    return (radiance * np.maximum(shade, 0.1) * np.ones(3)).astype(np.float32)


def backdrop(height: int, radiance: float) -> np.ndarray:
    """(H, 2H, 3) float32 glow of a lit backdrop behind the head (-Z), brightest at its centre."""
    cosine = sphere.directions(height) @ np.array([0, 0, -1], np.float32)
    return coloured(smoothstep(0.3, 1.0, cosine), np.full(3, radiance))


def over(image: np.ndarray, light: np.ndarray) -> np.ndarray:
    """The brighter of the two everywhere: a light hides what is behind it, and its dark surround hides nothing."""
    return np.maximum(image, light)
