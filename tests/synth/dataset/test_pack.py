"""Packing: shards of a size, an index that comes last, and no crash that loses or doubles anything."""

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from assets.errors import DatasetError
from synth.dataset import index
from synth.dataset.pack import pack
from synth.dataset.reader import Dataset
from synth.dataset.storage import Storage
from synth.dataset.validate import validate
from synth.dataset.writer import existing_clip_ids, write_clip
from tests.synth.dataset.clips import INFO, make_frames, make_spec


class Crash(BaseException):
    """Stands for the process being killed: nothing catches it."""


def stage(url, indices, frames=1):
    specs = [make_spec(i, frames=frames, lightings=1) for i in indices]
    for spec in specs:
        write_clip(str(url), spec, make_frames(spec), INFO)
    return [spec.clip_id for spec in specs]


def files(url):
    return {path.relative_to(url).as_posix() for path in url.rglob("*") if path.is_file()}


def test_shards_have_the_target_size_and_a_fixed_order(tmp_path, monkeypatch):
    ids = stage(tmp_path, [2, 0, 1, 4, 3])
    length = (tmp_path / "staging" / f"{ids[0]}.tar").stat().st_size
    # A target of 2.5 clips: pack counts in MiB, so make its MiB that small.
    groups = index.staged_rows(Storage(tmp_path))
    monkeypatch.setattr("synth.dataset.pack._MIB", int(2.5 * length))
    report = pack(str(tmp_path), shard_mb=1)
    assert report.clips == len(groups) == 5 and len(report.shards) == 3 and report.skipped == ()
    dataset = Dataset.open(str(tmp_path))
    rows = [clip.row for clip in dataset.clips()]
    assert [row["index"] for row in rows] == [0, 1, 2, 3, 4]
    assert [row["shard"] for row in rows] == [report.shards[i] for i in (0, 0, 1, 1, 2)]
    assert files(tmp_path) == {"index.parquet", *report.shards}
    assert validate(str(tmp_path)) == []


def test_a_second_pack_appends(tmp_path):
    first = stage(tmp_path, [0, 1])
    pack(str(tmp_path))
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in files(tmp_path) if name.startswith("shards")}
    second = stage(tmp_path, [2])
    stage(tmp_path, [1])  # rendered again by a worker that did not know
    assert existing_clip_ids(str(tmp_path)) == {*first, *second}
    report = pack(str(tmp_path))
    assert report.clips == 1
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in before} == before
    assert [clip.clip_id for clip in Dataset.open(str(tmp_path)).clips()] == first + second
    assert validate(str(tmp_path)) == [] and files(tmp_path) == {"index.parquet", *before, *report.shards}
    assert pack(str(tmp_path)).clips == 0


def test_small_row_groups_are_merged(tmp_path):
    for number in range(3):
        stage(tmp_path, [number])
        pack(str(tmp_path))
    assert pq.ParquetFile(tmp_path / "index.parquet").metadata.num_row_groups == 1


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("late_clip", [False, True])
def test_killed_at_any_step(tmp_path, monkeypatch, after, late_clip):
    """Kill pack before or after its k-th change to the store, for every k; the next run always ends the same."""
    expected = None
    for step in range(100):
        url = tmp_path / f"{step}"
        stage(url, [0, 1])
        pack(str(url))
        ids = stage(url, [2, 3])
        calls = 0

        def fragile(change, step=step):
            def call(self, *arguments):
                nonlocal calls
                calls += 1
                if calls == step + 1 and not after:
                    raise Crash
                change(self, *arguments)
                if calls == step + 1:
                    raise Crash

            return call

        with monkeypatch.context() as patch:
            for name in ("publish", "delete"):
                patch.setattr(Storage, name, fragile(getattr(Storage, name)))
            patch.setattr(Path, "unlink", lambda *_, **__: None)  # the dead do not clean up after themselves
            try:
                pack(str(url))
                crashed = False
            except Crash:
                crashed = True
        assert {*ids} <= existing_clip_ids(str(url))  # no clip is ever lost from sight
        assert [p for p in validate(str(url)) if p.level == "error"] == []
        if late_clip:
            stage(url, [4])
        pack(str(url))
        assert validate(str(url)) == []
        rows = Dataset.open(str(url)).table(["clip_id", "pixel_hash"]).to_pylist()
        expected = expected or sorted(rows, key=str)
        assert sorted(rows, key=str) == expected
        assert {name.split("/")[0] for name in files(url)} == {"index.parquet", "shards"}
        if not crashed:
            break
    assert step >= 6  # a shard, the index and two files for each clip


def flip(tar):
    data = bytearray(tar.read_bytes())
    data[3000] ^= 1
    tar.write_bytes(data)


@pytest.mark.parametrize("damage", [flip, lambda tar: os.truncate(tar, 3000), Path.unlink], ids=["flip", "cut", "gone"])
def test_a_damaged_staged_clip_stays_out_and_goes(tmp_path, damage):
    ids = stage(tmp_path, [0, 1, 2])
    damage(tmp_path / "staging" / f"{ids[1]}.tar")
    report = pack(str(tmp_path))
    assert report.clips == 2 and report.damaged == (ids[1],) and report.skipped == ()
    assert existing_clip_ids(str(tmp_path)) == {ids[0], ids[2]}, "so it will be rendered again"
    assert [clip.clip_id for clip in Dataset.open(str(tmp_path)).clips()] == [ids[0], ids[2]]
    stage(tmp_path, [1])
    assert pack(str(tmp_path)).clips == 1 and validate(str(tmp_path)) == []


def test_a_clip_that_cannot_be_read_now_stays_staged(tmp_path, monkeypatch):
    ids = stage(tmp_path, [0, 1])
    read = Storage.read

    def unlucky(self, name, *span):
        if ids[1] in name:
            raise DatasetError(f"{name}: connection reset")
        return read(self, name, *span)

    with monkeypatch.context() as patch:
        patch.setattr(Storage, "read", unlucky)
        report = pack(str(tmp_path))
    assert report.clips == 1 and report.damaged == () and "connection reset" in report.skipped[0]
    assert existing_clip_ids(str(tmp_path)) == {*ids} and pack(str(tmp_path)).clips == 1


def test_a_draft_of_an_indexed_clip_goes_only_when_it_is_old(tmp_path):
    (clip_id,) = stage(tmp_path, [0])
    draft = tmp_path / "staging" / f".{clip_id}.tar.{'0' * 32}.tmp"
    draft.touch()
    pack(str(tmp_path))
    assert draft.exists(), "another run may be writing it"
    os.utime(draft, (0, 0))
    pack(str(tmp_path))
    assert not draft.exists()
