"""Hair beside a head cover: pressed below its edge, or hidden."""

from __future__ import annotations

import dataclasses

import numpy as np

from synth.heads.head import Person
from synth.heads.worn.covers import COVERS, edge_of
from synth.heads.worn.drape import Drape, roll, unroll
from synth.scene import Strands, triangle_frames

_GAP = 1.5
"""mm that pressed hair keeps below the edge."""


def tuck(person: Person, style: str, groups: tuple[Strands, ...]) -> tuple[Strands, ...]:
    """A person's strands at rest that no longer pass through a cover: what rises into it is bent along its edge, and
    left out where most of it would be under the cloth."""
    cover, drape = COVERS[style], Drape(person)
    if cover.opening is None:
        azimuths, edge = edge_of(drape, cover)
    out = []
    for group in groups:
        points = drape.fitting.local(group.place(person.rest))
        azimuth, fall, radius = unroll(points)
        if cover.opening is not None:
            kept = ~(cover.over(drape.canonical(azimuth, fall)) > -_GAP).any(axis=1)
            out.append(_take(group, kept, group.offsets))
            continue
        limit = np.interp(azimuth, azimuths, edge) + _GAP
        under = fall < limit
        kept = (under.mean(axis=1) < 0.5) & (fall[:, 0] > limit[:, 0] - 2 * _GAP)
        bent = np.where(under[..., None], roll(azimuth, np.maximum(fall, limit), radius), points)
        bent[:, 0] = points[:, 0]
        frames = triangle_frames(person.rest[group.roots].astype(np.float32))
        moved = (bent - points) / 1000 @ frames.transpose(0, 2, 1)
        out.append(_take(group, kept, (group.offsets + moved).astype(np.float32)))
    return tuple(group for group in out if len(group.roots))


def _take(group: Strands, kept: np.ndarray, offsets: np.ndarray) -> Strands:
    return dataclasses.replace(group, roots=group.roots[kept], weights=group.weights[kept], offsets=offsets[kept],
                               radii=group.radii[kept])
