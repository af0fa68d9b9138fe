"""A clip through Mitsuba: every channel of the data contract from one scene that is updated in place."""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from assets.errors import RenderError
from synth.camera.camera import Camera
from synth.renderers.channels import geometry_channels, light_channels, require_finite
from synth.renderers.variants import activate, choose_variant
from synth.scene import Frame, Subject
from synth.seeds import derive_seed

if TYPE_CHECKING:
    from synth.lighting.envmap import EnvMap
    from synth.transport.response import Transport


class MitsubaRenderer:
    """Renders with one variant for the life of the process; keeps the last scene for the next clip."""

    domain = "mitsuba"

    def __init__(self, variant: str = "auto"):
        self.variant = choose_variant(variant)
        activate(self.variant)
        self._scene = None
        self._key: tuple = ()

    def describe(self, method: str = "path", paths: int = 0) -> dict[str, object]:
        """What made the pixels: stored with each clip."""
        import mitsuba as mi

        from synth.renderers.mitsuba.scene import MAX_DEPTH, STRAND_DEPTH

        scalar = self.variant.startswith("scalar")
        return {
            "name": "mitsuba", "version": mi.__version__, "variant": self.variant, "max_depth": MAX_DEPTH,
            "max_depth_with_strands": STRAND_DEPTH,
            "filter": "box", "machine": platform.machine(),
            "lobes": "difference to a render without gloss" if scalar else "lobe of the first hit",
            "flesh": "no scattering" if scalar else "normalized diffusion at the first hit",
            "glass": "dielectric" if scalar else "bends the view, lets light pass straight",
            **self._estimator(method, paths),
        }

    def _estimator(self, method: str, paths: int) -> dict[str, object]:
        if method == "path":
            return {"method": "path"}
        from synth.renderers.mitsuba.relit import BASIS

        return {"method": "transport", "paths": paths, "bins": [BASIS.fine, BASIS.coarse]}

    def render(self, subject: Subject, cameras: Sequence[Camera], lightings: Sequence[Sequence[EnvMap]], *,
               samples: int, seed: int, lobes: bool = True, method: str = "path", paths: int = 512,
               transport: bool = False) -> Iterator[Frame]:
        """See :class:`synth.scene.Renderer`."""
        check_method(method, transport, self.variant)
        scene = self._scene_for(subject, cameras[0], lightings[0][0].data.shape[0])
        estimate = None
        if method == "transport" or transport:
            from synth.renderers.mitsuba.relit import Lights, relit

            estimate = functools.partial(relit, scene, lights=Lights(), paths=paths, lobes=lobes, keep=transport)

        def shade(maps: Sequence[EnvMap], index: int) -> tuple[dict[str, np.ndarray], Transport | None]:
            if estimate is None:
                return _traced(scene, maps, samples, seed, index, lobes), None
            found = estimate(maps if method == "transport" else (), seed=derive_seed(seed, "transport", index))
            if method == "path":
                return _traced(scene, maps, samples, seed, index, lobes), found.transport
            return light_channels(found.flat, found.rgb, found.specular), found.transport

        for index in range(len(cameras)):  # no name for the frame: it would outlive its use, and fill the memory twice
            yield _frame(scene, subject, cameras, index, [lighting[index] for lighting in lightings], shade)

    def _scene_for(self, subject: Subject, camera: Camera, envmap_height: int):
        from synth.renderers.mitsuba.scene import PortraitScene, layout

        key = (layout(subject), camera.width, camera.height, envmap_height)
        if key != self._key:
            self._scene = PortraitScene(subject, camera.width, camera.height, envmap_height)
            self._key = key
        self._scene.strands = subject.strands  # of the same counts, on another head
        return self._scene


def check_method(method: str, transport: bool, variant: str) -> None:
    """RenderError where pictures cannot be made that way, or transport not be computed, with a variant."""
    if method not in ("path", "transport"):
        raise RenderError(f"method: {method!r} is not one of path, transport")
    if variant.startswith("scalar") and (transport or method == "transport"):
        raise RenderError(f"method: light transport needs a vectorised variant, and this is {variant}: use 'path'")


