"""One person's materials, drawn from their own random stream: no light ever enters here."""

from __future__ import annotations

import numpy as np

from synth.appearance import colours, texels
from synth.appearance.albedo_models import wear_albedo
from synth.appearance.cloth import paint_cloth
from synth.appearance.eyes import paint_eye
from synth.appearance.hair import paint_hair
from synth.appearance.skin import paint_skin, sample_complexion
from synth.appearance.wardrobe import paint_wardrobe
from synth.heads.head import Person
from synth.scene import Material


def sample_appearance(rng: np.random.Generator, person: Person, size: int = 1024) -> dict[str, Material]:
    """Materials for every part of ``person``, by the parts' material names. ``size``: texels a side of the skin's maps.

    The same generator state gives the same materials to the bit. Albedo lies in [0.01, 0.9].
    """
    head = person.head
    tone = colours.sample_skin_tone(rng)
    hair = colours.sample_hair(rng, tone)
    fibre, ground = colours.sample_iris(rng, tone)
    look = sample_complexion(rng, colours.skin_reflectance(tone), hair)
    materials = {
        "skin": wear_albedo(paint_skin(rng, head, look, size), head, rng),
        "eye": paint_eye(rng, fibre, ground, size // 2),
        "hair": paint_hair(rng, head, hair, look.tone, size),
        "lashes": Material(np.clip(0.5 * hair, 0.01, 0.05).astype(np.float32), roughness=0.5, specular=0.3),
        "teeth": _teeth(rng, size // 2),
        "tongue": Material(np.array([0.36, 0.13, 0.12], np.float32), roughness=0.35, specular=0.4, clearcoat=0.4,
                           clearcoat_gloss=0.8),
        "mouth": Material(np.array([0.30, 0.075, 0.065], np.float32), roughness=0.4, specular=0.4, clearcoat=0.4,
                          clearcoat_gloss=0.8),
        "garment": paint_cloth(rng),
        **paint_wardrobe(rng, hair),
    }
    return {part.material: materials[part.material] for part in person.parts}


def _teeth(rng: np.random.Generator, size: int) -> Material:
    """Enamel, yellower towards the gum, and the gum above it: see the UVs of ``synth.heads.template.mouth.arch``."""
    v = 1 - (np.arange(size) + 0.5) / size
    height = np.clip(((v % 0.5) - 0.01) / 0.48, 0, 1)[:, None] * np.ones(size)
    enamel = np.array([0.66, 0.60, 0.47]) * rng.uniform(0.82, 1.08)
    shade = np.clip((height - 0.3) / 0.7, 0, 1)[..., None]
    tooth = enamel * (0.82 + 0.18 * shade) * (1 + 0.02 * texels.noise(rng, size, size / 30)[..., None])
    gum = np.array([0.42, 0.14, 0.13]) * rng.uniform(0.75, 1.1)
    blend = np.clip((height - 0.28) / 0.05, 0, 1)[..., None]
    albedo = gum + blend * (tooth - gum)
    return Material(np.clip(albedo, 0.01, 0.9).astype(np.float32), roughness=0.22, specular=0.5, clearcoat=0.5,
                    clearcoat_gloss=0.9)
