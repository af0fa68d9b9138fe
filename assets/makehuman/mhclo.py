"""MakeHuman's ``.mhclo`` files: how a mesh (hair, eyes, a garment) hangs on the base mesh."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path, PurePosixPath

import numpy as np

from assets.errors import AssetError
from assets.files import one_line
from assets.makehuman.obj import MAX_COUNT, ObjMesh, parse_rows, read_obj, read_text

_SCALES = {"x_scale": 0, "y_scale": 1, "z_scale": 2}
_MAX_WEIGHT, _MAX_OFFSET = 1e3, 1e3
"""Largest weight and offset (decimetres) that can be meant: thin base triangles make weights of some tens."""


@dataclasses.dataclass(frozen=True, eq=False)
class MhClo:
    """A mesh of M vertices and its binding, indices checked. Lengths are decimetres, axes MakeHuman's (the house's)."""

    mesh: ObjMesh
    """The ``obj_file``."""
    corners: np.ndarray
    """(M, 3) int32: base vertices that carry each vertex."""
    weights: np.ndarray
    """(M, 3) float64: their shares, rows sum to 1; shares may be negative or above 1."""
    offset: np.ndarray
    """(M, 3) float64: added to the carried place, after scaling."""
    scale_pairs: np.ndarray | None
    """(3, 2) int64: per axis two base vertices whose distance along it scales the offset; None: never scaled."""
    scale_reference: np.ndarray | None
    """(3,) float64: the distances at which the scale is 1."""
    deleted: np.ndarray
    """(K,) int64 sorted: base vertices hidden where this is worn."""


def says_cc0(path: Path) -> bool:
    """Whether a binding's first lines release it as CC0; an installation may also hold things of other authors."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return re.search(r"\bCC-?0\b", file.read(4096), re.IGNORECASE) is not None


def read_mhclo(path: str | os.PathLike, count: int) -> MhClo:
    """The binding in a file to a base mesh of ``count`` vertices, and the mesh that it names, from its own folder."""
    path, name = Path(path), one_line(path)
    rows: list[list[str]] = []
    deleted: list[str] = []
    scales: dict[int, list[str]] = {}
    obj_file, section = "", ""
    for line in read_text(path).splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] in ("verts", "delete_verts"):
            section = words[0]
        elif words[0] == "obj_file":
            obj_file = line.split(None, 1)[1].strip() if len(words) > 1 else ""
        elif words[0] in _SCALES:
            scales[_SCALES[words[0]]] = words[1:]
        elif section == "verts" and _is_number(words[0]):
            rows.append(words)
        elif section == "delete_verts" and _is_number(words[0]):
            deleted += words
        if max(len(rows), len(deleted)) > MAX_COUNT:
            raise AssetError(f"{name}: more than {MAX_COUNT:,} vertices")
    mesh = read_obj(_inside(path, obj_file))
    if len(rows) != len(mesh.vertices):
        raise AssetError(f"{name}: binds {len(rows):,} vertices, {one_line(obj_file)} has {len(mesh.vertices):,}")
    corners, weights, offset = _binding(name, rows, count)
    pairs, reference = _scaling(name, scales, count)
    return MhClo(mesh, corners, weights, offset, pairs, reference, _ranges(name, deleted, count))


def _is_number(word: str) -> bool:
    return word[0] in "+-.0123456789" or word.lower() in ("nan", "inf")


def _inside(path: Path, obj_file: str) -> Path:
    """The mesh's path; it may not leave the binding's folder, by its name or through a link."""
    pure = PurePosixPath(obj_file.replace("\\", "/"))
    plain = bool(pure.parts) and not pure.is_absolute() and ".." not in pure.parts and "\0" not in obj_file
    if not plain or ":" in pure.parts[0]:
        raise AssetError(f"{one_line(path)}: obj_file is {one_line(obj_file)[:80]!r}, expected a file in its folder")
    target = path.parent / pure
    if not target.resolve().is_relative_to(path.parent.resolve()):
        raise AssetError(f"{one_line(path)}: obj_file {one_line(obj_file)[:80]!r} leads out of its folder by a link")
    return target


def _indices(name: str, what: str, values: np.ndarray, count: int) -> np.ndarray:
    """``values`` (float64) as whole numbers in [0, count)."""
    if values.size and (values.min() < 0 or values.max() >= count or (values != np.floor(values)).any()):
        raise AssetError(f"{name}: {what}: a base vertex is not a whole number from 0 to {count - 1:,}")
    return values.astype(np.int64)


def _binding(name: str, rows: list[list[str]], count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Corners, weights and offsets of rows that hold one base vertex, or three with weights and offsets."""
    wide = np.array([len(row) > 1 for row in rows])
    if short := next((row for row in rows if len(row) not in (1, 9)), None):
        raise AssetError(f"{name}: verts: a line of {len(short)} numbers, expected 1 or 9")
    table = np.zeros((len(rows), 9))
    table[~wide, 0] = parse_rows(name, "verts", [row for row in rows if len(row) == 1], 1)[:, 0]
    table[~wide, 1:3] = table[~wide, :1]
    table[~wide, 3] = 1
    table[wide] = parse_rows(name, "verts", [row for row in rows if len(row) > 1], 9)
    corners = _indices(name, "verts", table[:, :3], count).astype(np.int32)
    weights, offset = table[:, 3:6], table[:, 6:]
    total = weights.sum(axis=1, keepdims=True)
    if np.abs(weights).max() > _MAX_WEIGHT or np.abs(offset).max() > _MAX_OFFSET or np.abs(total - 1).max() > 0.01:
        raise AssetError(f"{name}: verts: weights must sum to 1, and no number may be beyond {_MAX_WEIGHT:,.0f}")
    return corners, weights / total, offset


def _scaling(name: str, scales: dict[int, list[str]], count: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    if not scales:
        return None, None
    if len(scales) < 3 or any(len(words) != 3 for words in scales.values()):
        raise AssetError(f"{name}: x_scale, y_scale and z_scale: two base vertices and a distance each expected")
    table = parse_rows(name, "scale", [scales[axis] for axis in range(3)], 3)
    if table[:, 2].min() < 1e-3:
        raise AssetError(f"{name}: a scale's distance is {table[:, 2].min():g}, expected more than 0")
    return _indices(name, "scale", table[:, :2], count), table[:, 2]


def _ranges(name: str, words: list[str], count: int) -> np.ndarray:
    """Sorted indices from ``3 7 - 12 40``, where a dash joins a range's ends."""
    found, ends = np.zeros(count, bool), []
    dash = False
    for word in words:
        if word == "-":
            dash = True
            continue
        if not word.isdecimal() or len(word) > 9 or int(word) >= count or (dash and not ends):
            raise AssetError(f"{name}: delete_verts: {one_line(word)[:20]!r} is no base vertex below {count:,}")
        ends = [ends[-1], int(word)] if dash else [int(word)]
        found[ends[0] : ends[-1] + 1] = True
        dash = False
    return np.flatnonzero(found)
