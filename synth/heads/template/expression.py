"""The template's expressions: one field a facial action unit and side, in millimetres at full activation.

Lids travel on a sphere about the eye. A straight blendshape would cut through the eyeball, so each lid has two: the
chord, and an arc that the model drives with a (1 - a) (exact at a = 0, 1/2 and 1).
"""

from __future__ import annotations

import numpy as np

from synth.heads.driver import BASE_UNITS, EXPRESSIONS
from synth.heads.template import muscles
from synth.heads.template.geometry import GROUPS, Geometry
from synth.heads.template.mesh import RIM
from synth.heads.template.sculpt import CHEILION, EYE_CENTRE, LID_OUTER, lip_coordinates, mouth_line, smoothstep

STILL = ("left_eye", "right_eye", "teeth", "tongue", "ear")
"""Groups that no muscle of the face moves: teeth and tongue follow the units of ``DEEP`` alone."""
DEEP = ("AU19", "AU29")
"""Units of the midline that move the lower teeth and the tongue: each side's direction does half."""
SHIFTS = ("AU30",)
"""Units whose left one moves both sides to the left, and whose right one moves them to the right."""
AROUND_EYES = ("AU1", "AU2", "AU4", "AU6", "AU9")
"""Units that fade out on the lids, which lie on the eyeball."""
UPPER_SHARE = 0.86
"""Where the lids meet when shut, as a share of the opening from above."""
OVERLAP = 0.025
"""How far beyond, as a share of the opening, each lid goes: eyes larger than the mean shut too."""


def expression_basis(geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3, E) float64 mm in the order of ``EXPRESSIONS``, and the upper lids' closing motion (N, 3) mm."""
    v = geometry.vertices
    fields = muscles.units(_face(geometry))
    still = np.isin(geometry.group, [GROUPS.index(name) for name in STILL])
    scalp = np.isin(geometry.group, [GROUPS.index(name) for name in ("left_eye", "right_eye", "ear")])
    upper_teeth = (geometry.group == GROUPS.index("teeth")) & (geometry.jaw_share < 0.5)
    clear = np.ones(len(v))
    for sign in (1, -1):
        clear *= smoothstep(14.0, 25.0, np.linalg.norm(v - EYE_CENTRE * (sign, 1, 1), axis=1))
    basis = np.zeros((len(v), 3, len(EXPRESSIONS)))
    left = smoothstep(-9, 9, v[:, 0])
    for name in BASE_UNITS:
        field = fields[name]
        field[(scalp | upper_teeth) if name in DEEP else still] = 0
        if name in AROUND_EYES:
            field *= clear[:, None]
        shares = {"L": left, "R": 1 - left}
        if name in DEEP or name in SHIFTS:
            shares = {"L": np.full(len(v), 0.5 if name in DEEP else 1.0)}
            shares["R"] = shares["L"] * (1 if name in DEEP else -1)
        for side, share in shares.items():
            basis[:, :, EXPRESSIONS.index(f"{name}_{side}")] = field * share[:, None]
    mirror = geometry.mirror
    for name, field in _lids(geometry).items():
        basis[:, :, EXPRESSIONS.index(f"{name}_L")] = field
        basis[:, :, EXPRESSIONS.index(f"{name}_R")] = field[mirror] * (-1, 1, 1)
    upper = EXPRESSIONS.index("upper_lid_L"), EXPRESSIONS.index("upper_lid_R")
    return basis, basis[:, :, upper[0]] + basis[:, :, upper[1]]


def _face(geometry: Geometry) -> muscles.Face:
    v = geometry.vertices
    s, t = lip_coordinates(v)
    rise = _lip_side(geometry)
    teeth, tongue = (geometry.group == GROUPS.index(name) for name in ("teeth", "tongue"))
    return muscles.Face(v, s, t, rise, _jaw(geometry, s, rise), teeth & (geometry.jaw_share > 0.5), tongue)


