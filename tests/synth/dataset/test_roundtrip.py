"""What is written comes back: to the bit, by any route, and under the same hash."""

import dataclasses
import io
import json
import pickle
import tarfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import OpenImageIO as oiio
import pytest

from assets.errors import DatasetError
from synth.channels import describe, frame_channel_names
from synth.dataset import exr
from synth.dataset.pack import pack
from synth.dataset.reader import Dataset
from synth.dataset.validate import validate
from synth.dataset.writer import existing_clip_ids, write_clip
from tests.synth.dataset.clips import INFO, make_frame, make_frames, make_spec


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    url = str(tmp_path_factory.mktemp("dataset"))
    for index in range(3):
        spec = make_spec(index, lobes=index != 1)
        write_clip(url, spec, iter(make_frames(spec)), INFO)
    pack(url)
    return Dataset.open(url)


def test_every_image_comes_back_exactly(dataset):
    spec = make_spec(2)
    clip = dataset.clip(spec.clip_id)
    assert clip.channels == frame_channel_names(2)
    for frame in make_frames(spec):
        for name, image in frame.channels.items():
            expected = image.astype(describe(name).dtype).astype(np.float32)
            read = clip.read(frame.index, name)
            assert read.dtype == np.float32 and np.array_equal(read, expected), name
        for lighting, radiance in enumerate(frame.envmaps):
            assert np.array_equal(clip.envmap(lighting, frame.index), radiance)
        assert np.array_equal(clip.camera(frame.index).camera_to_world, frame.camera.camera_to_world)
        assert clip.camera(frame.index).focal_mm == frame.camera.focal_mm


def test_any_software_sees_the_same_pixels(dataset, tmp_path):
    """The master is plain multi-part OpenEXR in a plain tar: OpenImageIO agrees with random access."""
    spec = make_spec(2)
    clip = dataset.clip(spec.clip_id)
    with tarfile.open(f"{dataset.url}/{clip.row['shard']}") as shard:
        shard.extract(f"{spec.clip_id}/0001.exr", tmp_path, filter="data")
        assert all((m.mtime, m.uid, m.gid, m.uname) == (0, 0, 0, "") for m in shard)
    image = oiio.ImageInput.open(str(tmp_path / spec.clip_id / "0001.exr"))
    for part, name in enumerate(clip.channels):
        assert image.seek_subimage(part, 0) and image.spec().getattribute("oiio:subimagename") == name
        pixels = image.read_image(oiio.FLOAT)
        assert image.spec().channelnames == describe(name).components
        assert np.array_equal(pixels.squeeze(), clip.read(1, name)), name
    image.close()


def test_values_beyond_half_are_kept_as_float(tmp_path):
    spec = make_spec(frames=1)
    frame = make_frame(spec, 0)
    for name in ("rgb.000", "specular.000"):
        frame.channels[name][5, 7] += 70000.0
    row = write_clip(str(tmp_path), spec, [frame], INFO)
    pack(str(tmp_path))
    clip = Dataset.open(str(tmp_path)).clip(spec.clip_id)
    assert np.array_equal(clip.read(0, "rgb.000"), frame.channels["rgb.000"])
    assert clip.metadata()["frames"][0]["parts"]["rgb.000"][2] == "float"
    assert clip.metadata()["frames"][0]["parts"]["rgb.001"][2] == "half"
    assert row["lobe_error"] <= 1 and validate(str(tmp_path)) == []


@pytest.mark.parametrize(("value", "depth"), [(65504.0, "float16"), (65505.0, "float32"), (-65505.0, "float32")])
def test_half_holds_up_to_its_largest_number(value, depth):
    assert exr.stored("rgb.000", np.full((4, 4, 3), value, np.float32)).dtype == depth


def test_row_and_metadata(dataset):
    spec = make_spec(2)
    clip = dataset.clip(spec.clip_id)
    row, metadata = clip.row, clip.metadata()
    assert row["seeds"] == dataclasses.asdict(spec.seeds)
    assert row["hdri_ids"] == ["test/0", "test/1"] and row["lightings"][1]["ids"] == ["test/1"]
    assert row["licences"] == metadata["licences"] == ["Apache-2.0", "CC0-1.0"]
    assert metadata["spec"] == spec.model_dump(mode="json")
    assert metadata["exposure_ev"] == [0.0, 0.0]
    assert len(row["frame_hashes"]) == 2 and row["render_seconds"] >= 0
    assert 0 < row["alpha_mean"] < 1 and row["lobe_error"] <= 1
    still = [member["name"] for member in row["members"] if member["name"].startswith("env/")]
    assert len(still) == 3  # two of the moving lighting, one of the still one


def test_filters(dataset):
    assert len(dataset) == len(dataset.clips()) == 3
    assert [clip.row["index"] for clip in dataset.clips([("index", ">", 0)])] == [1, 2]
    assert [clip.clip_id for clip in dataset.clips([("lobes", "=", False)])] == [make_spec(1, lobes=False).clip_id]
    assert dataset.clips([("domain", "=", "cycles")]) == []
    assert dataset.clip(make_spec(1, lobes=False).clip_id).channels == frame_channel_names(2, lobes=False)
    with pytest.raises(DatasetError, match="domane"):
        dataset.clips([("domane", "=", "cycles")])


def test_asking_for_what_is_not_there(dataset):
    clip = dataset.clips()[0]
    for action, message in (
        (lambda: clip.read(2, "rgb.000"), "frame 2 is not one of 0 to 1"),
        (lambda: clip.read(0, "rgb.002"), "channel 'rgb.002' is not one of rgb.000"),
        (lambda: clip.envmap(2, 0), "lighting 2 is not one of 0 to 1"),
        (lambda: dataset.clip("0" * 20), "no clip '0000"),
        (lambda: Dataset.open(dataset.url + "/shards"), "holds no index.parquet"),
    ):
        with pytest.raises(DatasetError, match=message) as caught:
            action()
        assert "\n" not in str(caught.value)


