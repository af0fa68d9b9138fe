"""Caps, beanies, scarves and hats: cloth over a person's own head."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from scipy.ndimage import gaussian_filter1d

from synth.heads.head import Attachment, Person
from synth.heads.template.sculpt import smoothstep
from synth.heads.worn.drape import QUARTER, Drape, roll, taut
from synth.heads.worn.fit import attach
from synth.heads.worn.solids import Mesh, join, lattice

TILE = 96.0
"""Side of the square of cloth, mm, that a cover's texture shows; uv counts such squares."""
_COLUMNS = 289
"""Vertices around, both ends of the seam at the back included."""
_HEM = ((10.0, 0.7), (2.5, 0.8), (0.3, 1.1), (-0.4, 1.7), (-0.4, 2.4), (0.4, 3.0), (2.0, 3.2))
"""A rolled edge: mm above the edge, and off the head, from the inside out."""
_CUFF = ((14.0, 0.7), (3.0, 0.9), (0.4, 1.4), (-0.9, 2.6), (-1.2, 4.2), (-0.6, 5.8), (1.0, 6.8),
         *((3.0 * row, 7.2) for row in range(1, 15)), (44.2, 6.9), (45.6, 6.2), (46.2, 5.2), (46.0, 4.2), (46.6, 3.6),
         (50.0, 3.6))
"""The folded edge of a beanie."""
_FOLD = 7
"""Rows at the start of either that are folded under or round the edge."""


@dataclasses.dataclass(frozen=True)
class Cover:
    """One kind of head cover."""

    line: tuple[tuple[float, float], ...] = ()
    """Its lower edge: degrees from the front, height in canonical mm."""
    opening: tuple[float, float, float] | None = None
    """A face's opening instead: half its breadth in degrees, its middle's height and half its height in mm."""
    hem: tuple[tuple[float, float], ...] = _HEM
    """Rows about the edge: mm above it and off the head; the last one's distance holds further up."""
    relief: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray] | None = None
    """Further mm off the head, of azimuth (radians), mm above the edge and mm from the crown."""
    brim: tuple[float, float, float, float] | None = None
    """Half its breadth in degrees, its length in mm, its slope and how much its sides droop."""

    def over(self, canonical: np.ndarray) -> np.ndarray:
        """(...,) about mm inside the edge of canonical places (..., 3) mm; negative where skin is bare."""
        x, y, z = np.moveaxis(canonical, -1, 0)
        azimuth = np.degrees(np.arctan2(np.abs(x) / 75, z / 94))
        if self.opening is not None:
            half, middle, height = self.opening
            return (np.hypot(azimuth / half, (y - middle) / height) - 1) * height
        return y - np.interp(azimuth, *np.array(self.line).T)


def _beanie(azimuth: np.ndarray, up: np.ndarray, fall: np.ndarray) -> np.ndarray:
    """Loose at the top, gathered at the crown."""
    loose = 9.0 * smoothstep(75, 15, fall) * smoothstep(46, 70, up)
    folds = 0.9 * np.sin(7 * azimuth + 0.6) + 0.6 * np.sin(13 * azimuth + 2.0)
    return loose + folds * smoothstep(50, 75, up) * smoothstep(0, 30, fall)


def _cap(azimuth: np.ndarray, up: np.ndarray, fall: np.ndarray) -> np.ndarray:
    """Front panels that stand, six seams, a button on the crown."""
    stand = 11.0 * np.exp(-((azimuth / 0.85) ** 4)) * smoothstep(0, 55, up) * smoothstep(8, 70, fall)
    seam = np.mod(azimuth + np.pi / 6, np.pi / 3) - np.pi / 6
    groove = -0.7 * np.exp(-((seam * np.maximum(fall, 12) / 1.6) ** 2)) * smoothstep(10, 18, fall)
    return stand + groove + 3.0 * smoothstep(8, 5, fall) + 1.2 * smoothstep(30, 0, fall)


