"""Files in the layouts of FLAME and SMPL-X, made from our own template: the real ones need a licence.

Every vertex of a stand-in's skin is one of the template's, kept by edge collapses: its fields are known exactly.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import heapq
import pickle
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy.sparse
from scipy.spatial import cKDTree

from synth.heads.canonical import template_landmark
from synth.heads.driver import LIDS
from synth.heads.flame.landmarks import IBUG
from synth.heads.head import HeadModel, eye_centres
from synth.heads.load import load_head
from tests.assets.test_pickles import Ch, python2

FLAME_FILES = {"2019": "generic_model.pkl", "2020": "FLAME_NEUTRAL.pkl", "2023": "flame2023.pkl",
               "2023_no_jaw": "flame2023_no_jaw.pkl", "npz": "FLAME_FEMALE.npz"}
"""Variant to file name. 2019 and 2020 are Python 2 pickles with chumpy variables and a sparse regressor."""
SMPLX_FILES = {"1.0": "SMPLX_NEUTRAL.npz", "1.0pkl": "SMPLX_MALE.pkl", "1.1": "SMPLX_NEUTRAL.npz",
               "1.1pkl": "SMPLX_FEMALE.pkl"}
FLAME_SHIFT = np.array([0.0, 0.034, -0.052])
"""What FLAME's axes have more than ours, metres."""
SMPLX_SHIFT = np.array([0.0, 0.31, -0.02])
SMPLX_PARENTS = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 15, 15, 15,
                 *(20 if k % 3 == 0 else 24 + k for k in range(15)), *(21 if k % 3 == 0 else 39 + k for k in range(15))]
BALL = 546
"""Vertices of an eyeball in both topologies."""


@dataclasses.dataclass(frozen=True)
class Skin:
    """The template's skin with fewer vertices."""

    source: np.ndarray
    """(V,) int: the template's vertex behind each."""
    vertices: np.ndarray
    """(V, 3) float64 metres, template axes."""
    faces: np.ndarray
    """(F, 3) int."""


@functools.cache
def template() -> HeadModel:
    return load_head()


@functools.cache
def skin(count: int) -> Skin:
    """The template's skin, lips and inner mouth with ``count`` vertices; the face keeps most of them."""
    head = template()
    faces = np.concatenate([part.vertex_map[part.faces] for part in head.parts
                            if part.name in ("skin", "lips", "mouth")])
    source, local = np.unique(faces, return_inverse=True)
    vertices = head.neutral[source].astype(float)
    keep, kept = collapse(vertices, local.reshape(-1, 3), count)
    return Skin(source[keep], vertices[keep], kept)


