"""Light as networks read it: lobes of an environment map as tokens, and cross-attention to them. Every frame its own.

A map's texels are many, and a network that reads them as a picture must learn what a sphere is. Averages over lobes in
fixed directions do not depend on the map's size, add up as light does, and turn with the map.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import torch
from torch import nn
from torch.nn import functional

from relight.conditioning.light_maps import LOG_WHITE

LOG_RANGE = math.log1p(LOG_WHITE)
"""``light_log`` is log1p(radiance) over this."""

_FEATURES = 14
"""Of a lobe: three colours thrice, its direction, the exposure and whether that is known."""
_HEAD_WIDTH, _MOST_INNER = 64, 512
"""Channels of a head of attention to light, and the most of all heads of one layer."""


@dataclasses.dataclass(frozen=True, eq=False)
class Light:
    """A batch's target light. The maps are as in :class:`relight.batch.PortraitBatch`."""

    ldr: torch.Tensor
    log: torch.Tensor
    direction: torch.Tensor
    exposure: torch.Tensor
    """(B, T) stops; 0 where it is not known."""
    present: torch.Tensor
    """(B,) bool: False where the maps were dropped; then nothing may depend on them."""
    exposure_known: torch.Tensor
    """(B,) bool."""

    def lobes(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(B T, count, 6) float32 averages over lobes: LDR colour, linear radiance; and (count, 3) their directions."""
        with torch.autocast(self.log.device.type, enabled=False):
            radiance = torch.expm1(self.log.float() * LOG_RANGE)
            values = torch.cat([self.ldr.float(), radiance], dim=2).flatten(0, 1)
            axes = spiral(count).to(values.device)
            # Texels finer than a lobe only cost time: eight rows see 16 lobes, 32 rows 256.
            size = (2 * math.isqrt(count), 4 * math.isqrt(count))
            direction = self.direction.float().flatten(0, 1)
            area = (1 - direction[:, 1:2] ** 2).clamp_min(1e-8).sqrt()  # sin(theta): a texel's solid angle
            pooled = functional.adaptive_avg_pool2d(torch.cat([values * area, direction * area, area], dim=1), size)
            values, direction, area = pooled.flatten(2).split([6, 3, 1], dim=1)
            # Von Mises-Fisher lobes two standard deviations apart: 4 pi / count = (2 / sqrt(kappa))^2.
            cosine = axes @ functional.normalize(direction, dim=1)
            weights = area * torch.exp(count / math.pi * (cosine - 1))
            weights = weights / weights.sum(dim=2, keepdim=True)
            return weights @ (values / area).transpose(1, 2), axes


@functools.lru_cache(maxsize=8)
def spiral(count: int) -> torch.Tensor:
    """(count, 3) float32 unit vectors spread evenly over the sphere, poles at +Y and -Y (Fibonacci spiral)."""
    index = torch.arange(count, dtype=torch.float64, device="cpu") + 0.5  # remembered, even by a network made on meta
    y, turn = 1 - 2 * index / count, index * (math.pi * (3 - math.sqrt(5)))
    across = (1 - y**2).sqrt()
    return torch.stack([across * turn.sin(), y, across * turn.cos()], dim=1).float()


def token_width(width: int) -> int:
    """Channels of the light's tokens beside a prior whose finest layers have ``width``."""
    return min(4 * width, _MOST_INNER)


def stops(radiance: torch.Tensor) -> torch.Tensor:
    """About [-1.5, 3.5]: linear values on a scale where equal ratios are equal steps, 0 at 1."""
    return torch.log2(radiance.clamp_min(0) + 1 / 64) / 4


class LightEncoder(nn.Module):
    """Tokens of the light, coarse lobes first. A token knows its direction, its radiance, and what the exposure makes
    of that."""

    def __init__(self, width: int, lobes: tuple[int, ...]) -> None:
        """width: of a token; lobes: how many at each scale."""
        super().__init__()
        self.scales = lobes
        self.mlp = nn.Sequential(nn.Linear(_FEATURES, width), nn.SiLU(), nn.Linear(width, width), nn.LayerNorm(width))

    def forward(self, light: Light) -> torch.Tensor:
        """(B, T, L, width), L the sum of the scales."""
        clips, frames = light.exposure.shape
        tokens = torch.cat([self._features(light, count) for count in self.scales], dim=1)
        return self.mlp(tokens.to(self.mlp[0].weight.dtype)).unflatten(0, (clips, frames))

    @staticmethod
    def _features(light: Light, count: int) -> torch.Tensor:
        """(B T, count, 14) float32."""
        averages, axes = light.lobes(count)
        ldr, radiance = averages.split(3, dim=2)
        exposure = light.exposure.float().reshape(-1, 1, 1)
        known = light.exposure_known.float()[:, None].expand_as(light.exposure).reshape(-1, 1, 1)
        rest = torch.cat([exposure / 8, known], dim=2).expand(-1, count, -1)
        seen = stops(radiance * torch.exp2(exposure))
        return torch.cat([ldr, stops(radiance), seen, axes.expand(len(ldr), -1, -1), rest], dim=2)


class LightAttention(nn.Module):
    """Cross-attention from a frame's places to its light, to be added to them: zero until it is trained."""

    def __init__(self, width: int, token_width: int) -> None:
        """width: channels of the places; token_width: of the light's tokens."""
        super().__init__()
        inner = min(width, _MOST_INNER)
        self.heads = max(inner // _HEAD_WIDTH, 1)
        self.norm = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_k = nn.Linear(token_width, inner, bias=False)
        self.to_v = nn.Linear(token_width, inner, bias=False)
        self.out = nn.Linear(inner, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, hidden: torch.Tensor, tokens: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """(F, P, width) of hidden (F, P, width), tokens (F, L, token_width), present (F,) bool: P places a frame."""
        parts = (self.to_q(self.norm(hidden)), self.to_k(tokens), self.to_v(tokens))
        query, key, value = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in parts)
        seen = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        seen = self.out(seen)
        return torch.where(present[:, None, None], seen, torch.zeros_like(seen))

    def on_maps(self, hidden: torch.Tensor, tokens: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """(F, width, h, w): the same for feature maps, added to them."""
        places = self(hidden.flatten(2).transpose(1, 2), tokens, present)
        return hidden + places.transpose(1, 2).unflatten(2, hidden.shape[2:])
