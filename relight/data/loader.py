"""Batches for training and validation, from several processes, in an order that any of them can take up again.

    loader = PortraitLoader(DataConfig(datasets=[{"url": "out/train"}]), batch_size=8, workers=4)
    for batch in loader:                     # endless; a PortraitBatch
        ...
        state = loader.state_dict()          # a few numbers: after load_state_dict the next batch is the next one
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import hashlib
import json
import signal
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from assets.errors import SpecError
from relight.batch import PortraitBatch, Stage
from relight.conditioning.light_maps import direction_map
from relight.data.config import DataConfig
from relight.data.order import Order, batches
from relight.data.pairs import SIDES, Sample, SkyCache, draw_sample
from relight.data.sources import Source, open_sources
from synth.dataset.reader import Clip

_HANDLES = 256
"""Clips whose place in their shard each process remembers."""
_PICTURES = ("source", "flat", "alpha", "target", "background")


class PortraitDataset(torch.utils.data.Dataset):
    """Samples by number, over all epochs; the same number is the same bits in any process. Small to pickle."""

    def __init__(self, config: DataConfig, rank: int = 0, world_size: int = 1, stage: Stage | None = None):
        """Opens and checks the datasets; DatasetError where they can't be used. See :func:`open_sources` for ranks.

        stage: samples then lack what it has no use for (:func:`draw_sample`); what is there stays the same."""
        self.config = config
        used = SIDES if stage is None else stage.inputs + stage.outputs
        self._sides = tuple(side for side in SIDES if side in used)
        self.sources: list[Source] = open_sources(config, rank, world_size)
        self.order = Order.mixed([len(source.clip_ids) for source in self.sources],
                                 [source.weight for source in self.sources], config.seed, config.samples)
        self._forget()

    def _forget(self) -> None:
        self._handles: collections.OrderedDict[tuple[int, int], Clip] = collections.OrderedDict()
        self._cache = SkyCache(self.config.cache_mb * 10**6)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_handles", "_cache")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def __len__(self) -> int:
        """Samples of an epoch."""
        return len(self.order)

    def __getitem__(self, number: int) -> Sample:
        """Sample ``number % len(self)`` of epoch ``number // len(self)``."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # as in a worker: sums by several threads round differently
        try:
            clip = self._clip(*self.order[number])
            return draw_sample(clip, self.config, self._cache, self.config.seed, "sample", number, sides=self._sides)
        finally:
            torch.set_num_threads(threads)

    def _clip(self, source: int, clip: int) -> Clip:
        key = source, clip
        if key not in self._handles:
            self._handles[key] = self.sources[source].dataset.clip(self.sources[source].clip_ids[clip])
            while len(self._handles) > _HANDLES:
                self._handles.popitem(last=False)
        self._handles.move_to_end(key)
        return self._handles[key]

    @functools.cached_property
    def digest(self) -> str:
        """32 hex digits of all that samples depend on; where the datasets lie does not count."""
        config = self.config.model_dump(mode="json", exclude={"datasets", "verify", "cache_mb"})
        sources = [(source.digest, source.weight, source.clip_ids) for source in self.sources]
        return hashlib.blake2b(json.dumps([config, sources], sort_keys=True).encode(), digest_size=16).hexdigest()


