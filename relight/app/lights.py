"""The lights that the page offers, each with a small picture: a grey ball lit by it, before what the camera sees."""

from __future__ import annotations

import dataclasses
import secrets
from pathlib import Path

import numpy as np

from relight.pipeline.light import ShotLight, read_light
from synth.lighting.envmap import EnvMap
from synth.lighting.library import LightingLibrary

PROCEDURAL = {
    "procedural/sunsky/0007": "clear sky",
    "procedural/window/0005": "window",
    "procedural/beauty/0004": "beauty dish",
    "procedural/studio/0007": "warm lamp",
    "procedural/studio/0000": "side light",
    "procedural/rim/0004": "rim light",
    "procedural/gels/0006": "coloured lamps",
    "procedural/gels/0001": "blue and gold",
}
"""Ids of a few lights of the library that differ, and what people call them."""
_WIDTH, _HEIGHT = 160, 120
_MAP_HEIGHT = 128
_GREY = 0.36
_FOCAL_MM = 18.0


@dataclasses.dataclass(frozen=True)
class Offer:
    """A light to choose."""

    place: str
    """What :func:`relight.pipeline.light.read_light` takes."""
    title: str
    picture: str
    """Path of its small picture."""


def library_offers(folder: Path) -> list[Offer]:
    """The photographed maps that came with the installation and the procedural ones; pictures go to ``folder``."""
    library = LightingLibrary(cached_maps=1)
    titles = {entry.id: entry.id.split("/")[1] for entry in library.select(["bundled"])} | PROCEDURAL
    return [_offer(folder, place, title, library.load(place, _MAP_HEIGHT)) for place, title in titles.items()]


def own_offer(folder: Path, path: Path) -> Offer:
    """An uploaded panorama. AssetError where it is none."""
    return _offer(folder, str(path), path.stem[:24], read_light(str(path)).map(0).resized(_MAP_HEIGHT))


def _offer(folder: Path, place: str, title: str, envmap: EnvMap) -> Offer:
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{secrets.token_hex(6)}.png"
    Image.fromarray((lit_ball(envmap) * 255 + 0.5).astype(np.uint8)).save(path)
    return Offer(place, title, str(path))


def lit_ball(envmap: EnvMap) -> np.ndarray:
    """(120, 160, 3) float32 display values: a matt ball under a map, before the map, exposed as a shot is."""
    light = ShotLight([envmap], focal_mm=_FOCAL_MM)
    rays = light.camera(0, _WIDTH, _HEIGHT).rays()
    radiance = light.behind([0], rays)[0]
    y, x = np.mgrid[_HEIGHT / 2 - 0.5:-_HEIGHT / 2:-1, 0.5 - _WIDTH / 2:_WIDTH / 2] / (0.36 * _HEIGHT)
    inside = x * x + y * y < 1
    normal = np.stack([x, y, np.sqrt(np.maximum(1 - x * x - y * y, 0))], axis=-1)[inside]
    radiance[inside] = envmap.resized(16).irradiance(normal) * (_GREY / np.pi)
    return light.film.develop(radiance)
