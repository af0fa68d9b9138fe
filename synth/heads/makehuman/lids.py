"""How MakeHuman's lids shut: round the eyeball, until they meet.

In spherical coordinates about the eye's centre a lid is what lies above, or below, its margin. Shutting lowers the
upper margin, stretching the skin between it and the fold; what is carried over the cornea is lifted over it.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from synth.heads.driver import LIDS
from synth.heads.makehuman.base import BaseMesh
from synth.heads.template.sculpt import smoothstep

MEETING = 0.12
"""Where shut lids meet, as a share of the opening from below."""
OVERLAP = np.radians(1.2)
"""How far the upper lid passes the meeting line, radians: no slit of white is left where lids are curved."""
_FOLD, _BAG = np.radians([21.0, 17.0])
"""How far above its margin the upper lid's skin takes part, and how far below the lower lid's, radians."""
_REACH = 1.6
"""Farthest from the eye's centre that lids take part, in eyeball radii."""
_CORNEA = 1.055
"""Distance of the cornea's top from the eye's centre, in eyeball radii (high-poly eyes: 16.5 mm of 15.65)."""
_CLEARANCE = 0.0003
"""Metres between the eyeball and the back of a lid."""


@dataclasses.dataclass(frozen=True, eq=False)
class Opening:
    """The left eye as its lids see it."""

    centre: np.ndarray
    """(3,) metres."""
    radius: float
    """Of the eyeball, metres."""
    polar: np.ndarray
    """(N, 3) distance in metres, azimuth to the left and elevation in radians of every vertex."""
    ring: np.ndarray
    """(N,) int: 0 on the rim where lid and socket meet deep within, 1, 2 on the margin's inner edge, 3 on its outer
    edge, and so on over the skin; -1 elsewhere."""
    corners: np.ndarray
    """(2, 2) azimuth and elevation of the outer and the inner corner, in the order of azimuth."""
    curves: tuple[np.ndarray, np.ndarray]
    """Upper and lower margin: (K, 2) azimuths, ascending, and elevations."""

    def margins(self, azimuth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Elevation of the upper and of the lower margin; beyond the corners both are one."""
        return tuple(np.interp(azimuth, *curve.T) for curve in self.curves)


def find_opening(base: BaseMesh, vertices: np.ndarray) -> Opening:
    """The left eye's opening on vertices (N, 3), metres."""
    ball = vertices[base.vertices_of("helper-l-eye")]
    centre = 0.5 * (ball.min(axis=0) + ball.max(axis=0)).astype(np.float64)
    ray = vertices - centre
    distance = np.linalg.norm(ray, axis=1)
    polar = np.stack([distance, np.arctan2(ray[:, 0], ray[:, 2]), np.arcsin(ray[:, 1] / distance)], axis=1)
    radius = float(np.linalg.norm(ball - centre, axis=1).mean())
    ring = _rings(base, distance < 2.5 * radius)
    margin = np.flatnonzero(ring == 3)
    azimuth, elevation = polar[margin, 1], polar[margin, 2]
    ends = margin[[azimuth.argmin(), azimuth.argmax()]]
    line = np.interp(azimuth, polar[ends, 1], polar[ends, 2])
    curves = []
    for side in (elevation >= line, elevation <= line):
        chosen = np.union1d(margin[side], ends)
        curves.append(polar[chosen[np.argsort(polar[chosen, 1])], 1:])
    return Opening(centre, radius, polar, ring, polar[ends, 1:], tuple(curves))


def _rings(base: BaseMesh, near: np.ndarray, count: int = 12) -> np.ndarray:
    """Steps over the head's skin from the rim at which the left eye's socket begins, see :class:`Opening`."""
    faces = base.faces_of("body")
    triangles, corners = base.mesh.triangles(faces)
    uv = base.mesh.uv[corners].mean(axis=1)
    socket = ((uv > (0.0, 0.54)) & (uv < (0.16, 0.64))).all(axis=1) & near[triangles].all(axis=1)
    skin = (uv[:, 0] > 0.64) & near[triangles].all(axis=1)
    ring = np.full(len(base.vertices), -1)
    at = np.intersect1d(triangles[socket], triangles[skin])
    ring[at] = 0
    quads = base.mesh.faces[faces]
    quads = quads[np.isin(quads[:, 0], triangles[skin])]
    for step in range(1, count):
        touched = np.unique(quads[np.isin(quads, at).any(axis=1)])
        at = touched[(ring[touched] < 0) & np.isin(touched, triangles[skin])]
        ring[at] = step
    return ring


def lid_motion(base: BaseMesh, neutral: np.ndarray) -> dict[str, np.ndarray]:
    """The left eye's directions named in :data:`synth.heads.driver.LIDS`, each (N, 3) float32 metres."""
    eye = find_opening(base, neutral)
    out = {}
    for name, weight, travel in zip(LIDS[::2], _shares(base, eye), _travels(eye), strict=True):
        half, shut = (_moved(eye, weight * travel * share) - neutral for share in (0.5, 1.0))
        out[name] = shut.astype(np.float32)
        out[f"{name}_arc"] = (4 * (half - 0.5 * shut)).astype(np.float32)
    return out


def _travels(eye: Opening) -> tuple[np.ndarray, np.ndarray]:
    """Radians by which each vertex' azimuth of the upper and of the lower margin moves up when shut, two (N,)."""
    upper, lower = eye.margins(eye.polar[:, 1])
    gap = upper - lower
    inside = np.clip(gap / np.radians(4.0), 0, 1)  # no overlap in the corners
    return -(1 - MEETING) * gap - OVERLAP * inside, MEETING * gap


def _shares(base: BaseMesh, eye: Opening) -> tuple[np.ndarray, np.ndarray]:
    """How much each vertex takes part in the upper and in the lower lid's motion, two (N,) in [0, 1]."""
    distance, azimuth, elevation = eye.polar.T
    upper, lower = eye.margins(azimuth)
    near = smoothstep(_REACH, _REACH - 0.15, distance / eye.radius) * (np.abs(azimuth) < np.radians(89))
    part = np.zeros(len(distance), bool)
    part[base.vertices_of("body")] = True
    above = elevation > 0.5 * (upper + lower)
    edge = (eye.ring >= 0) & (eye.ring <= 3)
    rise = np.clip((elevation - upper) / _FOLD, 0, 1)
    drop = np.clip((lower - elevation) / _BAG, 0, 1)
    shares = [np.where(above, np.where(edge, 1.0, (1 - rise) ** 1.5), 0.0) * near * part,
              np.where(above, 0.0, np.where(edge, 1.0, (1 - drop) ** 1.5)) * near * part]
    for share, other, number in ((shares[0], shares[1], 2), (shares[1], shares[0], 1)):
        lash = base.vertices_of(f"helper-l-eyelashes-{number}")
        share[lash], other[lash] = 1.0, 0.0
    return tuple(shares)


def _moved(eye: Opening, turn: np.ndarray) -> np.ndarray:
    """(N, 3) metres: vertices turned up about the eye by (N,) radians, those in front lifted over the eyeball."""
    distance, azimuth, elevation = eye.polar.T
    height = elevation + turn
    direction = np.stack([np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height)], axis=1)
    off_axis = np.arccos(np.clip(direction[:, 2], -1, 1))
    bulge = 1 + (_CORNEA - 1) * smoothstep(np.radians(58), np.radians(36), off_axis)  # wherever the eye may look
    thick = np.select([eye.ring >= 3, eye.ring == 2], [0.0006, 0.0], default=-np.inf)
    least = np.where(eye.ring >= 2, bulge * eye.radius + _CLEARANCE + thick, 0.0)
    lift = np.clip(np.abs(turn) / np.radians(3), 0, 1)  # at rest lids stay as they were sculpted
    over = np.maximum(least - distance, 0.0) * lift
    return eye.centre + (distance + over)[:, None] * direction


def droop_row(base: BaseMesh, neutral: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """(S,) float32: what each shape direction (N, 3, S) adds to :attr:`synth.heads.head.HeadModel.droop`.

    The upper lid's way to shut is the opening's height in the middle less the lower lid's share of it, so a face whose
    opening is higher than the neutral one's by a tenth has lids that hang lower by -1 / (1 - MEETING) tenths.
    """
    eye = find_opening(base, neutral)
    middle = []
    for curve in eye.curves:
        margin = np.flatnonzero((eye.ring == 3) & np.isin(eye.polar[:, 2], curve[:, 1]))
        middle.append(margin[np.argsort(np.abs(eye.polar[margin, 1]))[:3]])
    rise = [directions[chosen, 1].mean(axis=0) for chosen in middle]
    gap = neutral[middle[0], 1].mean() - neutral[middle[1], 1].mean()
    return (-(rise[0] - rise[1]) / gap / (1 - MEETING)).astype(np.float32)
