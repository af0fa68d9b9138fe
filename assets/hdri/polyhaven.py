"""Poly Haven's HDRIs (CC0): list, filter and fetch, with resume, checksums and an offline copy of the catalogue.

The API as its authors specify it (github.com/Poly-Haven/Public-API: ``swagger.yml``, ``routes/assets.js``,
``routes/files.js``; served at api.polyhaven.com/api-docs/swagger.json):

- ``GET /assets?t=hdris`` (``type`` and ``t`` mean the same) answers ``{slug: {"name", "type": 0, "date_published",
  "download_count", "authors": {name: credit}, "categories": [...], "tags": [...], "max_resolution": [w, h], ...}}``.
- ``GET /files/{slug}`` answers ``{"hdri": {"1k": {"hdr": {"size", "md5", "url"}, "exr": {...}}, "2k": ...}, ...}``.
- Its terms (``ToS.md``) ask for a user agent that names the software, and a visible "Powered by Poly Haven" where a
  program shows its contents. The maps themselves are CC0-1.0 and ask for nothing.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from assets.errors import AssetError
from assets.files import atomic_write, cache_dir, digest_file, one_line
from assets.hdri.download import RemoteFile, check_url, download, get_json
from assets.hdri.entry import HdriEntry

LICENCE = "CC0-1.0"
CREDIT = "Powered by Poly Haven (polyhaven.com)"
"""Show this line wherever the catalogue's contents are shown."""
_MAX_CATALOGUE_BYTES, _MAX_FILES_BYTES, _MAX_HDRI_BYTES = 64 << 20, 4 << 20, 4 << 30
_SLUG = re.compile(r"[A-Za-z0-9_-]{1,50}")  # the pattern that routes/files.js itself accepts
_RESOLUTION = re.compile(r"[0-9]{1,2}k")


@dataclasses.dataclass(frozen=True)
class PolyHavenAsset:
    """One HDRI of the catalogue."""

    slug: str
    """Its unique id."""
    name: str
    """Name for people."""
    categories: tuple[str, ...]
    """For example ``outdoor``, ``studio``, ``night``."""
    tags: tuple[str, ...]
    """Search words."""
    authors: tuple[str, ...]
    """Who made it."""
    date_published: int
    """Seconds since 1970."""
    download_count: int
    """How often it was downloaded."""
    max_resolution: tuple[int, int]
    """Largest width and height, pixels."""


