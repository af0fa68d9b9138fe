"""MakeHuman's face by action units: its expression targets, its pose units on 163 bones, and lids round the eyeball."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from assets.makehuman.targets import read_target
from synth.heads.canonical import LANDMARKS
from synth.heads.driver import EXPRESSIONS, LIDS
from synth.heads.makehuman.base import METRES, VERTICES, BaseMesh
from synth.heads.makehuman.identity import ANCESTRIES
from synth.heads.makehuman.lids import lid_motion
from synth.heads.makehuman.rig import JOINTS, Rig
from synth.heads.template.sculpt import smoothstep

RECIPES: dict[str, dict[str, float]] = {
    "AU1": {"eyebrows-left-inner-up": 1.2, "LeftInnerBrowUp": 0.3},
    "AU2": {"eyebrows-left-extern-up": 1.1, "LeftOuterBrowUp": 0.3},
    "AU4": {"eyebrows-left-down": 1.0, "LeftBrowDown": 0.35, "NoseWrinkler": 0.2},
    "AU6": {"LeftCheekUp": 1.0},
    "AU9": {"nose-left-elevation": 1.0, "NoseWrinkler": 0.45},
    "AU10": {"mouth-elevation": 0.6, "nose-left-elevation": 0.3},
    "AU11": {"NasolabialDeepener": 1.0},
    "AU12": {"mouth-corner-puller": 1.0},
    "AU13": {"MouthLeftPullUp": 0.55},
    "AU14": {"MouthLeftPullSide": 0.7, "mouth-compression": 0.25},
    "AU15": {"MouthLeftPullDown": 0.8, "mouth-depression": 0.3},
    "AU16": {"lowerLipDown": 0.6},
    "AU17": {"lowerLipUp": 0.9, "mouth-depression": 0.2},
    "AU18": {"mouth-pursing": 0.9},
    "AU19": {"TongueOut": 1.0, "lowerLipDown": 0.45},
    "AU20": {"mouth-retraction": 0.9},
    "AU21": {"neck-platysma": 1.0},
    "AU22": {"mouth-protusion": 0.8},
    "AU23": {"UpperLipBackward": 0.3, "lowerLipBackward": 0.3, "mouth-pursing": 0.25},
    "AU24": {"mouth-compression": 0.3, "lowerLipUp": 0.4, "lowerLipBackward": 0.15},
    "AU25": {"mouth-parling": 1.0},
    "AU26": {"JawDrop": 0.8},
    "AU28": {"UpperLipBackward": 0.8, "lowerLipBackward": 0.8},
    "AU29": {"ChinForward": 1.0},
    "AU30": {"MouthMoveLeft": 0.7, "ChinLeft": 0.8},
    "AU34": {"CheeksPump": 0.6},
    "AU35": {"CheeksSuck": 1.0},
    "AU38": {"nose-left-dilatation": 1.0},
    "AU39": {"nose-compression": 1.0},
}
"""The left side of each unit: expression targets (named with -) and pose units, with strengths chosen by eye."""
_WHOLE = ("AU30",)
"""Units whose sides are directions of the whole mouth rather than halves of it."""
_AROUND_EYES = ("AU1", "AU2", "AU4", "AU6", "AU9")
"""Units that could push lids into eyeballs."""
NAMES = tuple(name for name in EXPRESSIONS if name.partition("_")[0] in (*RECIPES, "AU8", "AU31")
              or name.rpartition("_")[0] in LIDS)
"""Names of the expression directions."""


def expression_basis(folder: Path, base: BaseMesh, rig: Rig, neutral: np.ndarray, canonical: np.ndarray,
                     mirror: np.ndarray) -> np.ndarray:
    """(N, 3, E) float32 metres on ``neutral`` (N, 3), in the order of ``NAMES``. canonical: (N, 3) mm."""
    left = {unit: _mixed(folder, rig, neutral, recipe) for unit, recipe in RECIPES.items()}
    left["AU8"] = _closing(rig, neutral, canonical)
    left["AU31"] = _clenching(canonical)
    left["AU21"] *= smoothstep(-100, -122, canonical[:, 1:2])
    half = smoothstep(-9, 9, canonical[:, :1])
    from_eye = np.stack([np.abs(canonical[:, 0]), *canonical[:, 1:].T], axis=1) - LANDMARKS["eye"]
    clear = smoothstep(17.5, 24, np.linalg.norm(from_eye, axis=1))
    for unit, field in left.items():
        if unit not in _WHOLE:
            field *= half
        if unit in _AROUND_EYES:
            field *= clear[:, None]
    left |= lid_motion(base, neutral)
    out = np.empty((*neutral.shape, len(NAMES)), np.float32)
    for k, name in enumerate(NAMES):
        unit, _, side = name.rpartition("_")
        out[:, :, k] = left[unit] if side == "L" else left[unit][mirror] * (-1, 1, 1)
    return out


def _mixed(folder: Path, rig: Rig, neutral: np.ndarray, recipe: dict[str, float]) -> np.ndarray:
    total = np.zeros(neutral.shape, np.float32)
    for source, strength in recipe.items():
        if source in rig.poses:
            # What the jaw itself does is Performance.jaw's.
            total += np.float32(strength) * rig.pose(neutral, source, without=("jaw",) if source == "JawDrop" else ())
        else:
            files = [folder / "targets" / "expression" / "units" / name / f"{source}.target" for name in ANCESTRIES]
            total += np.float32(strength * METRES) * np.mean([read_target(file, VERTICES).dense(VERTICES)
                                                              for file in files], axis=0)
    return total


def _closing(rig: Rig, neutral: np.ndarray, canonical: np.ndarray) -> np.ndarray:
    """AU8: what takes the lower lip back where it was when the jaw opens by 0.15 rad."""
    opened = Rotation.from_rotvec([0.15, 0, 0]).as_matrix()
    joint = (rig.regressor() @ neutral)[JOINTS.index("jaw")]
    away = (neutral - joint) @ (opened - np.eye(3)).T * rig.folded()[:, JOINTS.index("jaw"), None]
    lip = np.exp(-np.square((canonical - (0, -72, 95)) / (34, 15, 30)).sum(axis=1))
    return (-lip[:, None] * away).astype(np.float32)


def _clenching(canonical: np.ndarray) -> np.ndarray:
    """AU31: the masseter's bulge before the angle of the jaw."""
    belly = np.exp(-np.square((canonical - (55, -55, 28)) / (14, 20, 16)).sum(axis=1))
    return (belly[:, None] * np.float32([0.002, 0, 0.0003])).astype(np.float32)
