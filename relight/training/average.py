"""The exponential moving average of the weights, which samples better than any one step's (Karras et al. 2024)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


class Average:
    """An average of the parameters of a module that are trained, each where its parameter lives (maybe as a shard)."""

    def __init__(self, module: torch.nn.Module, decay: float):
        """decay: share of the average that is kept at each step, in [0, 1); smaller in the first steps."""
        self._decay = decay
        self._parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        self._values = [parameter.detach().clone() for parameter in self._parameters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the parameters after ``step`` steps."""
        decay = min(self._decay, (1 + step) / (10 + step))  # so that the first weights are soon forgotten
        for average, parameter in zip(self._values, self._parameters, strict=True):
            average.lerp_(parameter.detach(), 1 - decay)

    @contextlib.contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Within the block the module has the averaged weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for average, parameter in zip(self._values, self._parameters, strict=True):
            kept = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(kept)
