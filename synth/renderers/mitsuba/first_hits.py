"""Light that comes straight from the sky to what the camera sees first, from hits that are found once for all of it.

Import only after a variant has been set. A pixel keeps a few hits. Each is lit from every bin by a shadow ray in a
direction of its own, so that a bin that holds a lamp is as free of noise as any other; paths would find it by luck.
Suns and small lamps, whose shadows are sharper than a bin, light the same hits (:mod:`.sources`). Textures are read
once for all of this (:mod:`.shading`).
"""

from __future__ import annotations

import math

import drjit as dr
import mitsuba as mi
import numpy as np

from synth.renderers.mitsuba import glass, subsurface
from synth.renderers.mitsuba.arrays import aligned
from synth.renderers.mitsuba.path import camera_rays, samples_taken
from synth.renderers.mitsuba.shading import Palette, Record
from synth.renderers.mitsuba.surfaces import Surfaces
from synth.transport.directions import to_sphere

TILT = math.pi / 6
TURNS = 9
"""A hit is lit from one bin in so many, by turns: neighbours on the surface see much the same sky."""
GLOSS_RAYS = 16
"""Directions in which gloss looks at the sky from each hit."""
R3 = (0.8191725133961645, 0.6710436067037893, 0.5497004779019703)
"""Roberts 2018: steps of a sequence of points that fill the cube evenly, however many there are."""


class Entry(Record):
    """Where the light that leaves a hit has entered: the hit itself, but of flesh a place beside it.

    Points ``p`` with normals: ``n`` the geometry's, for rays, ``bumpy`` with bumps, of any length, ``upright`` a unit
    one without. ``below`` is what flesh gives back of light that enters, over its cosine to ``bumpy``; 0 of all else.
    """

    def facing(self, light: mi.Vector3f) -> mi.Bool:
        """Whether light from there arrives at the front, with bumps and without."""
        return (dr.dot(self.bumpy, light) > 0) & (dr.dot(self.upright, light) > 0)

    def ray(self, light: mi.Vector3f) -> mi.Ray3f:
        """Towards ``light``."""
        return ray_from(self.p, self.n, light)


def ray_from(point: mi.Point3f, normal: mi.Normal3f, light: mi.Vector3f) -> mi.Ray3f:
    """A shadow ray from a point of a surface whose geometric normal is given."""
    start = dr.zeros(mi.Interaction3f)
    start.p, start.n = point, normal
    return start.spawn_ray(light)


