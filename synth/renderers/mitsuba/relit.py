"""Pictures of a frame from its transport: one estimate of that, and a product for every lighting.

Import only after a variant has been set. Tile by tile, so that memory holds the pictures, and little beside them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import drjit as dr
import numpy as np

from synth.lighting.envmap import EnvMap
from synth.renderers.mitsuba.first_hits import FirstHits
from synth.renderers.mitsuba.scene import PortraitScene
from synth.renderers.mitsuba.sources import SourceLight
from synth.renderers.mitsuba.transport import FrameTransport
from synth.transport.directions import Basis
from synth.transport.light import Source, split_sources
from synth.transport.response import Mirror, Transport, relight

BASIS = Basis()
"""Bins of directions of every clip."""
SOURCES = 32
"""Small sources that are traced together: bounds memory to some 200 MB."""
_WHITE = EnvMap(np.ones((2, 4, 3), np.float32))


class Lights:
    """Maps as vectors of light and sources; what the frame before showed too is not projected again."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[EnvMap, np.ndarray, list[Source]]] = {}

    def of(self, maps: Sequence[EnvMap]) -> tuple[np.ndarray, list[tuple[int, Source]]]:
        """(L, D, 3) float32 vectors of L maps without their sources, and the sources, each with its map's number."""
        self._known = {id(light): self._known.get(id(light)) or (light, *split_sources(light, BASIS))
                       for light in maps}
        entries = [self._known[id(light)] for light in maps]
        vectors = np.stack([vector for _, vector, _ in entries])
        return vectors, [(number, source) for number, (*_, sources) in enumerate(entries) for source in sources]


@dataclasses.dataclass(frozen=True)
class Relit:
    """A frame under L lights; float32, premultiplied linear Rec.709 radiance of the foreground, never negative."""

    rgb: np.ndarray
    """(L, H, W, 3)."""
    specular: np.ndarray | None
    """(L, H, W, 3): the part of ``rgb`` that left the first hit by its specular lobe, if asked for."""
    flat: np.ndarray
    """(H, W, 3): in a white world of radiance 1."""
    transport: Transport | None
    """Of all covered pixels, if asked for."""


def relit(portrait: PortraitScene, maps: Sequence[EnvMap], lights: Lights, *, paths: int, seed: int, lobes: bool,
          keep: bool) -> Relit:
    """Light the frame that ``portrait`` shows by L maps, of ``paths`` samples a pixel of its transport.

    lobes: also the specular part. keep: also the transport, which takes 13 KB a covered pixel, twice with lobes.
    """
    vectors, sources = lights.of((*maps, _WHITE))
    height, width = portrait.touched.shape
    rgb = np.zeros((len(vectors), height * width, 3), np.float32)
    specular = np.zeros((len(maps), height * width, 3), np.float32) if lobes else None
    whole = _Whole(portrait.touched, lobes) if keep else None
    for tile, hits in FrameTransport(portrait, BASIS, paths, seed, lobes).tiles():
        light_tile(tile, hits, vectors, (*maps, _WHITE), sources, rgb, specular)
        if whole:
            whole.add(tile)
    dr.flush_malloc_cache()  # hundreds of MB, which those who encode the pictures can use
    np.maximum(rgb, 0, out=rgb)
    if lobes:  # what is left of rgb is the diffuse part, which sums of many floats must not turn negative
        np.clip(specular, 0, rgb[:-1], out=specular)
        specular = specular.reshape(-1, height, width, 3)
    rgb = rgb.reshape(-1, height, width, 3)
    return Relit(rgb[:-1], specular, rgb[-1], whole.transport() if whole else None)


def light_tile(tile: Transport, hits: FirstHits, vectors: np.ndarray, maps: Sequence[EnvMap],
               sources: Sequence[tuple[int, Source]], rgb: np.ndarray, specular: np.ndarray | None) -> None:
    """Fill the tile's pixels of (L, H W, 3) ``rgb``, and of ``specular``, which lacks the last light."""
    row = _as_row(tile)
    total = relight(row, vectors, maps)[:, 0]
    gloss = None if specular is None else relight(row, vectors[:-1], maps[:-1], specular=True)[:, 0]
    for first in range(0, len(sources), SOURCES):
        owners, batch = zip(*sources[first : first + SOURCES], strict=True)
        found, found_gloss = SourceLight(hits, batch, specular is not None).radiance()
        for number, owner in enumerate(owners):
            total[owner] += found[number]
            if gloss is not None:
                gloss[owner] += found_gloss[number]
    rgb[:, tile.pixels] = total
    if gloss is not None:
        specular[:, tile.pixels] = gloss


def _as_row(tile: Transport) -> Transport:
    """The tile as an image of its own, one pixel high, so that pictures of it are no larger than it is."""
    mirror = tile.mirror
    if mirror is not None:
        mirror = Mirror(np.searchsorted(tile.pixels, mirror.pixels).astype(np.uint32), mirror.directions,
                        mirror.weights)
    pixels = np.arange(len(tile.pixels), dtype=np.uint32)
    return dataclasses.replace(tile, width=len(pixels), height=1, pixels=pixels, mirror=mirror)


class _Whole:
    """The transport of all covered pixels, put together from its tiles."""

    def __init__(self, touched: np.ndarray, lobes: bool) -> None:
        self._height, self._width = touched.shape
        self._pixels = np.flatnonzero(touched > 0).astype(np.uint32)
        shape = (len(self._pixels), 3, BASIS.size)
        self._response = np.zeros(shape, np.float32)
        self._specular = np.zeros(shape, np.float32) if lobes else None
        self._mirrors: list[Mirror] = []

    def add(self, tile: Transport) -> None:
        rows = np.searchsorted(self._pixels, tile.pixels)
        self._response[rows] = tile.response
        if self._specular is not None:
            self._specular[rows] = tile.specular
        if tile.mirror is not None:
            self._mirrors.append(tile.mirror)

    def transport(self) -> Transport:
        mirror = None
        if self._mirrors:
            pixels = np.concatenate([part.pixels for part in self._mirrors])
            order = np.argsort(pixels, kind="stable")
            mirror = Mirror(pixels[order], np.concatenate([part.directions for part in self._mirrors])[order],
                            np.concatenate([part.weights for part in self._mirrors])[order])
        return Transport(self._width, self._height, BASIS, self._pixels, self._response, self._specular, mirror)
