"""Where skin creases: lines of the face, the muscles that fold it there, and how lines look in skin.

Lines are drawn on the unrolled face: canonical space wrapped on a cylinder about the vertical axis, mm.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from scipy.interpolate import CubicHermiteSpline
from scipy.ndimage import gaussian_filter1d

from synth.heads.template.sculpt import LID_CREASE, lip_coordinates, mouth_line, smoothstep

RADIUS = 85.0
"""Of the cylinder that the face is unrolled from, mm."""
STEP = 0.3
"""Distance between the points that a line is made of, mm."""


@dataclasses.dataclass(frozen=True)
class Place:
    """One place where skin wrinkles."""

    lines: Callable[[np.random.Generator], list[np.ndarray]]
    """Draws (M, 4) points: across and up in the unrolled face, depth and half-width of the furrow, mm."""
    drivers: dict[str, float]
    aged: float = 1.0
    """Depth at rest of the most wrinkled, as a share of full depth."""
    always: float = 0.0
    """Depth at rest of everybody."""
    stretched_by: dict[str, float] = dataclasses.field(default_factory=dict)
    """Units that pull the skin flat, and what share of its depth at rest they take."""
    across: tuple[float, float] | None = None
    """Distance from the midline, mm, over which the place begins (low first) or ends (high first)."""


def unroll(point: np.ndarray) -> np.ndarray:
    """(K, 2) mm: canonical points (K, 3) on the unrolled face, to the subject's left and up."""
    x, y, z = np.ascontiguousarray(point.T)  # the last bits of arctan2 can depend on strides
    return np.stack([RADIUS * np.arctan2(x, z), y], axis=1)


def _wander(rng: np.random.Generator, count: int, scale: float) -> np.ndarray:
    """(count,) smooth noise of unit variance along a line; ``scale`` in mm."""
    sigma = scale / STEP
    pad = int(4 * sigma) + 1
    smooth = gaussian_filter1d(rng.standard_normal(count + 2 * pad), sigma)[pad : pad + count]
    return smooth * np.sqrt(2 * np.sqrt(np.pi) * sigma)


def trace(rng: np.random.Generator, line: np.ndarray, depth: float, width: float, wobble: float = 0.35) -> np.ndarray:
    """(M, 4) points of one line as skin would crease: it wanders, thins out, breaks off and fades at its ends.

    line: (P, 2) unrolled mm. depth, width: of the furrow, mm.
    """
    line = np.asarray(line, float)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    count = max(int(length[-1] / STEP), 8)
    curve = CubicHermiteSpline(length, line, np.gradient(line, length, axis=0))
    at = curve(np.linspace(0, length[-1], count))
    tangent = np.gradient(at, axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) / np.linalg.norm(tangent, axis=1, keepdims=True)
    at += normal * (wobble * (_wander(rng, count, 3.5) + 0.3 * _wander(rng, count, 1.0)))[:, None]
    ends = np.linspace(0, 1, count)
    start, stop = rng.uniform(0.25, 0.5, 2)
    fade = smoothstep(0, start, ends) * smoothstep(1, 1 - stop, ends)
    uneven = np.clip(0.85 + 0.35 * _wander(rng, count, 5.0), 0.3, 1.5)
    gaps = smoothstep(-2.4, -1.0, _wander(rng, count, 3.5))
    across = width * np.exp(0.2 * _wander(rng, count, 2.0)) * (0.6 + 0.4 * fade)
    return np.column_stack([at, depth * fade * uneven * gaps, across])


def _front(*points: tuple[float, float, float]) -> np.ndarray:
    """A line (P, 2) on the unrolled face through canonical points, mm."""
    return unroll(np.array(points, float))


def _both(draw: Callable[[np.random.Generator], list[np.ndarray]]) -> Callable:
    """Lines of both sides, each drawn for itself, from those of the left."""

    def lines(rng: np.random.Generator) -> list[np.ndarray]:
        return [*draw(rng), *(line * (-1, 1, 1, 1) for line in draw(rng))]

    return lines


