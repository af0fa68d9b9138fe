"""Light that comes straight from the sky to what the camera sees first, from hits that are found once for all of it.

Import only after a variant has been set. A pixel keeps a few hits. Each is lit from every bin by a shadow ray in a
direction of its own, so that a bin that holds a lamp is as free of noise as any other; paths would find it by luck.
Suns and small lamps, whose shadows are sharper than a bin, are traced from the same hits (:class:`Source`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import drjit as dr
import mitsuba as mi
import numpy as np

from synth.renderers.mitsuba import glass, subsurface
from synth.renderers.mitsuba.arrays import aligned
from synth.renderers.mitsuba.path import camera_rays, samples_taken
from synth.renderers.mitsuba.surfaces import Surfaces, registry_id
from synth.scene import Material
from synth.transport.directions import to_sphere
from synth.transport.light import Source

TILT = math.pi / 6
TURNS = 9
"""A hit is lit from one bin in so many, by turns: neighbours on the surface see much the same sky."""
GLOSS_RAYS = 16
"""Directions in which gloss looks at the sky from each hit."""
R3 = (0.8191725133961645, 0.6710436067037893, 0.5497004779019703)
"""Roberts 2018: steps of a sequence of points that fill the cube evenly, however many there are."""


class FirstHits:
    """Where the camera rays of P pixels end, ``samples`` a pixel, one pixel after the other.

    No dataclass, which Dr.Jit would take apart and carry through its loops.
    """

    def __init__(self, scene: mi.Scene, sensor: mi.Sensor, surfaces: Surfaces, even: mi.UInt32, pixels: np.ndarray,
                 samples: int, seed: int):
        """pixels: (P,) row-major indices. even: as :func:`even_table`."""
        self.scene, self.surfaces = scene, surfaces
        self.pixels, self.samples = len(pixels), samples_taken(sensor, samples)
        sampler, ray = camera_rays(sensor, pixels, samples, seed)
        si, ray, weight, reflected, inside = glass.first_seen(scene, surfaces, sampler, ray)
        active = si.is_valid() & ~reflected
        self.si, self.weight, self.inside = surfaces.comb(si, ray, active), mi.Float(weight), mi.Bool(inside)
        self.bsdf, self.twin = self.si.bsdf(ray), surfaces.twin(si, active)
        self.turn = sampler.next_1d()
        self.fleshy = mi.Bool(False)
        if surfaces.flesh is not None:
            self.fleshy = active & (surfaces.flesh_number(si, active) != 0)
            self._enter(sampler)
        self.plain = active & ~self.fleshy
        self.hairy = mi.Bool(surfaces.hairy(self.si, active)) & active
        self.even = self.plain & (dr.gather(mi.UInt32, even, dr.reinterpret_array(mi.UInt32, si.shape), active) != 0)
        dr.eval({name: value for name, value in vars(self).items() if name not in ("scene", "surfaces")})

    def _enter(self, sampler: mi.Sampler) -> None:
        """Where the light that leaves flesh at the hits enters it: rays' origin, normals and weight."""
        si, context = self.si, mi.BSDFContext()
        albedo = self.bsdf.eval_diffuse_reflectance(si, self.fleshy)
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
        self.bumpy = entered.to_world(mi.Vector3f(bumpy.x, bumpy.y, bumpy.z * side))
        self.upright = entered.to_world(mi.Vector3f(0, 0, side))
        self.entered, self.coarse_normal = entered.p, entered.n
        self.below = leaving * colours * self.weight

    def _base(self, place: mi.UInt32, light: mi.Vector3f) -> mi.Color3f:
        """Radiance of the hits at ``place`` by the base of flesh, for unit irradiance at right angles to ``light``."""
        if self.surfaces.flesh is None:
            return mi.Color3f(0)
        fleshy = dr.gather(mi.Bool, self.fleshy, place)
        cosine = dr.dot(light, dr.gather(mi.Vector3f, self.bumpy, place, fleshy))
        facing = fleshy & (cosine > 0) & (dr.dot(light, dr.gather(mi.Vector3f, self.upright, place, fleshy)) > 0)
        start = dr.zeros(mi.Interaction3f)
        start.p = dr.gather(mi.Point3f, self.entered, place, facing)
        start.n = dr.gather(mi.Normal3f, self.coarse_normal, place, facing)
        free = glass.unoccluded(self.scene, self.surfaces, start.spawn_ray(light),
                                dr.gather(mi.Bool, self.inside, place), facing)
        return dr.gather(mi.Color3f, self.below, place, facing) * dr.select(facing, cosine * free, 0)

    def _surface(self, si, bsdf, twin, place: mi.UInt32, light: mi.Vector3f, active: mi.Bool, split: bool):
        """The same by the BSDF where it is seen, as (all, specular part); the latter only if ``split``."""
        context = mi.BSDFContext()
        local = si.to_local(light)
        # None but hair lets light through. (No &=, which would change the caller's mask.)
        facing = mi.Frame3f.cos_theta(local) * mi.Frame3f.cos_theta(si.wi) > 0
        active = active & (facing | dr.gather(mi.Bool, self.hairy, place))
        value = bsdf.eval(context, si, local, active)
        lit = active & (dr.max(value) > 0)
        here = glass.unoccluded(self.scene, self.surfaces, si.spawn_ray(light),
                                dr.gather(mi.Bool, self.inside, place), lit)
        here *= dr.gather(mi.Float, self.weight, place)
        gloss = dr.minimum(twin.eval(context, si, local, lit), value) if split else mi.Color3f(0)
        return dr.select(lit, here * value, 0), dr.select(lit, here * gloss, 0)

    def respond(self, bins, weight: float) -> None:
        """Add the response to the fine ones of :class:`synth.renderers.mitsuba.transport.Bins`, times ``weight``."""
        turns = max(1, self.samples // TURNS)
        table = mi.Float(aligned(direction_table(bins.fine, turns).ravel()))
        share = dr.opaque(mi.Float, weight * 4 * math.pi / bins.fine**2 * TURNS / self.samples)
        glossy = dr.opaque(mi.Float, weight / (self.samples * GLOSS_RAYS))
        _every_bin(self, bins, table, dr.opaque(mi.UInt32, turns), share, glossy, dr.opaque(mi.UInt32, self.samples))

    def lit_by(self, sources: Sequence[Source], lobes: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """Radiance (K, P, 3) float32 of the pixels by each of K sources, and its specular part."""
        lane = dr.arange(mi.UInt32, self.pixels * self.samples)
        towards = mi.Float(aligned(np.concatenate([source.directions for source in sources]).ravel()))
        power = mi.Float(aligned(np.stack([source.irradiance for source in sources]).ravel()))
        out = [dr.zeros(mi.Float, dr.width(lane) * len(sources)) for _ in range(6 if lobes else 3)]
        _every_source(self, towards, power, dr.opaque(mi.UInt32, len(sources[0].directions)), out, lane,
                      dr.opaque(mi.UInt32, dr.width(lane)), dr.opaque(mi.UInt32, len(sources)))
        sums = [dr.block_sum(component, self.samples) for component in out]
        dr.eval(sums)
        both = np.stack([np.array(s) for s in sums], axis=-1).reshape(len(sources), self.pixels, len(out))
        both /= np.float32(self.samples)
        return both[..., :3], both[..., 3:] if lobes else None


@dr.syntax
def _every_bin(hits, bins, table, turns, share, glossy, samples):
    number, fine = mi.UInt32(0), bins.fine**2
    while dr.hint(number < samples, label="hits of a pixel"):
        place = bins.lane * samples + number
        even, fleshy = dr.gather(mi.Bool, hits.even, place), dr.gather(mi.Bool, hits.fleshy, place)
        si = dr.gather(mi.SurfaceInteraction3f, hits.si, place, even | fleshy)
        bsdf, twin = (dr.gather(mi.BSDFPtr, pointer, place, even | fleshy) for pointer in (hits.bsdf, hits.twin))
        # Neighbours take the sets of directions in another order, or edges of shadows would repeat.
        turn = number + mi.UInt32(dr.gather(mi.Float, hits.turn, bins.lane * samples) * mi.Float(samples))
        first = ((turn // TURNS) % turns) * fine
        column = turn % TURNS
        while dr.hint(column < fine, label="bins"):
            light = dr.gather(mi.Vector3f, table, first + column)
            found, gloss = hits._surface(si, bsdf, twin, place, light, even, True)
            found += hits._base(place, light) - gloss
            bins.add(column, found * share, mi.Color3f(0), dr.max(found) > 0)
            column += TURNS
        _gloss(hits, bins, si, twin, place, number, glossy, even | fleshy)
        number += 1


@dr.syntax
def _gloss(hits, bins, si, twin, place, hit, share, active):
    """Add what gloss shows of the sky, too narrow for one direction a bin: by sampling its lobe."""
    context, number = mi.BSDFContext(), mi.UInt32(0)
    turn = dr.gather(mi.Float, hits.turn, bins.lane)
    weight, inside = dr.gather(mi.Float, hits.weight, place), dr.gather(mi.Bool, hits.inside, place)
    while dr.hint(number < GLOSS_RAYS, label="gloss"):
        point = mi.Point3f(turn, 3 * turn, 7 * turn) + mi.Float(hit * GLOSS_RAYS + number) * mi.Point3f(*R3)
        point -= dr.floor(point)
        sample, bounced = twin.sample(context, si, point.z, mi.Point2f(point.x, point.y), active)
        light = si.to_world(sample.wo)
        free = glass.unoccluded(hits.scene, hits.surfaces, si.spawn_ray(light), inside,
                                active & (dr.max(bounced) > 0))
        found = bounced * weight * free * share
        bins.add(bins.number(bins.to_square(light), True), found, found, active & (free > 0))
        number += 1


@dr.syntax
def _every_source(hits, towards, power, spread, out, lane, lanes, count):
    bsdf, active = dr.select(hits.fleshy, hits.twin, hits.bsdf), hits.fleshy | hits.plain
    turn = dr.minimum(mi.UInt32(hits.turn * mi.Float(spread)), spread - 1)
    number = mi.UInt32(0)
    while dr.hint(number < count, label="sources"):
        light = dr.gather(mi.Vector3f, towards, number * spread + turn)
        found, gloss = hits._surface(hits.si, bsdf, hits.twin, lane, light, active, len(out) > 3)
        found += hits._base(lane, light)
        irradiance = dr.gather(mi.Color3f, power, number)
        for k in range(len(out)):
            value = (found if k < 3 else gloss)[k % 3] * irradiance[k % 3]
            dr.scatter(out[k], value, number * lanes + lane, mode=dr.ReduceMode.NoConflicts)
        number += 1


def even_table(owners: dict, materials) -> mi.UInt32:
    """For each shape's registry id, 1 where it is a surface that does not scatter: no flesh, hair or glass."""
    ids = np.array([registry_id(shape, mi.ShapePtr) for shape in owners])
    table = np.zeros(ids.max() + 1, np.uint32)
    table[ids] = [isinstance(material := materials[name], Material) and material.scatter is None
                  for name in owners.values()]
    return mi.UInt32(aligned(table, np.uint32))


def direction_table(side: int, count: int) -> np.ndarray:
    """(count, side², 3) float32: sets of directions, one in each bin, that fill the bins evenly together."""
    # A lattice, whose mean is the middle of the bin: a set that leaned to one side would turn the light.
    step = next(k for k in range(round(count * 0.618), 2 * count + 2) if math.gcd(k, count) == 1)
    k = np.arange(count)
    within = (np.stack([k, k * step % count], axis=-1) + 0.5) / count
    ticks = np.arange(side)
    corners = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(1, -1, 2)
    return to_sphere((corners + within[:, None]) / side).astype(np.float32)