class FirstHits:
    """Where the camera rays of P pixels end, ``samples`` a pixel, one pixel after the other.

    ``solid`` are the hits on principled surfaces, ``fleshy`` those of them that scatter, ``hairy`` those on strands;
    ``surface`` and ``entry`` are what the solid ones are like, in which flesh has no albedo but what is below.
    No dataclass, which Dr.Jit would take apart and carry through its loops.
    """

    def __init__(self, scene: mi.Scene, sensor: mi.Sensor, surfaces: Surfaces, palette: Palette, pixels: np.ndarray,
                 samples: int, seed: int, rough: bool):
        """pixels: (P,) ascending row-major indices. rough: whether they lie on edges or show hair."""
        self.scene, self.surfaces, self.rough = scene, surfaces, rough
        self.beside = [mi.UInt32(aligned(row, np.uint32)) for row in neighbours(pixels, sensor.film().size()[0])]
        self.pixels, self.samples = len(pixels), samples_taken(sensor, samples)
        sampler, ray = camera_rays(sensor, pixels, samples, seed)
        si, ray, weight, reflected, inside = glass.first_seen(scene, surfaces, sampler, ray)
        active = si.is_valid() & ~reflected
        self.si, self.weight, self.inside = surfaces.comb(si, ray, active), mi.Float(weight), mi.Bool(inside)
        self.bsdf, self.twin = self.si.bsdf(ray), surfaces.twin(si, active)
        self.turn = sampler.next_1d()
        self.hairy = surfaces.hairy(self.si, active)
        self.solid = active & (palette.number(si, active) != 0)
        self.surface = palette.read(si, self.bsdf, self.solid)
        self.fleshy = mi.Bool(False)
        self.entry = Entry(p=si.p, n=si.n, bumpy=self.surface.normal, upright=self.surface.upright, below=mi.Color3f(0))
        if surfaces.flesh is not None:
            self.fleshy = active & (surfaces.flesh_number(si, active) != 0)
            beside = vars(self._entered(sampler))
            self.entry = Entry(**{name: dr.select(self.fleshy, beside[name], here)
                                  for name, here in vars(self.entry).items()})
        self.surface.albedo = dr.select(self.fleshy, 0, self.surface.albedo * self.weight)
        dr.eval(vars(self.surface), vars(self.entry),
                {name: value for name, value in vars(self).items() if name not in ("scene", "surfaces", "rough")})

    def _entered(self, sampler: mi.Sampler) -> Entry:
        """Where the light that leaves flesh at the hits enters it."""
        si, context, albedo = self.si, mi.BSDFContext(), self.surface.albedo
        leaving = subsurface.leaving(si, albedo)
        entered, colours = subsurface.entry(self.scene, self.surfaces, si, self.surfaces.flesh_number(si, self.fleshy),
                                            albedo, sampler.next_2d(), sampler.next_1d(), self.fleshy)
        # A Lambertian's normal, with the bumps of its map, from its answers to three directions. Seen from behind, a
        # two-sided surface faces us: mirrored in its plane, where the answers are.
        side = dr.select(mi.Frame3f.cos_theta(entered.wi) < 0, mi.Float(-1), mi.Float(1))
        base = self.surfaces.base(entered, self.fleshy)
        thirds = [2 * math.pi * k / 3 for k in range(3)]
        a, b, c = (base.eval(context, entered, mi.Vector3f(math.sin(TILT) * math.cos(t), math.sin(TILT) * math.sin(t),
                                                           math.cos(TILT) * side), self.fleshy).x for t in thirds)
        bumpy = mi.Vector3f((2 * a - b - c) / (3 * math.sin(TILT)), (b - c) / (math.sqrt(3) * math.sin(TILT)),
                            (a + b + c) / (3 * math.cos(TILT)))
        return Entry(p=entered.p, n=entered.n, bumpy=entered.to_world(mi.Vector3f(bumpy.x, bumpy.y, bumpy.z * side)),
                     upright=entered.to_world(mi.Vector3f(0, 0, side)), below=leaving * colours * self.weight)

    def free(self, ray: mi.Ray3f, place: mi.UInt32, active: mi.Bool) -> mi.Float:
        """Share of light along ``ray`` that reaches the hits at ``place``."""
        return glass.unoccluded(self.scene, self.surfaces, ray, dr.gather(mi.Bool, self.inside, place), active)

    def respond(self, bins, weight: float) -> None:
        """Add the response to the fine ones of :class:`synth.renderers.mitsuba.transport.Bins`, times ``weight``."""
        turns = max(1, self.samples // TURNS)
        table = mi.Float(aligned(direction_table(bins.fine, turns).ravel()))
        share = dr.opaque(mi.Float, weight * 4 * math.pi / bins.fine**2 * TURNS / self.samples)
        glossy = dr.opaque(mi.Float, weight / (self.samples * GLOSS_RAYS))
        _every_bin(self, bins, table, dr.opaque(mi.UInt32, turns), share, glossy, dr.opaque(mi.UInt32, self.samples))


@dr.syntax
def _every_bin(hits, bins, table, turns, share, glossy, samples):
    number, fine = mi.UInt32(0), bins.fine**2
    while dr.hint(number < samples, label="hits of a pixel"):
        place = bins.lane * samples + number
        solid = dr.gather(mi.Bool, hits.solid, place)
        fleshy = dr.gather(mi.Bool, hits.fleshy, place)
        surface, entry = hits.surface.at(place, solid), hits.entry.at(place, solid)
        # Neighbours look into the same bin at once, since rays that keep together are cheap; but they take the sets of
        # directions in another order, or edges of shadows would repeat.
        turn = mi.UInt32(dr.gather(mi.Float, hits.turn, bins.lane * samples) * mi.Float(turns))
        first = ((number // TURNS + turn) % turns) * fine
        column = number % TURNS
        while dr.hint(column < fine, label="bins"):
            light = dr.gather(mi.Vector3f, table, first + column)
            facing = solid & entry.facing(light)
            found = surface.diffuse(light)
            if dr.hint(hits.surfaces.flesh is not None, mode="scalar"):
                found = dr.select(fleshy, entry.below * dr.dot(entry.bumpy, light), found)
            found *= hits.free(entry.ray(light), place, facing) * share
            bins.add(column, dr.select(facing, found, 0), mi.Color3f(0), facing & (dr.max(found) > 0))
            column += TURNS
        _gloss(hits, bins, place, number, glossy, solid)
        number += 1


@dr.syntax
def _gloss(hits, bins, place, hit, share, active):
    """Add what gloss shows of the sky, too narrow for one direction a bin: by sampling its lobe."""
    context, number = mi.BSDFContext(), mi.UInt32(0)
    turn = dr.gather(mi.Float, hits.turn, bins.lane)
    weight = dr.gather(mi.Float, hits.weight, place)
    si = dr.gather(mi.SurfaceInteraction3f, hits.si, place, active)
    twin = dr.gather(mi.BSDFPtr, hits.twin, place, active)
    while dr.hint(number < GLOSS_RAYS, label="gloss"):
        point = mi.Point3f(turn, 3 * turn, 7 * turn) + mi.Float(hit * GLOSS_RAYS + number) * mi.Point3f(*R3)
        point -= dr.floor(point)
        sample, bounced = twin.sample(context, si, point.z, mi.Point2f(point.x, point.y), active)
        light = si.to_world(sample.wo)
        free = hits.free(si.spawn_ray(light), place, active & (dr.max(bounced) > 0))
        found = bounced * weight * free * share
        bins.add(bins.number(bins.to_square(light), True), found, found, active & (free > 0))
        number += 1


def neighbours(pixels: np.ndarray, width: int) -> np.ndarray:
    """(4, P) places in ``pixels`` (P,), ascending row-major indices, of those beside each; where none is, its own."""
    own = np.arange(len(pixels))
    beside = pixels.astype(np.int64) + np.array([-width, -1, 1, width])[:, None]
    place = np.searchsorted(pixels, beside).clip(0, len(pixels) - 1)
    return np.where(pixels[place] == beside, place, own)


def direction_table(side: int, count: int) -> np.ndarray:
    """(count, side², 3) float32: sets of directions, one in each bin, that fill the bins evenly together."""
    # A lattice, whose mean is the middle of the bin: a set that leaned to one side would turn the light.
    step = next(k for k in range(round(count * 0.618), 2 * count + 2) if math.gcd(k, count) == 1)
    k = np.arange(count)
    within = (np.stack([k, k * step % count], axis=-1) + 0.5) / count
    ticks = np.arange(side)
    corners = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(1, -1, 2)
    return to_sphere((corners + within[:, None]) / side).astype(np.float32)
