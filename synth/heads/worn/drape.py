"""Cloth over a head: the head's outermost surface as a map over a capsule, and sheets that lie taut on it. Millimetres.

A place on the capsule is an azimuth (radians from the front to the subject's left) and a fall: the way down from the
crown along a meridian. Above the equator rays leave the skull's centre, below it they leave an upright axis.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.sparse import csr_matrix, vstack
from scipy.spatial import cKDTree

from synth.heads.canonical import LANDMARKS
from synth.heads.head import Person
from synth.heads.rigid import Samples
from synth.heads.template.landmarks import EQUATOR, RADIUS
from synth.heads.template.sculpt import smoothstep
from synth.heads.worn.fit import Fitting, on_skull
from synth.heads.worn.solids import MIRROR

QUARTER = RADIUS * np.pi / 2
"""Fall of the equator."""
_COLUMNS, _STEP, _LOWEST = 180, 2.5, QUARTER + EQUATOR + 260.0
_CELL = 3.2
"""Samples so near on the capsule lie on the same ray."""


class Drape:
    """The outermost surface of a person at rest, with its garment, and of its mirror image, by azimuth and fall."""

    def __init__(self, person: Person):
        self.fitting = Fitting(person)
        parts = [part for part in person.control_parts if part.label in ("skin", "lips", "garment")]
        rest = self.fitting.local(person.rest)
        faces = np.concatenate([part.vertex_map[part.faces] for part in parts])
        points = Samples(rest, faces[rest[faces][:, :, 1].min(axis=1) > -280], 2.0)(rest)
        points = np.concatenate([points, points * MIRROR])
        skin = np.unique(np.concatenate([part.vertex_map for part in parts if part.label != "garment"]))
        azimuth, fall, radius = unroll(points)
        azimuths = np.linspace(-np.pi, np.pi, _COLUMNS, endpoint=False)
        falls = np.arange(0, _LOWEST, _STEP)
        cells = np.stack(np.meshgrid(falls, azimuths, indexing="ij"), axis=2).reshape(-1, 2)
        distance, near = cKDTree(_capsule(azimuth, fall)).query(_capsule(cells[:, 1], cells[:, 0]), k=12)
        near = np.where(distance < np.maximum(_CELL, distance[:, :1]), near, near[:, :1])
        self._radius = radius[near].max(axis=1).reshape(len(falls), _COLUMNS)
        canonical = person.head.canonical[skin].astype(float)
        outer = roll(cells[:, 1], cells[:, 0], self._radius.ravel())
        away, near = cKDTree(rest[skin]).query(outer, k=4)
        weight = 1 / (away + 1.0)
        place = (weight[..., None] * canonical[near]).sum(axis=1) / weight.sum(axis=1, keepdims=True)
        place[:, 0] = np.abs(place[:, 0])
        both = place.reshape(len(falls), _COLUMNS, 3)
        self._canonical = 0.5 * (both + np.roll(both[:, ::-1], 1, axis=1))

    def radius(self, azimuth: np.ndarray, fall: np.ndarray) -> np.ndarray:
        """Length of the ray at places (any shape) to the outermost surface."""
        return _look_up(self._radius, azimuth, fall)

    def canonical(self, azimuth: np.ndarray, fall: np.ndarray) -> np.ndarray:
        """(..., 3) canonical places of the skin there, on the left."""
        return np.stack([_look_up(self._canonical[..., k], azimuth, fall) for k in range(3)], axis=-1)

    def draped(self, points: np.ndarray) -> csr_matrix:
        """(M, N) weights of cloth (M, 3) that lies on skull, chin and chest, and hangs between them."""
        person = self.fitting.person
        chin, chest = (_anchor(person, np.array(place)) for place in (LANDMARKS["gnathion"], (0, -190, 25)))
        anchors = vstack([on_skull(person, 1), chin, chest])
        middle = self.fitting.local(chin @ person.rest[: chin.shape[1]])
        _, fall, _ = unroll(points)
        low = smoothstep(QUARTER + 130, QUARTER + 225, fall)
        near = 0.85 * np.exp(-0.5 * np.square((points - middle) / 36).sum(axis=1)) * (1 - low)
        return csr_matrix(np.stack([1 - low - near, near, low], axis=1)) @ anchors


def _anchor(person: Person, place: np.ndarray) -> csr_matrix:
    """(1, N) weights of the skin about a canonical place (3,) mm."""
    head = person.head
    skin = np.unique(np.concatenate([part.vertex_map for part in head.parts if part.label == "skin"]))
    near = skin[np.argsort(np.square(head.canonical[skin] - place).sum(axis=1), kind="stable")[:16]]
    return csr_matrix((np.full(16, 1 / 16), (np.zeros(16, int), near)), shape=(1, len(head.neutral)))


def unroll(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Azimuth, fall and ray's length of points (K, 3)."""
    x, y, z = np.moveaxis(points, -1, 0)
    ring, rise = np.hypot(x, z), y - EQUATOR
    above = rise > 0
    fall = np.where(above, RADIUS * np.arctan2(ring, np.maximum(rise, 1e-9)), QUARTER - rise)
    return np.arctan2(x, z), fall, np.where(above, np.hypot(ring, rise), ring)


def roll(azimuth: np.ndarray, fall: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """(..., 3) points: the inverse of :func:`unroll`."""
    polar = np.minimum(fall / RADIUS, np.pi / 2)
    ring = radius * np.sin(polar)
    height = EQUATOR + radius * np.cos(polar) - np.maximum(fall - QUARTER, 0)
    return np.stack([ring * np.sin(azimuth), height, ring * np.cos(azimuth)], axis=-1)


def taut(inner: np.ndarray, rounds: int, width: tuple[float, float], columns: str = "wrap") -> np.ndarray:
    """A membrane (R, C) over rays' lengths ``inner``: smooth over ``width`` cells, nowhere less than it."""
    sheet = inner.copy()
    for _ in range(rounds):
        sheet = np.maximum(gaussian_filter(sheet, width, mode=("nearest", columns)), inner)
    return sheet


def _capsule(azimuth: np.ndarray, fall: np.ndarray) -> np.ndarray:
    return roll(azimuth, fall, np.full(np.shape(azimuth), RADIUS))


def _look_up(table: np.ndarray, azimuth: np.ndarray, fall: np.ndarray) -> np.ndarray:
    column = np.mod((np.asarray(azimuth) + np.pi) / (2 * np.pi) * _COLUMNS, _COLUMNS)
    row = np.clip(np.asarray(fall) / _STEP, 0, len(table) - 1)
    padded = np.concatenate([table, table[:, :1]], axis=1)
    return map_coordinates(padded, [row, column], order=1, mode="nearest")
