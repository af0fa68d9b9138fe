"""Skin that lives: wrinkles that expression deepens, blood that follows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from synth.appearance import regions, texels, wrinkles
from synth.appearance.description import Appearance
from synth.appearance.pigments import blood_sensitivity, scatter_mfp
from synth.appearance.relief import Relief, normals
from synth.heads.head import HeadModel
from synth.motion.performance import ACTION_UNITS, Performance
from synth.scene import Material
from synth.seeds import derive_seed

PRESSED = ((0.12, 0.35), {
    "lips": {"AU24": -0.8, "AU23": -0.55, "AU28": -0.5, "AU20": -0.35, "AU12": -0.25, "AU18": 0.12, "AU22": 0.1},
    "brow": {"AU4": -0.35, "AU9": -0.15},
    "forehead": {"AU1": -0.15, "AU2": -0.15},
    "apple": {"AU6": -0.22, "AU12": -0.12},
    "rim": {"AU6": 0.22, "AU12": 0.22},
    "fold": {"AU9": 0.22, "AU10": 0.2, "AU12": 0.1},
    "chin": {"AU17": -0.3, "AU15": -0.1, "AU24": -0.1},
})
"""Blood pressed out of skin that is stretched or squeezed and pooling beside it, after Jimenez et al. (2010): natural
logarithms of its amount at full activation, by region; and the times in which it goes and comes back, seconds."""
FELT = ((1.5, 6.0), {
    "face": {"anger": 0.7, "strain": 0.65, "fear": -0.3, "joy": 0.1, "grief": 0.1},
    "cheeks": {"joy": 0.4, "anger": 0.35, "strain": 0.3, "fear": -0.15},
    "nose": {"grief": 0.5, "disgust": 0.1, "joy": 0.1},
    "lids": {"grief": 0.45, "strain": 0.1},
    "ears": {"anger": 0.35, "strain": 0.3, "joy": 0.1, "fear": -0.2},
    "neck": {"anger": 0.4, "strain": 0.4, "grief": 0.1},
})
"""The same for vessels that widen and narrow with emotion and effort."""
STEADY = 0.004
"""Change of blood's logarithm, and of a wrinkle's depth, below which skin is at rest."""


class Life:
    """How one person's skin changes over a performance."""

    def __init__(self, head: HeadModel, appearance: Appearance, albedo: np.ndarray, relief: Relief):
        skin, size = appearance.skin, len(albedo)
        self.rest = Material(albedo, relief.roughness, 0.35, normals(relief.slopes), relief.clearcoat, 0.7,
                             scatter=scatter_mfp(skin.melanin, skin.haemoglobin))
        self._slopes = relief.slopes
        self._skin = skin
        self._layers = wrinkles.layers(head, skin, size)
        self._regions = _regions(texels.positions(head, "skin", size))
        self._sensitivity = blood_sensitivity(skin.melanin, skin.haemoglobin)

    def perform(self, performance: Performance) -> Sequence[Material]:
        """The skin of each frame, composed when it is asked for; frames that nothing changes are ``rest`` itself."""
        units = {name: performance.unit(name) for name in ACTION_UNITS}
        folds = np.stack([layer.fold(units) for layer in self._layers], axis=1)
        flows = blood(performance, self._skin.flushing, derive_seed(self._skin.seed, "blood"))
        flow = np.stack([flows[name] for name in self._regions], axis=1)
        still = (np.abs(folds).max(axis=1) < STEADY) & (np.abs(flow).max(axis=1) < STEADY)
        return _Frames(self, np.where(still[:, None], 0, folds).astype(np.float32),
                       np.where(still[:, None], 0, flow).astype(np.float32))

    def compose(self, folds: np.ndarray, flow: np.ndarray) -> Material:
        """The skin with each layer of wrinkles this much deeper (L,) and blood's logarithm changed by region (R,)."""
        if not folds.any() and not flow.any():
            return self.rest
        return dataclasses.replace(self.rest, albedo=self._coloured(flow), normal_map=self._folded(folds))

    def _folded(self, folds: np.ndarray) -> np.ndarray:
        active = [(layer, fold) for layer, fold in zip(self._layers, folds, strict=True) if abs(fold) >= STEADY]
        if not active:
            return self.rest.normal_map
        box = _union([layer.box for layer, _ in active])
        slopes = self._slopes[box].copy()
        for layer, fold in active:
            slopes[_within(layer.box, box)] += fold * layer.slopes.astype(np.float32)
        out = self.rest.normal_map.copy()
        out[box] = normals(np.clip(slopes, -2.5, 2.5, out=slopes))
        return out

    def _coloured(self, flow: np.ndarray) -> np.ndarray:
        active = [(*region, change) for region, change in zip(self._regions.values(), flow, strict=True) if change]
        if not active:
            return self.rest.albedo
        box = _union([region_box for region_box, _, _ in active])
        change = np.zeros(self.rest.albedo[box].shape[:2], np.float32)
        for region_box, weight, amount in active:
            change[_within(region_box, box)] += amount * weight
        out = self.rest.albedo.copy()
        for channel, sensitivity in enumerate(self._sensitivity):
            out[box][..., channel] *= np.exp(sensitivity * change)
        np.clip(out[box], 0.01, 0.9, out=out[box])
        return out


