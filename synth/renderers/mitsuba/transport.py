"""The response of pixels to light from every direction, by path tracing.

Import only after a variant has been set. Direct light is found from hits that are kept (:mod:`.first_hits`); here are
bounced light, and all light of hair. Paths are those of :mod:`.path`, but there is no light to aim at: directions are
those of the BSDFs, at the first hit by a low-discrepancy sequence, and what a path finds is not added up but put into
the bin that it came from. Few paths meet a second surface: those are gathered, and traced on with bins of their own
each, which are then summed pixel by pixel. So no atomics are needed, and the same seed gives the same bits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import drjit as dr
import mitsuba as mi
import numpy as np

from synth.renderers.mitsuba import glass, subsurface
from synth.renderers.mitsuba.arrays import aligned
from synth.renderers.mitsuba.first_hits import R3, FirstHits
from synth.renderers.mitsuba.path import Departure, camera_rays, choose, depart, roulette, samples_taken
from synth.renderers.mitsuba.scene import RR_DEPTH, PortraitScene
from synth.renderers.mitsuba.shading import Palette
from synth.renderers.mitsuba.surfaces import Surfaces
from synth.seeds import derive_seed
from synth.transport.directions import R2, Basis
from synth.transport.response import Mirror, Transport

GLOSS = 0.2
"""Chance that a path goes on from flesh by the gloss."""
CHUNK = 64
"""Paths of each pixel that are traced at once."""
GATHERED = 1 << 17
"""Paths that are followed at once beyond what they meet second: their bins take 100 MB, twice with lobes."""
SECOND, FURTHER = 4, 16
"""What paths meet second is lit from one coarse bin in so many; what they meet after that, from fewer."""
SATIN = 0.1
"""Roughness of a clear coat in the light of a bounce, at least: a mirror's would be found by too few."""
GRID = 4
"""Paths go through the cells of a grid of so many a side over their pixel in turn."""

TILE = 8192
"""Pixels at once: their bins take some hundred MB."""
HITS = 36
"""First hits of a pixel on one smooth piece of surface."""
EDGE_HITS = 63
"""First hits of a pixel on an edge or on hair."""


def to_square(d: mi.Vector3f) -> mi.Point2f:
    """Points of the unit square, see :func:`synth.transport.directions.to_square`."""
    radius = dr.safe_sqrt(1 - dr.abs(d.y))
    turn = dr.atan2(dr.abs(d.x), dr.abs(d.z)) * (2 / dr.pi)
    u, v = radius * turn, radius * (1 - turn)
    u, v = dr.select(d.y < 0, 1 - v, u), dr.select(d.y < 0, 1 - u, v)
    return mi.Point2f(dr.mulsign(u, d.x), dr.mulsign(v, d.z)) * 0.5 + 0.5


def to_sphere(point: mi.Point2f) -> mi.Vector3f:
    """Unit world vectors, see :func:`synth.transport.directions.to_sphere`."""
    u, v = 2 * point.x - 1, 2 * point.y - 1
    across, along = dr.abs(u), dr.abs(v)
    signed = 1 - (across + along)
    radius = 1 - dr.abs(signed)
    turn = dr.select(radius > 0, (across - along) / dr.maximum(radius, 1e-12) + 1, 1) * (dr.pi / 4)
    sine, cosine = dr.sincos(turn)
    flat = radius * dr.safe_sqrt(2 - dr.square(radius))
    return mi.Vector3f(dr.mulsign(sine * flat, u), dr.mulsign(1 - dr.square(radius), signed),
                       dr.mulsign(cosine * flat, v))


