"""Lashes: rows of curved hairs on the margins of the lids, which are found as the eyeball sees them."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.spatial import cKDTree

from synth.appearance.description import Appearance, HairLook
from synth.hair.ground import ROOT_DEPTH, cling
from synth.hair.roots import Roots, bind, join
from synth.heads.head import Person, eye_centres
from synth.heads.rigid import Samples
from synth.motion.performance import neutral
from synth.scene import Strands, triangle_frames, unit, vertex_normals

UPPER, LOWER = 130, 62
"""Hairs of one eye's lids."""
POINTS = 6
_RADIUS = 42e-6
"""Metres, at the root: lashes are the coarsest hairs of the face but for the beard."""
_LID = 0.0135
"""Metres from the eye's centre to a real lid's margin."""
_REACH = 0.026
"""Metres from the eye's centre to the farthest skin that is looked at."""


def grow_lashes(person: Person, appearance: Appearance) -> tuple[Strands, ...]:
    """Strands ``lashes`` of a person at rest; none where no opening of the lids is found."""
    look, eyes = appearance.hair, []
    for side, centre in zip((1, -1), eye_centres(person.head, person.rest).astype(float), strict=True):
        rng = np.random.default_rng([look.seed, 4, side + 1])
        eyes += filter(None, [_eye(rng, person, look, side, centre)])
    if not eyes:
        return ()
    roots, points = join([eye[0] for eye in eyes]), np.concatenate([eye[1] for eye in eyes])
    rng = np.random.default_rng([look.seed, 5])
    taper = np.interp(np.linspace(0, 1, POINTS), [0, 0.4, 0.8, 1], [1.0, 0.95, 0.55, 0.15])
    radii = _RADIUS * rng.uniform(0.8, 1.15, (len(points), 1)) * taper
    return (bind("lashes", "lashes", roots, points, radii, person),)


def _eye(rng: np.random.Generator, person: Person, look: HairLook, side: int,
         centre: np.ndarray) -> tuple[Roots, np.ndarray] | None:
    """Roots and points (S, K, 3) of one eye's lashes; None where no opening is seen."""
    faces = np.concatenate([part.vertex_map[part.faces] for part in person.head.parts if part.label == "skin"])
    ray = person.rest[faces].astype(float) - centre
    faces = faces[(np.linalg.norm(ray, axis=2).max(axis=1) < _REACH) & (ray[..., 2].max(axis=1) > 0)]
    azimuth, lower, upper = opening(person.rest, faces, centre, side)
    if len(azimuth) < 5:
        return None
    bands = []
    for sign, edge, count in ((1, upper, UPPER), (-1, lower, LOWER)):
        at = _spread(rng, azimuth, edge, count)
        # Two rows or three: roots are staggered on the margin's outer edge.
        beyond = np.radians(rng.choice([1.4, 3.0, 4.6], count, p=[0.5, 0.4, 0.1]) + rng.uniform(-0.4, 0.4, count))
        roots, kept = _roots(person, faces, centre, side, at, np.interp(at, azimuth, edge) + sign * beyond)
        if not len(roots):
            continue
        way = ((at - azimuth[0]) / (azimuth[-1] - azimuth[0]))[kept]
        bands.append((roots, _curves(rng, look, roots, centre, side, way, sign)))
    if not bands:
        return None
    roots, points = join([band[0] for band in bands]), np.concatenate([band[1] for band in bands])
    return _rehung(person, faces, centre, roots, points), points


