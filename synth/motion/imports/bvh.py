"""Head motion of skeletons in BVH files."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from assets.errors import AssetError
from assets.files import check_regular_file, one_line
from synth.motion.arkit import NECK_SHARE
from synth.motion.performance import Performance

MAX_BYTES, MAX_JOINTS, MAX_VALUES = 64 << 20, 1000, 20_000_000
_CHANNELS = {f"{axis}{kind}": (kind, k) for kind in ("position", "rotation") for k, axis in enumerate("XYZ")}


@dataclasses.dataclass
class Joint:
    """One joint of the hierarchy."""

    name: str
    """As in the file."""
    parent: int
    """Index of the joint that it hangs on; -1 for a root."""
    offset: np.ndarray
    """(3,) from its parent, the file's unit."""
    channels: tuple[str, ...] = ()
    """``Xrotation`` and so on, in order."""
    first: int = 0
    """Column of its first channel."""


def read_bvh(path: Path, fps: float | None = None) -> Performance:
    """The head's motion against the torso: rotations of every joint from the neck to the head, and of the eyes.

    A skeleton that stands along Z, or faces another way, is turned by where its head and its left side are at rest.
    """
    name = one_line(path)
    if check_regular_file(path) > MAX_BYTES:
        raise AssetError(f"{name}: larger than {MAX_BYTES:,} bytes")
    try:
        text = path.read_text("utf-8", errors="strict")
    except UnicodeDecodeError as error:
        raise AssetError(f"{name}: no BVH text ({one_line(error)[:80]})") from None
    tree, _, motion = text.partition("MOTION")
    if not motion:
        raise AssetError(f"{name}: no MOTION section")
    joints = _hierarchy(name, tree)
    values, step = _motion(name, motion, sum(len(joint.channels) for joint in joints))
    chain = _chain(name, joints)
    upright = _upright(joints, chain[-1])
    total = Rotation.identity(len(values))
    for index in chain:
        total = total * _rotation(joints[index], values)
    head = (upright.inv() * total * upright).as_rotvec()
    eyes = {}
    for side in ("left", "right"):
        index = _find(joints, rf"{side}.*eye|eye.*{side}|^{side[0]}[_.]?eye|eye[_.]?{side[0]}$")
        local = Rotation.identity(len(values)) if index is None else _rotation(joints[index], values)
        eyes[f"{side}_eye"] = (upright.inv() * local * upright).as_rotvec().astype(np.float32)
    return Performance(
        fps=round(1 / step, 2), units={}, head=((1 - NECK_SHARE) * head).astype(np.float32),
        neck=(NECK_SHARE * head).astype(np.float32), jaw=np.zeros((len(values), 3), np.float32), **eyes,
        translation=np.zeros((len(values), 3), np.float32),
    )


def _hierarchy(name: str, text: str) -> list[Joint]:
    joints: list[Joint] = []
    stack: list[int | None] = []
    pending: int | None = None  # the joint whose brace opens next; None for an end site
    columns = 0
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines or lines[0][0].upper() != "HIERARCHY":
        raise AssetError(f"{name}: begins with {one_line(text[:30])!r}, expected HIERARCHY")
    for number, words in enumerate(lines[1:], start=2):
        word = words[0].upper()
        current = stack[-1] if stack else None
        if word in ("ROOT", "JOINT") and len(words) > 1:
            parent = next((index for index in reversed(stack) if index is not None), -1)
            joints.append(Joint(" ".join(words[1:]), parent, np.zeros(3)))
            pending = len(joints) - 1
            if len(joints) > MAX_JOINTS:
                raise AssetError(f"{name}: more than {MAX_JOINTS} joints")
        elif word == "END":
            pending = None
        elif word == "{":
            stack.append(pending)
            if len(stack) > MAX_JOINTS:
                raise AssetError(f"{name}: line {number}: more than {MAX_JOINTS} braces within each other")
        elif word == "}" and stack:
            stack.pop()
        elif word == "OFFSET" and stack:
            offset = _numbers(name, number, words[1:], 3)
            if current is not None:
                joints[current].offset = offset
        elif word == "CHANNELS" and current is not None and not joints[current].channels:
            channels = tuple(each.capitalize() for each in words[2:])
            if words[1:2] != [str(len(channels))] or not set(channels) <= set(_CHANNELS) or len(channels) > 6:
                raise AssetError(f"{name}: line {number}: {one_line(words)[:60]!r}, expected a count and that "
                                 f"many of {', '.join(_CHANNELS)}")
            joints[current].channels, joints[current].first = channels, columns
            columns += len(channels)
        else:
            raise AssetError(f"{name}: line {number}: {one_line(' '.join(words))[:60]!r} is no part of a HIERARCHY")
    if stack or not joints:
        raise AssetError(f"{name}: the HIERARCHY {'ends within a joint' if stack else 'has no joint'}")
    return joints


