"""Light through corneas and lenses.

The camera sees through glass as it is: reflection or refraction by chance, bent by Snell's law. Light, in contrast,
goes straight on through it, dimmed by its Fresnel transmittance, so that what lies behind can be lit by next-event
estimation: no caustics, and none of their noise, but still linear in the light (the practice of film renderers).
"""

from __future__ import annotations

import drjit as dr
import mitsuba as mi

from synth.renderers.mitsuba.surfaces import Surfaces

REFLECTED = 0.5
"""Chance of a camera path to be reflected by glass. By Fresnel it would be 2.5 %, and a lamp's glint noise."""
PANES = 4
"""At most so many are passed by one ray: in and out of two lenses."""


def reflectance(cosine: mi.Float, index: mi.Float) -> mi.Float:
    """Fresnel's, unpolarised, from the side of the air; a thin sheet's includes the reflections within it."""
    single = mi.fresnel(dr.abs(cosine), dr.maximum(dr.abs(index), 1.0001))[0]
    return dr.select(index < 0, 2 * single / (1 + single), single)


def first_seen(scene: mi.Scene, surfaces: Surfaces, sampler: mi.Sampler, ray: mi.Ray3f):
    """What camera rays meet first, glass apart, as :func:`look_through` gives it; for less in scenes without glass."""
    if surfaces.ior is not None:
        return look_through(scene, surfaces, sampler, ray)
    si = scene.ray_intersect(ray, ray_flags=mi.RayFlags.All, coherent=True)
    return si, ray, mi.Float(1), mi.Bool(False), mi.Bool(False)


@dr.syntax
def look_through(scene: mi.Scene, surfaces: Surfaces, sampler: mi.Sampler, ray: mi.Ray3f):
    """Follow camera rays through glass to what lies behind it, or off it.

    Returns the hit, its ray, the throughput, which rays were reflected (those end at the last pane, their rays just
    leaving it), and which hits are inside a body of glass.
    """
    ray = mi.Ray3f(ray)
    weight, reflected, inside = mi.Float(1), mi.Bool(False), mi.Bool(False)
    si = scene.ray_intersect(ray, ray_flags=mi.RayFlags.All, coherent=True)
    index = surfaces.index(si, mi.Bool(True))
    looking = index != 0
    panes = mi.UInt32(0)
    while dr.hint(looking, label="camera through glass"):
        front = mi.Frame3f.cos_theta(si.wi) > 0
        _, cosine, _, eta_ti = mi.fresnel(mi.Frame3f.cos_theta(si.wi), dr.maximum(dr.abs(index), 1.0001))
        part = reflectance(mi.Frame3f.cos_theta(si.wi), index)
        chance = dr.select(front, dr.maximum(part, REFLECTED), 0)
        mirror = sampler.next_1d() < chance
        weight *= dr.select(mirror, part / chance, (1 - part) / (1 - chance))
        bent = dr.select(front & (index > 0), mi.refract(si.wi, cosine, eta_ti), -si.wi)
        ray = si.spawn_ray(si.to_world(dr.select(mirror, mi.reflect(si.wi), bent)))
        inside = dr.select(mirror | (index < 0), inside, front)
        reflected |= mirror
        panes += 1
        looking &= ~mirror & (panes < PANES)
        si = scene.ray_intersect(ray, ray_flags=mi.RayFlags.All, coherent=False, active=looking)
        index = surfaces.index(si, looking)
        looking &= index != 0
    return si, ray, weight, reflected, inside


def covered_and_touched(scene: mi.Scene, surfaces: Surfaces, ray: mi.Ray3f) -> tuple[mi.Bool, mi.Bool]:
    """Whether camera rays meet anything that isn't a lens, and whether they meet anything."""
    touched = scene.ray_test(ray, coherent=True)
    return (_behind_lenses(scene, surfaces, ray, touched) if surfaces.lenses else touched), touched


@dr.syntax
def _behind_lenses(scene: mi.Scene, surfaces: Surfaces, ray: mi.Ray3f, touched: mi.Bool) -> mi.Bool:
    ray, looking, covered = mi.Ray3f(ray), mi.Bool(touched), mi.Bool(touched)
    panes = mi.UInt32(0)
    while dr.hint(looking, label="camera through lenses"):
        si = scene.ray_intersect(ray, ray_flags=mi.RayFlags.Minimal, coherent=False, active=looking)
        covered = dr.select(looking, si.is_valid(), covered)
        ray = si.spawn_ray(ray.d)
        panes += 1
        looking &= (surfaces.index(si, looking) < 0) & (panes <= PANES)
    return covered


def pass_straight(surfaces: Surfaces, si: mi.SurfaceInteraction3f, ray: mi.Ray3f, inside: mi.Bool, active: mi.Bool):
    """Whether a path met glass, its transmittance (1 elsewhere), the ray beyond, and whether that is inside a body."""
    index = surfaces.index(si, active)
    pane = active & (index != 0)
    cosine = mi.Frame3f.cos_theta(si.wi)
    weight = dr.select(pane, 1 - reflectance(cosine, index), 1)
    inside = dr.select(pane & (index > 0), cosine > 0, inside)
    return pane, weight, si.spawn_ray(ray.d), inside


@dr.syntax
def unoccluded(scene: mi.Scene, surfaces: Surfaces, ray: mi.Ray3f, inside: mi.Bool, active: mi.Bool) -> mi.Float:
    """Share of the environment's light that reaches the start of ``ray`` from its direction: 0 behind anything opaque.

    Unless a scene has lenses, only light that arrives inside a body of glass is asked about it.
    """
    ray = mi.Ray3f(ray)
    blocked = scene.ray_test(ray, active)
    share = dr.select(blocked | ~active, mi.Float(0), mi.Float(1))
    if dr.hint(surfaces.ior is not None, mode="scalar"):
        share = _beyond_glass(scene, surfaces, ray, share, blocked if surfaces.lenses else blocked & inside)
    return share


@dr.syntax
def _beyond_glass(scene: mi.Scene, surfaces: Surfaces, ray: mi.Ray3f, share: mi.Float, searching: mi.Bool) -> mi.Float:
    passing, panes = mi.Float(1), mi.UInt32(0)
    searching = mi.Bool(searching)
    while dr.hint(searching, label="light through glass"):
        si = scene.ray_intersect(ray, ray_flags=mi.RayFlags.ShadingFrame, coherent=False, active=searching)
        share = dr.select(searching & ~si.is_valid(), passing, share)
        index = surfaces.index(si, searching)
        passing *= 1 - reflectance(mi.Frame3f.cos_theta(si.wi), index)
        ray = si.spawn_ray(ray.d)
        panes += 1
        searching &= (index != 0) & (panes <= PANES)
    return share
