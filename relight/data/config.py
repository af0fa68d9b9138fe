"""What a training run reads, and how it photographs what it reads."""

from __future__ import annotations

from typing import Literal

import pydantic

from synth.spec import SpecModel


class DatasetChoice(SpecModel):
    """One dataset, a domain of the mixture."""

    url: str = pydantic.Field(min_length=1)
    """Dataset folder, or any fsspec URL."""
    weight: float = pydantic.Field(1.0, gt=0)
    """Share of the samples that come from it, relative to the other datasets' weights."""
    digest: str = ""
    """If given, the digest of the index that training is meant for; a dataset with another one is refused."""


class BackgroundChoice(SpecModel):
    """What the given video stands before, by relative frequency. The target always stands before its environment."""

    environment: float = pydantic.Field(0.7, ge=0)
    """The environment that lights it, as the camera sees it."""
    other: float = pydantic.Field(0.1, ge=0)
    """Another environment of the same clip, where there is one: a background that tells nothing of the light."""
    grey: float = pydantic.Field(0.1, ge=0)
    """A uniform grey, from black to white."""
    colour: float = pydantic.Field(0.1, ge=0)
    """A uniform colour."""

    @pydantic.model_validator(mode="after")
    def _some(self) -> BackgroundChoice:
        if self.environment + self.other + self.grey + self.colour <= 0:
            raise ValueError("at least one kind of background must have a frequency above 0")
        return self


class RelightChoice(SpecModel):
    """Lightings drawn anew, for clips that hold their transport."""

    probability: float = pydantic.Field(0.0, ge=0, le=1)
    """How often such a clip is relit instead of read. A tenth of a second a frame of 128x128, thirty times as long."""
    sources: tuple[str, ...] = ("bundled", "procedural")
    """Sources of the lighting library to draw from; only maps of the data's split are taken."""
    height: int = pydantic.Field(64, ge=8, le=1024)
    """Rows of the drawn maps."""


class DataConfig(SpecModel):
    """Data of a training or validation run."""

    datasets: tuple[DatasetChoice, ...] = pydantic.Field(min_length=1)
    """Where clips come from."""
    split: Literal["train", "val", "test", "all"] = "train"
    """Clips whose person *and* whose environment maps are in this part; ``all`` takes every clip."""
    seed: int = pydantic.Field(0, ge=0)
    """The only number that what is drawn depends on."""
    samples: int | None = pydantic.Field(None, ge=1)
    """Samples of an epoch; by default as many as there are clips. A sample is a window of a clip under two lights."""
    frames: int = pydantic.Field(4, ge=1)
    """Frames of a window; shorter clips are left out."""
    width: int = pydantic.Field(128, ge=16)
    """Width of the pictures, pixels."""
    height: int = pydantic.Field(128, ge=16)
    """Height of the pictures, pixels."""
    light_height: int = pydantic.Field(32, ge=4)
    """Rows of the light maps; columns are twice that."""
    crop: float = pydantic.Field(1.0, gt=0, le=1)
    """Smallest share of a picture's largest possible crop that is kept; 1 crops no more than the aspect asks for."""
    flip: float = pydantic.Field(0.5, ge=0, le=1)
    """How often a sample is seen in a mirror, pictures and light alike."""
    noise: float = pydantic.Field(0.9, ge=0, le=1)
    """How often the given video has sensor noise."""
    sensor_width: int = pydantic.Field(512, ge=16)
    """Pixels across the sensor, or the crop of it, that recorded the given video. Reduced to fewer it is less noisy."""
    backgrounds: BackgroundChoice = BackgroundChoice()
    """What the given video stands before."""
    relight: RelightChoice = RelightChoice()
    """Lighting clips anew from their transport."""
    cache_mb: int = pydantic.Field(512, ge=0)
    """Memory for maps that were read, in each process that reads, MB: a map of 128 rows takes 0.4, its light maps 0.025
    a frame, and reading it as long as the pictures of a frame. Changes no bit of a sample."""
    verify: bool = True
    """Read every byte of the chosen clips once, before the first sample, and refuse a dataset whose hashes differ: a
    second or two a gigabyte on a local disk. Later damage is still found where it breaks the decoding of a picture."""
