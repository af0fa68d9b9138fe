"""What the face's muscles do to the template at full strength: one field a facial action unit, in millimetres.

Described after Ekman, Friesen & Hager, "Facial Action Coding System" (2002): where skin is pulled to, where it bulges
and where it creases. Both sides at once; :mod:`synth.heads.template.expression` takes them apart.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from synth.heads.template.sculpt import smoothstep, stroke
from synth.heads.template.traits import MOUTH, near


@dataclasses.dataclass(frozen=True)
class Face:
    """The template's vertices as muscles see them."""

    v: np.ndarray
    """(N, 3) mm."""
    s: np.ndarray
    """(N,) way from the mouth's middle, 0, to its corner, 1."""
    t: np.ndarray
    """(N,) height over the lips' contact in lip heights: 1 at the upper lip's border, -1 at the lower one's."""
    rise: np.ndarray
    """(N,) height over the lips' contact, mm; on the contact itself +1 for the upper lip and -1 for the lower one."""
    jaw: np.ndarray
    """(N,) share of the mandible in a vertex's motion."""
    bone: np.ndarray
    """(N,) bool: lower teeth and gums, which follow the mandible alone."""
    tongue: np.ndarray
    """(N,) bool."""

    def near(self, centre, size) -> np.ndarray:
        """Gaussian weight (N,) about a point and its mirror image, smooth across the midline."""
        return near(self.v, centre, size)

    def push(self, weight: np.ndarray, dx, dy, dz) -> np.ndarray:
        """(N, 3) weighted move; ``dx`` points away from the midline."""
        side = np.clip(self.v[:, 0] / 5.0, -1, 1)
        front = smoothstep(30, 60, self.v[:, 2])
        return (weight * front)[:, None] * np.stack([side * dx, 0 * side + dy, 0 * side + dz], axis=1)

    def bulge(self, weight: np.ndarray, amount: float) -> np.ndarray:
        """(N, 3) move along the direction out of the head."""
        return (amount * weight)[:, None] * self.outward

    @property
    def outward(self) -> np.ndarray:
        """(N, 3) unit vectors out of the head."""
        out = self.v - np.array([0, -20, 20])
        out[:, 1] *= 0.35
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)

    def crease(self, curve: list[tuple[float, float]], width: float, depth: float) -> np.ndarray:
        """(N, 3) a furrow along a front-view polyline; negative depth makes a ridge."""
        line = stroke(self.v, curve, width) * smoothstep(35, 55, self.v[:, 2])
        return self.bulge(line, -depth)

    @property
    def upper(self) -> np.ndarray:
        """(N,) the upper lip with the skin above it, fading at the corners; nothing below the contact."""
        return self.near((0, MOUTH + 8, 98), (27, 12, 26)) * (self.rise > 0) * smoothstep(1.05, 0.55, self.s)

    @property
    def lower(self) -> np.ndarray:
        """(N,) the lower lip with the skin below it."""
        return self.near((0, MOUTH - 8, 98), (27, 13, 26)) * (self.rise < 0) * smoothstep(1.05, 0.55, self.s)

    @property
    def lips(self) -> np.ndarray:
        """(N,) both lips and the skin about them, over the contact without a step."""
        return self.near((0, MOUTH, 95), (31, 15, 34))

    @property
    def red(self) -> np.ndarray:
        """(N,) the lips' red alone, 1 on it."""
        inside = smoothstep(1.12, 0.9, self.s) * smoothstep(70, 82, self.v[:, 2])
        return inside * smoothstep(1.7, 1.0, np.abs(self.t))

    @property
    def corner(self) -> np.ndarray:
        """(N,) the mouth's corners with their surroundings."""
        return self.near((27, MOUTH, 88), (15, 14, 30))

    @property
    def arc(self) -> np.ndarray:
        """(N,) as ``corner``, but nothing at the mouth's middle: what it lifts keeps a round line."""
        x, y, z = np.abs(self.v[:, 0]), self.v[:, 1], self.v[:, 2]
        across = 1.14 * (x / 27) ** 2 * np.exp(-((np.maximum(x - 22, 0) / 14) ** 2))
        return across * np.exp(-(((y - MOUTH) / 14) ** 2) - ((z - 88) / 30) ** 2)

    @property
    def modiolus(self) -> np.ndarray:
        """(N,) the corners alone."""
        return self.near((27, MOUTH, 88), (9, 9, 26))


