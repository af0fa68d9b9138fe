"""Cores that there are to work with."""

from __future__ import annotations

import os
from pathlib import Path

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
"""CPU quota of a container (cgroup v2): microseconds, and the period in which they may be used."""


def usable_cores() -> float:
    """Cores that this process may use: its affinity, or a container's quota where that is less."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = CPU_MAX.read_text().split()
        return min(affinity, int(quota) / int(period))
    except (OSError, ValueError):  # not Linux, cgroup v1, or no quota ("max")
        return affinity


def usable_cpus() -> int:
    """Usable cores as a number of processes or threads: whole, and at least one."""
    return max(1, int(usable_cores()))