class Bins:
    """Sums of what the paths of each lane's pixel found, by bin: flat arrays of (lanes, 3, D).

    No dataclass, which Dr.Jit would take apart and carry through its loops.
    """

    def __init__(self, basis: Basis, lanes: int, lobes: bool):
        """basis: of no fine bins where there is no need of them."""
        self.fine, self.coarse, self.size = basis.fine, basis.coarse, basis.size
        self.total = dr.zeros(mi.Float, lanes * 3 * basis.size)
        self.specular = dr.zeros(mi.Float, lanes * 3 * basis.size) if lobes else None
        self.lane = dr.arange(mi.UInt32, lanes)

    to_square = staticmethod(to_square)

    def number(self, point: mi.Point2f, fine: bool) -> mi.UInt32:
        """Column of ``response`` for a point of the square."""
        side = self.fine if fine else self.coarse
        column, row = (dr.minimum(mi.UInt32(axis * side), side - 1) for axis in (point.x, point.y))
        return row * side + column + (0 if fine else self.fine**2)

    def add(self, column: mi.UInt32, found: mi.Color3f, gloss: mi.Color3f, active: mi.Bool) -> None:
        """Add radiance, and the specular part of it, to a column of each active lane."""
        for k in range(3):
            place = (self.lane * 3 + k) * self.size + column
            dr.scatter_add(self.total, found[k], place, active, mode=dr.ReduceMode.NoConflicts)
            if self.specular is not None:
                dr.scatter_add(self.specular, gloss[k], place, active, mode=dr.ReduceMode.NoConflicts)


    def rows(self) -> list[np.ndarray]:
        """The sums, and the specular part of them if there is one, (lanes, 3, D) float32 each."""
        dr.eval(self.total, self.specular)
        return [np.array(sums).reshape(-1, 3, self.size) for sums in (self.total, self.specular) if sums is not None]


def first_stretch(scene, sampler, ray, surfaces: Surfaces, palette: Palette, lobe: mi.Float, point: mi.Point2f):
    """Paths as they leave what ``ray`` meets first, in the direction sampled by ``lobe`` and ``point``.

    Also which of them meet something there, and the share of the sky's light that others bring if it is found here.
    """
    si, ray, weight, reflected, inside = glass.first_seen(scene, surfaces, sampler, ray)
    seen = si.is_valid() & ~reflected
    si = surfaces.comb(si, ray, seen)
    onwards = _first_hit(scene, sampler, surfaces, si, ray, lobe, point, weight, inside, seen)
    if surfaces.fibres is not None:
        onwards = roulette(onwards, sampler.next_1d(), surfaces.hairy(si, seen), mild=True)
    # A mirror's sky is looked up in the map itself, and what bins light evenly is in FirstHits: hair is left.
    alone = None
    if surfaces.fibres is not None:
        alone = glass.unoccluded(scene, surfaces, onwards.ray, onwards.inside,
                                 onwards.active & surfaces.hairy(si, seen))
    mirrored = Departure(ray, mi.Color3f(weight), mi.Color3f(1), mi.Float(0), mi.Bool(False), reflected)
    onwards = choose(reflected, mirrored, onwards)
    return onwards, onwards.active & scene.ray_test(onwards.ray, onwards.active), alone


def _first_hit(scene, sampler, surfaces, si, ray, lobe, point, weight, inside, active) -> Departure:
    context = mi.BSDFContext()
    number = None if surfaces.flesh is None else surfaces.flesh_number(si, active)
    plain = active if number is None else active & (number == 0)
    sample, bounced = si.bsdf(ray).sample(context, si, lobe, point, plain)
    twin = surfaces.twin(si, active)
    full = bounced * sample.pdf
    share = dr.clip(dr.select(full > 0, twin.eval(context, si, sample.wo, plain) / full, 0), 0, 1)
    onwards = depart(si, sample, bounced * weight, share, sample.pdf, inside, plain)
    if number is None:
        return onwards
    fleshy = active & (number != 0)
    from_flesh = _flesh(scene, sampler, surfaces, si, ray, number, lobe, point, weight, inside, fleshy)
    return choose(fleshy, from_flesh, onwards)


