"""The template head's landmarks: where points of an average adult face lie, in millimetres.

Origin: the head's centre, level with the pupils, in the plane of the tragi; x to the subject's left, y up, z out of the
face. Distances follow published craniofacial means, taken between the sexes (L. G. Farkas, Anthropometry of the Head
and Face, 2nd ed., 1994; NASA-STD-3000 vol. I, 1995): head length 192, breadth 148, vertex-gnathion 226, bizygomatic
134, bigonial 104, nasion-gnathion 118, nasion-subnasale 52, nasal protrusion 19, alar breadth 34, mouth breadth 52,
ear 61 x 35, biocular breadth 89, neck breadth 112. Depths between them were sculpted by eye.
"""

from __future__ import annotations

import numpy as np

_ROWS: dict[float | tuple[float, float], list[tuple[float, ...]]] = {
    # Skull: horizontal sections (y: (x, z) from the front midline round to the back).
    113: [(0, -8)],
    106: [(0, 28), (24, 17), (38, -10), (26, -40), (0, -48)],
    90: [(0, 61), (28, 51), (51, 17), (58, -15), (45, -55), (0, -76)],
    70: [(0, 82), (25, 77), (47, 55), (65, 12), (70, -20), (57, -62), (0, -88)],
    46: [(0, 94.5), (25, 91), (44, 76), (59, 48), (71, 15), (76, -20), (64, -62), (34, -85), (0, -93)],
    30: [(0, 97.5), (14, 97), (28, 94), (45, 81), (56, 62), (63, 42), (73, 8), (76, -20), (64, -62), (0, -93)],
    # Brow ridge and glabella.
    20: [(0, 99.5), (9, 99.2), (19, 98.4), (31, 96.6), (42, 90.5), (51, 79), (57, 62), (63, 42), (72, 5), (75, -22),
         (64, -62), (34, -84), (0, -92)],
    13: [(6, 97.5), (15, 94.5), (24, 94), (33, 94.5), (42, 89.8), (50, 78.5)],
    # Orbit: the socket without lids and eyeball, which are joined to it later.
    8: [(0, 94.2), (5, 93.2), (10, 90), (16, 86), (24, 88.6), (34, 89.2), (42, 85.6), (49.5, 75), (57, 60), (63.5, 40)],
    0: [(0, 95.4), (5, 93.6), (9, 89.8), (14, 83.5), (21, 80), (31, 80), (41, 78), (48, 73.5), (56, 60), (63.5, 38),
        (70, 4), (73.5, -25), (60, -63), (0, -88)],
    -9: [(0, 99.8), (5, 97.2), (9, 92), (14, 86.8), (20, 85.6), (31, 86), (41, 82), (49, 75.5)],
    # Cheekbones and the nose's dorsum.
    -18: [(0, 105), (4.5, 103), (8.5, 97.5), (13, 90.5), (19, 87), (31, 87), (42, 83), (51, 74.5), (60, 58), (66.5, 38),
          (70, 6), (67, -35), (52, -65), (0, -83)],
    -27: [(0, 111.3), (5, 109), (9.5, 102.5), (14, 95), (20, 89.5), (32, 87), (44, 81.5), (54, 70.5), (62, 54),
          (67, 36), (69.5, 6)],
    -35: [(0, 117.6), (5.5, 115.2), (10, 109.2), (14.6, 103.5), (18.2, 97), (23, 91.5), (34, 86.5), (46, 78)],
    -44: [(22, 93.5), (34, 86), (46, 76.5), (56, 61), (59.5, 42), (60.5, 12), (58.5, -25), (46, -58), (0, -74)],
    # Muzzle without lips, cheeks.
    -54: [(0, 100.6), (8, 100.4), (17, 98), (27, 92), (36, 84.5)],
    -65: [(0, 100.2), (10, 99.6), (19, 96), (27, 90.5), (36, 83), (46, 70.5), (51.5, 54), (54.6, 34), (54.2, 12),
          (53, -20), (40, -50), (0, -64)],
    -76: [(0, 97.6), (10, 96.8), (19, 93.4), (28, 87)],
    -85: [(0, 94.4), (12, 93.2), (23, 88.5), (33, 79.5), (40.5, 67), (45.5, 51), (49.3, 32)],
    -97: [(0, 98.2), (8, 97.2), (16, 92.6), (25, 83.5), (34, 71)],
    -106: [(0, 95.8), (9, 94.3), (18, 87)],
    # The jaw's border, and the floor of the mouth behind it: (y, v), v a height unrolled along the skin.
    (-112.5, -112.5): [(0, 87), (11, 85.5), (20, 78.5)],
    (-108, -110): [(30, 68)],
    (-98, -102): [(41.5, 52)],
    (-86, -91): [(46.7, 34)],
    (-73, -77): [(51, 13)],
    (-113.5, -125): [(0, 70), (14, 68)],
    (-108, -122): [(26, 56)],
    (-100, -116): [(38, 38)],
    (-90, -104): [(47.5, 11)],
    (-116, -140): [(0, 50), (17, 46)],
    # Neck and bust.
    (-104, -130): [(40, 20), (47.5, -3)],
    (-127, -158): [(0, 41), (24, 33)],
    (-120, -150): [(44, 5), (50.5, -22), (42, -52), (0, -62)],
    (-145, -178): [(0, 42), (22, 33), (41.5, 5), (50, -24), (43, -54), (0, -64)],
    (-172, -206): [(0, 36), (22, 31), (46, 2), (60, -28), (46, -60), (0, -69)],
    (-196, -232): [(0, 35), (24, 36), (58, 8), (84, -28), (55, -68), (0, -78)],
    (-216, -262): [(0, 48), (40, 50), (92, 22), (128, -25), (70, -84), (0, -88)],
    (-250, -300): [(0, 70), (60, 66), (125, 34), (172, -22), (100, -98), (0, -102)],
    (-300, -350): [(0, 92), (70, 86), (140, 45), (190, -20), (115, -110), (0, -114)],
    # The nose's underside: tip, columella, wings and the floor of the nostrils.
    (-39.6, -39): [(0, 117.8), (5, 115.4)],
    (-43.4, -42.2): [(0, 114.4), (4.6, 112)],
    (-45.6, -45): [(0, 109), (9.5, 107)],
    (-46.6, -48.2): [(0, 103), (8, 101.4), (15.4, 97.5)],
    (-41, -40): [(11.5, 110), (16.3, 104.6)],
    (-44.6, -43.6): [(13.8, 104.8)],
    (-42, -42): [(18.8, 96.8)],
}

