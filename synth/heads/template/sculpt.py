"""What the landmarks are too coarse for: lids on the eyeball, lips, nostrils, folds and creases. All in millimetres.

Each brush moves points that are near a curve or a spot of the face, symmetrically: the x coordinate enters as |x|.
"""

from __future__ import annotations

import numpy as np

EYE_CENTRE = np.array([31.5, 0.0, 76.0])
"""Centre of the left eyeball, mm (interpupillary distance 63 mm)."""
EYE_RADIUS = 12.0
"""Radius of the sclera, mm."""
LID_OUTER = 14.3
"""Radius of the lids' outer face about the eye's centre, mm: clear of the cornea's apex at 12.94."""
LID_CREASE = [(18.5, 2.4), (21, 4.9), (26, 7.2), (33, 8.0), (40, 6.8), (47, 2.8)]
"""The upper lid's crease in the front view, mm."""
CHEILION = np.array([26.0, -67.2])
"""Corner of the mouth in the front view, mm."""


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, C1 in between (``low`` may exceed ``high``)."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mouth_line(x: np.ndarray) -> np.ndarray:
    """Height of the closed lips' contact line at distance x from the midline, mm."""
    s = np.abs(x) / CHEILION[0]
    return CHEILION[1] + 0.3 * np.cos(np.pi * np.clip(s, 0, 1.5)) - 0.9 * np.exp(-((s / 0.16) ** 2))


