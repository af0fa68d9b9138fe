"""H.264 video from 8-bit pictures, as every browser plays it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

from assets.errors import DatasetError
from ray_jobs.cli.machine import h264_encoder


def write_mp4(path: Path, pictures: Iterable[np.ndarray], fps: float) -> int:
    """Encode (H, W, 3) uint8 sRGB pictures of one size with even sides; the MP4 appears whole. Returns their number."""
    import av
    from av.video.reformatter import Colorspace

    encoder = h264_encoder()
    if encoder is None:
        raise DatasetError(f"{path}: PyAV's FFmpeg has no H.264 encoder (libx264, libopenh264); use --no-video")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    count = 0
    try:
        with av.open(str(temporary), "w", format="mp4", options={"movflags": "faststart"}) as container:
            stream = container.add_stream(encoder, rate=Fraction(fps).limit_denominator(1001))
            stream.pix_fmt = "yuv420p"
            if encoder == "libx264":
                stream.options = {"crf": "18", "preset": "veryfast"}
            # Rec.709 in the pixels and in the header, or players take small pictures for Rec.601.
            stream.codec_context.colorspace = Colorspace.ITU709
            stream.codec_context.color_primaries = stream.codec_context.color_trc = 1
            for picture in pictures:
                if count == 0:
                    stream.height, stream.width = picture.shape[:2]
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)))
                count += 1
            container.mux(stream.encode())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return count
