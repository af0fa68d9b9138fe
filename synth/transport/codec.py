"""Transport in a few megabytes a frame: entries on a scale of square roots, colours apart, and decoding in tiles.

Sun and shadow are why no truncated basis is used: an image lit by one bin must be right on its own, and what lies in
shadow must stay at zero (docs/dataset.md has the format and the figures). Each lobe's entries are divided by the
pixel's answer to white light, quantised in steps that grow with their root, and packed with Zstandard. The scale of
each pixel is then chosen so that its answer to white light is exact again: in soft light, errors of single bins cancel.
"""

from __future__ import annotations

import dataclasses
import struct
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from assets.errors import AssetError, SpecError
from synth.lighting.envmap import EnvMap
from synth.transport.directions import Basis, to_sphere, to_square
from synth.transport.response import Mirror, Transport, check_lights, mirror_matrix

MAGIC, VERSION = b"PXTRNSPT", 1
MAX_SIDE, MAX_BINS, MAX_RAYS = 8192, 128, 1 << 24
"""Largest image side, bins a side, and mirrored rays that a header may claim."""
TILE = 256
"""Pixels that are packed, decoded and relit together."""
COARSE = 0.25
"""Weight of a coarse entry's error: a small source is fainter, averaged over a coarse bin of many fine ones."""
_MOST_GROWTH = 1 << 17
"""Bytes that one byte of a Zstandard frame may unpack to."""
_HEADER = struct.Struct("<8sHHHBBIIIIfQI")
_COLOURS = np.float32([[1, 0, -1], [1, -2, 1]]) / np.sqrt(np.float32([[2], [6]]))
"""Two axes of colour, orthogonal to grey and to each other."""
_COLOUR_STEP = 2.3
_STEPS = _COLOUR_STEP * np.arange(256, dtype=np.float32)


# --- encoding ------------------------------------------------------------------------------------------------------


PRUDENCE = 0.75
"""Real maps on a head with hair added up to 1.25 times the error that the probes tell."""


