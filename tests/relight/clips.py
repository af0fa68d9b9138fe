"""A dataset of matte balls under known lights: shaded in closed form, so that no renderer is needed."""

from __future__ import annotations

import dataclasses

import numpy as np

from relight.conditioning.environment import metered_ev
from synth.camera.camera import Camera, look_at
from synth.channels import describe, frame_channel_names
from synth.dataset.pack import pack
from synth.dataset.writer import write_clip
from synth.lighting.envmap import EnvMap
from synth.lighting.sequence import LightingRef, SequenceSpec
from synth.lighting.sphere import directions
from synth.scene import Frame
from synth.transport.directions import Basis
from tests.synth.dataset.clips import INFO, make_spec
from tests.synth.transport.test_relight import ALBEDO, sphere_transport

SIZE, FRAMES, LIGHTINGS, HEIGHT = 40, 5, 4, 16
"""Pixels a side, frames and lightings of a clip, rows of its maps."""


def lights(cameras, seed=0):
    """LIGHTINGS lists of a map a frame: from the camera's right, from its left, turning above it, from everywhere."""
    turn = cameras[0].camera_to_world[:3, :3]

    soft = np.random.default_rng(seed).gamma(2, 0.4, (HEIGHT, 2 * HEIGHT, 3))

    def spot(axis):
        towards = directions(HEIGHT) @ (turn @ axis / np.linalg.norm(axis))
        return EnvMap((0.1 * soft + 12 * (towards > 0.85)[..., None] * [1, 0.9, 0.7]).astype(np.float32))

    moving = [spot(np.array([np.sin(t), 0.6, np.cos(t)])) for t in np.linspace(-1, 1, FRAMES)]
    right, left = (spot(np.array([side, 0.3, 0.4])) for side in (1, -1))
    return [[right] * FRAMES, [left] * FRAMES, moving, [EnvMap(soft.astype(np.float32))] * FRAMES]


def make_cameras(index):
    """FRAMES cameras that drift sideways; each clip's looks another way."""
    return [Camera(look_at([np.sin(index), 0.05 * t, np.cos(index)], [0, 0, 0]), 50.0, SIZE, SIZE)
            for t in range(FRAMES)]


def make_ball(url, index, identity=None, split="train", split_hdri=None, maps="", transport=False):
    """Write one clip; ``maps`` names its environment maps. Returns its id."""
    cameras = make_cameras(index)
    if transport:  # a ball's own transport is known for a camera in world axes only
        cameras = [Camera(np.eye(4), 50.0, SIZE, SIZE)] * FRAMES
    played = lights(cameras, index)
    named = tuple(
        SequenceSpec(kind="still", maps=(LightingRef(id=f"test/{maps}{i}", digest=f"{maps}{i}", licence="CC0-1.0"),))
        for i in range(LIGHTINGS)
    )
    spec = make_spec(index, FRAMES, LIGHTINGS, (SIZE, SIZE), lobes=False)
    spec = spec.model_copy(update={"lightings": named, "split_hdri": split_hdri or split})
    response, normals = sphere_transport(SIZE, Basis(8, 4))
    info = dataclasses.replace(INFO, identity=identity or f"template/{index}", split_identity=split,
                               split_hdri=split_hdri or split,
                               exposure_ev=tuple(metered_ev(light, cameras) for light in played))
    write_clip(url, spec, (_frame(spec, t, cameras[t], [light[t] for light in played], response, normals, transport)
                           for t in range(FRAMES)), info)
    return spec.clip_id


def _frame(spec, number, camera, maps, response, normals, transport):
    def filled(values, components=3):
        image = np.zeros((SIZE * SIZE, components), np.float32)
        image[response.pixels] = values
        return image.reshape(SIZE, SIZE, components)

    channels = {}
    for name in frame_channel_names(LIGHTINGS, lobes=False):
        components = len(describe(name).components)
        channels[name] = filled(0.5, components) if components != 1 else filled(0.5, 1)[..., 0]
    world = normals @ camera.camera_to_world[:3, :3].T
    channels |= {f"rgb.{i:03d}": filled(light.irradiance(world) * ALBEDO / np.pi) for i, light in enumerate(maps)}
    channels |= {"alpha": filled(1, 1)[..., 0], "flat": filled(ALBEDO)}
    return Frame(number, channels, tuple(light.data for light in maps), camera, response if transport else None)


def make_dataset(url, count=3, **options):
    """Write and pack ``count`` clips of the training split and one of the test split."""
    for index in range(count):
        make_ball(url, index, maps="a", **options)
    make_ball(url, 90, split="test", maps="b")
    pack(url)
    return url
