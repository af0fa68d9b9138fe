"""Scalp hair: where it grows, how long, and its strands."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from scipy.spatial import cKDTree

from synth.appearance.description import Appearance, HairLook
from synth.hair.grow import MM, Shell, accompany, curl, fill, keep_out, make_shell, resample, stray, waves
from synth.hair.guides import Cover, brought_guides, grow_guides, parting, style_lengths
from synth.hair.roots import Roots, bind, sample_roots
from synth.hair.styles import STYLES, Style
from synth.heads.head import Person
from synth.heads.template.hair import hairline
from synth.heads.template.sculpt import smoothstep
from synth.heads.worn.covers import covered
from synth.scene import Strands
from synth.seeds import derive_seed, keyed

GUIDES = 2200
"""Most guide curves of a full head; at least eight strands share one."""
HAIRS = 110_000
"""Hairs of a real head."""
RADIUS = 0.038 * MM
"""Of a real hair."""
WIDEST = 8.0
"""At most so many hairs are one strand's worth: fewer strands leave skin between them instead of growing wider."""
_REACH = 22 * MM
"""How far from a family's own guides hair still grows."""
_BROUGHT = Style(0, 0, (0, 0, 0), points=9)
"""Of strands between a family's own guides."""
_HORSESHOE = Style(0, 0, (5, 6, 4), rise=45, bend=30, lift=4, clump=0.0, points=3)
"""What is left on a bald head."""


def grow_scalp(person: Person, appearance: Appearance, count: int) -> tuple[Strands, ...]:
    """Strands ``hair`` of a person at rest: at most ``count``, fewer where the style or baldness leaves skin."""
    look = appearance.hair
    rng = keyed(look.seed, "scalp")
    if look.style == "bald":
        look = look.model_copy(update={"hairline": 2.0, "density": 0.5 * look.density})
    style = _style(person, look)
    side = 1.0 if rng.random() < 0.6 else -1.0
    density = Density(look, None if style.part is None else style.part * side)
    cover = _no_cover if appearance.worn.cover is None else functools.partial(covered, appearance.worn.cover)
    shell = make_shell(person, style.over_ears)
    all_over = sample_roots(rng, person, density.full, 4000)
    share = float(density.kept(all_over.canonical).sum() / max(density.full(all_over.canonical).sum(), 1e-9))
    roots = _upright(sample_roots(rng, person, density, int(count * min(look.density / 1.1, 1) * share)))
    grown = _grow(rng, person, look, style, shell, density, share, cover, all_over, roots, count, side)
    if grown is None:
        return ()
    roots, strands, lock = grown
    edge = density.over(roots.canonical)
    amount = float(np.clip(look.curl, *style.curl))
    strands = stray(rng, curl(rng, strands, amount, roots.normals, lock), style.mess, lock)
    strands, out = keep_out(shell, strands, 0.5 * MM * np.minimum(1, np.linspace(0, 4, style.points)))
    shown = out & _shown(shell, strands, cover)
    if not shown.any():
        return ()
    fine = (0.6 + 0.4 * smoothstep(-2, 10, edge)) * rng.uniform(0.85, 1.15, len(roots))
    radii = RADIUS * min(HAIRS / max(count, 1), WIDEST) ** 0.85 * fine[:, None] * taper(style.points)
    return (bind("hair", "hair", roots.take(shown), strands[shown], radii[shown], person),)


def _style(person: Person, look: HairLook) -> Style:
    if look.style in person.head.hairstyles:
        return dataclasses.replace(_BROUGHT, curl=person.head.hairstyles[look.style].curl)
    if look.style != "bald" and look.style not in STYLES:
        known = ("bald", *STYLES, *person.head.hairstyles)
        raise ValueError(f"hair.style: {look.style!r} is not one of {', '.join(known)}")
    return _HORSESHOE if look.style == "bald" else STYLES[look.style]


