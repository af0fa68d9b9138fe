"""The template's eyeballs, and the lids' margins that close the gap between them and the skin. Millimetres."""

from __future__ import annotations

import dataclasses

import numpy as np

from synth.heads.template import sculpt
from synth.heads.template.mesh import RIM

LIMBUS_RADIUS = 5.8
"""Radius of the circle in which cornea and sclera meet, mm: nearly the same in all adults (Ruefer et al. 2005)."""
CORNEA_RADIUS, CORNEA_SHAPE = 7.8, 0.74
"""Radius of the cornea's apex, mm, and 1 + Q of its section, a prolate ellipse (Kiely et al. 1982)."""
CHAMBER_DEPTH, IRIS_DOME = 3.15, 0.3
"""How far the iris' middle lies behind the cornea's apex, and how much further back its root, mm."""
LIMBUS_BLEND = 0.2
"""Height, mm, over which the sulcus between cornea and sclera is rounded."""
LID_GAP = 0.3
"""Between the eye and the back of the lids at rest, mm."""
RINGS = 10
"""Rings of cornea and of iris; ring k has 6 k vertices, so that all within have six neighbours and subdivide evenly."""


@dataclasses.dataclass(frozen=True)
class Eyeball:
    """One eye that looks along +z, about the centre of its sclera, mm. The last vertex is its back pole."""

    vertices: np.ndarray
    """(V, 3) float64."""
    uv: np.ndarray
    """(V, 2) float64: the iris' texture is a disk with the pupil in its middle, the sclera's shows the angle from the
    axis, see :func:`eye_texture_radius`."""
    faces: dict[str, np.ndarray]
    """``sclera``, with its hole, ``cornea``, which shares the hole's rim, and ``iris``, whose edge lies on it: (F, 3)
    int32, counter-clockwise seen from the front, or from outside."""


def limbus_angle(radius: float = sculpt.EYE_RADIUS) -> float:
    """Radians from the axis, seen from the centre of an eyeball of ``radius`` mm, at which the cornea ends."""
    return float(np.arcsin(LIMBUS_RADIUS / radius))


def cornea_apex(radius: float = sculpt.EYE_RADIUS) -> float:
    """Distance of the cornea's apex from the centre of an eyeball of ``radius`` mm."""
    flat = np.sqrt(CORNEA_RADIUS**2 - CORNEA_SHAPE * LIMBUS_RADIUS**2)
    return float(np.sqrt(radius**2 - LIMBUS_RADIUS**2) + LIMBUS_RADIUS**2 / (CORNEA_RADIUS + flat))


def eye_profile(angle: np.ndarray, radius: float = sculpt.EYE_RADIUS) -> np.ndarray:
    """Distance (K,) in mm of the outer surface at angles (K,) from the eye's axis, radians: cornea, then sclera."""
    apex, s, c = cornea_apex(radius), np.sin(angle), np.cos(angle)
    # x^2 + p d^2 = 2 R d at depth d behind the apex (Baker 1943), met by the ray t (s, c).
    a, b = s**2 + CORNEA_SHAPE * c**2, c * (CORNEA_RADIUS - CORNEA_SHAPE * apex)
    root = np.sqrt(np.maximum(b**2 - a * apex * (CORNEA_SHAPE * apex - 2 * CORNEA_RADIUS), 0))
    cornea = np.where(angle < 2 * limbus_angle(radius), (root - b) / a, 0)
    overlap = np.maximum(LIMBUS_BLEND - np.abs(cornea - radius), 0) / LIMBUS_BLEND
    return np.maximum(cornea, radius) + 0.25 * LIMBUS_BLEND * overlap**2  # polynomial smooth maximum (Quilez)


def eyeball(radius: float = sculpt.EYE_RADIUS) -> Eyeball:
    """An adult's eye whose sclera has ``radius`` mm."""
    limbus = limbus_angle(radius)
    ring, turn = _disk(RINGS)
    cornea = _place(limbus * ring, turn, eye_profile(limbus * ring, radius))
    behind = np.concatenate([limbus + np.radians([2.5, 5.5, 9, 13, 18]), np.linspace(limbus + np.radians(24),
                                                                                    np.radians(168), 11)])
    rim_turn = turn[ring == 1]
    angle, around = (x.ravel() for x in np.meshgrid(behind, rim_turn, indexing="ij"))
    sclera = _place(angle, around, eye_profile(angle, radius))
    flat, depth = iris_section(ring)
    rim = np.flatnonzero(ring == 1)
    iris = np.stack([flat * np.cos(turn), flat * np.sin(turn), cornea_apex(radius) - depth], axis=1)
    iris[rim] = cornea[rim]
    vertices = np.concatenate([iris, cornea, sclera, [[0, 0, -radius]]])
    shown = np.interp(angle, [limbus, np.pi], [limbus_angle(), np.pi])  # one texture for eyes of all sizes
    uv = np.concatenate([_polar(0.499 * flat / LIMBUS_RADIUS, turn), _polar(eye_texture_radius(limbus * ring), turn),
                         _polar(eye_texture_radius(shown), around), [[0.999, 0.5]]])
    count = len(ring)
    rows = np.concatenate([count + rim, 2 * count + np.arange(len(sclera))]).reshape(-1, len(rim))
    disk = _disk_faces(RINGS)
    return Eyeball(vertices, uv, {"sclera": _tube(rows, len(vertices) - 1), "iris": disk, "cornea": disk + count})


