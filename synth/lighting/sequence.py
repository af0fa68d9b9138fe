"""Lighting sequences: one environment map a frame."""

from __future__ import annotations

import functools
import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydantic

from assets.errors import AssetError, SpecError
from synth.lighting import sequence_params as kinds
from synth.lighting.emitters import area_light, blackbody, hue_colour, unit_luminance
from synth.lighting.envmap import EnvMap
from synth.lighting.library import LightingEntry, LightingLibrary
from synth.lighting.sphere import (
    LUMINANCE,
    direction_from_angles,
    directions,
    rotation_about,
    rotation_from_euler,
    solid_angles,
)

MAP_SUFFIXES = (".exr", ".hdr", ".npy")
"""Files that a folder sequence takes; others in the folder are left alone."""

Maps = Iterable[EnvMap]
Kind = Literal["still", "rotate", "move_key", "cross_fade", "flicker", "colour_sweep", "folder"]


class LightingRef(pydantic.BaseModel):
    """A map of the lighting library, pinned by content."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)
    id: str
    """Stable id in the lighting library, for example ``bundled/forest`` or ``procedural/sunsky/0012``."""
    digest: str
    """BLAKE2b hex digest of the source file, or of the procedural family's parameters."""
    licence: str
    """Licence of the map, an SPDX id."""

    @classmethod
    def to(cls, entry: LightingEntry) -> LightingRef:
        """A reference to a library entry."""
        return cls(id=entry.id, digest=entry.digest, licence=entry.licence)


class SequenceSpec(pydantic.BaseModel):
    """How one lighting of a clip evolves; resolved, so that it alone decides every frame's map."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)
    kind: Kind
    """How it changes over time."""
    maps: tuple[LightingRef, ...]
    """The library maps it is made from (two for a cross-fade); for ``folder``, the folder's content."""
    params: dict[str, float | str | tuple[float, ...]] = {}
    """Parameters of the kind (see :mod:`synth.lighting.sequence_params`): rotation, stops, speed..."""

    @pydantic.model_validator(mode="after")
    def _complete(self) -> SequenceSpec:
        count = kinds.PARAMS[self.kind][1]
        if len(self.maps) != count:
            raise ValueError(f"a {self.kind} sequence is made from {count} map(s), got {len(self.maps)}")
        try:
            self.settings  # noqa: B018  parsing it is the check
        except pydantic.ValidationError as error:
            problem = error.errors()[0]
            field = ".".join(str(part) for part in problem["loc"])
            raise ValueError(f"params of a {self.kind} sequence: {field or 'together'}: {problem['msg']}") from error
        return self

    @property
    def settings(self) -> Any:
        """The parameters, parsed: an instance of the kind's class in :mod:`synth.lighting.sequence_params`."""
        return kinds.PARAMS[self.kind][0].model_validate(self.params)


def folder_sequence(path: str | Path, licence: str, **params: Any) -> SequenceSpec:
    """A sequence that plays the maps in a folder, one a frame, pinned by their content."""
    ref = LightingRef(id=f"folder/{Path(path).name}", digest=_folder_digest(map_files(Path(path))), licence=licence)
    return SequenceSpec(kind="folder", maps=(ref,), params={"path": str(path), **params})


# --- drawing --------------------------------------------------------------------------------------------------------