def _forehead(rng: np.random.Generator) -> list[np.ndarray]:
    x = np.linspace(-48, 48, 9)
    z = np.interp(np.abs(x), [0, 14, 28, 44, 55], [96.8, 96.4, 93.5, 82, 64])
    arch = 2.6 * np.exp(-np.square((np.abs(x) - 24) / 13)) - 3.5 * (np.abs(x) / 48) ** 3  # over each brow a bow
    out, y = [], 30.0 + rng.uniform(-1, 1)
    while y < 64:
        left, right = -rng.uniform(0.6, 1.0), rng.uniform(0.6, 1.0)
        if rng.random() < 0.25:  # only half a line
            left, right = sorted(rng.uniform(-1, 1, 2) + (-0.25, 0.25))
        keep = np.linspace(left, right, 7) * 46
        line = _front(*zip(keep, y + np.interp(keep, x, arch) + 0.5 * rng.normal(size=7), np.interp(keep, x, z),
                           strict=True))
        out.append(trace(rng, line, 0.5 * rng.uniform(0.7, 1.25) * np.interp(y, [30, 38, 64], [0.7, 1, 0.6]),
                         rng.uniform(0.7, 1.1), 0.5))
        y += rng.uniform(4.5, 7.5)
    return out


def _glabella(rng: np.random.Generator) -> list[np.ndarray]:
    x, lean = rng.uniform(4.8, 7.0), rng.uniform(-0.5, 2.0)
    main = _front((x - 0.4, 8 + rng.normal(), 94), (x, 16, 96.5), (x + lean, rng.uniform(24, 30), 96.5))
    out = [trace(rng, main, 0.5, 0.8)]
    if rng.random() < 0.7:
        x += rng.uniform(3.5, 5.5)
        second = _front((x, 13, 95), (x + 0.6 * lean + 1, rng.uniform(19, 25), 96))
        out.append(trace(rng, second, 0.5 * rng.uniform(0.3, 0.7), 0.65))
    return out


def _root(rng: np.random.Generator) -> list[np.ndarray]:
    """Across the nose's root."""
    out = []
    for y, depth in ((7.5, 0.3), (11.5, 0.17)):
        y, tilt = y + rng.normal() * 0.6, rng.normal() * 0.6
        line = _front((-8, y + 1 - tilt, 92), (-3, y, 94.5), (3, y, 94.5), (8, y + 1 + tilt, 92))
        out.append(trace(rng, line, depth, 0.65))
    return out


def _crows_feet(rng: np.random.Generator) -> list[np.ndarray]:
    corner = _front((46, 0.5, 80))[0]
    out = []
    for angle in np.linspace(36, -50, rng.integers(6, 10)) + 5 * rng.normal():
        angle = np.radians(angle + 6 * rng.normal())
        start, length, depth = rng.uniform(3.5, 7.5), rng.uniform(7, 19), 0.19 * rng.uniform(0.3, 1.3)
        turn = np.array([0, -0.35 + 0.25 * rng.normal()])  # they run into the cheek's and the temple's own lines
        for lean, begin in ((0, 0.0), (np.radians(rng.choice([-14, 14])), rng.uniform(0.3, 0.7))):
            way = np.array([np.cos(angle + lean), np.sin(angle + lean)])
            root = corner + (start + begin * length) * np.array([np.cos(angle), np.sin(angle)])
            share = np.array([0, 0.5, 1])[:, None] * length * (1 - begin)
            line = root + share * way + np.square(share) * turn * 0.03 * np.sign(angle + 0.9)
            out.append(trace(rng, line, depth * (1 if not begin else 0.5), rng.uniform(0.5, 0.85), 0.35))
            if rng.random() < 0.6:  # no branch
                break
    return out


def _under_eye(rng: np.random.Generator) -> list[np.ndarray]:
    out = []
    for row in range(4):
        low = -9.2 - 2.2 * row + 0.4 * rng.normal()
        a, b = rng.uniform(19, 25), rng.uniform(35, 46)
        x = np.linspace(a, b, 5)
        y = low + 3.2 * np.square((x - 31.5) / 13) - 0.07 * row * (x - 31.5)
        line = _front(*zip(x, y, np.interp(x, [18, 26, 34, 46], [86, 89, 88.5, 81]), strict=True))
        out.append(trace(rng, line, 0.17 * rng.uniform(0.5, 1.2), rng.uniform(0.34, 0.55), 0.3))
    return out


def _lid(rng: np.random.Generator) -> list[np.ndarray]:
    crease = np.array(LID_CREASE)
    z = np.interp(crease[:, 0], [18, 26, 34, 46], [84, 88, 88.5, 80])
    out = [trace(rng, _front(*zip(*crease.T, z, strict=True)), 0.16, 0.4, 0.1)]
    for rise in (-1.0, 1.5, 2.9):
        shift = crease + (0, rise)
        part = shift[rng.integers(0, 2) : 6 - rng.integers(0, 2)]
        line = _front(*zip(*part.T, np.interp(part[:, 0], [18, 26, 34, 46], [84, 88, 88.5, 80]), strict=True))
        out.append(trace(rng, line, 0.08 * rng.uniform(0.4, 1), 0.3, 0.2))
    return out