def _flesh(scene, sampler, surfaces, si, ray, number, lobe, point, weight, inside, active) -> Departure:
    """From flesh, either by its gloss where it is seen or by its base where light enters."""
    context = mi.BSDFContext()
    mirror = lobe < GLOSS
    lobe = dr.select(mirror, lobe / GLOSS, (lobe - GLOSS) / (1 - GLOSS))
    sample, bounced = surfaces.twin(si, active).sample(context, si, lobe, point, active & mirror)
    by_gloss = depart(si, sample, bounced * weight / GLOSS, mi.Color3f(1), sample.pdf, inside, active)

    albedo = si.bsdf(ray).eval_diffuse_reflectance(si, active)
    leaving = subsurface.leaving(si, albedo)
    entered, colours = subsurface.entry(scene, surfaces, si, number, albedo, sampler.next_2d(), sampler.next_1d(),
                                        active & ~mirror)
    down, let_in = surfaces.base(entered, active).sample(context, entered, lobe, point, active & ~mirror)
    by_base = depart(entered, down, let_in * leaving * colours * weight / (1 - GLOSS), mi.Color3f(0), down.pdf, inside,
                      active)
    return choose(mirror, by_gloss, by_base)


@dr.syntax
def _bounces(scene, sampler, surfaces, palette, bins, start, max_depth, rr_depth):
    """Follow paths that meet a second surface, and light each surface that they meet from the coarse bins by turns.

    So a small lamp is found, however narrow its bin is. Light of hair is found where paths escape.
    """
    context = mi.BSDFContext()
    ray, throughput, share = mi.Ray3f(start.ray), mi.Color3f(start.throughput), mi.Color3f(start.share)
    inside, active = mi.Bool(start.inside), mi.Bool(start.active)
    depth, unlit = mi.UInt32(1), mi.Bool(False)

    while dr.hint(active, label="bounces"):
        si = scene.ray_intersect(ray, ray_flags=mi.RayFlags.All, coherent=False, active=active)
        si = surfaces.comb(si, ray, active)
        bins.add(bins.number(to_square(ray.d), False), throughput, throughput * share,
                 active & ~si.is_valid() & (depth > 1) & unlit)

        pane = mi.Bool(False)
        beyond = mi.Ray3f(ray)
        if dr.hint(surfaces.ior is not None, mode="scalar"):
            pane, through, beyond, inside = glass.pass_straight(surfaces, si, ray, inside, active)
            throughput *= through
        going_on = active & si.is_valid() & ~pane & (depth + 1 < max_depth)

        solid = going_on & (palette.number(si, going_on) != 0)
        surface = palette.read(si, si.bsdf(ray), solid)
        surface.coat = dr.maximum(surface.coat, SATIN)
        step = dr.select(depth == 1, mi.UInt32(SECOND), mi.UInt32(FURTHER))
        number = dr.minimum(mi.UInt32(sampler.next_1d() * mi.Float(step)), step - 1)
        weight, turn = mi.Float(step) * (4 * np.pi / bins.coarse**2), sampler.next_2d()
        while dr.hint(solid & (number < bins.coarse**2), label="light on what is met"):
            within = turn + mi.Float(number) * mi.Point2f(*R2.tolist())
            row = number // bins.coarse
            cell = mi.Point2f(mi.Float(number - row * bins.coarse), mi.Float(row))
            light = to_sphere((cell + within - dr.floor(within)) / bins.coarse)
            facing = solid & surface.facing(light)
            free = glass.unoccluded(scene, surfaces, si.spawn_ray(light), inside, facing)
            found = throughput * (surface.diffuse(light) + surface.gloss(light)) * (free * weight)
            bins.add(bins.fine**2 + number, found, found * share, facing & (free > 0))
            number += step

        sample, bounced = si.bsdf(ray).sample(context, si, sampler.next_1d(), sampler.next_2d(), going_on)
        onwards = depart(si, sample, throughput * bounced, share, sample.pdf, inside, going_on)
        onwards = roulette(onwards, sampler.next_1d(), (depth + 1 >= rr_depth) | surfaces.hairy(si, going_on))
        throughput = dr.select(pane, throughput, onwards.throughput)
        ray = dr.select(pane, beyond, onwards.ray)
        unlit = dr.select(pane, unlit, ~solid)
        depth = dr.select(pane, depth, depth + 1)
        active = pane | onwards.active


