"""Join segments to one video without encoding again, beside the source's audio."""

from __future__ import annotations

import contextlib
import errno
import heapq
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.audio.resampler import AudioResampler

from assets.errors import AssetError
from assets.files import atomic_write, one_line
from relight.footage.footage import Footage
from relight.footage.video import open_container

VIDEO_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov"}
"""FFmpeg's muxer, by suffix."""
_COPIED_AUDIO = {
    "mp4": ("aac", "mp3", "mp3float", "ac3", "eac3", "alac", "opus", "libopus", "flac"),
    "mov": ("aac", "mp3", "mp3float", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be"),
}
"""Audio that players expect in the container; any other becomes AAC."""
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)


def join(segments: list[Path], footage: Footage, path: Path) -> None:
    """Write ``path`` (its suffix says the container) from segments that hold the footage's pictures in order.

    Pictures get the source's time stamps, on its time base. Audio is copied packet by packet, or encoded to AAC where
    the container has no place for it. AssetError: full disk, no place to write.
    """
    muxer = VIDEO_FORMATS[path.suffix.lower()]
    # Edit lists, which hold a late start, count in the movie's time scale, 1/1000 s unless told.
    options = {"movflags": "faststart", "movie_timescale": str(max(1000, footage.time_base.denominator))}
    with _joining_errors(path), atomic_write(path, sum(file.stat().st_size for file in segments)) as temporary:
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(av.open(str(temporary), "w", format=muxer, options=options))
            with av.open(str(segments[0])) as first:
                video = output.add_stream_from_template(first.streams.video[0], opaque=True)
            video.time_base = footage.time_base
            tracks, start = [], Fraction(0)
            if footage.kind == "video":
                source = stack.enter_context(open_container(footage.path))
                # As every player does: what starts late (transport streams) starts at 0, audio and video together.
                start = max(Fraction(0), Fraction(source.start_time or 0, av.time_base))
                tracks = [_audio(source, audio, output, muxer, start) for audio in source.streams.audio[:1]]
            tracks.append(_pictures(segments, footage, video, start))
            for packet in heapq.merge(*tracks, key=lambda packet: packet.dts * packet.time_base):
                output.mux_one(packet)
        if _count(temporary) != footage.frames:  # the muxer doesn't always notice a full disk
            raise OSError(errno.EIO, "the file is not whole")


@contextlib.contextmanager
def _joining_errors(path: Path) -> Iterator[None]:
    """FFmpeg's errors as an AssetError that names ``path``; a full disk is left to ``atomic_write``."""
    try:
        yield
    except av.FFmpegError as error:
        raise AssetError(f"{one_line(path)}: cannot be written ({one_line(error.strerror or error)})") from None


def _count(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(packet.size > 0 for packet in container.demux(container.streams.video[0]))


def _pictures(
    segments: list[Path], footage: Footage, stream: av.VideoStream, start: Fraction
) -> Iterator[av.Packet]:
    """The segments' packets with the source's times; without B pictures they are decoded in the order of display."""
    number, shift = 0, min(int(start / footage.time_base), int(footage.pts[0]))
    for file in segments:
        with av.open(str(file)) as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.size:
                    time, last = int(footage.pts[number]), number + 1 == footage.frames
                    packet.pts = packet.dts = time - shift
                    packet.duration = footage.last_duration if last else int(footage.pts[number + 1]) - time
                    packet.time_base, packet.stream = footage.time_base, stream
                    number += 1
                    yield packet
    if number != footage.frames:
        raise AssetError(f"{one_line(segments[0].parent)}: holds {number} of {footage.frames} pictures, remove it")


def _audio(
    source: av.container.InputContainer, stream: av.AudioStream, output: av.container.OutputContainer, muxer: str,
    start: Fraction,
) -> Iterator[av.Packet]:
    """Packets of the source's audio for ``output``, to which a stream is added at once."""
    if stream.codec_context is None:
        return iter(())
    if stream.codec_context.name in _COPIED_AUDIO[muxer]:
        return _copied(source, stream, output.add_stream_from_template(stream, opaque=True), start)
    rate = stream.codec_context.sample_rate
    target = output.add_stream("aac", rate=rate if rate in _AAC_RATES else 48000)
    target.layout = "mono" if stream.codec_context.layout.nb_channels == 1 else "stereo"
    return _encoded(source, stream, target, start)


def _copied(source, stream: av.AudioStream, target: av.AudioStream, start: Fraction) -> Iterator[av.Packet]:
    shift = round(start / stream.time_base)
    for packet in _readable(source, stream):
        if packet.size and packet.dts is not None and not packet.is_corrupt:
            packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, target
            yield packet


def _encoded(source, stream: av.AudioStream, target: av.AudioStream, start: Fraction) -> Iterator[av.Packet]:
    context = target.codec_context
    resampler = AudioResampler(format="fltp", layout=context.layout, rate=context.sample_rate, frame_size=1024)
    for packet in _readable(source, stream):
        frames = []
        with contextlib.suppress(av.FFmpegError):  # a broken packet is a moment of silence
            frames = stream.decode(packet)
        for frame in frames:
            if frame.pts is not None:
                frame.pts -= round(start / frame.time_base)
            for piece in resampler.resample(frame):
                yield from target.encode(piece)
    for piece in resampler.resample(None):
        yield from target.encode(piece)
    yield from target.encode(None)


def _readable(source, stream: av.AudioStream) -> Iterator[av.Packet]:
    """Packets until the end, or until the container is broken."""
    with contextlib.suppress(av.FFmpegError):
        yield from source.demux(stream)
