"""Footage in, on small files that PyAV and Pillow make here: video, images, and what is hostile or broken."""

from __future__ import annotations

import itertools
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from assets.errors import AssetError
from relight.footage.colour import tags_of, to_rgb, to_yuv420
from relight.footage.read import open_footage
from tests.relight.videos import HEIGHT, WIDTH, level, make_video, pictures, planes_video


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts"])
def test_pictures_from_any_number_on(tmp_path, suffix):
    footage = open_footage(make_video(tmp_path / f"a{suffix}", pictures(50), options={"g": "12", "bf": "3"}))
    whole = list(footage)
    assert (footage.kind, footage.frames, len(whole), footage.damage) == ("video", 50, 50, None)
    assert (footage.width, footage.height, footage.fps, footage.has_audio) == (WIDTH, HEIGHT, 25, False)
    for number, picture in enumerate(whole):
        assert abs(picture[-8, -8].mean() * 255 - level(number)) < 3
    for start in (1, 11, 12, 13, 23, 30, 49):
        rest = list(itertools.islice(footage.pictures(start), 3))
        assert all(np.array_equal(a, b) for a, b in zip(rest, whole[start:], strict=False)) and rest
    assert len(list(footage.pictures(47))) == 3 and not list(footage.pictures(50))
    with pytest.raises(ValueError, match="start 51, may be 0 to 50"):
        next(footage.pictures(51))


def test_seeking_skips_what_lies_before(tmp_path):
    footage = open_footage(make_video(tmp_path / "a.mp4", pictures(60), options={"g": "10", "sc_threshold": "0"}))
    numbers = [number for number, _ in footage._numbered(45)]
    assert numbers == list(range(40, 60))


RED = {  # 100 % red in the standards' own tables: Rec.601, Rec.709 and JFIF
    "untagged small": ("yuv420p", (81, 90, 240), (WIDTH, HEIGHT), {}),
    "untagged large": ("yuv420p", (63, 102, 240), (1280, 720), {}),
    "709": ("yuv420p", (63, 102, 240), (WIDTH, HEIGHT), {"colorspace": 1}),
    "601": ("yuv422p", (81, 90, 240), (1280, 720), {"colorspace": 6}),
    "full": ("yuv444p", (76, 85, 255), (WIDTH, HEIGHT), {"colorspace": 5, "color_range": 2}),
    "709 10 bits": ("yuv420p10le", (250, 409, 960), (WIDTH, HEIGHT), {"colorspace": 1}),
    "2020 10 bits": ("yuv422p10le", (294, 387, 960), (WIDTH, HEIGHT), {"colorspace": 9}),
    "odd size": ("yuv420p", (81, 90, 240), (63, 47), {}),
}


@pytest.mark.parametrize("case", RED)
def test_tagged_matrix_and_range(tmp_path, case):
    pix_fmt, values, size, tags = RED[case]
    (picture,) = open_footage(planes_video(tmp_path / "a.mkv", pix_fmt, values, size, **tags))
    assert picture.shape == (size[1], size[0], 3) and picture.dtype == np.float32
    assert np.abs(picture - (1, 0, 0)).max() < 0.01


def test_ten_bits_keep_their_precision(tmp_path):
    ramp = np.linspace(64, 940, WIDTH).astype(np.uint16)
    (picture,) = open_footage(planes_video(tmp_path / "a.mkv", "yuv420p10le", (ramp, 512, 512), colorspace=1))
    assert np.abs(picture - ((ramp - 64.0) / 876)[:, None]).max() < 1e-6


@pytest.mark.parametrize("pix_fmt", ["gray", "bgra", "gbrp10le"])
def test_formats_without_colour_planes(tmp_path, pix_fmt):
    frames = [np.full((HEIGHT, WIDTH, 3), 200, np.uint8)]
    (picture,) = open_footage(make_video(tmp_path / "a.mkv", frames, "ffv1", pix_fmt))
    assert np.abs(picture * 255 - 200).max() < 0.6


