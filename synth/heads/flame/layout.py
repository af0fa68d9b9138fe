"""Head-model files in the layouts of FLAME and SMPL-X, checked before anything is computed from them."""

from __future__ import annotations

import dataclasses
import fnmatch
import heapq
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from assets.errors import AssetError
from assets.files import one_line


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
                    ("FLAME_NEUTRAL.*", "generic_model.*", "flame2023.*", "flame2023_no_jaw.*", "FLAME_MALE.*",
                     "FLAME_FEMALE.*", "male_model.*", "female_model.*", "*flame*", "*FLAME*", "*model*"),
                    ((3931, 4477), (4477, 5023)), 5023),
    "smplx": Layout(55, (300, 10), {"head": 12, "neck": 15, "jaw": 22, "left_eye": 23, "right_eye": 24},
                    "SMPL-X model licence (MPI, non-commercial)",
                    ("SMPLX_NEUTRAL.*", "SMPLX_NEUTRAL*", "SMPLX_MALE.*", "SMPLX_FEMALE.*", "*SMPLX*", "*smplx*"),
                    ((9383, 9929), (9929, 10475)), 10475),
}
"""Families of head models. FLAME: Li et al. 2017; SMPL-X: Pavlakos et al. 2019. Eyeballs by number: both topologies end
with them."""
NEEDED = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "kintree_table", "weights")
"""Arrays without which there is no model."""
_NOT_MODELS = ("embedding", "texture", "albedo", "masks", "mano", "vposer", "uv")
"""What the names of files hold that lie beside a model."""
_MOST_FACES = 100_000
_MOST_FILES = 2000
"""Files of a folder that are told apart."""


def find_file(family: str, path: Path) -> Path:
    """The model file that ``path`` names, or the best one in the folder that it names."""
    if not path.is_dir():
        return path
    for file in candidates(family, path):
        return file
    raise AssetError(f"{one_line(path)}: no {family} model file here, expected one of "
                     f"{', '.join(LAYOUTS[family].pattern)} (.pkl or .npz)")


def candidates(family: str, folder: Path) -> list[Path]:
    """Files in ``folder`` and below it whose names are those of a family's models, the likeliest first."""
    foreign, patterns = (*_NOT_MODELS, "smpl" if family == "flame" else "flame"), LAYOUTS[family].pattern
    named = (file for file in folder.rglob("*") if file.suffix in (".pkl", ".npz")
             and not any(word in file.name.lower() for word in foreign)
             and any(fnmatch.fnmatchcase(file.name, pattern) for pattern in patterns))
    # The order of a folder differs from machine to machine, that of names doesn't.
    files = heapq.nsmallest(_MOST_FILES, named, key=lambda file: (len(file.parts), str(file)))
    return list(dict.fromkeys(file for pattern in patterns for file in files
                              if fnmatch.fnmatchcase(file.name, pattern)))


def check_arrays(name: str, arrays: dict[str, np.ndarray], family: str) -> dict[str, np.ndarray]:
    """The arrays that skinning needs, in double-checked shapes and usual dtypes. ``name`` is the file, for errors."""
    for problem in array_problems(arrays, family):
        raise AssetError(f"{name}: {problem}")
    out = {key: arrays[key].astype(np.int64 if key in ("f", "kintree_table") else np.float32) for key in NEEDED}
    out["parents"] = _parents(out.pop("kintree_table"))
    return out


def array_problems(arrays: dict[str, np.ndarray], family: str) -> Iterator[str]:
    """What is wrong with a model's arrays, one line each: which, what it was, what it may be."""
    layout = LAYOUTS[family]
    there = {key: arrays[key] for key in NEEDED if isinstance(arrays.get(key), np.ndarray)}
    count = len(there["v_template"]) if "v_template" in there and there["v_template"].ndim else 0
    twin = next((other for other, its in LAYOUTS.items() if its.vertices == count and other != family and count), None)
    if layout.vertices is not None and twin is not None:
        yield f"v_template has {count} vertices: this is a {twin} model, not {family}, which has {layout.vertices}"
        return
    for key in NEEDED:
        if key not in there:
            yield f"no array {key!r}; a {family} model has {', '.join(NEEDED)}"
    if "v_template" in there and layout.vertices not in (None, count):
        yield f"v_template has {count} vertices, {family} has {layout.vertices}"
    for key, shape in _shapes(layout, there, layout.vertices or count).items():
        if key in there and (there[key].shape != shape or 0 in shape):
            if not (key == "v_template" and layout.vertices not in (None, count)):
                yield f"{key} has shape {there[key].shape}, expected {_text(shape)}"
            continue
        if key in there:
            yield from _value_problems(key, there[key], layout.vertices or count)


