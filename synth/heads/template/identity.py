"""The template's identity space: smooth fields over head space, one a trait. Millimetres for one standard deviation.

A field moves every part alike, so that parts stay together; eyeballs only ever translate, scale and never shear. The
amplitudes follow the spread of adult measures (Farkas 1994; NASA-STD-3000): e.g. face height sd 6 mm, nose 3.5 mm.
"""

from __future__ import annotations

import numpy as np

from synth.heads.template import hair as hair_cap
from synth.heads.template.geometry import FLIP, GROUPS, Geometry
from synth.heads.template.sculpt import EYE_CENTRE, lip_coordinates, smoothstep

SHAPES = (
    "head_width", "head_length", "crown_height", "face_height", "face_width", "forehead_slope", "brow_ridge",
    "brow_height", "eye_spacing", "eye_size", "eye_depth", "canthal_tilt", "nose_length", "nose_width", "nose_bridge",
    "nose_tip", "nose_projection", "cheekbones", "cheek_fullness", "jaw_width", "chin_length", "chin_projection",
    "chin_width", "mouth_width", "lip_fullness", "upper_lip_length", "mouth_projection", "neck_width", "ear_size",
    "ear_flare", "age", "masculinity", "weight", "lid_droop",
    "hair_short", "hair_volume", "hair_fringe", "hair_sides", "hair_bob", "hairline",
)
"""Names of the shape directions, in the file's order."""
FACE_SHAPES = SHAPES.index("hair_short")
"""How many of them are the face's own; the rest are hair styles."""


def identity_basis(geometry: Geometry, lid_droop: np.ndarray) -> np.ndarray:
    """(N, 3, S) float64 mm. ``lid_droop`` (N, 3) is the upper lids' motion for the trait of that name."""
    v = geometry.vertices
    fields = _fields(v)
    fields["lid_droop"] = 0.09 * lid_droop
    fields["masculinity"] = (
        0.75 * fields["brow_ridge"] + 0.8 * fields["jaw_width"] + 0.6 * fields["chin_length"]
        + 0.6 * fields["neck_width"] + 0.35 * fields["nose_projection"] - 0.5 * fields["lip_fullness"]
        - 0.4 * fields["eye_size"] - 0.3 * fields["brow_height"] + 0.3 * fields["face_height"]
        - 0.4 * fields["cheek_fullness"]
    )
    fields["weight"] = (
        1.0 * fields["cheek_fullness"] + 0.9 * fields["neck_width"] + 0.5 * fields["jaw_width"]
        + 0.4 * fields["face_width"] + _push(v, (0, -116, 58), (34, 20, 36), (0, -6.0, 3.0))
    )
    for name in set(fields) - {"lid_droop", "eye_size"}:
        fields[name] = _keep_eyes(geometry, fields[name])
    fields.update(_hair(geometry))
    basis = np.stack([fields[name] for name in SHAPES], axis=2)
    lash = geometry.lash_base >= 0
    moved = basis[:, :, SHAPES.index("lid_droop")].copy()
    basis[lash] = basis[geometry.lash_base[lash]]
    basis[:, :, SHAPES.index("lid_droop")] = moved
    return 0.5 * (basis + basis[geometry.mirror] * FLIP[:, None])


def _near(v: np.ndarray, centre: tuple[float, float, float], size) -> np.ndarray:
    """Gaussian weight about a point and its mirror image, (K,)."""
    mirrored = np.stack([np.abs(v[:, 0]), v[:, 1], v[:, 2]], axis=1)
    return np.exp(-((((mirrored - centre) / size) ** 2).sum(axis=1)))


def _push(v: np.ndarray, centre, size, move) -> np.ndarray:
    """Move a neighbourhood and its mirror image; the move's x points away from the midline."""
    side = np.clip(v[:, 0] / 6.0, -1, 1)
    return _near(v, centre, size)[:, None] * np.stack([side * move[0], 0 * side + move[1], 0 * side + move[2]], axis=1)


