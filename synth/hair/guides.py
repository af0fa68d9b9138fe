"""Guide curves of a style, grown over a person's own head step by step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial import cKDTree

from synth.hair.grow import MM, Guides, Shell, keep_out, resample, shorten, waves
from synth.hair.roots import Roots
from synth.hair.styles import Style
from synth.heads.template.sculpt import smoothstep
from synth.scene import unit

STEPS = 30
"""Of a guide from root to tip."""
_WHORL = np.array([7.0, 103.0, -50.0])
"""Canonical mm: where hair that nobody combs spreads from."""
_TIE = {"tail": np.array([0.0, 40.0, -97.0]), "bun": np.array([0.0, 55.0, -93.0])}
"""Canonical mm: where hair is gathered."""
Cover = Callable[[np.ndarray], np.ndarray]


def parting(style: Style, places: np.ndarray, side: float) -> np.ndarray:
    """(K,) which way hair at canonical places (K, 3) is combed: 1 to the left, -1 to the right; behind the whorl 0.

    side: 1 or -1, on which side of the head the parting lies.
    """
    x, y, z = places.T
    if style.part is None:
        return np.tanh(x / 25)
    line = style.part * side
    crooked = 1.5 * np.sin(z / 9) + 1.5 * np.sin(2.9 * y + 5.3 * z)  # a comb's, and each hair's own
    return np.where(x > line + crooked, 1.0, -1.0) * smoothstep(-62, -42, z) * smoothstep(20, 40, y)


def grow_guides(rng: np.random.Generator, shell: Shell, style: Style, roots: Roots, lengths: np.ndarray, side: float,
                cover: Cover) -> tuple[Guides, np.ndarray]:
    """Guides from ``roots`` (G), ``lengths`` (G,) metres long, and which of the roots they grow from.

    side: see :func:`parting`; cover: canonical places to the share, 0 to 1, of what is worn over them.
    """
    if style.tie is not None:
        curves = _tied(rng, shell, style, roots, lengths)
    else:
        curves = _loose(rng, shell, style, roots, lengths, side, cover)
    end = shorten(curves, _beyond(rng, style, roots, shell.canonical(curves)))
    grown = np.flatnonzero(end * lengths > 0.5 * MM)
    points = resample(curves[grown], end[grown], style.points, style.gather)
    lock = np.clip(style.clump * rng.uniform(0.5, 1.4, len(grown)), 0, 0.95) if style.tie is None else np.full(
        len(grown), 0.9)
    return Guides(roots.take(grown), points, lock), grown


def brought_guides(rng: np.random.Generator, shell: Shell, curves: np.ndarray, near: Roots, points: int
                   ) -> tuple[Guides, np.ndarray]:
    """Guides from a family's own curves (G, M, 3) metres at rest, and which of them hang free of the scalp.

    near: places all over the scalp; each guide is rooted at the nearest one. What starts far off, as a tail does, is
    only carried by it.
    """
    start = curves[:, 0].astype(float)
    roots = near.take(cKDTree(near.points).query(start)[1])
    free = shell.height(start)[0] > 0.025
    curves = curves.astype(float)
    curves[~free, 0] = roots.points[~free]
    rest, out = keep_out(shell, resample(curves, np.ones(len(curves)), points), np.full(points, 0.8 * MM))
    return Guides(roots, rest, rng.uniform(0.2, 0.6, len(curves))).take(out), free[out]


def style_lengths(style: Style, places: np.ndarray) -> np.ndarray:
    """(K,) metres: how long hair is that grows at canonical places (K, 3) mm, uncut."""
    x, y, z = places.T
    nape, side, top = style.lengths
    low = nape + (side - nape) * smoothstep(-60, 15, y)
    length = low + (top - low) * smoothstep(*style.levels, y)
    length *= 1 + (style.front - 1) * smoothstep(20, 70, z) * smoothstep(50, 70, y)
    if not style.over_ears and style.tie is None:  # a barber's arch around the ear
        clear = 26 * (np.hypot((y + 9) / 33, (z + 20) / 25) - 1)
        length = np.minimum(length, np.maximum(clear + 5, 3.5))
    if style.cut is not None:
        length = np.minimum(length, np.maximum(1.25 * (y - min(style.cut)) + 60, 10))
    return length * MM


def _loose(rng: np.random.Generator, shell: Shell, style: Style, roots: Roots, lengths: np.ndarray, side: float,
           cover: Cover) -> np.ndarray:
    """(G, STEPS + 1, 3) curves that fall freely."""
    places = roots.canonical.astype(float)
    count, step = len(roots), lengths / STEPS
    crest = 1 + (style.crest - 1) * smoothstep(10, 65, places[:, 2]) * smoothstep(45, 70, places[:, 1])
    layer = np.clip(0.62 + 0.2 * waves(rng, places, 45.0)[:, 0] + rng.uniform(-0.4, 0.38, count), 0.1, 1.25)
    lift = style.lift * MM * crest * layer
    rise = np.radians(np.minimum(style.rise * crest * rng.uniform(0.7, 1.2, count), 89))
    way = parting(style, places, side)
    normal = roots.normals.astype(float)
    flow = _comb(style, places, places, way)
    flow = unit(flow - (flow * normal).sum(axis=1, keepdims=True) * normal)
    heading = unit(np.cos(rise)[:, None] * flow + np.sin(rise)[:, None] * normal)
    at, curve = roots.points.astype(float), [roots.points.astype(float)]
    turn = (1 - np.exp(-step / (style.bend * MM)))[:, None]
    sway = 0.10 * waves(rng, places, 35.0, 3)
    for k in range(STEPS):
        along = step * k
        place = shell.canonical(at)
        over, normal = shell.height(at)
        hang = smoothstep(-12, -45, place[:, 1])
        target = lift * (1 - np.exp(-(along + step) / (12 * MM + 0.12 * lengths))) * (1 - 0.5 * hang)
        target *= 1 - 0.92 * cover(place)
        weight = 0.55 * smoothstep(25 * MM, 110 * MM, along)
        flow = _comb(style, place, places, way) + sway - weight[:, None] * (0, 1, 0)
        flow = flow * (1 - hang[:, None]) + hang[:, None] * (_fall(place, places) + 0.5 * sway)
        inward = (flow * normal).sum(axis=1)
        hug = np.where(over < 1.5 * target + 3 * MM, 1.0, 1 - hang)
        flow = unit(flow - np.where(inward < 0, hug, hug * (1 - hang))[:, None] * inward[:, None] * normal)
        flow += 0.7 * np.clip((target - over) / (7 * MM), -0.8 * (1 - hang), 1)[:, None] * normal
        heading = unit(heading + turn * (unit(flow) - heading))
        at = at + step[:, None] * heading
        over, normal = shell.height(at)
        at = at + np.maximum(0.4 * target + 0.4 * MM - over, 0)[:, None] * normal
        curve.append(at)
    return np.stack(curve, axis=1)


def _comb(style: Style, places: np.ndarray, rooted: np.ndarray, way: np.ndarray) -> np.ndarray:
    """(K, 3) the way hair is combed at ``places``, by where it is rooted, both canonical (K, 3), not yet on skin."""
    fall = unit(places - _WHORL) - (0, 0.35, 0)
    if style.top is None:
        return fall
    across, up, forward = style.top
    top = np.stack([across * way, np.full(len(places), up), np.full(len(places), forward)], axis=1)
    across, up, forward = style.side
    down = np.stack([across * np.sign(places[:, 0]), np.full(len(places), up), np.full(len(places), forward)], axis=1)
    share = smoothstep(*style.levels, rooted[:, 1])[:, None]
    back = (smoothstep(-30, -70, places[:, 2]) * smoothstep(-20, -60, rooted[:, 2] - 20))[:, None]
    combed = unit(top) * share + unit(down) * (1 - share)
    return combed * (1 - back) + fall * back


def _fall(place: np.ndarray, rooted: np.ndarray) -> np.ndarray:
    """(K, 3) the way of hair that hangs: down, a little together, on the shoulders forward or back."""
    x, y, z = place.T
    shoulder = smoothstep(-85, -150, y)
    aside = np.where(rooted[:, 2] > 4, 0.9, -0.8) * shoulder
    inwards = 0.0018 + np.where(rooted[:, 2] > 4, 0.006, 0.0015) * shoulder
    return np.stack([-inwards * x, np.full(len(x), -1.0), aside - 0.0012 * z * (1 - shoulder)],
                    axis=1)


def _beyond(rng: np.random.Generator, style: Style, roots: Roots, places: np.ndarray) -> np.ndarray:
    """(G, M) where curves at canonical places (G, M, 3) have been cut off: below the style's line, and in the face."""
    x, y, z = np.moveaxis(places, -1, 0)
    azimuth = np.degrees(np.abs(np.arctan2(x / 75, z / 94)))
    front, side, back = (31.0, -400.0, -400.0) if style.cut is None else style.cut
    line = np.interp(azimuth, [0, 40, 56, 62, 100, 125, 180], [front, front, max(side, -25), side, side, back, back])
    uneven = 2.0 * waves(rng, roots.canonical.astype(float), 30.0) + rng.normal(0, 1.5, (len(roots), 1))
    return y < line + uneven * (1 + 0.02 * np.abs(line - 30))


