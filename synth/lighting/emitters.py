"""Building blocks of procedural light: anti-aliased area lights, small discs of exact power, colours of emitters."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from synth.lighting import sphere

_SUBSAMPLES = 4
"""Samples a texel and axis along the edges of area lights."""


def draw(rng: np.random.Generator, low: float, high: float) -> float:
    """A uniform number, rounded so that its text is short and exact.

    Families draw through this and :func:`pick` only: they rest on ``Generator.random``, whose stream NumPy has kept,
    so that a catalogue id means the same light for ever.
    """
    return round(low + (high - low) * rng.random(), 4)


def pick(rng: np.random.Generator, *options):
    """One of the options, evenly."""
    return options[int(rng.random() * len(options))]


def blackbody(kelvin: float) -> np.ndarray:
    """(3,) float64 linear Rec.709 colour of a Planckian radiator at luminance 1, for 1667 K to 25000 K.

    Cubic fit of the locus by Kim et al. (US patent 7024034); colours outside the gamut are clipped to it.
    """
    t = 1e3 / min(max(kelvin, 1667.0), 25000.0)
    if t > 0.25:
        x = -0.2661239 * t**3 - 0.2343589 * t**2 + 0.8776956 * t + 0.179910
    else:
        x = -3.0258469 * t**3 + 2.1070379 * t**2 + 0.2226347 * t + 0.240390
    if kelvin < 2222:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif kelvin < 4000:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    return unit_luminance(xyy_to_rgb(np.array(x), np.array(y), np.array(1.0)))


def xyy_to_rgb(x: np.ndarray, y: np.ndarray, luminance: np.ndarray) -> np.ndarray:
    """(..., 3) linear Rec.709 of CIE xyY, clipped at 0."""
    xyz = np.stack([x / y, np.ones_like(y), (1 - x - y) / y], axis=-1) * luminance[..., None]
    to_rgb = np.array(
        [[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]]
    )
    return np.maximum(xyz @ to_rgb.T, 0)


def hue_colour(hue: float, saturation: float) -> np.ndarray:
    """(3,) linear Rec.709 colour of a gel, unit mean: hue in turns (0 red, 1/3 green, 2/3 blue), saturation 0 to 1."""
    ramp = np.clip(np.abs((hue * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    colour = 1 - saturation + saturation * ramp
    return colour / colour.mean()


def unit_luminance(rgb: np.ndarray) -> np.ndarray:
    """The colour scaled to luminance 1."""
    return rgb / (rgb @ sphere.LUMINANCE)


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """Cubic ramp from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def area_light(
    height: int,
    direction: np.ndarray,
    half_width: float,
    half_height: float,
    *,
    shape: Literal["box", "disc"] = "box",
    roll: float = 0.0,
    hollow: float = 0.0,
    falloff: float = 0.2,
) -> np.ndarray:
    """(H, 2H) float32 coverage in [0, 1] of a flat light that faces the head, anti-aliased over each texel.

    direction: (3,) unit, towards the light's centre. half_width, half_height: half angles, degrees, under 80. roll:
    degrees about ``direction``. hollow: inner radius of a ring as a fraction of the outer. falloff: how much dimmer the
    edge is than the centre, as the diffuser of a softbox is. The mask is drawn in the light's own plane (gnomonic),
    where a box is a rectangle.
    """
    right, up = _plane_axes(direction, roll)
    extent = np.tan(np.radians([half_width, half_height]))
    reach = math.atan(math.hypot(*extent) if shape == "box" else extent.max())
    first, last = _rows_within(height, direction, reach)
    count = _SUBSAMPLES
    rays = sphere.directions(height * count)[first * count : last * count]
    distance = np.maximum(rays @ direction.astype(np.float32), 1e-4)
    u = rays @ (right / extent[0]).astype(np.float32) / distance
    v = rays @ (up / extent[1]).astype(np.float32) / distance
    radius = np.maximum(np.abs(u), np.abs(v)) if shape == "box" else np.hypot(u, v)
    mask = (radius <= 1) & (radius >= hollow) & (distance > 1e-4)
    value = np.where(mask, 1 - np.float32(falloff) * np.minimum(u * u + v * v, 2) / 2, 0)
    coverage = np.zeros((height, 2 * height), np.float32)
    coverage[first:last] = value.reshape(last - first, count, 2 * height, count).mean(axis=(1, 3))
    return coverage


