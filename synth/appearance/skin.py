"""Painting skin: tone, flush, lips, lids, brows, stubble, freckles; gloss and pores. Positions in canonical mm."""

from __future__ import annotations

import dataclasses

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter, map_coordinates

from synth.appearance import texels
from synth.heads.head import HeadModel
from synth.heads.template.hair import hairline
from synth.heads.template.mesh import eye_angles, eye_view
from synth.heads.template.sculpt import (
    EYE_CENTRE,
    LID_CREASE,
    LID_OUTER,
    lip_coordinates,
    polyline,
    smoothstep,
    stroke,
)
from synth.scene import Material


@dataclasses.dataclass(frozen=True)
class Complexion:
    """What colours one face."""

    tone: np.ndarray
    """(3,) float32 reflectance of the skin."""
    hair: np.ndarray
    """(3,) float32 colour of hair and brows."""
    flush: float
    """Strength of the red of cheeks, nose and ears, 0 to 1.5."""
    shadows: float
    """Strength of the dark under the eyes, 0 to 1.5."""
    beard: float
    """Strength of the shaved beard's shadow, 0 to 1."""
    freckles: float
    """Amount of freckles, 0 to 1."""
    lips: float
    """How much redder and darker lips are than the skin, 0.5 to 1.4."""
    brow_thickness: float
    """Of the brows, 1 is average."""
    brow_density: float
    """Hairs in a brow, 1 is average."""
    oil: float
    """Gloss of the T-zone, 0 to 1."""
    scalp: float
    """How dark the roots make the scalp, 0 (bald) to 1."""


def sample_complexion(rng: np.random.Generator, tone: np.ndarray, hair: np.ndarray) -> Complexion:
    """A complexion around a skin tone and a hair colour."""
    return Complexion(
        np.float32(tone), np.float32(hair), flush=rng.uniform(0.4, 1.2), shadows=rng.uniform(0.4, 1.2),
        beard=float(rng.choice([0.0, rng.uniform(0.25, 1.0)], p=[0.6, 0.4])),
        freckles=float(rng.choice([0.0, rng.uniform(0.3, 1.0)], p=[0.8, 0.2])), lips=rng.uniform(0.6, 1.3),
        brow_thickness=rng.uniform(0.85, 1.5), brow_density=rng.uniform(0.7, 1.3), oil=rng.uniform(0.2, 1.0),
        scalp=rng.uniform(0.35, 0.8),
    )


def paint_skin(rng: np.random.Generator, head: HeadModel, look: Complexion, size: int) -> Material:
    """The skin's material: albedo, roughness and normal maps of ``size`` texels a side."""
    # Each coordinate contiguous: twice as fast.
    point = np.asfortranarray(texels.positions(head, "skin", size).reshape(-1, 3))
    fade = smoothstep(-150, -112, point[:, 1])  # the texture is stretched below the chin: no grain there
    scales = (size / 14, size / 60, size / 200, size / 800)
    noises = [texels.noise(rng, size, scale).ravel() * fade for scale in scales]
    lips, brow = _lip_mask(point), _brows(rng, point, look)
    albedo = look.tone * (1 + 0.035 * noises[0] + 0.02 * noises[1])[:, None]
    albedo = _flush(albedo, point, look, noises)
    albedo = _eyes(albedo, point, look)
    albedo = _freckles(rng, albedo, point, look, size)
    albedo = _beard(albedo, point, look, lips, noises)
    albedo = _lips(albedo, look, lips, noises)
    albedo = _roots(albedo, point, look, noises)
    albedo += 0.92 * brow[:, None] * (look.hair * 0.8 - albedo)
    albedo *= 1 - _cavities(point)[:, None] * np.float32([0.72, 0.85, 0.85])

    zone = _near(point, (0, 40, 96), (26, 30, 30)) + _near(point, (0, -25, 112), (13, 26, 18))
    zone = np.clip(zone + 0.6 * _near(point, (0, -98, 97), (14, 10, 14)), 0, 1)
    roughness = 0.57 - 0.13 * look.oil * zone - 0.14 * lips + 0.08 * brow + 0.03 * noises[2] + 0.025 * noises[1]
    pores = (texels.noise(rng, size, size / 700) - texels.noise(rng, size, size / 300)).ravel() * fade
    wrinkles = np.sin(5.5 * point[:, 0] + 1.2 * noises[1]) * lips  # lips are creased from top to bottom
    height = (0.032 * pores * (1 - 0.6 * lips) + 0.05 * wrinkles).reshape(size, size)
    return Material(
        albedo=np.clip(albedo, 0.01, 0.9).reshape(size, size, 3),
        roughness=np.clip(roughness, 0.25, 0.8).reshape(size, size),
        specular=0.35, normal_map=texels.normals_from_height(height, 1.6),
    )


