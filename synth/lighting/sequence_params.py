"""Parameters of each kind of lighting sequence."""

from __future__ import annotations

import pydantic

Angles = tuple[float, float, float]
RGB = tuple[pydantic.PositiveFloat, pydantic.PositiveFloat, pydantic.PositiveFloat]


class StillParams(pydantic.BaseModel):
    """One map for all frames. The other kinds start from it."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)
    rotation: Angles = (0.0, 0.0, 0.0)
    """Yaw, pitch and roll of the map, degrees, as in :func:`synth.lighting.sphere.rotation_from_euler`."""
    stops: float = pydantic.Field(0.0, ge=-20, le=20)
    """Exposure of the map: each stop doubles its light."""


class RotateParams(StillParams):
    """The world turns about a fixed axis, from ``rotation`` on."""

    axis: Angles = (0.0, 1.0, 0.0)
    """World axis, of any length but 0."""
    speed: float
    """Degrees a second, right-handed about the axis."""

    @pydantic.field_validator("axis")
    @classmethod
    def _has_length(cls, axis: Angles) -> Angles:
        if not any(axis):
            raise ValueError("an axis of length 0 has no direction")
        return axis


class MoveKeyParams(StillParams):
    """A soft box swings to and fro over a map that stays."""

    start: tuple[float, float]
    """Azimuth and elevation, degrees, at time 0; azimuth 0 is before the face, +90 is +X."""
    end: tuple[float, float]
    """Azimuth and elevation half a period later."""
    period: float = pydantic.Field(gt=0)
    """Seconds until it is back."""
    half_size: float = pydantic.Field(12.0, gt=0, le=60)
    """Half its width and height, degrees."""
    ratio: float = pydantic.Field(3.0, gt=0)
    """Its irradiance on a surface that faces it, over the map's mean (pi times the mean radiance)."""
    colour: RGB = (1.0, 1.0, 1.0)
    """Linear Rec.709; only its ratios matter."""


class CrossFadeParams(StillParams):
    """From the first map in the first frame to the second map in the last, eased."""

    end_rotation: Angles = (0.0, 0.0, 0.0)
    """Rotation of the second map."""
    end_stops: float = pydantic.Field(0.0, ge=-20, le=20)
    """Exposure of the second map."""


class FlickerParams(StillParams):
    """The map's brightness wavers: a few slow waves, as of a fire or a faulty tube, and mains ripple on top."""

    frequencies: tuple[pydantic.NonNegativeFloat, ...]
    """Of the waves, Hz; keep them under half the frame rate."""
    amplitudes: tuple[float, ...]
    """Of the waves, stops."""
    phases: tuple[float, ...]
    """Of the waves at time 0, radians."""
    mains: float = pydantic.Field(0.0, ge=0)
    """Ripple frequency, Hz: twice the mains, 100 or 120. It beats with the frame rate, as it does in a camera."""
    mains_depth: float = pydantic.Field(0.0, ge=0, le=1)
    """Ripple amplitude as a share of the light."""
    shutter: float = pydantic.Field(0.5, ge=0, le=1)
    """Exposure time over frame time; a longer one averages the ripple away."""

    @pydantic.model_validator(mode="after")
    def _same_length(self) -> FlickerParams:
        if not len(self.frequencies) == len(self.amplitudes) == len(self.phases):
            raise ValueError("frequencies, amplitudes and phases need one number a wave each")
        return self


class ColourSweepParams(StillParams):
    """The map's tint goes from one colour to another and back, at constant luminance of the tint."""

    start: RGB
    """Tint at time 0, linear Rec.709; only its ratios matter."""
    end: RGB
    """Tint half a period later."""
    period: float = pydantic.Field(gt=0)
    """Seconds until it is back."""


class FolderParams(StillParams):
    """One file a frame from a folder, in natural order of names; starts again if the clip is longer."""

    path: str
    """The folder."""


PARAMS: dict[str, tuple[type[StillParams], int]] = {
    "still": (StillParams, 1),
    "rotate": (RotateParams, 1),
    "move_key": (MoveKeyParams, 1),
    "cross_fade": (CrossFadeParams, 2),
    "flicker": (FlickerParams, 1),
    "colour_sweep": (ColourSweepParams, 1),
    "folder": (FolderParams, 1),
}
"""Of each kind, its parameters and how many library maps it is made from."""
