"""Small videos for the tests of footage, made with PyAV."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT = 64, 48


def level(number: int) -> int:
    """The grey of a test video's picture."""
    return 20 + 7 * number % 211


def pictures(count: int, width: int = WIDTH, height: int = HEIGHT) -> list[np.ndarray]:
    """Grey pictures, each with another level, whose upper left quarter is red."""
    made = []
    for number in range(count):
        picture = np.full((height, width, 3), level(number), np.uint8)
        picture[: height // 2, : width // 2] = (230, 30, 40)
        made.append(picture)
    return made


def make_video(
    path: Path, frames: list[np.ndarray], codec: str = "libx264", pix_fmt: str = "yuv420p", pts=None, rate: int = 25,
    time_base: Fraction | None = None, audio: str | None = None, rotation: int | None = None, tags: dict | None = None,
    options: dict | None = None, container_options: dict | None = None,
) -> Path:  # fmt: skip
    """Write a video (``audio``: a second of a tone by that encoder); returns its path."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.options = pix_fmt, options or {}
        if time_base is not None:
            stream.codec_context.time_base = time_base
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        if audio:
            sound = container.add_stream(audio, rate=8000)
            sound.layout = "mono"
        for number, array in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(array, format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = (number if pts is None else pts[number]), time_base or Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if audio:
            tone = (8000 * np.sin(np.arange(8000) / 5)).astype(np.int16)
            for start in range(0, 8000, 1000):
                piece = av.AudioFrame.from_ndarray(tone[None, start : start + 1000], format="s16", layout="mono")
                piece.sample_rate, piece.pts = 8000, start
                container.mux(sound.encode(piece))
            container.mux(sound.encode())
    return path


def planes_video(path: Path, pix_fmt: str, values: tuple, size=(WIDTH, HEIGHT), **tags) -> Path:
    """One lossless picture of constant (or, for arrays, given) planes."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        (stream.width, stream.height), stream.pix_fmt = size, pix_fmt
        frame = av.VideoFrame(*size, pix_fmt)
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
            setattr(frame, name, value)
        dtype = np.uint8 if "10" not in pix_fmt else np.uint16
        for plane, value in zip(frame.planes, values, strict=True):
            rows = np.zeros((plane.buffer_size // plane.line_size, plane.line_size // dtype().itemsize), dtype)
            rows[:, : plane.width] = value
            plane.update(rows.tobytes())
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def audio_packets(path: Path) -> list[tuple]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return [(packet.pts * stream.time_base, bytes(packet)) for packet in container.demux(stream) if packet.size]