def test_colours_return_from_4_2_0():
    """Straight ramps of every colour survive the halving and doubling of chroma, but for the borders."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / np.float32(WIDTH)
    picture = np.stack([0.2 + 0.6 * x, 0.7 - 0.5 * y, 0.3 + 0.3 * x + 0.2 * y], axis=-1).astype(np.float32)
    frame = to_yuv420(picture)
    frame.colorspace, frame.color_range = 1, 1
    error = np.abs(to_rgb(frame, tags_of(frame)) - picture)[2:-2, 2:-2]
    assert error.max() < 2 / 255


@pytest.mark.parametrize("rotation, corner", [(90, "lower left"), (-90, "upper right"), (180, "lower right")])
def test_rotation_is_applied(tmp_path, rotation, corner):
    """The upper left quarter is red; turned counter-clockwise by 90 degrees it comes to lie at the lower left."""
    footage = open_footage(make_video(tmp_path / "a.mp4", pictures(3), rotation=rotation))
    picture = next(iter(footage))
    assert picture.shape[:2] == (footage.height, footage.width)
    assert (footage.width, footage.height) == ((WIDTH, HEIGHT) if rotation == 180 else (HEIGHT, WIDTH))
    red = picture[..., 0] - picture[..., 1] > 0.4
    rows, columns = np.nonzero(red)
    found = f"{'upper' if rows.mean() < footage.height / 2 else 'lower'} " \
            f"{'left' if columns.mean() < footage.width / 2 else 'right'}"  # fmt: skip
    assert found == corner


def test_image_kinds(tmp_path):
    picture = pictures(1)[0]
    Image.fromarray(picture).save(tmp_path / "a.png")
    Image.fromarray(picture).convert("RGBA").save(tmp_path / "alpha.webp", lossless=True)
    Image.fromarray(picture).quantize(4).save(tmp_path / "palette.gif")
    for name in ("a.png", "alpha.webp", "palette.gif"):
        footage = open_footage(tmp_path / name)
        assert (footage.kind, footage.frames, footage.fps) == ("image", 1, None)
        assert np.abs(next(iter(footage)) * 255 - picture).max() < 4
    Image.fromarray(np.full((4, 6), 0x1234, np.uint16)).save(tmp_path / "deep.png")
    assert np.allclose(next(iter(open_footage(tmp_path / "deep.png"))), 0x1234 / 65535)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise by 90 degrees to display
    Image.fromarray(picture).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    footage = open_footage(tmp_path / "turned.jpg")
    turned = next(iter(footage))
    assert turned.shape == (footage.height, footage.width, 3) == (WIDTH, HEIGHT, 3)
    assert turned[8, -8, 0] > 0.8 and turned[8, -8, 1] < 0.3


def test_animated_gif_is_a_video(tmp_path):
    frames = [Image.fromarray(picture) for picture in pictures(4)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100)
    footage = open_footage(tmp_path / "a.gif")
    assert (footage.kind, footage.frames, len(list(footage))) == ("video", 4, 4)


def test_folder_in_natural_order(tmp_path):
    for number in (10, 9, 1):
        Image.fromarray(np.full((4, 6, 3), number, np.uint8)).save(tmp_path / f"f_{number}.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    footage = open_footage(tmp_path)
    assert (footage.kind, footage.frames, footage.names) == ("images", 3, ["f_1", "f_9", "f_10"])
    assert [round(float(picture.max() * 255)) for picture in footage.pictures(1)] == [9, 10]


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def hostile(tmp_path: Path, case: str) -> Path:
    path = tmp_path / "x.mp4"
    match case:
        case "text":
            path.write_text("no video\n" * 100)
        case "cut":  # the index is at the end
            cut(make_video(path, pictures(20)), 0.7)
        case "audio alone":
            with av.open(str(path), "w") as container:
                sound = container.add_stream("aac", rate=8000)
                piece = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                sound.layout, piece.sample_rate = "mono", 8000
                container.mux(sound.encode(piece))
                container.mux(sound.encode())
        case "no frames":
            path = tmp_path / "x.y4m"
            path.write_bytes(b"YUV4MPEG2 W64 H48 F25:1 C420jpeg\n")
        case "huge":
            path = tmp_path / "x.y4m"
            path.write_bytes(b"YUV4MPEG2 W20000 H9000 F25:1 C420jpeg\nFRAME\n")
        case "huge image":
            path = tmp_path / "x.pgm"
            path.write_bytes(b"P5 60000 60000 255\n")
        case "cut image":
            path = tmp_path / "x.png"
            Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
            cut(path, 0.5)
        case "playlist":
            make_video(tmp_path / "a.mp4", pictures(3))
            path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\na.mp4\n#EXT-X-ENDLIST\n")
        case "fifo":
            os.mkfifo(path)
        case "PQ":
            path = planes_video(tmp_path / "x.mkv", "yuv420p10le", (500, 512, 512), colorspace=9, color_trc=16)
        case "matrix":
            path = planes_video(tmp_path / "x.mkv", "yuv444p", (100, 128, 128), colorspace=8)
        case "empty folder":
            path.mkdir()
        case "mixed":
            for number, width in enumerate((6, 6, 7)):
                Image.new("RGB", (width, 4)).save(tmp_path / f"f{number}.png")
            path = tmp_path
        case "mixed video":
            path = tmp_path / "x.mkv"
            with av.open(str(path), "w") as container:
                stream = container.add_stream("mjpeg", rate=25)
                stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
                for number, size in enumerate(((64, 48), (32, 48))):
                    Image.new("RGB", size).save(tmp_path / "f.jpg")
                    packet = av.Packet((tmp_path / "f.jpg").read_bytes())
                    packet.pts = packet.dts = number
                    packet.time_base, packet.stream = Fraction(1, 25), stream
                    container.mux(packet)
    return path


HOSTILE = {
    "missing": "no such file", "text": "neither video nor image", "cut": "cannot be decoded",
    "audio alone": "holds no video stream", "no frames": "holds no picture", "huge": "claims 20000 x 9000",
    "huge image": "exceeds limit", "cut image": "no image that can be read", "playlist": "neither video nor image",
    "fifo": "not a regular file", "PQ": "HDR video, PQ", "matrix": "matrix coefficients 8", "empty folder": "no image",
    "mixed": r"f2\.png: is 7 x 4 pixels, f0\.png 6 x 4", "mixed video": "32 x 48 pixels among those of 64 x 48",
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_input_is_one_line(tmp_path, case):
    path = hostile(tmp_path, case)
    with pytest.raises(AssetError, match=HOSTILE[case]) as error:
        list(open_footage(path))
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


def test_a_file_cut_short_gives_what_lies_before(tmp_path):
    path = make_video(tmp_path / "a.mp4", pictures(50), container_options={"movflags": "faststart"},
                      options={"g": "5", "bf": "2"})  # fmt: skip
    cut(path, 0.6)
    footage = open_footage(path)
    assert 5 < footage.frames < 45
    assert "cut short" in footage.damage and f"{footage.frames} of 50" in footage.damage
    for number, picture in enumerate(footage):
        assert abs(picture[-8, -8].mean() * 255 - level(number)) < 3
    assert number == footage.frames - 1


def test_a_broken_picture_stands_still(tmp_path):
    path = make_video(tmp_path / "a.mkv", pictures(8), "mjpeg", "yuvj420p")
    with av.open(str(path)) as container:
        packet = list(container.demux(video=0))[3]
        start, size = packet.pos, packet.size
    data = bytearray(path.read_bytes())
    place = data.index(bytes(packet), start)
    data[place : place + size] = bytes(size)
    path.write_bytes(data)
    footage = open_footage(path)
    seen = [round(float(picture[-8, -8].mean() * 255)) for picture in footage]
    assert len(seen) == footage.frames == 8
    assert np.abs(np.array(seen) - [level(number) for number in (0, 1, 2, 2, 4, 5, 6, 7)]).max() < 4
    assert "1 of 8 pictures" in footage.damage
    assert round(float(next(footage.pictures(3))[-8, -8].mean() * 255)) == seen[3]
