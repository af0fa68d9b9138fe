"""One Mitsuba scene for one topology, updated in place from frame to frame, light to light and subject to subject.

Import only after a variant has been set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import mitsuba as mi
import numpy as np

from synth.camera.camera import Camera
from synth.renderers.mitsuba import bsdf, path, strands
from synth.renderers.mitsuba.arrays import aligned
from synth.renderers.mitsuba.gbuffer import BLOCKS, GBuffer
from synth.renderers.mitsuba.lights import Lights, environment, environment_texture
from synth.renderers.mitsuba.shading import Palette
from synth.renderers.mitsuba.surfaces import Surfaces, make_surfaces, mean_free_paths
from synth.scene import AnyMaterial, Fibre, MeshPart, Subject, vertex_normals

MAX_DEPTH = 5
"""Path vertices after the camera: four bounces carry all but ~0.1 % of a head's inter-reflection."""
STRAND_DEPTH = 14
"""The same with strands: fair hair passes light on from one to the next (docs/mitsuba.md)."""
RR_DEPTH = 3


def _mesh(part: MeshPart, surface: mi.BSDF) -> mi.Mesh:
    properties = mi.Properties()
    properties["bsdf"] = surface
    mesh = mi.Mesh(part.name, len(part.vertex_map), len(part.faces), has_vertex_normals=True,
                   has_vertex_texcoords=True, props=properties)
    params = mi.traverse(mesh)
    params["faces"] = part.faces.astype(np.uint32).ravel()
    flipped = part.uv.astype(np.float32) * [1, -1] + [0, 1]  # Mitsuba's v = 0 is row 0, ours is v = 1
    params["vertex_texcoords"] = flipped.astype(np.float32).ravel()
    # A placeholder with area: an empty bounding box would be refused before the first frame arrives.
    params["vertex_positions"] = np.random.default_rng(0).random(3 * len(part.vertex_map), np.float32)
    params.update()
    return mesh


def layout(subject: Subject) -> tuple:
    """What must be equal for two subjects to share a scene: topology, counts of strands and kinds of materials."""
    materials = tuple((name, bsdf.shapes(material)) for name, material in sorted(subject.materials.items()))
    parts = tuple((p.name, p.material, p.vertex_map.tobytes(), p.faces.tobytes(), p.uv.tobytes())
                  for p in subject.parts)
    groups = tuple((group.name, group.material, group.radii.shape) for group in subject.strands)
    return hash((parts, subject.vertices.shape[1])), groups, materials