def _bucket(azimuth: np.ndarray, up: np.ndarray, fall: np.ndarray) -> np.ndarray:
    """A flat top with a corner round it."""
    corner = np.exp(-(((fall - 68) / 26) ** 2))
    return 11.0 * corner * smoothstep(5, 40, up) + 1.5 * smoothstep(60, 10, fall)


def _turban(azimuth: np.ndarray, up: np.ndarray, fall: np.ndarray) -> np.ndarray:
    """Bands of cloth that rise from the back and cross over the forehead."""
    side = np.abs(azimuth)
    bulk = 21.0 * smoothstep(-2, 28, up) * smoothstep(12, 75, fall) * (0.75 + 0.25 * np.cos(2 * azimuth))
    slant = 40.0 * np.sin(np.minimum(side, np.pi / 2)) - 12.0 * smoothstep(1.6, 3.1, side)
    phase = np.mod((up - slant + 3.0 * np.sin(2.5 * side + 0.4)) / 16.0, 1)
    band = np.sqrt(np.clip(1 - (2 * phase - 1) ** 2, 0, None)) - 0.6
    return bulk + 4.2 * band * smoothstep(0, 8, up) * smoothstep(10, 40, fall)


COVERS: Mapping[str, Cover] = {
    "beanie": Cover(((0, 46), (35, 43), (70, 24), (95, 2), (125, -22), (180, -40)), hem=_CUFF, relief=_beanie),
    "cap": Cover(((0, 47), (40, 45), (68, 38), (90, 34), (112, 26), (140, -4), (180, -22)), relief=_cap,
                 brim=(58.0, 68.0, 0.30, 0.0026)),
    "bucket_hat": Cover(((0, 50), (40, 47), (68, 39), (90, 34), (112, 28), (140, 10), (180, 0)), relief=_bucket,
                        brim=(180.0, 50.0, 0.62, 0.0)),
    "turban": Cover(((0, 52), (35, 46), (62, 28), (90, 10), (110, -6), (140, -30), (180, -42)), relief=_turban),
    "headscarf": Cover(opening=(59.0, -33.0, 89.0)),
}
"""Styles by name."""


def covered(style: str, canonical: np.ndarray) -> np.ndarray:
    """(K,) float32 share in [0, 1]: how far a style covers canonical places (K, 3) mm; no hair grows where it is 1."""
    return smoothstep(0.0, 6.0, COVERS[style].over(np.asarray(canonical, float))).astype(np.float32)


def make_cover(person: Person, style: str) -> Attachment:
    """A head cover on a person at rest: a part ``cover``, carried by the skull, a scarf by chin and chest too."""
    cover, drape = COVERS[style], Drape(person)
    if cover.opening is not None:
        mesh = _scarf(drape, cover)
        return attach(person, f"cover/{style}", [("cover", "cover", mesh)], drape.fitting.origin, drape.draped)
    azimuth, edge = edge_of(drape, cover)
    cap, rim = _shell(drape, cover, azimuth, edge)
    meshes = [cap] if cover.brim is None else [cap, _brim(cover.brim, azimuth, rim)]
    return attach(person, f"cover/{style}", [("cover", "cover", join(meshes))], drape.fitting.origin)


def edge_of(drape: Drape, cover: Cover) -> tuple[np.ndarray, np.ndarray]:
    """Azimuths (C,) of the columns and each one's fall at the cover's edge."""
    azimuth = np.linspace(-np.pi, np.pi, _COLUMNS)
    fall = np.arange(60.0, QUARTER + 120, 1.0)
    places = np.stack(np.meshgrid(azimuth, fall, indexing="ij"), axis=2)
    inside = cover.over(drape.canonical(places[..., 0], places[..., 1])) > 0
    edge = fall[np.argmin(inside, axis=1)]
    edge = 0.5 * (edge + edge[::-1])
    return azimuth, np.r_[gaussian_filter1d(edge[:-1], 6.0, mode="wrap"), 0][np.r_[: _COLUMNS - 1, 0]]


