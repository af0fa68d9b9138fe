"""Runs a job: what is missing is rendered, what fails is set aside, and running it again does nothing twice."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.errors import DatasetError, PixelCubeError, RenderError, SpecError
from ray_jobs.cluster import check_fits, connected
from ray_jobs.ledger import Attempt, Ledger, job_digest
from ray_jobs.progress import Display, Meter, duration
from ray_jobs.worker import Outcome, WorkerOptions, one_line, resolve
from synth.spec import ClipSpec, JobSpec

if TYPE_CHECKING:
    from ray_jobs.pool import Pool

ATTEMPTS = 3
"""A clip that fails, or takes its worker down, so many times is quarantined; one whose files or fields are wrong, at
once. Lost nodes don't count."""
BAD_LUCK = 20
"""So many clips quarantined in a row, none finishing between, stop the job: it isn't the clips."""
_FIRST_MEMORY = 2 * 2**30
_CAPACITY_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """How a job runs; none of this changes a pixel."""

    address: str = "auto"
    """Ray to use: ``auto`` (RAY_ADDRESS, else this machine's cluster, else a local one), ``local``, or host:port."""
    workers: int | None = None
    """Workers; by default as many as fit in the cluster. An autoscaling cluster grows until it holds this many."""
    cpus_per_worker: int = 1
    """CPUs a worker."""
    gpus_per_worker: float = 0.0
    """GPUs a worker."""
    recycle_gb: float = 6.0
    """Replace a worker whose resident memory passes this, GiB."""
    clip_timeout: float | None = None
    """Kill and retry a clip that takes longer, seconds."""
    retry_quarantined: bool = False
    """Try the quarantined clips of this job again."""
    price_per_node_hour: float | None = None
    """Price of one node for one hour, in any currency: shows the cost."""
    pack: bool = True
    """Pack finished clips into shards at the end."""
    plan: str = "synth.generate:plan"
    """Function that turns a job into its clips, as ``module:name``: JobSpec -> list of ClipSpec."""
    render: str = "synth.generate:render_clip"
    """Function that renders one clip, as ``module:name``: (ClipSpec, url, job) -> manifest row."""

    def __post_init__(self):
        for name, least in (("workers", 1), ("cpus_per_worker", 1), ("gpus_per_worker", 0), ("price_per_node_hour", 0)):
            value = getattr(self, name)
            if value is not None and not least <= value < float("inf"):
                raise SpecError(f"option {name!r} is {value}, expected a number of at least {least}")
        for name in ("recycle_gb", "clip_timeout"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise SpecError(f"option {name!r} is {value}, expected a number above 0")


@dataclasses.dataclass(frozen=True)
class JobReport:
    """What a run did."""

    output: str
    """URL of the dataset."""
    job_file: str
    """The resolved job, saved in the dataset."""
    total: int
    """Clips in the job."""
    present: int
    """Clips that were there before."""
    rendered: int
    """Clips rendered now."""
    quarantined: tuple[str, ...]
    """Ids of the job's clips that are in quarantine, from this run or an earlier one."""
    images: int
    """Beauty images rendered now: one a frame and lighting."""
    seconds: float
    """Wall-clock seconds of rendering, start of workers included."""
    crash_rate: float
    """Attempts that ended badly over all attempts."""
    cost: float | None
    """Cost in the currency of the price, if one was given."""
    packed: bool
    """Whether finished clips are in shards now."""
    damaged: int = 0
    """Clips of the job found damaged on the way into a shard, and deleted: running again renders them again."""
    interrupted: bool = False
    """Stopped by Ctrl-C or SIGTERM."""

    @property
    def exit_code(self) -> int:
        """0 complete, 1 some clips in quarantine or damaged, 130 interrupted."""
        return 130 if self.interrupted else 1 if self.quarantined or self.damaged else 0

    def summary(self) -> str:
        """A few lines for a person."""
        rate = self.images / self.seconds if self.seconds > 0 else 0.0
        lines = [f"{self.rendered + self.present - self.damaged} of {self.total} clips in {self.output}"
                 + (f" ({self.present} were there)" if self.present else "")]
        if self.rendered:
            lines.append(f"rendered {self.rendered} clips, {self.images} images in {duration(self.seconds)}: "
                         f"{rate:.3g} images/s, crash rate {self.crash_rate:.1%}")
        if self.rendered and self.cost is not None:
            lines.append(f"cost {self.cost:.2f}, {self.cost / self.rendered:.4f} a clip")
        if self.quarantined:
            lines.append(f"{len(self.quarantined)} quarantined, reasons in {self.output}/quarantine/; "
                         "--retry-quarantined tries them again")
        if self.damaged:
            lines.append(f"{self.damaged} damaged since they were written, and deleted; run the same command again to "
                         "render them again")
        if self.interrupted:
            lines.append("stopped: finished clips are kept; run the same command again to go on")
        elif not self.packed:
            lines.append("not all packed: another run was packing this dataset, packing was off, or a clip could not "
                         "be read; run again to pack")
        return "\n".join([*lines, f"job: {self.job_file}"])


class _Queue:
    """Clips to do, the history of those that failed, and what each retry may take."""

    def __init__(self, specs: list[ClipSpec]):
        self._fresh = collections.deque(specs)
        self._again: list[tuple[int, ClipSpec]] = []  # (bytes of memory needed, clip)
        self.history: dict[str, list[Attempt]] = collections.defaultdict(list)

    def __len__(self) -> int:
        return len(self._fresh) + len(self._again)

    @property
    def most_memory(self) -> int:
        """The largest request among the retries, bytes."""
        return max((memory for memory, _ in self._again), default=0)

    def take(self, memory: int) -> ClipSpec | None:
        """A clip for a worker with so much memory: retries first, so that trouble is known early."""
        for position, (needed, spec) in enumerate(self._again):
            if needed <= memory:
                del self._again[position]
                return spec
        return self._fresh.popleft() if self._fresh else None

    def retry(self, spec: ClipSpec, memory: int = 0) -> None:
        self._again.append((memory, spec))


class _Run:
    """One pass over the clips that are missing."""

    def __init__(self, pool: Pool, queue: _Queue, ledger: Ledger, meter: Meter, display: Display, bad: set[str]):
        self.pool, self.queue, self.ledger, self.meter, self.display = pool, queue, ledger, meter, display
        self.in_quarantine = bad
        self._in_a_row = 0
        self._largest = 0

    def loop(self) -> None:
        """Until every clip is done or set aside."""
        capacity, looked = self.pool.capacity(), time.monotonic()
        while len(self.queue) or self.pool.rendering:
            if time.monotonic() - looked > _CAPACITY_SECONDS:
                capacity, looked = self.pool.capacity(), time.monotonic()
            self.pool.grow(min(capacity, len(self.queue) + self.pool.rendering),
                           self.queue.most_memory if len(self.queue) else 0)
            self.pool.give(self.queue.take)
            for spec, outcome in self.pool.poll(timeout=1.0):
                self.settle(spec, outcome)
            self.meter.tick(self.pool.nodes)
            self.display.show(self.pool.rendering)

    def settle(self, spec: ClipSpec, outcome: Outcome) -> None:
        """Book one finished attempt."""
        self._largest = max(self._largest, outcome.rss)
        self.meter.attempts += 1
        if outcome.kind == "done":
            self.meter.clips += 1
            self._in_a_row = 0
            self.queue.history.pop(spec.clip_id, None)
            if spec.clip_id in self.in_quarantine:
                self.in_quarantine.remove(spec.clip_id)
                self.ledger.release(spec.clip_id)
            return
        self.meter.crashes += 1
        if outcome.fatal:
            raise DatasetError(f"clip {spec.clip_id}: {outcome.reason}: free some space and run the same command again")
        if outcome.kind == "node lost":
            self.display.say(f"clip {spec.index}: its node was lost, trying again")
            self.queue.retry(spec)
            return
        history = self.queue.history[spec.clip_id]
        history.append(Attempt(outcome.kind, outcome.reason, outcome.detail, outcome.host))
        if len(history) < ATTEMPTS and not outcome.hopeless:
            self.display.say(f"clip {spec.index}: {outcome.reason} (attempt {len(history)} of {ATTEMPTS})")
            self.queue.retry(spec, self._escalated(history) if outcome.kind == "worker died" else 0)
        else:
            self.set_aside(spec, history)

    def _escalated(self, history: list[Attempt]) -> int:
        """Memory for the next attempt of a clip whose worker died, perhaps for want of it: doubled each time."""
        return min(max(self._largest, _FIRST_MEMORY) * 2 ** (len(history) - 1), self.pool.most_memory())

    def set_aside(self, spec: ClipSpec, history: list[Attempt]) -> None:
        """Quarantine a clip; RenderError when that is all that happens."""
        path = self.ledger.quarantine(spec, history)
        self.in_quarantine.add(spec.clip_id)
        self.meter.failed += 1
        self._in_a_row += 1
        self.display.say(f"clip {spec.index}: quarantined, attempt {len(history)}: {history[-1].reason} ({path})")
        if self._in_a_row >= BAD_LUCK:
            raise RenderError(f"stopped: {BAD_LUCK} clips in a row were quarantined, the last one because: "
                              f"{history[-1].reason}")


def run_job(job: JobSpec, options: RunOptions | None = None) -> JobReport:
    """Render what is missing of ``job``, then pack. Raises errors that no clip is to blame for; finished clips stay.

    >>> run_job(load_job("ray_jobs/jobs/smoke.yaml"), RunOptions(address="local")).exit_code  # doctest: +SKIP
    0
    """
    from synth.dataset.writer import existing_clip_ids

    options = options or RunOptions()
    if "://" not in job.output:  # workers have working directories of their own
        job = job.model_copy(update={"output": str(Path(job.output).expanduser().resolve())})
    ledger = Ledger(job.output)
    interrupted = False
    with contextlib.ExitStack() as stack:
        check_fits(options.address, options.cpus_per_worker, options.gpus_per_worker)
        specs = _plan(job, options, stack)
        job_file = ledger.save_job(job)
        ids = {spec.clip_id for spec in specs}
        there = ids & existing_clip_ids(job.output)
        bad = ids & ledger.quarantined() - there
        skip = there if options.retry_quarantined else there | bad
        todo = [spec for spec in specs if spec.clip_id not in skip]
        meter = Meter(len(todo), job.frames * job.lightings, options.price_per_node_hour)
        try:
            if todo:
                _render(job, todo, options, ledger, meter, bad)
        except KeyboardInterrupt:
            interrupted = True
    packed, damaged = _pack(job, ledger) if options.pack and not interrupted else (False, set())
    return JobReport(output=job.output, job_file=job_file, total=len(specs), present=len(there), rendered=meter.clips,
                     quarantined=tuple(sorted(bad)), images=meter.images, seconds=meter.seconds,
                     crash_rate=meter.crashes / max(meter.attempts, 1), cost=meter.cost, packed=packed,
                     damaged=len(ids & damaged), interrupted=interrupted)


def _plan(job: JobSpec, options: RunOptions, stack: contextlib.ExitStack) -> list[ClipSpec]:
    """The job's clips. GPU workers are planned for on a GPU node, as a head without GPU knows no GPU variant."""
    plan = resolve(options.plan)
    if not options.gpus_per_worker:
        return plan(job)
    stack.enter_context(connected(options.address))
    import ray

    planner = ray.remote(num_cpus=options.cpus_per_worker, num_gpus=options.gpus_per_worker)(plan)
    return _result(planner.remote(job))


def _result(reference: Any) -> Any:
    """What a remote function returned; its error without Ray's account of where it was raised."""
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, PixelCubeError):
            raise error.cause from None
        raise RenderError(f"plan: {one_line(error.cause)}") from error
    except ray.exceptions.RayError as error:
        raise RenderError(f"plan: {one_line(error)}") from error


