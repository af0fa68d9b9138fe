"""Figures are of the person alone and of held-out clips alone; the same pairs give every method the same chance."""

import dataclasses
import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from assets.errors import AssetError, DatasetError, SpecError
from ray_jobs.cli.main import main
from relight.conditioning.environment import Environment
from relight.conditioning.light_maps import encode_log
from relight.evaluation.baselines import _statistics, _to_lab, colour_transfer, do_nothing, true_grade
from relight.evaluation.evaluate import BASELINES, Evaluation, EvaluationConfig, relighter, score, summarise
from relight.evaluation.held_out import trained_apart
from relight.evaluation.metrics import alpha_error, alpha_overlap, fitted, foreground_psnr, foreground_ssim
from relight.pipeline.portrait import PortraitRelightPipeline
from relight.relighter import Relighter
from synth.dataset.pack import pack
from synth.dataset.reader import Dataset
from synth.lighting.envmap import EnvMap
from tests.relight.clips import FRAMES, LIGHTINGS, SIZE, make_ball
from tests.relight.tiny import backbone, clip

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """Two clips of the training split and two of the test split."""
    url = str(tmp_path_factory.mktemp("balls"))
    for index, split in enumerate(("train", "train", "test", "test")):
        make_ball(url, index, split=split, maps=split)
    pack(url)
    return url


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """An untrained relighter, saved."""
    folder = tmp_path_factory.mktemp("model")
    stages = [Relighter(stage, backbone("small", stage, folder)) for stage in ("delight", "relight")]
    PortraitRelightPipeline(*stages).save_pretrained(folder)
    return folder


def videos(seed=0, clips=2, frames=2, size=24):
    """Pictures, other pictures and coverage with soft edges."""
    generator = torch.Generator().manual_seed(seed)
    one, two = torch.rand(2, clips, frames, 3, size, size, generator=generator)
    alpha = (2 * torch.rand(clips, frames, 1, size, size, generator=generator) - 0.5).clamp(0, 1)
    return one, two, alpha


# --- metrics --------------------------------------------------------------------------------------------------------


def test_psnr_is_that_of_the_mean_square_error():
    truth, _, alpha = videos()
    truth = 0.5 * truth
    assert torch.allclose(foreground_psnr(truth + 0.1, truth, alpha), torch.tensor(20.0), atol=1e-3)
    error = torch.tensor([0.1, 0.2, 0.0]).view(3, 1, 1)
    expected = -10 * math.log10((0.01 + 0.04) / 3)
    assert torch.allclose(foreground_psnr(truth + error, truth, alpha), torch.tensor(expected), atol=1e-3)


def test_coverage_weighs_the_error():
    truth = torch.zeros(1, 1, 3, 12, 12)
    pictures, alpha = truth.clone(), torch.full((1, 1, 1, 12, 12), 0.25)
    pictures[..., :6], alpha[..., :6] = 0.5, 0.75
    assert foreground_psnr(pictures, truth, alpha).item() == pytest.approx(-10 * math.log10(0.25 * 0.75), abs=1e-4)


def test_where_all_is_person_they_are_torchmetrics():
    pictures, truth, alpha = videos()
    ones = torch.ones_like(alpha)
    for k in range(len(truth)):
        ssim = structural_similarity_index_measure(pictures[k], truth[k], data_range=1.0)
        assert foreground_ssim(pictures, truth, ones)[k].item() == pytest.approx(ssim.item(), abs=1e-5)
        psnr = peak_signal_noise_ratio(pictures[k], truth[k], data_range=1.0)
        assert foreground_psnr(pictures, truth, ones)[k].item() == pytest.approx(psnr.item(), abs=1e-4)


@pytest.mark.parametrize("metric", [foreground_psnr, foreground_ssim])
def test_what_is_not_person_does_not_count(metric):
    pictures, truth, alpha = videos(size=32)
    alpha[..., 10:] = 0
    figure = metric(pictures, truth, alpha)
    for background in (0.0, 1.0):
        other = torch.where(alpha > 0, pictures, background)
        assert torch.equal(metric(other, truth, alpha), figure)
        assert torch.equal(metric(pictures, torch.where(alpha > 0, truth, background), alpha), figure)
    worse = torch.where(alpha > 0.5, 1 - truth, pictures)
    assert (metric(worse, truth, alpha) < figure).all()


@pytest.mark.parametrize("metric", [foreground_psnr, foreground_ssim])
def test_how_much_else_there_is_does_not_count(metric):
    person = videos(size=32)
    person[2][..., :8] = person[2][..., -8:] = person[2][..., :8, :] = person[2][..., -8:, :] = 0
    wider = [torch.nn.functional.pad(pictures, (16, 0, 0, 16)) for pictures in person]
    assert torch.allclose(metric(*wider), metric(*person), atol=1e-4)


