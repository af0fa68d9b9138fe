"""Scores of ways to relight, on pairs of lights that are the same for all of them and at any time.

    evaluation = Evaluation(EvaluationConfig(dataset="out/val128"))
    model = relighter(PortraitRelightPipeline.from_pretrained("small"), evaluation.config)
    methods = BASELINES | REFERENCES | {"model": model}
    scores = {clip_id: [] for clip_id in evaluation.clip_ids}
    for pair in evaluation:
        scores[pair.clip_id].append(score(pair, methods).scores)
    summarise(scores)["mean"]["model"]["psnr"]           # {"mean": ..., "standard_error": ...}
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pydantic
import torch

from assets.errors import SpecError
from relight.batch import PortraitBatch
from relight.data.config import DataConfig
from relight.data.loader import PortraitDataset, collate
from relight.evaluation import metrics
from relight.evaluation.baselines import colour_transfer, do_nothing, true_grade
from relight.pipeline.portrait import PortraitRelightPipeline
from synth.seeds import derive_seed
from synth.spec import SpecModel

FIGURES = ("psnr", "ssim", "psnr_fitted", "ssim_fitted")
"""What every method is judged by, see :func:`score`."""


class EvaluationConfig(SpecModel):
    """Which pairs a method is judged on. Training data cannot be asked for."""

    dataset: str = pydantic.Field(min_length=1)
    """Dataset folder, or any fsspec URL."""
    split: Literal["test", "val"] = "test"
    """Clips whose person and whose maps are all in this part."""
    clips: int | None = pydantic.Field(None, ge=1)
    """Only the first so many of them, by id."""
    pairs: int = pydantic.Field(4, ge=1, le=4096)
    """Pairs of lights for each clip."""
    frames: int = pydantic.Field(4, ge=1, le=1024)
    """Frames in a row of each pair."""
    size: int = pydantic.Field(128, ge=16, le=4096)
    """Height and width of the pictures, pixels."""
    seed: int = pydantic.Field(0, ge=0)
    """What pairs and noise are drawn from."""

    def data(self) -> DataConfig:
        """The same pictures as in training, without what is only there to vary them: noise, mirror, crop."""
        return DataConfig(datasets=({"url": self.dataset},), split=self.split, seed=self.seed, frames=self.frames,
                          width=self.size, height=self.size, noise=0, flip=0, crop=1)


@dataclasses.dataclass(frozen=True, eq=False)
class Pair:
    """One window of a clip under two lights."""

    clip_id: str
    number: int
    """Which of its clip's pairs, from 0."""
    batch: PortraitBatch
    """A batch of one."""
    seed: int
    """What a method may draw its noise from."""


class Evaluation:
    """The pairs of a configuration, clip after clip. A pair stays the same with fewer clips and with more pairs."""

    def __init__(self, config: EvaluationConfig):
        """Opens the dataset and verifies its bytes; DatasetError where it cannot be used."""
        self.config = config
        self._data = PortraitDataset(config.data())
        source = self._data.sources[0]
        self.digest = source.digest
        """Of the whole dataset, see :func:`relight.data.sources.dataset_digest`."""
        self.clip_ids = source.clip_ids[: config.clips]
        """Of the clips that are judged."""

    def __len__(self) -> int:
        return len(self.clip_ids) * self.config.pairs

    def __iter__(self) -> Iterator[Pair]:
        epoch = len(self._data)  # every clip comes once in each
        orders = [[self._data.order[number][1] for number in range(start, start + epoch)]
                  for start in range(0, epoch * self.config.pairs, epoch)]
        for (place, clip_id), (k, order) in itertools.product(enumerate(self.clip_ids), enumerate(orders)):
            sample = self._data[k * epoch + order.index(place)]
            yield Pair(clip_id, k, collate([sample]), derive_seed(self.config.seed, "evaluation", clip_id, k))


# --- methods --------------------------------------------------------------------------------------------------------

Method = Callable[[Pair], dict[str, torch.Tensor]]
"""Of a pair it makes ``target``, and ``flat`` and ``alpha`` if it can: each shaped as the batch's own."""

BASELINES: dict[str, Method] = {
    "do_nothing": lambda pair: {"target": do_nothing(pair.batch)},
    "colour_transfer": lambda pair: {"target": colour_transfer(pair.batch)},
}
"""Ways that need no relighter."""

