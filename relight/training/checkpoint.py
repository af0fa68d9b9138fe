"""Checkpoints that are whole or absent: a folder of safetensors and one JSON file that holds their digests.

    step-00001200/
        weights.safetensors     the weights being trained
        average.safetensors     their exponential moving average
        optimizer.safetensors   moments of Adam
        state.json              step, place in the data, configuration, digest of each file

A folder gets its name only when every file in it is on disk. Nothing in it is a pickle, so reading one runs no code.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.errors import AssetError
from assets.files import FULL_ERRORS, digest_file, one_line, sync

if TYPE_CHECKING:
    import torch

STATE = "state.json"
_NAME = re.compile(r"step-(\d{8,})")
_MOST_JSON = 64 << 20


def save(folder: Path, step: int, tensors: Mapping[str, Mapping[str, torch.Tensor]], facts: Mapping[str, Any], *,
         keep: int = 2) -> Path:
    """Write ``folder/step-...``; older ones beyond the ``keep`` newest go, once this one is whole.

    tensors: file name without suffix -> its tensors. facts: what goes into state.json. AssetError where the
    disk is full or refuses; then nothing is left of this checkpoint, and those before it are as they were.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    final = folder / f"step-{step:08d}"
    staging = folder / f".{final.name}.{secrets.token_hex(4)}"
    for left in folder.glob(".step-*"):  # by a run that was killed while it saved
        shutil.rmtree(left, ignore_errors=True)
    try:
        staging.mkdir(parents=True)
        for name, group in tensors.items():
            save_file({key: value.contiguous() for key, value in group.items()}, staging / f"{name}.safetensors")
        files = sorted(path for path in staging.rglob("*") if path.is_file())
        digests = {path.relative_to(staging).as_posix(): digest_file(path) for path in files}
        (staging / STATE).write_text(json.dumps({**facts, "step": step, "files": digests}, indent=1))
        for path in [*files, staging / STATE, staging]:
            sync(path)
        shutil.rmtree(final, ignore_errors=True)  # the same step, saved again
        os.replace(staging, final)
        sync(folder)
    except (OSError, SafetensorError) as error:
        full = getattr(error, "errno", None) in FULL_ERRORS or "o space left" in str(error) or "too large" in str(error)
        what = "disk full" if full else "cannot be written"
        raise AssetError(f"{one_line(final)}: {what} ({one_line(error)})") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    for old in _folders(folder)[:-max(keep, 1)]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def latest(folder: Path, tell: Callable[[str], None] = print) -> Path | None:
    """The newest whole checkpoint of a run; those that are cut short are named to ``tell`` and passed over."""
    for path in reversed(_folders(folder)):
        try:
            read_state(path, check=True)
        except AssetError as error:
            tell(f"{error}; taking the one before it")
        else:
            return path
    return None


def read_state(checkpoint: Path, check: bool = False) -> dict[str, Any]:
    """state.json of a checkpoint; with ``check`` every file is read through and compared with its digest."""
    path = checkpoint / STATE
    try:
        if path.stat().st_size > _MOST_JSON:
            raise ValueError("too large")
        state = json.loads(path.read_text())
        if not isinstance(state, dict) or not isinstance(state.get("files"), dict) or "step" not in state:
            raise ValueError("lacks step or files")
    except (OSError, ValueError) as error:
        raise AssetError(f"{one_line(path)}: is no whole checkpoint ({one_line(error)})") from error
    for name, digest in state["files"].items() if check else ():
        file = (checkpoint / name).resolve()
        if not file.is_relative_to(checkpoint.resolve()):
            raise AssetError(f"{one_line(path)}: names {name!r}, which lies outside its folder")
        if not file.is_file() or digest_file(file) != digest:
            raise AssetError(f"{one_line(file)}: is cut short or has changed since it was saved")
    return state


def read_tensors(checkpoint: Path, name: str) -> dict[str, torch.Tensor]:
    """The tensors of one file, on the CPU."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = checkpoint / f"{name}.safetensors"
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise AssetError(f"{one_line(path)}: cannot be read as safetensors ({one_line(error)})") from error


def _folders(folder: Path) -> list[Path]:
    """Checkpoints in the order of their steps."""
    if not folder.is_dir():
        return []
    found = [(int(match[1]), path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found)]
