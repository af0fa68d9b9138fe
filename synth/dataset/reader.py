"""Read a dataset: any image of any frame by byte range, from any fsspec URL, without torch.

    dataset = Dataset.open("out/dataset")
    for clip in dataset.clips([("split_identity", "=", "train")]):
        rgb = clip.read(0, "rgb.003")        # (H, W, 3) float32, scene-linear radiance
        light = clip.envmap(3, 0)            # the map that lit it, (He, We, 3) float32
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet as pq

from assets.errors import AssetError, DatasetError
from synth.camera.camera import Camera
from synth.channels import frame_channel_names
from synth.dataset import exr
from synth.dataset.index import CLIP_ID, INDEX, SCHEMA, check_row, open_index
from synth.dataset.metadata import camera_from_json, envmap_member, frame_member, parse_metadata, transport_member
from synth.dataset.storage import Storage, brief
from synth.transport import codec
from synth.transport.codec import CompressedTransport

Filter = pc.Expression | list[tuple] | list[list[tuple]]
"""A pyarrow expression, or tuples such as ``[("domain", "=", "mitsuba"), ("frames", ">=", 8)]`` that must all hold."""


class Dataset:
    """A dataset's index, opened. Pixels are read when asked for; safe to pickle and to share between threads."""

    def __init__(self, url: str):
        self.url = str(url)
        self._storage = Storage(url)
        if not self._storage.exists(INDEX):
            raise DatasetError(f"{self.url}: holds no {INDEX}; it is no dataset, or its clips have not been packed yet")
        self._parquet = open_index(self._storage)
        self._lock = threading.Lock()

    @classmethod
    def open(cls, url: str) -> Dataset:
        """Open a local folder or any fsspec URL; only the footer of the index is read."""
        return cls(url)

    def __reduce__(self) -> tuple:
        return (Dataset.open, (self.url,))

    def __len__(self) -> int:
        return self._parquet.metadata.num_rows

    def table(self, columns: list[str], filter: Filter | None = None) -> pa.Table:
        """Columns of the index for the clips that pass the filter; no other column is read, nor kept."""
        expression = pq.filters_to_expression(filter) if isinstance(filter, list) else filter
        filesystem = None if self._storage.local else self._storage.fs
        with self._reading_index():
            index = pyarrow.dataset.dataset(self._storage.path(INDEX), format="parquet", filesystem=filesystem)
            return index.to_table(columns=columns, filter=expression, fragment_readahead=1, batch_readahead=1)

    def clips(self, filter: Filter | None = None) -> list[Clip]:
        """Handles of the clips that pass the filter, in the order of the index."""
        ids = self._ids if filter is None else self.table(["clip_id"], filter).column(0)
        return [Clip(self, clip_id) for clip_id in ids.to_pylist()]

    def clip(self, clip_id: str) -> Clip:
        """The handle of one clip; DatasetError if the dataset does not hold it."""
        clip = Clip(self, clip_id)
        self._row_number(clip_id)
        return clip

    @contextlib.contextmanager
    def _reading_index(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except (pa.ArrowException, OSError, TypeError) as error:
                raise DatasetError(f"{self.url}/{INDEX}: cannot be read or filtered: {brief(error)}") from error

    @functools.cached_property
    def _ids(self) -> pa.ChunkedArray:
        with self._reading_index():
            return self._parquet.read(columns=["clip_id"]).column(0)

    @functools.cached_property
    def _group_starts(self) -> np.ndarray:
        metadata = self._parquet.metadata
        return np.cumsum([0] + [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)])

    def _row_number(self, clip_id: str) -> int:
        number = pc.index(self._ids, clip_id).as_py()
        if number < 0:
            raise DatasetError(f"{self.url}: no clip {clip_id!r} among its {len(self)}")
        return number

    def row(self, clip_id: str) -> dict[str, Any]:
        """Every column of one clip, checked: its names and offsets stay within its part of its shard."""
        number = self._row_number(clip_id)
        group = int(np.searchsorted(self._group_starts, number, side="right")) - 1
        with self._reading_index():
            table = self._parquet.read_row_group(group, columns=SCHEMA.names, use_threads=False)
        row = table.slice(number - int(self._group_starts[group]), 1).to_pylist()[0]
        check_row(row, f"{self.url}/{INDEX}")
        if row["shard"] is None:
            raise DatasetError(f"{self.url}/{INDEX}: clip {clip_id} has no shard")
        return row


