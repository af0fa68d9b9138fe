"""From guide curves to strands: interpolation, locks, curls, and what keeps hair out of heads. Metres, head frame."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.spatial import cKDTree

from synth.hair.roots import Roots
from synth.heads.head import Person
from synth.scene import unit, vertex_normals

MM = 1e-3
_EAR = np.array([[64.0, -50.0, -50.0], [120.0, 34.0, 12.0]])
"""Corners of the box, in canonical mm, that holds the left ear."""


@dataclasses.dataclass(frozen=True, eq=False)
class Shell:
    """What hair lies on: skin and garments, as planes at points spread over them."""

    tree: cKDTree
    """Of the points."""
    normals: np.ndarray
    """(P, 3) float64 unit, outwards."""
    to_canonical: np.ndarray
    """(4, 3) float64: affine map from metres to canonical mm that suits the head best."""

    def height(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(K,) metres over the shell, negative inside, and the (K, 3) direction that leads away from it."""
        distance, near = self.tree.query(points, k=3)
        share = 1 / (distance + 0.5 * MM) ** 2
        share /= share.sum(axis=1, keepdims=True)
        normals = self.normals[near]
        over = np.einsum("kp,kpx,kpx->k", share, points[:, None] - self.tree.data[near], normals)
        return over, unit(np.einsum("kp,kpx->kx", share, normals))

    def canonical(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) canonical mm, by the affine map."""
        return points @ self.to_canonical[:3] + self.to_canonical[3]


def make_shell(person: Person, over_ears: bool) -> Shell:
    """The shell of a person at rest. over_ears: ears push hair aside; otherwise hair is cut around them."""
    parts = [part for part in person.control_parts if part.label in ("skin", "garment")]
    rest = person.rest.astype(np.float64)
    faces = np.concatenate([part.vertex_map[part.faces] for part in parts])
    normals = vertex_normals(person.rest, parts).astype(np.float64)
    places = np.full_like(rest, np.nan)
    places[: len(person.head.canonical)] = person.head.canonical
    head = np.unique(faces[(places[faces][:, :, 1] > -90).all(axis=1)])
    affine = np.linalg.lstsq(np.c_[rest[head], np.ones(len(head))], places[head], rcond=None)[0]
    # Vertices and the middles of triangles: twice as fine.
    corners = rest[faces]
    points = np.concatenate([rest[np.unique(faces)], corners.mean(axis=1)])
    normals = np.concatenate([normals[np.unique(faces)], normals[faces].mean(axis=1)])
    at = np.concatenate([places[np.unique(faces)], places[faces].mean(axis=1)])
    folded = np.abs(at) * (1, 0, 0) + at * (0, 1, 1)
    ear = ((folded > _EAR[0]) & (folded < _EAR[1])).all(axis=1)
    proud = ear & (over_ears | (folded[:, 0] > 76))
    kept, normals = points[~proud], normals[~proud]
    if over_ears:
        kept, normals = (np.concatenate(both) for both in zip((kept, normals), *_wrapped(points[ear]), strict=True))
    return Shell(cKDTree(kept), unit(normals), affine)


def _wrapped(ears: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each ear, of points (K, 3): what a cloth over it would touch, and directions that lead sideways."""
    out = []
    for sign in (1, -1):
        own = ears[ears[:, 0] * sign > 0]
        cells, cell = np.unique(np.round(own[:, 1:] / (3 * MM)).astype(int), axis=0, return_inverse=True)
        reach = np.zeros(len(cells))
        np.maximum.at(reach, cell.ravel(), np.abs(own[:, 0]))
        wide = np.array([reach[near].max() for near in cKDTree(cells).query_ball_point(cells, 7 / 3)])
        out.append((np.c_[sign * wide, cells * 3 * MM], np.tile([float(sign), 0.0, 0.0], (len(cells), 1))))
    return out


def resample(curves: np.ndarray, end: np.ndarray, points: int, gather: float = 1.0) -> np.ndarray:
    """(S, points, 3): curves (S, M, 3) from their first point to the share ``end`` (S,) of their length.

    gather: above 1, points stand closer towards the root.
    """
    count, old, _ = curves.shape
    along = lengths(curves)
    start = 2.0 * np.arange(count)[:, None]  # one rising table for all: curve k lies between 2 k and 2 k + 1
    wanted = end[:, None] * np.linspace(0, 1, points) ** gather + start
    table = (along / np.maximum(along[:, -1:], 1e-9) * (1 - 1e-9) + start).ravel()
    low = np.clip(np.searchsorted(table, wanted.ravel(), "right") - 1, 0, len(table) - 2)
    low -= low % old == old - 1
    share = np.clip((wanted.ravel() - table[low]) / np.maximum(table[low + 1] - table[low], 1e-12), 0, 1)[:, None]
    flat = curves.reshape(-1, 3)
    return (flat[low] * (1 - share) + flat[low + 1] * share).reshape(count, points, 3)