def iris_section(share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance from the axis and depth behind the cornea's apex (K,) mm of the iris' rings, 0 its middle to 1.

    A shallow dome whose root lies deeper than its pupil, then a steep wall up to the limbus, where the sclera begins.
    """
    flat = LIMBUS_RADIUS * np.interp(share, [0, 0.9, 1], [0, 0.965, 1])
    return flat, CHAMBER_DEPTH + IRIS_DOME * (flat / LIMBUS_RADIUS) ** 2


def eye_texture_radius(angle: np.ndarray) -> np.ndarray:
    """Distance from the sclera's texture's centre, in texture widths, of points at ``angle`` from the axis, radians."""
    return 0.499 * np.clip(angle / np.radians(120), 0, 1) ** 0.7


def _place(angle: np.ndarray, turn: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """(K, 3) from spherical coordinates about the z axis."""
    flat = np.sin(angle) * distance
    return np.stack([flat * np.cos(turn), flat * np.sin(turn), np.cos(angle) * distance], axis=1)


def _polar(radius: np.ndarray, turn: np.ndarray) -> np.ndarray:
    return 0.5 + np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)


def _disk(rings: int) -> tuple[np.ndarray, np.ndarray]:
    """Radius in [0, 1] and turn (K,) of a disk's points: the middle, then rings of 6, 12, 18, ..."""
    level = np.repeat(np.arange(rings + 1), [1, *(6 * k for k in range(1, rings + 1))])
    place = np.concatenate([[0], *(np.arange(6 * k) / (6 * k) for k in range(1, rings + 1))])
    return level / rings, 2 * np.pi * place


def _disk_faces(rings: int) -> np.ndarray:
    """(F, 3) int32 triangles of :func:`_disk`'s points, counter-clockwise seen from +z."""
    faces = []
    for k in range(1, rings + 1):
        outer, inner = 1 + 3 * k * (k - 1), 1 + 3 * (k - 1) * (k - 2) if k > 1 else 0
        sextant, step = (x.ravel() for x in np.meshgrid(np.arange(6), np.arange(k), indexing="ij"))
        here = outer + sextant * k + step
        beyond = outer + (sextant * k + step + 1) % (6 * k)
        below = inner + (sextant * (k - 1) + step) % max(6 * (k - 1), 1)
        beside = inner + (sextant * (k - 1) + step + 1) % max(6 * (k - 1), 1)
        faces.append(np.stack([below, here, beyond], axis=1))
        faces.append(np.stack([below, beyond, beside], axis=1)[step < k - 1])
    return np.concatenate(faces).astype(np.int32)


def _tube(index: np.ndarray, pole: int) -> np.ndarray:
    """Faces of rings (R, S) closed by a pole behind the last; counter-clockwise seen from outside."""
    a, b = index[:-1], np.roll(index[:-1], -1, axis=1)
    c, d = index[1:], np.roll(index[1:], -1, axis=1)
    end = index[-1]
    return np.concatenate([
        np.stack([a, c, b], axis=2).reshape(-1, 3), np.stack([b, c, d], axis=2).reshape(-1, 3),
        np.stack([end, np.full_like(end, pole), np.roll(end, -1)], axis=1)]).astype(np.int32)


def lid_margins(rim: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rings behind the left eye's rim (RIM, 3) mm: the margin's inner edge, then the conjunctiva into the socket.

    Returns vertices (K RIM, 3) and faces into [rim, vertices].
    """
    ray = rim - sculpt.EYE_CENTRE
    radius = np.linalg.norm(ray, axis=1, keepdims=True)
    direction = ray / radius
    centre = np.array([0.03, 0.0, 1.0])
    away = direction - centre * (direction @ centre)[:, None] / (centre @ centre)
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    # At rest lids lie on the eye; where a gaze or a blink brings the cornea they are lifted: synth.heads.collision.
    rings = []
    for target, spread, depth in ((0.45, 0.0, 0.0), (1.0, 0.02, 0.0), (1.0, 0.16, 0.0), (1.0, 0.5, 0.8)):
        turned = direction + spread * away
        turned /= np.linalg.norm(turned, axis=1, keepdims=True)
        inner = eye_profile(np.arccos(turned[:, 2:])) + LID_GAP - depth
        wanted = radius + target * (np.minimum(inner, radius - 0.3) - radius)
        rings.append(sculpt.EYE_CENTRE + turned * wanted)
    index = np.arange((len(rings) + 1) * RIM).reshape(-1, RIM)
    a, b = index[:-1], np.roll(index[:-1], -1, axis=1)
    c, d = index[1:], np.roll(index[1:], -1, axis=1)
    faces = np.concatenate([np.stack([a, b, c], axis=2).reshape(-1, 3), np.stack([b, d, c], axis=2).reshape(-1, 3)])
    return np.concatenate(rings), faces.astype(np.int32)
