"""HTTP with bounds: JSON of limited size, and files that resume, retry and must match their MD5."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.errors import AssetError
from assets.files import FULL_ERRORS, one_line

if TYPE_CHECKING:
    import requests

_TIMEOUT = (10.0, 30.0)
"""Seconds to connect, and between two packets."""
_BLOCK = 1 << 14
"""Bytes at a time; what a broken connection can cost on resuming."""
_MAX_WAIT = 60.0


@dataclasses.dataclass(frozen=True)
class RemoteFile:
    """A file that a catalogue offers."""

    url: str
    """Where it is."""
    md5: str
    """MD5 of its bytes, 32 hex digits."""
    size: int
    """Its length, bytes."""


class _MayPass(Exception):
    """A failure worth another try; ``wait`` is what the server asked for, seconds."""

    def __init__(self, text: str, wait: float = 0.0):
        super().__init__(text)
        self.wait = wait


def check_url(url: str, where: str) -> str:
    """``url`` if it is an http(s) address with a host; an AssetError otherwise."""
    try:
        parts = urllib.parse.urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable() and " " not in url
    except ValueError:
        good = False
    if not good:
        raise AssetError(f"{where}: address {one_line(url)[:200]!r}, may be http:// or https://")
    return url


def get_json(url: str, max_bytes: int, retries: int, retry_wait: float) -> Any:
    """The JSON document at ``url``, refused beyond ``max_bytes``."""

    def attempt() -> Any:
        with _get(url) as response:
            body = bytearray()
            for block in response.iter_content(_BLOCK):
                body += block
                if len(body) > max_bytes:
                    raise AssetError(f"{url}: answers with more than {max_bytes:,} bytes")
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise AssetError(f"{url}: the answer is not JSON") from None

    return _with_retries(attempt, url, retries, retry_wait)


def download(
    remote: RemoteFile,
    path: Path,
    retries: int,
    retry_wait: float,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Fetch ``remote`` to ``path``: resumes its ``.part``, checks size and MD5, then renames.

    The part's name holds the MD5's start, so that a file that changed on the server starts afresh. A wrong checksum
    deletes the part. One process at a time: a second one is told so.
    """
    part = path.with_name(f".{path.name}.{remote.md5[:8]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "ab+") as file:
            _lock(file, path)
            free, needed = shutil.disk_usage(path.parent).free, remote.size - file.tell()
            if needed > free:
                raise AssetError(f"{one_line(path)}: disk full: needs {needed:,} bytes, has {free:,}")
            _with_retries(lambda: _continue(remote, file, progress), remote.url, retries, retry_wait)
            file.flush()
            os.fsync(file.fileno())
            found = _md5(file)
            if found != remote.md5:
                part.unlink()
                raise AssetError(f"{remote.url}: MD5 is {found}, {remote.md5} was announced; the download was deleted")
            os.replace(part, path)
    except OSError as error:
        what = "disk full" if error.errno in FULL_ERRORS else "cannot be written"
        raise AssetError(f"{one_line(path)}: {what} ({one_line(error.strerror or error)})") from error


def download_archive(
    url: str,
    path: Path,
    max_bytes: int,
    retries: int,
    retry_wait: float,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Fetch a file to ``path`` whose size and checksum nobody announced; the caller must check what it holds.

    Its ``.part`` resumes if the server still offers the same file (by its strong ETag), else it starts afresh.
    ``progress`` is called with (bytes there, bytes in all or 0).
    """
    part = path.with_name(f".{path.name}.part")
    tag = path.with_name(f".{path.name}.etag")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "ab+") as file:
            _lock(file, path)
            _with_retries(lambda: _continue_archive(url, file, tag, max_bytes, progress), url, retries, retry_wait)
            file.flush()
            os.fsync(file.fileno())
            os.replace(part, path)
        tag.unlink(missing_ok=True)
    except OSError as error:
        what = "disk full" if error.errno in FULL_ERRORS else "cannot be written"
        raise AssetError(f"{one_line(path)}: {what} ({one_line(error.strerror or error)})") from error


def _continue_archive(url: str, file, tag: Path, max_bytes: int, progress: Callable[[int, int], None] | None) -> None:
    done = file.seek(0, os.SEEK_END)
    known = tag.read_text(encoding="utf-8") if tag.is_file() else ""
    headers = {"Range": f"bytes={done}-", "If-Range": known} if done and known else {}
    with _get(url, headers, allowed=(206, 416)) as response:
        if response.status_code == 416:
            file.truncate(0)
            tag.unlink(missing_ok=True)
            raise _MayPass("the server can't resume this file")
        if response.status_code == 200 or not response.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
            if response.status_code == 206:
                file.truncate(0)
                raise _MayPass("the server resumed at another place")
            file.truncate(done := 0)
            etag = response.headers.get("ETag", "")
            tag.write_text(etag if re.fullmatch(r'"[\x21\x23-\x7e]{1,200}"', etag) else "", encoding="utf-8")
        length = response.headers.get("Content-Length", "")
        total = done + int(length) if re.fullmatch(r"\d{1,15}", length) else 0
        for block in response.iter_content(_BLOCK):
            done += len(block)
            if max(done, total) > max_bytes:
                file.truncate(0)
                raise AssetError(f"{url}: is larger than the limit of {max_bytes:,} bytes")
            file.write(block)
            if progress is not None:
                progress(done, total)
    file.flush()
    if done < total:
        raise _MayPass(f"the connection ended at {done:,} of {total:,} bytes")


def _lock(file, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise AssetError(f"{one_line(path)}: another process is downloading it now") from None


def _md5(file) -> str:
    file.seek(0)
    digest = hashlib.md5(usedforsecurity=False)
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def _continue(remote: RemoteFile, file, progress: Callable[[int, int], None] | None) -> None:
    """Append what is missing; whatever arrived stays in the part when this fails."""
    done = file.seek(0, os.SEEK_END)
    if done > remote.size:
        file.truncate(done := 0)
    if done == remote.size:
        return
    with _get(remote.url, {"Range": f"bytes={done}-"} if done else {}, allowed=(206, 416)) as response:
        resumed = re.match(rf"bytes {done}-\d+/", response.headers.get("Content-Range", ""))
        if response.status_code == 416 or (response.status_code == 206 and not (done and resumed)):
            file.truncate(0)
            raise _MayPass("the server can't resume this file")
        if response.status_code == 200:
            file.truncate(done := 0)
        for block in response.iter_content(_BLOCK):
            done += len(block)
            if done > remote.size:
                file.truncate(0)
                raise AssetError(f"{remote.url}: sends more than the {remote.size:,} bytes announced")
            file.write(block)
            if progress is not None:
                progress(done, remote.size)
    file.flush()
    if done < remote.size:
        raise _MayPass(f"the connection ended at {done:,} of {remote.size:,} bytes")


def _get(url: str, headers: dict[str, str] | None = None, allowed: tuple[int, ...] = ()) -> requests.Response:
    """A streamed GET that succeeded (or has an ``allowed`` status); redirects stay on http(s) and never leave https."""
    import requests

    with requests.Session() as session:
        session.max_redirects = 5
        # "identity": sizes, ranges and checksums are of the file itself, and no answer can inflate.
        session.headers.update({"User-Agent": _user_agent(), "Accept-Encoding": "identity", **(headers or {})})
        response = session.get(url, stream=True, timeout=_TIMEOUT)
    hops = [*response.history, response]
    if url.startswith("https:") and not all(hop.url.startswith("https:") for hop in hops):
        response.close()
        raise AssetError(f"{url}: redirects to an address without https ({one_line(response.url)[:200]})")
    status = response.status_code
    if status == 200 or status in allowed:
        return response
    response.close()
    if status == 429 or status >= 500:
        after = response.headers.get("Retry-After", "")
        raise _MayPass(f"the server answers {status}", float(after) if re.fullmatch(r"\d{1,4}", after) else 0.0)
    raise AssetError(f"{url}: the server answers {status} {one_line(response.reason or '')[:80]}")


def _user_agent() -> str:
    try:
        version = importlib.metadata.version("pixelcube")
    except importlib.metadata.PackageNotFoundError:
        version = "development"
    return f"pixelcube/{version}"


def _with_retries(attempt: Callable[[], Any], url: str, retries: int, retry_wait: float) -> Any:
    """Call ``attempt`` until it succeeds; waits double from ``retry_wait`` seconds, or as the server asks."""
    import requests

    for number in range(retries + 1):
        try:
            return attempt()
        except _MayPass as error:
            problem, wait = str(error), error.wait
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            problem, wait = _short(error), 0.0
        except requests.RequestException as error:
            raise AssetError(f"{url}: {_short(error)}") from None
        if number < retries:
            time.sleep(min(max(wait, retry_wait * 2**number), _MAX_WAIT))
    raise AssetError(f"{url}: failed after {retries + 1} attempts: {problem}")


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(error)[:160]}"
