"""Glasses, fitted to a person as an optician does: bridge on the nose, lenses before the eyes, temples on the ears."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from scipy.interpolate import CubicSpline

from synth.heads.head import Attachment, Person
from synth.heads.template.sculpt import smoothstep
from synth.heads.worn.fit import Fitting, attach
from synth.heads.worn.solids import Mesh, bezier, ellipsoid, join, lattice, sweep
from synth.heads.worn.temples import temple

VERTEX_DISTANCE = 13.0
"""From the cornea to the lens, mm: what opticians aim at."""
TILE = 60.0
"""Side of the square of acetate, mm, that a frame's texture shows; uv counts such squares."""
_BREADTH = 139.0
"""Breadth of the head at the temples, mm, that the styles' sizes are meant for."""
_TURNS = 96
"""Points of a rim."""


@dataclasses.dataclass(frozen=True)
class Frame:
    """One style, mm."""

    lens: tuple[float, float]
    """Breadth and height of a lens' box."""
    bridge: float
    """Distance between lenses."""
    top: float
    """Height of the lenses' upper edge over the pupils."""
    power: float
    """Exponent of the outline's superellipse: 2 is round, 4 rectangular."""
    rim: tuple[float, float]
    """Half breadth of the rim above and below; 0 is none."""
    depth: float
    """Half depth of the rim."""
    taper: float = 0.0
    """How much broader the outline is above than below."""
    skew: float = 0.0
    """How far the lower edge is moved outwards, share of the height: an aviator's drop."""
    lift: float = 0.0
    """How far the upper outer corner is raised, share of the height: a cat's eye."""
    arm: tuple[float, float, float, float] = (0.9, 0.9, 1.1, 1.7)
    """Half thickness and half height of a temple at its hinge and at its tip."""
    bar: bool = False
    """Whether a second bridge runs above the first."""
    dark: bool = False
    """Whether the lenses are sunglasses'."""

    @property
    def wire(self) -> bool:
        """Whether it is of metal, with nose pads on arms; otherwise it is cut from a sheet."""
        return self.rim[1] < 1.2


_SHEET = (1.7, 3.4, 1.2, 2.3)
GLASSES: Mapping[str, Frame] = {
    "round": Frame((46, 44), 21, 17, 2.0, (0.85, 0.85), 0.85),
    "rectangular": Frame((52, 34), 17, 14, 3.6, (2.3, 1.9), 1.7, taper=0.04, arm=_SHEET),
    "aviator": Frame((57, 49), 15, 17, 2.4, (0.8, 0.8), 0.8, taper=0.12, skew=0.10, bar=True),
    "cat_eye": Frame((53, 39), 17, 15.5, 2.5, (2.8, 1.7), 1.7, taper=0.06, lift=0.6, arm=_SHEET),
    "browline": Frame((50, 40), 19, 16, 2.7, (2.6, 0.8), 1.3, taper=0.07, arm=_SHEET),
    "rimless": Frame((52, 35), 18, 14, 3.2, (0, 0), 0.8, taper=0.03),
    "sunglasses": Frame((53, 42), 17, 17, 3.0, (3.1, 2.4), 2.0, taper=0.09, arm=(1.9, 4.4, 1.2, 2.4), dark=True),
    "dark_aviator": Frame((58, 50), 15, 17.5, 2.4, (0.8, 0.8), 0.8, taper=0.12, skew=0.10, bar=True, dark=True),
}
"""Styles by name."""


def make_glasses(person: Person, style: str) -> Attachment:
    """Glasses on a person at rest: parts ``frame``, ``left_lens`` and ``right_lens``, carried by the skull."""
    fitting = Fitting(person)
    front = _fit(fitting, GLASSES[style])
    left = front.half(fitting)
    lens = front.glass()
    frame = join([*left, *(mesh.mirrored() for mesh in left), *front.bridges(fitting)])
    frame = dataclasses.replace(frame, uv=frame.uv / TILE)
    pieces = [("frame", "frame", frame), ("left_lens", "lens", lens), ("right_lens", "lens", lens.mirrored())]
    return attach(person, f"glasses/{style}", pieces, fitting.origin)


