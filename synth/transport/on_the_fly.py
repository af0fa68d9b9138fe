"""Lightings drawn at each step of training: a clip that holds its transport is lit anew as often as it is read.

    pairs = LightingPairs(LightingLibrary())
    for frame in pairs.draw(clip, np.random.default_rng(step)):
        frame.source, frame.target, frame.target_map
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from assets.errors import SpecError
from synth.lighting.envmap import EnvMap
from synth.lighting.library import LightingLibrary
from synth.lighting.sequence import render_sequence, sample_sequence
from synth.transport.light import project

if TYPE_CHECKING:
    from synth.dataset.reader import Clip


@dataclasses.dataclass(frozen=True, eq=False)
class RelitPair:
    """One frame under two lights."""

    frame: int
    """Its number in the clip."""
    source: np.ndarray
    """(H, W, 3) float32: premultiplied linear Rec.709 radiance of the foreground under the first light."""
    target: np.ndarray
    """(H, W, 3) float32: the same under the second."""
    source_map: EnvMap
    """The first light at this frame, world axes."""
    target_map: EnvMap
    """The second."""


class LightingPairs:
    """Draws two lightings for a clip: any maps of a library, turned, exposed, still or changing over the clip.

    Small suns light by their bins, 6 degrees wide: shadows are as soft as that. Pictures that were stored with the clip
    have them sharp.
    """

    def __init__(self, library: LightingLibrary, split: Literal["train", "val", "test", "all"] = "train", *,
                 real_fraction: float = 0.5, dynamic_fraction: float = 0.5, stops: tuple[float, float] = (-1.0, 1.0),
                 height: int = 64) -> None:
        """split, real_fraction, dynamic_fraction: as in a job's ``lighting``. stops: each lighting is brighter by a
        number between these. height: rows of the maps. SpecError where the library has no map to draw."""
        self._library, self._split, self._height = library, split, height
        self._fractions, self._stops = (real_fraction, dynamic_fraction), stops
        self._sources = tuple(sorted({entry.source for entry in library}))
        if not library.select(None, split):
            raise SpecError(f"split: {split!r}, of which the library's {len(library)} maps have none")

    def draw(self, clip: Clip, rng: np.random.Generator, frames: Sequence[int] | None = None) -> Iterator[RelitPair]:
        """Frames of a clip (all of them by default) under two lightings; memory holds one frame.

        The same state of ``rng`` draws the same pair. DatasetError where the clip holds no transport.
        """
        lightings = [self._draw_one(rng, clip) for _ in range(2)]
        return self._relit(clip, lightings, range(clip.frames) if frames is None else frames)

    def _draw_one(self, rng: np.random.Generator, clip: Clip) -> list[EnvMap]:
        """One map a frame; frames under the same light share one object."""
        spec = sample_sequence(rng, self._library, self._sources, self._split, *self._fractions,
                               index=int(rng.integers(1 << 16)))
        stops = float(rng.uniform(*self._stops))
        maps = render_sequence(spec, self._library, clip.frames, clip.row["fps"], self._height)
        exposed = {id(light): light.exposed(stops) for light in maps}
        return [exposed[id(light)] for light in maps]

    def _relit(self, clip: Clip, lightings: Sequence[list[EnvMap]], frames: Sequence[int]) -> Iterator[RelitPair]:
        vectors: dict[int, np.ndarray] = {}
        for frame in frames:
            transport = clip.transport(frame)
            maps = [lighting[frame] for lighting in lightings]
            for light in maps:
                if id(light) not in vectors:
                    vectors[id(light)] = project(light, transport.basis)
            images = transport.relight(np.stack([vectors[id(light)] for light in maps]), maps)
            yield RelitPair(frame, *images, *maps)
