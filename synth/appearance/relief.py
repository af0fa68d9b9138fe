"""The skin's relief and gloss: pores, lines, roughness by region, sebum and wet places."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.ndimage import gaussian_filter

from synth.appearance import regions, spots, texels, wrinkles
from synth.appearance.description import Appearance, SkinLook
from synth.heads.head import HeadModel
from synth.heads.template.hair import hairline
from synth.heads.template.sculpt import smoothstep
from synth.seeds import keyed

OCTAVES = ((9.0, 0.014), (4.2, 0.022), (2.0, 0.05), (1.0, 0.09))
"""Undulation of the skin: wavelength in mm, and root mean square slope."""
LATTICE = (0.7, 0.15)
"""The criss-cross of fine furrows: mesh in mm, and root mean square slope."""
WEATHERED = (2.0, 0.06)
"""The same of the coarse furrows that age leaves between the wrinkles."""
PORES_CM2 = 60
"""Visible pores a square centimetre where they are densest, the nose's wings."""
BLEMISH_MM = 0.2
"""Height of the reddest blemish."""


@dataclasses.dataclass(frozen=True, eq=False)
class Relief:
    """Maps of ``size`` texels a side, row 0 at v = 1."""

    slopes: np.ndarray
    """(H, W, 2) float32: height's derivative on the skin along +u and across it, towards +v (1 is 45 degrees)."""
    roughness: np.ndarray
    """(H, W) float32 Disney roughness."""
    clearcoat: np.ndarray
    """(H, W) float32 weight in [0, 1] of sebum and water on the skin."""


