"""One Mitsuba scene for one topology, updated in place from frame to frame, light to light and subject to subject.

Import only after a variant has been set.
"""

from __future__ import annotations

from collections.abc import Mapping

import mitsuba as mi
import numpy as np

from synth.camera.camera import Camera
from synth.renderers.mitsuba import path
from synth.scene import Material, MeshPart, Subject, vertex_normals

MAX_DEPTH = 5
"""Path vertices after the camera: four bounces carry all but ~0.1 % of a head's inter-reflection."""
RR_DEPTH = 3

_BLOCKS = {"block_size": 16}
"""Scalar variants seed each block of pixels, and left alone make as many blocks as there are threads."""
_ALPHA_SAMPLES = 64
_MATTE_SPECULAR = 0.0


def environment_texture(radiance: np.ndarray) -> np.ndarray:
    """Mitsuba's storage of a map: (H, W, 3) in the house convention to (2H+1, W+2, 3) float32.

    Mitsuba's centre column is +Z where ours is -Z (half a turn), its rows are aligned with the poles (row k at
    theta = pi k / 2H) where ours are texel centres, and a mirrored column stands on each side. With 2H + 1 rows every
    knot of our bilinear interpolation is one of Mitsuba's, so both interpolants are the same function.
    """
    height, width = radiance.shape[:2]
    rolled = np.roll(np.asarray(radiance, np.float32), width // 2, axis=1)
    rows = np.empty((2 * height + 1, width, 3), np.float32)
    rows[1::2] = rolled
    rows[2:-1:2] = (rolled[:-1] + rolled[1:]) / 2
    rows[0], rows[-1] = rolled[0], rolled[-1]
    return np.concatenate([rows[:, -1:], rows, rows[:, :1]], axis=1)


def _texture(image: np.ndarray) -> mi.Bitmap:
    return mi.Bitmap(np.ascontiguousarray(_texels(image)))


def _texels(image: np.ndarray) -> np.ndarray:
    """(H, W, C) float32; a constant becomes one 2x2 texture, so that every subject has the same kinds of parameter."""
    image = np.asarray(image, np.float32)
    if image.ndim <= 1:
        return np.broadcast_to(image, (2, 2, image.size)).copy()
    return np.ascontiguousarray(image if image.ndim == 3 else image[..., None])


def _bsdf(material: Material, gloss_only: bool = False) -> dict:
    """Principled BSDF of a material; ``gloss_only`` is its twin with a black base."""

    def texture(image: np.ndarray) -> dict:
        return {"type": "bitmap", "bitmap": _texture(image), "raw": True}

    albedo = np.zeros(3, np.float32) if gloss_only else material.albedo
    bsdf = {
        "type": "principled",
        "base_color": texture(albedo),
        "roughness": texture(material.roughness),
        "specular": float(material.specular),
        "clearcoat": float(material.clearcoat),
        "clearcoat_gloss": float(material.clearcoat_gloss),
    }
    if material.normal_map is not None:
        bsdf = {"type": "normalmap", "normalmap": texture(material.normal_map / 2 + 0.5), "nested": bsdf}
    return {"type": "twosided", "nested": bsdf}  # lashes, ears and hair shells show their backs


def _prefixes(params: mi.SceneParameters) -> tuple[str, str]:
    """Where a material's normal map and its principled parameters stand among the wrappers around them."""
    nested = next(key for key in params.keys() if key.endswith("base_color.data")).removesuffix("base_color.data")
    return nested.removesuffix("nested_bsdf."), nested


def _mesh(part: MeshPart, bsdf: mi.BSDF) -> mi.Mesh:
    properties = mi.Properties()
    properties["bsdf"] = bsdf
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
    """What must be equal for two subjects to share a scene: topology and the shapes of their textures."""
    materials = tuple(
        (name, _texels(m.albedo).shape, _texels(m.roughness).shape,
         None if m.normal_map is None else m.normal_map.shape, m.clearcoat > 0)
        for name, m in sorted(subject.materials.items())
    )
    parts = tuple((p.name, p.material, p.vertex_map.tobytes(), p.faces.tobytes(), p.uv.tobytes())
                  for p in subject.parts)
    return hash((parts, subject.vertices.shape[1])), materials


class PortraitScene:
    """A head under an environment map, seen by a beauty camera and by a G-buffer camera at the pixel centres."""

    def __init__(self, subject: Subject, width: int, height: int, envmap_height: int):
        self.parts = subject.parts
        self.materials: Mapping[str, Material] = {}
        used = sorted({part.material for part in subject.parts})
        bsdfs = {name: mi.load_dict(_bsdf(subject.materials[name])) for name in used}
        self.scene = mi.load_dict(self._description(bsdfs, width, height, envmap_height))
        self._params = mi.traverse(self.scene)
        self._bsdfs = {name: mi.traverse(bsdf) for name, bsdf in bsdfs.items()}
        self.vectorised = not mi.variant().startswith("scalar")
        self._part_of_shape = self._shape_table()
        if self.vectorised:
            twins = {name: mi.load_dict(_bsdf(subject.materials[name], gloss_only=True)) for name in used}
            self._twins = {name: mi.traverse(twin) for name, twin in twins.items()}
            self._keep = twins
            shapes = {shape.id(): shape for shape in self.scene.shapes()}
            self._twin_table = path.pointer_table([(shapes[p.name], twins[p.material]) for p in self.parts])
        aovs = "position:position,normal:sh_normal,albedo:albedo,prim:prim_index,shape:shape_index"
        self._path = mi.load_dict({"type": "path", "max_depth": MAX_DEPTH, "rr_depth": RR_DEPTH,
                                   "hide_emitters": True, **_BLOCKS})
        self._gbuffer = mi.load_dict({"type": "aov", "aovs": aovs, **_BLOCKS})
        self._coverage = mi.load_dict({"type": "depth", **_BLOCKS})

    def _shape_table(self) -> np.ndarray:
        """From the integrator's ``shape_index`` (a registry id, or a 1-based place in scalar variants) to our part."""
        shapes = self.scene.shapes()
        ids = [path.registry_id(shape) if self.vectorised else i + 1 for i, shape in enumerate(shapes)]
        table = np.full(max(ids) + 1, -1, np.int32)
        names = [part.name for part in self.parts]
        for number, shape in zip(ids, shapes, strict=True):
            table[number] = names.index(shape.id())
        return table

    def _description(self, bsdfs: dict, width: int, height: int, envmap_height: int) -> dict:
        def sensor(sampler: dict) -> dict:
            return {"type": "perspective", "fov": 30, "fov_axis": "x", "near_clip": 0.01, "far_clip": 100.0,
                    "film": {"type": "hdrfilm", "width": width, "height": height, "pixel_format": "rgba",
                             "component_format": "float32", "rfilter": {"type": "box"}}, "sampler": sampler}

        grey = np.ones((envmap_height, 2 * envmap_height, 3), np.float32)
        scene = {
            "type": "scene",
            # Against independent samples: 2.6 times less error at 36 a pixel for 11 % more time (docs/notes.md).
            "beauty": sensor({"type": "multijitter"}),
            "centre": sensor({"type": "stratified", "sample_count": 1, "jitter": False}),
            "environment": {"type": "envmap", "bitmap": mi.Bitmap(environment_texture(grey)[:, 1:-1])},
        }
        return scene | {part.name: _mesh(part, bsdfs[part.material]) for part in self.parts}

    def set_materials(self, materials: Mapping[str, Material]) -> None:
        """Textures and constants of a new subject, of the same shapes as the first."""
        for name, params in self._bsdfs.items():
            if materials[name] is self.materials.get(name):
                continue
            self._write_material(params, materials[name], materials[name].albedo)
            if self.vectorised:
                self._write_material(self._twins[name], materials[name], np.zeros(3, np.float32))
        self.materials = dict(materials)

    def _write_material(self, params: mi.SceneParameters, material: Material, albedo: np.ndarray) -> None:
        outer, nested = _prefixes(params)
        params[nested + "base_color.data"] = mi.TensorXf(_texels(albedo))
        params[nested + "roughness.data"] = mi.TensorXf(_texels(material.roughness))
        params[nested + "specular"] = float(material.specular)
        if nested + "clearcoat.value" in params:
            params[nested + "clearcoat.value"] = float(material.clearcoat)
            params[nested + "clearcoat_gloss.value"] = float(material.clearcoat_gloss)
        if outer + "normalmap.data" in params:
            params[outer + "normalmap.data"] = mi.TensorXf(_texels(material.normal_map / 2 + 0.5))
        params.update()

    def set_frame(self, vertices: np.ndarray, camera: Camera) -> None:
        """Move the surface to ``vertices`` (N, 3) float32 metres and both sensors to ``camera``."""
        normals = vertex_normals(vertices, self.parts)
        for part in self.parts:
            self._params[f"{part.name}.vertex_positions"] = vertices[part.vertex_map].astype(np.float32).ravel()
        self._set_camera(camera)
        self._params.update()
        # Mitsuba recomputes normals when positions change, and would show the UV seams; ours come after.
        for part in self.parts:
            self._params[f"{part.name}.vertex_normals"] = normals[part.vertex_map].ravel()
        self._params.update()
        self._alpha = self._render_coverage()

    def _set_camera(self, camera: Camera) -> None:
        # Mitsuba's camera looks along +z with x to the left; ours along -z with x to the right.
        matrix = camera.camera_to_world @ np.diag([-1.0, 1.0, -1.0, 1.0])
        for sensor in ("beauty", "centre"):
            self._params[f"{sensor}.to_world"] = mi.AffineTransform4f(mi.ScalarMatrix4f(matrix)) \
                if hasattr(mi, "AffineTransform4f") else mi.Transform4f(matrix)
            self._params[f"{sensor}.x_fov"] = camera.fov_x

    def set_light(self, radiance: np.ndarray) -> None:
        """Light the scene by an environment map (H, 2H, 3) float32, scene-linear Rec.709 radiance, world axes."""
        self._params["environment.data"] = mi.TensorXf(environment_texture(radiance))
        self._params.update()

    def beauty(self, samples: int, seed: int, lobes: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """Foreground radiance (H, W, 3) float32 and, with ``lobes``, its specular part."""
        if self.vectorised:
            rgb, specular = path.render(self.scene, self.scene.sensors()[0], self._twin_table, self._alpha > 0, samples,
                                        seed, MAX_DEPTH, RR_DEPTH)
            return rgb, specular if lobes else None
        rgb = self._render_path(samples, seed)
        if not lobes:
            return rgb, None
        self._set_gloss(False)
        try:
            matte = self._render_path(samples, seed)
        finally:
            self._set_gloss(True)
        return rgb, np.maximum(rgb - matte, 0)

    def _render_path(self, samples: int, seed: int) -> np.ndarray:
        image = mi.render(self.scene, sensor=0, integrator=self._path, spp=samples, seed=seed)
        return np.array(image)[..., :3].astype(np.float32)

    def _set_gloss(self, on: bool) -> None:
        for name, params in self._bsdfs.items():
            material = self.materials[name]
            _, nested = _prefixes(params)
            params[nested + "specular"] = float(material.specular) if on else _MATTE_SPECULAR
            if nested + "clearcoat.value" in params:
                params[nested + "clearcoat.value"] = float(material.clearcoat) if on else 0.0
            params.update()

    @property
    def coverage(self) -> np.ndarray:
        """Anti-aliased coverage (H, W) float32 in [0, 1]."""
        return self._alpha

    def _render_coverage(self) -> np.ndarray:
        # Samples are counted, so the film's sum is exact whatever the order of its additions.
        image = mi.render(self.scene, sensor=0, integrator=self._coverage, spp=_ALPHA_SAMPLES, seed=0)
        return np.array(image)[..., -1].astype(np.float32)

    def gbuffer(self) -> dict[str, np.ndarray]:
        """Pixel centres: position, normal, albedo (H, W, 3); prim and part (H, W) int32, part -1 off the head."""
        image = np.array(mi.render(self.scene, sensor=1, integrator=self._gbuffer, spp=1, seed=0))
        names = [name.split(".")[0] for name in self._gbuffer.aov_names()]
        image = image[..., -len(names):]
        layers = {key: image[..., [i for i, name in enumerate(names) if name == key]] for key in dict.fromkeys(names)}
        return {
            "position": layers["position"].astype(np.float32),
            "normal": layers["normal"].astype(np.float32),
            "albedo": layers["albedo"].astype(np.float32),
            "prim": np.rint(layers["prim"][..., 0]).astype(np.int64),
            "part": self._part_of_shape[np.rint(layers["shape"][..., 0]).astype(np.int64)],
        }