def lengths(curves: np.ndarray) -> np.ndarray:
    """(S, M) each point's distance along its curve (S, M, 3)."""
    steps = np.linalg.norm(np.diff(curves, axis=1), axis=2)
    return np.concatenate([np.zeros((len(curves), 1)), np.cumsum(steps, axis=1)], axis=1)


def shorten(curves: np.ndarray, beyond: np.ndarray) -> np.ndarray:
    """(S,) share of each curve's length, (S, M, 3), before it first is ``beyond`` (S, M)."""
    along = lengths(curves)
    first = np.where(beyond.any(axis=1), beyond.argmax(axis=1), curves.shape[1] - 1)
    rows = np.arange(len(curves))
    at = np.where(beyond.any(axis=1), 0.5 * (along[rows, first] + along[rows, np.maximum(first - 1, 0)]), along[:, -1])
    return at / np.maximum(along[:, -1], 1e-9)


def waves(rng: np.random.Generator, places: np.ndarray, length: float, count: int = 1) -> np.ndarray:
    """(K, count) smooth noise of deviation about 1 over places (K, 3), of a wave length in the same unit."""
    out = np.zeros((len(places), count))
    for _ in range(4):
        wave = rng.normal(size=(3, count)) * 2 * np.pi / (1.7 * length)
        out += np.sin(places @ wave + rng.uniform(0, 2 * np.pi, count))
    return out / np.sqrt(2)


@dataclasses.dataclass(frozen=True, eq=False)
class Guides:
    """G curves that hair follows."""

    roots: Roots
    """Where they grow from."""
    points: np.ndarray
    """(G, K, 3) float64, from root to tip."""
    lock: np.ndarray
    """(G,) how far strands draw together towards this guide's tip, 0 to 1."""

    def take(self, chosen: np.ndarray) -> Guides:
        """Some of them: an index or mask (G,)."""
        return Guides(self.roots.take(chosen), self.points[chosen], self.lock[chosen])


def fill(rng: np.random.Generator, guides: Guides, roots: Roots, side: np.ndarray | float,
         guide_side: np.ndarray | float
         ) -> tuple[np.ndarray, np.ndarray]:
    """(S, K, 3) strands at ``roots`` (S) between guides, and (S,) the guide whose lock each belongs to.

    Strands are weighted means of near guides that lie on the same side of the parting (side (S,), guide_side (G,)) and
    run alike; towards the tip they gather about one guide.
    """
    apart = 25 * MM  # as if the two sides of a parting were so far from each other
    tree = cKDTree(np.c_[guides.roots.points, apart * np.broadcast_to(guide_side, len(guides.points))])
    count = min(4, len(guides.points))
    distance, near = tree.query(np.c_[roots.points, apart * np.broadcast_to(side, len(roots))],
                                k=list(range(1, count + 1)))
    shapes = guides.points - guides.points[:, :1]
    first = near[:, 0]
    # Guides far from the nearest one's shape belong to another lock altogether.
    extent = np.linalg.norm(shapes[:, -1], axis=1)
    unlike = np.linalg.norm(shapes[near, -1] - shapes[first, -1][:, None], axis=2) / (extent[first][:, None] + 2 * MM)
    share = np.exp(-(unlike / 0.22) ** 2) / (distance + 1 * MM) ** 2
    share /= share.sum(axis=1, keepdims=True)
    strands = np.einsum("sk,skpx->spx", share, shapes[near]) + roots.points[:, None]
    t = np.linspace(0, 1, guides.points.shape[1])
    # A lock's hairs keep a little of the distance between their roots.
    spread = (roots.points - guides.roots.points[first])[:, None] * 0.12
    pull = guides.lock[first][:, None] * t**1.5 * rng.uniform(0.5, 1.0, (len(roots), 1))
    strands += pull[..., None] * (guides.points[first] + spread - strands)
    return strands, first


