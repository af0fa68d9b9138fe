"""Layers of the ``small`` backbone. F = B T frames lie on the first axis."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from relight.models.base import zeroed

_GROUP = 16
"""Channels that are normalised together."""


class LevelEmbedding(nn.Module):
    """(B, width) of a noise level in [0, 1]: Fourier features and two layers (Vaswani et al. 2017; Ho et al. 2020)."""

    def __init__(self, width: int, waves: int = 64) -> None:
        super().__init__()
        self.register_buffer("frequencies", 2 * math.pi * torch.logspace(-1, 2, waves), persistent=False)
        self.mlp = nn.Sequential(nn.Linear(2 * waves, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, level: torch.Tensor) -> torch.Tensor:
        angle = level.float()[:, None] * self.frequencies
        return self.mlp(torch.cat([angle.cos(), angle.sin()], dim=1).to(self.mlp[0].weight.dtype))


class ResBlock(nn.Module):
    """Two convolutions, the second scaled and shifted by the frame's embedding (FiLM, Perez et al. 2018)."""

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(max(width // _GROUP, 1), width), nn.Conv2d(width, width, 3, padding=1)
        self.norm2 = nn.GroupNorm(max(width // _GROUP, 1), width)
        self.film = nn.Linear(embedding, 2 * width)
        self.conv2 = zeroed(nn.Conv2d(width, width, 3, padding=1))

    def forward(self, hidden: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """(F, C, h, w) of hidden (F, C, h, w) and embedding (F, E)."""
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, dim=1)
        inner = self.conv1(functional.silu(self.norm1(hidden)))
        return hidden + self.conv2(functional.silu(self.norm2(inner) * (1 + scale) + shift))


class SelfAttention(nn.Module):
    """Attention among the places of a frame, added to them."""

    def __init__(self, width: int, head_width: int = 64) -> None:
        super().__init__()
        self.heads = max(width // head_width, 1)
        self.norm = nn.GroupNorm(max(width // _GROUP, 1), width)
        self.qkv, self.out = nn.Conv2d(width, 3 * width, 1), zeroed(nn.Conv2d(width, width, 1))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        frames, width, height, columns = hidden.shape
        parts = self.qkv(self.norm(hidden)).reshape(frames, 3, self.heads, width // self.heads, height * columns)
        query, key, value = parts.transpose(3, 4).unbind(1)
        seen = functional.scaled_dot_product_attention(query, key, value)
        return hidden + self.out(seen.transpose(2, 3).reshape(hidden.shape))


class TimeMixing(nn.Module):
    """A depthwise convolution over three frames, added to them. It starts at zero, and stills leave its outer taps
    there: a network trained on stills sees a clip frame by frame, until it is trained on clips."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.taps = nn.Parameter(torch.zeros(3, width, 1, 1))

    def forward(self, hidden: torch.Tensor, frames: int) -> torch.Tensor:
        """(B T, C, h, w) of hidden (B T, C, h, w), clips of ``frames``."""
        before, now, after = self.taps
        if frames == 1:
            return hidden + now * hidden
        clips = hidden.unflatten(0, (-1, frames))
        mixed = now * clips
        mixed = mixed + before * functional.pad(clips[:, :-1], (0, 0, 0, 0, 0, 0, 1, 0))
        mixed = mixed + after * functional.pad(clips[:, 1:], (0, 0, 0, 0, 0, 0, 0, 1))
        return hidden + mixed.flatten(0, 1)


def to_linear(display: torch.Tensor) -> torch.Tensor:
    """Inverse sRGB curve of values in [0, 1] (IEC 61966-2-1)."""
    return torch.where(display <= 0.04045, display / 12.92, ((display.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4)


def to_display(linear: torch.Tensor) -> torch.Tensor:
    """sRGB curve, continued as a straight line below 0 and a logarithm above 1, where a clip would stop gradients."""
    power = 1.055 * linear.clamp(0.0031308, 1) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, power + 0.1 * torch.log(linear.clamp_min(1)))
