"""Files that are whole or absent: atomic writes, content digests, safe unpacking and the cache folder."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import lzma
import os
import secrets
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from assets.errors import AssetError

DIGEST_BYTES = 10
"""Digests are BLAKE2b with 10 bytes (20 hex digits): chance collisions need ~10^12 files, names stay readable."""
_COPY_BYTES = 1 << 20
_EXTENDED_HEADERS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME,
                     tarfile.GNUTYPE_LONGLINK)  # fmt: skip
_BROKEN_ARCHIVE = (tarfile.TarError, zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, EOFError,
                   RuntimeError, ValueError)  # fmt: skip
FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a write says when there is no room left (on the disk, in the quota, within the process's file size limit)."""


def one_line(text: object) -> str:
    """``text`` on one line, control characters escaped, so that a foreign name or message can't break a report."""
    return "".join(c if c.isprintable() else " " if c.isspace() else repr(c)[1:-1] for c in str(text)).strip()


def check_regular_file(path: str | os.PathLike) -> int:
    """Size in bytes of a readable regular file; an AssetError that names it otherwise."""
    name = one_line(path)
    try:
        info = os.stat(path)
    except FileNotFoundError:
        raise AssetError(f"{name}: no such file") from None
    except (OSError, ValueError) as error:
        raise AssetError(f"{name}: cannot be read ({one_line(error)})") from None
    if stat.S_ISDIR(info.st_mode):
        raise AssetError(f"{name}: is a folder, a file was expected")
    if not stat.S_ISREG(info.st_mode):
        raise AssetError(f"{name}: is not a regular file")
    if not os.access(path, os.R_OK):
        raise AssetError(f"{name}: cannot be read (permission denied)")
    if info.st_size == 0:
        raise AssetError(f"{name}: is empty (0 bytes)")
    return info.st_size


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike, size: int | None = None) -> Iterator[Path]:
    """Yield a temporary path in the same folder (same suffix); it replaces ``path`` only when the block succeeds.

    ``size``: bytes about to be written, when known: a disk without room is refused before the first byte.
    A full disk is an AssetError that says what was needed and what was there. Nothing stays behind on failure.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem[:80]}.{secrets.token_hex(6)}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if size is not None and shutil.disk_usage(path.parent).free < size:
            raise OSError(errno.ENOSPC, "not enough room")
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync(path.parent)
    except OSError as error:
        if error.errno in FULL_ERRORS:
            raise AssetError(_no_room(path, temporary, size, error)) from error
        raise AssetError(f"{one_line(path)}: cannot be written ({one_line(error.strerror or error)})") from error
    finally:
        with contextlib.suppress(OSError):  # it isn't there, or its folder isn't
            temporary.unlink()


def _no_room(path: Path, temporary: Path, size: int | None, error: OSError) -> str:
    written = temporary.stat().st_size if temporary.exists() else 0
    needs = f"needs {size:,} bytes" if size is not None else f"needs more than {written:,} bytes"
    if error.errno == errno.EFBIG:
        return f"{one_line(path)}: {needs}, beyond this process's file size limit (ulimit -f)"
    return f"{one_line(path)}: disk full: {needs}, has {shutil.disk_usage(path.parent).free + written:,}"


def sync(path: Path) -> None:
    """Make a file, or a folder's renames, durable (some network file systems can't open folders: it's up to them)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def digest_file(path: str | os.PathLike) -> str:
    """BLAKE2b of the file's bytes, 20 hex digits (see ``DIGEST_BYTES``)."""
    check_regular_file(path)
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    with open(path, "rb") as file:
        while block := file.read(_COPY_BYTES):
            digest.update(block)
    return digest.hexdigest()


def cache_dir() -> Path:
    """Where downloads and caches live: ``$PIXELCUBE_CACHE``, else the user's cache folder. Not created here."""
    if folder := os.environ.get("PIXELCUBE_CACHE"):
        return Path(folder).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("pixelcube"))


