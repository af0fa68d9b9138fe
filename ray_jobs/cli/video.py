"""H.264 video from 8-bit pictures, as every browser plays it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from assets.errors import DatasetError


def write_mp4(path: Path, pictures: Iterable[np.ndarray], fps: float) -> int:
    """Encode (H, W, 3) uint8 sRGB pictures of one size; the MP4 appears whole. Returns their number."""
    import av

    from relight.footage.encode import H264Stream, h264_encoder

    if h264_encoder() is None:
        raise DatasetError(f"{path}: PyAV's FFmpeg has no H.264 encoder (libx264, libopenh264); use --no-video")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with av.open(str(temporary), "w", format="mp4", options={"movflags": "faststart"}) as container:
            stream = H264Stream(container, fps, crf=18, preset="veryfast")
            for picture in pictures:
                stream.write(picture)
            count = stream.close()
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return count
