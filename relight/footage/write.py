"""Write relit footage: in parts that survive a kill, joined when all is there."""

from __future__ import annotations

import abc
import hashlib
import io
import os
import shutil
from pathlib import Path

import av
import numpy as np
from PIL import Image

from assets.errors import AssetError
from assets.files import DIGEST_BYTES, atomic_write, one_line, sync
from assets.images import HALF_MAX, write_exr
from relight.footage.encode import H264Stream, h264_encoder
from relight.footage.footage import DEFAULT_FPS, Footage
from relight.footage.join import VIDEO_FORMATS, join

IMAGE_SUFFIXES = {
    ".png": {}, ".jpg": {"quality": 95, "subsampling": 0}, ".jpeg": {"quality": 95, "subsampling": 0},
    ".webp": {"quality": 95}, ".tif": {"compression": "tiff_lzw"}, ".tiff": {"compression": "tiff_lzw"},
}  # fmt: skip
"""Images that are written, and Pillow's options for each."""
SEGMENT = 48
"""Pictures a part of a video: what a kill can cost, and the distance of key pictures."""
CRF, PRESET = 17, "veryfast"
"""x264's quality (visually lossless) and effort."""


def open_writer(
    path: str | os.PathLike, footage: Footage, key: str, exr: str | os.PathLike | None = None, keep_parts: bool = False
) -> Writer:
    """A context manager that takes the pictures of a relit ``footage``; ``path`` appears whole when all were written.

    ``path``: ``.mp4``, ``.m4v`` or ``.mov`` (H.264, the source's times, audio and colour tags), an image file for one
    picture, or a folder (no suffix) for PNGs named like the source. ``key``: a digest of all settings. What an earlier
    writer with the same key, source and ``exr`` finished is kept: go on with picture ``writer.done``.
    ``exr``: a folder for one half-float OpenEXR a picture. ``keep_parts``: leave the parts beside the output, so that
    the same writer finds all of it done; :func:`remove_parts` removes them.

    AssetError: another suffix, the source itself, a place that cannot be written, a full disk, more than one picture
    for an image file.
    """
    path, exr = Path(path), None if exr is None else Path(exr)
    name, suffix = one_line(path), path.suffix.lower()
    to_file = suffix in VIDEO_FORMATS or suffix in IMAGE_SUFFIXES
    for target in filter(os.path.exists, filter(None, (path, exr))):
        if any(os.path.samefile(target, source) for source in (footage.path, *footage.files[:1])):
            raise AssetError(f"{one_line(target)}: is the source itself, write to another place")
    if path.name in ("", "..") or (suffix and not to_file and not path.is_dir()):
        allowed = " ".join((*VIDEO_FORMATS, *IMAGE_SUFFIXES))
        raise AssetError(f"{name}: suffix {suffix!r}, may be {allowed} or none (a folder)")
    if path.exists() and path.is_dir() == to_file:
        raise AssetError(f"{name}: is there already and is {'a' if path.is_dir() else 'no'} folder")
    if suffix in IMAGE_SUFFIXES and footage.frames > 1:
        raise AssetError(f"{name}: one image cannot hold {footage.frames} pictures, name a .mp4, .mov or a folder")
    return (VideoWriter if suffix in VIDEO_FORMATS else PictureWriter)(
        path, footage, key, exr, keep_parts)


def remove_parts(path: Path) -> None:
    """Delete what a writer of ``path`` kept."""
    if (path.with_name(f".{path.name}.parts") / "key").is_file():
        shutil.rmtree(path.with_name(f".{path.name}.parts"), ignore_errors=True)


