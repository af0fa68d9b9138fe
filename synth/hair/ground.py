"""The skin as ground that strands are laid over, and curves that are traced on it. Metres, head frame, at rest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial import cKDTree

from synth.hair.roots import Roots
from synth.heads.head import Person
from synth.heads.rigid import Samples
from synth.scene import unit, vertex_normals

ROOT_DEPTH = 0.0002
"""Metres that strands begin beneath the skin, so that none floats."""


class Ground:
    """Surfaces of a person that strands may not pass."""

    def __init__(self, person: Person, places: np.ndarray, reach: float, step: float,
                 labels: tuple[str, ...] = ("skin", "lips")):
        """Those within ``reach`` of some of ``places`` (K, 3), known to ``step``, all metres."""
        faces = np.concatenate([part.vertex_map[part.faces] for part in person.control_parts if part.label in labels])
        middle = person.rest[faces].mean(axis=1)
        thinned = places[:: max(1, len(places) // 500)]
        faces = faces[cKDTree(thinned).query(middle, distance_upper_bound=reach)[0] < reach]
        samples = Samples(person.rest, faces, step)
        self._points = samples(person.rest.astype(float))
        normals = samples(vertex_normals(person.rest, person.control_parts).astype(float))
        self._normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        self._tree = cKDTree(self._points)

    def height(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(K,) metres of points (K, 3) over the surface, negative inside, and the normals (K, 3) beneath them."""
        near = self._tree.query(points)[1]
        normals = self._normals[near]
        return ((points - self._points[near]) * normals).sum(axis=1), normals


def trace(ground: Ground, roots: Roots, lengths: np.ndarray, heading: Callable[[float, np.ndarray], np.ndarray],
          clearance: np.ndarray) -> np.ndarray:
    """(S, K, 3) float64 points of strands that grow from their roots and stay over the ground.

    lengths: (S,) metres. heading: the share of the way from root to tip, and (S, 3) points, to (S, 3) directions of
    growth, of any length. clearance: (S, K) least heights over the ground, metres.
    """
    points = [roots.points - ROOT_DEPTH * roots.normals.astype(float)]
    count = clearance.shape[1]
    step = (lengths / (count - 1))[:, None]
    for k in range(1, count):
        ahead = points[-1] + step * unit(heading((k - 0.5) / (count - 1), points[-1]))
        height, normal = ground.height(ahead)
        ahead += np.maximum(clearance[:, k] - height, 0)[:, None] * normal
        points.append(points[-1] + step * unit(ahead - points[-1]))
    return np.stack(points, axis=1)


def along_skin(directions: np.ndarray, normals: np.ndarray, lift: np.ndarray) -> np.ndarray:
    """(S, 3) unit: directions (S, 3) laid onto the skin and raised from it by angles ``lift`` (S,), radians."""
    flat = unit(directions - (directions * normals).sum(axis=1, keepdims=True) * normals)
    return np.cos(lift)[:, None] * flat + np.sin(lift)[:, None] * normals


def cling(curves: np.ndarray, group: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """(S, K, 3): curves whose points go a share ``pull`` (S or 1, K) of the way to the mean tip of their group.

    group: (S,) int from 0.
    """
    tips = curves[:, -1]
    count = np.maximum(np.bincount(group), 1)[:, None]
    mean = np.stack([np.bincount(group, tips[:, axis]) for axis in range(3)], axis=1) / count
    return curves + pull[..., None] * (mean[group] - tips)[:, None]
