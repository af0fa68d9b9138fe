"""What MakeHuman people wear: eyes, teeth, tongue, lashes, brows, hair and a garment, each made when it is first asked
for."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from assets.errors import AssetError
from assets.files import one_line
from assets.makehuman.mhclo import MhClo, read_mhclo, says_cc0
from synth.heads.head import Attachment
from synth.heads.makehuman.base import BaseMesh
from synth.heads.makehuman.binding import attach, bind, mesh_part, pieces, quads
from synth.heads.makehuman.brows import make_brows, make_lashes
from synth.heads.makehuman.eyes import make_eyes
from synth.heads.makehuman.hair import make_hair
from synth.heads.template.garment import TILE
from synth.scene import MeshPart

BUST = (-0.42, 0.29)
"""Garments are kept above this height and within this distance of the middle, metres, head frame: beyond the skin."""
_NECK = -0.10
"""Metres, head frame: garments of the bust hang below this height."""
_NAME = re.compile(r"[\w-]{1,60}", re.ASCII)
_EASE = 0.003
"""How far a garment is moved off the body, metres: it was fitted to other bodies than ours."""


def read_wardrobe(folder: Path, base: BaseMesh) -> Wardrobe:
    """Everything for a bust to wear in a MakeHuman data folder, by name, for example ``hair/short02``.

    What doesn't say that it is CC0 is left out, as are shoes, hats and whatever else is not worn about the bust.
    """
    files = {f"{kind}/{path.stem}": path for kind in MAKERS for path in sorted(folder.glob(f"{kind}/*/*.mhclo"))
             if _NAME.fullmatch(path.stem) and says_cc0(path)}
    clothes = {name: read_mhclo(path, len(base.vertices)) for name, path in files.items()
               if name.startswith("clothes/")}
    garments = {name: clo for name, clo in clothes.items() if is_garment(clo, base)}
    hidden = [clo.deleted for clo in garments.values()]
    count = np.bincount(np.concatenate([np.empty(0, np.int64), *hidden]), minlength=len(base.vertices))
    covered = np.flatnonzero(count == max(len(hidden), 1))
    return Wardrobe(base, {name: path for name, path in files.items() if name in garments or name not in clothes},
                    covered)


def is_garment(clo: MhClo, base: BaseMesh) -> bool:
    """Whether clothes show on a bust: a quarter of what they hang on (of a whole suit a third) is between neck and cut.

    Shoes, trousers and hats have none of it there.
    """
    x, y, _ = base.vertices[clo.corners[:, 0]].T
    return bool(((y > BUST[0]) & (y < _NECK) & (np.abs(x) < BUST[1])).mean() > 0.25)


class Wardrobe(Mapping):
    """Attachments by name; a file is read, and its hair cut, at the first request."""

    def __init__(self, base: BaseMesh, files: Mapping[str, Path], covered: np.ndarray) -> None:
        self.covered = covered
        """(K,) int64 base vertices that every garment hides: skin that nobody sees."""
        self._base = base
        self._files = dict(files)
        self._made: dict[str, Attachment] = {}

    def __getitem__(self, name: str) -> Attachment:
        if name not in self._made:
            path = self._files[name]
            clo = read_mhclo(path, len(self._base.vertices))
            try:
                self._made[name] = MAKERS[name.partition("/")[0]](path.stem, clo, self._base)
            except AssetError as error:
                raise AssetError(f"{one_line(path)}: {error}") from None
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def _make_teeth(name: str, clo: MhClo, base: BaseMesh) -> Attachment:
    """Gums and palate are one piece, each tooth is its own."""
    carry, offset = bind(clo, len(base.vertices))
    piece = pieces(clo.mesh)
    gums = piece == np.bincount(piece).argmax()
    parts = (mesh_part("teeth", clo.mesh, ~gums, "enamel"), mesh_part("gums", clo.mesh, gums, "gums"))
    return attach(f"teeth/{name}", parts, carry, offset, clo)


def _make_tongue(name: str, clo: MhClo, base: BaseMesh) -> Attachment:
    carry, offset = bind(clo, len(base.vertices))
    part = mesh_part("tongue", clo.mesh, np.ones(len(clo.mesh.faces), bool), "tongue")
    return attach(f"tongue/{name}", (part,), carry, offset, clo)


def _make_garment(name: str, clo: MhClo, base: BaseMesh) -> Attachment:
    """A garment's part about the bust, eased off the body."""
    carry, offset = bind(clo, len(base.vertices))
    place = carry @ base.vertices + offset
    corners = place[quads(clo.mesh)]
    shown = (corners[:, :, 1].min(axis=1) > BUST[0]) & (np.abs(corners[:, :, 0]).max(axis=1) < BUST[1])
    if not shown.any():
        raise AssetError("no face of it lies on the bust")
    part = mesh_part("garment", clo.mesh, shown, "garment")
    part = dataclasses.replace(part, uv=np.float32(part.uv * _repeats(part, place)))
    return attach(f"clothes/{name}", (part,), carry, offset + _EASE * _normals(place, clo), clo)


