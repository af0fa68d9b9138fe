"""Wan 2.x (Wan Team 2025) as a relighter's backbone: diffusers' video transformer and its causal VAE."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from assets.errors import SpecError
from relight.batch import Stage
from relight.models.base import Conditions, zeroed
from relight.models.light import Light, LightAttention, LightEncoder, token_width
from relight.models.prior import PriorBackbone

_LOBES = (16, 64)
_GROUP = 4
"""Frames of video to a latent frame; the first stands alone."""


class WanBackbone(PriorBackbone):
    """The text-to-video transformer with an empty prompt; light reaches every block through cross-attention of its own.

    A clip has 4 k + 1 frames, of which the VAE makes k + 1. Level: t of flow matching in [0, 1].
    """

    name = "wan"
    frame_step = _GROUP
    part = "transformer"

    def __init__(self, stage: Stage, network: nn.Module, vae: nn.Module, prior: str, lora: int) -> None:
        super().__init__(stage, network, vae, prior, lora)
        config, c = network.config, vae.config.z_dim
        if config.in_channels != c or config.patch_size[0] != 1:
            raise SpecError(f"prior: {prior} takes {config.in_channels} channels in patches of {config.patch_size[0]} "
                            f"frames, expected a text-to-video one: {c} channels, 1 frame")
        self.latent_channels = c
        self.pixel_multiple = vae.config.scale_factor_spatial * config.patch_size[1]
        width, pictures, outputs = (config.num_attention_heads * config.attention_head_dim, len(stage.inputs),
                                    len(stage.outputs))
        patch = config.patch_size
        new = (outputs - 1 + pictures) * c + pictures
        self.condition_in = zeroed(nn.Conv3d(new, width, patch, patch))
        self.extra_out = (zeroed(nn.Linear(width, (outputs - 1) * c * patch[1] * patch[2])) if outputs > 1 else None)
        self.recompute = False
        if stage.lit:
            tokens = token_width(width)
            self.light = LightEncoder(tokens, _LOBES)
            self.light_order = nn.Parameter(torch.zeros(_GROUP, 1, tokens))
            self.light_blocks = nn.ModuleList(LightAttention(width, tokens) for _ in network.blocks)

    @staticmethod
    def classes() -> tuple[type, type]:
        from diffusers import AutoencoderKLWan, WanTransformer3DModel

        return WanTransformer3DModel, AutoencoderKLWan

    @torch.no_grad()
    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        self.check_pictures(pictures)
        if pictures.shape[1] % _GROUP != 1:
            raise SpecError(f"frames: got {pictures.shape[1]}, wan takes 4 k + 1: 1, 5, 9, ...")
        mean, deviation = self._scale(pictures.device)
        video = 2 * pictures.transpose(1, 2).to(self.vae.dtype) - 1
        return ((self.vae.encode(video).latent_dist.mode() - mean) / deviation).transpose(1, 2)

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        mean, deviation = self._scale(latents.device)
        latents = latents.transpose(1, 2).to(self.vae.dtype) * deviation + mean
        return (self.vae.decode(latents).sample.transpose(1, 2) + 1) / 2

    def _scale(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation of the VAE's latents, to be broadcast over (B, C, T', h, w)."""
        shape = (1, -1, 1, 1, 1)
        mean, deviation = self.vae.config.latents_mean, self.vae.config.latents_std
        return (torch.tensor(mean, device=device, dtype=self.vae.dtype).view(shape),
                torch.tensor(deviation, device=device, dtype=self.vae.dtype).view(shape))

    def checkpoint_gradients(self, on: bool = True) -> None:
        self.recompute = on

    def forward(self, noisy: torch.Tensor, level: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        net, c = self.network, self.latent_channels
        frames = noisy.shape[1]
        own = noisy[:, :, :c].transpose(1, 2).to(net.dtype)
        new = torch.cat([noisy[:, :, c:], conditions.planes()], dim=2).transpose(1, 2).to(net.dtype)
        hidden = (net.patch_embedding(own) + self.condition_in(new)).flatten(2).transpose(1, 2).contiguous()
        # No prompt at all: its 512 tokens would be equal, so one says as much. (Wan's empty one has an end-of-text.)
        prompt = hidden.new_zeros(len(noisy), 1, net.config.text_dim)
        embedding, modulation, prompt, _ = net.condition_embedder(1000 * level, prompt)
        modulation, rotary = modulation.unflatten(1, (6, -1)), net.rope(own)
        tokens = self._tokens(conditions.light) if self.stage.lit else None
        for index, block in enumerate(net.blocks):
            hidden = self._run(block, hidden, prompt, modulation, rotary)
            if tokens is not None:
                places = hidden.unflatten(1, (frames, -1)).flatten(0, 1)
                light = self._run(self.light_blocks[index], places, *tokens)
                hidden = hidden + light.unflatten(0, (len(noisy), frames)).flatten(1, 2)
        return self._unpatch(hidden, embedding, own.shape)

    def _run(self, block: nn.Module, *args: torch.Tensor) -> torch.Tensor:
        if self.recompute and torch.is_grad_enabled():
            return checkpoint(block, *args, use_reentrant=False)
        return block(*args)

    def _unpatch(self, hidden: torch.Tensor, embedding: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        """(B, T', N C, h, w) of the last block's tokens: the prior's head, and beside it that of the new outputs."""
        net, (_, rows, columns) = self.network, self.network.config.patch_size
        _, _, frames, height, width = shape
        shift, scale = (net.scale_shift_table + embedding[:, None]).chunk(2, dim=1)
        hidden = (net.norm_out(hidden.float()) * (1 + scale) + shift).type_as(hidden)
        heads = [net.proj_out] + ([self.extra_out] if self.extra_out is not None else [])
        patches = [head(hidden).reshape(len(hidden), frames, height // rows, width // columns, rows, columns, -1)
                   for head in heads]
        return torch.cat(patches, dim=-1).permute(0, 1, 6, 2, 4, 3, 5).flatten(5, 6).flatten(3, 4)

    def _tokens(self, light: Light) -> tuple[torch.Tensor, torch.Tensor]:
        """(B T', 4 L, width) tokens of the four frames behind each latent one, the first repeated; (B T',) present."""
        tokens = self.light(light)
        tokens = torch.cat([tokens[:, :1].expand(-1, _GROUP - 1, -1, -1), tokens], dim=1)
        tokens = (tokens.unflatten(1, (-1, _GROUP)) + self.light_order).flatten(2, 3)
        return tokens.flatten(0, 1), light.present.repeat_interleave(tokens.shape[1])
