"""Environment maps as vectors of light, with or without their small bright sources."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np
import scipy.sparse

from synth.lighting import sphere
from synth.lighting.envmap import EnvMap
from synth.transport.directions import R2, Basis, to_sphere, to_square

SPREAD = 64
"""Directions that stand for a source; a power of two."""
MOST_SOURCES = 8
"""Most sources of a map."""

_GOLDEN = (math.sqrt(5) - 1) / 2
_MOST_ROWS = 512
"""Taller maps are averaged down to this first: texels of 0.35 degrees are fine enough for any bin."""
_TRIES = 32
"""Most bright spots of a map that are looked at."""
_POINT_BLUR = 0.8
"""The most that :func:`_blur` gives, for a point in the corner of a bin; by the root of the bin's width, radians."""


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """A sun, a lamp: light from so small a solid angle that a bin would blur the shadows that it casts."""

    directions: np.ndarray
    """(N, 3) float32 unit world vectors, evenly many for equal power, spread over the source; N is SPREAD for all.

    The first 1, 2, 4... of them, and each next as many, are spread over all of it too."""
    irradiance: np.ndarray
    """(3,) float32: radiance times solid angle, linear Rec.709."""


def project(light: EnvMap, basis: Basis) -> np.ndarray:
    """(D, 3) float32 vector of light of a whole map; both its fine and its coarse bins have the map's power."""
    light = _bounded(light)
    return np.concatenate([_bin_means(light.data, side, light.mean) for side in (basis.fine, basis.coarse)])


def project_all(lights: Sequence[EnvMap], basis: Basis) -> np.ndarray:
    """(L, D, 3) float32 vectors of light of L maps, of any heights."""
    vectors = np.empty((len(lights), basis.size, 3), np.float32)
    for vector, light in zip(vectors, lights, strict=True):
        vector[:] = project(light, basis)
    return vectors


def split_sources(light: EnvMap, basis: Basis, tolerance: float = 0.01) -> tuple[np.ndarray, list[Source]]:
    """The vector (D, 3) of a map whose sources are taken out of the *fine* bins, not of the coarse; and the sources.

    The fine bins and the sources together have the map's power. A source is a small bright spot of which the bins would
    blur the shadows by more than ``tolerance``: a root mean square error, relative to what the whole map casts. They
    come in the order of that error, at most :data:`MOST_SOURCES`. Up to half as much error again part of a spot stays
    in its bins, so that a light which changes slowly does not become a source from one frame to the next.
    """
    light = _bounded(light)
    data, areas = light.data, sphere.solid_angles(light.height)[..., None]
    total = max(4 * math.pi * float(light.mean @ sphere.LUMINANCE), 1e-30)
    width = math.sqrt(4 * math.pi) / basis.fine
    found = []
    for rows, share in _spots(light, width, tolerance / (_POINT_BLUR * math.sqrt(width))):
        power = data[rows] * share[..., None] * areas[rows]
        rays, irradiance = _spread(power.sum(axis=-1), rows.start), power.sum(axis=(0, 1), dtype=np.float32)
        error = float(irradiance @ sphere.LUMINANCE) / total * _blur(rays, basis.fine)
        part = np.float32(min(2 * (error / tolerance - 1), 1))
        if part > 0:
            found.append((error, rows, share * part, Source(rays, irradiance * part)))
    found = sorted(found, key=lambda entry: entry[0], reverse=True)[:MOST_SOURCES]
    rest, mean = data.copy(), light.mean
    for _, rows, share, source in found:
        rest[rows] = np.maximum(rest[rows] - data[rows] * share[..., None], 0)
        mean = np.maximum(mean - source.irradiance / (4 * math.pi), 0)
    fine, coarse = _bin_means(rest, basis.fine, mean), _bin_means(data, basis.coarse, light.mean)
    return np.concatenate([fine, coarse]), [source for *_, source in found]


def _bounded(light: EnvMap) -> EnvMap:
    return light.resized(_MOST_ROWS) if light.height > _MOST_ROWS else light


# --- bins -----------------------------------------------------------------------------------------------------------


def _bin_means(data: np.ndarray, side: int, wanted: np.ndarray) -> np.ndarray:
    """(side², 3) float32 mean radiance of the bins of a map (H, 2H, 3) whose own mean (3,) is ``wanted``."""
    means = _bin_matrix(len(data), side) @ data.reshape(-1, 3)
    got = means.mean(axis=0, dtype=np.float64)
    return (means * np.divide(wanted, got, out=np.ones(3), where=got > 0)).astype(np.float32)


@functools.lru_cache(maxsize=8)
def _bin_matrix(height: int, side: int) -> scipy.sparse.csr_matrix:
    """(side², H 2H) float32 weights of a map's texels in the mean of each bin, which sum to 1.

    Each texel is cut into count x count cells of known solid angle, some ten or more across a bin.
    """
    count = 2 * math.ceil(6 * side / height)  # even, so that no cell's middle lies on the edge of a bin
    theta = np.pi / height * (np.arange(height * count) + 0.5)[:, None] / count
    phi = np.pi / height * (np.arange(2 * height * count) + 0.5) / count - np.pi
    y = np.broadcast_to(np.cos(theta), (len(theta), len(phi)))
    cells = np.stack([np.sin(theta) * np.sin(phi), y, -np.sin(theta) * np.cos(phi)], axis=-1)
    bins = Basis().bins(cells, side)
    texels = np.arange(2 * height * height).reshape(height, -1).repeat(count, axis=0).repeat(count, axis=1)
    areas = np.broadcast_to(sphere.solid_angles(height * count), bins.shape)
    shape = (side * side, 2 * height * height)
    matrix = scipy.sparse.csr_matrix((areas.ravel(), (bins.ravel(), texels.ravel())), shape=shape)
    sums = np.asarray(matrix.sum(axis=1))
    return matrix.multiply(1 / sums).tocsr().astype(np.float32)


