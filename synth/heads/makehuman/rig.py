"""MakeHuman's 163 bones: folded onto the joints that a performance turns, and all of them for poses of the face."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from assets.errors import AssetError
from assets.files import one_line
from assets.makehuman.skeleton import Skeleton, read_poses, read_skeleton, read_weights
from assets.makehuman.targets import read_json
from synth.heads.makehuman.base import VERTICES, BaseMesh

JOINTS = ("spine01", "neck01", "neck02", "neck03", "head", "jaw", "eye.L", "eye.R")
"""Bones that stay; every other one's weights go to the nearest of these above it, else to the first: the torso."""
PARENTS = np.array([-1, 0, 1, 2, 3, 4, 4, 4], np.int64)
ROLES = {"head": ((1, 0.40), (2, 0.35), (3, 0.25)), "neck": ((2, 0.20), (3, 0.30), (4, 0.50)), "jaw": ((5, 1.0),),
         "left_eye": ((6, 1.0),), "right_eye": ((7, 1.0),)}
"""A turn is spread over the neck as over its vertebrae: mostly at both ends, the upper cervical ones turn most (White
& Panjabi 1990)."""


class Rig:
    """The skeleton with weights, as read from a MakeHuman data folder."""

    def __init__(self, folder: Path, base: BaseMesh):
        self.file = folder / "rigs" / "default.mhskel"
        self.skeleton: Skeleton = read_skeleton(self.file, VERTICES)
        if missing := [name for name in JOINTS if name not in self.skeleton.names]:
            raise AssetError(f"{one_line(self.file)}: has no bone {missing[0]}")
        self.weights = self._dense(read_weights(folder / "rigs" / "default_weights.mhw", VERTICES))
        self._body = base.vertices_of("body")
        self.poses = _read_pose_units(folder / "poseunits", self.skeleton)

    def _dense(self, table: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """(N, B) float32, rows sum to 1."""
        names = self.skeleton.names
        out = np.zeros((VERTICES, len(names)), np.float32)
        for bone, (index, weight) in table.items():
            if bone not in names:
                raise AssetError(f"{one_line(self.file)}: has no bone {one_line(bone)[:80]!r}, but weights for it")
            out[index, names.index(bone)] = weight
        total = out.sum(axis=1, keepdims=True)
        out[total[:, 0] == 0, 0] = 1  # the root carries what nothing else does
        return out / np.where(total > 0, total, 1)

    def folded(self) -> np.ndarray:
        """(N, 8) float32 weights on ``JOINTS``. Lids don't turn with the eyes: their share goes to the head."""
        out = np.zeros((VERTICES, len(JOINTS)), np.float32)
        for bone, name in enumerate(self.skeleton.names):
            joint = next((JOINTS.index(at) for at in self.skeleton.chain(name) if at in JOINTS), 0)
            out[:, joint] += self.weights[:, bone]
        for eye in (6, 7):
            out[self._body, 4] += out[self._body, eye]
            out[self._body, eye] = 0
        return out

    def regressor(self) -> np.ndarray:
        """(8, N) float32: joints as means of base vertices."""
        out = np.zeros((len(JOINTS), VERTICES), np.float32)
        for row, name in zip(out, JOINTS, strict=True):
            chosen = self.skeleton.heads[self.skeleton.names.index(name)]
            np.add.at(row, chosen, 1 / len(chosen))
        return out

    def displacement(self, vertices: np.ndarray, rotations: Mapping[str, np.ndarray]) -> np.ndarray:
        """(N, 3) float32: how bones' rotations (3, 3), world axes, relative to the parent, move vertices (N, 3)."""
        skeleton = self.skeleton
        joints = skeleton.joints(vertices.astype(np.float64))
        turn, shift = np.empty((len(joints), 3, 3)), np.empty((len(joints), 3))
        for bone, parent in enumerate(skeleton.parents):
            own = rotations.get(skeleton.names[bone], np.eye(3))
            away = joints[bone] - own @ joints[bone]
            turn[bone] = own if parent < 0 else turn[parent] @ own
            shift[bone] = away if parent < 0 else turn[parent] @ away + shift[parent]
        blend = (self.weights @ turn.reshape(-1, 9)).reshape(-1, 3, 3)
        return (np.einsum("nij,nj->ni", blend, vertices) + self.weights @ shift - vertices).astype(np.float32)

    def pose(self, vertices: np.ndarray, name: str, without: tuple[str, ...] = ()) -> np.ndarray:
        """(N, 3) float32: what a pose unit such as ``LeftCheekUp`` does to vertices (N, 3), some bones kept still."""
        moved = {bone: turn for bone, turn in self.poses[name].items() if bone not in without}
        return self.displacement(vertices, moved)


def _read_pose_units(folder: Path, skeleton: Skeleton) -> dict[str, dict[str, np.ndarray]]:
    """Per pose unit the bones that it turns, and how: (3, 3) float64."""
    listed, name = read_json(folder / "face-poseunits.json"), one_line(folder / "face-poseunits.json")
    units = listed.get("framemapping") if isinstance(listed, dict) else None
    bones, rotations = read_poses(folder / "face-poseunits.bvh")
    if not isinstance(units, list) or len(units) > len(rotations) or not all(isinstance(unit, str) for unit in units):
        raise AssetError(f"{name}: framemapping: expected at most {len(rotations)} names, one a frame of the BVH")
    moved = np.abs(rotations - np.eye(3)).max(axis=(2, 3)) > 1e-4
    if wrong := [bone for k, bone in enumerate(bones) if moved[:, k].any() and bone not in skeleton.names]:
        raise AssetError(f"{name}: poses turn {one_line(wrong[0])[:80]!r}, which is not a bone of the skeleton")
    return {unit: {bone: rotations[frame, k] for k, bone in enumerate(bones) if moved[frame, k]}
            for frame, unit in enumerate(units)}
