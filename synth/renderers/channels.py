"""What every renderer makes of its pictures: the data contract's channels, checked. Plain numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from assets.errors import RenderError
from synth.camera.camera import Camera
from synth.channels import lighting_channel


def geometry_channels(buffer: Mapping[str, np.ndarray], alpha: np.ndarray, flow: np.ndarray,
                      camera: Camera) -> dict[str, np.ndarray]:
    """The channels that light does not touch, float32; see :data:`synth.channels.CHANNELS` for units and frames.

    buffer: (H, W) ``part``, below 0 off the subject, and (H, W, 3) ``position``, ``normal``, ``albedo`` there.
    """
    inside = buffer["part"] >= 0
    position = np.where(inside[..., None], buffer["position"], 0)
    normal = np.where(inside[..., None], buffer["normal"], 0)
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    _, depth = camera.project(position)
    return {
        "alpha": alpha,
        "albedo": np.where(inside[..., None], buffer["albedo"], 0).astype(np.float32),
        "normal": (normal / np.where(length > 0, length, 1)).astype(np.float32),
        "depth": np.where(inside, depth, 0).astype(np.float32),
        "position": position.astype(np.float32),
        "flow": flow,
    }


def light_channels(flat: np.ndarray, rgb: Sequence[np.ndarray],
                   specular: Sequence[np.ndarray] | None) -> dict[str, np.ndarray]:
    """The channels that light decides from (H, W, 3) pictures: one, L, and L or none."""
    channels = {"flat": flat}
    for number, image in enumerate(rgb):
        channels[lighting_channel("rgb", number)] = image
        if specular is not None:
            channels[lighting_channel("diffuse", number)] = image - specular[number]
            channels[lighting_channel("specular", number)] = specular[number]
    return channels


def require_finite(channels: Mapping[str, np.ndarray], index: int) -> None:
    """RenderError where a channel of frame ``index`` holds a value that is no number."""
    for name, image in channels.items():
        bad = np.count_nonzero(~np.isfinite(image))
        if bad:
            raise RenderError(f"frame {index}, channel {name}: {bad} values are not finite")
