"""A run goes on exactly where it stopped, however it was stopped, and however many processes share it."""

import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pydantic
import pytest
import torch
import yaml
from safetensors.torch import load_file

from assets.errors import AssetError, DatasetError, SpecError
from relight.relighter import Relighter
from relight.training import checkpoint
from relight.training.average import Average
from relight.training.config import TrainConfig, load_config
from relight.training.start import export, new_relighter, train
from relight.training.trainer import Trainer
from relight.training.world import World
from synth.dataset.pack import pack
from tests.relight.clips import make_ball, make_dataset

TINY = {"channels": [16, 32], "blocks": 1, "attention": 1, "lit": 1, "embedding": 32, "lobes": 16}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    return make_dataset(str(tmp_path_factory.mktemp("balls")))


def data(url, split="train"):
    return {"datasets": [{"url": url}], "split": split, "frames": 2, "width": 32, "height": 32, "light_height": 8}


def config(url, output, **fields):
    options = {"output": str(output), "data": data(url), "model": {"settings": TINY}, "steps": 6, "batch": 4,
               "warmup": 2, "save_every": 2, "validate_every": 100, "workers": 0, "learning_rate": 1e-3}
    return TrainConfig.model_validate(options | fields)


@pytest.fixture(scope="module")
def whole(url, tmp_path_factory):
    """A run of six steps that nobody stopped."""
    folder = tmp_path_factory.mktemp("whole")
    assert not train(config(url, folder, keep=9)).interrupted
    return folder


def weights(run, step=6, name="weights"):
    return load_file(run / f"step-{step:08d}" / f"{name}.safetensors")


def assert_same(one, two, tolerance=0.0):
    assert one.keys() == two.keys()
    for name in one:
        assert torch.allclose(one[name].float(), two[name].float(), rtol=0, atol=tolerance), name