def test_a_pickled_clip_reads_the_same(dataset):
    clip = dataset.clips()[0]
    again = pickle.loads(pickle.dumps(clip))
    assert np.array_equal(again.read(1, "depth"), clip.read(1, "depth"))


def test_threads_share_a_dataset(dataset):
    """More reads than cores, from one fresh handle, each of them right."""
    shared = Dataset.open(dataset.url)
    ids = [clip.clip_id for clip in dataset.clips()] * 20
    with ThreadPoolExecutor(8) as pool:
        images = list(pool.map(lambda clip_id: shared.clip(clip_id).read(1, "position"), ids))
    for clip_id, image in zip(ids, images, strict=True):
        assert np.array_equal(image, dataset.clip(clip_id).read(1, "position"))


def test_same_frames_same_bytes(tmp_path):
    spec = make_spec()
    rows = [write_clip(str(tmp_path / name), spec, make_frames(spec), INFO) for name in "ab"]
    tars = [(tmp_path / name / "staging" / f"{spec.clip_id}.tar").read_bytes() for name in "ab"]
    assert tars[0] == tars[1]
    assert [row.pop("render_seconds") >= 0 for row in rows] == [True, True] and rows[0] == rows[1]


def test_pixel_hash_sees_pixels_and_not_compression():
    spec = make_spec()
    images = {name: exr.stored(name, image) for name, image in make_frame(spec, 0).channels.items()}
    data, _ = exr.encode_frame(images)
    depths = {name: "half" if image.dtype == np.float16 else "float" for name, image in images.items()}
    decoded = exr.decode_frame(data, depths, 40, 32)
    assert exr.pixel_hash(decoded) == exr.pixel_hash(images)
    images["alpha"] = images["alpha"].copy()
    images["alpha"][3, 3] = np.nextafter(images["alpha"][3, 3], np.float16(2))
    assert exr.pixel_hash(decoded) != exr.pixel_hash(images)


def test_frames_are_consumed_one_at_a_time(tmp_path):
    spec = make_spec(frames=3)
    staged = []

    def frames():
        for number in range(3):
            staged.append(existing_clip_ids(str(tmp_path)))
            yield make_frame(spec, number)

    write_clip(str(tmp_path), spec, frames(), INFO)
    assert staged == [set(), set(), set()] and existing_clip_ids(str(tmp_path)) == {spec.clip_id}
    row = json.loads((tmp_path / "staging" / f"{spec.clip_id}.json").read_text())
    with tarfile.open(fileobj=io.BytesIO((tmp_path / "staging" / f"{spec.clip_id}.tar").read_bytes())) as tar:
        assert [(m.name, m.offset_data, m.size) for m in tar] == [
            (f"{spec.clip_id}/{m['name']}", m["offset"], m["length"]) for m in row["members"]
        ]


def _nan(frame):
    frame.channels["rgb.001"][2, 3, 1] = np.nan


def _missing(frame):
    del frame.channels["flow"]


def _shape(frame):
    frame.channels["alpha"] = frame.channels["alpha"][..., None]


@pytest.mark.parametrize(
    ("damage", "message"),
    [(_nan, "frame 0: rgb.001: 1 values are NaN"), (_missing, "flow"), (_shape, r"alpha: shape is \(32, 40, 1\)")],
)
def test_what_is_not_a_frame_is_refused(tmp_path, damage, message):
    spec = make_spec()
    frames = make_frames(spec)
    damage(frames[0])
    with pytest.raises(DatasetError, match=message):
        write_clip(str(tmp_path), spec, frames, INFO)
    assert list((tmp_path / "staging").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [({"exposure_ev": (0.0,)}, "1 values for 2 lightings"), ({"renderer": {"at": object()}}, "not plain data")],
)
def test_a_description_that_cannot_be_kept_is_refused_before_rendering(tmp_path, change, message):
    def frames():
        pytest.fail("rendering has started")
        yield

    with pytest.raises(DatasetError, match=message):
        write_clip(str(tmp_path), make_spec(), frames(), dataclasses.replace(INFO, **change))


@pytest.mark.parametrize("count", [1, 3])
def test_frames_missing_or_too_many(tmp_path, count):
    spec = make_spec()
    frames = make_frames(make_spec(frames=count))
    with pytest.raises(DatasetError, match="1 of 2 frames" if count == 1 else "more than the 2 frames"):
        write_clip(str(tmp_path), spec, frames, INFO)
    assert list((tmp_path / "staging").iterdir()) == []


def test_more_than_a_thousand_lightings(tmp_path):
    spec = make_spec(frames=1, lightings=1002, size=(16, 16), lobes=False)
    frame = make_frame(make_spec(frames=1, lightings=2, size=(16, 16), lobes=False), 0)
    lit = {f"rgb.{number:03d}": np.full((16, 16, 3), number, np.float32) for number in range(1002)}
    frame = dataclasses.replace(frame, channels=frame.channels | lit, envmaps=frame.envmaps[:1] * 1002)
    write_clip(str(tmp_path), spec, [frame], INFO)
    pack(str(tmp_path))
    clip = Dataset.open(str(tmp_path)).clip(spec.clip_id)
    assert [clip.read(0, f"rgb.{number:03d}").mean() for number in (0, 99, 999, 1000, 1001)] == [0, 99, 999, 1000, 1001]
    assert describe("rgb.1001").name == "rgb" and validate(str(tmp_path)) == []
