"""A stage of the relighter: a backbone, the objective that trains it, and what passes between them and a batch."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pydantic
import torch
from torch import nn

from assets.errors import AssetError, SpecError
from assets.files import one_line
from relight.batch import Stage
from relight.diffusion.guidance import Dropout, Guidance
from relight.diffusion.objective import OBJECTIVES, Edm, FlowMatching, Generators, Objective, randn
from relight.models.base import Backbone, Conditions, stage_of
from relight.models.light import Light
from relight.models.load import load_backbone
from relight.models.places import local_folder, read_config
from synth.spec import describe_validation

CONFIG = "relighter.json"
Draw = Callable[[tuple[int, ...]], torch.Tensor]
_DEFAULT_OBJECTIVES: dict[str, Objective] = {
    "svd": Edm(),
    "wan": FlowMatching(),
    "small": FlowMatching(predicts="clean", shift=3.0, noise_share=0.5, floor=0.3),
}


class Inputs(Protocol):
    """What a stage's inputs are read from: a PortraitBatch, or anything with the attributes that its stage names.

    What is None or lacking is absent, be it a picture, the light maps (told by ``light_log``) or the exposure.
    """


class Relighter(nn.Module):
    """One stage. Calling it is training: ``relighter(batch, generator)`` is the mean loss, so that DDP can wrap it.

    Example::

        relighter = Relighter("relight", new_backbone("small", STAGES["relight"], seed=0))
        relighter(batch, torch.Generator().manual_seed(1)).backward()
        video = relighter.sample(batch, steps=4, generator=torch.Generator().manual_seed(2))["target"]
    """

    def __init__(self, stage: Stage | str, backbone: Backbone, objective: Objective | None = None,
                 dropout: Dropout | None = None) -> None:
        """objective: None takes that of the backbone's prior. SpecError where the backbone is of another stage."""
        super().__init__()
        self.stage = stage_of(stage) if isinstance(stage, str) else stage
        if backbone.stage.name != self.stage.name:
            raise SpecError(f"backbone: made for {backbone.stage.name}, expected one for {self.stage.name}")
        self.backbone, self.dropout = backbone, dropout or Dropout()
        self.objective = objective or _DEFAULT_OBJECTIVES[backbone.name]

    def forward(self, batch: Inputs, generator: Generators) -> torch.Tensor:
        """Mean of :meth:`losses`."""
        return self.losses(batch, generator).mean()

    def losses(self, batch: Inputs, generator: Generators) -> torch.Tensor:
        """(B,) loss of each clip, conditions dropped at random. generator: one for all, or one for each clip."""
        clean = self.targets(batch)
        conditions = self.dropout.apply(self.conditions(batch), generator)
        return self.objective.loss(lambda noisy, level: self.backbone(noisy, level, conditions), clean, generator)

    @torch.no_grad()
    def sample(self, batch: Inputs, generator: Generators | Draw, steps: int = 1,
               guidance: Guidance | None = None) -> dict[str, torch.Tensor]:
        """Name of each of the stage's outputs -> (B, T, 3, H, W) in [0, 1]; alpha is (B, T, 1, H, W).

        batch: what the stage's inputs are read from. generator: where noise comes from, or what draws it: latents'
        shape (B, T', C, h, w) -> standard normal values. The same state gives the same bits.
        """
        conditions, guidance = self.conditions(batch), guidance or Guidance()
        b, t, _, h, w = conditions.latents.shape
        c, names = self.backbone.latent_channels, self.stage.outputs
        shape = b, t, len(names) * c, h, w
        noise = generator(shape) if callable(generator) else randn(shape, generator)
        latents = self.objective.sample(
            lambda noisy, level: guidance.predict(self.backbone, noisy, level, conditions),
            noise.to(conditions.latents.device), steps)
        pictures = [self.backbone.decode(part).float().clamp(0, 1) for part in latents.split(c, dim=2)]
        return {name: picture.mean(dim=2, keepdim=True) if name == "alpha" else picture
                for name, picture in zip(names, pictures, strict=True)}

    def targets(self, batch: Inputs) -> torch.Tensor:
        """(B, T', N C, h, w) clean latents of the stage's outputs."""
        return torch.cat([self._encode(getattr(batch, name)) for name in self.stage.outputs], dim=2)

    def conditions(self, batch: Inputs) -> Conditions:
        """All that the batch has of this stage's conditions, nothing dropped."""
        pictures = [getattr(batch, name, None) for name in self.stage.inputs]
        given = next((picture for picture in pictures if picture is not None), None)
        if given is None:
            raise SpecError(f"batch: has none of {', '.join(self.stage.inputs)}, expected at least one")
        latents = [None if picture is None else self._encode(picture) for picture in pictures]
        empty = torch.zeros_like(next(part for part in latents if part is not None))
        present = torch.tensor([picture is not None for picture in pictures], device=given.device)
        return Conditions(torch.cat([empty if part is None else part for part in latents], dim=2),
                          present.expand(len(given), -1), self._light(batch, given) if self.stage.lit else None)

    def save_pretrained(self, folder: str | Path, half: bool = False) -> None:
        """Write ``relighter.json`` beside the backbone's own files; ``half``: with weights of float16."""
        self.backbone.save_pretrained(folder, half)
        facts = {"stage": self.stage.name, "objective": {"name": self.objective.name,
                 **dataclasses.asdict(self.objective)}, "dropout": self.dropout.model_dump()}
        (Path(folder) / CONFIG).write_text(json.dumps(facts, indent=2) + "\n")

    @classmethod
    def from_pretrained(cls, place: str | Path) -> Relighter:
        """The relighter that was saved to a folder or a hub id; AssetError or SpecError where it cannot be read."""
        folder = local_folder(place, ["*.json", "*.safetensors"])
        facts = read_config(folder / CONFIG, {"stage": str, "objective": dict, "dropout": dict})
        try:
            objective = objective_of(**{"name": "", **facts["objective"]})
            dropout = Dropout.model_validate(facts["dropout"])
        except pydantic.ValidationError as error:
            raise AssetError(f"{folder / CONFIG}: dropout: {describe_validation(error, Dropout)}") from None
        except SpecError as error:
            raise AssetError(f"{folder / CONFIG}: {one_line(error)}") from None
        return cls(facts["stage"], load_backbone(folder), objective, dropout)

    def _encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """Latents (B, T', C, h, w) of pictures of one or three channels."""
        return self.backbone.encode(pictures.expand(-1, -1, 3, -1, -1))

    @staticmethod
    def _light(batch: Inputs, given: torch.Tensor) -> Light:
        """The batch's light, absent where it has none."""
        clips, frames = given.shape[:2]
        yes = torch.ones(clips, dtype=torch.bool, device=given.device)
        exposure, known = getattr(batch, "exposure", None), yes
        if exposure is None:
            exposure, known = given.new_zeros(clips, frames), ~yes
        if getattr(batch, "light_log", None) is None:
            dark = given.new_zeros(clips, frames, 3, 1, 2)
            return Light(dark, dark, dark + 1, exposure, ~yes, known)
        return Light(batch.light_ldr, batch.light_log, batch.light_direction, exposure, yes, known)


def objective_of(name: str, **fields: Any) -> Objective:
    """The objective of that name with these fields; SpecError where it has not got them."""
    if not isinstance(name, str) or name not in OBJECTIVES:
        raise SpecError(f"objective: got {name!r}, may be {', '.join(OBJECTIVES)}")
    known = {field.name: type(field.default) for field in dataclasses.fields(OBJECTIVES[name])}
    for field, value in fields.items():
        if field not in known:
            raise SpecError(f"objective {name}: got {field}, may have {', '.join(known)}")
        if known[field] is float and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise SpecError(f"objective {name}: {field} is {value!r}, expected a number")
    return OBJECTIVES[name](**fields)
