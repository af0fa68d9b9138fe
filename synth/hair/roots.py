"""Where strands grow from, and how they are bound to the skin."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from synth.heads.head import Person
from synth.scene import Strands, triangle_frames, vertex_normals


@dataclasses.dataclass(frozen=True, eq=False)
class Roots:
    """S places on a person's skin at rest."""

    triangles: np.ndarray
    """(S, 3) int32 model vertices."""
    weights: np.ndarray
    """(S, 3) float32 barycentric coordinates."""
    points: np.ndarray
    """(S, 3) float32 metres, head frame, at rest."""
    normals: np.ndarray
    """(S, 3) float32 unit: smooth, outwards."""
    canonical: np.ndarray
    """(S, 3) float32 mm: the same places on the template (see :mod:`synth.heads.canonical`)."""

    def take(self, chosen: np.ndarray) -> Roots:
        """Some of them: an index or mask (S,)."""
        return Roots(*(getattr(self, field.name)[chosen] for field in dataclasses.fields(self)))

    def join(self, others: Roots) -> Roots:
        """These, then others."""
        return Roots(*(np.concatenate([getattr(x, field.name) for x in (self, others)])
                       for field in dataclasses.fields(self)))

    def __len__(self) -> int:
        return len(self.points)


def join(parts: Sequence[Roots]) -> Roots:
    """All roots of some parts, one part after the other."""
    return Roots(*(np.concatenate([getattr(part, field.name) for part in parts])
                   for field in dataclasses.fields(Roots)))


_LATTICE = np.array([(i, j, 4 - i - j) for i in range(5) for j in range(5 - i)]) / np.float32(4)
"""(15, 3) barycentric coordinates spread over a triangle: coarse heads have triangles as large as a brow is high."""


def sample_roots(rng: np.random.Generator, person: Person, density: Callable[[np.ndarray], np.ndarray], count: int,
                 labels: tuple[str, ...] = ("skin",)) -> Roots:
    """``count`` places on the skin (before subdivision, whose vertices keep their numbers), 0 where it has no density.

    density: canonical places (K, 3) mm to (K,) relative hairs an area, 0 or more; it is asked at random places.
    """
    head = person.head
    faces = np.concatenate([part.vertex_map[part.faces] for part in head.parts if part.label in labels])
    normals = vertex_normals(person.rest, person.control_parts)
    corners, places = person.rest[faces].astype(np.float64), head.canonical[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    # Triangles are chosen by area times an upper estimate of their density, then thinned by the density of the place.
    seen = np.einsum("lc,fcx->flx", _LATTICE, places)
    bound = density(seen.reshape(-1, 3)).reshape(len(faces), -1).max(axis=1)
    mass = area * bound
    if count <= 0 or mass.sum() <= 0:
        return Roots(np.zeros((0, 3), np.int32), *(np.zeros((0, 3), np.float32) for _ in range(4)))
    kept: list[Roots] = []
    missing = count
    for _ in range(20):
        chosen = rng.choice(len(faces), size=2 * missing + 16, p=mass / mass.sum())
        a, b = np.sqrt(rng.random(len(chosen))), rng.random(len(chosen))
        weights = np.stack([1 - a, a * (1 - b), a * b], axis=1).astype(np.float32)
        place = np.einsum("sc,scx->sx", weights, places[chosen])
        accepted = np.flatnonzero(rng.random(len(chosen)) * bound[chosen] < density(place))[:missing]
        chosen, weights = chosen[accepted], weights[accepted]
        normal = np.einsum("sc,scx->sx", weights, normals[faces[chosen]])
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        kept.append(Roots(faces[chosen].astype(np.int32), weights,
                          np.einsum("sc,scx->sx", weights, corners[chosen]).astype(np.float32),
                          normal.astype(np.float32), place[accepted].astype(np.float32)))
        missing -= len(accepted)
        if missing <= 0:
            break
    return join(kept)


def bind(name: str, material: str, roots: Roots, points: np.ndarray, radii: np.ndarray, person: Person) -> Strands:
    """Strands whose points (S, K, 3) metres, head frame, at rest, follow their roots. radii: (S, K) metres."""
    frames = triangle_frames(person.rest[roots.triangles].astype(np.float32))
    offsets = (points - roots.points[:, None]) @ frames.transpose(0, 2, 1)
    return Strands(name, material, roots.triangles, roots.weights, np.ascontiguousarray(offsets, np.float32),
                   np.ascontiguousarray(np.broadcast_to(radii, points.shape[:2]), np.float32))
