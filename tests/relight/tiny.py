"""Tiny backbones and a tiny clip: random priors in diffusers' own layout, a shaded ball in front of a gradient."""

from __future__ import annotations

import math
from pathlib import Path

import torch

from relight.batch import STAGES, PortraitBatch
from relight.models.base import Backbone
from relight.models.load import new_backbone

SMALL = {"channels": (16, 32), "blocks": 1, "attention": 1, "lit": 1, "embedding": 32, "lobes": 16}
FRAMES = {"svd": 2, "wan": 5, "small": 2}


def save_svd(folder: Path) -> Path:
    """A Stable Video Diffusion of some 100,000 random weights."""
    from diffusers import AutoencoderKLTemporalDecoder, UNetSpatioTemporalConditionModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        UNetSpatioTemporalConditionModel(
            in_channels=8, out_channels=4, block_out_channels=(32, 64), layers_per_block=1, cross_attention_dim=16,
            num_attention_heads=(2, 4), addition_time_embed_dim=8, projection_class_embeddings_input_dim=24,
            down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
            up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal")).save_pretrained(folder / "unet")
        AutoencoderKLTemporalDecoder(
            block_out_channels=(32, 32, 32), down_block_types=("DownEncoderBlock2D",) * 3, latent_channels=4,
            scaling_factor=3.0).save_pretrained(folder / "vae")
    return folder


def save_wan(folder: Path) -> Path:
    """A Wan of some 100,000 random weights."""
    from diffusers import AutoencoderKLWan, WanTransformer3DModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        WanTransformer3DModel(
            in_channels=4, out_channels=4, num_attention_heads=4, attention_head_dim=16, text_dim=16, freq_dim=16,
            ffn_dim=128, num_layers=2, rope_max_seq_len=32).save_pretrained(folder / "transformer")
        AutoencoderKLWan(base_dim=8, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1, latents_mean=[0.0] * 4,
                         latents_std=[0.3] * 4).save_pretrained(folder / "vae")
    return folder


def backbone(name: str, stage: str, folder: Path, **settings) -> Backbone:
    """An untrained tiny one; ``folder`` holds the priors, made on first use."""
    if name == "small":
        return new_backbone(name, STAGES[stage], 0, **(SMALL | settings))
    place = folder / name
    if not place.exists():
        {"svd": save_svd, "wan": save_wan}[name](place)
    return new_backbone(name, STAGES[stage], 0, place=place, **settings)


def clip(frames: int, size: int = 32, clips: int = 1, seed: int = 0) -> PortraitBatch:
    """A white ball under a coloured lamp that moves from frame to frame, another in each clip."""
    rng = torch.Generator().manual_seed(seed)
    lamps = torch.nn.functional.normalize(torch.randn(clips, 1, 3, generator=rng)
                                          + 0.2 * torch.arange(frames)[None, :, None], dim=2)
    grid = torch.linspace(-1, 1, size) * 1.25
    y, x = torch.meshgrid(-grid, grid, indexing="ij")
    depth = (1 - x * x - y * y).clamp_min(0).sqrt()
    normal = torch.stack([x, y, depth])
    alpha = (depth > 0).float().expand(clips, frames, 1, size, size)
    tint = torch.tensor([0.9, 0.7, 0.5]).view(3, 1, 1)
    shade = torch.einsum("btc,cyx->btyx", lamps, normal).clamp_min(0)[:, :, None] * tint
    background = (0.3 + 0.2 * x).expand(clips, frames, 3, size, size)
    flat = 0.6 * alpha.expand(-1, -1, 3, -1, -1)
    target = alpha * shade + (1 - alpha) * background
    log, direction = lamp_maps(lamps)
    return PortraitBatch(source=target.flip(1), flat=flat, alpha=alpha, target=target, background=background,
                         light_ldr=log.clamp(0, 1), light_log=log, light_direction=direction,
                         exposure=torch.zeros(clips, frames))


def lamp_maps(lamps: torch.Tensor, height: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, T, 3, h, 2h) light_log and light_direction of a soft lamp in direction (B, T, 3)."""
    theta = math.pi * (torch.arange(height) + 0.5) / height
    phi = math.pi * (torch.arange(2 * height) + 0.5) / height - math.pi
    theta, phi = torch.meshgrid(theta, phi, indexing="ij")
    axes = torch.stack([theta.sin() * phi.sin(), theta.cos(), -theta.sin() * phi.cos()])
    radiance = 4 * torch.exp(4 * (torch.einsum("btc,cyx->btyx", lamps, axes) - 1))
    log = (torch.log1p(radiance) / math.log1p(1e4))[:, :, None].expand(-1, -1, 3, -1, -1)
    return log, axes.expand(*lamps.shape[:2], -1, -1, -1)


def generator(seed: int = 0) -> torch.Generator:
    """A source of noise."""
    return torch.Generator().manual_seed(seed)