def _shell(drape: Drape, cover: Cover, azimuth: np.ndarray, edge: np.ndarray) -> tuple[Mesh, np.ndarray]:
    """The cover without its brim, and the outer points (C, 3) of its edge."""
    up, off = np.array(cover.hem).T
    rows = 64
    free = np.linspace(1, 0, rows)[1:, None] * (edge - up[-1])  # falls from the hem's last row to the crown
    fall = np.concatenate([edge - up[:, None], free])
    off = np.concatenate([off, np.full(rows - 1, off[-1])])
    height = edge - fall
    # What hangs out below the edge, an ear for example, doesn't lift the cloth.
    inner = drape.radius(np.broadcast_to(azimuth, fall.shape), np.minimum(fall, edge - 1.0))
    sheet = inner.copy()
    sheet[_FOLD:, :-1] = taut(inner[_FOLD:, :-1], 40, (1.5, 4.0))
    sheet[:_FOLD, :-1] = np.maximum(inner[:_FOLD, :-1], sheet[_FOLD, :-1] - 1.0)
    sheet[-1] = sheet[-1, :-1].mean()
    sheet[:, -1] = sheet[:, 0]
    if cover.relief is not None:
        relief = cover.relief(np.broadcast_to(azimuth, fall.shape), np.maximum(height, 0), fall)
        sheet += np.maximum(relief, 1.2 - off[:, None]) * (np.arange(len(fall)) >= _FOLD)[:, None]
    points = roll(azimuth, fall, sheet + off[:, None])
    middle = fall[:, _COLUMNS // 2]
    around = np.round(2 * np.pi * 92 / TILE)
    uv = np.stack(np.broadcast_arrays(azimuth / (2 * np.pi) * around, -middle[:, None] / TILE), axis=2)
    return Mesh(points.reshape(-1, 3), lattice(*fall.shape), uv.reshape(-1, 2)), points[_FOLD - 2]


def _brim(brim: tuple[float, float, float, float], azimuth: np.ndarray, rim: np.ndarray) -> Mesh:
    """A stiff sheet that leaves the edge ``rim`` (C, 3): over the face only, or all round."""
    half, length, slope, droop = brim
    degrees = np.degrees(azimuth)
    chosen = np.abs(degrees) <= half
    if half < 180:
        reach = length * np.clip(1 - np.abs(degrees / half) ** 2.6, 0, None) ** 0.55
        way = np.stack([0.25 * np.sin(azimuth), -slope + 0 * azimuth, 1 + 0 * azimuth], axis=1)
    else:
        reach = np.full(len(azimuth), length)
        way = np.stack([np.sin(azimuth), -slope + 0 * azimuth, np.cos(azimuth)], axis=1)
        way[:, 1] += 0.05 * np.sin(5 * azimuth + 1)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    share = np.concatenate([np.linspace(-0.06, 1, 22), np.linspace(1, -0.06, 22)])
    thick = np.concatenate([np.full(21, 0.9), [0.5], [-0.5], np.full(21, -0.9)])
    share[[20, 23]] = 1 - 0.6 / length
    points = rim[chosen] + share[:, None, None] * reach[chosen, None] * way[chosen]
    sag = droop * points[..., 0] ** 2 * np.clip(share, 0, 1)[:, None] ** 1.3
    points[..., 1] += thick[:, None] - sag
    points[..., 1] += 2.0 * np.sin(np.pi * np.clip(share, 0, 1))[:, None] * (half < 180)
    uv = np.stack(np.broadcast_arrays(degrees[chosen] / 360 * 6, share[:, None] * length / TILE), axis=2)
    return Mesh(points.reshape(-1, 3), lattice(*points.shape[:2])[:, ::-1], uv.reshape(-1, 2))


def _scarf(drape: Drape, cover: Cover) -> Mesh:
    """A scarf round the face, over the neck and onto the shoulders: a ring of cloth between the face's opening and its
    lower edge, laid out on the plane where a place's distance from the middle is its fall."""
    around, rows = 241, 84
    turn = np.linspace(-np.pi, np.pi, around)
    face = np.array([0.0, QUARTER + 68.0])
    way = np.stack([np.sin(turn), np.cos(turn)], axis=1)
    lowest = QUARTER + 245.0
    along = -(face @ way.T) + np.sqrt((face @ way.T) ** 2 - face @ face + lowest**2)  # to the circle's rim
    share = np.linspace(0, 1, 400)[:, None]
    over = cover.over(drape.canonical(*_plane(face + (share * along)[..., None] * way)))
    first = share[np.argmax(over > 0, axis=0), 0] * along
    first = 0.5 * (first + first[::-1])
    first = np.r_[gaussian_filter1d(first[:-1], 2.0, mode="wrap"), 0][np.r_[: around - 1, 0]]
    up, off = np.array(_HEM).T
    down = np.concatenate([up, up[-1] + np.linspace(0, 1, rows)[1:] ** 1.3 * 400])
    distance = np.where(np.arange(len(down))[:, None] < len(up), first + down[:, None],
                        first + up[-1] + (along - first - up[-1]) * ((down[:, None] - up[-1]) / 400))
    azimuth, fall = _plane(face + distance[..., None] * way)
    off = np.concatenate([off, np.linspace(3.4, 6.0, rows - 1)])
    inner = drape.radius(azimuth, fall)
    hem = len(up)
    sheet = inner.copy()
    tight, loose = (taut(inner[hem - 1 :, :-1], *how) for how in ((30, (1.5, 2.0)), (160, (2.4, 4.0))))
    sheet[hem - 1 :, :-1] = tight + smoothstep(0, 45, down[hem - 1 :] - up[-1])[:, None] * (loose - tight)
    sheet[:, -1] = sheet[:, 0]
    plain = roll(azimuth, fall, sheet)  # folds don't stretch the cloth: its print is laid out without them
    across, along = (np.linalg.norm(np.diff(plain, axis=k, prepend=plain.take([0], k)), axis=2).cumsum(axis=k)
                     for k in (1, 0))
    uv = np.stack([across - across[:, [around // 2]], -along], axis=2) / TILE
    sheet += _folds(azimuth, fall, down - up[-1]) * (np.arange(len(down)) >= hem)[:, None]
    points = roll(azimuth, fall, sheet + off[:, None])
    return Mesh(points.reshape(-1, 3), lattice(*points.shape[:2])[:, ::-1], uv.reshape(-1, 2))


def _plane(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Azimuth and fall of points (..., 2) of the plane."""
    return np.arctan2(points[..., 0], points[..., 1]), np.hypot(points[..., 0], points[..., 1])


def _folds(azimuth: np.ndarray, fall: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Relief of a draped scarf, mm, outwards only: a roll round the face, swags below the chin, and the end that is
    laid from the left cheek over to the right shoulder."""
    down = down[:, None]
    ring = (1 + np.sin(down / 5.0 + 1.2 * np.cos(azimuth) + 0.5 * np.sin(3 * azimuth))) * smoothstep(0, 12, down)
    neck = smoothstep(QUARTER + 105, QUARTER + 165, fall)
    swag = np.sin((fall + 34 * np.cos(azimuth) + 9 * np.sin(2 * azimuth + 1)) / 6.2 + 0.8 * np.sin(3 * azimuth))
    fine = np.sin((fall + 50 * np.cos(azimuth - 0.3)) / 3.1)
    edge = fall - QUARTER - 128 + 62 * np.sin(azimuth)
    laid, lip = smoothstep(-3, 3, edge), np.exp(-(((edge - 5) / 5) ** 2))
    return (1.1 * ring * smoothstep(80, 25, down) + neck * (4.0 + 3.4 * (swag + 1) + 0.7 * (fine + 1))
            + smoothstep(0, 15, down) * (3.5 * laid + 1.2 * lip))
