"""ARKit's 52 blendshapes and Live Link Face's head and eyes, to and from performances."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.spatial.transform import Rotation

from synth.motion.performance import Performance

JAW_OPEN, JAW_ASIDE = np.radians(20.0), np.radians(7.0)
"""Rotation of the mandible at ``jawOpen`` = 1, and at ``jawLeft`` or ``jawRight`` = 1, radians."""
EYE_SIDE, EYE_UP = np.radians(30.0), np.radians(25.0)
"""Rotation of an eye at ``eyeLookIn`` or ``eyeLookOut`` = 1, and at ``eyeLookUp`` or ``eyeLookDown`` = 1, radians."""
NECK_SHARE = 0.7
"""Share of the head's rotation in the neck's joint; the rest turns neck and head together."""

_SIDED = {"eyeBlink": "AU45", "eyeSquint": "AU7", "eyeWide": "AU5", "mouthSmile": "AU12", "mouthFrown": "AU15",
          "mouthDimple": "AU14", "mouthStretch": "AU20", "mouthPress": "AU24", "mouthLowerDown": "AU16",
          "mouthUpperUp": "AU10", "browDown": "AU4", "browOuterUp": "AU2", "cheekSquint": "AU6", "noseSneer": "AU9"}
UNITS: dict[str, str] = {
    **{f"{name}{side}": f"{unit}_{side[0]}" for name, unit in _SIDED.items() for side in ("Left", "Right")},
    "browInnerUp": "AU1", "cheekPuff": "AU34", "jawForward": "AU29", "mouthClose": "AU8", "mouthFunnel": "AU22",
    "mouthPucker": "AU18", "mouthLeft": "AU30_L", "mouthRight": "AU30_R", "mouthShrugLower": "AU17",
    "tongueOut": "AU19",
}
"""Blendshapes that are one action unit each."""
SHARED: dict[str, str] = {"mouthRollLower": "AU28", "mouthRollUpper": "AU28", "mouthShrugUpper": "AU17"}
"""Blendshapes that share a unit: the stronger one counts, and on the way back each gets all of it, ``mouthShrugUpper``
none (``mouthShrugLower`` has it)."""
ROTATIONS = ("jawOpen", "jawLeft", "jawRight",
             *(f"eyeLook{way}{side}" for way in ("Up", "Down", "In", "Out") for side in ("Left", "Right")))
"""Blendshapes that are rotations of the mandible and of the eyes."""
BLENDSHAPES = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft",
    "eyeWideLeft", "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight", "jawForward", "jawRight", "jawLeft", "jawOpen", "mouthClose", "mouthFunnel",
    "mouthPucker", "mouthRight", "mouthLeft", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft",
    "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft", "browDownRight", "browInnerUp",
    "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft",
    "noseSneerRight", "tongueOut",
)
"""All 52, in Live Link Face's order."""
ANGLES = ("headYaw", "headPitch", "headRoll", "leftEyeYaw", "leftEyePitch", "leftEyeRoll", "rightEyeYaw",
          "rightEyePitch", "rightEyeRoll")
"""What Live Link Face adds: radians about ARKit's axes, which are ours: yaw to the subject's left, pitch down, roll
with the crown to the subject's right."""


def from_arkit(curves: Mapping[str, np.ndarray], fps: float) -> Performance:
    """A performance from curves by blendshape name, and ``ANGLES``: (T,) each, blendshapes clipped to [0, 1].

    Absent ones are 0. The lips' part in an open jaw (AU26) goes along with ``jawOpen`` less ``mouthClose``.
    """
    unknown = sorted(set(curves) - set(BLENDSHAPES) - set(ANGLES))
    if unknown or not curves:
        raise ValueError(f"curves: {unknown[0] if unknown else 'none'!r}, expected ARKit's blendshapes, as "
                         f"{BLENDSHAPES[0]}, or {', '.join(ANGLES)}")
    frames = len(next(iter(curves.values())))
    angle = {name: np.asarray(curves.get(name, np.zeros(frames)), float) for name in ANGLES}
    shape = {name: np.clip(np.asarray(curves.get(name, np.zeros(frames)), float), 0, 1) for name in BLENDSHAPES}
    units: dict[str, np.ndarray] = {}
    for name, unit in (UNITS | SHARED).items():
        units[unit] = np.maximum(units.get(unit, 0.0), shape[name])
    units["AU26"] = 0.5 * np.maximum(shape["jawOpen"] - shape["mouthClose"], 0)
    jaw = np.stack([JAW_OPEN * shape["jawOpen"], JAW_ASIDE * (shape["jawLeft"] - shape["jawRight"]),
                    np.zeros(frames)], axis=1)
    head = _turned(angle["headPitch"], angle["headYaw"], angle["headRoll"])
    return Performance(
        fps=float(fps), units={name: curve.astype(np.float32) for name, curve in units.items() if curve.any()},
        head=((1 - NECK_SHARE) * head).astype(np.float32), neck=(NECK_SHARE * head).astype(np.float32),
        jaw=jaw.astype(np.float32), left_eye=_eye(shape, angle, "Left").astype(np.float32),
        right_eye=_eye(shape, angle, "Right").astype(np.float32), translation=np.zeros((frames, 3), np.float32),
    )


