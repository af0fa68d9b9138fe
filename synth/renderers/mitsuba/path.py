"""A path tracer for all of a frame's lights that also tells diffuse from specular, for Mitsuba's vectorised variants.

Import only after a variant has been set. Differs from Mitsuba's ``path`` in five ways. (1) Light decides nothing about
a path, so a frame's lights share its paths: at every vertex each gets a light sample of its own, and each is looked up
where a path leaves the scene. (2) Each path's radiance is split by the BSDF lobe at its first hit: for every material
there is a *gloss twin*, the same with a black base, and ``f_specular / f`` is the specular share of whatever arrives
along that direction. (3) Samples are summed pixel by pixel with a fixed-order reduction, not by atomics, so that the
same seed gives the same bits on any number of threads. (4) Glass bends the view but not the light (:mod:`.glass`).
(5) At the first hit, flesh scatters light beneath its surface (:mod:`.subsurface`); seen in the light of a bounce it is
an ordinary surface.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import drjit as dr
import mitsuba as mi
import numpy as np

from synth.renderers.mitsuba import glass, subsurface
from synth.renderers.mitsuba.arrays import aligned
from synth.renderers.mitsuba.lights import Film, Lights
from synth.renderers.mitsuba.surfaces import Surfaces

MAX_LANES = 1 << 23
"""Rays in flight at once: bounds memory to a few hundred MB whatever the resolution."""
PATHS = 1 << 19
"""Paths in flight at once; fewer are slower, and more take memory."""
FILM_BYTES = 256 << 20
"""Bounds the memory of what they find; lights beyond what that holds (21 for 2^19 paths) get the paths again."""
GLOSS = 0.25
"""Chance that a path goes on from flesh by the gloss; its highlights are mostly found by next-event estimation."""


def mis_weight(pdf_a: mi.Float, pdf_b: mi.Float) -> mi.Float:
    """Power heuristic (Veach 1997, eq. 9.13) for one sample of each technique."""
    squared = dr.square(pdf_a)
    weight = squared / dr.fma(pdf_b, pdf_b, squared)
    return dr.select(dr.isfinite(weight), weight, 0)


@dataclasses.dataclass
class Departure:
    """Paths as they leave a surface."""

    ray: mi.Ray3f
    throughput: mi.Color3f
    share: mi.Color3f
    """Of whatever is found from here on, how much is specular."""
    pdf: mi.Float
    """Of the direction; 0 stands for a mirror's, which no light sample could have found."""
    inside: mi.Bool
    """Whether within a body of glass."""
    active: mi.Bool


def trace(scene: mi.Scene, sampler: mi.Sampler, ray: mi.Ray3f, surfaces: Surfaces, film: Film, max_depth: int,
          rr_depth: int) -> None:
    """Add the radiance of the foreground along ``ray`` to ``film``, for each of its lights; those are hidden."""
    si, ray, weight, reflected, inside = glass.first_seen(scene, surfaces, sampler, ray)
    seen = si.is_valid() & ~reflected
    si = surfaces.comb(si, ray, seen)
    onwards = _first_hit(scene, sampler, surfaces, film, si, ray, weight, inside, seen)
    if surfaces.fibres is not None:
        onwards = roulette(onwards, sampler.next_1d(), surfaces.hairy(si, seen), mild=True)
    onwards = Departure(
        ray=dr.select(reflected, ray, onwards.ray), throughput=dr.select(reflected, mi.Color3f(weight),
                                                                         onwards.throughput),
        share=dr.select(reflected, 1, onwards.share), pdf=dr.select(reflected, 0, onwards.pdf),
        inside=~reflected & onwards.inside, active=reflected | onwards.active)
    _bounces(scene, sampler, surfaces, film, onwards, max_depth, rr_depth)