# --- sources --------------------------------------------------------------------------------------------------------


def _spots(light: EnvMap, width: float, least: float) -> list[tuple[slice, np.ndarray]]:
    """Rows, and share of their radiance (rows, W) in 0 to 1, of what sticks out of its surroundings in discs 1.5
    ``width`` (radians) across about the brightest texels; each is more than a share ``least`` of the map's power."""
    height = light.height
    texel = math.pi / height
    radius = max(0.75 * width, 1.5 * texel)
    outer = min(max(1.5 * radius, radius + 1.5 * texel), math.pi)
    rays, areas = sphere.directions(height), sphere.solid_angles(height)
    luminance = light.luminance
    least = least * 4 * math.pi * float(light.mean @ sphere.LUMINANCE)
    rest, unseen = luminance.copy(), luminance.copy()
    spots = []
    for _ in range(_TRIES):
        row, column = divmod(int(unseen.argmax()), 2 * height)
        if unseen[row, column] * 2 * math.pi * (1 - math.cos(radius)) <= least:
            break
        reach = math.ceil(outer / texel)
        rows = slice(max(row - reach, 0), row + reach + 1)
        cosine = rays[rows] @ rays[row, column]
        disc = cosine > math.cos(radius)
        ring = rest[rows][(cosine > math.cos(outer)) & ~disc]
        place = 3 * ring.size // 4  # not the mean: an edge of a wide light is no spot
        surroundings = np.partition(ring, place)[place] if ring.size else 0.0
        excess = np.where(disc, np.maximum(rest[rows] - surroundings, 0), 0)
        unseen[rows][disc] = 0
        if (excess * areas[rows]).sum() > least:
            spots.append((rows, excess / np.maximum(luminance[rows], np.float32(1e-30))))
            rest[rows] -= excess
    return spots


def _spread(power: np.ndarray, first_row: int) -> np.ndarray:
    """(SPREAD, 3) float32 directions distributed as the power (rows, W) of texels, each blurred to the tent that
    bilinear look-up makes of it."""
    height = power.shape[1] // 2
    index = np.arange(SPREAD)
    row, down = _invert(power.sum(axis=1)[None], (index + 0.5) / SPREAD)
    column, right = _invert(power[row], (index + 0.5) * _GOLDEN % 1)
    theta = np.pi / height * (first_row + row + 0.5 + _tent(down))  # beyond a pole it comes down the other side
    phi = np.pi / height * (column + 0.5 + _tent(right)) - np.pi
    rays = np.stack([np.sin(theta) * np.sin(phi), np.cos(theta), -np.sin(theta) * np.cos(phi)], axis=-1)
    bits = SPREAD.bit_length() - 1
    order = sum((index >> bit & 1) << (bits - 1 - bit) for bit in range(bits))
    return rays[order].astype(np.float32)


def _invert(density: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) cells, and places in them from 0 to 1, below which ``share`` (N,) of a density (N or 1, K) lies."""
    below = np.cumsum(density, axis=1)
    wanted = share * below[:, -1]
    cell = (below <= wanted[:, None]).sum(axis=1).clip(0, density.shape[1] - 1)
    rows = np.arange(len(share)) if len(density) > 1 else 0
    return cell, 1 - np.clip((below[rows, cell] - wanted) / density[rows, cell], 0, 1)


def _tent(share: np.ndarray) -> np.ndarray:
    """Places from -1 to 1 that share out a tent of that width evenly, as ``share`` does 0 to 1."""
    return np.copysign(1 - np.sqrt(1 - np.abs(2 * share - 1)), share - 0.5)


def _blur(rays: np.ndarray, side: int) -> float:
    """Error of shadows where light from ``rays`` (N, 3) fills its bins instead, relative to half of the light.

    A hemisphere, which is what a straight edge leaves of the sky, separates two directions with a probability of their
    angle over pi (Crofton). So the mean square, over all of them, of how much two distributions of light X and Y differ
    is (E|X - Y| - E|X - X'| / 2 - E|Y - Y'| / 2) / pi, half of Székely's energy distance. The mean over four grids of
    bins, half a bin apart, so that a light which moves does not come and go as a source. About 0.2 for a point.
    """
    rays = rays[: SPREAD // 2].astype(np.float64)
    count = len(rays)
    shifts = np.array([[0, 0], [0, 0.5], [0.5, 0], [0.5, 0.5]])[:, None]
    within = (np.arange(count)[:, None] * R2 + 0.5) % 1
    blurred = to_sphere(np.clip((np.floor(to_square(rays) * side + shifts) - shifts + within) / side, 0, 1))

    def apart(a: np.ndarray, b: np.ndarray, pairs: int) -> float:
        chords = np.sqrt(np.maximum(2 - 2 * a @ b.swapaxes(-1, -2), 0))
        return float(chords.mean(axis=0).sum()) / pairs

    others = count * (count - 1)
    within_each = apart(rays[None], rays[None], others) + apart(blurred, blurred, others)
    energy = apart(rays, blurred, count**2) - within_each / 2
    return 2 * math.sqrt(max(energy, 0) / math.pi)
