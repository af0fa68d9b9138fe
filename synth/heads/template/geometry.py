"""The template head: its parts in one vertex array, laid out as a FLAME model."""

from __future__ import annotations

import dataclasses

import numpy as np

from synth.heads.template import ears, eyes, garment, mouth
from synth.heads.template.mesh import Skin, build_skin
from synth.heads.template.sculpt import EYE_CENTRE
from synth.heads.template.surface import Surface, build_surface, to_disk


@dataclasses.dataclass(frozen=True)
class Geometry:
    """The neutral template in millimetres, with what its bases and weights are made from."""

    vertices: np.ndarray
    """(N, 3) float64, mm."""
    parts: dict[str, np.ndarray]
    """Part name to (F, 3) int32 faces."""
    uv: np.ndarray
    """(N, 2) float64 in [0, 1]: one UV for each vertex; every part has its own unit square, but for
    the garment, whose texture repeats."""
    mirror: np.ndarray
    """(N,) int32: each vertex's mirror image."""
    group: np.ndarray
    """(N,) int8: which anatomical group a vertex belongs to, see ``GROUPS``."""
    jaw_share: np.ndarray
    """(N,) float64: weight of the jaw where a part knows it, NaN where it follows from the position."""
    skin: Skin
    lid_rows: np.ndarray
    """(K, RIM) int32: the left eye's rim, then the rings behind it."""


GROUPS = ("skin", "lid_lining", "mouth_bag", "ear", "left_eye", "right_eye", "teeth", "tongue", "garment")
"""Anatomical groups, by the numbers in ``Geometry.group``."""
FLIP = np.array([-1.0, 1.0, 1.0])


class _Builder:
    """Collects vertices, faces, UVs, mirror images and groups."""

    def __init__(self) -> None:
        self.vertices: list[np.ndarray] = []
        self.uv: list[np.ndarray] = []
        self.mirror: list[np.ndarray] = []
        self.group: list[np.ndarray] = []
        self.jaw: list[np.ndarray] = []
        self.parts: dict[str, list[np.ndarray]] = {}
        self.count = 0

    def add(self, part: str, group: str, vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray,
            mirror: np.ndarray, jaw: np.ndarray | float = np.nan) -> np.ndarray:
        """Append vertices; ``faces`` and ``mirror`` are global indices. Returns the new vertices' indices."""
        n = len(vertices)
        self.vertices.append(vertices)
        self.uv.append(uv)
        self.mirror.append(mirror)
        self.group.append(np.full(n, GROUPS.index(group), np.int8))
        self.jaw.append(np.broadcast_to(np.asarray(jaw, float), n))
        self.parts.setdefault(part, []).append(faces)
        self.count += n
        return np.arange(self.count - n, self.count)


def build_geometry() -> Geometry:
    """Build every part. Deterministic; a few seconds."""
    surface = build_surface()
    skin = build_skin(surface)
    # All that follows picks nearest points and sides: on a grid, last bits that depend on the machine can't tip it.
    skin = dataclasses.replace(skin, parameter=np.round(skin.parameter, 6))
    builder = _Builder()
    points = np.round(surface(skin.parameter), 6)
    points[skin.mirror == np.arange(len(points)), 0] = 0.0
    builder.add("skin", "skin", points, skin.faces, skin_uv(skin.parameter), skin.mirror)
    lids = _add_lids(builder, skin, points)
    _add_mouth(builder, skin, points)
    _add_ears(builder)
    _add_eyes(builder)
    _add_garment(builder, surface)
    return Geometry(
        np.concatenate(builder.vertices),
        {name: np.concatenate(faces).astype(np.int32) for name, faces in builder.parts.items()},
        np.concatenate(builder.uv), np.concatenate(builder.mirror).astype(np.int32), np.concatenate(builder.group),
        np.concatenate(builder.jaw), skin, lids,
    )


def skin_uv(parameter: np.ndarray) -> np.ndarray:
    """Seamless UV (K, 2) of capsule points: the crown at the centre, the chin outwards.

    The face gets most of it: 0.3 to 0.4 mm a texel in a texture of 1024.
    """
    disk = to_disk(parameter)
    azimuth = np.arctan2(disk[:, 0], disk[:, 1])
    level = np.log(np.maximum(np.hypot(disk[:, 0], disk[:, 1]), 1e-6))  # 0 at the equator, in radii of the capsule
    radius = np.interp(level, [-6, -1.0, 0.0, 2.05, 5.4], [0.0, 0.045, 0.10, 0.445, 0.495])
    return 0.5 + radius[:, None] * np.stack([np.sin(azimuth), np.cos(azimuth)], axis=1) * (1, -1)


