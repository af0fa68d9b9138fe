"""One Blender scene for one topology, updated in place from frame to frame, light to light and subject to subject.

Import only where bpy is, and on the main thread. A process has one such scene: a new one empties Blender.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import bpy
import numpy as np

from synth.camera.camera import Camera
from synth.renderers.curves import per_strand, pieces, radii
from synth.renderers.cycles import MAX_BOUNCES, STRAND_BOUNCES, passes
from synth.renderers.cycles.axes import TO_BLENDER, from_blender, to_blender
from synth.renderers.cycles.device import Device, apply_device
from synth.renderers.cycles.light_groups import LightSphere
from synth.renderers.cycles.materials import LiveMaterial, kind
from synth.renderers.cycles.nodes import Nodes, make_image
from synth.scene import AnyMaterial, Fibre, MeshPart, Strands, Subject, vertex_normals
from synth.transport.response import Transport

ALPHA_SAMPLES = 64
BLACK_PIGMENT = 1e4
"""Eumelanin of fibres that nothing comes back from the inside of."""

_current: PortraitScene | None = None


def layout(subject: Subject) -> tuple:
    """What must be equal for two subjects to share a scene: topology, counts of strands and kinds of materials."""
    materials = tuple((name, kind(material)) for name, material in sorted(subject.materials.items()))
    parts = tuple((p.name, p.material, p.vertex_map.tobytes(), p.faces.tobytes(), p.uv.tobytes())
                  for p in subject.parts)
    groups = tuple((group.name, group.material, group.radii.shape) for group in subject.strands)
    return hash((parts, subject.vertices.shape[1])), groups, materials


class PortraitScene:
    """A head under an environment map, seen by one camera."""

    def __init__(self, subject: Subject, width: int, height: int, device: Device, denoise: bool = False):
        global _current
        bpy.ops.wm.read_factory_settings(use_empty=True)
        _current = self
        self.parts, self.strands = subject.parts, subject.strands
        self.materials: Mapping[str, AnyMaterial] = {}
        self.scene = bpy.context.scene
        self._settings(width, height, device, denoise)
        used = {owner.material for owner in (*self.parts, *self.strands)}
        self._materials = {name: LiveMaterial(name, subject.materials[name]) for name in sorted(used)}
        self._camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        self.scene.collection.objects.link(self._camera)
        self.scene.camera = self._camera
        self._shells = _shells(self.parts, subject.materials)
        self._meshes = [_mesh(self.parts, shell) for shell in self._shells]
        self._curves = [_curves(group, number) for number, group in enumerate(self.strands, len(self.parts))]
        owners = [[self.parts[number] for number in shell] for shell in self._shells] + [[g] for g in self.strands]
        for owned, data in zip(owners, (*self._meshes, *self._curves), strict=True):
            for owner in owned:
                data.materials.append(self._materials[owner.material].block)
            item = bpy.data.objects.new(data.name, data)
            item.shadow_terminator_geometry_offset = 0.0  # (that of ``item.cycles`` is no longer read)
            self.scene.collection.objects.link(item)
        self._world = World()
        self.scene.world = self._world.block  # for good: each assignment uploads every strand again
        self._light: np.ndarray | None = None
        self._suns: LightSphere | None = None

    @property
    def alive(self) -> bool:
        """Whether Blender still holds it: it holds one."""
        return _current is self

    def _settings(self, width: int, height: int, device: Device, denoise: bool) -> None:
        scene = self.scene
        scene.render.engine = "CYCLES"
        scene.render.resolution_x, scene.render.resolution_y = width, height
        scene.render.resolution_percentage = 100
        scene.render.use_persistent_data = True
        scene.render.film_transparent = True
        scene.view_settings.view_transform = "Standard"
        cycles = scene.cycles
        cycles.pixel_filter_type = "BOX"
        cycles.use_adaptive_sampling = False
        cycles.use_denoising = False  # but of pictures, where it was asked for
        cycles.denoising_input_passes, cycles.denoising_prefilter = "RGB_ALBEDO_NORMAL", "ACCURATE"
        scene.view_layers[0].cycles.denoising_store_passes = denoise  # and with them the picture as it was traced
        cycles.sample_clamp_direct = cycles.sample_clamp_indirect = 0.0
        cycles.blur_glossy = 0.0
        cycles.light_sampling_threshold = 0.0
        cycles.use_auto_tile = False
        bounces = STRAND_BOUNCES if self.strands else MAX_BOUNCES
        for name in ("max", "diffuse", "glossy", "transmission"):
            setattr(cycles, f"{name}_bounces", bounces)
        cycles.transparent_max_bounces = 16
        scene.cycles_curves.shape = "THICK_LINEAR"
        for name in ("motion", "surface"):
            scene.view_layers[0].aovs.add().name = name
        self._denoise = denoise
        apply_device(device, scene)

    # --- what changes --------------------------------------------------------------------------------------------

    def set_materials(self, materials: Mapping[str, AnyMaterial]) -> None:
        """Textures and constants of a frame or a new subject, of the same kinds as the first."""
        for name, live in self._materials.items():
            live.show(materials[name])
        self.materials = materials

    def set_frame(self, vertices: np.ndarray, next_vertices: np.ndarray, camera: Camera) -> None:
        """Move the surface to ``vertices`` (N, 3) float32 metres and the camera to ``camera``.

        next_vertices: where they will be in the next frame, for :meth:`geometry` to tell.
        """
        normals = vertex_normals(vertices, self.parts)
        for shell, mesh in zip(self._shells, self._meshes, strict=True):
            chosen = np.concatenate([self.parts[number].vertex_map for number in shell])
            here = vertices[chosen]
            _fill(mesh, "position", to_blender(here))
            _fill(mesh, "custom_normal", to_blender(normals[chosen]))
            _fill(mesh, "motion", next_vertices[chosen] - here)
            mesh.update()
        for group, curves in zip(self.strands, self._curves, strict=True):
            here = pieces(group, vertices)
            _fill(curves, "position", to_blender(here))
            _fill(curves, "motion", pieces(group, next_vertices) - here)
            _fill(curves, "radius", radii(group))
            curves.update_tag()
        self._camera.matrix_world = (TO_BLENDER @ camera.camera_to_world).T.tolist()
        lens = self._camera.data
        lens.sensor_fit, lens.sensor_width, lens.lens = "HORIZONTAL", 36.0, camera.focal_mm
        lens.clip_start, lens.clip_end = 0.01, 100.0
        self._shown = camera

    def set_light(self, radiance: np.ndarray | None) -> None:
        """Light the scene by an environment map (H, 2H, 3) float32, scene-linear Rec.709 radiance, world axes; by
        None, evenly from all sides with a radiance of 1."""
        self._light = radiance

    # --- pictures ------------------------------------------------------------------------------------------------

    def beauty(self, samples: int, seed: int, lobes: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """Foreground radiance (H, W, 3) float32 and, with ``lobes``, its specular part."""
        layer = self.scene.view_layers[0]
        layer.use_pass_glossy_direct = layer.use_pass_glossy_indirect = layer.use_pass_glossy_color = lobes
        self._world.show(1.0 if self._light is None else self._light)
        self.scene.cycles.use_denoising = self._denoise
        found = self._render(samples, seed)
        rgb = np.ascontiguousarray(found["Combined"][..., :3])
        if not lobes:
            return rgb, None
        traced = found["Noisy Image"][..., :3] if self._denoise else rgb
        if self.strands:
            found = self._without_pigment(samples, seed)
        gloss = (found["Glossy Direct"] + found["Glossy Indirect"]) * found["Glossy Color"]
        if self._denoise:
            gloss = np.divide(gloss, traced, out=np.zeros_like(gloss), where=traced > 0) * rgb
        return rgb, np.clip(gloss, 0, rgb)

    def _without_pigment(self, samples: int, seed: int) -> dict[str, np.ndarray]:
        """A picture in which hair is black: all of hair is in Cycles' glossy pass, of which this leaves the cuticle's
        reflection, as Mitsuba's gloss twin does."""
        fibres = {name: fibre for name, fibre in self.materials.items() if isinstance(fibre, Fibre)}
        for name in fibres.keys() & self._materials.keys():
            self._materials[name].show(dataclasses.replace(fibres[name], eumelanin=BLACK_PIGMENT))
        self.scene.cycles.use_denoising = False
        try:
            return self._render(samples, seed)
        finally:
            for name in fibres.keys() & self._materials.keys():
                self._materials[name].show(fibres[name])

    def transport(self, samples: int, seed: int) -> Transport:
        """The response to light from all sides, from one picture by light groups."""
        self._suns = self._suns or LightSphere(self.scene)
        self._world.show(0.0)
        self.scene.cycles.use_denoising = False
        with self._suns.shining():
            return self._suns.transport(self._render(samples, seed))

    def geometry(self) -> dict[str, np.ndarray]:
        """Pixel centres: position, normal, albedo, motion (to the next frame) (H, W, 3) float32 metres in world axes,
        part (H, W) int (parts, then groups of strands; -1 off the subject); ``alpha`` (H, W) is of whole pixels."""
        layer, cycles = self.scene.view_layers[0], self.scene.cycles
        layer.use_pass_glossy_direct = layer.use_pass_glossy_indirect = layer.use_pass_glossy_color = False
        self._world.show(0.0)
        cycles.use_denoising = False
        self._glow(True)
        try:
            alpha = self._render(ALPHA_SAMPLES, 0)["Combined"][..., 3]
            layer.use_pass_position = layer.use_pass_normal = True
            cycles.pixel_filter_type, cycles.filter_width = "GAUSSIAN", 0.01
            found = self._render(1, 0)
        finally:
            self._glow(False)
            cycles.pixel_filter_type = "BOX"
            layer.use_pass_position = layer.use_pass_normal = False
        part = np.rint(found["surface"][..., 0]).astype(np.int64) - 1
        # Cycles turns normals to the viewer.
        side = np.where(found["surface"][..., 1:2] > 0.5, -1, 1).astype(np.float32)
        return {"alpha": alpha, "part": part, "albedo": found["Combined"][..., :3],
                "position": from_blender(found["Position"]), "normal": from_blender(found["Normal"]) * side,
                "motion": found["motion"][..., :3]}

    def _glow(self, on: bool) -> None:
        for live in self._materials.values():
            live.glow(on)

    def _render(self, samples: int, seed: int) -> dict[str, np.ndarray]:
        self.scene.cycles.samples, self.scene.cycles.seed = samples, seed
        return passes.render(self.scene)


