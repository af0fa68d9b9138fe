"""The pack lock, on a local folder and on an object store, and what is written beside the clips."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import uuid

import psutil
import pytest

from ray_jobs.ledger import LOCK, STALE_SECONDS, Attempt, Ledger
from synth.dataset.storage import Storage
from synth.spec import JobSpec
from tests.ray_jobs import fake

FOREIGN = f"{LOCK}.{'0' * 32}"
"""Lock of another process."""


@pytest.fixture(params=["local", "memory"])
def url(request, tmp_path) -> str:
    return str(tmp_path / "ds") if request.param == "local" else f"memory://{uuid.uuid4().hex}"


def write_lock(url: str, host: str, pid: int, started: float, touched: float) -> None:
    Storage(url).publish_bytes(json.dumps({"owner": [host, pid, started], "touched": touched}).encode(), FOREIGN)


def locks(url: str) -> list[str]:
    return [name for name in Storage(url).list("") if LOCK in name]


def test_one_packer_at_a_time(url):
    ledger = Ledger(url)
    with ledger.packing() as mine:
        assert mine
        with Ledger(url).packing(patience=0) as other:
            assert not other
    assert locks(url) == []
    with ledger.packing(patience=0) as mine:
        assert mine


def test_lock_of_a_dead_process_is_inherited(url):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = psutil.Process(child.pid).create_time()
    write_lock(url, os.uname().nodename, child.pid, started, time.time())
    with Ledger(url).packing(patience=0) as mine:
        assert not mine
    child.communicate(b"\n")
    with Ledger(url).packing(patience=0) as mine:
        assert mine


def test_a_pid_used_again_is_not_the_owner(url):
    write_lock(url, os.uname().nodename, os.getpid(), psutil.Process().create_time() - 1000, time.time())
    with Ledger(url).packing(patience=0) as mine:
        assert mine


@pytest.mark.parametrize("age, free", [(STALE_SECONDS / 2, False), (STALE_SECONDS * 2, True)])
def test_lock_of_another_host_lives_by_its_heartbeat(url, age, free):
    write_lock(url, "elsewhere", 1, 0.0, time.time() - age)
    with Ledger(url).packing(patience=0) as mine:
        assert mine is free


def test_lock_that_was_cut_short_is_nobodys(url):
    Storage(url).publish_bytes(b'{"owner": [', FOREIGN)
    with Ledger(url).packing(patience=0) as mine:
        assert mine and FOREIGN not in locks(url)


def test_many_at_once_are_never_two(url):
    """Every thread is a rival; the lock is held for long enough to be seen by all."""
    inside, most = [], []

    def pack() -> None:
        with Ledger(url).packing(patience=20) as mine:
            if mine:
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.05)
                inside.pop()

    threads = [threading.Thread(target=pack) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 5 and locks(url) == []


def test_heartbeat_survives_errors_and_never_brings_a_lost_lock_back(url, monkeypatch, capfd):
    monkeypatch.setattr("ray_jobs.ledger.STALE_SECONDS", 0.2)
    ledger = Ledger(url)
    with ledger.packing() as mine:
        (name,) = locks(url)
        content = ledger._storage.read_all(name)
        with monkeypatch.context() as patch:
            patch.setattr(ledger._storage, "publish_bytes", lambda *_: 1 / 0)
            time.sleep(0.1)
        time.sleep(0.2)
        assert mine and ledger._storage.read_all(name) != content
        content = ledger._storage.read_all(name)
        while ledger._storage.read_all(name) == content:  # between two beats: no store can look and write at once
            time.sleep(0.001)
        ledger._storage.delete(name)
        time.sleep(0.1)
        assert locks(url) == []
        Storage(url).publish_bytes(b"{}", FOREIGN)
    assert locks(url) == [FOREIGN], "the lock of the run that took over is not deleted"
    said = capfd.readouterr().err
    assert "division by zero" in said and "lost" in said


def test_quarantine_and_release(url):
    ledger = Ledger(url)
    (spec,) = fake.plan(JobSpec(clips=1))
    assert ledger.quarantined() == set()
    ledger.quarantine(spec, [Attempt("exception", "ValueError: no", "Traceback...", "node:1")])
    assert ledger.quarantined() == {spec.clip_id}
    ledger.release(spec.clip_id)
    assert ledger.quarantined() == set()


def test_jobs_that_differ_have_files_of_their_own(url):
    ledger = Ledger(url)
    names = {ledger.save_job(JobSpec(output=output, seed=seed)) for output, seed in [("a", 1), ("b", 1), ("a", 2)]}
    assert len(names) == 2
