"""Hair as Mitsuba's curves, moved in place from frame to frame.

Import only after a variant has been set. Strands are cubic B-splines cut into straight pieces: the rays of a head of
hair take half the time that they take with Mitsuba's ``bsplinecurve``, whose pieces need an iteration and large boxes.
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import mitsuba as mi
import numpy as np

from synth.renderers.curves import basis, per_strand, pieces, radii
from synth.scene import Strands


def shape_name(group: Strands) -> str:
    """Name of a group's shape in the scene; apart from those of mesh parts, which may have the same label."""
    return f"strands_{group.name}"


def curved() -> bool:
    """Whether this variant needs ``bsplinecurve``: straight pieces don't tell hair's BSDF which way they go."""
    return mi.variant().startswith("scalar")


def make_shape(group: Strands, bsdf: mi.BSDF) -> mi.Shape:
    """Curves of the group's topology; where they are is set frame by frame."""
    count, points = len(group.radii), len(basis(group.radii.shape[1])) + (2 if curved() else 0)
    # Mitsuba takes the topology from a text file only: one placeholder strand, as often as there are strands.
    strand = "".join(f"0 {0.001 * k:.3f} 0 0.0001\n" for k in range(points)) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "strands.txt")
        path.write_text(strand * count)
        kind = "bsplinecurve" if curved() else "linearcurve"
        return mi.load_dict({"type": kind, "filename": str(path), "bsdf": bsdf})


def control_points(group: Strands, ends: np.ndarray) -> np.ndarray:
    """Mitsuba's flat array, float32: x, y, z and radius in metres, of what :func:`pieces` gives."""
    points = np.concatenate([ends, radii(group)[..., None]], axis=-1, dtype=np.float32)
    if curved():
        before, after = 2 * points[:, :1] - points[:, 1:2], 2 * points[:, -1:] - points[:, -2:-1]
        points = np.concatenate([before, points, after], axis=1)
        np.maximum(points[..., 3], 1e-6, out=points[..., 3])
    return points.ravel()


def carry(group: Strands, vertices: np.ndarray, next_vertices: np.ndarray, seen: np.ndarray,
          positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where points seen on strands are in this frame and the next, both (P, 3): at their place along their piece.

    vertices, next_vertices: (N, 3) metres. seen: (P,) int, pieces, numbered strand by strand. positions: (P, 3) metres.
    """
    strand, first = np.divmod(seen, per_strand(group))
    shown, strand = np.unique(strand, return_inverse=True)
    group = dataclasses.replace(group, roots=group.roots[shown], weights=group.weights[shown],
                                offsets=group.offsets[shown], radii=group.radii[shown])
    here, there = pieces(group, vertices), pieces(group, next_vertices)
    a, b = here[strand, first].astype(np.float64), here[strand, first + 1].astype(np.float64)
    along = b - a
    share = np.einsum("px,px->p", positions - a, along) / np.maximum(np.einsum("px,px->p", along, along), 1e-30)
    share = np.clip(share, 0, 1)[:, None]
    c, d = there[strand, first].astype(np.float64), there[strand, first + 1].astype(np.float64)
    return a + share * along, c + share * (d - c)