class PortraitScene:
    """A head under an environment map, seen by a beauty camera and by a G-buffer camera at the pixel centres."""

    def __init__(self, subject: Subject, width: int, height: int, envmap_height: int):
        self.parts = subject.parts
        self.strands = subject.strands
        self.materials: Mapping[str, AnyMaterial] = {}
        owners = {part.name: part.material for part in self.parts} | {
            strands.shape_name(group): group.material for group in self.strands}
        used = sorted(set(owners.values()))
        self._bsdfs = {name: bsdf.LiveBsdf(subject.materials[name]) for name in used}
        self.scene = mi.load_dict(self._description(width, height, envmap_height))
        self._params = mi.traverse(self.scene)
        self.vectorised = not mi.variant().startswith("scalar")
        self.owners = {shape: owners[shape.id()] for shape in self.scene.shapes()}
        self._gbuffer = GBuffer(self.scene, list(owners))
        self._layers: dict[str, np.ndarray] | None = None  # of the frame that is shown
        self._surfaces = None
        self._twins: dict[str, bsdf.LiveBsdf] = {}
        self._bases: dict[str, bsdf.LiveBsdf] = {}
        if self.vectorised:
            self._twins = {name: bsdf.LiveBsdf(subject.materials[name], "gloss") for name in used}
            self._bases = {name: bsdf.LiveBsdf(subject.materials[name], "base") for name in used
                           if bsdf.scatters(subject.materials[name])}
            self._surfaces = make_surfaces(self.owners, subject.materials,
                                           *({name: live.bsdf for name, live in group.items()}
                                             for group in (self._twins, self._bases)),
                                           {strands.shape_name(group): len(group.radii) * strands.per_strand(group)
                                            for group in self.strands})
        self._max_depth = STRAND_DEPTH if self.strands else MAX_DEPTH
        if self.vectorised:
            beside = [live.bsdf for group in (self._twins, self._bases) for live in group.values()]
            self._lights = Lights(self.scene, envmap_height)
            self._tracer = path.Tracer(self.scene, self._surfaces, beside, self._max_depth, RR_DEPTH)
        self._path = mi.load_dict({"type": "path", "max_depth": self._max_depth, "rr_depth": RR_DEPTH,
                                   "hide_emitters": True, **BLOCKS})

    def _description(self, width: int, height: int, envmap_height: int) -> dict:
        def sensor(sampler: dict) -> dict:
            return {"type": "perspective", "fov": 30, "fov_axis": "x", "near_clip": 0.01, "far_clip": 100.0,
                    "film": {"type": "hdrfilm", "width": width, "height": height, "pixel_format": "rgba",
                             "component_format": "float32", "rfilter": {"type": "box"}}, "sampler": sampler}

        scene = {
            "type": "scene",
            # Against independent samples: 2.6 times less error at 36 a pixel for 11 % more time (docs/notes.md).
            "beauty": sensor({"type": "multijitter"}),
            "centre": sensor({"type": "stratified", "sample_count": 1, "jitter": False}),
            "environment": environment(envmap_height),
        }
        meshes = {part.name: _mesh(part, self._bsdfs[part.material].bsdf) for part in self.parts}
        curves = {strands.shape_name(group): strands.make_shape(group, self._bsdfs[group.material].bsdf)
                  for group in self.strands}
        return scene | meshes | curves

    def set_materials(self, materials: Mapping[str, AnyMaterial]) -> None:
        """Textures and constants of a frame or a new subject, of the same shapes as the first."""
        for live in (self._bsdfs, self._twins, self._bases):
            for name, shown in live.items():
                shown.show(materials[name])
        if self._bases:
            self._surfaces.paths = mean_free_paths(materials, sorted(self._bases))
        self.materials, self._layers = materials, None
        if self.vectorised:
            self._tracer.forget()

    def set_frame(self, vertices: np.ndarray, camera: Camera) -> None:
        """Move the surface to ``vertices`` (N, 3) float32 metres and both sensors to ``camera``."""
        self._layers = None
        normals = vertex_normals(vertices, self.parts)
        for part in self.parts:
            self._params[f"{part.name}.vertex_positions"] = aligned(vertices[part.vertex_map]).ravel()
        axes = []
        for group in self.strands:
            ends = strands.pieces(group, vertices)
            axes.append(np.diff(ends, axis=1).reshape(-1, 3))
            self._params[f"{strands.shape_name(group)}.control_points"] = aligned(strands.control_points(group, ends))
        if axes and self.vectorised:
            self._surfaces.axes = mi.Float(aligned(np.concatenate(axes)).ravel())
        self._set_camera(camera)
        self._params.update()
        # Mitsuba recomputes normals when positions change, and would show the UV seams; ours come after.
        for part in self.parts:
            self._params[f"{part.name}.vertex_normals"] = aligned(normals[part.vertex_map]).ravel()
        self._params.update()
        if self.vectorised:
            self._tracer.forget()
        self._alpha, self._touched = self._gbuffer.coverage(self._surfaces)

    def _set_camera(self, camera: Camera) -> None:
        # Mitsuba's camera looks along +z with x to the left; ours along -z with x to the right.
        matrix = camera.camera_to_world @ np.diag([-1.0, 1.0, -1.0, 1.0])
        self._eye = camera.camera_to_world[:3, 3]
        for sensor in ("beauty", "centre"):
            self._params[f"{sensor}.to_world"] = mi.AffineTransform4f(mi.ScalarMatrix4f(matrix)) \
                if hasattr(mi, "AffineTransform4f") else mi.Transform4f(matrix)
            self._params[f"{sensor}.x_fov"] = camera.fov_x

    def set_light(self, radiance: np.ndarray) -> None:
        """Light :meth:`reference` by a map (H, 2H, 3) float32, scene-linear Rec.709 radiance, world axes."""
        self._params["environment.data"] = mi.TensorXf(aligned(environment_texture(radiance)))
        self._params.update()

    def beauty(self, maps: Sequence[np.ndarray], samples: int, seed: int,
               lobes: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """Foreground radiance (L, H, W, 3) float32 by each of L maps and, with ``lobes``, its specular part.

        maps: (H, 2H, 3) float32, scene-linear Rec.709 radiance, world axes.
        """
        if self.vectorised:
            self._lights.show(maps)
            rgb, specular = path.render(self._tracer, self.scene.sensors()[0], self._lights, len(maps),
                                        self._touched > 0, samples, seed)
            return rgb, specular if lobes else None
        pictures = []
        for radiance in maps:
            self.set_light(radiance)
            pictures.append(self._scalar_beauty(samples, seed, lobes))
        rgb, gloss = zip(*pictures, strict=True)
        return np.stack(rgb), np.stack(gloss) if lobes else None

    def _scalar_beauty(self, samples: int, seed: int, lobes: bool) -> tuple[np.ndarray, np.ndarray | None]:
        rgb = self.reference(samples, seed)
        if not lobes:
            return rgb, None
        self._set_gloss(False)
        try:
            matte = self.reference(samples, seed)
        finally:
            self._set_gloss(True)
        return rgb, np.maximum(rgb - matte, 0)

    def reference(self, samples: int, seed: int) -> np.ndarray:
        """Foreground radiance (H, W, 3) float32 by Mitsuba's ``path``: no flesh, and hair in scalar variants only."""
        image = mi.render(self.scene, sensor=0, integrator=self._path, spp=samples, seed=seed)
        return np.array(image)[..., :3].astype(np.float32)

    def _set_gloss(self, on: bool) -> None:
        for name, shown in self._bsdfs.items():
            shown.show(self.materials[name], gloss=on)

    @property
    def coverage(self) -> np.ndarray:
        """Anti-aliased coverage (H, W) float32 in [0, 1]; a lens covers nothing."""
        return self._alpha

    def gbuffer(self) -> dict[str, np.ndarray]:
        """Pixel centres, see :meth:`synth.renderers.mitsuba.gbuffer.GBuffer.centres`; parts, then groups of strands."""
        if self._layers is None:
            owners = [self.materials[owner.material] for owner in (*self.parts, *self.strands)]
            self._layers = self._gbuffer.centres(self._eye, owners)
            for index, material in enumerate(owners):
                if isinstance(material, Fibre):
                    self._layers["albedo"][self._layers["part"] == index] = material.colour
        return self._layers

    @property
    def surfaces(self) -> Surfaces | None:
        """Tables over the scene's shapes; None in scalar variants."""
        return self._surfaces

    def palette(self) -> Palette:
        """The textures of the principled materials that are shown."""
        return Palette(self.owners, self.materials, self._bsdfs)

    @property
    def max_depth(self) -> int:
        """Path vertices after the camera."""
        return self._max_depth

    @property
    def touched(self) -> np.ndarray:
        """Coverage as :attr:`coverage`, in which lenses count."""
        return self._touched

    def edges(self) -> np.ndarray:
        """(H, W) bool: pixels where one piece of surface ends or another begins, or where there is hair."""
        part = self.gbuffer()["part"]
        found = (part >= len(self.parts)) | ((self._touched > 0) & (self._touched < 1))
        for axis in (0, 1):
            differs = np.diff(part, axis=axis) != 0
            found |= np.pad(differs, [(int(k == axis), 0) for k in range(2)])
            found |= np.pad(differs, [(0, int(k == axis)) for k in range(2)])
        return found
