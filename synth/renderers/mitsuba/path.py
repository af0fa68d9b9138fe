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

import drjit as dr
import mitsuba as mi
import numpy as np

from synth.renderers.mitsuba import glass, subsurface
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
    if surfaces.ior is None:
        si = scene.ray_intersect(ray, ray_flags=mi.RayFlags.All, coherent=True)
        weight, reflected, inside = mi.Float(1), mi.Bool(False), mi.Bool(False)
    else:
        si, ray, weight, reflected, inside = glass.look_through(scene, surfaces, sampler, ray)
    seen = si.is_valid() & ~reflected
    si = surfaces.comb(si, ray, seen)
    radiance, specular, onwards = _first_hit(scene, sampler, surfaces, si, ray, weight, inside, seen)
    if surfaces.fibres is not None:
        onwards = _roulette(onwards, sampler.next_1d(), mi.Bool(False), surfaces.hairy(si, seen))
    onwards = Departure(
        ray=dr.select(reflected, ray, onwards.ray), throughput=dr.select(reflected, mi.Color3f(weight),
                                                                         onwards.throughput),
        share=dr.select(reflected, 1, onwards.share), pdf=dr.select(reflected, 0, onwards.pdf),
        inside=~reflected & onwards.inside, active=reflected | onwards.active)
    found, gloss = _bounces(scene, sampler, surfaces, onwards, max_depth, rr_depth)
    return radiance + found, specular + gloss


def _first_hit(scene, sampler, surfaces, si, ray, weight, inside, active):
    """Light that comes straight from the sky by way of the first hit, and where paths go on from it."""
    context = mi.BSDFContext()
    light, arriving = scene.sample_emitter_direction(si, sampler.next_2d(), False, active)
    lit = active & (light.pdf != 0)
    to_light = si.to_local(light.d)
    arriving *= weight
    sample1, sample2 = sampler.next_1d(), sampler.next_2d()

    number = None if surfaces.flesh is None else surfaces.flesh_number(si, active)
    plain = active if number is None else active & (number == 0)
    value, pdf, sample, bounced = si.bsdf(ray).eval_pdf_sample(context, si, to_light, sample1, sample2, plain)
    twin = surfaces.twin(si, active)
    gloss = twin.eval(context, si, to_light, plain)
    here = arriving * glass.unoccluded(scene, surfaces, si.spawn_ray(light.d), inside, lit & (dr.max(value) > 0))
    radiance = here * value * mis_weight(light.pdf, pdf)
    specular = here * dr.minimum(gloss, value) * mis_weight(light.pdf, pdf)
    full = bounced * sample.pdf
    share = dr.clip(dr.select(full > 0, twin.eval(context, si, sample.wo, plain) / full, 0), 0, 1)
    onwards = _depart(si, sample, bounced * weight, share, sample.pdf, inside, plain)
    if number is None:
        return radiance, specular, onwards

    fleshy = active & (number != 0)
    from_flesh = _flesh(scene, sampler, surfaces, si, ray, number, light, arriving, weight, inside,
                        sample1, sample2, fleshy)
    return (dr.select(fleshy, from_flesh[0], radiance), dr.select(fleshy, from_flesh[1], specular),
            _choose(fleshy, from_flesh[2], onwards))


def _flesh(scene, sampler, surfaces, si, ray, number, light, arriving, weight, inside, sample1, sample2, active):
    """The first hit on flesh: its gloss where it is seen, its base lit where light enters, each lobe with its own MIS.

    arriving: the light sample's weight, without visibility.
    """
    context = mi.BSDFContext()
    twin = surfaces.twin(si, active)
    mirror = sample1 < GLOSS
    sample1 = dr.select(mirror, sample1 / GLOSS, (sample1 - GLOSS) / (1 - GLOSS))
    value, pdf, sample, bounced = twin.eval_pdf_sample(context, si, si.to_local(light.d), sample1, sample2, active)
    lit = active & (light.pdf != 0)
    here = arriving * glass.unoccluded(scene, surfaces, si.spawn_ray(light.d), inside, lit & (dr.max(value) > 0))
    specular = here * value * mis_weight(light.pdf, GLOSS * pdf)

    albedo = si.bsdf(ray).eval_diffuse_reflectance(si, active)
    # What the gloss reflects does not enter (Schlick's Fresnel over that at normal incidence).
    cosine = dr.abs(mi.Frame3f.cos_theta(si.wi))
    leaving = albedo * (1 - (1 - cosine) ** 5)
    entered, colours = subsurface.entry(scene, surfaces, si, number, albedo, sampler.next_2d(), sampler.next_1d(),
                                        active)
    base = surfaces.base(entered, active)
    below, below_pdf, down, down_weight = base.eval_pdf_sample(
        context, entered, entered.to_local(light.d), sample1, sample2, active)
    there = arriving * glass.unoccluded(scene, surfaces, entered.spawn_ray(light.d), inside, lit & (dr.max(below) > 0))
    radiance = specular + there * leaving * colours * below * mis_weight(light.pdf, (1 - GLOSS) * below_pdf)

    by_gloss = _depart(si, sample, bounced * weight / GLOSS, mi.Color3f(1), GLOSS * sample.pdf, inside, active)
    by_base = _depart(entered, down, down_weight * leaving * colours * weight / (1 - GLOSS), mi.Color3f(0),
                      (1 - GLOSS) * down.pdf, inside, active)
    return radiance, specular, _choose(mirror, by_gloss, by_base)