def collapse(vertices: np.ndarray, faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Half-edge collapses, shortest first, down to ``count`` vertices: those kept (``count``,), and faces into them."""
    mouth_or_eye = np.minimum(np.linalg.norm(vertices - (0, -0.066, 0.095), axis=1),
                              np.linalg.norm(np.abs(vertices) * (1, 0, 0) + vertices * (0, 1, 1) - (0.0315, 0, 0.088),
                                             axis=1))
    weight = (1 / (0.012 + mouth_or_eye)).tolist()
    point = vertices.tolist()
    triangles = [tuple(face) for face in faces.tolist()]
    around = [set() for _ in point]
    for k, face in enumerate(triangles):
        for corner in face:
            around[corner].add(k)

    def ring(v):
        return {corner for k in around[v] for corner in triangles[k]} - {v}

    def closed(v):  # every neighbour is in two of its faces
        seen = {}
        for k in around[v]:
            for corner in triangles[k]:
                seen[corner] = seen.get(corner, 0) + 1
        return all(number == 2 for corner, number in seen.items() if corner != v)

    def cost(a, b):
        return sum((point[a][k] - point[b][k]) ** 2 for k in range(3)) * (weight[a] + weight[b]) ** 2

    def normal(a, b, c):
        u, v = [b[k] - a[k] for k in range(3)], [c[k] - a[k] for k in range(3)]
        return u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]

    def folds(gone, kept):
        for k in around[gone]:
            if kept in triangles[k]:
                continue
            old = normal(*(point[corner] for corner in triangles[k]))
            new = normal(*(point[kept if corner == gone else corner] for corner in triangles[k]))
            dot = sum(x * y for x, y in zip(old, new, strict=True))
            if dot < 0.3 * (sum(x * x for x in old) * sum(x * x for x in new)) ** 0.5 or dot <= 0:
                return True
        return False

    heap = [(cost(a, b), a, b) for face in faces.tolist() for a, b in zip(face, face[1:] + face[:1], strict=True)]
    heapq.heapify(heap)
    left, alive = len(point), [True] * len(point)
    while left > count:
        _, gone, kept = heapq.heappop(heap)
        if not (alive[gone] and alive[kept]) or not around[gone] & around[kept]:
            continue
        if not closed(gone) or len(ring(gone) & ring(kept)) != 2 or folds(gone, kept):
            continue
        for k in list(around[gone]):
            if kept in triangles[k]:
                for corner in triangles[k]:
                    around[corner].discard(k)
                triangles[k] = ()
            else:
                triangles[k] = tuple(kept if corner == gone else corner for corner in triangles[k])
                around[kept].add(k)
        alive[gone] = False
        left -= 1
        for corner in ring(kept):
            heapq.heappush(heap, (cost(kept, corner), kept, corner))
            heapq.heappush(heap, (cost(kept, corner), corner, kept))
    keep = np.flatnonzero(alive)
    place = np.zeros(len(point), int)
    place[keep] = np.arange(len(keep))
    return keep, place[np.array([face for face in triangles if face])]


def eyeball(centre: np.ndarray, radius: float = 0.012) -> tuple[np.ndarray, np.ndarray]:
    """A sphere of 546 vertices about +Z, metres, and its faces."""
    rings, turns = 16, 34
    angle = np.linspace(0, np.pi, rings + 2)[1:-1, None]
    turn = 2 * np.pi * np.arange(turns) / turns
    grid = np.stack([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle) + 0 * turn], axis=2)
    index = 1 + np.arange(rings * turns).reshape(rings, turns)
    a, b, c, d = index[:-1], np.roll(index[:-1], -1, 1), index[1:], np.roll(index[1:], -1, 1)
    caps = [np.stack([0 * index[0], index[0], np.roll(index[0], -1)], 1),
            np.stack([index[-1], 0 * index[-1] + BALL - 1, np.roll(index[-1], -1)], 1)]
    faces = [np.stack([a, c, b], 2).reshape(-1, 3), np.stack([b, c, d], 2).reshape(-1, 3), *caps]
    return centre + radius * np.concatenate([[[0, 0, 1]], grid.reshape(-1, 3), [[0, 0, -1]]]), np.concatenate(faces)


def unit_fields(source: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """The template's names and fields (V, 3, E), metres, of units that are no lids, on its vertices ``source``."""
    head = template()
    chosen = [k for k, name in enumerate(head.expressions) if name[:-2] not in LIDS]
    return tuple(head.expressions[k] for k in chosen), head.arrays["expression_directions"][source][:, :, chosen]


def _basis(fields: np.ndarray, columns: int, rows: int) -> np.ndarray:
    """(rows, 3, columns) expression directions that span ``fields``, turned by a random rotation and scaled."""
    rng = np.random.default_rng(7)
    flat = np.zeros((rows * 3, columns))
    used = min(columns, fields.shape[2])
    u, s, _ = np.linalg.svd(fields.reshape(-1, fields.shape[2]), full_matrices=False)
    turn = np.linalg.qr(rng.normal(size=(used, used)))[0]
    flat[: len(fields) * 3, :used] = (u[:, :used] * np.maximum(s[:used], 1e-3 * s[0])) @ turn
    return flat.reshape(rows, 3, columns)


def _shapes(source: np.ndarray, columns: int, rows: int) -> np.ndarray:
    own = template().arrays["shape_directions"][source][:, :, :columns]
    out = np.zeros((rows, 3, columns))
    out[: len(source), :, : own.shape[2]] = 0.7 * own
    return out


def _regressor(vertices: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """(J, N): each joint as an affine combination of its 40 nearest vertices."""
    out = np.zeros((len(joints), len(vertices)))
    for row, joint in enumerate(joints):
        near = np.argsort(np.linalg.norm(vertices - joint, axis=1))[:40]
        system = np.concatenate([vertices[near].T, np.ones((1, 40))])
        out[row, near] = np.linalg.lstsq(system, np.append(joint, 1.0), rcond=None)[0]
    return out


@functools.cache
def flame_arrays() -> dict[str, np.ndarray]:
    """A FLAME model's arrays, by the names of its files; read-only by custom."""
    head, count = template(), 5023
    own, centres = skin(count - 2 * BALL), eye_centres(template(), template().neutral)
    balls = [eyeball(centre) for centre in centres]
    vertices = np.concatenate([own.vertices, *(ball for ball, _ in balls)])
    starts = (count - 2 * BALL, count - BALL)
    faces = np.concatenate([own.faces, *(f + start for (_, f), start in zip(balls, starts, strict=True))])
    _, fields = unit_fields(own.source)
    weights = np.zeros((count, 5))
    weights[: len(own.source)] = head.arrays["weights"][own.source][:, :5]
    for k, start in enumerate(starts):
        weights[start : start + BALL, 3 + k] = 1
    joints = head.arrays["J_regressor"][:5] @ head.neutral
    shapes = _shapes(own.source, 300, count)
    for k, start in enumerate(starts):
        mean = shapes[: len(own.source)][np.linalg.norm(own.vertices - centres[k], axis=1) < 0.0145].mean(axis=0)
        shapes[start : start + BALL] = mean
    return {
        "v_template": vertices + FLAME_SHIFT, "f": faces.astype(np.uint32),
        "shapedirs": np.concatenate([shapes, _basis(fields, 100, count)], axis=2),
        "posedirs": np.zeros((count, 3, 36)), "J_regressor": _regressor(vertices, joints), "weights": weights,
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], range(5)], np.int64), "J": joints + FLAME_SHIFT,
    }


