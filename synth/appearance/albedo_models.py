"""Statistical models of facial albedo in FLAME's texture coordinates: AlbedoMM, FLAME's texture space, BFM's.

All three are a mean and principal components. AlbedoMM (Smith et al. 2020) is measured reflectance, linear; the others
are colours of photographs with their light averaged out, sRGB.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from assets.errors import AssetError
from assets.files import one_line
from assets.npz_members import npz_shapes, read_npz_member
from synth.heads.head import HeadModel

COMPONENTS = 50
"""Components that are read; what follows is noise and would cost a gigabyte."""
_LARGEST = 1024
"""Texels a side."""
_ALBEDO_MM = 145
"""Components of AlbedoMM: tells it from BFM's 199, which has the same keys and whose name it is given at times."""


@dataclasses.dataclass(frozen=True, eq=False)
class AlbedoModel:
    """A mean texture and its principal components."""

    kind: str
    """``albedomm``, ``flame`` or ``bfm``."""
    mean: np.ndarray
    """(H, W, 3) float32 RGB in [0, 1], linear Rec.709 or sRGB (see ``linear``), row 0 at v = 1."""
    components: np.ndarray
    """(H, W, 3, K) float32: change of the mean for one standard deviation each."""
    linear: bool
    """Whether values are reflectances; otherwise they are sRGB."""

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """(H, W, 3) float32 linear Rec.709 diffuse reflectance in [0.01, 0.9] of a random person."""
        weights = np.clip(rng.normal(size=self.components.shape[-1]), -2.2, 2.2).astype(np.float32)
        return self.texture(weights)

    def texture(self, weights: np.ndarray) -> np.ndarray:
        """(H, W, 3) float32 linear Rec.709 diffuse reflectance of coefficients (K,), in standard deviations."""
        value = np.clip(self.mean + self.components @ weights, 0, 1)
        if not self.linear:  # IEC 61966-2-1
            value = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
        return np.clip(value, 0.01, 0.9).astype(np.float32)


def read_albedo_model(path: str | Path) -> AlbedoModel:
    """Read ``albedoModel2020_FLAME_albedoPart.npz``, ``FLAME_texture.npz`` or ``FLAME_albedo_from_BFM.npz``.

    Files keep blue or red first, by their maker: skin reflects more red than blue, and that decides.
    """
    name, shapes = one_line(path), npz_shapes(path)
    keys = next(((mean, basis) for mean, basis in (("mean", "tex_dir"), ("MU", "PC")) if {mean, basis} <= set(shapes)),
                None)
    if keys is None:
        held = one_line(", ".join(sorted(shapes)))[:200] or "nothing"
        raise AssetError(f"{name}: no albedo model: it holds {held}, expected "
                         "mean and tex_dir (FLAME) or MU and PC (AlbedoMM, BFM)")
    size, count = _size(name, keys, shapes)
    mean = read_npz_member(path, keys[0]).astype(np.float32).reshape(size, size, 3)
    basis = read_npz_member(path, keys[1], columns=COMPONENTS).reshape(size, size, 3, -1)
    for key, array in zip(keys, (mean, basis), strict=True):
        if not np.isfinite(array).all():
            raise AssetError(f"{name}: {key} holds NaN or infinity")
    bright = float(mean.max())
    if not 0.02 < bright <= 300:
        raise AssetError(f"{name}: {keys[0]} has values up to {bright:.3g}, expected [0, 1] or [0, 255]")
    if bright > 2:
        mean, basis = mean / 255, basis / 255
    if mean[..., 0].mean() < mean[..., 2].mean():
        mean, basis = mean[..., ::-1], basis[:, :, ::-1]
    kind = "flame" if keys[0] == "mean" else "albedomm" if count == _ALBEDO_MM else "bfm"
    spread = float(np.sqrt(np.square(basis).sum(axis=-1).mean()))
    if spread > 1:
        raise AssetError(f"{name}: {keys[1]} changes albedo by {spread:.3g} on average, expected less than 1")
    return AlbedoModel(kind, np.ascontiguousarray(mean), np.ascontiguousarray(basis), kind == "albedomm")


def wear_albedo(painted: np.ndarray, head: HeadModel, rng: np.random.Generator) -> np.ndarray:
    """(H, H, 3) float32 albedo: the ``painted`` one, its face that of a random person of the model beside the head's
    file; as it is where there is none.

    The model brings how colour varies over the face; how dark the skin is stays as it was painted, and where the model
    has nothing (neck, back of the head) all of it.
    """
    file = getattr(head, "albedo", None)
    if file is None:
        return painted
    model = _cached(file)
    size = len(painted)
    colour, known = _resized(model.sample(rng), size), _resized(_covered(model), size)
    inside = known[..., 0] > 0.9
    if not inside.any():
        return painted
    colour *= painted[inside].mean(axis=0) / colour[inside].mean(axis=0)
    return np.clip(painted + known * (colour - painted), 0.01, 0.9).astype(np.float32)


@functools.lru_cache(maxsize=1)
def _cached(file: Path) -> AlbedoModel:
    return read_albedo_model(file)


def _covered(model: AlbedoModel) -> np.ndarray:
    """(H, W, 1) float32: 1 where the model has skin, soft at its border, 0 where its mean is black."""
    size = len(model.mean)
    inside = gaussian_filter((model.mean.max(axis=2) > 0.02).astype(np.float32), size / 100)
    return np.clip(2 * inside - 1, 0, 1)[..., None]


def _resized(image: np.ndarray, size: int) -> np.ndarray:
    """(H, W, C) sampled linearly at the texels of a texture of ``size``."""
    at = (np.arange(size) + 0.5) * len(image) / size - 0.5
    grid = np.meshgrid(at, at, indexing="ij")
    return np.stack([map_coordinates(image[..., k], grid, order=1, mode="nearest") for k in range(image.shape[2])],
                    axis=2).astype(np.float32)


def _size(name: str, keys: tuple[str, str], shapes: dict[str, tuple[int, ...]]) -> tuple[int, int]:
    """Texels a side, and the number of components."""
    mean, basis = shapes[keys[0]], shapes[keys[1]]
    values = int(np.prod(mean, dtype=np.int64)) if mean else 0
    size = int(round((values / 3) ** 0.5)) if 0 < values < 2**40 else 0
    if size * size * 3 != values or not 8 <= size <= _LARGEST or (len(mean) == 3 and mean != (size, size, 3)):
        raise AssetError(f"{name}: {keys[0]} has shape {mean}, expected (S, S, 3) with S from 8 to {_LARGEST}")
    if len(basis) < 2 or int(np.prod(basis[:-1], dtype=np.int64)) != values or not 1 <= basis[-1] <= 1000:
        raise AssetError(f"{name}: {keys[1]} has shape {basis}, expected {(*mean, 'K')} with K from 1 to 1000")
    return size, basis[-1]
