"""Teeth, tongue and the mouth's lining for heads that come without: the template's, fitted behind the lips.

FLAME and SMPL-X end at the lips. The template's mouth is brought there by the affine map that takes its lips to theirs,
follows their shape directions in the same way, and hangs on their skull and jaw.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from synth.heads.flame.transfer import template_head
from synth.scene import MeshPart

PARTS = ("teeth", "gums", "tongue")
"""What is added always; the lining only where the model has none."""
_MOUTH = np.array([0.0, -66.0, 95.0])
_REACH, _FRONT = 38.0, 72.0
"""Skin that the map is fitted to: within so many mm of the mouth's middle, and so far forward."""
_DEEP = 60.0
"""A lining that ends in front of this depth, mm, is only the lips' inner side."""
_BACK = 1.2
"""How far the lining's rim lies behind the lips' edge, mm."""


def add_mouth(parts: tuple[MeshPart, ...], rows: dict[str, np.ndarray], names: tuple[str, ...], skull: int,
              jaw: int) -> tuple[tuple[MeshPart, ...], dict[str, np.ndarray]]:
    """Parts and per-vertex arrays with the mouth's appended: the model's own vertices keep their numbers.

    rows: ``neutral`` (N, 3) m, ``canonical`` (N, 3) mm, ``directions`` (N, 3, E) called ``names``, ``shapes``
    (N, 3, S), ``weights`` (N, J), and others (N, ...), which are zero for what is added.
    """
    head = template_head()
    lining = next((part for part in parts if part.name == "mouth"), None)
    shallow = lining is None or rows["canonical"][lining.vertex_map, 2].min() > _DEEP
    wanted = (*PARTS, "mouth") if shallow else PARTS
    added = [part for part in head.parts if part.name in wanted]
    vertices = np.unique(np.concatenate([part.vertex_map for part in added]))
    place = np.zeros(len(head.neutral), np.int32)
    place[vertices] = len(rows["neutral"]) + np.arange(len(vertices), dtype=np.int32)
    at = head.canonical[vertices].astype(float)
    if shallow:
        bag = np.unique(next(part for part in added if part.name == "mouth").vertex_map)
        at[np.isin(vertices, bag), 2] -= _BACK
    near = np.flatnonzero((np.linalg.norm(rows["canonical"] - _MOUTH, axis=1) < _REACH)
                          & (rows["canonical"][:, 2] > _FRONT))
    if len(near) < 20:
        return parts, rows
    fitted = _affine(rows["canonical"][near], at)
    new = {key: np.zeros((len(vertices), *values.shape[1:]), values.dtype) for key, values in rows.items()}
    new["canonical"] = at.astype(np.float32)
    new["neutral"] = (fitted @ rows["neutral"][near]).astype(np.float32)
    new["shapes"] = (fitted @ rows["shapes"][near].reshape(len(near), -1)).reshape(new["shapes"].shape)
    scale = np.linalg.norm(np.ptp(rows["neutral"][near], axis=0) / np.ptp(rows["canonical"][near], axis=0)) / 3**0.5
    for k, name in enumerate(names):
        if name in head.expressions:
            field = head.arrays["expression_directions"][vertices, :, head.expressions.index(name)]
            new["directions"][:, :, k] = 1000 * scale * field
    share = head.arrays["weights"][vertices, head.roles["jaw"][0][0]]
    new["weights"][:, jaw], new["weights"][:, skull] = share, 1 - share
    together = {key: np.concatenate([values, new[key].astype(values.dtype)]) for key, values in rows.items()}
    out = {part.name: part for part in parts}
    for part in added:
        part = dataclasses.replace(part, vertex_map=place[part.vertex_map])
        out[part.name] = _joined(out[part.name], part) if part.name in out else part
    return tuple(out.values()), together


def _joined(first: MeshPart, second: MeshPart) -> MeshPart:
    """One part of two: the lips' inner side and the lining behind it."""
    return dataclasses.replace(
        first, vertex_map=np.concatenate([first.vertex_map, second.vertex_map]),
        faces=np.concatenate([first.faces, second.faces + np.int32(len(first.vertex_map))]),
        uv=np.concatenate([first.uv, second.uv]))


def _affine(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(M, K): weights of ``source`` points (K, 3) whose affine fit, a little towards a shift, is read at ``target``."""
    middle = source.mean(axis=0)
    design = np.append((source - middle) / _REACH, np.ones((len(source), 1)), axis=1)
    damp = 0.02 * len(source) * np.diag([1.0, 1.0, 1.0, 0.0])
    solve = np.linalg.solve(design.T @ design + damp, design.T)
    return np.append((target - middle) / _REACH, np.ones((len(target), 1)), axis=1) @ solve
