"""Head-model files in the layouts of FLAME and SMPL-X, checked before anything is computed from them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from assets.errors import AssetError


@dataclasses.dataclass(frozen=True)
class Layout:
    """What a family's files hold."""

    joints: int
    """Number of joints."""
    expression_start: tuple[int, ...]
    """Columns of ``shapedirs`` at which expressions may start, the first that fits is taken."""
    roles: dict[str, int]
    """Performance joint to model joint."""
    licence: str
    """Licence of the files."""
    pattern: tuple[str, ...]
    """File names looked for when a folder is given, in order."""
    eyeballs: tuple[tuple[int, int], tuple[int, int]] | None
    """First and last + 1 vertex of the left and the right eyeball, where they are known by number."""
    vertices: int | None
    """Number of vertices, where it is fixed."""


LAYOUTS = {
    "template": Layout(5, (300,), {"head": 0, "neck": 1, "jaw": 2, "left_eye": 3, "right_eye": 4}, "Apache-2.0",
                       ("*.npz",), None, None),
    "flame": Layout(5, (300, 100), {"head": 0, "neck": 1, "jaw": 2, "left_eye": 3, "right_eye": 4},
                    "FLAME model licence (2023 Open: CC-BY-4.0; earlier: MPI, non-commercial)",
                    ("*FLAME*.npz", "*FLAME*.pkl", "*flame*.npz", "*generic_model*.pkl", "*generic_model*.npz"),
                    ((3931, 4477), (4477, 5023)), 5023),
    "smplx": Layout(55, (300, 10), {"head": 12, "neck": 15, "jaw": 22, "left_eye": 23, "right_eye": 24},
                    "SMPL-X model licence (MPI, non-commercial)", ("*SMPLX*.npz", "*SMPLX*.pkl", "*smplx*.npz"),
                    ((9383, 9929), (9929, 10475)), 10475),
}
"""Families of head models. FLAME: Li et al. 2017; SMPL-X: Pavlakos et al. 2019. Eyeballs by number: both topologies end
with them."""


def find_file(family: str, path: Path) -> Path:
    """The model file that ``path`` names, or the best one in the folder that it names."""
    if not path.is_dir():
        return path
    for pattern in LAYOUTS[family].pattern:
        found = sorted(file for file in path.rglob(pattern) if "embedding" not in file.name)
        neutral = [file for file in found if "NEUTRAL" in file.name.upper() or "GENERIC" in file.name.upper()]
        if found:
            return (neutral or found)[0]
    raise AssetError(f"{path}: no {family} model file here, expected one of {', '.join(LAYOUTS[family].pattern)}")


def check_arrays(name: str, arrays: dict[str, np.ndarray], family: str) -> dict[str, np.ndarray]:
    """The arrays that skinning needs, in double-checked shapes and usual dtypes. ``name`` is the file, for errors."""
    layout = LAYOUTS[family]
    needed = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "kintree_table", "weights")
    for key in needed:
        if not isinstance(arrays.get(key), np.ndarray):
            raise AssetError(f"{name}: no array {key!r}; a {family} model has {', '.join(needed)}")
    n, joints = len(arrays["v_template"]) if arrays["v_template"].ndim else 0, layout.joints
    if layout.vertices not in (None, n):
        raise AssetError(f"{name}: v_template has {n} vertices, {family} has {layout.vertices}")
    columns = arrays["shapedirs"].shape[-1] if arrays["shapedirs"].ndim == 3 else 0
    shapes = {
        "v_template": (n, 3), "shapedirs": (n, 3, columns), "posedirs": (n, 3, 9 * (joints - 1)),
        "J_regressor": (joints, n), "kintree_table": (2, joints), "weights": (n, joints),
        "f": (len(arrays["f"]) if arrays["f"].ndim else 0, 3),
    }
    out = {}
    for key, shape in shapes.items():
        array = arrays[key]
        if array.shape != shape or 0 in shape:
            raise AssetError(f"{name}: {key} has shape {array.shape}, expected {_text(shape)}")
        kind = np.int64 if key in ("f", "kintree_table") else np.float32
        if array.dtype.kind not in "fiu" or not np.isfinite(array.astype(np.float64)).all():
            raise AssetError(f"{name}: {key} holds NaN, infinity or something that is no number")
        if array.dtype.kind == "f" and np.abs(array).max() > 1e6:
            raise AssetError(f"{name}: {key} holds values up to {np.abs(array).max():.3g}, expected metres and weights")
        out[key] = array.astype(kind)
    if out["f"].min() < 0 or out["f"].max() >= n:
        raise AssetError(f"{name}: f refers to vertices {out['f'].min()} to {out['f'].max()}, expected 0 to {n - 1}")
    out["parents"] = _parents(name, out.pop("kintree_table"))
    sums = out["weights"].sum(axis=1)
    if out["weights"].min() < -1e-3 or np.abs(sums - 1).max() > 1e-2:
        raise AssetError(f"{name}: weights rows sum to {sums.min():.3g} to {sums.max():.3g}, expected 1")
    return out


def _parents(name: str, table: np.ndarray) -> np.ndarray:
    parents = table[0].copy()
    parents[0] = -1  # files store 2^32 - 1 for the root
    for joint in range(1, len(parents)):
        if not 0 <= parents[joint] < joint:
            raise AssetError(f"{name}: kintree_table gives joint {joint} the parent {parents[joint]}, expected one of "
                             f"0 to {joint - 1} (a tree without cycles, parents first)")
    return parents


def _text(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(str(size) if size else "at least 1" for size in shape) + ")"
