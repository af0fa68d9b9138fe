"""Fitting hard things to a person's head at rest: where the skin is, and how what is worn is carried. Millimetres."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
from scipy.ndimage import map_coordinates, maximum_filter
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from synth.heads.head import Attachment, Person, eye_centres
from synth.heads.rigid import Samples
from synth.heads.worn.solids import MIRROR, Mesh
from synth.scene import MeshPart, vertex_normals


class Fitting:
    """A person's skin at rest and its mirror image, so that what is made on one side suits both.

    Its frame: mm, x from the midline between the eyes to the subject's left, y up from the eyes' height, z forward from
    the head frame's origin.
    """

    def __init__(self, person: Person):
        self.person = person
        eyes = 1000 * eye_centres(person.head, person.rest).astype(float)
        self.origin = np.array([eyes[:, 0].mean(), eyes[:, 1].mean(), 0.0])
        self.pupil = float(0.5 * (eyes[0, 0] - eyes[1, 0]))
        """Half the distance between the eyes."""
        rest = self.local(person.rest)
        balls = [rest[np.concatenate(person.head.eyeballs)]]
        balls += [rest[part.vertex_map] for part in person.control_parts if part.label in ("cornea", "sclera")]
        self.cornea = float(np.concatenate(balls)[:, 2].max())
        """z of the foremost point of the eyes."""
        parts = [part for part in person.head.parts if part.label in ("skin", "lips")]
        faces = np.concatenate([part.vertex_map[part.faces] for part in parts])
        faces = faces[rest[faces][:, :, 1].min(axis=1) > -90]
        samples = Samples(rest, faces, 1.2)
        self.points = samples(rest)
        """(P, 3) places about a millimetre apart on the skin of the head."""
        self.normals = samples(vertex_normals(rest, parts).astype(float))
        self.normals /= np.maximum(np.linalg.norm(self.normals, axis=1, keepdims=True), 1e-9)

    def local(self, metres: np.ndarray) -> np.ndarray:
        """Points (..., 3) metres, head frame, in the fitting's frame."""
        return 1000 * np.asarray(metres, float) - self.origin

    @functools.cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.points)

    def clearance(self, places: np.ndarray) -> np.ndarray:
        """(K,) mm from the skin, or from its mirror image if that is less, to places (K, 3); negative inside."""
        return np.minimum(self._signed(places)[0], self._signed(places * MIRROR)[0])

    def push(self, places: np.ndarray, need: float) -> np.ndarray:
        """(K, 3) mm by which places (K, 3) should move off the skin to be ``need`` mm from it."""
        (own, normal), (other, reflected) = self._signed(places), self._signed(places * MIRROR)
        normal = np.where((own <= other)[:, None], normal, reflected * MIRROR)
        return np.maximum(need - np.minimum(own, other), 0)[:, None] * normal

    def _signed(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Signed distance (K,) from the skin and the skin's normal (K, 3) there."""
        distance, near = self._tree.query(places, k=5)  # five decide on the side: some families' ears are crumpled
        normal = self.normals[near]
        side = ((places[:, None] - self.points[near]) * normal).sum(axis=(1, 2))
        return np.where(side >= 0, distance[:, 0], -distance[:, 0]), normal[:, 0]

    def nearest(self, place: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
        """The skin's point nearest to a place (3,) and its mean normal within ``reach`` mm."""
        point = self.points[self._tree.query(place)[1]]
        normal = self.normals[self._tree.query_ball_point(point, reach)].mean(axis=0)
        return point, normal / np.linalg.norm(normal)

    @functools.cached_property
    def _front(self) -> np.ndarray:
        return _relief(np.abs(self.points[:, 0]), self.points[:, 1], self.points[:, 2], (0, 110), (-100, 100))

    def front(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """z of the foremost skin at (x, y), on either side."""
        return map_coordinates(self._front, [np.abs(x), np.asarray(y) + 100.0], order=1, mode="nearest")

    @functools.cached_property
    def _side(self) -> np.ndarray:
        x, y, z = self.points.T
        return _relief(y, z, np.abs(x), (-60, 80), (-120, 120))

    def side(self, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Distance from the midline of the outermost skin at (y, z), on either side."""
        return map_coordinates(self._side, [np.asarray(y) + 60.0, np.asarray(z) + 120.0], order=1, mode="nearest")


def _relief(row: np.ndarray, column: np.ndarray, value: np.ndarray, rows: tuple[int, int],
            columns: tuple[int, int]) -> np.ndarray:
    """The largest value in each cell of a millimetre; what is empty takes its neighbours', or -200."""
    i, j = np.round(row).astype(int) - rows[0], np.round(column).astype(int) - columns[0]
    shape = (rows[1] - rows[0] + 1, columns[1] - columns[0] + 1)
    inside = (i >= 0) & (j >= 0) & (i < shape[0]) & (j < shape[1])
    table = np.full(shape, -200.0)
    np.maximum.at(table, (i[inside], j[inside]), value[inside])
    return np.where(table == -200.0, maximum_filter(table, 3), table)


def attach(person: Person, name: str, pieces: Sequence[tuple[str, str, Mesh]], origin: np.ndarray,
           carry: Callable[[np.ndarray], csr_matrix] | None = None) -> Attachment:
    """Pieces (part's name, material, mesh in a frame at ``origin`` mm) as one attachment, coincident vertices welded.

    carry: from vertices (M, 3) mm to their (M, N) weights on base vertices; None lets the skull carry them rigidly.
    """
    vertices = np.concatenate([mesh.vertices for _, _, mesh in pieces])
    _, first, welded = np.unique(np.round(vertices, 3), axis=0, return_index=True, return_inverse=True)
    welded, vertices = welded.ravel().astype(np.int32), vertices[first]
    weights = on_skull(person, len(vertices)) if carry is None else carry(vertices)
    base = person.rest[: weights.shape[1]].astype(float)
    parts, start = [], 0
    for part, material, mesh in pieces:
        own = welded[start : start + len(mesh.vertices)]
        corners = own[mesh.faces]
        whole = (corners != np.roll(corners, 1, axis=1)).all(axis=1)
        parts.append(MeshPart(part, own, mesh.faces[whole].astype(np.int32), mesh.uv.astype(np.float32), material,
                              smooth=False))
        start += len(mesh.vertices)
    offset = (vertices + origin) / 1000 - weights @ base
    return Attachment(name, tuple(parts), weights.astype(np.float32), np.float32(offset))


def on_skull(person: Person, count: int) -> csr_matrix:
    """(count, N) weights that carry ``count`` vertices as one rigid body: all by the same still places of the skull."""
    head = person.head
    skin = np.unique(np.concatenate([part.vertex_map for part in head.parts if part.label == "skin"]))
    place = head.canonical[skin]
    skull = skin[(place[:, 1] > 35) & (place[:, 2] < 45)]
    joint = np.bincount(head.arrays["weights"][skull].argmax(axis=1)).argmax()
    motion = np.abs(head.arrays["expression_directions"][skull]).max(axis=(1, 2))
    still = skull[np.argsort(motion + 10 * (1 - head.arrays["weights"][skull, joint]), kind="stable")[:16]]
    weights = np.full(count * len(still), 1 / len(still))
    return csr_matrix((weights, np.tile(still, count), np.arange(count + 1) * len(still)),
                      shape=(count, len(head.neutral)))
