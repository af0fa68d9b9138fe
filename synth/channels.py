"""The data contract's channels: names, depths and meanings, shared by renderers, writer, reader and trainer.

World: metres, right-handed, +Y up, the head faces +Z. Colours: scene-linear Rec.709, never normalised.
``rgb``, ``diffuse``, ``specular`` and ``flat`` hold the foreground only, premultiplied by coverage; whoever wants a
background composites ``rgb + (1 - alpha) * background``. Geometry is sampled at the pixel centre, not anti-aliased.
"""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Channel:
    """One kind of image that a frame holds."""

    name: str
    """Name in the EXR part and in the reader."""
    components: tuple[str, ...]
    """Component names, in order; an array is (H, W, len(components)), or (H, W) where there is one."""
    dtype: np.dtype
    """Depth in the master: float16 for colour (float32 where a value exceeds half's range), float32 for geometry."""
    per_lighting: bool
    """Whether there is one image a lighting (named ``rgb.003``) or one a frame."""
    meaning: str
    """Unit, space and frame."""


_HALF, _FLOAT = np.dtype(np.float16), np.dtype(np.float32)
_RGB = ("R", "G", "B")
_XYZ = ("X", "Y", "Z")

CHANNELS: dict[str, Channel] = {
    channel.name: channel
    for channel in (
        Channel("rgb", _RGB, _HALF, True, "radiance of the foreground, premultiplied"),
        Channel("diffuse", _RGB, _HALF, True, "part of rgb whose path left the first hit by its diffuse lobe"),
        Channel("specular", _RGB, _HALF, True, "the rest of rgb: diffuse + specular = rgb"),
        Channel("flat", _RGB, _HALF, False, "rgb under a uniform environment of radiance 1: the delit target"),
        Channel("alpha", ("A",), _HALF, False, "coverage in [0, 1], anti-aliased"),
        Channel("albedo", _RGB, _HALF, False, "diffuse reflectance at the pixel centre, 0 off the subject"),
        Channel("normal", _XYZ, _FLOAT, False, "unit shading normal, world axes, 0 off the subject"),
        Channel("depth", ("Z",), _FLOAT, False, "metres along the camera's viewing axis (planar), 0 off the subject"),
        Channel("position", _XYZ, _FLOAT, False, "metres, world axes, 0 off the subject"),
        Channel("flow", ("X", "Y"), _FLOAT, False,
                "pixels (right, down) from this frame to where the point is in the next; 0 in the last frame"),
    )
}


def lighting_channel(name: str, lighting: int) -> str:
    """Name of a per-lighting image, e.g. ``rgb.003``."""
    return f"{name}.{lighting:03d}"


def frame_channel_names(lightings: int, lobes: bool = True) -> tuple[str, ...]:
    """Every image a frame with ``lightings`` lightings holds, in file order."""
    names = []
    for channel in CHANNELS.values():
        if not channel.per_lighting:
            names.append(channel.name)
        elif lobes or channel.name == "rgb":
            names.extend(lighting_channel(channel.name, i) for i in range(lightings))
    return tuple(names)


def describe(name: str) -> Channel:
    """The channel that an image name such as ``rgb.003`` or ``depth`` belongs to."""
    base = name.split(".")[0]
    if base not in CHANNELS or CHANNELS[base].per_lighting != ("." in name):
        raise KeyError(f"channel: {name!r} is not one of {', '.join(CHANNELS)} (per lighting: 'rgb.000')")
    return CHANNELS[base]