def _rehung(person: Person, faces: np.ndarray, centre: np.ndarray, roots: Roots, points: np.ndarray) -> Roots:
    """Roots on those triangles nearby that carry the lashes as a lid does that turns about the eyeball's centre.

    Skin above the margin unrolls from the fold and hardly turns; the margin itself does.
    """
    blink = dataclasses.replace(neutral(2, 24.0), units={"AU45": np.float32([0.5, 1.0])})
    rest, poses = person.rest, person.animate(blink, resolve=False)[:][:, : len(person.rest)]
    near = cKDTree(rest[faces].mean(axis=1)).query(roots.points, k=min(40, len(faces)))[1]
    weights = _nearby(rest[faces[near]].astype(float), roots.points)
    anchor = np.einsum("skc,skcx->skx", weights, rest[faces[near]])
    frames = triangle_frames(rest[faces])[near]
    error = np.zeros(near.shape)
    for pose in poses:
        margin = np.einsum("sc,scx->sx", roots.weights, pose[roots.triangles]) - centre
        before = roots.points - centre
        turn = np.arctan2(margin[:, 1], margin[:, 2]) - np.arctan2(before[:, 1], before[:, 2])
        turn *= np.linalg.norm(before, axis=1) / _LID  # on an eyeball larger than life a lid turns less
        posed, moved = triangle_frames(pose[faces])[near], np.einsum("skc,skcx->skx", weights, pose[faces[near]])
        for k in (0, POINTS // 2):
            offset = points[:, None, k] - anchor
            there = moved + np.einsum("skx,skix,skiy->sky", offset, frames, posed)
            wanted = margin + centre + _turned(points[:, k] - roots.points, turn)
            error += np.linalg.norm(there - wanted[:, None], axis=2)
    row, best = np.arange(len(roots)), error.argmin(axis=1)
    chosen = near[row, best]
    return Roots(faces[chosen].astype(np.int32), weights[row, best].astype(np.float32),
                 anchor[row, best].astype(np.float32), roots.normals, roots.canonical)


def _nearby(corners: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(S, C, 3) barycentric coordinates of points (S, 3) on triangles (S, C, 3, 3), clipped to the triangles."""
    one, two = corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0]
    normal = np.cross(one, two)
    away, area = points[:, None] - corners[:, :, 0], np.maximum((normal**2).sum(axis=2), 1e-30)
    v = (np.cross(away, two) * normal).sum(axis=2) / area
    w = (np.cross(one, away) * normal).sum(axis=2) / area
    weights = np.clip(np.stack([1 - v - w, v, w], axis=2), 0, 1)
    return weights / weights.sum(axis=2, keepdims=True)


def _turned(vectors: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """(S, 3) turned up by angles (S,) about the x axis."""
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([vectors[:, 0], c * vectors[:, 1] + s * vectors[:, 2], c * vectors[:, 2] - s * vectors[:, 1]], 1)


def opening(rest: np.ndarray, faces: np.ndarray, centre: np.ndarray,
            side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gap between the lids as seen from the eyeball's centre: azimuths (A,) from the nose to the temple, and the
    elevations of the lower and of the upper margin (A,) there, radians; empty where the eye is shut.

    rest: (M, 3) metres; faces: (F, 3) of the skin about the eye; side: 1 for the left eye, -1 for the right one.
    """
    step = np.radians(2.0)
    turn, rise = _view(Samples(rest, faces, 0.00022)(rest.astype(float)) - centre, side)
    column = np.round(turn / step).astype(int)
    order = np.lexsort((rise, column))
    column, rise = column[order], rise[order]
    found = {}
    for way in (1, -1):
        level = 0.0
        for k in range(0 if way > 0 else -1, way * 45, way):
            first, last = np.searchsorted(column, [k, k + 1])
            here = rise[first:last]
            place = np.searchsorted(here, level)
            if place in (0, len(here)) or here[place] - here[place - 1] < np.radians(3.0):
                break
            found[k] = (here[place - 1], here[place])
            level = 0.5 * sum(found[k])
    keys = sorted(found)
    edges = np.array([found[k] for k in keys]).reshape(-1, 2)
    return np.array(keys) * step, edges[:, 0], edges[:, 1]


def _view(ray: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Azimuth to the temple and elevation (K,) of rays (K, 3) from the eye's centre, radians."""
    return np.arctan2(side * ray[:, 0], ray[:, 2]), np.arctan2(ray[:, 1], np.hypot(ray[:, 0], ray[:, 2]))


def _spread(rng: np.random.Generator, azimuth: np.ndarray, edge: np.ndarray, count: int) -> np.ndarray:
    """Azimuths (count,) of roots, evenly along the margin but for its end at the nose, where no lashes grow."""
    along = np.concatenate([[0], np.cumsum(np.hypot(np.diff(azimuth) * np.cos(edge[1:]), np.diff(edge)))])
    share = 0.15 + 0.84 * (np.arange(count) + rng.uniform(0.1, 0.9, count)) / count
    return np.interp(share * along[-1], along, azimuth)


def _roots(person: Person, faces: np.ndarray, centre: np.ndarray, side: int, azimuth: np.ndarray,
           elevation: np.ndarray) -> tuple[Roots, np.ndarray]:
    """Where rays from the eye's centre leave the skin (Moeller and Trumbore 1997), and which of them (S,) do."""
    away = np.stack([side * np.sin(azimuth) * np.cos(elevation), np.sin(elevation),
                     np.cos(azimuth) * np.cos(elevation)], axis=1)
    corner = person.rest[faces].astype(float) - centre
    one, two = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    normal, lean = np.cross(one, two), np.cross(away[:, None], two)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = 1 / (lean * one).sum(axis=2)
        v = -(lean * corner[:, 0]).sum(axis=2) * part
        turned = np.cross(-corner[:, 0], one)
        w, distance = away @ turned.T * part, (turned * two).sum(axis=1) * part
    inside = (v >= 0) & (w >= 0) & (v + w <= 1) & (distance > 0)
    inside &= away @ normal.T > 0.3 * np.linalg.norm(normal, axis=1)
    distance = np.where(inside, distance, np.inf)
    chosen = distance.argmin(axis=1)
    kept = np.isfinite(distance[np.arange(len(away)), chosen])
    rows, chosen = np.flatnonzero(kept), chosen[kept]
    v, w = v[rows, chosen], w[rows, chosen]
    triangles, weights = faces[chosen], np.stack([1 - v - w, v, w], axis=1)

    def blend(values: np.ndarray) -> np.ndarray:
        return np.einsum("sc,scx->sx", weights, values[triangles].astype(float))

    normals = unit(blend(vertex_normals(person.rest, person.control_parts)))
    return Roots(triangles.astype(np.int32), weights.astype(np.float32), blend(person.rest).astype(np.float32),
                 normals.astype(np.float32), blend(person.head.canonical).astype(np.float32)), kept


def _curves(rng: np.random.Generator, look: HairLook, roots: Roots, centre: np.ndarray, side: int, way: np.ndarray,
            sign: int) -> np.ndarray:
    """(S, K, 3) points of one lid's lashes. way: (S,) 0 at the nose to 1 at the temple; sign: 1 for the upper lid."""
    count = len(roots)
    group = np.floor(way * (42 if sign > 0 else 24) + 0.3 * rng.standard_normal(count)).astype(int)
    groups = group - group.min()
    shared = rng.standard_normal((groups.max() + 1, 3))[groups]  # hairs of a group lean the same way
    longest = 0.0094 if sign > 0 else 0.0062
    lengths = longest * look.lash_length * np.interp(way, [0, 0.3, 0.75, 1], [0.62, 0.92, 1.06, 0.85])
    lengths *= rng.uniform(0.78, 1.08, count) * np.where(rng.random(count) < 0.12, 0.6, 1.0)
    out = roots.points - centre
    out = unit(out * (1, 0, 1))
    # They fan out from the middle of the lid, most of all at the temple.
    fan = np.interp(way, [0, 0.4, 1], [-0.22, 0.05, 0.55]) + 0.10 * shared[:, 0] + 0.05 * rng.standard_normal(count)
    out = unit(out + (side * fan)[:, None] * (1.0, 0, 0))
    first = np.radians(-8 + 6 * rng.standard_normal(count)) if sign > 0 else np.radians(
        18 + 6 * rng.standard_normal(count))
    last = np.radians((78 if sign > 0 else 50) + 9 * shared[:, 1] + 5 * rng.standard_normal(count))
    points = [roots.points - ROOT_DEPTH * out]
    for k in range(1, POINTS):
        share = (k - 0.5) / (POINTS - 1)
        angle = first + (last - first) * share**0.85
        step = np.cos(angle)[:, None] * out + sign * np.sin(angle)[:, None] * (0, 1.0, 0)
        points.append(points[-1] + (lengths / (POINTS - 1))[:, None] * step)
    return cling(np.stack(points, axis=1), groups, 0.5 * np.linspace(0, 1, POINTS)[None] ** 2)