def encode(transport: Transport, error: float = 1e-3) -> bytes:
    """Pack a frame's transport, as coarsely as ``error`` allows; the same input gives the same bytes.

    error: relative MSE added to pictures, mean over :func:`probes`, estimated from up to 2048 pixels. Noise counts as
    signal. Raises AssetError for arrays that don't fit together, and SpecError for an ``error`` outside (0, 1).
    """
    if not 0 < error < 1:
        raise SpecError(f"error: {error!r}, expected a number between 0 and 1")
    _check(transport)
    order = _tile_order(transport.pixels, transport.width)
    white = transport.response.sum(axis=-1, dtype=np.float64).mean(axis=1)
    floor = 0.01 * white.mean() if len(white) else 0.0
    step = _choose_step(transport, order[:: max(1, -(-len(order) // 2048))], floor, PRUDENCE * error)
    tiles = [order[first : first + TILE] for first in range(0, len(order), TILE)]
    scales, planes = [], []
    for tile in tiles:
        for lobe in _lobes(transport, tile):
            coded, scale = _quantise(lobe, white[tile], floor, step, transport.basis)
            scales.append(scale)
            planes += map(_pack, coded)
    unit = max((float(scale.max()) for scale in scales), default=0.0) / 32768 or 1.0
    mask = np.zeros(transport.width * transport.height, bool)
    mask[transport.pixels] = True
    arrays = [np.packbits(mask), np.concatenate([(scale / unit).astype("<f2").ravel() for scale in scales] or
                                                [np.zeros(0, "<f2")])]
    mirror = transport.mirror
    rays = 0 if mirror is None else len(mirror.pixels)
    if mirror is not None:
        square = np.minimum(to_square(mirror.directions) * 65536, 65535)
        arrays += [np.diff(mirror.pixels.astype("<i8"), prepend=0).astype("<i4"), square.astype("<u2").T.copy(),
                   mirror.weights.astype("<f4")]
    packed = [*map(_pack, arrays), *planes]
    body = struct.pack(f"<{len(packed)}I", *map(len, packed)) + b"".join(packed)
    fields = (MAGIC, VERSION, transport.basis.fine, transport.basis.coarse, 1 if transport.specular is None else 2,
              mirror is not None, transport.width, transport.height, len(order), rays, unit, len(body))
    return _HEADER.pack(*fields, zlib.crc32(body, zlib.crc32(_HEADER.pack(*fields, 0)))) + body


def probes(basis: Basis) -> np.ndarray:
    """(L, D, 3) float32 lights that errors are measured under: skies of 1, most with a bin of up to 4 times its power.

    Their mean error is about that under 20 real and procedural maps: python -m tests.bench.transport_codec.
    """
    count = 24
    height = 1 - (2 * np.arange(count) + 1) / count  # Fibonacci's sphere
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(count)
    flat = np.sqrt(1 - height**2)
    suns = np.stack([flat * np.sin(turn), height, flat * np.cos(turn)], axis=-1)
    lights = np.ones((count, basis.size, 3), np.float32)
    share = np.float32(np.resize([0, 0.05, 0.2, 0.8, 4], count))  # of the sky's power
    lights[np.arange(count), basis.bins(suns, basis.fine)] += (share * basis.fine**2)[:, None]
    lights[np.arange(count), basis.fine**2 + basis.bins(suns, basis.coarse)] += (share * basis.coarse**2)[:, None]
    return lights


def relative_mse(pictures: np.ndarray, reference: np.ndarray, floor: float = 0.01) -> np.ndarray:
    """(L,) float64 relative MSE of pictures (L, P, 3) of covered pixels: mean (x - r)² / (r² + (floor mean r)²).

    A floor of 0.1 is what Rousselle et al. 2011 take; 0.01 counts what is a hundred times darker than the mean as well.
    """
    small = floor * reference.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
    return np.mean((pictures - reference) ** 2 / np.maximum(reference**2 + small**2, 1e-30), axis=(1, 2))


def _check(transport: Transport) -> None:
    pixels, shape = transport.pixels, (len(transport.pixels), 3, transport.basis.size)
    if not (0 < transport.width <= MAX_SIDE and 0 < transport.height <= MAX_SIDE):
        raise AssetError(f"transport: image of {transport.width}x{transport.height}, expected sides of 1 to {MAX_SIDE}")
    if len(pixels) and (np.any(np.diff(pixels.astype(np.int64)) <= 0)
                        or pixels[-1] >= transport.width * transport.height):
        raise AssetError("transport: pixels are not ascending indices of the image")
    if transport.mirror is not None and np.any(transport.mirror.pixels >= transport.width * transport.height):
        raise AssetError("transport: mirror shows in pixels outside the image")
    for name in ("response", "specular"):
        array = getattr(transport, name)
        if array is not None and (array.shape != shape or not np.isfinite(array.sum(dtype=np.float64))):
            raise AssetError(f"transport: {name} of shape {array.shape}, expected finite values of shape {shape}")


def _tile_order(pixels: np.ndarray, width: int) -> np.ndarray:
    """The order that pixels are stored in: squares of 32 one after the other, so that neighbours share a tile."""
    row, column = np.divmod(pixels.astype(np.int64), width)
    return np.lexsort((column, row, column // 32, row // 32))


def _lobes(transport: Transport, chosen: np.ndarray) -> list[np.ndarray]:
    """Lobes (n, 3, D) float32 of chosen pixels, not negative: the diffuse and the specular one, or both in one."""
    total = transport.response[chosen]
    if transport.specular is None:
        return [np.maximum(total, 0)]
    specular = transport.specular[chosen]
    return [np.maximum(total - specular, 0), np.maximum(specular, 0)]


def _quantise(lobe: np.ndarray, white: np.ndarray, floor: float, step: float, basis: Basis
              ) -> tuple[list[np.ndarray], np.ndarray]:
    """Planes of a lobe (n, 3, D) of some pixels, uint8 levels and two of int8 colours (D, n), and its scales (n, 3).

    white: (n,) what the pixels give in white light, mean of channels, all lobes: errors are relative to that.
    """
    answer = lobe.sum(axis=-1, dtype=np.float64)
    tint = np.divide(answer, answer.mean(axis=1, keepdims=True), out=np.zeros_like(answer), where=answer > 0)
    nominal = (tint * (step * (white + floor))[:, None]).astype(np.float32)
    entries = lobe * np.divide(1, nominal, out=np.zeros_like(nominal), where=nominal > 1e-30)[..., None]
    entries[..., basis.fine**2 :] *= COARSE
    levels = np.minimum(np.rint(np.sqrt(entries.mean(axis=1))), 255).astype(np.uint8).T
    # Colours are told in multiples of the level, and not at all where that is 0.
    inverse = np.divide(1, _STEPS, out=np.zeros_like(_STEPS), where=_STEPS > 0)[levels]
    colours = [np.clip(np.rint(np.einsum("c,ncd->dn", axis, entries) * inverse), -127, 127).astype(np.int8)
               for axis in _COLOURS]
    planes = [np.ascontiguousarray(plane) for plane in (levels, *colours)]
    weights = _weighted(np.ones((1, basis.size, 1)), basis)[0, :, 0]
    coded = _Lobe.of(planes, np.ones((len(lobe), 3), np.float32))
    got = np.stack([weights @ _entries([coded], channel) for channel in range(3)], axis=1)
    scale = np.divide(answer, got, out=np.zeros_like(answer), where=got > 0)
    return planes, np.minimum(scale, 4 * nominal).astype(np.float32)


def _choose_step(transport: Transport, sample: np.ndarray, floor: float, error: float) -> float:
    """The largest step, of powers of the fourth root of 2, whose error at the sampled pixels is small enough."""
    if not len(sample):
        return 1.0
    lights = probes(transport.basis)
    lobes = _lobes(transport, sample)
    white = transport.response[sample].sum(axis=-1, dtype=np.float64).mean(axis=1)
    reference = np.stack([lights[..., channel] @ transport.response[sample, channel].T
                          for channel in range(3)], axis=-1)
    weighted = _weighted(lights, transport.basis)

    def added(exponent: int) -> float:
        coded = [_Lobe.of(*_quantise(lobe, white, floor, 2.0 ** (exponent / 4), transport.basis)) for lobe in lobes]
        pictures = np.stack([weighted[..., channel] @ _entries(coded, channel) for channel in range(3)], axis=-1)
        return float(relative_mse(pictures, reference).mean())

    low, high = -96, -16  # 2^-24 loses nothing that counts, 2^-4 everything
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if added(middle) <= error else (low, middle)
    return 2.0 ** (low / 4)


def _weighted(lights: np.ndarray, basis: Basis) -> np.ndarray:
    """Lights (L, D, 3) float32 for entries whose coarse part is stored COARSE times its value."""
    lights = np.array(lights, np.float32)
    lights[:, basis.fine**2 :] /= COARSE
    return lights


@dataclasses.dataclass(frozen=True, eq=False)
class _Lobe:
    """A lobe of n pixels, unpacked: entries of a channel are (grey + tints) times the channel's scale."""

    grey: np.ndarray
    """(D, n) float32."""
    tints: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    """Of each axis of colour: places in the flat (D, n) that have some, their pixels, and how much."""
    scale: np.ndarray
    """(n, 3) float32."""

    @classmethod
    def of(cls, planes: Sequence[np.ndarray], scale: np.ndarray) -> _Lobe:
        levels, *colours = planes
        tints = []
        for colour in colours:
            places = np.flatnonzero(colour != 0)  # few are; among truth values numpy finds them fast
            tints.append((places, places % len(scale), colour.ravel()[places] * _STEPS[levels.ravel()[places]]))
        grey = levels.astype(np.float32)
        return cls(np.multiply(grey, grey, out=grey), tints, scale)


def _entries(lobes: Sequence[_Lobe], channel: int, out: np.ndarray | None = None,
             spare: np.ndarray | None = None) -> np.ndarray:
    """(D, n) float32 entries of one channel, all lobes together; the coarse ones COARSE times their value."""
    total = np.multiply(lobes[0].grey, lobes[0].scale[:, channel], out=out)
    for lobe in lobes[1:]:
        total += np.multiply(lobe.grey, lobe.scale[:, channel], out=spare)
    for lobe in lobes:
        for axis, (places, pixels, amount) in zip(_COLOURS[:, channel], lobe.tints, strict=True):
            if axis and len(places):
                total.reshape(-1)[places] += amount * (axis * lobe.scale[:, channel])[pixels]
    return total


def _pack(array: np.ndarray) -> bytes:
    import pyarrow as pa

    return pa.Codec("zstd", compression_level=6).compress(np.ascontiguousarray(array).tobytes(), asbytes=True)


# --- decoding ------------------------------------------------------------------------------------------------------


def decode(data: bytes, name: str = "transport", size: tuple[int, int] | None = None) -> CompressedTransport:
    """Open what :func:`encode` gave; its planes stay packed until they are used.

    Sizes are checked against the header and the length of ``data`` before anything is allocated, and all bytes against
    their checksum. Raises AssetError, one line that starts with ``name``. size: (width, height) that it should have.
    """
    if len(data) < _HEADER.size:
        raise AssetError(f"{name}: {len(data)} bytes, expected a header of {_HEADER.size}")
    *fields, checksum = _HEADER.unpack_from(data)
    magic, version, fine, coarse, lobes, mirrored, width, height, count, rays, unit, length = fields
    if magic != MAGIC or version != VERSION:
        raise AssetError(f"{name}: starts with {magic!r} version {version}, expected {MAGIC!r} version {VERSION}")
    if not (0 < fine <= MAX_BINS and 0 < coarse <= MAX_BINS and lobes in (1, 2) and mirrored in (0, 1)
            and 0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and count <= width * height
            and rays <= min(MAX_RAYS, 64 * width * height) * mirrored and 0 < unit < np.inf):
        raise AssetError(f"{name}: header claims {width}x{height} pixels, {count} covered, {fine} and {coarse} bins a "
                         f"side, {lobes} lobes, {rays} rays, which cannot be")
    if size not in (None, (width, height)):
        raise AssetError(f"{name}: is of {width}x{height} pixels, its clip of {size[0]}x{size[1]}")
    sections = 2 + 3 * mirrored + 3 * lobes * -(-count // TILE)
    if len(data) != _HEADER.size + length or length < 4 * sections:
        raise AssetError(f"{name}: {len(data)} bytes, its header tells of {_HEADER.size + length} in {sections} parts")
    view = memoryview(data)
    if zlib.crc32(view[_HEADER.size :], zlib.crc32(_HEADER.pack(*fields, 0))) != checksum:
        raise AssetError(f"{name}: damaged: its bytes don't have the checksum that its header tells")
    sizes = struct.unpack_from(f"<{sections}I", data, _HEADER.size)
    if sum(sizes) + 4 * sections != length:
        raise AssetError(f"{name}: its parts have {sum(sizes)} bytes, expected {length - 4 * sections}")
    ends = np.cumsum((_HEADER.size + 4 * sections, *sizes)).tolist()
    parts = [view[start:end] for start, end in zip(ends, ends[1:], strict=False)]

    mask = np.unpackbits(_unpack(parts[0], "u1", -(-width * height // 8), name), count=width * height)
    pixels = np.flatnonzero(mask).astype(np.uint32)
    if len(pixels) != count:
        raise AssetError(f"{name}: {len(pixels)} pixels are marked, its header tells of {count}")
    scales = _unpack(parts[1], "<f2", count * lobes * 3, name).astype(np.float32) * np.float32(unit)
    if not (np.isfinite(scales).all() and (scales >= 0).all()):
        raise AssetError(f"{name}: scales are negative, NaN or infinite")
    mirror = _mirror(parts[2:5], rays, width * height, name) if mirrored else None
    planes = parts[2 + 3 * mirrored :]
    return CompressedTransport(width, height, Basis(fine, coarse), pixels, mirror, scales, lobes, tuple(planes), name)


def _mirror(parts: Sequence[memoryview], rays: int, area: int, name: str) -> Mirror:
    pixels = np.cumsum(_unpack(parts[0], "<i4", rays, name), dtype=np.int64)
    square = _unpack(parts[1], "<u2", 2 * rays, name).reshape(2, rays).T
    weights = _unpack(parts[2], "<f4", rays, name).astype(np.float32)
    if rays and (pixels.min() < 0 or pixels.max() >= area or not np.isfinite(weights).all()):
        raise AssetError(f"{name}: mirrored rays lie outside the image or have weights that aren't finite")
    directions = to_sphere((square + 0.5) / 65536).astype(np.float32)
    return Mirror(pixels.astype(np.uint32), directions, weights)


def _unpack(part: memoryview, dtype: str, count: int, name: str) -> np.ndarray:
    """``count`` numbers; refused before allocation where a part would grow more than zeros do."""
    import pyarrow as pa

    size = count * np.dtype(dtype).itemsize
    if not size:
        return np.zeros(0, dtype)
    if size > _MOST_GROWTH * len(part):
        raise AssetError(f"{name}: a part of {len(part)} bytes cannot hold {size}")
    try:
        return np.frombuffer(pa.Codec("zstd").decompress(part, decompressed_size=size), dtype, count)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise AssetError(f"{name}: a part cannot be unpacked: {' '.join(str(error).split())[:200]}") from None


@dataclasses.dataclass(frozen=True, eq=False)
class CompressedTransport:
    """A frame's transport as it is stored. Relighting unpacks a tile of pixels at a time."""

    width: int
    """Columns of the whole image."""
    height: int
    """Rows of the whole image."""
    basis: Basis
    """The bins of directions."""
    pixels: np.ndarray
    """(P,) uint32 row-major indices of the pixels, ascending."""
    mirror: Mirror | None
    """What is looked up in the map itself."""
    scales: np.ndarray
    """float32, of each tile in turn, of each lobe (n, 3): what entries are multiplied by."""
    lobes: int
    """1 for all in one; 2 for a diffuse and a specular one."""
    planes: tuple[memoryview, ...]
    """Zstandard frames of (D, n) bytes: levels and two colours, of each lobe of each tile."""
    name: str = "transport"
    """For messages."""

    def relight(self, lights: np.ndarray, maps: Sequence[EnvMap] = (), specular: bool = False) -> np.ndarray:
        """(L, H, W, 3) float32 images under lights (L, D, 3); see :func:`synth.transport.response.relight`."""
        lights = check_lights(self, lights, len(maps))
        lights = np.ascontiguousarray(_weighted(lights, self.basis).T)  # (3, D, L)
        images = np.zeros((lights.shape[2], self.height * self.width, 3), np.float32)
        from_bins = np.empty(lights.shape[1:], np.float32)
        for chosen, bins, lobes in self._tiles(specular):
            out, spare = np.empty((2, len(bins), len(chosen)), np.float32)
            lit = np.empty((lights.shape[2], len(chosen), 3), np.float32)
            for channel in range(3):
                # (As an index, ``bins`` would take fifteen times as long.)
                light = np.take(lights[channel], bins, axis=0, out=from_bins[: len(bins)], mode="clip")
                lit[..., channel] = light.T @ _entries(lobes, channel, out, spare)
            pixels = self.pixels[chosen].astype(np.int64)
            starts = np.flatnonzero(np.diff(pixels, prepend=-2) != 1)  # of runs along a row: copied as slices
            for start, stop in zip(starts, (*starts[1:], len(pixels)), strict=True):
                images[:, pixels[start] : pixels[start] + stop - start] = lit[:, start:stop]
        if self.mirror is not None:
            gains = {height: mirror_matrix(self.mirror, height) for height in {light.height for light in maps}}
            for image, light in zip(images, maps, strict=False):
                pixels, gain = gains[light.height]
                image[pixels] += gain @ light.data.reshape(-1, 3)
        return images.reshape(-1, self.height, self.width, 3)

    def flat(self) -> np.ndarray:
        """(H, W, 3) float32 image under a sky of radiance 1: the ``flat`` channel."""
        white = np.ones((1, self.basis.size, 3), np.float32)
        return self.relight(white, (EnvMap(np.ones((2, 4, 3), np.float32)),))[0]

    def expand(self) -> Transport:
        """All of it, dense: P x 3 x D floats, twice where there are lobes."""
        weights = _weighted(np.ones((1, self.basis.size, 1)), self.basis)[0, :, 0]
        arrays = []
        for specular in (False, True)[: self.lobes]:
            arrays.append(np.zeros((len(self.pixels), 3, self.basis.size), np.float32))
            for chosen, bins, lobes in self._tiles(specular):
                for channel in range(3):
                    arrays[-1][chosen[:, None], channel, bins] = _entries(lobes, channel).T * weights[bins]
        return Transport(self.width, self.height, self.basis, self.pixels, arrays[0],
                         arrays[1] if self.lobes == 2 else None, self.mirror)

    def _tiles(self, specular: bool) -> Iterator[tuple[np.ndarray, np.ndarray, list[_Lobe]]]:
        """Of each tile: places (n,) in ``pixels``, the bins that light any of them, and its lobes in these bins."""
        if specular and self.lobes == 1:
            raise AssetError(f"{self.name}: holds no specular part")
        order = _tile_order(self.pixels, self.width)
        for number, first in enumerate(range(0, len(order), TILE)):
            chosen = order[first : first + TILE]
            coded = [self._planes(number, lobe, len(chosen)) for lobe in range(specular, self.lobes)]
            bins = np.flatnonzero(np.any([planes[0].any(axis=1) for planes, _ in coded], axis=0))
            yield chosen, bins, [_Lobe.of([plane[bins] for plane in planes], scale) for planes, scale in coded]

    def _planes(self, tile: int, lobe: int, count: int) -> tuple[list[np.ndarray], np.ndarray]:
        """Levels and colours (D, n) and scales (n, 3) of one lobe of a tile."""
        packed = self.planes[3 * (tile * self.lobes + lobe) :][:3]
        start = 3 * (tile * TILE * self.lobes + lobe * count)
        return [_unpack(plane, kind, self.basis.size * count, self.name).reshape(-1, count)
                for plane, kind in zip(packed, ("u1", "i1", "i1"), strict=True)], \
            self.scales[start : start + 3 * count].reshape(count, 3)
