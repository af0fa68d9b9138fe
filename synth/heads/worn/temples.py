"""Where the temples of glasses run: from the hinge back to the ear, over its root and down behind it."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.ndimage import (
    binary_dilation,
    distance_transform_edt,
    gaussian_filter1d,
    grey_opening,
    map_coordinates,
    maximum_filter1d,
)
from scipy.spatial import ConvexHull

from synth.heads.canonical import LANDMARKS
from synth.heads.worn.fit import Fitting
from synth.heads.worn.solids import resample

HOOK = 27.0
"""Length, mm, of what hangs behind the ear."""


@dataclasses.dataclass(frozen=True)
class _Window:
    """Cells of a millimetre over the ear, seen from the side: rows of y, columns of z."""

    y: np.ndarray
    z: np.ndarray
    skull: np.ndarray
    """(Y, Z) distance of the head's side from the midline, as if there were no ear."""
    off: np.ndarray
    """(Y, Z) how far off it a bar's middle is free; NaN where the ear is in the way."""

    def distance(self, path: np.ndarray) -> np.ndarray:
        """(K,) distance from the midline at which a bar is free at (y, z) (K, 2)."""
        at = np.clip(path - (self.y[0], self.z[0]), 0, np.array(self.skull.shape) - 1).T
        near = distance_transform_edt(np.isnan(self.off), return_distances=False, return_indices=True)
        off = self.off[tuple(near)]
        return map_coordinates(self.skull, at, order=1) + map_coordinates(off, at, order=1)


def temple(fitting: Fitting, hinge: np.ndarray, thick: float, tall: float) -> np.ndarray:
    """(K, 3) mm: the middle of the left temple from the hinge (3,) to its tip, in steps of 1.5 mm.

    thick, tall: its half sizes at the ear.
    """
    window, ear = _window(fitting, thick)
    blocked = np.argwhere(np.isnan(window.off) & ear)
    if not len(blocked):  # no ear: a level bar
        blocked = np.argwhere(ear) if ear.any() else np.array([[np.searchsorted(window.y, 5), len(window.z) // 2]])
    room = tall - thick + 0.7  # a bar is taller than it is thick, and its smoothed path cuts corners
    places = np.stack([window.y[blocked[:, 0]], window.z[blocked[:, 1]]], axis=1)
    places = np.concatenate([places + room * np.array(way) for way in ((1, 0), (0.7, -0.7), (0, -1))])
    string = _taut(hinge[1:], places)
    path = resample(string, 1.0)
    back = path[:, 1].argmin()
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    top = np.flatnonzero(path[:, 0] > path[:, 0].max() - 1.0)[-1]
    path = path[: max(np.searchsorted(length, length[top] + HOOK), min(back, len(path) - 1) + 1)]
    path = gaussian_filter1d(np.pad(path, ((12, 12), (0, 0)), mode="reflect", reflect_type="odd"), 4.0, axis=0)[12:-12]
    path[0] = hinge[1:]
    return _spread(fitting, window, path, hinge, thick)


def _window(fitting: Fitting, thick: float) -> tuple[_Window, np.ndarray]:
    """The window over the ears, and where (Y, Z) bool the ear is in it."""
    skin = np.unique(np.concatenate([p.vertex_map for p in fitting.person.head.parts if p.label == "skin"]))
    near = [skin[np.square(fitting.person.head.canonical[skin] - np.float32(place)).sum(axis=1).argmin()]
            for place in (np.array(LANDMARKS["tragion"]) * (side, 1, 1) for side in (1, -1))]
    _, y, z = fitting.local(fitting.person.rest[near]).mean(axis=0)
    rows, columns = np.arange(round(y) - 25, round(y) + 50.0), np.arange(round(z) - 60, round(z) + 35.0)
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=2)
    outer = fitting.side(grid[..., 0], grid[..., 1])
    # An ear is narrower than the opening's line is long; what is left of the skin shows the skull's side.
    stands = outer - grey_opening(outer, (1, 47)) > 3.5
    ear = binary_dilation(stands & (np.abs(columns - z + 10) < 32), iterations=4)
    skull = _smooth(grid, outer, ear)
    reach = np.arange(0.0, 5.0, 0.7)
    places = np.stack([np.broadcast_to((skull + thick + 0.4)[..., None] + reach, (*skull.shape, len(reach))),
                       *(np.broadcast_to(grid[..., k, None], (*skull.shape, len(reach))) for k in (0, 1))], axis=3)
    free = np.ones(places.shape[:3], bool)
    free[ear] = (fitting.clearance(places[ear].reshape(-1, 3)) > thick).reshape(-1, len(reach))
    off = np.where(free.any(axis=2), thick + 0.4 + reach[free.argmax(axis=2)], np.nan)
    return _Window(rows, columns, skull, off), ear


def _smooth(grid: np.ndarray, outer: np.ndarray, ear: np.ndarray) -> np.ndarray:
    """A cubic surface through ``outer`` (Y, Z) where there is no ear."""
    y, z = ((grid[..., k] - grid[..., k].mean()) / 40 for k in (0, 1))
    terms = np.stack([y**i * z**j for i in range(4) for j in range(4 - i)], axis=2)
    used = ~ear & (outer > -100)
    return terms @ np.linalg.lstsq(terms[used], outer[used], rcond=None)[0]


def _taut(start: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(K, 2): a string from ``start`` (y, z) over ``places`` (P, 2) and down behind them."""
    below = places[:, 0].min() - 10
    points = np.concatenate([start[None], places, [[below, places[:, 1].min() + 6]]])
    hull = ConvexHull(points[:, ::-1]).vertices  # counter-clockwise with z to the right and y up: over the top
    hull = np.roll(hull, -int(np.flatnonzero(hull == 0)[0]))
    last = int(np.flatnonzero(hull == len(points) - 1)[0])
    return points[hull[: last + 1]]


def _spread(fitting: Fitting, window: _Window, path: np.ndarray, hinge: np.ndarray, thick: float) -> np.ndarray:
    """How far out a path (K, 2) of (y, z) runs: straight from the hinge to the ear, then along the skull."""
    y, z = path.T
    free = window.distance(path)
    free = gaussian_filter1d(maximum_filter1d(free, 7, mode="nearest"), 3.0, mode="nearest")
    ear = np.flatnonzero(z < window.z.mean() + 8)
    touch = int(ear[0]) if len(ear) else len(path) // 2
    x = free.copy()
    x[: touch + 1] = np.interp(z[: touch + 1], [z[touch], z[0]], [free[touch], hinge[0]])
    front = np.arange(len(path)) <= touch
    x[front] = np.maximum(x[front], fitting.side(y[front], z[front]) + thick + 0.6)
    x[0] = max(hinge[0], x[0])
    out = resample(np.stack([x, y, z], axis=1), 1.5)
    for _ in range(8):  # what still touches is pushed off, along the skin's normal
        push = fitting.push(out, thick + 0.5)
        if np.abs(push).max() < 0.05:
            break
        out[1:] += gaussian_filter1d(push, 1.5, axis=0)[1:]
    return out
