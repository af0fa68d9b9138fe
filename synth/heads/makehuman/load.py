"""A MakeHuman data folder as a :class:`synth.heads.head.HeadModel`."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from pathlib import Path

import numpy as np

from assets.arrays import read_npz
from assets.errors import AssetError
from assets.files import DIGEST_BYTES, atomic_write, cache_dir, check_regular_file, one_line
from assets.makehuman import obj
from synth.heads.canonical import canonical
from synth.heads.head import HeadModel, Identity
from synth.heads.makehuman.base import VERTICES, BaseMesh, read_base
from synth.heads.makehuman.expression import NAMES, expression_basis
from synth.heads.makehuman.hair import read_hairstyles
from synth.heads.makehuman.identity import read_shapes, sample_shape, sample_traits
from synth.heads.makehuman.lids import droop_row
from synth.heads.makehuman.parts import landmarks, make_parts, mirror_of
from synth.heads.makehuman.rig import PARENTS, ROLES, Rig
from synth.heads.makehuman.wardrobe import MAKERS, choose_wardrobe, read_wardrobe

LICENCE = "CC0-1.0 (MakeHuman)"
_SHAPING = ("3dobjs/base.obj", "modifiers/modeling_modifiers.json", "rigs/default.mhskel", "rigs/default_weights.mhw",
            "poseunits/face-poseunits.bvh", "poseunits/face-poseunits.json", "targets/**/*.target")
"""Files that the assembled arrays follow from."""
_WORN = tuple(f"{kind}/{files}" for kind in (*MAKERS, "hair") for files in ("*/*.mhclo", "*/**/*.obj"))
"""Files that dress people: bindings and their meshes, not the textures beside them."""
_MAX_FILES = 20_000


def load_makehuman(path: Path | None = None) -> HeadModel:
    """The model in a MakeHuman data folder; without a path, in the one that ``pixelcube assets fetch makehuman`` made.

    Reading some 450 targets takes seconds: the assembled arrays are kept in the cache folder.
    """
    folder = cache_dir() / "makehuman" if path is None else path
    if not (folder / "3dobjs" / "base.obj").is_file():
        raise AssetError(f"{one_line(folder)}: holds no 3dobjs/base.obj; `pixelcube assets fetch makehuman` fetches "
                         "MakeHuman's data, or head.path names its folder")
    base = read_base(folder)
    arrays = _cached(folder, base)
    names = tuple(str(name) for name in arrays["names"])
    wardrobe = read_wardrobe(folder, base)
    return HeadModel(
        family="makehuman", licence=LICENCE, source_hash=_digest(folder, (*_SHAPING, *_WORN)),
        parts=make_parts(base, arrays["canonical"], wardrobe.covered), expressions=NAMES,
        neutral=arrays["neutral"], canonical=arrays["canonical"], mirror=arrays["mirror"],
        eyeballs=(base.vertices_of("helper-l-eye"), base.vertices_of("helper-r-eye")), roles=ROLES,
        arrays={
            "shape_directions": arrays["shape_directions"], "expression_directions": arrays["expression_directions"],
            # MakeHuman has no pose correctives.
            "posedirs": np.zeros((9 * (len(PARENTS) - 1), 3 * VERTICES), np.float32),
            "J_regressor": arrays["J_regressor"], "weights": arrays["weights"], "parents": PARENTS,
        },
        draw=functools.partial(_draw, names=names, sliders=arrays["sliders"], wardrobe=tuple(wardrobe)),
        droop=functools.partial(_droop, arrays["droop"]), wardrobe=wardrobe,
        hairstyles=read_hairstyles(folder, base),
    )


def _draw(rng: np.random.Generator, names: tuple[str, ...], sliders: np.ndarray, wardrobe: tuple[str, ...]) -> Identity:
    traits = sample_traits(rng)
    shape = sample_shape(rng, traits, names, sliders)
    return Identity(shape, choose_wardrobe(rng, wardrobe, traits.female), 1 - traits.female, traits.years)


def _droop(row: np.ndarray, shape: np.ndarray) -> float:
    return float(row @ shape)


def _cached(folder: Path, base: BaseMesh) -> dict[str, np.ndarray]:
    """The assembled arrays, from the cache if the files and the code that assembles them are the same."""
    file = cache_dir() / "heads" / f"makehuman-{_digest(folder, _SHAPING, _code())}.npz"
    with contextlib.suppress(AssetError):  # not there yet, or no longer whole
        return read_npz(file)
    arrays = _assemble(folder, base)
    with contextlib.suppress(AssetError):  # no room or no right to write: the cache only saves seconds
        with atomic_write(file, size=sum(array.nbytes for array in arrays.values())) as temporary:
            np.savez(temporary, **arrays)
    return arrays


def _assemble(folder: Path, base: BaseMesh) -> dict[str, np.ndarray]:
    shapes = read_shapes(folder, base)
    rig, mirror = Rig(folder, base), mirror_of(base)
    warped = canonical(shapes.neutral, landmarks(base, shapes.neutral, mirror))
    droop = droop_row(base, shapes.neutral, shapes.directions)
    expressions = expression_basis(folder, base, rig, shapes.neutral, warped, mirror)
    # At rest the driver adds d (1 - d) of the lids' arc where they droop by d, but they are sculpted with it: less d.
    arcs = sum(expressions[:, :, NAMES.index(f"upper_lid_arc_{side}")] for side in "LR")
    return {
        "names": np.array(shapes.names), "sliders": shapes.sliders, "neutral": shapes.neutral, "mirror": mirror,
        "canonical": warped, "shape_directions": shapes.directions - arcs[:, :, None] * droop,
        "expression_directions": expressions, "weights": rig.folded(), "J_regressor": rig.regressor(), "droop": droop,
    }


def _digest(folder: Path, patterns: tuple[str, ...], start: bytes = b"") -> str:
    """BLAKE2b hex digest (20 digits) of the folder's files: names, sizes and bytes."""
    digest = hashlib.blake2b(start, digest_size=DIGEST_BYTES)
    files = sorted({file for pattern in patterns for file in folder.glob(pattern) if file.is_file()})
    if len(files) > _MAX_FILES:
        raise AssetError(f"{one_line(folder)}: {len(files):,} files, may be at most {_MAX_FILES:,}")
    for file in files:
        if check_regular_file(file) > obj.MAX_TEXT_BYTES:
            raise AssetError(f"{one_line(file)}: larger than {obj.MAX_TEXT_BYTES:,} bytes")
        data = file.read_bytes()
        digest.update(f"{file.relative_to(folder).as_posix()} {len(data)} ".encode("utf-8", "replace"))
        digest.update(data)
    return digest.hexdigest()


def _code() -> bytes:
    """The source of what the arrays follow from: this package, its readers, the canonical space, expressions' names,
    and where the template has its lips."""
    heads = Path(__file__).parents[1]
    files = [*sorted(Path(__file__).parent.glob("*.py")), *sorted(Path(obj.__file__).parent.glob("*.py")),
             heads / "canonical.py", heads / "driver.py", heads / "template" / "sculpt.py"]
    return b"".join(file.read_bytes().replace(b"\r\n", b"\n") for file in files)
