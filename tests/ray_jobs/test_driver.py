"""Bookkeeping of a run, with a pool that only pretends."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from assets.errors import AssetError, DatasetError, RenderError, SpecError
from ray_jobs.driver import ATTEMPTS, BAD_LUCK, RunOptions, _Queue, _Run
from ray_jobs.ledger import Ledger
from ray_jobs.progress import Display, Meter, duration
from ray_jobs.worker import Outcome, Worker, WorkerOptions
from synth.spec import JobSpec
from tests.ray_jobs import fake

GIB = 2**30


class PretendPool:
    """As much of a pool as a settled clip asks for."""

    def most_memory(self) -> int:
        return 6 * GIB


@pytest.fixture
def run(tmp_path) -> _Run:
    meter = Meter(BAD_LUCK + 2, 4)
    display = Display(meter, Console(file=io.StringIO()))
    return _Run(PretendPool(), _Queue([]), Ledger(str(tmp_path)), meter, display, set())


SPECS = fake.plan(JobSpec(clips=BAD_LUCK + 2))


def test_memory_doubles_after_each_death_up_to_what_a_node_has(run):
    for request in (2 * GIB, 4 * GIB):
        run.settle(SPECS[0], Outcome("worker died", reason="killed"))
        assert run.queue.most_memory == request
        assert run.queue.take(request - 1) is None and run.queue.take(request) is SPECS[0]
    run._largest = 5 * GIB
    run.queue.history.clear()
    run.settle(SPECS[1], Outcome("worker died", reason="killed"))
    run.settle(SPECS[1], Outcome("worker died", reason="killed"))
    assert run.queue.most_memory == 6 * GIB


def test_exception_asks_for_no_memory(run):
    run.settle(SPECS[0], Outcome("exception", reason="ValueError"))
    assert run.queue.take(0) is SPECS[0]


def test_a_wrong_file_or_field_is_not_tried_again(run):
    def broken(spec, url, job):
        raise AssetError("map.exr: 1 pixel is not finite")

    worker = Worker(WorkerOptions(url="unused"))
    worker._render = broken
    outcome = worker.render(SPECS[0])
    assert outcome.hopeless and outcome.reason == "AssetError: map.exr: 1 pixel is not finite"
    run.settle(SPECS[0], outcome)
    assert run.in_quarantine == {SPECS[0].clip_id} and not run.queue


def test_lost_nodes_are_never_held_against_a_clip(run):
    for _ in range(10 * ATTEMPTS):
        run.settle(SPECS[0], Outcome("node lost", reason="preempted"))
        assert run.queue.take(0) is SPECS[0]
    assert run.in_quarantine == set() and not run.queue.history


def test_bad_luck_stops_the_job_but_a_success_between_does_not(run):
    def fail(spec):
        for _ in range(ATTEMPTS):
            run.settle(spec, Outcome("exception", reason="ValueError: no head"))

    for spec in SPECS[:BAD_LUCK - 1]:
        fail(spec)
    run.settle(SPECS[-1], Outcome("done"))
    fail(SPECS[BAD_LUCK - 1])
    assert len(run.in_quarantine) == BAD_LUCK
    run._in_a_row = BAD_LUCK - 1
    with pytest.raises(RenderError, match=f"{BAD_LUCK} clips in a row.*no head"):
        fail(SPECS[BAD_LUCK])


def test_full_disk_is_nobodys_fault(run):
    with pytest.raises(DatasetError, match="free some space"):
        run.settle(SPECS[0], Outcome("exception", reason="DatasetError: no space left", fatal=True))
    assert run.in_quarantine == set()


@pytest.mark.parametrize(("name", "value"), [
    ("workers", 0), ("workers", -1), ("cpus_per_worker", 0), ("gpus_per_worker", -0.5), ("recycle_gb", 0.0),
    ("clip_timeout", 0.0), ("clip_timeout", float("nan")), ("price_per_node_hour", -1.0)])
def test_options_that_no_run_could_have(name, value):
    with pytest.raises(SpecError, match=f"'{name}' is {value}, expected"):
        RunOptions(**{name: value})


def test_meter_counts_money_by_nodes():
    now = [0.0]
    meter = Meter(total=10, images_per_clip=16, price=3.6, clock=lambda: now[0])
    for nodes in (1, 3):
        now[0] += 500
        meter.tick(nodes)
    meter.clips = 4
    assert meter.cost == pytest.approx(2.0)
    assert meter.line(workers=6) == ("4/10 clips · 0.004 clips/s · 0.064 images/s · 25m00s left · "
                                     "cost 2.00 of about 5.00 · 6 workers")


def test_display_logs_a_line_every_ten_seconds():
    now, text = [0.0], io.StringIO()
    meter = Meter(total=3, images_per_clip=1, clock=lambda: now[0])
    with Display(meter, Console(file=text)) as display:
        for second in range(25):
            now[0] = second
            meter.tick(1)
            display.show(1)
    assert text.getvalue().count("0/3 clips") == 2


@pytest.mark.parametrize("seconds, text", [(0.4, "0s"), (59.6, "1m00s"), (125, "2m05s"), (7260, "2h01m"),
                                           (360000, "4d04h")])
def test_duration(seconds, text):
    assert duration(seconds) == text