def units(face: Face) -> dict[str, np.ndarray]:
    """(N, 3) mm for every unit with one field a side, by name."""
    return _brows(face) | _middle(face) | _corners(face) | _lips(face) | _cheeks(face) | _jaw_and_neck(face)


def _brows(f: Face) -> dict[str, np.ndarray]:
    inner, outer = f.near((13, 18, 98), (13, 13, 26)), f.near((41, 17, 88), (17, 14, 26))
    x, y = np.abs(f.v[:, 0]), f.v[:, 1]
    lines = np.cos(2 * np.pi * (y - 36) / 11.0) * smoothstep(26, 32, y) * smoothstep(74, 60, y)
    return {
        "AU1": f.push(inner, -0.4, 6.2, 0.8) + f.push(f.near((15, 42, 94), (21, 22, 34)), 0, 2.6, 0)
        + f.bulge(lines * smoothstep(26, 10, x), 0.7),
        "AU2": f.push(outer, 0.3, 6.4, -0.4) + f.push(f.near((40, 42, 82), (20, 22, 36)), 0, 2.8, 0)
        + f.bulge(lines * np.exp(-(((x - 40) / 15) ** 2)), 0.6),
        "AU4": f.push(f.near((15, 17, 97), (15, 11, 24)), -3.0, -3.8, 1.5) + f.push(outer, -0.8, -2.4, 0.5)
        + f.bulge(f.near((10, 16, 98), (4.5, 8, 14)), 1.0) + f.crease([(4.5, 8), (4.8, 16), (5.5, 26)], 1.8, 1.5)
        + f.push(f.near((0, 10, 96), (10, 6, 14)), 0, -1.5, 0.5),
    }


def _middle(f: Face) -> dict[str, np.ndarray]:
    x, y = np.abs(f.v[:, 0]), f.v[:, 1]
    wall = f.near((8, -10, 98), (6, 11, 14))
    ridges = np.cos(2 * np.pi * (y + 0.55 * x) / 5.5)
    feet = sum(f.crease([(48, 0.5 + 0.25 * tip), (60, tip)], 2.2, 0.4) for tip in (9, -1, -11))
    wing = f.near((17, -40, 102), (8, 9, 16))
    fold = [(20, -37), (24, -43), (28, -51)]
    return {
        "AU6": f.push(f.near((41, -24, 80), (20, 16, 28)), 0.2, 5.0, 2.4) + feet
        + f.push(f.near((52, -2, 72), (9, 12, 18)), -1.4, 0.6, 0.3)
        + f.crease([(20, -13), (28, -17), (38, -17)], 2.0, 0.7),
        "AU9": f.push(f.near((11, -24, 102), (12, 16, 24)), 0.3, 3.8, 0.9) + f.bulge(ridges * wall, 0.75)
        + f.push(f.near((9, 12, 96), (11, 10, 18)), -1.2, -3.0, 1.0) + f.push(wing, 0.9, 3.2, 0.3)
        + f.push(f.upper, 0, 2.4, 0.4) + f.bulge(f.near((21, -20, 88), (8, 9, 14)), 1.4) + f.crease(fold, 3.0, 0.7),
        "AU10": f.push(f.near((15, -57, 98), (17, 10, 24)) * (f.rise > 0) * smoothstep(1.1, 0.75, f.s), 0, 5.6, 0.9)
        + f.push(f.upper, 0, 1.2, 0.6) + f.push(wing, 0.9, 2.2, 0.3) + f.push(f.corner, 0.6, 1.2, 0)
        + f.bulge(f.near((31, -40, 84), (9, 11, 16)), 2.2) + f.crease(fold, 3.2, 1.1),
        "AU11": f.crease([(19, -38), (24, -46), (28, -55)], 2.6, 2.0) + f.bulge(f.near((31, -44, 84), (8, 11, 16)), 1.9)
        + f.push(f.near((21, -50, 95), (9, 9, 18)) * smoothstep(0, 8, f.rise), 0.7, 2.2, 0.3),
        "AU38": f.push(f.near((17, -41, 102), (7, 8, 14)), 2.4, 0.6, 0.2),
        "AU39": f.push(f.near((17, -41, 102), (7, 8, 14)), -2.2, -0.5, 0.1) + f.push(
            f.near((4, -44, 110), (5, 6, 12)), 0, -0.8, 0),
    }