@functools.cache
def smplx_arrays(columns: int = 20) -> dict[str, np.ndarray]:
    """A SMPL-X model's arrays: 10 + 10 columns (v1.0) or 300 + 100 (v1.1)."""
    count, shapes_count = 10475, 10 if columns == 20 else 300
    head, centres = template(), eye_centres(template(), template().neutral)
    limbs = [_arm(1), _arm(-1), _torso()]
    own = skin(count - 2 * BALL - sum(len(points) for points, _ in limbs))
    blocks = [(own.vertices, own.faces), *limbs, *(eyeball(centre) for centre in centres)]
    starts = np.cumsum([0, *(len(points) for points, _ in blocks)])
    vertices = np.concatenate([points for points, _ in blocks])
    faces = np.concatenate([f + start for (_, f), start in zip(blocks, starts, strict=False)])
    joints = _smplx_joints(head)
    weights = _smplx_weights(vertices)
    skin_weights = head.arrays["weights"][own.source]
    weights[: len(own.source)] *= skin_weights[:, :1]
    weights[: len(own.source), 15] += skin_weights[:, 1]
    weights[: len(own.source), 22] += skin_weights[:, 2]
    for k, start in enumerate(starts[4:6]):
        weights[start : start + BALL] = np.eye(55)[23 + k]
    _, fields = unit_fields(own.source)
    shapes = _shapes(own.source, shapes_count, count)
    shapes[:, 1, 0] += 0.04  # the first makes a body tall
    corners, shares = ibug(vertices, faces[: len(own.faces)])
    return {
        "v_template": vertices + SMPLX_SHIFT, "f": faces.astype(np.uint32),
        "shapedirs": np.concatenate([shapes, _basis(fields, columns - shapes_count, count)],
                                    axis=2).astype(np.float32),
        "posedirs": np.zeros((count, 3, 486), np.float32), "J_regressor": _regressor(vertices, joints),
        "weights": weights, "kintree_table": np.array([[2**32 - 1, *SMPLX_PARENTS[1:]], range(55)], np.int64),
        "hands_componentsl": np.eye(45), "hands_componentsr": np.eye(45), "hands_meanl": np.zeros(45),
        "hands_meanr": np.zeros(45), "hands_coeffsl": np.zeros((10, 45)), "hands_coeffsr": np.zeros((10, 45)),
        "lmk_faces_idx": corners, "lmk_bary_coords": shares,
        "dynamic_lmk_faces_idx": np.zeros((79, 17), np.int64), "dynamic_lmk_bary_coords": np.full((79, 17, 3), 1 / 3),
    }


