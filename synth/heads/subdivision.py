"""Loop subdivision of a whole head at once, so that parts which share vertices stay together without cracks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix, eye

from synth.scene import MeshPart


@dataclasses.dataclass(frozen=True, eq=False)
class Refinement:
    """A linear map from control vertices to the vertices that are rendered, and the parts made of those."""

    parts: tuple[MeshPart, ...]
    """The surface over the refined vertices."""
    matrix: csr_matrix | None
    """(V, M) float32, rows sum to 1; None where nothing was subdivided."""


class Refined(Sequence):
    """Vertices of T frames, each subdivided when it is asked for: (T, V, 3) float32 without the memory."""

    def __init__(self, control: np.ndarray, refinement: Refinement):
        self._control, self._refinement = control, refinement

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, V, 3)."""
        matrix = self._refinement.matrix
        return len(self._control), self._control.shape[1] if matrix is None else matrix.shape[0], 3

    def __len__(self) -> int:
        return len(self._control)

    def __getitem__(self, index):
        """(V, 3) of one frame; (K, V, 3) of a slice or a list of frames."""
        chosen = self._control[index]
        matrix = self._refinement.matrix
        if matrix is None:
            return chosen
        if chosen.ndim == 2:
            return matrix @ chosen
        return np.stack([matrix @ frame for frame in chosen]) if len(chosen) else np.empty((0, *self.shape[1:]))


PIXELS_AN_EDGE = 2.0
"""Wanted length of an edge in the image: shorter ones shade no better."""


def level_for(edge: float, pixel: float) -> int:
    """How often to subdivide so that edges of ``edge`` metres look about two ``pixel`` s (metres) long: 0 to 2."""
    return int(np.clip(round(np.log2(max(edge / (PIXELS_AN_EDGE * pixel), 1e-6))), 0, 2))


def typical_edge(vertices: np.ndarray, part: MeshPart) -> float:
    """Median edge of a part's triangles, metres."""
    corners = vertices[part.vertex_map[part.faces]]
    return float(np.median(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)))


def refine(parts: tuple[MeshPart, ...], count: int, levels: int) -> Refinement:
    """Subdivide the smooth parts of a surface over ``count`` vertices ``levels`` times (C. Loop 1987).

    Loop's rules shrink: one step of Jacobi's iteration for the mesh whose limit surface passes through the vertices
    (x + (x - limit(x))) takes most of that back and keeps the map linear and sparse.
    """
    if levels == 0:
        return Refinement(parts, None)
    smooth = np.concatenate([part.vertex_map[part.faces] for part in parts if part.smooth])
    total = _interpolating(smooth, count)
    for _ in range(levels):
        smooth = np.concatenate([part.vertex_map[part.faces] for part in parts if part.smooth])
        edges, matrix = _loop(smooth, total.shape[0])
        total = matrix @ total
        parts = tuple(_split(part, edges, matrix.shape[1]) if part.smooth else part for part in parts)
    return Refinement(parts, total.astype(np.float32))


