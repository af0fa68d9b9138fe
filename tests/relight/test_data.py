"""Samples are what the dataset holds, seen through a camera; the same in any process, and never of what is held out."""

import json
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pydantic
import pytest
import torch

from assets.errors import DatasetError, SpecError
from relight.batch import STAGES, PortraitBatch
from relight.conditioning.environment import Environment
from relight.conditioning.light_maps import encode_ldr, encode_log
from relight.data import pairs
from relight.data.config import BackgroundChoice, DataConfig
from relight.data.loader import PortraitDataset, PortraitLoader, collate
from relight.data.order import Order, batches
from relight.data.photograph import Recorder
from relight.data.sources import check_held_out, open_sources
from synth.camera.film import Film
from synth.camera.sensor import SensorNoise
from synth.dataset.pack import pack
from synth.dataset.reader import Dataset
from synth.lighting.envmap import EnvMap
from tests.relight.clips import FRAMES, LIGHTINGS, SIZE, make_ball, make_dataset

PICTURES = ("source", "flat", "alpha", "target", "background")
PLAIN = {"flip": 0.0, "noise": 0.0, "backgrounds": {"environment": 1, "other": 0, "grey": 0, "colour": 0}}
"""Nothing but what the dataset holds."""


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    return make_dataset(str(tmp_path_factory.mktemp("balls")))


def config(*urls, **fields):
    options = {"frames": 3, "width": SIZE, "height": SIZE, "light_height": 8}
    return DataConfig(datasets=[{"url": url} for url in urls], **(options | fields))


def same(one, two):
    """Whether two samples, or batches, are the same to the bit."""
    one, two = (vars(side) if isinstance(side, PortraitBatch) else side for side in (one, two))
    return one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)


# --- what a sample is -----------------------------------------------------------------------------------------------


def expected(clip, lighting, start, frames, film):
    """Picture, background and light maps of a window, by the plain ways."""
    cameras = [clip.camera(start + t) for t in range(frames)]
    maps = [EnvMap(clip.envmap(lighting, start + t)) for t in range(frames)]
    behind = np.stack([light.look_up(camera.rays()) for light, camera in zip(maps, cameras, strict=True)])
    lit = np.stack([clip.read(start + t, f"rgb.{lighting:03d}") for t in range(frames)])
    alpha = np.stack([clip.read(start + t, "alpha") for t in range(frames)])[..., None]
    light = Environment(maps).in_camera_axes(cameras, 8)
    pictures = [film.develop(linear).transpose(0, 3, 1, 2) for linear in (lit + (1 - alpha) * behind, behind)]
    return *pictures, encode_ldr(light), encode_log(light)


def test_a_sample_is_what_the_dataset_holds(url, monkeypatch):
    film = Film(-0.4, (1.1, 1.0, 0.9), "filmic")
    monkeypatch.setattr(pairs, "sample_film", lambda rng, metered_ev: film)
    data = PortraitDataset(config(url, **PLAIN))
    step = 0.51 / 255
    for number in range(4):
        sample = data[number]
        source, clip_number = data.order[number]
        clip = data._clip(source, clip_number)
        windows = [(lighting, start) for lighting in range(LIGHTINGS) for start in range(FRAMES - 2)]
        found = [(lighting, start) for lighting, start in windows
                 if np.abs(expected(clip, lighting, start, 3, film)[0] - sample["target"] / 255).max() < step]
        assert len(found) == 1
        lighting, start = found[0]
        _, behind, ldr, log = expected(clip, lighting, start, 3, film)
        np.testing.assert_allclose(sample["background"] / 255, behind, atol=step)
        np.testing.assert_allclose(sample["light_ldr"], ldr, rtol=1e-5)
        np.testing.assert_allclose(sample["light_log"], log, rtol=1e-5)
        assert (sample["exposure"] == np.float32(-0.4)).all()
        others = [np.abs(expected(clip, other, start, 3, film)[0] - sample["source"] / 255).max() < step
                  for other in range(LIGHTINGS)]
        assert sum(others) == 1 and not others[lighting], "the source is under another light"
        flat = np.stack([Film().develop(clip.read(start + t, "flat")) for t in range(3)]).transpose(0, 3, 1, 2)
        np.testing.assert_allclose(sample["flat"] / 255, flat, atol=step)
        alpha = np.stack([clip.read(start + t, "alpha") for t in range(3)])[:, None]
        assert np.array_equal(sample["alpha"], 255 * alpha)


