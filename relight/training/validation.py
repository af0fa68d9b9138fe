"""How good the averaged weights are on people and light that training never saw: numbers, and pictures to look at."""

from __future__ import annotations

import numpy as np
import torch

from relight.batch import PortraitBatch
from relight.data.loader import PortraitLoader
from relight.data.sources import check_held_out
from relight.relighter import Relighter
from relight.training.config import TrainConfig
from relight.training.log import Log
from relight.training.world import World
from synth.seeds import derive_seed

_ROWS = 6
"""Clips on the sheet of pictures."""


class Validator:
    """Judges a relighter by the same clips and the same noise each time; on several processes each does so."""

    def __init__(self, config: TrainConfig, relighter: Relighter, world: World):
        self._config, self._relighter = config, relighter
        self._batches: list[PortraitBatch] = []
        if config.validation is None:
            return
        check_held_out(config.data, config.validation)
        data = config.validation.model_copy(update={"samples": config.validation_clips})
        loader = PortraitLoader(data, min(4, config.validation_clips), epochs=1, device=world.device,
                                stage=relighter.stage)
        self._batches = list(loader)

    @torch.no_grad()
    def report(self, log: Log, step: int) -> dict[str, float]:
        """Mean loss, and of each picture the PSNR over all pixels, beside that of the picture that it starts from."""
        if not self._batches:
            return {}
        self._relighter.eval()
        scores: dict[str, list[float]] = {}
        rows: list[np.ndarray] = []
        for number, batch in enumerate(self._batches):
            seeds = [derive_seed("validation", number, k) for k in range(len(batch))]
            losses = self._relighter.losses(batch, _generators(seeds))
            scores.setdefault("loss", []).extend(losses.tolist())
            made = self._relighter.sample(batch, _generators(seeds), self._config.sampling_steps)
            for name, pictures in made.items():
                truth = getattr(batch, name)
                scores.setdefault(f"psnr_{name}", []).extend(psnr(pictures, truth))
                given = getattr(batch, self._relighter.stage.inputs[0])
                if given.shape == truth.shape:
                    scores.setdefault(f"psnr_{name}_unchanged", []).extend(psnr(given, truth))
            rows += _rows(batch, made, self._relighter.stage.inputs)
        self._relighter.train()
        means = {name: float(np.mean(values)) for name, values in scores.items()}
        log.validation(step, means, np.concatenate(rows[:_ROWS]))
        return means


def _generators(seeds: list[int]) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def psnr(pictures: torch.Tensor, truth: torch.Tensor) -> list[float]:
    """Decibels of each clip's mean square error, of display values in [0, 1]."""
    errors = (pictures - truth).square().flatten(1).mean(dim=1).clamp_min(1e-10)
    return (-10 * torch.log10(errors)).tolist()


def _rows(batch: PortraitBatch, made: dict[str, torch.Tensor], inputs: tuple[str, ...]) -> list[np.ndarray]:
    """For each clip (H, columns W, 3): what its first frame is given, then what is made of it beside the truth."""
    columns = [getattr(batch, name) for name in inputs]
    columns += [picture for name, pictures in made.items() for picture in (pictures, getattr(batch, name))]
    shown = [column[:, 0].expand(-1, 3, -1, -1).permute(0, 2, 3, 1).float().cpu().numpy() for column in columns]
    return list(np.concatenate(shown, axis=2))
