"""Training samples a second over a bare read-and-decode of the same bytes.

    python -m tests.bench.loader [--dataset URL] [--size 128] [--frames 4] [--workers 0] [--samples 32] [--rounds 4]

The loader draws, reads, photographs and batches: pictures of two lights, masks, backgrounds, light maps, as
:class:`relight.data.loader.PortraitLoader` gives them to a trainer. The baseline calls :meth:`Clip.read` and
:meth:`Clip.envmap` for all that the same samples are made of, in their order, and throws the arrays away; it keeps
clips open and no pixel. ``value`` is the median ratio of samples a second in later epochs, when the loader remembers
the maps of these clips (``cache_mb``); ``first_epoch`` is the same while it remembers nothing. Rounds alternate. One
process each, by its own clock (CPU seconds), or with ``--workers`` so many, by the wall's. Without ``--dataset`` a
small one is rendered first, which takes a minute or two.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader

from relight.data.config import DataConfig
from relight.data.loader import PortraitDataset, PortraitLoader
from synth.dataset.reader import Clip, Dataset

TARGET = 0.7
BATCH = 4
Reads = list[tuple[str, list[tuple[str, Any, int]]]]
"""Of each sample the clip, and all that is read of it: ("envmap", lighting, frame) or ("read", channel, frame)."""


class Bare(torch.utils.data.Dataset):
    """Reads and decodes what a sample is made of, and no more."""

    def __init__(self, url: str, reads: Reads):
        self.dataset, self.reads, self._clips = Dataset.open(url), reads, {}

    def __len__(self) -> int:
        return len(self.reads)

    def __getitem__(self, number: int) -> int:
        clip_id, wanted = self.reads[number]
        if clip_id not in self._clips:
            self._clips[clip_id] = self.dataset.clip(clip_id)
        for kind, what, frame in wanted:
            self._clips[clip_id].envmap(what, frame) if kind == "envmap" else self._clips[clip_id].read(frame, what)
        return number


def recorded(config: DataConfig, samples: int) -> Reads:
    """What each sample reads where nothing is remembered from one to the next."""
    reads: Reads = []
    plain = {name: getattr(Clip, name) for name in ("envmap", "read_stored")}

    def envmap(self: Clip, lighting: int, frame: int):
        reads[-1][1].append(("envmap", lighting, frame))
        return plain["envmap"](self, lighting, frame)

    def read_stored(self: Clip, frame: int, channel: str):
        reads[-1][1].append(("read", channel, frame))
        return plain["read_stored"](self, frame, channel)

    dataset = PortraitDataset(config)
    Clip.envmap, Clip.read_stored = envmap, read_stored
    try:
        for number in range(samples):
            source, clip = dataset.order[number]
            reads.append((dataset.sources[source].clip_ids[clip], []))
            dataset._forget()
            dataset[number]
    finally:
        Clip.envmap, Clip.read_stored = plain["envmap"], plain["read_stored"]
    return reads


def render(url: str, size: int, frames: int) -> None:
    """A dataset of real pictures."""
    from synth.dataset.pack import pack
    from synth.generate import plan, render_clip
    from synth.spec import JobSpec

    job = JobSpec(clips=2, frames=frames, lightings=6, width=size, height=size, samples=16, lobes=False,
                  appearance={"strands": 4000, "texels": 256})
    for spec in plan(job):
        render_clip(spec, url)
    pack(url)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="")
    for name, value in (("size", 128), ("frames", 4), ("workers", 0), ("samples", 32), ("rounds", 4)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if not options.dataset:
            render(folder, options.size, options.frames)
        result = measure(options.dataset or folder, options)
    print(json.dumps(result))


def measure(url: str, options: argparse.Namespace) -> dict[str, Any]:
    """All sides, in turn, a round of samples each."""
    config = DataConfig(datasets=[{"url": url}], split="all", frames=options.frames, width=options.size,
                        height=options.size, verify=False, cache_mb=4096)
    forgetful = config.model_copy(update={"cache_mb": 0})
    rounds = options.rounds + 1  # the first, in which processes start and maps are met, does not count
    reads = recorded(config, rounds * options.samples)
    spawn = "spawn" if options.workers else None
    ways: dict[str, Callable[[], Iterator[Any]]] = {
        "bare": lambda: iter(DataLoader(Bare(url, reads), BATCH, num_workers=options.workers,
                                        multiprocessing_context=spawn)),
        "loader": lambda: iter(PortraitLoader(config, BATCH, workers=options.workers)),
        "first_epoch": lambda: iter(PortraitLoader(forgetful, BATCH, workers=options.workers)),
    }
    clock = time.perf_counter if options.workers else time.process_time
    streams = {way: start() for way, start in ways.items()}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds):
        for way, stream in streams.items():
            start = clock()
            for _ in range(options.samples // BATCH):
                next(stream)
            seconds[way].append((clock() - start) / (options.samples // BATCH * BATCH))
        print(f"round {number}: {', '.join(f'{way} {spent[-1] * 1e3:.1f} ms' for way, spent in seconds.items())}",
              flush=True)
    ratios = {way: [bare / own for bare, own in zip(seconds["bare"][1:], seconds[way][1:], strict=True)]
              for way in ways}
    value = statistics.median(ratios["loader"])
    read = [kind for _, all_read in reads for kind, *_ in all_read]
    return {
        "name": "loader", "value": round(value, 3), "target": TARGET, "ok": value >= TARGET,
        "detail": {
            "first_epoch": round(statistics.median(ratios["first_epoch"]), 3),
            "ms_a_sample": {way: round(statistics.median(spent[1:]) * 1e3, 2) for way, spent in seconds.items()},
            "ratios": [round(ratio, 3) for ratio in ratios["loader"]], "frames": options.frames, "size": options.size,
            "pictures_a_sample": read.count("read") / len(reads), "maps_a_sample": read.count("envmap") / len(reads),
            "workers": options.workers, "baseline": "Clip.read and Clip.envmap (OpenEXR, ZIP) of every sample's data",
        },
    }  # fmt: skip


if __name__ == "__main__":
    main()
