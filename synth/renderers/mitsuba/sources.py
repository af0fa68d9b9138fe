"""Suns and small lamps, whose shadows are sharper than a bin: they light the kept hits of each pixel.

Import only after a variant has been set. What is in a shadow, or in none, is most of a picture. So a few of a pixel's
hits are asked whether they see the source; where they and the four pixels beside agree, the others are taken to see the
same, and are only shaded.
"""

from __future__ import annotations

from collections.abc import Sequence

import drjit as dr
import mitsuba as mi
import numpy as np

from synth.renderers.mitsuba.arrays import aligned
from synth.renderers.mitsuba.first_hits import FirstHits, ray_from
from synth.transport.light import Source

PROBES = 4
"""Hits of a pixel that are asked; all are where these disagree, and on edges."""
AVERTED = -0.1
"""Where all that are asked face so far away from a source (a cosine), no other faces it."""


class SourceLight:
    """What K sources give the pixels of some first hits; a *pair* is ``source * pixels + pixel``."""

    def __init__(self, hits: FirstHits, sources: Sequence[Source], lobes: bool):
        self._hits, self._count, self._lobes = hits, len(sources), lobes
        self._towards = mi.Float(aligned(np.concatenate([source.directions for source in sources]).ravel()))
        self._power = mi.Float(aligned(np.stack([source.irradiance for source in sources]).ravel()))
        self._spread = dr.opaque(mi.UInt32, len(sources[0].directions))
        self._pixels, self._samples = (dr.opaque(mi.UInt32, number) for number in (hits.pixels, hits.samples))

    def radiance(self, probes: int = PROBES) -> tuple[np.ndarray, np.ndarray | None]:
        """(K, P, 3) float32, and its specular part if asked for. probes: 0 asks every hit what it sees."""
        both = np.zeros((self._count * self._hits.pixels, 6 if self._lobes else 3), np.float32)
        alike = probes and not self._hits.rough
        free, mixed = self._asked(probes) if alike else ((), dr.arange(mi.UInt32, len(both)))
        for pairs, traced in ((free, False), (mixed, True)):
            if len(pairs):
                both[np.array(pairs)] = self._summed(self._solid(pairs, traced), self._hits.samples)
        both = both.reshape(self._count, self._hits.pixels, -1)
        if self._hits.surfaces.fibres is not None:
            both += self._hair()
        both /= np.float32(self._hits.samples)
        return both[..., :3], both[..., 3:] if self._lobes else None

    def _asked(self, probes: int) -> tuple[mi.UInt32, mi.UInt32]:
        """Pairs where nothing hides the source, and those that must be traced; all others are dark."""
        pair = dr.arange(mi.UInt32, self._count * self._hits.pixels)
        step = dr.opaque(mi.UInt32, self._hits.samples // probes)
        alone = _ask(self, pair, step, dr.opaque(mi.UInt32, probes))
        dr.eval(alone)
        states = list(alone)
        source = pair // self._pixels
        for row in self._hits.beside:
            other = source * self._pixels + dr.gather(mi.UInt32, row, pair - source * self._pixels)
            states = [state & dr.gather(mi.Bool, mine, other) for state, mine in zip(states, alone, strict=True)]
        free, dark = states
        dr.eval(free, dark)
        return dr.compress(free), dr.compress(~free & ~dark)

    def direction(self, source: mi.UInt32, place: mi.UInt32, active: mi.Bool = True) -> mi.Vector3f:
        """From the hits at ``place`` to the source: neighbours look at other places of it."""
        turn = mi.UInt32(dr.gather(mi.Float, self._hits.turn, place, active) * mi.Float(self._spread))
        return dr.gather(mi.Vector3f, self._towards, source * self._spread + dr.minimum(turn, self._spread - 1), active)

    def where(self, pair: mi.UInt32) -> tuple[mi.UInt32, mi.UInt32]:
        """Source, and first place of the hits, of each pair."""
        source = pair // self._pixels
        return source, (pair - source * self._pixels) * self._samples

    def _solid(self, pairs: mi.UInt32, traced: bool) -> list[mi.Float]:
        """What the hits of each pair get, one after the other: all but hair."""
        hits, lane = self._hits, dr.arange(mi.UInt32, len(pairs) * self._hits.samples)
        row = lane // self._samples
        source, first = self.where(dr.gather(mi.UInt32, pairs, row))
        place = first + (lane - row * self._samples)
        light, solid = self.direction(source, place), dr.gather(mi.Bool, hits.solid, place)
        surface = hits.surface.at(place, solid)
        fleshy = dr.gather(mi.Bool, hits.fleshy, place)
        facing = solid & surface.facing(light)
        gloss = dr.select(facing, surface.gloss(light) * dr.gather(mi.Float, hits.weight, place), 0)
        matte = mi.Color3f(0)
        if hits.surfaces.flesh is not None:
            entry = hits.entry.at(place, fleshy)
            below = fleshy & entry.facing(light)
            matte = dr.select(below, entry.below * dr.dot(entry.bumpy, light), 0)
            if traced:
                matte *= hits.free(entry.ray(light), place, below)
        front = dr.select(facing & ~fleshy, surface.diffuse(light), 0)
        if traced:
            start = [dr.gather(kind, array, place, facing) for kind, array in ((mi.Point3f, hits.si.p),
                                                                              (mi.Normal3f, hits.si.n))]
            free = hits.free(ray_from(*start, light), place, facing)
            gloss, front = gloss * free, front * free
        power = dr.gather(mi.Color3f, self._power, source)
        found = (front + matte + gloss) * power
        return [*found, *(gloss * power)] if self._lobes else [*found]

    @staticmethod
    def _summed(values: list[mi.Float], samples: int) -> np.ndarray:
        dr.eval(values)  # one kernel; block_sum would evaluate each component by tracing everything again
        sums = [dr.block_sum(component, samples) for component in values]
        dr.eval(sums)
        return np.stack([np.array(total) for total in sums], axis=-1)

    def _hair(self) -> np.ndarray:
        """(K, P, 3 or 6): sums over the hits on strands."""
        hits = self._hits
        places = dr.compress(hits.hairy)
        total = np.zeros((self._count, hits.pixels, 6 if self._lobes else 3), np.float32)
        if not len(places):
            return total
        lane, count = dr.arange(mi.UInt32, self._count * len(places)), dr.opaque(mi.UInt32, len(places))
        source = lane // count
        place = dr.gather(mi.UInt32, places, lane - source * count)
        light = self.direction(source, place)
        si = dr.gather(mi.SurfaceInteraction3f, hits.si, place)
        bsdf, twin = (dr.gather(mi.BSDFPtr, pointers, place) for pointers in (hits.bsdf, hits.twin))
        value = bsdf.eval(mi.BSDFContext(), si, si.to_local(light))
        lit = dr.max(value) > 0
        here = hits.free(si.spawn_ray(light), place, lit) * dr.gather(mi.Float, hits.weight, place)
        here = dr.select(lit, here, 0) * dr.gather(mi.Color3f, self._power, source)
        found = [*(here * value)]
        if self._lobes:
            found += [*(here * dr.minimum(twin.eval(mi.BSDFContext(), si, si.to_local(light)), value))]
        dr.eval(found)
        values = np.stack([np.array(component) for component in found], axis=-1)
        pixel, starts = np.unique(np.array(places) // hits.samples, return_index=True)
        total[:, pixel] = np.add.reduceat(values.reshape(self._count, len(places), -1), starts, axis=1)
        return total


@dr.syntax
def _ask(light, pair, step, probes):
    """Whether all that are asked see the source, and whether none does."""
    hits, (source, first) = light._hits, light.where(pair)
    number, seen, hidden = mi.UInt32(0), mi.UInt32(0), mi.UInt32(0)
    closest = mi.Float(-1)
    while dr.hint(number < probes, label="probes"):
        place = first + number * step
        solid = dr.gather(mi.Bool, hits.solid, place)
        entry = hits.entry.at(place, solid)
        direction = light.direction(source, place)
        facing = solid & entry.facing(direction)
        share = hits.free(entry.ray(direction), place, facing)
        seen += dr.select(facing & (share == 1), mi.UInt32(1), mi.UInt32(0))
        hidden += dr.select(facing & (share == 0), mi.UInt32(1), mi.UInt32(0))
        closest = dr.select(solid, dr.maximum(closest, dr.dot(entry.upright, direction)), closest)
        number += 1
    return seen == probes, (hidden == probes) | (closest < AVERTED)
