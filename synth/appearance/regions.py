"""Where a face has more or less of its pigments: factors in logarithms, and masks, by canonical place (mm).

All take points (K, 3) float32 and give (K,) float32. Places are the template's; ``near`` mirrors the left side's.
"""

from __future__ import annotations

import numpy as np

from synth.heads.template.mesh import eye_angles, eye_view
from synth.heads.template.sculpt import (
    EYE_CENTRE,
    LID_CREASE,
    LID_OUTER,
    lip_coordinates,
    polyline,
    smoothstep,
    stroke,
)

_ALAR_GROOVE = [(14, -32), (18.6, -34.5), (20.2, -39.5), (18.6, -44.5), (13, -47.5)]
_TEAR_TROUGH = [(14.5, -4), (18, -9.5), (24, -13.5), (32, -15)]
_NASOLABIAL = [(20, -38), (25, -45), (29, -53), (32, -61), (33, -67)]


def near(point: np.ndarray, centre: tuple[float, float, float], size: tuple[float, float, float]) -> np.ndarray:
    """Gaussian weight about a point given on the left side, mirrored."""
    total = np.square((np.abs(point[:, 0]) - np.float32(centre[0])) / np.float32(size[0]))
    for axis in (1, 2):
        total += np.square((point[:, axis] - np.float32(centre[axis])) / np.float32(size[axis]))
    return np.exp(-total)


def face_blood(point: np.ndarray, redness: float) -> np.ndarray:
    """Log of the face's blood over the head's: flushed cheeks, nose, chin and lids, a paler muzzle and jaw."""
    red = 0.68 * near(point, (37, -29, 82), (16, 15, 26)) + 0.25 * near(point, (42, -48, 76), (15, 14, 24))
    red += 0.80 * near(point, (0, -37, 116), (12, 11, 16)) + 0.32 * near(point, (0, -15, 104), (9, 15, 16))
    red += 0.50 * _grooves(point, _ALAR_GROOVE, 3.2) + 0.22 * _grooves(point, _NASOLABIAL, 4.0)
    red += 0.34 * near(point, (0, -98, 97), (14, 10, 18)) + 0.20 * near(point, (0, 18, 97), (11, 12, 18))
    red += 0.20 * near(point, (30, 40, 90), (24, 14, 30))
    lids = 0.45 * near(point, (31, 7, 86), (16, 7, 14)) + 0.30 * near(point, (27, -8, 85), (14, 5, 14))
    lids += 0.12 * near(point, (15.5, -1, 86), (4.5, 7, 10))
    pale = 0.20 * near(point, (15, -54, 98), (13, 6, 14)) + 0.12 * near(point, (46, -78, 62), (16, 20, 26))
    return redness * red + lids - pale


def ear_blood(point: np.ndarray, redness: float) -> np.ndarray:
    """Log of the ears' blood over the head's."""
    rim = 0.65 * near(point, (79, -2, -14), (13, 34, 26)) * smoothstep(66, 74, np.abs(point[:, 0]))
    return (0.35 + 0.65 * redness) * rim


def face_melanin(point: np.ndarray, shadows: float, dark: float) -> np.ndarray:
    """Log of the face's melanin over the head's; ``dark``, 0 to 1: how dark the person is, whose face varies more."""
    more = 0.07 * near(point, (0, 48, 95), (46, 22, 50)) - 0.13 * near(point, (38, -32, 82), (17, 17, 30))
    around = near(point, (12, -70, 98), (30, 17, 24)) - 0.6 * near(point, (0, -72, 100), (22, 9, 20))
    more += (0.10 + 0.16 * dark) * np.maximum(around, 0)
    more += (0.06 + 0.18 * dark) * near(point, (58, 0, 55), (12, 42, 32))
    more += (0.06 + 0.08 * dark) * _grooves(point, _NASOLABIAL, 4.5) + 0.10 * _grooves(point, _ALAR_GROOVE, 3.0)
    under = near(point, (26, -10.5, 84), (13, 4.5, 14)) + 0.4 * near(point, (17.5, -4, 85), (5.5, 7, 10))
    upper = near(point, (32, 7, 86), (16, 6, 14)) + 0.4 * near(point, (18, 8, 88), (6, 8, 12))
    return more + shadows * 0.3 * (under + 0.9 * upper)


def eye_veins(point: np.ndarray) -> np.ndarray:
    """Venous blood that shows through the thin skin under the eyes, 0 to 1."""
    return np.clip(near(point, (25, -10, 85), (11, 4, 14)) + 0.5 * _grooves(point, _TEAR_TROUGH, 2.6), 0, 1)


def lid_crease(point: np.ndarray) -> np.ndarray:
    """The fold of the upper lid, 0 to 1."""
    return stroke(point, LID_CREASE, 0.8, 0.3).astype(np.float32) * (point[:, 2] > EYE_CENTRE[2] - 1)


def lid_margins(point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The wet edge of the lids with the inner corner, and the line where lashes stand, both 0 to 1."""
    margin, lashes = np.zeros((2, len(point)), np.float32)
    x = np.abs(point[:, 0])
    chosen = np.flatnonzero((point[:, 2] > EYE_CENTRE[2] - 1) & (np.hypot(x - EYE_CENTRE[0], point[:, 1]) < 18))
    rim = LID_OUTER * np.concatenate([eye_angles(), eye_angles()[:1]])
    seen = LID_OUTER * eye_view(np.stack([x[chosen], *point[chosen, 1:].T], axis=1))
    margin[chosen] = polyline(seen, rim, 0.55, 0.0)
    lashes[chosen] = np.clip(polyline(seen, rim, 1.1, 0.0) - 0.6 * margin[chosen], 0, 1)
    corner = near(point, (18.6, -1.2, 82.5), (1.9, 1.6, 5))
    return np.clip(margin + 0.7 * corner, 0, 1), lashes * (1 - corner)


def lips(point: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """1 on the lips' red, soft at its border; the rim of pale skin around it; height: 0 where lips meet, 1 and -1 at
    the upper and at the lower lip's border."""
    s, t = lip_coordinates(point)
    front = smoothstep(45, 55, point[:, 2]) * smoothstep(0, 6, 36 - np.abs(point[:, 0]))
    red = smoothstep(1.14, 0.88, np.abs(t)) * smoothstep(1.04, 0.9, s) * front
    rim = np.exp(-np.square((np.abs(t) - 1.17) / 0.11)) * smoothstep(0.95, 0.7, s) * front
    return red.astype(np.float32), rim.astype(np.float32), t.astype(np.float32)


def nostrils(point: np.ndarray) -> np.ndarray:
    """1 inside the nostrils."""
    return np.clip(1.6 * near(point, (7.2, -40.5, 104.5), (3.6, 3.6, 5.5)), 0, 1)


def _grooves(point: np.ndarray, curve: list[tuple[float, float]], width: float) -> np.ndarray:
    """Strength along a front-view polyline of the face, mirrored."""
    return stroke(point, curve, width, 0.3).astype(np.float32) * smoothstep(50, 75, point[:, 2])
