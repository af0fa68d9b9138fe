"""Eyeballs: a fine ball with a cornea's bulge, in the place and size of MakeHuman's own.

MakeHuman's ``high-poly`` eye is two coarse shells: a ball with a sunken iris, and around it a clear one with the
cornea's bulge. A renderer that doesn't look through corneas would draw the outer one blank, so one ball is drawn, with
the outer shell's radius and a bulge of its own, and the iris painted on it as on the template's.
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
from synth.heads.template.eyes import CORNEA_RADIUS, LIMBUS, eye_texture_radius, eyeball
from synth.heads.template.load import make_part
from synth.heads.template.sculpt import EYE_CENTRE

IRIS_RADIUS = 0.00585
"""Of the visible iris, metres: nearly the same in all adults."""


def make_eyes(name: str, clo: MhClo, base: BaseMesh) -> Attachment:
    """Both eyeballs, carried by the base mesh's eye helpers, which turn with the eyes' joints."""
    carry, offset = bind(clo, len(base.vertices))
    shells = carry @ base.vertices + offset
    parts, rows, places = [], [], []
    for side in ("left", "right"):
        helper = base.vertices_of(f"helper-{side[0]}-eye")
        centre = 0.5 * (base.vertices[helper].min(axis=0) + base.vertices[helper].max(axis=0)).astype(np.float64)
        ball, faces, uv = _ball(_radius(clo, shells, centre))
        iris = np.linalg.norm(uv[faces] - 0.5, axis=2).mean(axis=1) < eye_texture_radius(np.array(LIMBUS))
        start = len(places) * len(ball)
        for label, chosen in (("sclera", ~iris), ("iris", iris)):
            part = make_part(f"{side}_{label}", faces[chosen], uv)
            parts.append(dataclasses.replace(part, vertex_map=part.vertex_map + np.int32(start)))
        places.append(ball + centre)
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


def _ball(radius: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The template's ball at a radius in metres: vertices about its centre (V, 3), faces, UVs for its painter."""
    vertices, faces, _ = eyeball()
    ray = (vertices - EYE_CENTRE).astype(np.float64)
    angle = np.arctan2(np.hypot(ray[:, 0], ray[:, 1]), ray[:, 2])
    turn = np.arctan2(ray[:, 1], ray[:, 0])
    # The texture's limbus lies at this ball's: angles are stretched on both of its sides.
    limbus = np.arcsin(IRIS_RADIUS / radius)
    own = np.interp(angle, [0, LIMBUS, np.pi], [0, limbus, np.pi])
    shown = 0.5 + eye_texture_radius(angle)[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    distance = _profile(own, radius, limbus)
    flat = np.sin(own) * distance
    place = np.stack([flat * np.cos(turn), flat * np.sin(turn), np.cos(own) * distance], axis=1)
    return place, faces, shown


def _profile(angle: np.ndarray, radius: float, limbus: float) -> np.ndarray:
    """Distance (K,) of the surface from the centre: sclera, and the cornea before it, joined without an edge."""
    bulge = CORNEA_RADIUS * 1e-3
    middle = radius * np.cos(limbus) - np.sqrt(bulge**2 - IRIS_RADIUS**2)
    inside = np.maximum(bulge**2 - (middle * np.sin(angle)) ** 2, 0)
    cornea = np.where(angle < 1.6 * limbus, middle * np.cos(angle) + np.sqrt(inside), 0)
    blend = 0.00012
    return 0.5 * (cornea + radius + np.sqrt((cornea - radius) ** 2 + blend**2)) - 0.25 * blend
