"""SMPL-X down to what a portrait shows: head, shoulders and chest, arms lowered, in a simple garment.

The body is cut by skinning weights and joints alone, so that any file with SMPL-X's skeleton will do. Joints that no
performance turns become one root; the others' places are kept as vertices of no face, exact for every shape.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.sparse import csr_matrix, vstack
from scipy.spatial.transform import Rotation

from synth.heads.head import Attachment
from synth.heads.template.garment import TILE
from synth.heads.template.load import make_part
from synth.scene import MeshPart

KEPT_JOINTS = (12, 15, 22, 23, 24)
"""Neck, head, jaw, left and right eye: what performances turn, in the order of the reduced skeleton after its root."""
PARENTS = (-1, 0, 1, 2, 2, 2)
_TRUNK = (6, 9, 12, 13, 14, 15, 16, 17, 22, 23, 24)
"""Joints of which at least half of a vertex's weight must be to stay: chest, neck, collars, upper arms, head."""
_ARMS = ((16, 18), (17, 19))
"""Shoulder and elbow, left and right."""
_LOWERED = np.radians(68.0)
"""How far the arms of the T-shaped rest pose come down."""
_NECKLINE = np.array([0.0, 1.0, 0.32])
"""Upward slope of the neckline's plane, which falls towards the front."""
_OUT = 0.0042
"""How far the garment lies off the skin, metres."""


@dataclasses.dataclass(frozen=True)
class Bust:
    """A body's upper end as a model of its own."""

    kept: np.ndarray
    """(K,) int: the body's vertices that stay; 6 more follow, the joints."""
    faces: np.ndarray
    """(F, 3) int64 into the K kept vertices."""
    face_rows: np.ndarray
    """(F,) int: the body's faces that stay."""
    arrays: dict[str, np.ndarray]
    """As :func:`synth.heads.flame.layout.check_arrays` gives them, over K + 6 vertices and 6 joints."""


def cut_bust(checked: dict[str, np.ndarray]) -> Bust:
    """Lower the arms, cut below the chest and at mid upper arm, merge the joints that never turn."""
    weights, regressor = checked["weights"], checked["J_regressor"]
    columns = checked["shapedirs"].shape[2]
    points = np.concatenate([checked["v_template"][:, :, None], checked["shapedirs"]], axis=2)
    joints = np.einsum("jn,nck->jck", regressor, points)
    kept = np.flatnonzero(_stays(checked["v_template"], weights, joints[:, :, 0]))
    place = np.full(len(weights), -1)
    place[kept] = np.arange(len(kept))
    face_rows = np.flatnonzero((place[checked["f"]] >= 0).all(axis=1))
    points = _lower_arms(points[kept], joints, weights[kept], checked["parents"])
    points[:, :, 0] += _pose_correction(checked["posedirs"][kept])
    used = [0, *KEPT_JOINTS]
    points = np.concatenate([points, joints[used]])
    share = np.zeros((len(points), 6), np.float32)
    share[: len(kept), 1:] = weights[kept][:, list(KEPT_JOINTS)]
    share[:, 0] = 1 - share.sum(axis=1)
    poses = np.concatenate([np.arange(9 * (joint - 1), 9 * joint) for joint in KEPT_JOINTS])
    arrays = {
        "v_template": np.ascontiguousarray(points[:, :, 0], np.float32),
        "shapedirs": np.ascontiguousarray(points[:, :, 1 : columns + 1], np.float32),
        "posedirs": np.pad(checked["posedirs"][kept][:, :, poses], ((0, 6), (0, 0), (0, 0))),
        "J_regressor": np.eye(6, len(points), len(kept), np.float32), "weights": share,
        "parents": np.array(PARENTS, np.int64),
    }
    return Bust(kept, place[checked["f"][face_rows]], face_rows, arrays)


