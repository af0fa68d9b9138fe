"""Spheres and boxes as subjects: shapes whose shading is known in closed form."""

from __future__ import annotations

import numpy as np

from synth.camera.camera import Camera, look_at
from synth.lighting.envmap import EnvMap
from synth.lighting.sphere import directions, solid_angles
from synth.scene import Material, MeshPart, Subject

AXES = {"+X": (1, 0, 0), "-X": (-1, 0, 0), "+Y": (0, 1, 0), "-Y": (0, -1, 0), "+Z": (0, 0, 1), "-Z": (0, 0, -1)}


def sphere_subject(material: Material, radius: float = 0.1, frames: int = 1, step=(0.0, 0.0, 0.0),
                   rows: int = 48) -> Subject:
    """A UV sphere at the origin that moves by ``step`` metres a frame; u goes right and v up, seen from +Z."""
    theta = np.linspace(0, np.pi, rows + 1)
    phi = np.linspace(-np.pi, np.pi, 2 * rows + 1)
    t, p = np.meshgrid(theta, phi, indexing="ij")
    points = radius * np.stack([np.sin(t) * np.sin(p), np.cos(t), np.sin(t) * np.cos(p)], axis=-1).reshape(-1, 3)
    uv = np.stack([p / (2 * np.pi) + 0.5, 1 - t / np.pi], axis=-1).reshape(-1, 2)
    index = np.arange(points.shape[0]).reshape(rows + 1, 2 * rows + 1)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    lower, upper = np.stack([a, b, c], -1)[:-1].reshape(-1, 3), np.stack([a, c, d], -1)[1:].reshape(-1, 3)
    # Pole and seam rows repeat a vertex in space: weld them, as a head model does, so that normals agree.
    _, first, weld = np.unique(np.round(points, 9), axis=0, return_index=True, return_inverse=True)
    part = MeshPart("sphere", weld.astype(np.int32).ravel(), np.concatenate([lower, upper]).astype(np.int32),
                    uv.astype(np.float32), "surface")
    moved = points[first][None] + np.arange(frames)[:, None, None] * np.asarray(step, np.float64)
    return Subject((part,), {"surface": material}, moved.astype(np.float32), "CC0-1.0", "0" * 20)


def front_camera(width: int = 64, distance: float = 0.6) -> Camera:
    """On the +Z axis, looking at the origin."""
    return Camera(look_at(np.array([0, 0, distance]), np.zeros(3)), 85.0, width, width)


def camera_at(axis, width: int = 64, distance: float = 0.6) -> Camera:
    """On ``axis``, looking at the origin (nudged off the poles, where 'up' is undefined)."""
    position = np.asarray(axis, np.float64) * distance + (1e-4 if abs(axis[1]) else 0)
    return Camera(look_at(position, np.zeros(3)), 85.0, width, width)


def spot(axis, height: int = 32, cosine: float = 0.97, radiance: float = 20.0) -> EnvMap:
    """A disc of light in the direction ``axis``, black elsewhere."""
    towards = directions(height) @ np.asarray(axis, np.float64)
    return EnvMap((radiance * (towards > cosine))[..., None].repeat(3, -1).astype(np.float32))


def uniform(height: int = 32, radiance: float = 1.0) -> EnvMap:
    """The white furnace."""
    return EnvMap(np.full((height, 2 * height, 3), radiance, np.float32))


def matte(albedo=0.5) -> Material:
    """Lambertian."""
    return Material(np.full(3, albedo, np.float32), roughness=1.0, specular=0.0)


def assert_lambertian(channels: dict[str, np.ndarray], light: EnvMap, albedo: float) -> None:
    """What is seen of a sphere without gloss, under ``light`` and in even light, is Lambert's law: in each of four
    rings from the middle to the outline."""
    inside = channels["alpha"] == 1
    normal = channels["normal"][inside].astype(np.float64)
    fine = light.resized(4 * light.height)
    power = (fine.data * solid_angles(fine.height)[..., None]).reshape(-1, 3)
    lit = np.flatnonzero(power.any(-1))
    irradiance = np.maximum(normal @ directions(fine.height).reshape(-1, 3)[lit].T, 0) @ power[lit]
    seen, even = channels["rgb.000"][inside], channels["flat"][inside]
    radius = np.hypot(*(np.argwhere(inside) - (np.array(inside.shape) - 1) / 2).T)
    for ring in np.array_split(np.argsort(radius), 4):
        np.testing.assert_allclose(seen[ring].mean(0), albedo / np.pi * irradiance[ring].mean(0), rtol=0.01)
        np.testing.assert_allclose(even[ring].mean(0), albedo, rtol=0.01)
    assert np.abs(seen - albedo / np.pi * irradiance).mean() < 0.03 * seen.mean()
    assert not channels["specular.000"].any()


def assert_lit_from(axis: np.ndarray, channels: dict[str, np.ndarray]) -> None:
    """The side of a sphere that faces a light from ``axis`` is lit, and the other is dark."""
    weight = channels["rgb.000"].sum(-1)[..., None]
    lit_normal = (channels["normal"] * weight).sum((0, 1)) / weight.sum()
    visible = channels["normal"][channels["normal"].any(-1)].mean(0)
    assert (lit_normal - visible) @ axis > 0.15, f"light from {axis} lights normals about {lit_normal}"
    facing = channels["normal"] @ axis
    assert channels["rgb.000"][facing < -0.5].max(initial=0) < 1e-3 * channels["rgb.000"].max()
