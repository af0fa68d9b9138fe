"""Rooms lit by a window: a box-shaped interior seen from the head, with panes, mullions and bounced light."""

from __future__ import annotations

import math

import numpy as np
import pydantic

from synth.lighting import sphere
from synth.lighting.emitters import blackbody, draw, pick
from synth.lighting.envmap import EnvMap
from synth.lighting.families.base import Params
from synth.lighting.sphere import rotation_from_euler

RGB = tuple[float, float, float]
_SUBSAMPLES = 3
"""Samples a texel and axis: mullions are thin."""


class WindowParams(Params):
    """A room and the window in one of its walls. Lengths in metres; the head is at the origin."""

    azimuth: float
    """Of the wall that holds the window."""
    distance: float = pydantic.Field(gt=0)
    """From the head to that wall."""
    centre: tuple[float, float]
    """Of the window on its wall: to the right as seen from the head, and up."""
    size: tuple[float, float]
    """Width and height of the window."""
    panes: tuple[int, int]
    """Panes across and up."""
    mullion: float
    """Width of the bars."""
    outside: RGB
    """Radiance of the sky behind the panes, at their top."""
    below: RGB
    """Radiance of what is outside under the horizon."""
    room: tuple[float, float, float]
    """Half width, height below the head and height above it."""
    depth: float
    """From the head to the wall opposite to the window."""
    wall: RGB
    """Reflectance of the walls; the floor's is half of it, and warmer."""
    lamp: float = 0.0
    """Radiance that warm indoor light adds to the walls."""


class Window:
    """Soft daylight from one side of a dim room."""

    name, count = "window", 360
    tags = ("indoor", "natural", "window", "soft")

    def sample(self, rng: np.random.Generator) -> WindowParams:
        """See :class:`Family`."""
        sky = blackbody(draw(rng, 4500, 12000)) * draw(rng, 2, 10)
        below = (
            np.array(pick(rng, (0.35, 0.5, 0.2), (0.5, 0.45, 0.4), (0.6, 0.6, 0.65))) * draw(rng, 0.2, 0.6) * sky.mean()
        )
        tone = np.array(
            pick(rng, (0.8, 0.78, 0.74), (0.6, 0.55, 0.5), (0.45, 0.5, 0.55), (0.7, 0.5, 0.4), (0.3, 0.3, 0.3))
        )
        width = draw(rng, 0.8, 3.0)
        down, up = draw(rng, 1.2, 1.6), draw(rng, 1.1, 2.0)
        tall = draw(rng, 1.0, min(2.2, down + up - 0.4))
        middle = draw(rng, -down + tall / 2 + 0.1, up - tall / 2 - 0.1)
        return WindowParams(
            azimuth=draw(rng, -150, 150),
            distance=draw(rng, 0.9, 2.8),
            centre=(draw(rng, -0.7, 0.7), middle),
            size=(width, tall),
            panes=(pick(rng, 1, 2, 2, 3, 4), pick(rng, 1, 1, 2, 3)),
            mullion=draw(rng, 0.03, 0.09),
            outside=_rounded(sky),
            below=_rounded(below),
            room=(draw(rng, 1.6 + width / 4, 4), down, up),
            depth=draw(rng, 1.5, 5),
            wall=_rounded(tone),
            lamp=pick(rng, 0.0, 0.0, draw(rng, 0.02, 0.25)),
        )

    def render(self, params: WindowParams, height: int) -> EnvMap:
        """See :class:`Family`."""
        turn = rotation_from_euler(params.azimuth).astype(np.float32)
        rays = sphere.directions(height * _SUBSAMPLES) @ turn  # into axes in which the window's wall is at +Z
        half_width, down, up = params.room
        planes = np.stack(
            [
                np.where(rays[..., 0] > 0, half_width, -half_width) / _away_from_zero(rays[..., 0]),
                np.where(rays[..., 1] > 0, up, -down) / _away_from_zero(rays[..., 1]),
                np.where(rays[..., 2] > 0, params.distance, -params.depth) / _away_from_zero(rays[..., 2]),
            ]
        )
        points = rays * planes.min(axis=0)[..., None]
        surface = planes.argmin(axis=0)
        image = _bounce(params, points, surface)
        seen, level = _panes(params, points, (surface == 2) & (rays[..., 2] > 0))
        sky, ground = np.array(params.outside, np.float32), np.array(params.below, np.float32)
        outside = np.where((rays[..., 1] > 0)[..., None], sky * (0.7 + 0.3 * level[..., None]), ground)
        image = np.where(seen[..., None], outside, image)
        return EnvMap(sphere.resize(image.astype(np.float32), height))


def _away_from_zero(values: np.ndarray) -> np.ndarray:
    """The values, with those too near zero to divide by moved to a tiny positive number."""
    return np.where(np.abs(values) < 1e-6, np.float32(1e-6), values)


def _panes(params: WindowParams, points: np.ndarray, on_wall: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) whether the outside is seen, and how high in the window (0 to 1), at points on the walls."""
    width, tall = params.size
    u = (points[..., 0] - params.centre[0]) / width + 0.5
    v = (points[..., 1] - params.centre[1]) / tall + 0.5
    seen = on_wall & (np.abs(u - 0.5) < 0.5) & (np.abs(v - 0.5) < 0.5)
    for position, count, length in ((u, params.panes[0], width), (v, params.panes[1], tall)):
        across = position * count % 1
        seen &= np.minimum(across, 1 - across) * length / count > params.mullion / 2
    return seen, np.clip(v, 0, 1)


def _bounce(params: WindowParams, points: np.ndarray, surface: np.ndarray) -> np.ndarray:
    """(H, W, 3) radiance of walls, floor and ceiling: one bounce from a small window, and a constant rest."""
    centre = np.array([*params.centre, params.distance])
    offset = centre - points
    squared = np.maximum((offset**2).sum(axis=-1), 0.15)
    length = np.sqrt(squared)
    leaving = np.maximum(offset[..., 2], 0) / length  # cosine at the window, which faces -Z
    arriving = np.abs(np.take_along_axis(offset, surface[..., None], axis=-1)[..., 0]) / length
    area = params.size[0] * params.size[1]
    sky = np.array(params.outside) * 0.7 + np.array(params.below) * 0.3
    form = np.minimum(area * leaving * arriving / (math.pi * squared), 0.6)[..., None]
    half_width, down, up = params.room
    surfaces = 2 * ((2 * half_width) * (down + up) + (params.depth + params.distance) * (2 * half_width + down + up))
    tone = np.array(params.wall)
    albedo = np.where(((surface == 1) & (points[..., 1] < 0))[..., None], tone * (0.6, 0.5, 0.4), tone)
    # The light that has bounced already fills the room about evenly: a geometric series in the mean reflectance.
    rest = 0.5 * area / surfaces * tone / (1 - 0.8 * tone) + 0.002
    lamp = params.lamp * blackbody(2800) * (0.6 + 0.4 * np.clip(points[..., 1:2] / up, -1, 1))
    return albedo * (sky * (form + rest) + lamp)


def _rounded(colour: np.ndarray) -> RGB:
    """A colour as a tuple of short decimals, for parameters that are hashed as text."""
    return tuple(round(float(c), 5) for c in colour)
