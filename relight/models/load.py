"""Backbones by name: new ones, and those that were saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from assets.errors import SpecError
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
    config = read_config(folder / CONFIG, ("backbone", "stage", "settings"))
    backbone = _kind(config["backbone"]).from_settings(stage_of(config["stage"]), config["settings"])
    backbone.load_weights(folder / WEIGHTS)
    return backbone


def _kind(name: str) -> type[Backbone]:
    if name not in BACKBONES:
        raise SpecError(f"backbone: got {name!r}, may be {', '.join(BACKBONES)}")
    return BACKBONES[name]
