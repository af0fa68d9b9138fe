"""Hair styles: MakeHuman's hair meshes, made for textures with holes, as guide curves along their strips. Metres."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from assets.errors import AssetError
from assets.makehuman.mhclo import MhClo
from synth.heads.head import Attachment, Hairstyle
from synth.heads.makehuman.base import METRES, BaseMesh
from synth.heads.makehuman.binding import bind, pieces, quads, thin
from synth.heads.makehuman.items import Items, find_items
from synth.heads.makehuman.strips import Strips, find_strips

GUIDES, POINTS = 1600, 8
"""Guide curves of a style, and control points of each."""
_CAP = 50
"""Pieces of a mesh with more faces than this are caps over the scalp, not loose cards."""


@dataclasses.dataclass(frozen=True)
class Style:
    """How a style's hair lies on its mesh, which shows whole locks and says little of single hairs."""

    gather: tuple[float, float, float] | None = None
    """Where hair is combed to and tied, head frame of the mean body; None: it falls from the whorl."""
    whorl: tuple[float, float, float] = (0.0, 0.12, -0.04)
    """Where falling hair starts from."""
    length: tuple[float, float] = (0.05, 0.10)
    """Shortest and longest hair."""
    stand: float = 0.0
    """How far hair stands off the mesh, instead of lying along it."""
    sideburns: float = -1.0
    """Height below which nothing grows in front of the ears; the rest is cut off."""
    curl: tuple[float, float] = (0.0, 0.35)
    """See :class:`synth.heads.head.Hairstyle`."""


STYLES: dict[str, Style] = {
    "afro01": Style(stand=0.018, curl=(0.9, 1.0)),
    "bob01": Style(whorl=(-0.02, 0.13, 0.0), length=(0.08, 0.16)),
    "bob02": Style(whorl=(0.02, 0.12, -0.01), length=(0.08, 0.16)),
    "braid01": Style(gather=(0.0, -0.06, -0.09), length=(0.07, 0.14)),
    "long01": Style(whorl=(0.0, 0.13, -0.01), length=(0.14, 0.30)),
    "ponytail01": Style(gather=(0.0, 0.055, -0.11), length=(0.07, 0.16)),
    "short01": Style(length=(0.018, 0.035)),
    "short02": Style(length=(0.04, 0.075)),
    "short03": Style(whorl=(0.03, 0.12, -0.01), length=(0.05, 0.09)),
    "short04": Style(gather=(0.0, -0.08, -0.10), length=(0.05, 0.10), sideburns=-0.012),
}
"""Of the styles that MakeHuman ships."""


def read_hairstyles(folder: Path, base: BaseMesh) -> Items[Hairstyle]:
    """The styles of a MakeHuman data folder by name, for example ``hair/short02``; what isn't CC0 is left out."""
    return Items(base, find_items(folder, "hair"), lambda kind, name, clo, mesh: make_hairstyle(name, clo, mesh))


def make_hairstyle(name: str, clo: MhClo, mesh: BaseMesh) -> Hairstyle:
    """A style as guides fitted to the mean body; the same style is the same always."""
    rng = np.random.Generator(np.random.PCG64(sum(name.encode())))
    style = STYLES.get(name, Style())
    base = mesh.vertices.astype(np.float64)
    carry, offset = bind(clo, len(base))
    card = carry @ base + offset
    faces = quads(clo.mesh)
    centre = card[faces].mean(axis=1)
    kept = (centre[:, 1] > style.sideburns) | (centre[:, 2] < 0.0)
    if style.stand:  # loose cards say where curls end; ours stand on the cap beneath them
        piece = pieces(clo.mesh)
        kept &= np.bincount(piece)[piece] > _CAP
    strips = find_strips(card, faces[kept], lambda at: _guide(style, at), outward)
    rows, lift = (_standing if style.stand else _lying)(strips, style, rng)
    bound = thin(rows @ carry)
    at = rows @ card + lift
    reference = None if clo.scale_reference is None else clo.scale_reference * METRES
    return Hairstyle(Attachment(f"hair/{name}", (), bound.astype(np.float32), np.float32(at - bound @ base),
                                clo.scale_pairs, reference), POINTS, style.curl)


def before_eyes(at: np.ndarray) -> np.ndarray:
    """(L,) bool: where hair is cut, to keep eyes and brows clear: from some 15 mm above the brows, temple to temple."""
    side = np.abs(at[:, 0])
    line = 0.036 - 0.9 * np.maximum(side - 0.045, 0)
    return (at[:, 1] < line) & (side < 0.075) & (at[:, 2] > 0.05)


def outward(at: np.ndarray) -> np.ndarray:
    """(L, 3): roughly where the outside of a head of hair is; below the skull away from its axis."""
    return at - np.stack([np.zeros(len(at)), np.minimum(at[:, 1], 0.04), np.full(len(at), -0.005)], axis=1)


def _guide(style: Style, at: np.ndarray) -> np.ndarray:
    if style.gather is not None:
        to = np.array(style.gather) - at
        passed = np.clip(0.03 - np.linalg.norm(to, axis=1, keepdims=True), 0, 1) / 0.03
        return to / np.linalg.norm(to, axis=1, keepdims=True) + passed * (0, -2.0, 0)
    away = at - np.array(style.whorl)
    return away / np.linalg.norm(away, axis=1, keepdims=True) + (0, -1.0, 0)


def _lying(strips: Strips, style: Style, rng: np.random.Generator):
    """Hairs along the strips, anywhere on them: rows of weights on the mesh, and what to add, (G POINTS, 3) metres."""
    strip, middle = strips.draw(rng, GUIDES), rng.random(GUIDES)
    length, long = strips.length[strip], rng.uniform(*style.length, GUIDES)
    first = rng.uniform(-0.4 * long, np.maximum(length - 0.4 * long, 0.0))
    start, stop = strips.reach(strip, middle, before_eyes).T
    first = np.maximum(first, start)
    last = np.minimum(np.maximum(first, 0) + long, stop)
    left = np.flatnonzero(last - first > 0.008)
    if not len(left):
        raise AssetError("nothing of its mesh is left: all of it hangs before the eyes")
    distance = first[left, None] + (last - first)[left, None] * np.linspace(0, 1, POINTS)
    rows = strips.sample(np.repeat(strip[left], POINTS), distance.ravel(), np.repeat(middle[left], POINTS))
    return rows, np.zeros((rows.shape[0], 3))


def _standing(strips: Strips, style: Style, rng: np.random.Generator):
    """As ``_lying``, for hairs that stand on the mesh."""
    strip, across = strips.draw(rng, GUIDES), rng.random(GUIDES)
    distance = rng.random(GUIDES) * strips.length[strip]
    lean = strips.normals(strip, distance, across) + 0.25 * rng.standard_normal((GUIDES, 3))
    height = style.stand * rng.uniform(0.6, 1.1, (GUIDES, 1)) * np.linspace(0, 1, POINTS)
    rows = strips.sample(*(np.repeat(value, POINTS) for value in (strip, distance, across)))
    return rows, (height[..., None] * lean[:, None]).reshape(-1, 3)
