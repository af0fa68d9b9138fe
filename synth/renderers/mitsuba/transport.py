"""The response of pixels to light from every direction, by path tracing.

Import only after a variant has been set. Direct light is found from hits that are kept (:mod:`.first_hits`); here are
bounced light, and all light of hair. Paths are those of :mod:`.path`, but there is no light to aim at: directions are
those of the BSDFs, at the first hit by a low-discrepancy sequence, and what a path finds is not added up but scattered
to the bin that it came from. A lane traces all paths of its pixel, one after the other: nobody else adds to that
pixel's bins, so that no atomics are needed and the same seed gives the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator

import drjit as dr
import mitsuba as mi
import numpy as np

from synth.renderers.mitsuba import glass, subsurface
from synth.renderers.mitsuba.arrays import aligned
from synth.renderers.mitsuba.first_hits import R3, FirstHits, even_table
from synth.renderers.mitsuba.path import Departure, camera_rays, choose, depart, roulette, samples_taken
from synth.renderers.mitsuba.scene import RR_DEPTH, PortraitScene
from synth.renderers.mitsuba.surfaces import Surfaces
from synth.seeds import derive_seed
from synth.transport.directions import R2, Basis
from synth.transport.response import Mirror, Transport

GLOSS = 0.2
"""Chance that a path goes on from flesh by the gloss."""
BOUNCE_RAYS = 16
"""Directions in which light is looked for from where a path has bounced first."""
EVENLY = 1 / (4 * np.pi)
"""Density of those directions."""
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

    def __init__(self, basis: Basis, lanes: int, lobes: bool, even: mi.UInt32):
        self.fine, self.coarse, self.size = basis.fine, basis.coarse, basis.size
        self.total = dr.zeros(mi.Float, lanes * 3 * basis.size)
        self.specular = dr.zeros(mi.Float, lanes * 3 * basis.size) if lobes else None
        self.lane = dr.arange(mi.UInt32, lanes)
        self._even = even

    def even(self, si: mi.SurfaceInteraction3f, active: mi.Bool) -> mi.Bool:
        """Whether what was met is lit bin by bin."""
        met = active & si.is_valid()
        return met & (dr.gather(mi.UInt32, self._even, dr.reinterpret_array(mi.UInt32, si.shape), met) != 0)

    to_square = staticmethod(to_square)

    def number(self, point: mi.Point2f, fine: bool | mi.Bool) -> mi.UInt32:
        """Column of ``response`` for a point of the square."""
        def within(side: int) -> mi.UInt32:
            column, row = (dr.minimum(mi.UInt32(axis * side), side - 1) for axis in (point.x, point.y))
            return row * side + column

        return dr.select(fine, within(self.fine), self.fine**2 + within(self.coarse))

    def add(self, column: mi.UInt32, found: mi.Color3f, gloss: mi.Color3f, active: mi.Bool) -> None:
        """Add radiance, and the specular part of it, to a column of each active lane."""
        for k in range(3):
            place = (self.lane * 3 + k) * self.size + column
            dr.scatter_add(self.total, found[k], place, active, mode=dr.ReduceMode.NoConflicts)
            if self.specular is not None:
                dr.scatter_add(self.specular, gloss[k], place, active, mode=dr.ReduceMode.NoConflicts)


@dr.syntax
def trace_all(scene, sensor, sampler, surfaces, bins, corner, size, samples, max_depth, rr_depth):
    """Trace ``samples`` paths a lane through pixels whose upper left ``corner`` is given, into ``bins``."""
    shift, turn, number = sampler.next_2d(), sampler.next_1d(), mi.UInt32(0)
    while dr.hint(number < samples, label="paths of a pixel"):
        cell = (number + mi.UInt32(turn * (GRID * GRID))) % (GRID * GRID)  # even where fewer paths are asked for
        jitter = sampler.next_2d()
        within = mi.Point2f(mi.Float(cell % GRID) + jitter.x, mi.Float(cell // GRID) + jitter.y) / GRID
        ray, _ = sensor.sample_ray(mi.Float(0), mi.Float(0.5), (corner + within) / size, mi.Point2f(0.5))
        step = mi.Float(number)
        lobe = turn + step * R3[2]
        point = mi.Point2f(shift.x + step * R3[0], shift.y + step * R3[1])
        trace(scene, sampler, ray, surfaces, bins, lobe - dr.floor(lobe), point - dr.floor(point), max_depth, rr_depth)
        number += 1


def trace(scene, sampler, ray, surfaces: Surfaces, bins: Bins, lobe: mi.Float, point: mi.Point2f, max_depth, rr_depth):
    """One path along ``ray``, whose direction at its first hit is sampled by ``lobe`` and ``point``."""
    si, ray, weight, reflected, inside = glass.first_seen(scene, surfaces, sampler, ray)
    seen = si.is_valid() & ~reflected
    si = surfaces.comb(si, ray, seen)
    onwards = _first_hit(scene, sampler, surfaces, si, ray, lobe, point, weight, inside, seen)
    if surfaces.fibres is not None:
        onwards = roulette(onwards, sampler.next_1d(), surfaces.hairy(si, seen), mild=True)
    mirrored = Departure(ray, mi.Color3f(weight), mi.Color3f(1), mi.Float(0), mi.Bool(False), reflected)
    # A mirror's sky is looked up in the map itself; what bins light evenly is in FirstHits.
    known = reflected | bins.even(si, seen)
    if surfaces.flesh is not None:
        known |= surfaces.flesh_number(si, seen) != 0
    _bounces(scene, sampler, surfaces, bins, choose(reflected, mirrored, onwards), known, max_depth, rr_depth)


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
def _bounces(scene, sampler, surfaces, bins, start, known, max_depth, rr_depth):
    """Follow paths until they escape, and add what they carry to the bins that they escape to.

    known: where light by way of the first hit alone is found by other means.
    """
    context = mi.BSDFContext()
    ray, throughput, share = mi.Ray3f(start.ray), mi.Color3f(start.throughput), mi.Color3f(start.share)
    inside, active = mi.Bool(start.inside), mi.Bool(start.active)
    depth, left = mi.UInt32(1), mi.Float(1)

    while dr.hint(active, label="bounces"):
        si = scene.ray_intersect(ray, ray_flags=mi.RayFlags.All, coherent=False, active=active)
        si = surfaces.comb(si, ray, active)
        escaped = active & ~si.is_valid() & ((depth > 1) | ~known)
        found = throughput * left
        bins.add(bins.number(to_square(ray.d), depth == 1), found, found * share, escaped)

        pane = mi.Bool(False)
        beyond = mi.Ray3f(ray)
        if dr.hint(surfaces.ior is not None, mode="scalar"):
            pane, through, beyond, inside = glass.pass_straight(surfaces, si, ray, inside, active)
            throughput *= through
        going_on = active & si.is_valid() & ~pane & (depth + 1 < max_depth)

        # Most bounced light has bounced once: its last stretch is looked for in many directions.
        second, turn, ray_number = going_on & (depth == 1), sampler.next_2d(), mi.UInt32(0)
        while dr.hint(second & (ray_number < BOUNCE_RAYS), label="light on what is seen by the first hit"):
            point = turn + mi.Float(ray_number) * mi.Point2f(*R2.tolist())
            point -= dr.floor(point)
            light = to_sphere(point)
            value, pdf = si.bsdf(ray).eval_pdf(context, si, si.to_local(light), second)
            lit = second & (dr.max(value) > 0)
            free = glass.unoccluded(scene, surfaces, si.spawn_ray(light), inside, lit)
            found = throughput * value * free / (pdf + BOUNCE_RAYS * EVENLY)
            bins.add(bins.number(point, False), found, found * share, lit & (free > 0))
            ray_number += 1

        sample, bounced = si.bsdf(ray).sample(context, si, sampler.next_1d(), sampler.next_2d(), going_on)
        onwards = depart(si, sample, throughput * bounced, share, sample.pdf, inside, going_on)
        onwards = roulette(onwards, sampler.next_1d(), (depth + 1 >= rr_depth) | surfaces.hairy(si, going_on))
        throughput = dr.select(pane, throughput, onwards.throughput)
        ray = dr.select(pane, beyond, onwards.ray)
        # (Multiple importance sampling by the balance heuristic, with the rays above.)
        left = dr.select(pane, left, dr.select(second, sample.pdf / (sample.pdf + BOUNCE_RAYS * EVENLY), 1))
        depth = dr.select(pane, depth, depth + 1)
        active = pane | onwards.active


class FrameTransport:
    """The transport of the frame that a :class:`PortraitScene` shows, tile by tile."""

    def __init__(self, portrait: PortraitScene, basis: Basis, samples: int, seed: int, lobes: bool):
        """samples: paths a pixel."""
        self._portrait, self._basis, self._samples, self._seed, self._lobes = portrait, basis, samples, seed, lobes
        self._scene, self._sensor = portrait.scene, portrait.scene.sensors()[0]
        self._even = even_table(portrait.owners, portrait.materials)

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
        hits = FirstHits(self._scene, self._sensor, self._portrait.surfaces, self._even, pixels, samples, seed)
        response, specular = self._respond(pixels, hits)
        mirror = Mirror(*mirrored_sky(self._scene, self._sensor, self._portrait.surfaces, pixels, EDGE_HITS, seed)) \
            if self._portrait.surfaces.ior is not None else None
        height, width = self._portrait.touched.shape
        return Transport(width, height, self._basis, pixels, response, specular, mirror), hits

    def _respond(self, pixels: np.ndarray, hits: FirstHits) -> tuple[np.ndarray, np.ndarray | None]:
        """Response (P, 3, D) float32 of P pixels and its specular part."""
        width, height = self._sensor.film().size()
        sampler = mi.load_dict({"type": "independent"})
        sampler.seed(derive_seed(self._seed, "paths", int(pixels[0])) & 0x7FFFFFFF, len(pixels))
        pixel = mi.UInt32(aligned(pixels, np.uint32))
        row = pixel // dr.opaque(mi.UInt32, width)
        corner = mi.Point2f(mi.Float(pixel - row * dr.opaque(mi.UInt32, width)), mi.Float(row))
        size = mi.Vector2f(dr.opaque(mi.Float, width), dr.opaque(mi.Float, height))
        bins = Bins(self._basis, len(pixels), self._lobes, self._even)
        trace_all(self._scene, self._sensor, sampler, self._portrait.surfaces, bins, corner, size,
                  dr.opaque(mi.UInt32, self._samples), self._portrait.max_depth, RR_DEPTH)
        dr.eval(bins.total, bins.specular)
        hits.respond(bins, self._samples)
        dr.eval(bins.total, bins.specular)
        response, specular = (None if sums is None else np.array(sums).reshape(len(pixels), 3, self._basis.size)
                              for sums in (bins.total, bins.specular))
        for sums in (response, specular):
            if sums is not None:
                sums /= self._samples
        return response, specular


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