class _Frames(Sequence):
    """The materials of T frames; only the last one asked for is kept."""

    def __init__(self, life: Life, folds: np.ndarray, flow: np.ndarray):
        self._life, self._folds, self._flow = life, folds, flow
        self._last: tuple[int, Material] = (-1, life.rest)

    def __len__(self) -> int:
        return len(self._folds)

    def __getitem__(self, frame: int) -> Material:
        frame = range(len(self))[frame]
        if frame != self._last[0]:
            self._last = frame, self._life.compose(self._folds[frame], self._flow[frame])
        return self._last[1]


def blood(performance: Performance, flushing: float, seed: int) -> dict[str, np.ndarray]:
    """(T,) float: how the logarithm of blood changes over time, by region; sided ones as ``apple_L`` and ``apple_R``.

    Pressure works within a fraction of a second and on its own side; feeling widens vessels in seconds, and wears off
    more slowly. The first frame is in equilibrium. Once the face stirs, blood also drifts, and pulses with the heart.
    """
    fps = performance.fps
    rng = np.random.Generator(np.random.PCG64(seed))
    out = {}
    times, pressed = PRESSED
    for region, drivers in pressed.items():
        for side, letter in enumerate("LR"):
            target = sum(share * performance.unit(unit)[side].astype(float) for unit, share in drivers.items())
            out[f"{region}_{letter}"] = flushing * follow(np.clip(target, -0.9, 0.6), fps, *times)
    feelings = {name: follow(curve, fps, *FELT[0]) for name, curve in emotions(performance).items()}
    stirred = np.clip(follow(_activity(performance), fps, 1.0, 8.0), 0, 1)
    stirred = stirred - stirred[0] * np.exp(-np.arange(len(stirred)) / fps)  # nothing yet at the start
    for region, shares in FELT[1].items():
        out[region] = flushing * sum(share * feelings[name] for name, share in shares.items())
        out[region] = out[region] + flushing * stirred * _drift(rng, len(stirred), fps)
    rate = rng.uniform(0.95, 1.45) + 0.5 * feelings["strain"] + 0.3 * feelings["anger"] + 0.25 * feelings["fear"]
    out["face"] = out["face"] + 0.02 * flushing * stirred * np.sin(2 * np.pi * np.cumsum(rate) / fps)
    return out


def emotions(performance: Performance) -> dict[str, np.ndarray]:
    """(T,) in [0, 1]: how much a face looks like an emotion or an effort, from its action units (Ekman et al. 2002)."""
    au = {name: np.mean(performance.unit(name), axis=0, dtype=float) for name in ACTION_UNITS}
    tense = np.maximum.reduce([au["AU23"], au["AU24"], au["AU7"], au["AU10"], au["AU31"], 0.8 * au["AU5"]])
    sunk = np.maximum.reduce([au["AU15"], au["AU17"], 0.7 * au["AU20"]])
    return {
        "anger": au["AU4"] * (0.25 + 0.75 * tense),
        "strain": np.maximum.reduce([0.8 * au["AU34"], 0.6 * au["AU31"], au["AU21"], au["AU6"] * au["AU4"] * tense]),
        "fear": np.minimum.reduce([au["AU1"], au["AU2"], np.maximum(au["AU5"], au["AU20"])]),
        "joy": au["AU12"] * (0.4 + 0.6 * au["AU6"]),
        "grief": np.minimum(au["AU1"], np.maximum(au["AU4"], 0.4)) * sunk,
        "disgust": np.maximum(au["AU9"], 0.7 * au["AU10"]),
    }