def _grow(rng: np.random.Generator, person: Person, look: HairLook, style: Style, shell: Shell, density: Density,
          share: float, cover: Cover, all_over: Roots, roots: Roots, count: int,
          side: float) -> tuple[Roots, np.ndarray, np.ndarray] | None:
    """Roots (S), strands (S, K, 3) and (S,) each one's lock; None where nothing grows."""
    if look.style in person.head.hairstyles:
        curves = person.head.hairstyles[look.style].guides(person.rest[: len(person.head.neutral)])
        guides, free = brought_guides(rng, shell, curves, all_over, style.points)
        way = guide_way = 0.0
        number = int(len(roots) * free.mean())
        tails = accompany(rng, guides.take(free), number) if number else None
        guides = guides.take(~free)
        roots = roots.take(slice(number, None))
        roots = roots.take(cKDTree(guides.roots.points).query(roots.points)[0] < _REACH)
    else:
        ground = _upright(sample_roots(rng, person, density, max(60, int(min(GUIDES, count / 8) * share))))
        if not len(ground):
            return None
        cropped = 1 - 0.55 * np.clip(look.hairline - 0.9, 0, 1)  # who loses hair wears it short
        size = cropped * look.length * (1 + 0.07 * waves(rng, ground.canonical.astype(float), 30.0)[:, 0])
        guides, rooted = grow_guides(rng, shell, style, ground, style_lengths(style, ground.canonical) * size, side,
                                     cover)
        tails = None
        guide_way = parting(style, ground.canonical[rooted], side)
        way = parting(style, roots.canonical, side)
    if not len(roots) or not len(guides.points):
        return None
    strands, lock = fill(rng, guides, roots, way, guide_way)
    baby = rng.random(len(roots)) * (1 - smoothstep(-2, 12, density.over(roots.canonical)))
    end = (1 - 0.3 * rng.random(len(roots)) ** 2) * (1 - 0.75 * smoothstep(0.25, 0.7, baby))
    strands = resample(strands, end, style.points, style.gather)
    if tails is None:
        return roots, strands, lock
    return (roots.join(tails[0]), np.concatenate([strands, tails[1]]),
            np.concatenate([lock, tails[2] + lock.max() + 1]))


def taper(points: int) -> np.ndarray:
    """(points,) factor on a hair's radius from root to tip."""
    t = np.linspace(0, 1, points)
    return 1 - 0.65 * t**3


def _no_cover(places: np.ndarray) -> np.ndarray:
    return np.zeros(len(places), np.float32)


def _upright(roots: Roots) -> Roots:
    """Those on the skull, not on the ears."""
    x, y, z = np.abs(roots.canonical.T[0]), roots.canonical[:, 1], roots.canonical[:, 2]
    near = (y < 36) & (y > -50) & (z > -52) & (z < 14)
    return roots.take(~(near & ((x > 77.5) | (roots.normals[:, 0] * np.sign(roots.canonical[:, 0]) < 0.3))))


def _shown(shell: Shell, strands: np.ndarray, cover: Cover) -> np.ndarray:
    """(S,) bool: strands of which anything is seen."""
    if cover is _no_cover:
        return np.ones(len(strands), bool)
    hidden = cover(shell.canonical(strands.reshape(-1, 3))).reshape(len(strands), -1)
    return hidden.min(axis=1) < 0.5


class Density:
    """Relative hairs an area at canonical places, for one person."""

    def __init__(self, look: HairLook, part: float | None = None) -> None:
        self._recession = look.hairline
        self._part = part
        self._seed = derive_seed(look.seed, "hairline")

    def full(self, places: np.ndarray) -> np.ndarray:
        """(K,) of a head that loses none of its hair."""
        return smoothstep(-4, 4, hairline(places))

    def over(self, places: np.ndarray) -> np.ndarray:
        """(K,) about mm within the border of what grows, at canonical places (K, 3) mm."""
        places = np.asarray(places, float)
        x, y, z = np.abs(places[:, 0]), places[:, 1], places[:, 2]
        lost = self._recession
        noise = waves(np.random.default_rng(self._seed), places, 14.0)[:, 0]
        over = hairline(places) + 1.3 * noise
        front = smoothstep(30, 60, z)
        temple = np.exp(-(((x - 42) / 16) ** 2)) * smoothstep(40, 55, y)
        over -= front * (4.0 * lost + 11.0 * max(lost, 0) * temple)
        if lost > 0.6:  # the vertex thins, then front and vertex meet (Norwood 1975, types III vertex to VII)
            level = np.interp(lost, [0.8, 1.3, 2.0], [95, 60, 45])
            far = np.hypot(x, z + 42) + 1.6 * np.maximum(min(level, 60) - y, 0)
            over = np.minimum(over, far - np.interp(lost, [0.6, 1.2, 1.6, 2.0], [0, 38, 88, 115]) + 6 * noise)
            behind = np.interp(lost, [0.6, 1.2, 2.0], [95, 66, -60])
            over = np.minimum(over, np.maximum(behind - z, level - y) + 3 * noise)
        return over

    def kept(self, places: np.ndarray) -> np.ndarray:
        """(K,) as ``full``, less what is lost."""
        return smoothstep(-4, 6, self.over(places))

    def __call__(self, places: np.ndarray) -> np.ndarray:
        """(K,) what is there."""
        over = self.over(places)
        # Denser behind the front hairline and at a parting, where no hair from elsewhere lies over the skin.
        x, y, z = np.asarray(places, float).T
        bare = smoothstep(28, 6, over) * smoothstep(0, 40, z)
        if self._part is not None:
            bare += 1.5 * smoothstep(11, 3, np.abs(x - self._part)) * smoothstep(-55, -40, z) * smoothstep(40, 60, y)
        return smoothstep(-4, 6, over) * (1 + 0.9 * bare)
