"""One picture out of Blender: a render to an OpenEXR file on a RAM disk, and its passes as arrays.

Import only where bpy is.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import OpenEXR

from assets.errors import RenderError

_RAM = Path("/dev/shm")


def render(scene: bpy.types.Scene) -> dict[str, np.ndarray]:
    """Render a scene as it is set up: pass name (``Combined``, ``GlossDir`` ...) to (H, W[, C]) float32, row 0 on top.

    RenderError with the first thing that Blender or Cycles complained about.
    """
    with tempfile.TemporaryDirectory(dir=_RAM if _fits(scene) else None) as folder:
        path = Path(folder, "picture.exr")
        _choose_format(scene, path)
        said, failure = Path(folder, "said.txt"), ""
        with _captured(said):
            try:
                bpy.ops.render.render(write_still=True, scene=scene.name)
            except RuntimeError as error:
                failure = str(error)
        _raise_complaint(failure + "\n" + said.read_text(errors="replace"))
        if not path.exists():
            raise RenderError("Cycles: the render left no picture")
        return _read(path)


def _fits(scene: bpy.types.Scene) -> bool:
    """Whether the RAM disk, which containers keep at 64 MB by default, holds four floats of every pass twice."""
    if not os.access(_RAM, os.W_OK):
        return False
    layer = scene.view_layers[0]
    passes = 32 + len(layer.aovs) + len(layer.lightgroups)
    return shutil.disk_usage(_RAM).free > 2 * 16 * passes * scene.render.resolution_x * scene.render.resolution_y


def _choose_format(scene: bpy.types.Scene, path: Path) -> None:
    # A new path tells Blender that the scene has changed: without it, a new seed or number of samples would be seen one
    # render late. (``scene.update_tag()`` would do, but then every strand is uploaded again: 1.4 s.)
    scene.render.filepath = str(path)
    scene.render.use_file_extension = False
    settings = scene.render.image_settings
    settings.media_type = "MULTI_LAYER_IMAGE"  # before the format, which it decides about
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth = "32"
    settings.exr_codec = "NONE"


@contextlib.contextmanager
def _captured(path: Path) -> Iterator[None]:
    """What Blender prints, from C++ and past Python's streams, goes to a file."""
    flush = ctypes.CDLL(None).fflush  # C keeps what it prints until its own buffer is full
    sys.stdout.flush(), sys.stderr.flush(), flush(None)
    kept = [os.dup(number) for number in (1, 2)]
    with open(path, "wb") as file:
        try:
            for number in (1, 2):
                os.dup2(file.fileno(), number)
            yield
        finally:
            flush(None)
            for number, before in zip((1, 2), kept, strict=True):
                os.dup2(before, number)
                os.close(before)


def _raise_complaint(said: str) -> None:
    for line in said.splitlines():
        if "error" in line.lower() and "WARNING" not in line:
            raise RenderError(f"Cycles: {line.strip()[:300]}")


def _read(path: Path) -> dict[str, np.ndarray]:
    passes = {}
    for part in OpenEXR.File(str(path), separate_channels=True).parts:
        name = part.header["name"].split(".")[-1]
        channels = {key.split(".")[-1]: channel.pixels for key, channel in part.channels.items()}
        order = next(order for order in ("RGBA", "RGB", "XYZ", "X", "Z", "V") if set(order) == set(channels))
        image = np.stack([channels[key] for key in order], axis=-1).astype(np.float32)
        passes[name] = image[..., 0] if len(order) == 1 else image
    return passes
