"""Recorded motion as performances: from a file to :class:`Performance`, whatever tracked it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from assets.errors import AssetError
from assets.files import check_regular_file, one_line
from synth.motion.imports.bvh import read_bvh
from synth.motion.imports.csv_curves import read_csv
from synth.motion.imports.flame import read_flame
from synth.motion.performance import POSES, Performance

READERS = {".npz": read_flame, ".csv": read_csv, ".bvh": read_bvh}
"""By suffix: FLAME parameters, ARKit curves, skeletons."""
MAX_FRAMES = 1_000_000
"""Frames that a performance may be resampled to: nine hours at 30 a second."""


def load_track(path: str | Path, fps: float | None = None) -> Performance:
    """A recorded performance, at its own frame rate or resampled to ``fps``.

    The suffix says what it is (``.npz``, ``.csv``, ``.bvh``), or the first bytes where it says nothing. A FLAME track
    that doesn't give its rate is taken to be at ``fps``, or at 25 where that isn't given either.
    """
    path = Path(path)
    check_regular_file(path)
    reader = READERS.get(path.suffix.lower()) or _sniffed(path)
    performance = reader(path, fps)
    return performance if fps is None else resample(performance, fps, one_line(path))


def _sniffed(path: Path):
    with open(path, "rb") as file:
        start = file.read(256)
    if start.startswith(b"PK\x03\x04"):
        return read_flame
    if start.lstrip().upper().startswith(b"HIERARCHY"):
        return read_bvh
    if b"," in start.split(b"\n")[0] and b"\0" not in start:
        return read_csv
    raise AssetError(f"{one_line(path)}: no motion track that is known; expected FLAME parameters (.npz), ARKit curves "
                     "(.csv) or a skeleton (.bvh)")


def resample(performance: Performance, fps: float, name: str = "performance") -> Performance:
    """The same performance at another frame rate: rotations by the shortest arc, the rest linearly between frames.

    ``name`` is what errors call it.
    """
    if not (np.isfinite(fps) and fps > 0):
        raise ValueError(f"fps: {fps}, expected a positive number of frames a second")
    if fps == performance.fps:
        return performance
    count = (performance.frames - 1) / performance.fps * fps + 1e-6 + 1
    if count >= MAX_FRAMES + 1:
        raise AssetError(f"{name}: {performance.frames:,} frames at {performance.fps:g} a second are {count:,.0f} at "
                         f"{fps:g}, may be {MAX_FRAMES:,}")
    place = np.minimum(np.arange(int(count)) / fps * performance.fps, performance.frames - 1)
    low = np.minimum(place.astype(int), max(performance.frames - 2, 0))
    high = np.minimum(low + 1, performance.frames - 1)
    part = (place - low).astype(np.float32)

    def mixed(curve: np.ndarray) -> np.ndarray:
        weight = part.reshape(-1, *[1] * (curve.ndim - 1))
        return (curve[low] + weight * (curve[high] - curve[low])).astype(np.float32)

    return dataclasses.replace(
        performance, fps=float(fps), units={name: mixed(curve) for name, curve in performance.units.items()},
        translation=mixed(performance.translation), flame=None if performance.flame is None else mixed(
            performance.flame),
        **{name: _slerp(getattr(performance, name), low, high, part) for name in POSES},
    )


def _slerp(vectors: np.ndarray, low: np.ndarray, high: np.ndarray, part: np.ndarray) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    start, end = Rotation.from_rotvec(vectors[low]), Rotation.from_rotvec(vectors[high])
    step = Rotation.from_rotvec((start.inv() * end).as_rotvec() * part[:, None])
    return (start * step).as_rotvec().astype(np.float32)
