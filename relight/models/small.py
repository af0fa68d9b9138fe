"""A compact backbone that is trained from scratch, and that knows two things of light: that it adds up, and that a
photograph of a person under a light is the flat-lit one, pixel by pixel, times what each pixel gathers of it.

Latents are pictures, four by four pixels to a place. A U-Net sees them; its head does not draw the picture but tells,
per pixel, (a) how much comes from each lobe of the environment: a light transport, by which the light is multiplied;
(b) gains on the given pictures, on their products and on the relit one; (c) a remainder. Thin convolutions at full
resolution then mend the edges.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Any

import pydantic
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from assets.errors import SpecError
from relight.batch import Stage
from relight.models.base import Backbone, Conditions, zeroed
from relight.models.light import Light, LightAttention, LightEncoder, spiral, stops
from relight.models.small_layers import LevelEmbedding, ResBlock, SelfAttention, TimeMixing, to_display, to_linear
from synth.spec import SpecModel, describe_validation

_PATCH = 4
_PIXELS = _PATCH * _PATCH
_CALM = 0.25
"""Gains are the head's values times this: Adam moves all weights alike, and would move pictures too fast by those.
The transport is divided by the number of lobes, which all move together, for the same reason."""
_MOST_LIGHT = 64.0
"""Radiance of a lobe, after exposure, above which nothing gets brighter in a photograph."""


class SmallSettings(SpecModel):
    """Size of the network. Bounded, since a file of somebody else's may ask for it."""

    channels: tuple[Annotated[int, pydantic.Field(ge=16, le=4096, multiple_of=16)], ...] = pydantic.Field(
        (64, 128, 256, 512), min_length=1, max_length=8)
    """At a quarter of the pictures' resolution, and at each halving of that."""
    blocks: int = pydantic.Field(2, ge=1, le=32)
    """Residual blocks of each level, on the way down and again on the way up."""
    attention: int = pydantic.Field(2, ge=1, le=8)
    """Levels, from the coarsest, with attention among places."""
    lit: int = pydantic.Field(3, ge=1, le=8)
    """Levels, from the coarsest, with attention to light."""
    embedding: int = pydantic.Field(384, ge=1, le=8192)
    """Width of what scales and shifts every block: noise level and light."""
    lobes: int = pydantic.Field(64, ge=1, le=4096)
    """Directions of light that a pixel tells apart."""


