"""Jobs of the second renderer: bpy in Ray's workers, both renderers side by side, a worker killed in mid-frame."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ray_jobs.driver import RunOptions, run_job
from synth.dataset.reader import Dataset
from synth.dataset.validate import validate
from synth.spec import JobSpec

pytestmark = [pytest.mark.slow, pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="needs bpy")]


@pytest.fixture(scope="module")
def ray_session():
    from ray_jobs.cluster import connected

    with connected("local", cpus=1) as where:
        yield where


def tiny(folder: Path, **fields) -> JobSpec:
    return JobSpec(output=str(folder / "ds"), clips=1, frames=2, lightings=1, width=32, height=32, samples=4,
                   appearance={"strands": 200, "texels": 64}, head={"subdivision": 0},
                   lighting={"height": 16}, **fields)


def hashes(url: str) -> dict[str, str]:
    table = pq.read_table(Path(url) / "index.parquet", columns=["clip_id", "pixel_hash"])
    return dict(zip(*(column.to_pylist() for column in table.columns), strict=True))


@pytest.fixture(scope="module")
def both(ray_session, tmp_path_factory):
    """The dataset of a job for both renderers, on one worker."""
    job = tiny(tmp_path_factory.mktemp("both"), renderer="both")
    report = run_job(job, RunOptions(address="local", workers=1))
    assert (report.exit_code, report.rendered, report.crash_rate) == (0, 2, 0)
    return job


def test_both_renderers_show_the_same_scene(both):
    cycles, mitsuba = sorted(Dataset.open(both.output).clips(), key=lambda clip: clip.row["domain"])
    assert (cycles.row["domain"], mitsuba.row["domain"]) == ("cycles", "mitsuba") and cycles.row["variant"] == "cpu"
    for name in ("index", "seeds", "identity", "motion", "lightings", "shape", "appearance", "head_hash"):
        assert cycles.row[name] == mitsuba.row[name], name
    assert json.dumps(cycles.metadata()["maps"]) == json.dumps(mitsuba.metadata()["maps"])
    for frame in range(2):
        assert (cycles.camera(frame).camera_to_world == mitsuba.camera(frame).camera_to_world).all()
        assert abs(cycles.read(frame, "alpha") - mitsuba.read(frame, "alpha")).mean() < 0.01
    assert validate(both.output) == []


def test_mitsubas_clip_is_the_one_of_a_job_of_its_own(both, tmp_path):
    from synth.generate import plan

    alone, = plan(tiny(tmp_path))
    assert alone.clip_id in hashes(both.output)


def test_a_worker_killed_in_mid_frame_costs_that_frame(both, tmp_path):
    job = tiny(tmp_path, renderer="cycles")
    report = run_job(job, RunOptions(address="local", workers=1, render="tests.ray_jobs.fake:render_in_cycles"))
    assert (report.exit_code, report.rendered, report.quarantined) == (0, 1, ())
    assert report.crash_rate == pytest.approx(1 / 2) and (tmp_path / "killed-once").exists()
    assert hashes(job.output).items() < hashes(both.output).items(), "the same bits as undisturbed"
    assert [path for path in (tmp_path / "ds/staging").glob("*") if not path.name.startswith(".")] == []
