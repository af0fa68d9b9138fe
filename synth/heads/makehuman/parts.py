"""The base mesh cut to a bust and into parts, and its landmarks."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from assets.errors import AssetError
from synth.heads.canonical import LANDMARKS
from synth.heads.makehuman.base import BaseMesh
from synth.heads.template.sculpt import lip_coordinates
from synth.scene import MeshPart

VERTICES_AT: dict[str, tuple[int, ...]] = {
    "crown": (882,), "glabella": (220,), "sellion": (133,), "pronasale": (5054,), "subnasale": (343,),
    "labiale_superius": (362,), "labiale_inferius": (492,), "sublabiale": (724,), "pogonion": (5162,),
    "gnathion": (5296,), "endocanthion": (7796,), "exocanthion": (7781,), "brow_inner": (6943, 6984),
    "brow_middle": (6952,), "brow_outer": (6966, 6987), "orbitale": (6862, 6861), "zygion": (11844,), "alare": (7099,),
    "cheilion": (7272,), "gonion": (7691,), "tragion": (12317,),
}
"""Base vertices whose mean is a landmark of :data:`synth.heads.canonical.LANDMARKS`, of pairs the subject's left one.

Measured on the mean of MakeHuman's macro corners: those of the midline are turning points of its profile (pronasale the
foremost, sellion and subnasale the hindmost between forehead, nose and lip, labialia where the lips' slope breaks);
canthi the ends of the lids' margins; cheilion the end of the rim where skin and inner mouth meet; alare the widest of
the wings; brows the means of the twelve eyebrow meshes; the others the nearest vertex to the template's landmark.
``eye`` is the centre of the eyeball's helper.
"""
FLOOR = -0.489
"""Metres: where the torso is cut on the base mesh, along one of its edge loops below the breast."""
ARM_LENGTH = 0.167
"""Metres along the upper arm from its joint: where the arm is cut, along an edge loop."""
_GUTTER = 0.008
"""Between UV islands: 4 texels of a texture of 512."""
_HEAD_UV, _MOUTH_UV = ((0.64, 0.145), (1.0, 0.82)), ((0.75, 0.0), (0.93, 0.14))
"""Corners of the UV islands of the head's skin and of the inner mouth, which holds no other island."""


def mirror_of(base: BaseMesh) -> np.ndarray:
    """(N,) int32 mirror images of the base vertices, which lie symmetrically to a hundredth of a millimetre."""
    distance, mirror = cKDTree(base.vertices).query(base.vertices * np.float32([-1, 1, 1]))
    if distance.max() > 1e-3:
        raise AssetError("base.obj: its vertices are not symmetric about x = 0")
    return mirror.astype(np.int32)


def landmarks(base: BaseMesh, neutral: np.ndarray, mirror: np.ndarray) -> dict[str, np.ndarray]:
    """Every landmark's place (3,) metres on ``neutral`` (N, 3)."""
    eyes = [neutral[base.vertices_of(f"helper-{side}-eye")] for side in "lr"]
    out = {f"{side}_eye": 0.5 * (eye.min(axis=0) + eye.max(axis=0))
           for side, eye in zip(("left", "right"), eyes, strict=True)}
    for name, chosen in VERTICES_AT.items():
        if LANDMARKS[name][0] == 0:
            out[name] = neutral[list(chosen)].mean(axis=0)
        else:
            out[f"left_{name}"] = neutral[list(chosen)].mean(axis=0)
            out[f"right_{name}"] = neutral[mirror[list(chosen)]].mean(axis=0)
    return out


def make_parts(base: BaseMesh, canonical: np.ndarray, covered: np.ndarray) -> tuple[MeshPart, ...]:
    """Skin, lips and inner mouth of the bust.

    canonical: (N, 3) mm, see :mod:`synth.heads.canonical`; covered: (K,) base vertices that clothes always hide.
    """
    faces = base.faces_of("body")
    faces = faces[_bust(base, faces) & ~np.isin(base.mesh.faces[faces], covered).all(axis=1)]
    triangles, corners = base.mesh.triangles(faces)
    uv = base.mesh.uv[corners].mean(axis=1)
    mouth = _inside(uv, _MOUTH_UV)
    # Of whole quads, so that the border is an edge loop where it can be; just past the red's border.
    middle = canonical[base.mesh.faces[faces]].mean(axis=1)
    middle = np.concatenate([middle, middle[base.mesh.faces[faces, 3] >= 0]])
    s, t = lip_coordinates(middle)
    lips = (np.abs(t) < 1.1) & (s < 1) & (middle[:, 2] > 76) & _inside(uv, _HEAD_UV)
    packed = _packed(base.mesh.uv, corners[~mouth])
    return tuple(_part(name, triangles[chosen], corners[chosen], packed)
                 for name, chosen in (("skin", ~mouth & ~lips), ("lips", lips), ("mouth", mouth)))


def _packed(uv: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """UVs (T, 2) whose islands, of faces (F, 3), fill the texture that the whole body had: 1.45 times finer.

    Islands keep their proportions; they stand on one another in columns, the tallest first.
    """
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(edges)), edges.T), shape=(len(uv), len(uv)))
    island = connected_components(graph, directed=False)[1]
    members = [np.flatnonzero(island == k) for k in np.unique(island[corners])]
    low = np.array([uv[chosen].min(axis=0) for chosen in members])
    size = np.array([np.ptp(uv[chosen], axis=0) for chosen in members])
    for scale in np.linspace(1.5, 0.5, 41):
        places, x, y, widest = {}, _GUTTER, _GUTTER, 0.0
        for k in np.argsort(-size[:, 1], kind="stable"):
            width, height = scale * size[k] + _GUTTER
            if y + height > 1:
                x, y, widest = x + widest, _GUTTER, 0.0
            places[k] = np.array([x, y])
            y, widest = y + height, max(widest, width)
        if x + widest <= 1 and scale * size[:, 1].max() + 2 * _GUTTER <= 1:
            break
    out = uv.copy()
    for k, place in places.items():
        out[members[k]] = (uv[members[k]] - low[k]) * scale + place
    return out


def _inside(uv: np.ndarray, box: tuple) -> np.ndarray:
    return ((uv > box[0]) & (uv < box[1])).all(axis=1)


def _bust(base: BaseMesh, faces: np.ndarray) -> np.ndarray:
    """(F,) bool: faces of the body that a bust shows."""
    middle = base.vertices[base.mesh.faces[faces]].mean(axis=1)
    middle[:, 0] = np.abs(middle[:, 0])
    shoulder, elbow = (base.vertices[base.vertices_of(f"joint-l-{end}")].mean(axis=0) for end in ("shoulder", "elbow"))
    along = (middle - shoulder) @ ((elbow - shoulder) / np.linalg.norm(elbow - shoulder))
    return (middle[:, 1] > FLOOR) & ((along < ARM_LENGTH) | (middle[:, 0] < 0.13))


def _part(name: str, triangles: np.ndarray, corners: np.ndarray, uv: np.ndarray) -> MeshPart:
    """A part of base triangles and their indices (F, 3) into UVs (T, 2); UV seams repeat vertices."""
    pairs = np.stack([triangles.ravel(), corners.ravel()], axis=1)
    pairs, local = np.unique(pairs, axis=0, return_inverse=True)
    material = "mouth" if name == "mouth" else "skin"
    return MeshPart(name, pairs[:, 0].astype(np.int32), local.reshape(-1, 3).astype(np.int32),
                    uv[pairs[:, 1]].astype(np.float32), material)