def normals(slopes: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32 tangent-space unit normals of slopes (H, W, 2)."""
    out = np.empty((*slopes.shape[:2], 3), np.float32)
    out[..., 2] = 1 / np.sqrt(np.square(slopes[..., 0]) + np.square(slopes[..., 1]) + 1)
    out[..., :2] = -slopes * out[..., 2:]
    return out


def make_relief(head: HeadModel, appearance: Appearance, size: int) -> Relief:
    """Relief and gloss of a person's skin at rest.

    Relief that is finer than a texel widens the gloss by its variance of slope, as Toksvig (2005) does: alpha^2 of a
    Beckmann surface is twice the variance along an axis, so textures of all sizes shine alike from afar.
    """
    skin = appearance.skin
    metric = texels.metric(head, "skin", size)
    place = texels.positions(head, "skin", size).reshape(-1, 3)
    seen = np.flatnonzero((place[:, 2] > -30) & (place[:, 1] > -190) & metric.whole.ravel())
    point = np.asfortranarray(place[seen])  # contiguous coordinates: faster
    zones = Zones.of(point)

    def image(values: np.ndarray, elsewhere: float = 0.0) -> np.ndarray:
        out = np.full(size * size, elsewhere, np.float32)
        out[seen] = values
        return out.reshape(size, size)

    texel = np.minimum(metric.footprint.ravel()[seen], 40)
    height, lost, whole = map(image, _undulation(keyed(skin.seed, "undulation"), point, texel, zones, skin))
    pits, unseen, all_pits = _pores(head, metric, image(zones.porous), image(zones.greasy), skin)
    blemishes = np.subtract(*np.multiply(spots.inflamed(keyed(skin.seed, "blemishes"), skin, spots.Spots(head, size)),
                                         [[1], [0.5]]))  # without healed ones: see there
    slopes = metric.slopes(height + pits + BLEMISH_MM * blemishes.reshape(size, size))
    lost += unseen
    for layer in wrinkles.layers(head, skin, size):
        slopes[layer.box] += np.float32(layer.rest) * layer.slopes
        lost[layer.box] += np.float32(layer.rest**2) * layer.lost
    roughness, film = _gloss(keyed(skin.seed, "gloss"), point, zones, appearance)
    # What is measured on faces holds the fine relief too: the surface between is smoother by as much.
    alpha2 = image(roughness, skin.roughness) ** 4
    alpha2 = np.maximum(alpha2 - whole - all_pits, 0.4 * alpha2) + np.minimum(lost, 0.2)
    return Relief(np.clip(slopes, -2.5, 2.5), np.clip(alpha2**0.25, 0.2, 0.8).astype(np.float32),
                  np.clip(image(film), 0, 1))


@dataclasses.dataclass(frozen=True, eq=False)
class Zones:
    """Weights (K,) in [0, 1] of regions of the face at K canonical points."""

    nose: np.ndarray
    cheeks: np.ndarray
    forehead: np.ndarray
    chin: np.ndarray
    lids: np.ndarray
    """With the thin skin under the eye."""
    lips: np.ndarray
    inner_lips: np.ndarray
    """Where they touch."""
    margin: np.ndarray
    """The lids' wet edges and the eyes' inner corners."""
    bare: np.ndarray
    """Skin that is neither lip nor lid nor scalp, down to the chest."""

    @classmethod
    def of(cls, point: np.ndarray) -> Zones:
        """The zones of canonical points (K, 3), mm."""

        def near(*places: tuple) -> np.ndarray:
            return np.clip(sum(amount * regions.near(point, centre, size) for amount, centre, size in places), 0, 1)

        lips, _, t = regions.lips(point)
        lids = near((1.2, (31.5, 1, 87), (17, 10, 14)))
        body = smoothstep(-30, 20, point[:, 2]) * smoothstep(-185, -150, point[:, 1])
        bare = body * (1 - lids) * (1 - lips) * smoothstep(8, -3, hairline(point))
        return cls(
            nose=near((1, (0, -38, 114), (15, 14, 18)), (1, (14, -40, 103), (8, 8, 12)),
                      (0.7, (0, -18, 104), (9, 16, 16))),
            cheeks=near((1, (28, -32, 88), (19, 19, 26)), (0.5, (45, -45, 76), (18, 24, 26))),
            forehead=near((1, (0, 42, 95), (34, 22, 34)), (1, (0, 18, 97), (12, 14, 20))),
            chin=near((1, (0, -97, 97), (17, 13, 20))), lids=lids, lips=lips,
            inner_lips=lips * smoothstep(0.4, 0.05, np.abs(t)).astype(np.float32),
            margin=regions.lid_margins(point)[0], bare=bare.astype(np.float32),
        )

    @property
    def porous(self) -> np.ndarray:
        """Density of visible pores."""
        many = 0.15 + self.nose + 0.75 * self.cheeks + 0.45 * self.forehead + 0.5 * self.chin
        return np.clip(many, 0, 1) * self.bare

    @property
    def greasy(self) -> np.ndarray:
        """Where glands make most sebum, and pores are large: the T-zone."""
        return np.clip(self.nose + 0.75 * self.forehead + 0.55 * self.chin + 0.4 * self.cheeks, 0, 1)


def _undulation(rng: np.random.Generator, point: np.ndarray, texel: np.ndarray, zones: Zones,
                skin: SkinLook) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Height (K,) mm of the skin's own unevenness at points (K, 3), the slope variance that the texture lacks, and all
    of that variance; both are an axis's, doubled.

    texel: (K,) the texture's resolution, mm.
    """
    strength = (0.4 + 1.2 * skin.pores) * (0.8 + 0.3 * zones.greasy) * (0.15 + 0.85 * zones.bare)
    height, lost, whole = (np.zeros(len(point), np.float32) for _ in range(3))
    aged = 0.6 + 0.8 * skin.wrinkles
    shapes = [*((wave, rms * (aged if wave < 3 else 1), False) for wave, rms in OCTAVES), (*LATTICE, True),
              (WEATHERED[0], WEATHERED[1] * skin.wrinkles**1.5, True)]
    for wave, rms, lattice in shapes:
        kept, resolved = (np.exp(-0.5 * np.square(2 * np.pi * share * texel / wave))
                          for share in (wrinkles.PREFILTER, wrinkles.BLUR))
        variance = np.square(rms * strength)
        whole += variance
        lost += variance * (1 - resolved * resolved)
        drawn = np.flatnonzero((kept > 0.03) & (strength > 0.02))
        if not len(drawn):
            continue
        noise = _lattice(rng, point[drawn], wave) if lattice else texels.solid_noise(rng, point[drawn], wave)
        height[drawn] += np.float32(rms * wave / (2 * np.pi)) * strength[drawn] * kept[drawn] * noise
    return height, lost, whole


def _lattice(rng: np.random.Generator, point: np.ndarray, mesh: float) -> np.ndarray:
    """(K,) plateaus of unit variance between furrows that cross: where either of two noises changes sign."""
    edges = [np.exp(-np.square(texels.solid_noise(rng, point, 2.6 * mesh) / 0.25)) for _ in range(2)]
    ridges = -np.maximum(*edges)
    return (ridges - ridges.mean()) / max(ridges.std(), 1e-6)


def _pores(head: HeadModel, metric: texels.Metric, density: np.ndarray, large: np.ndarray,
           skin: SkinLook) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pits of 0.1 to 0.4 mm: height (H, W), the slope variance that the texture lacks, and all of it."""
    rng = keyed(skin.seed, "pores")
    at = _scatter(rng, head, metric, density)
    row, column = np.rint(at).astype(int).T % len(density)
    radius = (0.05 + 0.13 * skin.pores * large[row, column]) * np.exp(0.3 * rng.normal(size=len(at)))
    return _stamp(metric, at, radius, -radius * rng.uniform(0.4, 0.9, len(at)) * (0.4 + 0.9 * skin.pores))


def _scatter(rng: np.random.Generator, head: HeadModel, metric: texels.Metric, density: np.ndarray) -> np.ndarray:
    """Texture places (N, 2), row and column in texels, of pores strewn over the skin.

    density: (H, W) in [0, 1]. The same places whatever the texture's size, as far as its texels tell the density.
    """
    size = len(metric.along)
    meshes = [part for part in head.parts if part.material == "skin"]
    corners = np.concatenate([head.canonical[part.vertex_map[part.faces]] for part in meshes])
    uv = np.concatenate([part.uv[part.faces] for part in meshes])
    area = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    folded = np.abs(np.cross(uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0])) < 1e-9  # linings
    area[folded | (corners[..., 2].max(axis=1) < -40)] = 0
    count = rng.poisson(area.sum() / 100 * PORES_CM2)
    face = np.searchsorted(np.cumsum(area), rng.random(count) * area.sum()).clip(0, len(area) - 1)
    a, b = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - a, a * (1 - b), a * b], axis=1)
    places = np.einsum("kc,kcd->kd", weights, uv[face])
    at = np.stack([(1 - places[:, 1]) * size - 0.5, places[:, 0] * size - 0.5], axis=1)
    row, column = np.rint(at).astype(int).T % size
    return at[(rng.random(count) < density[row, column]) & metric.whole[row, column]]


def _stamp(metric: texels.Metric, at: np.ndarray, radius: np.ndarray,
           rise: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Height (H, W) mm of Gaussian bumps at texture places (N, 2), of deviation ``radius`` mm and height ``rise`` mm;
    the slope variance (an axis's, doubled) that the texture lacks, and all of it.

    Prefiltered by a Gaussian of deviation s, a bump of deviation r has its volume over one of sqrt(r^2 + s^2). The
    integral of its squared slope, pi rise^2, falls by the square of r^2 / (r^2 + s^2).
    """
    size = len(metric.along)
    row_at, column_at = at.T % size
    row, column = np.rint(at % size).astype(int).T % size
    along, shear, across = metric.along[row, column], metric.shear[row, column], metric.across[row, column]
    footprint = np.maximum(along, np.hypot(shear, across))
    wide2 = radius**2 + (wrinkles.PREFILTER * footprint) ** 2
    share, resolved = radius**2 / wide2, radius**2 / (radius**2 + (wrinkles.BLUR * footprint) ** 2)
    height, texel = np.zeros(size * size), row * size + column
    steep = np.pi * rise**2 / (along * across)
    lost, whole = (gaussian_filter(np.bincount(texel, steep * share, size * size).reshape(size, size), 2.5).astype(
        np.float32) for share in (1 - resolved**2, 1))
    reach = np.ceil(2.7 * np.sqrt(wide2) / np.minimum(along, across)).astype(int).clip(1, 24)
    for half in np.unique(reach):
        some = np.flatnonzero((reach == half) & (share > 0.03))
        down, right = (axis.ravel() for axis in np.mgrid[-half : half + 1, -half : half + 1])
        rows, columns = row[some, None] + down, column[some, None] + right
        u, v = columns - column_at[some, None], row_at[some, None] - rows
        x, y = along[some, None] * u + shear[some, None] * v, across[some, None] * v
        bump = (rise * share)[some, None] * np.exp(-0.5 * (x * x + y * y) / wide2[some, None])
        np.add.at(height, (rows % size) * size + columns % size, bump)
    return height.reshape(size, size).astype(np.float32), lost, whole


def _gloss(rng: np.random.Generator, point: np.ndarray, zones: Zones,
           appearance: Appearance) -> tuple[np.ndarray, np.ndarray]:
    """Disney roughness (K,) as it is measured over regions, and the film's weight (K,).

    Their order is that of Weyrich et al. (2006), who find Torrance-Sparrow lobes narrowest on lips, nose and forehead
    and widest on cheeks and neck; sebum and sweat narrow them further.
    """
    skin, wet = appearance.skin, appearance.mouth.wet
    patches = 0.7 * texels.solid_noise(rng, point, 14) + 0.5 * texels.solid_noise(rng, point, 5)
    roughness = skin.roughness + 0.03 - (0.03 + 0.10 * skin.oil) * zones.greasy - 0.04 * zones.lids + 0.022 * patches
    roughness += zones.lips * (0.40 - 0.06 * wet - roughness)
    roughness += 0.6 * zones.inner_lips * (0.28 - roughness)
    roughness += zones.margin * (0.22 - roughness)
    film = skin.oil * (0.03 + 0.25 * zones.greasy) * np.clip(1 + 0.45 * patches, 0.2, 2) * (1 - zones.lips)
    film += wet * (0.12 * zones.lips + 0.7 * zones.inner_lips)
    return np.clip(roughness, 0.2, 0.75), np.maximum(film, zones.margin)