def follow(target: np.ndarray, fps: float, rise: float, decay: float) -> np.ndarray:
    """(T,) a first-order lag behind a target (T,): time constants, seconds, away from zero and back to it."""
    out = np.empty(len(target))
    value = float(target[0])
    for frame, goal in enumerate(target):
        time = rise if abs(goal) > abs(value) else decay
        value += (goal - value) * (1 - np.exp(-1 / (fps * time)))
        out[frame] = value
    return out


def _activity(performance: Performance) -> np.ndarray:
    """(T,) how busy the face is; blinking is no business."""
    curves = [curve for name, curve in performance.units.items() if not name.startswith("AU45")]
    return np.max(curves, axis=0).astype(float) if curves else np.zeros(performance.frames)


def _drift(rng: np.random.Generator, frames: int, fps: float) -> np.ndarray:
    """(T,) slow spontaneous change: waves of 8 to 25 seconds, as vasomotion has them."""
    time = np.arange(frames)[:, None] / fps
    period, phase = rng.uniform(8, 25, 4), rng.uniform(0, 2 * np.pi, 4)
    return 0.03 * np.sin(2 * np.pi * time / period + phase).sum(axis=1)


Boxed = tuple[tuple[slice, slice], np.ndarray]


def _regions(place: np.ndarray) -> dict[str, Boxed]:
    """Where blood changes together: for each region its box in the texture, and weights (h, w) float16 in it."""
    point = place.reshape(-1, 3)
    shape = place.shape[:2]
    near, x = regions.near, point[:, 0]
    apple = near(point, (36, -27, 86), (13, 10, 24))
    front = np.clip((point[:, 2] + 25) / 50, 0, 1) * np.clip((point[:, 1] + 135) / 30, 0, 1)
    face = np.maximum(front, regions.ear_blood(point, 1.0))
    whole = {
        "face": face * np.clip(1 - 0.35 * near(point, (15, -56, 98), (15, 8, 16)), 0, 1),
        "cheeks": near(point, (40, -32, 80), (19, 18, 30)),
        "nose": near(point, (0, -36, 112), (15, 14, 20)),
        "lids": near(point, (31, 0, 86), (18, 11, 16)),
        "ears": regions.ear_blood(point, 1.0),
        "neck": np.clip((-point[:, 1] - 115) / 30, 0, 1) * np.clip((point[:, 1] + 235) / 40, 0, 1)
        * np.clip((point[:, 2] + 40) / 50, 0, 1),
    }
    sided = {
        "lips": regions.lips(point)[0],
        "brow": near(point, (11, 18, 97), (9, 11, 16)),
        "forehead": near(point, (22, 42, 93), (26, 15, 30)),
        "apple": apple,
        "rim": np.clip(near(point, (38, -32, 82), (22, 21, 32)) - apple, 0, 1),
        "fold": near(point, (17, -42, 100), (8, 12, 14)),
        "chin": near(point, (8, -96, 97), (13, 10, 18)),
    }
    for name, weight in sided.items():
        left = np.clip(0.5 + x / 8, 0, 1)
        whole |= {f"{name}_L": weight * left, f"{name}_R": weight * (1 - left)}
    return {name: _boxed(weight.reshape(shape)) for name, weight in whole.items()}


def _boxed(weight: np.ndarray) -> Boxed:
    seen = weight > 5e-3
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return box, weight[box].astype(np.float16)


def _union(boxes: Sequence[tuple[slice, slice]]) -> tuple[slice, slice]:
    return tuple(slice(min(box[k].start for box in boxes), max(box[k].stop for box in boxes)) for k in (0, 1))


def _within(box: tuple[slice, slice], outer: tuple[slice, slice]) -> tuple[slice, slice]:
    return tuple(slice(part.start - whole.start, part.stop - whole.start)
                 for part, whole in zip(box, outer, strict=True))
