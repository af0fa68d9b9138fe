"""The same dataset on an S3 API, served on loopback."""

import boto3
import numpy as np
import pytest

from assets.errors import DatasetError
from synth.dataset.pack import pack
from synth.dataset.reader import Dataset
from synth.dataset.validate import validate
from synth.dataset.writer import existing_clip_ids, write_clip
from tests.synth.dataset.clips import INFO, make_frames, make_spec


def test_write_pack_read_validate(bucket):
    specs = [make_spec(i) for i in range(2)]
    rows = [write_clip(bucket, spec, make_frames(spec), INFO) for spec in specs]
    assert existing_clip_ids(bucket) == {spec.clip_id for spec in specs}
    report = pack(bucket)
    assert report.clips == 2 and validate(bucket) == []
    keys = {entry["Key"] for entry in boto3.client("s3").list_objects_v2(Bucket="faces")["Contents"]}
    assert keys == {"some/dataset/index.parquet", f"some/dataset/{report.shards[0]}"}
    clip = Dataset.open(bucket).clip(specs[1].clip_id)
    assert clip.row["pixel_hash"] == rows[1]["pixel_hash"]
    frame = make_frames(specs[1])[1]
    assert np.array_equal(clip.read(1, "position"), frame.channels["position"])
    assert np.array_equal(clip.envmap(0, 1), frame.envmaps[0])


def test_only_the_bytes_asked_for_are_fetched(bucket, monkeypatch):
    spec = make_spec(lightings=16, frames=1, size=(64, 64))
    write_clip(bucket, spec, make_frames(spec), INFO)
    pack(bucket)
    dataset = Dataset.open(bucket)
    clip = dataset.clip(spec.clip_id)
    clip.metadata()
    fetched = []
    cat_file = dataset._storage.fs.cat_file
    monkeypatch.setattr(
        dataset._storage.fs, "cat_file", lambda *args, **ranges: fetched.append(ranges) or cat_file(*args, **ranges)
    )
    clip.read(0, "rgb.003")
    assert len(fetched) == 1
    whole = clip.row["members"][0]["length"]
    assert fetched[0]["end"] - fetched[0]["start"] < whole / 20


def test_a_bucket_that_is_not_there_is_one_line(bucket):
    with pytest.raises(DatasetError) as caught:
        write_clip("s3://nowhere/x", make_spec(), make_frames(make_spec()), INFO)
    assert "s3://nowhere/x" in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(DatasetError, match="index.parquet"):
        Dataset.open("s3://nowhere/x")
