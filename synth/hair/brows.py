"""Brows: hairs that stand up at the head, slant along the body, and meet at the ridge."""

from __future__ import annotations

import numpy as np

from synth.appearance.description import Appearance, HairLook
from synth.hair.ground import Ground, along_skin, trace
from synth.hair.grow import waves
from synth.hair.roots import Roots, bind, join, sample_roots
from synth.heads.head import Person
from synth.heads.template.sculpt import smoothstep
from synth.scene import Strands

HAIRS = 520
"""Of one average brow."""
POINTS = 5
_RADIUS = 36e-6
"""Metres, at the root."""
_LINE = ([9, 12.5, 17, 22, 28, 34, 40, 46, 50, 54], [13.4, 14.0, 15.2, 16.5, 17.9, 18.8, 18.8, 17.2, 15.3, 13.0])
"""The axis' height by distance from the midline, mm in the front view."""
_BREADTH = ([0, 0.08, 0.25, 0.55, 0.8, 1], [5.5, 7.4, 7.2, 5.6, 3.6, 1.8])
"""Height of an average brow from its head (0) to its tail (1), mm."""


def brow_coordinates(place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """s: 0 at the brow's head to 1 at its tail; t: mm over its axis; both (K,), of canonical places (K, 3) mm."""
    x = np.abs(place[:, 0])
    return (x - 11.0) / 40.0, place[:, 1] - np.interp(x, *_LINE)


def grow_brows(person: Person, appearance: Appearance) -> tuple[Strands, ...]:
    """Strands ``brows`` of a person at rest; each side has hairs of its own."""
    look = appearance.hair
    shape = np.random.default_rng([look.seed, 1])
    arch = shape.normal(0, 0.5), shape.normal(0, 1.0)
    sides = [_side(person, look, side, arch) for side in (1, -1)]
    roots, points = join([side[0] for side in sides]), np.concatenate([side[1] for side in sides])
    rng = np.random.default_rng([look.seed, 2])
    taper = np.interp(np.linspace(0, 1, POINTS), [0, 0.3, 1], [0.9, 1.0, 0.3])
    radii = _RADIUS * rng.uniform(0.75, 1.2, (len(points), 1)) * taper
    return (bind("brows", "brows", roots, points, radii, person),)


def _side(person: Person, look: HairLook, side: int, arch: tuple[float, float]) -> tuple[Roots, np.ndarray]:
    """Roots and points (S, K, 3) of one brow; ``arch``: how much it is raised in the middle and at its tail, mm."""
    rng = np.random.default_rng([look.seed, 3, side + 1])
    raised = np.array(arch) + 0.25 * rng.standard_normal(2)  # no face is symmetric
    ragged = rng.integers(2**32)

    def across(place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        s, t = brow_coordinates(place)
        t = t - np.interp(s, [0, 0.5, 1], [0, raised[0], raised[1]])
        return s, t / (look.brow_thickness * np.interp(s, *_BREADTH))

    def density(place: np.ndarray) -> np.ndarray:
        s, t = across(place)
        noise = np.random.default_rng(ragged)
        edge = 1 + 0.13 * waves(noise, place, 5.0)[:, 0]
        body = np.exp(-((2 * t / edge) ** 4)) * (1 - 0.25 * smoothstep(0.2, 0.5, t))
        body *= smoothstep(-0.05, 0.14, s) * smoothstep(1.06, 0.8, s) * (1 + 0.2 * waves(noise, place, 9.0)[:, 0])
        stray = 0.02 * np.exp(-(((t + 0.15) / 0.75) ** 4)) * smoothstep(-0.1, 0.0, s) * smoothstep(1.15, 0.9, s)
        return np.maximum(body, 0) * (0.85 + 0.3 * np.exp(-(((s - 0.35) / 0.3) ** 2))) + stray

    def of_this_side(place: np.ndarray) -> np.ndarray:
        out = np.zeros(len(place))
        near = np.flatnonzero((place[:, 0] * side > 5) & (place[:, 2] > 50) & (np.abs(place[:, 1] - 16) < 18))
        out[near] = density(place[near])
        return out

    count = int(HAIRS * look.brow_density * look.brow_thickness**0.7 * rng.uniform(0.96, 1.04))
    roots = sample_roots(rng, person, of_this_side, count)
    s, t = across(roots.canonical)
    axis = np.arctan(np.gradient(_LINE[1], _LINE[0]))
    slope = np.interp(np.abs(roots.canonical[:, 0]), _LINE[0], axis)
    # Hairs at the head stand up, further on they lie along the axis; upper rows turn down, lower ones up to the ridge.
    turn = np.interp(s, [0, 0.12, 0.3, 0.6, 1], [1.25, 0.95, 0.5, 0.22, 0.05])
    comb = np.interp(s, [0, 0.2, 0.5, 1], [0.15, 0.6, 0.9, 0.5])
    angle = slope + turn - comb * np.clip(t, -0.7, 0.7) + 0.13 * rng.standard_normal(len(roots))
    angle += 0.12 * waves(rng, roots.canonical, 6.0)[:, 0]  # neighbours cling together
    bend = -np.interp(s, [0, 0.3, 1], [0.75, 0.5, 0.15]) + 0.1 * rng.standard_normal(len(roots))
    lengths = 0.001 * rng.uniform(5.0, 9.0, len(roots)) * np.interp(s, [0, 0.25, 0.7, 1], [0.75, 1, 0.95, 0.7])
    lengths *= 1 - 0.45 * np.clip(np.abs(t) - 0.2, 0, 1)
    lift = np.radians(rng.uniform(12, 26, len(roots)))

    def heading(share: float, _: np.ndarray) -> np.ndarray:
        turned = angle + bend * share
        front = np.stack([side * np.cos(turned), np.sin(turned), -0.1 * np.ones_like(turned)], axis=1)
        return along_skin(front, roots.normals, lift * (1 - 1.5 * share))

    ground = Ground(person, roots.points, 0.012, 0.0006, ("skin",))
    layer = 0.001 * rng.uniform(0.15, 0.8, (len(roots), 1))
    clearance = layer * np.interp(np.linspace(0, 1, POINTS), [0, 0.5, 1], [0, 1, 0.8])
    return roots, trace(ground, roots, lengths, heading, clearance)
