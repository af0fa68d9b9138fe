"""Video as footage: an index of its pictures' times, decoding from any of them, damage that doesn't shift the rest."""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import itertools
import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from assets.errors import AssetError
from assets.files import one_line
from relight.footage.colour import HDR_TRANSFERS, ColourTags, tags_of, to_rgb
from relight.footage.footage import DEFAULT_FPS, MAX_FRAMES, Footage, check_picture_size

CONTAINERS = ("mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,obu,ivf,flv,asf,ogg,mxf,gxf,nut,gif,apng,"
              "yuv4mpegpipe,dv,rm,wtv,vc1,mjpeg")  # fmt: skip
"""FFmpeg's demuxers that are used: none that follows a list to other files or addresses (hls, dash, concat, sdp)."""
_ONE_PICTURE_A_PACKET = ("h264", "hevc", "libdav1d", "av1", "vp9", "mjpeg", "prores", "mpeg4", "ffv1", "dnxhd", "png")
"""Decoders whose pictures can be counted without decoding, where the container knows the packets' times."""
_MAX_FPS = 1000


@dataclasses.dataclass(kw_only=True)
class VideoFootage(Footage):
    """A video file. A picture that cannot be decoded is given as the one before it, so that numbers and times hold."""

    stream: int
    """The video stream's index in its container."""
    keys: list[int] | None
    """Numbers of the pictures where decoding can begin, ascending; None: numbers come from counting alone."""
    coded_size: tuple[int, int]
    """Width and height before rotation, pixels."""
    orientation: tuple[bool, bool, bool]
    """From stored to displayed: swap rows and columns, then mirror the rows' order, then the columns'."""

    @property
    def names(self) -> list[str]:
        return [f"{number:06d}" for number in range(self.frames)]

    @property
    def files(self) -> list[Path]:
        return [self.path]

    def pictures(self, start: int = 0, step: int = 1) -> Iterator[np.ndarray]:
        self.check_start(start)
        for count, frame in enumerate(self._complete(start)):
            if count % step == 0:  # making a picture of a frame takes longer than decoding it
                yield self._picture(frame)

    def _complete(self, start: int) -> Iterator[av.VideoFrame]:
        """A decoded frame for every picture from ``start`` on: the one before it, or the first, where one is broken."""
        due, held, missing = start, None, 0
        if due == self.frames:
            return
        for number, frame in self._numbered(start):
            if number >= due:
                for _ in range(number - due):
                    missing += 1
                    yield frame if held is None else held
                yield frame
                due = number + 1
            held = frame
        if held is None:
            raise AssetError(f"{one_line(self.path)}: no picture can be decoded any more")
        for _ in range(self.frames - due):
            missing += 1
            yield held
        if missing:
            self.damage = f"{one_line(self.path)}: {missing:,} of {self.frames:,} pictures are broken and stand still"

    def _picture(self, frame: av.VideoFrame) -> np.ndarray:
        if (frame.width, frame.height) != self.coded_size:
            raise AssetError(
                f"{one_line(self.path)}: has a picture of {frame.width} x {frame.height} pixels among those of "
                f"{self.coded_size[0]} x {self.coded_size[1]}; all pictures must be of one size"
            )
        picture = to_rgb(frame, self.colour)
        swap, rows, columns = self.orientation
        picture = picture.swapaxes(0, 1) if swap else picture
        return np.ascontiguousarray(picture[:: -1 if rows else 1, :: -1 if columns else 1])

    def _numbered(self, start: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """Decoded frames with their numbers, from at or before ``start`` on."""
        with open_container(self.path) as container:
            stream = container.streams[self.stream]
            sought = start > 0 and self._seek(container, stream, start)
            for count, frame in enumerate(_frames(container, stream)):
                number = count if self.keys is None else int(np.searchsorted(self.pts, frame.pts, "right")) - 1
                if sought and count == 0 and number > start:
                    break  # too far: the container seeks by decoding times, or no picture follows the key alone
                yield number, frame
            else:
                return
        yield from self._numbered(0)

    def _seek(self, container: av.container.InputContainer, stream: av.VideoStream, start: int) -> bool:
        place = bisect.bisect_right(self.keys or [], start) - 1
        if place < 0:
            return False
        try:
            container.seek(int(self.pts[self.keys[place]]), stream=stream)
        except av.FFmpegError:
            container.seek(0)
            return False
        return True


def open_container(path: Path) -> av.container.InputContainer:
    """PyAV's container of one plain file. AssetError: it is no video."""
    try:
        return av.open(os.path.abspath(path), metadata_errors="replace",
                       options={"format_whitelist": CONTAINERS, "protocol_whitelist": "file"})  # fmt: skip
    except (av.FFmpegError, ValueError, RuntimeError) as error:
        raise AssetError(f"{one_line(path)}: is neither video nor image that can be read ({_why(error)})") from None


def open_video(path: Path) -> VideoFootage:
    """Read the times of all pictures and decode the first. AssetError, one line, for what cannot be used."""
    name = one_line(path)
    with open_container(path) as container:
        stream = _video_stream(name, container)
        check_picture_size(path, stream.codec_context.width, stream.codec_context.height)
        pts, keys, last_duration, damage = _index(name, container, stream)
        if not len(pts):
            raise AssetError(f"{name}: holds no picture (no frame of its video stream can be read)")
        fps = _rate(stream, pts)
        has_audio, index, time_base = bool(container.streams.audio), stream.index, stream.time_base
    with open_container(path) as container:
        frame = next(_frames(container, container.streams[index]), None)
    if frame is None:
        raise AssetError(f"{name}: no picture can be decoded")
    check_picture_size(path, frame.width, frame.height)
    colour, orientation = _colour(name, frame), _orientation(frame)
    if keys is None and not (pts[0] is not None and None not in pts and np.all(np.diff(pts) > 0)):
        pts, time_base, last_duration = range(len(pts)), 1 / fps, 1
    width, height = (frame.height, frame.width) if orientation[0] else (frame.width, frame.height)
    return VideoFootage(
        path=path, kind="video", width=width, height=height, fps=fps, pts=np.array(pts, np.int64),
        time_base=time_base, last_duration=last_duration or max(1, round(1 / (fps * time_base))), colour=colour,
        has_audio=has_audio, damage=damage and f"{name}: {damage}", stream=index, keys=keys,
        coded_size=(frame.width, frame.height), orientation=orientation,
    )  # fmt: skip


def _why(error: Exception) -> str:
    return one_line(getattr(error, "strerror", None) or error)[:120]


def _video_stream(name: str, container: av.container.InputContainer) -> av.VideoStream:
    covers = av.stream.Disposition.attached_pic
    for stream in container.streams.video:
        if not stream.disposition & covers:
            if stream.codec_context is None:
                raise AssetError(f"{name}: its video cannot be decoded (unknown to FFmpeg, or the file is cut short)")
            return stream
    raise AssetError(f"{name}: holds no video stream")


def _colour(name: str, frame: av.VideoFrame) -> ColourTags:
    try:
        tags = tags_of(frame)
    except ValueError as error:
        raise AssetError(f"{name}: {error}") from None
    if tags.transfer in HDR_TRANSFERS:
        raise AssetError(
            f"{name}: is HDR video, {HDR_TRANSFERS[tags.transfer]}; only standard dynamic range is read: convert it to "
            f"Rec.709 first"
        )
    return tags


def _orientation(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """From the display matrix x' = a x + c y, y' = b x + d y (rows a b 0, c d 0), at the nearest right angle."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d = np.frombuffer(data, np.int32)[:5].tolist()
            swap = abs(b) + abs(c) > abs(a) + abs(d)
            return (True, b < 0, c < 0) if swap else (False, d < 0, a < 0)
    return (False, False, False)


def _rate(stream: av.VideoStream, pts: list[int | None]) -> Fraction:
    """Average pictures a second: as the container says, else from the times, else the default."""
    if all(value is not None for value in (pts[0], pts[-1])) and pts[-1] > pts[0]:
        measured = (len(pts) - 1) / ((pts[-1] - pts[0]) * stream.time_base)
    else:
        measured = DEFAULT_FPS
    for rate in (stream.average_rate, stream.guessed_rate, measured.limit_denominator(1001)):
        if rate and 0 < rate <= _MAX_FPS:
            return Fraction(rate)
    return DEFAULT_FPS


def _index(name: str, container: av.container.InputContainer, stream: av.VideoStream):
    """(times, keys as in VideoFootage, duration of the last picture or 0, damage or None)."""
    timed = container.format.name.startswith(("mov", "matroska"))
    if timed and stream.codec_context.name in _ONE_PICTURE_A_PACKET:
        index = _index_packets(name, container, stream)
        if index is not None:
            return index
        container.seek(0)
    pts = [frame.pts for frame in _bounded(name, _frames(container, stream))]
    return pts, None, 0, None


def _index_packets(name: str, container: av.container.InputContainer, stream: av.VideoStream):
    pts, keys, last, seen = [], [], (0, 0), 0
    for packet in _bounded(name, _packets(container, stream, broken := [])):
        seen += 1
        if packet.is_discard:  # cut away by an edit list
            continue
        if packet.pts is None:
            return None
        pts.append(packet.pts)
        last = max(last, (packet.pts, packet.duration or 0)) if len(pts) > 1 else (packet.pts, packet.duration or 0)
        if packet.is_keyframe:
            keys.append(packet.pts)
    times = sorted(set(pts))
    numbers = {time: number for number, time in enumerate(times)}
    damage = None
    if broken or seen < stream.frames:
        damage = f"cut short or damaged: {len(times):,} of {max(stream.frames, len(times) + 1):,} pictures can be read"
    return times, sorted(numbers[time] for time in keys), last[1], damage


def _bounded(name: str, items: Iterable) -> Iterator:
    for count, item in enumerate(items):
        if count == MAX_FRAMES:
            raise AssetError(f"{name}: has more than {MAX_FRAMES:,} pictures")
        yield item


def _packets(container: av.container.InputContainer, stream: av.VideoStream, broken: list) -> Iterator[av.Packet]:
    """Whole packets until the end, or until the container is broken; ``broken`` gets an item for what was left out."""
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                broken.append(packet.pts)
            elif packet.size:
                yield packet
    except av.FFmpegError as error:
        broken.append(error)


def _frames(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """Every picture that can be decoded; packets that cannot are left out."""
    stream.thread_type = "AUTO"
    for packet in itertools.chain(_packets(container, stream, []), [None]):  # None: what the decoder still holds
        with contextlib.suppress(av.FFmpegError):
            yield from stream.decode(packet)