class PolyHavenClient:
    """Talks to the API; everything it fetches stays in ``cache`` and works offline afterwards.

    >>> client = PolyHavenClient()
    >>> client.list(categories=["studio"])[0].slug
    >>> client.fetch("studio_small_03", "1k").path
    """

    def __init__(
        self,
        base_url: str = "https://api.polyhaven.com",
        cache: str | os.PathLike | None = None,
        max_age: float = 86400.0,
        retries: int = 4,
        retry_wait: float = 1.0,
    ) -> None:
        self.base_url = check_url(base_url, "base_url").rstrip("/")
        self.cache = default_cache() if cache is None else Path(cache)
        self.max_age = max_age
        """Seconds for which the saved catalogue is used without asking again."""
        self.retries = retries
        """Attempts after the first, for failures that may pass (connection, 429, 5xx)."""
        self.retry_wait = retry_wait
        """Seconds before the first retry; doubles each time."""
        self.notice = ""
        """What to tell the user after ``list``: empty, or that the catalogue is an offline copy, and how old."""

    def list(
        self,
        categories: Iterable[str] = (),
        search: str = "",
        min_width: int = 0,
        limit: int | None = None,
        refresh: bool = False,
    ) -> list[PolyHavenAsset]:
        """HDRIs that have all the categories and contain ``search`` in slug, name or tags; most downloaded first."""
        wanted = {category.lower() for category in categories}
        found = [
            asset
            for asset in self._catalogue(refresh)
            if wanted <= {category.lower() for category in asset.categories}
            and search.lower() in " ".join([asset.slug, asset.name, *asset.tags]).lower()
            and asset.max_resolution[0] >= min_width
        ]
        return sorted(found, key=lambda asset: (-asset.download_count, asset.slug))[:limit]

    def files(self, slug: str) -> dict[str, dict[str, RemoteFile]]:
        """What can be fetched of one HDRI: resolution (``1k``, ``2k``...) -> format (``hdr``, ``exr``) -> file."""
        url = f"{self.base_url}/files/{_check(slug, _SLUG, 'slug', 'letters, digits, _ and -')}"
        answer = get_json(url, _MAX_FILES_BYTES, self.retries, self.retry_wait)
        tree = answer.get("hdri") if isinstance(answer, dict) else None
        if not isinstance(tree, dict):
            raise AssetError(f"{url}: the answer has no 'hdri' files")
        return {
            resolution: {kind: _remote_file(formats[kind], url) for kind in ("hdr", "exr") if kind in formats}
            for resolution, formats in tree.items()
            if _RESOLUTION.fullmatch(resolution) and isinstance(formats, dict)
        }

    def fetch(
        self,
        slug: str,
        resolution: str = "1k",
        format: str = "hdr",
        progress: Callable[[int, int], None] | None = None,
    ) -> HdriEntry:
        """Download one HDRI (or find it in the cache) and return its entry.

        An interrupted download goes on where it stopped; the file appears under its name only when its MD5 is right.
        ``progress`` is called with (bytes there, bytes in all).
        """
        name = (
            f"{_check(slug, _SLUG, 'slug', 'letters, digits, _ and -')}_"
            f"{_check(resolution, _RESOLUTION, 'resolution', 'for example 1k, 2k or 4k')}."
            f"{_check(format, re.compile('hdr|exr'), 'format', 'hdr or exr')}"
        )
        if (entry := _read_sidecar(self.cache / f"{name}.json")) is not None:
            return entry
        offered = self.files(slug)
        remote = offered.get(resolution, {}).get(format)
        if remote is None:
            listed = ", ".join(f"{size} {kind}" for size, kinds in offered.items() for kind in kinds)
            raise AssetError(f"{slug}: no {resolution} {format} file, may be: {listed}")
        path = self.cache / name
        download(remote, path, self.retries, self.retry_wait, progress)
        self._write_sidecar(path, slug)
        entry = _read_sidecar(self.cache / f"{name}.json")
        if entry is None:
            raise AssetError(f"{one_line(path)}: vanished while it was being recorded")
        return entry

    def _write_sidecar(self, path: Path, slug: str) -> None:
        known = {asset.slug: asset for asset in self._saved_catalogue()[0] or ()}.get(slug)
        record = {
            "slug": slug,
            "digest": digest_file(path),
            "title": known.name if known else slug.replace("_", " ").title(),
            "tags": sorted({word.lower() for word in (*known.categories, *known.tags)}) if known else [],
        }
        with atomic_write(path.with_name(path.name + ".json")) as temporary:
            temporary.write_text(json.dumps(record), encoding="utf-8")

    def _catalogue(self, refresh: bool) -> list[PolyHavenAsset]:
        """The catalogue: the saved one if it is fresh, else from the network, else the saved one with a notice."""
        saved, age = self._saved_catalogue()
        self.notice = ""
        if saved is not None and age <= self.max_age and not refresh:
            return saved
        try:
            answer = get_json(f"{self.base_url}/assets?t=hdris", _MAX_CATALOGUE_BYTES, self.retries, self.retry_wait)
            assets = _parse_catalogue(answer, self.base_url)
        except AssetError as error:
            if saved is None:
                raise
            self.notice = f"offline: using the catalogue of {age / 86400:.1f} days ago ({error})"
            return saved
        with atomic_write(self._catalogue_path) as temporary:
            temporary.write_text(json.dumps({"fetched": time.time(), "assets": answer}), encoding="utf-8")
        return assets

    @property
    def _catalogue_path(self) -> Path:
        return self.cache / "catalogue.json"

    def _saved_catalogue(self) -> tuple[list[PolyHavenAsset] | None, float]:
        """The saved catalogue and its age in seconds; None if there is none that can be read."""
        record = _read_json(self._catalogue_path, _MAX_CATALOGUE_BYTES * 2)
        if not isinstance(record, dict) or not isinstance(record.get("fetched"), int | float):
            return None, 0.0
        try:
            return _parse_catalogue(record.get("assets"), "saved catalogue"), max(time.time() - record["fetched"], 0.0)
        except AssetError:
            return None, 0.0


