"""Light that enters flesh beside the point where it leaves it: Burley's normalized diffusion.

Christensen & Burley 2015, "Approximate reflectance profiles for efficient subsurface scattering", with the mean free
path as its parameter. What leaves a point is the albedo there (not where light entered) times the irradiance about it,
weighted by a profile whose integral over a plane is 1: a flat slab under even light has the colour of its texture,
detail in the texture stays sharp, and edges of shadows bleed.
"""

from __future__ import annotations

import drjit as dr
import mitsuba as mi

from synth.renderers.mitsuba.surfaces import Surfaces

LONGEST = 16.0
"""Radii end at so many units of the profile's width; 0.5 % of the light would come from beyond."""


def _profile(radius: mi.Float, width: mi.Color3f) -> mi.Color3f:
    """Probability an area of light that leaves at the origin to have entered at ``radius``."""
    return (dr.exp(-radius / width) + dr.exp(-radius / (3 * width))) / (8 * dr.pi * width * radius)


def _widths(surfaces: Surfaces, number: mi.UInt32, albedo: mi.Color3f, active: mi.Bool) -> mi.Color3f:
    """The profile's d = l / s, metres: mean free path over the fit to Monte Carlo."""
    place = 3 * (dr.maximum(number, 1) - 1)
    length = mi.Color3f(*(dr.gather(mi.Float, surfaces.paths, place + k, active) for k in range(3)))
    return dr.maximum(length, 1e-6) / (1.9 - albedo + 3.5 * dr.square(albedo - 0.8))


def leaving(si: mi.SurfaceInteraction3f, albedo: mi.Color3f) -> mi.Color3f:
    """The albedo less what the gloss reflects, which does not enter: Schlick's Fresnel over that at right angles."""
    cosine = dr.abs(mi.Frame3f.cos_theta(si.wi))
    return albedo * (1 - (1 - cosine) ** 5)


def entry(scene: mi.Scene, surfaces: Surfaces, si: mi.SurfaceInteraction3f, number: mi.UInt32, albedo: mi.Color3f,
          sample: mi.Point2f, turn: mi.Float, active: mi.Bool) -> tuple[mi.SurfaceInteraction3f, mi.Color3f]:
    """Where light that leaves at ``si`` entered, seen from above there, and the weight of its colours.

    number: ``Surfaces.flesh_number`` of the hit. The weight's mean is 1 wherever the surface lies: a probe that finds
    no flesh of the same kind stands for the hit itself, so that nothing is gained or lost.
    """
    width = _widths(surfaces, number, albedo, active)
    # One channel's profile is sampled: a quarter of it is the narrow exponential, the rest the wide one.
    # (Both numbers of a stratified pair: the weights depend on them alone, and even out over a pixel.)
    channel = dr.minimum(mi.UInt32(sample.x * 3), 2)
    chosen = dr.select(channel == 0, width.x, dr.select(channel == 1, width.y, width.z))
    rest = sample.x * 3 - mi.Float(channel)
    scale = dr.select(rest < 0.25, chosen, 3 * chosen)
    radius = -scale * dr.log(1 - sample.y * (1 - dr.exp(-LONGEST / 3)))
    radius = dr.maximum(radius, 1e-7)
    pdfs = _profile(radius, width)
    # (No dr.mean, which would write the number of lanes into the kernel: each frame would compile its own.)
    weight = pdfs / dr.maximum((pdfs.x + pdfs.y + pdfs.z) / 3, 1e-20)

    sine, cosine = dr.sincos(2 * dr.pi * turn)
    frame = mi.Frame3f(dr.select(dr.dot(si.n, si.to_world(si.wi)) > 0, si.n, -si.n))
    above = si.p + radius * (cosine * frame.s + sine * frame.t + frame.n)
    probe = mi.Ray3f(above, -frame.n)
    probe.maxt = 2 * radius
    found = scene.ray_intersect(probe, ray_flags=mi.RayFlags.All, coherent=False, active=active)
    same = active & found.is_valid() & (surfaces.flesh_number(found, active) == number)
    found.wi = mi.Vector3f(0, 0, dr.select(dr.dot(found.n, frame.n) > 0, mi.Float(1), mi.Float(-1)))
    here = mi.SurfaceInteraction3f(si)
    here.wi = mi.Vector3f(0, 0, dr.select(mi.Frame3f.cos_theta(si.wi) > 0, mi.Float(1), mi.Float(-1)))
    return dr.select(same, found, here), weight
