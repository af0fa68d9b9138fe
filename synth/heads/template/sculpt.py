"""What the landmarks are too coarse for: lids on the eyeball, lips, nostrils, folds and creases. All in millimetres.

Each brush moves points that are near a curve or a spot of the face, symmetrically: the x coordinate enters as |x|.
"""

from __future__ import annotations

import numpy as np

EYE_CENTRE = np.array([31.5, 0.0, 76.0])
"""Centre of the left eyeball, mm (interpupillary distance 63 mm)."""
EYE_RADIUS = 12.0
"""Radius of the sclera, mm."""
LID_INNER, LID_OUTER = 12.95, 14.3
"""Radii of the lids' inner and outer faces about the eye's centre, mm: clear of the cornea's apex at 12.8."""
CHEILION = np.array([26.0, -66.0])
"""Corner of the mouth in the front view, mm."""


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, C1 in between (``low`` may exceed ``high``)."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mouth_line(x: np.ndarray) -> np.ndarray:
    """Height of the closed lips' contact line at distance x from the midline, mm."""
    s = np.abs(x) / CHEILION[0]
    return CHEILION[1] + 0.7 * np.cos(np.pi * np.clip(s, 0, 1.5)) - 0.9 * np.exp(-((s / 0.16) ** 2))


def lip_coordinates(point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """s: 0 at the midline to 1 at the mouth's corner; t: height over the contact line in lip heights, both (K,).

    t is 1 at the upper lip's border and -1 at the lower one's.
    """
    s = np.abs(point[:, 0]) / CHEILION[0]
    inside = np.sqrt(np.clip(1 - s**2, 0, 1))
    bow = 7.2 + 1.8 * np.exp(-(((s - 0.22) / 0.13) ** 2)) + 0.2 * np.exp(-((s / 0.5) ** 2))
    upper = bow * np.clip(1 - s**1.7, 0, 1) ** 0.75 + 0.5
    lower = 9.3 * inside**0.9 + 0.5
    rise = point[:, 1] - mouth_line(point[:, 0])
    return s, np.where(rise > 0, rise / upper, rise / lower)


def stroke(point: np.ndarray, curve: list[tuple[float, float]], width: float, taper: float = 0.25) -> np.ndarray:
    """Strength (K,) in [0, 1] of a brush drawn along a front-view polyline, mm, fading in and out at its ends."""
    line = np.array(curve, float)
    xy = np.stack([np.abs(point[:, 0]), point[:, 1]], axis=1)
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    along = np.concatenate([[0], np.cumsum(lengths)]) / lengths.sum()
    best, where = np.full(len(point), np.inf), np.zeros(len(point))
    for k in range(len(lengths)):
        edge = line[k + 1] - line[k]
        t = np.clip((xy - line[k]) @ edge / (edge @ edge), 0, 1)
        distance = np.linalg.norm(xy - line[k] - t[:, None] * edge, axis=1)
        closer = distance < best
        best[closer] = distance[closer]
        where[closer] = (along[k] + t * (along[k + 1] - along[k]))[closer]
    ends = smoothstep(0, taper, where) * smoothstep(1, 1 - taper, where) if taper else 1.0
    return np.exp(-((best / width) ** 2)) * ends


def spot(point: np.ndarray, centre: tuple[float, float, float], size: float | tuple[float, float, float]) -> np.ndarray:
    """Gaussian weight (K,) about a point given on the left side, mirrored."""
    mirrored = np.stack([np.abs(point[:, 0]), point[:, 1], point[:, 2]], axis=1)
    return np.exp(-((((mirrored - centre) / size) ** 2).sum(axis=1)))


def sculpt(base: np.ndarray, parameter: np.ndarray) -> np.ndarray:
    """Skin points (K, 3) mm from the interpolated landmarks, mm, and their capsule points."""
    point = _lids(base)
    front = smoothstep(10, 45, point[:, 2])[:, None]
    outward = point - np.array([0, -20, 20])
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    point = point + outward * front * _folds(point)[:, None]
    point = _lips(point)
    point = _nostrils(point)
    return point + _neck(point)


def _lids(base: np.ndarray) -> np.ndarray:
    centre = np.where(base[:, :1] >= 0, 1, -1) * EYE_CENTRE * (1, 0, 0) + EYE_CENTRE * (0, 1, 1)
    ray = base - centre
    r = np.linalg.norm(ray, axis=1)
    blend = 2.2
    h = np.clip(0.5 + 0.5 * (LID_OUTER - r) / blend, 0, 1)
    lifted = r + (LID_OUTER - r) * h + blend * h * (1 - h)  # polynomial smooth maximum (Quilez)
    return centre + ray * (np.where(base[:, 2] > 60, lifted, r) / np.maximum(r, 1e-9))[:, None]


def _folds(p: np.ndarray) -> np.ndarray:
    """Height (K,) in mm added along the outward direction."""
    lid_fold = [(17, 3.5), (21, 8.0), (27, 10.4), (34, 10.6), (40, 8.4), (46, 3.2)]
    brow_fold = [(18, 9), (25, 13), (34, 13.5), (42, 11), (48, 5)]
    tear = [(16, -5), (20, -10), (26, -13), (33, -14)]
    nasolabial = [(20, -37), (25, -44), (29, -52), (32, -61), (33, -68)]
    cheek_side = [(25, -37), (31, -43), (36, -51), (39, -60)]
    marionette = [(29, -70), (30, -78), (28, -84)]
    height = -1.7 * stroke(p, lid_fold, 1.3, 0.2) + 0.9 * stroke(p, brow_fold, 3.0, 0.2)
    height += -0.7 * stroke(p, tear, 2.6) - 1.5 * stroke(p, nasolabial, 2.6) + 1.0 * stroke(p, cheek_side, 5.0)
    height += -0.7 * stroke(p, marionette, 2.6)
    alar = [(11.5, -32.5), (15.5, -33), (18.6, -36), (19.4, -40), (18.2, -44), (15, -46)]
    height += -1.6 * stroke(p, alar, 1.3, 0.3)
    philtrum = [(0, -47), (0, -51), (0, -56)]
    columns = [(4.2, -47.5), (4.9, -52), (5.8, -57)]
    height += -1.3 * stroke(p, philtrum, 2.6, 0.15) + 0.7 * stroke(p, columns, 1.5, 0.15)
    mentolabial = [(0, -85), (8, -85.5), (16, -84)]
    height += -1.2 * stroke(p, mentolabial, 3.0, 0.0)
    corner = spot(p, (27.5, -66.5, 90), (2.5, 2.5, 12))
    return height - 1.6 * corner + 0.8 * spot(p, (33, -67, 84), 5)


def _lips(p: np.ndarray) -> np.ndarray:
    s, t = lip_coordinates(p)
    near = smoothstep(60, 75, p[:, 2]) * (s < 1.3)
    taper = np.clip(1 - s**2, 0, 1) ** 0.7
    a = np.abs(t)
    rise = p[:, 1] - mouth_line(p[:, 0])
    full = (4.9 - 0.5 * np.clip(rise, -1, 1)) * taper
    swell = np.where(a < 1, 1 - (np.abs(a - 0.5) / 0.62) ** 2.2, 0.377 * np.exp(-2.2 * (a - 1)))
    crease = -4.6 * np.exp(-((np.abs(rise) / 1.5) ** 1.3)) * taper**0.5
    border = 0.45 * np.exp(-(((a - 1.03) / 0.1) ** 2)) * taper
    tubercle = 0.7 * np.exp(-((s / 0.15) ** 2)) * np.exp(-(((t - 0.4) / 0.35) ** 2))
    moved = p.copy()
    moved[:, 2] += near * (full * swell + crease + border + tubercle)
    return moved


def _nostrils(p: np.ndarray) -> np.ndarray:
    centre, axis = np.array([7.4, -45.2, 107.4]), np.array([0.1, 0.95, -0.3])
    mirrored = p * (np.where(p[:, :1] >= 0, 1, -1) * (1, 0, 0) + (0, 1, 1))
    local = mirrored - centre
    along = np.array([0.42, 0.18, -0.89])  # the opening's long axis runs back and outwards
    across = np.cross(axis, along)
    along, across = along / np.linalg.norm(along), across / np.linalg.norm(across)
    d = np.hypot(local @ along / 5.0, local @ across / 2.9)
    depth = 7.5 * smoothstep(1.1, 0.35, d) * (np.abs(local @ axis) < 6)
    sign = np.where(p[:, :1] >= 0, 1, -1) * (1, 0, 0) + (0, 1, 1)
    return p + sign * axis * depth[:, None]


def _neck(p: np.ndarray) -> np.ndarray:
    """The sternomastoid muscles and the Adam's apple, as (K, 3) displacements in mm."""
    top, bottom = np.array([57.0, -62, -22]), np.array([12.0, -196, 33])
    mirrored = np.stack([np.abs(p[:, 0]), p[:, 1], p[:, 2]], axis=1)
    t = np.clip((mirrored - top) @ (bottom - top) / ((bottom - top) @ (bottom - top)), 0, 1)
    distance = np.linalg.norm(mirrored - top - t[:, None] * (bottom - top), axis=1)
    muscle = 3.0 * np.exp(-((distance / 12) ** 2)) * smoothstep(0.1, 0.4, t)
    larynx = 2.5 * spot(p, (0, -140, 42), (9, 12, 14))
    outward = p * (1, 0, 1) - (0, 0, -12)
    outward = outward / np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    return outward * (muscle + larynx)[:, None]