class Writer(abc.ABC):
    """Writes pictures ``done``, ``done`` + 1 ... of a footage, in order. Leaving the ``with`` block after the last one
    makes the output; leaving it by an exception keeps what is whole for the next writer."""

    def __init__(self, path: Path, footage: Footage, key: str, exr: Path | None, keep_parts: bool = False):
        self.path, self.footage, self.exr, self._keep_parts = path, footage, exr, keep_parts
        self._names = _unique_names(footage)
        self._parts = path.with_name(f".{path.name}.parts")
        self._claim(f"{key} {footage.identity()} {exr and exr.resolve()} {self._recipe()}")
        self.done: int = self._count_done()
        """Pictures that an earlier run left whole."""
        self._next = self.done

    def write(self, picture: np.ndarray, linear: np.ndarray | None = None) -> None:
        """The next picture: (height, width, 3) float32 display values (clipped to [0, 1]); ``linear``: the same in
        scene-linear Rec.709 for the ``exr`` folder (clipped to what half floats hold)."""
        if self._next == self.footage.frames:
            raise ValueError(f"{self.path}: all {self.footage.frames} pictures are written")
        shape = (self.footage.height, self.footage.width, 3)
        for array in (picture, linear):
            if array is not None and (array.shape != shape or not np.isfinite(array).all()):
                raise ValueError(f"picture {self._next}: shape {array.shape}, may be {shape}, finite everywhere")
        if self.exr is not None:
            if linear is None:
                raise ValueError("an exr folder was asked for: write() needs linear")
            file = self.exr / f"{self._names[self._next]}.exr"
            write_exr(file, np.clip(linear, -HALF_MAX, HALF_MAX), half=True)
        self._write(np.clip(picture, 0, 1))
        self._next += 1

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is not None:
            self._abandon()
            return
        if self._next < self.footage.frames:
            self._abandon()
            raise AssetError(
                f"{one_line(self.path)}: only {self._next} of {self.footage.frames} pictures were written; another run "
                f"may go on with them"
            )
        self._finish()
        if not self._keep_parts:
            shutil.rmtree(self._parts, ignore_errors=True)

    def _claim(self, settings: str) -> None:
        """Make the hidden folder of parts, or take over one that was made with the same settings."""
        text = hashlib.blake2b(settings.encode(errors="surrogateescape"), digest_size=DIGEST_BYTES).hexdigest() + "\n"
        file = self._parts / "key"
        try:
            if os.path.lexists(self._parts) and (self._parts.is_symlink() or not file.is_file()):
                if self._parts.is_symlink() or any(self._parts.iterdir()):
                    raise AssetError(f"{one_line(self._parts)}: is in the way and was not made here, remove it")
            if file.is_file() and file.read_bytes() != text.encode():
                shutil.rmtree(self._parts)
            for stale in self._parts.rglob(".*.tmp*"):
                stale.unlink()
        except OSError as error:
            raise AssetError(f"{one_line(self._parts)}: {one_line(error.strerror or error)}") from None
        if not file.is_file():
            with atomic_write(file, len(text)) as temporary:
                temporary.write_text(text)

    @abc.abstractmethod
    def _recipe(self) -> str:
        """Whatever else decides on the parts' bytes."""

    @abc.abstractmethod
    def _count_done(self) -> int: ...

    @abc.abstractmethod
    def _write(self, picture: np.ndarray) -> None: ...

    @abc.abstractmethod
    def _abandon(self) -> None: ...

    @abc.abstractmethod
    def _finish(self) -> None: ...


class VideoWriter(Writer):
    """H.264 in segments of ``SEGMENT`` pictures, encoded in memory, joined by copying packets."""

    _container: av.container.OutputContainer | None = None

    def _recipe(self) -> str:
        if h264_encoder() is None:
            raise AssetError(f"{one_line(self.path)}: PyAV's FFmpeg has no H.264 encoder (libx264, libopenh264)")
        return f"{h264_encoder()} {av.__version__} {CRF} {PRESET} {SEGMENT}"

    def _part(self, number: int) -> Path:
        return self._parts / f"{number - number % SEGMENT:08d}.mp4"

    def _count_done(self) -> int:
        numbers = range(0, self.footage.frames, SEGMENT)
        return next((number for number in numbers if not self._part(number).is_file()), self.footage.frames)

    def _write(self, picture: np.ndarray) -> None:
        if self._container is None:
            self._buffer, tags = io.BytesIO(), self.footage.colour
            self._container = av.open(self._buffer, "w", format="mp4")
            self._stream = H264Stream(self._container, self.footage.fps or DEFAULT_FPS, crf=CRF, preset=PRESET,
                                      primaries=tags.primaries, transfer=tags.transfer, gop=SEGMENT)  # fmt: skip
        self._stream.write(picture)
        if (self._next + 1) % SEGMENT == 0 or self._next + 1 == self.footage.frames:
            self._stream.close()
            self._abandon()
            with atomic_write(self._part(self._next), self._buffer.tell()) as temporary:
                temporary.write_bytes(self._buffer.getbuffer())

    def _abandon(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None

    def _finish(self) -> None:
        join([self._part(number) for number in range(0, self.footage.frames, SEGMENT)], self.footage, self.path)


class PictureWriter(Writer):
    """Image files of 8 bits, moved to their place when all are there."""

    def _recipe(self) -> str:
        return self._suffix

    @property
    def _suffix(self) -> str:
        suffix = self.path.suffix.lower()
        return suffix if suffix in IMAGE_SUFFIXES else ".png"

    def _part(self, number: int) -> Path:
        return self._parts / "pictures" / f"{self._names[number]}{self._suffix}"

    def _count_done(self) -> int:
        numbers = range(self.footage.frames)
        return next((number for number in numbers if not self._part(number).is_file()), self.footage.frames)

    def _write(self, picture: np.ndarray) -> None:
        icc = {"icc_profile": self.footage.colour.icc} if self.footage.colour.icc else {}
        with atomic_write(self._part(self._next)) as temporary:
            image = Image.fromarray(np.rint(picture * 255).astype(np.uint8))
            image.save(temporary, **IMAGE_SUFFIXES[self._suffix], **icc)

    def _abandon(self) -> None:
        """Every picture is whole already."""

    def _finish(self) -> None:
        first = self._part(0)
        try:
            if self.path.suffix.lower() in IMAGE_SUFFIXES:
                os.replace(first, self.path)
            elif not self.path.exists():
                os.replace(first.parent, self.path)
            else:
                for number in range(self.footage.frames):
                    os.replace(self._part(number), self.path / self._part(number).name)
        except OSError as error:
            why = one_line(error.strerror or error)
            raise AssetError(f"{one_line(self.path)}: cannot be written ({why})") from None
        sync(self.path.parent)


def _unique_names(footage: Footage) -> list[str]:
    """The source's file names; with the suffix inside where two differ in that alone (a.jpg, a.png)."""
    names = footage.names
    return names if len(set(names)) == len(names) else [file.name for file in footage.files]
