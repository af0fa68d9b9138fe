"""A person's whole surface at rest, at any level of subdivision, and what of it is rigid."""

from __future__ import annotations

import dataclasses

import numpy as np

from synth.heads.head import Person, eye_centres
from synth.heads.rigid import Arch, Ball, Rigid, components
from synth.scene import MeshPart


@dataclasses.dataclass(frozen=True, eq=False)
class Surface:
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

    @property
    def has_eyes(self) -> bool:
        """Whether it has eyeballs: a family may have them among the things to wear."""
        return bool(len(self.vertices("sclera", "cornea")))

    def ball(self, side: int) -> Ball:
        """The left (0) or right (1) eyeball: its outermost surface."""
        vertices = self.vertices("sclera", "cornea")
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


def control_surface(person: Person) -> Surface:
    """The person before subdivision."""
    head = person.head
    directions, weights = person.rig["expression_directions"], person.rig["weights"]
    jaw = weights[:, [joint for joint, _ in head.roles["jaw"]]].sum(axis=1)
    eyes = [joint for role in ("left_eye", "right_eye") for joint, _ in head.roles[role]]
    rise = sum(directions[:, 1, head.expressions.index(name)] for name in ("AU25_L", "AU25_R")
               if name in head.expressions) + (0.5 - jaw) * 1e-6  # the jaw decides where no such unit does
    neck = max(head.roles["neck"], key=lambda role: role[1])[0]
    still = (weights[:, neck] > 0.999) & (np.abs(directions).max(axis=(1, 2)) < 1e-6) & (weights[:, eyes].sum(1) == 0)
    rest = person.rest.astype(float)
    surface = Surface(person.control_parts, rest, eye_centres(head, rest), jaw, rise, still, np.zeros(len(rest), bool))
    return dataclasses.replace(surface, tucked=_tucked(surface, head.neutral.astype(float), eye_centres(
        head, head.neutral)))


def refined_surface(person: Person) -> Surface:
    """The person as rendered."""
    base, matrix = control_surface(person), person.refinement.matrix
    if matrix is None:
        return base
    values = {name: matrix @ getattr(base, name).astype(float) for name in ("rest", "jaw", "rise", "still", "tucked")}
    return Surface(person.parts, values["rest"], base.eyes, values["jaw"], values["rise"], values["still"] > 0.999,
                    values["tucked"] > 0.01)


def _tucked(surface: Surface, neutral: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """(V,) the skin that on the mean head lies in an eyeball and leads, within it, to the skin's open edge or back."""
    tucked = np.zeros(len(surface.rest), bool)
    if not surface.has_eyes:
        return tucked
    skin = surface.faces("skin")
    skin = skin[(skin < len(neutral)).all(axis=1)]
    mean = dataclasses.replace(surface, rest=neutral, eyes=eyes, parts=tuple(
        part for part in surface.parts if part.vertex_map.max() < len(neutral)))
    ends = np.sort(np.concatenate([skin[:, [0, 1]], skin[:, [1, 2]], skin[:, [2, 0]]]), axis=1)
    edges, count = np.unique(ends, axis=0, return_counts=True)
    rim = np.zeros(len(neutral), bool)
    rim[edges[count == 1]] = True
    for side in (0, 1):
        ball = mean.ball(side) if mean.has_eyes else surface.ball(side)
        near = np.unique(skin)
        near = near[np.linalg.norm(neutral[near] - eyes[side], axis=1) < 1.3 * ball.size]
        inside = np.zeros(len(neutral), bool)
        inside[near] = ball.gap(neutral[near][None] - eyes[side] + ball.centre)[0] < 0.0001
        group = components(edges[inside[edges].all(axis=1)], len(neutral))
        starts = inside & (rim | (neutral[:, 2] < eyes[side, 2]))
        tucked[: len(neutral)] |= inside & np.isin(group, group[starts])
    return tucked
