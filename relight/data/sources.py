"""Which clips a run may read: chosen by split, checked against their hashes, and kept apart from what is held out."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.errors import DatasetError
from relight.data.config import DataConfig, DatasetChoice
from synth.dataset.index import INDEX
from synth.dataset.reader import Dataset
from synth.dataset.storage import Storage

_COLUMNS = ["clip_id", "identity", "split_identity", "split_hdri", "hdri_ids", "lightings", "frames", "hash", "shard",
            "offset", "length", "pixel_hash"]
_BLOCK = 1 << 24


@dataclasses.dataclass(frozen=True)
class Source:
    """The clips of one dataset that a run reads."""

    dataset: Dataset
    """The dataset, opened; it can be pickled."""
    clip_ids: tuple[str, ...]
    """Ids of the clips, in their own order: how the dataset was packed does not matter."""
    weight: float
    """Relative share of the samples."""
    digest: str
    """Digest of the whole dataset, see :func:`dataset_digest`."""


def open_sources(config: DataConfig, rank: int = 0, world_size: int = 1) -> list[Source]:
    """The clips of a configuration, one source a dataset, checked; DatasetError in one line where they can't be used.

    Of ``world_size`` processes each reads its share of the bytes to verify.
    """
    opened = [_open(choice) for choice in config.datasets]
    everything = pa.concat_tables([table for _, table in opened])
    chosen = _in_split(everything, config.split)
    for label, of in (("split_identity", _people), ("split_hdri", _maps)) if config.split != "all" else ():
        held_out = pc.invert(pc.is_in(everything[label], pa.array([config.split, "all"])))
        _refuse(everything.filter(chosen), everything.filter(held_out), of)
    sources = []
    for choice, (dataset, table) in zip(config.datasets, opened, strict=True):
        own = table.filter(_in_split(table, config.split))
        lit_twice = pc.greater_equal(pc.list_value_length(own["lightings"]), 2)
        usable = own.filter(pc.and_(lit_twice, pc.greater_equal(own["frames"], config.frames))).sort_by("clip_id")
        if not len(usable):
            raise DatasetError(f"{choice.url}: of {len(table)} clips {len(own)} are in split {config.split!r}; none "
                               f"of these has {config.frames} frames or more under two lights")
        if config.verify:
            rows = usable.select(["clip_id", "shard", "offset", "length", "hash"]).to_pylist()
            verify_bytes(dataset, rows[rank::world_size])
        sources.append(Source(dataset, tuple(usable["clip_id"].to_pylist()), choice.weight, dataset_digest(table)))
    return sources


def dataset_digest(table: pa.Table) -> str:
    """32 hex digits over ids, pixel hashes and splits of all clips; how they are packed in shards does not count."""
    columns = (table[name].to_pylist() for name in ("clip_id", "pixel_hash", "split_identity", "split_hdri"))
    lines = sorted(" ".join(values) for values in zip(*columns, strict=True))
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def _open(choice: DatasetChoice) -> tuple[Dataset, pa.Table]:
    dataset = Dataset.open(choice.url)
    table = dataset.table(_COLUMNS)
    empty = [name for name in _COLUMNS if table[name].null_count]
    if empty:
        raise DatasetError(f"{choice.url}/{INDEX}: clips lack values of {', '.join(empty)}")
    digest = dataset_digest(table)
    if choice.digest not in ("", digest):
        raise DatasetError(f"{choice.url}: its index has digest {digest}, the configuration asks for {choice.digest}: "
                           f"these are not the clips that were meant")
    return dataset, table


def _in_split(table: pa.Table, split: str) -> pa.ChunkedArray:
    if split == "all":
        return pc.is_valid(table["clip_id"])
    return pc.and_(pc.equal(table["split_identity"], split), pc.equal(table["split_hdri"], split))


# --- what is held out -----------------------------------------------------------------------------------------------


def check_held_out(training: DataConfig, held_out: DataConfig) -> None:
    """DatasetError where a person or a map of the clips that ``held_out`` chooses is also among those of ``training``.

    Whatever their labels say. Within the datasets of one configuration :func:`open_sources` has looked already.
    """
    tables = []
    for config in (training, held_out):
        table = pa.concat_tables([_open(choice)[1] for choice in config.datasets])
        tables.append(table.filter(_in_split(table, config.split)))
    for of in (_people, _maps):
        _refuse(*tables, of)


def _refuse(training: pa.Table, held_out: pa.Table, of: Any) -> None:
    """DatasetError where two sets of clips share what ``of`` lists, naming the first such clips."""
    shared = of(training) & of(held_out)
    if shared:
        value = min(shared)
        first, second = (next(table.slice(i, 1) for i in range(len(table)) if value in of(table.slice(i, 1)))
                         for table in (training, held_out))
        what = "identity" if of is _people else "environment map"
        raise DatasetError(f"{what} {value!r} is in training (clip {first['clip_id'][0]}) and held out from it (clip "
                           f"{second['clip_id'][0]}): it may be on one side only")


def _people(table: pa.Table) -> set[str]:
    return set(table["identity"].unique().to_pylist())


def _maps(table: pa.Table) -> set[str]:
    """Ids and digests of the maps that light some clips: a map that was renamed is still the same."""
    lightings = pc.list_flatten(table["lightings"])
    digests = pc.list_flatten(pc.struct_field(lightings, "digests"))
    return {*pc.list_flatten(table["hdri_ids"]).unique().to_pylist(), *digests.unique().to_pylist()}


# --- hashes ---------------------------------------------------------------------------------------------------------


def verify_bytes(dataset: Dataset, rows: Iterable[Mapping[str, Any]]) -> None:
    """Read the bytes of clips, given their rows; DatasetError where they are not those that were written."""
    storage = Storage(dataset.url)
    for row in rows:
        digest = hashlib.blake2b(digest_size=16)
        end = row["offset"] + row["length"]
        for start in range(row["offset"], end, _BLOCK):
            digest.update(storage.read(row["shard"], start, min(_BLOCK, end - start)))
        if digest.hexdigest() != row["hash"]:
            raise DatasetError(f"{dataset.url}/{row['shard']}: clip {row['clip_id']} has hash {digest.hexdigest()}, "
                               f"the index says {row['hash']}: its bytes have changed; 'pixelcube validate' tells more")
