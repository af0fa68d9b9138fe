"""Wrinkles on a texture: furrows with raised shoulders along the lines of :mod:`synth.appearance.creases`.

What a texture is too coarse for is counted as variance of slope instead.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping

import numpy as np
from scipy.spatial import cKDTree

from synth.appearance import texels
from synth.appearance.creases import CHIN, PLACES, Place, unroll
from synth.appearance.description import SkinLook
from synth.heads.head import HeadModel
from synth.heads.template.sculpt import smoothstep

REACH = 4.5
"""Farthest that a line is felt, mm."""
PREFILTER = 0.6
"""Standard deviation of the low-pass filter that heights go through, texels."""
BLUR = float(np.sqrt(PREFILTER**2 + 1 / 3))
"""The same of slopes: central differences average over two texels more. What is finer becomes roughness."""


@dataclasses.dataclass(frozen=True)
class Layer:
    """Wrinkles of one place on one side, at full depth, on their own part of the texture."""

    name: str
    """Place and side, such as ``forehead_inner_L``."""
    drivers: Mapping[str, float]
    """Action units that deepen them, and by what share each."""
    stretched_by: Mapping[str, float]
    """Units that pull them flat, and by what share of their depth at rest."""
    rest: float
    """Depth at rest, as a share of the layer's slopes."""
    gain: float
    """Depth that full expression adds."""
    box: tuple[slice, slice]
    """Rows and columns of the texture."""
    slopes: np.ndarray
    """(h, w, 2) float16, see :class:`synth.appearance.relief.Relief`."""
    lost: np.ndarray
    """(h, w) float16: variance of slope that is too fine for the texture, at full depth."""

    def fold(self, units: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """(T,) change of depth from rest, from left and right activations (T,) of action units."""
        side = 0 if self.name.endswith("_L") else 1

        def together(shares: Mapping[str, float]) -> np.ndarray:
            return 1 - np.prod([1 - share * units[name][side] for name, share in shares.items()], axis=0)

        folded = together(self.drivers)
        return self.gain * folded - self.rest * (1 - folded) * together(self.stretched_by)


@functools.lru_cache(maxsize=2)
def layers(head: HeadModel, skin: SkinLook, size: int) -> tuple[Layer, ...]:
    """Every layer of one person's wrinkles on a texture of ``size`` texels a side."""
    place, metric = texels.positions(head, "skin", size), texels.metric(head, "skin", size)
    seeds = np.random.SeedSequence([skin.seed, 0x11]).spawn(len(PLACES) + 1)
    across, up = (np.ascontiguousarray(axis.reshape(size, size)) for axis in unroll(place.reshape(-1, 3)).T)
    made = []
    shared: dict[Callable, np.ndarray] = {}  # inner and outer parts of one line
    for (name, spec), seed in zip(PLACES.items(), seeds, strict=False):
        rng = np.random.default_rng(seed)
        lines = shared.setdefault(spec.lines, np.concatenate(spec.lines(rng)))
        depth = rng.uniform(0.7, 1.25) * rng.uniform(0.85, 1.15, 2)
        (left, low), (right, high) = lines[:, :2].min(axis=0) - REACH, lines[:, :2].max(axis=0) + REACH
        for box in _boxes((across > left) & (across < right) & (up > low) & (up < high)):
            made += _sides(name, spec, depth, lines, place[box], metric.window(box), box, skin.wrinkles)
    chin = np.random.default_rng(seeds[-1])
    return (*made, *_dimples(chin, place, metric, skin.wrinkles))


def _boxes(mask: np.ndarray) -> list[tuple[slice, slice]]:
    """The bounding box of a mask (H, W), one texel larger; none if it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return []
    return [(slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(columns[0] - 1, 0), columns[-1] + 2))]


def _sides(name: str, spec: Place, depth: np.ndarray, lines: np.ndarray, place: np.ndarray, metric: texels.Metric,
           box: tuple[slice, slice], wrinkles: float) -> list[Layer]:
    """The left and the right layer of a place on a window of the texture."""
    height, lost = furrows(lines, place, metric)
    x = place[..., 0]
    if spec.across is not None:
        share = smoothstep(*spec.across, np.abs(x)).astype(np.float32)
        height, lost = height * share, lost * share * share
    out = []
    rest = spec.always + 3.0 * spec.aged * wrinkles**1.4
    for side, sign in (("L", 1), ("R", -1)):
        share = (depth[0 if sign > 0 else 1] * smoothstep(-5, 5, sign * x)).astype(np.float32)
        out += _layer(f"{name}_{side}", spec, rest, 1.3 + 1.5 * wrinkles, height * share, lost * share * share,
                      metric, box)
    return out


def _layer(name: str, spec: Place, rest: float, gain: float, height: np.ndarray, lost: np.ndarray,
           metric: texels.Metric, box: tuple[slice, slice]) -> list[Layer]:
    """A layer cropped to where it is."""
    slopes = metric.slopes(height)
    used = (np.abs(slopes).max(axis=2) > 2e-3) | (lost > 1e-4)
    return [
        Layer(name, spec.drivers, spec.stretched_by, rest, gain,
              tuple(slice(outer.start + part.start, outer.start + min(part.stop, count))
                    for outer, part, count in zip(box, crop, height.shape, strict=True)),
              slopes[crop].astype(np.float16), lost[crop].astype(np.float16))
        for crop in _boxes(used)
    ]


def furrows(lines: np.ndarray, place: np.ndarray, metric: texels.Metric) -> tuple[np.ndarray, np.ndarray]:
    """Height (H, W), mm, of lines (M, 4) on canonical points (H, W, 3), and the variance of slope that it lacks.

    A Gaussian furrow of half-width w under a Gaussian prefilter of deviation s is one of width sqrt(w^2 + 2 s^2) and
    of the same cross-section; its mean square slope falls by the cube of their ratio. Shoulders take 22 % of it.
    """
    shape = place.shape[:2]
    flat = unroll(place.reshape(-1, 3))
    distance, nearest = cKDTree(lines[:, :2]).query(flat, distance_upper_bound=REACH)
    touched = np.flatnonzero(np.isfinite(distance))
    distance = distance[touched].astype(np.float32)
    depth, width = np.ascontiguousarray(lines[nearest[touched], 2:].T, np.float32)
    texel = metric.footprint.ravel()[touched]
    wide, shoulder = (np.sqrt((k * width) ** 2 + 2 * (PREFILTER * texel) ** 2) for k in (1, 2.4))
    height, lost = np.zeros(shape[0] * shape[1], np.float32), np.zeros(shape[0] * shape[1], np.float32)
    height[touched] = depth * (0.36 * 2.4 * width / shoulder * np.exp(-((distance / shoulder) ** 2))
                               - width / wide * np.exp(-((distance / wide) ** 2)))
    wide = np.sqrt(width**2 + 2 * (BLUR * texel) ** 2)
    fine = 0.78 * np.square(depth) / (width * wide) * (1 - np.square(width / wide) * width / wide)
    lost[touched] = fine * np.exp(-2 * (distance / wide) ** 2)
    return height.reshape(shape), lost.reshape(shape)


def _dimples(rng: np.random.Generator, place: np.ndarray, metric: texels.Metric, wrinkles: float) -> list[Layer]:
    """The orange peel of a raised chin."""
    x, y, z = place.reshape(-1, 3).T
    near = (np.abs(x) < 24) & (np.abs(y + 97) < 17) & (z > 70)
    out = []
    for box in _boxes(near.reshape(place.shape[:2])):
        point = place[box].reshape(-1, 3)
        x, y, z = point.T
        weight = np.exp(-((x / 12) ** 2) - ((y + 97) / 8.5) ** 2) * (z > 70)
        pits = texels.solid_noise(rng, point, 4.2) + 0.5 * texels.solid_noise(rng, point, 2.4)
        height = (-0.13 * weight * np.logaddexp(0, 2 * pits) / 2).astype(np.float32)
        for side, sign in (("L", 1), ("R", -1)):
            share = (height * smoothstep(-5, 5, sign * x)).astype(np.float32).reshape(place[box].shape[:2])
            out += _layer(f"chin_{side}", CHIN, 0.04 + 0.2 * wrinkles,
                          0.9 + 0.3 * wrinkles, share, np.zeros_like(share), metric.window(box), box)
    return out
