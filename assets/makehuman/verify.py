"""Is a MakeHuman data folder complete, and does every file in it parse? Also: where that folder is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from assets.errors import AssetError
from assets.files import cache_dir, one_line
from assets.makehuman.mhclo import read_mhclo
from assets.makehuman.obj import read_obj
from assets.makehuman.skeleton import read_poses, read_skeleton, read_weights
from assets.makehuman.targets import read_json, read_sliders, read_target

VERTICES = 19158
"""Of the base mesh, hm08; everything else counts on it."""
GROUPS = ("body", "helper-l-eye", "helper-r-eye", "helper-upper-teeth", "helper-lower-teeth", "helper-tongue",
          "helper-hair", "helper-tights", "joint-l-eye", "joint-r-eye", "joint-jaw", "joint-head", "joint-neck")
"""Of the base mesh's groups, those that are used."""
WORN = {"eyes": 1, "teeth": 1, "tongue": 1, "hair": 0, "clothes": 0}
"""Folders of what people wear, and how many items each must have."""


def default_folder() -> Path:
    """Where ``pixelcube assets fetch makehuman`` puts the data."""
    return cache_dir() / "makehuman"


def verify_makehuman(folder: Path | None = None, progress: Callable[[int, int], None] | None = None) -> list[str]:
    """One line for each problem of a data folder; an empty list when all is well.

    ``progress`` is called with (files read, files in all).
    """
    folder = default_folder() if folder is None else folder
    if not folder.is_dir():
        return [f"{one_line(folder)}: no such folder; 'pixelcube assets fetch makehuman' brings it"]
    checks = list(_checks(folder))
    problems = []
    for done, (path, check) in enumerate(checks, start=1):
        try:
            check(path)
        except AssetError as error:
            problems.append(str(error))
        if progress is not None:
            progress(done, len(checks))
    for kind, least in WORN.items():
        if len(list(folder.glob(f"{kind}/*/*.mhclo"))) < least:
            problems.append(f"{one_line(folder / kind)}: no item (.mhclo), at least {least} expected")
    return problems


def _checks(folder: Path) -> Iterator[tuple[Path, Callable[[Path], object]]]:
    """Each file that must be there, or that is, and what reads it."""
    yield folder / "3dobjs" / "base.obj", _check_base
    yield folder / "rigs" / "default.mhskel", lambda path: read_skeleton(path, VERTICES)
    yield folder / "rigs" / "default_weights.mhw", lambda path: read_weights(path, VERTICES)
    yield folder / "poseunits" / "face-poseunits.bvh", read_poses
    yield folder / "poseunits" / "face-poseunits.json", read_json
    sliders = folder / "modifiers" / "modeling_modifiers.json"
    yield sliders, read_sliders
    needed = {folder / "targets" / "macrodetails" / f"{people}-{sex}-{age}.target"
              for people in ("african", "asian", "caucasian") for sex in ("female", "male") for age in ("young", "old")}
    for path in sorted(needed | set(folder.glob("targets/**/*.target"))):
        yield path, lambda path: read_target(path, VERTICES)
    for kind in WORN:
        for path in sorted(folder.glob(f"{kind}/*/*.mhclo")):
            yield path, lambda path: read_mhclo(path, VERTICES)


def _check_base(path: Path) -> None:
    mesh = read_obj(path)
    if len(mesh.vertices) != VERTICES:
        raise AssetError(f"{one_line(path)}: {len(mesh.vertices):,} vertices, expected the {VERTICES:,} of hm08")
    if missing := [name for name in GROUPS if name not in mesh.groups]:
        raise AssetError(f"{one_line(path)}: has no group {missing[0]}")