def test_light_comes_from_the_side_that_its_map_says(url):
    data = PortraitDataset(config(url, **(PLAIN | {"flip": 0.5})))
    sides = []
    for number in range(24):
        sample = data[number]
        ball = sample["target"].astype(float) * (sample["alpha"] > 128)
        across = np.linspace(-1, 1, SIZE)
        lit = (ball.sum(axis=(0, 1, 2)) * across).sum() / ball.sum()
        texels = np.expm1(sample["light_log"]).sum(axis=(0, 1, 2))
        said = (texels * np.sin(np.linspace(-np.pi, np.pi, len(texels)))).sum() / texels.sum()
        if abs(said) > 0.1:
            sides.append(np.sign(said))
            assert lit * said > 0
    assert {-1, 1} <= set(sides), "both sides have been seen"


def test_a_mirrored_sample_is_mirrored_whole(url):
    never, always = (PortraitDataset(config(url, flip=flip))[3] for flip in (0.0, 1.0))
    for name in set(never) - {"exposure"}:
        assert np.array_equal(always[name], never[name][..., ::-1]), name
    assert not np.array_equal(always["background"], never["background"])
    # A mirrored camera space has the same axes: x to the right, whatever is there.
    batch, plain = collate([always]), collate([never])
    assert torch.equal(batch.light_direction, plain.light_direction)
    assert (batch.light_direction[..., 0, :, -4] > 0).all() and (batch.light_direction[..., 0, :, 4] < 0).all()


def test_noise_and_backgrounds_touch_the_source_alone(url):
    plain = PortraitDataset(config(url, **PLAIN))
    for change in ({"noise": 1.0}, {"backgrounds": {"environment": 0, "other": 0, "grey": 1, "colour": 0}}):
        changed = PortraitDataset(config(url, **(PLAIN | change)))
        for number in range(2):
            before, after = plain[number], changed[number]
            assert same({**before, "source": 0}, {**after, "source": 0})
            assert not np.array_equal(before["source"], after["source"])


def test_a_reduced_picture_has_the_noise_of_a_mean():
    noise = SensorNoise(iso=3200, read_noise=4, prnu=0, bits=12)
    exposed = np.full((64, 64, 3), 0.05, np.float32)
    whole = np.stack([noise.apply(exposed, np.random.default_rng(seed)) for seed in range(8)])
    means = whole.reshape(8, 16, 4, 16, 4, 3).mean(axis=(2, 4))
    ours = Recorder(pairs._binned(noise, 4), 0, means.shape).record(np.full(means.shape, 0.05, np.float32))
    assert ours.std() == pytest.approx(means.std(), rel=0.05)
    assert pairs._binned(noise, 1.0) == noise


@pytest.mark.parametrize("kind", ["grey", "colour", "other"])
def test_what_the_source_stands_before(url, kind):
    odds = dict.fromkeys(("environment", "other", "grey", "colour"), 0) | {kind: 1}
    data = PortraitDataset(config(url, **(PLAIN | {"backgrounds": odds})))
    corners = []
    for number in range(4):
        source, alpha = data[number]["source"], data[number]["alpha"]
        outside = source.transpose(1, 0, 2, 3)[:, (alpha == 0)[:, 0]]
        uniform = (outside == outside[:, :1]).all()
        assert uniform == (kind != "other")
        corners.append(tuple(outside[:, 0]))
    assert len(set(corners)) > 2, "another one each time"
    if kind == "colour":
        assert all(np.ptp(corner) > 3 for corner in corners)


def test_a_batch_has_the_shapes_and_ranges_that_models_are_promised(url):
    data = PortraitDataset(config(url, width=32, height=24, crop=0.6))
    batch = collate([data[0], data[1]])
    shapes = {"source": (2, 3, 3, 24, 32), "alpha": (2, 3, 1, 24, 32), "light_ldr": (2, 3, 3, 8, 16),
              "light_log": (2, 3, 3, 8, 16), "light_direction": (2, 3, 3, 8, 16), "exposure": (2, 3)}
    for name, shape in shapes.items():
        assert tuple(getattr(batch, name).shape) == shape and getattr(batch, name).dtype == torch.float32
    for name in (*PICTURES, "light_ldr"):
        assert 0 <= getattr(batch, name).min() and 0.2 < getattr(batch, name).max() <= 1
    assert len(batch) == 2


# --- order, workers, resuming ---------------------------------------------------------------------------------------


