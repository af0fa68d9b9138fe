"""``python ray_jobs/render.py`` on a laptop: complete, resumable, and hard to break."""

from __future__ import annotations

import contextlib
import json
import signal
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from assets.errors import PixelCubeError, SpecError
from ray_jobs.command import main
from ray_jobs.driver import JobReport, RunOptions, _result, run_job
from ray_jobs.worker import THREAD_VARIABLES, WorkerOptions
from synth.dataset.reader import Dataset
from synth.dataset.storage import Storage
from synth.dataset.validate import validate
from synth.spec import JobSpec, load_job
from tests.ray_jobs.conftest import FAKE, ROOT, wait_for

JOB = ROOT / "ray_jobs/jobs/smoke.yaml"
NOISE = RunOptions(address="local", workers=2, plan=FAKE[1], render=FAKE[3])


@pytest.fixture(scope="module")
def ray_session():
    """One local Ray for the tests of this module that run in this process."""
    from ray_jobs.cluster import connected

    with connected("local", cpus=2) as where:
        yield where


def noise_job(folder: Path, clips: int = 4, **fields) -> JobSpec:
    return load_job(JOB, output=str(folder / "ds"), clips=clips, **fields)


def contents(dataset: Path) -> dict[str, str]:
    """Clip id -> pixel hash."""
    table = pq.read_table(dataset / "index.parquet", columns=["clip_id", "pixel_hash"])
    return dict(zip(*(column.to_pylist() for column in table.columns), strict=True))


