"""A clip through Cycles: every channel of the data contract from one scene that is updated in place."""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assets.errors import RenderError
from synth.camera.camera import Camera
from synth.renderers.channels import geometry_channels, light_channels, require_finite
from synth.renderers.cycles import MAX_BOUNCES, STRAND_BOUNCES
from synth.renderers.cycles.device import choose_device, version
from synth.scene import Frame, Subject
from synth.seeds import derive_seed
from synth.transport.light import project_all
from synth.transport.response import Transport, flat, relight

if TYPE_CHECKING:
    from synth.lighting.envmap import EnvMap


class CyclesRenderer:
    """Renders on one device for the life of the process; keeps the last scene for the next clip."""

    domain = "cycles"

    def __init__(self, variant: str = "auto", denoise: bool = False):
        """variant: a kind of device. denoise: smooth the pictures with OIDN, which is never ground truth."""
        self._version = version()
        self.device = choose_device(variant)
        self.variant = self.device.kind
        self.denoise = denoise
        self._scene = None
        self._key: tuple = ()

    def describe(self, method: str = "path", paths: int = 0) -> dict[str, object]:
        """What made the pixels: stored with each clip."""
        return {
            "name": "cycles", "version": self._version, "variant": self.variant, "device": self.device.name,
            "max_bounces": MAX_BOUNCES, "max_bounces_with_strands": STRAND_BOUNCES, "filter": "box",
            "machine": platform.machine(),
            "lobes": "passes of the first hit; of hair, a picture without pigment", "flesh": "random walk",
            "glass": "bends the view, lets light pass straight", "denoised": self.denoise, **_estimator(method),
        }

    def render(self, subject: Subject, cameras: Sequence[Camera], lightings: Sequence[Sequence[EnvMap]], *,
               samples: int, seed: int, lobes: bool = True, method: str = "path", paths: int = 512,
               transport: bool = False) -> Iterator[Frame]:
        """See :class:`synth.scene.Renderer`."""
        check_method(method, lobes)
        scene = self._scene_for(subject, cameras[0])

        def shade(maps: Sequence[EnvMap], index: int) -> tuple[dict[str, np.ndarray], Transport | None]:
            found = scene.transport(samples, derive_seed(seed, "light groups", index) & 0x7FFFFFFF) \
                if transport or method == "light_groups" else None
            lit = _relit(found, maps) if method == "light_groups" else _traced(scene, maps, samples, seed, index, lobes)
            return lit, found if transport else None

        for index in range(len(cameras)):  # no name for the frame: it would outlive its use
            yield _frame(scene, subject, cameras, index, [lighting[index] for lighting in lightings], shade)

    def export(self, path: Path, subject: Subject, camera: Camera, light: EnvMap, samples: int) -> None:
        """Write a subject of one frame, under a light, as a .blend file that asks for ``samples`` a pixel."""
        from synth.renderers.cycles.export import write_blend

        for _ in self.render(subject, [camera], [[light]], samples=1, seed=0, lobes=False):
            write_blend(self._scene.scene, path, samples)

    def _scene_for(self, subject: Subject, camera: Camera):
        if threading.current_thread() is not threading.main_thread():
            raise RenderError("renderer: Blender runs on the main thread of a process only")
        from synth.renderers.cycles.scene import PortraitScene, layout

        key = (layout(subject), camera.width, camera.height)
        if key != self._key or not self._scene.alive:
            self._scene = PortraitScene(subject, camera.width, camera.height, self.device, self.denoise)
            self._key = key
        self._scene.strands = subject.strands  # of the same counts, on another head
        return self._scene


def _estimator(method: str) -> dict[str, object]:
    if method == "path":
        return {"method": "path"}
    from synth.renderers.cycles.light_groups import BASIS

    return {"method": method, "lights": BASIS.fine**2}


def check_method(method: str, lobes: bool) -> None:
    """RenderError where pictures cannot be made that way."""
    if method not in ("path", "light_groups"):
        raise RenderError(f"method: {method!r} is not one of path, light_groups, which Cycles has")
    if method == "light_groups" and lobes:
        raise RenderError("lobes: light groups do not tell them apart, expected false")


def _frame(scene, subject: Subject, cameras: Sequence[Camera], index: int, maps: Sequence[EnvMap],
           shade: Callable[[Sequence[EnvMap], int], tuple[dict[str, np.ndarray], Transport | None]]) -> Frame:
    scene.set_materials(subject.materials_at(index))
    following = min(index + 1, len(cameras) - 1)
    vertices = subject.vertices[index]
    scene.set_frame(vertices, subject.vertices[following], cameras[index])
    channels = geometry(scene, cameras[index], cameras[following])
    lit, transport = shade(maps, index)
    channels |= lit
    require_finite(channels, index)
    return Frame(index, channels, tuple(light.data for light in maps), cameras[index], transport)


def _relit(found: Transport, maps: Sequence[EnvMap]) -> dict[str, np.ndarray]:
    """The channels that light decides, by products."""
    return light_channels(flat(found), relight(found, project_all(maps, found.basis), maps), None)


def _traced(scene, maps: Sequence[EnvMap], samples: int, seed: int, index: int, lobes: bool) -> dict[str, np.ndarray]:
    """The channels that light decides, path by path for each map."""
    scene.set_light(None)
    white = scene.beauty(samples, derive_seed(seed, "flat", index) & 0x7FFFFFFF, lobes=False)[0]
    pictures = []
    for number, light in enumerate(maps):
        scene.set_light(light.data)
        pictures.append(scene.beauty(samples, derive_seed(seed, number, index) & 0x7FFFFFFF, lobes))
    return light_channels(white, [image for image, _ in pictures], [gloss for _, gloss in pictures] if lobes else None)


def geometry(scene, camera: Camera, next_camera: Camera) -> dict[str, np.ndarray]:
    """The channels that light does not touch, float32; see :data:`synth.channels.CHANNELS` for units and frames."""
    buffer = scene.geometry()
    inside = buffer["part"][..., None] >= 0
    position = np.where(inside, buffer["position"], 0)
    here, there = camera.project(position)[0], next_camera.project(position.astype(np.float64) + buffer["motion"])[0]
    flow = np.where(inside, there - here, 0).astype(np.float32)
    return geometry_channels(buffer, buffer["alpha"], flow, camera)