class SmallBackbone(Backbone):
    """Level: t of flow matching in [0, 1]; the output is the clean latents themselves."""

    name = "small"

    def __init__(self, stage: Stage, size: SmallSettings) -> None:
        super().__init__()
        self.stage, self.size = stage, size
        self.latent_channels = 3 * _PIXELS
        self.pixel_multiple = _PATCH * 2 ** (len(size.channels) - 1)
        self.recompute = False
        width, pictures = size.embedding, len(stage.inputs)
        self.pairs = list(itertools.combinations(range(pictures), 2))
        """Of pictures whose products are offered to the head: alpha times background is what a matte hides."""
        self.stem = nn.Conv2d((len(stage.outputs) + pictures) * self.latent_channels + pictures, size.channels[0], 1)
        self.level = LevelEmbedding(width)
        if stage.lit:
            self.light = LightEncoder(width, (size.lobes,))
            self.light_code = nn.Sequential(nn.Linear(3 * size.lobes, width), nn.SiLU(), nn.Linear(width, width))
        self.down = nn.ModuleList(_Level(size, index, stage.lit) for index in range(len(size.channels)))
        self.up = nn.ModuleList(_Level(size, index, stage.lit) for index in reversed(range(len(size.channels))))
        pairs = list(itertools.pairwise(size.channels))
        self.shrink = nn.ModuleList(nn.Conv2d(4 * fine, coarse, 1) for fine, coarse in pairs)
        self.grow = nn.ModuleList(nn.Conv2d(coarse, 4 * fine, 1) for fine, coarse in reversed(pairs))
        self.join = nn.ModuleList(nn.Conv2d(2 * fine, fine, 1) for fine in reversed(size.channels[:-1]))
        self.head = _Head(size, stage, len(self.pairs))

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        self.check_pictures(pictures)
        return functional.pixel_unshuffle(2 * pictures - 1, _PATCH)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return (functional.pixel_shuffle(latents, _PATCH) + 1) / 2

    def checkpoint_gradients(self, on: bool = True) -> None:
        self.recompute = on

    def settings(self) -> dict[str, Any]:
        return self.size.model_dump(mode="json")

    @classmethod
    def from_settings(cls, stage: Stage, settings: dict[str, Any]) -> SmallBackbone:
        try:
            size = SmallSettings.model_validate(settings)
        except pydantic.ValidationError as error:
            raise SpecError(f"small: {describe_validation(error, SmallSettings)}") from None
        return cls(stage, size)

    def forward(self, noisy: torch.Tensor, level: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        clips, frames = noisy.shape[:2]
        hidden = self.stem(torch.cat([noisy, conditions.planes()], dim=2).flatten(0, 1))
        embedding = self.level(level).repeat_interleave(frames, dim=0)
        lit = lobes = None
        if self.stage.lit:
            lobes = _exposed_lobes(conditions.light, self.size.lobes)
            present = conditions.light.present.repeat_interleave(frames)
            lit = (self.light(conditions.light).flatten(0, 1), present)
            code = self.light_code(stops(lobes).flatten(1).to(hidden.dtype))
            embedding = embedding + torch.where(present[:, None], code, torch.zeros_like(code))
        hidden = self._trunk(hidden, functional.silu(embedding), frames, lit)
        return self.head(hidden, self._bases(conditions), lobes).unflatten(0, (clips, frames))

    def _trunk(self, hidden: torch.Tensor, embedding: torch.Tensor, frames: int,
               lit: tuple[torch.Tensor, torch.Tensor] | None) -> torch.Tensor:
        """The U-Net: (F, C, h, w) to the same."""
        skips = []
        for index, level in enumerate(self.down):
            hidden = self._run(level, hidden, embedding, frames, lit)
            if index < len(self.shrink):
                skips.append(hidden)
                hidden = self.shrink[index](functional.pixel_unshuffle(hidden, 2))
        for index, level in enumerate(self.up):
            if index:
                grown = functional.pixel_shuffle(self.grow[index - 1](hidden), 2)
                hidden = self.join[index - 1](torch.cat([grown, skips.pop()], dim=1))
            hidden = self._run(level, hidden, embedding, frames, lit)
        return hidden

    def _run(self, level: nn.Module, *args) -> torch.Tensor:
        if self.recompute and torch.is_grad_enabled():
            return checkpoint(level, *args, use_reentrant=False)
        return level(*args)

    def _bases(self, conditions: Conditions) -> torch.Tensor:
        """(F, J, 48, h, w) pictures in [0, 1], zeros where one is absent: those given, then products of two."""
        given = conditions.latents.flatten(0, 1).unflatten(1, (-1, self.latent_channels))
        present = conditions.present.repeat_interleave(conditions.latents.shape[1], dim=0)
        given = torch.where(present[:, :, None, None, None], (given + 1) / 2, torch.zeros_like(given))
        return torch.cat([given, *(given[:, i:i + 1] * given[:, j:j + 1] for i, j in self.pairs)], dim=1)


class _Level(nn.Module):
    """What happens at one resolution: residual blocks, time, and at coarse ones attention."""

    def __init__(self, size: SmallSettings, index: int, lit: bool) -> None:
        super().__init__()
        width, from_coarsest = size.channels[index], len(size.channels) - index
        self.blocks = nn.ModuleList(ResBlock(width, size.embedding) for _ in range(size.blocks))
        self.time = TimeMixing(width)
        self.places = SelfAttention(width) if from_coarsest <= size.attention else None
        self.light = LightAttention(width, size.embedding) if lit and from_coarsest <= size.lit else None

    def forward(self, hidden: torch.Tensor, embedding: torch.Tensor, frames: int,
                lit: tuple[torch.Tensor, torch.Tensor] | None) -> torch.Tensor:
        for block in self.blocks:
            hidden = block(hidden, embedding)
        if self.places is not None:
            hidden = self.places(hidden)
        if self.light is not None:
            hidden = self.light.on_maps(hidden, *lit)
        return self.time(hidden, frames)


class _Pixels(nn.Module):
    """Values for each pixel of a place: what varies slowly, interpolated between places, and a detail of each pixel.

    Details alone would have to learn that neighbouring places meet: their borders show for thousands of steps.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.coarse = nn.Conv2d(width, channels, 1, bias=False)
        self.fine = nn.Conv2d(width, channels * _PIXELS, 1)
        nn.init.normal_(self.coarse.weight, std=0.01)
        nn.init.normal_(self.fine.weight, std=0.01)
        nn.init.zeros_(self.fine.bias)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(F, channels, 16, h, w) of hidden (F, width, h, w)."""
        coarse = functional.interpolate(self.coarse(hidden), scale_factor=_PATCH, mode="bilinear")
        detail = self.fine(hidden / 2)  # learns half as fast as what it refines
        return (functional.pixel_unshuffle(coarse, _PATCH) + detail).unflatten(1, (-1, _PIXELS))


class _Edges(nn.Module):
    """Three convolutions at full resolution, which no place's border stops: what they add to the pictures."""

    def __init__(self, width: int, bases: int, outputs: int, inner: int = 24) -> None:
        super().__init__()
        self.guide = nn.Conv2d(width, 8 * _PIXELS, 1)
        self.layers = nn.Sequential(nn.Conv2d(3 * (bases + outputs) + 8, inner, 3, padding=1), nn.SiLU(),
                                    nn.Conv2d(inner, inner, 3, padding=1), nn.SiLU(),
                                    zeroed(nn.Conv2d(inner, 3 * outputs, 3, padding=1)))

    def forward(self, hidden: torch.Tensor, bases: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
        """(F, N, 48, h, w) of features (F, width, h, w), bases (F, J, 48, h, w) and pictures (F, N, 48, h, w)."""
        seen = torch.cat([bases, pictures], dim=1).flatten(1, 2)
        added = self.layers(functional.pixel_shuffle(torch.cat([seen, self.guide(hidden)], dim=1), _PATCH))
        return functional.pixel_unshuffle(added, _PATCH).unflatten(1, pictures.shape[1:3])


class _Head(nn.Module):
    """Pictures from features: gathered light, gains and a remainder, per pixel. Untrained it gives the first picture,
    lit from the front where there is light, in front of the background."""

    def __init__(self, size: SmallSettings, stage: Stage, pairs: int) -> None:
        super().__init__()
        width, self.outputs = size.channels[0], len(stage.outputs)
        self.bases = len(stage.inputs) + pairs + stage.lit
        self.norm = nn.GroupNorm(max(width // 16, 1), width)
        self.out = _Pixels(width, self.outputs * (self.bases + 1) * 3)
        self.edges = _Edges(width, self.bases, self.outputs)
        with torch.no_grad():
            gains = self.out.fine.bias.view(self.outputs, self.bases + 1, 3 * _PIXELS)
            gains[0, self.bases - 1 if stage.lit else 0] = 1 / _CALM
            if "background" in stage.inputs:
                names = stage.inputs
                pair = (names.index("alpha"), names.index("background"))
                gains[0, names.index("background")] = 1 / _CALM
                gains[0, len(names) + list(itertools.combinations(range(len(names)), 2)).index(pair)] = -1 / _CALM
        if stage.lit:
            self.transport = _Pixels(width, size.lobes)
            facing = spiral(size.lobes)[:, 2].clamp_min(0)  # cosines to +Z, where the camera is
            with torch.no_grad():
                self.transport.fine.bias.copy_((facing / facing.mean()).repeat_interleave(_PIXELS))

    def forward(self, hidden: torch.Tensor, bases: torch.Tensor, lobes: torch.Tensor | None) -> torch.Tensor:
        """(F, N 48, h, w) latents. bases: (F, J, 48, h, w) in [0, 1]; lobes: (F, D, 3) light as it is exposed."""
        hidden = functional.silu(self.norm(hidden))
        if lobes is not None:
            transport = self.transport(hidden).float() / lobes.shape[1]
            with torch.autocast(lobes.device.type, enabled=False):  # lamps are too bright for half precision
                gathered = torch.einsum("fdphw,fdc->fcphw", transport, lobes).flatten(1, 2)
            relit = to_display(to_linear(bases[:, 0].float()) * gathered).to(bases.dtype)
            bases = torch.cat([bases, relit[:, None]], dim=1)
        gains = _CALM * self.out(hidden).flatten(1, 2).unflatten(1, (self.outputs, self.bases + 1, 3 * _PIXELS))
        pictures = (gains[:, :, :-1] * bases[:, None]).sum(dim=2) + gains[:, :, -1]
        pictures = pictures + _CALM * self.edges(hidden, bases, pictures)
        return (2 * pictures - 1).flatten(1, 2)


def _exposed_lobes(light: Light, count: int) -> torch.Tensor:
    """(B T, count, 3) float32 radiance times 2^exposure, white of 1 where the light is not known."""
    averages, _ = light.lobes(count)
    exposed = averages[..., 3:] * torch.exp2(light.exposure.float().reshape(-1, 1, 1))
    present = light.present.repeat_interleave(light.exposure.shape[1])[:, None, None]
    return torch.where(present, exposed.clamp_max(_MOST_LIGHT), torch.ones_like(exposed))
