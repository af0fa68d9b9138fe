"""MakeHuman's base mesh in the house's units and axes: body, helpers to which things are bound, joint cubes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from assets.errors import AssetError
from assets.files import one_line
from assets.makehuman.obj import ObjMesh, read_obj

VERTICES = 19158
"""Of the base mesh called hm08, which all targets, weights and clothes count on."""
METRES = 0.1
"""MakeHuman's unit is the decimetre; its axes are the house's."""
EYES = np.array([0.0, 0.0, 0.076])
"""Where the middle between both eyes lies in the head frame, metres, as on the template."""


@dataclasses.dataclass(frozen=True, eq=False)
class BaseMesh:
    """All vertices of the base mesh, in the file's order, and its faces by group."""

    vertices: np.ndarray
    """(19158, 3) float32 metres, head frame: eyes' middle at ``EYES``."""
    mesh: ObjMesh
    """The file as it is, decimetres: faces, UVs and groups."""

    def faces_of(self, *groups: str) -> np.ndarray:
        """(K,) indices of the faces of groups such as ``body``, ``helper-l-eye`` or ``joint-jaw``."""
        known = {name: k for k, name in enumerate(self.mesh.groups)}
        if unknown := [name for name in groups if name not in known]:
            raise AssetError(f"base.obj: has no group {unknown[0]}")
        return np.flatnonzero(np.isin(self.mesh.group, [known[name] for name in groups]))

    def vertices_of(self, *groups: str) -> np.ndarray:
        """(K,) sorted indices of the vertices of groups."""
        faces = self.mesh.faces[self.faces_of(*groups)]
        return np.unique(faces[faces >= 0])


def read_base(folder: Path) -> BaseMesh:
    """The base mesh of a MakeHuman data folder."""
    file = folder / "3dobjs" / "base.obj"
    mesh = read_obj(file)
    if len(mesh.vertices) != VERTICES:
        raise AssetError(f"{one_line(file)}: {len(mesh.vertices):,} vertices, expected the {VERTICES:,} of hm08")
    base = BaseMesh(np.empty((0, 3), np.float32), mesh)
    eyes = [mesh.vertices[base.vertices_of(f"joint-{side}-eye")].mean(axis=0) for side in "lr"]
    vertices = (mesh.vertices - np.mean(eyes, axis=0)) * METRES + EYES
    return dataclasses.replace(base, vertices=vertices.astype(np.float32))
