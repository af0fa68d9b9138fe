"""Painting skin: maps of melanin and blood by region, mark and mottle, turned into colour once.

Beside the two pigments there is only what lies deeper (venous blood, roots of hair), which takes more red than blue
because red light is what comes back from there, and hair on the skin where strands aren't grown.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from synth.appearance import follicles, regions, spots, texels
from synth.appearance.albedo_models import wear_albedo
from synth.appearance.description import Appearance, HairLook, SkinLook
from synth.appearance.pigments import diffuse_mfp, skin_albedo
from synth.heads.head import HeadModel
from synth.heads.template.sculpt import smoothstep
from synth.seeds import keyed


@dataclasses.dataclass(frozen=True, eq=False)
class Pigments:
    """What colours a person's skin: maps (H, W) float32, row 0 at v = 1."""

    melanin: np.ndarray
    """Volume fraction of melanosomes in the epidermis."""
    haemoglobin: np.ndarray
    """Volume fraction of blood in the dermis."""
    veins: np.ndarray
    """Share, 0 to 1, of the light from ``VEIN_DEPTH`` and below that is absorbed there by venous blood."""
    roots: np.ndarray
    """The same of hair's roots, ``ROOT_DEPTH`` below the surface."""


VEIN_DEPTH, ROOT_DEPTH = 0.0005, 0.00006
"""Metres under the surface."""


def paint_skin(head: HeadModel, appearance: Appearance, size: int, painted_hair: bool = False) -> np.ndarray:
    """(size, size, 3) float32 linear Rec.709 albedo of a person's skin, in [0.01, 0.9]; row 0 is v = 1.

    painted_hair: whether brows, lashes' roots and scalp hair are painted, for heads without strands.
    """
    skin = skin_pigments(head, appearance, size)
    albedo = skin_albedo(skin.melanin, skin.haemoglobin)
    travel = diffuse_mfp(appearance.skin.melanin, appearance.skin.haemoglobin)
    for share, depth in ((skin.veins, VEIN_DEPTH), (skin.roots, ROOT_DEPTH)):
        albedo *= 1 - share[..., None] * np.exp(-2 * depth / travel).astype(np.float32)
    albedo = wear_albedo(albedo, head, keyed(appearance.skin.seed, "worn"))
    if painted_hair:
        albedo = _hair(head, appearance, albedo)
    return np.clip(albedo, 0.01, 0.9)


def skin_pigments(head: HeadModel, appearance: Appearance, size: int) -> Pigments:
    """The maps, ``size`` texels a side, behind :func:`paint_skin`."""
    look, hair = appearance.skin, appearance.hair
    image = texels.positions(head, "skin", size)
    point = np.ascontiguousarray(image.reshape(-1, 3))
    front = np.flatnonzero((point[:, 2] > 20) & (point[:, 1] > -150))
    face = point[front]
    footprint = texels.metric(head, "skin", size).footprint.ravel()
    melanin, blood = _mottle(keyed(look.seed, "mottle"), point, footprint, look)
    dark = float(smoothstep(0.04, 0.22, np.float64(look.melanin)))
    melanin[front] += regions.face_melanin(face, look.shadows, dark)
    blood[front] += regions.face_blood(face, look.redness) + 0.30 * look.shadows * regions.eye_veins(face)
    _body(point, look, melanin, blood)
    pores = spots.pores(keyed(look.seed, "pores"), face)
    pores *= 0.25 * look.pores * smoothstep(0.75, 0.35, footprint[front])
    melanin[front] += pores * (1 - 0.4 * dark)
    blood[front] += pores
    marks = spots.Spots(head, size)
    redder, browner = spots.inflamed(keyed(look.seed, "blemishes"), look, marks)
    melanin += browner * (0.4 + 0.8 * dark)
    blood += redder
    blood[front] += 1.2 * look.veins * spots.spider_veins(keyed(look.seed, "spider veins"), face)
    _eyelids(front, face, melanin, blood)
    red = _lips(keyed(look.seed, "lips"), look, dark, front, face, melanin, blood)
    melanin = look.melanin * np.exp(melanin)
    added = spots.added_melanin(keyed(look.seed, "spots"), look, marks)
    added[front] *= 1 - 0.8 * red
    melanin += added
    maps = melanin, look.haemoglobin * np.exp(blood), _veins(look, dark, point, front), _roots(hair, point, front, red)
    return Pigments(*(values.reshape(image.shape[:2]).astype(np.float32) for values in maps))


def _mottle(rng: np.random.Generator, point: np.ndarray, footprint: np.ndarray,
            look: SkinLook) -> tuple[np.ndarray, np.ndarray]:
    """(K,) logarithms of melanin and blood: uneven at every scale, most of all blood, which comes in patches.

    Nothing finer than the texels, ``footprint`` (K,) mm, and nothing below the collar. The same share of melanin
    shows the more, the more there is.
    """
    melanin, blood = np.zeros((2, len(point)), np.float32)
    bare = np.flatnonzero(point[:, 1] > -240)
    place, texel = point[bare], footprint[bare]
    for wavelength, brown, red in ((50.0, 0.08, 0.10), (17.0, 0.07, 0.11), (5.5, 0.08, 0.15), (1.8, 0.09, 0.16)):
        fine = smoothstep(0.55, 0.25, texel / wavelength)
        first = fine * texels.solid_noise(rng, place, wavelength)
        melanin[bare] += brown * first
        blood[bare] += red * (0.8 * fine * texels.solid_noise(rng, place, 0.8 * wavelength) - 0.3 * first)
    amount = 0.35 + 1.1 * look.mottling
    return melanin * amount * min(1.5, (0.03 / look.melanin) ** 0.45), blood * amount