def test_the_truth_is_perfect_and_every_figure_finite():
    _, truth, alpha = videos()
    assert (foreground_psnr(truth, truth, alpha) == 100).all()
    assert torch.allclose(foreground_ssim(truth, truth, alpha), torch.tensor(1.0))
    nobody = torch.zeros_like(alpha)
    assert torch.isfinite(foreground_psnr(truth, truth, nobody)).all()
    assert torch.isfinite(fitted(0 * truth, truth, alpha)).all()


def test_the_fit_forgives_exposure_and_tint_alone():
    _, truth, alpha = videos()
    tinted = truth * torch.tensor([0.5, 0.7, 0.9]).view(3, 1, 1)
    assert (foreground_psnr(tinted, truth, alpha) < 20).all()
    assert (foreground_psnr(fitted(tinted, truth, alpha), truth, alpha) > 90).all()
    other = torch.where(alpha > 0, tinted, 1 - tinted)  # a background has no say in it
    assert torch.allclose(fitted(other, truth, alpha) * (alpha > 0), fitted(tinted, truth, alpha) * (alpha > 0))
    mirrored = truth.flip(-1)  # light from the other side stays wrong
    assert (foreground_psnr(fitted(mirrored, truth, alpha), truth, alpha) < 20).all()


def test_mattes():
    alpha = torch.zeros(1, 1, 1, 4, 4)
    alpha[..., :2], made = 1, torch.zeros_like(alpha)
    made[..., 1:3] = 0.6
    assert alpha_error(made, alpha).item() == pytest.approx((0.4 + 0.6 + 1.0) / 4)
    assert alpha_overlap(made, alpha).item() == pytest.approx(1 / 3)
    assert alpha_overlap(0 * alpha, 0 * alpha).item() == 1


# --- baselines ------------------------------------------------------------------------------------------------------


def muted(pictures):
    """Pictures whose colours no transfer between them pushes out of range."""
    return 0.4 + 0.1 * pictures


def test_colour_transfer_matches_statistics():
    source, background, alpha = videos()
    batch = dataclasses.replace(clip(2, 24, 2), source=muted(source), background=muted(background) + 0.1, alpha=alpha)
    made = colour_transfer(batch)
    everywhere = torch.ones_like(alpha)
    for ours, theirs in zip(_statistics(_to_lab(made), everywhere), _statistics(_to_lab(batch.background), everywhere),
                            strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)
    assert not torch.allclose(made.mean((1, 3, 4)), batch.source.mean((1, 3, 4)), atol=0.02)
    assert torch.allclose(colour_transfer(dataclasses.replace(batch, background=batch.source)), batch.source, atol=1e-3)


def test_a_true_grade_matches_the_person():
    source, target, alpha = videos()
    batch = dataclasses.replace(clip(2, 24, 2), source=muted(source), target=muted(target) + 0.1, alpha=alpha)
    for ours, theirs in zip(_statistics(_to_lab(true_grade(batch)), alpha), _statistics(_to_lab(batch.target), alpha),
                            strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)


def test_grey_pictures_are_transferred_too():
    """Without any deviation of colour there is nothing to divide by."""
    batch = clip(2)
    grey = dataclasses.replace(batch, source=torch.full_like(batch.source, 0.5), background=0 * batch.background)
    made = colour_transfer(grey)
    assert torch.isfinite(made).all() and 0 <= made.min() and made.max() <= 0.1
    assert do_nothing(grey) is grey.source


# --- protocol -------------------------------------------------------------------------------------------------------


def config(url, **fields):
    return EvaluationConfig(dataset=url, **({"frames": 2, "size": SIZE, "pairs": 2} | fields))


def tensors(pair):
    return {field.name: getattr(pair.batch, field.name) for field in dataclasses.fields(pair.batch)}


def test_pairs_are_of_the_test_split_and_stay_the_same(url):
    pairs = list(Evaluation(config(url, pairs=3)))
    held_out = {row["clip_id"] for row in Dataset.open(url).table(["clip_id", "split_identity"]).to_pylist()
                if row["split_identity"] == "test"}
    assert {pair.clip_id for pair in pairs} == held_out
    assert [pair.number for pair in pairs] == [0, 1, 2] * 2
    assert len({pair.batch.target.numpy().tobytes() for pair in pairs}) == len({pair.seed for pair in pairs}) == 6
    fewer = Evaluation(config(url, pairs=2, clips=1))
    assert len(fewer) == 2
    for pair, same in zip(fewer, pairs[:2], strict=True):
        assert (pair.clip_id, pair.number, pair.seed) == (same.clip_id, same.number, same.seed)
        assert all(torch.equal(tensors(pair)[name], tensors(same)[name]) for name in tensors(pair))
    other = next(iter(Evaluation(config(url, seed=1))))
    assert not torch.equal(other.batch.target, pairs[0].batch.target)


