"""``pixelcube inspect`` and ``validate`` on a small dataset of noise."""

from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from ray_jobs.cli import display
from ray_jobs.cli.main import main
from ray_jobs.cli.sheet import _order, video_pictures
from ray_jobs.cli.video import write_mp4
from synth.camera.camera import Camera, look_at
from synth.dataset.pack import pack
from synth.dataset.reader import Dataset
from synth.dataset.writer import write_clip
from tests.synth.dataset.clips import INFO, make_frames, make_spec


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> str:
    url = str(tmp_path_factory.mktemp("cli") / "dataset")
    for index, lobes in enumerate((True, False)):
        spec = make_spec(index, frames=3, lobes=lobes)
        write_clip(url, spec, make_frames(spec), INFO)
    pack(url)
    return url


def test_contact_sheet_and_videos(dataset, capsys):
    assert main(["inspect", dataset]) == 0
    text = capsys.readouterr().out
    page = Path(dataset, "inspect", "index.html")
    clips = Dataset.open(dataset).clips()
    assert str(page) in text and "2 clips of 1 identities, 6 frames, 12 lit images" in text
    assert all(clip.clip_id in text for clip in clips)
    html = page.read_text()
    links = re.findall(r'src="([^"]+)"', html)
    assert len(links) == len(set(links)) == 2 * (1 + 6 + 2 * 2) + 2  # video, channels, lightings; lobes of one clip
    for link in links:
        assert not link.startswith(("/", "http")) and (page.parent / link).stat().st_size > 100
    assert "test/1" in html and "CC0-1.0" in html and "specular.000" in html


def test_video_plays_every_lighting_for_a_second(dataset, tmp_path):
    clip = Dataset.open(dataset).clips()[0]
    assert main(["inspect", dataset, "--clip", clip.clip_id[:8], "--output", str(tmp_path)]) == 0
    assert [path.name for path in tmp_path.glob("*.mp4")] == [f"{clip.clip_id}.mp4"]
    with av.open(str(tmp_path / f"{clip.clip_id}.mp4")) as container:
        stream = container.streams.video[0]
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        codec = stream.codec_context
        assert (codec.name, codec.pix_fmt, float(stream.average_rate)) == ("h264", "yuv420p", 24)
    source = list(video_pictures(clip))
    assert len(pictures) == len(source) == 2 * 24
    for number in (0, 30):
        assert np.abs(pictures[number].astype(float) - source[number]).mean() < 12, "noise survives H.264 roughly"


def test_frames_of_a_short_clip_go_to_and_fro():
    assert _order(3, 8.0) == [0, 1, 2, 1] * 2
    assert _order(1, 4.0) == [0] * 4
    assert _order(48, 24.0) == list(range(48))


def test_colours_survive_the_video(tmp_path):
    colour = np.full((32, 48, 3), (200, 40, 90), np.uint8)
    assert write_mp4(tmp_path / "a.mp4", [colour] * 5, 24.0) == 5
    with av.open(str(tmp_path / "a.mp4")) as container:
        decoded = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(decoded.astype(int) - colour).max() <= 4
    assert list(tmp_path.iterdir()) == [tmp_path / "a.mp4"]


def test_exposure_is_the_only_gain():
    radiance = np.random.default_rng(0).random((4, 4, 3), np.float32) * 0.2
    assert np.array_equal(display.srgb8(radiance, 1.0), display.srgb8(2 * radiance))
    assert display.srgb8(np.full((1, 1, 3), 1e4)).min() == 255
    assert display.srgb8(np.full((1, 1, 3), 0.18), 0).max() == 118  # 0.18 in sRGB


def test_background_is_what_the_camera_sees():
    """A map whose -X half is red and +X half is green, seen along -Z: red on the left."""
    envmap = np.zeros((16, 32, 3), np.float32)
    envmap[:, :16, 0], envmap[:, 16:, 1] = 1, 1
    camera = Camera(look_at([0, 0, 1], [0, 0, 0]), 50.0, 20, 10)
    picture = display.over_environment(np.zeros((10, 20, 3)), np.zeros((10, 20)), envmap, camera)
    assert np.allclose(picture[5, 0], [1, 0, 0]) and np.allclose(picture[5, -1], [0, 1, 0])
    opaque = display.over_environment(np.full((10, 20, 3), 0.5), np.ones((10, 20)), envmap, camera)
    assert np.allclose(opaque, 0.5)


def test_unknown_clip_is_an_error(dataset, capsys):
    assert main(["inspect", dataset, "--clip", "zz"]) == 2
    assert "no clip whose id starts with 'zz' among its 2" in capsys.readouterr().err


def test_thumbnails_are_small(dataset):
    main(["inspect", dataset, "--no-video"])
    sizes = []
    for path in Path(dataset, "inspect", "thumbs").rglob("*.jpg"):
        with Image.open(path) as image:
            sizes.append(image.size)
    assert sizes and max(max(size) for size in sizes) <= 320


def test_validate_finds_one_flipped_bit(tmp_path, capsys):
    url = str(tmp_path / "dataset")
    spec = make_spec()
    write_clip(url, spec, make_frames(spec), INFO)
    pack(url)
    assert main(["validate", url]) == 0
    assert "1 clips checked: every byte is as it should be" in capsys.readouterr().out
    shard = next(Path(url, "shards").glob("*.tar"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.chmod(0o644)
    shard.write_bytes(data)
    assert main(["validate", url]) == 1
    assert spec.clip_id in capsys.readouterr().out
