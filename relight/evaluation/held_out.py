"""Refuses to judge a model by what it was trained on."""

from __future__ import annotations

from pathlib import Path

import pydantic

from assets.errors import AssetError, SpecError
from assets.files import one_line
from relight.batch import STAGES
from relight.data.config import DataConfig
from relight.data.sources import check_held_out
from relight.models.places import read_config
from synth.dataset.index import INDEX
from synth.spec import describe_validation

TRAINING = "training.json"
"""What :func:`relight.training.card.write_card` leaves beside a stage's weights."""


class _Dataset(pydantic.BaseModel):
    url: str


class _Data(pydantic.BaseModel):
    datasets: tuple[_Dataset, ...] = pydantic.Field(min_length=1)
    split: str


def trained_apart(model: Path, data: DataConfig) -> list[str]:
    """How it is known that a model's stages never saw what ``data`` chooses: a line each.

    model: folder with a folder for each stage. SpecError where a stage was trained on that split; DatasetError where
    its training data lie here and hold one of the people or maps, whatever their labels say.
    """
    return [f"{stage}: {_apart(model / stage / TRAINING, data)}" for stage in STAGES]


def _apart(path: Path, data: DataConfig) -> str:
    if not path.is_file():
        return f"unknown: there is no {TRAINING} beside its weights"
    training = _read(path)
    if training.split in ("all", data.split):
        raise SpecError(f"{one_line(path)}: this stage was trained on split {one_line(training.split)!r}: what is of "
                        f"split {data.split!r} may be what it has seen")
    urls = [dataset.url for dataset in training.datasets]
    apart = f"trained on split {one_line(training.split)!r}"
    # A model is a foreign file: it may make nobody open addresses.
    if not all("://" not in url and Path(url, INDEX).is_file() for url in urls):
        return f"{apart}, judged on {data.split!r}, by label; its training data are not here to compare with"
    check_held_out(DataConfig(datasets=tuple({"url": url} for url in urls), split=training.split), data)
    return f"{apart}; no person and no map of these clips is among those of {', '.join(map(one_line, urls))}"


def _read(path: Path) -> _Data:
    """The part of a training configuration that is looked at, whatever version wrote the rest."""
    try:
        return _Data.model_validate(read_config(path, {"data": dict})["data"])
    except pydantic.ValidationError as error:
        raise AssetError(f"{one_line(path)}: {describe_validation(error, _Data)}") from error