def test_pairs_are_of_the_clip_that_they_name(url):
    for pair in Evaluation(config(url, pairs=5, frames=FRAMES)):
        clip = Dataset.open(url).clip(pair.clip_id)
        lights = [encode_log(Environment([EnvMap(clip.envmap(lighting, 0))]).in_camera_axes([clip.camera(0)], 32))
                  for lighting in range(LIGHTINGS)]
        found = pair.batch.light_log[0, 0].numpy()
        assert sum(np.abs(light[0] - found).max() < 1e-5 for light in lights) == 1


def test_the_truth_as_a_method(url):
    def truth(pair):
        return {name: getattr(pair.batch, name) for name in ("target", "flat", "alpha")}

    evaluation = Evaluation(config(url))
    scores = {clip_id: [] for clip_id in evaluation.clip_ids}
    for pair in evaluation:
        scores[pair.clip_id].append(score(pair, BASELINES | {"truth": truth}).scores)
    summary = summarise(scores)
    perfect = {name: spread["mean"] for name, spread in summary["mean"]["truth"].items()}
    assert perfect == pytest.approx({"psnr": 100, "ssim": 1, "psnr_fitted": 100, "ssim_fitted": 1, "psnr_flat": 100,
                                     "alpha_mae": 0, "alpha_iou": 1}, abs=1e-4)
    nothing = summary["mean"]["do_nothing"]["psnr"]["mean"]
    assert nothing < 40 and summary["gain"].keys() == {"truth"}
    gain = summary["gain"]["truth"]["psnr"]
    assert gain["mean"] == pytest.approx(100 - summary["mean"][gain["over"]]["psnr"]["mean"], abs=1e-3)


def test_means_are_over_clips():
    def pair(nothing, transfer, model):
        return {"do_nothing": {"psnr": nothing, "ssim": 0.5}, "colour_transfer": {"psnr": transfer, "ssim": 0.6},
                "model": {"psnr": model, "ssim": 0.9}}

    summary = summarise({"a": [pair(10, 1, 20), pair(12, 3, 24)], "b": [pair(13, 9, 17), pair(13, 11, 17)]})
    assert summary["clips"]["a"]["do_nothing"]["psnr"] == 11
    assert summary["mean"]["do_nothing"]["psnr"] == pytest.approx({"mean": 12, "standard_error": 1})
    gain = summary["gain"]["model"]
    assert gain["psnr"] == pytest.approx({"over": "do_nothing", "mean": 7.5, "standard_error": 3.5})
    assert gain["ssim"] == pytest.approx({"over": "colour_transfer", "mean": 0.3, "standard_error": 0}, abs=1e-9)
    assert summarise({"a": [pair(10, 1, 20)]})["mean"]["model"]["psnr"]["standard_error"] is None


def test_a_model_that_cannot_take_the_size(url, model):
    pipeline = PortraitRelightPipeline.from_pretrained(model)
    with pytest.raises(SpecError, match=f"size: {SIZE + 1}, this model takes multiples of"):
        relighter(pipeline, config(url, size=SIZE + 1))


# --- command --------------------------------------------------------------------------------------------------------


def run(url, output, *arguments):
    sizes = ["--frames", "2", "--size", str(SIZE), "--pairs", "2"]
    return main(["evaluate", url, *sizes, "--output", str(output), *map(str, arguments)])


def test_the_command(url, model, tmp_path, capsys):
    assert run(url, tmp_path / "a", "--model", model) == 0
    text = capsys.readouterr().out
    report = json.loads((tmp_path / "a" / "evaluation.json").read_text())
    assert report["config"] == {"dataset": url, "split": "test", "clips": None, "pairs": 2, "frames": 2, "size": SIZE,
                                "seed": 0}
    assert report["digest"] == Evaluation(config(url)).digest and report["model"] == str(model)
    assert len(report["clips"]) == 2 and all(len(clip["pairs"]) == 2 for clip in report["clips"].values())
    for clip_id, clip_report in report["clips"].items():
        for method in ("do_nothing", "colour_transfer", "model"):
            psnr = np.mean([pair[method]["psnr"] for pair in clip_report["pairs"]])
            ssim = np.mean([pair[method]["ssim"] for pair in clip_report["pairs"]])
            assert re.search(f"{clip_id}.* {psnr:.2f} / {ssim:.3f}", text)
    mean = report["mean"]["model"]
    assert f"{mean['psnr']['mean']:.2f} / {mean['ssim']['mean']:.3f}" in text
    assert {"psnr_flat", "alpha_mae", "alpha_iou"} < mean.keys() and "held out: relight: unknown" in text
    page = (tmp_path / "a" / "index.html").read_text()
    links = re.findall(r'src="([^"]+)"', page)
    assert len(links) == len(set(links)) == 2 * 6
    assert all((tmp_path / "a" / link).stat().st_size > 100 for link in links)

    assert run(url, tmp_path / "b", "--model", model) == 0
    assert json.loads((tmp_path / "b" / "evaluation.json").read_text()) == report, "the same seed, the same figures"
    assert run(url, tmp_path / "c", "--model", model, "--seed", "1") == 0
    assert json.loads((tmp_path / "c" / "evaluation.json").read_text())["mean"] != report["mean"]