def _numbers(name: str, line: int, words: list[str], count: int) -> np.ndarray:
    try:
        values = np.array([float(word) for word in words])
    except ValueError:
        values = np.zeros(0)
    if len(values) != count or not np.isfinite(values).all():
        raise AssetError(f"{name}: line {line}: {one_line(' '.join(words))[:60]!r}, expected {count} numbers")
    return values


def _motion(name: str, text: str, columns: int) -> tuple[np.ndarray, float]:
    """(T, columns) float64 and the seconds from frame to frame."""
    head = re.match(r"\s*Frames:\s*(\d{1,9})\s+Frame\s+Time:\s*(\S+)\s*?\n", text, re.IGNORECASE)
    if not head:
        raise AssetError(f"{name}: MOTION begins with {one_line(text[:60])!r}, expected Frames: and Frame Time:")
    frames = int(head.group(1))
    step = _numbers(name, 0, [head.group(2)], 1)[0]
    if not 1e-4 <= step <= 10:
        raise AssetError(f"{name}: Frame Time {step:g} seconds, expected 0.0001 to 10")
    if frames < 1 or frames * columns > MAX_VALUES:
        raise AssetError(f"{name}: {frames:,} frames of {columns} channels, expected 1 to {MAX_VALUES:,} numbers")
    try:
        values = np.array(text[head.end():].split(), np.float64)
    except ValueError as error:
        raise AssetError(f"{name}: MOTION: {one_line(error)[:80]}") from None
    if len(values) != frames * columns:
        raise AssetError(f"{name}: MOTION has {len(values):,} numbers, expected {frames:,} frames of {columns}")
    if not np.isfinite(values).all():
        frame = int(np.argmin(np.isfinite(values))) // columns
        raise AssetError(f"{name}: MOTION holds NaN or infinity in frame {frame}")
    return values.reshape(frames, columns), float(step)


def _find(joints: list[Joint], pattern: str) -> int | None:
    named = ((k, joint) for k, joint in enumerate(joints) if joint.channels)
    return next((k for k, joint in named if re.search(pattern, joint.name[:80].lower())), None)


def _chain(name: str, joints: list[Joint]) -> list[int]:
    """From the first neck joint to the head."""
    head = _find(joints, r"(^|[^a-z])head\d*$|^head|head$")
    neck = _find(joints, r"neck")
    if head is None and neck is None:
        raise AssetError(f"{name}: no joint called head or neck among "
                         f"{', '.join(one_line(joint.name)[:24] for joint in joints[:12])}")
    end, chain = head if head is not None else neck, []
    while end >= 0:
        chain.append(end)
        end = joints[end].parent
    necks = [k for k, index in enumerate(chain) if "neck" in joints[index].name.lower()]
    return chain[: (max(necks) if necks else 0) + 1][::-1]


def _upright(joints: list[Joint], head: int) -> Rotation:
    """The rotation of our axes (+X the subject's left, +Y up, +Z forward) to the skeleton's at rest."""
    def place(index: int) -> np.ndarray:
        total = np.zeros(3)
        while index >= 0:
            total, index = total + joints[index].offset, joints[index].parent
        return total

    up = place(head) - place(0)
    limbs = "(shoulder|arm|collar|hip|leg|thigh)"
    left, right = (_find(joints, rf"{side}.*{limbs}|^{side[0]}[_.]?{limbs}") for side in ("left", "right"))
    if np.linalg.norm(up) < 1e-6 or left is None or right is None:
        return Rotation.identity()
    across = place(left) - place(right)
    # Bones lean: the nearest axes are meant.
    y, x = (np.sign(v[np.abs(v).argmax()]) * np.eye(3)[np.abs(v).argmax()] for v in (up, across))
    return Rotation.identity() if abs(x @ y) > 0.5 else Rotation.from_matrix(np.stack([x, y, np.cross(x, y)], axis=1))


def _rotation(joint: Joint, values: np.ndarray) -> Rotation:
    """T rotations of a joint against its parent: its channels in their order, each about the turned axes."""
    turns = [(k, channel[0]) for k, channel in enumerate(joint.channels) if channel.endswith("rotation")]
    if not turns:
        return Rotation.identity(len(values))
    columns = [joint.first + k for k, _ in turns]
    total = Rotation.identity(len(values))
    for column, (_, axis) in zip(columns, turns, strict=True):
        total = total * Rotation.from_euler(axis, values[:, column, None], degrees=True)
    return total