def _tied(rng: np.random.Generator, shell: Shell, style: Style, roots: Roots, lengths: np.ndarray) -> np.ndarray:
    """(G, M, 3) curves combed to the knot, and on in a tail or about a bun."""
    knot = _on_shell(shell, _TIE[style.tie])
    _, back = shell.height(knot[None])
    back = unit(back[0] * (0, 1, 1))
    count = len(roots)
    at, curve = roots.points.astype(float), [roots.points.astype(float)]
    arc = np.linalg.norm(at - knot, axis=1) * 1.25
    step = (arc / STEPS)[:, None]
    heading = unit(unit(knot - at) * 0.8 + roots.normals * np.sin(np.radians(style.rise)))
    lift = style.lift * MM * rng.uniform(0.3, 1.1, count)
    layer = rng.uniform(0.3, 1.0, (count, 1))
    for k in range(STEPS):
        to = knot + 4 * MM * layer * back - at
        gap = np.linalg.norm(to, axis=1, keepdims=True)
        over, normal = shell.height(at)
        flow = unit(to - (to * normal).sum(axis=1, keepdims=True) * normal * (gap > 15 * MM))
        target = lift * np.minimum(1, (k + 1) / 5)
        flow += 0.5 * np.clip((target - over) / (5 * MM), -1, 1)[:, None] * normal
        heading = unit(heading + 0.5 * (unit(flow) - heading))
        at = at + np.minimum(step, gap) * heading
        over, normal = shell.height(at)
        at = at + np.maximum(0.3 * target + 0.3 * MM - over, 0)[:, None] * normal
        curve.append(at)
    shape = _tail if style.tie == "tail" else _bun
    rest = shape(rng, shell, knot, back, np.maximum(lengths - arc, 90 * MM))
    # The way in leads over into the knot.
    return np.concatenate([np.stack(curve[:-3], axis=1), rest], axis=1)


