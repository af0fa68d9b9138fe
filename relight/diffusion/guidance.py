"""Classifier-free guidance with a scale for the pictures and one for the light, and the dropout that makes it work."""

from __future__ import annotations

import dataclasses

import pydantic
import torch

from relight.diffusion.objective import Generators, rand
from relight.models.base import Conditions
from synth.spec import SpecModel


class Dropout(SpecModel):
    """Chances that a clip in training goes without a condition, so that sampling can be guided by it."""

    picture: float = pydantic.Field(0.05, ge=0, le=1)
    """Of each picture (source; flat, alpha, background), apart from the others."""
    light: float = pydantic.Field(0.05, ge=0, le=1)
    """Of the light maps."""
    exposure: float = pydantic.Field(0.05, ge=0, le=1)
    """Of the exposure."""
    everything: float = pydantic.Field(0.05, ge=0, le=1)
    """Of all at once."""

    def apply(self, conditions: Conditions, generators: Generators) -> Conditions:
        """The conditions with some hidden. Takes the same number of draws whatever the probabilities."""
        clips, pictures = conditions.present.shape
        device = conditions.present.device
        draws = torch.stack([rand(clips, generators) for _ in range(pictures + 3)], dim=1).to(device)
        kept = draws[:, :1] >= self.everything
        light = kept[:, 0] & (draws[:, 1] >= self.light), kept[:, 0] & (draws[:, 2] >= self.exposure)
        return hide(conditions, kept & (draws[:, 3:] >= self.picture), *light)


@dataclasses.dataclass(frozen=True)
class Guidance:
    """Scales; 1 leaves the prediction as it is."""

    source: float = 1.0
    """Of the pictures."""
    light: float = 1.0
    """Of the light maps and the exposure."""

    def predict(self, network, noisy: torch.Tensor, level: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        """e(0, 0) + source (e(p, 0) - e(0, 0)) + light (e(p, l) - e(p, 0)): eq. 3 of Brooks et al. 2023.

        Terms whose weight is zero are not evaluated: with both scales at 1 the network runs once.
        """
        lit = conditions.light is not None
        light = self.light if lit else self.source
        weights = (light, self.source - light, 1 - self.source)
        nothing = torch.zeros_like(conditions.present[:, 0])
        hidden = (conditions, hide(conditions, conditions.present, nothing, nothing),
                  hide(conditions, torch.zeros_like(conditions.present), nothing, nothing))
        terms = [weight * network(noisy, level, told) for weight, told in zip(weights, hidden, strict=True) if weight]
        return sum(terms[1:], start=terms[0])


def hide(conditions: Conditions, pictures: torch.Tensor, light: torch.Tensor, exposure: torch.Tensor) -> Conditions:
    """The conditions without what is False: pictures (B, K), light maps (B,), exposure (B,)."""
    present = conditions.present & pictures
    b, t, channels, h, w = conditions.latents.shape
    latents = conditions.latents.view(b, t, present.shape[1], -1, h, w)
    latents = torch.where(present[:, None, :, None, None, None], latents, torch.zeros_like(latents))
    lamp = conditions.light
    if lamp is not None:
        known = lamp.exposure_known & exposure
        stops = torch.where(known[:, None], lamp.exposure, torch.zeros_like(lamp.exposure))
        lamp = dataclasses.replace(lamp, present=lamp.present & light, exposure_known=known, exposure=stops)
    return Conditions(latents.view(b, t, channels, h, w), present, lamp)
