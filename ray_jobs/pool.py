"""Slots for workers: one Ray actor each, which keeps its renderer warm and is replaced when it dies or grows."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import ray

from assets.errors import RenderError
from ray_jobs.worker import THREAD_VARIABLES, Outcome, Worker, WorkerOptions, one_line
from synth.spec import ClipSpec

_FAILED_STARTS = 5
"""So many workers in a row that cannot even start mean that the machine is wrong, not a clip."""

_VERDICT_SECONDS = 30.0
"""How long Ray may take to find out that a node is gone."""


@dataclasses.dataclass
class _Slot:
    """One actor and what it is doing."""

    actor: Any
    memory: int
    """Bytes requested from Ray; 0 requests none."""
    where: dict[str, Any] = dataclasses.field(default_factory=dict)
    spec: ClipSpec | None = None
    deadline: float = float("inf")

    @property
    def host(self) -> str:
        """Host and process id."""
        return f"{self.where['host']}:{self.where['pid']}"


class Pool:
    """Slots that come and go with the cluster. Not thread-safe; drive it from one loop."""

    def __init__(self, options: WorkerOptions, workers: int | None = None):
        self._options, self._wanted = options, workers
        self._pending: dict[Any, _Slot] = {}  # object reference of the call in progress -> slot
        self._idle: list[_Slot] = []
        self._failed_starts = 0

    @property
    def rendering(self) -> int:
        """Clips in progress."""
        return sum(slot.spec is not None for slot in self._pending.values())

    @property
    def idle(self) -> int:
        """Workers that wait for a clip."""
        return len(self._idle)

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that have started."""
        return [slot.where["pid"] for slot in self._slots() if slot.where]

    @property
    def nodes(self) -> int:
        """Nodes with a worker on them."""
        return len({slot.where["node"] for slot in self._slots() if slot.where})

    def _slots(self) -> list[_Slot]:
        return [*self._pending.values(), *self._idle]

    def capacity(self) -> int:
        """How many workers there should be: as many as asked for, else as many as fit in the cluster as it is now."""
        if self._wanted is not None:
            return self._wanted
        have = ray.cluster_resources()
        fit = int(have.get("CPU", 0) // self._options.cpus)
        if self._options.gpus:
            fit = min(fit, int(have.get("GPU", 0) / self._options.gpus + 1e-6))
        return max(1, fit)

    def grow(self, count: int, memory: int = 0) -> None:
        """Start workers until there are ``count``; with ``memory``, make sure that one of them asked for so much."""
        while len(self._pending) + len(self._idle) < count:
            self._spawn(memory)
        if memory and max((slot.memory for slot in self._slots()), default=0) < memory:
            if self._idle:
                self._kill(self._idle.pop())
            self._spawn(memory)

    def most_memory(self) -> int:
        """What a worker can ask for at most: nine tenths of the largest node, bytes."""
        return int(0.9 * max((node["Resources"].get("memory", 0) for node in ray.nodes() if node["Alive"]), default=0))

    def _spawn(self, memory: int) -> None:
        # Restarts and retries are the driver's: it alone knows whose fault a death was.
        # As many threads as CPUs, so that workers on one node don't fight over cores.
        threads = dict.fromkeys(THREAD_VARIABLES, str(self._options.cpus))
        actor = ray.remote(Worker).options(num_cpus=self._options.cpus, num_gpus=self._options.gpus, max_restarts=0,
                                           memory=memory or None,
                                           runtime_env={"env_vars": threads}).remote(self._options)
        self._pending[actor.start.remote()] = _Slot(actor, memory)

    def give(self, take: Callable[[int], ClipSpec | None], keep: bool = False) -> None:
        """Hand ``take(slot's memory)`` to every idle worker; where it has nothing, the worker goes, unless ``keep``."""
        for slot in [self._idle.pop() for _ in range(len(self._idle))]:
            spec = take(slot.memory)
            if spec is None:
                (self._idle.append if keep else self._kill)(slot)
                continue
            slot.spec = spec
            slot.deadline = time.monotonic() + (self._options.clip_timeout or float("inf"))
            self._pending[slot.actor.render.remote(spec)] = slot

    def poll(self, timeout: float) -> list[tuple[ClipSpec, Outcome]]:
        """Wait for something to happen; returns the clips that ended, well or not."""
        ended: list[tuple[ClipSpec, Outcome]] = []
        if not self._pending:
            return ended
        ready, _ = ray.wait(list(self._pending), num_returns=1, timeout=timeout)
        for reference in ready:
            slot = self._pending.pop(reference)
            spec, slot.spec = slot.spec, None
            if spec is None:
                self._welcome(slot, reference)
            else:
                ended.append((spec, self._collect(slot, reference)))
        now = time.monotonic()
        for reference, slot in list(self._pending.items()):
            if slot.spec is not None and now > slot.deadline:
                del self._pending[reference]
                self._kill(slot)
                ended.append((slot.spec, Outcome("timeout", reason=f"not done after {self._options.clip_timeout:g} s",
                                                 host=slot.host)))
        return ended

    def _welcome(self, slot: _Slot, reference: Any) -> None:
        """A worker has started, or has not."""
        try:
            slot.where = ray.get(reference)
            problem = slot.where.get("error")
        except ray.exceptions.RayError as error:
            problem = error_reason(error)
        if problem is None:
            self._failed_starts = 0
            self._idle.append(slot)
            return
        self._kill(slot)
        self._failed_starts += 1
        if self._failed_starts >= _FAILED_STARTS:
            raise RenderError(f"workers: {_FAILED_STARTS} in a row could not start: {problem}")

    def _collect(self, slot: _Slot, reference: Any) -> Outcome:
        """The result of a clip; a worker that lives and is not too big goes back to work."""
        try:
            outcome = ray.get(reference)
        except ray.exceptions.RayError as error:
            self._kill(slot)
            kind = "node lost" if self._lost(slot, error) else "worker died"
            return Outcome(kind, reason=error_reason(error), detail=str(error), host=slot.host)
        if outcome.rss > self._options.recycle_bytes:
            self._kill(slot)
        else:
            self._idle.append(slot)
        return outcome

    def _lost(self, slot: _Slot, error: Exception) -> bool:
        """Whether a worker died with its node (spot instance taken back), which is no fault of the clip."""
        if getattr(error, "preempted", False) or isinstance(error, ray.exceptions.NodeDiedError):
            return True
        # A connection that broke may be the first sign of a node that is not yet known to be dead.
        unsure = isinstance(error, ray.exceptions.ActorUnavailableError)
        deadline = time.monotonic() + (_VERDICT_SECONDS if unsure else 0.0)
        while slot.where["node"] in {node["NodeID"] for node in ray.nodes() if node["Alive"]}:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.5)
        return True

    def _kill(self, slot: _Slot) -> None:
        ray.kill(slot.actor)

    def close(self) -> None:
        """End every worker now; what they were rendering is not kept."""
        for slot in self._slots():
            self._kill(slot)
        self._pending.clear()
        self._idle.clear()


def error_reason(error: BaseException) -> str:
    """Ray's account of a death as one line that says what a user can use."""
    text = str(error).strip()
    if "creation task" in text:  # a traceback, whose last line is what went wrong
        return text.splitlines()[-1].strip()
    if "memory" in text and ("low on memory" in text or isinstance(error, ray.exceptions.OutOfMemoryError)):
        return "worker killed: the node ran out of memory"
    for line in text.splitlines():
        detail = line.partition("Worker exit detail:")[2].partition(" Some common causes")[0].strip()
        if "End of file" in detail:  # how Ray sees a process go without a word
            return "worker process was killed or crashed (out of memory? see dmesg)"
        if detail:
            return f"worker process died: {detail[:200]}"
    return one_line(error)
