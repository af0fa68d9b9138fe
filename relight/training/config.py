"""What a training run is: YAML in, validated, saved beside every checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pydantic

from assets.errors import SpecError
from relight.data.config import DataConfig
from relight.diffusion.guidance import Dropout
from synth.spec import SpecModel, describe_validation, read_yaml


class ModelConfig(SpecModel):
    """The network, and what it starts from."""

    backbone: Literal["small", "svd", "wan"] = "small"
    """Our own, Stable Video Diffusion's, or Wan's."""
    prior: str | None = None
    """Folder (diffusers' layout) or hub id of the pretrained weights that ``svd`` and ``wan`` start from."""
    lora: int = pydantic.Field(0, ge=0, le=1024)
    """Rank of the low-rank matrices that are trained instead of all weights; 0 trains all."""
    start: str | None = None
    """Folder of a relighter that training goes on from, with a fresh optimizer; instead of a prior."""
    settings: dict[str, Any] = {}
    """Sizes of ``small``, see :class:`relight.models.small.SmallSettings`."""


class TrainConfig(SpecModel):
    """A run: all that its numbers depend on, and how it is carried out."""

    output: str = "out/training"
    """Folder of checkpoints and TensorBoard's log; the same folder again goes on from its last checkpoint."""
    seed: int = pydantic.Field(0, ge=0)
    """Of the network's first weights, of the order of clips, of cameras and of noise."""
    stage: Literal["delight", "relight"] = "relight"
    """Which of the two models."""
    model: ModelConfig = ModelConfig()
    """The network."""
    delight: str | None = None
    """Of the relight stage: folder or hub id of a delight relighter whose predictions take the place of the true
    flat-lit video and coverage in ``delight_share`` of the clips; None for true ones alone."""
    delight_share: float = pydantic.Field(0.5, ge=0, le=1)
    """See ``delight``."""
    dropout: Dropout = Dropout()
    """What is left out, and how often."""
    data: DataConfig
    """What it is trained on."""
    validation: DataConfig | None = None
    """What it is judged on: other people under other maps. None judges nothing."""
    steps: int = pydantic.Field(10_000, ge=1)
    """Steps in all."""
    batch: int = pydantic.Field(8, ge=1)
    """Clips a step, over all processes."""
    accumulate: int = pydantic.Field(1, ge=1)
    """Parts that a process cuts its share of a step into, to save memory."""
    learning_rate: float = pydantic.Field(2e-4, gt=0, le=1)
    """Of AdamW, at its height."""
    warmup: int = pydantic.Field(100, ge=0)
    """Steps over which it rises from 0."""
    cooldown: float = pydantic.Field(0.5, ge=0, le=1)
    """The last part of the steps, over which it falls to a tenth."""
    betas: tuple[float, float] = (0.9, 0.99)
    """Of Adam."""
    weight_decay: float = pydantic.Field(0.01, ge=0)
    """Of AdamW."""
    clip_gradient: float = pydantic.Field(1.0, gt=0)
    """Longest gradient, of all weights together."""
    average: float = pydantic.Field(0.999, ge=0, lt=1)
    """Share of the averaged weights that is kept at each step."""
    precision: Literal["float32", "bf16"] = "float32"
    """bf16 computes in bfloat16 and keeps weights in float32; for GPUs."""
    checkpoint_gradients: bool = False
    """Compute activations twice instead of keeping them."""
    parallel: Literal["ddp", "fsdp"] = "ddp"
    """Of several processes: every one holds all weights, or each a part of every one."""
    save_every: int = pydantic.Field(500, ge=1)
    """Steps between checkpoints."""
    keep: int = pydantic.Field(2, ge=1)
    """Checkpoints that are kept."""
    validate_every: int = pydantic.Field(500, ge=1)
    """Steps between validations."""
    validation_clips: int = pydantic.Field(8, ge=1, le=4096)
    """Clips that are judged: always the same ones, with the same noise."""
    sampling_steps: int = pydantic.Field(1, ge=1, le=1000)
    """Steps of the sampler in validation."""
    workers: int = pydantic.Field(1, ge=0, le=256)
    """Processes that read for each process that trains."""

    @pydantic.model_validator(mode="after")
    def _shares(self) -> TrainConfig:
        if self.batch % self.accumulate:
            raise ValueError(f"batch: {self.batch} is no multiple of accumulate, {self.accumulate}")
        if self.model.backbone != "small" and not (self.model.prior or self.model.start):
            raise ValueError(f"model: {self.model.backbone} needs a prior or a start: a folder or a hub id")
        if self.validation and self.data.split in ("all", self.validation.split):
            raise ValueError(f"validation.split: {self.validation.split!r}, of which training on {self.data.split!r} "
                             f"has seen all")
        if self.delight and self.stage != "relight":
            raise ValueError(f"delight: {self.delight!r}, of a run that trains {self.stage}: only relight is given its "
                             f"predictions")
        if self.model.lora and self.model.backbone == "small":
            raise ValueError("model.lora: small has no prior to adapt")
        return self

    def with_absolute_paths(self) -> TrainConfig:
        """The same for processes that start in other folders."""
        def data(config: DataConfig | None) -> DataConfig | None:
            return config and config.model_copy(update={"datasets": tuple(
                choice.model_copy(update={"url": _absolute(choice.url)}) for choice in config.datasets)})

        model = self.model.model_copy(update={name: _absolute(getattr(self.model, name), there=True)
                                              for name in ("prior", "start")})
        return self.model_copy(update={"output": str(Path(self.output).resolve()), "model": model,
                                       "delight": _absolute(self.delight, there=True),
                                       "data": data(self.data), "validation": data(self.validation)})

    def changed(self, before: dict[str, Any]) -> str | None:
        """The first field that differs from a checkpoint's configuration and that a run cannot change on its way."""
        free = {"output", "steps", "save_every", "keep", "validate_every", "validation_clips", "sampling_steps",
                "validation", "checkpoint_gradients", "parallel", "workers",
                "data"}  # which the loader's own digest looks after: where it lies may change
        now, fields = self.model_dump(mode="json"), type(self).model_fields
        # A checkpoint from before there was a field was made as the field's default has it.
        return next((name for name in now if name not in free
                     and now[name] != before.get(name, fields[name].default)), None)


def _absolute(place: str | None, there: bool = False) -> str | None:
    """A local path made absolute; ``there``: only if it exists, else it is a hub id. URLs stay."""
    if place is None or "://" in place or (there and not Path(place).exists()):
        return place
    return str(Path(place).resolve())


def load_config(path: str | Path, **overrides: Any) -> TrainConfig:
    """Read a run from YAML; ``overrides`` that are not None replace top-level fields. SpecError in one line."""
    data = read_yaml(path, "file", overrides)
    if not isinstance(data, dict):
        raise SpecError(f"{path}: got {type(data).__name__}, expected a mapping of fields such as 'stage: relight'")
    try:
        return TrainConfig.model_validate(data)
    except pydantic.ValidationError as error:
        raise SpecError(f"{path}: {describe_validation(error, TrainConfig)}") from error
