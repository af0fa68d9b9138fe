"""A path tracer that also tells the diffuse from the specular part, for Mitsuba's vectorised variants.

Import only after a variant has been set. Differs from Mitsuba's ``path`` in four ways. (1) Each path's radiance is
split by the BSDF lobe at its first hit: for every material there is a *gloss twin*, the same with a black base, and
``f_specular / f`` is the specular share of whatever arrives along that direction. (2) Samples are summed pixel by
pixel with a fixed-order reduction, not by atomics, so that the same seed gives the same bits on any number of threads.
(3) Glass bends the view but not the light (:mod:`.glass`). (4) At the first hit, flesh scatters light beneath its
surface (:mod:`.subsurface`); seen in the light of a bounce it is an ordinary surface.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import drjit as dr
import mitsuba as mi
import numpy as np

from synth.renderers.mitsuba import glass, subsurface
from synth.renderers.mitsuba.arrays import aligned
from synth.renderers.mitsuba.surfaces import Surfaces

MAX_LANES = 1 << 23
"""Paths in flight at once: bounds memory to a few hundred MB whatever the resolution."""
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


def trace(scene: mi.Scene, sampler: mi.Sampler, ray: mi.Ray3f, surfaces: Surfaces, max_depth: int, rr_depth: int):
    """Radiance of the foreground along ``ray`` as (all lobes, specular part); the environment itself is hidden."""
    si, ray, weight, reflected, inside = glass.first_seen(scene, surfaces, sampler, ray)
    seen = si.is_valid() & ~reflected
    si = surfaces.comb(si, ray, seen)
    radiance, specular, onwards = _first_hit(scene, sampler, surfaces, si, ray, weight, inside, seen)
    if surfaces.fibres is not None:
        onwards = roulette(onwards, sampler.next_1d(), surfaces.hairy(si, seen), mild=True)
    onwards = Departure(
        ray=dr.select(reflected, ray, onwards.ray), throughput=dr.select(reflected, mi.Color3f(weight),
                                                                         onwards.throughput),
        share=dr.select(reflected, 1, onwards.share), pdf=dr.select(reflected, 0, onwards.pdf),
        inside=~reflected & onwards.inside, active=reflected | onwards.active)
    found, gloss = _bounces(scene, sampler, surfaces, onwards, max_depth, rr_depth)
    return radiance + found, specular + gloss


def _first_hit(scene, sampler, surfaces, si, ray, weight, inside, active):
    """Light that comes straight from the sky by way of the first hit, and where paths go on from it.

    Of flesh this is the gloss, chosen with probability ``GLOSS``; :func:`_flesh` adds the base. Both kinds of surface
    share calls of BSDFs and shadow rays: each more is traced, compiled and waited for.
    """
    context = mi.BSDFContext()
    light, arriving = scene.sample_emitter_direction(si, sampler.next_2d(), False, active)
    to_light = si.to_local(light.d)
    arriving *= weight
    sample1, sample2 = sampler.next_1d(), sampler.next_2d()

    twin, own = surfaces.twin(si, active), si.bsdf(ray)
    number = None if surfaces.flesh is None else surfaces.flesh_number(si, active)
    if number is None:
        plain, chance, lobe, shifted = active, mi.Float(1), own, sample1
    else:
        fleshy = active & (number != 0)
        plain, chance, lobe = active & ~fleshy, dr.select(fleshy, GLOSS, mi.Float(1)), dr.select(fleshy, twin, own)
        mirror = sample1 < GLOSS
        shifted = dr.select(mirror, sample1 / GLOSS, (sample1 - GLOSS) / (1 - GLOSS))
        shifted = dr.select(fleshy, shifted, sample1)
    value, pdf, sample, bounced = lobe.eval_pdf_sample(context, si, to_light, shifted, sample2, active)
    lit = active & (light.pdf != 0) & (dr.max(value) > 0)
    here = arriving * glass.unoccluded(scene, surfaces, si.spawn_ray(light.d), inside, lit)
    mis = mis_weight(light.pdf, chance * pdf)
    radiance = here * value * mis
    specular = here * dr.select(plain, dr.minimum(twin.eval(context, si, to_light, plain), value), value) * mis
    full = bounced * sample.pdf
    share = dr.clip(dr.select(full > 0, twin.eval(context, si, sample.wo, plain) / full, 0), 0, 1)
    onwards = depart(si, sample, bounced * weight / chance, share, chance * sample.pdf, inside, active)
    if number is None:
        return radiance, specular, onwards

    onwards.share = dr.select(fleshy, mi.Color3f(1), share)
    below, by_base = _flesh(scene, sampler, surfaces, si, ray, number, light, arriving, weight, inside,
                            shifted, sample2, fleshy)
    return radiance + dr.select(fleshy, below, 0), specular, choose(fleshy & ~mirror, by_base, onwards)


def _flesh(scene, sampler, surfaces, si, ray, number, light, arriving, weight, inside, sample1, sample2, active):
    """The base of flesh at the first hit, lit where light enters, with its own MIS: radiance, and how paths go on.

    arriving: the light sample's weight, without visibility.
    """
    context = mi.BSDFContext()
    albedo = si.bsdf(ray).eval_diffuse_reflectance(si, active)
    leaving = subsurface.leaving(si, albedo)
    entered, colours = subsurface.entry(scene, surfaces, si, number, albedo, sampler.next_2d(), sampler.next_1d(),
                                        active)
    base = surfaces.base(entered, active)
    below, below_pdf, down, down_weight = base.eval_pdf_sample(
        context, entered, entered.to_local(light.d), sample1, sample2, active)
    lit = active & (light.pdf != 0) & (dr.max(below) > 0)
    there = arriving * glass.unoccluded(scene, surfaces, entered.spawn_ray(light.d), inside, lit)
    radiance = there * leaving * colours * below * mis_weight(light.pdf, (1 - GLOSS) * below_pdf)
    by_base = depart(entered, down, down_weight * leaving * colours * weight / (1 - GLOSS), mi.Color3f(0),
                      (1 - GLOSS) * down.pdf, inside, active)
    return radiance, by_base


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
def _bounces(scene, sampler, surfaces, start, max_depth, rr_depth):
    """Radiance that paths find from the second vertex on, as (all, specular part)."""
    context = mi.BSDFContext()
    ray, throughput, share = mi.Ray3f(start.ray), mi.Color3f(start.throughput), mi.Color3f(start.share)
    previous_pdf, inside, active = mi.Float(start.pdf), mi.Bool(start.inside), mi.Bool(start.active)
    radiance, specular = mi.Color3f(0), mi.Color3f(0)
    depth = mi.UInt32(1)

    while dr.hint(active, label="bounces"):
        si = scene.ray_intersect(ray, ray_flags=mi.RayFlags.All, coherent=False, active=active)
        si = surfaces.comb(si, ray, active)
        escaped = active & ~si.is_valid()
        sky = mi.DirectionSample3f(scene, si, dr.zeros(mi.Interaction3f))
        sky_pdf = scene.pdf_emitter_direction(dr.zeros(mi.Interaction3f), sky, escaped)
        mis = dr.select(previous_pdf > 0, mis_weight(previous_pdf, sky_pdf), 1)
        found = throughput * dr.select(escaped, mis * sky.emitter.eval(si, escaped), 0)
        radiance += found
        specular += found * share

        pane = mi.Bool(False)
        beyond = mi.Ray3f(ray)
        if dr.hint(surfaces.ior is not None, mode="scalar"):
            pane, through, beyond, inside = glass.pass_straight(surfaces, si, ray, inside, active)
            throughput *= through
        going_on = active & si.is_valid() & ~pane & (depth + 1 < max_depth)

        light, weight = scene.sample_emitter_direction(si, sampler.next_2d(), False, going_on)
        lit = going_on & (light.pdf != 0)
        value, pdf, sample, bounced = si.bsdf(ray).eval_pdf_sample(
            context, si, si.to_local(light.d), sampler.next_1d(), sampler.next_2d(), going_on)
        lit &= dr.max(value) > 0
        weight *= glass.unoccluded(scene, surfaces, si.spawn_ray(light.d), inside, lit)
        found = throughput * weight * value * mis_weight(light.pdf, pdf)
        radiance += dr.select(lit, found, 0)
        specular += dr.select(lit, found * share, 0)

        onwards = depart(si, sample, throughput * bounced, share, sample.pdf, inside, going_on)
        onwards = roulette(onwards, sampler.next_1d(), (depth + 1 >= rr_depth) | surfaces.hairy(si, going_on))
        throughput = dr.select(pane, throughput, onwards.throughput)
        ray = dr.select(pane, beyond, onwards.ray)
        previous_pdf = dr.select(pane, previous_pdf, onwards.pdf)
        depth = dr.select(pane, depth, depth + 1)
        active = pane | onwards.active

    return radiance, specular


def render(tracer: Tracer, sensor: mi.Sensor, covered: np.ndarray, samples: int,
           seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Foreground radiance and its specular part, two (H, W, 3) float32 arrays; box filter, ``samples`` a pixel.

    ``covered`` (H, W) bool: the pixels to trace; the others, where nothing but environment is seen, are black.
    """
    height, width = covered.shape
    samples = samples_taken(sensor, samples)
    pixels = np.flatnonzero(covered).astype(np.uint32)
    both = np.zeros((height * width, 6), np.float32)
    for first in range(0, len(pixels), max(1, MAX_LANES // samples)):
        chunk = pixels[first:first + max(1, MAX_LANES // samples)]
        both[chunk] = tracer.means(chunk, samples, seed + first)
    both = both.reshape(height, width, 6)
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
    """:func:`trace` without its overhead: recorded once for a frame's geometry, then replayed for each of its lights.

    Writing a kernel down in Python and finding it among those compiled takes a quarter of a small picture's time.
    """

    def __init__(self, scene: mi.Scene, surfaces: Surfaces, bsdfs: Sequence[mi.BSDF], max_depth: int, rr_depth: int):
        """bsdfs: those that ``surfaces`` points to, which aren't in the scene: what a replay reads must be an input."""
        self._scene, self._surfaces, self._bsdfs = scene, surfaces, tuple(bsdfs)

        def record(scene, bsdfs, tables, pixels, lanes, seed, samples):
            sampler, ray = _rays(scene.sensors()[0], pixels, lanes, samples, seed)
            return trace(scene, sampler, ray, surfaces.with_tables(tables), max_depth, rr_depth)

        self._record = record
        # (Never tried on CUDA.)
        self._replay = dr.freeze(record, warn_after=1000, enabled=mi.variant().startswith("llvm"))

    def forget(self) -> None:
        """To be called when anything but the environment's radiance has changed: replays would read what is freed."""
        self._replay.clear()

    def means(self, pixels: np.ndarray, samples: int, seed: int) -> np.ndarray:
        """(P, 6): mean radiance and specular part of P pixels, given by their row-major indices."""
        lanes = dr.arange(mi.UInt32, len(pixels) * samples)
        dr.make_opaque(lanes)
        inputs = (self._scene, self._bsdfs, self._surfaces.tables(), mi.UInt32(aligned(pixels, np.uint32)), lanes,
                  dr.opaque(mi.UInt32, seed), samples)
        try:
            pair = self._replay(*inputs)
        except RuntimeError:  # another scene is alive: its materials are in every kernel, but no input of ours
            self._replay = dr.freeze(self._record, enabled=False)
            pair = self._replay(*inputs)
        dr.eval(pair)  # one kernel; block_sum would evaluate each component by tracing everything again
        sums = [dr.block_sum(component, samples) for value in pair for component in value]
        dr.eval(sums)
        return np.stack([np.array(total) for total in sums], axis=-1) / np.float32(samples)
