"""Principled and Lambertian surfaces whose textures are read once, to be seen in the light of many directions.

Import only after a variant has been set. What Mitsuba's ``principled`` under ``normalmap`` and ``twosided`` answers
(Burley 2012, "Physically based shading at Disney"; Estevez et al. 2019 for the shadows of bumps), for those of its
parameters that :class:`synth.scene.Material` has: a call of that BSDF reads four textures for every direction.
"""

from __future__ import annotations

from collections.abc import Mapping

import drjit as dr
import mitsuba as mi
import numpy as np

from synth.renderers.mitsuba.arrays import aligned
from synth.renderers.mitsuba.bsdf import LiveBsdf
from synth.renderers.mitsuba.surfaces import registry_id
from synth.scene import AnyMaterial, Material

_COAT_SHADOW = 0.25
"""Roughness by which a clear coat shadows itself, whatever its gloss."""


class Record:
    """Arrays of equal length by name. No dataclass, which Dr.Jit would take apart and carry through its loops."""

    def __init__(self, **fields):
        vars(self).update(fields)

    def at(self, place: mi.UInt32, active: mi.Bool = True):
        """Entries at ``place``."""
        return type(self)(**{name: dr.gather(type(field), field, place, active) for name, field in vars(self).items()})


class Principled(Record):
    """Points of principled surfaces.

    Unit vectors of the world on the side from which they are seen: ``normal``, with the bumps of the normal map,
    ``upright``, without, and ``view``. ``albedo``, ``roughness``, ``clearcoat``, ``eta``, which is 1 where there is no
    gloss and the base is Lambertian; ``coat``: its roughness.
    """

    def facing(self, light: mi.Vector3f) -> mi.Bool:
        """Whether light from there arrives at the front, with bumps and without."""
        return (dr.dot(self.normal, light) > 0) & (dr.dot(self.upright, light) > 0)

    def diffuse(self, light: mi.Vector3f) -> mi.Color3f:
        """Radiance of the base, for unit irradiance at right angles to ``light``, which it faces."""
        cosine = dr.dot(self.normal, light)
        out, back = _schlick(cosine), _schlick(dr.dot(self.normal, self.view))
        retro = self.roughness * (1 + dr.dot(self.view, light))
        value = (1 - 0.5 * out) * (1 - 0.5 * back) + retro * (out + back + out * back * (retro - 1))
        value = dr.select(self.eta == 1, 1, value)
        return self.albedo * (value * cosine * dr.inv_pi * self._bump_shadow(light))

    def gloss(self, light: mi.Vector3f) -> mi.Float:
        """The same of the reflection at the surface, which has no colour."""
        half = dr.normalize(self.view + light)
        cosine, seen = dr.dot(self.normal, light), dr.dot(self.normal, self.view)
        upright, aslant = dr.square(dr.dot(self.normal, half)), dr.squared_norm(dr.cross(self.normal, half))
        slope = dr.square(dr.maximum(dr.square(self.roughness), 1e-3))
        ggx = slope * dr.inv_pi / dr.square(aslant + slope * upright)
        ggx *= _smith(cosine, slope) * _smith(seen, slope) * mi.fresnel(dr.dot(self.view, half), self.eta)[0]
        coat = dr.square(self.coat)
        gtr1 = (coat - 1) / (dr.log(coat) * (aslant + coat * upright)) * dr.inv_pi
        gtr1 *= _smith(cosine, _COAT_SHADOW**2) * _smith(seen, _COAT_SHADOW**2)
        gtr1 *= 0.04 + 0.96 * _schlick(dr.dot(self.view, half))
        return (ggx / (4 * seen) + 0.25 * self.clearcoat * gtr1 * cosine) * self._bump_shadow(light)

    def _bump_shadow(self, light: mi.Vector3f) -> mi.Float:
        steepness = dr.minimum(_tangent2(dr.dot(self.upright, self.normal)) / 8, 1)
        return 2 / (1 + dr.sqrt(1 + steepness * _tangent2(dr.dot(self.upright, light))))


def _schlick(cosine: mi.Float) -> mi.Float:
    rest = dr.clip(1 - cosine, 0, 1)
    return dr.square(dr.square(rest)) * rest


