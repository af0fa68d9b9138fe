"""Check a whole dataset: every byte of every shard and staged clip is read and decoded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pyarrow as pa

from assets.errors import DatasetError
from synth.dataset.check import verify_clip
from synth.dataset.index import INDEX, SHARDS, STAGING, check_row, index_tables, open_index, staged_rows
from synth.dataset.storage import Storage, brief

_END = bytes(1024)
"""Two zero blocks close a tar."""


@dataclasses.dataclass(frozen=True)
class Problem:
    """Something wrong with a dataset."""

    level: Literal["error", "warning"]
    """A warning costs space or needs ``pack``; an error means that pixels or facts are wrong or missing."""
    where: str
    """File, clip or member."""
    message: str
    """What it is."""

    def __str__(self) -> str:
        return f"{self.level}: {self.where}: {self.message}"


Progress = Callable[[int, int], None]
"""Called with (clips checked, clips in all)."""


def validate(url: str, progress: Progress | None = None) -> list[Problem]:
    """Read every byte of a dataset and return what is wrong with it; an empty list is a clean bill.

    Memory holds a row group of the index and a frame.
    """
    storage = Storage(url)
    problems: list[Problem] = []
    staged = _staged(storage, problems)
    total = _indexed_clips(storage, problems) + len(staged)
    extents: dict[str, list[tuple[int, int, str]]] = {}
    seen: set[str] = set()
    for done, (file, row) in enumerate(_clips(storage, staged, problems), 1):
        if row["shard"]:
            extents.setdefault(row["shard"], []).append((row["offset"], row["length"], row["clip_id"]))
            if row["clip_id"] in seen:
                problems.append(Problem("error", INDEX, f"clip {row['clip_id']} is there twice"))
            seen.add(row["clip_id"])
        problems += _clip_problems(storage, file, row)
        if progress:
            progress(done, total)
    if not total and not problems:
        problems.append(Problem("error", storage.url, f"no clips: no {INDEX} and nothing staged"))
    for shard, clips in sorted(extents.items()):
        problems += _shard_problems(storage, shard, sorted(clips))
    problems += _strays(storage, set(extents), set(staged))
    return problems


def _staged(storage: Storage, problems: list[Problem]) -> dict[str, dict[str, Any]]:
    try:
        return staged_rows(storage)
    except DatasetError as error:
        problems.append(Problem("error", STAGING, str(error)))
        return {}


def _indexed_clips(storage: Storage, problems: list[Problem]) -> int:
    if not storage.exists(INDEX):
        return 0
    try:
        with open_index(storage) as parquet:
            return parquet.metadata.num_rows
    except DatasetError as error:
        problems.append(Problem("error", INDEX, str(error)))
        return 0


def _clips(storage: Storage, staged: dict[str, Any], problems: list[Problem]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The file and row of each clip that can be followed; what is wrong with other rows goes to ``problems``."""
    tables = index_tables(storage)
    while True:
        try:
            table = next(tables, None)
        except DatasetError:  # has been reported when the rows were counted
            break
        except (pa.ArrowException, OSError) as error:
            problems.append(Problem("error", INDEX, brief(error)))
            break
        if table is None:
            break
        for row in table.to_pylist():
            try:
                check_row(row, INDEX)
            except DatasetError as error:
                problems.append(Problem("error", INDEX, str(error)))
                continue
            if row["shard"] is None:
                problems.append(Problem("error", INDEX, f"clip {row['clip_id']} has no shard"))
            else:
                yield row["shard"], row
    yield from ((f"{STAGING}/{clip_id}.tar", row) for clip_id, row in staged.items())


def _strays(storage: Storage, used: set[str], staged: set[str]) -> Iterator[Problem]:
    """Files that no clip needs."""
    for name in storage.list(SHARDS):
        if f"{SHARDS}/{name}" not in used:
            yield Problem("warning", f"{SHARDS}/{name}", "is not in the index; pack deletes what killed runs leave")
    for name in storage.list(STAGING):
        if name.endswith(".tmp"):
            yield Problem("warning", f"{STAGING}/{name}", "draft of a killed run, or of one still writing")
        elif name.partition(".")[0] not in staged:
            yield Problem("warning", f"{STAGING}/{name}", "belongs to no staged clip")
        elif name.endswith(".json"):
            yield Problem("warning", f"{STAGING}/{name}", "clip is not packed yet; pack adds it to the index")


def _clip_problems(storage: Storage, file: str, row: dict[str, Any]) -> Iterator[Problem]:
    where = f"{file}: clip {row['clip_id']}"
    try:
        for message in verify_clip(lambda offset, length: storage.read(file, offset, length), row):
            yield Problem("error", where, message)
    except DatasetError as error:
        yield Problem("error", where, str(error))


def _shard_problems(storage: Storage, shard: str, clips: list[tuple[int, int, str]]) -> Iterator[Problem]:
    """The clips of a shard, (offset, length, id), lie end to end and two zero blocks follow: no byte is left over."""
    position = 0
    for offset, length, clip_id in clips:
        if offset != position:
            yield Problem("error", shard, f"clip {clip_id} starts at byte {offset}, expected {position}")
        position = offset + length
    size = storage.list(SHARDS).get(shard.rpartition("/")[2])
    if size is None:  # has been reported with its clips
        return
    if size != position + len(_END):
        yield Problem("error", shard, f"is {size} bytes, expected {position + len(_END)}")
    elif storage.read(shard, position, len(_END)) != _END:
        yield Problem("error", shard, "does not end in two zero blocks")
