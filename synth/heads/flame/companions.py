"""Files that their authors publish beside a model: texture coordinates and landmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from assets.errors import AssetError
from assets.files import check_regular_file, one_line
from assets.npz_members import npz_shapes, read_npz_member
from assets.pickles import load_model_arrays

UV_FILES = {
    "flame": ("head_template.obj", "head_template_mesh.obj", "FLAME_texture.npz",
              "albedoModel2020_FLAME_albedoPart.npz", "FLAME_albedo_from_BFM.npz"),
    "smplx": ("smplx_uv.obj", "smplx_uv_2021.obj"),
}
"""Where texture coordinates are looked for, in order."""
EMBEDDINGS = {"flame": ("flame_static_embedding.pkl", "landmark_embedding.npy"), "smplx": ()}
"""Where 51 static landmarks are looked for. FLAME's count FLAME's faces: SMPL-X files hold their own."""
ALBEDO_FILES = {
    "flame": ("albedoModel2020_FLAME_albedoPart.npz", "FLAME_texture.npz", "FLAME_albedo_from_BFM.npz"),
    "smplx": (),
}
"""Where albedo models are looked for, the best calibrated first. They are painted on FLAME's texture coordinates, and
SMPL-X has others."""
_OBJ_BYTES = 32 << 20


def beside(model: Path, names: tuple[str, ...]) -> Path | None:
    """The first file of these names in the model's folder, one below it or the one above it."""
    for name in names:
        for found in (model.parent / name, *sorted(model.parent.glob(f"*/{name}")), model.parent.parent / name):
            if found.is_file():
                return found
    return None


def texture_coordinates(family: str, model: Path, arrays: dict[str, np.ndarray],
                        faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, Path] | None:
    """UVs (T, 2), u right and v up, the three of each face (F, 3), and the file that gave them: the model or another.
    """
    if isinstance(arrays.get("vt"), np.ndarray) and isinstance(arrays.get("ft"), np.ndarray):
        return *_checked(one_line(model), arrays["vt"], arrays["ft"], faces), model
    file = beside(model, UV_FILES[family])
    if file is None:
        return None
    if file.suffix == ".obj":
        vt, corner_vertices, ft = _read_obj(file)
        return *_checked(one_line(file), vt, _in_order(one_line(file), corner_vertices, ft, faces), faces), file
    if not {"vt", "ft"} <= set(npz_shapes(file)):
        return None
    return *_checked(one_line(file), read_npz_member(file, "vt"), read_npz_member(file, "ft"), faces), file


def _checked(name: str, vt: np.ndarray, ft: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if vt.ndim != 2 or vt.shape[1] != 2 or not len(vt) or not _finite(vt):
        raise AssetError(f"{name}: vt is {vt.dtype} of shape {vt.shape}, expected (T, 2) finite numbers")
    if ft.shape != faces.shape or not _finite(ft):
        raise AssetError(f"{name}: ft is {ft.dtype} of shape {ft.shape}, expected finite numbers of the faces' shape "
                         f"{faces.shape}")
    ft = ft.astype(np.int64)
    if ft.min() < 0 or ft.max() >= len(vt) or np.abs(vt).max() > 100:
        raise AssetError(f"{name}: ft counts from {ft.min()} to {ft.max()}, vt has {len(vt)} rows within "
                         f"{np.abs(vt).max():.3g}; expected 0 to {len(vt) - 1} and about [0, 1]")
    return vt.astype(np.float64), ft


def _finite(array: np.ndarray) -> bool:
    return array.dtype.kind in "fiu" and bool(np.isfinite(array).all())


def _read_obj(file: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T, 2) texture coordinates, (F, 3) vertices and (F, 3) texture coordinates of a Wavefront file's triangles."""
    name = one_line(file)
    if (size := check_regular_file(file)) > _OBJ_BYTES:
        raise AssetError(f"{name}: {size:,} bytes, may have {_OBJ_BYTES:,}")
    vt, corners = [], []
    try:
        for line in file.read_text("latin-1").splitlines():
            kind, *fields = line.split() or [""]
            if kind == "vt":
                vt.append((float(fields[0]), float(fields[1])))
            elif kind == "f":
                ring = [tuple(int(part) for part in field.split("/")[:2]) for field in fields]
                corners += [(ring[0], ring[k], ring[k + 1]) for k in range(1, len(ring) - 1)]
        table = np.array(corners, np.int64).reshape(-1, 3, 2) - 1
    except (ValueError, IndexError, OverflowError):
        raise AssetError(f"{name}: not a Wavefront file with texture coordinates at its corners (f v/vt ...)") from None
    return np.array(vt, float).reshape(-1, 2), table[..., 0], table[..., 1]


def _in_order(name: str, own: np.ndarray, ft: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """``ft`` with its triangles and their corners in the order of the model's ``faces``."""
    if np.array_equal(own, faces):
        return ft
    mine = {tuple(sorted(corners)): row for row, corners in enumerate(own.tolist())}
    rows = [mine.get(tuple(sorted(corners))) for corners in faces.tolist()]
    if None in rows:
        raise AssetError(f"{name}: no face {tuple(faces[rows.index(None)].tolist())}, which the model has")
    place = np.argmax(own[rows][:, None, :] == faces[:, :, None], axis=2)
    return np.take_along_axis(ft[rows], place, axis=1)


def landmark_points(family: str, model: Path, arrays: dict[str, np.ndarray], vertices: np.ndarray,
                    faces: np.ndarray) -> tuple[np.ndarray, Path] | None:
    """(51, 3) iBUG landmarks without the jaw's line on ``vertices``, and the file that gave them: the model or another.
    """
    sources = [("lmk_faces_idx", "lmk_bary_coords", arrays, model)]
    if (file := beside(model, EMBEDDINGS[family])) is not None:
        table = load_model_arrays(file)
        sources += [("lmk_face_idx", "lmk_b_coords", table, file),
                    ("static_lmk_faces_idx", "static_lmk_bary_coords", table, file)]
    for index_key, weight_key, table, file in sources:
        name = one_line(file)
        index, weights = table.get(index_key), table.get(weight_key)
        if not (isinstance(index, np.ndarray) and isinstance(weights, np.ndarray)) or index.size != 51:
            continue
        if weights.shape != (51, 3) or not _finite(weights):
            raise AssetError(f"{name}: {weight_key} is {weights.dtype} of shape {weights.shape}, expected (51, 3) "
                             "finite numbers")
        if not _finite(index):
            raise AssetError(f"{name}: {index_key} is {index.dtype}, expected 51 finite numbers")
        index = index.ravel().astype(np.int64)
        if index.min() < 0 or index.max() >= len(faces):
            raise AssetError(f"{name}: {index_key} refers to faces {index.min()} to {index.max()}, expected 0 to "
                             f"{len(faces) - 1}")
        return np.einsum("kc,kcd->kd", weights, vertices[faces[index]]), file
    return None