def test_every_clip_is_seen_as_often_and_sources_by_weight():
    order = Order.mixed([5, 50], [3, 1], seed=1, samples=20)
    assert order.quotas == (15, 5) and len(order) == 20
    seen = [order[n] for n in range(60)]
    for epoch in range(3):
        assert sum(source == 0 for source, _ in seen[20 * epoch :][:20]) == 15
    counts = np.bincount([clip for source, clip in seen if source == 0], minlength=5)
    assert (counts == 9).all()
    others = [clip for source, clip in seen if source == 1]
    assert len(set(others)) == len(others) == 15, "no clip again before all have been seen"
    assert seen[:20] != seen[20:40], "epochs differ"
    assert [Order.mixed([5, 50], [3, 1], seed=1, samples=20)[n] for n in range(60)] == seen
    assert [Order.mixed([5, 50], [3, 1], seed=2, samples=20)[n] for n in range(60)] != seen


def test_ranks_share_out_the_same_batches():
    whole = [next(group) for group in [batches(6, 12)] for _ in range(4)]
    parts = [batches(6, 12, rank, 3) for rank in range(3)]
    assert [sum((next(part) for part in parts), []) for _ in range(4)] == whole
    ended = [list(batches(0, 4, rank, 2, stop=9)) for rank in range(2)]
    assert ended == [[[0, 1], [4, 5], [8]], [[2, 3], [6, 7], []]]


def test_two_ranks_see_what_one_process_sees(url):
    whole = iter(PortraitLoader(config(url), 4))
    ranks = [iter(PortraitLoader(config(url), 4, rank=rank, world_size=2)) for rank in range(2)]
    for _ in range(2):
        one, halves = next(whole), [next(rank) for rank in ranks]
        for name, tensor in vars(one).items():
            assert torch.equal(tensor, torch.cat([getattr(half, name) for half in halves]))


@pytest.mark.parametrize(("name", "absent"), [
    ("relight", {"source"}), ("delight", {"target", "background", "light_ldr", "light_log", "light_direction"})])
def test_a_stage_reads_no_more_than_it_uses_and_the_same_bits(url, name, absent):
    options = config(url, crop=0.7)
    whole, part = iter(PortraitLoader(options, 6)), iter(PortraitLoader(options, 6, stage=STAGES[name]))
    for _ in range(2):
        one, other = vars(next(whole)), vars(next(part).to("cpu"))
        assert {key for key, value in other.items() if value is None} == absent
        assert same({key: one[key] for key in one.keys() - absent}, {key: other[key] for key in one.keys() - absent})


def test_any_number_of_workers_and_a_resumed_run_give_the_same_bits(url):
    options = config(url, crop=0.7, samples=5)
    alone = PortraitLoader(options, 2)
    stream = iter(alone)
    wanted = [next(stream) for _ in range(3)]
    state = json.loads(json.dumps(alone.state_dict()))
    wanted += [next(stream) for _ in range(3)]
    assert not same(wanted[0], wanted[3])
    helped = PortraitLoader(options, 2, workers=2)
    stream = iter(helped)
    assert all(same(next(stream), batch) for batch in wanted[:3])
    assert helped.state_dict() == state, "what workers have read ahead does not count"
    del stream
    resumed = PortraitLoader(options, 2)
    resumed.load_state_dict(state)
    assert resumed.epoch == pytest.approx(6 / 5)
    stream = iter(resumed)
    assert all(same(next(stream), batch) for batch in wanted[3:])
    halves = PortraitLoader(options, 1)  # a state counts samples: batches may have another size
    halves.load_state_dict(state)
    assert torch.equal(next(iter(halves)).source[0], wanted[3].source[0])


def test_validation_ends_and_starts_anew(url):
    loader = PortraitLoader(config(url, split="test"), 2, epochs=1)
    first, second = list(loader), list(loader)
    assert len(first) == len(second) == len(loader) == 1 and len(first[0]) == 1
    assert same(first[0], second[0])
    empty = PortraitLoader(config(url, split="test"), 2, epochs=1, rank=1, world_size=2)
    assert list(empty) == []


def test_a_dataset_pickles_small(url):
    data = PortraitDataset(config(url))
    first = data[5]
    copy = pickle.loads(pickle.dumps(data))
    assert same(copy[5], first) and len(pickle.dumps(data)) < 4000


def test_a_state_of_other_data_is_refused(url):
    loader = PortraitLoader(config(url), 2)
    for other in (config(url, seed=1), config(url, crop=0.5), config(url, split="test")):
        with pytest.raises(SpecError, match="loader state: its data have digest") as caught:
            PortraitLoader(other, 2).load_state_dict(loader.state_dict())
        assert "\n" not in str(caught.value)
    moved = config(url).model_copy(update={"verify": False})
    PortraitLoader(moved, 2).load_state_dict(loader.state_dict())
    with pytest.raises(SpecError, match="next is -2"):
        loader.load_state_dict(loader.state_dict() | {"next": -2})
    with pytest.raises(SpecError, match="batch_size: 3 for rank 0 of 2"):
        PortraitLoader(config(url), 3, world_size=2)


