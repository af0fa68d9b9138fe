"""What a run writes beside the clips: the resolved job, quarantined clips, and the lock that packing takes."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterator

import psutil
import yaml

from assets.errors import DatasetError
from synth.dataset.storage import Storage
from synth.spec import ClipSpec, JobSpec

LOCK = "pack.lock"
_LOCK_NAME = re.compile(rf"{re.escape(LOCK)}\.[0-9a-f]{{32}}")
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
    """Small files under ``jobs/``, ``quarantine/`` and ``pack.lock.*`` of a dataset, on any fsspec URL."""

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
        """Hold the right to pack: yields False when another live run still holds it after ``patience`` seconds.

        Whoever wants it publishes a file of a name that nobody else uses, and only then looks for others: of two, the
        later one always sees the earlier. So no file is ever taken over, and none but its owner's is touched.
        """
        name, deadline = f"{LOCK}.{secrets.token_hex(16)}", time.monotonic() + patience
        while not (mine := self._take(name)) and time.monotonic() < deadline:
            time.sleep(0.5 + secrets.randbelow(1000) / 1000)  # two that both stepped back don't meet again
        if not mine:
            yield False
            return
        done = threading.Event()
        beat = threading.Thread(target=self._keep_alive, args=(name, done), daemon=True)
        beat.start()
        try:
            yield True
        finally:
            done.set()
            beat.join()
            self._storage.delete(name)

    def _take(self, name: str) -> bool:
        """Publish a lock; keep it if no other is alive. Those of the dead are cleared away."""
        self._storage.publish_bytes(_signature(), name)
        mine = False
        try:
            others = [other for other in self._storage.list("") if _LOCK_NAME.fullmatch(other) and other != name]
            living = [other for other in others if self._alive(other)]
            mine = not living
        finally:
            if not mine:
                self._storage.delete(name)
        for other in others if mine else []:
            self._storage.delete(other)
        return mine

    def _alive(self, name: str) -> bool:
        """Whether the owner of a lock still works: known for sure on this host, by its heartbeat elsewhere."""
        try:
            content = self._storage.read_all(name)
        except DatasetError:
            return self._storage.exists(name)  # one that is there and can't be read may be anybody's
        try:
            lock = json.loads(content)
            host, pid, started = lock["owner"]
            if host != socket.gethostname():
                return time.time() - lock["touched"] < STALE_SECONDS
            return abs(psutil.Process(pid).create_time() - started) < 2
        except (ValueError, TypeError, KeyError, psutil.Error):  # cut short by a crash, or its process is gone
            return False

    def _keep_alive(self, name: str, done: threading.Event) -> None:
        """Touch a lock until ``done``, or until another run has taken its owner for dead and cleared it away."""
        while not done.wait(STALE_SECONDS / 10):
            try:
                if not self._storage.exists(name):
                    print(f"{self._storage.url}/{name}: lost: another run may pack this dataset too", file=sys.stderr)
                    return
                self._storage.publish_bytes(_signature(), name)
            except Exception as error:  # the next beat may succeed
                print(f"cannot touch the lock: {error}", file=sys.stderr)


def _signature() -> bytes:
    """This process (host, pid, and start time, as pids are used again) and the time."""
    owner = [socket.gethostname(), os.getpid(), round(psutil.Process().create_time())]
    return json.dumps({"owner": owner, "touched": time.time()}).encode()
