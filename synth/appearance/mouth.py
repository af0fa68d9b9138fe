"""Painting teeth, gums, tongue and the inner mouth, all of them wet and all of them flesh to some depth."""

from __future__ import annotations

import numpy as np

from synth.appearance import texels
from synth.appearance.description import MouthLook
from synth.heads.template.labels import GUM_LINE
from synth.heads.template.mouth import LOWER_TEETH, UPPER_TEETH
from synth.heads.template.sculpt import smoothstep
from synth.scene import Material

BLEACHED, STAINED = np.float32([0.74, 0.71, 0.645]), np.float32([0.60, 0.49, 0.34])
"""Enamel over dentine, linear Rec.709: the ends of the shade guides (Paravina et al. 2009)."""
PALE, RED = np.float32([0.50, 0.235, 0.215]), np.float32([0.41, 0.115, 0.11])
"""Gums, linear Rec.709."""
FLESH, ENAMEL = np.float32([1.0e-3, 0.45e-3, 0.3e-3]), np.float32([0.7e-3, 0.55e-3, 0.4e-3])
"""Mean free paths in mucosa and in a tooth, metres."""


def paint_mouth(look: MouthLook, size: int) -> dict[str, Material]:
    """Materials ``teeth tongue mouth enamel gums`` by name; textures of ``size`` texels a side.

    ``teeth`` holds gums too, in the UVs of ``synth.heads.template.mouth.arch``; ``enamel`` is for crowns that have a
    column of the texture each, root at v = 0; ``gums`` for any UVs.
    """
    streams = np.random.SeedSequence(look.seed).spawn(3)
    teeth, tongue, gums = (np.random.Generator(np.random.PCG64(stream)) for stream in streams)
    flesh = PALE + look.gums * (RED - PALE)
    enamel = BLEACHED + look.yellow * (STAINED - BLEACHED)
    wet = 0.35 + 0.65 * look.wet
    return {
        "teeth": _teeth(teeth, enamel, flesh, wet, size), "tongue": _tongue(tongue, flesh, wet, size),
        "mouth": Material(_valid(flesh * np.float32([0.66, 0.5, 0.48])), roughness=0.35, specular=0.4, clearcoat=wet,
                          clearcoat_gloss=0.95, scatter=FLESH),
        "enamel": _enamel(teeth, enamel, wet, size),
        "gums": _gums(gums, flesh, wet, size),
    }


def _valid(albedo: np.ndarray) -> np.ndarray:
    return np.clip(albedo, 0.01, 0.9).astype(np.float32)


def _teeth(rng: np.random.Generator, enamel: np.ndarray, flesh: np.ndarray, wet: float, size: int) -> Material:
    """Each crown of its own shade: yellower at the neck, translucent and greyer at the edge; and the gum above it."""
    v = 1 - (np.arange(size, dtype=np.float32)[:, None] + 0.5) / size
    u = np.broadcast_to((np.arange(size, dtype=np.float32) + 0.5) / size, (size, size))
    height = np.clip(((v % 0.5) - 0.01) / 0.48, 0, 1) * np.ones((1, size), np.float32)
    shade, place = (np.where(v < 0.5, low, high) for low, high in zip(
        _crowns(rng, LOWER_TEETH, u[:1]), _crowns(rng, UPPER_TEETH, u[:1]), strict=True))
    beside = np.abs(2 * place - 1)  # 0 in the middle of a crown, 1 between two
    crown = np.clip((height - GUM_LINE) / (1 - GUM_LINE), 0, 1)
    cloud = texels.noise(rng, size, size / 60)
    tooth = _crown(enamel, crown, shade * (1 + 0.012 * cloud), 0.03 * cloud - 0.12 * beside**2)
    tooth = tooth * (1 - smoothstep(0.9, 1.0, beside)[..., None] * np.float32([0.12, 0.18, 0.24]))
    margin = GUM_LINE - 0.02 + 0.05 * beside**4 + 0.004 * cloud
    gum = 1 - smoothstep(margin - 0.012, margin + 0.012, height)
    stipple = texels.noise(rng, size, size / 170)
    tissue = flesh * (1 + 0.05 * cloud + 0.04 * stipple)[..., None]
    tissue = tissue + 0.25 * smoothstep(0.07, 0.0, margin - height)[..., None] * (PALE - tissue)
    albedo = tooth + gum[..., None] * (tissue - tooth)
    striae = 0.35 * np.sin(2 * np.pi * 34 * crown + cloud)  # perikymata, in which highlights break up
    relief = gum * (0.9 * stipple + 0.4 * cloud) + (1 - gum) * (0.05 * striae + 0.15 * cloud)
    return Material(_valid(albedo), roughness=(0.2 + 0.14 * gum).astype(np.float32), specular=0.55,
                    clearcoat=np.full((size, size), wet, np.float32), clearcoat_gloss=0.97, scatter=ENAMEL,
                    normal_map=texels.normals_from_height(relief.astype(np.float32), size / 2600))


