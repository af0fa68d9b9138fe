"""What the backbones that start from a pretrained prior share: finding it, its VAE, LoRA, and saving.

The prior's own modules stay as diffusers made them. What is new stands beside them and adds zero until it is trained,
so that the untrained whole equals the prior to the bit.
"""

from __future__ import annotations

import abc
import json
from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from assets.errors import SpecError
from relight.batch import Stage
from relight.models.base import Backbone
from relight.models.places import check_safetensors, local_folder

_OURS = ("light", "condition_in", "extra_out")


class PriorBackbone(Backbone):
    """A diffusers network over the latents of a diffusers VAE, which stays frozen."""

    part: ClassVar[str]
    """The network's folder within the prior; the VAE's is ``vae``."""
    lora_targets: ClassVar[tuple[str, ...]] = ("to_q", "to_k", "to_v", "to_out.0")
    """Endings of the names of the layers that LoRA adapts: all attention."""

    def __init__(self, stage: Stage, network: nn.Module, vae: nn.Module, prior: str, lora: int) -> None:
        super().__init__()
        self.stage, self.prior, self.lora = stage, prior, lora
        self.network, self.vae = network, vae.requires_grad_(False).eval()
        if lora:
            self._adapt(lora)

    @staticmethod
    @abc.abstractmethod
    def classes() -> tuple[type, type]:
        """The diffusers classes of the network and the VAE."""

    @classmethod
    def from_prior(cls, place: str | Path, stage: Stage, lora: int = 0) -> PriorBackbone:
        """The backbone of an untrained relighter.

        place: folder in diffusers' layout, or a hub id. lora: rank of the matrices that are trained instead of the
        network's own; 0 trains the network itself. AssetError where the prior is not found or holds pickles.
        """
        if lora < 0:
            raise SpecError(f"lora: got {lora}, may be 0 (train all weights) or the rank of the adapters")
        folder = find_prior(place, cls.part)
        network, vae = (kind.from_pretrained(folder / part, use_safetensors=True, local_files_only=True)
                        for kind, part in zip(cls.classes(), (cls.part, "vae"), strict=True))
        # Tensors in a mapped file lie unaligned, and kernels then round otherwise than after our own load_weights.
        for parameter in [*network.parameters(), *vae.parameters()]:
            parameter.data = parameter.data.clone()
        return cls(stage, network, vae, str(place), lora)

    @classmethod
    def from_settings(cls, stage: Stage, settings: dict[str, Any]) -> PriorBackbone:
        if settings["lora"]:
            return cls.from_prior(settings["prior"], stage, settings["lora"])
        network, vae = (kind.from_config(settings[part])
                        for kind, part in zip(cls.classes(), (cls.part, "vae"), strict=True))
        return cls(stage, network, vae, settings["prior"], 0)

    def settings(self) -> dict[str, Any]:
        return {"prior": self.prior, "lora": self.lora, self.part: _plain(self.network), "vae": _plain(self.vae)}

    def saved_names(self) -> set[str]:
        names = super().saved_names()
        return {name for name in names if name.startswith(_OURS) or "lora_" in name} if self.lora else names

    def _adapt(self, rank: int) -> None:
        from peft import LoraConfig, inject_adapter_in_model

        self.network.requires_grad_(False)
        config = LoraConfig(r=rank, lora_alpha=rank, target_modules=list(self.lora_targets))
        inject_adapter_in_model(config, self.network)


def find_prior(place: str | Path, part: str) -> Path:
    """Folder that holds ``part`` and ``vae`` in diffusers' layout; AssetError where one lacks its safetensors."""
    folder = local_folder(place, [f"{name}/*.{kind}" for name in (part, "vae") for kind in ("json", "safetensors")])
    for name in (part, "vae"):
        check_safetensors(folder / name)
    return folder


def _plain(model: Any) -> dict[str, Any]:
    """A diffusers model's configuration, without where it came from."""
    return {key: value for key, value in json.loads(model.to_json_string()).items() if not key.startswith("_")}