def _smith(cosine: mi.Float, slope: mi.Float) -> mi.Float:
    """Share of microfacets that others do not hide; slope: their roughness, squared."""
    return 2 / (1 + dr.sqrt(1 + slope * _tangent2(cosine)))


def _tangent2(cosine: mi.Float) -> mi.Float:
    squared = dr.square(cosine)
    return dr.maximum(1 - squared, 0) / dr.maximum(squared, 1e-12)


class Palette:
    """The textures of a scene's surfaces but glass, as its BSDFs have them now.

    No dataclass, which Dr.Jit would take apart and carry through its loops.
    """

    def __init__(self, owners: Mapping[mi.Shape, str], materials: Mapping[str, AnyMaterial],
                 shown: Mapping[str, LiveBsdf]):
        """owners: each shape's material; shown: BSDFs by material."""
        names = sorted(name for name in set(owners.values()) if isinstance(materials[name], Material))
        ids = np.array([registry_id(shape, mi.ShapePtr) for shape in owners])
        numbers = np.zeros(ids.max() + 1, np.uint32)
        numbers[ids] = [names.index(name) + 1 if name in names else 0 for name in owners.values()]
        self._numbers = mi.UInt32(aligned(numbers, np.uint32))
        self._textures = [{key: mi.Texture2f(tensor) for key in ("roughness", "clearcoat", "normalmap")
                           if (tensor := shown[name].texels(key)) is not None} for name in names]
        chosen = [materials[name] for name in names]
        specular = np.sqrt(0.08 * np.array([0 if material.lambertian else max(material.specular, 1e-3)
                                            for material in chosen]))
        self._eta = mi.Float(aligned(2 / (1 - specular) - 1))
        self._coat = mi.Float(aligned(np.array([0.1 - 0.099 * material.clearcoat_gloss for material in chosen])))

    def number(self, si: mi.SurfaceInteraction3f, active: mi.Bool) -> mi.UInt32:
        """1 + the place of the material that was met among those of :class:`Principled`, or 0."""
        return dr.gather(mi.UInt32, self._numbers, dr.reinterpret_array(mi.UInt32, si.shape), active & si.is_valid())

    def read(self, si: mi.SurfaceInteraction3f, bsdf: mi.BSDFPtr, active: mi.Bool) -> Principled:
        """What was met, where its number is not 0. bsdf: that of ``si``."""
        number = self.number(si, active)
        known, place = active & (number != 0), dr.maximum(number, 1) - 1
        roughness, clearcoat, bump = mi.Float(0), mi.Float(0), mi.Vector3f(0, 0, 1)
        for k, textures in enumerate(self._textures):
            here = known & (place == k)
            if "roughness" in textures:  # nor clear coat is there in a Lambertian
                roughness = dr.select(here, textures["roughness"].eval(si.uv, here)[0], roughness)
                clearcoat = dr.select(here, textures["clearcoat"].eval(si.uv, here)[0], clearcoat)
            if "normalmap" in textures:
                bump = dr.select(here, 2 * mi.Vector3f(*textures["normalmap"].eval(si.uv, here)) - 1, bump)
        # A two-sided surface seen from behind is mirrored in its plane. Bumps never face away (Schuessler et al. 2017).
        side = dr.select(mi.Frame3f.cos_theta(si.wi) < 0, mi.Float(-1), mi.Float(1))
        away = si.wi.x * bump.x + si.wi.y * bump.y + si.wi.z * side * bump.z <= 0
        bump = dr.normalize(mi.Vector3f(dr.select(away, -bump.x, bump.x), dr.select(away, -bump.y, bump.y), bump.z))
        return Principled(
            normal=si.to_world(mi.Vector3f(bump.x, bump.y, bump.z * side)), view=si.to_world(si.wi),
            upright=si.to_world(mi.Vector3f(0, 0, side)), albedo=bsdf.eval_diffuse_reflectance(si, known),
            roughness=roughness, clearcoat=clearcoat, eta=dr.gather(mi.Float, self._eta, place),
            coat=dr.gather(mi.Float, self._coat, place))