def safe_extract(
    archive: str | os.PathLike, folder: str | os.PathLike, max_bytes: int = 4 << 30, max_members: int = 100_000,
    wanted: Callable[[PurePosixPath], bool] = lambda relative: True,
) -> list[Path]:
    """Unpack a tar (any compression) or zip into ``folder``, files and folders only; returns the files' paths.

    Every name is checked before the first byte is written. Absolute names, ``..``, links, devices, duplicate names and
    archives that unpack to more than ``max_bytes`` or ``max_members`` are refused. The members appear under
    ``folder`` only when every one was unpacked, and existing files are never overwritten. Members that are not
    ``wanted`` are left in the archive; they count towards the limits, but may be links.
    """
    archive, folder = Path(archive), Path(folder)
    check_regular_file(archive)
    staging = folder / f".unpack.{secrets.token_hex(6)}"
    try:
        with _open_archive(archive) as (members, reader):
            plan = _plan(archive, members, folder, max_bytes, max_members, wanted)
            staging.mkdir(parents=True)
            for relative, member, size in plan:
                _copy_member(archive, reader(member), staging / relative, relative, size)
        targets = [folder / relative for relative, _, _ in plan]
        for (relative, _, _), target in zip(plan, targets, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(staging / relative, target)
        return targets
    except _BROKEN_ARCHIVE as error:
        raise AssetError(f"{one_line(archive)}: broken archive ({one_line(error)})") from error
    except OSError as error:
        what = "disk full" if error.errno in FULL_ERRORS else "cannot be unpacked"
        raise AssetError(f"{one_line(archive)}: {what} ({one_line(error.strerror or error)})") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


class _BoundedTarInfo(tarfile.TarInfo):
    """Refuses extended headers (long names, pax records) of absurd size, which tarfile would read into memory."""

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type not in tarfile.SUPPORTED_TYPES or self.type in _EXTENDED_HEADERS:
            if self.size > _COPY_BYTES:
                raise tarfile.ReadError(f"an extended header of {self.size:,} bytes")
        return super()._proc_member(tar)


@contextlib.contextmanager
def _open_archive(archive: Path):
    """Yield (members, function that opens one) of a zip or tar."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            yield zipped.infolist(), zipped.open
    else:
        with tarfile.open(archive, tarinfo=_BoundedTarInfo) as tar:
            yield tar, tar.extractfile


def _plan(
    archive: Path, members, folder: Path, max_bytes: int, max_members: int, wanted: Callable[[PurePosixPath], bool]
) -> list[tuple[PurePosixPath, object, int]]:
    """The files to write, as (relative path, member, bytes); an AssetError for anything but plain files and folders."""
    plan, total, seen = [], 0, set()
    for count, member in enumerate(members, start=1):
        is_tar = isinstance(member, tarfile.TarInfo)
        name, size = (member.name, member.size) if is_tar else (member.filename, member.file_size)
        total += size
        if count > max_members:
            raise AssetError(f"{one_line(archive)}: has more than {max_members:,} members")
        if total > max_bytes:
            raise AssetError(f"{one_line(archive)}: unpacks to more than the limit of {max_bytes:,} bytes")
        relative = PurePosixPath(name.replace("\\", "/"))
        if relative.is_absolute() or ".." in relative.parts or "\0" in name or ":" in name.split("/")[0]:
            raise AssetError(f"{one_line(archive)}: member {one_line(name)!r} points outside the folder")
        if not wanted(relative):
            continue
        mode = 0 if is_tar else member.external_attr >> 16
        is_folder = member.isdir() if is_tar else member.is_dir()
        if not is_folder and (not member.isreg() if is_tar else stat.S_IFMT(mode) not in (0, stat.S_IFREG)):
            raise AssetError(
                f"{one_line(archive)}: member {one_line(name)!r} is a link or device, only files are unpacked"
            )
        if is_folder:
            continue
        if not relative.parts or relative in seen or os.path.lexists(folder / relative):
            raise AssetError(
                f"{one_line(archive)}: member {one_line(name)!r} is there twice, or exists in the folder already"
            )
        _check_no_link(archive, folder, relative)
        seen.add(relative)
        plan.append((relative, member, size))
    return plan


def _check_no_link(archive: Path, folder: Path, relative: PurePosixPath) -> None:
    """A link already inside the folder must not lead a member outside it."""
    for parent in list(relative.parents)[:-1]:
        if (folder / parent).is_symlink():
            raise AssetError(f"{one_line(archive)}: member {one_line(relative)!r} would be written through a link")


def _copy_member(archive: Path, source, target: Path, name: PurePosixPath, size: int) -> None:
    """Copy exactly ``size`` bytes: fewer or more than the archive's index says is an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    left = size
    with source, open(target, "xb") as file:
        while block := source.read(_COPY_BYTES):
            left -= len(block)
            if left < 0:
                break
            file.write(block)
    if left:
        raise AssetError(
            f"{one_line(archive)}: member {one_line(name)!r} is not {size:,} bytes long as its header says"
        )
