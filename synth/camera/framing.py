"""Portrait framing: where a photographer stands, what lens they take, and how steady their hand is."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np
from scipy.spatial.transform import Rotation

from synth.camera.camera import Camera, look_at
from synth.motion.curves import BandNoise, truncated_normal

HEAD_ASPECT = 0.85
"""Width of a head, hair and ears included, over its height from chin to crown; seen from any side."""
MARGIN = 0.04
"""Fraction of the image between the head at rest and the frame: room for it to move."""
HANDHELD_ROTATION = np.radians([0.2, 0.2, 0.12])
"""Root mean square of handheld pitch, yaw, roll at amplitude 1, radians."""
HANDHELD_TRANSLATION = np.array([0.002, 0.002, 0.002])
"""Root mean square of handheld shift at amplitude 1, metres."""
HANDHELD_BAND = (0.15, 8.0)
"""Hz: from sway of the body to tremor of the hand."""
HANDHELD_SLOPE = 2.5
"""Power falls as 1/f**2.5: between the sway's random walk (2) and a hand damped by the weight it holds (3 and more)."""


class FramingSpec(Protocol):
    """The part of :class:`synth.spec.CameraSpec` that framing reads."""

    focal_mm: tuple[float, float]
    head_height: tuple[float, float]
    yaw_deg: float
    handheld: float


@dataclasses.dataclass(frozen=True)
class Framing:
    """How a portrait is composed, before the hand shakes."""

    focal_mm: float
    """Focal length, millimetres, 35 mm equivalent."""
    head_height: float
    """Chin to crown as a fraction of the image height."""
    azimuth: float
    """Radians that the camera stands to the subject's left (+X) of straight ahead (+Z)."""
    elevation: float
    """Radians that the camera is above the head's centre."""
    roll: float
    """Radians."""
    head_position: tuple[float, float]
    """Where the head's centre is in the image: fraction of the width from the left, of the height from the top."""

    def camera(self, head_center: np.ndarray, head_height_m: float, width: int, height: int) -> Camera:
        """The camera that sees a head so. head_center (3,) metres, world; head_height_m chin to crown in metres."""
        center = np.asarray(head_center, np.float64)
        side, up = np.sin(self.azimuth), np.sin(self.elevation)
        level = np.cos(self.elevation)
        towards = np.array([side * level, up, np.cos(self.azimuth) * level])
        segment = center + np.array([[0.0, 0.5, 0.0], [0.0, -0.5, 0.0]]) * head_height_m
        focal_px = self.focal_mm / 36 * width
        wish = np.array(self.head_position) * [width, height]
        distance, aim = focal_px * head_height_m / (self.head_height * height), center
        # Distance and aim depend on one another (perspective off the axis, foreshortening from above): iterate.
        for _ in range(12):
            camera = Camera(look_at(center + distance * towards, aim, self.roll), self.focal_mm, width, height)
            seen, depth = camera.project(center)
            ends, _ = camera.project(segment)
            miss = (seen - wish) * depth / focal_px
            aim = aim + camera.camera_to_world[:3, :2] @ (miss * [1, -1])
            distance *= np.linalg.norm(ends[0] - ends[1]) / (self.head_height * height)
        return Camera(look_at(center + distance * towards, aim, self.roll), self.focal_mm, width, height)


def sample_framing(rng: np.random.Generator, spec: FramingSpec, width: int, height: int) -> Framing:
    """A composition drawn from the ranges of ``spec``, with the whole head inside the frame."""
    focal = float(np.exp(rng.uniform(*np.log(spec.focal_mm))))
    size = float(rng.uniform(*spec.head_height))
    # A narrow frame cannot hold a head that fills its height.
    size = min(size, 1 - 2 * MARGIN, (1 - 2 * MARGIN) * width / height / HEAD_ASPECT)
    azimuth = float(np.clip(truncated_normal(rng, np.radians(spec.yaw_deg), 2.5), -np.pi, np.pi))
    elevation = float(np.radians(2.0) + truncated_normal(rng, np.radians(5.0)))
    roll = float(truncated_normal(rng, np.radians(1.0)))
    # Half of all portraits centre the head, half push it towards a vertical third; eyes sit above the middle.
    third = rng.choice([0.0, 0.0, -1 / 6, 1 / 6])
    x = 0.5 + rng.uniform(0.4, 1.0) * third + 0.02 * float(truncated_normal(rng, 1.0))
    y = 0.46 + 0.03 * float(truncated_normal(rng, 1.0))
    half_x, half_y = size * HEAD_ASPECT * height / width / 2 + MARGIN, size / 2 + MARGIN
    # At the very limit the room is nothing: min before max keeps the clamp valid against rounding.
    x, y = (max(min(half, 0.5), min(value, max(1 - half, 0.5))) for value, half in ((x, half_x), (y, half_y)))
    return Framing(focal, size, azimuth, elevation, roll, (x, y))


def handheld(base: Camera, rng: np.random.Generator, amplitude: float, frames: int, fps: float) -> list[Camera]:
    """``base`` in a human hand for ``frames`` frames: band-limited noise of position and direction.

    A longer clip has the shorter one as its prefix. ``amplitude`` 0 is a tripod.
    """
    time = np.arange(frames) / fps
    turn = BandNoise.sample(rng, HANDHELD_ROTATION, HANDHELD_BAND, HANDHELD_SLOPE)(time) * amplitude
    shift = BandNoise.sample(rng, HANDHELD_TRANSLATION, HANDHELD_BAND, HANDHELD_SLOPE)(time) * amplitude
    cameras = []
    for rotation, translation in zip(Rotation.from_rotvec(turn).as_matrix(), shift, strict=True):
        local = np.eye(4)
        local[:3, :3], local[:3, 3] = rotation, translation
        cameras.append(dataclasses.replace(base, camera_to_world=base.camera_to_world @ local))
    return cameras


def sample_cameras(
    rng: np.random.Generator,
    spec: FramingSpec,
    head_center: np.ndarray,
    head_height_m: float,
    width: int,
    height: int,
    frames: int,
    fps: float,
) -> list[Camera]:
    """One camera a frame: a drawn composition of a head at rest, held by hand.

    head_center (3,) is the middle between chin and crown in world axes, metres; head_height_m their distance, metres.
    ``spec`` is a :class:`synth.spec.CameraSpec`. Deterministic in ``rng``; a longer clip has the shorter as its prefix.
    """
    base = sample_framing(rng, spec, width, height).camera(head_center, head_height_m, width, height)
    return handheld(base, rng, spec.handheld, frames, fps)
