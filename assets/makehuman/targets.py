"""MakeHuman's ``.target`` files, sparse displacements of the base mesh, and the list of sliders made of them."""

from __future__ import annotations

import dataclasses
import json
import os

import numpy as np

from assets.errors import AssetError
from assets.files import one_line
from assets.makehuman.obj import MAX_COUNT, parse_rows, read_text

_DEPTH = 40
"""Deepest nesting of a JSON file that is parsed."""


@dataclasses.dataclass(frozen=True, eq=False)
class Target:
    """How one target moves the base mesh at full strength."""

    indices: np.ndarray
    """(K,) int32 vertices that it moves."""
    offsets: np.ndarray
    """(K, 3) float32 decimetres, MakeHuman's axes (+Y up, +Z out of the face)."""

    def dense(self, count: int) -> np.ndarray:
        """(count, 3) float32 decimetres on all vertices."""
        out = np.zeros((count, 3), np.float32)
        out[self.indices] = self.offsets
        return out


@dataclasses.dataclass(frozen=True)
class Slider:
    """One control of MakeHuman's: a target towards +1, and often another one towards -1."""

    group: str
    """Folder of its targets, such as ``nose``."""
    low: str | None
    """Name of the target at -1."""
    high: str
    """Name of the target at +1."""


def read_target(path: str | os.PathLike, count: int) -> Target:
    """A target of a base mesh of ``count`` vertices."""
    name = one_line(path)
    rows = [line.split() for line in read_text(path).splitlines() if line.strip() and not line.startswith("#")]
    if len(rows) > MAX_COUNT:
        raise AssetError(f"{name}: {len(rows):,} lines, may be at most {MAX_COUNT:,}")
    table = parse_rows(name, "index dx dy dz", rows, 4)
    indices = table[:, 0]
    if len(table) and (indices.min() < 0 or indices.max() >= count or (indices % 1).any()):
        wrong = indices[(indices < 0) | (indices >= count) | (indices % 1 != 0)][0]
        raise AssetError(f"{name}: moves vertex {wrong:g}, expected a whole number from 0 to {count - 1:,}")
    if len(table) and (farthest := np.abs(table[:, 1:]).max()) > 100:
        raise AssetError(f"{name}: moves a vertex by {farthest:g} dm, expected at most 100")
    return Target(indices.astype(np.int32), table[:, 1:].astype(np.float32))


def read_json(path: str | os.PathLike) -> object:
    """The value in a JSON file of bounded size and depth."""
    text, name = read_text(path), one_line(path)
    depth = deepest = 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    if deepest > _DEPTH:
        raise AssetError(f"{name}: JSON nested {deepest:,} deep, may be at most {_DEPTH}")
    try:
        return json.loads(text)
    except ValueError as error:
        raise AssetError(f"{name}: broken JSON ({one_line(error)[:120]})") from None


def read_sliders(path: str | os.PathLike) -> tuple[Slider, ...]:
    """The controls in ``modifiers/modeling_modifiers.json`` that name targets; macro controls are left out."""
    name, value = one_line(path), read_json(path)
    out = []
    try:
        for section in value:
            for row in section["modifiers"]:
                if "target" in row:
                    words = [section["group"], row["target"], row.get("min", ""), row.get("max", "")]
                    out.append(_slider(name, *words))
    except (TypeError, KeyError, AttributeError):
        raise AssetError(f"{name}: expected a list of {{group, modifiers: [{{target, min, max}}]}}") from None
    return tuple(out)


def _slider(name: str, group: str, target: str, low: str, high: str) -> Slider:
    if not all(isinstance(word, str) and word.replace("-", "").replace("_", "").isalnum()
               for word in (group, target, low or "x", high or "x")):
        raise AssetError(f"{name}: a slider's names may hold letters, digits, - and _, found {one_line(target)[:80]!r}")
    return Slider(group, f"{target}-{low}" if low else None, f"{target}-{high}" if high else target)
