"""Images as footage: one file, or a folder in natural order (frame_2 before frame_10)."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from assets.errors import AssetError
from assets.files import check_regular_file, one_line
from relight.footage.colour import ColourTags
from relight.footage.footage import DEFAULT_FPS, MAX_FRAMES, Footage, check_picture_size

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "PPM", "GIF")
"""Pillow's decoders that are used (JPEG's also takes the several pictures of phones); others run programs (EPS)."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".ppm", ".pgm", ".gif")
"""What is looked for in folders."""
_ANIMATED = ("GIF", "PNG", "WEBP")
_MAX_ICC = 4 << 20
_BROKEN = (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, EOFError, OverflowError, MemoryError)
"""What Pillow raises on files that are no sound images."""


@dataclasses.dataclass(kw_only=True)
class ImageFootage(Footage):
    """One image, or the images of a folder: all of one size. Alpha is dropped, EXIF orientation applied."""

    paths: list[Path]

    @property
    def names(self) -> list[str]:
        return [file.stem for file in self.paths]

    @property
    def files(self) -> list[Path]:
        return self.paths

    def pictures(self, start: int = 0, step: int = 1) -> Iterator[np.ndarray]:
        self.check_start(start)
        for file in self.paths[start::step]:
            with _opened(file) as image:
                picture = _decode(file, image)
            _check_same(file, picture.shape[1], picture.shape[0], self.paths[0], self.width, self.height)
            yield picture


def is_image(path: Path) -> bool:
    """Whether the content is an image that stands still."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                return image.format not in _ANIMATED or getattr(image, "n_frames", 1) == 1
    except Image.DecompressionBombError:
        return True
    except _BROKEN:
        return False


def open_image(path: Path) -> ImageFootage:
    """One image. AssetError: it is broken, too large, or has no display values (float)."""
    return _footage(path, "image", [path])


def open_images(folder: Path) -> ImageFootage:
    """The images of a folder. AssetError: there are none, one is broken or of another size than the first."""
    try:
        files = [file for file in folder.iterdir()
                 if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")]  # fmt: skip
    except OSError as error:
        raise AssetError(f"{one_line(folder)}: cannot be read ({one_line(error.strerror or error)})") from None
    if not files:
        raise AssetError(f"{one_line(folder)}: holds no image, may hold {' '.join(SUFFIXES)}")
    if len(files) > MAX_FRAMES:
        raise AssetError(f"{one_line(folder)}: holds {len(files):,} images, may hold {MAX_FRAMES:,}")
    return _footage(folder, "images", sorted(files, key=_natural))


def _footage(path: Path, kind: str, files: list[Path]) -> ImageFootage:
    size = icc = None
    for file in files:
        with _opened(file) as image:
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)  # EXIF orientations that swap the sides
            width, height = image.size[::-1] if turned else image.size
            if size is None:
                size, icc = (width, height), image.info.get("icc_profile")
        _check_same(file, width, height, files[0], *size)
    icc = icc if isinstance(icc, bytes) and len(icc) <= _MAX_ICC else None
    return ImageFootage(
        path=path, kind=kind, width=size[0], height=size[1], fps=None, pts=np.arange(len(files)),
        time_base=1 / DEFAULT_FPS, last_duration=1, colour=ColourTags(1, 13, 0, True, icc), paths=files,
    )  # fmt: skip


def _natural(path: Path) -> list:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path.name)]


def _check_same(file: Path, width: int, height: int, first: Path, first_width: int, first_height: int) -> None:
    if (width, height) != (first_width, first_height):
        raise AssetError(
            f"{one_line(file)}: is {width} x {height} pixels, {one_line(first.name)} {first_width} x {first_height}; "
            f"all pictures must be of one size"
        )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Pillow's image, its size checked; its many errors, while open, as one AssetError."""
    check_regular_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # size is checked here; broken metadata is not of interest
            with Image.open(path, formats=FORMATS) as image:
                check_picture_size(path, *image.size)
                yield image
    except (*_BROKEN, Image.DecompressionBombError) as error:
        raise AssetError(f"{one_line(path)}: is no image that can be read ({one_line(error)[:200]})") from None


def _decode(path: Path, image: Image.Image) -> np.ndarray:
    """(H, W, 3) float32 in [0, 1], upright."""
    image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        raise AssetError(f"{one_line(path)}: holds floats, display values of 8 or 16 bits are needed")
    if image.mode.startswith("I"):  # 16 bits of grey, which convert() would clip to 8
        grey = np.clip(np.asarray(image, np.float32) / 65535, 0, 1)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.asarray(image.convert("RGB"), np.float32) / 255
