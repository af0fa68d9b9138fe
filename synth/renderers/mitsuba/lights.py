"""The environment maps that a frame is lit by, all at once, and the pictures that they make.

Import only after a variant has been set.
"""

from __future__ import annotations

from collections.abc import Sequence

import drjit as dr
import mitsuba as mi
import numpy as np

from synth.renderers.mitsuba.arrays import aligned
from synth.renderers.mitsuba.surfaces import registry_id


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


def environment(height: int) -> dict:
    """Mitsuba's description of a map of our height, white."""
    white = np.ones((height, 2 * height, 3), np.float32)
    return {"type": "envmap", "bitmap": mi.Bitmap(environment_texture(white)[:, 1:-1])}


class Lights:
    """Emitters beside those of a scene, one for each map; none is made anew or filled again without need."""

    def __init__(self, scene: mi.Scene, height: int):
        self._scene, self._height = scene, height
        self.emitters: list[mi.Emitter] = []
        self._params: list[mi.SceneParameters] = []
        self._shown: list[np.ndarray | None] = []

    def show(self, maps: Sequence[np.ndarray]) -> None:
        """Become the maps, each (H, 2H, 3) float32, scene-linear Rec.709 radiance, world axes."""
        while len(self.emitters) < len(maps):
            emitter = mi.load_dict(environment(self._height))
            emitter.set_scene(self._scene)
            self.emitters.append(emitter)
            self._params.append(mi.traverse(emitter))
            self._shown.append(None)
        for number, radiance in enumerate(maps):
            if self._shown[number] is not radiance:
                self._params[number]["data"] = mi.TensorXf(aligned(environment_texture(radiance)))
                self._params[number].update()
                self._shown[number] = radiance

    def numbers(self, first: int, last: int) -> mi.UInt32:
        """Registry ids of those emitters."""
        ids = [registry_id(emitter, mi.EmitterPtr) for emitter in self.emitters[first:last]]
        return mi.UInt32(aligned(np.array(ids, np.uint32), np.uint32))


class Film:
    """What N paths find of each of L lights: six sums a light and path, of radiance and of its specular part.

    No dataclass, which Dr.Jit would take apart and carry through its loops.
    """

    def __init__(self, lane: mi.UInt32, sums: Sequence[mi.Float], lights: mi.UInt32, lanes: mi.UInt32,
                 count: mi.UInt32):
        """lane: 0 to N - 1. sums: six of L N. lights: :meth:`Lights.numbers` of L. lanes, count: N and L."""
        self.sums, self.count = sums, count
        self._lane, self._lights, self._lanes = lane, lights, lanes

    def light(self, number: mi.UInt32) -> mi.EmitterPtr:
        """The emitter of that number, the same for all lanes."""
        return dr.reinterpret_array(mi.EmitterPtr, dr.gather(mi.UInt32, self._lights, number))

    def add(self, number: mi.UInt32, radiance: mi.Color3f, specular: mi.Color3f, active: mi.Bool) -> None:
        """Add what active paths found of that light."""
        place = number * self._lanes + self._lane
        for k in range(3):
            dr.scatter_add(self.sums[k], radiance[k], place, active, mode=dr.ReduceMode.NoConflicts)
            dr.scatter_add(self.sums[3 + k], specular[k], place, active, mode=dr.ReduceMode.NoConflicts)
