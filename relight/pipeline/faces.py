"""Where the face is in every frame: OpenCV's cascades find faces, one of them is followed, its box is made steady."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from relight.pipeline.shot import Pictures

LONG_SIDE = 320
"""Pixels of the long side of the copy that is searched: faces from a tenth of it upwards are found."""
SCAN = 1.05
"""Step from one size of window to the next; at 1.1 the search takes half the time and misses a tenth of the renders."""
RATE = 4.0
"""Searched frames a second: between two of them a head moves by less than its own size."""
WHOLE = 4
"""Of so many searches one looks through the whole picture; the others, about the face found last, take a tenth."""
ABOUT = 1.0
"""How far beyond the last face's box is searched, in its sides; faces there are up to a third smaller or larger."""
FRONTAL, PROFILE = "haarcascade_frontalface_alt2", "haarcascade_profileface"
"""``alt2`` found as many faces of the real clips as ``default``, with no false one and half its jitter."""
PROFILE_SIDE = 0.9
"""A frontal box's side over that of the profile cascade's box of the same face."""
SMOOTH = 0.3
"""Standard deviation of the Gaussian along time, seconds."""
_CASCADES = threading.local()
_JUMP = 4.0
"""What it costs at most to go on with a box elsewhere, in frames of the largest face."""
_REMEMBERED = 1000
"""Boxes that a box may follow directly: two minutes of one face. Bounds the time on long footage."""


def find_faces(picture: np.ndarray, last: np.ndarray | None = None) -> np.ndarray:
    """Faces in a picture (H, W, 3) of display values in [0, 1]: (N, 4) float64 rows of centre x, centre y and side of
    a square box in the picture's pixels, and weight. Frontal faces weigh 1; where there are none, profiles 1/2.

    last: such a row. If a frontal face like it is near, the rest of the picture is not searched."""
    import cv2

    height, width = picture.shape[:2]
    scale = LONG_SIDE / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    # The cascade normalises each window's contrast itself; equalising the whole picture first only lifts its noise.
    grey = cv2.cvtColor((np.clip(small, 0, 1) * 255 + 0.5).astype(np.uint8), cv2.COLOR_RGB2GRAY)
    back = np.array([size[0] / width, size[1] / height, scale, 1])
    found = [] if last is None else [(*face, 1.0) for face in _search_near(grey, *(last * back)[:3])]
    found = found or [(x, y, side, 1.0) for x, y, side in _search(FRONTAL, grey)]
    if not found:
        found = [(x, y, PROFILE_SIDE * side, 0.5) for x, y, side in _search(PROFILE, grey)]
        mirrored = np.ascontiguousarray(grey[:, ::-1])
        found += [(size[0] - x, y, PROFILE_SIDE * side, 0.5) for x, y, side in _search(PROFILE, mirrored)]
    return np.array(found, np.float64).reshape(-1, 4) / back


def _search(name: str, grey: np.ndarray, least: int = LONG_SIDE // 10, most: int = 0
            ) -> list[tuple[float, float, float]]:
    """Centre x, centre y and side of what a cascade finds, pixels of ``grey``; sides from least to most, 0 for any."""
    boxes = _cascade(name).detectMultiScale(grey, scaleFactor=SCAN, minNeighbors=3, minSize=(least, least),
                                            maxSize=(most, most))
    return [(x + w / 2, y + h / 2, float(h)) for x, y, w, h in boxes]


def _search_near(grey: np.ndarray, x: float, y: float, side: float) -> list[tuple[float, float, float]]:
    """Frontal faces about a box."""
    reach = (0.5 + ABOUT) * side
    left, top = max(int(x - reach), 0), max(int(y - reach), 0)
    part = grey[top:int(y + reach) + 1, left:int(x + reach) + 1]
    if min(part.shape) < 4:
        return []
    found = _search(FRONTAL, np.ascontiguousarray(part), max(round(side / 1.5), LONG_SIDE // 10), round(1.5 * side))
    return [(left + across, top + down, size) for across, down, size in found]


def _cascade(name: str):
    """A classifier of this thread's own: one can't search two pictures at once."""
    import cv2

    if not hasattr(_CASCADES, name):
        setattr(_CASCADES, name, cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / f"{name}.xml")))
    return getattr(_CASCADES, name)


def track_faces(footage: Pictures, fps: float = 25.0) -> np.ndarray | None:
    """The box of one face in every frame of a clip: the one that is largest for longest.

    About ``RATE`` pictures a second are read and searched, one at a time. Returns (T, 4) float64 left, top, right,
    bottom in pixels: squares, smooth in time without lag; None if no face was found in any frame.
    """
    step, found, last = max(1, round(fps / RATE)), [], None
    for count, picture in enumerate(footage.pictures(step=step)):
        faces = find_faces(picture, last if count % WHOLE else None)
        found.append((count * step, faces))
        last = max(faces, key=lambda face: face[3] * face[2], default=None)
    return follow(found, footage.frames, fps)


def follow(found: Sequence[tuple[int, np.ndarray]], frames: int, fps: float) -> np.ndarray | None:
    """(T, 4) boxes as :func:`track_faces` gives them, from what :func:`find_faces` found in some frames, in order."""
    from scipy.ndimage import gaussian_filter1d, median_filter

    numbers = np.array([number for number, faces in found for _ in faces])
    if not len(numbers):
        return None
    chain = _chain(numbers, np.concatenate([faces for _, faces in found]))
    numbers, faces = numbers[[i for i, _ in chain]], np.array([face for _, face in chain])
    usual = np.stack([median_filter(column, 5, mode="nearest") for column in faces.T], axis=1)
    kept = (np.abs(faces - usual) < 0.25 * usual[:, 2:]).all(axis=1)
    if kept.any():
        numbers, faces = numbers[kept], faces[kept]
    dense = np.stack([np.interp(np.arange(frames), numbers, column) for column in faces.T], axis=1)
    x, y, side = gaussian_filter1d(dense, max(SMOOTH * fps, 1e-3), axis=0, mode="nearest").T
    return np.stack([x - side / 2, y - side / 2, x + side / 2, y + side / 2], axis=1)


def _chain(numbers: np.ndarray, faces: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """The best chain of boxes, at most one a frame, as (index, (centre x, centre y, side)): large boxes are worth more,
    far jumps cost (Viterbi)."""
    place, side = faces[:, :2], faces[:, 2]
    worth = faces[:, 3] * side / side.max()
    total, before = worth.copy(), np.full(len(faces), -1)
    for i in range(len(faces)):
        stop = int(np.searchsorted(numbers, numbers[i]))
        start = max(0, stop - _REMEMBERED)
        if start == stop:
            continue
        moved = np.hypot(*(place[start:stop] - place[i]).T) / side[i]
        grown = np.abs(np.log(side[start:stop] / side[i]))
        onward = total[start:stop] - np.minimum(moved + 2 * grown, _JUMP)
        best = int(np.argmax(onward))
        if onward[best] > 0:
            total[i], before[i] = worth[i] + onward[best], start + best
    chain, i = [], int(np.argmax(total))
    while i >= 0:
        chain.append((i, faces[i, :3]))
        i = before[i]
    return chain[::-1]
