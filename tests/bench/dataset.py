"""Random access to one channel of one frame against a plain file, and the memory that a large index takes.

``value`` is the median time of ``clip.read(frame, channel)`` over that of the faster of two plain ways to the same
array from the frame's EXR as a file of its own: the same decoder, told where the part lies, and OpenImageIO.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pyarrow as pa

from synth.dataset import exr
from synth.dataset.index import ROW_GROUP, rows_to_table, write_index
from synth.dataset.pack import pack
from synth.dataset.reader import Clip, Dataset
from synth.dataset.storage import Storage
from synth.dataset.writer import write_clip
from tests.synth.dataset.clips import INFO, make_frames, make_spec

TARGET = 1.5
MEMORY_TARGET_MB = 300
ROWS = 100_000
MEMBERS = 73
"""Files of a synthesised clip: 8 frames, clip.json and the maps of 8 moving lightings."""

_OPEN_AND_FILTER = """
import json, sys, time
from synth.dataset.reader import Dataset
start = time.perf_counter()
dataset = Dataset.open(sys.argv[1])
clips = dataset.clips([("split_identity", "=", "train"), ("domain", "=", "mitsuba"), ("width", ">=", 64)])
seconds = time.perf_counter() - start
start = time.perf_counter()
rows = [clip.row for clip in clips[:: len(clips) // 20]]
open_ms = (time.perf_counter() - start) / len(rows) * 1e3
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({
    "rows": len(dataset), "selected": len(clips), "members": len(rows[0]["members"]), "peak_mb": round(peak / 1024),
    "open_and_filter_seconds": round(seconds, 3), "open_clip_ms": round(open_ms, 1),
}))
"""
# VmHWM and not ru_maxrss, which on Linux also counts the parent before exec.


def main() -> dict[str, Any]:
    """Run both measurements; prints and returns the result."""
    with tempfile.TemporaryDirectory() as folder:
        access = _random_access(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        memory = _index_memory(Path(folder))
    value = access.pop("ratio")
    result = {
        "name": "dataset",
        "value": round(value, 3),
        "target": TARGET,
        "ok": bool(value <= TARGET and memory["peak_mb"] < MEMORY_TARGET_MB and memory["rows"] == ROWS),
        "detail": {**access, "index": memory, "index_peak_mb_target": MEMORY_TARGET_MB},
    }
    print(json.dumps(result))
    return result


def _random_access(folder: Path) -> dict[str, Any]:
    spec = make_spec(frames=4, lightings=16, size=(192, 192))
    frames = make_frames(spec)
    encode = _median(lambda: exr.encode_frame({n: exr.stored(n, a) for n, a in frames[0].channels.items()}), 5)
    images = {name: exr.stored(name, image) for name, image in frames[0].channels.items()}
    depths = {name: "half" if image.dtype == np.float16 else "float" for name, image in images.items()}
    data, _ = exr.encode_frame(images)
    decode = _median(lambda: exr.decode_frame(data, depths, spec.width, spec.height), 5)
    start = time.perf_counter()
    write_clip(str(folder), spec, frames, INFO)
    write = (time.perf_counter() - start) / spec.frames
    pack(str(folder))
    dataset = Dataset.open(str(folder))
    clip = dataset.clip(spec.clip_id)
    with tarfile.open(folder / clip.row["shard"]) as shard:
        shard.extractall(folder, filter="data")
    plain = [folder / spec.clip_id / f"{number:04d}.exr" for number in range(spec.frames)]

    rng = np.random.default_rng(0)
    times: dict[str, list[float]] = {"dataset": [], "plain": [], "openimageio": [], "new_handle": []}
    for _ in range(400):
        number, part = int(rng.integers(spec.frames)), int(rng.integers(len(clip.channels)))
        name = clip.channels[part]
        ways: dict[str, Callable[[], np.ndarray]] = {
            "dataset": lambda f=number, n=name: clip.read(f, n),
            "plain": lambda f=number, n=name: _read_plain(plain[f], n, clip, f),
            "openimageio": lambda f=number, p=part: _read_openimageio(plain[f], p),
            "new_handle": lambda f=number, n=name: dataset.clip(spec.clip_id).read(f, n),
        }
        results = {}
        for way in rng.permutation(list(ways)):
            start = time.perf_counter()
            results[way] = ways[way]()
            times[way].append(time.perf_counter() - start)
        assert all(np.array_equal(result, results["plain"]) for result in results.values())
    medians = {way: float(np.median(seconds)) for way, seconds in times.items()}
    frame_bytes = sum(image.nbytes for image in images.values())
    return {
        "ratio": medians["dataset"] / min(medians["plain"], medians["openimageio"]),
        "baseline": min(("plain", "openimageio"), key=medians.__getitem__),
        "read_ms": {way: round(seconds * 1e3, 3) for way, seconds in medians.items()},
        "frame": "192x192, 16 lightings x 3 lobes + 7 channels",
        "encode_ms_per_frame": round(encode * 1e3, 1),
        "write_and_verify_ms_per_frame": round(write * 1e3, 1),
        "encode_mb_per_s": round(frame_bytes / encode / 1e6),
        "decode_mb_per_s": round(frame_bytes / decode / 1e6),
        "compression": round(frame_bytes / len(data), 2),
    }


def _median(action: Callable[[], Any], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def _read_plain(path: Path, name: str, clip: Clip, frame: int) -> np.ndarray:
    """The same bytes of the same EXR from a file of its own, by the same decoder."""
    offset, length, depth = clip.metadata()["frames"][frame]["parts"][name]
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        run = file.read(length)
    size = clip.row["width"], clip.row["height"]
    return exr.decode_part(run, clip.channels.index(name), name, depth, *size).astype(np.float32, copy=False)


def _read_openimageio(path: Path, part: int) -> np.ndarray:
    image = oiio.ImageInput.open(str(path))
    image.seek_subimage(part, 0)
    pixels = image.read_image(oiio.FLOAT)
    image.close()
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def _index_memory(folder: Path) -> dict[str, Any]:
    spec = make_spec(frames=8, lightings=16, size=(64, 64), lobes=False)
    row = write_clip(str(folder), spec, make_frames(spec), INFO)
    write_index(Storage(folder), _synthesised(row))
    size = (folder / "index.parquet").stat().st_size
    command = [sys.executable, "-c", _OPEN_AND_FILTER, str(folder)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {**json.loads(output), "file_mb": round(size / 1e6)}


def _synthesised(row: dict[str, Any]) -> Iterator[pa.Table]:
    """ROWS rows like a real one, with ids, hashes and member names as incompressible as real ones."""
    rng = np.random.default_rng(0)

    def hex_digits(count: int, digits: int) -> list[str]:
        text = rng.bytes(count * digits // 2).hex()
        return [text[i : i + digits] for i in range(0, len(text), digits)]

    members = MEMBERS * ROW_GROUP
    offsets = np.arange(ROW_GROUP + 1, dtype=np.int32) * MEMBERS
    template = rows_to_table([{**row, "shard": f"shards/{'0' * 32}.tar", "members": []}] * ROW_GROUP, "synthesised")
    for first in range(0, ROWS, ROW_GROUP):
        starts = np.arange(members, dtype=np.int64) * 100_000 + 512
        columns = {
            "clip_id": pa.array(hex_digits(ROW_GROUP, 20)),
            "index": pa.array(np.arange(first, first + ROW_GROUP)),
            "split_identity": pa.array(rng.choice(["train", "val", "test"], ROW_GROUP, p=[0.8, 0.1, 0.1])),
            "identity": pa.array(hex_digits(ROW_GROUP, 16)),
            "pixel_hash": pa.array(hex_digits(ROW_GROUP, 32)),
            "hash": pa.array(hex_digits(ROW_GROUP, 32)),
            "frame_hashes": pa.ListArray.from_arrays(
                np.arange(ROW_GROUP + 1, dtype=np.int32) * 8, hex_digits(8 * ROW_GROUP, 32)
            ),
            "offset": pa.array(starts[::MEMBERS] - 512),
            "length": pa.array(np.full(ROW_GROUP, MEMBERS * 100_000)),
            "members": pa.ListArray.from_arrays(
                offsets,
                pa.StructArray.from_arrays(
                    [[f"env/{d}.exr" for d in hex_digits(members, 32)], starts, rng.integers(1, 99_000, members)],
                    ["name", "offset", "length"],
                ),
            ),
        }
        table = template
        for name, column in columns.items():
            table = table.set_column(table.schema.get_field_index(name), template.schema.field(name), column)
        yield table.slice(0, min(ROW_GROUP, ROWS - first))


if __name__ == "__main__":
    main()