def stack(samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
    """Samples as tensors with a leading axis B, still 8 bits: what workers send."""
    return {name: torch.from_numpy(np.stack([sample[name] for sample in samples])) for name in samples[0]}


def to_batch(stacked: dict[str, torch.Tensor], device: torch.device | str | None = None) -> PortraitBatch:
    """A stack as a batch of float32, on a device if one is given: bytes cross over, floats are made there."""
    moved = {name: tensor.to(device, non_blocking=True) for name, tensor in stacked.items()}
    moved |= {name: moved[name].to(torch.float32).div_(255) for name in _PICTURES if name in moved}
    if "light_ldr" in moved:
        direction = torch.from_numpy(direction_map(moved["light_ldr"].shape[-2]).copy()).to(device)
        moved["light_direction"] = direction.expand(*moved["exposure"].shape, -1, -1, -1)
    return PortraitBatch(**{field.name: moved.get(field.name) for field in dataclasses.fields(PortraitBatch)})


def collate(samples: Sequence[Sample]) -> PortraitBatch:
    """Samples as a batch."""
    return to_batch(stack(samples))


class PortraitLoader:
    """Batches in a fixed order, read ahead by worker processes, resumed at any sample.

    Training is endless: an epoch runs into the next, and every batch is full. With ``epochs`` it ends there, and each
    ``iter`` starts anew: that is for validation.
    """

    def __init__(self, config: DataConfig, batch_size: int, *, workers: int = 0, rank: int = 0, world_size: int = 1,
                 epochs: int | None = None, device: torch.device | str | None = None, prefetch: int = 2,
                 stage: Stage | None = None):
        """batch_size: of all ``world_size`` processes together; each gets its slice of every batch, and all together
        read the same samples whatever their number. workers: processes that read for this one; 0 reads in it.
        prefetch: batches that each worker is ahead. stage: only what it is given and makes is read, the rest of a batch
        is None. SpecError or DatasetError in one line."""
        if batch_size < 1 or batch_size % world_size or not 0 <= rank < world_size:
            raise SpecError(f"batch_size: {batch_size} for rank {rank} of {world_size}, expected a positive multiple "
                            f"of the number of processes")
        self.dataset = PortraitDataset(config, rank, world_size, stage)
        self.batch_size, self._rank, self._world_size = batch_size, rank, world_size
        self._workers, self._prefetch, self._device = workers, prefetch, device
        self._stop = None if epochs is None else epochs * len(self.dataset)
        self._next = 0

    def __len__(self) -> int:
        """Batches of an epoch, the last of them perhaps short."""
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[PortraitBatch]:
        """Batches from where the loader stands. Those that were read ahead and not taken do not count."""
        if self._stop is not None and self._next >= self._stop:
            self._next = 0
        numbers = batches(self._next, self.batch_size, self._rank, self._world_size, self._stop)
        pinned = self._device is not None and torch.device(self._device).type == "cuda"
        options = {"prefetch_factor": self._prefetch, "multiprocessing_context": "spawn"} if self._workers else {}
        loader = DataLoader(self.dataset, batch_sampler=_Batches(numbers), num_workers=self._workers,
                            collate_fn=_stack_any, pin_memory=pinned, worker_init_fn=_ignore_interrupts,
                            **options)
        for stacked in loader:
            self._next += self.batch_size
            if stacked:
                yield to_batch(stacked, self._device)

    @property
    def epoch(self) -> float:
        """Epochs that have been read, a fraction."""
        return self._next / len(self.dataset)

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands, plain JSON: the same on every rank, and for any number of workers or ranks."""
        return {"next": self._next, "data": self.dataset.digest}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state; SpecError where it belongs to other data or to another way of drawing from them."""
        if state.get("data") != self.dataset.digest:
            raise SpecError(f"loader state: its data have digest {state.get('data')}, these have {self.dataset.digest}:"
                            f" the clips or a field of the data's configuration differ from those it was saved with")
        if not isinstance(state.get("next"), int) or state["next"] < 0:
            raise SpecError(f"loader state: next is {state.get('next')!r}, expected a sample number")
        self._next = state["next"]


class _Batches:
    """An iterator as the batch sampler that a DataLoader asks for; without a length, since training has none."""

    def __init__(self, numbers: Iterator[list[int]]):
        self._numbers = numbers

    def __iter__(self) -> Iterator[list[int]]:
        return self._numbers


def _ignore_interrupts(worker: int) -> None:
    """Ctrl-C is for the process that trains, which ends its step and saves; a reader that went first would break it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _stack_any(samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
    """Nothing, where the last slice of a rank is empty."""
    return stack(samples) if samples else {}
