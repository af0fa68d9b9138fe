"""What MakeHuman people wear: eyes, teeth, tongue and a garment, each made when first asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from assets.errors import AssetError
from assets.makehuman.mhclo import MhClo, read_mhclo
from synth.heads.head import Attachment
from synth.heads.makehuman.base import BaseMesh
from synth.heads.makehuman.binding import attach, bind, mesh_part, pieces, quads
from synth.heads.makehuman.eyes import make_eyes
from synth.heads.makehuman.items import Items, find_items
from synth.heads.template.garment import TILE
from synth.scene import MeshPart

BUST = (-0.42, 0.29)
"""Garments are kept above this height and within this distance of the middle, metres, head frame: beyond the skin."""
_NECK = -0.10
"""Metres, head frame: garments of the bust hang below this height."""
_EASE = 0.003
"""How far a garment is moved off the body, metres: it was fitted to other bodies than ours."""


def read_wardrobe(folder: Path, base: BaseMesh) -> Wardrobe:
    """Everything for a bust to wear in a MakeHuman data folder, by name, for example ``teeth/teeth_base``.

    What doesn't say that it is CC0 is left out, as are shoes, hats and whatever else is not worn about the bust.
    """
    files = {name: path for kind in MAKERS for name, path in find_items(folder, kind).items()}
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


class Wardrobe(Items[Attachment]):
    """Attachments by name."""

    def __init__(self, base: BaseMesh, files: Mapping[str, Path], covered: np.ndarray) -> None:
        super().__init__(base, files, lambda kind, name, clo, mesh: MAKERS[kind](name, clo, mesh))
        self.covered = covered
        """(K,) int64 base vertices that every garment hides: skin that nobody sees."""


def _make_teeth(name: str, clo: MhClo, base: BaseMesh) -> Attachment:
    """Gums and palate are one piece, each tooth is its own."""
    carry, offset = bind(clo, len(base.vertices))
    piece = pieces(clo.mesh)
    gums = piece == np.bincount(piece).argmax()
    crowns = mesh_part("teeth", clo.mesh, ~gums, "enamel")
    crowns = dataclasses.replace(crowns, uv=_crown_uv(carry @ base.vertices + offset, piece, clo)[crowns.vertex_map])
    return attach(f"teeth/{name}", (crowns, mesh_part("gums", clo.mesh, gums, "gums")), carry, offset, clo)


def _crown_uv(place: np.ndarray, piece: np.ndarray, clo: MhClo) -> np.ndarray:
    """(M, 2) float32: u is a tooth's own column, v rises from its root to its edge; place (M, 3) metres, piece (F,)."""
    tooth = np.zeros(len(place), int)
    tooth[quads(clo.mesh)] = piece[:, None]
    number, tooth = np.unique(tooth, return_inverse=True)
    low, high = (np.array([end(place[tooth == k, 1]) for k in range(len(number))]) for end in (np.min, np.max))
    share = (place[:, 1] - low[tooth]) / np.maximum(high - low, 1e-6)[tooth]
    upper = low + high > np.median(low + high)
    return np.stack([(tooth + 0.5) / len(number), np.where(upper[tooth], 1 - share, share)], axis=1).astype(np.float32)


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
    "eyes": make_eyes, "teeth": _make_teeth, "tongue": _make_tongue, "clothes": _make_garment,
}
"""Folder of a data folder to what turns its items into attachments."""


def choose_wardrobe(rng: np.random.Generator, names: Sequence[str], female: float) -> tuple[str, ...]:
    """What one person wears: eyes, teeth, tongue, one garment.

    names: what there is; female: 0 (man) to 1 (woman). The same draws are made whatever there is.
    """
    kinds = {kind: [name for name in names if name.startswith(f"{kind}/")] for kind in MAKERS}
    chances = {"clothes": [_garment_chance(name, female) for name in kinds["clothes"]]}
    chosen = []
    for kind, found in kinds.items():
        draw = rng.random()
        if found:
            weight = np.cumsum(chances.get(kind, np.ones(len(found))))
            chosen.append(found[int(np.searchsorted(weight, draw * weight[-1], "right"))])
    return tuple(chosen)


def _garment_chance(name: str, female: float) -> float:
    """Clothes cut for the other sex hardly fit."""
    if "/female" in name:
        return female**3 + 1e-3
    return (1 - female) ** 3 + 1e-3 if "/male" in name else 0.5
