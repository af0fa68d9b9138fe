"""The part of each frame that the networks see, framed as in training, and the way there and back.

    framing = frame_shot(footage, 128, 32)
    small = cut(picture, framing.rectangle(frame), framing.size)
    whole = lift(small, framing.rectangle(frame), region(framing.rectangle(frame), picture.shape))

Rectangles are float64 left, top, right, bottom in pixels of the picture, x right, y down; they may leave the picture,
which then goes on as its border does.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from relight.data.view import filter_weights, tent
from relight.pipeline.faces import track_faces

if TYPE_CHECKING:
    import scipy.sparse

    from relight.pipeline.shot import Pictures

# How training pictures are framed: boxes of faces.py's frontal cascade in 144 samples of rendered clips (crop=0.8),
# lit flat before grey, scaled to 320 pixels; found in 110.
FACE = 0.46
"""Side of the face's box over the picture's height: median."""
LOOSEST, TIGHTEST = 0.36, 0.60
"""The same: 5th and 95th percentile."""
CENTRE = 0.49
"""Height of the box's centre below the picture's top, over the picture's height: median."""
DOWN = 0.38, 0.60
"""The same: 5th and 95th percentile."""
ASIDE = 0.27
"""Least distance of the box's centre from the picture's left and right, over the picture's height: 5th percentile."""
ASPECTS = 3 / 4, 16 / 9
"""Width of a rectangle over its height. Training's are square; wider ones leave the shoulders whole."""
STILL = 0.8, 0.5, 1.4
"""One rectangle serves a clip whose face moves less: sideways and up, in sides of its box, and in size, as a ratio.
Then it stays where training has seen faces."""
FEATHER = 0.08
"""Width of the border over which what was made fades into the picture, over the rectangle's height."""


@dataclasses.dataclass(frozen=True, eq=False)
class Framing:
    """Where the networks look, frame by frame."""

    rectangles: np.ndarray
    """(T, 4) float64; (1, 4) where one serves all frames."""
    size: tuple[int, int]
    """Width and height of what the networks see of it, pixels. Pixels are square to within an eighth."""
    found: bool = True
    """Whether a face was found; without one this is the middle of the picture, as much as fits."""

    @property
    def still(self) -> bool:
        """Whether one rectangle serves all frames."""
        return len(self.rectangles) == 1

    def rectangle(self, frame: int) -> tuple[float, float, float, float]:
        """Left, top, right, bottom in a frame."""
        left, top, right, bottom = self.rectangles[0 if self.still else frame].tolist()
        return left, top, right, bottom


def frame_shot(footage: Pictures, height: int, multiple: int) -> Framing:
    """Looks through all of a shot's pictures, once. See :func:`frame_faces`."""
    fps = float(getattr(footage, "fps", None) or 25)
    return frame_faces(track_faces(footage, fps), (footage.width, footage.height), height, multiple)


def frame_faces(track: np.ndarray | None, picture: tuple[int, int], height: int = 128, multiple: int = 32) -> Framing:
    """A framing from a face's boxes (T, 4), or None, in pictures of a width and height.

    height: rows of what the networks see; its columns are a multiple of ``multiple``.
    """
    if track is None:
        high = min(picture[1], picture[0] / ASPECTS[0])
        wide = min(picture[0], high * ASPECTS[1])
        left, top = (picture[0] - wide) / 2, (picture[1] - high) / 2
        rectangles = np.array([[left, top, left + wide, top + high]])
        return Framing(rectangles, (_columns(wide / high, height, multiple), height), found=False)
    faces = np.column_stack([(track[:, :2] + track[:, 2:]) / 2, track[:, 3] - track[:, 1]])
    least, most = faces.min(axis=0), faces.max(axis=0)
    usual = np.append((least + most)[:2] / 2, np.sqrt(least[2] * most[2]))
    moved = (most - least)[:2] / usual[2]
    if moved[0] < STILL[0] and moved[1] < STILL[1] and most[2] < STILL[2] * least[2]:
        faces = usual[None]
    share, centre = _composed(usual, picture[1])
    high = _height(usual, share, picture, ASPECTS[0])
    aspect = float(np.clip(picture[0] / min(high, picture[1]), *ASPECTS))
    rectangles = np.array([_rectangle(face, share, centre, aspect, picture) for face in faces])
    return Framing(rectangles, (_columns(aspect, height, multiple), height))


def _columns(aspect: float, height: int, multiple: int) -> int:
    return multiple * max(1, round(aspect * height / multiple))


def _composed(face: np.ndarray, rows: int) -> tuple[float, float]:
    """Side of the face's box, and height of its centre below the top, over the rectangle's height: as is usual in
    training, unless the picture's bottom is within reach of what training has seen: then nothing is cut off below."""
    reach = face[2] * (1 - DOWN[0]) / max(rows - face[1], 1e-6)
    if reach < LOOSEST:
        return FACE, CENTRE
    return min(reach, FACE), DOWN[0]


def _height(face: np.ndarray, share: float, picture: tuple[int, int], aspect: float) -> float:
    """Rows of a rectangle: not more than the picture's, unless the face is larger in it than training has seen."""
    return min(face[2] / share, max(min(picture[1], picture[0] / aspect), face[2] / TIGHTEST))


