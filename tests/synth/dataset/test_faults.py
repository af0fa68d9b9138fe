"""Kill, fill the disk, damage and lie: nothing half-written is ever visible, and each fault is one line."""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import time
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from assets.errors import DatasetError
from synth.dataset import exr, index
from synth.dataset.pack import pack
from synth.dataset.reader import Clip, Dataset
from synth.dataset.validate import validate
from synth.dataset.writer import existing_clip_ids, write_clip
from tests.synth.dataset.clips import INFO, make_frame, make_frames, make_spec

_WORKER = """
import resource, sys, time
from synth.dataset.writer import write_clip
from tests.synth.dataset.clips import INFO, make_frame, make_spec
spec = make_spec(frames=3)
def frames():
    for number in range(3):
        if number == 2 and sys.argv[2] == "wait":
            print("two frames written", flush=True)
            time.sleep(60)
        yield make_frame(spec, number)
if sys.argv[2] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_clip(sys.argv[1], spec, frames(), INFO)
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


def worker(url, mode):
    return subprocess.Popen([sys.executable, "-c", _WORKER, str(url), mode], stdout=subprocess.PIPE, text=True)


@pytest.fixture
def packed(tmp_path):
    """A packed dataset of two clips: (its folder, the path of its shard, the second clip's id)."""
    for number in range(2):
        spec = make_spec(number)
        write_clip(str(tmp_path), spec, make_frames(spec), INFO)
    return tmp_path, tmp_path / pack(str(tmp_path)).shards[0], spec.clip_id


def one_line(action):
    with pytest.raises(DatasetError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_kill_9_while_writing(tmp_path):
    process = worker(tmp_path, "wait")
    assert process.stdout.readline() == "two frames written\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    left = os.listdir(tmp_path / "staging")
    os.utime(tmp_path / "staging" / left[0], (0, 0))  # as if hours had passed: a young draft may be another run's
    assert [name[0] for name in left] == ["."] and existing_clip_ids(str(tmp_path)) == set()
    assert pack(str(tmp_path)).clips == 0
    spec = make_spec(frames=3)
    write_clip(str(tmp_path), spec, make_frames(spec), INFO)
    assert [p.level for p in validate(str(tmp_path))] == ["warning", "warning"]  # the draft, and a clip to be packed
    pack(str(tmp_path))
    assert validate(str(tmp_path)) == [] and os.listdir(tmp_path / "staging") == []


def test_disk_full_while_writing(tmp_path):
    process = worker(tmp_path, "limit")
    message = process.communicate(timeout=60)[0]
    assert message.startswith("DatasetError: ") and message.count("\n") == 1
    assert str(tmp_path) in message and "no space left" in message and "bytes free" in message
    assert os.listdir(tmp_path / "staging") == []


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="a tmpfs needs root on Linux")
def test_full_tmpfs(tmp_path):
    """Clips fit until one does not; those that did are whole, and packing them reports the same way."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", tmp_path], capture_output=True).returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    try:
        written = set()
        with pytest.raises(DatasetError, match="no space left"):
            for number in range(10):
                spec = make_spec(number)
                write_clip(str(tmp_path), spec, make_frames(spec), INFO)
                written.add(spec.clip_id)
        assert written and existing_clip_ids(str(tmp_path)) == written
        assert "no space left" in one_line(lambda: pack(str(tmp_path)))
        assert os.listdir(tmp_path / "shards") == [] and existing_clip_ids(str(tmp_path)) == written
        assert [p for p in validate(str(tmp_path)) if p.level == "error"] == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_no_room_to_start(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(100, 90, 10))
    message = one_line(lambda: write_clip(str(tmp_path), make_spec(), iter(()), INFO))
    assert "no space left" in message and "10 bytes free" in message


def test_not_allowed_to_write(tmp_path):
    (tmp_path / "file").write_text("")
    assert "file" in one_line(lambda: write_clip(str(tmp_path / "file"), make_spec(), make_frames(make_spec()), INFO))


def test_truncated_shard(packed):
    url, shard, clip_id = packed
    with shard.open("r+b") as file:
        file.truncate(Dataset.open(str(url)).clip(clip_id).row["offset"] + 5000)
    clip = Dataset.open(str(url)).clip(clip_id)
    assert "truncated" in one_line(lambda: clip.read(1, "rgb.000"))
    assert any("truncated" in str(p) for p in validate(str(url)))


def test_missing_shard(packed):
    url, shard, clip_id = packed
    shard.unlink()
    assert "no such file" in one_line(lambda: Dataset.open(str(url)).clip(clip_id).read(0, "rgb.000"))
    assert validate(str(url))


@pytest.mark.parametrize("where", ["header", "exr", "pixels", "json", "envmap", "end"])
def test_validate_sees_any_flipped_byte(packed, where):
    url, shard, clip_id = packed
    clip = Dataset.open(str(url)).clip(clip_id)
    members = {m["name"]: m for m in clip.row["members"]}
    env = next(m for name, m in members.items() if name.startswith("env/"))
    offset = {
        "header": members["0000.exr"]["offset"] - 400,
        "exr": members["0000.exr"]["offset"] + 300,
        "pixels": members["0001.exr"]["offset"] + clip.metadata()["frames"][1]["parts"]["flow"][0] + 40,
        "json": members["clip.json"]["offset"] + members["clip.json"]["length"] - 40,
        "envmap": env["offset"] + env["length"] - 20,
        "end": shard.stat().st_size - 5,
    }[where]
    flip(shard, offset)
    errors = [p for p in validate(str(url)) if p.level == "error"]
    assert errors and all("\n" not in str(p) for p in errors)
    if where != "end":
        assert any(clip_id in p.where for p in errors)
    assert not any(make_spec(0).clip_id in p.where for p in errors)


def test_a_damaged_part_says_so_and_leaves_the_others(packed):
    url, shard, clip_id = packed
    clip = Dataset.open(str(url)).clip(clip_id)
    offset = next(m["offset"] for m in clip.row["members"] if m["name"] == "0001.exr")
    flip(shard, offset + clip.metadata()["frames"][1]["parts"]["position"][0] + 40)
    message = one_line(lambda: clip.read(1, "position"))
    assert clip_id in message and "frame 1: position: cannot be decoded" in message
    assert np.array_equal(clip.read(1, "normal"), make_frame(make_spec(1), 1).channels["normal"])


def flip(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x55
    path.write_bytes(data)


def test_random_damage_never_escapes(packed):
    """Reads of a shard with any bytes wrong give an image or a DatasetError, never another exception or a crash."""
    url, shard, clip_id = packed
    good = shard.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(good)
        for offset in rng.integers(0, len(data), 400):
            data[offset] ^= int(rng.integers(1, 256))
        shard.write_bytes(data)
        clip = Dataset.open(str(url)).clip(clip_id)
        for method, arguments in (("read", (0, "normal")), ("read", (1, "rgb.001")), ("envmap", (0, 0))):
            try:
                assert getattr(clip, method)(*arguments).dtype == np.float32
            except DatasetError as error:
                assert "\n" not in str(error)
    assert validate(str(url))


def edit_index(url, change):
    rows = pq.read_table(url / "index.parquet").to_pylist()
    change(rows[1])
    pq.write_table(index.rows_to_table(rows, "test"), url / "index.parquet")


def set_member(row, **values):
    row["members"][0].update(values)


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        (lambda row: row.update(shard="../../../etc/passwd"), "is not the name of a shard"),
        (lambda row: row.update(shard="shards/" + "0" * 32 + ".tar"), "no such file"),
        (lambda row: set_member(row, offset=10**15), "outside its clip"),
        (lambda row: set_member(row, offset=0), "outside its clip"),
        (lambda row: set_member(row, length=-5), "outside its clip"),
        (lambda row: set_member(row, name="../evil"), "is not one that a clip may have"),
        (lambda row: set_member(row, name="0001.exr"), "is not one that a clip may have"),
        (lambda row: row.update(offset=-1024), "byte range"),
        (lambda row: row.update(width=100_000, height=100_000), "100000x100000"),
        (lambda row: row.update(width=41), "cannot be decoded"),
        (lambda row: row.update(height=64), "not chunk"),
        (lambda row: row.update(frames=9), "9"),
        (lambda row: row.update(members=None), "members"),
    ],
)
def test_an_index_that_lies(packed, lie, message):
    url, _, clip_id = packed
    edit_index(url, lie)
    assert message in one_line(lambda: Dataset.open(str(url)).clip(clip_id).read(0, "rgb.000"))
    assert any(p.level == "error" for p in validate(str(url)))


def test_an_index_that_shifts_a_clip(packed):
    """Offsets that stay inside the shard but point elsewhere."""
    url, _, clip_id = packed

    def shift(row):
        row["offset"] -= 512
        for member in row["members"]:
            member["offset"] -= 512

    edit_index(url, shift)
    one_line(lambda: Dataset.open(str(url)).clip(clip_id).read(0, "rgb.000"))
    assert any(clip_id in str(p) for p in validate(str(url)))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"no parquet" * 10])
def test_an_index_that_is_none(packed, content):
    url, *_ = packed
    (url / "index.parquet").write_bytes(content)
    assert "index.parquet" in one_line(lambda: Dataset.open(str(url)))
    assert [p.level for p in validate(str(url))].count("error") == 1


def test_a_folder_that_is_no_dataset(tmp_path):
    assert ["no clips" in p.message for p in validate(str(tmp_path / "nothing"))] == [True]
    assert existing_clip_ids(str(tmp_path / "nothing")) == set()
    assert "not a dataset URL that can be used" in one_line(lambda: Dataset.open("nosuch://bucket/x"))


def test_an_index_of_something_else(packed):
    url, *_ = packed
    pq.write_table(pq.read_table(url / "index.parquet").select(["clip_id"]), url / "index.parquet")
    assert "columns missing" in one_line(lambda: Dataset.open(str(url)))


def test_a_tar_member_that_would_climb_out(packed):
    """A shard whose headers say ``../`` reads as before (names are never followed), and does not pass validation."""
    url, shard, clip_id = packed
    member = Dataset.open(str(url)).clip(clip_id).row["members"][0]
    header = tarfile.TarInfo("../../evil.exr")
    header.size = member["length"]
    data = bytearray(shard.read_bytes())
    data[member["offset"] - 512 : member["offset"]] = header.tobuf(tarfile.USTAR_FORMAT)
    shard.write_bytes(data)
    assert any(clip_id in p.where and "0000.exr" in p.message for p in validate(str(url)))
    assert Dataset.open(str(url)).clip(clip_id).read(0, "alpha").shape == (32, 40)


def test_a_map_that_claims_a_huge_size():
    data = bytearray(exr.encode_envmap(np.zeros((8, 16, 3), np.float32)))
    window = struct.pack("<4i", 0, 0, 15, 7)
    huge = bytes(data).replace(window, struct.pack("<4i", 0, 0, 99_999, 99_999))
    assert huge != bytes(data)
    start = time.perf_counter()
    assert "[99999, 99999]" in one_line(lambda: exr.decode_envmap(huge, 16, 8))
    assert "100000x100000" in one_line(lambda: exr.decode_envmap(huge, 100_000, 100_000))
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("content", ["{", "[]", '{"clip_id": "../x"}', "null"])
def test_a_staged_row_that_is_none(tmp_path, content):
    spec = make_spec()
    write_clip(str(tmp_path), spec, make_frames(spec), INFO)
    (tmp_path / "staging" / f"{spec.clip_id}.json").write_text(content)
    assert spec.clip_id in one_line(lambda: pack(str(tmp_path)))
    assert any(p.level == "error" for p in validate(str(tmp_path)))


def test_clip_json_that_lies(packed):
    """The same length, so that every offset still holds: a part said to lie where another one does."""
    url, shard, clip_id = packed
    clip = Dataset.open(str(url)).clip(clip_id)
    member = next(m for m in clip.row["members"] if m["name"] == "clip.json")
    data = bytearray(shard.read_bytes())
    text = bytes(data[member["offset"] : member["offset"] + member["length"]])
    metadata = json.loads(text)
    parts = metadata["frames"][0]["parts"]
    parts["rgb.000"], parts["rgb.001"] = parts["rgb.001"], parts["rgb.000"]
    lie = json.dumps(metadata, sort_keys=True, separators=(",", ":")).encode()
    assert len(lie) == len(text)
    data[member["offset"] : member["offset"] + member["length"]] = lie
    shard.write_bytes(data)
    assert "is not chunk 0" in one_line(lambda: Dataset.open(str(url)).clip(clip_id).read(0, "rgb.000"))
    assert any("parts are not where" in p.message for p in validate(str(url)))


def test_lobes_that_do_not_sum_and_alpha_beyond_one_are_found(tmp_path):
    spec = make_spec(frames=1)
    frame = make_frame(spec, 0)
    frame.channels["rgb.000"][10, 10] += 0.01
    frame.channels["alpha"][3, 3] = 1.5
    message = one_line(lambda: write_clip(str(tmp_path), spec, [frame], INFO))
    assert "alpha" in message and existing_clip_ids(str(tmp_path)) == set()
    frame.channels["alpha"][3, 3] = 1.0
    assert "diffuse + specular" in one_line(lambda: write_clip(str(tmp_path), spec, [frame], INFO))


def test_an_id_that_is_a_path_is_refused_before_a_file_is_named_after_it(tmp_path):
    with pytest.raises(DatasetError, match="expected 20 hex digits"):
        Clip(SimpleNamespace(url=str(tmp_path)), "../../../evil")
