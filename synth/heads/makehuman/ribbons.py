"""Ribbons: hairs as narrow tapered strips of triangles, each point of them linear in the vertices of a mesh."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix, vstack

from synth.heads.makehuman.strips import Strips


def lay(strips: Strips, strip: np.ndarray, distance: np.ndarray, across: np.ndarray, half: np.ndarray,
        raised: np.ndarray, tilt: np.ndarray, column: np.ndarray
        ) -> tuple[csr_matrix, np.ndarray, np.ndarray, np.ndarray]:
    """N ribbons of P points each on strips; of all arrays (N, P) or (N, 1).

    strip (N,): which one; distance: metres from its root; across: 0 (left) to 1, beyond for its neighbours' ground;
    half: metres, half the ribbon's width; raised: metres above the mesh; tilt: metres that the right edge lies higher
    than the middle; column: the texture's u. Returns weights (2 N P, M) on the mesh's vertices, faces (2 N (P - 1), 3)
    facing out, UVs with v from root to tip, and what to add to each point (2 N P, 3) metres.
    """
    number, points = distance.shape
    strip, along = np.repeat(strip, points), distance.ravel()
    breadth = strips.breadth(strip, along).reshape(number, points)
    across = np.broadcast_to(across, distance.shape)
    normal = strips.normals(strip, along, np.clip(across, 0, 1).ravel()).reshape(number, points, 3)
    rows = [strips.sample(strip, along, (across + side * half / breadth).ravel()) for side in (-1, 1)]
    lift = [((raised + side * tilt)[..., None] * normal).reshape(-1, 3) for side in (-1, 1)]
    v = np.broadcast_to(np.linspace(0, 1, points), distance.shape)
    uv = np.stack([np.broadcast_to(column, distance.shape), v], axis=2).reshape(-1, 2)
    a = (np.arange(number)[:, None] * points + np.arange(points - 1)).ravel()
    b = a + number * points
    faces = np.concatenate([np.stack([a, b, a + 1], axis=1), np.stack([a + 1, b, b + 1], axis=1)])
    return vstack(rows).tocsr(), faces, np.concatenate([uv, uv]), np.concatenate(lift)


def thin(rows: csr_matrix, least: float = 0.03) -> csr_matrix:
    """Rows without weights below ``least`` times their largest one, which takes those over: sums stay."""
    rows = rows.tocsr()
    rows.eliminate_zeros()
    size, owner = np.abs(rows.data), np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    largest = np.maximum.reduceat(size, rows.indptr[:-1])[owner]
    small = size < least * largest
    heirs = np.flatnonzero(size == largest)
    heirs = heirs[np.unique(owner[heirs], return_index=True)[1]]
    rows.data[heirs] += np.bincount(owner, np.where(small, rows.data, 0.0), minlength=rows.shape[0])
    rows.data[small] = 0
    rows.eliminate_zeros()
    return rows
