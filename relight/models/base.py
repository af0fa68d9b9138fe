"""What the relighter asks of a backbone, and how one is saved: the interface of ``svd``, ``wan`` and ``small``."""

from __future__ import annotations

import abc
import dataclasses
import json
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from assets.errors import AssetError, SpecError
from assets.files import one_line
from relight.batch import STAGES, Stage
from relight.models.light import Light

CONFIG, WEIGHTS = "config.json", "model.safetensors"


@dataclasses.dataclass(frozen=True, eq=False)
class Conditions:
    """What a network is told beside the noisy latents. B clips, T' latent frames, K pictures of C channels each."""

    latents: torch.Tensor
    """(B, T', K C, h, w): encoded pictures, in the order of ``stage.inputs``; zeros where one is absent."""
    present: torch.Tensor
    """(B, K) bool: which pictures are given."""
    light: Light | None = None
    """The target light, of a stage that is lit."""

    def planes(self) -> torch.Tensor:
        """(B, T', K C + K, h, w): the latents and a plane of ones or zeros for each picture that may be absent."""
        b, t, _, h, w = self.latents.shape
        masks = self.present.to(self.latents.dtype)[:, None, :, None, None].expand(b, t, -1, h, w)
        return torch.cat([self.latents, masks], dim=2)


class Backbone(nn.Module, abc.ABC):
    """A network over latents of pictures. N = len(stage.outputs) pictures are predicted, each with C latent channels.

    Latents of several pictures lie one after the other on the channel axis.
    """

    name: ClassVar[str]
    """How configs call it."""
    pixel_multiple: int
    """Height and width of pictures are multiples of this."""
    frame_step: ClassVar[int] = 1
    """Clips have 1 + k times this many frames, of which 1 + k latent ones are made."""
    latent_channels: int
    """C, of one picture."""
    stage: Stage

    @abc.abstractmethod
    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, T', C, h, w) latents of pictures (B, T, 3, H, W) in [0, 1], scaled as the network expects them."""

    @abc.abstractmethod
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """(B, T, 3, H, W) pictures, not clipped, of latents (B, T', C, h, w)."""

    @abc.abstractmethod
    def forward(self, noisy: torch.Tensor, level: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        """(B, T', N C, h, w), in the prior's own parametrisation, which its objective knows.

        noisy: (B, T', N C, h, w), scaled by the objective; level: (B,) the noise level as the objective gives it.
        """

    @abc.abstractmethod
    def checkpoint_gradients(self, on: bool = True) -> None:
        """Recompute activations in the backward pass instead of keeping them, or stop doing so."""

    @abc.abstractmethod
    def settings(self) -> dict[str, Any]:
        """What, with the stage and the weights, makes this backbone again: plain values."""

    @classmethod
    @abc.abstractmethod
    def from_settings(cls, stage: Stage, settings: dict[str, Any]) -> Backbone:
        """A backbone of :meth:`settings`, to be given its weights."""

    def saved_names(self) -> set[str]:
        """Names in the state dict that a checkpoint holds; those that it lacks come with :meth:`from_settings`."""
        return set(self.state_dict())

    def check_pictures(self, pictures: torch.Tensor) -> None:
        """A SpecError where pictures (B, T, 3, H, W) have a size that this backbone cannot take."""
        height, width = pictures.shape[-2:]
        if height % self.pixel_multiple or width % self.pixel_multiple or not height or not width:
            raise SpecError(f"resolution: got {width}x{height}, {self.name} takes multiples of {self.pixel_multiple}")

    def save_pretrained(self, folder: str | Path, half: bool = False) -> None:
        """Write ``config.json`` and ``model.safetensors``; a LoRA's holds what was trained, and names its prior.

        half: round the weights to float16, for half the bytes; they load into float32 like any. SpecError, before
        anything is written, where one is beyond float16's range.
        """
        from safetensors.torch import save_file

        folder, kept = Path(folder), self.saved_names()
        tensors = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items() if name in kept}
        if half:
            tensors = {name: _halved(name, value) for name, value in tensors.items()}
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, folder / WEIGHTS)
        config = {"backbone": self.name, "stage": self.stage.name, "settings": self.settings()}
        (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")

    def check_weights(self, file: Path) -> None:
        """An AssetError where the file lacks a tensor of :meth:`save_pretrained`, or has one too many or misshapen.

        Reads the file's header alone; this backbone may be on the ``meta`` device, where it takes no memory.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(file, "pt") as opened:
                shapes = {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}
        except (OSError, SafetensorError) as error:
            raise AssetError(f"{one_line(file)}: cannot be read as safetensors ({one_line(error)})") from error
        if odd := sorted(set(shapes) ^ self.saved_names()):
            what = "not known" if odd[0] in shapes else "missing"
            raise AssetError(f"{one_line(file)}: {one_line(odd[0])} is {what}, expected those of {self.name} "
                             f"({self.stage.name})")
        wanted = self.state_dict()
        for name, shape in shapes.items():
            if shape != wanted[name].shape:
                raise AssetError(f"{one_line(file)}: {name} has shape {shape}, expected {tuple(wanted[name].shape)}")

    def load_weights(self, file: Path) -> None:
        """Take the tensors of :meth:`save_pretrained`, in this backbone's precision; AssetError as above."""
        from safetensors.torch import load_file

        self.check_weights(file)
        self.load_state_dict(load_file(file), strict=False)


def stage_of(name: str) -> Stage:
    """The stage of that name, or a SpecError."""
    if name not in STAGES:
        raise SpecError(f"stage: got {name!r}, may be {' or '.join(STAGES)}")
    return STAGES[name]


def _halved(name: str, value: torch.Tensor) -> torch.Tensor:
    """The tensor in float16, whole numbers as they are."""
    half = value.half() if value.is_floating_point() else value
    if not half.isfinite().all():
        raise SpecError(f"{name}: reaches {value.abs().max():.3g}, float16 holds no more than 65504; save it whole")
    return half


def zeroed(layer: nn.Module) -> nn.Module:
    """The layer with all its parameters at zero: new weights that leave a prior as it was."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