class FrameTransport:
    """The transport of the frame that a :class:`PortraitScene` shows, tile by tile."""

    def __init__(self, portrait: PortraitScene, basis: Basis, samples: int, seed: int, lobes: bool):
        """samples: paths a pixel."""
        self._portrait, self._basis, self._samples, self._seed, self._lobes = portrait, basis, samples, seed, lobes
        self._scene, self._sensor = portrait.scene, portrait.scene.sensors()[0]
        self._palette = portrait.palette()

    def tiles(self) -> Iterator[tuple[Transport, FirstHits]]:
        """Every covered pixel once, with the hits from which sources light it."""
        touched, rough = self._portrait.touched > 0, self._portrait.edges()
        for chosen, hits in ((touched & ~rough, HITS), (touched & rough, EDGE_HITS)):
            pixels = np.flatnonzero(chosen).astype(np.uint32)
            step = TILE * HITS // hits
            for first in range(0, len(pixels), step):
                yield self._tile(pixels[first:first + step], hits)

    def _tile(self, pixels: np.ndarray, samples: int) -> tuple[Transport, FirstHits]:
        seed = derive_seed(self._seed, "hits", int(pixels[0])) & 0x7FFFFFFF
        hits = FirstHits(self._scene, self._sensor, self._portrait.surfaces, self._palette, pixels, samples, seed,
                         samples != HITS)
        response, specular = self._respond(pixels, hits)
        mirror = Mirror(*mirrored_sky(self._scene, self._sensor, self._portrait.surfaces, pixels, EDGE_HITS, seed)) \
            if self._portrait.surfaces.ior is not None else None
        height, width = self._portrait.touched.shape
        return Transport(width, height, self._basis, pixels, response, specular, mirror), hits

    def _respond(self, pixels: np.ndarray, hits: FirstHits) -> tuple[np.ndarray, np.ndarray | None]:
        """Response (P, 3, D) float32 of P pixels and its specular part."""
        bins = Bins(self._basis, len(pixels), self._lobes)
        hits.respond(bins, self._samples)
        sums = bins.rows()
        sampler = mi.load_dict({"type": "independent"})
        sampler.seed(derive_seed(self._seed, "paths", int(pixels[0])) & 0x7FFFFFFF, len(pixels))
        start = sampler.next_1d(), sampler.next_2d()
        for first in range(0, self._samples, CHUNK):
            self._trace(pixels, start, first, min(CHUNK, self._samples - first), sums)
        for total in sums:
            total /= self._samples
        return sums[0], sums[1] if self._lobes else None

    def _trace(self, pixels: np.ndarray, turns: tuple, first: int, count: int, sums: list[np.ndarray]) -> None:
        """Add ``count`` paths of each pixel, from number ``first`` of a sequence on, to the rows of ``sums``.

        turns: where the sequences of lobes and directions of each pixel begin.
        """
        scene, surfaces = self._scene, self._portrait.surfaces
        sampler = mi.load_dict({"type": "independent"})
        sampler.seed(derive_seed(self._seed, f"paths {first}", int(pixels[0])) & 0x7FFFFFFF, len(pixels) * count)
        lane = dr.arange(mi.UInt32, len(pixels) * count)
        row = lane // dr.opaque(mi.UInt32, count)
        number = lane - row * dr.opaque(mi.UInt32, count) + dr.opaque(mi.UInt32, first)
        turn, shift = dr.gather(mi.Float, turns[0], row), dr.gather(mi.Point2f, turns[1], row)
        pixel = dr.gather(mi.UInt32, mi.UInt32(aligned(pixels, np.uint32)), row)
        ray = self._through(pixel, (number + mi.UInt32(turn * (GRID * GRID))) % (GRID * GRID), sampler.next_2d())
        step = mi.Float(number)
        lobe, point = turn + step * R3[2], shift + step * mi.Point2f(R3[0], R3[1])
        lobe, point = lobe - dr.floor(lobe), point - dr.floor(point)
        onwards, met, alone = first_stretch(scene, sampler, ray, surfaces, self._palette, lobe, point)
        dr.eval(onwards, met, alone)
        if alone is not None:
            _add_alone(Bins(self._basis, 1, False), onwards, alone, row, sums)
        chosen = np.array(dr.compress(met))
        for begin in range(0, len(chosen), GATHERED):
            part = chosen[begin:begin + GATHERED]
            start = _at(onwards, mi.UInt32(aligned(part, np.uint32)))
            bins = Bins(Basis(0, self._basis.coarse), len(part), self._lobes)
            sampler.seed(derive_seed(self._seed, f"bounces {first} {begin}", int(pixels[0])) & 0x7FFFFFFF, len(part))
            _bounces(scene, sampler, surfaces, self._palette, bins, start, self._portrait.max_depth, RR_DEPTH)
            place, starts = np.unique(part // count, return_index=True)
            for total, rows in zip(sums, bins.rows(), strict=True):
                total[place, :, self._basis.fine**2:] += np.add.reduceat(rows, starts, axis=0)

    def _through(self, pixel: mi.UInt32, cell: mi.UInt32, within: mi.Point2f) -> mi.Ray3f:
        """Camera rays through the cells of a grid over each pixel, given by its row-major index."""
        width, height = (dr.opaque(mi.UInt32, side) for side in self._sensor.film().size())
        row = pixel // width
        corner = mi.Point2f(mi.Float(pixel - row * width), mi.Float(row))
        within = (mi.Point2f(mi.Float(cell % GRID), mi.Float(cell // GRID)) + within) / GRID
        size = mi.Vector2f(mi.Float(width), mi.Float(height))
        return self._sensor.sample_ray(mi.Float(0), mi.Float(0.5), (corner + within) / size, mi.Point2f(0.5))[0]


def _at(paths: Departure, place: mi.UInt32) -> Departure:
    return Departure(**{field.name: dr.gather(type(value := getattr(paths, field.name)), value, place)
                        for field in dataclasses.fields(Departure)})


def _add_alone(bins: Bins, paths: Departure, share: mi.Float, row: mi.UInt32, sums: list[np.ndarray]) -> None:
    """Add to fine bins what paths bring by themselves of the sky: a share of all that comes along them."""
    chosen = dr.compress(share > 0)
    if not len(chosen):
        return
    paths = _at(paths, chosen)
    found = paths.throughput * dr.gather(mi.Float, share, chosen)
    rows, columns = np.array(dr.gather(mi.UInt32, row, chosen)), np.array(bins.number(to_square(paths.ray.d), True))
    order = np.lexsort((columns, rows))
    places, starts = np.unique(np.stack([rows, columns])[:, order], axis=1, return_index=True)
    for total, values in zip(sums, (found, found * paths.share), strict=False):
        total[places[0], :, places[1]] += np.add.reduceat(np.array(values).T[order], starts, axis=0)


def mirrored_sky(scene: mi.Scene, sensor: mi.Sensor, surfaces: Surfaces, pixels: np.ndarray, samples: int, seed: int):
    """What glass reflects of the sky to the camera: pixel (R,), directions (R, 3) and weights (R,) of rays to it."""
    sampler, ray = camera_rays(sensor, pixels, samples, seed)
    _, ray, weight, reflected, inside = glass.look_through(scene, surfaces, sampler, ray)
    share = glass.unoccluded(scene, surfaces, ray, inside, reflected)  # spectacles dim it, and don't block it
    free, weight = share > 0, weight * share
    chosen = dr.compress(free)
    lanes = np.array(chosen)
    directions = np.array(dr.gather(mi.Vector3f, ray.d, chosen)).T
    weights = np.array(dr.gather(mi.Float, weight, chosen)) / samples_taken(sensor, samples)
    return pixels[lanes // samples_taken(sensor, samples)], directions.astype(np.float32), weights.astype(np.float32)