def _render(job: JobSpec, todo: list[ClipSpec], options: RunOptions, ledger: Ledger, meter: Meter,
            bad: set[str]) -> None:
    """Start or join Ray and work through ``todo``; ``bad`` is kept up to date with what is in quarantine."""
    worker = WorkerOptions(render=options.render, url=job.output, job=job_digest(job), cpus=options.cpus_per_worker,
                           gpus=options.gpus_per_worker, recycle_bytes=int(options.recycle_gb * 2**30),
                           clip_timeout=options.clip_timeout)
    cpus = options.workers * options.cpus_per_worker if options.workers else None
    with Display(meter) as display, connected(options.address, cpus) as where:
        from ray_jobs.pool import Pool  # imports ray, for which connected() has set the environment

        pool = Pool(worker, options.workers)
        display.say(f"{len(todo)} clips to render into {job.output}, on {where}")
        try:
            with _sigterm_as_interrupt():  # only now: ray.init brings a handler of its own
                _Run(pool, _Queue(todo), ledger, meter, display, bad).loop()
        finally:
            pool.close()


def _pack(job: JobSpec, ledger: Ledger) -> tuple[bool, set[str]]:
    """Move finished clips into shards, unless another run is at it: whether all are there, and ids of damaged ones."""
    from synth.dataset.pack import pack

    with ledger.packing() as mine:
        if not mine:
            return False, set()
        report = pack(job.output, job.shard_mb)
    for problem in report.skipped:
        print(f"left out of the shards: {problem}", file=sys.stderr)
    for clip_id in report.damaged:
        print(f"left out of the shards: clip {clip_id}: damaged since it was written, deleted", file=sys.stderr)
    return not report.skipped, set(report.damaged)


@contextlib.contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """Make SIGTERM (``ray job stop``, a head node taken back) end the run as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