RADIUS = 78.0
"""Radius of the capsule that parametrises the skin, mm."""
EQUATOR = 35.0
"""Height at which the capsule's upper hemisphere sits on its cylinder, mm."""
BOTTOM = -330.0
"""Lowest unrolled height of the skin, mm: the bust's open edge."""


def landmarks() -> tuple[np.ndarray, np.ndarray]:
    """Parameter points on the capsule and the landmarks they stand for: both (L, 3) float64, mm, both sides."""
    parameters, points = [], []
    for key, row in _ROWS.items():
        y, v = key if isinstance(key, tuple) else (key, key)
        for x, z in row:
            parameters.append(capsule(x, v, z))
            points.append((x, y, z))
    parameters, points = np.array(parameters), np.array(points, float)
    side = points[:, 0] > 0
    mirror = np.array([-1.0, 1.0, 1.0])
    return np.concatenate([parameters, parameters[side] * mirror]), np.concatenate([points, points[side] * mirror])


def capsule(x: float, v: float, z: float) -> np.ndarray:
    """The capsule point in the direction of a head point: (3,) mm. ``v`` is its unrolled height."""
    if v >= EQUATOR:
        direction = np.array([x / 75, (v - EQUATOR) / RADIUS, z / 94])
        return RADIUS * direction / np.linalg.norm(direction) + (0, EQUATOR, 0)
    azimuth = np.arctan2(x / 75, z / 94)
    return np.array([RADIUS * np.sin(azimuth), v, RADIUS * np.cos(azimuth)])
