"""A scene as a file for an artist. Import only where bpy is."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import bpy

from assets.errors import AssetError, RenderError
from assets.files import atomic_write


def write_blend(scene: bpy.types.Scene, path: Path, samples: int) -> None:
    """Write Blender's present scene as a .blend file, whole or not at all, with its images in it.

    samples: a pixel, which the file asks for. AssetError where it cannot be written.
    """
    if path.suffix != ".blend":
        raise AssetError(f"{path}: got a name that ends with {path.suffix!r}, expected .blend")
    scene.cycles.samples = samples
    scene.render.filepath = "//picture"
    for image in bpy.data.images:
        if image.source == "GENERATED":
            image.pack()
    with atomic_write(path) as temporary, contextlib.redirect_stdout(io.StringIO()):  # it says the temporary name
        try:
            bpy.ops.wm.save_as_mainfile(filepath=str(temporary), copy=True, compress=True, check_existing=False)
        except RuntimeError as error:
            raise RenderError(f"{path}: Blender cannot write it: {' '.join(str(error).split())}") from error
