"""Rigid parts of a head and their surfaces as maps of distance: an eyeball by direction, a dental arch by cell."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

_ANGLES = (96, 96)
"""Cells of an eyeball's map: from its front to its back, and around."""
_CELL = 0.0004
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
        outer = radius > 0.9 * self.size  # an iris behind its cornea is no outer surface
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
        self._low, self._high = float(heights.min()) - 0.03, float(heights.max()) + 0.03
        self._shape2 = (int((self._high - self._low) / _CELL), int(2 * _REACH * width / _CELL))
        self.surface = self.raster(rest[faces])

    def _place(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, columns (float) and distances from the axis of points (..., 3)."""
        ray = points - self.axis
        angle = np.arctan2(ray[..., 0], ray[..., 2])
        return (points[..., 1] - self._low) / _CELL, (angle + _REACH) * self._width / _CELL, np.hypot(
            ray[..., 0], ray[..., 2])

    def cells(self, points: np.ndarray) -> np.ndarray:
        """(K, 2) height and angle of points (K, 3), each in [-1, 1] within the map."""
        row, column, _ = self._place(points)
        return 2 * np.stack([row / self._shape2[0], column / self._shape2[1]], axis=1) - 1

    def raster(self, corners: np.ndarray) -> np.ndarray:
        """(rows, columns) metres from the axis of the outermost of the triangles (F, 3, 3), -inf beside them."""
        row, column, distance = self._place(splat(corners, _CELL))
        return _pile(row, column, distance, self._shape2)

    def columns(self, corners: np.ndarray, sign: int) -> np.ndarray:
        """Seen from above: the largest height times ``sign`` of triangles (F, 3, 3) by distance and angle, metres."""
        points = splat(corners, _CELL)
        _, column, distance = self._place(points)
        return _pile((distance - 0.5 * self._width) / _CELL, column, sign * points[:, 1],
                     (int(2 * self._width / _CELL), self._shape2[1]))

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

    def beyond(self, points: np.ndarray, surface: np.ndarray) -> float:
        """Metres that the worst of points (K, 3) is outside a ``surface`` (rows, columns): outwards or, if that is
        shorter, sideways to the surface's edge."""
        row, column, distance = self._place(points)
        i, j = np.round(row).astype(int), np.round(column).astype(int)
        inside = (i >= 0) & (j >= 0) & (i < surface.shape[0]) & (j < surface.shape[1])
        i, j, distance = i[inside], j[inside], distance[inside]
        edge = distance_transform_edt(np.isfinite(surface)) * _CELL
        return float(np.minimum(distance - surface[i, j], edge[i, j]).max(initial=0.0))


def splat(corners: np.ndarray, step: float) -> np.ndarray:
    """(P, 3): points of triangles (F, 3, 3), about ``step`` apart."""
    if not len(corners):
        return np.zeros((0, 3))
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    count = np.clip(np.ceil(longest / step), 1, 24).astype(int)
    points = []
    for n in np.unique(count):
        u, v = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
        inside = u + v <= n
        weights = np.stack([n - u - v, u, v], axis=2)[inside] / n
        points.append(np.einsum("pc,fcd->fpd", weights, corners[count == n]).reshape(-1, 3))
    return np.concatenate(points)


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
