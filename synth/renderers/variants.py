"""Which Mitsuba variants really start here, found out without risking this process.

An LLVM that Dr.Jit cannot use does not raise: it aborts the process at the first render. So each candidate's version
is read first, and :func:`probe` renders a few pixels in a child process.
"""

from __future__ import annotations

import ctypes.util
import dataclasses
import functools
import os
import re
import subprocess
import sys
from pathlib import Path

from assets.errors import RenderError

VARIANTS = ("cuda_ad_rgb", "llvm_ad_rgb", "scalar_rgb")
"""Candidates, fastest first."""

OLDEST_GOOD_LLVM = 16
"""14 and 15 abort in Dr.Jit 1.5 ('Cannot select fminimum'); 19 and 22 work. Those between are probed, never trusted."""

_LIBRARY_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib",
                    "/usr/local/lib", "/opt/homebrew/opt/llvm/lib", "/usr/local/opt/llvm/lib")
_PROBE = """
import mitsuba as mi
mi.set_variant({variant!r})
image = mi.render(mi.load_dict({{'type': 'scene', 'e': {{'type': 'constant'}}, 's': {{'type': 'sphere'}},
    'sensor': {{'type': 'perspective', 'to_world': mi.ScalarTransform4f().look_at([0, 0, 4], [0, 0, 0], [0, 1, 0]),
               'film': {{'type': 'hdrfilm', 'width': 8, 'height': 8}}}}, 'i': {{'type': 'path'}}}}), spp=4)
import numpy as np
assert np.isfinite(np.array(image)).all() and np.array(image).max() > 0
"""


@dataclasses.dataclass(frozen=True)
class LlvmInfo:
    """An LLVM shared library."""

    path: Path
    """File to give Dr.Jit as DRJIT_LIBLLVM_PATH."""
    version: int
    """Major version; 0 where the library does not say."""

    @property
    def good(self) -> bool:
        """Whether it is new enough to be worth a probe."""
        return self.version >= OLDEST_GOOD_LLVM


@dataclasses.dataclass(frozen=True)
class ProbeResult:
    """Whether one variant renders."""

    variant: str
    """Mitsuba variant name."""
    ok: bool
    """True if it rendered a picture in a child process."""
    reason: str
    """Why not, or with what."""


def _llvm_version(path: Path) -> int:
    """Major version from the file name (libLLVM-19.so.1, libLLVM.so.19.1), following one link."""
    for name in (path.name, path.resolve().name):
        match = re.search(r"libLLVM(?:-|\.so\.|\.)(\d+)", name)
        if match:
            return int(match.group(1))
    return 0


def llvm_candidates() -> list[LlvmInfo]:
    """LLVM libraries on this machine: the user's choice alone if there is one, else newest first."""
    chosen = os.environ.get("DRJIT_LIBLLVM_PATH")
    if chosen:
        path = Path(chosen)
        return [LlvmInfo(path, _llvm_version(path) or OLDEST_GOOD_LLVM)] if path.exists() else []
    found = sorted(Path(sys.prefix, "llvm").rglob("libLLVM*.so*"))
    for folder in _LIBRARY_FOLDERS:
        found += Path(folder).glob("libLLVM*.so*")
        found += Path(folder).glob("libLLVM*.dylib")
    found += Path("/usr/lib").glob("llvm-*/lib/libLLVM*.so*")
    located = ctypes.util.find_library("LLVM")
    if located and Path(located).is_absolute():
        found.append(Path(located))
    unique = {path.resolve(): path for path in reversed(found) if path.exists()}
    infos = (LlvmInfo(real, _llvm_version(path) or _llvm_version(real)) for real, path in unique.items())
    return sorted(infos, key=lambda info: (info.version, str(info.path)), reverse=True)


def find_llvm() -> LlvmInfo | None:
    """The newest LLVM that is worth a probe, or the newest there is, or None."""
    candidates = llvm_candidates()
    return next((info for info in candidates if info.good), candidates[0] if candidates else None)


@functools.cache
def probe(variant: str) -> ProbeResult:
    """Render an 8x8 picture with ``variant`` in a child process."""
    if variant not in VARIANTS:
        raise RenderError(f"variant: {variant!r} is not one of {', '.join(VARIANTS)}")
    environment = dict(os.environ)
    how = "built in"
    if variant.startswith("llvm"):
        llvm = find_llvm()
        if llvm is None or not llvm.good:
            what = f"LLVM {llvm.version} at {llvm.path} is too old" if llvm else "no LLVM library found"
            return ProbeResult(variant, False, f"{what}; needs {OLDEST_GOOD_LLVM} or newer (Debian: libllvm19)")
        environment["DRJIT_LIBLLVM_PATH"] = str(llvm.path)
        how = f"LLVM {llvm.version}, {llvm.path}"
    try:
        run = subprocess.run([sys.executable, "-c", _PROBE.format(variant=variant)], env=environment, text=True,
                             capture_output=True, timeout=120, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return ProbeResult(variant, False, "did not finish a picture of 8x8 pixels in 120 s")
    if run.returncode == 0:
        return ProbeResult(variant, True, how)
    lines = [line.strip() for line in run.stderr.splitlines() if line.strip()]
    reason = lines[-1][:200] if lines else f"ended with exit status {run.returncode}"
    return ProbeResult(variant, False, reason)


@functools.cache
def choose_variant(wanted: str = "auto") -> str:
    """The fastest variant that starts, or ``wanted`` if it does. RenderError says why it does not."""
    if wanted == "auto":
        has_gpu = Path("/dev/nvidia0").exists() or Path("/proc/driver/nvidia/version").exists()
        candidates = VARIANTS if has_gpu else VARIANTS[1:]
    else:
        candidates = (wanted,)
    results = []
    for variant in candidates:
        results.append(probe(variant))
        if results[-1].ok:
            return variant
    raise RenderError("no Mitsuba variant starts: " + "; ".join(f"{r.variant}: {r.reason}" for r in results))


def activate(variant: str) -> None:
    """Make ``variant`` (already chosen) the one of this process; a process has one for good."""
    llvm = find_llvm() if variant.startswith("llvm") else None
    if llvm:
        os.environ["DRJIT_LIBLLVM_PATH"] = str(llvm.path)
    import mitsuba

    current = mitsuba.variant()
    if current not in (None, variant):
        raise RenderError(f"variant: this process already uses {current}, cannot change to {variant}")
    if current is None:
        mitsuba.set_variant(variant)
        mitsuba.set_log_level(mitsuba.LogLevel.Error)  # samplers warn at every picture that they rounded a count up
