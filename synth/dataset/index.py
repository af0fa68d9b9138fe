"""The Parquet index: one row a clip. ``members``, the heavy column, is read only for clips that are opened."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from assets.errors import DatasetError
from synth.dataset.storage import Storage, brief
from synth.seeds import STREAMS

INDEX = "index.parquet"
STAGING = "staging"
SHARDS = "shards"
ROW_GROUP = 512
"""Rows decoded to open one clip. Measured at 100,000 rows: groups of 64 double the memory of an open index, whose
footer lists every group, and a clip opens no faster."""

CLIP_ID = re.compile(r"[0-9a-f]{20}")
SHARD_NAME = re.compile(r"shards/[0-9a-f]{32}\.tar")
MEMBER_NAME = re.compile(r"clip\.json|\d{4,6}\.(?:exr|transport)|env/[0-9a-f]{32}\.exr")

_TEXTS = pa.list_(pa.string())

SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("job", pa.string()),
        ("index", pa.int64()),
        ("domain", pa.string()),
        ("renderer", pa.string()),
        ("variant", pa.string()),
        ("code_version", pa.string()),
        ("seeds", pa.struct([(stream, pa.int64()) for stream in STREAMS])),
        ("frames", pa.int32()),
        ("fps", pa.float64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("samples", pa.int32()),
        ("lobes", pa.bool_()),
        ("lightings", pa.list_(pa.struct([
            ("kind", pa.string()), ("ids", _TEXTS), ("digests", _TEXTS), ("licences", _TEXTS)
        ]))),
        ("hdri_ids", _TEXTS),
        ("identity", pa.string()),
        ("split_identity", pa.string()),
        ("split_hdri", pa.string()),
        ("head_family", pa.string()),
        ("head_hash", pa.string()),
        ("head_licence", pa.string()),
        ("shape", pa.list_(pa.float32())),
        ("wardrobe", _TEXTS),
        ("appearance", pa.string()),
        ("skin_tone", pa.list_(pa.float32())),
        ("motion", pa.string()),
        ("licences", _TEXTS),
        ("alpha_mean", pa.float64()),
        ("lobe_error", pa.float64()),
        ("nonfinite", pa.int64()),
        ("render_seconds", pa.float64()),
        ("pixel_hash", pa.string()),
        ("frame_hashes", _TEXTS),
        ("shard", pa.string()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("hash", pa.string()),
        ("members", pa.list_(pa.struct([("name", pa.string()), ("offset", pa.int64()), ("length", pa.int64())]))),
    ]
)  # fmt: skip
"""Columns of the index. ``appearance`` is JSON; ``offset`` and ``length`` are bytes in the shard, of the clip and of
each member's data; ``hash`` is BLAKE2b of the clip's bytes, ``pixel_hash`` of its decoded frames and maps."""


def rows_to_table(rows: list[dict[str, Any]], where: str) -> pa.Table:
    """Rows as a table of the index's schema; DatasetError where a value has the wrong type."""
    try:
        return pa.Table.from_pylist(rows, schema=SCHEMA)
    except (pa.ArrowException, TypeError, AttributeError) as error:
        raise DatasetError(f"{where}: a row does not fit the index: {brief(error)}") from error


