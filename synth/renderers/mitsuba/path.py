"""A path tracer that also tells the diffuse from the specular part, for Mitsuba's vectorised variants.

Import only after a variant has been set. Differs from Mitsuba's ``path`` in two ways. (1) Each path's radiance is split
by the BSDF lobe at its first hit: for every material there is a *gloss twin*, the same material with a black base, and
``f_specular / f`` is the specular share of whatever arrives along that direction. (2) Samples are summed pixel by pixel
with a fixed-order reduction, not by atomics, so that the same seed gives the same bits on any number of threads.
"""

from __future__ import annotations

import drjit as dr
import mitsuba as mi
import numpy as np

MAX_LANES = 1 << 23
"""Paths in flight at once: bounds memory to a few hundred MB whatever the resolution."""


def registry_id(shape: mi.Shape) -> int:
    """The number that stands for a shape in arrays of pointers."""
    return int(dr.reinterpret_array(mi.UInt32, mi.ShapePtr(shape))[0])


def pointer_table(pairs: list[tuple[mi.Shape, mi.BSDF]]) -> mi.UInt32:
    """(largest shape id + 1,) table from a shape's registry id to the registry id of its gloss twin."""
    ids = [(registry_id(shape), dr.reinterpret_array(mi.UInt32, mi.BSDFPtr(twin))[0]) for shape, twin in pairs]
    table = dr.zeros(mi.UInt32, max(shape for shape, _ in ids) + 1)
    for shape, twin in ids:
        dr.scatter(table, mi.UInt32(twin), mi.UInt32(shape))
    dr.eval(table)
    return table


def _mis_weight(pdf_a: mi.Float, pdf_b: mi.Float) -> mi.Float:
    """Power heuristic (Veach 1997, eq. 9.13) for one sample of each technique."""
    squared = dr.square(pdf_a)
    weight = squared / dr.fma(pdf_b, pdf_b, squared)
    return dr.select(dr.isfinite(weight), weight, 0)


@dr.syntax
def trace(scene: mi.Scene, sampler: mi.Sampler, ray: mi.Ray3f, twins: mi.UInt32, max_depth: int, rr_depth: int):
    """Radiance of the foreground along ``ray`` as (all lobes, specular part); the environment itself is hidden."""
    context = mi.BSDFContext()
    ray = mi.Ray3f(ray)
    radiance, specular = mi.Spectrum(0), mi.Spectrum(0)
    throughput, specular_share = mi.Spectrum(1), mi.Spectrum(0)
    depth = mi.UInt32(0)
    previous = dr.zeros(mi.SurfaceInteraction3f)
    previous_pdf, previous_delta = mi.Float(1), mi.Bool(True)
    eta = mi.Float(1)
    active = mi.Bool(True)

    while dr.hint(active, max_iterations=max_depth, label="foreground path"):
        si = scene.ray_intersect(ray, ray_flags=mi.RayFlags.All, coherent=depth == 0)
        bsdf = si.bsdf(ray)

        # Light that a BSDF sample ran into; what the camera sees directly is background and stays out.
        hit = mi.DirectionSample3f(scene, si, previous)
        emitter_pdf = scene.pdf_emitter_direction(previous, hit, ~previous_delta)
        found = throughput * _mis_weight(previous_pdf, emitter_pdf) * hit.emitter.eval(si, active & (depth > 0))
        radiance += found
        specular += found * specular_share

        going_on = active & (depth + 1 < max_depth) & si.is_valid()

        # Next-event estimation towards the lights.
        lit = going_on & mi.has_flag(bsdf.flags(), mi.BSDFFlags.Smooth)
        light, weight = scene.sample_emitter_direction(si, sampler.next_2d(), True, lit)
        lit &= light.pdf != 0
        to_light = si.to_local(light.d)
        value, bsdf_pdf = bsdf.eval_pdf(context, si, to_light, lit)
        mis = dr.select(light.delta, 1, _mis_weight(light.pdf, bsdf_pdf))
        arriving = dr.select(lit, throughput * mis * weight, 0)

        # Next direction.
        sample, sample_weight = bsdf.sample(context, si, sampler.next_1d(), sampler.next_2d(), going_on)

        # At the first hit, the same two directions through the gloss twin give the specular share.
        first = going_on & (depth == 0)
        twin = dr.reinterpret_array(mi.BSDFPtr, dr.gather(mi.UInt32, twins,
                                                          dr.reinterpret_array(mi.UInt32, si.shape), first))
        gloss = twin.eval(context, si, to_light, first & lit)
        radiance += arriving * value
        specular += arriving * dr.select(depth == 0, dr.minimum(gloss, value), value * specular_share)
        gloss = twin.eval(context, si, sample.wo, first)
        full = sample_weight * sample.pdf
        share = dr.clip(dr.select(full > 0, gloss / full, 0), 0, 1)
        specular_share = dr.select(first, share, specular_share)

        ray = si.spawn_ray(si.to_world(sample.wo))
        throughput *= sample_weight
        eta *= sample.eta
        previous, previous_pdf = si, sample.pdf
        previous_delta = mi.has_flag(sample.sampled_type, mi.BSDFFlags.Delta)

        # Russian roulette on what the path still carries.
        strongest = dr.max(throughput)
        survival = dr.minimum(strongest * dr.square(eta), 0.95)
        roulette = depth + 1 >= rr_depth
        survives = ~roulette | (sampler.next_1d() < survival)
        throughput[roulette] = throughput * dr.rcp(survival)
        depth += 1
        active = going_on & survives & (strongest > 0)

    return radiance, specular


def render(scene: mi.Scene, sensor: mi.Sensor, twins: mi.UInt32, covered: np.ndarray, samples: int, seed: int,
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
        both[chunk] = _trace_pixels(scene, sensor, twins, chunk, samples, seed + first, max_depth, rr_depth)
    both = both.reshape(height, width, 6)
    return np.ascontiguousarray(both[..., :3]), np.ascontiguousarray(both[..., 3:])


def _samples_taken(sensor: mi.Sensor, samples: int) -> int:
    """Samples a pixel after the sampler has rounded them up to a grid it can stratify."""
    sampler = sensor.sampler().clone()
    sampler.set_sample_count(samples)
    return sampler.sample_count()


def _trace_pixels(scene, sensor, twins, pixels, samples, seed, max_depth, rr_depth) -> np.ndarray:
    """(P, 6): mean radiance and specular part of P pixels, given by their row-major indices."""
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
    pair = trace(scene, sampler, ray, twins, max_depth, rr_depth)
    dr.eval(pair)  # one kernel; block_sum would evaluate each component by tracing everything again
    sums = [dr.block_sum(component, samples) for value in pair for component in value]
    dr.eval(sums)
    return np.stack([np.array(total) for total in sums], axis=-1) / np.float32(samples)