def _lip_side(geometry: Geometry) -> np.ndarray:
    """(N,) height over the lips' contact, mm; on the contact itself +1 for the upper lip, -1 for the lower one."""
    rise = geometry.vertices[:, 1] - mouth_line(geometry.vertices[:, 0])
    rise[geometry.skin.upper_lip[[0, -1]]] = 0.0
    rise[geometry.skin.upper_lip[1:-1]], rise[geometry.skin.lower_lip[1:-1]] = 1e-3, -1e-3
    bag = geometry.group == GROUPS.index("mouth_bag")
    rise[bag] = np.where(geometry.jaw_share[bag] < 0.5, 1.0, -1.0)
    return rise


def _jaw(geometry: Geometry, s: np.ndarray, rise: np.ndarray) -> np.ndarray:
    """(N,) how much a vertex goes with a mandible that slides: lips part at the contact, corners go half the way."""
    x, y, z = geometry.vertices.T
    beyond = np.clip((np.abs(x) - CHEILION[0]) / 30, 0, 1)
    mix = 0.5 * np.clip(s, 0, 1) ** 2.4 * np.exp(-(((rise - 24 * beyond) / (9 + 17 * beyond)) ** 2))
    share = np.where(rise - 24 * beyond > 0, mix, 1 - mix) * smoothstep(8, 48, z) * smoothstep(-142, -112, y)
    known = ~np.isnan(geometry.jaw_share)
    share[known] = geometry.jaw_share[known]
    share[geometry.group == GROUPS.index("lid_lining")] = 0
    return share


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
    opening = lower_edge - upper_edge
    meet = upper_edge + UPPER_SHARE * opening
    distance = np.linalg.norm(v - EYE_CENTRE, axis=1)
    lid_group = np.isin(geometry.group, (GROUPS.index("skin"), GROUPS.index("lid_lining"))) & (x > 0)
    within = lid_group * smoothstep(24, 17.5, distance) * (v[:, 2] > EYE_CENTRE[2] - 2)
    is_upper = np.zeros(len(v), bool)
    is_upper[rows[:, half:]] = True
    on_rim = np.zeros(len(v), bool)
    on_rim[rows] = True
    # Skin between margin and crease follows the margin; further out it lags and gathers in the fold.
    up = np.where(on_rim, is_upper, angle > 0.5 * (upper_edge + lower_edge))
    follow_up = np.where(on_rim, 1.0, smoothstep(np.radians(48), np.radians(10), angle - upper_edge))
    follow_low = np.where(on_rim, 1.0, smoothstep(np.radians(30), np.radians(3), lower_edge - angle))
    turn_up = np.where(up, follow_up, 0) * within * (meet + OVERLAP * opening - upper_edge)
    turn_low = np.where(~up, follow_low, 0) * within * (meet - OVERLAP * opening - lower_edge)
    for row, follow in ((3, 0.9), (4, 0.35)):  # the conjunctiva lags behind the lid
        turn_up[rows[row]] *= follow
        turn_low[rows[row]] *= follow
    fields = {}
    for name, turn in (("upper_lid", turn_up), ("lower_lid", turn_low)):
        full, halfway = _turned(v, turn), _turned(v, 0.5 * turn)
        fields[name] = full
        fields[f"{name}_arc"] = 4 * (halfway - 0.5 * full)
    return fields


def _elevation(v: np.ndarray) -> np.ndarray:
    ray = v - EYE_CENTRE
    return np.arctan2(ray[:, 1], ray[:, 2])


def _turned(v: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Displacement (K, 3) of turning points up by ``angle`` about the x axis through the left eye's centre.

    Skin from the fold above the lid unrolls onto the eyeball as it comes down.
    """
    ray = v - EYE_CENTRE
    radius = np.linalg.norm(ray, axis=1)
    unroll = 0.8 * smoothstep(0, np.radians(34), np.abs(angle))
    scale = 1 - unroll * np.clip(1 - (LID_OUTER + 0.1) / np.maximum(radius, 1e-9), 0, 1)
    c, s = np.cos(angle), np.sin(angle)
    y, z = c * ray[:, 1] + s * ray[:, 2], c * ray[:, 2] - s * ray[:, 1]
    return np.stack([ray[:, 0] * (scale - 1), y * scale - ray[:, 1], z * scale - ray[:, 2]], axis=1)
