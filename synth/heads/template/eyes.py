"""The template's eyeballs, and the lids' margins that close the gap between them and the skin. Millimetres."""

from __future__ import annotations

import numpy as np

from synth.heads.template import sculpt
from synth.heads.template.mesh import RIM

LIMBUS = np.arcsin(5.85 / sculpt.EYE_RADIUS)
"""Angle from the eye's axis of the iris's edge, radians: a visible iris of 11.7 mm."""
CORNEA_RADIUS = 8.5
"""Radius of the cornea's bulge, mm: flatter than life (7.8), so that the lids slide over it in any gaze."""
SEGMENTS = 40
"""Vertices around the eye's axis."""


def eye_profile(angle: np.ndarray) -> np.ndarray:
    """Radius (K,) in mm of the eyeball at angles (K,) from its axis, radians: sclera, and the cornea in front."""
    rim_z = sculpt.EYE_RADIUS * np.cos(LIMBUS)
    centre = rim_z - np.sqrt(CORNEA_RADIUS**2 - (sculpt.EYE_RADIUS * np.sin(LIMBUS)) ** 2)
    cornea = centre * np.cos(angle) + np.sqrt(CORNEA_RADIUS**2 - (centre * np.sin(angle)) ** 2)
    blend = 0.12  # smooth maximum: the limbus is no edge
    return np.where(
        angle < LIMBUS * 1.6,
        0.5 * (cornea + sculpt.EYE_RADIUS + np.sqrt((cornea - sculpt.EYE_RADIUS) ** 2 + blend**2)) - 0.01,
        sculpt.EYE_RADIUS,
    )


def eyeball() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Left eyeball looking along +z: vertices (V, 3) in mm, faces (F, 3), uv (V, 2) centred on the pupil.

    A texture's radius r in [0, 0.5] shows the angle 120 degrees x (2 r)^(1 / 0.7): finest at the iris.
    """
    degrees = np.concatenate([np.linspace(3, 39, 13), np.linspace(44, 168, 16)])
    angle = np.radians(degrees)
    turn = 2 * np.pi * np.arange(SEGMENTS) / SEGMENTS
    direction = np.stack(
        [np.sin(angle)[:, None] * np.cos(turn), np.sin(angle)[:, None] * np.sin(turn),
         np.cos(angle)[:, None] * np.ones(SEGMENTS)], axis=2
    )
    rings = direction * eye_profile(angle)[:, None, None]
    front, back = eye_profile(np.zeros(1))[0], -sculpt.EYE_RADIUS
    vertices = np.concatenate([[[0, 0, front]], rings.reshape(-1, 3), [[0, 0, back]]]) + sculpt.EYE_CENTRE
    radius = eye_texture_radius(angle)
    uv_rings = 0.5 + radius[:, None, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    uv = np.concatenate([[[0.5, 0.5]], uv_rings.reshape(-1, 2), [[0.999, 0.5]]])
    index = 1 + np.arange(len(angle) * SEGMENTS).reshape(len(angle), SEGMENTS)
    return vertices, _close(index, 0, len(vertices) - 1), uv


def eye_texture_radius(angle: np.ndarray) -> np.ndarray:
    """Distance from the eye texture's centre, in texture widths, of points at ``angle`` from its axis, radians."""
    return 0.499 * np.clip(angle / np.radians(120), 0, 1) ** 0.7


def _close(index: np.ndarray, first: int, last: int) -> np.ndarray:
    """Faces of rings (R, S) capped by two poles; counter-clockwise seen from outside for rings that turn left."""
    a, b = index[:-1], np.roll(index[:-1], -1, axis=1)
    c, d = index[1:], np.roll(index[1:], -1, axis=1)
    faces = [np.stack([a, c, b], axis=2).reshape(-1, 3), np.stack([b, c, d], axis=2).reshape(-1, 3)]
    top, end = index[0], index[-1]
    faces.append(np.stack([np.full_like(top, first), top, np.roll(top, -1)], axis=1))
    faces.append(np.stack([np.full_like(end, last), np.roll(end, -1), end], axis=1))
    return np.concatenate(faces).astype(np.int32)


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
    rings = []
    for target, spread, depth in ((0.45, 0.0, 0.0), (1.0, 0.02, 0.0), (1.0, 0.16, 0.0), (1.0, 0.5, 0.55)):
        inner = sculpt.LID_INNER - depth
        turned = direction + spread * away
        turned /= np.linalg.norm(turned, axis=1, keepdims=True)
        wanted = radius + target * (np.minimum(inner, radius - 0.3) - radius)
        rings.append(sculpt.EYE_CENTRE + turned * wanted)
    index = np.arange((len(rings) + 1) * RIM).reshape(-1, RIM)
    a, b = index[:-1], np.roll(index[:-1], -1, axis=1)
    c, d = index[1:], np.roll(index[1:], -1, axis=1)
    faces = np.concatenate([np.stack([a, b, c], axis=2).reshape(-1, 3), np.stack([b, d, c], axis=2).reshape(-1, 3)])
    return np.concatenate(rings), faces.astype(np.int32)


def lashes(rim: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Lashes of the left eye's lids, tapering ribbons: vertices (V, 3) mm, faces, uv, their places in the rim."""
    rng = np.random.Generator(np.random.PCG64(5))
    half = RIM // 2
    vertices, faces, uv, root = [], [], [], []
    for first, count, longest, lift in ((half, 64, 6.0, 1.0), (0, 24, 2.6, -1.0)):
        for k in range(count):
            at = first + 1.5 + (half - 3) * (k + 0.5 + 0.5 * rng.uniform(-1, 1)) / count
            low = int(at)
            base = rim[low] + (at - low) * (rim[(low + 1) % RIM] - rim[low])
            out = base - sculpt.EYE_CENTRE
            out /= np.linalg.norm(out)
            fan = np.array([(base[0] - sculpt.EYE_CENTRE[0]) / 26, 0, 0])
            temple = np.clip((base[0] - 18) / 26, 0, 1)  # lashes are longest towards the temple
            length = longest * rng.uniform(0.75, 1.05) * (0.62 + 0.5 * temple) * (1 - 0.35 * (temple > 0.97))
            up = np.array([0.12 * rng.normal(), lift, 0.0])
            curl = 0.75 * (1.0 if lift > 0 else 0.7) * up
            side = np.cross(out, up)
            side *= 0.055 / np.linalg.norm(side)
            start = len(vertices)
            for step, width in ((0.0, 1.0), (0.35, 0.9), (0.7, 0.6)):
                point = base - 0.25 * out + length * (step * (0.85 * out + fan) + step**2 * curl)
                vertices += [point - width * side, point + width * side]
                uv += [(0.0, step), (1.0, step)]
            vertices.append(base + length * (0.72 * out + fan + curl))
            uv.append((0.5, 1.0))
            root += [low] * 7
            # Ribbons face out of the face, as the lid behind them does.
            faces += [[start + a, start + b, start + c] for a, b, c in
                      ((0, 2, 1), (1, 2, 3), (2, 4, 3), (3, 4, 5), (4, 6, 5))]
    return np.array(vertices), np.array(faces, np.int32), np.array(uv), np.array(root) % RIM
