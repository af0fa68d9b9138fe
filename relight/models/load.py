"""Backbones by name: new ones, and those that were saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from assets.errors import AssetError, SpecError
from assets.files import one_line
from relight.batch import Stage
from relight.models.base import CONFIG, WEIGHTS, Backbone, stage_of
from relight.models.places import check_safetensors, local_folder, read_config
from relight.models.prior import PriorBackbone
from relight.models.small import SmallBackbone
from relight.models.svd import SvdBackbone
from relight.models.wan import WanBackbone

BACKBONES: dict[str, type[Backbone]] = {kind.name: kind for kind in (SvdBackbone, WanBackbone, SmallBackbone)}


def new_backbone(name: str, stage: Stage, seed: int, **settings: Any) -> Backbone:
    """An untrained backbone; the same seed gives the same weights, and no other random stream moves.

    settings: of ``svd`` and ``wan``, ``place`` (a folder in diffusers' layout or a hub id) and ``lora`` (rank, 0 for
    none); of ``small``, the fields of :class:`~relight.models.small.SmallSettings`.
    """
    kind = _kind(name)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if issubclass(kind, PriorBackbone):
            return kind.from_prior(stage=stage, **settings)
        return kind.from_settings(stage, settings)


def load_backbone(place: str | Path) -> Backbone:
    """The backbone that :meth:`Backbone.save_pretrained` wrote to a folder or a hub id; AssetError where none is."""
    folder = local_folder(place, [CONFIG, WEIGHTS])
    check_safetensors(folder, WEIGHTS)
    config = read_config(folder / CONFIG, {"backbone": str, "stage": str, "settings": dict})
    try:
        kind, stage, settings = _kind(config["backbone"]), stage_of(config["stage"]), config["settings"]
        if not settings.get("lora"):  # of which the prior's own files tell the size
            with torch.device("meta"):  # no memory is taken before it is known that the weights are of that size
                kind.from_settings(stage, settings).check_weights(folder / WEIGHTS)
        backbone = kind.from_settings(stage, settings)
    except AssetError:
        raise
    except SpecError as error:
        raise AssetError(f"{one_line(folder / CONFIG)}: {one_line(error)}") from error
    except Exception as error:  # diffusers' own settings, which may be anything
        reason = f"{type(error).__name__}: {one_line(error)}"[:200]
        raise AssetError(f"{one_line(folder / CONFIG)}: settings make no {kind.name} ({reason})") from error
    backbone.load_weights(folder / WEIGHTS)
    return backbone


def _kind(name: str) -> type[Backbone]:
    if name not in BACKBONES:
        raise SpecError(f"backbone: got {name!r}, may be {', '.join(BACKBONES)}")
    return BACKBONES[name]
