"""The template's traits: smooth fields over head space, each for about one standard deviation, in millimetres.

A field moves every part alike, so that parts stay together. Those of :func:`measured` each change one anthropometric
measure most; :mod:`synth.heads.template.identity` then makes them change that one alone, by its deviation.
"""

from __future__ import annotations

import numpy as np

from synth.heads.template.sculpt import CHEILION, lip_coordinates, smoothstep

MOUTH = float(CHEILION[1])
"""Height of the mouth's corners, mm: fields about the mouth are centred on it."""


def near(v: np.ndarray, centre: tuple[float, float, float], size) -> np.ndarray:
    """Gaussian weight (K,) about a point, and its mirror image's added: smooth across the midline."""
    centres = [np.array(centre)] if centre[0] == 0 else [np.array(centre), np.array(centre) * (-1, 1, 1)]
    return sum(np.exp(-((((v - middle) / size) ** 2).sum(axis=1))) for middle in centres)


def push(v: np.ndarray, centre, size, move) -> np.ndarray:
    """Move a neighbourhood and its mirror image; the move's x points away from the midline."""
    side = np.clip(v[:, 0] / 6.0, -1, 1)
    return near(v, centre, size)[:, None] * np.stack([side * move[0], 0 * side + move[1], 0 * side + move[2]], axis=1)


def along(x: np.ndarray, dx=0.0, dy=0.0, dz=0.0) -> np.ndarray:
    """(K, 3) from three components."""
    return np.stack([dx + 0 * x, dy + 0 * x, dz + 0 * x], axis=1)


def _ramp(y: np.ndarray, high, low) -> np.ndarray:
    """0 above ``high``, 1 below ``low``, in between straight but for soft ends."""
    t = np.clip((high - y) / (high - low), -0.5, 1.5)
    soft = 0.08
    return soft * (np.logaddexp(0, t / soft) - np.logaddexp(0, (t - 1) / soft))


def measured(v: np.ndarray) -> dict[str, np.ndarray]:
    """One field for each of ``anthropometry.MEASURES``."""
    x, y, z = v.T
    side = np.clip(x / 6.0, -1, 1)
    skull = smoothstep(-45, 30, y)
    front = smoothstep(-25, 45, z)
    fade = smoothstep(-255, -125, y)  # what moves the chin moves the throat less and less
    # The nose's stretch begins below the lids, beside it.
    start = 6 - 20 * smoothstep(8, 22, np.abs(x))
    wide = smoothstep(14, 50, np.abs(x))
    mouth = near(v, (0, MOUTH, 88), (44, 26, 44))
    s, t = lip_coordinates(v)
    lips = smoothstep(78, 86, z) * smoothstep(1.15, 0.75, s)
    upper = lips * np.where(t > 0, np.exp(-(((t - 1) / 0.55) ** 2)) * smoothstep(0, 0.5, t), 0)
    lower = lips * np.where(t < 0, np.exp(-(((t + 1) / 0.55) ** 2)) * smoothstep(0, -0.5, t), 0)
    swell_up, swell_low = (lips * np.where(sign * t > 0, np.exp(-(((sign * t - 0.6) / 0.5) ** 2)) *
                                           smoothstep(0.0, 0.4, sign * t), 0) for sign in (1, -1))
    ear = smoothstep(64, 73, np.abs(x)) * near(v, (76, -6, -14), (30, 50, 40)) ** 0.5
    neck = smoothstep(-62, -130, y) * smoothstep(-240, -160, y) * smoothstep(70, 40, z)
    radial = np.stack([x, 0 * x, z + 12], axis=1)
    wings = near(v, (12, -38, 103), (17, 15, 22))
    return {
        "head_breadth": along(x, dx=0.04 * x * skull * (0.35 + 0.65 * smoothstep(95, 40, z))),
        "head_length": along(x, dz=0.035 * (z - 25) * smoothstep(60, -20, z) * smoothstep(-150, -50, y)),
        "head_height": along(x, dy=7.0 * smoothstep(15, 112, y)),
        "frontal_breadth": along(x, dx=0.05 * x * near(v, (50, 30, 72), (44, 30, 36))),
        "face_breadth": along(x, dx=0.05 * x * np.exp(-(((y + 22) / 38) ** 2)) * smoothstep(-20, 40, z)),
        "jaw_breadth": push(v, (52, -76, 20), (34, 40, 44), (4.5, 0, 0)),
        "face_length": along(x, dy=-6.0 * _ramp(y, MOUTH, -108.0) * front * fade),
        "nose_length": along(x, dy=-3.9 * _ramp(y, start, -44 - 40 * wide) * front * fade),
        "nasal_root_breadth": along(x, dx=side * np.clip(np.abs(x) / 7, 0, 1) * 1.1 * near(v, (7, 2, 92), (7, 13, 12))),
        "nose_breadth": along(x, dx=side * np.minimum(np.abs(x) / 12, 1.3) * 2.1 * wings),
        "nose_protrusion": along(x, dz=2.8 * smoothstep(94, 107, z) * near(v, (0, -35, 110), (14, 26, 34))
                                 + 0.9 * near(v, (0, -15, 102), (9, 14, 22))),
        "eye_distance": along(x, dx=side * 1.8 * near(v, (32, 0, 82), (22, 21, 34))),
        "mouth_breadth": along(x, dx=x / 26 * 2.2 * np.minimum(mouth * 1.3, 1) * smoothstep(52, 26, np.abs(x))),
        "upper_lip_height": along(x, dy=-2.0 * _ramp(y, -47 + 15 * wide, -60 - 20 * wide) * front * fade),
        "upper_vermilion": along(x, dy=1.4 * upper, dz=0.7 * swell_up),
        "lower_vermilion": along(x, dy=-1.7 * lower, dz=0.8 * swell_low),
        "ear_length": along(x, dy=(y + 6) * 0.06 * ear),
        "ear_breadth": along(x, dz=(z + 2) * 0.07 * ear * smoothstep(2, -6, z), dx=side * 0.25 * ear),
        "neck_girth": radial / np.maximum(np.linalg.norm(radial, axis=1), 52)[:, None] * (5.0 * neck)[:, None],
    }


