"""Lives in a worker process: renders the clips that it is given, and reports errors as data."""

from __future__ import annotations

import dataclasses
import importlib
import os
import socket
import traceback
from collections.abc import Callable
from typing import Any

import psutil

from assets.errors import AssetError, PixelCubeError, RenderError, SpecError
from assets.files import FULL_ERRORS
from synth.renderers import limit_threads
from synth.spec import ClipSpec

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENIMAGEIO_THREADS",
                    "EXR_NUM_THREADS")
"""What numeric libraries read, once, when they are loaded: a worker's environment has them before it starts."""


@dataclasses.dataclass(frozen=True)
class WorkerOptions:
    """What a worker is and what it may take."""

    render: str = "synth.generate:render_clip"
    """Function ``(ClipSpec, url, job) -> manifest row`` as ``module:name``, imported in the worker."""
    url: str = ""
    """Dataset that it writes into."""
    job: str = ""
    """Name of the job, recorded with each clip."""
    cpus: int = 1
    """CPUs a worker; its thread pools get as many threads."""
    gpus: float = 0.0
    """GPUs a worker; fractions share one GPU and share its memory without any protection."""
    recycle_bytes: int = 6 * 2**30
    """Resident memory above which a worker is replaced after its clip."""
    clip_timeout: float | None = None
    """Seconds after which a clip's worker is killed; None waits for ever."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one attempt at one clip ended."""

    kind: str
    """``done``, ``exception``, ``worker died``, ``timeout`` or ``node lost``."""
    row: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Manifest row of a finished clip."""
    reason: str = ""
    """Why not, in one line."""
    detail: str = ""
    """Traceback, or Ray's account."""
    host: str = ""
    """Where it ran."""
    rss: int = 0
    """Resident memory of the worker after the clip, bytes."""
    fatal: bool = False
    """True where the next clip would fail for the same reason (disk full)."""
    hopeless: bool = False
    """True where the same clip would fail again for the same reason (a file or a field is wrong)."""


class Worker:
    """Lives in a process of its own; renders what it is given."""

    def __init__(self, options: WorkerOptions):
        self._options = options

    def start(self) -> dict[str, Any]:
        """Limit the renderer's threads, import it; tells where it lives, or why it cannot."""
        import ray

        where = {"node": ray.get_runtime_context().get_node_id(), "host": socket.gethostname(), "pid": os.getpid()}
        try:
            limit_threads(self._options.cpus)
            self._render = resolve(self._options.render)
        except Exception as error:
            return where | {"error": one_line(error)}
        return where

    def render(self, spec: ClipSpec) -> Outcome:
        """One clip. Errors come back as data: no exception class has to survive pickling."""
        host = f"{socket.gethostname()}:{os.getpid()}"
        try:
            row = self._render(spec, self._options.url, self._options.job)
        except Exception as error:
            return Outcome("exception", reason=one_line(error), detail=traceback.format_exc(), host=host,
                           rss=psutil.Process().memory_info().rss, fatal=_disk_full(error),
                           hopeless=isinstance(error, AssetError | SpecError))
        return Outcome("done", row=dict(row or {}), host=host, rss=psutil.Process().memory_info().rss)


def resolve(path: str) -> Callable[..., Any]:
    """The function that ``module:name`` names."""
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise RenderError(f"render: {path!r} is not an importable 'module:function' ({error})") from error


def one_line(error: BaseException) -> str:
    """Type and first line of an error."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _disk_full(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, says that no space is left."""
    if isinstance(error, PixelCubeError) and "no space left" in str(error):
        return True
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL_ERRORS:
            return True
        error = error.__cause__ or error.__context__
    return False
