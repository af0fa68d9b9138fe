"""From stored channels to 8-bit pictures for people, at fixed scales: no picture is normalised by what it shows."""

from __future__ import annotations

import numpy as np

from synth.camera.camera import Camera
from synth.camera.film import Film
from synth.lighting.envmap import EnvMap

DEPTH_RANGE = 0.25
"""Metres from white to black in a picture of depth: as deep as a face."""
FLOW_RANGE = 8.0
"""Pixels a frame that saturate a picture of flow."""


def srgb8(radiance: np.ndarray, ev: float = 0.0) -> np.ndarray:
    """(H, W, 3) scene-linear Rec.709 to (H, W, 3) uint8 sRGB after ``ev`` stops of exposure; brighter than 1 clips."""
    return (Film(exposure_ev=ev, response="srgb").develop(radiance) * 255 + 0.5).astype(np.uint8)


def over_environment(rgb: np.ndarray, alpha: np.ndarray, envmap: np.ndarray, camera: Camera) -> np.ndarray:
    """The subject in front of the light that lights it: (H, W, 3) float32 scene-linear radiance.

    rgb: (H, W, 3) premultiplied; alpha: (H, W); envmap: (He, 2He, 3) world axes.
    """
    background = EnvMap(np.asarray(envmap, np.float32)).look_up(camera.rays())
    return np.asarray(rgb, np.float32) + (1 - np.asarray(alpha, np.float32))[..., None] * background


def normal8(normal: np.ndarray) -> np.ndarray:
    """(H, W, 3) unit world normals to (H, W, 3) uint8, +1 as 255 and -1 as 0; black off the subject."""
    covered = (np.asarray(normal) != 0).any(axis=-1, keepdims=True)
    return np.where(covered, (np.asarray(normal, np.float32) * 0.5 + 0.5) * 255, 0).astype(np.uint8)


def depth8(depth: np.ndarray) -> np.ndarray:
    """(H, W) metres to (H, W, 3) uint8: near is bright, over DEPTH_RANGE about the subject's median; black off it."""
    depth = np.asarray(depth, np.float32)
    covered = depth > 0
    middle = float(np.median(depth[covered])) if covered.any() else 0.0
    grey = np.clip(0.5 - (depth - middle) / DEPTH_RANGE, 0.05, 1) * covered
    return np.repeat((grey * 255).astype(np.uint8)[..., None], 3, axis=-1)


def flow8(flow: np.ndarray) -> np.ndarray:
    """(H, W, 2) pixels to (H, W, 3) uint8: right is red, down is green, both about grey, saturated at FLOW_RANGE."""
    scaled = np.clip(np.asarray(flow, np.float32) / FLOW_RANGE, -1, 1) * 0.5 + 0.5
    return (np.concatenate([scaled, np.full_like(scaled[..., :1], 0.5)], axis=-1) * 255).astype(np.uint8)


def grey8(values: np.ndarray) -> np.ndarray:
    """(H, W) in [0, 1] to (H, W, 3) uint8, linearly."""
    return np.repeat((np.clip(np.asarray(values, np.float32), 0, 1) * 255).astype(np.uint8)[..., None], 3, axis=-1)
