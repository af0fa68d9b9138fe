"""The template's skin as triangles: points spread over the capsule, a Delaunay mesh with holes, and its mirror image.

Only the subject's left half (x >= 0) is meshed; the right half is its reflection, so that symmetry is exact. The eye
openings are holes whose rims are pinned; the mouth is a slit: its vertices exist twice, once for each lip.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.spatial import Delaunay, cKDTree

from synth.heads.template import sculpt
from synth.heads.template.landmarks import BOTTOM, EQUATOR, RADIUS
from synth.heads.template.surface import Surface, cylinder, from_disk, to_disk

RIM = 56
"""Vertices around an eye opening."""
SLIT = 29
"""Vertices along half of the mouth's slit, from the midline to the corner, both included."""


@dataclasses.dataclass(frozen=True)
class Skin:
    """The skin's mesh, both sides. Vertices 0 to M are on the midline, then left ones, then their mirror images."""

    parameter: np.ndarray
    """(V, 3) float64 capsule points, mm."""
    faces: np.ndarray
    """(F, 3) int32, counter-clockwise seen from outside."""
    mirror: np.ndarray
    """(V,) int32: each vertex's mirror image."""
    eye_rim: np.ndarray
    """(RIM,) int32: vertices of the left eye's opening, counter-clockwise from the nose seen from the front."""
    upper_lip: np.ndarray
    """(2 SLIT - 1,) int32: slit vertices of the upper lip from the right corner to the left one; ends are shared."""
    lower_lip: np.ndarray
    """The same of the lower lip."""


def build_skin(surface: Surface) -> Skin:
    """Mesh the skin. Deterministic."""
    rng = np.random.Generator(np.random.PCG64(2))
    rim, around = _eye_points(surface)
    slit, lips = _mouth_points(surface)
    midline = _midline(surface, np.stack([slit[0], *[row[0] for row in lips]]))
    lips = [row[1:] for row in lips]
    pinned = np.concatenate([rim, slit[1:], *around, *lips, _bust_edge()])
    points = np.concatenate([midline, pinned])
    hole = to_disk(rim)
    for _ in range(2):
        points = _fill(surface, points, hole, rng)
    count = len(midline) + len(pinned)
    for _ in range(8):
        faces = _triangulate(points, hole)
        points = _relax(surface, points, faces, count)
    faces = _triangulate(points, hole)
    first = len(midline)
    rim_index = np.arange(first, first + RIM)
    centre_slit = int(np.argmin(np.linalg.norm(midline - slit[0], axis=1)))  # the midline holds the slit's middle
    slit_index = np.concatenate([[centre_slit], np.arange(first + RIM, first + RIM + SLIT - 1)])
    return _mirror(points, faces, len(midline), rim_index, slit_index)


def eye_angles() -> np.ndarray:
    """Directions (RIM, 2) of the left eye's rim from the eye's centre: azimuth (to the temple), elevation, radians.

    The lower lid from the nose to the temple, then the upper lid back.
    """
    half = RIM // 2
    s = 0.5 - 0.5 * np.cos(np.pi * np.arange(half) / half)
    back = 0.5 + 0.5 * np.cos(np.pi * np.arange(half) / half)
    arch, vault = 4 * s * (1 - s), 4 * back * (1 - back)
    lower = -5 + 7 * s - 23.0 * arch**0.72 * (0.93 + 0.14 * s)
    upper = -5 + 7 * back + 19.6 * vault**0.62 * (1.1 - 0.2 * back)
    azimuth = -65 + 132 * np.concatenate([s, back])
    return np.radians(np.stack([azimuth, np.concatenate([lower, upper])], axis=1))


def eye_view(point: np.ndarray) -> np.ndarray:
    """Azimuth and elevation (K, 2) of points as seen from the left eye's centre, radians."""
    ray = point - sculpt.EYE_CENTRE
    return np.stack([np.arctan2(ray[:, 0], ray[:, 2]), np.arctan2(ray[:, 1], np.hypot(ray[:, 0], ray[:, 2]))], axis=1)


def _eye_points(surface: Surface) -> tuple[np.ndarray, list[np.ndarray]]:
    """Capsule points (RIM, 3) of the eye's rim and of the rings around it."""
    target = eye_angles()
    guess = np.stack([0.47 + 0.14 * np.sin(target[:, 0]), 14 * np.sin(target[:, 1])], axis=1)
    rim = surface.locate(target, guess, eye_view)
    flat = np.stack([RADIUS * np.arctan2(rim[:, 0], rim[:, 2]), rim[:, 1]], axis=1)
    along = np.roll(flat, -1, axis=0) - np.roll(flat, 1, axis=0)
    outward = np.stack([along[:, 1], -along[:, 0]], axis=1) / np.linalg.norm(along, axis=1, keepdims=True)
    rings = []
    for distance in (0.8, 1.8, 3.1, 4.7):
        ring = flat + distance * outward
        for _ in range(int(distance * 2)):  # keeps rings from crossing at the corners of the eye
            ring = 0.5 * ring + 0.25 * (np.roll(ring, 1, axis=0) + np.roll(ring, -1, axis=0))
        rings.append(cylinder(ring / (RADIUS, 1)))
    return rim, rings


