"""Hair meshes as strips: chains of quads along the way the hair runs, from root to tip. Metres, head frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

from assets.errors import AssetError
from synth.scene import unit

MAX_QUADS = 20_000
"""Most faces of a mesh that is cut into strips; hair for real time has some thousands."""
_ROUNDS = 12
"""Of letting each quad agree with its neighbours on where hair runs."""


@dataclasses.dataclass(frozen=True, eq=False)
class Strips:
    """S strips of a mesh. Strip k has nodes ``start[k]`` to ``start[k + 1]``: each the ends of an edge across it."""

    points: np.ndarray
    """(M, 3) float64: the mesh's vertices at rest on the mean body."""
    left: np.ndarray
    """(K,) int64: the vertex at a node's left end, looking along the hair with its outside up."""
    right: np.ndarray
    """(K,) int64: the vertex at its right end."""
    start: np.ndarray
    """(S + 1,) int64."""
    along: np.ndarray
    """(K,) float64: each node's distance from its strip's root, metres."""
    outward: Callable[[np.ndarray], np.ndarray]
    """Points (L, 3) to roughly where outside is, (L, 3)."""

    @property
    def length(self) -> np.ndarray:
        """(S,) metres."""
        return self.along[self.start[1:] - 1]

    @property
    def area(self) -> np.ndarray:
        """(S,) square metres."""
        width = np.linalg.norm(self.points[self.left] - self.points[self.right], axis=1)
        inner = np.setdiff1d(np.arange(len(self.left)), self.start[1:] - 1)
        pieces = np.zeros(len(self.left))
        pieces[inner] = 0.5 * (width[inner] + width[inner + 1]) * np.diff(self.along, append=0)[inner]
        return np.add.reduceat(pieces, self.start[:-1])

    def draw(self, rng: np.random.Generator, number: int) -> np.ndarray:
        """(number,) strips, each as likely as it is large."""
        area = self.area
        if not area.sum() > 0:
            raise AssetError("its mesh has no area")
        return rng.choice(len(area), number, p=area / area.sum())

    def reach(self, strip: np.ndarray, across: np.ndarray, away: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """(L, 2) metres: from and to which distance the hairs at ``across`` run before they are ``away``.

        away: points (P, 3) to (P,) bool. A hair that starts away begins where it first isn't; one that always is has
        no length.
        """
        steps = int(np.clip(self.length.max() / 0.003, 8, 96))
        distance = self.length[strip][:, None] * np.linspace(0, 1, steps)
        at = self.sample(np.repeat(strip, steps), distance.ravel(), np.repeat(across, steps)) @ self.points
        gone = away(at).reshape(-1, steps)
        first = np.argmin(gone, axis=1)
        after = gone & (np.arange(steps) > first[:, None])
        last = np.where(after.any(axis=1), after.argmax(axis=1) - 1, steps - 1)
        last[gone.all(axis=1)] = 0
        rows = np.arange(len(strip))
        return np.stack([distance[rows, first], distance[rows, last]], axis=1)

    def normals(self, strip: np.ndarray, distance: np.ndarray, across: np.ndarray) -> np.ndarray:
        """(L, 3) unit normals at the places that ``sample`` takes, on the outside."""
        on, before = (self.sample(strip, distance + step, across) @ self.points for step in (1e-3, -1e-3))
        left, right = (self.sample(strip, distance, np.full(len(strip), edge)) @ self.points for edge in (0.0, 1.0))
        normal = np.cross(right - left, on - before)
        inside = (normal * self.outward(0.5 * (left + right))).sum(axis=1, keepdims=True) < 0
        return unit(np.where(inside, -normal, normal))

    def sample(self, strip: np.ndarray, distance: np.ndarray, across: np.ndarray) -> csr_matrix:
        """(L, M) rows that give points of strips: at a distance from the root, and from 0 (left) to 1 (right) across.

        Cubic along the strip (Catmull & Rom 1974), linear across, and straight on beyond both ends, by up to
        1.5 times the last edge.
        """
        first, last = self.start[strip], self.start[strip + 1] - 1
        # One rising table of distances over all strips finds everybody's node at once.
        base = np.concatenate([[0], np.cumsum(self.length + 1.0)])
        table = self.along + np.repeat(base[:-1], np.diff(self.start))
        node = np.clip(np.searchsorted(table, base[strip] + distance, "right") - 1, first, last - 1)
        f = np.clip((distance - self.along[node]) / (self.along[node + 1] - self.along[node]), -1.5, 2.5)
        outside = (f < 0) | (f > 1)
        cubic = np.stack([((2 - f) * f - 1) * f, (3 * f - 5) * f * f + 2, ((4 - 3 * f) * f + 1) * f,
                          (f - 1) * f * f]) / 2
        straight = np.stack([np.zeros_like(f), 1 - f, f, np.zeros_like(f)])
        share = np.where(outside, straight, cubic)
        nodes = np.clip(node + np.arange(-1, 3)[:, None], first, last)
        rows = np.broadcast_to(np.arange(len(strip)), nodes.shape)
        values = np.concatenate([share * (1 - across), share * across])
        columns = np.concatenate([self.left[nodes], self.right[nodes]])
        return csr_matrix((values.ravel(), (np.concatenate([rows, rows]).ravel(), columns.ravel())),
                          shape=(len(strip), len(self.points)))


def find_strips(points: np.ndarray, quads: np.ndarray, guide: Callable[[np.ndarray], np.ndarray],
                outward: Callable[[np.ndarray], np.ndarray], lengthwise: bool = True) -> Strips:
    """Cut a mesh of quads (F, 4) into strips along the hair.

    guide: centres (F, 3) to the way hair roughly runs there; outward: points to roughly where outside is; lengthwise:
    whether hair runs along narrow pieces. Artists model hair with edges along it: of a quad's four directions the one
    is taken that suits the guide and its neighbours best.
    """
    if not 0 < len(quads) <= MAX_QUADS:
        raise AssetError(f"a mesh of {len(quads):,} quads, expected 1 to {MAX_QUADS:,}")
    corner = points[quads]
    centre = corner.mean(axis=1)
    rough = guide(centre)
    normal = unit(np.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1]))
    rough = rough - (rough * normal).sum(axis=1, keepdims=True) * normal
    rough = _cards_run_lengthwise(centre, quads, len(points), unit(rough)) if lengthwise else unit(rough)
    one = unit(corner[:, 1] + corner[:, 2] - corner[:, 0] - corner[:, 3])
    two = unit(corner[:, 2] + corner[:, 3] - corner[:, 0] - corner[:, 1])
    ways = np.stack([one, two, -one, -two], axis=1)
    edges = np.sort(np.stack([quads, np.roll(quads, -1, axis=1)], axis=2), axis=2)  # (F, 4, 2): edge k leaves corner k
    keys = edges[..., 0].astype(np.int64) * len(points) + edges[..., 1]
    way = _agree(ways, rough, _neighbours(keys))
    # Way k leaves through edge (k + 1) % 4 and comes in through the opposite one.
    face = np.arange(len(quads))
    entry, leave = keys[face, (way + 3) % 4], keys[face, (way + 1) % 4]
    return _nodes(points, quads, way, _chains(entry, leave), outward)


