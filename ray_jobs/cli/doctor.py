"""``pixelcube doctor``: what this machine can render with, found by trying, and what would make it faster."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import rich.console
import rich.table
from rich.markup import escape

from assets.errors import RenderError
from assets.hdri import bundled_entries
from ray_jobs.cli import machine
from ray_jobs.cli.text import make_console
from ray_jobs.machine import usable_cores
from synth.renderers import variants
from synth.renderers.cycles import device

PACKAGES = ("pixelcube", "mitsuba", "drjit", "bpy", "ray", "torch", "smplx", "numpy", "OpenEXR", "OpenImageIO",
            "pyarrow", "fsspec", "s3fs", "av")
GIGABYTE = 1e9


@dataclasses.dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    section: str
    """``software``, ``renderer``, ``machine`` or ``output``."""
    name: str
    """What was looked at."""
    value: str
    """What was found."""
    ok: bool | None = None
    """Whether it is as it should be; None where there is nothing to judge."""
    advice: str = ""
    """What would make it better, and how to get it."""


def _software() -> Iterator[Check]:
    version = platform.python_version()
    good = (3, 11) <= sys.version_info[:2] <= (3, 12)
    yield Check("software", "python", f"{version}, {sys.executable}", good, "" if good else "use Python 3.11")
    yield Check("software", "platform", platform.platform())
    for package in PACKAGES:
        try:
            yield Check("software", package, metadata.version(package), True)
        except metadata.PackageNotFoundError:
            yield Check("software", package, "not installed", None, _why_package(package))


def _why_package(package: str) -> str:
    if package == "bpy":
        return "the Cycles renderer and eight HDRIs come with it: pip install 'bpy==5.0.1' (Python 3.11 only)"
    if package == "s3fs":
        return "s3:// datasets are not possible: pip install s3fs"
    return f"{package} is missing: make install"


def _renderer() -> Iterator[Check]:
    llvm = variants.find_llvm()
    good = bool(llvm and llvm.good)
    found = f"LLVM {llvm.version}, {llvm.path}{'' if good else ' (too old)'}" if llvm else "none found"
    advice = ("Mitsuba's LLVM variant renders about 7x faster than its scalar one: 'sudo apt install libllvm19', or "
              "'make llvm' without root, or set DRJIT_LIBLLVM_PATH to an LLVM 19 or newer")
    yield Check("renderer", "llvm library", found, good, "" if good else advice)
    cuda, optix = (machine.library_loads(name) for name in ("libcuda.so.1", "libnvoptix.so.1"))
    yield Check("renderer", "cuda driver", "loads" if cuda else "not found", cuda or None)
    advice = "" if optix or not cuda else (
        "the NVIDIA driver is here without OptiX, so Mitsuba can't use the GPU: in a container set "
        "NVIDIA_DRIVER_CAPABILITIES=all; on a host install the full driver")
    yield Check("renderer", "optix", "loads" if optix else "not found", optix or (False if cuda else None), advice)
    for variant in variants.VARIANTS:
        if variant == "cuda_ad_rgb" and not cuda:
            yield Check("renderer", variant, "does not start (no NVIDIA driver)")
            continue
        result = variants.probe(variant)
        # Where a library is missing, the advice above says so already.
        surprising = not result.ok and {"llvm_ad_rgb": good, "cuda_ad_rgb": optix}.get(variant, True)
        advice = f"{variant} does not start though its libraries are there: {result.reason}" if surprising else ""
        yield Check("renderer", variant, f"{'renders' if result.ok else 'does not start'} ({result.reason})",
                    result.ok, advice)
    try:
        yield Check("renderer", "variant: auto", variants.choose_variant(), True)
    except RenderError as error:
        yield Check("renderer", "variant: auto", "none", False, str(error))
    yield from _cycles()
    maps = len(bundled_entries())
    yield Check("renderer", "bundled HDRIs", f"{maps}, in the bpy wheel" if maps else "none (no bpy wheel)", maps > 0)


def _cycles() -> Iterator[Check]:
    """The devices of the second renderer, which nothing needs to have."""
    try:
        metadata.version("bpy")
    except metadata.PackageNotFoundError:
        yield Check("renderer", "cycles", "not installed (no bpy)")
        return
    try:
        chosen = device.choose_device()
    except RenderError as error:
        yield Check("renderer", "cycles", "does not start", False, str(error))
        return
    for found in device.devices():
        yield Check("renderer", f"cycles {found.kind}", found.name, True)
    yield Check("renderer", "cycles: auto", chosen.kind, True)


def _machine() -> Iterator[Check]:
    cores, memory = usable_cores(), machine.memory_bytes()
    yield Check("machine", "cpu", f"{cores:g} usable cores, {machine.cpu_model()}", True)
    enough = memory / max(cores, 1) > 2 * GIGABYTE
    yield Check("machine", "memory", f"{memory / GIGABYTE:.1f} GB", enough,
                "" if enough else "less than 2 GB a core: render with fewer workers (pixelcube render --workers)")
    gpus = machine.gpus()
    for gpu in gpus or ["none"]:
        yield Check("machine", "gpu", gpu, bool(gpus) or None)
    home = Path.home()
    cache = machine.writable(home / ".drjit")
    yield Check("machine", "home", f"{home} ({'writable' if cache else 'not writable'})", cache, "" if cache else
                "every process compiles its kernels again: set HOME to a writable folder (they are kept in ~/.drjit)")


def _output() -> Iterator[Check]:
    from relight.footage.encode import h264_encoder

    free = shutil.disk_usage(os.getcwd()).free
    enough = free > 10 * GIGABYTE
    yield Check("output", "disk", f"{free / GIGABYTE:.0f} GB free in {os.getcwd()}", enough,
                "" if enough else "less than 10 GB free here: give 'output' in the job another disk, or an s3:// URL")
    encoder = h264_encoder()
    yield Check("output", "video", f"H.264 by {encoder or 'no encoder of PyAV'}", bool(encoder),
                "" if encoder else "inspect writes no videos: pip install --force-reinstall --only-binary :all: av")


def diagnose() -> list[Check]:
    """Look at everything; takes some seconds, most of them starting renderer variants."""
    return [check for section in (_software, _renderer, _machine, _output) for check in section()]


def _print_tables(checks: list[Check], console: rich.console.Console) -> None:
    marks = {True: "[green]ok[/]", False: "[red]no[/]", None: "[dim]-[/]"}
    table = rich.table.Table(box=None, pad_edge=False)
    for column in ("", "what", "found"):
        table.add_column(column, overflow="fold", no_wrap=column != "found")
    section = None
    for check in checks:
        if check.section != section:
            section = check.section
            table.add_row("", f"[bold]{section}[/]", "")
        table.add_row(marks[check.ok], check.name, escape(check.value))
    console.print(table)


def main(as_json: bool) -> int:
    """Print the diagnosis; 0 if some variant renders."""
    checks = diagnose()
    chosen = next(check for check in checks if check.name == "variant: auto")
    advice = [check.advice for check in checks if check.advice]
    if as_json:
        content = {"ok": bool(chosen.ok), "variant": chosen.value if chosen.ok else None, "advice": advice,
                   "checks": [dataclasses.asdict(check) for check in checks]}
        print(json.dumps(content, indent=1))
        return 0 if chosen.ok else 1
    console = make_console()
    _print_tables(checks, console)
    console.print(f"\n[bold]Renders with {chosen.value}.[/]" if chosen.ok else "\n[bold red]Cannot render.[/]")
    for line in advice:
        console.print("  * " + escape(line))
    return 0 if chosen.ok else 1
