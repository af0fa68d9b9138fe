"""Beards: their styles, where they grow, which way and how long."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from scipy.spatial import cKDTree

from synth.appearance.description import Appearance, HairLook
from synth.hair.ground import Ground, along_skin, cling, trace
from synth.hair.grow import waves
from synth.hair.roots import Roots, bind, sample_roots
from synth.heads.head import Person
from synth.heads.template.sculpt import CHEILION, lip_coordinates, mouth_line, smoothstep
from synth.heads.worn.covers import covered
from synth.scene import Strands, unit


@dataclasses.dataclass(frozen=True)
class BeardStyle:
    """One cut."""

    weight: float
    """Relative frequency among bearded men."""
    lengths: Mapping[str, float]
    """Millimetres by region (see :data:`REGIONS`); others are shaved."""
    cheek_mm: float = 0.0
    """How much lower than it grows the beard begins on the cheeks."""
    neck_mm: float = 24.0
    """How far below the jaw's border it ends."""
    patchy: float = 0.0
    """How much of it fails to grow, in patches, 0 to 1."""
    sweep: float = 0.0
    """How far the moustache's ends are turned up, 0 to 1."""
    over_lip: bool = False
    """Whether the moustache may hang over the lip."""


REGIONS = ("neck", "sideburn", "moustache", "soul", "tip", "chin", "corner", "rim", "cheek")
"""``soul`` is below the lower lip, ``tip`` the chin's lower edge, ``corner`` joins moustache and chin, ``rim`` lies
along the jaw's border."""
_THICK = np.array([0.9, 1.0, 3.4, 2.2, 1.7, 1.6, 1.8, 1.0, 1.0])
"""How much thicker each grows."""


def _even(length: float) -> dict[str, float]:
    return dict.fromkeys(REGIONS, length)


BEARDS: dict[str, BeardStyle] = {
    "stubble": BeardStyle(3.0, _even(1.8)),
    "short_boxed": BeardStyle(2.0, {**_even(8.0), "moustache": 7.0, "tip": 11.0, "sideburn": 5.0, "neck": 4.0},
                              cheek_mm=4.0, neck_mm=9.0),
    "full": BeardStyle(1.6, {"neck": 14.0, "sideburn": 9.0, "moustache": 13.0, "soul": 15.0, "tip": 28.0, "chin": 25.0,
                             "corner": 20.0, "rim": 22.0, "cheek": 15.0}),
    "long_full": BeardStyle(0.5, {"neck": 40.0, "sideburn": 13.0, "moustache": 24.0, "soul": 45.0, "tip": 95.0,
                                  "chin": 85.0, "corner": 55.0, "rim": 62.0, "cheek": 28.0}, over_lip=True),
    "goatee": BeardStyle(0.7, {"soul": 9.0, "tip": 18.0, "chin": 14.0}),
    "circle": BeardStyle(1.0, {"moustache": 8.0, "soul": 8.0, "tip": 12.0, "chin": 9.0, "corner": 8.0}),
    "moustache": BeardStyle(0.8, {"moustache": 10.0}),
    "handlebar": BeardStyle(0.2, {"moustache": 30.0}, sweep=1.0, over_lip=True),
    "walrus": BeardStyle(0.25, {"moustache": 20.0}, over_lip=True),
    "chin_strap": BeardStyle(0.3, {"sideburn": 4.0, "tip": 6.0, "rim": 6.0}, cheek_mm=8.0, neck_mm=6.0),
    "soul_patch": BeardStyle(0.2, {"soul": 9.0}),
    "mutton_chops": BeardStyle(0.15, {"sideburn": 14.0, "cheek": 20.0, "rim": 22.0}, neck_mm=8.0),
    "sideburns": BeardStyle(0.3, {"sideburn": 7.0}),
    "patchy": BeardStyle(0.8, {**_even(5.0), "cheek": 4.0, "tip": 8.0}, patchy=0.8),
}
"""Cuts by name."""

FOLLICLES = 0.3
"""Hairs of a whole thick beard for each of a full head of hair."""
_RADIUS = 58e-6
"""Metres: beard hair is the coarsest of all."""
_REAL = 13_000
"""Hairs that at this radius cover as a thick beard does; fewer are drawn thicker."""
_JAW = ([-30, 6, 13, 34, 54, 70, 81, 87], [-40, -58, -75, -89, -100, -108.5, -112, -113.5])
"""The jaw's border: heights by z, mm."""
_CHEEK = ([14, 20, 27, 34, 46, 62, 78, 86, 92], [22, 12, -10, -27, -39, -48.5, -57, -62, -66])
"""Where beards begin on the cheek: heights by z, mm."""
_LIP = ([0, 8, 15, 20, 26, 31, 36], [-50.0, -49.6, -51.2, -54, -58.5, -62, -65])
"""Where moustaches begin: heights by distance from the midline, mm."""
_BACK = ([-140, -100, -80, -60, -45, -30, 10], [4, 6, 4, 0, 5, 9, 11])
"""Where beards end before the ear: z by height, mm."""