def shaped(v: np.ndarray) -> dict[str, np.ndarray]:
    """Traits that no measure of ours catches: relief, depth and inclination."""
    return _upper(v) | _nose(v) | _lower(v) | _neck_and_ears(v)


def _upper(v: np.ndarray) -> dict[str, np.ndarray]:
    x, y, z = v.T
    front = smoothstep(0, 60, z)
    fold = push(v, (33, 10.5, 88), (15, 4.5, 12), (0.2, -1.3, 1.1)) + push(v, (44, 8, 83), (9, 5, 10), (0.3, -1.2, 0.6))
    canthus = push(v, (16.5, -2.5, 85), (4.0, 7.0, 8.0), (1.5, -0.5, 1.6))
    return {
        "forehead_slope": along(x, dz=-3.6 * smoothstep(22, 95, y) * front),
        "forehead_bulge": push(v, (22, 58, 84), (30, 24, 34), (0.4, 0.6, 2.6)),
        "occiput": along(x, dz=-4.0 * near(v, (0, 22, -90), (58, 38, 46)) + 2.0 * near(v, (0, 85, -70), (60, 30, 40))),
        "temple": push(v, (62, 24, 52), (18, 24, 22), (-2.0, 0, -1.0)),
        "brow_ridge": push(v, (20, 17, 98), (22, 10, 26), (0, -0.7, 1.7))
        + push(v, (46, 14, 82), (13, 10, 20), (1.0, -0.7, 1.6)),
        "brow_height": push(v, (32, 17, 94), (28, 8, 26), (0, 1.9, 0)),
        "eye_depth": along(x, dz=-1.5 * near(v, (32, 0, 82), (20, 14, 28))),
        "lid_fold": fold,
        "epicanthus": canthus + 0.5 * fold,
        "eye_bags": push(v, (32, -14, 87), (13, 4.5, 14), (0, -0.5, 1.3))
        + push(v, (30, -20, 88), (14, 4, 14), (0, 0, -0.8)),
        "cheekbones": push(v, (49, -20, 75), (20, 18, 30), (1.7, 0.5, 1.9)),
        "cheek_fullness": push(v, (42, -54, 74), (20, 25, 34), (2.6, -0.4, 2.4)),
        "cheek_hollow": push(v, (47, -50, 66), (15, 17, 28), (-2.0, 0, -1.6)),
    }


def _nose(v: np.ndarray) -> dict[str, np.ndarray]:
    x, _, _ = v.T
    tip = near(v, (0, -38, 114), (15, 12, 18))
    return {
        "nose_bridge": along(x, dz=2.3 * near(v, (0, -4, 97), (12, 19, 20))),
        "nose_hump": along(x, dz=1.6 * near(v, (0, -14, 102), (9, 10, 16)) - 0.7 * near(v, (0, -30, 111), (9, 7, 14))),
        "nose_tip": along(x, dy=2.4 * tip, dz=0.4 * tip),
        "nose_bulb": push(v, (6.5, -36, 112), (6.5, 8, 10), (1.2, 0, 0.3)),
        "nostrils": push(v, (15, -40, 103), (7, 7, 11), (0.6, 1.6, 0.3)),
    }