def _nasolabial(rng: np.random.Generator) -> list[np.ndarray]:
    out_by, end = rng.normal() * 0.8, rng.uniform(0.75, 1.0)
    points = np.array([(19.8, -37.5, 97), (24.5, -44, 94), (29.5 + out_by, -52, 91), (33.5 + out_by, -60, 87.5),
                       (35.5 + out_by, -68, 85)])
    points = points[: 4 + (end > 0.85)]
    out = [trace(rng, _front(*points), 0.36, 1.05, 0.3)]
    if rng.random() < 0.6:
        out.append(trace(rng, _front(*(points[1:4] + (rng.uniform(2.5, 4), 0.5, -1.5))), 0.1, 0.5, 0.4))
    return out


def _marionette(rng: np.random.Generator) -> list[np.ndarray]:
    x = 28.5 + 0.6 * rng.normal()
    line = _front((x, -69.8, 88.5), (x + rng.uniform(1, 2.4), -77, 87), (x + rng.uniform(-1, 1.5), -85, 84))
    return [trace(rng, line, 0.26, 1.2), trace(rng, line + (rng.uniform(2, 4), 0), 0.08, 0.6)]


def _corner(rng: np.random.Generator) -> list[np.ndarray]:
    """Brackets beside the mouth's corner."""
    x = 32.5 + 0.5 * rng.normal()
    inner = _front((x - 0.8, -60, 88), (x + 0.4, -66.5, 86), (x - 1, -74, 86))
    outer = _front((36.5, -55, 85), (39, -64, 80.5), (37.5, -75, 79))
    return [trace(rng, inner, 0.32, 0.7, 0.25), trace(rng, outer, 0.16, 0.8)]


def _cheek(rng: np.random.Generator) -> list[np.ndarray]:
    """Further brackets of a broad smile."""
    out = []
    for x in (41, 46.5):
        x += rng.normal()
        line = _front((x - 2, -45, 82), (x + 1.5, -55, 77.5), (x + rng.uniform(-1, 1.5), -67, 74))
        out.append(trace(rng, line, 0.15 * rng.uniform(0.4, 1.1), 0.8, 0.6))
    return out


def _bunny(rng: np.random.Generator) -> list[np.ndarray]:
    out = []
    for row in range(4):
        y = -4.5 - 3.6 * row + 0.5 * rng.normal()
        line = _front((3 + row * 0.6, y, 97 + 2 * row), (8, y - 3.4, 95 + 2 * row), (13, y - 7.5, 91 + row))
        out.append(trace(rng, line, 0.26 * rng.uniform(0.6, 1.1), 0.6, 0.25))
    return out


def lip_height(x: float, sign: int) -> float:
    """Height of the red at a distance from the midline, mm; sign is 1 for the upper lip and -1 for the lower one."""
    return 1 / abs(lip_coordinates(np.array([[x, mouth_line(x) + sign, 95.0]]))[1][0])


def _about_lips(rng: np.random.Generator) -> list[np.ndarray]:
    """Short lines that run away from the lips."""
    out = []
    for sign, count, depth in ((1, 8, 0.2), (-1, 5, 0.12)):
        for x in np.sort(rng.uniform(2.5, 24, count)):
            edge = float(mouth_line(x)) + sign * (lip_height(x, sign) - 0.5)
            length, lean = rng.uniform(3.5, 8.5), 0.02 * rng.normal() + 0.14 * sign
            z = np.interp(x, [0, 10, 25], [102, 100, 93])
            line = _front((x, edge, z), (x * (1 + lean), edge + sign * length, z - 0.5))
            out.append(trace(rng, line, depth * rng.uniform(0.4, 1.1), rng.uniform(0.35, 0.55), 0.25))
    return out


