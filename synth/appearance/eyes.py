"""Painting eyeballs: sclera with veins, limbus, iris fibres and pupil, under a clear coat of tears."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates

from synth.appearance import texels
from synth.heads.template.eyes import LIMBUS, eye_texture_radius
from synth.heads.template.sculpt import EYE_RADIUS, smoothstep
from synth.scene import Material


def paint_eye(rng: np.random.Generator, fibre: np.ndarray, ground: np.ndarray, size: int) -> Material:
    """The eye's material; its texture is polar about the pupil, see ``eye_texture_radius``."""
    at = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    u, v = np.meshgrid(at, -at)
    radius, turn = np.hypot(u, v), np.arctan2(v, u)
    angles = np.linspace(0, np.radians(120), 2000)
    angle = np.interp(radius, eye_texture_radius(angles), angles).astype(np.float32)
    millimetres = EYE_RADIUS * np.sin(np.minimum(angle, np.pi / 2))
    edge = EYE_RADIUS * np.sin(LIMBUS)
    pupil = rng.uniform(1.5, 2.2)
    share = np.clip((millimetres - pupil) / (edge - pupil), 0, 1)

    fibres = 0.6 * _polar(rng, turn, share, 150, 3) + 0.5 * _polar(rng, turn, share, 60, 2)
    collarette = 0.27 + 0.03 * _polar(rng, turn, share, 24, 1)
    tone = np.clip(0.5 + 0.28 * fibres, 0, 1.3)[..., None]
    fibre, ground = np.float32(fibre), np.float32(ground)
    iris = ground + tone * (fibre - ground)
    inner = np.exp(-(((share - collarette) / 0.11) ** 2))[..., None]
    iris = iris + inner * 0.35 * (fibre * np.float32([1.25, 1.0, 0.75]) - iris)
    iris *= (1 - 0.72 * smoothstep(0.76, 1.0, share))[..., None]
    black = smoothstep(pupil + 0.18, pupil - 0.12, millimetres)[..., None]
    iris = iris * (1 - black) + 0.01 * black

    white = np.float32([0.52, 0.48, 0.445]) * rng.uniform(0.9, 1.08)
    off_axis = smoothstep(np.radians(35), np.radians(85), angle)
    veins = np.clip(np.abs(texels.noise(rng, size, size / 40)), 0, 2)
    veins = np.exp(-((veins / 0.09) ** 2)) * smoothstep(np.radians(40), np.radians(70), angle)
    sclera = white * (1 - off_axis[..., None] * np.float32([0.10, 0.24, 0.22]))
    sclera = sclera * (1 - 0.35 * veins[..., None] * np.float32([0.15, 0.8, 0.75]))
    blend = smoothstep(edge - 0.25, edge + 0.55, millimetres)[..., None]
    albedo = iris + blend * (sclera - iris)
    roughness = 0.32 - 0.10 * (1 - blend[..., 0])
    return Material(albedo=np.clip(albedo, 0.01, 0.9), roughness=roughness,
                    specular=0.35, clearcoat=1.0, clearcoat_gloss=0.97)


def _polar(rng: np.random.Generator, turn: np.ndarray, share: np.ndarray, spokes: int, rings: int) -> np.ndarray:
    """Unit noise that varies fast around the pupil and slowly along the radius."""
    table = rng.standard_normal((rings + 2, spokes))
    column = (turn / (2 * np.pi) + 0.5) * spokes + 0.6 * np.sin(9 * share)
    return map_coordinates(table, [share * rings + 0.5, column], output=np.float32, order=3, mode="grid-wrap")