def to_arkit(performance: Performance) -> dict[str, np.ndarray]:
    """Every blendshape, (T,) float32 in [0, 1], and every angle, (T,) float32 radians, of a performance.

    Units that ARKit lacks (AU11, AU13, AU21, AU23, AU25, AU31, AU35, AU38, AU39) are left out.
    """
    out: dict[str, np.ndarray] = {}
    for name, unit in (UNITS | SHARED).items():
        base, _, side = unit.partition("_")
        left, right = performance.unit(base)
        out[name] = {"L": left, "R": right}.get(side, 0.5 * (left + right))
    out["mouthShrugUpper"] = np.zeros(performance.frames)
    jaw = performance.jaw.astype(float)
    out["jawOpen"] = jaw[:, 0] / JAW_OPEN
    out["jawLeft"], out["jawRight"] = jaw[:, 1] / JAW_ASIDE, -jaw[:, 1] / JAW_ASIDE
    for side, eye, inward in (("Left", performance.left_eye, -1), ("Right", performance.right_eye, 1)):
        pitch, yaw, _ = _angles(Rotation.from_rotvec(eye))
        out[f"eyeLookDown{side}"], out[f"eyeLookUp{side}"] = pitch / EYE_UP, -pitch / EYE_UP
        out[f"eyeLookIn{side}"], out[f"eyeLookOut{side}"] = inward * yaw / EYE_SIDE, -inward * yaw / EYE_SIDE
        names = (f"{side.lower()}Eye{axis}" for axis in ("Pitch", "Yaw", "Roll"))
        out |= dict(zip(names, _angles(Rotation.from_rotvec(eye)), strict=True))
    head = Rotation.from_rotvec(performance.head) * Rotation.from_rotvec(performance.neck)
    out |= dict(zip(("headPitch", "headYaw", "headRoll"), _angles(head), strict=True))
    return {name: (out[name] if name in ANGLES else np.clip(out[name], 0, 1)).astype(np.float32)
            for name in (*BLENDSHAPES, *ANGLES)}


def _eye(shape: Mapping[str, np.ndarray], angle: Mapping[str, np.ndarray], side: str) -> np.ndarray:
    """(T, 3) rotation vectors of one eye: from its blendshapes, or from its angles where those say nothing."""
    inward = -1 if side == "Left" else 1  # towards the nose is the subject's right for the left eye
    yaw = EYE_SIDE * inward * (shape[f"eyeLookIn{side}"] - shape[f"eyeLookOut{side}"])
    pitch = EYE_UP * (shape[f"eyeLookDown{side}"] - shape[f"eyeLookUp{side}"])
    if not (yaw.any() or pitch.any()):
        yaw, pitch = angle[f"{side.lower()}EyeYaw"], angle[f"{side.lower()}EyePitch"]
    return _turned(pitch, yaw, np.zeros(len(yaw)))


def _turned(pitch: np.ndarray, yaw: np.ndarray, roll: np.ndarray) -> np.ndarray:
    return Rotation.from_euler("YXZ", np.stack([yaw, pitch, roll], axis=1)).as_rotvec()


def _angles(rotation: Rotation) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pitch, yaw and roll (T,) each, radians."""
    yaw, pitch, roll = rotation.as_euler("YXZ").T
    return pitch, yaw, roll
