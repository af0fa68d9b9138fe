"""Brows and lashes as short ribbons on MakeHuman's meshes for them. Metres, head frame."""

from __future__ import annotations

import numpy as np

from assets.makehuman.mhclo import MhClo
from synth.heads.head import Attachment
from synth.heads.makehuman.base import BaseMesh
from synth.heads.makehuman.binding import attach, bind, quads
from synth.heads.makehuman.ribbons import lay, thin
from synth.heads.makehuman.strips import Strips, find_strips
from synth.scene import MeshPart

_FRONT = np.array([0.0, 0.0, 1.0])


def make_brows(name: str, clo: MhClo, base: BaseMesh) -> Attachment:
    """Brows: hairs that stand up at the inner end and lie along the brow from its middle to the temple."""
    rng = np.random.Generator(np.random.PCG64(sum(name.encode())))
    carry, offset = bind(clo, len(base.vertices))
    card = (carry @ base.vertices + offset).astype(np.float64)
    strips = find_strips(card, quads(clo.mesh), lambda at: np.sign(at[:, :1]) * (1, 0, 0),
                         lambda at: np.broadcast_to(_FRONT, at.shape))
    number, t = 800, np.linspace(0, 1, 4)
    strip = strips.draw(rng, number)
    length = strips.length[strip][:, None]
    at = rng.random((number, 1)) ** 0.85  # denser towards the nose
    hair = rng.uniform(0.005, 0.009, (number, 1)) * (1 - 0.35 * at)
    rise = np.radians(np.interp(at, [0, 0.12, 0.4, 1], [75, 45, 18, 4]) + 12 * rng.standard_normal((number, 1)))
    first = np.minimum(at * length, length - 0.5 * hair) - 0.001
    distance = first + hair * (np.cos(rise) * t + 0.25 * np.sin(rise) * t**2)
    up = np.sign((card[strips.right] - card[strips.left])[strips.start[:-1][strip], 1])[:, None]
    breadth = strips.breadth(strip, first.ravel())[:, None]
    # From below the line that it ends on, so that the patch is filled from edge to edge.
    across = rng.random((number, 1)) + up * hair * np.sin(rise) * (t - 0.18 * t**2 - 0.45) / breadth
    half = 0.00011 * rng.uniform(0.7, 1.2, (number, 1)) * (1.05 - t**2)
    raised = 0.0002 + 0.0009 * rng.random((number, 1)) * np.sin(0.8 * np.pi * t)
    laid = lay(strips, strip, distance, across, half, raised, 0.00004 * rng.standard_normal((number, 1)),
               rng.random((number, 1)))
    return _attachment(f"eyebrows/{name}", "brows", "brows", strips, laid, clo, base)


def make_lashes(name: str, clo: MhClo, base: BaseMesh) -> Attachment:
    """Lashes: thin curved hairs from the lids' margins, longest towards the temple."""
    rng = np.random.Generator(np.random.PCG64(sum(name.encode())))
    carry, offset = bind(clo, len(base.vertices))
    card = (carry @ base.vertices + offset).astype(np.float64)
    centres = [base.vertices[base.vertices_of(f"joint-{side}-eye")].mean(axis=0) for side in "lr"]

    def away(at: np.ndarray) -> np.ndarray:
        return at - np.where(at[:, :1] > 0, centres[0], centres[1])

    strips = find_strips(card, quads(clo.mesh), away, lambda at: np.broadcast_to((0.0, 1.0, 0.0), at.shape),
                         lengthwise=False)
    number, t = 520, np.linspace(0, 1, 5)
    strip = strips.draw(rng, number)
    length = strips.length[strip][:, None]
    hair = length * rng.uniform(0.7, 1.1, (number, 1))
    distance = -0.0004 + hair * t
    across = rng.random((number, 1)) + 0.25 * rng.standard_normal((number, 1)) * t
    half = 0.00011 * rng.uniform(0.8, 1.2, (number, 1)) * (1.06 - t**1.5)
    laid = lay(strips, strip, distance, across, half, np.zeros_like(distance),
               0.00003 * rng.standard_normal((number, 1)), rng.random((number, 1)))
    return _attachment(f"eyelashes/{name}", "lashes", "lashes", strips, laid, clo, base)


def _attachment(name: str, label: str, material: str, strips: Strips, laid: tuple, clo: MhClo,
                base: BaseMesh) -> Attachment:
    rows, faces, uv, lift = laid
    carry, _ = bind(clo, len(base.vertices))
    bound = thin(rows @ carry)
    part = MeshPart(label, np.arange(rows.shape[0], dtype=np.int32), faces.astype(np.int32), np.float32(uv), material,
                    smooth=False)
    return attach(name, (part,), bound, rows @ strips.points + lift - bound @ base.vertices, clo)
