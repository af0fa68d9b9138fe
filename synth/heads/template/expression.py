"""The template's expressions: one field a facial action unit and side, in millimetres at full activation.

Lids travel on a sphere about the eye. A straight blendshape would cut through the eyeball, so each lid has two: the
chord, and an arc that the model drives with a (1 - a) (exact at a = 0, 1/2 and 1).
"""

from __future__ import annotations

import numpy as np

from synth.heads.driver import LIDS
from synth.heads.template.geometry import GROUPS, Geometry
from synth.heads.template.mesh import RIM
from synth.heads.template.sculpt import EYE_CENTRE, LID_OUTER, lip_coordinates, mouth_line, smoothstep

UNIT_FIELDS = ("AU1", "AU2", "AU4", "AU6", "AU9", "AU10", "AU12", "AU14", "AU15", "AU17", "AU18", "AU20", "AU22",
              "AU23", "AU24", "AU25", "AU26")
"""Units with one field a side. AU5, AU7 and AU45 are lids."""
STILL = ("left_eye", "right_eye", "teeth", "tongue", "hair", "ear")
"""Groups that no muscle moves."""
EXPRESSIONS = tuple(f"{name}_{side}" for name in (*UNIT_FIELDS, *LIDS) for side in "LR")
"""Names of the expression directions, in the file's order."""
UPPER_SHARE = 0.86
"""Where the lids meet when shut, as a share of the opening from above."""


def expression_basis(geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3, E) float64 mm in the order of ``EXPRESSIONS``, and the upper lids' closing motion (N, 3) mm."""
    v = geometry.vertices
    fields = _units(v, _lip_side(geometry))
    still = np.isin(geometry.group, [GROUPS.index(name) for name in STILL])
    clear = np.ones(len(v))
    for sign in (1, -1):
        clear *= smoothstep(13.4, 19.0, np.linalg.norm(v - EYE_CENTRE * (sign, 1, 1), axis=1))
    is_lash = geometry.lash_base >= 0
    clear[is_lash] = clear[geometry.lash_base[is_lash]]
    basis = np.zeros((len(v), 3, len(EXPRESSIONS)))
    left = smoothstep(-9, 9, v[:, 0])
    for name, field in fields.items():
        field[is_lash] = field[geometry.lash_base[is_lash]]
        field[still] = 0
        if name in ("AU1", "AU2", "AU4", "AU6", "AU9"):
            field *= clear[:, None]
        basis[:, :, EXPRESSIONS.index(f"{name}_L")] = field * left[:, None]
        basis[:, :, EXPRESSIONS.index(f"{name}_R")] = field * (1 - left)[:, None]
    mirror = geometry.mirror
    for name, field in _lids(geometry).items():
        basis[:, :, EXPRESSIONS.index(f"{name}_L")] = field
        basis[:, :, EXPRESSIONS.index(f"{name}_R")] = field[mirror] * (-1, 1, 1)
    upper = EXPRESSIONS.index("upper_lid_L"), EXPRESSIONS.index("upper_lid_R")
    return basis, basis[:, :, upper[0]] + basis[:, :, upper[1]]


def _lip_side(geometry: Geometry) -> np.ndarray:
    """(N,) height over the lips' contact, mm; on the contact itself +1 for the upper lip, -1 for the lower one."""
    rise = geometry.vertices[:, 1] - mouth_line(geometry.vertices[:, 0])
    rise[geometry.skin.upper_lip[[0, -1]]] = 0.0
    rise[geometry.skin.upper_lip[1:-1]], rise[geometry.skin.lower_lip[1:-1]] = 1.0, -1.0
    bag = geometry.group == GROUPS.index("mouth_bag")
    rise[bag] = np.where(geometry.jaw_share[bag] < 0.5, 1.0, -1.0)
    return rise