def _crown(enamel: np.ndarray, height: np.ndarray, shade: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """(H, W, 3) a crown from its neck (0) to its edge (1), where it is translucent: more so where ``clear`` is high."""
    neck, edge = smoothstep(0.45, 0.0, height), smoothstep(0.72, 1.0, height + clear)
    tooth = enamel * shade[..., None] * (1 - neck[..., None] * np.float32([0.05, 0.13, 0.27]))
    return tooth * (1 - edge[..., None] * np.float32([0.12, 0.09, 0.04]))  # what is thin lets the mouth's dark through


def _enamel(rng: np.random.Generator, enamel: np.ndarray, wet: float, size: int) -> Material:
    height = np.broadcast_to(1 - (np.arange(size, dtype=np.float32)[:, None] + 0.5) / size, (size, size))
    shade = np.repeat(1 + 0.02 * rng.normal(size=64).clip(-2, 2), -(-size // 64))[:size] * np.ones((size, 1))
    crown = np.clip((height - GUM_LINE) / (1 - GUM_LINE), 0, 1)
    return Material(_valid(_crown(enamel, crown, shade, 0 * height)), roughness=0.2, specular=0.6, clearcoat=wet,
                    clearcoat_gloss=0.97, scatter=ENAMEL)


def _crowns(rng: np.random.Generator, widths: tuple[float, ...], u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shade, about 1, of the crown at each u of the texture, and where across it, 0 to 1; canines are darker."""
    edges = np.concatenate([[0], np.cumsum(widths)])
    arc = np.abs(u - 0.5) / 0.49 * edges[-1]
    number = np.clip(np.searchsorted(edges, arc, side="right") - 1, 0, len(widths) - 1)
    place = np.clip((arc - edges[number]) / np.array(widths)[number], 0, 1)
    shades = 1 + 0.025 * rng.normal(size=(2, len(widths))).clip(-2, 2) - 0.05 * (np.arange(len(widths)) == 2)
    return shades[(u > 0.5).astype(int), number].astype(np.float32), place.astype(np.float32)


def _tongue(rng: np.random.Generator, flesh: np.ndarray, wet: float, size: int) -> Material:
    """Threadlike papillae everywhere, red mushroom-shaped ones between them, a groove and a whitish coat; tip at v = 1.
    """
    v = 1 - (np.arange(size, dtype=np.float32)[:, None] + 0.5) / size
    across = 2 * np.abs((np.arange(size, dtype=np.float32) + 0.5) / size - 0.5)
    cloud = texels.noise(rng, size, size / 12)
    threads = texels.noise(rng, size, size / 150)
    knobs = np.clip(texels.noise(rng, size, size / 55) - 1.5, 0, 1)
    groove = np.exp(-(((across + 0.02 * cloud) / 0.05) ** 2)) * smoothstep(1.0, 0.8, v)
    coat = smoothstep(0.95, 0.35, v + 0.08 * cloud) * smoothstep(0.85, 0.35, across) * (0.55 + 0.3 * rng.random())
    albedo = flesh * np.float32([1.0, 1.02, 1.0]) * (1 + 0.06 * cloud + 0.05 * threads)[..., None]
    albedo = albedo + (coat * (0.6 + 0.12 * threads))[..., None] * (np.float32([0.55, 0.42, 0.37]) - albedo)
    albedo = albedo * (1 - np.clip(knobs, 0, 0.5)[..., None] * np.float32([0.1, 0.5, 0.45]))
    albedo = albedo * (1 - 0.3 * groove[..., None])
    relief = 0.7 * threads + 1.5 * knobs - 5 * groove + 0.5 * cloud
    return Material(_valid(albedo), roughness=0.36, specular=0.4, clearcoat=0.75 * wet, clearcoat_gloss=0.9,
                    scatter=FLESH, normal_map=texels.normals_from_height(relief.astype(np.float32), size / 1500))


def _gums(rng: np.random.Generator, flesh: np.ndarray, wet: float, size: int) -> Material:
    cloud, stipple = texels.noise(rng, size, size / 16), texels.noise(rng, size, size / 120)
    albedo = flesh * (1 + 0.07 * cloud + 0.04 * stipple)[..., None]
    return Material(_valid(albedo), roughness=0.33, specular=0.4, clearcoat=wet, clearcoat_gloss=0.95, scatter=FLESH,
                    normal_map=texels.normals_from_height((0.8 * stipple + 0.5 * cloud).astype(np.float32),
                                                          size / 2000))
