"""From a job to a dataset with the real head, the real lights and the real renderer, at the smallest useful size."""

import dataclasses
import shutil

import numpy as np
import pytest

from assets.errors import AssetError, RenderError, SpecError
from synth.appearance.description import Appearance
from synth.camera.film import meter, meter_clip
from synth.camera.sensor import SensorNoise
from synth.dataset.pack import pack
from synth.dataset.photograph import photograph, sample_take
from synth.dataset.reader import Dataset
from synth.generate import (
    open_head,
    open_library,
    open_performance,
    open_renderer,
    plan,
    prepare_clip,
    render_clip,
)
from synth.lighting.envmap import EnvMap
from synth.lighting.library import split_of
from synth.scene import Material
from synth.seeds import derive_seed
from synth.spec import JobSpec, MotionChoice
from tests.synth.probes import camera_at, spot, uniform

GEOMETRY = ("alpha", "albedo", "normal", "depth", "position", "flow")


@pytest.fixture(scope="module")
def job():
    lighting = {"height": 32, "real_fraction": 0.5, "dynamic_fraction": 1.0}
    return JobSpec(seed=11, clips=2, frames=2, lightings=2, width=48, height=48, samples=16, lighting=lighting,
                   appearance={"strands": 600, "texels": 128})


@pytest.fixture(scope="module")
def specs(job):
    return plan(job)


@pytest.fixture(scope="module")
def dataset(specs, tmp_path_factory):
    url = str(tmp_path_factory.mktemp("dataset"))
    rows = [render_clip(spec, url) for spec in reversed(specs)]  # the first last: the tests below go on with its scene
    pack(url)
    return Dataset.open(url), rows


@pytest.fixture(scope="module")
def prepared(specs):
    return prepare_clip(specs[0])


def with_seed(spec, **streams):
    return spec.model_copy(update={"seeds": dataclasses.replace(spec.seeds, **streams)})


def test_a_plan_repeats_and_its_clips_differ(job, specs):
    assert [spec.clip_id for spec in plan(job)] == [spec.clip_id for spec in specs]
    longer = plan(job.model_copy(update={"clips": 3}))
    assert [spec.clip_id for spec in longer[:2]] == [spec.clip_id for spec in specs], "more clips change none"
    assert len({spec.clip_id for spec in longer}) == 3
    other = plan(job.model_copy(update={"seed": 12}))
    assert not {spec.clip_id for spec in other} & {spec.clip_id for spec in longer}


def test_where_files_lie_does_not_change_the_id(specs):
    moved = specs[0].model_copy(update={"sources": ("bundled", "procedural", "/elsewhere")})
    assert moved.clip_id == specs[0].clip_id
    assert specs[0].model_copy(update={"samples": 17}).clip_id != specs[0].clip_id


def test_a_job_draws_its_maps_from_one_split(job):
    for split in ("train", "val", "test"):
        change = {"lighting": job.lighting.model_copy(update={"split": split}), "clips": 4}
        for spec in plan(job.model_copy(update=change)):
            for lighting in spec.lightings:
                assert {open_library(spec.sources)[ref.id].split for ref in lighting.maps} == {split}


def test_a_job_draws_its_people_from_one_split(job):
    everybody = {spec.index: spec.clip_id for spec in plan(job.model_copy(update={"clips": 40}))}
    for split in ("train", "test"):
        chosen = plan(job.model_copy(update={"clips": 3, "identities": split}))
        assert len(chosen) == 3
        assert {split_of(f"template/{spec.seeds.identity:016x}") for spec in chosen} == {split}
        assert all(everybody.get(spec.index, spec.clip_id) == spec.clip_id for spec in chosen)


@pytest.mark.parametrize("stream,changed", [("identity", "vertices"), ("motion", "vertices"), ("camera", "cameras"),
                                            ("appearance", "albedo")])
def test_each_stream_moves_its_own_part_alone(specs, prepared, stream, changed):
    head = len(open_head("template", None).neutral)
    before, after = prepared, prepare_clip(with_seed(specs[0], **{stream: 999}))

    def parts(clip):
        bare = clip.subject.vertices[:][:, :head]  # what is worn beyond the head is the appearance's
        return {"vertices": bare, "albedo": clip.subject.materials["skin"].albedo,
                "cameras": np.stack([camera.camera_to_world for camera in clip.cameras]),
                "light": np.stack([light.data for maps in clip.lightings for light in maps])}

    differing = {name for name, array in parts(before).items() if not np.array_equal(array, parts(after)[name])}
    # A longer face is framed from further away, an old one is wrinkled: camera and appearance may follow the identity,
    # never the other way round.
    assert changed in differing and differing <= {changed, *(("cameras", "albedo") if stream == "identity" else ())}


