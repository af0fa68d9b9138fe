"""Eyeballs: the template's eye, in the place and size of MakeHuman's own.

MakeHuman's ``high-poly`` eye is two coarse shells: a ball with a sunken iris, and around it a clear one with the
cornea's bulge. They are larger than life; only the outer one's radius, to which the lids are fitted, is kept.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.sparse import csr_matrix, vstack

from assets.errors import AssetError
from assets.makehuman.mhclo import MhClo
from synth.heads.head import Attachment
from synth.heads.makehuman.base import BaseMesh
from synth.heads.makehuman.binding import affine_weights, attach, bind, pieces
from synth.heads.template.eyes import eyeball
from synth.heads.template.load import make_part


def make_eyes(name: str, clo: MhClo, base: BaseMesh) -> Attachment:
    """Both eyeballs, carried by the base mesh's eye helpers, which turn with the eyes' joints."""
    carry, offset = bind(clo, len(base.vertices))
    shells = carry @ base.vertices + offset
    parts, rows, places = [], [], []
    for side in ("left", "right"):
        helper = base.vertices_of(f"helper-{side[0]}-eye")
        centre = 0.5 * (base.vertices[helper].min(axis=0) + base.vertices[helper].max(axis=0)).astype(np.float64)
        eye = eyeball(1000 * _radius(clo, shells, centre))
        flip = np.array([1.0 if side == "left" else -1.0, 1.0, 1.0])
        start = len(places) * len(eye.vertices)
        for label, faces in eye.faces.items():
            part = make_part(f"{side}_{label}", faces if side == "left" else faces[:, ::-1],
                             eye.uv if side == "left" else eye.uv * (-1, 1) + (1, 0))
            parts.append(dataclasses.replace(part, vertex_map=part.vertex_map + np.int32(start)))
        places.append(1e-3 * eye.vertices * flip + centre)
        rows.append(_carried(places[-1], helper, base))
    at = np.concatenate(places)
    weights = vstack(rows)
    return attach(f"eyes/{name}", tuple(parts), weights, at - weights @ base.vertices, clo)


def _carried(points: np.ndarray, helper: np.ndarray, base: BaseMesh) -> csr_matrix:
    weights = csr_matrix(affine_weights(points, base.vertices[helper].astype(np.float64)))
    return csr_matrix((weights.data, helper[weights.indices], weights.indptr), (len(points), len(base.vertices)))


def _radius(clo: MhClo, shells: np.ndarray, centre: np.ndarray) -> float:
    """Metres: of the outermost shell about a centre, behind the cornea."""
    piece = pieces(clo.mesh)
    radii = []
    for one in np.unique(piece):
        ray = shells[np.unique(clo.mesh.faces[piece == one, :3])] - centre
        behind = ray[:, 2] < 0.8 * np.linalg.norm(ray, axis=1)
        if np.linalg.norm(ray.mean(axis=0)) < 0.02 and behind.any():
            radii.append(float(np.median(np.linalg.norm(ray[behind], axis=1))))
    if not radii or not 0.008 < max(radii) < 0.03:
        raise AssetError(f"eyes: a ball's radius is {max(radii, default=0):.4f} m, expected 0.008 to 0.03")
    return max(radii)