def _rectangle(face: np.ndarray, share: float, centre: float, aspect: float, picture: tuple[int, int]) -> list[float]:
    """Around a face (centre x, centre y, side): in the picture, but rather outside it than framed as never seen."""
    high = _height(face, share, picture, aspect)
    wide = aspect * high
    left = _place(face[0] - wide / 2, wide, picture[0], face[0] - wide + ASIDE * high, face[0] - ASIDE * high)
    top = _place(face[1] - centre * high, high, picture[1], face[1] - DOWN[1] * high, face[1] - DOWN[0] * high)
    return [left, top, left + wide, top + high]


def _place(start: float, length: float, whole: float, least: float, most: float) -> float:
    spare = whole - length
    return float(np.clip(np.clip(start, min(0, spare), max(0, spare)), least, most))


# --- there and back ---------------------------------------------------------------------------------------------------


def cut(picture: np.ndarray, rectangle: tuple[float, float, float, float], size: tuple[int, int]) -> np.ndarray:
    """What a rectangle shows of a picture (H, W, C) float32, as (height, width, C) float32 for ``size`` width, height.

    Exact to fractions of a pixel, filtered with tents, as :meth:`relight.data.view.View.crop` does for training.
    """
    rows, columns, channels = picture.shape
    left, top, right, bottom = rectangle
    if (columns, rows) == tuple(size) and (left, top, right, bottom) == (0, 0, columns, rows):
        return picture
    wide, high = size
    down = _filter(rows, top, bottom, high, tent) @ picture.reshape(rows, -1)
    across = down.reshape(high, columns, channels).transpose(1, 0, 2).reshape(columns, -1)
    across = _filter(columns, left, right, wide, tent) @ across
    return np.ascontiguousarray(across.reshape(wide, high, channels).transpose(1, 0, 2))


def region(rectangle: tuple[float, float, float, float], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of the pixels of a picture of a shape (H, W, ...) that a rectangle touches."""
    left, top, right, bottom = rectangle
    rows = slice(max(int(np.floor(top)), 0), min(int(np.ceil(bottom)), shape[0]))
    return rows, slice(max(int(np.floor(left)), 0), min(int(np.ceil(right)), shape[1]))


def lift(small: np.ndarray, rectangle: tuple[float, float, float, float], part: tuple[slice, slice]) -> np.ndarray:
    """The inverse of :func:`cut`: (h, w, C) float32 at a picture's own pixels, (rows, columns, C), bicubic."""
    bands = [band.transpose(0, 2, 1) for _, band in lift_bands(small, rectangle, part)]
    return np.concatenate(bands)


def lift_bands(small: np.ndarray, rectangle: tuple[float, float, float, float], part: tuple[slice, slice],
               height: int = 64) -> Iterator[tuple[slice, np.ndarray]]:
    """The same band by band, so that many channels need little memory: rows of ``part``, (rows, C, columns)."""
    (rows, columns, channels), (left, top, right, bottom) = small.shape, rectangle
    down, across = part
    x, y = columns / (right - left), rows / (bottom - top)
    turned = np.ascontiguousarray(small.transpose(1, 2, 0)).reshape(columns, -1)
    sideways = _filter(columns, (across.start - left) * x, (across.stop - left) * x, across.stop - across.start, cubic)
    wide = sideways @ turned
    wide = np.ascontiguousarray(wide.reshape(-1, channels, rows).transpose(2, 1, 0)).reshape(rows, -1)
    count = down.stop - down.start
    upright = _filter(rows, (down.start - top) * y, (down.stop - top) * y, count, cubic)
    for start in range(0, count, height):
        band = slice(start, min(start + height, count))
        yield band, (upright[band] @ wide).reshape(band.stop - start, channels, -1)


def feather(rectangle: tuple[float, float, float, float], shape: tuple[int, ...]) -> np.ndarray:
    """(rows, columns) float32 of the rectangle's :func:`region`: 1 inside, smoothly 0 at those of its edges that lie
    inside the picture of a shape (H, W, ...)."""
    (left, top, right, bottom), part = rectangle, region(rectangle, shape)
    margin = FEATHER * (bottom - top)
    ramps = [_ramp(across, start, stop, length, margin)
             for across, start, stop, length in zip(part, (top, left), (bottom, right), shape, strict=False)]
    return ramps[0][:, None] * ramps[1]


def _ramp(part: slice, start: float, stop: float, length: int, margin: float) -> np.ndarray:
    """Along one axis of a picture of a length."""
    place = np.arange(part.start, part.stop) + 0.5
    near = np.full_like(place, np.inf)
    for edge, distance in ((start > 0, place - start), (stop < length, stop - place)):
        near = np.minimum(near, distance) if edge else near
    share = np.clip(near / margin, 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)


def cubic(distance: np.ndarray) -> np.ndarray:
    """Keys' interpolation kernel with a = -1/2 (1981), at distances in samples."""
    near, far = (1.5 * distance - 2.5) * distance**2 + 1, ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return np.where(distance < 1, near, np.where(distance < 2, far, 0))


@functools.lru_cache(maxsize=16)
def _filter(source: int, start: float, stop: float, count: int, kernel) -> scipy.sparse.csr_matrix:
    """:func:`filter_weights` of a row of pixels that goes on at both ends as it ends, sparse."""
    import scipy.sparse

    before, after = max(0, int(np.ceil(-start))), max(0, int(np.ceil(stop - source)))
    weights = filter_weights(source + before + after, start + before, stop + before, count, kernel)
    inside = weights[:, before:before + source]
    inside[:, 0] += weights[:, :before].sum(axis=1)
    inside[:, -1] += weights[:, before + source:].sum(axis=1)
    return scipy.sparse.csr_matrix(inside)