def check_row(row: dict[str, Any], where: str) -> None:
    """Refuse a row whose names or offsets could lead anywhere outside its clip's bytes; once packed, it has a shard."""
    if not CLIP_ID.fullmatch(row.get("clip_id") or ""):
        raise DatasetError(f"{where}: clip_id is {row.get('clip_id')!r}, expected 20 hex digits")
    where = f"{where}: clip {row['clip_id']}"
    missing = [name for name in SCHEMA.names if name != "shard" and row.get(name) is None]
    if missing:
        raise DatasetError(f"{where}: columns are empty: {', '.join(missing)}")
    start, length = row["offset"], row["length"]
    if start < 0 or length < 0:
        raise DatasetError(f"{where}: byte range {start} + {length} is not one")
    names = set()
    for member in row["members"]:
        name, offset, size = (member or {}).get("name"), (member or {}).get("offset"), (member or {}).get("length")
        if not MEMBER_NAME.fullmatch(name or "") or name in names:
            raise DatasetError(f"{where}: member name {name!r} is not one that a clip may have (once)")
        names.add(name)
        if offset is None or size is None or size < 0 or not start <= offset <= offset + size <= start + length:
            raise DatasetError(
                f"{where}: member {name} claims bytes {offset} + {size}, outside its clip's {start} + {length}"
            )
    if row["shard"] is not None and not SHARD_NAME.fullmatch(row["shard"]):
        raise DatasetError(f"{where}: shard {row['shard']!r} is not the name of a shard")


def open_index(storage: Storage) -> pq.ParquetFile:
    """The index, of which only the footer has been read.

    A local file is handed over as a path: Arrow then uses ``pread``, which threads and forked workers may share.
    """
    source = storage.path(INDEX) if storage.local else storage.open(INDEX)
    try:
        parquet = pq.ParquetFile(source)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{storage.url}/{INDEX}: not a Parquet file that can be read: {brief(error)}") from error
    missing = set(SCHEMA.names) - set(parquet.schema_arrow.names)
    if missing:
        raise DatasetError(f"{storage.url}/{INDEX}: columns missing: {', '.join(sorted(missing))}")
    return parquet


def index_values(storage: Storage, column: str) -> set[str]:
    """The distinct values of a column of the index; empty where there is no index yet."""
    if not storage.exists(INDEX):
        return set()
    with open_index(storage) as parquet:
        return set(parquet.read(columns=[column]).column(0).unique().to_pylist())


def staged_rows(storage: Storage) -> dict[str, dict[str, Any]]:
    """Rows of the staged clips by id: a clip is staged once the row beside its tar is there."""
    rows = {}
    for file in storage.list(STAGING):
        clip_id, _, suffix = file.partition(".")
        if suffix != "json" or not CLIP_ID.fullmatch(clip_id):
            continue
        name = f"{STAGING}/{file}"
        try:
            row = json.loads(storage.read_all(name))
        except ValueError as error:
            raise DatasetError(f"{storage.url}/{name}: not valid JSON: {brief(error)}") from error
        if not isinstance(row, dict):
            raise DatasetError(f"{storage.url}/{name}: got {type(row).__name__}, expected a row")
        row = rows_to_table([row], f"{storage.url}/{name}").to_pylist()[0]
        check_row(row, f"{storage.url}/{name}")
        rows[clip_id] = row
    return rows


def write_index(storage: Storage, tables: Iterable[pa.Table]) -> None:
    """Publish a new index made of tables, at once, a row group in memory at a time."""
    with storage.draft("", INDEX) as draft:
        with pq.ParquetWriter(draft, SCHEMA, compression="zstd") as writer:
            for group in _groups(tables):
                writer.write_table(group)
        storage.publish(draft, INDEX)


def index_tables(storage: Storage) -> Iterator[pa.Table]:
    """The present index, a row group at a time; nothing where there is none."""
    if not storage.exists(INDEX):
        return
    with open_index(storage) as parquet:
        for number in range(parquet.num_row_groups):
            yield parquet.read_row_group(number, columns=SCHEMA.names).cast(SCHEMA)


def _groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of ROW_GROUP rows; small ones that many runs left behind are merged."""
    pending: list[pa.Table] = []
    for table in tables:
        pending.append(table)
        if sum(map(len, pending)) >= ROW_GROUP:
            merged = pa.concat_tables(pending)
            whole = len(merged) // ROW_GROUP * ROW_GROUP
            yield from (merged.slice(start, ROW_GROUP) for start in range(0, whole, ROW_GROUP))
            pending = [merged.slice(whole)]
    if sum(map(len, pending)):
        yield pa.concat_tables(pending)
