"""MakeHuman's skeleton (``.mhskel``), its weights (``.mhw``) and poses on it (``.bvh``)."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

import numpy as np

from assets.errors import AssetError
from assets.files import one_line
from assets.makehuman.obj import parse_rows, read_text
from assets.makehuman.targets import read_json

MAX_BONES = 1000
"""Most bones of a skeleton, joints of a BVH file, and vertices about a joint."""
_MAX_POSES = 1_000_000
"""Most frames times joints, and frames times channels, of a BVH file; MakeHuman's has ten thousand."""
_AXES = ("Xrotation", "Yrotation", "Zrotation")
_PLACES = ("Xposition", "Yposition", "Zposition")


@dataclasses.dataclass(frozen=True, eq=False)
class Skeleton:
    """Bones, parents before children."""

    names: tuple[str, ...]
    """The bones."""
    parents: tuple[int, ...]
    """Each bone's parent, -1 for the root."""
    heads: tuple[np.ndarray, ...]
    """Per bone the base vertices, (K,) int64, whose mean is the joint about which it turns."""
    tails: tuple[np.ndarray, ...]
    """Per bone the base vertices whose mean is its far end."""

    def joints(self, vertices: np.ndarray) -> np.ndarray:
        """(B, 3) where the bones' joints are in vertices (N, 3)."""
        return np.stack([vertices[chosen].mean(axis=0) for chosen in self.heads])

    def chain(self, name: str) -> tuple[str, ...]:
        """A bone and those that carry it, up to the root."""
        at, out = self.names.index(name), []
        while at >= 0:
            out.append(self.names[at])
            at = self.parents[at]
        return tuple(out)


def read_skeleton(path: str | os.PathLike, count: int) -> Skeleton:
    """A skeleton on a base mesh of ``count`` vertices."""
    name, value = one_line(path), read_json(path)
    bones, places = (value.get(key) if isinstance(value, dict) else None for key in ("bones", "joints"))
    if not isinstance(bones, dict) or not isinstance(places, dict) or not 0 < len(bones) <= MAX_BONES:
        raise AssetError(f"{name}: expected 1 to {MAX_BONES} bones, and joints, by name")
    if not all(isinstance(bone, dict) for bone in bones.values()):
        raise AssetError(f"{name}: a bone is not an object with head, tail and parent")
    order = _ordered(name, {key: bone.get("parent") for key, bone in bones.items()})
    wanted = [[at if isinstance(at := bones[key].get(end), str) else None for key in order] for end in ("head", "tail")]
    made = {key: _place(name, places, key, count) for key in dict.fromkeys(wanted[0] + wanted[1])}
    parents = tuple(-1 if bones[key].get("parent") is None else order.index(bones[key]["parent"]) for key in order)
    return Skeleton(tuple(order), parents, *(tuple(made[key] for key in end) for end in wanted))


def _ordered(name: str, parents: Mapping[str, object]) -> list[str]:
    """Bones sorted so that parents come first; an AssetError for a cycle or a parent that is missing."""
    for bone, parent in parents.items():
        if parent is not None and (not isinstance(parent, str) or parent not in parents):
            raise AssetError(f"{name}: bone {one_line(bone)[:80]!r}: parent {one_line(parent)[:80]!r} is not a bone")
    done: dict[str, None] = {}
    while len(done) < len(parents):
        ready = [bone for bone, parent in parents.items() if bone not in done and (parent is None or parent in done)]
        if not ready:
            stuck = next(bone for bone in parents if bone not in done)
            raise AssetError(f"{name}: bone {one_line(stuck)[:80]!r} is its own ancestor")
        done.update(dict.fromkeys(ready))
    if sum(parent is None for parent in parents.values()) != 1:
        raise AssetError(f"{name}: {sum(parent is None for parent in parents.values())} root bones, expected 1")
    return list(done)


def _place(name: str, places: Mapping[str, object], key: object, count: int) -> np.ndarray:
    """The base vertices behind a named joint."""
    chosen = places.get(key) if isinstance(key, str) else None
    if not isinstance(chosen, list) or not 0 < len(chosen) <= MAX_BONES or not all(
            type(k) is int and 0 <= k < count for k in chosen):
        raise AssetError(f"{name}: joint {one_line(key)[:80]!r}: expected a list of 1 to {MAX_BONES} vertices from 0 "
                         f"to {count - 1:,}")
    return np.array(chosen, np.int64)