def regions(place: np.ndarray) -> np.ndarray:
    """(K, R) shares of :data:`REGIONS` at canonical places (K, 3) mm: rows sum to 1."""
    x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
    under = np.interp(z, *_JAW) - y
    front, above = smoothstep(72, 78, z), smoothstep(-1.0, 1.0, y - mouth_line(np.minimum(x, CHEILION[0])))
    middle = smoothstep(62, 70, z) * smoothstep(24, 20, x)
    masks = {
        "neck": smoothstep(4, 9, under),
        "sideburn": smoothstep(-64, -56, y) * smoothstep(4, 0, z - np.interp(y, [-60, -35], [20, 44])),
        "moustache": front * smoothstep(36, 31, x) * above,
        "soul": front * smoothstep(8.5, 6.5, x) * smoothstep(-91, -88, y),
        "tip": middle * smoothstep(-14, -9, under),
        "chin": middle * smoothstep(-75, -78, y) * smoothstep(4, 0, x - np.interp(y, [-104, -86], [20, 14])),
        "corner": front * smoothstep(-110, -105, y) * smoothstep(3, -1, x - np.interp(
            y, [-107, -96, -82], [22, 28, 32.5])),
        "rim": smoothstep(-13, -9, under), "cheek": np.ones(len(place)),
    }
    left, shares = np.ones(len(place)), []
    for name in REGIONS:
        shares.append(left * masks[name])
        left = left - shares[-1]
    return np.stack(shares, axis=1)


def growth(place: np.ndarray, cheek_mm: float = 0.0, neck_mm: float = 24.0) -> np.ndarray:
    """(K,) in [0, 1]: how thick beards grow at canonical places (K, 3) mm; 0 on lips, nose, ears and below the neck.

    cheek_mm, neck_mm: as in :class:`BeardStyle`.
    """
    x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
    upper = np.where(z > 66, np.interp(x, *_LIP), -95.0)  # behind the face there is only the inner mouth
    cheek = np.interp(z, *_CHEEK) - cheek_mm * smoothstep(26, 50, z)
    top = np.minimum(np.where(x > 31, cheek, 1e3), np.where(x > 36, 1e3, upper))
    under = np.interp(z, *_JAW) - y
    dense = smoothstep(1.5, np.where(x > 31, -6.0, -2.5), y - top) * smoothstep(neck_mm + 4, neck_mm - 3, under)
    dense *= smoothstep(-1.5, 2.5, z - np.interp(y, *_BACK)) * smoothstep(-140, -128, y) * (y < 25)
    dense *= x < 71.5  # ears
    s, t = lip_coordinates(place)
    near = (s < 1.1) & (z > 66)
    dense *= np.where(near, smoothstep(1.05, 1.15, np.abs(t)), 1.0)
    corner = np.hypot(x - CHEILION[0], y - CHEILION[1])
    dense *= np.where(z > 66, smoothstep(1.5, 3.5, corner), 1.0)
    # Sparse on either side of the tuft below the lip, and in the philtrum.
    bare = np.exp(-(((x - 13) / 5) ** 2) - ((y + 82) / 4) ** 2)
    return np.maximum(dense, 0) * (1 - 0.6 * bare * (z > 66)) * (1 - 0.3 * np.exp(-((x / 2.2) ** 2)) * (y > -60))


