"""A sphere of suns, each in a light group of its own: one render gives as many pictures, and any light is their sum.

Import only where bpy is. The suns stand in the middle of the equal-area bins of a
:class:`synth.transport.directions.Basis` and are discs of the solid angle of a bin: side by side they come near to an
even sky, shadows are as soft as a bin is wide, and a path that leaves a surface finds one of them nearly wherever it
goes. The pictures are a :class:`synth.transport.response.Transport`, relit by the same product as Mitsuba's.

Eleven bins a side are 18.5 degrees wide, where the sun has half a degree: this tells a window from a wall, and no more.
How far that is from the map itself, ``tests.bench.cycles_lightgroups`` prints.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping

import bpy
import mathutils
import numpy as np

from assets.errors import SpecError
from synth.renderers.cycles.axes import to_blender
from synth.transport.directions import Basis
from synth.transport.response import Transport

MOST_LIGHTS = 255
"""Light groups that Cycles sums up exactly; with one more its pictures are wrong, and it doesn't say so."""
BASIS = Basis(fine=11, coarse=1)
"""121 lights. Nothing is in the coarse bin: Cycles doesn't tell light that has bounced from light that has not."""


class LightSphere:
    """The suns of a scene, and the light groups that tell them apart; neither is there but while they shine."""

    def __init__(self, scene: bpy.types.Scene, basis: Basis = BASIS):
        self.basis = basis
        self._scene = scene
        count = basis.fine**2
        if count > MOST_LIGHTS:
            raise SpecError(f"light groups: got {basis.fine}x{basis.fine} = {count} lights, expected at most "
                            f"{MOST_LIGHTS}: beyond, Cycles is silently wrong")
        self._names = [f"sun{number:03d}" for number in range(count)]
        half = math.acos(1 - 2 / count)  # of a cap of 4 pi / count steradians
        self.irradiance = math.pi * math.sin(half) ** 2
        """Of a sun of radiance 1 on a surface that faces it, which is Blender's measure of suns."""
        self.collection = bpy.data.collections.new("suns")
        for name, towards in zip(self._names, to_blender(basis.centres(basis.fine)), strict=True):
            light = bpy.data.lights.new(name, "SUN")
            light.angle, light.energy = 2 * half, self.irradiance
            sun = bpy.data.objects.new(name, light)
            sun.matrix_world = mathutils.Vector(towards.tolist()).to_track_quat("Z", "Y").to_matrix().to_4x4()
            sun.lightgroup = name
            self.collection.objects.link(sun)

    @contextlib.contextmanager
    def shining(self) -> Iterator[None]:
        """The suns, beside the world; a render meanwhile has a pass ``Combined_NAME`` for each of them."""
        scene, layer = self._scene, self._scene.view_layers[0]
        tree = scene.cycles.use_light_tree
        # Choosing by the tree costs more than it gains where lights are on all sides and equally bright.
        scene.cycles.use_light_tree = False
        scene.collection.children.link(self.collection)
        for name in self._names:
            layer.lightgroups.add(name=name)
        try:
            yield
        finally:
            for name in self._names:
                layer.lightgroups.remove(layer.lightgroups[name])
            scene.collection.children.unlink(self.collection)
            scene.cycles.use_light_tree = tree

    def transport(self, passes: Mapping[str, np.ndarray]) -> Transport:
        """The response of all pixels that light reaches; passes: of a picture taken while they shone."""
        images = [passes[f"Combined_{name}"] for name in self._names]
        height, width = images[0].shape[:2]
        lit = np.any([image.any(axis=-1) for image in images], axis=0) | (passes["Combined"][..., 3] > 0)
        pixels = np.flatnonzero(lit).astype(np.uint32)
        response = np.zeros((len(pixels), 3, self.basis.size), np.float32)
        for number, image in enumerate(images):
            response[:, :, number] = image.reshape(-1, image.shape[-1])[pixels, :3]
        return Transport(width, height, self.basis, pixels, response)
