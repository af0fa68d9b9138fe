"""Merge staged clips into shards and publish the index. Safe to kill at any point and to run again."""

from __future__ import annotations

import dataclasses
import hashlib
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from assets.errors import DatasetError
from synth.dataset.index import (
    INDEX,
    SHARDS,
    STAGING,
    index_tables,
    index_values,
    rows_to_table,
    staged_rows,
    write_index,
)
from synth.dataset.storage import Storage

_MIB = 1 << 20
_COPY = 4 * _MIB
_DRAFT_SECONDS = 3600.0
"""A draft that has not grown for so long is nobody's: writers add to theirs after every frame."""


@dataclasses.dataclass(frozen=True)
class PackReport:
    """What a run of :func:`pack` did."""

    clips: int
    """Clips newly packed."""
    shards: tuple[str, ...]
    """Shards newly written."""
    skipped: tuple[str, ...]
    """One line for each staged clip that could not be read now; it stays staged."""
    damaged: tuple[str, ...]
    """Ids of staged clips whose bytes had changed since they were written: deleted, so that they are rendered again."""


class _Damaged(DatasetError):
    """A staged clip that no retry can read: it is gone, cut short, or has another hash."""


def pack(dataset_url: str, shard_mb: int = 512) -> PackReport:
    """Merge staged clips into new shards of about ``shard_mb`` MiB and add them to the index.

    Existing shards are never touched. Order of events: shards appear whole under the hash of their content, then the
    new index replaces the old one, then staged files go; a crash leaves at most files that the next run replaces or
    deletes. One packer at a time: two would each publish an index without the other's clips.
    """
    storage = Storage(dataset_url)
    known = index_values(storage, "clip_id")
    staged = staged_rows(storage)
    fresh = sorted(
        (row for clip_id, row in staged.items() if clip_id not in known),
        key=lambda row: (row["job"], row["index"], row["clip_id"]),
    )
    sizes = storage.list(STAGING)
    packed: list[dict[str, Any]] = []
    problems: dict[str, DatasetError] = {}
    for group in _groups(fresh, shard_mb * _MIB):
        rows, left_out = _write_shard(storage, group, sizes)
        packed += rows
        problems |= left_out
    if packed:
        new = rows_to_table(packed, storage.url)
        write_index(storage, (table for source in (index_tables(storage), [new]) for table in source))
    damaged = tuple(clip_id for clip_id, problem in problems.items() if isinstance(problem, _Damaged))
    for clip_id in damaged:
        for suffix in (".json", ".tar"):  # in this order: a clip with a row always has a tar
            storage.delete(f"{STAGING}/{clip_id}{suffix}")
    _clean(storage, known | {row["clip_id"] for row in packed})
    shards = dict.fromkeys(row["shard"] for row in packed)
    skipped = tuple(str(problem) for clip_id, problem in problems.items() if clip_id not in damaged)
    return PackReport(len(packed), tuple(shards), skipped, damaged)


def _groups(rows: list[dict[str, Any]], target: int) -> Iterator[list[dict[str, Any]]]:
    """Consecutive clips, closed where the next one would exceed the target (a single clip may)."""
    group: list[dict[str, Any]] = []
    for row in rows:
        if group and sum(r["length"] for r in group) + row["length"] > target:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _write_shard(
    storage: Storage, group: list[dict[str, Any]], sizes: dict[str, int]
) -> tuple[list[dict[str, Any]], dict[str, DatasetError]]:
    """Concatenate staged clips (``sizes``: of their files) to one tar; rows that point into it, and what stays out."""
    packed: list[dict[str, Any]] = []
    problems: dict[str, DatasetError] = {}
    digest = hashlib.blake2b(digest_size=16)
    with storage.draft(SHARDS, "shard") as draft:
        with draft.open("wb") as shard:
            for row in group:
                start, before = shard.tell(), digest.copy()
                try:
                    _copy_clip(storage, row, shard, digest, sizes)
                except DatasetError as error:
                    problems[row["clip_id"]] = error
                    shard.seek(start)
                    shard.truncate()
                    digest = before
                else:
                    packed.append(_moved(row, start))
            end = bytes(2 * tarfile.BLOCKSIZE)
            shard.write(end)
            digest.update(end)
        name = f"{SHARDS}/{digest.hexdigest()}.tar"
        if packed:
            storage.publish(Path(draft), name)
    return [{**row, "shard": name} for row in packed], problems


def _copy_clip(
    storage: Storage, row: dict[str, Any], shard: BinaryIO, digest: hashlib.blake2b, sizes: dict[str, int]
) -> None:
    """Append a staged clip's members; _Damaged if its bytes are no longer those that were written."""
    name, clip = f"{STAGING}/{row['clip_id']}.tar", hashlib.blake2b(digest_size=16)
    if sizes.get(f"{row['clip_id']}.tar", 0) < row["length"]:
        raise _Damaged(f"{storage.url}/{name}: gone, or cut short")
    for offset in range(0, row["length"], _COPY):
        block = storage.read(name, offset, min(_COPY, row["length"] - offset))
        shard.write(block)
        digest.update(block)
        clip.update(block)
    if clip.hexdigest() != row["hash"]:
        raise _Damaged(f"{storage.url}/{name}: damaged since it was written")


def _moved(row: dict[str, Any], by: int) -> dict[str, Any]:
    members = [{**member, "offset": member["offset"] + by} for member in row["members"]]
    return {**row, "offset": row["offset"] + by, "members": members}


def _clean(storage: Storage, indexed: set[str]) -> None:
    """Delete what this run no longer needs and killed runs left: staged files of indexed clips, drafts, double shards.

    The row of a staged clip goes before its tar, so that a clip with a row always has a tar.
    """
    for name in sorted(storage.list(STAGING), key=lambda name: not name.endswith(".json")):
        path = f"{STAGING}/{name}"
        if name.lstrip(".").partition(".")[0] in indexed and not (name.endswith(".tmp") and _young(storage, path)):
            storage.delete(path)
    used = index_values(storage, "shard")
    for name in storage.list(SHARDS):
        path = f"{SHARDS}/{name}"
        if name.endswith(".tmp") or (path not in used and _holds_only(storage, path, indexed)):
            storage.delete(path)
    for name in storage.list(""):
        if name.endswith(".tmp") and INDEX in name:
            storage.delete(name)


def _young(storage: Storage, name: str) -> bool:
    """Whether another run may still be writing a draft; where the store tells no times, it may."""
    try:
        written = storage.fs.modified(storage.path(name))
    except (OSError, NotImplementedError):
        return True
    return time.time() - written.timestamp() < _DRAFT_SECONDS


def _holds_only(storage: Storage, shard: str, indexed: set[str]) -> bool:
    """Whether a shard that the index does not know holds nothing but clips that the index has elsewhere."""
    try:
        with storage.open(shard) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            return all(member.name.partition("/")[0] in indexed for member in tar)
    except (tarfile.TarError, OSError):
        return False
