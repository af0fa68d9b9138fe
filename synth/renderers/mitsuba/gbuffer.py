"""What is seen through each pixel, without any light: geometry at the centres, coverage over the whole.

Import only after a variant has been set. Of glass, a body (a cornea) is geometry with the albedo of what lies behind
it; a thin sheet (a lens) is no geometry at all.
"""

from __future__ import annotations

import drjit as dr
import mitsuba as mi
import numpy as np

from synth.renderers.mitsuba import path
from synth.renderers.mitsuba.arrays import aligned
from synth.renderers.mitsuba.glass import PANES, covered_and_touched
from synth.renderers.mitsuba.surfaces import Surfaces, registry_id
from synth.scene import AnyMaterial, Glass

BLOCKS = {"block_size": 16}
"""Scalar variants seed each block of pixels, and left alone make as many blocks as there are threads."""
ALPHA_SAMPLES = 64
_LAYERS = ("position", "normal", "albedo", "prim", "part")


class GBuffer:
    """Sees a scene whose sensors 0 and 1 stand for whole pixels and for their centres."""

    def __init__(self, scene: mi.Scene, names: list[str]):
        """names: of the shapes; ``part`` is a shape's place among them."""
        self._scene = scene
        self._scalar = mi.variant().startswith("scalar")
        self._place = {name: place for place, name in enumerate(names)}
        self._part_of_shape = self._shape_table()
        aovs = "position:position,normal:sh_normal,albedo:albedo,prim:prim_index,shape:shape_index"
        self._first = mi.load_dict({"type": "aov", "aovs": aovs, **BLOCKS})
        self._depth = mi.load_dict({"type": "depth", **BLOCKS})

    def _shape_table(self) -> np.ndarray:
        """From the integrator's ``shape_index`` (a registry id, or a 1-based place in scalar variants) to our part."""
        shapes = self._scene.shapes()
        ids = [i + 1 if self._scalar else registry_id(shape, mi.ShapePtr) for i, shape in enumerate(shapes)]
        table = np.full(max(ids) + 1, -1, np.int64)
        table[ids] = [self._place[shape.id()] for shape in shapes]
        return table

    def coverage(self, surfaces: Surfaces | None) -> tuple[np.ndarray, np.ndarray]:
        """Two (H, W) float32 arrays in [0, 1]: how much of each pixel the subject covers, and that with its lenses.

        Scalar variants count lenses as covering.
        """
        if surfaces is None:
            # Samples are counted, so the film's sum is exact whatever the order of its additions.
            image = mi.render(self._scene, sensor=0, integrator=self._depth, spp=ALPHA_SAMPLES, seed=0)
            alpha = np.array(image)[..., -1].astype(np.float32)
            return alpha, alpha
        sensor = self._scene.sensors()[0]
        width, height = sensor.film().size()
        counts = np.zeros((height * width, 2), np.float32)
        step = max(1, path.MAX_LANES // ALPHA_SAMPLES)
        for first in range(0, len(counts), step):
            pixels = np.arange(first, min(first + step, len(counts)), dtype=np.uint32)
            _, ray = path.camera_rays(sensor, pixels, ALPHA_SAMPLES, 0)
            seen = covered_and_touched(self._scene, surfaces, ray)
            dr.eval(seen)
            counts[pixels] = np.stack([np.array(dr.block_sum(dr.select(mask, mi.Float(1), mi.Float(0)), ALPHA_SAMPLES))
                                       for mask in seen], axis=1) / ALPHA_SAMPLES
        alpha, touched = np.moveaxis(counts.reshape(height, width, 2), -1, 0)
        return np.ascontiguousarray(alpha), np.ascontiguousarray(touched)

    def centres(self, eye: np.ndarray, materials: list[AnyMaterial]) -> dict[str, np.ndarray]:
        """Pixel centres: position, normal, albedo (H, W, 3) float32; prim and part (H, W) int64, part -1 off the head.

        eye: (3,) metres, the camera. materials: by part.
        """
        image = np.array(mi.render(self._scene, sensor=1, integrator=self._first, spp=1, seed=0))
        names = [name.split(".")[0] for name in self._first.aov_names()]
        image = image[..., -len(names):]
        layers = {key: image[..., [i for i, name in enumerate(names) if name == key]].astype(np.float32)
                  for key in dict.fromkeys(names)}
        layers["prim"] = np.rint(layers["prim"][..., 0]).astype(np.int64)
        layers["part"] = self._part_of_shape[np.rint(layers.pop("shape")[..., 0]).astype(np.int64)]
        ior = np.array([material.ior * (-1 if material.thin else 1) if isinstance(material, Glass) else 0
                        for material in materials] + [0])  # the last is what part -1 finds
        if ior[layers["part"]].any():
            self._see_through(layers, eye, ior)
        return layers

    def _see_through(self, layers: dict[str, np.ndarray], eye: np.ndarray, ior: np.ndarray) -> None:
        """Replace the albedo of pixels on glass by that of what is behind, and on thin sheets all else as well."""
        pixels = np.nonzero(ior[layers["part"]])
        at = {name: layers[name][pixels] for name in _LAYERS}
        towards = at["position"] - np.asarray(eye, np.float32)
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        solid = np.zeros(len(towards), bool)
        for _ in range(PANES):
            index = ior[at["part"]]
            solid |= index > 0
            towards = np.where((index > 0)[:, None], _refracted(towards, at["normal"], index), towards)
            at = self._cast(at["position"] + 1e-5 * towards, towards)
            layers["albedo"][pixels] = at["albedo"]
            for name in set(_LAYERS) - {"albedo"}:
                layers[name][tuple(axis[~solid] for axis in pixels)] = at[name][~solid]
            more = ior[at["part"]] != 0
            if not more.any():
                return
            pixels, solid, towards = tuple(axis[more] for axis in pixels), solid[more], towards[more]
            at = {name: values[more] for name, values in at.items()}

    def _cast(self, origins: np.ndarray, directions: np.ndarray) -> dict[str, np.ndarray]:
        """What P rays, two arrays (P, 3) in metres, meet; part -1 and zeros for nothing."""
        if self._scalar:
            hits = [self._scene.ray_intersect(mi.Ray3f(mi.ScalarPoint3f(o), mi.ScalarVector3f(d)))
                    for o, d in zip(origins.tolist(), directions.tolist(), strict=True)]
            shapes = list(self._scene.shapes())
            rows = [(*si.p, *si.sh_frame.n, *si.bsdf().eval_diffuse_reflectance(si), si.prim_index,
                     shapes.index(si.shape) + 1) if si.is_valid() else (0,) * 11 for si in hits]
            values, valid = np.array(rows, np.float64).reshape(-1, 11), np.array([si.is_valid() for si in hits], bool)
        else:
            ray = mi.Ray3f(*(kind(*(aligned(axis) for axis in numbers.T)) for kind, numbers in
                             ((mi.Point3f, origins), (mi.Vector3f, directions))))
            si = self._scene.ray_intersect(ray)
            found = [*si.p, *si.sh_frame.n, *si.bsdf(ray).eval_diffuse_reflectance(si, si.is_valid()), si.prim_index,
                     dr.reinterpret_array(mi.UInt32, si.shape), si.is_valid()]
            dr.eval(found)  # one kernel, where each conversion would trace anew
            *columns, valid = (np.array(column) for column in found)
            values = np.where(valid[:, None], np.stack(columns, axis=1).astype(np.float64), 0)
        part = np.where(valid, self._part_of_shape[values[:, 10].astype(np.int64)], -1)
        return {"position": values[:, :3].astype(np.float32), "normal": values[:, 3:6].astype(np.float32),
                "albedo": values[:, 6:9].astype(np.float32), "prim": values[:, 9].astype(np.int64), "part": part}


def _refracted(directions: np.ndarray, normals: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Snell's law into bodies of glass, (P, 3); rays that leave one go straight on."""
    cosine = -np.einsum("px,px->p", directions, normals)[:, None]
    ratio = 1 / np.maximum(index, 1)[:, None]
    root = np.sqrt(np.maximum(1 - ratio**2 * (1 - cosine**2), 0))
    return np.where(cosine > 0, ratio * directions + (ratio * cosine - root) * normals, directions)
