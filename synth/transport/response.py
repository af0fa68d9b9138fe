"""What a frame answers to light from every direction, a matrix; relighting is its product with a vector of light."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.sparse

from assets.errors import SpecError
from synth.lighting import sphere
from synth.lighting.envmap import EnvMap
from synth.transport.directions import Basis


@dataclasses.dataclass(frozen=True, eq=False)
class Mirror:
    """What corneas and lenses reflect of the sky: R rays, looked up in the map itself, since no bin is fine enough."""

    pixels: np.ndarray
    """(R,) uint32 row-major pixel of the image that each ray is seen in."""
    directions: np.ndarray
    """(R, 3) float32 unit world vectors from the surface to the sky."""
    weights: np.ndarray
    """(R,) float32: what a pixel gains for each unit of radiance from there."""


@dataclasses.dataclass(frozen=True, eq=False)
class Transport:
    """The response of P pixels of one frame: all that are covered, or a tile of them."""

    width: int
    """Columns of the whole image."""
    height: int
    """Rows of the whole image."""
    basis: Basis
    """The bins that the columns of ``response`` stand for."""
    pixels: np.ndarray
    """(P,) uint32 row-major indices of the pixels, ascending."""
    response: np.ndarray
    """(P, 3, D) float32: premultiplied linear Rec.709 radiance of the foreground for unit radiance from each bin."""
    specular: np.ndarray | None = None
    """(P, 3, D) float32: the part of ``response`` whose path left the first hit by its specular lobe."""
    mirror: Mirror | None = None
    """All of it is specular, and none of it in ``response``."""


_TILE = 1 << 21
"""Products of pixels and lights that are held at a time, three floats each: 24 MiB."""


def relight(
    transport: Transport, lights: np.ndarray, maps: Sequence[EnvMap] = (), specular: bool = False
) -> np.ndarray:
    """(L, H, W, 3) float32 images under L lights, black where no pixel of ``transport`` lies.

    lights: (L, D, 3) float32 vectors of light, see :mod:`synth.transport.light`. maps: the L environment maps that
    ``mirror`` looks up; none leave it out. specular: give the specular part alone. A SpecError where these do not fit.
    """
    lights = check_lights(transport, lights, len(maps))
    matrix = transport.specular if specular else transport.response
    if matrix is None:
        raise SpecError("specular: this transport was computed without its specular part, expected one that has it")
    images = np.zeros((len(lights), transport.height * transport.width, 3), np.float32)
    channels = np.ascontiguousarray(lights.transpose(2, 0, 1))
    step = max(_TILE // max(len(lights), 1), 1024)
    for start in range(0, len(transport.pixels), step):
        pixels = transport.pixels[start : start + step].astype(np.intp)  # once, not at each use
        # A view of one channel is what BLAS calls a matrix with a leading dimension of 3 D: nothing is copied.
        planes = channels @ matrix[start : start + step].transpose(1, 2, 0)
        for light, channel in np.ndindex(len(lights), 3):
            images[light, :, channel][pixels] = planes[channel, light]
    if transport.mirror is not None:
        gains = {height: mirror_matrix(transport.mirror, height) for height in {light.height for light in maps}}
        for image, light in zip(images, maps, strict=False):
            pixels, gain = gains[light.height]
            image[pixels] += gain @ light.data.reshape(-1, 3)
    return images.reshape(len(lights), transport.height, transport.width, 3)


def parts(
    transport: Transport, lights: np.ndarray, maps: Sequence[EnvMap] = ()
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(L, H, W, 3) float32 ``rgb``, ``diffuse`` and ``specular`` images; the first is the sum of the others."""
    rgb, specular = relight(transport, lights, maps), relight(transport, lights, maps, specular=True)
    return rgb, rgb - specular, specular


def flat(transport: Transport) -> np.ndarray:
    """(H, W, 3) float32 image in a white world of radiance 1."""
    white = np.ones((1, transport.basis.size, 3), np.float32)
    return relight(transport, white, [EnvMap(np.ones((2, 4, 3), np.float32))])[0]


def check_lights(transport: Transport, lights: np.ndarray, maps: int) -> np.ndarray:
    """The lights as float32 (L, D, 3), or a SpecError where they, or their number of maps, do not fit."""
    lights = np.asarray(lights, np.float32)
    if lights.ndim != 3 or lights.shape[1:] != (transport.basis.size, 3):
        raise SpecError(f"lights: got an array of shape {lights.shape}, expected (L, {transport.basis.size}, 3)")
    if maps not in (0, len(lights)):
        raise SpecError(f"maps: got {maps} for {len(lights)} lights, expected one a light, or none")
    return lights


def mirror_matrix(mirror: Mirror, height: int) -> tuple[np.ndarray, scipy.sparse.csr_matrix]:
    """(M,) distinct pixels that a mirror is seen in, and what they gain from the flat texels (H 2H, 3) of a map.

    The matrix is float32 (M, H 2H): :meth:`EnvMap.look_up` for each ray, weighted and summed over a pixel's rays.
    """
    pixels, row = np.unique(mirror.pixels, return_inverse=True)
    rays = np.arange(len(row))
    gather = scipy.sparse.csr_matrix((mirror.weights, (row, rays)), shape=(len(pixels), len(rays)))
    return pixels, (gather @ sphere.look_up_matrix(mirror.directions, height)).tocsr()