def sample_sequence(
    rng: np.random.Generator,
    library: LightingLibrary,
    sources: Sequence[str],
    split: Literal["train", "val", "test", "all"],
    real_fraction: float,
    dynamic_fraction: float,
    index: int,
) -> SequenceSpec:
    """Draw lighting number ``index`` of a clip.

    Which lightings of a clip are photographed and which change is spread evenly over ``index`` (a two-dimensional
    low-discrepancy sequence, so that even 16 lightings have about the fractions asked for); ``rng`` decides the rest.
    Lighting 0 is photographed and changes wherever the fractions allow it.
    """
    entries = library.select(sources, split)
    pools = {real: [entry for entry in entries if (entry.file is not None) == real] for real in (True, False)}
    if not entries:
        raise AssetError(f"lighting sources {', '.join(sources)}: no map in split {split!r}")
    real = (index * 0.7548776662466927) % 1 < real_fraction  # Roberts' R2 sequence
    dynamic = (index * 0.5698402909980532) % 1 < dynamic_fraction
    pool = pools[real] or pools[not real]
    first = pool[rng.integers(len(pool))]
    params: dict[str, Any] = {"rotation": _draw_rotation(rng, first)}
    if not dynamic:
        return SequenceSpec(kind="still", maps=(LightingRef.to(first),), params=params)
    kind = str(rng.choice(list(_DRAW), p=[share for share, _ in _DRAW.values()]))
    maps = [first]
    if kind == "cross_fade":
        maps.append(entries[rng.integers(len(entries))])
        params["end_rotation"] = _draw_rotation(rng, maps[1])
    params |= _DRAW[kind][1](rng)
    return SequenceSpec(kind=kind, maps=tuple(LightingRef.to(entry) for entry in maps), params=params)


def _draw_rotation(rng: np.random.Generator, entry: LightingEntry) -> tuple[float, float, float]:
    """Yaw, pitch, roll: any yaw for a photograph; a procedural light, authored about a face, stays near its place."""
    yaw = rng.uniform(-180, 180) if entry.file is not None else rng.normal(0, 20)
    pitch, roll = np.clip(rng.normal(0, 5, 2), -12, 12)
    return _rounded(yaw, pitch, roll)


def _draw_rotate(rng: np.random.Generator) -> dict[str, Any]:
    axis = (0.0, 1.0, 0.0) if rng.random() < 0.7 else _rounded(*rng.normal(size=3) + 1e-3)
    return {"axis": axis, "speed": round(rng.choice([-1, 1]) * rng.uniform(20, 120), 3)}


def _draw_move_key(rng: np.random.Generator) -> dict[str, Any]:
    side = rng.choice([-1, 1])
    return {
        "stops": round(rng.uniform(-2.5, -0.5), 3),
        "start": _rounded(side * rng.uniform(20, 100), rng.uniform(0, 50)),
        "end": _rounded(-side * rng.uniform(20, 100), rng.uniform(0, 50)),
        "period": round(rng.uniform(0.8, 3.0), 3),
        "half_size": round(rng.uniform(5, 22), 3),
        "ratio": round(rng.uniform(2, 8), 3),
        "colour": _rounded(*np.maximum(blackbody(rng.uniform(2700, 8000)), 0.01)),
    }


def _draw_cross_fade(rng: np.random.Generator) -> dict[str, Any]:
    return {}


def _draw_flicker(rng: np.random.Generator) -> dict[str, Any]:
    waves = 4
    mains = float(rng.choice([0.0, 100.0, 120.0]))
    return {
        "frequencies": _rounded(*rng.uniform(0.5, 6, waves)),
        "amplitudes": _rounded(*rng.uniform(0.1, 0.5, waves)),
        "phases": _rounded(*rng.uniform(0, 2 * math.pi, waves)),
        "mains": mains,
        "mains_depth": round(rng.uniform(0.1, 0.5), 3) if mains else 0.0,
        "shutter": round(rng.uniform(0.1, 0.5), 3),
    }


def _draw_colour_sweep(rng: np.random.Generator) -> dict[str, Any]:
    start, end = (hue_colour(rng.random(), rng.uniform(0.2, 0.7)) for _ in range(2))
    return {"start": _rounded(*start), "end": _rounded(*end), "period": round(rng.uniform(0.7, 3.0), 3)}


_DRAW = {
    "rotate": (0.35, _draw_rotate),
    "move_key": (0.2, _draw_move_key),
    "cross_fade": (0.2, _draw_cross_fade),
    "flicker": (0.15, _draw_flicker),
    "colour_sweep": (0.1, _draw_colour_sweep),
}
"""Of each kind that is drawn, its share among those that change and how its parameters are drawn."""


