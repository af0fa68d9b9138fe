"""Where weights come from: a folder or the hub; safetensors only, since reading a pickle runs what is in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from assets.errors import AssetError
from assets.files import one_line

_MOST_JSON = 1 << 20
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def local_folder(place: str | Path, patterns: list[str]) -> Path:
    """The folder itself, or the hub's cache of what matches ``patterns`` in the repository of that id.

    AssetError where there is neither.
    """
    if Path(place).is_dir():
        return Path(place)
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError:
        raise AssetError(f"{one_line(place)}: no such folder; the hub's models need the extra 'train' "
                         f"(pip install 'pixelcube[train]')") from None
    try:
        return Path(snapshot_download(str(place), allow_patterns=patterns, ignore_patterns=["*.fp16.*"]))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = one_line(error).split(". ")[0][:200]
        raise AssetError(f"{one_line(place)}: no such folder, and the hub gave nothing ({reason})") from None


def check_safetensors(folder: Path, pattern: str = "*.safetensors") -> None:
    """An AssetError where a folder lacks ``config.json`` or weights; it says so where these are a pickle."""
    pickled = [file.name for file in sorted(folder.glob("*")) if file.suffix in _PICKLES]
    if not any(folder.glob(pattern)):
        got = f"holds {one_line(pickled[0])}, a pickle, which could run anything" if pickled else f"has no {pattern}"
        raise AssetError(f"{one_line(folder)}: {got}; expected {pattern}")
    if not (folder / "config.json").is_file():
        raise AssetError(f"{one_line(folder)}: has no config.json")


def read_config(file: Path, kinds: dict[str, type]) -> dict[str, Any]:
    """A JSON object that has these keys, each of its kind (``str`` or ``dict``), or an AssetError."""
    try:
        if file.stat().st_size > _MOST_JSON:
            raise ValueError(f"more than {_MOST_JSON:,} bytes")
        config = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise AssetError(f"{one_line(file)}: cannot be read ({one_line(error)})") from None
    if not isinstance(config, dict) or any(key not in config for key in kinds):
        raise AssetError(f"{one_line(file)}: expected an object with {', '.join(kinds)}")
    for key, kind in kinds.items():
        if not isinstance(config[key], kind):
            expected = {str: "a text", dict: "an object"}[kind]
            raise AssetError(f"{one_line(file)}: {key} is {one_line(config[key])[:60]}, expected {expected}")
    return config
