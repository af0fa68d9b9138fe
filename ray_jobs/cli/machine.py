"""Facts about the machine that decide how fast it renders: memory, processor, GPU, home."""

from __future__ import annotations

import ctypes
import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import psutil


def memory_bytes() -> int:
    """Memory that this process may use: the machine's, or a container's limit where that is less."""
    total = psutil.virtual_memory().total
    try:
        return min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):
        return total


def cpu_model() -> str:
    """Marketing name of the processor."""
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        match = None
    return match.group(1) if match else platform.processor() or platform.machine()


def gpus() -> list[str]:
    """One line a GPU (name, memory, driver) as nvidia-smi tells; empty without one."""
    if not shutil.which("nvidia-smi"):
        return []
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        run = subprocess.run(query, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in run.stdout.splitlines() if line.strip()] if run.returncode == 0 else []


def library_loads(name: str) -> bool:
    """Whether the dynamic linker can load a shared library such as ``libcuda.so.1``."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def writable(folder: Path) -> bool:
    """Whether a file can be made in ``folder``, or in the nearest one above it that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
