"""One sample: a window of a clip under two lights, photographed by two cameras at one place. Plain arrays.

Everything is drawn from the sample's own seed, each part from a stream of its own: a sample is the same bits in any
process, and another choice of background changes neither lights nor noise.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np
import torch

from relight.conditioning.environment import Environment, Sky, look_angles, metered_ev
from relight.conditioning.light_maps import encode_ldr, encode_log
from relight.data.config import BackgroundChoice, DataConfig
from relight.data.photograph import Recorder, develop, display
from relight.data.view import View
from synth.camera.camera import Camera
from synth.camera.film import Film, sample_film
from synth.camera.sensor import SensorNoise, sample_noise
from synth.channels import lighting_channel
from synth.dataset.reader import Clip
from synth.lighting.envmap import EnvMap
from synth.lighting.library import LightingLibrary
from synth.seeds import derive_seed, keyed
from synth.transport.on_the_fly import LightingPairs

Sample = dict[str, np.ndarray]
"""``source flat alpha target background``: (T, 3 or 1, H, W) uint8 display values, as in
:class:`relight.batch.PortraitBatch`; ``light_ldr light_log``: (T, 3, h, 2h) float32; ``exposure``: (T,) float32."""


class SkyCache:
    """Maps of clips that this process has read, the latest up to a number of bytes."""

    def __init__(self, most_bytes: int):
        self._most, self._bytes = most_bytes, 0
        self._kept: collections.OrderedDict[tuple[str, str], tuple[Sky, int]] = collections.OrderedDict()

    def read(self, clip: Clip, lighting: int, frame: int) -> Sky:
        """The map of a frame."""
        key = clip.clip_id, clip.metadata()["frames"][frame]["envmaps"][lighting]
        sky, counted = self._kept.pop(key, None) or (Sky(EnvMap(clip.envmap(lighting, frame))), 0)
        self._kept[key] = sky, sky.nbytes
        self._bytes += sky.nbytes - counted
        while self._bytes > self._most and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1][1]
        return sky


@dataclasses.dataclass(frozen=True, eq=False)
class _Lit:
    """The window under one light."""

    pictures: Sequence[np.ndarray]
    """T of (H, W, 3) float32: premultiplied radiance of the foreground."""
    environment: Environment
    """The T maps."""
    metered_ev: float
    """Stops that a meter asks for."""


def draw_sample(clip: Clip, config: DataConfig, cache: SkyCache, *keys: int | str) -> Sample:
    """One sample of a clip; ``keys`` (seed, number...) decide all that is drawn. DatasetError for damaged data."""
    streams = {name: keyed(*keys, name) for name in ("window", "light", "camera", "view", "background")}
    start = int(streams["window"].integers(clip.frames - config.frames + 1))
    frames = range(start, start + config.frames)
    cameras = [clip.camera(frame) for frame in frames]
    kind = _draw_kind(streams["background"], config.backgrounds)
    source, target, spare = _lit(clip, frames, cameras, config, cache, kind, streams["light"])
    films = [sample_film(streams["camera"], light.metered_ev) for light in (source, target)]
    view = View.draw(streams["view"], (clip.row["width"], clip.row["height"]), (config.width, config.height),
                     config.crop)
    zooms = len({camera.focal_mm for camera in cameras}) > 1
    angles = look_angles(cameras, np.stack([view.rays(camera) for camera in cameras[: None if zooms else 1]]))
    behind = target.environment.look_up(angles)
    if spare is None:
        before = _uniform(streams["background"], kind, films[0])
    else:
        before = spare.environment.look_up(angles) * np.float32(2.0 ** (source.metered_ev - spare.metered_ev))
    noise = _binned(sample_noise(streams["camera"]), max(1.0, config.sensor_width / config.width))
    shape = (config.height, config.width, 3)
    recorder = (Recorder(noise, derive_seed(*keys, "noise"), shape) if streams["camera"].random() < config.noise
                else None)
    sample = _photographed(clip, frames, view, source, target, before, behind, films, recorder)
    light = target.environment.in_camera_axes(cameras, config.light_height)
    sample |= {"light_ldr": encode_ldr(light), "light_log": encode_log(light)}
    if streams["view"].random() < config.flip:
        sample = {name: np.ascontiguousarray(images[..., ::-1]) for name, images in sample.items()}
    return sample | {"exposure": np.full(config.frames, films[1].exposure_ev, np.float32)}


def _photographed(clip: Clip, frames: Sequence[int], view: View, source: _Lit, target: _Lit, before: np.ndarray,
                  behind: np.ndarray, films: Sequence[Film], recorder: Recorder | None) -> Sample:
    """The pictures; ``before`` and ``behind`` are backgrounds (T or 1, H, W, 3) of source and target, radiance."""
    size = len(frames), 3, view.height, view.width
    sample = {name: np.empty(size, np.uint8) for name in ("source", "flat", "target", "background")}
    sample["alpha"] = np.empty((len(frames), 1, view.height, view.width), np.uint8)
    for t, frame in enumerate(frames):
        alpha = np.clip(view.crop(_linear(clip, frame, "alpha")), 0, 1)
        clear = np.repeat(1 - alpha, 3, axis=1).reshape(view.height, view.width, 3)
        sample["alpha"][t, 0] = np.rint(255 * alpha)
        sample["flat"][t] = display(view.crop(_linear(clip, frame, "flat")), np.ones(3), "srgb")
        lit = view.crop(target.pictures[t]) + clear * behind[t]
        sample["target"][t] = develop(lit, films[1])
        sample["background"][t] = develop(behind[t], films[1])
        given = view.crop(source.pictures[t]) + clear * before[min(t, len(before) - 1)]
        if recorder is None:
            sample["source"][t] = develop(given, films[0])
        else:
            exposed = recorder.record(given * np.float32(2.0 ** films[0].exposure_ev))
            sample["source"][t] = display(exposed, films[0].white_balance, films[0].response)
    return sample


def _linear(clip: Clip, frame: int, channel: str) -> np.ndarray:
    """As :meth:`Clip.read`; numpy turns halves into floats ten times as slowly as torch."""
    return torch.from_numpy(clip.read_stored(frame, channel)).float().numpy()


def _binned(noise: SensorNoise, pixels: float) -> SensorNoise:
    """Noise of means over squares of ``pixels``: more electrons, read noise that adds up as noise does, finer steps."""
    bits = min(24, noise.bits + round(2 * math.log2(pixels)))
    return dataclasses.replace(noise, full_well=noise.full_well * pixels**2, read_noise=noise.read_noise * pixels,
                               prnu=noise.prnu / pixels, bits=bits)


def _draw_kind(rng: np.random.Generator, odds: BackgroundChoice) -> str:
    """A field of :class:`BackgroundChoice`."""
    weights = np.array(list(odds.model_dump().values()))
    return str(rng.choice(list(odds.model_dump()), p=weights / weights.sum()))


def _uniform(rng: np.random.Generator, kind: str, film: Film) -> np.ndarray:
    """(1, 1, 1, 3) float32 radiance of a uniform background: from black to white once exposed, dark as often as light
    to the eye."""
    value = rng.random(3) ** 2
    value = value if kind == "colour" else np.full(3, value[0])
    return (value * 2.0**-film.exposure_ev).astype(np.float32).reshape(1, 1, 1, 3)


# --- lights ---------------------------------------------------------------------------------------------------------


def _lit(clip: Clip, frames: Sequence[int], cameras: Sequence[Camera], config: DataConfig, cache: SkyCache, kind: str,
         rng: np.random.Generator) -> tuple[_Lit, _Lit, _Lit | None]:
    """The window under the source's and the target's light; and the light whose map the source stands before, if any.
    """
    if clip.has_transport and rng.random() < config.relight.probability:
        source, target = _relit(clip, frames, cameras, config, rng)
        return source, target, source if kind in ("environment", "other") else None
    order = rng.permutation(len(clip.row["lightings"]))
    source, target = (_stored(clip, frames, int(lighting), cache) for lighting in order[:2])
    if kind == "other" and len(order) > 2:
        return source, target, _stored(clip, frames, int(order[2]), cache, pictures=False)
    return source, target, source if kind in ("environment", "other") else None


def _stored(clip: Clip, frames: Sequence[int], lighting: int, cache: SkyCache, pictures: bool = True) -> _Lit:
    skies = [cache.read(clip, lighting, frame) for frame in frames]
    images = [_linear(clip, frame, lighting_channel("rgb", lighting)) for frame in frames] if pictures else []
    return _Lit(images, Environment(skies), clip.metadata()["exposure_ev"][lighting])


def _relit(clip: Clip, frames: Sequence[int], cameras: Sequence[Camera], config: DataConfig, rng: np.random.Generator
           ) -> list[_Lit]:
    """Two lights that were not rendered, from the clip's transport."""
    pairs = _lighting_pairs(config.relight.sources, config.split, config.relight.height)
    drawn = list(pairs.draw(clip, rng, frames))
    lit = []
    for side in ("source", "target"):
        maps = [getattr(pair, f"{side}_map") for pair in drawn]
        lit.append(_Lit([getattr(pair, side) for pair in drawn], Environment(maps), metered_ev(maps, cameras)))
    return lit


@functools.lru_cache(maxsize=2)
def _lighting_pairs(sources: tuple[str, ...], split: str, height: int) -> LightingPairs:
    """Listed once a process, when the first clip is relit."""
    return LightingPairs(LightingLibrary(sources), split, height=height)

