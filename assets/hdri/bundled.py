"""The eight HDRIs inside the installed ``bpy`` wheel, found without importing (that is: starting) Blender."""

from __future__ import annotations

import base64
import importlib.metadata
import importlib.util
from pathlib import Path

from assets.files import digest_file
from assets.hdri.entry import HdriEntry

_WORLD = "*/datafiles/studiolights/world"
_ORIGINALS = {
    "city": "portland_landing_pad",
    "courtyard": "courtyard",
    "forest": "ninomaru_teien",
    "interior": "hotel_room",
    "night": "moonless_golf",
    "studio": "studio_small_01",
    "sunrise": "spruit_sunrise",
    "sunset": "venice_sunset",
}
"""Poly Haven originals, as the ``license.txt`` beside the files says (night and studio: "probably")."""


def bundled_entries() -> list[HdriEntry]:
    """Entries ``bundled/<name>`` of Blender's wheel, 1024 x 512, CC0-1.0; an empty list where bpy isn't installed."""
    return [_entry(path) for root in _roots() for path in sorted(root.glob(f"{_WORLD}/*.exr"))]


def recorded_sha256(path: Path) -> str | None:
    """Hex SHA-256 that the wheel's own RECORD lists for one of these files, None if it lists none."""
    try:
        files = importlib.metadata.files("bpy") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == path.name and file.hash and file.hash.mode == "sha256" and Path(file.locate()).samefile(path):
            padded = file.hash.value + "=" * (-len(file.hash.value) % 4)
            return base64.urlsafe_b64decode(padded).hex()
    return None


def _roots() -> list[Path]:
    """Folders of the bpy package. ``find_spec`` of a top-level name looks for it and executes nothing."""
    try:
        spec = importlib.util.find_spec("bpy")
    except ValueError:  # bpy is imported, but as something without a spec
        return []
    if spec is None:
        return []
    return [Path(folder) for folder in spec.submodule_search_locations or [Path(spec.origin or "").parent]]


def _entry(path: Path) -> HdriEntry:
    original = _ORIGINALS.get(path.stem)
    source = f"https://polyhaven.com/a/{original}" if original else "bpy wheel"
    return HdriEntry(
        id=f"bundled/{path.stem}",
        path=path,
        licence="CC0-1.0",
        digest=digest_file(path),
        source=source,
        title=path.stem.capitalize(),
        tags=(path.stem, "bundled"),
        repair=True,
    )
