"""``pixelcube render``: what reaches the driver, and what is said and shown around it."""

from __future__ import annotations

import pytest

from ray_jobs.cli import inspect, render
from ray_jobs.cli.main import main
from ray_jobs.driver import JobReport
from synth.dataset.storage import Storage
from synth.spec import JobSpec


@pytest.fixture
def driver(monkeypatch):
    """Stands in for the driver and for inspect; returns what they were called with."""
    calls = {"inspected": [], "interrupted": False, "quarantined": (), "index": True}

    def run_job(job, options):
        calls.update(job=job, options=options)
        return JobReport(output=job.output, job_file="job.yaml", total=job.clips, present=1, rendered=job.clips - 1,
                         quarantined=calls["quarantined"], images=8, seconds=1.0, crash_rate=0.0, cost=None,
                         packed=True, interrupted=calls["interrupted"])

    monkeypatch.setattr(render, "run_job", run_job)
    monkeypatch.setattr(inspect, "main", calls["inspected"].append)
    monkeypatch.setattr(Storage, "exists", lambda storage, name: calls["index"])
    return calls


def test_options_replace_fields_of_the_job(tmp_path, driver, capsys):
    job = tmp_path / "job.yaml"
    job.write_text("clips: 5\nframes: 3\noutput: somewhere\n")
    assert main(["render", str(job), "--clips", "2", "--workers", "1"]) == 0
    assert (driver["job"].clips, driver["job"].frames, driver["job"].output) == (2, 3, "somewhere")
    assert driver["options"].workers == 1
    assert driver["inspected"] == ["somewhere"]
    assert "2 of 2 clips in somewhere" in capsys.readouterr().out


def test_no_inspect(driver):
    assert main(["render", "--no-inspect"]) == 0
    assert driver["inspected"] == []


def test_what_was_not_packed_is_not_inspected(driver):
    driver["index"] = False
    assert main(["render", "--no-pack"]) == 0
    assert driver["inspected"] == []


def test_gpu_workers_choose_their_variant_themselves(driver, monkeypatch, capsys):
    monkeypatch.setattr(render, "plan_renderer", lambda *_: pytest.fail("the driver may have no GPU"))
    assert main(["render", "--gpus-per-worker", "1"]) == 0
    assert "rendering with" not in capsys.readouterr().out


def test_exit_status_is_the_reports(driver):
    driver["quarantined"] = ("aa",)
    assert main(["render"]) == 1
    driver["interrupted"] = True
    assert main(["render"]) == 130
    assert len(driver["inspected"]) == 1, "nothing is inspected after an interrupt"


def test_slow_variant_is_announced(monkeypatch):
    job = JobSpec(samples=64)
    monkeypatch.setattr(render, "plan_renderer", lambda *_: ("scalar_rgb", "3.9.1"))
    text = render.announcement(job)
    assert "scalar_rgb, 16 samples" in text and "64 asked for" in text and "doctor" in text
    assert render.announcement(job.model_copy(update={"samples_scalar": 5})).startswith("rendering with scalar_rgb, 5 ")
    monkeypatch.setattr(render, "plan_renderer", lambda *_: ("llvm_ad_rgb", "3.9.1"))
    assert render.announcement(job) == "rendering with llvm_ad_rgb, 64 samples a pixel"


def test_both_renderers_are_announced(monkeypatch):
    monkeypatch.setattr(render, "plan_renderer", lambda name, _: ("cpu" if name == "cycles" else "scalar_rgb", "1"))
    job = JobSpec(samples=64, renderer="both")
    mitsuba, cycles = render.announcement(job).split("\n")
    assert mitsuba.startswith("rendering with scalar_rgb, 16") and cycles == (
        "rendering with Cycles on cpu, 64 samples a pixel")
    grouped = JobSpec(samples=64, renderer="cycles", lobes=False, render={"method": "light_groups"})
    assert render.announcement(grouped).endswith("64 samples a pixel, relit by light groups")
