"""Environment maps as a camera meets them: what it sees behind the subject, and what lights the subject, in its axes.

Sampling is bilinear and seamless, as :meth:`synth.lighting.envmap.EnvMap.look_up`, but of all frames of a clip at once.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import numpy as np
import torch

from assets.errors import SpecError
from synth.camera.camera import Camera
from synth.camera.film import meter_clip
from synth.lighting import sphere
from synth.lighting.envmap import EnvMap

_FINER = 4
"""A light map is sampled from a map with so many times its rows, or fewer if there are no more."""


class Sky:
    """One map, made ready to be sampled, with what has been made of it: worth keeping where a map is met again."""

    def __init__(self, light: EnvMap):
        self.height = light.height
        self._padded = sphere.pad(light.data)
        self._smaller: dict[int, Sky] = {}
        self.turned: dict[tuple[bytes, int], np.ndarray] = {}
        """Light maps by rotation of the camera and height, see :meth:`Environment.in_camera_axes`."""

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return sum(part.nbytes for part in (self._padded, *self._smaller.values(), *self.turned.values()))

    @property
    def padded(self) -> torch.Tensor:
        """(3, H + 2, W + 2): the map, and beyond its edges what is there on the sphere."""
        return torch.from_numpy(self._padded).permute(2, 0, 1)

    @functools.cached_property
    def mean(self) -> np.ndarray:
        """(3,) float32 mean radiance over the sphere."""
        return _mean(self.padded[None, :, 1:-1, 1:-1])[0]

    def at_most(self, height: int) -> Sky:
        """The map, or its area means if it has more than ``height`` rows; kept."""
        if self.height <= height:
            return self
        if height not in self._smaller:
            self._smaller[height] = Sky(EnvMap(sphere.resize(self._padded[1:-1, 1:-1], height)))
        return self._smaller[height]


class Environment:
    """The map of each of T frames. Frames in a row that share an object are sampled together."""

    def __init__(self, maps: Sequence[EnvMap | Sky]):
        """maps: T in world axes, of any heights. SpecError where there is none."""
        if not maps:
            raise SpecError("environment: no map, expected one a frame")
        known = {id(light): light if isinstance(light, Sky) else Sky(light) for light in maps}
        self.skies = tuple(known[id(light)] for light in maps)

    def __len__(self) -> int:
        return len(self.skies)

    def look_up(self, angles: torch.Tensor) -> np.ndarray:
        """(T, h, w, 3) float32 radiance from directions given by their :func:`look_angles`."""
        return np.ascontiguousarray(_sample(self.skies, angles).numpy().transpose(0, 2, 3, 1))

    def in_camera_axes(self, cameras: Sequence[Camera], height: int) -> np.ndarray:
        """(T, 3, height, 2 height) float32 radiance about each camera: its axes in place of the world's, row 0 = up.

        Texel means over a grid of samples as fine as the map, by solid angle; then each channel's power is made that
        of the map exactly, so that a turn or a size changes none of it. Each is kept in its :class:`Sky`.
        """
        keys = [(camera.camera_to_world[:3, :3].tobytes(), height) for camera in cameras]
        new = [t for t, sky in enumerate(self.skies) if keys[t] not in sky.turned]
        if new:
            made = _in_camera_axes([self.skies[t] for t in new], [cameras[t] for t in new], height)
            for t, radiance in zip(new, made, strict=True):
                self.skies[t].turned[keys[t]] = radiance
        return np.stack([sky.turned[key] for sky, key in zip(self.skies, keys, strict=True)])


def _in_camera_axes(skies: Sequence[Sky], cameras: Sequence[Camera], height: int) -> np.ndarray:
    """(T, 3, height, 2 height), see :meth:`Environment.in_camera_axes`."""
    means = np.stack([sky.mean for sky in skies])
    skies = [sky.at_most(_FINER * height) for sky in skies]
    count = -(-max(sky.height for sky in skies) // height)  # samples a texel and axis
    samples = _sample(skies, look_angles(cameras, _subdivided(height, count)))
    texels = samples.unflatten(2, (count, count, height)).sum(dim=3).mul_(_row_shares(height, count)).sum(dim=2)
    power = _mean(texels)
    gain = np.divide(means, power, out=np.ones_like(power), where=power > 0)
    return texels.numpy() * gain[..., None, None]


def look_angles(cameras: Sequence[Camera], rays: np.ndarray) -> torch.Tensor:
    """(T, h, w, 2) float32 places on the sphere that T cameras see along rays (T or 1, h, w, 3) of any length in their
    own axes: longitude over pi, 0 at -Z and growing towards +X, and colatitude over pi / 2, less 1."""
    turns = torch.from_numpy(np.stack([camera.camera_to_world[:3, :3] for camera in cameras]).astype(np.float32))
    flat = np.ascontiguousarray(np.asarray(rays, np.float32).reshape(len(rays), -1, 3).swapaxes(1, 2))
    world = (turns @ torch.from_numpy(flat)).numpy()
    x, y, z = world[:, 0], world[:, 1], world[:, 2]
    angles = np.empty((*x.shape, 2), np.float32)
    angles[..., 0] = np.arctan2(x, -z) * np.float32(1 / np.pi)
    angles[..., 1] = np.arctan2(np.sqrt(x * x + z * z), y) * np.float32(2 / np.pi) - np.float32(1)
    return torch.from_numpy(angles).unflatten(1, rays.shape[1:3])


def _sample(skies: Sequence[Sky], angles: torch.Tensor) -> torch.Tensor:
    """(T, 3, h, w) radiance of T maps at angles (T, h, w, 2)."""
    found, start = [], 0
    for sky, run in itertools.groupby(skies):
        count = len(list(run))
        # As F.grid_sample counts: -1 and 1 are the centres of the first and last texels of the padded map.
        scale = torch.tensor([2 * sky.height / (2 * sky.height + 1), sky.height / (sky.height + 1)])
        grid = angles[start : start + count] * scale
        found.append(torch.nn.functional.grid_sample(sky.padded.expand(count, -1, -1, -1), grid, padding_mode="border",
                                                     align_corners=True))
        start += count
    return torch.cat(found) if len(found) > 1 else found[0]


@functools.lru_cache(maxsize=8)
def _subdivided(height: int, count: int) -> np.ndarray:
    """(1, count² height, 2 height, 3) float32 directions of samples in texels, one of each texel in turn."""
    fine = sphere.directions(height * count).reshape(height, count, 2 * height, count, 3)
    return np.ascontiguousarray(fine.transpose(1, 3, 0, 2, 4)).reshape(1, -1, 2 * height, 3)


@functools.lru_cache(maxsize=8)
def _row_shares(height: int, count: int) -> torch.Tensor:
    """(count, height, 1) float32: the share of each sample of :func:`_subdivided` in its texel's area."""
    areas = sphere.solid_angles(height * count).reshape(height, count)
    shares = areas / areas.sum(axis=1, keepdims=True) / count
    return torch.from_numpy(np.ascontiguousarray(shares.T[..., None], np.float32))


def _mean(maps: torch.Tensor) -> np.ndarray:
    """(T, 3) float32 mean over the sphere of maps (T, 3, H, 2H)."""
    shares = (sphere.solid_angles(maps.shape[-2]) / (4 * np.pi)).astype(np.float32)
    return (maps * torch.from_numpy(shares)).sum(dim=(2, 3)).numpy()


def metered_ev(maps: Sequence[EnvMap], cameras: Sequence[Camera]) -> float:
    """Stops that an incident-light meter at the head asks for, one for all T frames; 0 in the dark.

    As a clip's own ``exposure_ev``: what faces the camera, or, where nothing does, the mean of all directions.
    """
    small = {id(light): light.resized(min(light.height, 32)) for light in maps}
    return meter_clip([small[id(light)] for light in maps], cameras)