def small_disc(height: int, direction: np.ndarray, radius: float, samples: int = 4096) -> np.ndarray:
    """(H, 2H) float32 coverage of a disc of angular ``radius`` (degrees), exact in power however few texels it touches.

    Summed with the texels' solid angles it gives the disc's 2 pi (1 - cos radius): points spread evenly over the disc
    (a sunflower spiral) are dropped into texels. Meant for discs of at most a few texels.
    """
    right, up = _plane_axes(direction, 0.0)
    index = np.arange(samples) + 0.5
    cosine = 1 - index / samples * (1 - math.cos(math.radians(radius)))
    sine, angle = np.sqrt(1 - cosine**2), index * (math.pi * (3 - math.sqrt(5)))
    around = np.cos(angle)[:, None] * right + np.sin(angle)[:, None] * up
    points = cosine[:, None] * direction + sine[:, None] * around
    row, column = sphere.to_texels(points, height)
    row = np.clip(np.rint(row), 0, height - 1).astype(np.int64)
    column = np.rint(column).astype(np.int64) % (2 * height)
    hits = np.bincount(row * 2 * height + column, minlength=2 * height * height).reshape(height, -1)
    solid_angle = 2 * math.pi * (1 - math.cos(math.radians(radius)))
    return (hits * (solid_angle / samples) / sphere.solid_angles(height)).astype(np.float32)


def smooth_noise(height: int, rng: np.random.Generator, scale: float, waves: int = 24) -> np.ndarray:
    """(H, 2H) float32 seamless noise, about [-2, 2]: plane waves cut by the sphere, about ``scale`` to a half turn."""
    rays = sphere.directions(height)
    total = np.zeros(rays.shape[:2], np.float32)
    for _ in range(waves):
        z, angle, phase = 2 * rng.random() - 1, 2 * math.pi * rng.random(), 2 * math.pi * rng.random()
        across = math.sqrt(1 - z * z)
        wave = np.array([across * math.cos(angle), z, across * math.sin(angle)])
        wave *= math.pi * scale * (0.5 + rng.random())
        total += np.cos(rays @ wave.astype(np.float32) + np.float32(phase))
    return total / np.float32(math.sqrt(waves))


def coloured(coverage: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """(H, 2H, 3) float32 radiance of a mask (H, 2H) that emits ``rgb`` (3,)."""
    return coverage[..., None] * np.asarray(rgb, np.float32)


def _plane_axes(direction: np.ndarray, roll: float) -> tuple[np.ndarray, np.ndarray]:
    """Unit right and up in the plane facing the head, up leaning to +Y (to -Z straight overhead)."""
    vertical = np.array([0.0, 1.0, 0.0]) if abs(direction[1]) < 0.999 else np.array([0.0, 0.0, -1.0])
    right = np.cross(vertical, direction)
    right /= np.linalg.norm(right)
    up = np.cross(direction, right)
    c, s = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    return c * right + s * up, c * up - s * right


def _rows_within(height: int, direction: np.ndarray, reach: float) -> tuple[int, int]:
    """First and one-past-last row that a cone of half angle ``reach`` (radians) about ``direction`` can touch."""
    theta = math.acos(min(max(float(direction[1]), -1.0), 1.0))
    first = math.floor((theta - reach) * height / math.pi) - 1
    last = math.ceil((theta + reach) * height / math.pi) + 1
    return max(first, 0), min(last, height)
