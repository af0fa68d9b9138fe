"""The template, built at first use and kept in the cache, as a :class:`synth.heads.head.HeadModel`."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from assets.errors import AssetError
from assets.files import cache_dir, digest_file, one_line
from assets.pickles import load_model_arrays
from synth.heads.flame.layout import LAYOUTS, check_arrays
from synth.heads.head import HeadModel
from synth.heads.template import sampling
from synth.heads.template.expression import EXPRESSIONS
from synth.heads.template.identity import SHAPES
from synth.heads.template.model import (
    SHAPE_COLUMNS,
    arrays_digest,
    build_template,
    code_hash,
    read_template,
    write_template,
)
from synth.scene import MeshPart

MATERIALS = {"lips": "skin", "sclera": "eye", "gums": "teeth"}
"""Parts that share another one's material and its texture."""
ROLES = {"head": ((0, 1.0),), "neck": ((1, 1.0),), "jaw": ((2, 1.0),), "left_eye": ((3, 1.0),),
         "right_eye": ((4, 1.0),)}
"""Joints of FLAME's skeleton that a performance turns."""


def load_template(path: Path | None = None) -> HeadModel:
    """The template; from a file that ``write_template`` wrote if ``path`` is given."""
    if path is not None:
        file = path if path.is_file() else next(iter(sorted(path.glob("*.npz"))), path)
        return assemble(one_line(file), load_model_arrays(file), digest_file(file))
    file = cache_dir() / "heads" / f"template-{code_hash()}.npz"
    arrays = read_template(file)
    if arrays is None:
        arrays = build_template()
        with contextlib.suppress(AssetError):  # no room or no right to write: the cache only saves seconds
            write_template(file, arrays)
    return assemble(file.name, arrays, arrays_digest(arrays))


def assemble(name: str, arrays: dict, digest: str) -> HeadModel:
    """A head model from the template's arrays; ``name`` is the file's, for errors."""
    checked = check_arrays(name, arrays, "template")
    columns = checked["shapedirs"].shape[2]
    if columns < SHAPE_COLUMNS + len(EXPRESSIONS):
        raise AssetError(f"{name}: shapedirs has {columns} columns, expected at least "
                         f"{SHAPE_COLUMNS + len(EXPRESSIONS)}")
    shapes = checked["shapedirs"][:, :, : len(SHAPES)]
    expressions = checked["shapedirs"][:, :, SHAPE_COLUMNS : SHAPE_COLUMNS + len(EXPRESSIONS)]
    parts = _parts(name, arrays, checked["f"], len(checked["v_template"]))
    return HeadModel(
        family="template", licence=LAYOUTS["template"].licence, source_hash=digest, parts=parts,
        expressions=EXPRESSIONS, neutral=checked["v_template"],
        canonical=checked["v_template"] * np.float32(1000), mirror=arrays["mirror"].astype(np.int32), roles=ROLES,
        eyeballs=eyeballs(parts),
        arrays={
            "shape_directions": np.ascontiguousarray(shapes),
            "expression_directions": np.ascontiguousarray(expressions),
            "posedirs": np.ascontiguousarray(checked["posedirs"].reshape(-1, 36).T),
            "J_regressor": checked["J_regressor"], "weights": checked["weights"], "parents": checked["parents"],
        },
        draw=sampling.sample_identity, droop=sampling.lid_droop,
    )


def eyeballs(parts: tuple[MeshPart, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of the left and the right eyeball, from the parts that make them."""
    names = ("sclera", "iris", "cornea")
    sides = (np.concatenate([part.vertex_map for part in parts if part.name in [f"{side}_{name}" for name in names]])
             for side in ("left", "right"))
    left, right = (np.unique(side) for side in sides)
    return left, right


def _parts(name: str, arrays: dict, faces: np.ndarray, count: int) -> tuple[MeshPart, ...]:
    owner, names, uv = arrays["part_of_face"], [str(text) for text in arrays["part_names"]], arrays["uv"]
    if owner.shape != (len(faces),) or uv.shape != (count, 2) or owner.max() >= len(names):
        raise AssetError(f"{name}: part_of_face {owner.shape} or uv {uv.shape} do not fit the model's mesh")
    return tuple(make_part(part, faces[owner == k], uv) for k, part in enumerate(names))


def make_part(name: str, faces: np.ndarray, uv: np.ndarray) -> MeshPart:
    """A part from model faces (F, 3) and one UV (N, 2) for each model vertex."""
    vertex_map, local = np.unique(faces, return_inverse=True)
    label = name.removeprefix("left_").removeprefix("right_")
    return MeshPart(name, vertex_map.astype(np.int32), local.reshape(-1, 3).astype(np.int32),
                    np.ascontiguousarray(uv[vertex_map], np.float32), MATERIALS.get(label, label))