def grow_beard(person: Person, appearance: Appearance, count: int) -> tuple[Strands, ...]:
    """Strands ``beard`` of a person at rest; ``count`` is what a full head of hair has. Shaved men have a shadow in
    their skin, and no strands."""
    look = appearance.hair
    style = BEARDS.get(look.beard)
    if style is None or count == 0 or look.beard_growth == 0:
        return ()
    rng = np.random.default_rng([look.seed, 6])
    follicles = int(FOLLICLES * count * min(look.density, 1.2))
    roots = sample_roots(rng, person, _thickness, follicles)
    kept, lengths = _cut(rng, look, style, roots)
    kept &= (roots.normals[:, 2] > -0.2) | (roots.canonical[:, 2] < 70)  # not behind the lips
    if appearance.worn.cover is not None:
        kept &= rng.random(len(roots)) >= covered(appearance.worn.cover, roots.canonical)
    roots, lengths = roots.take(kept), lengths[kept]
    if not len(roots):
        return ()
    points = _comb(rng, person, look, style, roots, lengths)
    width = np.clip(np.sqrt(_REAL / max(follicles, 1)), 1.0, 1.8)
    taper = np.interp(np.linspace(0, 1, points.shape[1]), [0, 0.7, 1], [1.0, 0.85, 0.35])
    radii = _RADIUS * width * rng.uniform(0.7, 1.2, (len(points), 1)) * taper
    return (bind("beard", "beard", roots, points, radii, person),)


def _thickness(place: np.ndarray) -> np.ndarray:
    """(K,) relative follicles an area at canonical places (K, 3) mm."""
    out = np.zeros(len(place))
    near = np.flatnonzero((place[:, 1] < 25) & (place[:, 1] > -140) & (place[:, 2] > -10))
    out[near] = growth(place[near]) * (regions(place[near]) @ _THICK)
    return out


def _cut(rng: np.random.Generator, look: HairLook, style: BeardStyle, roots: Roots) -> tuple[np.ndarray, np.ndarray]:
    """Which follicles (S,) bear a hair, and how long it is, metres (S,)."""
    place = roots.canonical
    shares = regions(place)
    lengths = np.array([style.lengths.get(name, 0.0) for name in REGIONS])
    grown = shares @ (lengths > 0)
    # Towards the chin it is longest.
    lengths = shares @ lengths / np.maximum(grown, 1e-6) * np.interp(place[:, 2], [5, 80], [0.75, 1.0])
    full = growth(place)
    cut = np.minimum(growth(place, style.cheek_mm, style.neck_mm) / np.maximum(full, 1e-6), 1.0)
    ragged = 0.5 + 0.08 * waves(rng, place, 6.0)[:, 0]
    dense = smoothstep(ragged - 0.12, ragged + 0.12, grown) * cut
    thin = 0.35 + 0.65 * look.beard_growth**0.5
    middle = shares[:, [REGIONS.index(name) for name in ("moustache", "tip", "chin")]].sum(axis=1)
    patches = waves(rng, place, 22.0)[:, 0] + 0.5 * waves(rng, place, 9.0)[:, 0] + 1.6 * (middle - 0.4)
    dense *= thin * (1 - style.patchy * smoothstep(0.5, -0.7, patches))
    lengths *= look.beard_length * rng.uniform(0.55, 1.1, len(roots)) * (0.55 + 0.45 * np.minimum(cut, 2 * full))
    return rng.random(len(roots)) < dense, 0.001 * lengths


def _lay(place: np.ndarray, sweep: float) -> np.ndarray:
    """(K, 3) unit: which way beards grow at canonical places (K, 3) mm, as on the left side; mirrored on the right."""
    x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
    aside = np.clip(x / 24, 0, 1)
    ways = {
        "neck": (0.25 + 0 * x, np.interp(y, [-128, -112], [-0.15, -0.8]), 0.55 + 0 * x),
        "sideburn": (0 * x, -1 + 0 * x, 0.08 + 0 * x),
        "moustache": (0.25 + (0.75 + 0.5 * sweep) * aside, -1 + (0.45 + 0.4 * sweep) * aside, 0 * x),
        "soul": (0.02 * x, -1 + 0 * x, 0.5 + 0 * x),
        "tip": (0.3 * x / 20, -1 + 0 * x, 0.45 + 0 * x),
        "chin": (0.3 * x / 20, -1 + 0 * x, 0.35 + 0 * x),
        "corner": (0.12 + 0 * x, -1 + 0 * x, 0.1 + 0 * x),
        "rim": (0.15 + 0 * x, -0.9 + 0 * x, np.interp(z, [0, 40, 80], [0.35, 0.25, 0.3])),
        "cheek": (0.12 + 0 * x, -0.95 + 0 * x, np.interp(z, [0, 50, 90], [0.3, 0.2, 0.0])),
    }
    way = np.einsum("kr,rik->ki", regions(place), np.array([ways[name] for name in REGIONS]))
    return unit(way * np.stack([np.sign(place[:, 0]), 1 + 0 * x, 1 + 0 * x], axis=1))