@dr.syntax
def _first_hit(scene, sampler, surfaces, film, si, ray, weight, inside, active):
    """Light that comes straight from the sky to the first hit, into ``film``; returns where paths go on from it.

    Of flesh this is the gloss, chosen with probability ``GLOSS``, and the base, lit where light enters.
    """
    context = mi.BSDFContext()
    towards, sample1, sample2 = sampler.next_2d(), sampler.next_1d(), sampler.next_2d()
    twin, own = surfaces.twin(si, active), si.bsdf(ray)
    number = None if surfaces.flesh is None else surfaces.flesh_number(si, active)
    if dr.hint(number is None, mode="scalar"):
        fleshy, plain, chance, lobe, shifted = mi.Bool(False), active, mi.Float(1), own, sample1
        entered, base, below, mirror = None, None, None, None
    else:
        fleshy = active & (number != 0)
        plain, chance, lobe = active & ~fleshy, dr.select(fleshy, GLOSS, mi.Float(1)), dr.select(fleshy, twin, own)
        mirror = sample1 < GLOSS
        shifted = dr.select(mirror, sample1 / GLOSS, (sample1 - GLOSS) / (1 - GLOSS))
        shifted = dr.select(fleshy, shifted, sample1)
        albedo = own.eval_diffuse_reflectance(si, fleshy)
        entered, colours = subsurface.entry(scene, surfaces, si, number, albedo, sampler.next_2d(), sampler.next_1d(),
                                            fleshy)
        base = surfaces.base(entered, fleshy)
        below = subsurface.leaving(si, albedo) * colours * weight

    light = mi.UInt32(0)
    while dr.hint(light < film.count, label="lights of the first hit"):
        sky, arriving = film.light(light).sample_direction(si, towards, active)
        to_light = si.to_local(sky.d)
        value, pdf = lobe.eval_pdf(context, si, to_light, active)
        lit = active & (sky.pdf != 0) & (dr.max(value) > 0)
        here = arriving * weight * glass.unoccluded(scene, surfaces, si.spawn_ray(sky.d), inside, lit)
        here *= mis_weight(sky.pdf, chance * pdf)
        radiance = here * value
        gloss = here * dr.select(plain, dr.minimum(twin.eval(context, si, to_light, plain), value), value)
        if dr.hint(number is not None, mode="scalar"):
            value, pdf = base.eval_pdf(context, entered, entered.to_local(sky.d), fleshy)
            lit = fleshy & (sky.pdf != 0) & (dr.max(value) > 0)
            there = arriving * glass.unoccluded(scene, surfaces, entered.spawn_ray(sky.d), inside, lit)
            there *= below * value * mis_weight(sky.pdf, (1 - GLOSS) * pdf)
            radiance += dr.select(fleshy, there, 0)
        film.add(light, radiance, gloss, active)
        light += 1

    sample, bounced = lobe.sample(context, si, shifted, sample2, active)
    full = bounced * sample.pdf
    share = dr.clip(dr.select(full > 0, twin.eval(context, si, sample.wo, plain) / full, 0), 0, 1)
    onwards = depart(si, sample, bounced * weight / chance, share, chance * sample.pdf, inside, active)
    if dr.hint(number is not None, mode="scalar"):
        onwards.share = dr.select(fleshy, mi.Color3f(1), share)
        sample, bounced = base.sample(context, entered, shifted, sample2, fleshy)
        by_base = depart(entered, sample, bounced * below / (1 - GLOSS), mi.Color3f(0), (1 - GLOSS) * sample.pdf,
                         inside, fleshy)
        onwards = choose(fleshy & ~mirror, by_base, onwards)
    return onwards


def depart(si, sample, throughput, share, pdf, inside, active) -> Departure:
    # The hair BSDF samples no number once in a million times, where a uniform variate is exactly 0.
    sound = dr.isfinite(sample.wo.x + sample.wo.y + sample.wo.z)
    ray = si.spawn_ray(si.to_world(dr.select(sound, sample.wo, mi.Vector3f(0, 0, 1))))
    return Departure(ray, throughput, share, pdf, inside, active & sound & (dr.max(throughput) > 0))


def choose(mask: mi.Bool, one: Departure, other: Departure) -> Departure:
    return Departure(*(dr.select(mask, getattr(one, field.name), getattr(other, field.name))
                       for field in dataclasses.fields(Departure)))


def roulette(onwards: Departure, variate: mi.Float, playing: mi.Bool, mild: bool = False) -> Departure:
    """Russian roulette on what paths still carry.

    mild: by its square root. Hair plays at once, since each hit on it is dear; but dark hair lets so little through
    that the few survivors of its first hit would show as bright dots.
    """
    carried = dr.max(onwards.throughput)
    survival = dr.sqrt(dr.minimum(carried, 1)) if mild else dr.minimum(carried, 0.95)
    return dataclasses.replace(onwards, active=onwards.active & (~playing | (variate < survival)),
                               throughput=onwards.throughput * dr.select(playing, dr.rcp(survival), 1))


