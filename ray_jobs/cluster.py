"""Reaching Ray: the cluster this machine belongs to, or a private one on loopback that lives as long as the job."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from assets.errors import RenderError, SpecError
from ray_jobs.machine import usable_cpus

_OBJECT_STORE_BYTES = 100 * 2**20
"""Only specifications and manifest rows travel through Ray, never pixels."""


@contextlib.contextmanager
def connected(address: str = "auto", cpus: int | None = None) -> Iterator[str]:
    """A Ray to work in: joins ``address``, or starts a local one; yields what it is, in words.

    ``auto`` is RAY_ADDRESS, else the cluster that ``ray start`` or ``ray up`` made on this machine, else ``local``.
    A Ray that this process already uses is left as it was found.
    """
    found = _find(address)
    if "ray" not in sys.modules:  # Ray reads its variables once, when it is imported
        _prepare_environment(private=found is None)
    import ray

    if ray.is_initialized():
        yield "the Ray in use"
    elif found is None:
        with _local(cpus or usable_cpus()) as words:
            yield words
    else:
        try:
            ray.init(address=found, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise RenderError(f"address: no Ray answers at {found!r} ({_first_line(error)}); "
                              "start one with 'ray start --head', or use --address local") from error
        try:
            yield f"the Ray at {found}"
        finally:
            ray.shutdown()


def check_fits(address: str, cpus: int, gpus: float) -> None:
    """SpecError if a worker needs more than this machine has and no cluster would be asked: it would wait for ever."""
    if _find(address) is not None or ("ray" in sys.modules and sys.modules["ray"].is_initialized()):
        return
    if cpus > usable_cpus():
        raise SpecError(f"option 'cpus_per_worker' is {cpus}, but this machine has {usable_cpus()} usable CPUs")
    if gpus and not Path("/dev/nvidia0").exists():
        raise SpecError(f"option 'gpus_per_worker' is {gpus:g}, but this machine has no NVIDIA GPU")


def _prepare_environment(private: bool) -> None:
    """No usage statistics; a private Ray listens on loopback only, for those who hold a token of this run."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if not private:
        return
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # despite its name: bind 127.0.0.1, not 0.0.0.0
    if os.environ.setdefault("RAY_AUTH_MODE", "token") == "token":
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def _find(address: str) -> str | None:
    """What to give ray.init, or None to start a local Ray."""
    if address == "local":
        return None
    if address != "auto":
        return address
    if os.environ.get("RAY_ADDRESS"):
        return os.environ["RAY_ADDRESS"]
    return _started_here()


def _started_here() -> str | None:
    """Address of the cluster that this user's ``ray start`` made on this machine, if it still runs.

    ray.init(address="auto") would also join a private Ray that another program happens to run, and would take the word
    of anybody who can write to /tmp.
    """
    folder = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    try:
        with Path(folder, "ray", "ray_current_cluster").open() as file:
            if os.fstat(file.fileno()).st_uid != os.getuid():
                return None
            address = file.read(256).strip()
        host, _, port = address.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), timeout=2.0):
            return address
    except (OSError, ValueError, OverflowError):  # none, not an address, or left by a cluster that is gone
        return None


@contextlib.contextmanager
def _local(cpus: int) -> Iterator[str]:
    import ray

    # Ray puts Unix sockets below this folder, and their paths may not pass 107 bytes.
    parent = tempfile.gettempdir() if len(tempfile.gettempdir()) < 30 else "/tmp"
    folder = tempfile.mkdtemp(prefix="pc-ray-", dir=parent)
    try:
        ray.init(address="local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level="ERROR",
                 object_store_memory=_OBJECT_STORE_BYTES, _node_ip_address="127.0.0.1", _temp_dir=folder)
    except Exception as error:
        raise RenderError(f"address: a local Ray does not start: {_first_line(error)} (logs in {folder})") from error
    try:
        yield f"a local Ray with {cpus} CPU{'s' if cpus != 1 else ''}"
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