def _lower(v: np.ndarray) -> dict[str, np.ndarray]:
    x, y, z = v.T
    s, t = lip_coordinates(v)
    lips = smoothstep(78, 86, z) * smoothstep(1.15, 0.7, s)
    evert = lips * np.exp(-(((np.abs(t) - 0.75) / 0.5) ** 2)) * smoothstep(0.1, 0.5, np.abs(t))
    muzzle = near(v, (0, MOUTH + 2, 96), (38, 26, 50))
    chin = near(v, (0, -104, 88), (32, 22, 44))
    return {
        "prognathism": along(x, dz=2.4 * muzzle),
        "lip_eversion": along(x, dy=0.25 * np.sign(t) * evert, dz=1.3 * evert),
        "philtrum": along(x, dz=-0.7 * near(v, (0, -52, 103), (2.6, 6, 12))) + push(
            v, (5.3, -53, 102), (2.0, 6, 12), (0, 0, 0.5)),
        "mouth_corners": along(x, dy=1.5 * near(v, (27, MOUTH, 88), (11, 10, 24))),
        "chin_projection": along(x, dz=3.0 * chin),
        "chin_breadth": push(v, (19, -103, 84), (17, 17, 30), (2.8, 0, 0.6)),
        "chin_cleft": along(x, dz=-0.9 * near(v, (0, -101, 98), (2.6, 9, 14))) + push(
            v, (9, -101, 95), (7, 9, 14), (0, 0, 0.7)),
        "jaw_line": push(v, (50, -84, 26), (22, 22, 40), (0.4, -3.6, -0.5)),
        "nasolabial_fold": push(v, (28, -54, 90), (4.5, 14, 14), (-0.3, 0, -0.9))
        + push(v, (36, -50, 84), (8, 14, 16), (0.2, -0.8, 1.1)),
        "jowls": push(v, (37, -92, 66), (13, 12, 28), (1.6, -2.3, 1.3)) + push(
            v, (27, -84, 86), (4.5, 9, 14), (0, 0, -1.0)),
    }


def _neck_and_ears(v: np.ndarray) -> dict[str, np.ndarray]:
    x, y, z = v.T
    side = np.clip(x / 6.0, -1, 1)
    ear = smoothstep(66, 74, np.abs(x)) * near(v, (76, -6, -14), (30, 50, 40)) ** 0.5
    lobe = near(v, (74, -38, -7), (10, 13, 14)) * smoothstep(68, 73, np.abs(x))
    bands = push(v, (11, -140, 40), (5.5, 34, 22), (0.3, 0, 2.0))
    bands -= along(x, dz=1.2 * near(v, (0, -140, 42), (6, 34, 22)))
    shoulders = smoothstep(45, 110, np.abs(x)) * smoothstep(-150, -200, y)
    return {
        "double_chin": along(x, dy=-5.5 * near(v, (0, -120, 54), (30, 18, 34)), dz=3.0 * near(
            v, (0, -126, 52), (30, 20, 30))),
        "larynx": along(x, dz=2.4 * near(v, (0, -138, 44), (8, 10, 14))),
        "neck_bands": bands,
        "shoulders": along(x, dy=-9.0 * shoulders),
        "ear_flare": along(x, dx=side * 0.2 * np.clip(-z - 2, 0, 34) * ear),
        "ear_lobe": along(x, dy=-2.4 * lobe, dx=side * 0.4 * lobe),
        "ear_tilt": along(x, dz=-0.09 * (y + 8) * ear, dy=0.09 * (z + 10) * ear),
    }


def asymmetric(v: np.ndarray) -> dict[str, np.ndarray]:
    """Differences between the sides: odd fields, so that the mean of both sides stays what it is."""
    x, y, z = v.T
    side = np.clip(x / 12.0, -1, 1)
    lower = smoothstep(-30, -95, y) * smoothstep(-10, 40, z) * smoothstep(-190, -120, y)
    ear = smoothstep(64, 73, np.abs(x)) * near(v, (76, -6, -14), (30, 50, 40)) ** 0.5
    return {
        "asymmetry_eye": along(x, dy=0.6 * side * near(v, (32, 2, 82), (22, 18, 34))),
        "asymmetry_brow": along(x, dy=0.9 * side * near(v, (32, 17, 94), (26, 9, 26))),
        "asymmetry_nose": along(x, dx=1.2 * near(v, (0, -36, 112), (22, 22, 26))),
        "asymmetry_mouth": along(x, dy=0.8 * side * near(v, (24, MOUTH, 90), (20, 16, 30))),
        "asymmetry_jaw": along(x, dx=1.5 * lower),
        "asymmetry_cheek": push(v, (46, -30, 76), (22, 26, 30), (0.9, 0, 0.9)) * np.sign(x)[:, None],
        "asymmetry_ear": along(x, dy=1.6 * side * ear, dx=0.7 * np.abs(side) * ear),
        "asymmetry_skull": along(x, dz=-1.6 * side * smoothstep(20, -40, z) * smoothstep(-60, 0, y)),
    }
