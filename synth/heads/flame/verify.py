"""Telling a user what is wrong with their FLAME or SMPL-X file: every problem that is found, one line each."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np

from assets.arrays import BROKEN_ZIP
from assets.errors import AssetError
from assets.files import check_regular_file, one_line
from assets.pickles import load_model_arrays
from synth.heads.flame.companions import EMBEDDINGS, UV_FILES, beside, landmark_points, texture_coordinates
from synth.heads.flame.layout import LAYOUTS, NEEDED, array_problems, candidates, check_arrays, form_problems

_FIRST_BYTES = 4096
_FOREIGN = (
    ({"lmk_face_idx", "lmk_b_coords"}, "a landmark embedding"),
    ({"static_lmk_faces_idx"}, "a landmark embedding"),
    ({"dynamic_lmk_faces_idx", "full_lmk_faces_idx"}, "a landmark embedding"),
    ({"tex_dir", "mean"}, "FLAME's texture space (an albedo model)"),
    ({"MU", "PC"}, "an albedo model"),
    ({"left_eyeball", "face"}, "FLAME's vertex masks"),
    ({"hands_components", "hands_mean"}, "a MANO hand model"),
    ({"betas", "poses"}, "a motion (AMASS), not a body"),
    ({"expcode"}, "a track of parameters"),
)
"""Keys that give other files of the same authors away, and what those are."""
_COLUMNS = {"flame": {400: "300 shapes + 100 expressions", 150: "100 + 50"},
            "smplx": {20: "v1.0: 10 + 10", 400: "v1.1: 300 + 100"}}


def verify_flame(path: str | Path, family: str = "flame") -> list[str]:
    """What is wrong with a model file, or with the best one in a folder: a line each; empty where all is well.

    Nothing in the file is executed. ``family`` is ``flame`` or ``smplx``.
    """
    if family not in ("flame", "smplx"):
        return [f"family: {one_line(family)!r} is not one of flame, smplx"]
    path = Path(path)
    if path.is_dir():
        found = candidates(family, path)
        if not found:
            return [_empty_folder(path, family)]
        path = found[0]
    name = one_line(path)
    try:
        check_regular_file(path)
        wrong = not_a_model_file(path)
        if wrong:
            return [f"{name}: {wrong}"]
        arrays = load_model_arrays(path)
    except AssetError as error:
        return [str(error)]
    return [f"{name}: {problem}" for problem in _problems(path, arrays, family)]


def describe_flame(path: str | Path, family: str = "flame") -> str:
    """One line on a file in which :func:`verify_flame` found nothing: its variant, and what lies beside it."""
    path = Path(path)
    file = candidates(family, path)[0] if path.is_dir() else path
    arrays = load_model_arrays(file)
    columns = arrays["shapedirs"].shape[-1]
    uv = "texture coordinates" if "vt" in arrays or beside(file, UV_FILES[family]) else "no texture coordinates"
    embedded = "lmk_faces_idx" in arrays or beside(file, EMBEDDINGS[family])
    lmk = "landmarks" if embedded else "no landmarks (found by form)"
    return (f"{one_line(file)}: {family}, {len(arrays['v_template'])} vertices, {len(arrays['f'])} faces, {columns} "
            f"directions ({_COLUMNS[family].get(columns, 'of its own')}), {uv}, {lmk}; {LAYOUTS[family].licence}")


def _problems(path: Path, arrays: dict[str, np.ndarray], family: str) -> list[str]:
    objects = _objects(path, arrays)
    held = [key for key in NEEDED if key in arrays] + objects
    foreign = next((what for keys, what in _FOREIGN if keys <= set(arrays)), None)
    if len(held) < 4 and foreign is not None:
        return [f"this is {foreign}; give the {family} model itself ({', '.join(LAYOUTS[family].pattern[:3])})"]
    if not held:
        keys = ", ".join(sorted(arrays)[:8]) or "nothing"
        return [f"not a {family} model: it holds {one_line(keys)[:200]}; expected {', '.join(NEEDED)}"]
    found = objects or list(array_problems(arrays, family))
    if found:
        return found
    checked = check_arrays(one_line(path), arrays, family)
    columns = checked["shapedirs"].shape[2]
    if columns <= min(LAYOUTS[family].expression_start):
        found.append(f"shapedirs has {columns} columns: shapes alone, expected "
                     + " or ".join(f"{number} ({text})" for number, text in _COLUMNS[family].items()))
    elif not np.abs(checked["shapedirs"]).max() > 0:
        found.append("shapedirs is zero throughout")
    found += form_problems(checked["v_template"], checked["f"], family)
    for read in (lambda: texture_coordinates(family, path, arrays, checked["f"]),
                 lambda: landmark_points(family, path, arrays, checked["v_template"], checked["f"])):
        try:
            read()
        except AssetError as error:
            found.append(f"beside the model, {error}")
    return found


def _objects(path: Path, arrays: dict[str, np.ndarray]) -> list[str]:
    """Needed arrays that an ``.npz`` holds as Python objects (chumpy's), which nobody can read without running code."""
    if not zipfile.is_zipfile(path):
        return []
    with zipfile.ZipFile(path) as archive:
        names = {name.removesuffix(".npy") for name in archive.namelist()}
    return [f"{key} is a Python object in this .npz: save it as numbers, np.asarray({key}), or give the .pkl"
            for key in NEEDED if key in names and key not in arrays]


def not_a_model_file(path: Path) -> str | None:
    """What a file is instead of a pickle or an ``.npz``, by its first bytes; None if it may be one."""
    with open(path, "rb") as file:
        head = file.read(_FIRST_BYTES)
    text = head.lstrip()[:200].lower()
    if head.startswith(b"version https://git-lfs"):
        return "a git-lfs pointer, not the file: run `git lfs pull` where it came from"
    if text.startswith((b"<!doctype", b"<html", b"<?xml")) or b"<html" in text:
        return "an HTML page saved under this name: the download needs a login at the authors' site"
    if text.startswith((b"{", b"[")) and b":" in head:
        return "JSON text, expected a pickle or .npz"
    if head.startswith(b"PK"):
        return _zip(path)
    if head.startswith((b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ")):
        return "a packed archive: unpack it and give the model file in it"
    if text.startswith(b"ply") or re.match(rb"(#|v |mtllib|o |g )", head):
        return "a mesh, expected the model itself (a pickle or .npz)"
    if head.startswith(b"\x93NUMPY"):
        return "a .npy array: landmark embeddings come so, the model is a pickle or .npz"
    return None


def _zip(path: Path) -> str | None:
    """None for an ``.npz``; what to do with any other zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()[:1000]
    except BROKEN_ZIP as error:
        return f"a broken or half-downloaded .npz or zip ({one_line(error)[:120]})"
    if any(name.endswith(".npy") for name in names):
        return None
    if "archive/data.pkl" in names or any(name.endswith("/data.pkl") for name in names):
        return "a PyTorch checkpoint, expected the model itself (a pickle or .npz)"
    inside = [one_line(name)[:80] for name in names if name.endswith((".pkl", ".npz"))][:3]
    return "a zip that is not unpacked" + (f": unpack it and give {inside[0]}" if inside else " and holds no model")


def _empty_folder(folder: Path, family: str) -> str:
    name = one_line(folder)
    archives = sorted(file.name for file in folder.glob("*.zip"))
    if archives:
        return f"{name}: no {family} model file here, but {one_line(archives[0])}: unpack it"
    other = "smplx" if family == "flame" else "flame"
    if candidates(other, folder):
        return f"{name}: no {family} model file here, but a {other} one ({one_line(candidates(other, folder)[0].name)})"
    return f"{name}: no {family} model file here, expected one of {', '.join(LAYOUTS[family].pattern[:4])}"