def _edges(faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unique edges' keys (low * count + high), the two far corners' sum by edge as (E, 2), and faces on each edge."""
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    far = np.concatenate([faces[:, 2], faces[:, 0], faces[:, 1]]).astype(np.int64)
    keys, inverse, number = np.unique(ends.min(axis=1) * count + ends.max(axis=1), return_inverse=True,
                                      return_counts=True)
    order = np.argsort(inverse.ravel(), kind="stable")
    first = np.concatenate([[0], np.cumsum(number)[:-1]])
    return keys, np.stack([far[order[first]], far[order[first + number - 1]]], axis=1), number


def _loop(faces: np.ndarray, count: int) -> tuple[np.ndarray, csr_matrix]:
    """Edge keys and the (count + E, count) subdivision matrix: old vertices first, then one for each edge.

    Edges of one face, or of more than two, are creases: their ends' middle, as for a cubic B-spline.
    """
    keys, far, number = _edges(faces, count)
    low, high = keys // count, keys % count
    inner = number == 2
    new = np.arange(len(keys)) + count
    half = np.where(inner, 3 / 8, 1 / 2)
    rows = [new, new, new[inner], new[inner]]
    columns = [low, high, far[inner, 0], far[inner, 1]]
    values = [half, half, np.full(inner.sum(), 1 / 8), np.full(inner.sum(), 1 / 8)]
    old = _vertex_rule(low, high, inner, count, limit=False)
    edge = csr_matrix((np.concatenate(values), (np.concatenate(rows) - count, np.concatenate(columns))),
                      shape=(len(keys), count))
    from scipy.sparse import vstack

    return keys, vstack([old, edge], format="csr")


def _vertex_rule(low: np.ndarray, high: np.ndarray, inner: np.ndarray, count: int, limit: bool) -> csr_matrix:
    """(count, count): how old vertices move in one step, or to the limit surface."""
    both = csr_matrix((np.ones(2 * len(low)), (np.concatenate([low, high]), np.concatenate([high, low]))),
                      shape=(count, count))
    rim = csr_matrix((np.ones(2 * (~inner).sum()), (np.concatenate([low[~inner], high[~inner]]),
                                                    np.concatenate([high[~inner], low[~inner]]))), shape=(count, count))
    valence, creases = np.asarray(both.sum(axis=1)).ravel(), np.asarray(rim.sum(axis=1)).ravel()
    n = np.maximum(valence, 1)
    beta = (5 / 8 - (3 / 8 + np.cos(2 * np.pi / n) / 4) ** 2) / n  # Loop's own weights
    if limit:
        beta = 1 / (3 / (8 * beta) + n)  # limit mask: beta' = 1 / (3 / (8 beta) + n)
    crease_share = (1 / 6 if limit else 1 / 8)
    is_inner, is_crease = (valence > 0) & (creases == 0), creases == 2
    centre = np.ones(count)  # corners (any other number of creases) and vertices of no smooth face stay
    centre[is_inner] = (1 - n * beta)[is_inner]
    centre[is_crease] = 1 - 2 * crease_share
    spread = np.where(is_inner, beta, 0.0)
    return (eye(count, format="csr").multiply(centre[:, None]) + both.multiply(spread[:, None])
            + rim.multiply(np.where(is_crease, crease_share, 0.0)[:, None])).tocsr()


def _interpolating(faces: np.ndarray, count: int) -> csr_matrix:
    """(count, count): 2 I - limit, see :func:`refine`."""
    keys, _, number = _edges(faces, count)
    return (2 * eye(count, format="csr") - _vertex_rule(keys // count, keys % count, number == 2, count, True)).tocsr()


def _split(part: MeshPart, keys: np.ndarray, count: int) -> MeshPart:
    """The part's triangles in four, over the refined vertices; UVs are halved linearly."""
    size, faces = len(part.vertex_map), part.faces.astype(np.int64)
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    own, inverse = np.unique(ends.min(axis=1) * size + ends.max(axis=1), return_inverse=True)
    a, b = own // size, own % size
    model = part.vertex_map[np.stack([a, b], axis=1)].astype(np.int64)
    place = np.searchsorted(keys, model.min(axis=1) * count + model.max(axis=1))
    ab, bc, ca = (size + inverse.ravel()).reshape(3, -1)
    v0, v1, v2 = faces.T
    quarters = np.stack([np.stack(t, axis=1) for t in ((v0, ab, ca), (ab, v1, bc), (ca, bc, v2), (ab, bc, ca))], axis=1)
    return dataclasses.replace(
        part, vertex_map=np.concatenate([part.vertex_map, place + count]).astype(np.int32),
        faces=quarters.reshape(-1, 3).astype(np.int32),
        uv=np.concatenate([part.uv, 0.5 * (part.uv[a] + part.uv[b])]).astype(np.float32),
    )
