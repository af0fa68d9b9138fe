"""Colour of video: Y'CbCr planes to R'G'B' pictures and back, in float, by the equations of ITU-T H.273.

FFmpeg's own scaler is asked only for what it does without arithmetic (unpacking pixels into planes): to 16 bits it was
measured wrong by tens of codes for some formats, and to 8 bits it throws the precision of 10-bit video away.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import av

HDR_TRANSFERS = {16: "PQ (SMPTE ST 2084)", 18: "HLG (ARIB STD-B67)"}
"""Transfer characteristics whose code values are no display values of standard dynamic range."""
_KR_KB = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087),
          9: (0.2627, 0.0593)}  # fmt: skip
"""Luma weights of red and blue, by matrix coefficients of H.273."""


@dataclasses.dataclass(frozen=True)
class ColourTags:
    """What the code values mean, as code points of ITU-T H.273 (FFmpeg uses the same numbers)."""

    primaries: int = 1
    """Colour primaries; 1 (Rec.709) where the file doesn't say."""
    transfer: int = 1
    """Transfer characteristics; 1 (Rec.709) where the file doesn't say, 13 (sRGB) for images."""
    matrix: int = 1
    """Matrix coefficients: 0 for R'G'B'; where the file doesn't say 1 (Rec.709) from 720 rows on, else 6 (Rec.601)."""
    full_range: bool = False
    """Whether code values use all bits, instead of 16 to 235 of 255."""
    icc: bytes | None = None
    """An image's ICC profile."""


def tags_of(frame: av.VideoFrame) -> ColourTags:
    """The tags of a decoded frame, with players' rules for what is not said. ValueError for a matrix unknown here."""
    grey = len(frame.format.components) == 1 and not frame.format.has_palette
    if frame.format.is_rgb or frame.format.has_palette:
        matrix = 0
    elif frame.colorspace in (0, 2, 3):  # R'G'B' can't be, unspecified, reserved
        matrix = 1 if frame.height >= 720 else 6
    else:
        matrix = frame.colorspace
        if matrix not in _KR_KB and not grey:
            raise ValueError(f"matrix coefficients {matrix} (ITU-T H.273), may be {', '.join(map(str, _KR_KB))}")
    full = matrix == 0 or frame.format.name.startswith("yuvj") or frame.color_range == 2
    full = full or (grey and not frame.color_range)
    return ColourTags(_said(frame.color_primaries), _said(frame.color_trc), matrix, full)


def _said(code: int) -> int:
    return 1 if code in (0, 2, 3) else int(code)


def to_rgb(frame: av.VideoFrame, tags: ColourTags) -> np.ndarray:
    """(H, W, 3) float32 R'G'B' in [0, 1] of a decoded frame of any pixel format, at its full precision."""
    planes, bits = _planes(frame)
    if tags.matrix == 0:
        return np.stack(planes, axis=-1) * np.float32(1 / (2**bits - 1))
    top, step = 2**bits - 1, 2 ** (bits - 8)
    luma = planes[0] * (1 / top) if tags.full_range else (planes[0] - 16 * step) * (1 / (219 * step))
    if len(planes) == 1:
        return np.repeat(np.clip(luma, 0, 1)[..., None], 3, axis=2)
    centred = frame.format.name.startswith("yuvj")
    scale = 1 / top if tags.full_range else 1 / (224 * step)
    blue, red = (_enlarge(plane - 128 * step, luma.shape, centred) * np.float32(scale) for plane in planes[1:])
    kr, kb = _KR_KB[tags.matrix]
    picture = np.empty((*luma.shape, 3), np.float32)
    picture[..., 0] = luma + (2 - 2 * kr) * red
    picture[..., 1] = luma - (2 * kb * (1 - kb) * blue + 2 * kr * (1 - kr) * red) * (1 / (1 - kr - kb))
    picture[..., 2] = luma + (2 - 2 * kb) * blue
    return np.clip(picture, 0, 1, out=picture)


def _planes(frame: av.VideoFrame) -> tuple[list[np.ndarray], int]:
    """Code values of R', G', B' or Y', Cb, Cr (or Y' alone) as float32 planes, and their bits."""
    parts, layout = [part for part in frame.format.components if not part.is_alpha], frame.format
    plain = len({part.plane for part in layout.components}) == len(layout.components) and not layout.is_big_endian
    if not plain or layout.has_palette or any(not 8 <= part.bits <= 16 for part in parts):
        deep = "16le" if max(part.bits for part in parts) > 8 else ""
        frame = frame.reformat(format=f"{'gbrp' if layout.is_rgb or layout.has_palette else 'yuv444p'}{deep}")
        parts = frame.format.components
    dtype = np.dtype(np.uint8 if parts[0].bits == 8 else "<u2")
    planes = []
    for part in parts[:3]:
        plane = frame.planes[part.plane]
        rows = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // dtype.itemsize)
        planes.append(rows[: part.height, : part.width].astype(np.float32))
    return planes, parts[0].bits


def _enlarge(chroma: np.ndarray, shape: tuple[int, int], centred: bool) -> np.ndarray:
    """Bilinear. Samples sit between rows; on the even columns as MPEG has it, or ``centred`` as JPEG (H.273, 8.7)."""
    return _stretch(_stretch(chroma, shape[0], 0, True), shape[1], 1, centred)


def _stretch(plane: np.ndarray, length: int, axis: int, centred: bool) -> np.ndarray:
    count = plane.shape[axis]
    if count == length:
        return plane
    factor = 2 ** math.ceil(math.log2(length / count))
    place = np.maximum((np.arange(length) + 0.5) / factor - 0.5 if centred else np.arange(length) / factor, 0)
    low = np.minimum(place.astype(int), count - 1)
    weight = (place - low).astype(np.float32)[(..., None) if axis == 0 else (None, ...)]
    start = plane.take(low, axis)
    return start + weight * (plane.take(np.minimum(low + 1, count - 1), axis) - start)


def to_yuv420(picture: np.ndarray) -> av.VideoFrame:
    """A yuv420p frame (Rec.709 matrix, 16 to 235) of an (H, W, 3) picture, floats in [0, 1] or uint8.

    4:2:0 needs even sides: an odd picture repeats its last row or column.
    """
    import av

    height, width = picture.shape[:2]
    scale = np.float32(1 / 255 if picture.dtype == np.uint8 else 1)
    red, green, blue = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), "edge").transpose(2, 0, 1) * scale
    kr, kb = _KR_KB[1]
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    chroma = [_halve(colour - luma) * (224 / (2 - 2 * k)) + 128 for colour, k in ((blue, kb), (red, kr))]
    planes = [np.rint(plane).astype(np.uint8).ravel() for plane in (219 * luma + 16, *chroma)]
    return av.VideoFrame.from_ndarray(np.concatenate(planes).reshape(-1, luma.shape[1]), format="yuv420p")


def _halve(plane: np.ndarray) -> np.ndarray:
    """Half the rows by their mean, and the even columns after a filter (1, 2, 1) / 4, as :func:`_enlarge` expects."""
    rows = (plane[::2] + plane[1::2]) * np.float32(0.5)
    left = np.concatenate([rows[:, :1], rows[:, 1:-1:2]], axis=1)
    return 0.25 * left + 0.5 * rows[:, ::2] + 0.25 * rows[:, 1::2]
