"""What the relit person stands before, at full resolution."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from relight.data.view import View
from relight.pipeline.composite import Developer
from relight.pipeline.light import ShotLight


class Backdrop:
    """The environment behind, the source's own background, or an image that covers the picture."""

    def __init__(self, kind: str, light: ShotLight, developer: Developer, size: tuple[int, int]):
        """kind: ``envmap``, ``keep`` or the path of an image; size: width, height of the footage, pixels."""
        self._kind, self._light, self._developer, self._size = kind, light, developer, size
        self._image = None if kind in ("envmap", "keep") else read_cover(Path(kind), size)

    def seen(self, frame: int, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(H, W, 3) float32 display values, and scene-linear radiance, of a frame whose source is ``picture``."""
        if self._kind == "keep":
            return picture, self._developer.radiance(picture)
        return self._still if self._image is not None or not self._light.moves else self._moving(frame)

    @functools.cached_property
    def _still(self) -> tuple[np.ndarray, np.ndarray]:
        return self._moving(0) if self._image is None else (self._image, self._developer.radiance(self._image))

    def _moving(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        radiance = self._environment(frame)
        return self._developer.display(radiance), radiance

    def _environment(self, frame: int) -> np.ndarray:
        width, height = self._size
        rays = View(0, 0, width, height, width, height).rays(self._light.camera(frame, width, height))
        return self._light.behind([frame], rays)[0]


def read_cover(path: Path, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) float32 display values of an image, scaled and cropped about its centre to cover ``size`` (W, H).

    AssetError where it cannot be read.
    """
    from PIL import Image, ImageOps

    from relight.footage.images import open_image

    picture = next(open_image(path).pictures())
    image = Image.fromarray((picture * 255 + 0.5).astype(np.uint8))
    return np.asarray(ImageOps.fit(image, size, Image.Resampling.LANCZOS), np.float32) / 255