@dr.syntax
def _bounces(scene, sampler, surfaces, film, start, max_depth, rr_depth):
    """Add the radiance that paths find from the second vertex on to ``film``."""
    context = mi.BSDFContext()
    ray, throughput, share = mi.Ray3f(start.ray), mi.Color3f(start.throughput), mi.Color3f(start.share)
    previous_pdf, inside, active = mi.Float(start.pdf), mi.Bool(start.inside), mi.Bool(start.active)
    depth = mi.UInt32(1)

    while dr.hint(active, label="bounces"):
        si = scene.ray_intersect(ray, ray_flags=mi.RayFlags.All, coherent=False, active=active)
        si = surfaces.comb(si, ray, active)
        pane = mi.Bool(False)
        beyond = mi.Ray3f(ray)
        carried = mi.Color3f(throughput)
        if dr.hint(surfaces.ior is not None, mode="scalar"):
            pane, through, beyond, inside = glass.pass_straight(surfaces, si, ray, inside, active)
            throughput *= through
        going_on = active & si.is_valid() & ~pane & (depth + 1 < max_depth)
        bsdf, towards = si.bsdf(ray), sampler.next_2d()
        _every_light(scene, surfaces, film, si, bsdf, towards, previous_pdf, carried, share, inside,
                     active & ~si.is_valid(), going_on)

        sample, bounced = bsdf.sample(context, si, sampler.next_1d(), sampler.next_2d(), going_on)
        onwards = depart(si, sample, throughput * bounced, share, sample.pdf, inside, going_on)
        onwards = roulette(onwards, sampler.next_1d(), (depth + 1 >= rr_depth) | surfaces.hairy(si, going_on))
        throughput = dr.select(pane, throughput, onwards.throughput)
        ray = dr.select(pane, beyond, onwards.ray)
        previous_pdf = dr.select(pane, previous_pdf, onwards.pdf)
        depth = dr.select(pane, depth, depth + 1)
        active = pane | onwards.active


@dr.syntax
def _every_light(scene, surfaces, film, si, bsdf, towards, previous_pdf, throughput, share, inside, escaped, going_on):
    """Add what paths find of every light where they left the scene, or from where they are in it."""
    context = mi.BSDFContext()
    seen = mi.DirectionSample3f(scene, si, dr.zeros(mi.Interaction3f))
    light = mi.UInt32(0)
    while dr.hint(light < film.count, label="lights of a bounce"):
        emitter = film.light(light)
        pdf = emitter.pdf_direction(dr.zeros(mi.Interaction3f), seen, escaped)
        mis = dr.select(previous_pdf > 0, mis_weight(previous_pdf, pdf), 1)
        found = dr.select(escaped, mis * emitter.eval(si, escaped), 0)

        sky, arriving = emitter.sample_direction(si, towards, going_on)
        value, pdf = bsdf.eval_pdf(context, si, si.to_local(sky.d), going_on)
        lit = going_on & (sky.pdf != 0) & (dr.max(value) > 0)
        arriving *= glass.unoccluded(scene, surfaces, si.spawn_ray(sky.d), inside, lit)
        found += dr.select(lit, arriving * value * mis_weight(sky.pdf, pdf), 0)
        found *= throughput
        film.add(light, found, found * share, escaped | lit)
        light += 1


