"""The relighter as a tool: both stages, windows, files in and out. Networks here are tiny and untrained."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction

import numpy as np
import pytest
import torch

from assets.errors import AssetError, SpecError
from relight.footage.encode import H264Stream
from relight.footage.read import open_footage
from relight.pipeline.framing import feather, region
from relight.pipeline.light import ShotLight
from relight.pipeline.portrait import PortraitRelightPipeline, Settings
from relight.pipeline.shot import Shot, ShotOptions, relight_shot
from relight.relighter import Relighter
from synth.lighting.envmap import EnvMap
from tests.relight.tiny import backbone, clip

SETTINGS = Settings(size=32, window=6, overlap=2)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory) -> PortraitRelightPipeline:
    folder = tmp_path_factory.mktemp("none")
    stages = [Relighter(stage, backbone("small", stage, folder)) for stage in ("delight", "relight")]
    with torch.no_grad():  # so that untrained parts that start at zero don't hide what they are given
        for number, relighter in enumerate(stages):
            generator = torch.Generator().manual_seed(number)
            for parameter in relighter.parameters():
                parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
        stages[0].backbone.head.edges.layers[-1].bias[3:] += 3  # somebody is everywhere, more or less
    return PortraitRelightPipeline(*stages, SETTINGS)


def sky(height: int = 16, seed: int = 0) -> EnvMap:
    return EnvMap(np.random.default_rng(seed).uniform(0, 2, (height, 2 * height, 3)).astype(np.float32))


def film(path, frames: int = 15, size: tuple[int, int] = (48, 40)):
    """A video of drifting colours."""
    import av

    rows, columns = np.mgrid[:size[1], :size[0]] / max(size)
    with av.open(str(path), "w") as container:
        stream = H264Stream(container, Fraction(25), crf=4, preset="veryfast")
        for frame in range(frames):
            phase = frame / 10
            stream.write(np.stack([0.5 + 0.4 * np.sin(3 * rows + phase), 0.5 + 0.4 * np.cos(4 * columns - phase),
                                   0.5 * rows + 0.4 * columns], axis=2).astype(np.float32))
        stream.close()
    return path


def decoded(path) -> np.ndarray:
    return np.stack(list(open_footage(path)))


# --- networks -------------------------------------------------------------------------------------------------------


def test_a_batch_is_delit_then_relit_and_a_matte_takes_the_place_of_alpha(pipeline):
    from types import SimpleNamespace

    batch = clip(3)
    made = pipeline.relight_batch(batch)
    assert {name: tuple(value.shape) for name, value in made.items()} == {
        "flat": (1, 3, 3, 32, 32), "alpha": (1, 3, 1, 32, 32), "target": (1, 3, 3, 32, 32)}
    names = ("source", "background", "light_ldr", "light_log", "light_direction", "exposure")
    masked = SimpleNamespace(**{name: getattr(batch, name) for name in names}, matte=torch.zeros(1, 3, 1, 32, 32))
    without = pipeline.relight_batch(masked)
    assert not without["alpha"].any() and not torch.equal(without["target"], made["target"])


@pytest.mark.parametrize("still", [True, False])
def test_noise_of_a_frame_does_not_depend_on_its_window(pipeline, still):
    made = pipeline.with_settings(still_noise=still)
    whole, rest = made._noise(3, 0, "relight")((1, 8, 4, 2, 2)), made._noise(3, 5, "relight")((1, 3, 4, 2, 2))
    assert torch.equal(whole[:, 5:], rest)
    assert torch.equal(whole[:, 0], whole[:, 1]) == still


def test_saved_and_loaded_it_gives_the_same_bits(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path / "model")
    again = PortraitRelightPipeline.from_pretrained(tmp_path / "model")
    assert again.settings == SETTINGS and again.digest == pipeline.digest
    one, other = (each.relight_batch(clip(2))["target"] for each in (pipeline, again))
    assert torch.equal(one, other)


@pytest.mark.parametrize("change,message", [
    ({"size": 31}, "size: got 31, these networks take multiples of"), ({"window": 0}, "window: got 0, may be 1 to"),
    ({"overlap": 5}, "overlap: got 5"), ({"steps": "many"}, "steps: got 'many'"),
    ({"colour": 1}, "got colour, may have"), ({"still_noise": 3}, "still_noise: got 3"),
])
def test_a_configuration_that_cannot_be(pipeline, tmp_path, change, message):
    pipeline.save_pretrained(tmp_path / "model")
    file = tmp_path / "model" / "pipeline.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises((AssetError, SpecError), match=message):
        PortraitRelightPipeline.from_pretrained(tmp_path / "model")


def test_a_checkpoint_that_is_a_pickle_is_refused(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path / "model")
    weights = tmp_path / "model" / "relight" / "model.safetensors"
    weights.unlink()
    torch.save({"weight": torch.zeros(1)}, weights.with_suffix(".pt"))
    with pytest.raises(AssetError, match="a pickle, which could run anything"):
        PortraitRelightPipeline.from_pretrained(tmp_path / "model")
    with pytest.raises(AssetError, match="has no pipeline.json"):
        PortraitRelightPipeline.from_pretrained(tmp_path)


# --- pictures in memory ---------------------------------------------------------------------------------------------


def test_pictures_in_memory(pipeline):
    pictures = np.random.default_rng(1).integers(0, 256, (4, 40, 48, 3), np.uint8)
    made = pipeline(pictures, sky())
    assert made.pictures.shape == (4, 40, 48, 3) and made.alpha.shape == (4, 40, 48)
    assert made.pictures.dtype == np.float32 and 0 <= made.pictures.min() and made.pictures.max() <= 1
    same = pipeline(pictures / np.float32(255), ShotLight([sky()]))
    np.testing.assert_array_equal(made.pictures, same.pictures)


@pytest.mark.parametrize("change,message", [
    ({"pictures": np.zeros((2, 8, 8), np.float32)}, "^pictures: expected"),
    ({"pictures": []}, "^pictures: expected"),
    ({"pictures": np.full((1, 8, 8, 3), np.nan, np.float32)}, "^pictures: 0 holds float32"),
    ({"pictures": np.full((1, 8, 8, 3), 7.0, np.float32)}, "^pictures: 0 holds float32 from 7"),
    ({"light": "sunny"}, "^light: got str"), ({"light": []}, "^light: got list"),
    ({"exposure": float("nan")}, "^exposure: "), ({"background": "blue"}, "^background: got 'blue'"),
])
def test_inputs_that_cannot_be_used(pipeline, change, message):
    with pytest.raises(SpecError, match=message):
        pipeline(**{"pictures": np.zeros((1, 8, 8, 3), np.float32), "light": sky(), **change})


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_video_of_several_windows(pipeline, tmp_path):
    source, seen = film(tmp_path / "in.mp4"), []
    report = relight_shot(pipeline, source, tmp_path / "out.mp4", ShotLight([sky()]),
                          progress=lambda done, total: seen.append((done, total)))
    assert (report.frames, report.resumed) == (15, 0) and seen[-1] == (15, 15)
    assert report.warnings == ("no face was found: the middle of the picture was relit as it stands",)
    made = open_footage(tmp_path / "out.mp4")
    assert (made.frames, made.width, made.height, made.fps) == (15, 48, 40, 25)


def test_an_interrupted_run_goes_on_with_the_same_bits(pipeline, tmp_path, monkeypatch):
    monkeypatch.setattr("relight.footage.write.SEGMENT", 4)
    source, light = film(tmp_path / "in.mp4"), ShotLight([sky(), sky(seed=1)], spin=40)
    relight_shot(pipeline, source, tmp_path / "whole.mp4", light)

    def stop(done: int, total: int) -> None:
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        relight_shot(pipeline, source, tmp_path / "out.mp4", light, progress=stop)
    assert not (tmp_path / "out.mp4").exists()
    report = relight_shot(pipeline, source, tmp_path / "out.mp4", light)
    assert report.resumed == 8
    np.testing.assert_array_equal(decoded(tmp_path / "out.mp4"), decoded(tmp_path / "whole.mp4"))


def test_keeping_the_background_changes_nothing_where_nobody_is(pipeline, tmp_path):
    pictures = np.random.default_rng(3).integers(0, 256, (2, 40, 48, 3), np.uint8)
    made = pipeline(pictures, sky(), background="keep")
    source, empty = pictures.astype(np.float32) / 255, made.alpha == 0
    assert (made.alpha > 0.5).mean() > 0.1
    assert np.abs(made.pictures - source)[empty].max(initial=0) < 2e-3
    assert np.abs(made.pictures - source)[made.alpha > 0.5].mean() > 0.05


def test_masks_decide_who_is_relit_and_must_fit(pipeline, tmp_path):
    from PIL import Image

    source = film(tmp_path / "in.mp4", frames=3)
    for name, size, value in (("masks", (48, 40), 0), ("everywhere", (48, 40), 255), ("small", (24, 20), 255)):
        (tmp_path / name).mkdir()
        for frame in range(3):
            Image.new("L", size, value).save(tmp_path / name / f"{frame}.png")
    relight_shot(pipeline, source, tmp_path / "out", ShotLight([sky()]),
                 ShotOptions(background="keep", mask=tmp_path / "masks"))
    assert np.abs(decoded(tmp_path / "out") - decoded(source)).max() < 0.01
    shot = Shot(pipeline, open_footage(source), ShotLight([sky()]), ShotOptions(mask=tmp_path / "everywhere"))
    alpha, box = next(shot.frames()).alpha, shot.framing.rectangle(0)
    part = region(box, alpha.shape)
    np.testing.assert_allclose(alpha[part], feather(box, alpha.shape), atol=1e-6)
    with pytest.raises(SpecError, match="small: 3 masks of 24x20, expected 3 of 48x40"):
        relight_shot(pipeline, source, tmp_path / "other", ShotLight([sky()]), ShotOptions(mask=tmp_path / "small"))


def test_an_image_as_background_and_linear_frames(pipeline, tmp_path):
    from PIL import Image

    from assets.images import read_hdr

    Image.new("RGB", (10, 90), (0, 0, 255)).save(tmp_path / "blue.png")
    (tmp_path / "nobody").mkdir()
    for frame in range(2):
        Image.new("L", (48, 42), 0).save(tmp_path / "nobody" / f"{frame}.png")
    source, light = film(tmp_path / "in.mp4", frames=2, size=(48, 42)), ShotLight([sky()], exposure=-2)
    options = ShotOptions(str(tmp_path / "blue.png"), mask=tmp_path / "nobody", exr=tmp_path / "linear")
    relight_shot(pipeline, source, tmp_path / "out", light, options)
    np.testing.assert_allclose(decoded(tmp_path / "out"), np.broadcast_to([0.0, 0.0, 1.0], (2, 42, 48, 3)), atol=0.01)
    linear = read_hdr(sorted((tmp_path / "linear").glob("*.exr"))[0])
    np.testing.assert_allclose(linear[..., 2], 2.0**-light.film.exposure_ev, rtol=0.01)
    with pytest.raises(AssetError, match="no.png: "):
        relight_shot(pipeline, source, tmp_path / "bad", light, ShotOptions(str(tmp_path / "no.png")))
    assert not list(tmp_path.glob(".*"))


def test_the_command(pipeline, tmp_path, capsys):
    from ray_jobs.cli.main import main

    pipeline.save_pretrained(tmp_path / "model")
    source = film(tmp_path / "me.mp4", frames=3)
    sky().save(tmp_path / "mine.exr")
    arguments = ["relight", str(source), "--model", str(tmp_path / "model"), "-o", str(tmp_path / "out")]
    assert main([*arguments, "--hdri", str(tmp_path / "mine.exr"), "sunsky/0012", "--spin", "0", "90"]) == 0
    shown = capsys.readouterr()
    assert shown.out.split() == [str(tmp_path / "out" / name) for name in ("me-mine.mp4", "me-0012.mp4")]
    assert "no face was found" in shown.err and not list((tmp_path / "out").glob(".*"))
    assert [open_footage(place).frames for place in shown.out.split()] == [3, 3]
    assert main([*arguments, "--hdri", "a", "b", "--spin", "1", "2", "3"]) == 2
    assert "--spin: 3 numbers for 2 lights" in capsys.readouterr().err


@pytest.mark.parametrize("kind,hdri,output,expected", [
    ("video", ["a.exr"], None, ["out/relit/me-a.mp4"]), ("video", ["a.exr"], "x.mov", ["x.mov"]),
    ("video", ["a.exr"], "new", ["new/me-a.mp4"]), ("video", ["a", "b/a"], "new", ["new/me-a.mp4", "new/me-a-2.mp4"]),
    ("image", ["a"], None, ["out/relit/me-a.png"]), ("image", ["a"], "x.jpg", ["x.jpg"]),
    ("images", ["a"], "new", ["new"]), ("images", ["a.1"], None, ["out/relit/me-a"]),
    ("images", ["a", "b"], "new", ["new/me-a", "new/me-b"]),
])
def test_where_results_go(kind, hdri, output, expected):
    from pathlib import Path

    from ray_jobs.cli.relight import Relight

    command = Relight(Path("me.bmp" if kind == "image" else "me"), tuple(hdri), output=output and Path(output))
    assert [str(place) for place in command.outputs(kind)] == expected


@pytest.mark.parametrize("name,content", [("none.mp4", b""), ("text.mp4", b"not a video at all" * 99)])
def test_footage_that_is_none(pipeline, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AssetError, match=name):
        relight_shot(pipeline, tmp_path / name, tmp_path / "out.mp4", ShotLight([sky()]))
    assert not (tmp_path / "out.mp4").exists() and not list(tmp_path.glob(".*.parts"))
    shutil.rmtree(tmp_path)
