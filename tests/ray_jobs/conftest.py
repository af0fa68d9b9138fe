"""Helpers for tests that start Ray. None touches a Ray that it did not start: others may run on this machine."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
FAKE = ["--plan", "tests.ray_jobs.fake:plan", "--render", "tests.ray_jobs.fake:render_clip"]
"""Noise instead of a renderer: see tests/ray_jobs/fake.py."""


def free_ports(count: int) -> list[int]:
    """TCP ports of loopback that nobody listened on a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def clean_environment(home: Path) -> dict[str, str]:
    """This environment without anybody's Ray, with a home and a Ray folder of the test's own."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    ray_folder = home / "r"
    ray_folder.mkdir(exist_ok=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    return environment | {"RAY_TMPDIR": str(ray_folder), "HOME": str(home), "PATH": path,
                          "RAY_USAGE_STATS_ENABLED": "0"}


def wait_for(what: str, condition: Callable[[], object], process: subprocess.Popen, seconds: float = 60.0) -> None:
    """Until the condition holds, or the process is gone and it never will."""
    deadline = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None:
            pytest.fail(f"no {what}: {process.communicate()[0]}")
        assert time.monotonic() < deadline, f"no {what} after {seconds:g} s"
        time.sleep(0.05)


def kill_processes_of(folder: Path) -> None:
    """Kill what runs with ``folder`` on its command line or in its environment, and their children."""
    for process in psutil.process_iter():
        try:
            mine = any(str(folder) in word for word in process.cmdline())
            if process.pid != os.getpid() and (mine or process.environ().get("HOME") == str(folder)):
                process.kill()
        except psutil.Error:
            continue


def hear_interrupts() -> None:
    """Undo what a shell does to its background jobs, and so to tests that run in one: they ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def short_home() -> Iterator[Path]:
    """A home folder with a name short enough for Ray's Unix sockets; its processes and itself go at the end."""
    folder = Path(tempfile.mkdtemp(prefix="pct", dir="/tmp"))
    yield folder
    kill_processes_of(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def start_render(short_home: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Start ``python ray_jobs/render.py`` from another folder, with a local Ray; killed at the end if still there."""
    processes = []

    def start(*arguments: object) -> subprocess.Popen:
        command = [sys.executable, str(ROOT / "ray_jobs/render.py"), *map(str, arguments), "--address", "local"]
        environment = clean_environment(short_home) | {"TMPDIR": str(short_home)}
        process = subprocess.Popen(command, cwd=short_home, env=environment, text=True, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=hear_interrupts)
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        process.stdout.close()
