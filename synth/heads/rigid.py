"""Rigid parts of a head and their surfaces as maps of distance: an eyeball by direction, a dental arch by cell."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt, maximum_filter1d
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

_ANGLES = (96, 96)
"""Cells of an eyeball's map: from its front to its back, and around."""
CELL = 0.0004
"""Metres a cell of a dental arch's map."""
_REACH = 1.45
"""Radians that a dental arch's map spans to either side."""


class Rigid:
    """Vertices that move as one, and their motion since rest."""

    def __init__(self, rest: np.ndarray, vertices: np.ndarray):
        self._vertices = vertices[:: max(1, len(vertices) // 40)]
        self._middle = rest[self._vertices].mean(axis=0)
        self._shape = rest[self._vertices] - self._middle
        self._rotation = np.eye(3)[None]

    def back(self, points: np.ndarray, frames: np.ndarray | None = None) -> np.ndarray:
        """points (T, K, 3) of frames (T, V, 3; the points themselves if not given), as seen from the part at rest."""
        posed = (points if frames is None else frames)[:, self._vertices].astype(float)
        middle = posed.mean(axis=1, keepdims=True)
        # Kabsch (1976): the rotation that takes the shape at rest closest to the posed one.
        u, _, vt = np.linalg.svd(np.einsum("tki,kj->tij", posed - middle, self._shape))
        flip = np.ones((len(u), 3))
        flip[:, 2] = np.sign(np.linalg.det(u @ vt))
        self._rotation = (u * flip[:, None]) @ vt
        return (points - middle) @ self._rotation + self._middle

    def turn(self, vectors: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Vectors (C, K, 3) of the part at rest to the world, for the ``chosen`` (T,) of the last frames."""
        return vectors @ self._rotation[chosen].transpose(0, 2, 1)


class Ball(Rigid):
    """An eyeball: the distance of its outermost surface from its centre, by direction."""

    def __init__(self, rest: np.ndarray, vertices: np.ndarray, centre: np.ndarray):
        super().__init__(rest, vertices)
        self.centre = centre
        ray = rest[vertices] - centre
        radius = np.linalg.norm(ray, axis=1)
        self.size = float(np.percentile(radius, 95))
        tree = cKDTree(ray / radius[:, None])
        beside = tree.query(ray / radius[:, None], k=min(12, len(ray)))[1]
        outer = radius > 0.98 * radius[beside].max(axis=1)  # an iris behind its cornea is no outer surface
        tree, radius = cKDTree(ray[outer] / radius[outer, None]), radius[outer]
        polar, around = (np.arange(n) for n in _ANGLES)
        theta = np.pi * polar[:, None] / (_ANGLES[0] - 1)
        phi = 2 * np.pi * around / _ANGLES[1]
        cells = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta) + 0 * phi], axis=2)
        distance, near = tree.query(cells.reshape(-1, 3), k=4)
        weight = 1 / np.maximum(distance, 1e-4) ** 2
        self._radius = ((weight * radius[near]).sum(axis=1) / weight.sum(axis=1)).reshape(_ANGLES)

    def gap(self, points: np.ndarray) -> np.ndarray:
        """(T, K) metres from the surface to points (T, K, 3) of the eyeball at rest; negative inside."""
        ray = points - self.centre
        distance = np.linalg.norm(ray, axis=2)
        polar = np.arccos(np.clip(ray[..., 2] / np.maximum(distance, 1e-9), -1, 1)) / np.pi * (_ANGLES[0] - 1)
        around = np.arctan2(ray[..., 1], ray[..., 0]) / (2 * np.pi) * _ANGLES[1]
        i = np.minimum(polar.astype(int), _ANGLES[0] - 2)
        j = np.floor(around).astype(int)
        s, t = polar - i, around - j
        j, k = j % _ANGLES[1], (j + 1) % _ANGLES[1]
        table = self._radius
        radius = (1 - s) * ((1 - t) * table[i, j] + t * table[i, k]) + s * (
            (1 - t) * table[i + 1, j] + t * table[i + 1, k])
        return distance - radius


class Arch(Rigid):
    """A row of teeth with its gums: distance from an upright axis behind the front teeth, by angle and height."""

    def __init__(self, rest: np.ndarray, faces: np.ndarray, axis: np.ndarray, width: float):
        super().__init__(rest, np.unique(faces))
        self.axis, self._width = axis, width
        heights = rest[faces][..., 1]
        self._low, self._high = float(heights.min()) - 0.015, float(heights.max()) + 0.015
        self._shape2 = (int((self._high - self._low) / CELL), int(2 * _REACH * width / CELL))
        self.surface = self.raster(Samples(rest, faces, CELL)(rest))
        self.edge = to_edge(self.surface)
        self._crowns = self._ends()

    def _place(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, columns (float) and distances from the axis of points (..., 3)."""
        ray = points - self.axis
        angle = np.arctan2(ray[..., 0], ray[..., 2])
        return (points[..., 1] - self._low) / CELL, (angle + _REACH) * self._width / CELL, np.hypot(
            ray[..., 0], ray[..., 2])

    def cells(self, points: np.ndarray) -> np.ndarray:
        """(K, 2) height and angle of points (K, 3), each in [-1, 1] within the map."""
        row, column, _ = self._place(points)
        return 2 * np.stack([row / self._shape2[0], column / self._shape2[1]], axis=1) - 1

    def raster(self, points: np.ndarray) -> np.ndarray:
        """(rows, columns) metres from the axis of the outermost of points (P, 3) in each cell, -inf where none is."""
        row, column, distance = self._place(points)
        return _pile(row, column, distance, self._shape2)

    def columns(self, points: np.ndarray, sign: int) -> np.ndarray:
        """(rows, columns) metres, seen from above: the largest height times ``sign`` of points (P, 3) in each cell."""
        row, column = self.column(points)
        return _pile(row, column, sign * points[:, 1], (int(1.5 * self._width / CELL), self._shape2[1]))

    def column(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row (distance) and column (angle) of the cell that points (..., 3) are in, seen from above, as floats."""
        _, column, distance = self._place(points)
        return (distance - 0.7 * self._width) / CELL, column

    def facing(self, corners: np.ndarray) -> np.ndarray:
        """(F,) whether triangles (F, 3, 3) face away from the axis."""
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        return (normal * (corners.mean(axis=1) - self.axis) * (1, 0, 1)).sum(axis=1) > 0

    def gap(self, points: np.ndarray, fill: bool = False) -> np.ndarray:
        """(T, K) metres from the teeth to points (T, K, 3) of the arch at rest, outwards; inf where there are none.

        ``fill``: where there are none, from the nearest ones.
        """
        row, column, distance = self._place(points)
        i, j = (np.clip(np.round(x).astype(int), 0, n - 1) for x, n in zip((row, column), self._shape2, strict=True))
        surface = self.surface
        if fill:
            near = distance_transform_edt(~np.isfinite(surface), return_distances=False, return_indices=True)
            surface = surface[tuple(near)]
        return distance - surface[i, j]

    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """By column: distance from the axis and height, metres, of the teeth's upper ends."""
        rows = np.arange(self._shape2[0])[:, None]
        covered = np.isfinite(self.surface)
        last = np.where(covered, rows, -1).max(axis=0)
        crown = covered & (rows > last - 0.005 / CELL)  # not the gums, that may stand out further
        front = np.where(crown, self.surface, -np.inf).max(axis=0)
        top = maximum_filter1d(np.where(last < 0, -np.inf, self._low + CELL * last), 9)  # of the teeth beside it, too
        return np.where(last < 0, np.inf, front), top

    def crown(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Metres (..., K) that points are in front of the teeth at their angle, and below the teeth's upper end there;
        far behind and above where there are no teeth."""
        _, column, distance = self._place(points)
        j = np.clip(np.round(column).astype(int), 0, self._shape2[1] - 1)
        front, top = self._crowns
        return distance - front[j], top[j] - points[..., 1]

    def beyond(self, points: np.ndarray, surface: np.ndarray, edge: np.ndarray) -> float:
        """Metres that the worst of points (K, 3) is outside a ``surface`` (rows, columns): outwards or, if that is
        shorter, sideways to the surface's ``edge`` (see :func:`to_edge`)."""
        row, column, distance = self._place(points)
        i, j = np.round(row).astype(int), np.round(column).astype(int)
        inside = (i >= 0) & (j >= 0) & (i < surface.shape[0]) & (j < surface.shape[1])
        i, j, distance = i[inside], j[inside], distance[inside]
        return float(np.minimum(distance - surface[i, j], edge[i, j]).max(initial=0.0))


def to_edge(surface: np.ndarray) -> np.ndarray:
    """(rows, columns) metres from each cell of a surface to the nearest where there is none."""
    return distance_transform_edt(np.isfinite(surface)) * CELL


class Samples:
    """Points spread over triangles, about ``step`` metres apart at rest, that move with the vertices."""

    def __init__(self, rest: np.ndarray, faces: np.ndarray, step: float):
        corners = rest[faces]
        longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
        count = np.clip(np.ceil(longest / step), 1, 24).astype(int)
        weights, owners = [np.zeros((0, 3))], [np.zeros(0, int)]
        for n in np.unique(count):
            u, v = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
            inside = u + v <= n
            share = np.stack([n - u - v, u, v], axis=2)[inside] / n
            chosen = np.flatnonzero(count == n)
            weights.append(np.tile(share, (len(chosen), 1)))
            owners.append(np.repeat(chosen, len(share)))
        self.owner = np.concatenate(owners)
        """(P,) triangle that each point lies on."""
        rows = np.repeat(np.arange(len(self.owner)), 3)
        self._matrix = csr_matrix((np.concatenate(weights).ravel(), (rows, faces[self.owner].ravel())),
                                  shape=(len(self.owner), len(rest)))

    def __call__(self, vertices: np.ndarray) -> np.ndarray:
        """(P, 3) points of vertices (V, 3)."""
        return self._matrix @ vertices


def _pile(row: np.ndarray, column: np.ndarray, value: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(rows, columns): the largest value that falls into each cell, -inf where none does."""
    i, j = np.round(row).astype(int), np.round(column).astype(int)
    inside = (i >= 0) & (j >= 0) & (i < shape[0]) & (j < shape[1])
    table = np.full(shape, -np.inf)
    np.maximum.at(table, (i[inside], j[inside]), value[inside])
    return table


def components(edges: np.ndarray, count: int) -> np.ndarray:
    """(count,) a number for each vertex, the same for those that edges (E, 2) connect."""
    graph = csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]
