"""What the path tracer must know about the shape that a ray has met: tables by the shapes' registry ids.

Import only after a variant has been set.
"""

from __future__ import annotations

from collections.abc import Mapping

import drjit as dr
import mitsuba as mi
import numpy as np

from synth.renderers.mitsuba.arrays import aligned
from synth.scene import AnyMaterial, Glass, Material


def registry_id(instance: mi.Object, pointer: type) -> int:
    """The number that stands for a shape or BSDF in arrays of pointers."""
    return int(dr.reinterpret_array(mi.UInt32, pointer(instance))[0])


_TABLES = ("twins", "ior", "flesh", "bases", "paths", "fibres", "axes")


class Surfaces:
    """Tables over shapes; those that a scene has no use for are None, and cost its kernels nothing.

    No dataclass, which Dr.Jit would take apart and carry through its loops.

    twins: BSDF ids of gloss twins. ior: index of refraction of a body of glass, its negative for a thin sheet, 0 for
    what isn't glass. flesh: 1 + the place of a scattering material in ``paths``, or 0. bases: BSDF ids of the white
    diffuse bases of those. paths: their mean free paths, metres, three for each. fibres: 1 + the place of a group
    of strands' first piece in ``axes``, or 0. axes: directions of the pieces, three numbers each.
    """

    def __init__(self, twins: mi.UInt32, ior: mi.Float | None, lenses: bool, flesh: mi.UInt32 | None,
                 bases: mi.UInt32 | None, paths: mi.Float, fibres: mi.UInt32 | None, axes: mi.Float):
        self.twins, self.ior, self.flesh, self.bases, self.paths = twins, ior, flesh, bases, paths
        self.fibres, self.axes = fibres, axes
        self.lenses = lenses
        """Whether there are thin sheets: then any shadow ray may pass through one."""

    def tables(self) -> dict:
        """What changes with a frame or a subject, for frozen functions."""
        return {name: getattr(self, name) for name in _TABLES}

    def with_tables(self, tables: Mapping) -> Surfaces:
        """The same surfaces, with these for :meth:`tables`."""
        return Surfaces(lenses=self.lenses, **tables)

    def twin(self, si: mi.SurfaceInteraction3f, active: mi.Bool) -> mi.BSDFPtr:
        """Gloss twins of what was met."""
        return dr.reinterpret_array(mi.BSDFPtr, _look_up(self.twins, si, active))

    def base(self, si: mi.SurfaceInteraction3f, active: mi.Bool) -> mi.BSDFPtr:
        """White diffuse bases of the flesh that was met."""
        return dr.reinterpret_array(mi.BSDFPtr, _look_up(self.bases, si, active))

    def index(self, si: mi.SurfaceInteraction3f, active: mi.Bool) -> mi.Float:
        """Entry of ``ior``; 0 where nothing was met."""
        return dr.select(active & si.is_valid(), _look_up(self.ior, si, active & si.is_valid()), 0)

    def flesh_number(self, si: mi.SurfaceInteraction3f, active: mi.Bool) -> mi.UInt32:
        """Entry of ``flesh``; 0 where nothing was met."""
        return dr.select(active & si.is_valid(), _look_up(self.flesh, si, active & si.is_valid()), 0)

    def hairy(self, si: mi.SurfaceInteraction3f, active: mi.Bool) -> mi.Bool:
        """Whether a strand was met."""
        met = active & si.is_valid()
        return mi.Bool(False) if self.fibres is None else met & (_look_up(self.fibres, si, met) > 0)

    def comb(self, si: mi.SurfaceInteraction3f, ray: mi.Ray3f, active: mi.Bool) -> mi.SurfaceInteraction3f:
        """The hit, on a strand with a shading frame whose t is along it, as Mitsuba's hair BSDF has it."""
        if self.fibres is None:
            return si
        met = active & si.is_valid()
        first = _look_up(self.fibres, si, met)
        hairy = met & (first > 0)
        axis = dr.gather(mi.Vector3f, self.axes, first - 1 + si.prim_index, hairy)
        normal = mi.Vector3f(si.sh_frame.n)
        across = axis - normal * dr.dot(axis, normal)
        along = dr.select(dr.squared_norm(across) > 1e-6, dr.normalize(across), mi.Vector3f(si.sh_frame.t))
        frame = mi.Frame3f(dr.cross(along, normal), along, mi.Normal3f(normal))
        si.sh_frame = dr.select(hairy, frame, si.sh_frame)
        si.wi = dr.select(hairy, frame.to_local(-ray.d), si.wi)
        return si


def _look_up(table, si: mi.SurfaceInteraction3f, active: mi.Bool):
    return dr.gather(type(table), table, dr.reinterpret_array(mi.UInt32, si.shape), active)


def make_surfaces(owners: Mapping[mi.Shape, str], materials: Mapping[str, AnyMaterial], twins: Mapping[str, mi.BSDF],
                  bases: Mapping[str, mi.BSDF], fibres: Mapping[str, int]) -> Surfaces:
    """Tables for a scene. owners: each shape's material; twins, bases: by material; fibres: pieces by shape's name."""
    ids = np.array([registry_id(shape, mi.ShapePtr) for shape in owners])
    names = list(owners.values())
    scattering = sorted(bases)

    def table(kind: type, values: list):
        array = np.zeros(ids.max() + 1, np.float32 if kind is mi.Float else np.uint32)
        array[ids] = values
        return kind(aligned(array, array.dtype))

    panes = [material if isinstance(material := materials[name], Glass) else None for name in names]
    glass = any(panes)
    firsts = dict(zip(fibres, 1 + np.cumsum([0, *fibres.values()])[:-1], strict=True))
    return Surfaces(
        twins=table(mi.UInt32, [registry_id(twins[name], mi.BSDFPtr) for name in names]),
        ior=table(mi.Float, [0 if pane is None else pane.ior * (-1 if pane.thin else 1) for pane in panes])
        if glass else None,
        lenses=any(pane is not None and pane.thin for pane in panes),
        flesh=table(mi.UInt32, [scattering.index(name) + 1 if name in bases else 0 for name in names])
        if bases else None,
        bases=table(mi.UInt32, [registry_id(bases[name], mi.BSDFPtr) if name in bases else 0 for name in names])
        if bases else None,
        paths=mean_free_paths(materials, scattering),
        fibres=table(mi.UInt32, [firsts.get(shape.id(), 0) for shape in owners]) if fibres else None,
        axes=mi.Float([0.0, 0.0, 0.0]),
    )


def mean_free_paths(materials: Mapping[str, AnyMaterial], scattering: list[str]) -> mi.Float:
    """``Surfaces.paths`` of these materials."""
    lengths = [material.scatter for name in scattering if isinstance(material := materials[name], Material)]
    return mi.Float(aligned(np.concatenate([*lengths, np.zeros(3)])))
