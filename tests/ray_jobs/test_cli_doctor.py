"""``pixelcube doctor``: what it says is what happens."""

from __future__ import annotations

import json
import os

import psutil
import pytest

from ray_jobs.cli import doctor, machine
from ray_jobs.cli.main import main
from ray_jobs.machine import usable_cores, usable_cpus
from synth.renderers import variants


@pytest.fixture
def fresh_probes():
    """Probes are remembered for the process: forget them before and after the environment is changed."""
    caches = (variants.probe.cache_clear, variants.choose_variant.cache_clear)
    for clear in caches:
        clear()
    yield
    for clear in caches:
        clear()


def diagnosis(capsys: pytest.CaptureFixture) -> tuple[int, dict]:
    status = main(["doctor", "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_json_agrees_with_the_probes(capsys):
    status, content = diagnosis(capsys)
    assert status == 0 and content["ok"]
    assert variants.probe(content["variant"]).ok
    checks = {check["name"]: check for check in content["checks"]}
    for variant in ("llvm_ad_rgb", "scalar_rgb"):
        assert checks[variant]["ok"] == variants.probe(variant).ok
    assert {"python", "mitsuba", "ray", "torch", "cpu", "memory", "gpu", "home", "disk", "video"} <= set(checks)


def test_old_llvm_is_not_loaded_and_the_remedy_is_named(tmp_path, monkeypatch, capsys, fresh_probes):
    old = tmp_path / "libLLVM-15.so.1"
    old.write_bytes(b"would abort the process if it were loaded")
    monkeypatch.setenv("DRJIT_LIBLLVM_PATH", str(old))
    status, content = diagnosis(capsys)
    assert status == 0
    assert content["variant"] in ("scalar_rgb", "cuda_ad_rgb")
    assert any("libllvm19" in line and "make llvm" in line for line in content["advice"])


def test_nothing_renders_is_a_failure(monkeypatch, capsys, fresh_probes):
    broken = variants.ProbeResult("any", False, "no luck")
    monkeypatch.setattr(variants, "probe", lambda variant: broken)
    status, content = diagnosis(capsys)
    assert status == 1 and not content["ok"] and content["variant"] is None


def test_home_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    home = next(check for check in doctor._machine() if check.name == "home")
    assert home.ok is False and "HOME" in home.advice


def test_table_names_the_variant(capsys):
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert f"Renders with {variants.choose_variant()}" in text and "usable cores" in text


def test_machine_facts_are_within_the_machine():
    assert 0 < usable_cores() <= os.cpu_count()
    assert 1 <= usable_cpus() <= os.cpu_count()
    assert 0 < machine.memory_bytes() <= psutil.virtual_memory().total
    assert not machine.library_loads("libno_such_library.so.1")
