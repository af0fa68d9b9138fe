"""Materials as Mitsuba BSDFs, their gloss twins, and how either takes on another person's look in place.

Import only after a variant has been set.
"""

from __future__ import annotations

from collections.abc import Mapping

import mitsuba as mi
import numpy as np

from synth.renderers.mitsuba.arrays import aligned
from synth.scene import AnyMaterial, Fibre, Glass, Material

BLACK_PIGMENT = 1e4
"""Eumelanin of a fibre's gloss twin: nothing comes back from inside, only the cuticle's reflection stays."""

_LEAST_LONGITUDINAL = 0.32
_BLACK = np.zeros(3, np.float32)


def texels(image: np.ndarray | float) -> np.ndarray:
    """(H, W, C) float32; a constant becomes one 2x2 texture, so that every subject has the same kinds of parameter."""
    image = np.asarray(image, np.float32)
    if image.ndim <= 1:
        return np.broadcast_to(image, (2, 2, image.size)).copy()
    return np.ascontiguousarray(image if image.ndim == 3 else image[..., None])


def shapes(material: AnyMaterial) -> tuple:
    """What must be equal for two materials to share a BSDF."""
    if isinstance(material, Glass):
        return "glass", material
    if isinstance(material, Fibre):
        return ("fibre",)
    return ("surface", texels(material.albedo).shape, texels(material.roughness).shape,
            None if material.normal_map is None else material.normal_map.shape, texels(material.clearcoat).shape,
            material.scatter is None, material.lambertian)


def scatters(material: AnyMaterial) -> bool:
    """Whether light leaves it beside where it entered."""
    return isinstance(material, Material) and material.scatter is not None


def describe(material: AnyMaterial, lobe: str = "all") -> dict:
    """The BSDF of a material.

    lobe: ``gloss`` is its twin, of which nothing but colourless reflection is left; ``base`` a white Lambertian with
    the material's normals.
    """
    if isinstance(material, Glass):
        kind = {"type": "thindielectric"} if material.thin else {"type": "dielectric"}
        return kind | {"int_ior": float(material.ior), "ext_ior": 1.0}
    if isinstance(material, Fibre):
        return {"type": "hair", **_fibre_parameters(material, lobe == "gloss")}
    if lobe == "base":
        surface = {"type": "diffuse", "reflectance": {"type": "rgb", "value": [1.0, 1.0, 1.0]}}
    elif material.lambertian:  # the principled base is darker at grazing angles, and where rough it reflects back
        surface = {"type": "diffuse", "reflectance": _texture(_BLACK if lobe == "gloss" else material.albedo)}
    else:
        surface = _principled(material, lobe == "gloss")
    if material.normal_map is not None:
        surface = {"type": "normalmap", "normalmap": _texture(material.normal_map / 2 + 0.5), "nested": surface}
    return {"type": "twosided", "nested": surface}  # lashes, ears and garments show their backs


def _texture(image: np.ndarray | float) -> dict:
    return {"type": "bitmap", "bitmap": mi.Bitmap(aligned(texels(image))), "raw": True}  # it takes no read-only memory


def _fibre_parameters(fibre: Fibre, gloss_only: bool) -> dict:
    # Below, the BSDF's sampling takes log(0) once in a million times. Our path tracer drops what is no number;
    # Mitsuba's own, which the scalar variants use, looks it up in the environment map and ends the process.
    least = _LEAST_LONGITUDINAL if mi.variant().startswith("scalar") else 0.0
    return {
        "eumelanin": BLACK_PIGMENT if gloss_only else float(fibre.eumelanin), "pheomelanin": float(fibre.pheomelanin),
        "longitudinal_roughness": max(float(fibre.longitudinal), least), "azimuthal_roughness": float(fibre.azimuthal),
        "scale_tilt": float(fibre.tilt_deg),
    }


def _principled(material: Material, gloss_only: bool) -> dict:
    return {
        "type": "principled",
        "base_color": _texture(_BLACK if gloss_only else material.albedo),
        "roughness": _texture(material.roughness),
        "specular": float(material.specular),
        "clearcoat": _texture(material.clearcoat),
        "clearcoat_gloss": float(material.clearcoat_gloss),
        "diffuse_reflectance_sampling_rate": 0.0 if gloss_only else 1.0,
    }


class LiveBsdf:
    """A BSDF in use, and the material that it shows now."""

    def __init__(self, material: AnyMaterial, lobe: str = "all"):
        self.bsdf = mi.load_dict(describe(material, lobe))
        self._gloss_only = lobe == "gloss"
        self._params = mi.traverse(self.bsdf)
        self._shown: AnyMaterial | None = None

    def show(self, material: AnyMaterial, gloss: bool = True) -> None:
        """Take on ``material``, of the same shapes; only what is another object is uploaded.

        gloss: False takes reflection at the surface away, from a principled material.
        """
        if isinstance(material, Fibre):
            if material != self._shown:
                self._write(_fibre_parameters(material, self._gloss_only))
        elif isinstance(material, Material):
            self._write(self._changes(material) if gloss else {
                "specular": 0.0, "clearcoat.data": mi.TensorXf(aligned(np.zeros_like(texels(material.clearcoat))))})
        self._shown = material if gloss else None

    def texels(self, name: str) -> mi.TensorXf | None:
        """A texture in use, as Mitsuba holds it: ``roughness``, ``clearcoat``, ``normalmap``; None without one."""
        return next((self._params[key] for key in self._params.keys() if key.endswith(f"{name}.data")), None)

    def _changes(self, material: Material) -> dict:
        shown = self._shown
        values = {"specular": float(material.specular), "clearcoat_gloss.value": float(material.clearcoat_gloss)} \
            if shown is None or (shown.specular, shown.clearcoat_gloss) != (
                material.specular, material.clearcoat_gloss) else {}
        textures, before = self._textures(material), {} if shown is None else self._textures(shown)
        values |= {key: mi.TensorXf(aligned(texels(image))) for key, image in textures.items()
                   if before.get(key) is not image}
        if material.normal_map is not None and (shown is None or shown.normal_map is not material.normal_map):
            values["normalmap.data"] = mi.TensorXf(aligned(texels(material.normal_map / 2 + 0.5)))
        return values

    def _textures(self, material: Material) -> dict:
        albedo = _BLACK if self._gloss_only else material.albedo
        if material.lambertian:
            return {"reflectance.data": albedo}
        return {"base_color.data": albedo, "roughness.data": material.roughness, "clearcoat.data": material.clearcoat}

    def _write(self, values: Mapping) -> None:
        """Set parameters by the ends of their names; wrappers (two sides, a normal map) only add to the beginning."""
        for key in self._params.keys():
            for name in [name for name in values if key == name or key.endswith("." + name)]:
                self._params[key] = values[name]
        if values:
            self._params.update()
