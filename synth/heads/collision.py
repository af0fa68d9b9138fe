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
from scipy.sparse import csr_matrix

from synth.heads.head import Person, eye_centres
from synth.heads.rigid import Arch, Ball, Rigid, components
from synth.scene import MeshPart

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
    return _Inspector(_control(person) if control else _refined(person))


@dataclasses.dataclass(frozen=True, eq=False)
class _Surface:
    """A head at rest, at one level of subdivision."""

    parts: tuple[MeshPart, ...]
    """Over ``rest``."""
    rest: np.ndarray
    """(V, 3) float64 metres."""
    eyes: np.ndarray
    """(2, 3) float64 metres: centres at rest."""
    jaw: np.ndarray
    """(V,) share of the mandible in each vertex's motion."""
    rise: np.ndarray
    """(V,) metres that each vertex rises when the lips part."""
    still: np.ndarray
    """(V,) whether only the skull moves it."""
    tucked: np.ndarray
    """(V,) whether it is the lids' lining, that hides inside the eyeball."""

    def vertices(self, *labels: str) -> np.ndarray:
        """Sorted indices of the vertices of parts with these labels."""
        found = [part.vertex_map for part in self.parts if part.label in labels]
        return np.unique(np.concatenate(found)) if found else np.zeros(0, int)

    def faces(self, *labels: str) -> np.ndarray:
        """(F, 3) triangles of parts with these labels."""
        found = [part.vertex_map[part.faces] for part in self.parts if part.label in labels]
        return np.concatenate(found) if found else np.zeros((0, 3), int)

    def ball(self, side: int) -> Ball:
        """The left (0) or right (1) eyeball: its outermost surface."""
        vertices = self.vertices("sclera", "iris", "cornea")
        away = np.linalg.norm(self.rest[vertices, None] - self.eyes, axis=2)
        return Ball(self.rest, vertices[away.argmin(axis=1) == side], self.eyes[side])

    def arches(self) -> list[Arch]:
        """Upper and lower teeth with their gums; none where the family has no teeth."""
        teeth = self.vertices("teeth")
        if not len(teeth):
            return []
        faces = self.faces("teeth", "gums")
        lower = self.jaw[faces].mean(axis=1) > 0.5
        everything = self.rest[teeth]
        width = 0.5 * np.ptp(everything[:, 0])
        axis = np.array([np.median(everything[:, 0]), 0.0, everything[:, 2].max() - width])
        return [Arch(self.rest, faces[part], axis, width) for part in (~lower, lower) if part.any()]

    def skull(self) -> Rigid:
        """What moves with the skull alone."""
        return Rigid(self.rest, np.flatnonzero(self.still)[:: max(1, int(self.still.sum()) // 60)])


def _control(person: Person) -> _Surface:
    """The person before subdivision."""
    head, start, parts = person.head, len(person.head.neutral), list(person.head.parts)
    for item in (head.wardrobe[name] for name in person.identity.wardrobe):
        parts += [dataclasses.replace(part, vertex_map=part.vertex_map + np.int32(start)) for part in item.parts]
        start += len(item.offset)
    directions, weights = person.rig["expression_directions"], person.rig["weights"]
    jaw = weights[:, [joint for joint, _ in head.roles["jaw"]]].sum(axis=1)
    eyes = [joint for role in ("left_eye", "right_eye") for joint, _ in head.roles[role]]
    rise = sum(directions[:, 1, head.expressions.index(name)] for name in ("AU25_L", "AU25_R")
               if name in head.expressions) + (0.5 - jaw) * 1e-6  # the jaw decides where no such unit does
    neck = max(head.roles["neck"], key=lambda role: role[1])[0]
    # Summed over directions, so that no copy of them all is made.
    still = (weights[:, neck] > 0.999) & (np.abs(directions).max(axis=(1, 2)) < 1e-6) & (weights[:, eyes].sum(1) == 0)
    rest = person.rest.astype(float)
    surface = _Surface(tuple(parts), rest, eye_centres(head, rest), jaw, rise, still, np.zeros(len(rest), bool))
    return dataclasses.replace(surface, tucked=_tucked(surface, head.neutral.astype(float), eye_centres(
        head, head.neutral)))


def _refined(person: Person) -> _Surface:
    """The person as rendered."""
    base, matrix = _control(person), person.refinement.matrix
    if matrix is None:
        return base
    values = {name: matrix @ getattr(base, name).astype(float) for name in ("rest", "jaw", "rise", "still", "tucked")}
    return _Surface(person.parts, values["rest"], base.eyes, values["jaw"], values["rise"], values["still"] > 0.999,
                    values["tucked"] > 0.01)


def _tucked(surface: _Surface, neutral: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """(V,) the skin that on the mean head lies in an eyeball and leads, within it, to the skin's open edge or back."""
    tucked = np.zeros(len(surface.rest), bool)
    skin = surface.faces("skin")
    skin = skin[(skin < len(neutral)).all(axis=1)]
    mean = dataclasses.replace(surface, rest=neutral, eyes=eyes, parts=tuple(
        part for part in surface.parts if part.vertex_map.max() < len(neutral)))
    ends = np.sort(np.concatenate([skin[:, [0, 1]], skin[:, [1, 2]], skin[:, [2, 0]]]), axis=1)
    edges, count = np.unique(ends, axis=0, return_counts=True)
    rim = np.zeros(len(neutral), bool)
    rim[edges[count == 1]] = True
    for side in (0, 1):
        ball = mean.ball(side) if len(mean.vertices("sclera", "iris", "cornea")) else surface.ball(side)
        near = np.unique(skin)
        near = near[np.linalg.norm(neutral[near] - eyes[side], axis=1) < 1.3 * ball.size]
        inside = np.zeros(len(neutral), bool)
        inside[near] = ball.gap(neutral[near][None] - eyes[side] + ball.centre)[0] < 0.0001
        group = components(edges[inside[edges].all(axis=1)], len(neutral))
        starts = inside & (rim | (neutral[:, 2] < eyes[side, 2]))
        tucked[: len(neutral)] |= inside & np.isin(group, group[starts])
    return tucked


class _Inspector:
    """What :func:`interpenetration` needs of a surface, made once."""

    def __init__(self, surface: _Surface):
        self._surface, self._skull = surface, surface.skull()
        self._lids = [_Lids(surface, side) for side in (0, 1)]
        self._arches = surface.arches()
        outer = surface.faces("lips", "skin")
        if self._arches:
            arch = self._arches[0]
            close = np.abs(arch.cells(surface.rest[outer].mean(axis=1))).max(axis=1) < 1.0
            self._outer = outer[close]
            self._teeth, self._tongue = surface.vertices("teeth"), surface.vertices("tongue")
            lips = surface.faces("lips")
            rise = surface.rise[lips].mean(axis=1)
            self._lips = [lips[rise > 0], lips[rise < 0]]

    def __call__(self, vertices: np.ndarray) -> Report:
        lids = max(lid.depth(vertices) for lid in self._lids)
        if not self._arches:
            return Report(1000 * lids, 0.0, 0.0, 0.0)
        level = self._skull.back(vertices[None].astype(float))[0]
        arch = self._arches[0]
        corners = level[self._outer]
        facing = arch.facing(corners)
        outer = arch.raster(corners[facing])
        teeth = arch.beyond(level[self._teeth], outer)
        tongue = arch.beyond(level[self._tongue], outer) if len(self._tongue) else 0.0
        for each in self._arches:
            tongue = max(tongue, each.beyond(each.back(vertices[None, self._tongue].astype(float), vertices[None])[0],
                                             each.surface) if len(self._tongue) else 0.0)
        return Report(*(1000 * float(depth) for depth in (lids, teeth, tongue, self._overlap(level))))

    def _overlap(self, level: np.ndarray) -> float:
        """Metres by which the lower lip's top is above the upper lip's underside in some column of the mouth."""
        arch = self._arches[0]
        upper, lower = (arch.columns(level[faces], sign) for faces, sign in zip(self._lips, (-1, 1), strict=True))
        both = np.isfinite(upper) & np.isfinite(lower)
        return max(0.0, float((lower + upper)[both].max(initial=0.0)))


class _Lids:
    """The skin about one eyeball."""

    def __init__(self, surface: _Surface, side: int):
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
    """The last step of an animation: lids are put before their eyeball and lips before the teeth, the rest stays.

    Built once a person; works on vertices before subdivision.
    """

    def __init__(self, person: Person):
        surface = _control(person)
        self._steps = [_LidStep(surface, side) for side in (0, 1)]
        self._steps += [_LipStep(surface, arch) for arch in surface.arches()]

    def __call__(self, vertices: np.ndarray) -> np.ndarray:
        """(T, M, 3) float32 metres, world axes, to the same without collisions; frames without any are unchanged."""
        out = vertices.copy()
        for start in range(0, len(out), _SMALL):
            for step in self._steps:
                step(out[start : start + _SMALL])
        return out


class _LidStep:
    """Pushes the lids of one eye away from its centre, and the lashes that grow on them."""

    def __init__(self, surface: _Surface, side: int):
        lids = _Lids(surface, side)
        self._ball, self._vertices, self._need = lids.ball, lids.vertices, lids.need
        rest = surface.rest[self._vertices]
        self._spread = _Spread(rest, thickness=0.0016, reach=0.0025)
        self._lashes, self._roots = _rooted(surface, self._vertices, lids.ball.centre, surface.eyes[1 - side])

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
        frames = np.flatnonzero(hit)[:, None]
        out[frames, self._vertices] += move
        out[frames, self._lashes] += move[:, self._roots]


class _LipStep:
    """Pushes lips and the skin about them outwards from one dental arch."""

    def __init__(self, surface: _Surface, arch: Arch):
        self._arch = arch
        soft = surface.vertices("lips", "skin", "mouth")
        cells = arch.cells(surface.rest[soft])
        soft = soft[(np.abs(cells) < 1.0).all(axis=1)]
        gap = arch.gap(surface.rest[soft][None], fill=True)[0]
        # What lies in front of the teeth at rest, within the lips' and the cheeks' thickness.
        front = (gap > -0.001) & (gap < 0.022)
        self._vertices, self._need = soft[front], np.clip(gap[front], TOUCH, CLEARANCE)
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


def _rooted(surface: _Surface, lids: np.ndarray, eye: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lash vertices of the eye at ``eye``, and for each the place in ``lids`` of the vertex that its lash grows on."""
    from scipy.spatial import cKDTree

    lashes, faces = surface.vertices("lashes"), surface.faces("lashes")
    if not len(lashes) or not len(lids):
        return np.zeros(0, int), np.zeros(0, int)
    place = surface.rest[lashes]
    lashes = lashes[np.linalg.norm(place - eye, axis=1) < np.linalg.norm(place - other, axis=1)]
    group = components(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]]), len(surface.rest))[lashes]
    distance, root = cKDTree(surface.rest[lids]).query(surface.rest[lashes])
    order = np.lexsort((distance, group))
    first = order[np.r_[True, np.diff(group[order]) > 0]]  # the nearest to the lid of each lash
    return lashes, root[first[np.searchsorted(group[first], group)]]
