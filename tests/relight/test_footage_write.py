"""Footage out: what is kept of the source, what survives a kill or a full disk, what is refused."""

from __future__ import annotations

import itertools
import resource
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from assets.errors import AssetError
from assets.images import read_hdr
from relight.footage import write
from relight.footage.read import open_footage
from relight.footage.write import open_writer
from tests.relight.videos import HEIGHT, WIDTH, audio_packets, make_video, pictures


def copy(footage, path: Path, key: str = "k", stop: int | None = None, **options) -> int:
    """Write a footage's own pictures; after ``stop`` of them fail. Returns how many were done before."""
    with open_writer(path, footage, key, **options) as writer:
        for number, picture in enumerate(footage.pictures(writer.done), start=writer.done):
            if number == stop:
                raise KeyboardInterrupt
            writer.write(picture)
    return writer.done


def test_variable_rate_is_kept(tmp_path):
    pts = [0, 40, 50, 250, 251, 900]
    path = make_video(tmp_path / "a.mp4", pictures(6), pts=pts, time_base=Fraction(1, 1000))
    footage = open_footage(path)
    assert footage.frames == 6 and np.allclose(footage.times, np.array(pts) / 1000, atol=1e-9)
    copy(footage, tmp_path / "b.mp4")
    again = open_footage(tmp_path / "b.mp4")
    assert np.array_equal(again.times, footage.times) and again.duration == footage.duration


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_video_with_audio_and_tags(tmp_path, suffix):
    tags = {"colorspace": 6, "color_primaries": 6, "color_trc": 6}
    footage = open_footage(make_video(tmp_path / "a.mp4", pictures(30), audio="aac", tags=tags))
    out = tmp_path / f"b{suffix}"
    assert copy(footage, out) == 0
    again = open_footage(out)
    assert (again.frames, again.fps, again.width, again.height) == (30, 25, WIDTH, HEIGHT)
    assert np.array_equal(again.times, footage.times) and again.duration == footage.duration
    assert (again.colour.primaries, again.colour.transfer, again.colour.matrix) == (6, 6, 1)
    assert audio_packets(out) == audio_packets(footage.path)
    for old, new in zip(footage, again, strict=True):
        assert np.abs(old - new).mean() < 1.5 / 255
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.mp4", out.name]


def test_audio_that_does_not_fit_becomes_aac(tmp_path):
    footage = open_footage(make_video(tmp_path / "a.mkv", pictures(25), audio="pcm_s16le"))
    copy(footage, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        stream = container.streams.audio[0]
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(stream)])
        assert (stream.codec_context.name, stream.codec_context.sample_rate) == ("aac", 8000)
    tone = 8000 / 32768 * np.sin(np.arange(8000) / 5)
    best = max(np.corrcoef(sound[shift : shift + 6000], tone[1000:7000])[0, 1] for shift in (999, 1000, 1001))
    assert 7800 < len(sound) < 10500 and best > 0.95


def test_odd_sides_grow_by_one(tmp_path):
    footage = open_footage(make_video(tmp_path / "a.mkv", pictures(3, 63, 47), "ffv1", "yuv444p"))
    copy(footage, tmp_path / "b.mp4")
    again = open_footage(tmp_path / "b.mp4")
    assert (again.width, again.height) == (64, 48)
    assert np.abs(next(iter(again))[:47, :63] - next(iter(footage))).mean() < 1.5 / 255


def test_late_start_of_a_transport_stream(tmp_path):
    late = {"output_ts_offset": "10"}
    footage = open_footage(make_video(tmp_path / "a.ts", pictures(10), audio="aac", container_options=late))
    assert footage.times[0] >= 10
    copy(footage, tmp_path / "b.mp4")
    again = open_footage(tmp_path / "b.mp4")
    assert again.times[0] < 0.2 and np.allclose(np.diff(again.times), np.diff(footage.times))
    old, new = audio_packets(footage.path), audio_packets(tmp_path / "b.mp4")
    apart = float(old[0][0]) - footage.times[0]
    assert len(old) == len(new) and abs(float(new[0][0]) - again.times[0] - apart) < 0.002


def test_an_interrupted_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "SEGMENT", 8)
    pts = list(itertools.accumulate([0] + [1 + n % 3 for n in range(20)]))
    footage = open_footage(make_video(tmp_path / "a.mp4", pictures(21), pts=pts, audio="aac"))
    copy(footage, tmp_path / "whole.mp4")
    out = tmp_path / "b.mp4"
    with pytest.raises(KeyboardInterrupt):
        copy(footage, out, stop=13)
    assert not out.exists() and (tmp_path / ".b.mp4.parts").is_dir()
    (tmp_path / ".b.mp4.parts" / ".00000008.aa.tmp.mp4").write_bytes(b"half")
    writer = open_writer(out, footage, "k")  # and killed: never left, never closed
    assert writer.done == 8
    for picture in itertools.islice(footage.pictures(8), 10):
        writer.write(picture)
    del writer
    assert copy(footage, out) == 16
    assert out.read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    again = open_footage(out)
    assert again.frames == 21 and np.array_equal(again.times, footage.times)
    assert audio_packets(out) == audio_packets(footage.path)
    assert not (tmp_path / ".b.mp4.parts").exists()