def _rounded(*values: float) -> tuple[float, ...]:
    """Short decimals, so that a specification reads well and is hashed as text."""
    return tuple(round(float(value), 4) for value in values)


# --- rendering ------------------------------------------------------------------------------------------------------


def render_sequence(spec: SequenceSpec, library: LightingLibrary, frames: int, fps: float, height: int) -> list[EnvMap]:
    """The map of each frame, at ``height`` rows; frames under the same light share one object.

    Each rotation is taken from the library's map itself, so that no error accumulates over time.
    """
    return list(_rendered(spec, library, frames, fps, height))


class Played(Sequence):
    """What :func:`render_sequence` gives, in the memory of a few maps: each is made when it is asked for.

    Meant to be read in order; going back starts anew.
    """

    def __init__(self, spec: SequenceSpec, library: LightingLibrary, frames: int, fps: float, height: int):
        self._frames = frames
        self._start = functools.partial(_rendered, spec, library, frames, fps, height)
        self._maps, self._last, self._at = iter(()), None, frames

    def __len__(self) -> int:
        return self._frames

    def __getitem__(self, frame: int) -> EnvMap:
        if not 0 <= frame < self._frames:
            raise IndexError(f"frame {frame} is not one of 0 to {self._frames - 1}")
        if frame < self._at:
            self._maps, self._at = self._start(), -1
        while self._at < frame:
            self._last, self._at = next(self._maps), self._at + 1
        return self._last


def _rendered(spec: SequenceSpec, library: LightingLibrary, frames: int, fps: float, height: int) -> Iterator[EnvMap]:
    if frames < 1 or fps <= 0:
        raise SpecError(f"frames {frames}, fps {fps}: a sequence needs at least one frame and a positive frame rate")
    if spec.kind != "folder":
        for ref in spec.maps:
            digest = library[ref.id].digest
            if digest != ref.digest:
                raise AssetError(
                    f"lighting {ref.id}: the library's map has digest {digest}, the clip was planned with "
                    f"{ref.digest}: plan again, or restore the map"
                )
    times = np.arange(frames) / fps
    yield from _RENDER[spec.kind](spec, library, times, height)


def _placed(spec: SequenceSpec, library: LightingLibrary, height: int) -> EnvMap:
    """The first map, turned and exposed."""
    settings = spec.settings
    return (
        library.load(spec.maps[0].id, height).rotated(rotation_from_euler(*settings.rotation)).exposed(settings.stops)
    )


def _render_still(spec: SequenceSpec, library: LightingLibrary, times: np.ndarray, height: int) -> Maps:
    return [_placed(spec, library, height)] * len(times)


def _render_rotate(spec: SequenceSpec, library: LightingLibrary, times: np.ndarray, height: int) -> Maps:
    settings = spec.settings
    source = library.load(spec.maps[0].id, height).exposed(settings.stops)
    base = rotation_from_euler(*settings.rotation)
    return (source.rotated(rotation_about(settings.axis, settings.speed * float(t)) @ base) for t in times)


def _render_move_key(spec: SequenceSpec, library: LightingLibrary, times: np.ndarray, height: int) -> Maps:
    settings, base = spec.settings, _placed(spec, library, height)
    colour = unit_luminance(np.array(settings.colour))
    wanted = settings.ratio * math.pi * float(base.mean @ LUMINANCE)
    for share in _swing(times, settings.period):
        place = (1 - share) * np.array(settings.start) + share * np.array(settings.end)
        direction = direction_from_angles(*place)
        mask = area_light(height, direction, settings.half_size, settings.half_size)
        facing = float((mask * np.maximum(directions(height) @ direction, 0) * solid_angles(height)).sum())
        light = mask[..., None] * (wanted / max(facing, 1e-9) * colour)
        yield EnvMap((base.data + light).astype(np.float32))