def _add_lids(builder: _Builder, skin: Skin, points: np.ndarray) -> np.ndarray:
    rim = skin.eye_rim
    vertices, faces = eyes.lid_margins(points[rim])
    rings = len(vertices) // len(rim)
    base, n = builder.count, len(vertices)
    table = np.concatenate([rim, base + np.arange(n)])
    mirrored = np.concatenate([skin.mirror[rim], base + n + np.arange(n)])
    uv = np.tile(builder.uv[0][rim], (rings, 1))
    uv_right = np.tile(builder.uv[0][skin.mirror[rim]], (rings, 1))
    builder.add("skin", "lid_lining", vertices, table[faces], uv, mirrored[len(rim):])
    builder.add("skin", "lid_lining", vertices * FLIP, mirrored[faces][:, ::-1], uv_right, table[len(rim):])
    return table.reshape(rings + 1, -1)


def _add_mouth(builder: _Builder, skin: Skin, points: np.ndarray) -> None:
    upper, lower = skin.upper_lip, skin.lower_lip
    vertices, faces, jaw = mouth.mouth_bag(points[upper], points[lower])
    loop = np.concatenate([upper, lower[-2:0:-1]])
    base, n = builder.count, len(vertices)
    table = np.concatenate([loop, base + np.arange(n)])
    half, width = len(upper), len(loop)
    opposite = np.concatenate([np.arange(half)[::-1], half + np.arange(width - half)[::-1]])
    rows = (n - 1) // width
    mirror = np.concatenate([(np.arange(rows)[:, None] * width + opposite).ravel(), [n - 1]]) + base
    uv = np.concatenate([np.tile(builder.uv[0][loop], (rows, 1)), [[0.5, 0.5]]])
    uv[-1] = builder.uv[0][loop].mean(axis=0)
    builder.add("mouth", "mouth_bag", vertices, table[faces], uv, mirror, jaw)
    for is_lower in (False, True):
        v, f, t = mouth.arch(is_lower)
        columns = np.arange(mouth.arch_columns())[::-1]
        base, twins = builder.count, mouth.mirror_rows(len(v), columns)
        builder.add("teeth", "teeth", v, base + f, t, base + twins, float(is_lower))
    v, f, t = mouth.tongue()
    columns = (mouth.TONGUE // 2 - 1 - np.arange(mouth.TONGUE)) % mouth.TONGUE
    base = builder.count
    builder.add("tongue", "tongue", v, base + f, t, base + mouth.mirror_rows(len(v), columns), 1.0)


def _add_ears(builder: _Builder) -> None:
    vertices, faces = ears.ear()
    base, n = builder.count, len(vertices)
    flat = (vertices[:, [2, 1]] - vertices[:, [2, 1]].min(axis=0)) / np.ptp(vertices[:, [2, 1]], axis=0).max()
    left, right = flat * 0.13 + (0.005, 0.005), flat * (-0.13, 0.13) + (0.995, 0.005)
    builder.add("skin", "ear", vertices, base + faces, left, base + n + np.arange(n))
    builder.add("skin", "ear", vertices * FLIP, base + n + faces[:, ::-1], right, base + np.arange(n))


def _add_eyes(builder: _Builder) -> None:
    eye = eyes.eyeball()
    vertices, n = eye.vertices + EYE_CENTRE, len(eye.vertices)
    for side, flip, twin in (("left", False, n), ("right", True, -n)):
        base = builder.count
        faces = {name: base + (part[:, ::-1] if flip else part) for name, part in eye.faces.items()}
        builder.add(f"{side}_sclera", f"{side}_eye", vertices * FLIP if flip else vertices, faces["sclera"],
                    eye.uv * (-1, 1) + (1, 0) if flip else eye.uv, base + twin + np.arange(n))
        builder.parts |= {f"{side}_{name}": [faces[name]] for name in ("iris", "cornea")}


def _add_garment(builder: _Builder, surface: Surface) -> None:
    vertices, faces, uv, mirror = garment.garment(surface)
    base = builder.count
    builder.add("garment", "garment", np.round(vertices, 6), base + faces, uv, base + mirror)
