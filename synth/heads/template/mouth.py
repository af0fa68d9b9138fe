"""The template's mouth behind the lips: a bag of mucosa, two dental arches and a tongue. Millimetres."""

from __future__ import annotations

import numpy as np

from synth.heads.template import sculpt

ARCH_WIDTH, ARCH_FRONT, ARCH_BACK = 27.0, 92.0, 44.0
"""Half-breadth of the upper dental arch at the molars, and the depth z of its front and its end, mm."""
_FRACTIONS = np.array([0.0, 0.06, 0.16, 0.33, 0.5, 0.67, 0.84, 0.94])
TONGUE = 16
"""Vertices around the tongue."""
UPPER_TEETH = (8.5, 6.6, 7.6, 7.1, 6.7, 10.2, 9.8)
LOWER_TEETH = (5.4, 5.9, 6.8, 7.0, 7.1, 11.0, 10.4)
"""Crown breadths from the midline back, mm (Wheeler's dental anatomy)."""


def mouth_bag(upper: np.ndarray, lower: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bag behind the slit whose edges are ``upper`` and ``lower`` (K, 3), right corner to left corner, ends shared.

    Returns vertices, faces into [upper, lower[1:-1] reversed, vertices], and each vertex's share of the jaw (V,).
    """
    loop = np.concatenate([upper, lower[-2:0:-1]])
    half = len(upper)
    side = np.concatenate([np.ones(half), -np.ones(len(loop) - half)])
    s = np.clip(loop[:, 0] / sculpt.CHEILION[0], -1, 1)
    open_ = np.clip(1 - s**2, 0, 1) ** 0.35
    arch = ARCH_BACK + (ARCH_FRONT - ARCH_BACK) * np.sqrt(np.clip(1 - (loop[:, 0] / (ARCH_WIDTH + 3)) ** 2, 0, 1))
    rings, shares = [], []
    for widen, rise, depth in (
        (0.995, 0.25, np.minimum(loop[:, 2] - 2.0, arch + 6)), (1.0, 1.6, np.minimum(loop[:, 2] - 4.5, arch + 3.0)),
        (1.02, 7.0, arch + 2.2), (1.05, 15.0, arch + 1.8), (1.12, 21.0, arch - 6), (1.25, 22.0, 0 * arch + 52),
        (1.1, 16.0, 0 * arch + 34),
    ):
        ring = np.stack([loop[:, 0] * widen, loop[:, 1] + side * rise * open_, depth], axis=1)
        rings.append(ring)
        shares.append(np.where(side > 0, 0.5 * np.abs(s) ** 2.4, 1 - 0.5 * np.abs(s) ** 2.4))
    n = len(loop)
    index = np.arange((len(rings) + 1) * n).reshape(-1, n)
    a, b = index[:-1], np.roll(index[:-1], -1, axis=1)
    c, d = index[1:], np.roll(index[1:], -1, axis=1)
    faces = [np.stack([a, c, b], axis=2).reshape(-1, 3), np.stack([b, c, d], axis=2).reshape(-1, 3)]
    pole, last = index.size, index[-1]
    faces.append(np.stack([last, np.full_like(last, pole), np.roll(last, -1)], axis=1))
    vertices = np.concatenate([*rings, [[0, sculpt.CHEILION[1], 30.0]]])
    return vertices, np.concatenate(faces).astype(np.int32), np.concatenate([*shares, [0.5]])


def arch_columns() -> int:
    """Vertices along an arch."""
    return 2 * len(UPPER_TEETH) * len(_FRACTIONS) + 1


def arch(lower: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A dental arch with its gum: vertices (V, 3) mm, faces, uv.

    u runs along the arch; v: 0 to 0.3 is gum, 0.3 to 1 crown, on the outer face and mirrored on the inner one; the
    upper arch has v + 0 in the texture's upper half, the lower one in its lower half.
    """
    widths = LOWER_TEETH if lower else UPPER_TEETH
    edges = np.concatenate([[0], np.cumsum(widths)])
    right = np.concatenate([edges[k] + _FRACTIONS * widths[k] for k in range(len(widths))] + [edges[-1:]])
    arc = np.concatenate([-right[:0:-1], right])
    angle = np.linspace(-np.pi / 2, np.pi / 2, 2001)
    shrink = 0.94 if lower else 1.0
    front = ARCH_FRONT - (2.4 if lower else 0.0)
    curve = np.stack([ARCH_WIDTH * shrink * np.sin(angle), ARCH_BACK + (front - ARCH_BACK) * np.cos(angle)], axis=1)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    at = np.clip(length[1000] + arc, 0, length[-1])
    x, z = np.interp(at, length, curve[:, 0]), np.interp(at, length, curve[:, 1])
    out = np.stack([np.gradient(z, at), np.zeros_like(z), -np.gradient(x, at)], axis=1)
    out /= -np.linalg.norm(out, axis=1, keepdims=True)
    tooth = np.clip(np.searchsorted(edges, np.abs(arc), side="right") - 1, 0, len(widths) - 1)
    f = (np.abs(arc) - edges[tooth]) / np.array(widths)[tooth]
    gap = np.abs(2 * f - 1) ** 6
    crown = np.interp(tooth, [0, 1, 2, 3, 6], [10.2, 9.3, 10.6, 8.6, 7.4]) - (1.5 if lower else 0.0)
    # Rows from the outer gum over the incisal edge to the inner gum: share of the crown, outward offset, uv height.
    rows = ((-0.95, 0.2, 0.0), (-0.3, 0.6, 0.14), (-0.02, 0.5, 0.28), (0.06, 0.35, 0.32), (0.4, 0.75, 0.55),
            (0.8, 0.35, 0.85), (0.97, -0.3, 0.95), (1.0, -1.1, 1.0), (0.9, -2.2, 0.92), (0.4, -4.5, 0.55),
            (0.0, -6.5, 0.28), (-0.9, -8.0, 0.0))
    base, sign = (-85.2 + 9.0, 1.0) if lower else (-70.7 + 10.2, -1.0)
    vertices, uv = [], []
    for share, offset, v in rows:
        notch = gap * (1.0 if share > 0.03 else 0.15)
        rise = share * crown * (1 - (0.09 * gap if share > 0.7 else 0)) if share > 0 else share * 9.0
        scallop = 0.9 * gap if abs(share) < 0.1 else 0.0  # the gum rises between the teeth
        y = base + sign * (rise + scallop)
        point = np.stack([x, y + 0 * x, z], axis=1) + out * (offset - notch)[:, None]
        vertices.append(point)
        uv.append(np.stack([0.5 + 0.49 * arc / edges[-1], (0.0 if lower else 0.5) + 0.01 + 0.48 * v + 0 * x], axis=1))
    n = len(arc)
    index = np.arange(len(rows) * n).reshape(len(rows), n)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    faces = np.concatenate([np.stack([a, b, c], axis=2).reshape(-1, 3), np.stack([b, d, c], axis=2).reshape(-1, 3)])
    return np.concatenate(vertices), (faces if lower else faces[:, ::-1]).astype(np.int32), np.concatenate(uv)


def tongue() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A tongue at rest on the floor of the mouth: vertices (V, 3) mm, faces, uv. Rings of ``TONGUE`` vertices."""
    u, v = np.meshgrid(np.linspace(0.02, 1, 18), np.arange(TONGUE) / TONGUE, indexing="ij")
    along, around = np.sqrt(u), 2 * np.pi * (v + 0.5 / TONGUE)
    profile = np.clip(1 - (2 * along - 1) ** 4, 0.002, 1) ** 0.5
    groove = -1.6 * np.exp(-((np.cos(around) / 0.3) ** 2)) * (np.sin(around) > 0) * profile
    x = 18.5 * np.cos(around) * profile
    y = -77.5 + 6.5 * np.sin(around) * profile + groove + 5 * np.sin(np.pi * (1 - along)) ** 2
    z = 34 + 49 * along
    vertices = np.stack([x, y, z], axis=2).reshape(-1, 3)
    index = np.arange(vertices.shape[0]).reshape(-1, TONGUE)
    a, b = index[:-1], np.roll(index[:-1], -1, axis=1)
    c, d = index[1:], np.roll(index[1:], -1, axis=1)
    tip = index[-1]
    faces = np.concatenate([np.stack([a, b, c], axis=2).reshape(-1, 3), np.stack([b, d, c], axis=2).reshape(-1, 3),
                            np.stack([np.full(TONGUE - 2, tip[0]), tip[1:-1], tip[2:]], axis=1)])
    uv = np.stack([0.5 + 0.5 * np.cos(around), u], axis=2).reshape(-1, 2)
    return vertices, faces.astype(np.int32), uv


def mirror_rows(count: int, columns: np.ndarray) -> np.ndarray:
    """Mirror images (count,) of a grid whose columns map to ``columns``."""
    rows = count // len(columns)
    return (np.arange(rows)[:, None] * len(columns) + columns).ravel()
