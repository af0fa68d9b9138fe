"""Any folder of HDR files as a library. Digests are cached, so that a large folder is hashed once."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import re
import time
from pathlib import Path

from assets.errors import AssetError
from assets.files import atomic_write, cache_dir, check_regular_file, digest_file, one_line
from assets.hdri.entry import HdriEntry
from assets.images import HDR_SUFFIXES

_MAX_FILES = 100_000
_MAX_CACHE_BYTES = 64 << 20
_FRESH_SECONDS = 2.0
"""A file changed this recently may change again within the clock's resolution: its digest isn't cached yet."""


def folder_entries(path: str | os.PathLike, licence: str = "unknown") -> list[HdriEntry]:
    """Entries ``folder/<stem>`` of every .hdr, .pic, .exr and .npy under ``path``, sub-folders too, sorted by id.

    Files that share a stem get ids ``folder/<stem>-<start of their digest>``; exact copies are listed once. Nothing is
    decoded here: ``verify`` does that.
    """
    root = Path(path)
    if not root.is_dir():
        raise AssetError(f"{one_line(path)}: is not a folder of HDR files")
    digests, entries = _DigestCache(), {}
    by_stem: dict[str, dict[str, Path]] = collections.defaultdict(dict)
    for file in _hdr_files(root):
        by_stem[_safe(file.stem)].setdefault(digests.digest(file), file)
    for stem, files in by_stem.items():
        for digest, file in files.items():
            name = f"folder/{stem}" if len(files) == 1 else f"folder/{stem}-{digest[:8]}"
            while name in entries:  # "a-12345678" may also be some file's own stem
                name += "-2"
            tags = tuple(_safe(part).lower() for part in file.relative_to(root).parent.parts)
            entries[name] = HdriEntry(
                name, file, licence, digest, source=f"file {file.name}", title=file.stem, tags=tags
            )
    digests.save()
    return [entries[name] for name in sorted(entries)]


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text) or "_"


def _hdr_files(root: Path) -> list[Path]:
    files = []
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        files += [
            Path(folder, name)
            for name in sorted(names)
            if Path(name).suffix.lower() in HDR_SUFFIXES and not name.startswith(".")
        ]
        if len(files) > _MAX_FILES:
            raise AssetError(f"{one_line(root)}: holds more than {_MAX_FILES:,} HDR files")
    return files


class _DigestCache:
    """Digests by (path, size, modification time), kept in the cache folder; losing it costs only time."""

    def __init__(self) -> None:
        self.path = cache_dir() / "digests.json"
        self.known: dict[str, list] = {}
        self.changed = False
        with contextlib.suppress(OSError, ValueError, RecursionError):
            if self.path.stat().st_size <= _MAX_CACHE_BYTES:
                known = json.loads(self.path.read_text(encoding="utf-8"))
                self.known = known if isinstance(known, dict) else {}

    def digest(self, file: Path) -> str:
        size = check_regular_file(file)
        modified, key = file.stat().st_mtime_ns, os.path.abspath(file)
        match self.known.get(key):
            case [known_size, known_modified, str(digest)] if (known_size, known_modified) == (size, modified):
                if re.fullmatch(r"[0-9a-f]{20}", digest):
                    return digest
        digest = digest_file(file)
        if time.time() - modified / 1e9 > _FRESH_SECONDS:
            self.known[key], self.changed = [size, modified, digest], True
        return digest

    def save(self) -> None:
        """Written whole or not at all; a cache folder that can't be written is no error."""
        if self.changed:
            with contextlib.suppress(AssetError), atomic_write(self.path) as temporary:
                temporary.write_text(json.dumps(self.known), encoding="utf-8")