def losses(run):
    """Loss by step, as TensorBoard would draw it."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "log")).Reload()
    return {event.step: event.value for event in events.Scalars("train/loss")}


# --- going on -------------------------------------------------------------------------------------------------------


def test_a_stopped_run_goes_on_to_the_same_weights_and_the_same_loss_curve(url, whole, tmp_path):
    trainer = Trainer(config(url, tmp_path), new_relighter(config(url, tmp_path)))
    outcome = trainer.run(until=lambda: trainer.step == 3)
    assert outcome.interrupted and outcome.folder.name == "step-00000003"
    assert train(config(url, tmp_path)).step == 6
    for name in ("weights", "average", "optimizer"):
        assert_same(weights(whole, name=name), weights(tmp_path, name=name))
    assert losses(tmp_path) == losses(whole) and len(losses(whole)) == 6
    assert any(not torch.equal(value, weights(whole)[name]) for name, value in weights(whole, name="average").items())
    assert [path.name for path in sorted(tmp_path.glob("step-*"))] == ["step-00000004", "step-00000006"]


def test_a_killed_run_goes_on_to_the_same_weights_and_the_same_loss_curve(url, whole, tmp_path):
    file = tmp_path / "run.yaml"
    run = tmp_path / "run"
    file.write_text(yaml.safe_dump(config(url, run, steps=6).model_dump(mode="json")))
    command = [sys.executable, "-m", "ray_jobs.cli.main", "train", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 120
    while not (run / "step-00000002").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert checkpoint.latest(run) is not None
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert_same(weights(whole), weights(run))
    assert losses(run) == losses(whole)
    assert Relighter.from_pretrained(run / "model").stage.name == "relight"


def _one_of_two(rank, port, options):
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2)
    train(TrainConfig.model_validate(options))
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_processes_train_as_one_does(url, whole, tmp_path, parallel):
    from tests.ray_jobs.conftest import free_ports

    options = config(url, tmp_path, parallel=parallel, accumulate=2 if parallel == "ddp" else 1,
                     validation=data(url, "test"), validation_clips=1)
    context = multiprocessing.get_context("spawn")
    port = free_ports(1)[0]
    both = [context.Process(target=_one_of_two, args=(rank, port, options.model_dump(mode="json"))) for rank in (0, 1)]
    for process in both:
        process.start()
    for process in both:
        process.join(200)
    assert [process.exitcode for process in both] == [0, 0]
    # Sums in another order; Adam turns the sign of a tiny gradient into a whole step, so a few weights differ more.
    one, two = weights(whole), weights(tmp_path)
    apart = torch.cat([(one[name] - two[name]).abs().flatten() for name in one])
    moved = torch.cat([(one[name] - start).abs().flatten() for name, start in _start(url, tmp_path).items()])
    assert apart.mean() < 0.01 * moved.mean()
    np.testing.assert_allclose(list(losses(tmp_path).values()), list(losses(whole).values()), rtol=2e-3)


def _start(url, folder):
    return dict(new_relighter(config(url, folder)).named_parameters())


# --- checkpoints ----------------------------------------------------------------------------------------------------


def test_relight_learns_from_what_delight_predicts(url, tmp_path):
    assert config(url, tmp_path).stage == "relight"
    new_relighter(config(url, tmp_path, stage="delight")).save_pretrained(tmp_path / "delight")
    chained = {"delight": str(tmp_path / "delight"), "delight_share": 1.0}
    for name, fields in (("true", {}), ("chained", chained)):
        assert not train(config(url, tmp_path / name, steps=2, **fields)).interrupted
    assert losses(tmp_path / "true") != losses(tmp_path / "chained")
    with pytest.raises(pydantic.ValidationError, match="only relight is given its predictions"):
        config(url, tmp_path / "x", stage="delight", **chained)


def test_a_checkpoint_cut_short_is_named_and_the_one_before_it_taken(url, whole, tmp_path):
    train(config(url, tmp_path, steps=6, keep=3))
    newest = tmp_path / "step-00000006" / "optimizer.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    told = []
    assert checkpoint.latest(tmp_path, told.append).name == "step-00000004"
    assert len(told) == 1 and "optimizer.safetensors: is cut short" in told[0]
    train(config(url, tmp_path, keep=3))
    assert_same(weights(whole), weights(tmp_path))


def _save_with_little_room(folder, queue):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        checkpoint.save(folder, 2, {"weights": {"a": torch.zeros(1 << 19)}}, {})
    except AssetError as error:
        queue.put(str(error))


def test_a_full_disk_leaves_the_checkpoint_before_it(tmp_path):
    checkpoint.save(tmp_path, 1, {"weights": {"a": torch.ones(3)}}, {"data": 1})
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_save_with_little_room, args=(tmp_path, queue))
    process.start()
    message = queue.get(timeout=100)
    process.join()
    assert "step-00000002: disk full" in message and "\n" not in message
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
    assert checkpoint.read_state(checkpoint.latest(tmp_path))["data"] == 1


@pytest.mark.parametrize("harm", ["not json", '{"step": 1}', '{"step": 1, "files": {"../../secret": "00"}}'])
def test_a_state_that_is_none_is_refused_in_one_line(tmp_path, harm):
    folder = checkpoint.save(tmp_path, 1, {}, {})
    (folder / "state.json").write_text(harm)
    with pytest.raises(AssetError, match=r"state\.json") as caught:
        checkpoint.read_state(folder, check=True)
    assert "\n" not in str(caught.value)


def test_another_configuration_is_refused(url, whole):
    with pytest.raises(SpecError, match="was trained with another learning_rate"):
        Trainer(config(url, whole, learning_rate=2e-3), new_relighter(config(url, whole)))


def test_export_holds_the_averaged_weights_and_a_card(url, whole, tmp_path):
    assert export(whole, tmp_path / "model") == 6
    relighter = Relighter.from_pretrained(tmp_path / "model")
    assert_same(dict(relighter.named_parameters()), weights(whole, name="average"))
    card = (tmp_path / "model/README.md").read_text()
    assert "after 6 steps of 4 clips" in card and url in card
    assert json.loads((tmp_path / "model/training.json").read_text())["steps"] == 6


# --- parts ----------------------------------------------------------------------------------------------------------


def test_average_follows_the_weights_and_swaps_with_them():
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(layer.weight)
    average = Average(layer, 0.75)
    for step in (100, 101):
        torch.nn.init.ones_(layer.weight)
        average.update(step)
    with average.swapped_in():
        assert layer.weight.item() == pytest.approx(1 - 0.75**2)
    assert layer.weight.item() == 1


def test_validation_scores_unseen_clips_and_shows_them(url, tmp_path):
    train(config(url, tmp_path, steps=1, validation=data(url, "test"), validation_clips=2))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "log")).Reload()
    assert events.Scalars("validation/psnr_target")[0].value > 5
    assert {tag for tag in events.Tags()["images"]} == {"validation/pictures"}


def test_validation_on_what_training_sees_is_refused(url, tmp_path):
    other = str(tmp_path / "other")
    make_ball(other, 7, identity="template/0", split="test", maps="c")  # a person of the training split of ``url``
    pack(other)
    with pytest.raises(DatasetError, match="identity 'template/0' is in training"):
        train(config(url, tmp_path / "leak", validation=data(other, "test")))
    for split in ("train", "all"):
        with pytest.raises(pydantic.ValidationError, match="has seen all"):
            config(url, tmp_path, data=data(url, split), validation=data(url, "train"))


@pytest.mark.parametrize(("fields", "message"), [
    ({"batch": 3, "accumulate": 2}, "no multiple of accumulate"),
    ({"model": {"backbone": "svd"}}, "svd needs a prior or a start"),
    ({"learning_rate": -1}, "learning_rate"),
    ({"stages": "relight"}, "unknown field 'stages'"),
])
def test_bad_fields_are_refused_in_one_line(url, tmp_path, fields, message):
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump({"data": {"datasets": [{"url": url}]}} | fields))
    with pytest.raises(SpecError, match=message) as caught:
        load_config(file)
    assert "\n" not in str(caught.value)


def test_a_batch_that_processes_cannot_share_is_refused(url, tmp_path, monkeypatch):
    monkeypatch.setattr(World, "here", classmethod(lambda cls: World(0, 3)))
    with pytest.raises(SpecError, match="4 clips a step can't be shared by 3 processes"):
        Trainer(config(url, tmp_path), None)