def _depart(si, sample, throughput, share, pdf, inside, active) -> Departure:
    # The hair BSDF samples no number once in a million times, where a uniform variate is exactly 0.
    sound = dr.isfinite(sample.wo.x + sample.wo.y + sample.wo.z)
    ray = si.spawn_ray(si.to_world(dr.select(sound, sample.wo, mi.Vector3f(0, 0, 1))))
    return Departure(ray, throughput, share, pdf, inside, active & sound & (dr.max(throughput) > 0))


def _choose(mask: mi.Bool, one: Departure, other: Departure) -> Departure:
    return Departure(*(dr.select(mask, getattr(one, field.name), getattr(other, field.name))
                       for field in dataclasses.fields(Departure)))


def _roulette(onwards: Departure, variate: mi.Float, active: mi.Bool, hairy: mi.Bool) -> Departure:
    """Russian roulette on what ``active`` paths still carry, and at once, but less sternly, where they met hair.

    Each hit on hair is dear; but dark hair lets so little through that its few survivors would show as bright dots.
    """
    carried = dr.max(onwards.throughput)
    survival = dr.select(hairy, dr.sqrt(dr.minimum(carried, 1)), dr.minimum(carried, 0.95))
    playing = active | hairy
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

        onwards = _depart(si, sample, throughput * bounced, share, sample.pdf, inside, going_on)
        onwards = _roulette(onwards, sampler.next_1d(), depth + 1 >= rr_depth, surfaces.hairy(si, going_on))
        throughput = dr.select(pane, throughput, onwards.throughput)
        ray = dr.select(pane, beyond, onwards.ray)
        previous_pdf = dr.select(pane, previous_pdf, onwards.pdf)
        depth = dr.select(pane, depth, depth + 1)
        active = pane | onwards.active

    return radiance, specular


def render(scene: mi.Scene, sensor: mi.Sensor, surfaces: Surfaces, covered: np.ndarray, samples: int, seed: int,
           max_depth: int, rr_depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Foreground radiance and its specular part, two (H, W, 3) float32 arrays; box filter, ``samples`` a pixel.

    ``covered`` (H, W) bool: the pixels to trace; the others, where nothing but environment is seen, are black.
    """
    height, width = covered.shape
    samples = _samples_taken(sensor, samples)
    pixels = np.flatnonzero(covered).astype(np.uint32)
    both = np.zeros((height * width, 6), np.float32)
    for first in range(0, len(pixels), max(1, MAX_LANES // samples)):
        chunk = pixels[first:first + max(1, MAX_LANES // samples)]
        both[chunk] = _trace_pixels(scene, sensor, surfaces, chunk, samples, seed + first, max_depth, rr_depth)
    both = both.reshape(height, width, 6)
    return np.ascontiguousarray(both[..., :3]), np.ascontiguousarray(both[..., 3:])


def _samples_taken(sensor: mi.Sensor, samples: int) -> int:
    """Samples a pixel after the sampler has rounded them up to a grid it can stratify."""
    sampler = sensor.sampler().clone()
    sampler.set_sample_count(samples)
    return sampler.sample_count()


def camera_rays(sensor: mi.Sensor, pixels: np.ndarray, samples: int, seed: int) -> tuple[mi.Sampler, mi.Ray3f]:
    """``samples`` rays through each of P pixels, given by their row-major indices, one pixel after the other."""
    width, height = sensor.film().size()
    sampler = sensor.sampler().clone()
    sampler.set_sample_count(samples)
    sampler.set_samples_per_wavefront(samples)
    lanes = len(pixels) * samples
    sampler.seed(seed, lanes)
    # Opaque numbers keep sizes and sample counts from becoming literals, each of which would compile a new kernel.
    place = dr.arange(mi.UInt32, lanes) // dr.opaque(mi.UInt32, samples)
    pixel = dr.gather(mi.UInt32, mi.UInt32(pixels), place)
    row = pixel // dr.opaque(mi.UInt32, width)
    column = pixel - row * dr.opaque(mi.UInt32, width)
    position = mi.Point2f(mi.Float(column), mi.Float(row)) + sampler.next_2d()
    position /= mi.Vector2f(dr.opaque(mi.Float, width), dr.opaque(mi.Float, height))
    ray, _ = sensor.sample_ray(mi.Float(0), mi.Float(0.5), position, mi.Point2f(0.5))
    return sampler, ray


def _trace_pixels(scene, sensor, surfaces, pixels, samples, seed, max_depth, rr_depth) -> np.ndarray:
    """(P, 6): mean radiance and specular part of P pixels, given by their row-major indices."""
    sampler, ray = camera_rays(sensor, pixels, samples, seed)
    pair = trace(scene, sampler, ray, surfaces, max_depth, rr_depth)
    dr.eval(pair)  # one kernel; block_sum would evaluate each component by tracing everything again
    sums = [dr.block_sum(component, samples) for value in pair for component in value]
    dr.eval(sums)
    return np.stack([np.array(total) for total in sums], axis=-1) / np.float32(samples)