@pytest.fixture(scope="module")
def again(specs, dataset, prepared):
    """The frames of the first clip once more, lit by nothing but what the dataset holds."""
    spec, clip = specs[0], dataset[0].clip(specs[0].clip_id)
    lights = [[EnvMap(clip.envmap(number, t)) for t in range(spec.frames)] for number in range(len(spec.lightings))]
    cameras = [clip.camera(t) for t in range(spec.frames)]
    renderer = open_renderer(spec.renderer, spec.variant)
    return list(renderer.render(prepared.subject, cameras, lights, samples=spec.samples, seed=spec.seeds.light))


def test_the_stored_maps_are_the_light_of_the_stored_images(specs, dataset, again):
    clip = dataset[0].clip(specs[0].clip_id)
    for frame in again:
        for name, image in frame.channels.items():
            stored = clip.read(frame.index, name)
            tolerance = {"rtol": 1e-3, "atol": 1e-6} if stored.dtype == np.float32 else {}
            np.testing.assert_allclose(stored, image, **tolerance, err_msg=name)


def test_the_light_seed_leaves_everything_else_identical(specs, prepared, again):
    spec = specs[0]
    relit = with_seed(spec, light=derive_seed(spec.seeds.light, "other"))
    one, other = prepared, prepare_clip(relit)
    np.testing.assert_array_equal(one.subject.vertices, other.subject.vertices)
    assert one.appearance == other.appearance
    for frame in range(spec.frames):
        materials = other.subject.materials_at(frame)
        for name, material in one.subject.materials_at(frame).items():
            if isinstance(material, Material):
                np.testing.assert_array_equal(material.albedo, materials[name].albedo, err_msg=name)
    for mine, its in zip(one.subject.strands, other.subject.strands, strict=True):
        np.testing.assert_array_equal(mine.place(one.subject.vertices[0]), its.place(other.subject.vertices[0]))
    renderer = open_renderer(spec.renderer, spec.variant)
    relighted = renderer.render(other.subject, other.cameras, other.lightings[::-1], samples=spec.samples,
                                seed=relit.seeds.light)
    for a, b in zip(again, relighted, strict=True):
        for name in GEOMETRY:
            np.testing.assert_array_equal(a.channels[name], b.channels[name], err_msg=name)
        assert not np.array_equal(a.channels["rgb.000"], b.channels["rgb.000"])


def test_same_seed_same_pixels_in_a_second_dataset(specs, dataset, tmp_path):
    again, stored = render_clip(specs[1], str(tmp_path)), dataset[1][0]
    assert (again["clip_id"], again["pixel_hash"]) == (stored["clip_id"], stored["pixel_hash"])


def test_there_is_a_head_in_the_picture(dataset):
    clip = dataset[0].clips()[0]
    alpha, albedo = clip.read(0, "alpha"), clip.read(0, "albedo")
    assert 0.1 < alpha.mean() < 0.8 and alpha[:2].max() == 0
    skin = albedo[albedo.any(-1)]
    assert 0.01 <= np.median(skin) <= 0.9
    assert clip.read(0, "flow").any() and clip.row["nonfinite"] == 0
    assert all(abs(ev) < 15 for ev in clip.metadata()["exposure_ev"])


def test_a_photograph_is_drawn_on_load_from_the_sensor_stream(dataset, specs):
    clip = dataset[0].clip(specs[0].clip_id)
    one, again, other = (photograph(clip, 0, 0, take=take) for take in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other) and one.min() >= 0 and one.max() <= 1
    noiseless = SensorNoise(full_well=1e12, read_noise=1e-6, prnu=0.0, bits=16)
    film = sample_take(clip, 0)[0]
    clean = photograph(clip, 0, 0, film=film, noise=noiseless, background=False)
    np.testing.assert_allclose(clean, film.develop(clip.read(0, "rgb.000")), atol=2e-3)
    twice = dataclasses.replace(film, exposure_ev=film.exposure_ev + 1)
    assert photograph(clip, 0, 0, film=twice, noise=noiseless).mean() > clean.mean()