def test_other_settings_start_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "SEGMENT", 4)
    footage = open_footage(make_video(tmp_path / "a.mp4", pictures(9)))
    for key in ("one", "two"):
        with pytest.raises(KeyboardInterrupt):
            copy(footage, tmp_path / "b.mp4", key, stop=6)
    assert open_writer(tmp_path / "b.mp4", footage, "two").done == 4
    make_video(tmp_path / "a.mp4", pictures(9)[::-1])
    assert open_writer(tmp_path / "b.mp4", open_footage(tmp_path / "a.mp4"), "two").done == 0


def test_too_few_pictures_make_no_output(tmp_path):
    footage = open_footage(make_video(tmp_path / "a.mp4", pictures(5)))
    with pytest.raises(AssetError, match="only 0 of 5 pictures"), open_writer(tmp_path / "b.mp4", footage, "k"):
        pass
    assert not (tmp_path / "b.mp4").exists()
    writer = open_writer(tmp_path / "b.mp4", footage, "k")
    for wrong in (np.zeros((HEIGHT, WIDTH + 1, 3)), np.full((HEIGHT, WIDTH, 3), np.nan)):
        with pytest.raises(ValueError, match="picture 0"):
            writer.write(wrong)


def test_folder_of_pictures_and_exr(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    for number in (2, 10, 1):
        Image.fromarray(np.full((4, 6, 3), 10 * number, np.uint8)).save(source / f"f{number}.jpg")
    footage, out = open_footage(source), tmp_path / "out"
    with pytest.raises(KeyError), open_writer(out, footage, "k", exr=tmp_path / "exr") as writer:
        writer.write(next(iter(footage)), linear=np.full((4, 6, 3), 1e6, np.float32))
        raise KeyError
    assert not out.exists()
    with open_writer(out, footage, "k", exr=tmp_path / "exr") as writer:
        assert writer.done == 1
        with pytest.raises(ValueError, match="linear"):
            writer.write(np.zeros((4, 6, 3), np.float32))
        for number, picture in enumerate(footage.pictures(1), 1):
            writer.write(picture, linear=np.full((4, 6, 3), number / 4, np.float32))
    assert sorted(file.name for file in out.iterdir()) == ["f1.png", "f10.png", "f2.png"]
    assert np.abs(np.asarray(Image.open(out / "f10.png")).astype(int) - 100).max() <= 1
    radiance = {name: float(read_hdr(tmp_path / "exr" / f"{name}.exr").mean()) for name in ("f1", "f2", "f10")}
    assert radiance == {"f1": 65504.0, "f2": 0.25, "f10": 0.5}
    copy(footage, out)  # into a folder that is there
    assert len(list(out.iterdir())) == 3


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_single_image(tmp_path, suffix):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(pictures(1)[0]).save(tmp_path / "a.png", icc_profile=profile)
    footage = open_footage(tmp_path / "a.png")
    copy(footage, tmp_path / f"b{suffix}")
    again = open_footage(tmp_path / f"b{suffix}")
    assert np.abs(next(iter(again)) - next(iter(footage))).mean() < 3 / 255 and again.colour.icc == profile


def test_places_that_cannot_be_written(tmp_path):
    video = open_footage(make_video(tmp_path / "a.mp4", pictures(5)))
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / ".c.mp4.parts").mkdir()
    (tmp_path / ".c.mp4.parts" / "mine").write_text("not to be deleted")
    for path, message in (
        (tmp_path / "." / "a.mp4", "is the source itself"), (tmp_path / "b.png", "cannot hold 5 pictures"),
        (tmp_path / "b.avi", r"suffix '\.avi', may be \.mp4"), (tmp_path / "a.mp4" / "b.mp4", "Not a directory"),
        (tmp_path / "folder.mp4", "is a folder"), (tmp_path / "c.mp4", "in the way"),
    ):  # fmt: skip
        with pytest.raises(AssetError, match=message) as error:
            open_writer(path, video, "k")
        assert "\n" not in str(error.value)
    assert (tmp_path / ".c.mp4.parts" / "mine").exists()
    Image.new("RGB", (4, 4)).save(tmp_path / "folder.mp4" / "f.png")
    with pytest.raises(AssetError, match="is the source itself"):
        open_writer(tmp_path / "folder.mp4", open_footage(tmp_path / "folder.mp4"), "k")


@pytest.mark.parametrize("share, kept", [(6, 0), (2, 12)])  # full within a segment, of three; within the joined file
def test_full_disk(tmp_path, monkeypatch, share, kept):
    monkeypatch.setattr(write, "SEGMENT", 4)
    noise = list(np.random.default_rng(0).integers(0, 256, (12, HEIGHT, WIDTH, 3), np.uint8))
    footage = open_footage(make_video(tmp_path / "a.mkv", noise, "ffv1", "yuv444p"))
    copy(footage, tmp_path / "whole.mp4")
    out, (soft, hard) = tmp_path / "b.mp4", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "whole.mp4").stat().st_size // share, hard))
    try:
        with pytest.raises(AssetError, match="file size limit") as error:
            copy(footage, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(error.value) and not out.exists()
    left = [file.name for file in (tmp_path / ".b.mp4.parts").iterdir()]
    assert "key" in left and not any(".tmp" in name for name in left)
    assert copy(footage, out) == kept
    assert out.read_bytes() == (tmp_path / "whole.mp4").read_bytes()