@dataclasses.dataclass(frozen=True)
class _Front:
    """A style in one person's size, and the curved sheet that its rims and lenses lie on."""

    style: Frame
    size: float
    bridge: float
    top: float
    tilt: float
    """Tangent of the pantoscopic tilt: how much nearer to the face the lower edge is."""
    ahead: float = 0.0
    """z of the sheet at the origin."""

    def sheet(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """(..., 3) points on the sheet: bent round the face, tilted."""
        x, y = np.broadcast_arrays(x, y)
        return np.stack([x, y, self.ahead + self.tilt * y - x**2 / 420 - (y + 3) ** 2 / 500], axis=-1)

    @property
    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Middle and half sizes of the left lens."""
        half = 0.5 * self.size * np.array(self.style.lens)
        return np.array([0.5 * self.bridge + half[0], self.top - half[1]]), half

    def outline(self, turn: np.ndarray, out: np.ndarray | float = 0.0) -> np.ndarray:
        """(K, 2) the left lens' edge at angles from the outer end, counter-clockwise, moved ``out`` mm outwards."""
        style, (middle, half) = self.style, self.box
        fine = 2 * np.pi * np.arange(361) / 360
        u, v = (np.sign(f) * np.abs(f) ** (2 / style.power) for f in (np.cos(fine), np.sin(fine)))
        u = u * (1 + style.taper * v) - style.skew * v * (v < 0) * 1.6 - style.skew * v * (v > 0) * 0.4
        corner = style.lift * np.clip(0.5 + 0.5 * u, 0, None) ** 1.6 * smoothstep(-0.7, 0.9, v)
        u, v = u + 0.4 * corner, v + corner
        points = np.stack([2 * (u - u.min()) / np.ptp(u) - 1, 2 * (v - v.min()) / np.ptp(v) - 1], axis=1) * half
        points[-1] = points[0]
        length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
        angle = np.unwrap(np.arctan2(points[:, 1], points[:, 0]))
        spline = CubicSpline(length[::6], points[::6], bc_type="periodic")
        at = np.interp(np.mod(turn - angle[0], 2 * np.pi) + angle[0], angle, length)
        slope = spline(at, 1)
        normal = np.stack([slope[:, 1], -slope[:, 0]], axis=1) / np.linalg.norm(slope, axis=1, keepdims=True)
        return middle + spline(at) + np.reshape(out, (-1, 1)) * normal

    def breadths(self, turn: np.ndarray) -> np.ndarray:
        """Half breadth of the rim at angles."""
        upper, lower = self.style.rim
        return lower + (upper - lower) * smoothstep(-0.25, 0.35, np.sin(turn))

    @property
    def turns(self) -> np.ndarray:
        """Angles at which points of the rim are about as far apart everywhere."""
        even = 2 * np.pi * np.arange(721) / 720
        points = self.outline(even)
        length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
        return np.interp(length[-1] * np.arange(_TURNS) / _TURNS, length, even)

    def rim(self) -> Mesh:
        turn = self.turns
        half = self.breadths(turn)
        inner, outer = self.outline(turn), self.outline(turn, 1.0)
        path = self.sheet(*self.outline(turn, half - 0.25).T)
        across = self.sheet(*outer.T) - self.sheet(*inner.T)
        depth = np.minimum(self.style.depth, np.maximum(half, 0.8)) if self.style.wire else self.style.depth
        size = np.stack([half, np.broadcast_to(depth, half.shape)], axis=1)
        return sweep(path, across, size, closed=True, power=2.0 if self.style.rim[0] < 1.2 else 5.0, sides=20)

    def glass(self) -> Mesh:
        """The left lens: a sheet from its middle to its edge."""
        turn, (middle, _) = self.turns, self.box
        share = np.linspace(0.02, 1, 12)[:, None, None]
        points = self.sheet(*np.moveaxis(middle + share * (self.outline(turn) - middle), 2, 0))
        points = np.concatenate([points.reshape(-1, 3), self.sheet(*middle)[None]])
        first = np.arange(_TURNS)
        fan = np.stack([np.full(_TURNS, len(points) - 1), first, np.roll(first, -1)], axis=1)
        faces = np.concatenate([lattice(12, _TURNS, columns_close=True)[:, ::-1], fan])
        return Mesh(points, faces, points[:, :2])

    def bridges(self, fitting: Fitting) -> list[Mesh]:
        """What joins both rims over the nose."""
        style = self.style
        bars = [(2.62, 2.0)]
        if style.bar:
            bars.append((2.02, 0.6))
        out = []
        for angle, arch in bars:
            (start,) = self.outline(np.array([angle]), self.breadths(np.array([angle])) * (0.4 if style.rim[0] else 0))
            t = np.linspace(1, -1, 33)
            path = self.sheet(start[0] * t, start[1] + arch * (1 - t**2))
            ends = np.abs(t) ** 3
            if style.wire or not style.rim[0]:
                half = np.broadcast_to((0.95, 1.05), (33, 2))
            else:
                half = np.stack([0.95 * style.depth + 0 * t, 2.1 + 0.5 * ends], axis=1)
            path[:, 2] += 0.8 * (1 - t**2)
            if not style.wire:
                path[:, 2] += (1 - ends) * max(0.0, float((half[:, 0] + 0.4 - fitting.clearance(path)).max()))
            out.append(sweep(path, np.array([0, 0, 1.0]), half, power=2.0 if style.wire else 5.0, sides=20))
        return out

    def half(self, fitting: Fitting) -> list[Mesh]:
        """The frame's left half without its bridge."""
        pieces = [self.rim()] if self.style.rim[0] else []
        return pieces + self._side(fitting) + self._pad(fitting)

    def _side(self, fitting: Fitting) -> list[Mesh]:
        """End piece and temple, one bar; a hinge between them."""
        style = self.style
        thick, tall, tip_thick, tip_tall = style.arm
        angle = np.array([0.5 if style.rim[0] > 1.2 else 0.4])
        (place,) = self.outline(angle, 0.6 * self.breadths(angle))
        start = self.sheet(*place)
        corner = start + (2.6 + 1.2 * thick, 0, -0.6)
        hinge = corner + (0.6, -0.2, -8.0)
        arm = temple(fitting, hinge, tip_thick, tip_tall)
        bend = bezier(start, corner + (0.3, 0, 0.6), corner + (0.5, 0, -1.0), hinge, count=14)
        path = np.concatenate([bend[:-1], arm])
        length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
        share = smoothstep(0.45, 0.75, length / length[-1])[:, None]
        half = (1 - share) * (thick, tall) + share * (tip_thick, tip_tall)
        bar = sweep(path, np.array([0, 0, 1.0]), half, power=5.0 if thick > 1.2 else 2.0, sides=20)
        inside = hinge - (thick + 0.2, 0, 0)
        barrel = np.linspace(inside - (0, 0.8 * tall + 0.5, 0), inside + (0, 0.8 * tall + 0.5, 0), 5)
        return [bar, sweep(barrel, np.array([1.0, 0, 0]), np.array([1.0, 1.0]))]

    def _pad(self, fitting: Fitting) -> list[Mesh]:
        """A nose pad on the nose's flank, and what holds it."""
        wire = self.style.wire
        skin, normal = fitting.nearest(_flank(fitting), 3.5)
        long = np.array([0.25, 1.0, 0.1])
        long -= normal * (long @ normal)
        long /= np.linalg.norm(long)
        axes = np.stack([np.cross(long, normal), long, normal]) * np.array([[2.6], [5.6], [1.1 if wire else 1.6]])
        centre = skin + normal * axes[2:].max()
        pad = ellipsoid(centre, axes)
        short = max(0.0, float((0.15 - fitting.clearance(pad.vertices)).max()))
        centre = centre + short * normal
        pad = ellipsoid(centre, axes)
        angle = np.array([3.45 if wire else 3.35])
        (place,) = self.outline(angle, 0.5 * self.breadths(angle))
        rim = self.sheet(*place)
        if wire:
            back = centre + 0.8 * normal
            arm = bezier(rim, rim + (0, -1, -4.0), back + 4.0 * normal + (0, 1, 0), back, count=16)
            return [pad, sweep(arm, np.array([0, 1.0, 0]), np.array([0.5, 0.5]))]
        root = np.linspace(rim, centre, 8)
        return [pad, sweep(root, np.array([0, 1.0, 0]), np.linspace((2.8, 1.2), (3.4, 0.7), 8))]


def _flank(fitting: Fitting) -> np.ndarray:
    """The place (3,) of the left half of the nose where a pad rests: its skin faces up, out and forward."""
    x, y, z = fitting.points.T
    normal = fitting.normals
    flank = (x > 4) & (x < 16) & (y < -3) & (y > -16) & (z > fitting.cornea - 2) & (normal[:, 0] > 0.3)
    if not flank.any():
        flank = (x > 4) & (x < 16) & (y < -2) & (y > -18) & (z > fitting.cornea - 12)
    wanted = np.abs(y + 9) / 4 + np.abs(normal[:, 0] - 0.72) / 0.2 + np.abs(x - 9) / 6
    return fitting.points[np.flatnonzero(flank)[wanted[flank].argmin()]]


def _fit(fitting: Fitting, style: Frame) -> _Front:
    """The style in the head's size, as near to the eyes as cornea, brows, cheeks and nose let it."""
    breadth = 2 * float(np.max(fitting.side(np.full(30, 6.0), np.arange(5.0, 35.0))))
    size = float(np.clip(breadth / _BREADTH, 0.86, 1.14))
    best = None
    for tilt in (8.0, 5.0, 2.0):
        for wider in (0.0, 1.5, 3.0):
            front = _Front(style, size, style.bridge * size**0.5 + wider, style.top * size**0.5,
                           np.tan(np.radians(tilt)))
            front = dataclasses.replace(front, ahead=_ahead(fitting, front))
            excess = front.sheet(fitting.pupil, 0.0)[2] - fitting.cornea - VERTEX_DISTANCE
            if best is None or excess < best[0] - 0.7:
                best = (excess, front)
            if excess < 1.5:
                return front
    return best[1]


def _ahead(fitting: Fitting, front: _Front) -> float:
    """z at which the sheet keeps its distance from the cornea and, with lenses and rims, from the skin."""
    turn, (middle, _) = front.turns, front.box
    half = front.breadths(turn)
    need = fitting.cornea + VERTEX_DISTANCE - front.sheet(fitting.pupil, 0.0)[2]
    for share in (0.3, 0.6, 0.85, 1.0):
        x, y, z = front.sheet(*(middle + share * (front.outline(turn, half) - middle)).T).T
        need = max(need, float((fitting.front(x, y) + front.style.depth + 1.6 - z).max()))
    return need
