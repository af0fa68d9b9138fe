"""Never a lid through an eye or teeth through lips: how deep surfaces of a head are in one another, and the cure.

>>> report = interpenetration(person, person.animate(performance)[0])
>>> clear = Resolver(person)(vertices)

Everything is measured in the frame of what is rigid: lids about an eyeball, as distance along the ray from its centre;
lips about the dental arch, as distance from an axis behind the front teeth, in cells of angle and height.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter
from scipy.sparse import csr_matrix

from synth.heads.head import Person
from synth.heads.rigid import CELL, Arch, Samples, to_edge
from synth.heads.surface import Surface, control_surface, refined_surface

CLEARANCE = 0.0002
"""Metres kept between lid and eyeball and between lips and teeth; what is closer at rest stays as close."""
TOUCH = 0.00002
"""Metres kept where even the rest pose collides."""
_SMALL = 64
"""Frames at a time: keeps memory flat."""


@dataclasses.dataclass(frozen=True)
class Report:
    """Worst depths of one frame, millimetres; 0 where nothing collides."""

    lids: float
    """Lid skin inside an eyeball, the cornea's bulge included."""
    teeth: float
    """Teeth and gums in front of the lips' or the cheeks' outer surface."""
    tongue: float
    """Tongue through teeth, or through the lips' outer surface."""
    lips: float
    """Lips through each other."""

    @property
    def worst(self) -> float:
        """The deepest of them, millimetres."""
        return max(self.lids, self.teeth, self.tongue, self.lips)


def interpenetration(person: Person, vertices: np.ndarray) -> Report:
    """How deep a frame's surfaces are in one another.

    vertices: one frame of ``person``, metres: (V, 3) as rendered, or (M, 3) before subdivision.
    """
    return _inspector(person, len(vertices) == len(person.rest))(vertices)


@functools.lru_cache(maxsize=4)
def _inspector(person: Person, control: bool) -> _Inspector:
    return _Inspector(control_surface(person) if control else refined_surface(person))


class _Inspector:
    """What :func:`interpenetration` needs of a surface, made once."""

    def __init__(self, surface: Surface):
        self._surface, self._skull = surface, surface.skull()
        self._lids = [_Lids(surface, side) for side in (0, 1)]
        self._arches = surface.arches()
        if self._arches:
            arch, outer = self._arches[0], surface.faces("lips", "skin")
            self._outer = outer[np.abs(arch.cells(surface.rest[outer].mean(axis=1))).max(axis=1) < 1.0]
            self._samples = Samples(surface.rest, self._outer, CELL)
            self._teeth, self._tongue = surface.vertices("teeth"), surface.vertices("tongue")
            self._lips = _Lips(surface, arch)

    def __call__(self, vertices: np.ndarray) -> Report:
        lids = max(lid.depth(vertices) for lid in self._lids)
        if not self._arches:
            return Report(1000 * lids, 0.0, 0.0, 0.0)
        level = self._skull.back(vertices[None].astype(float))[0]
        arch = self._arches[0]
        outer = arch.raster(self._samples(level)[arch.facing(level[self._outer])[self._samples.owner]])
        edge = to_edge(outer)
        teeth, tongue = (arch.beyond(level[each], outer, edge) for each in (self._teeth, self._tongue))
        for each in self._arches:
            licking = each.back(vertices[None, self._tongue].astype(float), vertices[None])[0]
            tongue = max(tongue, each.beyond(licking, each.surface, each.edge))
        upper, lower = self._lips.sides(level)
        return Report(*(1000 * float(depth) for depth in (lids, teeth, tongue, _overlap(upper, lower))))


def _overlap(upper: np.ndarray, lower: np.ndarray) -> float:
    """Metres by which the lower lip's top (rows, columns) is over the upper lip's underside at most."""
    both = np.isfinite(upper) & np.isfinite(lower)
    return float((lower[both] - upper[both]).max(initial=0.0))


