"""What video, image and folder of images have in common: pictures at known times."""

from __future__ import annotations

import abc
import dataclasses
import hashlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from assets.errors import AssetError
from assets.files import DIGEST_BYTES, one_line
from relight.footage.colour import ColourTags

MAX_SIDE, MAX_PIXELS = 16384, 100_000_000
"""Largest picture that is read: pixels a side, and pixels."""
MAX_FRAMES = 10_000_000
"""Most pictures that one footage may have (four days at 25 a second)."""
DEFAULT_FPS = Fraction(25)
"""Pictures a second where nobody says: images that become a video."""


@dataclasses.dataclass(kw_only=True)
class Footage(abc.ABC):
    """Pictures that may be iterated again and again, in constant memory, each (height, width, 3) float32 display values
    in [0, 1] (R'G'B' code values as they are stored, without conversion of primaries or transfer)."""

    path: Path
    kind: Literal["video", "image", "images"]
    width: int
    """Pixels as displayed: rotation is applied."""
    height: int
    fps: Fraction | None
    """Average pictures a second; None for images."""
    pts: np.ndarray
    """(frames,) int64: when each picture appears, in units of ``time_base``; strictly increasing, at any rate."""
    time_base: Fraction
    """Seconds a unit of ``pts``."""
    last_duration: int
    """How long the last picture is shown, in units of ``time_base``."""
    colour: ColourTags
    has_audio: bool = False
    damage: str | None = None
    """One line on what is missing of a broken file, or None. Known when opened (cut short) or after iteration (pictures
    that could not be decoded, for which the one before them is given)."""

    @property
    def frames(self) -> int:
        """The exact number of pictures."""
        return len(self.pts)

    @property
    def times(self) -> np.ndarray:
        """(frames,) float64: when each picture appears, seconds."""
        return self.pts * float(self.time_base)

    @property
    def duration(self) -> float:
        """Seconds from the first picture's appearance until the last one's end."""
        return float((int(self.pts[-1]) - int(self.pts[0]) + self.last_duration) * self.time_base)

    def __len__(self) -> int:
        return self.frames

    def __iter__(self) -> Iterator[np.ndarray]:
        return self.pictures()

    @abc.abstractmethod
    def pictures(self, start: int = 0, step: int = 1) -> Iterator[np.ndarray]:
        """Every ``step``-th picture from ``start`` on. AssetError when the file is no longer what it was."""

    @property
    @abc.abstractmethod
    def names(self) -> list[str]:
        """A file name a picture, without suffix."""

    @property
    @abc.abstractmethod
    def files(self) -> list[Path]:
        """Every file that the pictures come from."""

    def identity(self) -> str:
        """Hex digest of the files' places, sizes and times of change: the same while nobody touches them."""
        digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
        for file in self.files:
            info = file.stat()
            digest.update(f"{file.resolve()}\0{info.st_size}\0{info.st_mtime_ns}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()

    def check_start(self, start: int) -> None:
        """ValueError unless ``start`` is a picture's number, or ``frames`` (none left)."""
        if not 0 <= start <= self.frames:
            raise ValueError(f"start {start}, may be 0 to {self.frames}")


def check_picture_size(path: Path, width: int, height: int) -> None:
    """Refuse what no camera makes, before it is decoded."""
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise AssetError(
            f"{one_line(path)}: header claims {width} x {height} pixels, may be up to {MAX_SIDE} a side and "
            f"{MAX_PIXELS:,} in all"
        )
