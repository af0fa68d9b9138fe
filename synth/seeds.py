"""Independent random streams: changing one stream's seed leaves every other draw identical to the bit."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np

STREAMS = ("identity", "appearance", "motion", "camera", "light", "sensor")
"""The axes of variation of a clip. ``light`` is independent of all that shapes the G-buffer."""


def derive_seed(*keys: int | str) -> int:
    """A 63-bit seed from any keys, stable across machines and Python versions (BLAKE2b of their text)."""
    text = "\x1f".join(f"{type(key).__name__}:{key}" for key in keys)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def keyed(*keys: int | str) -> np.random.Generator:
    """A generator of its own for any keys."""
    return np.random.Generator(np.random.PCG64(derive_seed(*keys)))


@dataclasses.dataclass(frozen=True)
class Seeds:
    """One seed for each stream of a clip."""

    identity: int
    appearance: int
    motion: int
    camera: int
    light: int
    sensor: int

    @classmethod
    def for_clip(cls, job_seed: int, clip_index: int) -> Seeds:
        """Seeds of clip ``clip_index`` of a job; they do not depend on how many clips the job has."""
        return cls(**{name: derive_seed(job_seed, clip_index, name) for name in STREAMS})

    def rng(self, stream: str, *keys: int | str) -> np.random.Generator:
        """A fresh generator for one stream, further divided by ``keys`` (for example a lighting's index)."""
        if stream not in STREAMS:
            raise ValueError(f"stream: {stream!r} is not one of {', '.join(STREAMS)}")
        return keyed(getattr(self, stream), *keys)
