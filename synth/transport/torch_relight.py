"""Relighting with torch tensors, on any device; differentiable with respect to the light.

The only module of this package that imports torch.
"""

from __future__ import annotations

import numpy as np
import torch

from assets.errors import SpecError
from synth.transport.response import Transport, mirror_matrix


class TorchTransport:
    """A :class:`~synth.transport.response.Transport` on a device.

    Example::

        transport = TorchTransport(frame, "cuda")
        images = transport.relight(lights, maps)
    """

    def __init__(self, transport: Transport, device: str | torch.device = "cpu") -> None:
        """Moves all of the transport to ``device``; on the CPU the responses share its memory."""
        self.transport = transport
        self.device = torch.device(device)
        self.pixels = torch.from_numpy(transport.pixels.astype(np.int64)).to(self.device)
        self.response = _move(transport.response, self.device)
        self.specular = None if transport.specular is None else _move(transport.specular, self.device)
        self._mirrors: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def relight(self, lights: torch.Tensor, maps: torch.Tensor | None = None, specular: bool = False) -> torch.Tensor:
        """(L, H, W, 3) float32 images under L lights, as :func:`synth.transport.response.relight` gives them.

        lights: (L, D, 3) float32 on this device. maps: the environment maps (L, h, 2h, 3) float32 that the mirror looks
        up; None leaves it out. specular: give the specular part alone. A SpecError where these do not fit.
        """
        source, matrix = self.transport, self.specular if specular else self.response
        if matrix is None:
            raise SpecError("specular: this transport was computed without its specular part, expected one that has it")
        if lights.ndim != 3 or lights.shape[1:] != (source.basis.size, 3):
            raise SpecError(f"lights: got shape {tuple(lights.shape)}, expected (L, {source.basis.size}, 3)")
        # A view of one channel is what BLAS calls a matrix with a leading dimension of 3 D: nothing is copied.
        planes = lights.permute(2, 0, 1).contiguous() @ matrix.permute(1, 2, 0)
        images = planes.new_zeros(len(lights), source.height * source.width, 3)
        images.index_copy_(1, self.pixels, planes.permute(1, 2, 0).contiguous())
        if maps is not None and source.mirror is not None:
            pixels, gain = self._mirror(_checked_height(maps, len(lights)))
            texels = maps.reshape(len(maps), -1, 3).transpose(0, 1).flatten(1)
            seen = torch.sparse.mm(gain, texels).unflatten(1, (-1, 3)).transpose(0, 1)
            images.index_add_(1, pixels, seen)
        return images.unflatten(1, (source.height, source.width))

    def _mirror(self, height: int) -> tuple[torch.Tensor, torch.Tensor]:
        """:func:`~synth.transport.response.mirror_matrix` on the device, kept for each height of maps."""
        if height not in self._mirrors:
            pixels, gain = mirror_matrix(self.transport.mirror, height)
            gain = gain.tocoo()
            indices = torch.from_numpy(np.stack([gain.row, gain.col]).astype(np.int64))
            tensor = torch.sparse_coo_tensor(indices, torch.from_numpy(gain.data), gain.shape, check_invariants=True)
            self._mirrors[height] = torch.from_numpy(pixels.astype(np.int64)).to(self.device), tensor.to(self.device)
        return self._mirrors[height]


def _move(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """The array on a device; torch wants memory that it may write, and does not."""
    return torch.from_numpy(array if array.flags.writeable else array.copy()).to(device)


def _checked_height(maps: torch.Tensor, count: int) -> int:
    """Rows of the maps, or a SpecError."""
    height = maps.shape[1] if maps.ndim == 4 else 0
    if maps.shape != (count, height, 2 * height, 3):
        raise SpecError(f"maps: got a tensor of shape {tuple(maps.shape)}, expected ({count}, h, 2h, 3)")
    return height