def _lips(albedo: np.ndarray, look: Complexion, lips: np.ndarray, noises: list[np.ndarray]) -> np.ndarray:
    """The red of the lips, which dark skin shows less."""
    darkness = np.clip(1 - look.tone.mean() / 0.35, 0, 1)
    colour = look.tone * (1 - look.lips * (np.float32([0.20, 0.52, 0.44]) * (1 - 0.45 * darkness)))
    return albedo + (lips * 0.86)[:, None] * (colour * (1 + 0.06 * noises[1])[:, None] - albedo)


def _near(point: np.ndarray, centre: tuple[float, float, float], size) -> np.ndarray:
    """Gaussian weight (K,) about a point given on the left side, mirrored."""
    width = np.broadcast_to(np.float32(size), 3)
    total = np.square((np.abs(point[:, 0]) - np.float32(centre[0])) / width[0])
    for axis in (1, 2):
        total += np.square((point[:, axis] - np.float32(centre[axis])) / width[axis])
    return np.exp(-total)


def _lip_mask(point: np.ndarray) -> np.ndarray:
    """1 on the lips' red, soft at its border."""
    s, t = lip_coordinates(point)
    front = smoothstep(74, 80, point[:, 2]) * smoothstep(0, 6, 36 - np.abs(point[:, 0]))
    return smoothstep(1.16, 0.86, np.abs(t)) * smoothstep(1.04, 0.9, s) * front


def _flush(albedo: np.ndarray, point: np.ndarray, look: Complexion, noises: list[np.ndarray]) -> np.ndarray:
    """Blood near the surface: cheeks, nose, ears, chin, lids."""
    red = 0.9 * _near(point, (36, -30, 82), (17, 17, 26)) + 0.8 * _near(point, (0, -35, 114), (15, 13, 18))
    red += 0.75 * smoothstep(67, 76, np.abs(point[:, 0])) * _near(point, (77, -6, -12), (26, 40, 30))
    red += 0.4 * _near(point, (0, -98, 96), (16, 12, 18)) + 0.3 * _near(point, (30, 5, 88), (18, 9, 16))
    red = np.clip(red * look.flush * (1 + 0.25 * noises[1]), 0, 1.4)
    pale = _near(point, (0, 45, 96), (40, 30, 40))
    tint = (1 - red[:, None] * np.float32([0.0, 0.15, 0.12])) * (1 + 0.03 * pale[:, None] * np.float32([0.4, 1, 0.6]))
    return albedo * tint


def _eyes(albedo: np.ndarray, point: np.ndarray, look: Complexion) -> np.ndarray:
    """Dark under the eyes, lids, the lash line and the wet pink of their margins."""
    under = _near(point, (25, -10, 84), (12, 5, 14)) + 0.7 * _near(point, (17, 2, 85), (5, 9, 10))
    upper = _near(point, (32, 7, 86), (15, 5.5, 14))
    shade = np.clip(look.shadows * (0.75 * under + 0.55 * upper), 0, 1.3)[:, None]
    albedo = albedo * (1 - shade * np.float32([0.17, 0.24, 0.20]))
    x, front = np.abs(point[:, 0]), point[:, 2] > EYE_CENTRE[2] - 1
    crease = stroke(point, LID_CREASE, 0.75, 0.3).astype(np.float32) * front
    albedo = albedo * (1 - crease[:, None] * np.float32([0.22, 0.30, 0.28]))
    near = np.flatnonzero(front & (np.hypot(x - EYE_CENTRE[0], point[:, 1]) < 18))
    margin = np.zeros(len(point), np.float32)
    rim = np.concatenate([eye_angles(), eye_angles()[:1]])
    seen = eye_view(_left(point[near]))
    margin[near] = polyline(LID_OUTER * seen, LID_OUTER * rim, 0.55, 0.0)
    corner = _near(point, (18.6, -1.2, 82.5), (2.6, 2.2, 5))
    pink = np.clip(margin + 0.8 * corner, 0, 1)[:, None]
    return albedo + 0.45 * pink * (look.tone ** 0.8 * np.float32([0.85, 0.42, 0.36]) - albedo)


def _left(point: np.ndarray) -> np.ndarray:
    """Points (K, 3) with those of the right side mirrored to the left."""
    return np.stack([np.abs(point[:, 0]), point[:, 1], point[:, 2]], axis=1)


def _freckles(
    rng: np.random.Generator, albedo: np.ndarray, point: np.ndarray, look: Complexion, size: int
) -> np.ndarray:
    if look.freckles == 0:
        return albedo
    spots = texels.noise(rng, size, size / 420).ravel()
    where = _near(point, (22, -22, 90), (26, 17, 40)) + 0.4 * _near(point, (10, 35, 96), (40, 26, 40))
    mask = look.freckles * np.clip(where, 0, 1) * smoothstep(1.5, 2.2, spots)
    return albedo * (1 - mask[:, None] * np.float32([0.32, 0.48, 0.56]))