def _render_cross_fade(spec: SequenceSpec, library: LightingLibrary, times: np.ndarray, height: int) -> Maps:
    settings, first = spec.settings, _placed(spec, library, height)
    second = library.load(spec.maps[1].id, height).rotated(rotation_from_euler(*settings.end_rotation))
    second = second.exposed(settings.end_stops)
    for progress in np.linspace(0, 1, len(times)):
        share = np.float32(0.5 - 0.5 * math.cos(math.pi * progress))
        blend = {0.0: first, 1.0: second}.get(float(share))
        yield blend or EnvMap(first.data * (1 - share) + second.data * share)


def _render_flicker(spec: SequenceSpec, library: LightingLibrary, times: np.ndarray, height: int) -> Maps:
    settings, base = spec.settings, _placed(spec, library, height)
    waves = np.zeros_like(times)
    for frequency, amplitude, phase in zip(settings.frequencies, settings.amplitudes, settings.phases, strict=True):
        waves += amplitude * np.sin(2 * math.pi * frequency * times + phase)
    frame_time = times[1] if len(times) > 1 else 0.0
    # A shutter open for s seconds averages a sine of frequency f down to sinc(f s) of its depth.
    depth = settings.mains_depth * np.sinc(settings.mains * settings.shutter * frame_time)
    ripple = np.log2(1 + 0.999 * depth * np.sin(2 * math.pi * settings.mains * times))
    return (base.exposed(float(stops)) for stops in waves + ripple)


def _render_colour_sweep(spec: SequenceSpec, library: LightingLibrary, times: np.ndarray, height: int) -> Maps:
    settings, base = spec.settings, _placed(spec, library, height)
    start, end = np.log(settings.start), np.log(settings.end)
    shares = _swing(times, settings.period)
    return (base.tinted(unit_luminance(np.exp((1 - share) * start + share * end))) for share in shares)


def _render_folder(spec: SequenceSpec, library: LightingLibrary, times: np.ndarray, height: int) -> Maps:
    settings = spec.settings
    files = map_files(Path(settings.path))
    digest = _folder_digest(files)
    if digest != spec.maps[0].digest:
        raise AssetError(
            f"{settings.path}: the folder's maps have digest {digest}, the clip was planned with "
            f"{spec.maps[0].digest}: plan again, or restore the maps"
        )
    rotation = rotation_from_euler(*settings.rotation)
    maps = [EnvMap.load(file).resized(height).rotated(rotation).exposed(settings.stops) for file in files[: len(times)]]
    return [maps[i % len(maps)] for i in range(len(times))]


_RENDER = {
    "still": _render_still,
    "rotate": _render_rotate,
    "move_key": _render_move_key,
    "cross_fade": _render_cross_fade,
    "flicker": _render_flicker,
    "colour_sweep": _render_colour_sweep,
    "folder": _render_folder,
}


def _swing(times: np.ndarray, period: float) -> np.ndarray:
    """0 at time 0, 1 half a period later, 0 again after a period, smooth at both ends."""
    return 0.5 - 0.5 * np.cos(2 * math.pi * times / period)


def map_files(folder: Path) -> list[Path]:
    """The maps of a folder in natural order: frame_2 before frame_10."""
    if not folder.is_dir():
        raise AssetError(f"{folder}: no such folder of maps")
    files = [path for path in folder.iterdir() if path.suffix.lower() in MAP_SUFFIXES]
    if not files:
        raise AssetError(f"{folder}: holds no map, expected one {' or '.join(MAP_SUFFIXES)} file a frame")
    return sorted(
        files, key=lambda path: [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path.name)]
    )


def _folder_digest(files: Sequence[Path]) -> str:
    """BLAKE2b hex digest of the files' names and contents, in order."""
    from assets.files import digest_file

    content = "\n".join(f"{path.name} {digest_file(path)}" for path in files)
    return hashlib.blake2b(content.encode(), digest_size=20).hexdigest()