def _cards_run_lengthwise(centre: np.ndarray, quads: np.ndarray, count: int, rough: np.ndarray) -> np.ndarray:
    """On a long and narrow piece hair runs along it, to the side that the guide says."""
    ends = [quads[:, [k, (k + 1) % 4]] for k in range(4)]
    rows, columns = np.concatenate(ends).T
    piece = connected_components(coo_matrix((np.ones(len(rows)), (rows, columns)), (count, count)))[1][quads[:, 0]]
    out = rough.copy()
    for one in np.unique(piece):
        of = np.flatnonzero(piece == one)
        if len(of) < 2:
            continue
        _, extent, axes = np.linalg.svd(centre[of] - centre[of].mean(axis=0), full_matrices=False)
        if extent[0] > 2.2 * extent[1]:
            out[of] = axes[0] * np.sign((rough[of] @ axes[0]).sum() or 1.0)
    return out


def _neighbours(keys: np.ndarray) -> csr_matrix:
    """(F, F) which quads share an edge."""
    edge, face = np.unique(keys, return_inverse=True)[1].reshape(-1), np.repeat(np.arange(len(keys)), 4)
    touch = coo_matrix((np.ones(len(face)), (face, edge))).tocsr()
    both = (touch @ touch.T).tocsr()
    both.setdiag(0)
    both.eliminate_zeros()
    return both


def _agree(ways: np.ndarray, rough: np.ndarray, beside: csr_matrix) -> np.ndarray:
    """(F,) which of each quad's four ways the hair takes."""
    face = np.arange(len(ways))
    way = np.einsum("fkd,fd->fk", ways, rough).argmax(axis=1)
    for _ in range(_ROUNDS):
        wish = 0.6 * rough + beside @ ways[face, way]
        way = np.einsum("fkd,fd->fk", ways, wish).argmax(axis=1)
    return way


def _chains(entry: np.ndarray, leave: np.ndarray) -> list[list[int]]:
    """Faces in chains: each leaves through the edge by which the next one enters."""
    enters = {key: face for face, key in enumerate(entry.tolist())}
    after = [enters.get(key, -1) for key in leave.tolist()]
    headed = np.zeros(len(entry), bool)
    headed[[face for face in after if face >= 0]] = True
    chains, seen = [], np.zeros(len(entry), bool)
    for first in [*np.flatnonzero(~headed).tolist(), *range(len(entry))]:  # rings have no head: cut anywhere
        chain, face = [], first
        while face >= 0 and not seen[face]:
            seen[face] = True
            chain.append(face)
            face = after[face]
        if chain:
            chains.append(chain)
    return chains


def _nodes(points: np.ndarray, quads: np.ndarray, way: np.ndarray, chains: list[list[int]],
           outward: Callable[[np.ndarray], np.ndarray]) -> Strips:
    left, right, along, start = [], [], [], [0]
    for chain in chains:
        ends = [tuple(quads[chain[0], [way[chain[0]], (way[chain[0]] + 3) % 4]])]
        for face in chain:
            near, far = quads[face, way[face]], quads[face, [(way[face] + 1) % 4, (way[face] + 2) % 4]]
            ends.append(tuple(far) if near == ends[-1][0] else tuple(far[::-1]))  # faces may be wound either way
        a, b = np.array(ends).T
        middle = 0.5 * (points[a] + points[b])
        step = np.diff(middle, axis=0)
        across = 0.5 * (points[b] - points[a])[:-1] + 0.5 * (points[b] - points[a])[1:]
        # Right of the way with the outside up: along x outside.
        if (np.cross(step, outward(middle[:-1])) * across).sum() < 0:
            a, b = b, a
        left.append(a)
        right.append(b)
        along.append(np.concatenate([[0], np.cumsum(np.linalg.norm(step, axis=1) + 1e-6)]))
        start.append(start[-1] + len(a))
    return Strips(points, np.concatenate(left).astype(np.int64), np.concatenate(right).astype(np.int64),
                  np.array(start), np.concatenate(along), outward)