def _beard(
    albedo: np.ndarray, point: np.ndarray, look: Complexion, lips: np.ndarray, noises: list[np.ndarray]
) -> np.ndarray:
    """The shadow that a shaved beard leaves."""
    x, y, z = np.abs(point[:, 0]), point[:, 1], point[:, 2]
    edge = np.interp(x, [0, 9, 20, 30, 38, 50, 60], [-49, -48, -53, -66, -66, -48, -20]).astype(np.float32)
    edge += 0.8 * noises[1]
    mask = smoothstep(4, -9, y - edge) * smoothstep(-142, -116, y) * smoothstep(-8, 14, z) * (1 - lips)
    mask *= 1 - 0.5 * _near(point, (12, -84, 92), (9, 5, 12))
    stubble = np.clip(0.8 + 0.3 * noises[3], 0, 1.4)
    shadow = look.hair * 0.6 + 0.25 * look.tone * np.float32([0.8, 0.95, 1.05])
    return albedo + (0.36 * look.beard * mask * stubble)[:, None] * (shadow - albedo)


def _roots(albedo: np.ndarray, point: np.ndarray, look: Complexion, noises: list[np.ndarray]) -> np.ndarray:
    over = hairline(point).astype(np.float32) + 1.2 * noises[2]
    ear = smoothstep(70, 74, np.abs(point[:, 0])) * smoothstep(32, 22, point[:, 1])
    mask = look.scalp * smoothstep(-3, 10, over) * np.clip(0.85 + 0.05 * noises[3], 0, 1.2)
    mask *= 1 - ear
    return albedo + np.clip(mask, 0, 1)[:, None] * (look.hair * 1.1 + 0.06 * look.tone - albedo)


def _brows(rng: np.random.Generator, point: np.ndarray, look: Complexion) -> np.ndarray:
    """Coverage (K,) by brow hairs, drawn stroke by stroke in the front view; each side its own."""
    scale, low = 14, np.array([4.0, 2.0])
    width, height = int(56 * scale), int(36 * scale)
    out = np.zeros(len(point), np.float32)
    chosen = np.flatnonzero((point[:, 2] > 55) & (np.abs(point[:, 0]) < 59) & (np.abs(point[:, 1] - 18) < 16))
    for sign in (1, -1):
        canvas = Image.new("L", (width, height))
        draw = ImageDraw.Draw(canvas)
        for _ in range(int(420 * look.brow_density)):
            s = rng.beta(1.05, 1.15)
            across = rng.uniform(-0.5, 0.5)
            breadth = look.brow_thickness * np.interp(s, [0, 0.1, 0.6, 1], [4.6, 6.2, 4.6, 1.6])
            root = _brow_line(s) + (0, across * breadth)
            tangent = _brow_line(min(s + 0.02, 1.02)) - _brow_line(s)
            heading = np.arctan2(tangent[1], tangent[0]) + np.interp(s, [0, 0.25, 0.6, 1], [0.95, 0.5, 0.1, -0.05])
            heading += -0.5 * across + 0.14 * rng.normal()
            length = rng.uniform(4.0, 7.0) * np.interp(s, [0, 0.2, 1], [0.8, 1, 0.75])
            bend = -0.35 * np.interp(s, [0, 1], [1, 0.4])
            steps = np.linspace(0, 1, 6)[:, None]
            angle = heading + bend * steps
            line = root + length * steps * np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
            pixels = [tuple(p) for p in (line - low) * (scale, scale)]
            draw.line(pixels, fill=int(rng.uniform(150, 255)), width=int(rng.integers(2, 5)))
        image = gaussian_filter(np.asarray(canvas, np.float32) / 255, 2.4)
        side = chosen[point[chosen, 0] * sign > 0]
        at = (np.stack([np.abs(point[side, 0]), point[side, 1]]) - low[:, None]) * scale
        out[side] = map_coordinates(image, at[::-1], order=1, mode="constant")
    return np.clip(1.15 * out, 0, 1)


def _brow_line(s: float) -> np.ndarray:
    """Point (x, y) mm on the brow's axis, from its head (s = 0) to its tail (1)."""
    x = 12.5 + 37.5 * s
    return np.array([x, np.interp(x, [10, 14, 22, 32, 40, 46, 52], [13.4, 14.6, 17.0, 19.4, 19.0, 16.4, 12.6])])


def _cavities(point: np.ndarray) -> np.ndarray:
    """1 inside the nostrils, where little light comes back."""
    return np.clip(1.6 * _near(point, (7.2, -40.5, 104.5), (3.6, 3.6, 5.5)), 0, 1)