def ibug(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Faces (51,) and barycentric coordinates (51, 3) of iBUG's landmarks on a skin in the template's axes, metres."""
    home = {row: template_landmark(name) / 1000 for name, row in IBUG.items()}
    places = np.array([home[max(row for row in home if row <= k)] for k in range(51)])
    used = np.unique(faces)
    nearest = used[cKDTree(vertices[used]).query(places)[1]]
    index = np.array([np.flatnonzero((faces == vertex).any(axis=1))[0] for vertex in nearest])
    return index, (faces[index] == nearest[:, None]).astype(float)


def write_embedding(folder: Path, kind: str = "pkl") -> Path:
    """FLAME's landmarks as ``flame_static_embedding.pkl``, or as DECA's ``landmark_embedding.npy``."""
    own = skin(5023 - 2 * BALL)
    index, shares = ibug(own.vertices, own.faces)
    if kind == "pkl":
        file = Path(folder) / "flame_static_embedding.pkl"
        file.write_bytes(pickle.dumps({"lmk_face_idx": index.astype(np.uint32), "lmk_b_coords": shares}, 2))
        return file
    file = Path(folder) / "landmark_embedding.npy"
    np.save(file, np.array({"static_lmk_faces_idx": index, "static_lmk_bary_coords": shares,
                            "dynamic_lmk_faces_idx": [[0] * 17] * 79}, object), allow_pickle=True)
    return file


def _tube(centres: np.ndarray, across: np.ndarray, up: np.ndarray, turns: int) -> tuple[np.ndarray, np.ndarray]:
    """Rings of ``turns`` vertices about ``centres`` (R, 3) with half-axes ``across`` and ``up`` (R, 3)."""
    turn = 2 * np.pi * np.arange(turns)[:, None] / turns
    points = centres[:, None] + np.cos(turn) * across[:, None] + np.sin(turn) * up[:, None]
    index = np.arange(points.shape[0] * turns).reshape(-1, turns)
    a, b, c, d = index[:-1], np.roll(index[:-1], -1, 1), index[1:], np.roll(index[1:], -1, 1)
    faces = np.concatenate([np.stack([a, b, c], 2).reshape(-1, 3), np.stack([b, d, c], 2).reshape(-1, 3)])
    return points.reshape(-1, 3), faces


def _arm(side: int) -> tuple[np.ndarray, np.ndarray]:
    along = np.linspace(0.13, 0.70, 36)
    radius = np.interp(along, [0.13, 0.4, 0.7], [0.052, 0.04, 0.028])[:, None]
    centres = np.stack([side * along, 0 * along - 0.245, 0 * along - 0.02], axis=1)
    return _tube(centres, radius * (0, 1, 0), radius * (0, 0, side), 24)


def _torso() -> tuple[np.ndarray, np.ndarray]:
    down = np.linspace(-0.28, -0.78, 24)
    one = np.ones((24, 1))
    centres = np.stack([0 * down, down, 0 * down - 0.01], axis=1)
    return _tube(centres, one * (0.16, 0, 0), one * (0, 0, 0.10), 40)


def _smplx_joints(head: HeadModel) -> np.ndarray:
    neck, skull, jaw, left, right = head.arrays["J_regressor"][:5] @ head.neutral
    out = np.zeros((55, 3))
    out[:, 1] = -0.7
    for joint, height in ((0, -0.76), (3, -0.64), (6, -0.5), (9, -0.38)):
        out[joint] = (0, height, -0.02)
    out[12], out[15], out[22], out[23], out[24] = neck, skull, jaw, left, right
    for side, joints in ((1, (13, 16, 18, 20)), (-1, (14, 17, 19, 21))):
        for joint, reach in zip(joints, (0.06, 0.16, 0.42, 0.66), strict=True):
            out[joint] = (side * reach, -0.245, -0.02)
    out[25:40], out[40:] = out[20], out[21]
    return out


def _smplx_weights(v: np.ndarray) -> np.ndarray:
    """(N, 55) of the trunk and the arms: spine by height, arms by distance from the middle."""
    def ramp(low, high, x):
        return np.clip((x - low) / (high - low), 0, 1)

    reach, side = np.abs(v[:, 0]), v[:, 0] > 0
    out = np.zeros((len(v), 55))
    upper = ramp(0.13, 0.19, reach) * ramp(-0.36, -0.31, v[:, 1])
    lower = ramp(0.39, 0.45, reach)
    collar = ramp(0.05, 0.10, reach) * (1 - upper) * ramp(-0.34, -0.27, v[:, 1]) * 0.6
    trunk = 1 - upper - collar
    neck = ramp(-0.22, -0.17, v[:, 1])
    spine = np.stack([ramp(low - 0.04, low + 0.04, v[:, 1]) for low in (-0.7, -0.57, -0.44)])
    out[:, 12] = trunk * neck
    for joint, share in ((9, spine[2]), (6, spine[1] - spine[2]), (3, spine[0] - spine[1]), (0, 1 - spine[0])):
        out[:, joint] = trunk * (1 - neck) * share
    for joints, mine in (((13, 16, 18), side), ((14, 17, 19), ~side)):
        for joint, share in zip(joints, (collar, upper * (1 - lower), upper * lower), strict=True):
            out[:, joint] = share * mine
    return out / out.sum(axis=1, keepdims=True)


@contextlib.contextmanager
def chumpy_names() -> Iterator[None]:
    """While this is open ``Ch`` pickles as ``chumpy.ch.Ch``, without chumpy."""
    saved, module = Ch.__module__, types.ModuleType("chumpy.ch")
    module.Ch, Ch.__module__ = Ch, "chumpy.ch"
    sys.modules.update({"chumpy": types.ModuleType("chumpy"), "chumpy.ch": module})
    try:
        yield
    finally:
        Ch.__module__ = saved
        del sys.modules["chumpy"], sys.modules["chumpy.ch"]


def write_flame(folder: Path, variant: str = "2020", **changes: np.ndarray | None) -> Path:
    """Write a stand-in into ``folder``; ``changes``: entries to replace, or None to leave them out."""
    file = Path(folder) / FLAME_FILES[variant]
    model = _changed(flame_arrays(), changes) | {"bs_style": "lbs", "bs_type": "lrotmin"}
    if variant == "npz":
        np.savez(file, **{key: np.asarray(value) for key, value in model.items()})
        return file
    old = variant in ("2019", "2020")
    for key in ("v_template", "shapedirs", "J", "weights") if old else ():
        if isinstance(model.get(key), np.ndarray):
            model[key] = Ch(model[key])
    if isinstance(model.get("J_regressor"), np.ndarray) and model["J_regressor"].ndim == 2:
        model["J_regressor"] = scipy.sparse.csc_matrix(model["J_regressor"])
    if variant == "2019":
        file.write_bytes(b"\x80\x02" + python2(model) + b".")
    else:
        with chumpy_names():
            file.write_bytes(pickle.dumps(model, 2))
    return file


def write_smplx(folder: Path, variant: str = "1.0", **changes: np.ndarray | None) -> Path:
    """Write a stand-in into ``folder``; ``changes`` as in :func:`write_flame`."""
    file = Path(folder) / SMPLX_FILES[variant]
    model = _changed(smplx_arrays(400 if variant.startswith("1.1") else 20), changes)
    model |= {"joint2num": {"Pelvis": 0}, "part2num": {"Global": 0}}
    if file.suffix == ".npz":
        np.savez_compressed(file, **model)
    else:
        file.write_bytes(pickle.dumps(model, 2))
    return file


def _changed(arrays: dict, changes: dict) -> dict:
    return {key: value for key, value in (arrays | changes).items() if value is not None}