def test_the_meter_reads_the_mean_of_the_frames_even_where_they_share_a_map():
    light = spot((1, 0, 0.2))
    cameras = [camera_at((1, 0, 0.01)), camera_at((0.01, 0, 1))]
    readings = [light.irradiance(camera.camera_to_world[:3, 2]) for camera in cameras]
    assert meter_clip([light, light], cameras) == pytest.approx(meter(np.mean(readings, axis=0)))
    assert np.isfinite(meter_clip([spot((0, 0, -1))], [camera_at((0, 0, 1))])), "a light from behind"
    assert meter_clip([uniform(radiance=0.0)], [camera_at((0, 0, 1))]) == 0


def test_a_folder_of_maps_lights_every_clip(job, tmp_path):
    for number in range(2):
        uniform(16, 1.0 + number).save(tmp_path / f"{number:03d}.exr")
    lighting = job.lighting.model_copy(update={"sequences": (str(tmp_path),)})
    spec = plan(job.model_copy(update={"lighting": lighting, "clips": 1}))[0]
    assert [light.kind == "folder" for light in spec.lightings] == [True, False]
    first, second = prepare_clip(spec).lightings[0]
    assert (first.data[0, 0, 0], second.data[0, 0, 0]) == (1.0, 2.0)
    moved = shutil.copytree(tmp_path, tmp_path.parent / "elsewhere" / tmp_path.name)
    lighting = job.lighting.model_copy(update={"sequences": (str(moved),)})
    assert plan(job.model_copy(update={"lighting": lighting, "clips": 1}))[0].clip_id == spec.clip_id


def test_another_version_of_the_renderer_is_refused(specs, tmp_path):
    spec = specs[0].model_copy(update={"renderer_version": "3.0.0"})
    with pytest.raises(RenderError, match="planned with 3.0.0"):
        render_clip(spec, str(tmp_path))


def test_a_seed_is_a_person_whatever_the_light_the_motion_and_the_camera(specs, dataset, prepared):
    spec, first = specs[0], prepared
    elsewhere = prepare_clip(with_seed(spec, light=1, motion=2, camera=3, sensor=4))
    np.testing.assert_array_equal(first.identity.shape, elsewhere.identity.shape)
    assert first.identity.wardrobe == elsewhere.identity.wardrobe
    np.testing.assert_array_equal(first.subject.materials["skin"].albedo, elsewhere.subject.materials["skin"].albedo)
    other = prepare_clip(with_seed(spec, identity=5))
    assert np.abs(first.identity.shape - other.identity.shape).max() > 0.5
    row = next(row for row in dataset[1] if row["clip_id"] == spec.clip_id)
    np.testing.assert_array_equal(np.float32(row["shape"]), first.identity.shape)
    assert Appearance.model_validate_json(row["appearance"]) == first.appearance
    np.testing.assert_array_equal(np.float32(row["skin_tone"]), first.skin_tone)
    assert first.skin_tone.min() > 0.01 and first.skin_tone[0] > first.skin_tone[2]
    assert row["motion"] == spec.motion.name


def test_named_performances_and_tracks_are_performed(job, tmp_path):
    spoken = plan(job.model_copy(update={"motion": MotionChoice(performances=("yawn", "nod"))}))
    assert {spec.motion.name for spec in spoken} <= {"yawn", "nod"}
    with pytest.raises(SpecError, match="'moonwalk' is not one of"):
        plan(job.model_copy(update={"motion": MotionChoice(performances=("moonwalk",))}))
    track = tmp_path / "nod.bvh"
    track.write_text(
        "HIERARCHY\nROOT Head\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\nEnd Site\n{\nOFFSET 0 1 0\n"
        "}\n}\nMOTION\nFrames: 4\nFrame Time: 0.0416667\n0 0 0\n0 10 0\n0 20 0\n0 30 0\n")
    recorded = plan(job.model_copy(update={"motion": MotionChoice(tracks=(str(track),))}))
    assert recorded[0].motion.name == "nod.bvh"
    moved = recorded[0].model_copy(update={"motion": recorded[0].motion.model_copy(update={"track": "/elsewhere"})})
    assert moved.clip_id == recorded[0].clip_id
    act = open_performance(recorded[0])
    turned = np.degrees(np.abs(act.head + act.neck).max(axis=1))
    assert turned[1] - turned[0] == pytest.approx(10, abs=0.5)
    other = recorded[0].motion.model_copy(update={"digest": "ab" * 10})
    with pytest.raises(AssetError, match="nod.bvh: the file has changed"):
        open_performance(recorded[0].model_copy(update={"motion": other}))
    with pytest.raises(AssetError, match="4 frames at 24 fps, a clip needs 20"):
        plan(job.model_copy(update={"frames": 20, "motion": MotionChoice(tracks=(str(track),))}))
