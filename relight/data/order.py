"""Which clip the n-th sample of a run is. A pure function of the seed: no state, so that a run resumes anywhere."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np

from synth.seeds import keyed


@dataclasses.dataclass(frozen=True)
class Order:
    """An endless sequence of (source, clip), epoch after epoch, each source in its share.

    Within a source clips come in random permutations, one after the other across epochs, so that every clip is seen as
    often as any other. Sample n is place ``n % len(order)`` of epoch ``n // len(order)``.
    """

    clips: tuple[int, ...]
    """Clips of each source."""
    quotas: tuple[int, ...]
    """Samples of each source in an epoch."""
    seed: int
    """What the permutations depend on."""

    @classmethod
    def mixed(cls, clips: Sequence[int], weights: Sequence[float], seed: int, samples: int | None = None) -> Order:
        """Sources by weight; ``samples`` of an epoch are by default as many as clips."""
        samples = sum(clips) if samples is None else samples
        shares = samples * np.asarray(weights, np.float64) / np.sum(weights)
        quotas = np.floor(shares).astype(int)
        # Largest remainders, so that they sum to ``samples``.
        quotas[np.argsort(quotas - shares, kind="stable")[: samples - quotas.sum()]] += 1
        return cls(tuple(clips), tuple(quotas.tolist()), seed)

    def __len__(self) -> int:
        return sum(self.quotas)

    def __getitem__(self, sample: int) -> tuple[int, int]:
        """Source and clip of a sample, numbered from 0 over all epochs."""
        source, clip = _epoch(self, sample // len(self))[sample % len(self)]
        return int(source), int(clip)


@functools.lru_cache(maxsize=4)
def _epoch(order: Order, epoch: int) -> np.ndarray:
    """(samples, 2) int64: source and clip."""
    drawn = [np.stack([np.full(quota, source), _stretch(order, source, epoch * quota, quota)], axis=1)
             for source, quota in enumerate(order.quotas)]
    return keyed(order.seed, "epoch", epoch).permutation(np.concatenate(drawn))


def _stretch(order: Order, source: int, start: int, length: int) -> np.ndarray:
    """(length,) clips of a source from place ``start`` of its permutations, which are laid end to end."""
    count = order.clips[source]
    rounds = range(start // count, (start + length) // count + 1)
    clips = np.concatenate([keyed(order.seed, "clips", source, number).permutation(count) for number in rounds])
    return clips[start % count :][:length]


def batches(start: int, batch_size: int, rank: int = 0, world_size: int = 1, stop: int | None = None
            ) -> Iterator[list[int]]:
    """Sample numbers of the batches of one process: its slice of each global batch of ``batch_size``.

    All processes together read samples ``start``, ``start + 1``... in turn, whatever their number. Endless, or up to
    ``stop``; the last batch may then be short, and empty for some.
    """
    share = batch_size // world_size
    while stop is None or start < stop:
        first, last = start + rank * share, start + (rank + 1) * share
        yield list(range(first, last if stop is None else min(last, stop)))
        start += batch_size
