"""A performance: what a face does over time, in anatomical units that any head model can be driven by."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

ACTION_UNITS: dict[str, str] = {
    "AU1": "inner brow raiser",
    "AU2": "outer brow raiser",
    "AU4": "brow lowerer",
    "AU5": "upper lid raiser",
    "AU6": "cheek raiser",
    "AU7": "lid tightener",
    "AU8": "lips towards each other (closes them over an open jaw)",
    "AU9": "nose wrinkler",
    "AU10": "upper lip raiser",
    "AU11": "nasolabial deepener",
    "AU12": "lip corner puller",
    "AU13": "sharp lip puller",
    "AU14": "dimpler",
    "AU15": "lip corner depressor",
    "AU16": "lower lip depressor",
    "AU17": "chin raiser",
    "AU18": "lip pucker",
    "AU19": "tongue show",
    "AU20": "lip stretcher",
    "AU21": "neck tightener",
    "AU22": "lip funneler",
    "AU23": "lip tightener",
    "AU24": "lip pressor",
    "AU25": "lips part",
    "AU26": "jaw drop (the lips' share of it; the mandible itself is ``Performance.jaw``)",
    "AU28": "lips suck",
    "AU29": "jaw thrust",
    "AU30": "mouth sideways (_L to the subject's left; the mandible itself is ``Performance.jaw``)",
    "AU31": "jaw clencher",
    "AU34": "cheek puff",
    "AU35": "cheek suck",
    "AU38": "nostril dilator",
    "AU39": "nostril compressor",
    "AU45": "blink (1 is shut)",
}
"""The action units of the Facial Action Coding System (Ekman, Friesen & Hager 2002) that a performance may use."""

POSES = ("head", "neck", "jaw", "left_eye", "right_eye")
"""The joints that a performance rotates."""


@dataclasses.dataclass(frozen=True)
class Performance:
    """Action units and joint rotations of T frames. Left is the subject's own left, +X.

    Rotation vectors are radians in the head frame (+X to the subject's left, +Y up, +Z out of the face). Positive X
    nods head and neck down, opens the jaw and lowers the gaze; positive Y turns towards the subject's left; positive Z
    tilts the crown towards the subject's right. Zero is the rest pose: facing +Z, mouth shut, eyes straight ahead.
    ``neck`` turns the head against the torso, ``head`` turns neck and head together; eyes turn within the head.
    """

    fps: float
    """Frames a second."""
    units: Mapping[str, np.ndarray]
    """``AU12`` (both sides) or ``AU12_L`` / ``AU12_R`` to its activation: (T,) float32 in [0, 1]. Absent ones are 0."""
    head: np.ndarray
    """(T, 3) float32 rotation vectors of the whole head and neck, radians."""
    neck: np.ndarray
    """(T, 3) float32 rotation vectors of the head on its neck, radians."""
    jaw: np.ndarray
    """(T, 3) float32 rotation vectors of the mandible, radians."""
    left_eye: np.ndarray
    """(T, 3) float32 rotation vectors of the eyeball on the subject's left, radians."""
    right_eye: np.ndarray
    """(T, 3) float32 rotation vectors of the eyeball on the subject's right, radians."""
    translation: np.ndarray
    """(T, 3) float32 displacement of the head, metres, world axes."""
    flame: np.ndarray | None = None
    """(T, E) float32 coefficients of FLAME's own expressions, from a track: added on the ``flame`` family alone."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise ValueError(f"fps: {self.fps!r}, expected a positive number of frames a second")
        frames = len(self.head)
        if frames == 0:
            raise ValueError("head: 0 frames, expected at least 1")
        for name in (*POSES, "translation"):
            _check(name, getattr(self, name), (frames, 3))
        if self.flame is not None:
            _check("flame", self.flame, (frames, self.flame.shape[-1]))
        for name, curve in self.units.items():
            _, _, side = name.partition("_")
            base = base_unit(name)
            if base not in ACTION_UNITS or (side not in ("L", "R") and name != base):
                known = ", ".join(ACTION_UNITS)
                raise ValueError(f"units: {name!r} is not one of {known}, or one of these with _L or _R")
            if side and base in self.units:
                raise ValueError(f"units: both {base!r} and {name!r}; give the unit for both sides or for each side")
            _check(f"units[{name!r}]", curve, (frames,))
            if curve.min() < 0 or curve.max() > 1:
                raise ValueError(f"units[{name!r}]: values in [{curve.min():g}, {curve.max():g}], expected [0, 1]")

    @property
    def frames(self) -> int:
        """Number of frames T."""
        return len(self.head)

    def unit(self, base: str) -> tuple[np.ndarray, np.ndarray]:
        """Left and right activation of an action unit such as ``AU12``: two (T,) float32 arrays in [0, 1]."""
        if base not in ACTION_UNITS:
            raise KeyError(f"unit: {base!r} is not one of {', '.join(ACTION_UNITS)}")
        none = np.zeros(self.frames, np.float32)
        both = self.units.get(base, none)
        return self.units.get(f"{base}_L", both), self.units.get(f"{base}_R", both)

    def window(self, start: int, frames: int) -> Performance:
        """Frames ``start`` to ``start + frames`` as a performance of their own."""
        if start < 0 or frames < 1 or start + frames > self.frames:
            raise ValueError(f"window: frames {start} to {start + frames}, expected a part of 0 to {self.frames}")
        part = slice(start, start + frames)
        arrays = {name: getattr(self, name)[part] for name in (*POSES, "translation")}
        flame = None if self.flame is None else self.flame[part]
        return Performance(self.fps, {name: curve[part] for name, curve in self.units.items()}, **arrays, flame=flame)


def neutral(frames: int, fps: float) -> Performance:
    """A face at rest for ``frames`` frames."""
    still = {name: np.zeros((frames, 3), np.float32) for name in (*POSES, "translation")}
    return Performance(fps, {}, **still)


def base_unit(name: str) -> str:
    """The action unit of a possibly one-sided name: ``AU12_L`` gives ``AU12``."""
    return name.partition("_")[0]


def _check(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != np.float32 or array.shape != shape:
        got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ValueError(f"{name}: {got}, expected a float32 array of shape {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: holds NaN or infinity")