def test_baselines_alone(url, tmp_path, capsys):
    assert run(url, tmp_path, "--model", "none", "--clips", "1") == 0
    report = json.loads((tmp_path / "evaluation.json").read_text())
    assert report["model"] is None and report["mean"].keys() == {"do_nothing", "colour_transfer", "true_grade"}
    assert report["mean"]["do_nothing"]["psnr"]["standard_error"] is None and "gains" not in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "expected"), [
    (["--model", "none", "--pairs", "0"], "field 'pairs' is 0"),
    (["--model", "none", "--frames", "99"], "none of these has 99 frames"),
    (["--model", "none", "--split", "val"], "0 are in split 'val'"),
    (["--model", "no/such/folder"], "no such folder"),
    (["--model", "none", "--output", __file__], "cannot be a folder"),
])
def test_refused_in_one_line(url, tmp_path, capsys, arguments, expected):
    assert run(url, tmp_path, *arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("pixelcube: ") and expected in lines[0]
    assert not (tmp_path / "evaluation.json").exists()


def test_training_data_cannot_be_asked_for(url, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        run(url, tmp_path, "--model", "none", "--split", "train")
    assert end.value.code == 2 and "train" in capsys.readouterr().err


# --- held out -------------------------------------------------------------------------------------------------------


def trained_on(model, folder, data):
    """The model with a training configuration beside each stage."""
    shutil.copytree(model, folder)
    for stage in ("delight", "relight"):
        (folder / stage / "training.json").write_text(json.dumps({"stage": stage, "data": data, "new": 1}))
    return folder


def test_a_model_says_what_it_was_trained_on(url, model, tmp_path):
    data = config(url).data()
    assert [line.partition(":")[2][:9] for line in trained_apart(model, data)] == [" unknown:"] * 2
    here = trained_on(model, tmp_path / "here", {"datasets": [{"url": url, "weight": 1}], "split": "train"})
    assert all("no person and no map of these clips" in line for line in trained_apart(here, data))
    for place in ("out/elsewhere", "http://127.0.0.1:9/nobody-is-asked"):
        gone = trained_on(model, tmp_path / Path(place).name, {"datasets": [{"url": place}], "split": "train"})
        assert all("by label" in line for line in trained_apart(gone, data))


def test_a_model_is_not_judged_on_what_it_was_trained_on(url, model, tmp_path, capsys):
    data = config(url).data()
    for split in ("test", "all"):
        seen = trained_on(model, tmp_path / split, {"datasets": [{"url": url}], "split": split})
        with pytest.raises(SpecError, match=f"was trained on split '{split}'"):
            trained_apart(seen, data)
        assert run(url, tmp_path / "out", "--model", seen) == 2
        assert "was trained on split" in capsys.readouterr().err

    relabelled = str(tmp_path / "relabelled")  # a test person under another label
    make_ball(relabelled, 0, identity="template/2", split="train", maps="other")
    pack(relabelled)
    seen = trained_on(model, tmp_path / "seen", {"datasets": [{"url": relabelled}], "split": "train"})
    with pytest.raises(DatasetError, match="identity 'template/2' is in training"):
        trained_apart(seen, data)


@pytest.mark.parametrize(("text", "expected"), [
    ("{", "cannot be read"),
    ("{}", "expected an object with data"),
    ('{"data": {"split": "train"}}', "field 'datasets'"),
    ('{"data": {"split": 3, "datasets": [{"url": "a"}]}}', "field 'split' is 3"),
    ('{"data": {"split": "train", "datasets": []}}', "field 'datasets'"),
])
def test_a_broken_training_configuration(url, model, tmp_path, text, expected):
    broken = trained_on(model, tmp_path / "broken", {})
    (broken / "relight" / "training.json").write_text(text)
    (broken / "delight" / "training.json").unlink()
    with pytest.raises(AssetError, match=re.escape(expected)):
        trained_apart(broken, config(url).data())
