"""What there is without a relighter: the given video as it is, or with other colours throughout.

Of one batch each makes (B, T, 3, H, W) float32 display values in [0, 1].
"""

from __future__ import annotations

import torch

from relight.batch import PortraitBatch

_DARKEST = 1 / 255
"""Cone response below which the logarithm is cut off: one step of 8 bits, where a clipped shadow tells nothing."""
_LMS = torch.tensor([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
"""Linear RGB to the responses of the eye's cones (Reinhard et al. 2001, eq. 4)."""
_OPPONENT = (torch.diag(torch.tensor([1 / 3, 1 / 6, 1 / 2]).sqrt())
             @ torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, -2.0], [1.0, -1.0, 0.0]]))
"""Logarithms of these to l (light or dark), alpha (yellow or blue), beta (red or green) (eq. 6)."""


def do_nothing(batch: PortraitBatch) -> torch.Tensor:
    """The given video."""
    return batch.source


def colour_transfer(batch: PortraitBatch) -> torch.Tensor:
    """Reinhard, Ashikhmin, Gooch and Shirley, Color Transfer between Images, 2001: in l alpha beta, mean and standard
    deviation of the given video become those of the target's background, the only picture of the new place there is.
    """
    everywhere = torch.ones_like(batch.alpha)
    return _transfer(batch.source, everywhere, batch.background, everywhere)


def true_grade(batch: PortraitBatch) -> torch.Tensor:
    """The same transfer from the person to the true person, whom no user has: about as far as one grade for the whole
    picture can go. What is better must have moved the light."""
    return _transfer(batch.source, batch.alpha, batch.target, batch.alpha)


def _transfer(pictures: torch.Tensor, weight: torch.Tensor, like: torch.Tensor, like_weight: torch.Tensor
              ) -> torch.Tensor:
    """Pictures with the statistics of others, both of the whole window, so that nothing flickers."""
    lab = _to_lab(pictures)
    mean, deviation = _statistics(lab, weight)
    new_mean, new_deviation = _statistics(_to_lab(like), like_weight)
    return _from_lab((lab - mean) * (new_deviation / deviation.clamp_min(1e-6)) + new_mean)


def _statistics(values: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each clip's channels, (B, 1, 3, 1, 1), weighted by (B, T, 1, H, W)."""
    across = (1, 3, 4)
    total = weight.sum(across, keepdim=True).clamp_min(1e-6)
    mean = (values * weight).sum(across, keepdim=True) / total
    return mean, (((values - mean).square() * weight).sum(across, keepdim=True) / total).sqrt()


def _to_lab(display: torch.Tensor) -> torch.Tensor:
    """l alpha beta of display values, taken for sRGB."""
    linear = torch.where(display <= 0.04045, display / 12.92, ((display + 0.055) / 1.055) ** 2.4)
    return _mix(_OPPONENT, torch.log10(_mix(_LMS, linear).clamp_min(_DARKEST)))


def _from_lab(lab: torch.Tensor) -> torch.Tensor:
    """Display values of l alpha beta, cut off at 0 and 1."""
    linear = _mix(_LMS.inverse(), 10 ** _mix(_OPPONENT.inverse(), lab)).clamp(0, 1)
    return torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp_min(1e-12) ** (1 / 2.4) - 0.055)


def _mix(matrix: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
    """A (3, 3) matrix over the channels."""
    return torch.einsum("dc,btchw->btdhw", matrix.to(pictures), pictures)