def form_problems(vertices: np.ndarray, faces: np.ndarray, family: str) -> Iterator[str]:
    """What is wrong with a head's form, one line each: the eyeballs where the topology has them, level, left at +X."""
    balls = [vertices[a:b] for a, b in LAYOUTS[family].eyeballs]
    size = np.array([np.ptp(ball, axis=0) for ball in balls])
    left, right = (0.5 * (ball.min(axis=0) + ball.max(axis=0)) for ball in balls)
    apart = float(np.linalg.norm(left - right))
    if size.max() > 0.06 or size.min() < 0.012 or not 0.035 < apart < 0.1:
        yield (f"v_template: the vertices that are eyeballs in {family} are {size.max() * 1000:.0f} mm large and "
               f"{apart * 1000:.0f} mm apart: vertices in another order, or not in metres")
    elif (left - right)[0] < 0.8 * apart:
        yield "v_template does not face +Z with +Y up: the left eye is not at +X of the right one"
    skin = faces[(faces < min(a for a, _ in LAYOUTS[family].eyeballs)).all(axis=1)]
    corners = vertices[skin]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    if (area > 1e-10).sum() < 500:
        yield f"f has {(area > 1e-10).sum()} faces of skin with an area, expected thousands"


def _shapes(layout: Layout, there: dict[str, np.ndarray], n: int) -> dict[str, tuple[int, ...]]:
    """What shape each array must have; free sizes are the array's own."""
    shapes = there.get("shapedirs", np.zeros(0))
    faces = there.get("f", np.zeros(()))
    return {
        "v_template": (n, 3), "shapedirs": (n, 3, shapes.shape[-1] if shapes.ndim == 3 else 0),
        "posedirs": (n, 3, 9 * (layout.joints - 1)), "J_regressor": (layout.joints, n),
        "kintree_table": (2, layout.joints), "weights": (n, layout.joints),
        "f": (len(faces) if faces.ndim else 0, 3),
    }


def _value_problems(key: str, array: np.ndarray, count: int) -> Iterator[str]:
    if array.dtype.kind not in "fiu":
        yield f"{key} holds {array.dtype}, expected numbers"
        return
    broken = ~np.isfinite(array) if array.dtype.kind == "f" else np.zeros(1, bool)
    if broken.any():
        where = ", ".join(str(k) for k in np.argwhere(broken)[0])
        yield f"{key} holds NaN or infinity ({broken.sum():,} of {array.size:,} values, the first at [{where}])"
        return
    if array.dtype.kind == "f" and np.abs(array).max() > 1e6:
        yield f"{key} holds values up to {np.abs(array).max():.3g}, expected metres and weights"
    elif key == "v_template":
        height = float(np.ptp(array[:, 1]))
        if not 0.1 <= height <= 4:
            yield f"v_template is {height:.3g} high, expected metres (a head 0.2 to 0.4, a body 1.5 to 2)"
    elif key == "f" and len(array) > _MOST_FACES:
        yield f"f has {len(array):,} faces, expected at most {_MOST_FACES:,}"
    elif key == "f" and (array.min() < 0 or array.max() >= count):
        yield f"f refers to vertices {array.min()} to {array.max()}, expected 0 to {count - 1}"
    elif key in ("weights", "J_regressor"):
        sums = array.sum(axis=1, dtype=np.float64)
        if (key == "weights" and array.min() < -1e-3) or np.abs(sums - 1).max() > 1e-2:
            yield f"{key} rows sum to {sums.min():.3g} to {sums.max():.3g}, expected 1 each"
    elif key == "kintree_table":
        parents = _parents(array.astype(np.int64))
        for joint in range(1, len(parents)):
            if not 0 <= parents[joint] < joint:
                yield (f"kintree_table gives joint {joint} the parent {parents[joint]}, expected one of 0 to "
                       f"{joint - 1} (a tree without cycles, parents first)")


def _parents(table: np.ndarray) -> np.ndarray:
    parents = table[0].copy()
    parents[0] = -1  # files store 2^32 - 1 for the root
    return parents


def _text(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(str(size) if size else "at least 1" for size in shape) + ")"
