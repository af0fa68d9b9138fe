"""One sample: a window of a clip under two lights, photographed by two cameras at one place. Plain arrays.

Everything is drawn from the sample's own seed, each part from a stream of its own: a sample is the same bits in any
process, and another choice of background changes neither lights nor noise.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import math
from collections.abc import Collection, Sequence

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


class _Stored:
    """The same of a light that the clip was rendered under, read when it is asked for."""

    def __init__(self, clip: Clip, frames: Sequence[int], lighting: int, cache: SkyCache):
        self._clip, self._frames, self._lighting, self._cache = clip, frames, lighting, cache
        self.metered_ev: float = clip.metadata()["exposure_ev"][lighting]

    @functools.cached_property
    def pictures(self) -> Sequence[np.ndarray]:
        return [_linear(self._clip, frame, lighting_channel("rgb", self._lighting)) for frame in self._frames]

    @functools.cached_property
    def environment(self) -> Environment:
        return Environment([self._cache.read(self._clip, self._lighting, frame) for frame in self._frames])


SIDES = ("source", "target")
"""Of a sample: the video that is given, and what is wanted of it, light included. Flat and alpha belong to both."""


def draw_sample(clip: Clip, config: DataConfig, cache: SkyCache, *keys: int | str,
                sides: Collection[str] = SIDES) -> Sample:
    """One sample of a clip; ``keys`` (seed, number...) decide all that is drawn. DatasetError for damaged data.

    sides: without ``source`` the sample has no source; without ``target`` it has neither target nor background nor
    light maps. What it has is the same to the bit.
    """
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
    sample, clear = _foreground(clip, frames, view)
    if "source" in sides:
        noise = _binned(sample_noise(streams["camera"]), max(1.0, config.sensor_width / config.width))
        noisy = streams["camera"].random() < config.noise
        recorder = Recorder(noise, derive_seed(*keys, "noise"), (config.height, config.width, 3)) if noisy else None
        if spare is None:
            before = _uniform(streams["background"], kind, films[0])
        else:
            before = spare.environment.look_up(angles) * np.float32(2.0 ** (source.metered_ev - spare.metered_ev))
        sample |= _given(source, view, clear, before, films[0], recorder)
    if "target" in sides:
        sample |= _wanted(target, view, clear, target.environment.look_up(angles), films[1])
        light = target.environment.in_camera_axes(cameras, config.light_height)
        sample |= {"light_ldr": encode_ldr(light), "light_log": encode_log(light)}
    if streams["view"].random() < config.flip:
        sample = {name: np.ascontiguousarray(images[..., ::-1]) for name, images in sample.items()}
    return sample | {"exposure": np.full(config.frames, films[1].exposure_ev, np.float32)}


def _foreground(clip: Clip, frames: Sequence[int], view: View) -> tuple[Sample, np.ndarray]:
    """``flat`` and ``alpha``; and what lets a background through, (T, H, W, 3) float32."""
    cover = np.stack([np.clip(view.crop(_linear(clip, frame, "alpha")), 0, 1) for frame in frames])
    flat = [display(view.crop(_linear(clip, frame, "flat")), np.ones(3), "srgb") for frame in frames]
    clear = np.repeat(1 - cover, 3, axis=2).reshape(*cover.shape, 3)
    return {"flat": np.stack(flat), "alpha": np.rint(255 * cover).astype(np.uint8)[:, None]}, clear


def _given(light: _Lit | _Stored, view: View, clear: np.ndarray, before: np.ndarray, film: Film,
           recorder: Recorder | None) -> Sample:
    """``source``: before a background (T or 1, H or 1, W or 1, 3) of radiance, where ``clear`` (T, H, W, 3) lets it."""
    pictures = []
    for t, picture in enumerate(light.pictures):
        lit = view.crop(picture) + clear[t] * before[min(t, len(before) - 1)]
        if recorder is None:
            pictures.append(develop(lit, film))
        else:
            exposed = recorder.record(lit * np.float32(2.0**film.exposure_ev))
            pictures.append(display(exposed, film.white_balance, film.response))
    return {"source": np.stack(pictures)}


def _wanted(light: _Lit | _Stored, view: View, clear: np.ndarray, behind: np.ndarray, film: Film) -> Sample:
    """``target`` and ``background``, which is (T, H, W, 3) of radiance."""
    lit = [view.crop(picture) + clear[t] * behind[t] for t, picture in enumerate(light.pictures)]
    return {"target": np.stack([develop(picture, film) for picture in lit]),
            "background": np.stack([develop(picture, film) for picture in behind])}


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
         rng: np.random.Generator) -> tuple[_Lit | _Stored, _Lit | _Stored, _Lit | _Stored | None]:
    """The window under the source's and the target's light; and the light whose map the source stands before, if any.
    """
    if clip.has_transport and rng.random() < config.relight.probability:
        source, target = _relit(clip, frames, cameras, config, rng)
        return source, target, source if kind in ("environment", "other") else None
    order = rng.permutation(len(clip.row["lightings"]))
    source, target, *others = (_Stored(clip, frames, int(lighting), cache) for lighting in order[:3])
    if kind == "other" and others:
        return source, target, others[0]
    return source, target, source if kind in ("environment", "other") else None


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

