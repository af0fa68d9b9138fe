"""What relight is given when both stages are used together: a flat-lit video and coverage that delight predicted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch

from assets.errors import SpecError
from relight.batch import PortraitBatch
from relight.diffusion.objective import rand
from relight.relighter import Relighter


class Delit:
    """Puts a delight model's predictions in the place of the true flat and alpha of some clips of a batch.

    A relighter that has only seen true ones takes every error of delight's for a property of the person.
    """

    def __init__(self, place: str, share: float, device: torch.device):
        """place: folder or hub id of the delight relighter; share: of the clips, in [0, 1]."""
        self._relighter, self._share = Relighter.from_pretrained(place).to(device).eval(), share
        if self._relighter.stage.name != "delight":
            raise SpecError(f"delight: {place} is a relighter of stage {self._relighter.stage.name}")

    def __call__(self, batch: PortraitBatch, generators: Sequence[torch.Generator]) -> PortraitBatch:
        """The batch with ``flat`` and ``alpha`` changed; a generator for each clip."""
        chosen = rand(len(batch), generators) < self._share
        made = self._relighter.sample(batch, generators)
        chosen = chosen.to(batch.flat.device).view(-1, 1, 1, 1, 1)
        return dataclasses.replace(batch, **{name: torch.where(chosen, made[name].to(true.dtype), true)
                                             for name, true in (("flat", batch.flat), ("alpha", batch.alpha))})