class _Lips:
    """The upper and the lower lip, seen from above."""

    def __init__(self, surface: Surface, arch: Arch):
        self.arch = arch
        faces = surface.faces("lips")
        rise = surface.rise[faces]
        clear = 0.1 * np.abs(rise).max()  # at the mouth's corners the lips are one
        sides = (rise.min(axis=1) > clear, rise.max(axis=1) < -clear)
        self._samples = [Samples(surface.rest, faces[side], 0.7 * CELL) for side in sides]

    def sides(self, level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Height of the upper lip's underside and of the lower lip's top in each column of the mouth, metres: two
        (rows, columns), infinite where there is none. ``level`` (V, 3) is a frame as seen from the skull."""
        upper, lower = (self.arch.columns(samples(level), sign) for samples, sign in zip(
            self._samples, (-1, 1), strict=True))
        return -upper, lower


class _Lids:
    """The skin about one eyeball."""

    def __init__(self, surface: Surface, side: int):
        self.ball = surface.ball(side)
        skin = surface.vertices("skin")
        ray = surface.rest[skin] - self.ball.centre
        close = (np.linalg.norm(ray, axis=1) < 1.6 * self.ball.size) & (ray[:, 2] > -0.3 * self.ball.size)
        self.vertices = skin[close & ~surface.tucked[skin]]
        self.need = np.clip(self.ball.gap(surface.rest[self.vertices][None])[0], TOUCH, CLEARANCE)
        """(K,) metres to keep from the eyeball."""

    def depth(self, vertices: np.ndarray) -> float:
        """Metres that the deepest of them is inside the eyeball in a frame (V, 3)."""
        local = self.ball.back(vertices[None, self.vertices].astype(float), vertices[None])
        return max(0.0, -float(self.ball.gap(local).min(initial=0.0)))


class Resolver:
    """The last step of an animation: lids are put before their eyeball, lips before the teeth and apart, the tongue
    over the lower teeth; the rest stays.

    Built once a person; works on vertices before subdivision.
    """

    def __init__(self, person: Person):
        surface = control_surface(person)
        self._steps = [_LidStep(surface, side) for side in (0, 1)] if surface.has_eyes else []
        arches = surface.arches() if len(surface.vertices("lips")) else []  # no mouth found: nothing to keep apart
        self._steps += [_LipStep(surface, arch) for arch in arches]
        self._steps += [_ContactStep(surface, arch) for arch in arches[:1]]
        self._steps += [_TongueStep(surface, arch) for arch in arches[1:] if len(surface.vertices("tongue"))]

    def __call__(self, vertices: np.ndarray) -> np.ndarray:
        """(T, M, 3) float32 metres, world axes, to the same without collisions; frames without any are unchanged."""
        out = vertices.copy()
        for start in range(0, len(out), _SMALL):
            for step in self._steps:
                step(out[start : start + _SMALL])
        return out


class _LidStep:
    """Pushes the lids of one eye away from its centre."""

    def __init__(self, surface: Surface, side: int):
        lids = _Lids(surface, side)
        self._ball, self._vertices, self._need = lids.ball, lids.vertices, lids.need
        rest = surface.rest[self._vertices]
        self._spread = _Spread(rest, thickness=0.0016, reach=0.0025)

    def __call__(self, out: np.ndarray) -> None:
        local = self._ball.back(out[:, self._vertices].astype(float), out)
        push = np.maximum(self._need - self._ball.gap(local), 0.0)
        hit = (push > 1e-7).any(axis=1)
        if not hit.any():
            return
        push = self._spread(push[hit])
        ray = local[hit] - self._ball.centre
        move = push[:, :, None] * ray / np.linalg.norm(ray, axis=2, keepdims=True)
        move = self._ball.turn(move, hit).astype(np.float32)
        out[np.flatnonzero(hit)[:, None], self._vertices] += move


class _LipStep:
    """Pushes lips and the skin about them outwards from one dental arch."""

    def __init__(self, surface: Surface, arch: Arch):
        self._arch = arch
        soft = surface.vertices("lips", "skin", "mouth")
        cells = arch.cells(surface.rest[soft])
        soft = soft[(np.abs(cells) < 1.0).all(axis=1)]
        gap = arch.gap(surface.rest[soft][None], fill=True)[0]
        # What lies in front of the teeth at rest, within the lips' and the cheeks' thickness.
        front = (gap > -0.001) & (gap < 0.022)
        lining = np.isin(soft, surface.vertices("mouth"))  # may touch gums that nobody sees
        self._vertices = soft[front]
        self._need = np.clip(gap, np.where(lining, -1.0, TOUCH), CLEARANCE)[front]
        self._spread = _Spread(surface.rest[self._vertices], thickness=0.004, reach=0.004)

    def __call__(self, out: np.ndarray) -> None:
        local = self._arch.back(out[:, self._vertices].astype(float), out)
        push = np.clip(self._need - self._arch.gap(local), 0.0, 0.006)
        hit = (push > 1e-7).any(axis=1)
        if not hit.any():
            return
        push = self._spread(push[hit])
        ray = (local[hit] - self._arch.axis) * (1, 0, 1)
        move = push[:, :, None] * ray / np.maximum(np.linalg.norm(ray, axis=2, keepdims=True), 1e-6)
        out[np.flatnonzero(hit)[:, None], self._vertices] += self._arch.turn(move, hit).astype(np.float32)


class _ContactStep:
    """Parts lips that are in each other: each is put back to the middle between them."""

    def __init__(self, surface: Surface, arch: Arch):
        self._lips, self._skull = _Lips(surface, arch), surface.skull()
        soft = surface.vertices("lips", "mouth", "skin")
        middle = surface.rest[surface.vertices("lips")].mean(axis=0)
        soft = soft[np.linalg.norm(surface.rest[soft] - middle, axis=1) < 0.035]
        self._sides = [soft[surface.rise[soft] > 0], soft[surface.rise[soft] < 0]]
        self._touch = float(np.clip(_overlap(*self._lips.sides(surface.rest)) + TOUCH, CLEARANCE / 2, CLEARANCE))
        self._spread = [_Spread(surface.rest[side], thickness=0.001, reach=0.002) for side in self._sides]

    def __call__(self, out: np.ndarray) -> None:
        for frame in out:
            if self._part(frame) > 2 * CLEARANCE:
                self._part(frame)  # what a push takes along may meet in turn

    def _part(self, frame: np.ndarray) -> float:
        """Move lips of a frame (M, 3) that are in each other; metres that they were."""
        level = self._skull.back(frame[None].astype(float))[0]
        upper, lower = self._lips.sides(level)
        deep = np.isfinite(upper) & np.isfinite(lower)
        deep[deep] = lower[deep] - upper[deep] > self._touch
        if not deep.any():
            return 0.0
        middle = np.full(deep.shape, np.nan)
        middle[deep] = 0.5 * (upper[deep] + lower[deep])
        # A vertex answers for the cells about it: they hold what is between the vertices.
        highest = maximum_filter(np.where(deep, middle, -np.inf), 3)
        lowest = minimum_filter(np.where(deep, middle, np.inf), 3)
        for side, spread, target, sign in zip(self._sides, self._spread, (highest, lowest), (1, -1), strict=True):
            row, column = (np.round(x).astype(int) for x in self._lips.arch.column(level[side]))
            i, j = (np.clip(x, 0, n - 1) for x, n in zip((row, column), deep.shape, strict=True))
            push = np.clip(sign * (target[i, j] - level[side, 1]), 0.0, 0.003)
            move = np.zeros((1, len(side), 3))
            move[0, :, 1] = sign * spread(push[None])[0]
            frame[side] += self._skull.turn(move, np.ones(1, bool))[0].astype(np.float32)
        return _overlap(upper, lower)


class _TongueStep:
    """Lifts what of the tongue leaves the mouth over the lower teeth: expressions move it straight through them."""

    _NEAR, _OVER, _REACH = (-0.011, -0.006), 0.0015, 0.011
    """Metres: where lifting sets in and is whole, from the teeth's front; kept over them; how far a lift spreads."""

    def __init__(self, surface: Surface, arch: Arch):
        self._arch, self._vertices = arch, surface.vertices("tongue")
        rest = surface.rest[self._vertices]
        across = np.linalg.norm((rest[:, None] - rest)[..., [0, 2]], axis=2)
        self._kernel = np.exp(-((across / self._REACH) ** 2))
        self._front = arch.crown(rest)[0]

    def _lift(self, points: np.ndarray) -> np.ndarray:
        """(T, K) metres by which points of the arch at rest must rise to be over its teeth, if they came forward."""
        front, top = self._arch.crown(points)
        low, high = self._NEAR
        near = np.clip((front - low) / (high - low), 0, 1)
        out = np.clip((front - self._front) / 0.003 - 0.3, 0, 1)
        return near**2 * (3 - 2 * near) * out**2 * (3 - 2 * out) * np.clip(top + self._OVER, 0, 0.025)

    def __call__(self, out: np.ndarray) -> None:
        local = self._arch.back(out[:, self._vertices].astype(float), out)
        hit = (self._lift(local) > 1e-7).any(axis=1)
        if not hit.any():
            return
        move, local = np.zeros((hit.sum(), len(self._vertices), 3)), local[hit]
        for _ in range(2):  # lifted, a point is over the teeth's other end
            move[..., 1] += (self._lift(local + move)[:, None] * self._kernel).max(axis=2)
        out[np.flatnonzero(hit)[:, None], self._vertices] += self._arch.turn(move, hit).astype(np.float32)


class _Spread:
    """Takes what lies over a pushed vertex along, and lets the push fade over its surroundings."""

    def __init__(self, rest: np.ndarray, thickness: float, reach: float):
        from scipy.spatial import cKDTree

        tree = cKDTree(rest)
        distance, self._over = tree.query(rest, k=min(9, len(rest)), distance_upper_bound=thickness)
        self._over = np.where(np.isfinite(distance), self._over, np.arange(len(rest))[:, None])
        distance, near = tree.query(rest, k=min(25, len(rest)), distance_upper_bound=2 * reach)
        rows, columns = np.nonzero(np.isfinite(distance))
        weight = np.exp(-0.5 * (distance[rows, columns] / reach) ** 2)
        graph = csr_matrix((weight, (rows, near[rows, columns])), shape=(len(rest), len(rest)))
        self._mean = (graph.multiply(1 / graph.sum(axis=1))).tocsr()

    def __call__(self, push: np.ndarray) -> np.ndarray:
        """push (T, K) to (T, K), nowhere less."""
        push = push[:, self._over].max(axis=2)
        for _ in range(3):
            push = np.maximum(push, (self._mean @ push.T).T)
        return push
