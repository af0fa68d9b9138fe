"""The part of a picture that a sample shows, at the size of training: pictures are filtered, rays are exact."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import torch

from synth.camera.camera import Camera


@dataclasses.dataclass(frozen=True)
class View:
    """A rectangle of a camera's picture, at a size of its own. Edges are in the camera's pixels, x right, y down."""

    left: float
    top: float
    right: float
    bottom: float
    width: int
    """Columns of what is seen of it."""
    height: int
    """Rows of what is seen of it."""

    @classmethod
    def draw(cls, rng: np.random.Generator, picture: tuple[int, int], size: tuple[int, int], least: float) -> View:
        """A random crop of a picture (width, height) with the aspect of ``size`` (width, height).

        Its sides are at least ``least`` of those of the largest such crop; where all of the width, or of the height,
        is kept, it lies anywhere along the other.
        """
        scale = min(picture[0] / size[0], picture[1] / size[1])
        share, across, down = rng.uniform(least, 1), rng.random(), rng.random()
        width, height = share * scale * size[0], share * scale * size[1]
        left, top = across * (picture[0] - width), down * (picture[1] - height)
        return cls(left, top, left + width, top + height, *size)

    def rays(self, camera: Camera) -> np.ndarray:
        """(height, width, 3) float32 directions through the centres of its pixels, camera axes, not of unit length."""
        pixel = np.tan(np.radians(camera.fov_x) / 2) * 2 / camera.width
        x = self.left + (np.arange(self.width) + 0.5) * (self.right - self.left) / self.width - camera.width / 2
        y = self.top + (np.arange(self.height) + 0.5) * (self.bottom - self.top) / self.height - camera.height / 2
        rays = np.empty((self.height, self.width, 3), np.float32)
        rays[..., 0], rays[..., 1], rays[..., 2] = x * pixel, -y[:, None] * pixel, -1
        return rays

    def crop(self, image: np.ndarray) -> np.ndarray:
        """A linear image (H, W[, C]) of the camera, float32, as (height, width[, C]): what it shows of it, filtered."""
        rows, columns = image.shape[:2]
        if (self.left, self.top, self.right, self.bottom) == (0, 0, self.width, self.height) == (0, 0, columns, rows):
            return image
        down = _weights(rows, self.top, self.bottom, self.height) @ torch.from_numpy(image).reshape(rows, -1)
        across = _weights(columns, self.left, self.right, self.width) @ down.reshape(self.height, columns, -1)
        return across.reshape(self.height, self.width, *image.shape[2:]).numpy()


@functools.lru_cache(maxsize=32)
def _weights(source: int, start: float, stop: float, count: int) -> torch.Tensor:
    return torch.from_numpy(filter_weights(source, start, stop, count))


def tent(distance: np.ndarray) -> np.ndarray:
    """Bilinear interpolation's kernel, at distances in samples."""
    return np.maximum(1 - distance, 0)


def filter_weights(source: int, start: float, stop: float, count: int,
                   kernel: Callable[[np.ndarray], np.ndarray] = tent) -> np.ndarray:
    """(count, source) float32: what each new pixel between two places takes of the old ones; rows sum to 1.

    Kernels are as wide as a new pixel asks for, or an old one if that is larger.
    """
    step = (stop - start) / count
    centres = start + (np.arange(count) + 0.5) * step
    distance = np.abs(centres[:, None] - (np.arange(source) + 0.5)) / max(step, 1.0)
    weights = kernel(distance)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