def _units(v: np.ndarray, rise: np.ndarray) -> dict[str, np.ndarray]:
    x, y, z = v.T
    side = np.clip(x / 5.0, -1, 1)
    s, t = lip_coordinates(v)
    front = smoothstep(30, 60, z)

    def near(centre, size) -> np.ndarray:
        mirrored = np.stack([np.abs(x), y, z], axis=1)
        return np.exp(-((((mirrored - centre) / size) ** 2).sum(axis=1)))

    def push(weight: np.ndarray, dx: float, dy: float, dz: float) -> np.ndarray:
        return (weight * front)[:, None] * np.stack([side * dx, 0 * x + dy, 0 * x + dz], axis=1)

    corner = near((27, -66, 88), (15, 13, 28))
    corner_core = near((27, -66, 88), (9, 9, 24))
    lips = near((0, -66, 95), (30, 15, 32))
    inside = smoothstep(1.05, 0.6, s)
    upper = near((0, -58, 98), (26, 12, 24)) * smoothstep(-0.02, 0.02, rise) * inside
    lower = near((0, -73, 98), (26, 12, 24)) * smoothstep(0.02, -0.02, rise) * inside
    inner_brow = near((12, 19, 98), (13, 13, 24))
    outer_brow = near((40, 17, 90), (16, 14, 24))
    return {
        "AU1": push(inner_brow, 0, 6.0, 0.6) + push(near((14, 42, 96), (22, 22, 30)), 0, 2.4, 0.3),
        "AU2": push(outer_brow, 0, 6.0, -0.5) + push(near((38, 42, 84), (22, 22, 30)), 0, 2.4, 0),
        "AU4": push(near((17, 17, 97), (15, 10, 22)), -2.6, -4.2, 1.3) + push(outer_brow, -0.6, -2.2, 0.4)
        + push(near((2.5, 17, 99), (3.0, 9, 10)), 0, 0, 0.9),
        "AU6": push(near((43, -22, 78), (19, 16, 24)), 0.4, 4.2, 2.2)
        + push(near((50, 0, 74), (8, 11, 16)), -1.2, 0, 0.3),
        "AU9": push(near((11, -26, 100), (12, 15, 20)), 0.4, 3.8, 0.9)
        + push(near((9, 12, 96), (10, 10, 16)), -0.8, -2.6, 0.9)
        + push(near((17, -42, 100), (10, 9, 16)), 0.9, 2.8, 0.4) + push(upper, 0, 1.6, 0.2),
        "AU10": push(near((14, -57, 98), (17, 9, 20)) * smoothstep(-0.3, 0.3, rise), 0, 5.0, 0.7)
        + push(near((21, -44, 95), (9, 12, 16)), 1.0, 2.8, 1.2),
        "AU12": push(corner, 5.2, 6.5, -2.8) + push(near((40, -42, 82), (15, 15, 24)), 2.2, 3.4, 3.4)
        + push(near((26, -50, 92), (4.5, 12, 14)), 0, 0, -1.6)
        + push(lips * (1 - corner), 0.9, 0.8, -1.6) + push(upper, 0, 1.6, -0.4)
        + push(near((18, -40, 99), (8, 8, 12)), 1.2, 0.8, 0),
        "AU14": push(corner_core, 1.6, 0.4, -3.6) + push(near((36, -66, 82), (8, 12, 16)), 0, 0, 1.6),
        "AU15": push(corner, 0.8, -5.6, -1.0) + push(near((28, -82, 86), (11, 10, 18)), 0.8, -1.6, 1.2),
        "AU17": push(near((0, -96, 96), (20, 13, 22)), 0, 4.6, 1.3)
        + push(lips * smoothstep(0.6, -0.6, rise), 0, 2.0, 0.9)
        + push(lips * smoothstep(-0.6, 0.6, rise), 0, 1.4, 0.5),
        "AU18": push(corner, -8.5, 0, 3.2) + push(lips, 0, 0, 4.4) + push(lips * s * inside, -4.0, 0, 1.0),
        "AU20": push(corner, 6.0, -1.6, -3.0) + push(lips * (1 - corner), 0, -0.3, -1.3)
        + push(near((40, -62, 80), (12, 18, 22)), 2.4, 0, -0.2),
        "AU22": push(corner, -6.0, 0, 3.0) + push(lips, 0, 0, 4.0)
        + push(upper, 0, 3.2, 2.4) + push(lower, 0, -3.6, 2.6),
        "AU23": push(lips, 0, 0, -1.2) + push(corner_core, -1.6, 0, 0.3)
        + push(lips * np.sign(rise) * np.exp(-((np.abs(t) - 1) ** 2) / 0.4), 0, -1.6, -0.8),
        "AU24": push(lips * np.sign(rise) * np.exp(-((np.abs(t) - 1) ** 2) / 0.5), 0, -2.0, -1.1)
        + push(lips, 0, 0, -0.9),
        "AU25": push(upper, 0, 3.0, 0.3) + push(lower, 0, -4.4, 0.2),
        "AU26": push(near((0, -74, 96), (30, 12, 30)) * smoothstep(0.02, -0.02, rise) * inside, 0, -6.0, -0.5),
    }