def _stays(vertices: np.ndarray, weights: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """(N,) bool: vertices of the bust."""
    stays = weights[:, list(_TRUNK)].sum(axis=1) > 0.5
    for shoulder, elbow in _ARMS:
        arm = joints[elbow] - joints[shoulder]
        along = (vertices - joints[shoulder]) @ arm / max(arm @ arm, 1e-12)
        side = (vertices[:, 0] - joints[12, 0]) * np.sign(arm[0]) > 0
        stays &= ~(side & (along > 0.5))
    return stays


def _turns() -> dict[int, np.ndarray]:
    """Joint to the rotation matrix that lowers its arm."""
    return {joint: Rotation.from_euler("z", sign * _LOWERED).as_matrix() for (joint, _), sign in
            zip(_ARMS, (-1, 1), strict=True)}


def _lower_arms(points: np.ndarray, joints: np.ndarray, weights: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """Blend skinning of the mean and of every direction (K, 3, 1 + S) alike: for a fixed pose it is linear in both."""
    out = points.copy()
    for shoulder, turn in _turns().items():
        below = np.zeros(len(parents), bool)
        below[shoulder] = True
        for joint in range(shoulder + 1, len(parents)):
            below[joint] = below[parents[joint]]
        share = weights[:, below].sum(axis=1)
        rows = np.flatnonzero(share > 0)
        ray = points[rows] - joints[shoulder]
        out[rows] += share[rows, None, None] * (np.einsum("ab,kbs->kas", turn, ray) - ray)
    return out


def _pose_correction(posedirs: np.ndarray) -> np.ndarray:
    """(K, 3) what the file's pose directions add for the lowered arms."""
    out = np.zeros(posedirs.shape[:2], np.float32)
    for joint, turn in _turns().items():
        out += posedirs[:, :, 9 * (joint - 1) : 9 * joint] @ (turn - np.eye(3)).ravel().astype(np.float32)
    return out


def garment(neutral: np.ndarray, faces: np.ndarray, weights: np.ndarray, neck: np.ndarray) -> Attachment | None:
    """A shirt: the skin of the torso below a neckline, a few millimetres out. None where there is no torso.

    neutral: (N, 3) metres; faces: (F, 3) of the skin; weights: (N, 6) of the reduced skeleton; neck: (3,) its base.
    """
    normal = np.zeros_like(neutral)
    corners = neutral[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    for k in range(3):
        np.add.at(normal, faces[:, k], cross)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    height = np.where(weights[:, 0] > 0.02, (neutral - neck) @ _NECKLINE + 0.002, 0.01)  # no shirt on the head
    carry, local = _cut(faces, height)
    if not len(local):
        return None
    edge = _rim(local)
    again, hem = _hem(edge, carry.shape[0])
    # A hem: the rim's vertices again, nearly on the skin, so that the shell has a thickness.
    carry = vstack([carry, carry[again]], format="csr")
    outward = carry @ normal
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-12)
    lift = np.full(carry.shape[0], _OUT)
    lift[-len(again):] *= 0.3
    at = carry @ neutral
    uv = np.stack([at[:, 0] - 0.3 * at[:, 2], at[:, 1]], axis=1) * (1000 / TILE)
    part: MeshPart = make_part("garment", np.concatenate([local, hem]), uv)
    return Attachment("garment/shirt", (part,), carry, (lift[:, None] * outward).astype(np.float32))


def _cut(faces: np.ndarray, height: np.ndarray) -> tuple[csr_matrix, np.ndarray]:
    """What of a surface lies below height 0, cut through its triangles: carriers (M, N) of its vertices, and faces."""
    rows: dict[tuple[int, int], int] = {}
    below = height < 0
    triangles = []

    def vertex(a: int, b: int) -> int:
        return rows.setdefault((min(a, b), max(a, b)), len(rows))

    number = below[faces].sum(axis=1)
    for face in faces[number == 3].tolist():
        triangles.append([vertex(corner, corner) for corner in face])
    for face in faces[(number == 1) | (number == 2)].tolist():
        ring = []
        for a, b in zip(face, face[1:] + face[:1], strict=True):
            if below[a]:
                ring.append(vertex(a, a))
            if below[a] != below[b]:
                ring.append(vertex(a, b))
        triangles += [[ring[0], ring[k], ring[k + 1]] for k in range(1, len(ring) - 1)]
    low, high = np.array(list(rows), np.int64).reshape(-1, 2).T
    share = np.where(low == high, 0.0, -height[low] / np.where(low == high, 1.0, height[high] - height[low]))
    at = np.arange(len(low))
    carry = csr_matrix((np.concatenate([1 - share, share]), (np.concatenate([at, at]), np.concatenate([low, high]))),
                       shape=(len(low), len(height)), dtype=np.float32)
    return carry, np.array(triangles, np.int64).reshape(-1, 3)


def _rim(faces: np.ndarray) -> np.ndarray:
    """(E, 2) directed edges that only one face has."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    there = {tuple(edge) for edge in edges.tolist()}
    return np.array([edge for edge in edges.tolist() if (edge[1], edge[0]) not in there], int).reshape(-1, 2)


def _hem(edge: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of the rim to repeat, and the faces (F, 3) of the strip between rim and repeated rim."""
    again = np.unique(edge)
    place = np.zeros(count, int)
    place[again] = count + np.arange(len(again))
    a, b = edge[:, 0], edge[:, 1]
    strip = np.concatenate([np.stack([b, a, place[a]], axis=1), np.stack([b, place[a], place[b]], axis=1)])
    return again, strip
