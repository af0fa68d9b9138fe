"""What passes between data, conditioning and models: a batch of portrait clips, each under two lights.

All pictures are *photographs*: display values in [0, 1] as an 8-bit file holds them, after one camera's exposure, white
balance and response. B clips, T frames, H x W pixels; channels come before rows.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclasses.dataclass(frozen=True, eq=False)
class PortraitBatch:
    """One performance, one camera position, two lights. float32 tensors; those that a stage has no use for may be None,
    where a loader reads for that stage alone."""

    source: torch.Tensor
    """(B, T, 3, H, W): the video that is given: under the source light, before its background, sensor noise and all."""
    flat: torch.Tensor
    """(B, T, 3, H, W): the delit target: sRGB of the foreground's radiance in a white world of radiance 1, times alpha
    (premultiplied before the curve), black elsewhere. No exposure or balance: 1 is a white card."""
    alpha: torch.Tensor
    """(B, T, 1, H, W): coverage in [0, 1]."""
    target: torch.Tensor
    """(B, T, 3, H, W): the same under the target light, before ``background``, without noise."""
    background: torch.Tensor
    """(B, T, 3, H, W): the target environment as the camera sees it, whole, through the target's exposure, balance
    and response: it tells exposure and colour tone."""
    light_ldr: torch.Tensor
    """(B, T, 3, h, 2h): the target environment in camera space, extended Reinhard with white 16, sRGB curve."""
    light_log: torch.Tensor
    """(B, T, 3, h, 2h): the same, log1p(x) / log1p(1e4): a constant, never a map's own maximum."""
    light_direction: torch.Tensor
    """(B, T, 3, h, 2h): unit vectors of the texels, camera axes (x right, y up, looking along -z)."""
    exposure: torch.Tensor
    """(B, T): stops of the target's exposure over scene-linear radiance."""

    def __len__(self) -> int:
        return len(self.exposure)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> PortraitBatch:
        """The same on a device, pictures and maps in ``dtype``."""
        return PortraitBatch(**{name: None if value is None else value.to(device, dtype, non_blocking=True)
                                for name, value in vars(self).items()})


@dataclasses.dataclass(frozen=True)
class Stage:
    """What one of the two models is given, and what it makes."""

    name: str
    """``delight`` or ``relight``."""
    inputs: tuple[str, ...]
    """Pictures of the batch that condition it; those of one channel are repeated to three."""
    outputs: tuple[str, ...]
    """Pictures of the batch that it predicts, each with latents of its own."""
    lit: bool
    """Whether light maps and exposure condition it."""


STAGES = {stage.name: stage for stage in (
    Stage("delight", ("source",), ("flat", "alpha"), False),
    Stage("relight", ("flat", "alpha", "background"), ("target",), True),
)}