def _fields(v: np.ndarray) -> dict[str, np.ndarray]:
    x, y, z = v.T
    zero = np.zeros_like(x)
    side = np.clip(x / 6.0, -1, 1)

    def along(dx=zero, dy=zero, dz=zero) -> np.ndarray:
        return np.stack([dx + zero, dy + zero, dz + zero], axis=1)

    skull = smoothstep(-130, -40, y)
    face = smoothstep(0, 50, z) * smoothstep(-135, -112, y)
    below = smoothstep(20, -110, y)
    nose = _near(v, (0, -24, 108), (20, 30, 30))
    tip = _near(v, (0, -38, 113), (15, 13, 18))
    lips = _near(v, (0, -66, 96), (36, 19, 34))
    mouth = _near(v, (0, -66, 88), (44, 26, 44))
    _, t = lip_coordinates(v)
    lip_profile = np.sign(t) * np.exp(-(((np.abs(t) - 0.95) / 0.75) ** 2)) * lips
    chin = _near(v, (0, -106, 88), (34, 26, 42))
    ear = smoothstep(66, 74, np.abs(x)) * _near(v, (76, -6, -14), (30, 44, 34))
    neck = smoothstep(-100, -135, y) * smoothstep(-250, -190, y)
    radial = np.stack([x, zero, z + 12], axis=1) / 60
    return {
        "head_width": along(dx=0.035 * x * skull),
        "head_length": along(dz=0.03 * (z - 20) * skull * smoothstep(60, -20, z)),
        "crown_height": along(dy=5.0 * smoothstep(30, 110, y)),
        "face_height": along(dy=-5.5 * below * smoothstep(-40, 40, z)),
        "face_width": along(dx=0.045 * x * face * smoothstep(45, 10, y)),
        "forehead_slope": along(dz=-3.5 * smoothstep(30, 95, y) * smoothstep(0, 60, z)),
        "brow_ridge": _push(v, (20, 17, 98), (26, 10, 26), (0, -0.8, 2.6))
        + _push(v, (46, 14, 82), (12, 10, 20), (0.9, -0.6, 1.4)),
        "brow_height": _push(v, (30, 16, 94), (28, 9, 26), (0, 2.0, 0)),
        "eye_spacing": along(dx=side * 1.5 * _near(v, (31, 0, 84), (22, 20, 30))),
        "eye_size": _scale(v, EYE_CENTRE, 0.038, 20.0),
        "eye_depth": along(dz=-1.4 * _near(v, (31, 0, 82), (20, 14, 26))),
        "canthal_tilt": along(dy=2.2 * np.clip((np.abs(x) - 30) / 15, -1, 1) * _near(v, (31, 0, 82), (19, 10, 24))),
        "nose_length": along(dy=-3.2 * smoothstep(5, -36, y) * _near(v, (0, -36, 108), (22, 34, 30))
                             - 1.2 * mouth * smoothstep(-40, -50, y)),
        "nose_width": along(dx=side * np.minimum(np.abs(x) / 12, 1.2) * 2.1 * _near(v, (12, -37, 104), (17, 17, 22))),
        "nose_bridge": along(dz=2.2 * _near(v, (0, -6, 97), (13, 20, 20))),
        "nose_tip": along(dy=2.4 * tip, dz=0.5 * tip),
        "nose_projection": along(dz=0.15 * np.clip(z - 92, 0, None) * nose),
        "cheekbones": _push(v, (48, -20, 76), (18, 15, 26), (1.9, 0.8, 2.2)),
        "cheek_fullness": _push(v, (43, -54, 74), (20, 26, 34), (2.6, 0, 2.3)),
        "jaw_width": along(dx=side * np.minimum(np.abs(x) / 30, 1) * 3.4 * _near(v, (52, -78, 22), (36, 44, 46))),
        "chin_length": along(dy=-4.2 * _near(v, (0, -112, 84), (44, 27, 52))),
        "chin_projection": along(dz=2.7 * chin),
        "chin_width": along(dx=side * np.minimum(np.abs(x) / 10, 1) * 3.0 * _near(v, (18, -102, 84), (18, 18, 28))),
        "mouth_width": along(dx=x / 26 * 2.3 * np.minimum(mouth * 1.3, 1) * smoothstep(48, 26, np.abs(x))),
        "lip_fullness": along(dy=1.35 * lip_profile, dz=1.3 * np.abs(lip_profile)),
        "upper_lip_length": along(dy=-1.8 * smoothstep(-46, -57, y) * _near(v, (0, -70, 92), (44, 32, 46))),
        "mouth_projection": along(dz=1.9 * lips),
        "neck_width": radial * 4.5 * neck[:, None],
        "ear_size": (v - (70, -8, -4)) * (0.09 * ear)[:, None] * (np.abs(x) > 0)[:, None] * (0, 1, 1)
        + along(dx=side * np.clip(np.abs(x) - 70, 0, None) * 0.09 * ear),
        "ear_flare": along(dx=side * 0.22 * np.clip(-z - 2, 0, 32) * ear),
        "age": _age(v),
    }