# --- lights drawn anew ----------------------------------------------------------------------------------------------


def test_a_clip_with_transport_is_lit_anew(tmp_path):
    url = make_dataset(str(tmp_path), count=1, transport=True)
    relight = {"probability": 1.0, "sources": ("procedural",), "height": 16}
    data = PortraitDataset(config(url, **PLAIN, relight=relight, frames=2))
    plain = PortraitDataset(config(url, **PLAIN, frames=2))
    targets = [data[number] for number in range(3)]
    assert same(targets[1], data[1]) and not same(targets[0], targets[1])
    for number, sample in enumerate(targets):
        assert np.array_equal(sample["flat"], plain[number]["flat"])
        assert not np.array_equal(sample["target"], plain[number]["target"])
        grey = sample["target"][sample["alpha"][:, 0].repeat(3).reshape(sample["target"].shape) > 0]
        assert 15 < grey.mean() < 240, "exposed by what the meter reads in the new light"


# --- what is refused ------------------------------------------------------------------------------------------------


def one_line(match):
    return pytest.raises(DatasetError, match=match)


def test_only_clips_of_the_split_are_read(url):
    rows = {clip.clip_id: clip.row for clip in Dataset.open(url).clips()}
    for split, count in (("train", 3), ("test", 1), ("all", 4)):
        ids = open_sources(config(url, split=split))[0].clip_ids
        assert len(ids) == count and (split == "all" or {rows[i]["split_identity"] for i in ids} == {split})
    with one_line("of 4 clips 0 are in split 'val'"):
        open_sources(config(url, split="val"))
    with one_line("none of these has 9 frames or more"):
        open_sources(config(url, frames=9))


def test_a_person_or_a_map_on_both_sides_is_refused(url, tmp_path):
    """In one dataset, and in two that are mixed."""
    people, maps = str(tmp_path / "people"), str(tmp_path / "maps")
    make_ball(people, 7, identity="template/0", split="test", maps="c")
    make_ball(maps, 8, split="val", maps="a")
    for folder, what in ((people, "identity 'template/0'"), (maps, "environment map 'a0'")):
        pack(folder)
        with one_line(f"{what} is in training .clip .* and held out from it") as caught:
            open_sources(config(url, folder))
        assert "\n" not in str(caught.value)
        with one_line(what):
            check_held_out(config(url), config(folder, split="all"))
    make_ball(str(tmp_path / "one"), 0, maps="a")
    make_ball(str(tmp_path / "one"), 1, split="train", split_hdri="test", maps="a")
    pack(str(tmp_path / "one"))
    with one_line("environment map"):
        open_sources(config(str(tmp_path / "one")))
    check_held_out(config(url), config(url, split="test"))


def test_bytes_and_digests_that_differ_are_refused(url, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(url, damaged)
    open_sources(config(str(damaged)))
    digest = open_sources(config(url))[0].digest
    pinned = DataConfig(datasets=[{"url": url, "digest": digest}], frames=3)
    assert open_sources(pinned)[0].digest == digest
    with one_line(f"its index has digest {digest}, the configuration asks for 00ff"):
        open_sources(DataConfig(datasets=[{"url": url, "digest": "00ff"}], frames=3))
    shard = next((damaged / "shards").iterdir())
    data = bytearray(shard.read_bytes())
    data[3000] ^= 1
    shard.write_bytes(data)
    with one_line("has hash .*, the index says") as caught:
        open_sources(config(str(damaged)))
    assert "\n" not in str(caught.value)
    open_sources(config(str(damaged), verify=False))
    shard.unlink()
    with one_line("no such file"):
        open_sources(config(str(damaged)))


def test_wrong_fields_are_named():
    with pytest.raises(pydantic.ValidationError, match="flipp"):
        DataConfig(datasets=[{"url": "x"}], flipp=1)
    with pytest.raises(pydantic.ValidationError, match="above 0"):
        BackgroundChoice(environment=0, other=0, grey=0, colour=0)
    with pytest.raises(pydantic.ValidationError, match="datasets"):
        DataConfig(datasets=[])


def test_importing_stays_light():
    """No renderer, ever; torch only with what needs it."""
    code = ("import sys, relight; assert 'torch' not in sys.modules and 'pyarrow' not in sys.modules\n"
            "import relight.data.config, relight.data.order; assert 'torch' not in sys.modules\n"
            "import relight.data.loader; assert 'mitsuba' not in sys.modules and 'ray' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True)