def _lips(rng: np.random.Generator) -> list[np.ndarray]:
    """The furrows of the red itself."""
    out = []
    for sign in (1, -1):
        x = rng.uniform(0.2, 1.0)
        while x < 23:
            tall = lip_height(x, sign)
            low, high = rng.uniform(0.05, 0.35) * tall, rng.uniform(0.7, 1.0) * tall
            z, lean = np.interp(x, [0, 10, 25], [104, 101, 93]), 0.03 * rng.normal()
            line = _front((x * 0.94, float(mouth_line(x)) + sign * low, z),
                          (x * (0.97 + 0.5 * lean), float(mouth_line(x)) + sign * 0.5 * (low + high), z),
                          (x * (1.02 + lean), float(mouth_line(x)) + sign * high, z))
            out.append(trace(rng, line, 0.17 * rng.uniform(0.35, 1.2), rng.uniform(0.25, 0.45), 0.15))
            x += rng.uniform(0.8, 2.0)
    return out


def _neck(rng: np.random.Generator) -> list[np.ndarray]:
    out = []
    for y in (-125, -141, -159):
        y += 3 * rng.normal()
        turn = np.linspace(-rng.uniform(0.5, 1.3), rng.uniform(0.5, 1.3), 7)
        line = np.stack([RADIUS * turn, y + 5 * turn**2 + 0.8 * rng.normal(size=7)], axis=1)
        out.append(trace(rng, line, 0.3 * rng.uniform(0.5, 1.1), rng.uniform(0.7, 1.1), 0.8))
    return out


CHIN = Place(lambda rng: [], {"AU17": 1.0, "AU24": 0.15, "AU15": 0.2}, stretched_by={"AU26": 0.3})
"""Dimples instead of lines."""
PLACES: dict[str, Place] = {
    "forehead_inner": Place(_forehead, {"AU1": 1.0, "AU2": 0.25}, across=(30, 14),
                            stretched_by={"AU4": 0.5, "AU9": 0.4}),
    "forehead_outer": Place(_forehead, {"AU2": 1.0, "AU1": 0.15}, across=(14, 30),
                            stretched_by={"AU4": 0.5, "AU9": 0.2}),
    "glabella": Place(_both(_glabella), {"AU4": 1.0, "AU9": 0.35, "AU7": 0.1}),
    "root": Place(_root, {"AU9": 0.9, "AU4": 0.55}, aged=0.7),
    "crows_feet": Place(_both(_crows_feet), {"AU6": 0.85, "AU12": 0.3, "AU7": 0.3, "AU9": 0.25, "AU45": 0.25}),
    "under_eye": Place(_both(_under_eye), {"AU6": 0.9, "AU7": 0.5, "AU9": 0.4, "AU12": 0.15}, always=0.12),
    "lid": Place(_both(_lid), {"AU7": 0.5, "AU5": 0.4, "AU6": 0.3}, aged=0.6, always=0.5,
                 stretched_by={"AU45": 0.7}),
    "nasolabial": Place(_both(_nasolabial), {"AU12": 0.9, "AU10": 0.7, "AU9": 0.6, "AU11": 0.9, "AU13": 0.6,
                                              "AU6": 0.3}, aged=0.8, always=0.06,
                        stretched_by={"AU34": 0.7, "AU18": 0.4, "AU22": 0.3}),
    "marionette": Place(_both(_marionette), {"AU15": 0.9, "AU20": 0.4, "AU24": 0.3, "AU17": 0.2}, aged=0.8),
    "corner": Place(_both(_corner), {"AU14": 1.0, "AU20": 0.7, "AU12": 0.45, "AU15": 0.3}, aged=0.4),
    "cheek": Place(_both(_cheek), {"AU12": 0.7, "AU20": 0.6, "AU14": 0.3}, aged=0.4),
    "bunny": Place(_both(_bunny), {"AU9": 1.0, "AU10": 0.2, "AU6": 0.1}, aged=0.2),
    "about_lips": Place(_both(_about_lips), {"AU18": 0.9, "AU23": 0.6, "AU24": 0.5, "AU22": 0.5, "AU28": 0.6,
                                              "AU8": 0.3}, aged=0.5,
                        stretched_by={"AU12": 0.5, "AU20": 0.6, "AU34": 0.9}),
    "lips": Place(_both(_lips), {"AU18": 0.6, "AU22": 0.3, "AU23": 0.5, "AU24": 0.4}, aged=0.3, always=1.0,
                  stretched_by={"AU12": 0.5, "AU20": 0.6, "AU28": 0.4}),
    "neck": Place(_neck, {"AU21": 0.3}, always=0.15),
}
"""Where skin wrinkles, and which action units fold it there (Ekman, Friesen & Hager 2002)."""
