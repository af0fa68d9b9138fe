"""Long videos in windows that overlap: each window is predicted on its own, and their overlaps are cross-faded."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from assets.errors import SpecError

Layers = dict[str, np.ndarray]
"""Named (T, ...) float32 arrays, an entry a frame."""


@dataclasses.dataclass(frozen=True)
class Windows:
    """Where windows lie: window k starts at frame ``k (length - overlap)``."""

    frames: int
    """Of the video."""
    length: int
    """Frames of a window."""
    overlap: int
    """Frames that a window shares with the next, at most half of it: no frame is in three."""

    def __post_init__(self) -> None:
        if self.frames < 1 or self.length < 1 or not 0 <= self.overlap <= self.length // 2:
            raise SpecError(f"windows: {self.length} frames with an overlap of {self.overlap} for a video of "
                            f"{self.frames}, expected 1 or more and an overlap of at most half a window")

    def __len__(self) -> int:
        hop = self.length - self.overlap
        return max(1, -(-(self.frames - self.overlap) // hop))

    def start(self, number: int) -> int:
        """First frame of a window."""
        return number * (self.length - self.overlap)

    def stop(self, number: int) -> int:
        """Frame after the last of a window: the last window may be shorter."""
        return min(self.start(number) + self.length, self.frames)

    def first_with(self, frame: int) -> int:
        """The first window that the frame depends on."""
        hop = self.length - self.overlap
        return max(0, min((frame - self.overlap) // hop, len(self) - 1))


def cross_fade(windows: Windows, parts: Iterable[Layers], first: int = 0) -> Iterator[Layers]:
    """The frames of ``parts``, layers of windows ``first``, ``first + 1``... in turn; each entry without its axis T.

    In an overlap the weight of the later window rises in even steps, so that neither border is seen. Yields from the
    first frame of window ``first`` on; of a frame that an earlier window shares, only this window's part.
    """
    held: Layers | None = None
    for number, layers in enumerate(parts, first):
        count = windows.stop(number) - windows.start(number)
        shared = windows.overlap if number + 1 < len(windows) else 0
        mixed = {name: values[:count].copy() for name, values in layers.items()}
        if held is not None:
            over = len(next(iter(held.values())))
            ramp = np.arange(1, over + 1, dtype=np.float32) / np.float32(over + 1)
            for name, values in mixed.items():
                weight = ramp.reshape(-1, *[1] * (values.ndim - 1))
                values[:over] = (1 - weight) * held[name] + weight * values[:over]
        for t in range(count - shared):
            yield {name: values[t] for name, values in mixed.items()}
        held = {name: values[count - shared:] for name, values in mixed.items()} if shared else None
