"""Which Ray is joined without being named."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from assets.errors import SpecError
from ray_jobs import cluster, machine
from ray_jobs.driver import RunOptions, run_job
from synth.spec import JobSpec


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def current(tmp_path, monkeypatch) -> Path:
    """The file that ``ray start`` writes."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    (tmp_path / "ray").mkdir()
    return tmp_path / "ray/ray_current_cluster"


def test_running_cluster_of_this_user_is_joined(current, listener):
    assert cluster._find("auto") is None
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    current.write_text(f"{address}\n")
    assert cluster._find("auto") == address
    assert cluster._find("local") is None and cluster._find("10.0.0.1:6379") == "10.0.0.1:6379"


@pytest.mark.parametrize("text", ["", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:99999999", "\udcff"])
def test_file_that_names_no_cluster(current, text):
    current.write_text(text, errors="surrogateescape")
    assert cluster._find("auto") is None


def test_cluster_that_is_gone_is_not_joined(current, listener, monkeypatch):
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
    current.write_text(address)
    assert cluster._find("auto") is None
    monkeypatch.setenv("RAY_ADDRESS", address)  # but whoever names it is told that it is gone
    assert cluster._find("auto") == address


def test_file_of_another_user_is_not_believed(current, listener, monkeypatch):
    current.write_text(f"127.0.0.1:{listener.getsockname()[1]}")
    monkeypatch.setattr(os, "getuid", lambda: current.stat().st_uid + 1)
    assert cluster._find("auto") is None


def test_quota_of_a_container_counts(tmp_path, monkeypatch):
    quota = tmp_path / "cpu.max"
    monkeypatch.setattr(machine, "CPU_MAX", quota)
    whole = machine.usable_cores()
    quota.write_text("50000 100000\n")
    assert (machine.usable_cores(), machine.usable_cpus()) == (0.5, 1)
    quota.write_text("max 100000\n")
    assert machine.usable_cores() == whole


def test_a_worker_that_no_machine_could_hold_is_refused_at_once():
    with pytest.raises(SpecError, match="'cpus_per_worker' is 999, but this machine has"):
        run_job(JobSpec(), RunOptions(address="local", cpus_per_worker=999))
