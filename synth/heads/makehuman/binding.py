"""From MakeHuman's meshes and their ``.mhclo`` bindings to the house's parts and attachments."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

from assets.makehuman.mhclo import MhClo
from assets.makehuman.obj import ObjMesh
from synth.heads.head import Attachment
from synth.heads.makehuman.base import METRES
from synth.scene import MeshPart


def bind(clo: MhClo, count: int) -> tuple[csr_matrix, np.ndarray]:
    """Weights (M, count) on base vertices, rows sum to 1, and offsets (M, 3) metres."""
    rows = np.repeat(np.arange(len(clo.corners)), 3)
    carry = csr_matrix((clo.weights.ravel(), (rows, clo.corners.ravel())), shape=(len(clo.corners), count))
    carry.eliminate_zeros()
    return carry, clo.offset * METRES


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


def attach(name: str, parts: tuple[MeshPart, ...], carry: csr_matrix, offset: np.ndarray, clo: MhClo) -> Attachment:
    """An attachment of the vertices that its parts use, whose offsets scale as the binding says."""
    used, place = np.unique(np.concatenate([part.vertex_map for part in parts]), return_inverse=True)
    cuts = np.cumsum([len(part.vertex_map) for part in parts])[:-1]
    parts = tuple(dataclasses.replace(part, vertex_map=own.astype(np.int32))
                  for part, own in zip(parts, np.split(place, cuts), strict=True))
    carry, offset = carry.tocsr()[used], offset[used]
    reference = None if clo.scale_reference is None else clo.scale_reference * METRES
    return Attachment(name, parts, carry.astype(np.float32), np.float32(offset), clo.scale_pairs, reference)


def mesh_part(name: str, mesh: ObjMesh, chosen: np.ndarray, material: str) -> MeshPart:
    """A smooth part of the mesh's ``chosen`` faces, (F,) bool, with its own UVs."""
    triangles, uv_triangles = mesh.triangles(chosen)
    keys, local = np.unique(np.stack([triangles.ravel(), uv_triangles.ravel()], axis=1), axis=0, return_inverse=True)
    uv = np.concatenate([mesh.uv, np.zeros((1, 2))])[keys[:, 1]]  # -1 is none: the zeros at the end
    return MeshPart(name, keys[:, 0].astype(np.int32), local.reshape(-1, 3).astype(np.int32), np.float32(uv), material)


def quads(mesh: ObjMesh) -> np.ndarray:
    """(F, 4) int32 the mesh's faces, a triangle's last corner twice."""
    return np.where(mesh.faces < 0, mesh.faces[:, 2:3], mesh.faces)


def pieces(mesh: ObjMesh) -> np.ndarray:
    """(F,) int: which connected piece of the mesh each face belongs to."""
    faces = quads(mesh)
    rows, columns = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    count = len(mesh.vertices)
    return connected_components(coo_matrix((np.ones(len(rows)), (rows, columns)), (count, count)))[1][faces[:, 0]]


def affine_weights(points: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """(L, K): the smallest weights, rows sum to 1, that give points (L, 3) from anchors (K, 3).

    A point carried by them undergoes the affine map that suits all anchors best.
    """
    frame = np.concatenate([anchors.T, np.ones((1, len(anchors)))])
    return np.concatenate([points, np.ones((len(points), 1))], axis=1) @ np.linalg.pinv(frame).T