def _mouth_points(surface: Surface) -> tuple[np.ndarray, list[np.ndarray]]:
    """Capsule points of the slit (SLIT, 3), midline first, and of rows beside it that keep its edges in the mesh."""
    t = np.linspace(0, 1, SLIT)
    s = (0.7 * t + 0.3 * np.sin(0.5 * np.pi * t)) * sculpt.CHEILION[0]
    heights = sculpt.mouth_line(s)
    slit = _locate_front(surface, s, heights)
    rows = []
    for rise in (0.7, 1.6, 2.7):
        for sign in (1, -1):
            rows.append(_locate_front(surface, s[:-1], heights[:-1] + sign * rise * np.linspace(1, 0.75, SLIT - 1)))
    return slit, rows


def _locate_front(surface: Surface, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    target = np.stack([x, y], axis=1)
    point = surface.locate(target, np.stack([x / RADIUS, y], axis=1))
    point[np.abs(x) < 1e-12, 0] = 0.0
    return point


def _midline(surface: Surface, mouth: np.ndarray) -> np.ndarray:
    """Midline capsule points (M, 3) from the bust's front edge over the crown to its back edge, spaced by size.

    mouth: (K, 3) points wanted among them, on the slit and beside it.
    """
    front = np.stack([np.zeros(9000), np.linspace(BOTTOM, EQUATOR, 9000), np.full(9000, RADIUS)], axis=1)
    angle = np.linspace(0, np.pi, 1500)[1:-1]
    top = np.stack([0 * angle, EQUATOR + RADIUS * np.sin(angle), RADIUS * np.cos(angle)], axis=1)
    line = np.concatenate([front, top, front[::-1] * (1, 1, -1)])
    point = surface(line)
    step = np.linalg.norm(np.diff(point, axis=0), axis=1)
    density = np.concatenate([[0], np.cumsum(step / spacing(point)[1:])])
    wanted = np.linspace(0, density[-1], int(density[-1]) + 1)
    chosen = line[[int(np.argmin(np.abs(density - d))) for d in wanted]]
    low, high = mouth[:, 1].min() - 0.7, mouth[:, 1].max() + 0.7
    keep = (chosen[:, 2] < 0) | (chosen[:, 1] < low) | (chosen[:, 1] > high)
    chosen = np.concatenate([chosen[keep], mouth])
    chosen[:, 0] = 0.0
    return chosen


def spacing(point: np.ndarray) -> np.ndarray:
    """Wanted distance (K,) between neighbouring vertices, mm, at skin points (K, 3) mm."""
    h = np.interp(point[:, 2], [-30, 30, 62], [8.0, 5.2, 2.9])
    h = np.where(point[:, 1] < -105, np.maximum(h, np.interp(point[:, 1], [-200, -150, -112], [13.0, 7.5, 4.0])), h)
    h = np.where(point[:, 1] > 30, np.maximum(h, np.interp(point[:, 1], [30, 60], [2.9, 5.0])), h)
    x = np.abs(point[:, 0])

    def near(centre: tuple[float, float, float], size: tuple[float, float, float], fine: float) -> np.ndarray:
        w = (((np.stack([x, point[:, 1], point[:, 2]], axis=1) - centre) / size) ** 2).sum(axis=1)
        return fine + (20 - fine) * np.clip(w - 0.6, 0, None) * 0.5

    h = np.minimum(h, near((31, 2, 85), (22, 17, 22), 1.2))
    h = np.minimum(h, near((0, -66, 98), (32, 15, 20), 1.35))
    h = np.minimum(h, near((9, -40, 106), (13, 10, 18), 1.15))
    return h


def _fill(surface: Surface, points: np.ndarray, hole: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add points wherever the wanted spacing leaves room (dart throwing in head space)."""
    disk = np.concatenate([_darts(rng, 60_000, 1.2, -125.0), _darts(rng, 30_000, np.pi, BOTTOM)])
    disk = disk[(disk[:, 0] > 1e-3) & ~_inside(disk, hole)]
    candidates = from_disk(disk)
    where = surface(candidates)
    h = spacing(where)
    taken = surface(points)
    tree = cKDTree(where)
    # Clear of the midline, and on the capsule too: in the crease of the lips head space is deceptive.
    free = (where[:, 0] > 0.55 * h) & (cKDTree(points).query(candidates)[0] > 0.8)
    for centre, reach in zip(taken, 0.75 * spacing(taken), strict=True):
        free[tree.query_ball_point(centre, reach)] = False
    chosen = []
    for k in range(len(where)):
        if free[k]:
            chosen.append(k)
            free[tree.query_ball_point(where[k], 0.8 * h[k])] = False
    return np.concatenate([points, candidates[chosen]])


def _darts(rng: np.random.Generator, count: int, azimuth: float, lowest: float) -> np.ndarray:
    """Random points (count, 2) of the disk's left half up to an azimuth and down to a height, uniform in area."""
    turn = azimuth * rng.random(count)
    height = lowest + (EQUATOR + RADIUS - lowest) * rng.random(count)  # Archimedes: also uniform on the hemisphere
    over = np.clip(height - EQUATOR, 0, RADIUS)
    ring = np.sqrt(RADIUS**2 - over**2)
    return to_disk(np.stack([ring * np.sin(turn), height, ring * np.cos(turn)], axis=1))


def _bust_edge() -> np.ndarray:
    """Capsule points of the bust's open edge, without those on the midline."""
    turn = np.linspace(0, np.pi, 60)[1:-1]
    return cylinder(np.stack([turn, np.full(len(turn), BOTTOM)], axis=1))


def _inside(disk: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Even-odd test of (K, 2) points against a closed polygon."""
    a, b = polygon, np.roll(polygon, -1, axis=0)
    x, y = disk[:, :1], disk[:, 1:]
    crosses = (a[:, 1] > y) != (b[:, 1] > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = a[:, 0] + (y - a[:, 1]) * (b[:, 0] - a[:, 0]) / (b[:, 1] - a[:, 1])
    return ((crosses & (x < at)).sum(axis=1) % 2).astype(bool)


def _triangulate(points: np.ndarray, hole: np.ndarray) -> np.ndarray:
    disk = to_disk(points)
    faces = np.sort(Delaunay(disk).simplices, axis=1)
    faces = faces[np.lexsort(faces.T[::-1])]  # Qhull's own order depends on last bits
    corners = disk[faces]
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    size = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    faces = np.where((area > 0)[:, None], faces[:, ::-1], faces)  # azimuth grows clockwise from +y on the disk
    keep = (np.abs(area) > 1e-3 * size**2) & ~_inside(corners.mean(axis=1), hole)
    return faces[keep].astype(np.int32)


def _relax(surface: Surface, points: np.ndarray, faces: np.ndarray, pinned: int) -> np.ndarray:
    """Move free points half-way to their neighbours' mean on the disk."""
    disk = to_disk(points)
    i, j = faces[:, [0, 1, 2, 1, 2, 0]].ravel(), faces[:, [1, 2, 0, 0, 1, 2]].ravel()
    total = np.stack([np.bincount(i, disk[j, k], minlength=len(points)) for k in (0, 1)], axis=1)
    mean = total / np.maximum(np.bincount(i, minlength=len(points)), 1)[:, None]
    free = np.arange(len(points)) >= pinned
    disk[free] += 0.5 * (mean[free] - disk[free])
    out = from_disk(disk)
    out[~free] = points[~free]
    return out


def _mirror(points: np.ndarray, faces: np.ndarray, middle: int, rim: np.ndarray, slit: np.ndarray) -> Skin:
    """Cut the slit open and add the right half."""
    n = len(points)
    disk = to_disk(points)
    copies = np.full(n, -1, np.int64)
    copies[slit[:-1]] = n + np.arange(len(slit) - 1)
    line = disk[slit]
    centroid = disk[faces].mean(axis=1)
    below = np.linalg.norm(centroid, axis=1) > _slit_radius(centroid, line)
    touched = np.isin(faces, slit[:-1]).any(axis=1) & below
    faces = faces.copy()
    faces[touched] = np.where(copies[faces[touched]] >= 0, copies[faces[touched]], faces[touched])
    points = np.concatenate([points, points[slit[:-1]]])

    central = np.zeros(len(points), bool)
    central[:middle] = True
    central[n] = True  # the lower lip's copy of the slit's middle
    order = np.concatenate([np.flatnonzero(central), np.flatnonzero(~central)])
    rank = np.empty(len(points), np.int64)
    rank[order] = np.arange(len(points))
    points, faces, m = points[order], rank[faces], int(central.sum())
    left = len(points) - m
    mirror = np.concatenate([np.arange(m), m + left + np.arange(left), m + np.arange(left)])
    both = np.concatenate([points, points[m:] * (-1, 1, 1)])
    faces = np.concatenate([faces, mirror[faces][:, ::-1]]).astype(np.int32)
    upper, lower = rank[slit], rank[np.concatenate([n + np.arange(len(slit) - 1), slit[-1:]])]
    return Skin(
        both, faces, mirror.astype(np.int32), rank[rim].astype(np.int32),
        np.concatenate([mirror[upper[:0:-1]], upper]).astype(np.int32),
        np.concatenate([mirror[lower[:0:-1]], lower]).astype(np.int32),
    )


def _slit_radius(at: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Disk radius of the slit at the azimuths of disk points ``at``; infinite beyond the corner."""
    azimuth = np.arctan2(line[:, 0], line[:, 1])
    radius = np.linalg.norm(line, axis=1)
    query = np.arctan2(at[:, 0], at[:, 1])
    return np.interp(query, azimuth, radius, right=radius[-1])
