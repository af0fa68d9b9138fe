"""Environment maps: radiance from every direction, and the operations that keep its power and its orientation."""

from __future__ import annotations

import dataclasses
import functools
import math
from pathlib import Path

import numpy as np

from assets.errors import AssetError, SpecError
from assets.images import HALF_MAX
from synth.lighting import sphere
from synth.lighting.sphere import LUMINANCE, directions, rotation_from_euler, solid_angles

__all__ = ["EnvMap", "directions", "rotation_from_euler", "solid_angles"]


@dataclasses.dataclass(frozen=True, eq=False)
class EnvMap:
    """Distant light, in world axes. Compared by identity, so that frames which share a map can be rendered once."""

    data: np.ndarray
    """(H, 2H, 3) float32, scene-linear Rec.709 radiance, finite and >= 0; row 0 is +Y, the centre column is -Z and the
    right half is +X (see :mod:`synth.lighting.sphere`). Read-only."""

    def __post_init__(self) -> None:
        problem = _problem(self.data)
        if problem:
            raise AssetError(f"environment map: {problem}")
        data = np.ascontiguousarray(self.data).view()
        data.flags.writeable = False
        object.__setattr__(self, "data", data)

    @classmethod
    def load(cls, path: str | Path) -> EnvMap:
        """Read a ``.hdr``, ``.exr`` or ``.npy`` map in this project's convention, which is the usual one of HDRIs."""
        from assets.images import read_hdr

        data = read_hdr(Path(path))
        problem = _problem(data)
        if problem:
            raise AssetError(f"{path}: {problem}")
        return cls(data)

    def save(self, path: str | Path) -> None:
        """Write float32 ``.exr`` or ``.npy`` (lossless), or ``.hdr`` (8 bits of mantissa, for other programs)."""
        from assets import images

        writers = {".exr": images.write_exr, ".hdr": images.write_hdr, ".npy": images.write_npy}
        path = Path(path)
        if path.suffix.lower() not in writers:
            raise AssetError(
                f"{path}: cannot write a map as {path.suffix or 'a file without suffix'!r}, "
                f"expected one of {', '.join(writers)}"
            )
        writers[path.suffix.lower()](path, self.data)

    @property
    def height(self) -> int:
        """Rows; there are twice as many columns."""
        return self.data.shape[0]

    # --- changes -------------------------------------------------------------------------------------------------

    def rotated(self, rotation: np.ndarray) -> EnvMap:
        """The light turned by a (3, 3) world rotation R: radiance(d) = this(R^T d). Power is preserved exactly.

        The identity returns this map, a yaw by whole columns moves whole columns, other yaws mix neighbours; any
        other rotation carries lamps (a sun, bulbs) over one by one and averages bilinear look-ups over the area of each
        texel for the rest.
        """
        rotation = sphere.check_rotation(rotation)
        if rotation[1, 1] > 1 - 1e-12:  # about Y alone: phi falls as yaw grows
            columns = -math.atan2(rotation[0, 2], rotation[0, 0]) * self.height / math.pi
            if abs(columns - round(columns)) < 1e-6:
                columns = round(columns)
            return self if columns == 0 else EnvMap(sphere.shift_columns(self.data, columns))
        prepared, lamps, excess = self._prepared
        turned = sphere.rotate(prepared, rotation)
        if len(lamps):
            turned += sphere.rotate_lamps(self.height, lamps, excess, rotation)
        # A rotation cannot change the power: remove what error the samples leave.
        power = (turned.mean(axis=1, dtype=np.float64) * solid_angles(self.height)).sum(axis=0)
        power *= 2 * self.height / (4 * math.pi)
        turned *= np.divide(self.mean, power, out=np.ones(3), where=power > 0).astype(np.float32)
        return EnvMap(turned)

    def resized(self, height: int) -> EnvMap:
        """The map at another number of rows: area means by solid angle, so that power is preserved up and down."""
        if height < 2:
            raise SpecError(f"height: {height} rows cannot hold a map, expected 2 or more")
        return self if height == self.height else EnvMap(sphere.resize(self.data, height))

    def exposed(self, stops: float) -> EnvMap:
        """The light brighter by a number of stops (each doubles it)."""
        return self if stops == 0 else EnvMap(self.data * np.float32(2.0**stops))

    def tinted(self, rgb: np.ndarray | tuple[float, float, float]) -> EnvMap:
        """The light through a filter of linear Rec.709 transmittance ``rgb`` (3,), which may exceed 1."""
        return EnvMap(self.data * np.asarray(rgb, np.float32))

    @functools.cached_property
    def _prepared(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The map for :func:`sphere.rotate` and the lamps for :func:`sphere.rotate_lamps`, kept because a sequence
        turns one map many times."""
        rest, lamps, excess = sphere.split_lamps(self.data)
        return sphere.pad(sphere.widen_poles(rest)), lamps, excess

    # --- measures ------------------------------------------------------------------------------------------------

    @functools.cached_property
    def mean(self) -> np.ndarray:
        """(3,) float64 mean radiance over the sphere, solid-angle weighted."""
        rows = self.data.mean(axis=1, dtype=np.float64)
        return (rows * solid_angles(self.height)).sum(axis=0) * (2 * self.height / (4 * math.pi))

    @property
    def luminance(self) -> np.ndarray:
        """(H, 2H) float32 Rec.709 luminance."""
        return self.data @ LUMINANCE.astype(np.float32)

    @property
    def peak_over_mean(self) -> float:
        """Brightest texel over the mean, in luminance: 1 is uniform, clear sun is above 1000. 0 for a black map."""
        mean = float(self.mean @ LUMINANCE)
        return float(self.luminance.max()) / mean if mean > 0 else 0.0

    @property
    def dominant_direction(self) -> np.ndarray:
        """(3,) float64 unit world direction that the light comes from on the whole: its mean, by luminance.

        That is the linear band of its spherical harmonics. Zero where light comes evenly from all sides.
        """
        weight = self.luminance * solid_angles(self.height)
        moment = np.einsum("hw,hwc->c", weight, directions(self.height), dtype=np.float64)
        length = np.linalg.norm(moment)
        return moment / length if length > 1e-5 * weight.sum() else np.zeros(3)

    @property
    def clipped_fraction(self) -> float:
        """Fraction of texels that look clipped: several at exactly a channel's maximum, or any near half's maximum.

        A flat top in a photograph means that the sensor or the file format could not hold more. In a synthetic map it
        can also be an evenly lit emitter.
        """
        peak = self.data.max(axis=(0, 1))
        at_peak = (self.data >= peak) & (peak > self.data.min(axis=(0, 1)))
        at_peak &= at_peak.sum(axis=(0, 1)) > 1  # one brightest texel is only a maximum
        return float((at_peak | (self.data >= 0.99 * HALF_MAX)).any(axis=-1).mean())

    def irradiance(self, normal: np.ndarray) -> np.ndarray:
        """(..., 3) float64 irradiance on surfaces facing unit world ``normal`` (..., 3): pi in a uniform map of 1."""
        normal = np.asarray(normal, np.float64)
        cosine = np.maximum(normal.reshape(-1, 3) @ directions(self.height).reshape(-1, 3).T.astype(np.float64), 0)
        power = (self.data * solid_angles(self.height)[..., None]).reshape(-1, 3)
        return (cosine @ power).reshape(normal.shape)

    def look_up(self, vectors: np.ndarray) -> np.ndarray:
        """(..., 3) float32 radiance from world directions (..., 3) of any length, bilinear, seamless over the poles."""
        row, column = sphere.to_texels(np.asarray(vectors), self.height)
        return sphere.interpolate(sphere.pad(self.data), row, column)


def _problem(data: np.ndarray) -> str | None:
    """Why an array cannot be an environment map, or None."""
    if not isinstance(data, np.ndarray) or data.ndim != 3 or data.shape[2] != 3:
        return f"array of shape {np.shape(data)}, expected (H, 2H, 3)"
    height, width = data.shape[:2]
    if width != 2 * height or height < 2:
        return f"{width} x {height} pixels, expected an equirectangular map twice as wide as high"
    if data.dtype != np.float32:
        return f"values of type {data.dtype}, expected float32"
    for fault, bad in (("not finite", ~np.isfinite(data)), ("negative", data < 0)):
        if bad.any():
            row, column, channel = (int(i) for i in np.argwhere(bad)[0])
            return (
                f"radiance at row {row}, column {column} is {data[row, column, channel]} ({fault}, as are "
                f"{int(bad.sum())} values in all), expected finite numbers >= 0"
            )
    return None
