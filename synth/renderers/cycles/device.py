"""Which devices Cycles has here, found out without loading Blender into this process; and the one that is used."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import json
import logging
import subprocess
import sys

from assets.errors import RenderError

KINDS = ("optix", "cuda", "hip", "metal", "cpu")
"""Kinds of device, fastest first: what ``variant`` is for this renderer."""

_PROBE = """
import bpy, json
preferences = bpy.context.preferences.addons['cycles'].preferences
found = [[kind, device.name, device.id] for kind in {kinds!r}
         for device in preferences.get_devices_for_type(kind.upper()) if device.type == kind.upper()]
print(json.dumps(found))
"""
_log = logging.getLogger(__name__)
_threads = 0


@dataclasses.dataclass(frozen=True)
class Device:
    """What a process renders with: one device, since it has a process of its own (Ray shows each worker its GPU)."""

    kind: str
    """One of :data:`KINDS`."""
    name: str
    """What its maker calls it."""
    id: str
    """What Cycles calls it."""

    def __str__(self) -> str:
        return f"{self.kind} ({self.name})"


def version() -> str:
    """Version of bpy, read without importing it; RenderError where it is not installed."""
    try:
        return importlib.metadata.version("bpy")
    except importlib.metadata.PackageNotFoundError as error:
        raise RenderError("renderer: cycles needs Blender as a module, which is not installed: "
                          "pip install 'bpy==5.0.1' (Python 3.11 only)") from error


@functools.cache
def devices() -> tuple[Device, ...]:
    """All that there are, fastest kind first, as a child process sees them; RenderError where bpy does not start."""
    version()
    try:
        run = subprocess.run([sys.executable, "-c", _PROBE.format(kinds=KINDS)], text=True, capture_output=True,
                             timeout=120, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise RenderError("renderer: cycles named no devices in 120 s") from error
    lines = [line for line in run.stdout.splitlines() if line.startswith("[[")]
    if run.returncode or not lines:
        said = [line.strip() for line in run.stderr.splitlines() if line.strip()]
        why = said[-1][:200] if said else f"exit status {run.returncode}"
        raise RenderError(f"renderer: bpy does not start: {why}")
    return tuple(Device(*found) for found in json.loads(lines[-1]))


def choose_device(variant: str = "auto") -> Device:
    """The first device of a kind, or of the fastest kind there is. RenderError says what there is instead."""
    if variant not in ("auto", *KINDS):
        raise RenderError(f"variant: {variant!r} is not one of auto, {', '.join(KINDS)}")
    there = devices()
    for device in there:
        if variant in ("auto", device.kind):
            _log.info("Cycles renders on %s", device)
            return device
    raise RenderError(f"variant: Cycles has no {variant} device here; there is {', '.join(map(str, there)) or 'none'}")


def limit_threads(count: int) -> None:
    """Give Cycles ``count`` threads in this process; 0, as at first, all there are. No pixel depends on it."""
    global _threads
    _threads = count


def apply_device(device: Device, scene) -> None:
    """Make ``device``, and nothing beside it, what a ``bpy.types.Scene`` is rendered on, with the threads allowed."""
    import bpy

    scene.render.threads_mode = "FIXED" if _threads else "AUTO"
    if _threads:
        scene.render.threads = _threads
    scene.cycles.device = "CPU" if device.kind == "cpu" else "GPU"
    if device.kind == "cpu":
        return
    preferences = bpy.context.preferences.addons["cycles"].preferences
    preferences.compute_device_type = device.kind.upper()
    preferences.get_devices_for_type(device.kind.upper())  # also fills in ``devices``
    for entry in preferences.devices:
        entry.use = entry.id == device.id and entry.type == device.kind.upper()
    if not any(entry.use for entry in preferences.devices):
        raise RenderError(f"variant: {device} is gone")