def render(tracer: Tracer, sensor: mi.Sensor, lights: Lights, count: int, covered: np.ndarray, samples: int,
           seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Foreground radiance and its specular part, two (L, H, W, 3) float32 arrays; box filter, ``samples`` a pixel.

    count: L, of the lights' maps. ``covered`` (H, W) bool: the pixels to trace; the others, where nothing but
    environment is seen, are black.
    """
    height, width = covered.shape
    samples = samples_taken(sensor, samples)
    pixels = np.flatnonzero(covered).astype(np.uint32)
    both = np.zeros((count, height * width, 6), np.float32)
    step = max(1, PATHS // samples)
    batch = max(1, FILM_BYTES // (6 * 4 * samples * min(step, max(1, len(pixels)))))
    for start in range(0, len(pixels), step):
        chunk = pixels[start:start + step]
        for first in range(0, count, batch):
            last = min(first + batch, count)
            both[first:last, chunk] = tracer.means(chunk, samples, seed + start, lights, first, last)
    both = both.reshape(count, height, width, 6)
    return np.ascontiguousarray(both[..., :3]), np.ascontiguousarray(both[..., 3:])


def samples_taken(sensor: mi.Sensor, samples: int) -> int:
    """Samples a pixel after the sampler has rounded them up to a grid it can stratify."""
    sampler = sensor.sampler().clone()
    sampler.set_sample_count(samples)
    return sampler.sample_count()


def camera_rays(sensor: mi.Sensor, pixels: np.ndarray, samples: int, seed: int) -> tuple[mi.Sampler, mi.Ray3f]:
    """``samples`` rays through each of P pixels, given by their row-major indices, one pixel after the other."""
    return _rays(sensor, mi.UInt32(aligned(pixels, np.uint32)), dr.arange(mi.UInt32, len(pixels) * samples), samples,
                 dr.opaque(mi.UInt32, seed))


def _rays(sensor, pixels: mi.UInt32, lanes: mi.UInt32, samples: int, seed: mi.UInt32) -> tuple[mi.Sampler, mi.Ray3f]:
    width, height = sensor.film().size()
    sampler = sensor.sampler().clone()
    sampler.set_sample_count(samples)
    sampler.set_samples_per_wavefront(samples)
    sampler.seed(seed, dr.width(lanes))
    # Opaque numbers keep sizes and sample counts from becoming literals, each of which would compile a new kernel.
    pixel = dr.gather(mi.UInt32, pixels, lanes // dr.opaque(mi.UInt32, samples))
    row = pixel // dr.opaque(mi.UInt32, width)
    column = pixel - row * dr.opaque(mi.UInt32, width)
    position = mi.Point2f(mi.Float(column), mi.Float(row)) + sampler.next_2d()
    position /= mi.Vector2f(dr.opaque(mi.Float, width), dr.opaque(mi.Float, height))
    ray, _ = sensor.sample_ray(mi.Float(0), mi.Float(0.5), position, mi.Point2f(0.5))
    return sampler, ray


class Tracer:
    """:func:`trace` without its overhead: recorded once for a frame's geometry, then replayed for each part of it.

    Writing a kernel down in Python and finding it among those compiled takes a quarter of a small picture's time.
    """

    def __init__(self, scene: mi.Scene, surfaces: Surfaces, bsdfs: Sequence[mi.BSDF], max_depth: int, rr_depth: int):
        """bsdfs: those that ``surfaces`` points to, which aren't in the scene: what a replay reads must be an input."""
        self._scene, self._surfaces, self._bsdfs = scene, surfaces, tuple(bsdfs)

        def record(scene, bsdfs, emitters, tables, pixels, lane, seed, samples, film):
            sampler, ray = _rays(scene.sensors()[0], pixels, lane, samples, seed)
            film = Film(lane, *film)
            trace(scene, sampler, ray, surfaces.with_tables(tables), film, max_depth, rr_depth)
            return film.sums

        self._record = record
        # (Never tried on CUDA.)
        self._replay = dr.freeze(record, warn_after=1000, enabled=mi.variant().startswith("llvm"))

    def forget(self) -> None:
        """To be called when anything but the environment's radiance has changed: replays would read what is freed."""
        self._replay.clear()

    def means(self, pixels: np.ndarray, samples: int, seed: int, lights: Lights, first: int, last: int) -> np.ndarray:
        """(L, P, 6) float32: mean radiance and specular part of P pixels, given by their row-major indices.

        first, last: which of the lights.
        """
        asked = pixels, samples, seed, lights, first, last
        try:
            sums = self._replay(*self._inputs(*asked))
        except RuntimeError:  # another scene is alive: its materials are in every kernel, but no input of ours
            self._replay = dr.freeze(self._record, enabled=False)
            sums = self._replay(*self._inputs(*asked))  # made anew: what failed may have added to its sums
        dr.eval(sums)  # one kernel; block_sum would evaluate each component by tracing everything again
        sums = [dr.block_sum(component, samples) for component in sums]
        dr.eval(sums)
        both = np.stack([np.array(total) for total in sums], axis=-1) / np.float32(samples)
        return both.reshape(last - first, len(pixels), 6)

    def _inputs(self, pixels, samples, seed, lights, first, last) -> tuple:
        lanes, count = len(pixels) * samples, last - first
        lane, sums = dr.arange(mi.UInt32, lanes), [dr.zeros(mi.Float, lanes * count) for _ in range(6)]
        dr.make_opaque(lane, sums)
        film = sums, lights.numbers(first, last), dr.opaque(mi.UInt32, lanes), dr.opaque(mi.UInt32, count)
        return (self._scene, self._bsdfs, lights.emitters, self._surfaces.tables(),
                mi.UInt32(aligned(pixels, np.uint32)), lane, dr.opaque(mi.UInt32, seed), samples, film)
