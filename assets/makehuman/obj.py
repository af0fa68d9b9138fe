"""Wavefront ``.obj`` files as MakeHuman writes them: triangles and quads in named groups, with UVs."""

from __future__ import annotations

import dataclasses
import os

import numpy as np

from assets.errors import AssetError
from assets.files import check_regular_file, one_line

MAX_TEXT_BYTES = 64 << 20
"""Largest text file read."""
MAX_COUNT = 1_000_000
"""Most vertices, UVs or faces of one file."""


@dataclasses.dataclass(frozen=True, eq=False)
class ObjMesh:
    """A polygon mesh, indices checked."""

    vertices: np.ndarray
    """(V, 3) float64 in the file's units and axes."""
    uv: np.ndarray
    """(T, 2) float64, u to the right, v up."""
    faces: np.ndarray
    """(F, 4) int32 into the vertices, counter-clockwise; the last is -1 for a triangle."""
    uv_faces: np.ndarray
    """(F, 4) int32 into the UVs; -1 where there is none."""
    group: np.ndarray
    """(F,) int32: which of ``groups`` a face belongs to."""
    groups: tuple[str, ...]
    """Names of the groups; faces before the first ``g`` belong to ``""``."""

    def triangles(self, chosen: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Vertices and UVs of the triangles (K, 3) that the chosen faces (indices or (F,) bool; all) are cut into."""
        pick = slice(None) if chosen is None else chosen
        corners, uv = self.faces[pick], self.uv_faces[pick]
        quads = corners[:, 3] >= 0
        return tuple(np.concatenate([array[:, :3], array[quads][:, [0, 2, 3]]]) for array in (corners, uv))


def read_text(path: str | os.PathLike) -> str:
    """The text of a foreign file of a bounded size; anything that is not UTF-8 is replaced."""
    size = check_regular_file(path)
    if size > MAX_TEXT_BYTES:
        raise AssetError(f"{one_line(path)}: {size:,} bytes, may be at most {MAX_TEXT_BYTES:,}")
    try:
        with open(path, "rb") as file:
            return file.read(MAX_TEXT_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise AssetError(f"{one_line(path)}: cannot be read ({one_line(error.strerror or error)})") from None


def parse_rows(name: str, what: str, rows: list[list[str]], width: int) -> np.ndarray:
    """(K, width) float64 from rows of words; an AssetError for short rows, words that are no numbers, NaN, infinity."""
    try:
        array = np.array([row[:width] for row in rows], np.float64).reshape(len(rows), width)
    except ValueError as error:
        raise AssetError(f"{name}: {what}: {width} numbers a line expected ({one_line(error)[:120]})") from None
    if not np.isfinite(array).all():
        raise AssetError(f"{name}: {what}: line {1 + int(np.argmin(np.isfinite(array).all(axis=1)))} of these holds "
                         "NaN or infinity")
    return array


def read_obj(path: str | os.PathLike) -> ObjMesh:
    """The mesh in a file; normals, materials and smoothing groups are left out."""
    name = one_line(path)
    points: list[list[str]] = []
    uvs: list[list[str]] = []
    faces: list[list[str]] = []
    group, groups = [], {"": 0}
    current = 0
    for line in read_text(path).splitlines():
        key, *words = line.split() or [""]
        if key == "v":
            points.append(words)
        elif key == "vt":
            uvs.append(words)
        elif key == "f":
            faces.append(words)
            group.append(current)
        elif key == "g":
            current = groups.setdefault(" ".join(words), len(groups))
        if max(len(points), len(uvs), len(faces)) > MAX_COUNT:
            raise AssetError(f"{name}: more than {MAX_COUNT:,} vertices, UVs or faces")
    if not points or not faces:
        raise AssetError(f"{name}: {len(points)} vertices and {len(faces)} faces, expected some of both")
    corners, uv_corners = _corners(name, faces, len(points), len(uvs))
    return ObjMesh(parse_rows(name, "v", points, 3), parse_rows(name, "vt", uvs, 2), corners, uv_corners,
                   np.array(group, np.int32), tuple(groups))


def _corners(name: str, faces: list[list[str]], points: int, uvs: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertex and UV indices (F, 4), from 0, -1 for none."""
    if wrong := next((row for row in faces if len(row) not in (3, 4)), None):
        raise AssetError(f"{name}: a face of {len(wrong)} corners, expected 3 or 4")
    padded = [word for row in faces for word in (*row, "0/0")[:4]]
    split = [(*word.split("/"), "")[:2] for word in padded]
    try:
        # 0, which no file holds, stands for none.
        pairs = np.array([(int(a or "none"), int(b or 0)) for a, b in split], np.int64).reshape(-1, 4, 2)
    except (ValueError, OverflowError):
        raise AssetError(f"{name}: a face's corner is not vertex/uv, as in 12/7") from None
    if pairs.min() < 0 or (pairs[:, :3, 0] < 1).any():
        raise AssetError(f"{name}: a face's index is below 1; relative indices are not read")
    for k, (what, count) in enumerate((("vertex", points), ("UV", uvs))):
        if (top := pairs[:, :, k].max()) > count:
            raise AssetError(f"{name}: a face names {what} {top:,} of {count:,}")
    return tuple((pairs[:, :, k] - 1).astype(np.int32) for k in (0, 1))
