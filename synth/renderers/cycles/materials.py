"""Materials as Blender's shader nodes, and how they take on another person's look in place.

Import only where bpy is. Every material has two sides: what light makes of it, and, for the geometry channels, a
surface that glows in the colour of its albedo.
"""

from __future__ import annotations

import math

import bpy
import numpy as np

from synth.renderers.cycles import disney
from synth.renderers.cycles.nodes import Nodes
from synth.scene import AnyMaterial, Fibre, Glass, Material

MIRROR_ROUGHNESS = 0.05
"""Of reflections at glass: what is perfectly sharp finds a lamp by chance only, and its glint would be noise."""


def kind(material: AnyMaterial) -> tuple:
    """What must be equal for two materials to share their nodes."""
    if isinstance(material, Glass):
        return "glass", material
    if isinstance(material, Fibre):
        return ("fibre",)
    maps = (material.albedo, material.roughness, material.clearcoat)
    return ("surface", *(np.ndim(image) >= 2 for image in maps), coated(material), material.normal_map is None,
            material.scatter is None, material.lambertian)


def coated(material: Material) -> bool:
    """Whether it has a clear coat anywhere."""
    return np.ndim(material.clearcoat) > 0 or material.clearcoat > 0


class LiveMaterial:
    """A Blender material in use, and the one of ours that it shows now."""

    def __init__(self, name: str, material: AnyMaterial):
        self.block = bpy.data.materials.new(name)
        self.block.cycles.emission_sampling = "NONE"  # what glows lights nothing
        self._nodes = Nodes(self.block.node_tree)
        self._shown: AnyMaterial | None = None
        build = {Material: self._surface, Fibre: self._fibre, Glass: self._glass}[type(material)]
        lit, glowing = build(material)
        # A number alone would be folded away, and with it what the other side needs: geometry would be uploaded again.
        depth = self._nodes.add("ShaderNodeLightPath", out="Ray Depth")
        self._glows = self._nodes.add("ShaderNodeValue")
        fac = self._nodes.math("GREATER_THAN", self._nodes.math("MULTIPLY_ADD", self._glows, 1000.0, depth), 500.0)
        # Never chosen; but at every change of a material that can't scatter, Cycles uploads all strands again.
        never = self._nodes.math("GREATER_THAN", depth, 500.0)
        glowing = self._nodes.add("ShaderNodeMixShader", never, glowing,
                                  self._nodes.add("ShaderNodeSubsurfaceScattering", falloff="RANDOM_WALK"))
        self._nodes.output(self._nodes.add("ShaderNodeMixShader", fac, lit, glowing))
        if not (isinstance(material, Glass) and material.thin):  # through a lens, what is behind is written as well
            self._nodes.aov("motion", self._nodes.attribute("motion"))
            back = self._nodes.add("ShaderNodeNewGeometry", out="Backfacing")
            self._nodes.aov("surface", self._nodes.add("ShaderNodeCombineXYZ", self._nodes.attribute("part", "Factor"),
                                                       back))
        self.glow(False)
        self.show(material)

    def glow(self, on: bool) -> None:
        """Turn from what light makes of it to glowing in its albedo, or back."""
        self._glows.default_value = float(on)

    def show(self, material: AnyMaterial) -> None:
        """Take on ``material``, of the same kind; only what is another object is uploaded."""
        if material is self._shown:
            return
        if isinstance(material, Material):
            self._show_surface(material)
        elif isinstance(material, Fibre):
            self._show_fibre(material)
        self._shown = material

    # --- surfaces ------------------------------------------------------------------------------------------------

    def _surface(self, material: Material):
        nodes = self._nodes
        names = ["albedo"] + ["roughness"] * (not material.lambertian) + ["clearcoat"] * coated(material)
        self._sources = {name: nodes.source(getattr(material, name)) for name in names}
        albedo = self._sources["albedo"].value
        normal = None
        if material.normal_map is not None:
            self._sources["normal_map"] = nodes.source(material.normal_map)
            normal = nodes.add("ShaderNodeNormalMap", Color=self._sources["normal_map"].value)
        if material.lambertian:
            lit = nodes.add("ShaderNodeBsdfDiffuse", Color=albedo, Roughness=0.0, Normal=normal)
            return lit, nodes.add("ShaderNodeEmission", Color=albedo)
        roughness, view = self._sources["roughness"].value, disney.cosine(nodes, normal)
        if material.scatter is None:
            base = disney.diffuse(nodes, albedo, roughness, view, normal)
        else:
            self._walk = nodes.add("ShaderNodeSubsurfaceScattering", falloff="RANDOM_WALK", Scale=1.0, Normal=normal,
                                   Color=disney.walk_colour(nodes, albedo)).node
            # What the gloss reflects at grazing angles does not enter.
            base = nodes.add("ShaderNodeMixShader", disney.schlick(nodes, view), self._walk.outputs[0])
        gloss, self._gloss = disney.gloss(nodes, roughness, view, normal)
        lit = nodes.add("ShaderNodeAddShader", base, gloss)
        if coated(material):
            self._coat_alpha = nodes.add("ShaderNodeValue")
            coat = disney.coat(nodes, self._sources["clearcoat"].value, self._coat_alpha, view, normal)
            lit = nodes.add("ShaderNodeAddShader", lit, coat)
        return lit, nodes.add("ShaderNodeEmission", Color=albedo)

    def _show_surface(self, material: Material) -> None:
        shown = self._shown
        for name, source in self._sources.items():
            image = getattr(material, name)
            if shown is None or getattr(shown, name) is not image:
                source.show(image / 2 + 0.5 if name == "normal_map" else image)
        if material.lambertian:
            return
        # Mitsuba, updated in place, takes none for a thousandth: a glow at grazing angles under a sun.
        self._gloss.inputs["Specular IOR Level"].default_value = max(material.specular, 1e-3)
        if coated(material):
            self._coat_alpha.default_value = disney.coat_alpha(material.clearcoat_gloss)
        if material.scatter is not None:
            # Cycles divides the radius by 4 pi for its mean free path.
            self._walk.inputs["Radius"].default_value = 4 * math.pi * np.float64(material.scatter)

    # --- hair ----------------------------------------------------------------------------------------------------

    def _fibre(self, material: Fibre):
        self._hair = self._nodes.add("ShaderNodeBsdfHairPrincipled", model="CHIANG", parametrization="ABSORPTION",
                                     IOR=1.55).node
        self._glow = self._nodes.add("ShaderNodeEmission").node
        return self._hair.outputs[0], self._glow.outputs[0]

    def _show_fibre(self, fibre: Fibre) -> None:
        self._hair.inputs["Absorption Coefficient"].default_value = fibre.absorption
        self._hair.inputs["Roughness"].default_value = fibre.longitudinal
        self._hair.inputs["Radial Roughness"].default_value = fibre.azimuthal
        self._hair.inputs["Offset"].default_value = math.radians(fibre.tilt_deg)
        self._glow.inputs["Color"].default_value = (*fibre.colour, 1)

    # --- glass ---------------------------------------------------------------------------------------------------

    def _glass(self, glass: Glass):
        """The camera sees through it, bent; light goes straight on, dimmed by Fresnel's transmittance: no caustics,
        but an iris that is lit by next-event estimation (as in Mitsuba's ``glass.py``)."""
        add, math_ = self._nodes.add, self._nodes.math
        back = add("ShaderNodeNewGeometry", out="Backfacing")
        # The node takes the inverse of its index at backs; light is dimmed as from the side of the air at both.
        index = add("ShaderNodeMix", back, A=glass.ior, B=1 / glass.ior)
        reflected = add("ShaderNodeFresnel", IOR=index)
        if glass.thin:  # with the reflections within: 2 R / (1 + R)
            reflected = math_("DIVIDE", math_("MULTIPLY", reflected, 2.0), math_("ADD", reflected, 1.0))
        passed = math_("SUBTRACT", 1.0, reflected)
        straight = add("ShaderNodeBsdfTransparent", Color=passed)
        mirror = add("ShaderNodeBsdfGlossy", distribution="GGX", Roughness=MIRROR_ROUGHNESS)
        seen = straight if glass.thin else add("ShaderNodeBsdfRefraction", IOR=glass.ior, Roughness=0.0)
        if glass.thin:
            camera = add("ShaderNodeMixShader", reflected, add("ShaderNodeBsdfTransparent"), mirror)
        else:
            camera = add("ShaderNodeMixShader", reflected, seen, mirror)
        from_camera = add("ShaderNodeLightPath", out="Is Camera Ray")
        # A camera's ray that has entered leaves again without another reflection.
        outside = math_("MULTIPLY", from_camera, math_("SUBTRACT", 1.0, back))
        lit = add("ShaderNodeMixShader", outside, straight, camera)
        clear = "ShaderNodeBsdfTransparent" if glass.thin else "ShaderNodeBsdfRefraction"
        return lit, add(clear) if glass.thin else add(clear, IOR=glass.ior, Roughness=0.0)