def lip_coordinates(point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """s: 0 at the midline to 1 at the mouth's corner; t: height over the contact line in lip heights, both (K,).

    t is 1 at the upper lip's border and -1 at the lower one's.
    """
    s = np.abs(point[:, 0]) / CHEILION[0]
    bow = 7.6 + 1.4 * np.exp(-(((s - 0.22) / 0.15) ** 2))
    upper = bow * np.clip(1 - s**1.8, 0, 1) ** 0.7 + 0.5
    lower = 9.8 * np.clip(1 - s**2.2, 0, 1) ** 0.85 + 0.5
    rise = point[:, 1] - mouth_line(point[:, 0])
    return s, np.where(rise > 0, rise / upper, rise / lower)


def stroke(point: np.ndarray, curve: list[tuple[float, float]], width: float, taper: float = 0.25) -> np.ndarray:
    """Strength (K,) in [0, 1] of a brush drawn along a front-view polyline, mm, fading in and out at its ends."""
    return polyline(np.stack([np.abs(point[:, 0]), point[:, 1]], axis=1), np.array(curve, float), width, taper)


def polyline(point: np.ndarray, line: np.ndarray, width: float, taper: float) -> np.ndarray:
    """Gaussian weight (K,) of the distance to a polyline (P, D), fading over the share ``taper`` at its ends."""
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    along = np.concatenate([[0], np.cumsum(lengths)]) / lengths.sum()
    best, where = np.full(len(point), np.inf), np.zeros(len(point))
    for k in range(len(lengths)):
        edge = line[k + 1] - line[k]
        t = np.clip((point - line[k]) @ edge / (edge @ edge), 0, 1)
        distance = np.linalg.norm(point - line[k] - t[:, None] * edge, axis=1)
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
    point = _nostrils(_wings(point))
    return point + _neck(point)


def _lids(base: np.ndarray) -> np.ndarray:
    centre = np.where(base[:, :1] >= 0, 1, -1) * EYE_CENTRE * (1, 0, 0) + EYE_CENTRE * (0, 1, 1)
    ray = base - centre
    r = np.linalg.norm(ray, axis=1)
    blend = 3.2
    h = np.clip(0.5 + 0.5 * (LID_OUTER - r) / blend, 0, 1)
    lifted = r + (LID_OUTER - r) * h + blend * h * (1 - h)  # polynomial smooth maximum (Quilez)
    return centre + ray * (np.where(base[:, 2] > 60, lifted, r) / np.maximum(r, 1e-9))[:, None]


def _folds(p: np.ndarray) -> np.ndarray:
    """Height (K,) in mm added along the outward direction."""
    brow_fold = [(18, 7), (25, 11.4), (34, 12), (43, 10), (50, 5)]
    tear = [(16, -5), (20, -10), (26, -13), (33, -14)]
    nasolabial = [(20, -37), (25, -44), (29, -52), (32, -61), (33, -68)]
    cheek_side = [(25, -37), (31, -43), (36, -51), (39, -60)]
    marionette = [(29, -70), (30, -78), (28, -84)]
    height = -2.0 * stroke(p, LID_CREASE, 1.2, 0.15) + 1.3 * stroke(p, brow_fold, 2.8, 0.2)
    height += -0.7 * stroke(p, tear, 2.6) - 1.5 * stroke(p, nasolabial, 2.6) + 1.0 * stroke(p, cheek_side, 5.0)
    height += -0.7 * stroke(p, marionette, 2.6)
    philtrum = [(0, -47.5), (0, -52), (0, -57)]
    columns = [(4.2, -48), (4.9, -53), (5.8, -58)]
    height += -1.3 * stroke(p, philtrum, 2.6, 0.15) + 0.7 * stroke(p, columns, 1.5, 0.15)
    mentolabial = [(0, -85), (8, -85.5), (16, -84)]
    height += -1.2 * stroke(p, mentolabial, 3.0, 0.0)
    corner = spot(p, (27.5, -67.8, 90), (3, 3, 12))
    cheek = 1.2 * spot(p, (38, -31, 86), (15, 13, 20)) - 1.0 * spot(p, (50, -54, 68), (10, 12, 16))
    return height + cheek - 1.0 * corner + 0.8 * spot(p, (33, -68, 84), 5)


def _lips(p: np.ndarray) -> np.ndarray:
    s, t = lip_coordinates(p)
    near = smoothstep(60, 75, p[:, 2]) * (s < 1.3)
    taper = np.clip(1 - s**2, 0, 1) ** 0.7
    a = np.abs(t)
    rise = p[:, 1] - mouth_line(p[:, 0])
    full = (4.8 - 0.6 * np.clip(rise, -1, 1)) * taper
    swell = np.where(a < 1, 1 - (np.abs(a - 0.45) / 0.68) ** 2.2, 0.373 * np.exp(-2.2 * (a - 1)))
    crease = -3.0 * np.exp(-((np.abs(rise) / 1.3) ** 1.3)) * taper
    border = 0.45 * np.exp(-(((t - 1.03) / 0.1) ** 2)) * taper
    tubercle = 0.7 * np.exp(-((s / 0.15) ** 2)) * np.exp(-(((t - 0.4) / 0.35) ** 2))
    moved = p.copy()
    moved[:, 2] += near * (full * swell + crease + border + tubercle)
    return moved


def _wings(p: np.ndarray) -> np.ndarray:
    """The wings of the nose, rounded, and the groove that parts them from cheek and tip."""
    sign = np.where(p[:, :1] >= 0, 1, -1) * (1, 0, 0) + (0, 1, 1)
    groove = [(10.5, -31.5, 106), (14.5, -32, 102.5), (18.6, -35, 98.5), (20.4, -40, 96.5), (19, -44.5, 96.5)]
    bulge = 1.5 * spot(p, (15.6, -39.5, 103), (5, 5.5, 7))
    depth = 1.5 * tube(p, groove, 1.9, 0.25)
    return p + sign * np.array([0.65, 0, 0.76]) * (bulge - depth)[:, None]


def tube(point: np.ndarray, curve: list[tuple[float, float, float]], width: float, taper: float = 0.25) -> np.ndarray:
    """As :func:`stroke`, along a polyline in space given on the left side, mirrored."""
    mirrored = np.stack([np.abs(point[:, 0]), point[:, 1], point[:, 2]], axis=1)
    return polyline(mirrored, np.array(curve, float), width, taper)


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
    """Jaw border, sternomastoids, larynx, clavicles and the hollow behind the ear: (K, 3) displacements in mm."""
    border = [(56, -58, 6), (52.4, -75, 13), (48, -89, 34), (41.5, -100, 54), (30, -108.5, 70), (18, -112, 81)]
    under = [(51, -76, -2), (47, -92, 14), (40, -106, 40), (27, -115, 56), (14, -119, 62)]
    muscle = [(60, -52, -24), (48, -100, -8), (33, -142, 14), (17, -176, 24), (9, -195, 23)]
    clavicle = [(9, -200, 26), (34, -197, 24), (70, -191, 12), (105, -183, -8), (140, -181, -30)]
    height = 1.2 * tube(p, border, 6.0, 0.2) - 1.7 * tube(p, under, 8.0, 0.25)
    height += 3.4 * tube(p, muscle, 8.5, 0.3) + 1.0 * spot(p, (9, -195, 23), (6, 9, 12))
    height += 3.0 * spot(p, (0, -141, 42), (8, 11, 14)) - 3.0 * spot(p, (0, -188, 22), (6, 8, 12))
    outward = p * (1, 0, 1) - (0, 0, -12)
    outward = outward / np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    bone = 3.2 * tube(p, clavicle, 5.5, 0.15) - 4.5 * spot(p, (56, -180, 2), (22, 9, 13))
    above = np.array([0.0, 0.75, 0.66]) * bone[:, None]
    arm = [(146, -232, 30), (148, -262, 44), (150, -300, 52), (150, -370, 52)]
    height += -9.0 * tube(p, arm, 13.0, 0.3)
    # Room for the bowl of the ear, which is a sheet of its own.
    concha = np.sign(p[:, 0]) * -5.0 * spot(p, (71, -13, -10), (20, 11, 10))
    return outward * height[:, None] + above + concha[:, None] * (1, 0, 0)
