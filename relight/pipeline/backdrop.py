"""What the relit person stands before, at full resolution."""

from __future__ import annotations

import functools
import warnings
from pathlib import Path

import numpy as np

from assets.errors import AssetError
from assets.files import check_regular_file, one_line
from relight.data.view import View
from relight.pipeline.composite import Developer
from relight.pipeline.light import ShotLight

MOST_PIXELS = 1 << 27
"""Of an image that a user gives: 134 million."""


class Backdrop:
    """The environment behind, the source's own background, or an image that covers the picture."""

    def __init__(self, kind: str, light: ShotLight, developer: Developer, size: tuple[int, int]):
        """kind: ``envmap``, ``keep`` or the path of an image; size: width, height of the footage, pixels."""
        self._kind, self._light, self._developer, self._size = kind, light, developer, size
        self._image = None if kind in ("envmap", "keep") else developer.radiance(read_cover(Path(kind), size))

    def radiance(self, frame: int, picture: np.ndarray) -> np.ndarray:
        """(H, W, 3) float32 scene-linear, for a frame whose source is ``picture`` (H, W, 3), display values."""
        if self._image is not None:
            return self._image
        if self._kind == "keep":
            return self._developer.radiance(picture)
        return self._still if not self._light.moves else self._seen(frame)

    @functools.cached_property
    def _still(self) -> np.ndarray:
        return self._seen(0)

    def _seen(self, frame: int) -> np.ndarray:
        width, height = self._size
        rays = View(0, 0, width, height, width, height).rays(self._light.camera(frame, width, height))
        return self._light.behind([frame], rays)[0]


def read_cover(path: Path, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) float32 display values of an image, scaled and cropped about its centre to cover ``size`` (W, H).

    AssetError where it cannot be read or has more than :data:`MOST_PIXELS`.
    """
    from PIL import Image, ImageOps

    check_regular_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise AssetError(f"{one_line(path)}: {image.width}x{image.height}, may have {MOST_PIXELS:,} pixels")
                upright = ImageOps.exif_transpose(image).convert("RGB")
                fitted = ImageOps.fit(upright, size, Image.Resampling.LANCZOS)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise AssetError(f"{one_line(path)}: cannot be read as an image ({one_line(error)})") from None
    return np.asarray(fitted, np.float32) / 255
