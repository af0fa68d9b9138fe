"""FLAME parameter tracks: ``.npz`` files as DECA, EMOCA, metrical-tracker, VHAP and their kin export them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from assets.arrays import read_npz
from assets.errors import AssetError
from assets.files import one_line
from synth.motion.performance import Performance

ALIASES: dict[str, tuple[str, ...]] = {
    "expression": ("expression", "expr", "exp", "expressions", "expcode", "expression_params"),
    "jaw": ("jaw_pose", "jaw", "jawpose"),
    "neck": ("neck_pose", "neck"),
    "eyes": ("eyes_pose", "eyes", "eye_pose", "eyepose"),
    "left_eye": ("leye_pose", "left_eye_pose"),
    "right_eye": ("reye_pose", "right_eye_pose"),
    "head": ("rotation", "global_orient", "global_pose", "global_rotation", "R"),
    "pose": ("pose", "posecode", "pose_params", "full_pose"),
    "translation": ("translation", "transl", "trans", "t"),
    "eyelids": ("eyelids", "eyelid"),
    "fps": ("fps", "frame_rate", "framerate", "mocap_frame_rate"),
}
"""What a track may call what is read. ``pose`` is global rotation and jaw (DECA's 6 numbers), or global, neck, jaw and
both eyes (FLAME's 15). ``shape`` or ``betas``, cameras and lights are of no use to a performance and left alone."""
UNSURE = {"R": (3, 6, 9), "t": (3,)}
"""Names that others use for other things, such as times: numbers a frame with which they are what ``ALIASES`` says."""
MAX_FRAMES, MAX_EXPRESSIONS = 500_000, 400
DEFAULT_FPS = 25.0
"""Frames a second where neither the file nor the caller says."""
MAX_TRAVEL = 2.0
"""Metres that a head may move: more is another unit than metres, or no head."""


def read_flame(path: Path, fps: float | None = None) -> Performance:
    """A FLAME track. The head's translation counts from its first frame; a camera's upside-down axes (+Y down, as in
    OpenCV) are turned upright, rotation and translation. Rotations may be vectors (3), the 6-number form of Zhou et
    al. (2019), or matrices."""
    name, arrays = one_line(path), read_npz(path)
    found = {key: next((alias for alias in names if alias in arrays and _meant(alias, arrays[alias])), None)
             for key, names in ALIASES.items()}
    listing = ", ".join(sorted(map(one_line, arrays))[:20]) or "nothing"
    if not any(found[key] for key in ("expression", "jaw", "pose", "neck", "head")):
        raise AssetError(f"{name}: no FLAME track; found {listing}, expected expr, jaw_pose, pose, neck_pose or "
                         "rotation")
    values = {key: _frames(name, alias, arrays[alias]) for key, alias in found.items() if alias and key != "fps"}
    frames = max(len(value) for value in values.values())
    for key, value in values.items():
        if len(value) not in (1, frames):
            raise AssetError(f"{name}: {found[key]} has {len(value)} frames, others have {frames}; found {listing}")
    values = {key: np.broadcast_to(value, (frames, value.shape[1])) for key, value in values.items()}
    joints = _joints(name, found, values)
    still = np.zeros((frames, 3), np.float32)
    head = joints.get("head", still)
    travel = _travel(name, found["translation"], values.get("translation", still))
    if _upside_down(head):
        head = (Rotation.from_rotvec([np.pi, 0, 0]) * Rotation.from_rotvec(head)).as_rotvec().astype(np.float32)
        travel = travel * np.float32([1, -1, -1])  # the same half turn about X
    return Performance(
        fps=_rate(name, arrays, found["fps"]) or fps or DEFAULT_FPS, units=_lids(values),
        head=head, **{key: joints.get(key, still) for key in ("neck", "jaw", "left_eye", "right_eye")},
        translation=travel,
        flame=_coefficients(name, found["expression"], values.get("expression")),
    )


def _meant(alias: str, array: np.ndarray) -> bool:
    """Whether an array under a name that others use too can be what that name stands for here."""
    if alias not in UNSURE:
        return True
    numbers = array.size if array.ndim == 1 else array.size // max(len(array), 1) if array.ndim else 0
    return array.dtype.kind in "fiu" and numbers in UNSURE[alias]


def _frames(name: str, alias: str, array: np.ndarray) -> np.ndarray:
    """(T, D) float64 of an array (T, D), (D,), (T, 1, D) or, for matrices, (T, 3, 3)."""
    if array.dtype.kind not in "fiu" or array.size == 0 or not 1 <= array.ndim <= 4:
        raise AssetError(f"{name}: {alias} is {array.dtype} {array.shape}, expected numbers, a row a frame")
    rows = array.reshape(1, -1) if array.ndim == 1 else array.reshape(len(array), -1)
    if len(rows) > MAX_FRAMES or rows.shape[1] > 2 * MAX_EXPRESSIONS:
        raise AssetError(f"{name}: {alias} is {array.shape}, at most {MAX_FRAMES:,} frames of {2 * MAX_EXPRESSIONS} "
                         "numbers are read")
    rows = rows.astype(np.float64)
    if not np.isfinite(rows).all():
        raise AssetError(f"{name}: {alias} holds NaN or infinity in frame {int(np.argwhere(~np.isfinite(rows))[0, 0])}")
    if np.abs(rows).max() > 1e6:
        raise AssetError(f"{name}: {alias} holds {np.abs(rows).max():g}, no number of a FLAME track is that large")
    return rows


def _joints(name: str, found: dict, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rotation vectors (T, 3) float32 by joint, from their own arrays or else from ``pose``."""
    joints = {key: _vectors(name, found[key], values[key]) for key in ("head", "neck", "jaw", "left_eye", "right_eye")
              if key in values}
    if "eyes" in values:
        eyes = values["eyes"]
        half = eyes.shape[1] // 2
        if eyes.shape[1] not in (6, 12, 18):
            raise AssetError(f"{name}: {found['eyes']} has {eyes.shape[1]} numbers a frame, expected 6, 12 or 18")
        joints["left_eye"], joints["right_eye"] = (_vectors(name, found["eyes"], part) for part in (
            eyes[:, :half], eyes[:, half:]))
    if "pose" in values:
        order = {3: ("head",), 6: ("head", "jaw"), 9: ("head", "neck", "jaw"),
                 15: ("head", "neck", "jaw", "left_eye", "right_eye")}.get(values["pose"].shape[1])
        if order is None:
            raise AssetError(f"{name}: {found['pose']} has {values['pose'].shape[1]} numbers a frame, expected 3, 6, 9 "
                             "or 15")
        for k, key in enumerate(order):
            joints.setdefault(key, values["pose"][:, 3 * k : 3 * k + 3].astype(np.float32))
    return joints


def _vectors(name: str, alias: str, rows: np.ndarray) -> np.ndarray:
    """(T, 3) float32 rotation vectors of (T, 3) vectors, (T, 6) or (T, 9) matrices."""
    if rows.shape[1] == 3:
        return rows.astype(np.float32)
    if rows.shape[1] not in (6, 9):
        raise AssetError(f"{name}: {alias} has {rows.shape[1]} numbers a frame, expected a rotation of 3, 6 or 9")
    if rows.shape[1] == 9:
        matrix = rows.reshape(-1, 3, 3)
    else:
        # Gram-Schmidt of the first two rows, as trackers built on PyTorch3D store them (Zhou et al. 2019, eq. 15).
        first, second = rows[:, :3], rows[:, 3:]
        x = first / np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)
        y = second - (x * second).sum(axis=1, keepdims=True) * x
        y /= np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1e-9)
        matrix = np.stack([x, y, np.cross(x, y)], axis=1)
    if (np.abs(np.linalg.det(matrix) - 1) > 0.05).any():
        raise AssetError(f"{name}: {alias} holds matrices that are no rotations")
    return Rotation.from_matrix(matrix).as_rotvec().astype(np.float32)


def _upside_down(head: np.ndarray) -> bool:
    """Whether rotations (T, 3) are in a camera's axes (+Y down, +Z away from it): half a turn about X from ours."""
    rotation = Rotation.from_rotvec(head)
    facing, up = rotation.apply([0, 0, 1.0]).mean(axis=0), rotation.apply([0, 1.0, 0]).mean(axis=0)
    return bool(facing[2] < 0 and up[1] < 0)


def _travel(name: str, alias: str | None, place: np.ndarray) -> np.ndarray:
    """(T, 3) float32 metres since the first frame."""
    if place.shape[1] != 3:
        raise AssetError(f"{name}: {alias} has {place.shape[1]} numbers a frame, expected 3")
    travel = place - place[:1]
    if np.abs(travel).max() > MAX_TRAVEL:
        raise AssetError(f"{name}: {alias} moves by {np.abs(travel).max():g}, expected metres, {MAX_TRAVEL:g} at most")
    return travel.astype(np.float32)


def _coefficients(name: str, alias: str | None, rows: np.ndarray | None) -> np.ndarray | None:
    if rows is None:
        return None
    if rows.shape[1] > MAX_EXPRESSIONS or np.abs(rows).max() > 50:
        raise AssetError(f"{name}: {alias} has {rows.shape[1]} coefficients up to {np.abs(rows).max():g}, expected "
                         f"{MAX_EXPRESSIONS} at most, within 50 standard deviations")
    return rows.astype(np.float32)


def _lids(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Blinks of trackers that add lid blendshapes (metrical-tracker's ``eyelids``: left, right)."""
    lids = values.get("eyelids")
    if lids is None or lids.shape[1] != 2:
        return {}
    return {f"AU45_{side}": np.clip(lids[:, k], 0, 1).astype(np.float32) for k, side in enumerate("LR")}


def _rate(name: str, arrays: dict[str, np.ndarray], alias: str | None) -> float | None:
    if alias is None:
        return None
    value = arrays[alias]
    if value.size != 1 or value.dtype.kind not in "fiu" or not 1 <= float(value.reshape(-1)[0]) <= 1000:
        raise AssetError(f"{name}: {alias} is {one_line(value)[:60]}, expected one number, 1 to 1000 frames a second")
    return float(value.reshape(-1)[0])