def _shells(parts: Sequence[MeshPart], materials: Mapping[str, AnyMaterial]) -> list[list[int]]:
    """Places of the parts that are one object: pieces of flesh that share vertices. A random walk stays within an
    object, and would leave by the seam of lips and skin, which would be dark."""
    shells: list[tuple[list[int], set[int]]] = []
    for number, part in enumerate(parts):
        if getattr(materials[part.material], "scatter", None) is None:
            shells.append(([number], set()))
            continue
        places, points = [number], set(part.vertex_map.tolist())
        for other in [shell for shell in shells if shell[1] & points]:
            shells.remove(other)
            places, points = other[0] + places, points | other[1]
        shells.append((places, points))
    return [places for places, _ in shells]


def _mesh(parts: Sequence[MeshPart], shell: Sequence[int]) -> bpy.types.Mesh:
    chosen = [parts[number] for number in shell]
    counts = [len(part.vertex_map) for part in chosen]
    first = np.cumsum([0, *counts[:-1]])
    faces = np.concatenate([part.faces + start for part, start in zip(chosen, first, strict=True)]).astype(np.int32)
    mesh = bpy.data.meshes.new("_".join(part.name for part in chosen))
    mesh.vertices.add(sum(counts))
    mesh.loops.add(faces.size)
    mesh.polygons.add(len(faces))
    mesh.loops.foreach_set("vertex_index", faces.ravel())
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    slots = np.repeat(np.arange(len(chosen)), [len(part.faces) for part in chosen])
    mesh.polygons.foreach_set("material_index", slots.astype(np.int32))
    layer = mesh.uv_layers.new(name="uv")
    layer.uv.foreach_set("vector", np.concatenate([part.uv[part.faces.ravel()] for part in chosen]).astype(
        np.float32).ravel())
    _fill(mesh, "position", np.random.default_rng(0).random((sum(counts), 3)))  # a placeholder with area
    mesh.attributes.new("motion", "FLOAT_VECTOR", "POINT")
    mesh.attributes.new("part", "FLOAT", "POINT")
    _fill(mesh, "part", np.repeat(np.array(shell) + 1, counts))
    mesh.update(calc_edges=True)
    mesh.attributes.new("custom_normal", "FLOAT_VECTOR", "POINT")
    return mesh


