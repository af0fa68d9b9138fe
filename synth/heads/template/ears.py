"""The template's left ear: a sheet of concha, antihelix and helix, with its back, let into the head. Millimetres."""

from __future__ import annotations

import numpy as np

from synth.heads.template.sculpt import smoothstep

_ORIGIN = np.array([70.8, -9.0, -3.0])
_BACK = np.array([0.40, -0.02, -0.917])  # the ear stands off the head by about 25 degrees
_UP = np.array([0.03, 0.985, -0.17])
_OUTLINE = np.array([
    (-3, 2), (-1.5, 10), (1, 18), (6, 26), (13, 30.5), (21, 30), (28, 25.5), (32, 17), (32, 7), (29, -3), (24, -12),
    (19, -20), (14, -27.5), (8, -30.5), (2.5, -28), (-0.5, -21), (-3, -14), (-4, -6),
], float)
_CENTRE = np.array([9.0, -3.0])
RAYS, RINGS = 52, 24


def ear() -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) mm and faces of the left ear, an open sheet whose edge lies inside the head."""
    theta = 2 * np.pi * np.arange(RAYS) / RAYS
    rim = _rim(theta)
    fraction = np.concatenate([np.linspace(0.05, 1.0, RINGS - 6), [1.015, 0.98, 0.9, 0.78, 0.6, 0.42]])
    front = np.clip(-np.cos(theta - 0.1), 0, 1) ** 1.2  # 1 towards the face
    lobe = smoothstep(-0.55, -0.95, np.sin(theta + 0.25))
    vertices = []
    for k, f in enumerate(fraction):
        behind = k >= RINGS - 6
        if behind:
            step = k - (RINGS - 6)
            height = np.array([-1.4, -3.2, -4.6, -6.5, -9.5, -14.0])[step] + 0 * theta
            height = height - 6 * front
        else:
            height = _relief(f, theta, front, lobe)
        flat = _CENTRE + (rim - _CENTRE) * f
        normal = np.cross(_BACK, _UP)
        vertices.append(_ORIGIN + flat[:, :1] * _BACK + flat[:, 1:] * _UP + height[:, None] * normal)
    centre = _ORIGIN + _CENTRE[0] * _BACK + _CENTRE[1] * _UP + np.cross(_BACK, _UP) * _relief(
        0.0, np.zeros(1), np.zeros(1), np.zeros(1))
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


def _relief(f: float, theta: np.ndarray, front: np.ndarray, lobe: np.ndarray) -> np.ndarray:
    """Height (RAYS,) in mm over the ear's plane at the fraction ``f`` of the way from the concha to the outline."""

    def bump(at: float, width: float) -> float:
        return float(np.exp(-(((f - at) / width) ** 2)))

    bowl = -5.0 * smoothstep(0.52, 0.2, np.array(f))
    antihelix = 2.2 * bump(0.6, 0.1) * (1 - lobe)
    scapha = -1.5 * bump(0.78, 0.09) * (1 - lobe)
    helix = 3.0 * bump(0.93, 0.07) * (1 - 0.75 * lobe)
    flat = bowl + antihelix + scapha + helix + 1.5 * lobe * smoothstep(0.5, 0.8, np.array(f))
    tragus = 3.5 * bump(0.72, 0.16) * np.exp(-(((np.sin(theta + 0.12)) / 0.45) ** 2))
    rooted = bowl + tragus - 8.0 * smoothstep(0.72, 1.0, np.array(f))
    return flat + smoothstep(0.35, 0.8, front) * (rooted - flat)