def _frame(scene, subject: Subject, cameras: Sequence[Camera], index: int, maps: Sequence[EnvMap],
           shade: Callable[[Sequence[EnvMap], int], tuple[dict[str, np.ndarray], Transport | None]]) -> Frame:
    scene.set_materials(subject.materials_at(index))
    scene.set_frame(subject.vertices[index], cameras[index])
    following = min(index + 1, len(cameras) - 1)
    channels = geometry(scene, subject.vertices[index], cameras[index], subject.vertices[following],
                        cameras[following])
    lit, transport = shade(maps, index)
    channels |= lit
    require_finite(channels, index)
    return Frame(index, channels, tuple(light.data for light in maps), cameras[index], transport)


def _traced(scene, maps: Sequence[EnvMap], samples: int, seed: int, index: int, lobes: bool) -> dict[str, np.ndarray]:
    """The channels that light decides, path by path for each map."""
    white = _white(maps[0].data.shape)
    rgb, specular = scene.beauty([white, *(light.data for light in maps)], samples,
                                 derive_seed(seed, "paths", index) & 0x7FFFFFFF, lobes)
    return light_channels(rgb[0], rgb[1:], specular[1:] if lobes else None)


@functools.lru_cache(maxsize=2)
def _white(shape: tuple[int, ...]) -> np.ndarray:
    """Always the same array: a light that has not changed is not uploaded again."""
    return np.ones(shape, np.float32)


def geometry(scene, vertices: np.ndarray, camera: Camera, next_vertices: np.ndarray,
             next_camera: Camera) -> dict[str, np.ndarray]:
    """The channels that light does not touch, float32; see :data:`synth.channels.CHANNELS` for units and frames."""
    buffer = scene.gbuffer()
    flow = _flow(buffer, scene, vertices, camera, next_vertices, next_camera)
    return geometry_channels(buffer, scene.coverage, flow, camera)


def _flow(buffer: dict, scene, vertices: np.ndarray, camera: Camera, next_vertices: np.ndarray,
          next_camera: Camera) -> np.ndarray:
    """(H, W, 2) float32 pixels, right and down: each visible surface point carried to the next frame."""
    from synth.renderers.mitsuba.strands import carry

    flow = np.zeros((*buffer["part"].shape, 2), np.float32)
    for index, group in enumerate(scene.strands, len(scene.parts)):
        pixels = buffer["part"] == index
        if pixels.any():
            here, there = carry(group, vertices, next_vertices, buffer["prim"][pixels], buffer["position"][pixels])
            flow[pixels] = next_camera.project(there)[0] - camera.project(here)[0]
    for index, part in enumerate(scene.parts):
        pixels = buffer["part"] == index
        if not pixels.any():
            continue
        triangles = part.vertex_map[part.faces[buffer["prim"][pixels]]]
        weights = _barycentric(buffer["position"][pixels].astype(np.float64), vertices[triangles].astype(np.float64))
        here = np.einsum("pc,pcx->px", weights, vertices[triangles])
        there = np.einsum("pc,pcx->px", weights, next_vertices[triangles])
        flow[pixels] = next_camera.project(there)[0] - camera.project(here)[0]
    return flow


def _barycentric(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(P, 3) weights of points (P, 3) on triangles (P, 3, 3), by Cramer's rule."""
    edge_a, edge_b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    offset = points - corners[:, 0]
    aa, ab, bb = (np.einsum("px,px->p", u, v) for u, v in ((edge_a, edge_a), (edge_a, edge_b), (edge_b, edge_b)))
    oa, ob = np.einsum("px,px->p", offset, edge_a), np.einsum("px,px->p", offset, edge_b)
    determinant = np.maximum(aa * bb - ab * ab, 1e-30)
    beta, gamma = (bb * oa - ab * ob) / determinant, (aa * ob - ab * oa) / determinant
    return np.stack([1 - beta - gamma, beta, gamma], axis=1)