def _corners(f: Face) -> dict[str, np.ndarray]:
    x, rise = np.abs(f.v[:, 0]), f.rise
    stretch = f.lips * np.clip(x / 26, 0, 1)
    thin = f.red * np.clip(rise, -10, 10)
    smile_fold = [(19, -37), (25, -44), (31, -52), (36, -61), (36, -70)]
    return {
        "AU12": f.push(f.corner, 5.0, 0, -4.2) + f.push(f.arc, 0, 7.0, 0)
        + f.push(stretch * (1 - f.corner), 2.6, 0, -1.2)
        + f.push(f.near((0, MOUTH, 95), (20, 15, 30)), 0, 0, -1.5) + f.push(thin, 0, -0.16, 0)
        + f.push(f.near((39, -42, 82), (17, 16, 30)), 2.2, 4.8, 3.2) + f.crease(smile_fold, 3.2, 1.5)
        + f.bulge(f.near((43, -47, 76), (10, 13, 22)), 2.0)
        + f.push(f.near((0, MOUTH + 4, 96), (26, 14, 30)), 0, 1.3, 0)
        + f.push(f.near((18, -40, 100), (8, 8, 14)), 1.4, 0.5, -0.3) + f.push(
            f.near((0, -90, 96), (22, 10, 24)), 0, 0.8, -0.8),
        "AU13": f.push(f.modiolus, 1.0, 3.0, -1.8) + f.push(f.arc, 0, 4.6, 0) + f.push(f.corner, 0.8, 0, 0)
        + f.bulge(f.near((36, -48, 84), (11, 11, 22)), 3.6) + f.push(f.near((36, -46, 84), (13, 12, 24)), 0, 2.2, 0)
        + f.crease([(24, -44), (29, -52), (32, -60)], 2.2, 1.2),
        "AU14": f.push(f.modiolus, 2.2, 0.5, -4.2) + f.bulge(f.near((37, MOUTH, 80), (6, 12, 18)), 2.2)
        + f.bulge(f.near((27, -77, 88), (8, 5, 16)), 1.2) + f.bulge(f.near((27, -56, 90), (8, 5, 16)), 1.0)
        + f.crease([(31, -60), (32, -66), (31, -73)], 1.8, 1.6),
        "AU15": f.push(f.corner, 1.0, 0, -0.8) + f.push(f.arc, 0, -5.6, 0) + f.push(f.modiolus, 0, -0.8, 0)
        + f.bulge(f.near((27, -83, 86), (10, 8, 22)), 1.8) + f.crease([(31, -70), (34, -77), (34, -86)], 3.4, 1.0)
        + f.push(f.lower, 0, -0.3, -0.6) + f.push(f.near((20, -54, 96), (16, 12, 24)), 0, -1.2, -0.3),
        "AU20": f.push(f.corner, 6.4, -1.4, -4.2) + f.push(stretch * (1 - f.corner), 2.8, -0.4, -1.2)
        + f.push(f.lips, 0, 0, -1.2) + f.push(thin, 0, -0.14, 0)
        + f.push(f.near((41, -62, 78), (13, 18, 26)), 2.6, 0, 0.4)
        + f.push(f.near((0, -92, 96), (24, 12, 26)), 0, -0.6, -0.8)
        + f.crease([(35, -54), (38, -64), (37, -74)], 2.6, 1.0),
        "AU30": f.lips[:, None] * (6.5, 0, 0) + f.near((0, -94, 92), (30, 18, 40))[:, None] * (2.5, 0, 0),
    }


