"""Pictures of people for looking at them: from chosen sides, in skin or in clay, under chosen maps."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from synth.camera.camera import Camera, look_at
from synth.camera.film import GREY as GREY_CARD
from synth.camera.film import Film, meter
from synth.heads.head import Person, head_extent
from synth.lighting.envmap import EnvMap
from synth.motion.performance import Performance, neutral
from synth.scene import AnyMaterial, Frame, Glass, Material, MeshPart, Renderer, Subject

CLAY = {"sclera": (0.7, 0.7, 0.7), "iris": (0.12, 0.10, 0.09), "hair": (0.13, 0.11, 0.10), "brows": (0.13, 0.11, 0.10),
        "lashes": (0.08, 0.07, 0.07), "teeth": (0.75, 0.72, 0.65), "gums": (0.35, 0.16, 0.15),
        "tongue": (0.35, 0.16, 0.15), "mouth": (0.25, 0.12, 0.11), "garment": (0.22, 0.25, 0.30)}
"""Reflectance by label; everything else is grey clay."""
GREY = (0.50, 0.47, 0.44)


@dataclasses.dataclass(frozen=True)
class View:
    """Where a portrait is taken from."""

    yaw: float = 0.0
    """Degrees to the subject's left."""
    pitch: float = 0.0
    """Degrees above the eyes."""
    head_height: float = 0.58
    """Chin to crown as a fraction of the image height."""


def portrait_camera(person: Person, view: View, size: int) -> Camera:
    """A square portrait of ``size`` pixels through an 85 mm lens."""
    bottom, top = head_extent(person)
    focal = 85.0
    distance = (top - bottom) / view.head_height * focal / 36.0
    yaw, pitch = np.radians(view.yaw), np.radians(view.pitch)
    away = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    target = np.array([0.0, (bottom + top) / 2 - 0.01, 0.02])
    return Camera(look_at(target + distance * away, target), focal, size, size)


def close_up(person: Person, place: tuple[float, float, float], width: float, view: View, size: int) -> Camera:
    """A square picture ``width`` metres wide, through a 100 mm lens, of what lies at a canonical place (mm)."""
    canonical = person.head.canonical
    near = np.argsort(np.square(canonical - np.float32(place)).sum(axis=1))[:12]
    target = person.rest[near].mean(axis=0).astype(float)
    yaw, pitch = np.radians(view.yaw), np.radians(view.pitch)
    away = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    return Camera(look_at(target + width * 100.0 / 36.0 * away, target), 100.0, size, size)


def clay(parts: Sequence[MeshPart]) -> tuple[tuple[MeshPart, ...], dict[str, AnyMaterial]]:
    """The same parts in plain materials, which show form and nothing else; what is clear stays so."""
    clear = {"cornea": Glass(), "lens": Glass(1.5, thin=True)}
    materials = {part.label: clear.get(part.label) or Material(np.float32(CLAY.get(part.label, GREY)), roughness=0.55,
                                                               specular=0.3) for part in parts}
    return tuple(dataclasses.replace(part, material=part.label) for part in parts), materials


def in_clay(person: Person, performance: Performance | None = None) -> Subject:
    """A person in plain materials performing (at rest by default); in skin and hair, see :mod:`synth.actor`."""
    parts, materials = clay(person.parts)
    vertices = person.animate(performance or neutral(1, 24.0))
    return Subject(parts, materials, vertices, person.head.licence, person.head.source_hash)


def photographs(renderer: Renderer, subject: Subject, cameras: Sequence[Camera], maps: Sequence[EnvMap], *,
                samples: int = 36, seed: int = 0, grey: float | None = None,
                spot: np.ndarray | None = None) -> Iterable[list[np.ndarray]]:
    """For each frame of a subject, under each map, a picture (H, W, 3) of display values in [0, 1].

    Exposed by an incident-light meter before the face or, with a mask ``spot`` (H, W), by what comes from there, as a
    camera that meters a face does: it makes all skin mid-grey, whatever glints on it. The background is the map, or
    ``grey`` display value.
    """
    stills = [[light] * len(cameras) for light in maps]
    for frame in renderer.render(subject, cameras, stills, samples=samples, seed=seed, lobes=False):
        yield [_develop(frame, number, light, grey, spot) for number, light in enumerate(maps)]


def _develop(frame: Frame, number: int, light: EnvMap, grey: float | None, spot: np.ndarray | None) -> np.ndarray:
    rgb, alpha = frame.channels[f"rgb.{number:03d}"], frame.channels["alpha"][..., None]
    seen = spot & (alpha[..., 0] > 0.99) if spot is not None else np.zeros(alpha.shape[:2], bool)
    # A spot meter reads radiance: pi times it is the irradiance that would make a white card look so.
    reading = np.pi * _log_average(rgb[seen]) / GREY_CARD if seen.any() else light.irradiance(
        frame.camera.camera_to_world[:3, 2])
    film = Film(exposure_ev=meter(reading))
    if grey is None:
        return film.develop(rgb + (1 - alpha) * light.look_up(frame.camera.rays()))
    return film.develop(rgb / np.maximum(alpha, 1e-6)) * alpha + (1 - alpha) * grey


def _log_average(rgb: np.ndarray) -> np.ndarray:
    """Mean density (3,) of pixels (K, 3), as radiance (Reinhard et al. 2002, eq. 1).

    A sensor's meter saturates; a plain mean of radiance would let one sunlit rim darken the whole face by two stops.
    """
    floor = 1e-3 * rgb.mean(axis=0)
    return np.exp(np.log(np.maximum(rgb, floor)).mean(axis=0))


def sheet(pictures: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Pictures (H, W, 3) of one size in rows of ``columns``, the last row filled up with black."""
    rows = -(-len(pictures) // columns)
    height, width = pictures[0].shape[:2]
    out = np.zeros((rows * height, columns * width, 3), np.float32)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        out[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
    return out
