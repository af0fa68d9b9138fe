"""The pack lock, on a local folder and on an object store, and what is written beside the clips."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid

import psutil
import pytest

from ray_jobs.ledger import LOCK, STALE_SECONDS, Attempt, Ledger
from synth.dataset.storage import Storage
from synth.spec import JobSpec
from tests.ray_jobs import fake


@pytest.fixture(params=["local", "memory"])
def url(request, tmp_path) -> str:
    return str(tmp_path / "ds") if request.param == "local" else f"memory://{uuid.uuid4().hex}"


def write_lock(url: str, host: str, pid: int, started: float, touched: float) -> None:
    Storage(url).publish_bytes(json.dumps({"owner": [host, pid, started], "touched": touched}).encode(), LOCK)


def test_one_packer_at_a_time(url):
    ledger = Ledger(url)
    with ledger.packing() as mine:
        assert mine
        with Ledger(url).packing(patience=0) as other:
            assert not other
    assert not Storage(url).exists(LOCK)
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
    Storage(url).publish_bytes(b'{"owner": [', LOCK)
    with Ledger(url).packing(patience=0) as mine:
        assert mine


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