class Clip:
    """One clip: T frames of one subject under L lightings. Nothing is read before it is needed."""

    def __init__(self, dataset: Dataset, clip_id: str):
        if not CLIP_ID.fullmatch(clip_id):  # callers name files after it
            raise DatasetError(f"{dataset.url}/{INDEX}: clip_id is {clip_id!r}, expected 20 hex digits")
        self.dataset, self.clip_id = dataset, clip_id

    def __repr__(self) -> str:
        return f"Clip({self.dataset.url!r}, {self.clip_id!r})"

    @functools.cached_property
    def row(self) -> dict[str, Any]:
        """The clip's row of the index."""
        return self.dataset.row(self.clip_id)

    @functools.cached_property
    def _members(self) -> dict[str, tuple[int, int]]:
        return {member["name"]: (member["offset"], member["length"]) for member in self.row["members"]}

    @functools.cached_property
    def _metadata(self) -> dict[str, Any]:
        return parse_metadata(self._bytes("clip.json"), self.row, self._where)

    @property
    def _where(self) -> str:
        return f"{self.dataset.url}/{self.row['shard']}: clip {self.clip_id}"

    def _bytes(self, member: str, start: int = 0, length: int | None = None) -> bytes:
        """Bytes of a member; the index has been checked to keep them within the clip."""
        if member not in self._members:
            raise DatasetError(f"{self._where}: no member {member!r}")
        offset, size = self._members[member]
        return self.dataset._storage.read(self.row["shard"], offset + start, size if length is None else length)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.row["frames"]

    @functools.cached_property
    def channels(self) -> tuple[str, ...]:
        """Names of the images of each frame, e.g. ``rgb.003``, ``depth``; see :data:`synth.channels.CHANNELS`."""
        return frame_channel_names(len(self.row["lightings"]), self.row["lobes"])

    def _frame(self, frame: int) -> dict[str, Any]:
        if not 0 <= frame < self.frames:
            raise DatasetError(f"{self._where}: frame {frame} is not one of 0 to {self.frames - 1}")
        return self._metadata["frames"][frame]

    def read(self, frame: int, channel: str) -> np.ndarray:
        """One image: (H, W[, C]) float32, row 0 on top; units and spaces are in :data:`synth.channels.CHANNELS`.

        One ranged read of the channel's own bytes; nothing else of the frame is fetched or decoded.
        """
        return self.read_stored(frame, channel).astype(np.float32, copy=False)

    def read_stored(self, frame: int, channel: str) -> np.ndarray:
        """The same as the file holds it: float16 for colour within half's range, float32 otherwise."""
        parts = self._frame(frame)["parts"]
        if channel not in parts:
            raise DatasetError(f"{self._where}: channel {channel!r} is not one of {', '.join(self.channels)}")
        offset, length, depth = parts[channel]
        run = self._bytes(frame_member(frame), offset, length)
        number = self.channels.index(channel)
        try:
            return exr.decode_part(run, number, channel, depth, self.row["width"], self.row["height"])
        except DatasetError as error:
            raise DatasetError(f"{self._where}: frame {frame}: {brief(error)}") from error

    def envmap(self, lighting: int, frame: int) -> np.ndarray:
        """What lit a frame: (He, 2 He, 3) float32 scene-linear Rec.709 radiance, world axes, row 0 = +Y."""
        digests = self._frame(frame)["envmaps"]
        if not 0 <= lighting < len(digests):
            raise DatasetError(f"{self._where}: lighting {lighting} is not one of 0 to {len(digests) - 1}")
        digest = digests[lighting]
        try:
            return exr.decode_envmap(self._bytes(envmap_member(digest)), *self._metadata["maps"][digest])
        except DatasetError as error:
            raise DatasetError(f"{self._where}: frame {frame}, lighting {lighting}: {brief(error)}") from error

    @property
    def has_transport(self) -> bool:
        """Whether every frame's response to all directions of light is there."""
        return all(transport_member(frame) in self._members for frame in range(self.frames))

    def transport(self, frame: int) -> CompressedTransport:
        """A frame's response to all directions of light, which any lighting is relit from; one ranged read."""
        self._frame(frame)
        member = transport_member(frame)
        if member not in self._members:
            raise DatasetError(f"{self._where}: frame {frame} has no transport: it was not asked for when it was made")
        size = self.row["width"], self.row["height"]
        try:
            return codec.decode(self._bytes(member), f"{self._where}: {member}", size)
        except AssetError as error:
            raise DatasetError(str(error)) from error

    def camera(self, frame: int) -> Camera:
        """Where the frame was seen from."""
        return camera_from_json(self._frame(frame)["camera"])

    def metadata(self) -> dict[str, Any]:
        """clip.json: resolved specification, renderer, licences, exposure of each lighting, what each frame holds."""
        return self._metadata