def accompany(rng: np.random.Generator, guides: Guides, number: int) -> tuple[Roots, np.ndarray, np.ndarray]:
    """Roots, (S, K, 3) strands and their guide, for hair that only follows guides: of a tail, of a braid."""
    count, flat = min(4, len(guides.points)), guides.points.reshape(len(guides.points), -1)
    apart, near = cKDTree(flat).query(flat, k=list(range(1, count + 1)))
    near = np.where(apart < 20 * MM * np.sqrt(guides.points.shape[1]), near, near[:, :1])  # else another lock's
    first = rng.integers(len(guides.points), size=number)
    other = near[first, rng.integers(count, size=number)]
    share = 0.6 * rng.random((number, 1, 1))
    return guides.roots.take(first), guides.points[first] * (1 - share) + guides.points[other] * share, first


def curl(rng: np.random.Generator, strands: np.ndarray, amount: float, normals: np.ndarray, lock: np.ndarray
         ) -> np.ndarray:
    """(S, K, 3) strands wound about themselves: flat waves to tight coils as ``amount`` goes from 0 to 1.

    normals: (S, 3) of the skin at their roots; lock: (S,) which hairs curl together.
    """
    count, points, _ = strands.shape
    if amount < 0.03 or points < 4:
        return strands
    pitch = np.interp(amount, [0, 0.5, 1.0], [120, 42, 8]) * MM
    radius = np.interp(amount, [0, 0.5, 0.75, 1.0], [0.0, 5.0, 4.0, 2.6]) * MM
    along = lengths(strands)
    length = along[:, -1:]
    turns = np.minimum(length / pitch, (points - 1) / 3.0)  # three points a turn make a curl, fewer a zigzag
    t = along / np.maximum(length, 1e-9)
    together = rng.uniform(0, 2 * np.pi, lock.max() + 1)[lock] + rng.normal(0, 0.25 + 0.5 * amount, count)
    phase = together[:, None] + 2 * np.pi * turns * t * rng.normal(1, 0.06, (count, 1))
    tangent = unit(np.gradient(strands, axis=1))
    one = unit(normals[:, None] - np.einsum("spx,sx->sp", tangent, normals)[..., None] * tangent + 1e-6)
    two = np.cross(tangent, one)
    size = radius * rng.uniform(0.6, 1.3, (count, 1)) * np.minimum(1, t / 0.25) * np.minimum(1, length / (25 * MM))
    flat = np.interp(amount, [0.3, 0.8], [0.4, 1.0])
    return strands + (size * flat * np.cos(phase))[..., None] * one + (size * np.sin(phase))[..., None] * two


def stray(rng: np.random.Generator, strands: np.ndarray, mess: float, lock: np.ndarray) -> np.ndarray:
    """(S, K, 3) strands each of which goes a little its own way, and some quite another."""
    count, points, _ = strands.shape
    length = lengths(strands)[:, -1]
    t = np.linspace(0, 1, points)[:, None]
    size = mess * (0.3 * MM + 0.022 * np.minimum(length, 90 * MM)) * np.exp(0.5 * rng.normal(size=count))
    size *= np.where(rng.random(count) < 0.03, 2.3, 1.0)  # flyaways
    locks = lock.max() + 1
    own = rng.normal(size=(count, 1, 3)) + 0.8 * rng.normal(size=(locks, 1, 3))[lock]
    bow = rng.normal(size=(count, 1, 3))
    return strands + size[:, None, None] * (own * t + 0.8 * bow * np.sin(np.pi * t))


def keep_out(shell: Shell, strands: np.ndarray, least: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(S, K, 3) strands moved out of the head: point k to ``least`` (K,) metres over it at least; roots stay.

    Also (S,) bool: which of them came out; those that ran deep through the head make no sense outside it.
    """
    strands = strands.copy()
    points = strands.shape[1] - 1
    free = strands[:, 1:].reshape(-1, 3)
    least = np.tile(least[1:], len(strands))
    close = np.flatnonzero(shell.tree.query(free, distance_upper_bound=60 * MM)[0] < 60 * MM)
    out = np.ones(len(strands), bool)
    for most in (15 * MM, np.inf, np.inf, 1 * MM):
        over, outward = shell.height(free[close])
        short = np.maximum(least[close] - over, 0)
        out[close[short > most] // points] = False
        free[close] += short[:, None] * outward
        close = close[short > 0]
    strands[:, 1:] = free.reshape(len(strands), -1, 3)
    return strands, out
