"""The template head's landmarks: where points of an average adult face lie, in millimetres.

Origin: the head's centre, level with the pupils, in the plane of the tragi; x to the subject's left, y up, z out of the
face. Distances follow published craniofacial means, taken between the sexes (L. G. Farkas, Anthropometry of the Head
and Face, 2nd ed., 1994; NASA-STD-3000 vol. I, 1995): head length 194, breadth 151, vertex-gnathion 226, bizygomatic
137, bigonial 104, nasion-gnathion 118, nasion-subnasale 52, nasal protrusion 18, alar breadth 36, mouth breadth 52,
ear 61 x 35, biocular breadth 89, neck breadth 104. Depths between them were sculpted by eye.
"""

from __future__ import annotations

import numpy as np

_ROWS: dict[float | tuple[float, float], list[tuple[float, ...]]] = {
    # Skull: horizontal sections (y: (x, z) from the front midline round to the back).
    113: [(0, -8)],
    106: [(0, 33), (24, 22), (38, -9), (26, -40), (0, -47)],
    90: [(0, 66.5), (28, 57), (51, 21), (58, -15), (45, -57), (0, -77)],
    70: [(0, 85.5), (25, 81), (47, 60), (65, 14), (70, -20), (57, -65), (0, -90)],
    46: [(0, 95.5), (25, 92.5), (44, 79), (58, 52), (71, 15), (76, -20), (66, -63), (34, -88), (0, -96)],
    30: [(0, 96.8), (14, 96.4), (28, 93.5), (44, 82), (55, 64), (62, 44), (73, 8), (76, -20), (66, -63), (0, -97)],
    # Brow ridge and glabella.
    20: [(0, 97.4), (9, 96.8), (19, 95.4), (31, 93.4), (42, 87.6), (51, 76.5), (57, 61), (63, 42), (72, 5), (75, -22),
         (66, -63), (34, -87), (0, -96.5)],
    13: [(0, 96.4), (6, 95.4), (15, 92.6), (24, 92.6), (33, 91.8), (42, 86.6), (50, 76.8)],
    # Orbit: the socket without lids and eyeball, which are joined to it later.
    8: [(0, 94.8), (5, 93.6), (10, 91), (16, 88), (24, 89.4), (34, 89.4), (42, 84.8), (49.5, 75), (57, 60), (63.5, 40)],
    0: [(0, 95), (5, 93.2), (9, 90), (13, 86.4), (16, 83), (19, 81.4), (24, 81), (31, 81), (40, 80.4), (45.5, 79.8),
        (50, 75.6), (57, 61), (64, 39), (70, 4), (73.5, -25), (61, -64), (0, -95)],
    -9: [(0, 99.2), (5, 96.8), (9, 92.2), (14, 88), (20, 87.4), (31, 88.8), (41, 85.4), (49, 78.4)],
    # Cheekbones and the nose's dorsum.
    -18: [(0, 104.6), (5, 102.4), (9, 97.4), (13.5, 91.6), (19, 88.6), (31, 89.2), (42, 86), (51, 77.5), (60, 60),
          (66.5, 38),
          (70, 6), (68, -35), (54, -64), (0, -90.5)],
    -27: [(0, 111.3), (5.6, 108.6), (10.4, 102.2), (14.8, 95.6), (20, 91), (32, 89), (44, 83.5), (54, 72.5), (62, 56),
          (67, 36), (69.5, 6)],
    -35: [(0, 117), (6.4, 114.9), (11.2, 109.4), (15.4, 103.6), (18.8, 97.6), (23, 93), (34, 88.6), (46, 81), (56, 68)],
    -44: [(22, 95), (34, 88), (46, 79), (56, 64), (61, 44), (62, 14), (58.5, -25), (46, -57), (0, -78)],
    # Muzzle without lips, cheeks.
    -54: [(0, 101), (8, 100.8), (17, 98.4), (27, 92.6), (36, 86), (47, 75.5), (56, 58)],
    -65: [(0, 100.8), (10, 100.2), (19, 96.8), (27, 91.6), (36, 84.6), (46, 73.6), (53, 57), (56, 35), (55, 13),
          (53.5, -20), (41, -50), (0, -66)],
    -76: [(0, 98.2), (10, 97.4), (19, 94), (28, 88.4), (38, 79.5)],
    -85: [(0, 95.6), (12, 94.4), (23, 89.6), (33, 81.4), (42, 69), (47.4, 52), (50.4, 32)],
    -97: [(0, 98.6), (8, 97.8), (16, 94), (25, 86), (35, 73.5)],
    -106: [(0, 97), (9, 95.6), (18, 89)],
    # The jaw's border, and the floor of the mouth behind it: (y, v), v a height unrolled along the skin.
    (-112.5, -112.5): [(0, 89), (11, 87.5), (20, 80.5)],
    (-108.5, -110): [(30.5, 70)],
    (-100, -102.5): [(41.5, 54)],
    (-89, -92): [(46.6, 34)],
    (-75, -78): [(50.8, 13)],
    (-115.6, -125): [(0, 72), (14, 69.5)],
    (-110, -122): [(26, 56)],
    (-101, -115): [(38, 40)],
    (-90, -104): [(46.5, 13)],
    (-119.5, -140): [(0, 52), (17, 47)],
    # Neck and bust: rings across the leaning neck and over the shoulders, (x, y, z).
    (-80, -97): [(53, -21), (41, -49), (0, -63.5)],
    (-104, -130): [(38.5, 24), (49, -4), (51.5, -94, -22), (42, -92, -49), (0, -92, -63)],
    (-126, -158): [(0, -128, 40.5), (24, -126, 33), (43, -115, 8), (51.5, -107, -20), (43, -108, -51),
        (0, -108, -64.5)],
    (-145, -182): [(0, -147, 36), (22, -145, 28), (42, -139, 4), (54.5, -129, -27), (45, -126, -59), (0, -127, -68.5)],
    (-165, -206): [(0, -170, 29.5), (19, -168, 24), (43, -162, 0), (65, -147, -35), (50, -145, -68), (0, -147, -76.5)],
    (-185, -232): [(0, -194, 21), (16, -192, 22.5), (47, -184, 5), (93, -162, -38), (60, -163, -83), (0, -168, -89)],
    (-200, -258): [(0, -210, 28), (40, -203, 25), (90, -197, 7), (141, -179, -39), (78, -186, -103), (0, -189, -101)],
    (-220, -284): [(0, -232, 40), (45, -229, 43), (110, -223, 27), (183, -203, -40), (105, -215, -115),
        (0, -217, -110)],
    (-255, -312): [(0, -262, 56), (55, -260, 63), (135, -257, 40), (211, -242, -38), (120, -250, -122),
        (0, -251, -116)],
    (-300, -350): [(0, 72), (60, 84), (143, 52), (222, -36), (124, -124), (0, -116)],
    (-345, -388): [(0, 82), (65, 95), (143, 54), (217, -34), (120, -120), (0, -112)],
    # The nose's underside: tip, columella, wings and the floor of the nostrils.
    (-39, -38.4): [(0, 118.6), (6.4, 116.3)],
    (-42.4, -41.2): [(0, 117), (5.8, 114.7)],
    (-45, -43.6): [(0, 112.4), (4.8, 110.6)],
    (-46.6, -45.8): [(0, 107.4), (9.5, 106)],
    (-47.2, -48.6): [(0, 103.6), (8, 102), (15.4, 98)],
    (-43, -41.4): [(12, 109), (17, 103.6)],
    (-45.6, -44.2): [(14.2, 104)],
    (-42, -42.6): [(19, 97.6)],
}

RADIUS = 78.0
"""Radius of the capsule that parametrises the skin, mm."""
EQUATOR = 35.0
"""Height at which the capsule's upper hemisphere sits on its cylinder, mm."""
BOTTOM = -385.0
"""Lowest unrolled height of the skin, mm: the bust's open edge."""


def landmarks() -> tuple[np.ndarray, np.ndarray]:
    """Parameter points on the capsule and the landmarks they stand for: both (L, 3) float64, mm, both sides."""
    parameters, points = [], []
    for key, row in _ROWS.items():
        y, v = key if isinstance(key, tuple) else (key, key)
        for x, *height, z in row:
            parameters.append(capsule(x, v, z))
            points.append((x, *(height or [y]), z))
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