def _body(point: np.ndarray, look: SkinLook, melanin: np.ndarray, blood: np.ndarray) -> None:
    """Ears, and the neck: less sun and blood under the chin, more of both where a collar opens."""
    sides = np.flatnonzero(np.abs(point[:, 0]) > 58)
    blood[sides] += regions.ear_blood(point[sides], look.redness)
    below = smoothstep(-108, -135, point[:, 1])
    chest = smoothstep(-180, -225, point[:, 1]) * smoothstep(0, 30, point[:, 2])
    melanin += 0.05 * below
    melanin -= 0.12 * regions.near(point, (0, -122, 62), (34, 16, 36))
    blood += (-0.14 + 0.1 * look.redness) * below + 0.22 * look.redness * chest


def _eyelids(front: np.ndarray, face: np.ndarray, melanin: np.ndarray, blood: np.ndarray) -> None:
    """Creases, and the wet pink of the lids' edges, which have hardly any epidermis. Inside of nostrils: the same."""
    crease = regions.lid_crease(face)
    margin, _ = regions.lid_margins(face)
    inside = regions.nostrils(face)
    melanin[front] += 0.12 * crease - 0.45 * margin
    blood[front] += 0.30 * crease + 1.0 * margin + 1.1 * inside


def _lips(rng: np.random.Generator, look: SkinLook, dark: float, front: np.ndarray, face: np.ndarray,
          melanin: np.ndarray, blood: np.ndarray) -> np.ndarray:
    """(F,) 1 on the red of the lips: thin epidermis over much blood, creased from top to bottom, within a pale rim.

    Dark people's lips hold melanin, most of it at the border and on the upper lip, least where they meet.
    """
    red, rim, t = regions.lips(face + 0.2 * texels.solid_noise(rng, face, 6.0)[:, None] * np.float32([0, 1, 0]))
    inner = smoothstep(0.75, 0.05, np.abs(t))
    creases = texels.solid_noise(rng, face * np.float32([1.0, 0.16, 0.16]), 1.9)
    uneven = texels.solid_noise(rng, face, 6.0)
    own = 0.75 * np.log(0.018 / look.haemoglobin)  # lips differ less than the skin around them
    more_blood = own + 1.4 * look.lips + 0.30 * inner + 0.10 * creases + 0.10 * uneven
    lower = smoothstep(0.15, -0.15, t)
    more_melanin = -(0.15 + 0.20 * dark) * inner - 0.15 * lower * dark + 0.20 * (1 - inner) * dark
    more_melanin += 0.06 * creases + 0.06 * uneven
    blood[front] += red * (more_blood - 0.6 * blood[front]) - 0.15 * rim * (1 - red)
    melanin[front] += red * (more_melanin - 0.6 * melanin[front]) + (0.16 * dark - 0.06 * (1 - dark)) * rim * (1 - red)
    return red


def _veins(look: SkinLook, dark: float, point: np.ndarray, front: np.ndarray) -> np.ndarray:
    """(K,) blood in deep veins, and in the thin skin under the eyes; melanin hides it."""
    veins = 0.5 * look.veins * spots.deep_veins(keyed(look.seed, "veins"), point)
    veins[front] += 0.20 * look.shadows * regions.eye_veins(point[front])
    return (1 - 0.8 * dark) * np.minimum(veins, 0.8)


def _roots(look: HairLook, point: np.ndarray, front: np.ndarray, red: np.ndarray) -> np.ndarray:
    """(K,) hair in the skin: of the scalp, of brows, and of a beard however well it is shaved."""
    black = follicles.darkness(look)
    roots = 0.30 * black * follicles.scalp(point, look)
    face = point[front]
    beard = (1 - red) * follicles.beard_shadow(keyed(look.seed, "beard"), face, look)
    roots[front] = np.maximum(np.maximum(roots[front], beard), 0.35 * black * follicles.brow_roots(face, look))
    return roots


def _hair(head: HeadModel, appearance: Appearance, albedo: np.ndarray) -> np.ndarray:
    """Albedo (H, W, 3) under painted brows, lashes' roots and a shorn scalp."""
    look = appearance.hair
    colour = follicles.hair_colour(look)
    point = np.ascontiguousarray(texels.positions(head, "skin", len(albedo)).reshape(-1, 3))
    rng = keyed(look.seed, "painted")
    grain = np.clip(0.88 + 0.10 * texels.solid_noise(rng, point, 1.6), 0, 1.1)
    cover = 0.85 * grain * follicles.scalp(point, look)
    brows = 0.92 * follicles.painted_brows(rng, point, look)
    lashes = 0.75 * regions.lid_margins(point)[1]
    cover = np.maximum(np.maximum(cover, brows), lashes).reshape(*albedo.shape[:2], 1)
    return albedo + cover * (0.9 * colour - albedo)