def _curves(group: Strands, number: int) -> bpy.types.Curves:
    curves = bpy.data.hair_curves.new(f"strands_{group.name}")
    count, points = len(group.radii), per_strand(group) + 1
    curves.add_curves([points] * count)
    for name, form in (("radius", "FLOAT"), ("part", "FLOAT"), ("motion", "FLOAT_VECTOR")):
        curves.attributes.new(name, form, "POINT")
    _fill(curves, "part", np.full(count * points, number + 1))
    return curves


def _fill(data, name: str, values: np.ndarray) -> None:
    """Set an attribute of every point."""
    attribute = data.attributes[name]
    field = "vector" if attribute.data_type == "FLOAT_VECTOR" else "value"
    attribute.data.foreach_set(field, np.ascontiguousarray(values, np.float32).ravel())


class World:
    """Light from all sides: an environment map, or the same from everywhere."""

    def __init__(self):
        self.block = bpy.data.worlds.new("environment")
        nodes = Nodes(self.block.node_tree)
        directions = nodes.add("ShaderNodeTexCoord", out="Generated")
        # Cycles' centre column is +X; ours is our -Z, Blender's +Y. (The node turns directions, not the map.)
        turned = nodes.add("ShaderNodeMapping", directions, Rotation=(0.0, 0.0, -np.pi / 2))
        self._polar = nodes.add("ShaderNodeValue")
        kept = self._off_the_poles(nodes, turned)
        self._picture = nodes.add("ShaderNodeTexEnvironment", kept, interpolation="Linear").node
        self._even = nodes.add("ShaderNodeBackground").node
        self._choice = nodes.add("ShaderNodeMixShader", 1.0,
                                 nodes.add("ShaderNodeBackground", self._picture.outputs[0]),
                                 self._even.outputs[0]).node
        nodes.output(self._choice.outputs[0], "ShaderNodeOutputWorld")
        self._shown: np.ndarray | None = None

    def _off_the_poles(self, nodes: Nodes, directions):
        """Directions no nearer to a pole than the middle of its row of texels, beyond which Cycles would interpolate
        with the row at the other pole."""
        level = nodes.add("ShaderNodeVectorMath", directions, (1.0, 1.0, 0.0), operation="MULTIPLY")
        length = nodes.add("ShaderNodeVectorMath", level, operation="LENGTH", out="Value")
        height = nodes.math("ABSOLUTE", nodes.add("ShaderNodeSeparateXYZ", directions, out="Z"))
        wanted = nodes.math("DIVIDE", nodes.math("MULTIPLY", height, self._polar), length)
        wider = nodes.math("MAXIMUM", wanted, 1.0)
        return nodes.add("ShaderNodeVectorMath", directions, nodes.add("ShaderNodeCombineXYZ", wider, wider, 1.0),
                         operation="MULTIPLY")

    def show(self, light: np.ndarray | float) -> None:
        """Be lit by (H, 2H, 3) float32 radiance, world axes, or by one radiance from everywhere."""
        even = not isinstance(light, np.ndarray)
        self._choice.inputs[0].default_value = float(even)
        if even:
            self._even.inputs["Color"].default_value = (light, light, light, 1.0)
        elif light is not self._shown:
            before = self._picture.image
            self._picture.image = make_image("environment", light)  # anew: Cycles keeps the pixels of one it knows
            if before is not None:
                bpy.data.images.remove(before)
            self._polar.default_value = np.tan(np.pi / 2 / light.shape[0])
            # A coarser map of where the light is would leave fireflies, an automatic one takes a second to make.
            self.block.cycles.sample_map_resolution = int(np.clip(2 * light.shape[1], 64, 8192))
            self._shown = light
        self.block.cycles.sampling_method = "NONE" if even else "MANUAL"  # even light is met wherever one looks
        self.block.update_tag()