def _repeats(part: MeshPart, place: np.ndarray) -> float:
    """How often cloth repeats in a part's UV square so that it has its size in life."""
    one, two = part.faces[:, 0], part.faces[:, 1]
    lengths = [np.linalg.norm(x[two] - x[one], axis=1) for x in (place[part.vertex_map], part.uv)]
    return float(np.median(lengths[0] / np.maximum(lengths[1], 1e-6))) / (TILE * 1e-3)


def _normals(place: np.ndarray, clo: MhClo) -> np.ndarray:
    """(M, 3) unit normals of a mesh's vertices."""
    triangles, _ = clo.mesh.triangles()
    corner = place[triangles]
    face = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    total = np.stack([np.bincount(triangles.ravel(), np.repeat(face[:, k], 3), len(place)) for k in range(3)], axis=1)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-20)


MAKERS: dict[str, Callable[[str, MhClo, BaseMesh], Attachment]] = {
    "eyes": make_eyes, "teeth": _make_teeth, "tongue": _make_tongue, "eyelashes": make_lashes,
    "eyebrows": make_brows, "hair": make_hair, "clothes": _make_garment,
}
"""Folder of a data folder to what turns its items into attachments."""


LOOKS: dict[str, tuple[float, float]] = {
    "hair/afro01": (0.7, 1.0), "hair/bob01": (0.0, 0.9), "hair/bob02": (0.0, 1.1), "hair/braid01": (0.0, 0.9),
    "hair/long01": (0.12, 1.4), "hair/ponytail01": (0.06, 1.4), "hair/short01": (1.5, 0.25),
    "hair/short02": (0.9, 0.25), "hair/short03": (0.8, 0.3), "hair/short04": (0.7, 0.1),
}
"""How common a style is among men and among women; others are half as common in both."""


def choose_wardrobe(rng: np.random.Generator, names: Sequence[str], female: float, age: float) -> tuple[str, ...]:
    """What one person wears: eyes, teeth, tongue, lashes, brows, mostly hair, one garment.

    names: what there is; female: 0 (man) to 1 (woman); age in years. The same draws are made whatever there is.
    """
    kinds = {kind: [name for name in names if name.startswith(f"{kind}/")] for kind in MAKERS}
    chances = {"hair": [_style_chance(name, female) for name in kinds["hair"]],
               "clothes": [_garment_chance(name, female) for name in kinds["clothes"]]}
    chosen = []
    for kind, found in kinds.items():
        draw = rng.random()
        if found:
            weight = np.cumsum(chances.get(kind, np.ones(len(found))))
            chosen.append(found[int(np.searchsorted(weight, draw * weight[-1], "right"))])
    # A shaved or bald head: some men, ever more of them with age (Hamilton's scale IV and above; Rhodes et al. 1998).
    bald = (1 - female) * np.clip(0.06 + 0.010 * (age - 30), 0.06, 0.45)
    if rng.random() < bald:
        chosen = [name for name in chosen if not name.startswith("hair/")]
    return tuple(chosen)


def _style_chance(name: str, female: float) -> float:
    man, woman = LOOKS.get(name, (0.5, 0.5))
    return man + (woman - man) * female + 1e-3


def _garment_chance(name: str, female: float) -> float:
    """Clothes cut for the other sex hardly fit."""
    if "/female" in name:
        return female**3 + 1e-3
    return (1 - female) ** 3 + 1e-3 if "/male" in name else 0.5