def _lids(geometry: Geometry) -> dict[str, np.ndarray]:
    """The left eye's lid fields, from rotations about the eye's transverse axis that bring the margins together."""
    v, rows = geometry.vertices, geometry.lid_rows
    half = RIM // 2
    angle = _elevation(v)
    rim = rows[0]
    low, high = rim[: half + 1], np.concatenate([rim[half:], rim[:1]])
    order_low, order_high = np.argsort(v[low, 0]), np.argsort(v[high, 0])

    def margin(x: np.ndarray, rim_points: np.ndarray, order: np.ndarray) -> np.ndarray:
        return np.interp(x, v[rim_points[order], 0], angle[rim_points[order]])

    x = v[:, 0]
    lower_edge, upper_edge = margin(x, low, order_low), margin(x, high, order_high)
    meet = upper_edge + UPPER_SHARE * (lower_edge - upper_edge)
    distance = np.linalg.norm(v - EYE_CENTRE, axis=1)
    lid_group = np.isin(geometry.group, (GROUPS.index("skin"), GROUPS.index("lid_lining"))) & (x > 0)
    within = lid_group * smoothstep(24, 17.5, distance) * (v[:, 2] > EYE_CENTRE[2] - 2)
    is_upper = np.zeros(len(v), bool)
    is_upper[rows[:, half:]] = True
    on_rim = np.zeros(len(v), bool)
    on_rim[rows] = True
    # Skin between margin and crease follows the margin; further out it lags and gathers in the fold.
    up = np.where(on_rim, is_upper, angle > 0.5 * (upper_edge + lower_edge))
    follow_up = np.where(on_rim, 1.0, smoothstep(np.radians(42), np.radians(4), angle - upper_edge))
    follow_low = np.where(on_rim, 1.0, smoothstep(np.radians(30), np.radians(3), lower_edge - angle))
    turn_up = np.where(up, follow_up, 0) * within * (meet - upper_edge)
    turn_low = np.where(~up, follow_low, 0) * within * (meet - lower_edge)
    for row, follow in ((3, 0.9), (4, 0.35)):  # the conjunctiva lags behind the lid
        turn_up[rows[row]] *= follow
        turn_low[rows[row]] *= follow
    base, is_lash = geometry.lash_base, geometry.lash_base >= 0
    is_lash &= geometry.vertices[:, 0] > 0
    turn_up[is_lash], turn_low[is_lash] = turn_up[base[is_lash]], turn_low[base[is_lash]]
    fields = {}
    for name, turn in (("upper_lid", turn_up), ("lower_lid", turn_low)):
        full, halfway = _turned(v, turn, ~is_lash), _turned(v, 0.5 * turn, ~is_lash)
        fields[name] = full
        fields[f"{name}_arc"] = 4 * (halfway - 0.5 * full)
    return fields


def _elevation(v: np.ndarray) -> np.ndarray:
    ray = v - EYE_CENTRE
    return np.arctan2(ray[:, 1], ray[:, 2])


def _turned(v: np.ndarray, angle: np.ndarray, lid: np.ndarray) -> np.ndarray:
    """Displacement (K, 3) of turning points up by ``angle`` about the x axis through the left eye's centre.

    Skin from the fold above the lid (``lid``) unrolls onto the eyeball as it comes down.
    """
    ray = v - EYE_CENTRE
    radius = np.linalg.norm(ray, axis=1)
    unroll = 0.9 * smoothstep(0, np.radians(20), np.abs(angle)) * lid
    scale = 1 - unroll * np.clip(1 - (LID_OUTER + 0.1) / np.maximum(radius, 1e-9), 0, 1)
    c, s = np.cos(angle), np.sin(angle)
    y, z = c * ray[:, 1] + s * ray[:, 2], c * ray[:, 2] - s * ray[:, 1]
    return np.stack([ray[:, 0] * (scale - 1), y * scale - ray[:, 1], z * scale - ray[:, 2]], axis=1)