def _on_shell(shell: Shell, place: np.ndarray) -> np.ndarray:
    """(3,) metres: the shell's point nearest to a canonical place (3,) mm."""
    return shell.tree.data[np.linalg.norm(shell.canonical(shell.tree.data) - place, axis=1).argmin()]


def _tail(rng: np.random.Generator, shell: Shell, knot: np.ndarray, back: np.ndarray, lengths: np.ndarray
          ) -> np.ndarray:
    """(G, M, 3) a horse's tail: out of the knot, over and down."""
    along = lengths[:, None] * np.linspace(0, 1, STEPS)
    out = 34 * MM * (1 - np.exp(-along / (20 * MM)))
    drop = along - 24 * MM * (1 - np.exp(-along / (24 * MM)))
    centre = knot + (out + 4 * MM)[..., None] * back - drop[..., None] * (0, 1, 0)
    turn, reach = rng.uniform(0, 2 * np.pi, len(lengths)), np.sqrt(rng.random(len(lengths)))
    share = along / lengths.max()
    size = (5 + 17 * np.sin(np.pi * np.clip(share, 0, 1) ** 0.7) ** 0.8) * MM * reach[:, None]
    side = (size * np.cos(turn)[:, None])[..., None] * np.array([1.0, 0, 0])
    depth = (size * np.sin(turn)[:, None])[..., None] * back * 0.7
    curve = centre + side + depth
    over, normal = shell.height(curve.reshape(-1, 3))
    least = np.tile((6 + 8 * reach)[:, None], STEPS).ravel() * MM
    return curve + (np.maximum(least - over, 0)[:, None] * normal).reshape(curve.shape) * (share > 0.12)[..., None]


def _bun(rng: np.random.Generator, shell: Shell, knot: np.ndarray, back: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """(G, M, 3) hair wound about the knot."""
    count = len(lengths)
    right = np.array([1.0, 0, 0])
    up = np.cross(back, right)
    height = rng.uniform(-0.75, 0.95, count)
    ring = 28 * MM * np.sqrt(1 - height**2) * rng.uniform(0.9, 1.06, count)
    along = lengths[:, None] * np.linspace(0, 1, STEPS)
    angle = rng.uniform(0, 2 * np.pi, count)[:, None] + along / np.maximum(ring, 10 * MM)[:, None]
    in_plane = np.cos(angle)[..., None] * right + np.sin(angle)[..., None] * up
    grown = smoothstep(0, 22 * MM, along)[..., None]
    tilt = 0.12 * np.sin(angle + rng.uniform(0, 6, (count, 1)))
    lifted = (19 * MM + 24 * MM * (height[:, None] * 0.9 + tilt))[..., None] * back
    return knot + grown * (ring[:, None, None] * in_plane + lifted) + (1 - grown) * 5 * MM * back
