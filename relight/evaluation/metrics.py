"""How near pictures are to the truth, on the person alone: the background was given, and anyone can copy it.

All take videos of one clip or of several, (B, T, C, H, W) float32 display values in [0, 1], and coverage ``alpha``
(B, T, 1, H, W) in [0, 1], by which pixels count; they return (B,) float32, one figure for each clip's whole window.
"""

from __future__ import annotations

import torch
from torchmetrics.functional.image import structural_similarity_index_measure

LEAST_ERROR = 1e-10
"""Mean square error below which pictures count as equal: 100 dB."""


def foreground_psnr(pictures: torch.Tensor, truth: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """Decibels of the mean square error, weighted by coverage; at most 100. 0 is a white person that should be black.
    """
    error = _mean((pictures - truth).square(), alpha)
    return -10 * torch.log10(error.clamp_min(LEAST_ERROR))


def foreground_ssim(pictures: torch.Tensor, truth: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """Structural similarity (Wang et al. 2004: Gaussian window of 11, sigma 1.5) of each channel, its map weighted by
    coverage. Both sides stand before black, so that windows across the outline see nothing of a background."""
    clips = len(truth)
    height, width = truth.shape[-2:]
    if min(height, width) < 11:
        raise ValueError(f"pictures: {width}x{height}, SSIM looks at windows of 11x11")
    _, similarity = structural_similarity_index_measure(
        (pictures * alpha).flatten(0, 1), (truth * alpha).flatten(0, 1), data_range=1.0, return_full_image=True)
    return _mean(similarity.unflatten(0, (clips, -1)), alpha)


def fitted(pictures: torch.Tensor, truth: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """Pictures times a factor for each channel of each clip, the one that brings the person nearest to the truth (least
    squares of display values), cut off at 1.

    Some report their figures after such a fit. It forgives wrong exposure and tint, which a relighter is there to get
    right, so its figures stand beside the others and never in their place.
    """
    across = (1, 3, 4)
    covariance = (alpha * pictures * truth).sum(across, keepdim=True)
    energy = (alpha * pictures.square()).sum(across, keepdim=True)
    return (pictures * covariance / energy.clamp_min(1e-12)).clamp(0, 1)


def alpha_error(made: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of coverage over all pixels."""
    return (made - alpha).abs().flatten(1).mean(dim=1)


def alpha_overlap(made: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """Intersection over union of the pixels that are covered by half or more; 1 where neither covers any."""
    one, two = (made >= 0.5).flatten(1), (alpha >= 0.5).flatten(1)
    union = (one | two).sum(dim=1)
    return torch.where(union > 0, (one & two).sum(dim=1) / union.clamp_min(1), 1.0)


def _mean(values: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """(B,) mean over frames, channels and pixels, each pixel counted by its coverage."""
    total = (values * alpha).flatten(1).sum(dim=1)
    return total / (alpha.flatten(1).sum(dim=1) * values.shape[2]).clamp_min(1e-6)