def _lips(f: Face) -> dict[str, np.ndarray]:
    x, rise, z = np.abs(f.v[:, 0]), f.rise, f.v[:, 2]
    toward = f.red * np.clip(rise, -11, 11)
    narrow = f.lips * np.clip(x / 27, 0, 1.2)
    y = f.v[:, 1]
    dimples = sum(np.cos(a * x + b * y + 2 * c) for a, b, c in ((0.75, 0.2, 0), (0.25, 0.8, 1), (-0.6, 0.65, 2))) / 3
    rolled = smoothstep(1.12, 0.8, f.s) * smoothstep(70, 82, z) * smoothstep(2.6, 0.8, np.abs(f.t))
    chin = f.near((0, -97, 96), (20, 12, 26))
    outer = f.red * np.exp(-(((np.abs(f.t) - 1) / 0.6) ** 2)) * np.sign(rise)
    return {
        "AU8": f.push(f.upper, 0, -3.6, -0.4) + f.push(f.lower, 0, 8.2, 2.6) + f.push(f.corner, -0.8, 0, 0.4),
        "AU16": f.push(f.lower, 0.6, -5.0, -0.4) + f.push(f.near((13, -78, 96), (14, 9, 20)) * (rise < 0), 1.0, -1.8, 0)
        + f.push(f.modiolus, 0.5, -1.2, 0) + f.bulge(f.near((0, -95, 96), (16, 6, 20)), 0.9)
        + f.crease([(0, -87), (10, -87), (20, -84)], 2.6, 0.8),
        "AU17": f.push(chin, 0, 5.2, 1.0) + f.bulge(chin * dimples, 0.6)
        + f.bulge(f.near((0, -92, 96), (13, 7, 20)), 1.2)
        + f.push(f.lips * (rise < 0), 0, 1.9, 1.2) + f.push(f.lips * (rise > 0), 0, 1.7, 0.4)
        + f.push(f.near((0, MOUTH, 98), (18, 13, 28)), 0, 1.5, 0.6) + f.push(f.modiolus, 0, -2.6, -0.3),
        "AU18": f.push(narrow, -9.5, 0, 0) + f.push(f.modiolus, -1.5, 0, 4.0) + f.push(f.lips, 0, 0, 5.0)
        + f.push(f.near((0, MOUTH, 98), (15, 12, 26)), 0, 0, 2.4) + f.push(toward, 0, 0.14, 0.02)
        + f.push(f.near((38, -62, 82), (14, 18, 26)), -2.0, 0, -0.8),
        "AU22": f.push(narrow, -6.0, 0, 0) + f.push(f.modiolus, -1.0, 0, 3.2) + f.push(f.lips, 0, 0, 4.6)
        + f.push(f.upper, 0, 3.2, 2.2) + f.push(f.lower, 0, -3.6, 2.4) + f.push(outer, 0, 0.7, 1.2)
        + f.push(f.near((38, -62, 82), (14, 18, 26)), -1.6, 0, -0.8),
        "AU23": f.push(toward, 0, -0.26, -0.05) + f.push(f.lips, 0, 0, -0.9) + f.push(f.modiolus, -1.6, 0, -0.4)
        + f.push(outer, 0, -0.6, -0.7) + f.crease([(8, -50), (9, -54), (9.5, -57)], 1.6, 0.5),
        "AU24": f.push(toward, 0, -0.36, 0) + f.push(outer, 0, -0.6, -1.0) + f.push(f.lips, 0, 0, -0.9)
        + f.push(f.modiolus, -0.6, 0, -0.8) + f.bulge(f.near((0, -53, 102), (16, 4, 20)), 0.8)
        + f.bulge(f.near((0, -82, 96), (15, 4, 20)), 0.9),
        "AU25": f.push(f.upper, 0, 3.2, 0.4) + f.push(f.lower, 0, -4.4, 0.2),
        "AU26": f.push(
            f.near((0, MOUTH - 9, 96), (30, 14, 30)) * (rise < 0) * smoothstep(1.05, 0.6, f.s), 0, -6.0, -0.5),
        "AU28": f.push(rolled * np.clip(rise, -13, 13), 0, -0.44, 0) + f.push(f.red * smoothstep(78, 90, z), 0, 0, -2.6)
        + f.push(f.lips, 0, 0, -1.8) + f.push(outer, 0, 0, -1.0) + f.push(f.modiolus, 0.8, 0, -1.2)
        + f.push(f.upper, 0, -0.9, 0) + f.push(f.lower, 0, 1.4, 1.4),
    }


