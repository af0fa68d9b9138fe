"""Files of a dataset on any fsspec URL: whole files appear under their name at once, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec

from assets.errors import DatasetError
from assets.files import FULL_ERRORS

_ATOMIC_PUT = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "memory"}
"""Stores where an upload becomes visible only when it is complete."""


def brief(error: BaseException) -> str:
    """A foreign exception's text on one line."""
    return " ".join(str(error).split()) or type(error).__name__


class Storage:
    """The folder of one dataset. Names are relative to it, with forward slashes.

    ``url`` is a path or any fsspec URL. Credentials and endpoints come from the environment, as for every other client
    of that store (for S3: ``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID``...), or from fsspec's own configuration.
    """

    def __init__(self, url: str | os.PathLike):
        self.url = os.fspath(url).rstrip("/")
        try:
            self.fs, root = fsspec.core.url_to_fs(self.url)
        except (ValueError, ImportError, OSError) as error:
            raise DatasetError(f"{self.url}: not a dataset URL that can be used: {brief(error)}") from error
        self.root = root.rstrip("/")
        protocol = self.fs.protocol if isinstance(self.fs.protocol, tuple) else (self.fs.protocol,)
        self.local = "file" in protocol
        self._atomic_put = bool(_ATOMIC_PUT & set(protocol))

    def path(self, name: str) -> str:
        """Path of a file inside the store, for messages and for the file system."""
        return f"{self.root}/{name}"

    @contextlib.contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        """Turn whatever a store raises into one line; each fsspec backend has exceptions of its own."""
        try:
            yield
        except DatasetError:
            raise
        except FileNotFoundError as error:
            raise DatasetError(f"{self.url}/{name}: no such file") from error
        except Exception as error:
            if self.local and not isinstance(error, OSError):
                raise
            raise DatasetError(f"{self.url}/{name}: {type(error).__name__}: {brief(error)}") from error

    def list(self, folder: str) -> dict[str, int]:
        """File names in a folder (without the folder) and their sizes; empty where it does not exist."""
        with self._explained(folder):
            self.fs.invalidate_cache()
            try:
                entries = self.fs.ls(self.path(folder), detail=True)
            except FileNotFoundError:
                return {}
            return {
                entry["name"].rsplit("/", 1)[-1]: entry["size"] or 0
                for entry in sorted(entries, key=lambda entry: entry["name"])
                if entry["type"] == "file"
            }

    def exists(self, name: str) -> bool:
        """Whether the file is there."""
        with self._explained(name):
            self.fs.invalidate_cache()
            return self.fs.exists(self.path(name))

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``offset``: one ``pread`` on a local disk, one ranged request elsewhere."""
        with self._explained(name):
            if self.local:
                descriptor = os.open(self.path(name), os.O_RDONLY)
                try:
                    data = os.pread(descriptor, length, offset)
                finally:
                    os.close(descriptor)
            else:
                data = self.fs.cat_file(self.path(name), start=offset, end=offset + length)
        if len(data) != length:
            raise DatasetError(f"{self.url}/{name}: truncated: {len(data)} bytes at {offset}, expected {length}")
        return data

    def read_all(self, name: str) -> bytes:
        """A whole (small) file."""
        with self._explained(name):
            return self.fs.cat_file(self.path(name))

    def open(self, name: str):
        """A seekable binary file for reading."""
        with self._explained(name):
            return self.fs.open(self.path(name), "rb")

    def delete(self, name: str) -> None:
        """Delete a file if it is there."""
        with self._explained(name), contextlib.suppress(FileNotFoundError):
            self.fs.rm_file(self.path(name))

    def free_bytes(self) -> int | None:
        """Free space where drafts are written, bytes; None if unknown."""
        folder = Path(self.root) if self.local else Path(tempfile.gettempdir())
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        try:
            return shutil.disk_usage(folder).free
        except OSError:
            return None

    @contextlib.contextmanager
    def draft(self, folder: str, label: str) -> Iterator[Path]:
        """A local file to write before it is published; whatever happens, nothing of it is left behind.

        On a local dataset it is a hidden ``.<label>.<random>.tmp`` beside its final place: publishing is a rename.
        """
        with contextlib.ExitStack() as stack:
            try:
                if self.local:
                    parent = Path(self.path(folder))
                    parent.mkdir(parents=True, exist_ok=True)
                else:
                    parent = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pixelcube-")))
                path = parent / f".{label}.{uuid.uuid4().hex}.tmp"
                path.touch()
            except OSError as error:
                raise DatasetError(f"{self.url}/{folder}: cannot write {label}: {brief(error)}") from error
            stack.callback(path.unlink, missing_ok=True)
            try:
                yield path
            except OSError as error:
                if error.errno not in FULL_ERRORS:
                    raise
                raise DatasetError(
                    f"{self.url}/{folder}: no space left to write {label}: {self.free_bytes()} bytes free"
                    f" ({error.strerror})"
                ) from error

    def publish(self, draft: Path, name: str) -> None:
        """Make a finished draft visible under ``name``, durable and at once."""
        if self.local:
            final = Path(self.path(name))
            final.parent.mkdir(parents=True, exist_ok=True)
            _sync(draft)
            os.replace(draft, final)
            _sync(final.parent)
            return
        with self._explained(name):
            target = self.path(name if self._atomic_put else f"{name}.{uuid.uuid4().hex}.tmp")
            self.fs.put_file(str(draft), target)
            if not self._atomic_put:
                self.fs.mv(target, self.path(name))

    def publish_bytes(self, data: bytes, name: str) -> None:
        """Publish a small file."""
        folder, _, label = name.rpartition("/")
        with self.draft(folder, label) as draft:
            draft.write_bytes(data)
            self.publish(draft, name)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
