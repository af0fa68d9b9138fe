"""Objectives: how noise is mixed in, what a network's output means, and which noise levels it is trained on.

Every objective is a weighted squared error of the denoised latents (Karras et al. 2022, eq. 2), and every one is
sampled by the same Euler steps: with x = a(level) clean + level noise, up to a scale, the line from the noisy latents
to their denoised estimate is the ODE's tangent.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch

from assets.errors import SpecError

Generators = torch.Generator | Sequence[torch.Generator]
"""Where noise comes from: one generator for the batch, or one for each clip, so that a clip's noise does not depend on
which others are in its batch."""
Network = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(noisy latents scaled for it, (B,) level as it is told) -> its output, all as (B, T', C, h, w)."""


class Objective(abc.ABC):
    """What the network is trained to do with noise. Levels are (B,) float32; latents (B, T', C, h, w)."""

    name: ClassVar[str]

    @abc.abstractmethod
    def draw_levels(self, count: int, generators: Generators) -> torch.Tensor:
        """(count,) noise levels to train on, on the CPU."""

    @abc.abstractmethod
    def mix(self, clean: torch.Tensor, noise: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        """Noisy latents at a level."""

    @abc.abstractmethod
    def denoise(self, network: Network, noisy: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        """float32 estimate of the clean latents."""

    @abc.abstractmethod
    def weight(self, level: torch.Tensor) -> torch.Tensor:
        """(B,) weight of the squared error of the denoised latents."""

    @abc.abstractmethod
    def schedule(self, steps: int) -> torch.Tensor:
        """(steps + 1,) levels from the highest down to 0."""

    def loss(self, network: Network, clean: torch.Tensor, generators: Generators) -> torch.Tensor:
        """(B,) loss of each clip."""
        noise = randn(clean.shape, generators).to(clean.device)
        level = self.draw_levels(len(clean), generators).to(clean.device)
        clean = clean.float()
        estimate = self.denoise(network, self.mix(clean, noise, level), level)
        return self.weight(level) * (estimate - clean).square().flatten(1).mean(dim=1)

    def sample(self, network: Network, noise: torch.Tensor, steps: int) -> torch.Tensor:
        """float32 clean latents from standard normal noise of their shape, in Euler steps (Karras et al. 2022, alg. 1
        without churn)."""
        if steps < 1:
            raise SpecError(f"steps: got {steps}, may be 1 or more")
        levels = self.schedule(steps).to(noise.device)
        noisy = noise * levels[0]
        for level, following in zip(levels[:-1], levels[1:], strict=True):
            clean = self.denoise(network, noisy, level.expand(len(noise)))
            noisy = self.step(clean, noisy, following / level)
        return noisy

    @staticmethod
    def step(clean: torch.Tensor, noisy: torch.Tensor, ratio: torch.Tensor) -> torch.Tensor:
        """Latents at ``ratio`` times the level, on the line between the estimate and the noisy ones."""
        return clean + ratio * (noisy - clean)


@dataclasses.dataclass(frozen=True)
class Edm(Objective):
    """Stable Video Diffusion's: EDM (Karras et al. 2022) with the preconditioning of v-prediction, sigma_data = 1."""

    name = "edm"
    log_mean: float = 0.7
    """Mean of the natural logarithm of sigma in training: P_mean of SVD's image-to-video models (Blattmann et al. 2023)
    as those who fine-tune them quote the paper: github.com/alibaba/animate-anything/issues/34, pixeli99/SVD_Xtend."""
    log_deviation: float = 1.6
    """Its standard deviation, P_std, from the same places."""
    lowest: float = 0.002
    """Smallest sigma of sampling."""
    highest: float = 700.0
    """Largest, which is SVD's."""
    rho: float = 7.0
    """Curvature of the sampling schedule (Karras et al. 2022, eq. 5)."""

    def __post_init__(self) -> None:
        if not 0 < self.lowest < self.highest or self.log_deviation <= 0 or self.rho <= 0:
            raise SpecError(f"edm: got {self}, expected 0 < lowest < highest, log_deviation > 0 and rho > 0")

    def draw_levels(self, count: int, generators: Generators) -> torch.Tensor:
        return torch.exp(self.log_mean + self.log_deviation * randn((count,), generators))

    def mix(self, clean: torch.Tensor, noise: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        return clean + _wide(level) * noise

    def denoise(self, network: Network, noisy: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        """D = c_skip x + c_out F(c_in x; c_noise), eq. 7 of Karras et al. with c_skip = 1 / (sigma^2 + 1),
        c_out = -sigma / sqrt(sigma^2 + 1), c_in = 1 / sqrt(sigma^2 + 1), c_noise = ln(sigma) / 4 (SVD, appendix D)."""
        sigma = _wide(level)
        scale = (sigma**2 + 1).rsqrt()
        output = network(noisy * scale, level.log() / 4).float()
        return noisy * scale**2 - output * sigma * scale

    def weight(self, level: torch.Tensor) -> torch.Tensor:
        """lambda(sigma) = (1 + sigma^2) / sigma^2, which makes the loss of F uniform: 1 / c_out^2."""
        return 1 + level**-2

    def schedule(self, steps: int) -> torch.Tensor:
        """Eq. 5 of Karras et al., then 0."""
        ends = torch.tensor([self.highest, self.lowest], dtype=torch.float64) ** (1 / self.rho)
        ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
        return torch.cat([(ends[0] + ramp * (ends[1] - ends[0])) ** self.rho, ramp.new_zeros(1)]).float()


@dataclasses.dataclass(frozen=True)
class FlowMatching(Objective):
    """x_t = (1 - t) clean + t noise (Liu et al. 2023; Lipman et al. 2023), levels as in Esser et al. 2024."""

    name = "flow"
    predicts: str = "velocity"
    """What the network gives: ``velocity`` (noise less clean: Wan's), or ``clean`` latents (``small``'s: one step of
    sampling is then the regression's mean, and more steps add detail)."""
    shift: float = 3.0
    """t -> shift t / (1 + (shift - 1) t), in training and sampling: towards noise for larger pictures (eq. 23 of Esser
    et al.; Wan takes 3 at 480p and 5 at 720p)."""
    noise_share: float = 0.0
    """Share of clips that are trained from nothing but noise, where a single step starts."""
    floor: float = 0.05
    """t below which the loss stops weighing the denoised error by 1 / t^2, that of the velocity by 1."""

    def __post_init__(self) -> None:
        if self.predicts not in ("velocity", "clean"):
            raise SpecError(f"predicts: got {self.predicts!r}, may be velocity or clean")
        if self.shift <= 0 or not 0 <= self.noise_share <= 1 or not 0 < self.floor <= 1:
            raise SpecError(f"flow: got {self}, expected shift > 0, noise_share in [0, 1], floor in (0, 1]")

    def draw_levels(self, count: int, generators: Generators) -> torch.Tensor:
        """Logit-normal (eq. 19 of Esser et al.), shifted."""
        level = self._shifted(torch.sigmoid(randn((count,), generators)))
        return torch.where(rand(count, generators) < self.noise_share, torch.ones_like(level), level)

    def mix(self, clean: torch.Tensor, noise: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        return (1 - _wide(level)) * clean + _wide(level) * noise

    def denoise(self, network: Network, noisy: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        output = network(noisy, level).float()
        return output if self.predicts == "clean" else noisy - _wide(level) * output

    def weight(self, level: torch.Tensor) -> torch.Tensor:
        return level.clamp_min(self.floor) ** -2

    def schedule(self, steps: int) -> torch.Tensor:
        return self._shifted(torch.linspace(1, 0, steps + 1))

    def _shifted(self, level: torch.Tensor) -> torch.Tensor:
        return self.shift * level / (1 + (self.shift - 1) * level)


OBJECTIVES: dict[str, type[Objective]] = {kind.name: kind for kind in (Edm, FlowMatching)}


def randn(shape: Sequence[int], generators: Generators) -> torch.Tensor:
    """Standard normal values; of several generators, each gives one entry of the first axis."""
    return _draw(torch.randn, shape, generators)


def rand(count: int, generators: Generators) -> torch.Tensor:
    """(count,) uniform values in [0, 1)."""
    return _draw(torch.rand, (count,), generators)


def _draw(kind: Callable[..., torch.Tensor], shape: Sequence[int], generators: Generators) -> torch.Tensor:
    if isinstance(generators, torch.Generator):
        return kind(tuple(shape), generator=generators, device=generators.device)
    if len(generators) != shape[0]:
        raise SpecError(f"generator: got {len(generators)}, expected one, or one for each of {shape[0]} clips")
    size = math.prod(shape[1:])
    return torch.stack([kind((size,), generator=one, device=one.device).view(tuple(shape[1:])) for one in generators])


def _wide(level: torch.Tensor) -> torch.Tensor:
    """(B, 1, 1, 1, 1)."""
    return level.view(-1, 1, 1, 1, 1)
