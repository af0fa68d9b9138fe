"""Stable Video Diffusion (Blattmann et al. 2023) as a relighter's backbone: diffusers' UNet and its temporal VAE."""

from __future__ import annotations

import torch
from torch import nn

from relight.batch import Stage
from relight.models.base import Conditions, zeroed
from relight.models.light import LightAttention, LightEncoder, token_width
from relight.models.prior import PriorBackbone

_LOBES = (16, 64, 256)
_TIME_IDS = (6.0, 127.0, 0.0)
"""What SVD is told of a video: frames a second less one, motion bucket (its defaults), noise on its picture."""
_DECODED_AT_ONCE = 14
"""Frames that the VAE's temporal layers see together, as in SVD's own pipeline."""


class SvdBackbone(PriorBackbone):
    """The UNet with condition latents beside its own, and cross-attention to each frame's light after every block.

    The first condition takes the place of SVD's picture, frame by frame; the embedding of that picture is zero, as in
    SVD's own unconditional branch. Level: a quarter of the natural logarithm of sigma, c_noise of EDM.
    """

    name = "svd"
    part = "unet"

    def __init__(self, stage: Stage, network: nn.Module, vae: nn.Module, prior: str, lora: int) -> None:
        super().__init__(stage, network, vae, prior, lora)
        config, c = network.config, vae.config.latent_channels
        self.latent_channels = c
        self.pixel_multiple = 2 ** (len(vae.config.block_out_channels) - 1) * 2 ** network.num_upsamplers
        widths, pictures, outputs = list(config.block_out_channels), len(stage.inputs), len(stage.outputs)
        new = (outputs - 1) * c + (pictures - 1) * c + pictures
        self.condition_in = zeroed(nn.Conv2d(new, widths[0], 3, padding=1))
        self.extra_out = zeroed(nn.Conv2d(widths[0], (outputs - 1) * c, 3, padding=1)) if outputs > 1 else None
        if stage.lit:
            self.light = LightEncoder(token_width(widths[0]), _LOBES)
            self.light_down, self.light_middle, self.light_up = (
                nn.ModuleList(LightAttention(width, token_width(widths[0])) for width in group)
                for group in (widths, widths[-1:], widths[::-1]))

    @staticmethod
    def classes() -> tuple[type, type]:
        from diffusers import AutoencoderKLTemporalDecoder, UNetSpatioTemporalConditionModel

        return UNetSpatioTemporalConditionModel, AutoencoderKLTemporalDecoder

    @torch.no_grad()
    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        self.check_pictures(pictures)
        clips = (self.vae.encode(2 * clip.to(self.vae.dtype) - 1).latent_dist.mode() for clip in pictures)
        return torch.stack(list(clips)) * self.vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        latents = latents.to(self.vae.dtype) / self.vae.config.scaling_factor
        clips = [torch.cat([self.vae.decode(chunk, len(chunk)).sample for chunk in clip.split(_DECODED_AT_ONCE)])
                 for clip in latents]
        return (torch.stack(clips) + 1) / 2

    def checkpoint_gradients(self, on: bool = True) -> None:
        self.network.enable_gradient_checkpointing() if on else self.network.disable_gradient_checkpointing()

    def forward(self, noisy: torch.Tensor, level: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        net, c = self.network, self.latent_channels
        clips, frames = noisy.shape[:2]
        picture = conditions.latents[:, :, :c] / self.vae.config.scaling_factor  # SVD saw its picture unscaled
        own = torch.cat([noisy[:, :, :c], picture], dim=2).flatten(0, 1).to(net.dtype)
        new = torch.cat([noisy[:, :, c:], conditions.planes()[:, :, c:]], dim=2).flatten(0, 1).to(net.dtype)
        embedding = self._embed(level, frames)
        hidden = self._blocks(net.conv_in(own) + self.condition_in(new), embedding, clips, conditions)
        hidden = net.conv_act(net.conv_norm_out(hidden))
        outputs = [net.conv_out(hidden)] + ([self.extra_out(hidden)] if self.extra_out is not None else [])
        return torch.cat(outputs, dim=1).unflatten(0, (clips, frames))

    def _embed(self, level: torch.Tensor, frames: int) -> torch.Tensor:
        """(B T, E) embedding of the noise level and of what SVD was told of its videos."""
        net = self.network
        ids = torch.tensor(_TIME_IDS, device=level.device).repeat(len(level))
        added = net.add_time_proj(ids).reshape(len(level), -1)
        embedding = net.time_embedding(net.time_proj(level).to(net.dtype)) + net.add_embedding(added.to(net.dtype))
        return embedding.repeat_interleave(frames, dim=0)

    def _blocks(self, hidden: torch.Tensor, embedding: torch.Tensor, clips: int,
                conditions: Conditions) -> torch.Tensor:
        """The UNet's blocks as diffusers runs them, with each frame's light after each (F, C, h, w)."""
        net = self.network
        frames = len(hidden) // clips
        still = hidden.new_zeros(clips, frames)  # image_only_indicator: these are videos
        picture = hidden.new_zeros(len(hidden), 1, net.config.cross_attention_dim)
        lit = self._lighting(conditions, frames)

        def run(block: nn.Module, *args, **more):
            if getattr(block, "has_cross_attention", False):
                more["encoder_hidden_states"] = picture
            return block(*args, temb=embedding, image_only_indicator=still, **more)

        skips, levels = [hidden], len(net.down_blocks)
        for level, block in enumerate(net.down_blocks):
            hidden, kept = run(block, hidden)
            hidden = lit("light_down", level, level, hidden)
            skips += [*kept[:-1], hidden]
        hidden = lit("light_middle", 0, levels - 1, run(net.mid_block, hidden))
        for index, block in enumerate(net.up_blocks):
            taken, skips = skips[-len(block.resnets):], skips[:-len(block.resnets)]
            hidden = run(block, hidden, res_hidden_states_tuple=tuple(taken))
            hidden = lit("light_up", index, levels - 1 - index, hidden)
        return hidden

    def _lighting(self, conditions: Conditions, frames: int):
        """What adds light to a block's output: (group, index within it, level of detail, hidden) -> hidden."""
        if not self.stage.lit:
            return lambda group, index, level, hidden: hidden
        tokens = self.light(conditions.light).flatten(0, 1)
        present = conditions.light.present.repeat_interleave(frames)

        def lit(group: str, index: int, level: int, hidden: torch.Tensor) -> torch.Tensor:
            # The finest places read all lobes, the others the wide ones.
            reach = sum(_LOBES if level == 0 else _LOBES[:-1])
            return getattr(self, group)[index].on_maps(hidden, tokens[:, :reach], present)

        return lit