def _comb(rng: np.random.Generator, person: Person, look: HairLook, style: BeardStyle, roots: Roots,
          lengths: np.ndarray) -> np.ndarray:
    """(S, K, 3) points of the hairs, metres, head frame."""
    place, count = roots.canonical, len(roots)
    lip = regions(place)[:, REGIONS.index("moustache")]
    lengths = lengths if style.over_lip else _clipped(place, lip, lengths)
    longest = 1000 * float(np.percentile(lengths, 90))
    t = np.linspace(0, 1, int(np.interp(longest, [2.5, 4, 20, 50, 90], [3, 4, 5, 8, 11])))
    waxed = style.sweep * lip
    locks = cKDTree(place[rng.choice(count, max(1, count // 26), replace=False)]).query(place)[1]
    locks = np.where(waxed > 0.5, (place[:, 0] > 0).astype(int), locks)  # to two points
    heading = _heading(rng, look, style, roots, lengths, locks, len(t) - 1)
    reach, step = 0.012 + 1.2 * float(lengths.max()), float(np.interp(longest, [4, 40], [8e-4, 2e-3]))
    ground = Ground(person, roots.points, reach, step, ("skin", "lips", *(("garment",) if longest > 40 else ())))
    # Layers: hairs lie over one another, the beard is the thicker the longer it is.
    layer = rng.uniform(0.1, 1.0, (count, 1)) * np.minimum(0.35 * lengths, 0.012)[:, None]
    clearance = 0.0002 + layer * np.sin(0.5 * np.pi * t) + (0.0012 * lip * (lengths > 0.004))[:, None] * t
    curves = trace(ground, roots, lengths, heading, clearance)
    pull = np.interp(1000 * lengths, [4, 30], [0.0, 0.4]) + 0.45 * waxed
    return cling(curves, locks, pull[:, None] * t**2)


def _clipped(place: np.ndarray, lip: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Lengths (S,) metres with moustaches (share ``lip``) cut where the upper lip begins. place: (S, 3) mm."""
    s, t = lip_coordinates(place)
    rise = np.maximum(place[:, 1] - mouth_line(place[:, 0]), 0)
    free = 0.001 * rise * (1 - 1 / np.maximum(np.abs(t), 1))
    return np.where((lip > 0.5) & (s < 1), np.minimum(lengths, 0.0034 + 1.6 * free), lengths)


def _heading(rng: np.random.Generator, look: HairLook, style: BeardStyle, roots: Roots, lengths: np.ndarray,
             locks: np.ndarray, steps: int) -> Callable[[float, np.ndarray], np.ndarray]:
    """Which way hairs (S,) go on, see :func:`synth.hair.ground.trace`. locks: (S,) int, neighbours that cling."""
    place, count, scale = roots.canonical, len(roots), 1000 * lengths
    lip, soul = (regions(place)[:, REGIONS.index(name)] for name in ("moustache", "soul"))
    side = np.sign(place[:, 0])
    # Whorls: neighbours grow alike, and no man's beard is another's.
    swirl = waves(rng, place, 30.0, 3) * (0.3, 0.15, 0.25)
    own = unit(_lay(place, style.sweep) + swirl + 0.16 * rng.standard_normal((count, 3)))
    lift = np.radians(np.interp(scale, [2, 8, 30], [38, 30, 24]) + 7 * rng.standard_normal(count))
    lift *= 1 - 0.35 * lip + 0.6 * soul  # what grows below the lip stands clear of the fold when the jaw drops
    start = along_skin(own, roots.normals, lift)
    curl = (0.12 + 0.9 * min(1.0, look.curl * 1.15 + 0.1)) * np.interp(np.percentile(scale, 90), [4, 12], [0.15, 0.55])
    together, alone = (rng.standard_normal((size, steps, 3)) for size in (locks.max() + 1, count))
    bends = 0.6 * curl * (together[locks] + alone)
    hang = np.stack([0.10 * side * (1 - lip), np.full(count, -1.0), np.full(count, 0.22)], axis=1)
    hang *= (np.interp(scale, [6, 25, 60], [0.0, 0.7, 1.4]) * (1 - 0.6 * lip))[:, None]
    waxed = (style.sweep * lip)[:, None]
    outwards = side[:, None] * (0.5, 0, 0)

    def heading(share: float, _: np.ndarray) -> np.ndarray:
        way = start * (1.1 - 0.6 * share) + own * 0.5 * share + share * hang
        way += waxed * (outwards + (0, 1.9 * share**2 - 0.15, 0))
        return unit(way) + bends[:, min(int(share * steps), steps - 1)] * min(1.0, 2 * share)

    return heading
