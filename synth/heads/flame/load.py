"""FLAME and SMPL-X files as a :class:`synth.heads.head.HeadModel`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from assets.files import digest_file, one_line
from assets.pickles import load_model_arrays
from synth.heads.canonical import canonical
from synth.heads.flame.layout import LAYOUTS, check_arrays, find_file
from synth.heads.flame.parts import make_parts
from synth.heads.head import HeadModel, Identity


def load_flame(family: str, path: Path) -> HeadModel:
    """The model in a file, or in a folder of files, of ``flame`` or ``smplx``."""
    file = find_file(family, path)
    layout = LAYOUTS[family]
    checked = check_arrays(one_line(file), load_model_arrays(file), family)
    columns = checked["shapedirs"].shape[2]
    start = next((at for at in layout.expression_start if at < columns), columns)
    shapes, native = checked["shapedirs"][:, :, :start], checked["shapedirs"][:, :, start:]
    joints = len(checked["parents"])
    neutral = checked["v_template"]
    centres = [0.5 * (neutral[a:b].min(axis=0) + neutral[a:b].max(axis=0)) for a, b in layout.eyeballs]
    return HeadModel(
        family=family, licence=layout.licence, source_hash=digest_file(file),
        parts=make_parts(family, checked), units=(), expressions=(),
        neutral=neutral, canonical=canonical(neutral, {"left_eye": centres[0], "right_eye": centres[1]}), mirror=None,
        roles={role: ((joint, 1.0),) for role, joint in layout.roles.items()},
        eyeballs=tuple(np.arange(a, b) for a, b in layout.eyeballs),
        arrays={
            "shape_directions": np.ascontiguousarray(shapes),
            "expression_directions": np.zeros((*neutral.shape, 0), np.float32),
            "posedirs": np.ascontiguousarray(checked["posedirs"].reshape(-1, 9 * (joints - 1)).T),
            "J_regressor": checked["J_regressor"], "weights": checked["weights"], "parents": checked["parents"],
        },
        draw=lambda rng: Identity(_sample_shape(rng, start)), native=np.ascontiguousarray(native),
    )


def _sample_shape(rng: np.random.Generator, count: int) -> np.ndarray:
    shape = np.zeros(count, np.float32)
    used = min(count, 40)  # what follows is detail that random draws turn into noise
    shape[:used] = np.clip(rng.normal(size=used), -2.2, 2.2) * 0.9
    return shape