def _cheeks(f: Face) -> dict[str, np.ndarray]:
    pouch = f.near((43, -60, 72), (21, 25, 40))
    return {
        "AU34": f.bulge(pouch, 14.0) + f.push(f.near((0, MOUTH + 12, 100), (26, 9, 24)), 0, 0, 3.2)
        + f.push(f.near((0, MOUTH - 13, 98), (26, 9, 24)), 0, 0, 3.0) + f.push(f.red * f.rise, 0, -0.22, 0)
        + f.push(f.modiolus, -1.2, 0, 0.4),
        "AU35": f.bulge(f.near((43, -58, 72), (16, 22, 36)), -7.0) + f.push(f.modiolus, -3.0, 0, 1.0)
        + f.push(f.lips * np.clip(np.abs(f.v[:, 0]) / 27, 0, 1), -3.0, 0, 0.8) + f.push(f.lips, 0, 0, 1.6),
    }


def _jaw_and_neck(f: Face) -> dict[str, np.ndarray]:
    x, y, z = f.v.T
    bands = ([(17, -112), (21, -150), (27, -200)], [(34, -104), (40, -150), (54, -198)])
    neck = smoothstep(-98, -114, y) * smoothstep(0, 20, z)
    ridge = sum(stroke(f.v, line, 4.0) for line in bands) - 0.5 * stroke(f.v, [(27, -110), (30, -150), (40, -198)], 5.0)
    radial = f.v * (1, 0, 1) - (0, 0, -12)
    radial /= np.maximum(np.linalg.norm(radial, axis=1, keepdims=True), 1e-9)
    masseter = f.near((53, -62, 28), (18, 24, 22))
    moving = f.jaw[:, None]
    along = np.clip((z - 38) / 45, 0, 1)
    # The teeth sink while it rises, but no straight way clears their edges at first: collisions are resolved later.
    slim = np.where(f.tongue, -0.62 * (y + 76) * along, 0)
    tongue = np.stack([-0.24 * x * along, slim + 3.0 * along**2, 31 * along**1.4], axis=1)
    drop = moving * (0, -16.0, -1.6) + f.push(f.upper, 0, 1.6, 0.2) + f.push(f.lower, 0, -1.5, 0.8)
    return {
        "AU19": np.where(f.tongue[:, None], tongue, drop),
        "AU21": radial * (3.6 * ridge * neck)[:, None] + f.push(f.corner, 1.2, -1.8, -0.6)
        + f.push(f.near((30, -100, 72), (22, 14, 34)), 0.8, -1.5, 0),
        "AU29": moving * (0, -0.8, 6.0) + f.push(f.corner, 0, -0.4, 1.0),
        "AU31": f.bulge(masseter, 4.2) + f.bulge(f.near((60, 14, 52), (12, 14, 18)), 1.2),
    }