def read_weights(path: str | os.PathLike, count: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Per bone the base vertices (K,) int64 that follow it, and how much each does, (K,) float64 in [0, 1]."""
    name, value = one_line(path), read_json(path)
    table = value.get("weights") if isinstance(value, dict) else None
    if not isinstance(table, dict) or not table:
        raise AssetError(f"{name}: expected weights, lists of [vertex, weight] by bone")
    out = {}
    for bone, pairs in table.items():
        label = f"{name}: bone {one_line(bone)[:80]!r}"
        try:
            array = np.array(pairs, np.float64).reshape(-1, 2)
        except (ValueError, TypeError, OverflowError):
            raise AssetError(f"{label}: expected a list of [vertex, weight]") from None
        index, weight = array.T
        if not (np.isfinite(array).all() and (index >= 0).all() and (index < count).all() and not (index % 1).any()):
            raise AssetError(f"{label}: weighs a vertex outside 0 to {count - 1:,}")
        if (weight < 0).any() or (weight > 1).any():
            raise AssetError(f"{label}: weights may lie in 0 to 1")
        out[bone] = index.astype(np.int64), weight
    return out


def read_poses(path: str | os.PathLike) -> tuple[tuple[str, ...], np.ndarray]:
    """The joints of a BVH file with Z up (forward is -Y), and their rotations in every frame, (T, J, 3, 3) float64.

    Rotations come in MakeHuman's axes, Y up, relative to the parent, about axes that stay the world's at rest.
    """
    name = one_line(path)
    head, _, motion = read_text(path).partition("MOTION")
    names, channels = _hierarchy(name, head)
    lines = [line for line in motion.splitlines() if line.strip()]
    rows = [line.split() for line in lines if not line.lstrip().startswith("Frame")]
    width = sum(len(own) for own in channels)
    if not rows or any(len(row) != width for row in rows):
        raise AssetError(f"{name}: expected frames of {width} numbers each after MOTION")
    if len(rows) * max(width, len(names)) > _MAX_POSES:
        raise AssetError(f"{name}: {len(rows):,} frames of {len(names)} joints, frames times joints may be at most "
                         f"{_MAX_POSES:,}")
    values = parse_rows(name, "frames", rows, width)
    rotations = np.broadcast_to(np.eye(3), (len(rows), len(names), 3, 3)).copy()
    at = 0
    for joint, own in enumerate(channels):
        for channel in own:
            if channel in _AXES:
                turn = _about(_AXES.index(channel), np.radians(values[:, at]))
                rotations[:, joint] = rotations[:, joint] @ turn
            at += 1
    upright = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float)  # (x, y, z) with Z up is (x, z, -y) with Y up
    return names, upright @ rotations @ upright.T


def _hierarchy(name: str, head: str) -> tuple[tuple[str, ...], list[list[str]]]:
    names: list[str] = []
    channels: list[list[str]] = []
    for line in head.splitlines():
        words = line.split()
        if words[:1] in (["ROOT"], ["JOINT"]) and len(words) == 2:
            names.append(words[1])
        elif words[:1] == ["CHANNELS"]:
            channels.append(words[2:])
            if set(words[2:]) - {*_AXES, *_PLACES} or len(words) > 8 or len(channels) != len(names):
                raise AssetError(f"{name}: channels may be {', '.join(_PLACES + _AXES)}, once a joint")
        if len(names) > MAX_BONES:
            raise AssetError(f"{name}: more than {MAX_BONES} joints")
    if not names or len(channels) != len(names):
        raise AssetError(f"{name}: {len(names)} joints with {len(channels)} lines of channels, expected as many")
    return tuple(names), channels


def _about(axis: int, angle: np.ndarray) -> np.ndarray:
    """(T, 3, 3) rotations about a coordinate axis by angles (T,), radians."""
    out = np.zeros((len(angle), 3, 3))
    a, b = (axis + 1) % 3, (axis + 2) % 3
    out[:, axis, axis] = 1
    out[:, a, a] = out[:, b, b] = np.cos(angle)
    out[:, b, a], out[:, a, b] = np.sin(angle), -np.sin(angle)
    return out
