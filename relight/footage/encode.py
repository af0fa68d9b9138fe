"""H.264 as every browser plays it: 4:2:0, 8 bits, Rec.709 matrix in the pixels and in the header."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

from relight.footage.colour import to_yuv420


def h264_encoder() -> str | None:
    """The H.264 encoder inside PyAV's own FFmpeg, best first."""
    return next((name for name in ("libx264", "libopenh264") if name in av.codecs_available), None)


class H264Stream:
    """A video stream of a container that was opened for writing; takes pictures of one size, evenly spaced."""

    def __init__(
        self, container: av.container.OutputContainer, fps: Fraction | float, *, crf: int, preset: str,
        primaries: int = 1, transfer: int = 1, gop: int | None = None,
    ):  # fmt: skip
        """``crf``, ``preset``: x264's quality and effort. ``primaries``, ``transfer``: code points of ITU-T H.273.

        ``gop``: a key picture every so many and each after the one before it (no B pictures), so that files can be
        joined packet by packet; None leaves it to the encoder.
        """
        self._container, encoder = container, h264_encoder()
        self._stream = container.add_stream(encoder, rate=Fraction(fps).limit_denominator(100_000))
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        # Without tags players take small pictures for Rec.601.
        context.colorspace, context.color_range = 1, 1
        context.color_primaries, context.color_trc = primaries, transfer
        options = {"crf": str(crf), "preset": preset} if encoder == "libx264" else {}
        if gop is not None:
            context.gop_size, context.max_b_frames = gop, 0
        self._stream.options = options
        self._count = 0

    def write(self, picture: np.ndarray) -> None:
        """Encode (H, W, 3) float32 display values in [0, 1], or uint8; odd sides grow by a repeated row or column."""
        frame = to_yuv420(picture)
        if self._count == 0:
            self._stream.width, self._stream.height = frame.width, frame.height
        frame.pts, self._count = self._count, self._count + 1
        self._container.mux(self._stream.encode(frame))

    def close(self) -> int:
        """Write what the encoder still holds; returns the number of pictures. The container stays open."""
        if self._count:
            self._container.mux(self._stream.encode())
        return self._count