def _age(v: np.ndarray) -> np.ndarray:
    return (
        _push(v, (38, -78, 74), (14, 13, 26), (0.8, -2.2, 1.0)) + _push(v, (26, -52, 92), (4, 13, 14), (0, 0, -0.9))
        + _push(v, (31, -14, 86), (13, 5, 14), (0, -0.5, 1.1)) + _push(v, (44, 6, 84), (10, 7, 16), (0, -1.3, 0.4))
        + _push(v, (40, -36, 82), (12, 12, 20), (-0.7, 0, -1.7)) + _push(v, (0, -120, 60), (22, 16, 30), (0, -3.0, 2.0))
    )


def _scale(v: np.ndarray, centre: np.ndarray, amount: float, reach: float) -> np.ndarray:
    """Scale about both eyes' centres, fading out at ``reach`` mm."""
    field = np.zeros_like(v)
    for sign in (1, -1):
        ray = v - centre * (sign, 1, 1)
        field += ray * (amount * smoothstep(reach * 1.6, reach * 0.75, np.linalg.norm(ray, axis=1)))[:, None]
    return field


def _keep_eyes(geometry: Geometry, field: np.ndarray) -> np.ndarray:
    """Make a field carry eyeballs, and the lids on them, rigidly: their centres' mean motion."""
    field = field.copy()
    for sign, name in ((1, "left_eye"), (-1, "right_eye")):
        centre = EYE_CENTRE * (sign, 1, 1)
        ball = geometry.group == GROUPS.index(name)
        mean = field[ball].mean(axis=0)
        hold = smoothstep(18, 13.4, np.linalg.norm(geometry.vertices - centre, axis=1))
        hold[ball] = 1.0
        field += hold[:, None] * (mean - field)
    return field


def _hair(geometry: Geometry) -> dict[str, np.ndarray]:
    """Hair styles: displacement of the cap from beneath the skin, mm. ``hair_short`` at 1 is a close crop."""
    hair = geometry.group == GROUPS.index("hair")
    zero = {name: np.zeros_like(geometry.vertices) for name in SHAPES[FACE_SHAPES:]}
    v = geometry.vertices[hair]
    over, grown, outward = hair_cap.cap_frame(v, geometry.vertices, geometry.skin)
    x, y, z = v.T
    top = smoothstep(25, 85, y)
    fringe = smoothstep(28, 0, over) * smoothstep(30, 70, z) * smoothstep(-8, 0, over)
    sides = smoothstep(70, 20, y) * smoothstep(-60, 10, over + 40)
    strands = hair_cap.clumps(v) * smoothstep(3, 14, over)
    zero["hair_short"][hair] = outward * ((-hair_cap.HIDDEN + 3.0 + 0.5 * strands) * grown)[:, None]
    zero["hair_volume"][hair] = (
        outward * (smoothstep(0.5, 17, over) * (9 * top + 3.5) * (1 + 0.22 * strands))[:, None]
        + np.stack([0 * x, 0 * y, -3.0 * top * grown], axis=1)
    )
    downhill = outward * outward[:, 1:2] - (0, 1, 0)  # along the skin: the forehead bulges
    downhill /= np.maximum(np.linalg.norm(downhill, axis=1, keepdims=True), 0.2)
    lift = 1.0 - 9.0 * smoothstep(5, -2, over)  # the cap's edge dips into the skin
    zero["hair_fringe"][hair] = fringe[:, None] * (downhill * (24 + 4 * strands)[:, None] + outward * lift[:, None])
    zero["hair_sides"][hair] = outward * (smoothstep(0.5, 15, over) * 9 * sides * (1 + 0.25 * strands))[:, None]
    back = smoothstep(35, 5, z)
    low = smoothstep(30, -10, over) * back
    zero["hair_bob"][hair] = (
        outward * (8 * low * smoothstep(-9, -2, over))[:, None]
        + np.stack([-0.06 * x, -62.0 + 0 * y, 2.0 + 0 * z], axis=1) * (low * (1 + 0.05 * strands))[:, None]
    )
    zero["hairline"][hair] = np.stack([0 * x, 7.0 + 0 * y, -3.5 + 0 * z], axis=1) * (
        smoothstep(20, 0, over) * smoothstep(25, 70, z))[:, None]
    return zero