def mtimes(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def visible_partials(dataset: Path) -> list[Path]:
    """Rows without their tar, or drafts under a visible name. A tar is whole, and no clip until its row is there."""
    staged = [path for path in (dataset / "staging").glob("*") if not path.name.startswith(".")]
    tars = {path.stem for path in staged if path.suffix == ".tar"}
    return [path for path in staged if path.stem not in tars or path.suffix not in (".tar", ".json")]


@pytest.fixture(scope="module")
def undisturbed(ray_session, tmp_path_factory) -> dict[str, str]:
    """What an undisturbed run of four clips holds."""
    folder = tmp_path_factory.mktemp("undisturbed")
    report = run_job(noise_job(folder), NOISE)
    assert report.exit_code == 0 and report.rendered == 4 and report.images == 4 * 2 * 2 and report.packed
    assert report.crash_rate == 0 and report.cost is None
    return contents(folder / "ds")


def test_runs_again_for_what_is_new_and_for_nothing_else(ray_session, tmp_path, undisturbed):
    run_job(noise_job(tmp_path, clips=2), NOISE)
    longer = run_job(noise_job(tmp_path), NOISE)
    assert (longer.rendered, longer.present, longer.exit_code) == (2, 2, 0)
    assert len(list((tmp_path / "ds/jobs").glob("*.yaml"))) == 2
    before = mtimes(tmp_path)
    again = run_job(noise_job(tmp_path), NOISE)
    assert (again.rendered, again.present, again.exit_code) == (0, 4, 0)
    assert mtimes(tmp_path) == before
    assert contents(tmp_path / "ds") == undisturbed


def test_saved_job_is_the_resolved_job(ray_session, tmp_path):
    job = noise_job(tmp_path, clips=1, seed=5)
    report = run_job(job, NOISE)
    assert load_job(report.job_file, output=job.output) == job


def test_failing_clips_are_retried_then_quarantined(ray_session, tmp_path, undisturbed):
    orders = tmp_path / "faults.json"
    orders.write_text(json.dumps({"0": "raise", "1": "kill", "2": "raise_once", "3": "kill_once"}))
    report = run_job(noise_job(tmp_path), NOISE)
    assert (report.rendered, len(report.quarantined), report.exit_code) == (2, 2, 1)
    assert report.crash_rate == pytest.approx(8 / 10)
    records = [json.loads((tmp_path / f"ds/quarantine/{clip}.json").read_text()) for clip in report.quarantined]
    reasons = {record["index"]: record["reason"] for record in records}
    assert reasons[0] == "ValueError: this clip was told to fail"
    assert "killed or crashed" in reasons[1]
    assert all(len(record["attempts"]) == 3 for record in records)
    assert "test" in records[0]["spec"]["lightings"][0]["maps"][0]["id"]
    good = contents(tmp_path / "ds")
    assert len(good) == 2 and good.items() < undisturbed.items()
    assert visible_partials(tmp_path / "ds") == []

    again = run_job(noise_job(tmp_path), NOISE)  # left alone, and still not a complete job
    assert (again.rendered, again.quarantined, again.exit_code) == (0, report.quarantined, 1)

    orders.unlink()
    cured = run_job(noise_job(tmp_path), RunOptions(**vars(NOISE) | {"retry_quarantined": True}))
    assert (cured.rendered, cured.quarantined, cured.exit_code) == (2, (), 0)
    assert list((tmp_path / "ds/quarantine").iterdir()) == []
    assert contents(tmp_path / "ds") == undisturbed


def test_slow_clip_is_stopped(ray_session, tmp_path, monkeypatch):
    monkeypatch.setattr("ray_jobs.driver.ATTEMPTS", 1)
    (tmp_path / "faults.json").write_text(json.dumps({"0": 60}))
    report = run_job(noise_job(tmp_path, clips=2), RunOptions(**vars(NOISE) | {"clip_timeout": 0.5}))
    record = json.loads((tmp_path / f"ds/quarantine/{report.quarantined[0]}.json").read_text())
    assert report.rendered == 1 and record["reason"] == "not done after 0.5 s"


def test_full_disk_stops_the_job_and_blames_no_clip(ray_session, tmp_path, undisturbed):
    orders = tmp_path / "faults.json"
    orders.write_text(json.dumps({"1": "full"}))
    with pytest.raises(PixelCubeError, match="no space left|No space left"):
        run_job(noise_job(tmp_path), NOISE)
    assert not (tmp_path / "ds/quarantine").exists() and visible_partials(tmp_path / "ds") == []
    orders.unlink()
    assert run_job(noise_job(tmp_path), NOISE).exit_code == 0
    assert contents(tmp_path / "ds") == undisturbed


def test_damaged_clip_is_rendered_again(ray_session, tmp_path, undisturbed, capfd):
    run_job(noise_job(tmp_path), RunOptions(**vars(NOISE) | {"pack": False}))
    tar = next((tmp_path / "ds/staging").glob("*.tar"))
    tar.write_bytes(bytes(tar.stat().st_size))
    report = run_job(noise_job(tmp_path), NOISE)
    assert (report.damaged, report.exit_code, report.packed) == (1, 1, True)
    assert "3 of 4 clips" in report.summary() and "run the same command again" in report.summary()
    assert tar.stem in capfd.readouterr().err
    again = run_job(noise_job(tmp_path), NOISE)
    assert (again.rendered, again.damaged, again.exit_code) == (1, 0, 0)
    assert contents(tmp_path / "ds") == undisturbed


def test_workers_have_as_many_threads_as_cpus_before_they_start(ray_session):
    from ray_jobs.pool import Pool

    pool = Pool(WorkerOptions(render=FAKE[3], cpus=1))
    try:
        pool.grow(1)
        while not pool.idle:
            pool.poll(1.0)
        environment = Path(f"/proc/{pool.pids[0]}/environ").read_bytes().split(b"\0")
    finally:
        pool.close()
    assert {f"{name}=1".encode() for name in THREAD_VARIABLES} <= {*environment}


def test_remote_errors_are_their_own_again(ray_session):
    import ray

    @ray.remote
    def plan(error: Exception):
        raise error

    with pytest.raises(SpecError) as caught:
        _result(plan.remote(SpecError("clips: none")))
    assert str(caught.value) == "clips: none" and not isinstance(caught.value, ray.exceptions.RayError)
    with pytest.raises(PixelCubeError) as caught:
        _result(plan.remote(ValueError("first\nsecond")))
    assert str(caught.value) == "plan: ValueError: first"


def test_worker_that_grows_is_replaced(ray_session, tmp_path, undisturbed):
    report = run_job(noise_job(tmp_path), RunOptions(**vars(NOISE) | {"recycle_gb": 0.01}))
    assert report.crash_rate == 0 and contents(tmp_path / "ds") == undisturbed


def test_renderer_that_does_not_import(ray_session, tmp_path, monkeypatch):
    monkeypatch.setattr("ray_jobs.pool._FAILED_STARTS", 2)
    with pytest.raises(PixelCubeError, match="no_such_function"):
        run_job(noise_job(tmp_path), RunOptions(**vars(NOISE) | {"render": "tests.ray_jobs.fake:no_such_function"}))


def drafts(dataset: Path) -> list[Path]:
    """Clips that are being written."""
    return list((dataset / "staging").glob(".*.tmp"))


def workers_of(process) -> list[psutil.Process]:
    """Worker processes of a driver's own Ray that are rendering."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            found += [child] if "Worker.render" in " ".join(child.cmdline()) else []
    return found


@pytest.mark.slow
def test_killed_worker_and_killed_driver(start_render, short_home, undisturbed):
    """kill -9 in mid-clip, of a worker and then of the driver, and once more: as if nothing had happened."""
    dataset = short_home / "ds"
    (short_home / "faults.json").write_text(json.dumps({str(clip): 0.8 for clip in range(4)}))
    arguments = [JOB, "--output", dataset, "--clips", 4, "--workers", 2, *FAKE]
    first = start_render(*arguments)
    wait_for("rendering worker with a draft", lambda: workers_of(first) and drafts(dataset), first)
    workers_of(first)[0].kill()
    wait_for("finished clip", lambda: any((dataset / "staging").glob("*.json")), first)
    family = [child for child in psutil.Process(first.pid).children(recursive=True) if "Agent" not in child.name()]
    first.kill()
    first.wait()
    assert visible_partials(dataset) == []
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not alive, "workers outlived their driver"  # Ray's two agents need a minute more to notice

    second = start_render(*arguments)
    output, _ = second.communicate(timeout=100)
    assert second.returncode == 0, output
    assert "were there" in output
    assert contents(dataset) == undisturbed
    assert all(path.name.startswith(".") for path in (dataset / "staging").iterdir()), "young drafts alone may stay"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_keeps_what_is_done_and_says_how_to_go_on(start_render, short_home, number):
    dataset = short_home / "ds"
    (short_home / "faults.json").write_text(json.dumps({"3": 60}))
    process = start_render(JOB, "--output", dataset, "--clips", 4, "--workers", 2, *FAKE)
    wait_for("three clips", lambda: len(list((dataset / "staging").glob("*.json"))) == 3, process)
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "run the same command again" in output and "Traceback" not in output
    assert len(list((dataset / "staging").glob("*.json"))) == 3 and visible_partials(dataset) == []


@pytest.mark.slow
def test_real_clips_are_the_same_on_two_workers_and_on_one_that_is_killed(ray_session, tmp_path):
    """The real planner and renderer, kill -9 in mid-clip; the index names the job that is saved beside it."""
    found = []
    for workers, render in ((2, RunOptions.render), (1, "tests.ray_jobs.fake:render_really")):
        output = tmp_path / str(workers) / "ds"
        job = load_job(JOB, output=str(output), clips=2, frames=2)
        report = run_job(job, RunOptions(address="local", workers=workers, render=render))
        assert report.exit_code == 0 and report.rendered == 2
        found.append(contents(output))
        rows = pq.read_table(output / "index.parquet", columns=["job"]).column("job").to_pylist()
        assert {f"{name}.yaml" for name in rows} == {Path(report.job_file).name}
    assert report.crash_rate == pytest.approx(1 / 3) and visible_partials(output) == []
    assert len(found[0]) == 2 and found[0] == found[1]


@pytest.mark.slow
def test_into_an_object_store(start_render, bucket, undisturbed):
    """The whole job through S3's interface, from processes of its own; and once more, for nothing."""
    for rendered in (4, 0):
        process = start_render(JOB, "--output", bucket, "--clips", 4, "--workers", 2, *FAKE)
        output, _ = process.communicate(timeout=100)
        assert process.returncode == 0 and f"4 of 4 clips in {bucket}" in output, output
        assert ("rendered 4 clips" in output) == bool(rendered)
    table = Dataset.open(bucket).table(["clip_id", "pixel_hash"])
    assert dict(zip(*(column.to_pylist() for column in table.columns), strict=True)) == undisturbed
    assert validate(bucket) == [] and [name for name in Storage(bucket).list("") if "lock" in name] == []


def test_errors_are_one_line(capfd, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("clips: many\n")
    assert main([str(bad)]) == 2
    error = capfd.readouterr().err
    assert error.count("\n") == 1 and "clips" in error and "many" in error


def test_unexpected_errors_and_bad_options_are_one_line(capfd, monkeypatch):
    monkeypatch.setattr("ray_jobs.command.run_job", lambda *_: {}["first\nsecond"])
    assert main([]) == 2
    assert capfd.readouterr().err.splitlines()[0].startswith("render: unexpected KeyError")
    assert main(["--workers", "0"]) == 2
    error = capfd.readouterr().err
    assert error.count("\n") == 1 and "'workers' is 0" in error


def test_summary_tells_what_matters():
    report = JobReport(output="out/x", job_file="out/x/jobs/1.yaml", total=10, present=2, rendered=7,
                       quarantined=("a",), images=896, seconds=70.0, crash_rate=0.1, cost=0.35, packed=True)
    text = report.summary()
    for words in ("9 of 10 clips", "2 were there", "896 images", "1m10s", "12.8 images/s", "10.0%", "0.0500 a clip",
                  "1 quarantined", "--retry-quarantined", "out/x/jobs/1.yaml"):
        assert words in text
    assert report.exit_code == 1