def default_cache() -> Path:
    """Where fetched HDRIs are kept."""
    return cache_dir() / "polyhaven"


def polyhaven_entries(cache: str | os.PathLike | None = None) -> list[HdriEntry]:
    """Entries ``polyhaven/<slug>_<resolution>.<format>`` of every HDRI fetched so far; never touches the network."""
    folder = default_cache() if cache is None else Path(cache)
    found = [_read_sidecar(path) for path in sorted(folder.glob("*.json")) if path.name != "catalogue.json"]
    return [entry for entry in found if entry is not None]


def _read_sidecar(path: Path) -> HdriEntry | None:
    """The entry that a record beside a fetched file describes; None if either is missing or was tampered with."""
    file, record = path.with_suffix(""), _read_json(path, 1 << 20)
    if not isinstance(record, dict) or not file.is_file():
        return None
    slug, digest, title, tags = (record.get(key) for key in ("slug", "digest", "title", "tags"))
    if not all(isinstance(text, str) for text in (slug, digest, title)) or not _SLUG.fullmatch(slug):
        return None
    tags = tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()
    source = f"https://polyhaven.com/a/{slug}"
    return HdriEntry(f"polyhaven/{file.name}", file, LICENCE, digest, source, one_line(title), tags)


def _read_json(path: Path, max_bytes: int) -> Any:
    try:
        if path.stat().st_size > max_bytes:
            return None
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _check(value: str, pattern: re.Pattern, what: str, allowed: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise AssetError(f"{what}: {one_line(value)[:80]!r}, may be {allowed}")
    return value


def _remote_file(value: Any, url: str) -> RemoteFile:
    match value:
        case {"url": str(link), "md5": str(md5), "size": int(size)} if re.fullmatch(r"[0-9a-f]{32}", md5):
            if not 0 < size <= _MAX_HDRI_BYTES:
                raise AssetError(f"{url}: lists a file of {size:,} bytes, may be 1 to {_MAX_HDRI_BYTES:,}")
            if url.startswith("https:") and not link.startswith("https:"):
                raise AssetError(f"{url}: lists the address {one_line(link)[:200]!r}, may be https://")
            return RemoteFile(check_url(link, url), md5, size)
    raise AssetError(f"{url}: a file's record lacks url, md5 or size")


def _parse_catalogue(answer: Any, name: str) -> list[PolyHavenAsset]:
    """The catalogue's HDRIs; entries whose slug can't be a file name are left out."""
    if not isinstance(answer, dict):
        raise AssetError(f"{name}: the catalogue is a {type(answer).__name__}, an object of assets was expected")
    return [
        _parse_asset(slug, value) for slug, value in answer.items() if _SLUG.fullmatch(slug) and isinstance(value, dict)
    ]


def _parse_asset(slug: str, value: dict) -> PolyHavenAsset:
    def texts(key: str) -> tuple[str, ...]:
        items = value.get(key)
        return tuple(one_line(item)[:200] for item in items) if isinstance(items, list | dict) else ()

    def number(item: Any) -> int:
        return item if type(item) is int and 0 <= item < 2**53 else 0

    name, size = value.get("name"), value.get("max_resolution")
    size = size if isinstance(size, list) and len(size) == 2 else [0, 0]
    return PolyHavenAsset(
        slug=slug,
        name=one_line(name)[:200] if isinstance(name, str) else slug,
        categories=texts("categories"),
        tags=texts("tags"),
        authors=texts("authors"),
        date_published=number(value.get("date_published")),
        download_count=number(value.get("download_count")),
        max_resolution=(number(size[0]), number(size[1])),
    )
