"""Eyes for heads whose own eyeballs are plain: the template's, in their place and size.

FLAME's and SMPL-X's eyeballs are single shells without an iris or a chamber behind the cornea. Their vertices stay, in
no face: they carry ours, through shapes and turns, as the affine map that suits them best.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from synth.heads.makehuman.binding import affine_weights
from synth.heads.template.eyes import eyeball
from synth.heads.template.load import make_part
from synth.scene import MeshPart


def add_eyes(parts: tuple[MeshPart, ...], rows: dict[str, np.ndarray],
             balls: tuple[np.ndarray, np.ndarray]) -> tuple[tuple[MeshPart, ...], dict[str, np.ndarray]]:
    """Parts and per-vertex arrays with both eyes' appended: the model's own vertices keep their numbers.

    rows: ``neutral`` (N, 3) metres, ``regressor`` (N, J), which is zero for what is added, and others (N, ...) that
    are carried; balls: vertices of the left and of the right eyeball.
    """
    parts, together = list(parts), rows
    for side, ball in zip(("left", "right"), balls, strict=True):
        own = rows["neutral"][ball].astype(float)
        centre, radius = 0.5 * (own.min(axis=0) + own.max(axis=0)), 0.5 * float(np.ptp(own[:, 1]))
        eye = eyeball(1000 * radius)
        flip, start = side == "right", len(together["neutral"])
        at = 1e-3 * eye.vertices * (-1 if flip else 1, 1, 1) + centre
        weights = affine_weights(at, own)
        new = {key: (weights @ values[ball].reshape(len(ball), -1)).reshape(len(at), *values.shape[1:])
               for key, values in rows.items()}
        new["regressor"][:] = 0
        together = {key: np.concatenate([values, new[key].astype(values.dtype)]) for key, values in together.items()}
        uv = eye.uv * (-1, 1) + (1, 0) if flip else eye.uv
        for label, faces in eye.faces.items():
            part = make_part(f"{side}_{label}", faces[:, ::-1] if flip else faces, uv)
            parts.append(dataclasses.replace(part, vertex_map=part.vertex_map + np.int32(start)))
    return tuple(parts), together
