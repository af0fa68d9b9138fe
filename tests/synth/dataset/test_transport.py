"""The ``transport`` member: read alone by its offset, checked with the frame that it belongs to."""

import dataclasses

import numpy as np
import pytest

from assets.errors import DatasetError
from synth.dataset.pack import pack
from synth.dataset.reader import Dataset
from synth.dataset.validate import validate
from synth.dataset.writer import write_clip
from synth.transport.directions import Basis
from synth.transport.response import Transport, relight
from tests.synth.dataset.clips import INFO, make_frame, make_frames, make_spec

BASIS = Basis(4, 2)


def with_transport(frame, seed=0):
    """The frame with a transport whose answer to white light is its flat image."""
    flat = frame.channels["flat"]
    height, width = flat.shape[:2]
    pixels = np.flatnonzero(flat.max(axis=-1)).astype(np.uint32)
    shares = np.random.default_rng(seed).random((len(pixels), 1, BASIS.size), np.float32)
    response = flat.reshape(-1, 3)[pixels, :, None] * (shares / shares.sum(axis=-1, keepdims=True))
    return dataclasses.replace(frame, transport=Transport(width, height, BASIS, pixels, response, response / 4))


@pytest.fixture
def dataset(tmp_path):
    """A packed dataset of a clip with transport and one without; (folder, clip with, clip without)."""
    spec, plain = make_spec(0), make_spec(1)
    write_clip(str(tmp_path), spec, map(with_transport, make_frames(spec)), INFO)
    write_clip(str(tmp_path), plain, make_frames(plain), INFO)
    pack(str(tmp_path))
    opened = Dataset.open(str(tmp_path))
    return tmp_path, opened.clip(spec.clip_id), opened.clip(plain.clip_id)


def test_transport_comes_back_and_relights(dataset):
    folder, clip, plain = dataset
    assert clip.has_transport and not plain.has_transport and validate(str(folder)) == []
    lights = np.random.default_rng(2).random((3, BASIS.size, 3), np.float32)
    for number in (1, 0):
        frame = with_transport(make_frame(make_spec(0), number))
        for specular in (False, True):
            expected = relight(frame.transport, lights, (), specular)
            found = clip.transport(number).relight(lights, (), specular)
            assert np.abs(found - expected).max() < 0.2 * expected.max()
            assert np.abs(found - expected).mean() < 0.04 * expected.mean()
        assert np.abs(clip.transport(number).flat() - clip.read(number, "flat")).max() < 5e-3


def test_same_frames_same_bytes(tmp_path):
    spec = make_spec()
    for name in "ab":
        write_clip(str(tmp_path / name), spec, map(with_transport, make_frames(spec)), INFO)
    a, b = ((tmp_path / name / "staging" / f"{spec.clip_id}.tar").read_bytes() for name in "ab")
    assert a == b


def test_asking_for_what_is_not_there(dataset):
    _, clip, plain = dataset
    for action, message in ((lambda: plain.transport(0), "frame 0 has no transport"),
                            (lambda: clip.transport(2), "frame 2 is not one of 0 to 1")):
        with pytest.raises(DatasetError, match=message) as caught:
            action()
        assert "\n" not in str(caught.value)


def test_damage_is_one_line_and_found(dataset):
    folder, clip, _ = dataset
    member = next(member for member in clip.row["members"] if member["name"] == "0001.transport")
    shard = folder / clip.row["shard"]
    data = bytearray(shard.read_bytes())
    data[member["offset"] + member["length"] // 2] ^= 4
    shard.write_bytes(data)
    with pytest.raises(DatasetError, match="0001.transport: damaged") as caught:
        clip.transport(1)
    assert "\n" not in str(caught.value) and clip.transport(0).flat().any()
    assert any("0001.transport" in problem.message for problem in validate(str(folder)))


def test_transport_of_another_frame_is_not_written(tmp_path):
    spec = make_spec()
    first, second = map(with_transport, make_frames(spec))
    first = dataclasses.replace(first, transport=second.transport)
    with pytest.raises(DatasetError, match="0000.transport: its answer to white light differs"):
        write_clip(str(tmp_path), spec, [first, second], INFO)
    assert list((tmp_path / "staging").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [(lambda t: {"width": t.width + 1}, "transport of 41x32 pixels, expected 40x32"),
     (lambda t: {"response": t.response[1:]}, "frame 0: transport: response of shape")],
)
def test_what_does_not_fit_its_frame_is_refused(tmp_path, change, message):
    spec = make_spec()
    frame = with_transport(make_frame(spec, 0))
    frame = dataclasses.replace(frame, transport=dataclasses.replace(frame.transport, **change(frame.transport)))
    with pytest.raises(DatasetError, match=message):
        write_clip(str(tmp_path), spec, [frame], INFO)
