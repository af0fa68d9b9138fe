"""What a run writes beside the clips: the resolved job, quarantined clips, and the lock that packing takes."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import psutil
import yaml

from assets.errors import DatasetError
from synth.dataset.storage import Storage
from synth.spec import ClipSpec, JobSpec

LOCK = "pack.lock"
STALE_SECONDS = 300.0
"""A lock that its owner has not touched for this long is nobody's: owners touch it every STALE_SECONDS / 10."""


@dataclasses.dataclass(frozen=True)
class Attempt:
    """One try at a clip that did not end well."""

    kind: str
    """``exception`` (the renderer raised), ``worker died`` or ``timeout``."""
    reason: str
    """One line."""
    detail: str = ""
    """Traceback, or Ray's account of the death."""
    host: str = ""
    """Where it ran."""


def job_digest(job: JobSpec) -> str:
    """Name of a job, 12 hex digits: the same wherever its dataset lies."""
    content = job.model_dump_json(exclude={"output"})
    return hashlib.blake2b(content.encode(), digest_size=6).hexdigest()


class Ledger:
    """Small files under ``jobs/``, ``quarantine/`` and ``pack.lock`` of a dataset, on any fsspec URL."""

    def __init__(self, url: str):
        self._storage = Storage(url)

    def save_job(self, job: JobSpec) -> str:
        """Keep the resolved job as ``jobs/<hash>.yaml``: a dataset may hold several. Returns its URL."""
        name = f"jobs/{job_digest(job)}.yaml"
        if not self._storage.exists(name):
            content = job.model_dump(mode="json", exclude={"output"})
            self._storage.publish_bytes(yaml.safe_dump(content, sort_keys=False).encode(), name)
        return f"{self._storage.url}/{name}"

    def quarantined(self) -> set[str]:
        """Ids of the clips set aside by this and earlier runs."""
        names = self._storage.list("quarantine")
        return {name.removesuffix(".json") for name in names if name.endswith(".json")}

    def quarantine(self, spec: ClipSpec, attempts: list[Attempt]) -> str:
        """Set a clip aside with its history; returns the file's URL."""
        record = {"clip_id": spec.clip_id, "index": spec.index, "reason": attempts[-1].reason,
                  "attempts": [dataclasses.asdict(attempt) for attempt in attempts],
                  "spec": spec.model_dump(mode="json")}
        name = f"quarantine/{spec.clip_id}.json"
        self._storage.publish_bytes((json.dumps(record, indent=2) + "\n").encode(), name)
        return f"{self._storage.url}/{name}"

    def release(self, clip_id: str) -> None:
        """Take a clip that rendered after all out of quarantine."""
        self._storage.delete(f"quarantine/{clip_id}.json")

    @contextlib.contextmanager
    def packing(self, patience: float = 60.0) -> Iterator[bool]:
        """Hold the right to pack: yields False when another live run still holds it after ``patience`` seconds."""
        deadline = time.monotonic() + patience
        while not (mine := self._take()) and time.monotonic() < deadline:
            time.sleep(1.0)
        if not mine:
            yield False
            return
        done = threading.Event()
        beat = threading.Thread(target=self._keep_alive, args=(done,), daemon=True)
        beat.start()
        try:
            yield True
        finally:
            done.set()
            beat.join()
            self._storage.delete(LOCK)

    def _take(self) -> bool:
        """Create the lock if there is none, or inherit it from an owner that is gone."""
        storage = self._storage
        storage.fs.makedirs(storage.root, exist_ok=True)
        try:
            storage.fs.pipe_file(storage.path(LOCK), _signature(), mode="create")
            return True
        except FileExistsError:
            pass
        lock = self._read()
        if lock and _alive(lock):
            return False
        storage.publish_bytes(_signature(), LOCK)
        time.sleep(0.2)  # two heirs at once: the last to write wins, and both read who that is
        return self._read().get("owner") == _owner()

    def _read(self) -> dict[str, Any]:
        """The lock, or nothing if it is gone or was cut short by a crash."""
        try:
            return json.loads(self._storage.read_all(LOCK))
        except (DatasetError, ValueError):
            return {}

    def _keep_alive(self, done: threading.Event) -> None:
        while not done.wait(STALE_SECONDS / 10):
            self._storage.publish_bytes(_signature(), LOCK)


def _owner() -> list[Any]:
    """This process: host, pid, and start time, as pids are used again."""
    return [socket.gethostname(), os.getpid(), round(psutil.Process().create_time())]


def _signature() -> bytes:
    return json.dumps({"owner": _owner(), "touched": time.time()}).encode()


def _alive(lock: dict[str, Any]) -> bool:
    """Whether the owner of a lock still works: known for sure on this host, by its heartbeat elsewhere."""
    host, pid, started = lock["owner"]
    if host == socket.gethostname():
        try:
            return abs(psutil.Process(pid).create_time() - started) < 2
        except psutil.Error:
            return False
    return time.time() - lock["touched"] < STALE_SECONDS