REFERENCES: dict[str, Method] = {"true_grade": lambda pair: {"target": true_grade(pair.batch)}}
"""Ways that look at the truth: nothing to be compared with, but something to know."""


def relighter(pipeline: PortraitRelightPipeline, config: EvaluationConfig) -> Method:
    """A model as a method; SpecError where it cannot take pictures or windows of that size."""
    if config.size % pipeline.pixel_multiple:
        raise SpecError(f"size: {config.size}, this model takes multiples of {pipeline.pixel_multiple}")
    if (config.frames - 1) % pipeline.frame_step:
        raise SpecError(f"frames: {config.frames}, this model takes 1 and a multiple of {pipeline.frame_step}")

    def method(pair: Pair) -> dict[str, torch.Tensor]:
        made = pipeline.relight_batch(pair.batch.to(pipeline.device), seed=pair.seed)
        return {name: pictures.float().cpu() for name, pictures in made.items()}

    return method


# --- scores ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """One pair, judged."""

    pair: Pair
    made: dict[str, dict[str, torch.Tensor]]
    """Pictures by method."""
    scores: dict[str, dict[str, float]]
    """Figures by method: ``psnr ssim`` of the person as it was made; ``psnr_fitted ssim_fitted`` after the best factor
    for each channel (:func:`relight.evaluation.metrics.fitted`); where the method delights, ``psnr_flat`` of the person
    and ``alpha_mae alpha_iou`` of the matte."""


@torch.no_grad()
def score(pair: Pair, methods: Mapping[str, Method]) -> Result:
    """Have every method relight a pair, and compare with the truth."""
    made = {name: method(pair) for name, method in methods.items()}
    return Result(pair, made, {name: _figures(pictures, pair.batch) for name, pictures in made.items()})


def _figures(made: Mapping[str, torch.Tensor], truth: PortraitBatch) -> dict[str, float]:
    fitted = metrics.fitted(made["target"], truth.target, truth.alpha)
    figures = {}
    for suffix, pictures in (("", made["target"]), ("_fitted", fitted)):
        figures[f"psnr{suffix}"] = metrics.foreground_psnr(pictures, truth.target, truth.alpha)
        figures[f"ssim{suffix}"] = metrics.foreground_ssim(pictures, truth.target, truth.alpha)
    if "flat" in made:
        figures["psnr_flat"] = metrics.foreground_psnr(made["flat"], truth.flat, truth.alpha)
    if "alpha" in made:
        figures["alpha_mae"] = metrics.alpha_error(made["alpha"], truth.alpha)
        figures["alpha_iou"] = metrics.alpha_overlap(made["alpha"], truth.alpha)
    return {name: value.item() for name, value in figures.items()}


def summarise(scores: Mapping[str, Sequence[Mapping[str, Mapping[str, float]]]]) -> dict[str, Any]:
    """Means of clips, their mean and what is gained. scores: of each clip id, of each pair, of each method.

    ``clips``: clip id -> method -> figure -> mean over its pairs. ``mean``: method -> figure -> ``{"mean",
    "standard_error"}`` over clips: pairs of one clip are not independent, clips are; None for the error of a single
    clip. ``gain``: method that is neither baseline nor reference -> ``psnr ssim`` -> ``{"over", "mean",
    "standard_error"}`` over the better baseline, whichever that is by this figure's mean.
    """
    clips = {clip_id: {method: {name: float(np.mean([pair[method][name] for pair in pairs])) for name in figures}
                       for method, figures in pairs[0].items()} for clip_id, pairs in scores.items()}
    columns = {method: {name: np.array([clip[method][name] for clip in clips.values()]) for name in figures}
               for method, figures in next(iter(clips.values())).items()}
    mean = {method: {name: _spread(values) for name, values in figures.items()} for method, figures in columns.items()}
    gain: dict[str, dict[str, Any]] = {method: {} for method in columns if method not in BASELINES | REFERENCES}
    for method, name in itertools.product(gain, ("psnr", "ssim")):
        over = max(BASELINES, key=lambda baseline: mean[baseline][name]["mean"])
        gain[method][name] = {"over": over, **_spread(columns[method][name] - columns[over][name])}
    return {"clips": clips, "mean": mean, "gain": gain}


def _spread(values: np.ndarray) -> dict[str, float | None]:
    """Mean of clips and its standard error."""
    error = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else None
    return {"mean": float(values.mean()), "standard_error": error}
