"""Bringing MakeHuman's CC0 data here: from its publishers' archives, from another archive, or from a folder.

MakeHuman keeps the base mesh, targets and rigs in its source repository (``makehuman/data``) and the things to wear in
a second one, published as the "system assets" pack. Both were released as CC0 in September 2020 (LICENSE.ASSETS.md in
the first; README.md of github.com/makehumancommunity/makehuman-assets). Neither address announces a checksum that
lasts, so what arrives is judged by its contents: every file that is kept must parse, and things to wear that don't
are left out.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from assets.errors import AssetError
from assets.files import cache_dir, check_regular_file, one_line, safe_extract
from assets.hdri.download import check_url, download_archive
from assets.makehuman import verify
from assets.makehuman.mhclo import read_mhclo, says_cc0
from assets.makehuman.verify import WORN, default_folder, verify_makehuman

LICENCE = "CC0-1.0"
SOURCES = (
    "https://github.com/makehumancommunity/makehuman/archive/refs/tags/v1.2.0.tar.gz",
    "https://files.makehumancommunity.org/asset_packs/makehuman_system_assets/makehuman_system_assets_cc0.zip",
)
"""The data folder's archive, then that of the things to wear (281 MB, most of it textures that are not kept)."""
MAX_DOWNLOAD_BYTES = 2 << 30
_MAX_FILES, _MAX_KEPT_BYTES = 20_000, 2 << 30
_ROOT = r"(?:(?:[^/]+/)?(?:makehuman/)?data/|(?:[^/]+/)?base/|)"
_KEPT = (
    r"3dobjs/base\.obj|rigs/default\.mhskel|rigs/default_weights\.mhw|poseunits/face-poseunits\.(?:json|bvh)"
    r"|modifiers/modeling_modifiers\.json|targets/(?:[\w-]+/){1,3}[\w-]+\.target"
    rf"|(?:{'|'.join(WORN)})/[\w-]+/[\w-]+\.(?:obj|mhclo)"
)
_PATTERN = re.compile(rf"{_ROOT}({_KEPT})", re.ASCII)
_LICENCE_FILE = re.compile(r"(?:[^/]+/)?(LICENSE[.\w]*\.(?:md|txt))", re.ASCII)


def kept(relative: PurePosixPath) -> str | None:
    """Where a file of an archive or folder belongs in the data folder; None for those that nothing here reads."""
    match = _PATTERN.fullmatch(str(relative)) or _LICENCE_FILE.fullmatch(str(relative))
    return match[1] if match else None


def fetch_makehuman(
    origin: str | None = None,
    folder: Path | None = None,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
    retries: int = 4,
    retry_wait: float = 1.0,
) -> list[str]:
    """Put the data into ``folder`` (the cache if not given), which then is whole: it appears at once or not at all.

    origin: an archive's address, a file or a folder (a MakeHuman installation, or what unpacking an archive left); the
    publishers' two archives if not given. What a local folder lacks is not looked for elsewhere. Returns a line for
    each thing that was left out. ``progress`` gets (what, done, total or 0): bytes of a download, files of a check.
    Downloads that broke off are taken up again.
    """
    folder = default_folder() if folder is None else folder
    if folder.exists():
        if not verify_makehuman(folder):
            return []
        raise AssetError(f"{one_line(folder)}: is there but not whole (see 'pixelcube assets verify makehuman'); "
                         "delete it first")
    staging = folder.with_name(f".{folder.name}.{secrets.token_hex(6)}.tmp")
    try:
        staging.mkdir(parents=True)
        archives: list[Path] = []
        for source in SOURCES if origin is None else (origin,):
            archives += _gather(source, staging, progress, retries, retry_wait)
        notes = _drop_unfit(staging)
        problems = verify_makehuman(staging, lambda done, total: progress("checking", done, total))
        if problems:
            for archive in archives:  # or every later try would end here
                archive.unlink(missing_ok=True)
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise AssetError(f"makehuman: {problems[0].replace(str(staging) + os.sep, '')}{more}; nothing was kept")
        os.replace(staging, folder)
    except OSError as error:
        raise AssetError(f"{one_line(folder)}: cannot be written ({one_line(error.strerror or error)})") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    for archive in archives:  # unpacked and checked: no longer needed
        archive.unlink(missing_ok=True)
    return notes


def _gather(source: str, staging: Path, progress: Callable[[str, int, int], None], retries: int,
            retry_wait: float) -> list[Path]:
    """Put what a source holds into ``staging``; returns the downloaded archives."""
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", source):
        path = Path(source).expanduser()
        _copy(path, staging) if path.is_dir() else _unpack(path, staging)
        return []
    url = check_url(source, "makehuman")
    name = re.sub(r"[^\w.-]", "_", url.split("?")[0].rsplit("/", 1)[-1])[-80:] or "archive"
    # Other addresses end in the same name.
    archive = cache_dir() / f"makehuman-{hashlib.blake2b(url.encode(), digest_size=4).hexdigest()}-{name}"
    if not archive.is_file():
        download_archive(url, archive, MAX_DOWNLOAD_BYTES, retries, retry_wait,
                         lambda done, total: progress(name, done, total))
    try:
        _unpack(archive, staging)
    except AssetError as error:
        # A full disk has an error number and the archive may be sound; what is broken (gzip's OSErrors too) has none.
        if getattr(error.__cause__, "errno", None) is None:
            archive.unlink(missing_ok=True)
        raise
    return [archive]


def _unpack(archive: Path, staging: Path) -> None:
    """The members that are kept, each at its place; an archive never replaces what another one brought."""
    check_regular_file(archive)
    loose = staging / f".loose.{secrets.token_hex(4)}"
    for path in safe_extract(archive, loose, max_members=200_000, wanted=lambda relative: kept(relative) is not None):
        _place(path, staging / kept(PurePosixPath(path.relative_to(loose).as_posix())), os.replace)
    shutil.rmtree(loose, ignore_errors=True)


def _copy(source: Path, staging: Path) -> None:
    """The files that are kept of a folder, its own or one of its sub-folders; links are left out."""
    total = count = 0
    for parent, folders, files in os.walk(source):
        folders.sort()
        for name in sorted(files):
            path = Path(parent, name)
            place = kept(PurePosixPath(path.relative_to(source).as_posix()))
            if place is None or path.is_symlink():
                continue
            total, count = total + check_regular_file(path), count + 1
            if total > _MAX_KEPT_BYTES or count > _MAX_FILES:
                raise AssetError(f"{one_line(source)}: more than {_MAX_FILES:,} files or {_MAX_KEPT_BYTES:,} bytes")
            _place(path, staging / place, shutil.copyfile)
    if not count:
        raise AssetError(f"{one_line(source)}: holds no MakeHuman data (3dobjs, targets, rigs ... were looked for)")


def _place(path: Path, target: Path, move: Callable[[Path, Path], object]) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        move(path, target)


def _drop_unfit(staging: Path) -> list[str]:
    """Remove things to wear that don't say that they are CC0, or that can't be read; a line for each."""
    notes = []
    for path in sorted(path for kind in WORN for path in staging.glob(f"{kind}/*/*.mhclo")):
        why = "" if says_cc0(path) else "it doesn't say that it is CC0"
        try:
            read_mhclo(path, verify.VERTICES)
        except AssetError as error:
            why = why or str(error).replace(str(staging) + os.sep, "")
        if why:
            notes.append(f"{path.relative_to(staging)}: left out, {why}")
            path.unlink()
    return notes
