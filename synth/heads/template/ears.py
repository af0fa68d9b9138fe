"""The template's left ear: a sheet of concha, antihelix and helix, with its back, let into the head. Millimetres."""

from __future__ import annotations

import numpy as np

from synth.heads.template.sculpt import polyline, smoothstep

_ORIGIN = np.array([70.8, -9.0, -3.0])
_BACK = np.array([0.40, -0.02, -0.917])  # the ear stands off the head by about 25 degrees
_UP = np.array([0.03, 0.985, -0.17])
_OUTLINE = np.array([
    (-3, 2), (-1.5, 10), (1, 18), (6, 26), (13, 30.5), (21, 30), (28, 25.5), (32, 17), (32, 7), (29, -3), (24.5, -12),
    (20, -20), (16, -26.5), (11, -30.5), (5.5, -30), (1, -26), (-1.5, -20), (-3, -14), (-4, -6),
], float)
_CENTRE = np.array([9.0, -3.0])
RAYS, RINGS = 72, 28


def ear() -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) mm and faces of the left ear, an open sheet whose edge lies inside the head."""
    theta = 2 * np.pi * np.arange(RAYS) / RAYS
    rim = _rim(theta)
    fraction = np.concatenate([np.linspace(0.05, 1.0, RINGS - 6), [1.015, 0.98, 0.9, 0.78, 0.6, 0.42]])
    front = np.clip(-np.cos(theta - 0.1), 0, 1) ** 1.2  # 1 towards the face
    vertices = []
    for k, f in enumerate(fraction):
        behind = k >= RINGS - 6
        flat = _CENTRE + (rim - _CENTRE) * f
        if behind:
            height = np.array([-0.6, -3.0, -4.6, -6.5, -9.5, -14.0])[k - (RINGS - 6)] - 7.5 * front
        else:
            height = _relief(flat) - 8.0 * front * smoothstep(0.74, 1.0, np.array(f)) - 0.8 * (f > 0.98)
        normal = np.cross(_BACK, _UP)
        vertices.append(_ORIGIN + flat[:, :1] * _BACK + flat[:, 1:] * _UP + height[:, None] * normal)
    centre = _ORIGIN + _CENTRE[0] * _BACK + _CENTRE[1] * _UP + np.cross(_BACK, _UP) * _relief(_CENTRE[None])
    index = 1 + np.arange(RINGS * RAYS).reshape(RINGS, RAYS)
    a, b = index[:-1], np.roll(index[:-1], -1, axis=1)
    c, d = index[1:], np.roll(index[1:], -1, axis=1)
    first = index[0]
    faces = np.concatenate([
        np.stack([a, c, b], axis=2).reshape(-1, 3), np.stack([b, c, d], axis=2).reshape(-1, 3),
        np.stack([np.zeros_like(first), first, np.roll(first, -1)], axis=1),
    ])
    return np.concatenate([centre[None], *vertices]), faces.astype(np.int32)


def _rim(theta: np.ndarray) -> np.ndarray:
    """Outline points (RAYS, 2) in the ear's plane (back, up) in the directions ``theta`` from the concha."""
    closed = np.concatenate([_OUTLINE, _OUTLINE[:1]])
    fine = np.concatenate([np.linspace(p, q, 20, endpoint=False) for p, q in zip(closed[:-1], closed[1:], strict=True)])
    ray = fine - _CENTRE
    angle, radius = np.arctan2(ray[:, 1], ray[:, 0]), np.linalg.norm(ray, axis=1)
    order = np.argsort(angle)
    angle, radius = angle[order], radius[order]
    smooth = np.convolve(np.tile(radius, 3), np.hanning(31) / np.hanning(31).sum(), "same")[len(radius):2 * len(radius)]
    r = np.interp(theta, angle, smooth, period=2 * np.pi)
    return _CENTRE + r[:, None] * np.stack([np.cos(theta), np.sin(theta)], axis=1)


def _relief(at: np.ndarray) -> np.ndarray:
    """Height (K,) in mm over the ear's plane at points (K, 2) of it (back, up)."""

    def ridge(curve: list[tuple[float, float]], width: float, taper: float) -> np.ndarray:
        return polyline(at, np.array(curve, float), width, taper)

    def dent(u: float, w: float, size: tuple[float, float]) -> np.ndarray:
        return np.exp(-(((at - (u, w)) / size) ** 2).sum(axis=1))

    helix = [(8, -1), (4, 2), (0.5, 8), (1.5, 16), (5, 23.5), (12, 28), (20, 27.6), (26.5, 23.5), (29.8, 16), (29.8, 7),
             (27, -3), (22.5, -12), (18, -19)]
    scapha = [(7, 18.5), (13, 23), (19.5, 22.6), (24, 18), (25.4, 10), (23.8, 0), (20, -9)]
    stem, upper = [(14, -13), (18, -8), (20.4, -1), (20, 6), (16.5, 11)], [(20, 6), (17.5, 12), (14, 17.5), (11, 21)]
    lower = [(18, 9), (13, 11.5), (8, 11.5), (4, 11)]
    height = 3.6 * ridge(helix, 2.3, 0.1) - 2.2 * ridge(scapha, 2.0, 0.2)
    crura = np.maximum(0.8 * ridge(upper, 2.6, 0.2), 0.7 * ridge(lower, 2.7, 0.3))
    height += 3.4 * np.maximum(ridge(stem, 2.8, 0.12), crura)
    height += -8.0 * dent(9.5, -4, (7.5, 9)) - 2.0 * dent(11.5, 5, (5.5, 4)) - 1.5 * dent(9, 16.5, (3.5, 3))
    height += 6.5 * dent(-0.5, -4.5, (3.2, 4.6)) + 4.0 * dent(12.5, -15.5, (4.2, 2.6)) - 3.5 * dent(5, -14, (2.4, 3))
    return height - 5.0 * dent(4.5, -3.5, (2.6, 3)) + 1.2 * dent(10, -23.5, (6, 5))
