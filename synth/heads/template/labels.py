"""Which part each of the template's faces belongs to, where one mesh holds more than one."""

from __future__ import annotations

import numpy as np

from synth.heads.template.geometry import Geometry
from synth.heads.template.sculpt import lip_coordinates

GUM_LINE = 0.28
"""Height on the teeth's texture, of each jaw's half, above which enamel begins (see ``mouth.arch``)."""


def label_faces(geometry: Geometry) -> dict[str, np.ndarray]:
    """Part name to (F, 3) int32 faces, named by :data:`synth.scene.LABELS` and side."""
    out: dict[str, np.ndarray] = {}
    for name, faces in geometry.parts.items():
        for label, chosen in _split(geometry, name, faces).items():
            out[label] = faces[chosen]
    return out


def _split(geometry: Geometry, name: str, faces: np.ndarray) -> dict[str, np.ndarray]:
    uv = geometry.uv[faces].mean(axis=1)
    if name == "skin":
        corners = geometry.vertices[faces].mean(axis=1)
        s, t = lip_coordinates(corners)
        lips = (np.abs(t) < 1) & (s < 0.97) & (corners[:, 2] > 76)
        return {"skin": ~lips, "lips": lips}
    if name == "teeth":
        gums = ((uv[:, 1] % 0.5) - 0.01) / 0.48 < GUM_LINE
        return {"teeth": ~gums, "gums": gums}
    return {name: np.ones(len(faces), bool)}
