"""One shot, of any length and size: framed, cut into windows, relit, and put together at full resolution."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.metadata
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Protocol

import numpy as np
import torch

from assets.errors import SpecError
from assets.files import digest_file
from relight.conditioning.light_maps import direction_map, encode_ldr, encode_log
from relight.data.view import View
from relight.pipeline.ahead import ahead
from relight.pipeline.backdrop import Backdrop
from relight.pipeline.composite import Developer, foreground, over, put_before
from relight.pipeline.detail import enlarge
from relight.pipeline.framing import Framing, cut, feather, frame_shot, region
from relight.pipeline.light import ShotLight
from relight.pipeline.portrait import PortraitRelightPipeline
from relight.pipeline.windows import Layers, Windows, cross_fade

_READ_AHEAD = 4
"""Frames that are decoded before they are needed."""
_MOST_WAITING = 400 * 10**6
"""Bytes of pictures that may wait to be finished."""


class Pictures(Protocol):
    """Frames that can be read again and again, as :class:`relight.footage.footage.Footage`."""

    width: int
    height: int

    @property
    def frames(self) -> int:
        """How many."""

    def pictures(self, start: int = 0, step: int = 1) -> Iterator[np.ndarray]:
        """(H, W, 3) float32 display values of every ``step``-th frame from ``start`` on."""


@dataclasses.dataclass(frozen=True)
class ShotOptions:
    """What happens to a shot beside the light."""

    background: str = "envmap"
    """What the person stands before: ``envmap``, ``keep`` (the source's own), or the path of an image."""
    mask: Path | None = None
    """Folder or video of coverage masks, an image a frame and of the source's size, instead of the predicted ones."""
    seed: int = 0
    """Of the networks' noise."""
    exr: Path | None = None
    """Folder for scene-linear frames, half-float EXR."""


@dataclasses.dataclass(frozen=True, eq=False)
class Relit:
    """One frame. All (H, W, ...) float32."""

    picture: np.ndarray
    """(H, W, 3) display values in [0, 1]."""
    radiance: np.ndarray | None
    """(H, W, 3) scene-linear radiance, the person's up to what the camera's white holds; None unless for EXR."""
    alpha: np.ndarray
    """(H, W) coverage by the person, 0 outside the part that was relit."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Given:
    """A frame as it was read."""

    picture: np.ndarray
    """(H, W, 3) display values."""
    mask: np.ndarray | None
    """(H, W, 1) the user's mask."""


class Shot:
    """Frames of one shot under its light, made in order and in constant memory."""

    def __init__(self, pipeline: PortraitRelightPipeline, footage: Pictures, light: ShotLight,
                 options: ShotOptions = ShotOptions(), framing: Framing | None = None):
        """framing: None looks for the face in every frame, once it is asked for. SpecError or AssetError where options
        don't fit the footage."""
        self._pipeline, self._footage, self._options = pipeline, footage, options
        self._light = dataclasses.replace(light, frames=footage.frames)
        self._developer = Developer(self._light.film)
        self._backdrop = Backdrop(options.background, self._light, self._developer, (footage.width, footage.height))
        self._masks = None if options.mask is None else _open_masks(options.mask, footage)
        self._framing = framing
        length = min(pipeline.settings.window, footage.frames)
        self._windows = Windows(footage.frames, length, min(pipeline.settings.overlap, length // 2))

    @functools.cached_property
    def framing(self) -> Framing:
        """Where the networks look."""
        settings = self._pipeline.settings
        return self._framing or frame_shot(self._footage, settings.size, self._pipeline.pixel_multiple)

    def frames(self, start: int = 0) -> Iterator[Relit]:
        """Frames from ``start`` on, the same bits as if all were made."""
        if start == self._footage.frames:
            return
        pixels = self._footage.width * self._footage.height
        count = max(1, min(self._windows.length, _MOST_WAITING // (12 * pixels)))
        with contextlib.closing(ahead(self._predicted(start), count)) as predicted:
            for frame, given, layers in predicted:
                yield self._finish(frame, given, layers)

    # --- at the networks' size ----------------------------------------------------------------------------------------

    def _predicted(self, start: int) -> Iterator[tuple[int, _Given, Layers]]:
        """Frames, and what the networks made of each."""
        first = self._windows.first_with(start)
        begin = self._windows.start(first)
        held: dict[int, _Given] = {}

        def parts(read: Iterator[tuple[int, _Given]]) -> Iterator[Layers]:
            for number in range(first, len(self._windows)):
                window = range(self._windows.start(number), self._windows.stop(number))
                while window[-1] not in held:
                    frame, given = next(read)
                    held[frame] = given
                yield self._predict(window, [held[frame] for frame in window])

        with contextlib.closing(ahead(self._read(begin), _READ_AHEAD)) as read:
            layers_of = cross_fade(self._windows, parts(enumerate(read, begin)), first)
            for frame, layers in enumerate(layers_of, begin):
                given = held.pop(frame)
                if frame >= start:
                    yield frame, given, layers

    def _read(self, start: int) -> Iterator[_Given]:
        pictures = self._footage.pictures(start)
        if self._masks is None:
            yield from (_Given(picture, None) for picture in pictures)
        else:
            masks = self._masks.pictures(start)
            yield from (_Given(picture, np.ascontiguousarray(mask[..., :1]))
                        for picture, mask in zip(pictures, masks, strict=True))

    def _predict(self, window: range, given: list[_Given]) -> Layers:
        """Layers of a window's frames: what the networks saw, what they made, the background between; (T, h, w, C)."""
        rectangles = [self.framing.rectangle(frame) for frame in window]

        def cuts(pictures: list[np.ndarray]) -> np.ndarray:
            return np.stack([cut(picture, box, self.framing.size)
                             for picture, box in zip(pictures, rectangles, strict=True)])

        source = cuts([one.picture for one in given])
        behind = self._developer.display(self._behind(window))
        seen = {"source": source, "background": behind}
        if self._masks is not None:
            seen["matte"] = cuts([one.mask for one in given])
        light = self._light.in_camera_axes(window, self._pipeline.settings.light_height)
        direction = torch.from_numpy(direction_map(light.shape[2]).copy()).expand(len(window), -1, -1, -1)
        tensors = {name: torch.from_numpy(np.ascontiguousarray(values.transpose(0, 3, 1, 2)))
                   for name, values in seen.items()}
        made = self._run(tensors | {
            "light_ldr": torch.from_numpy(encode_ldr(light)), "light_log": torch.from_numpy(encode_log(light)),
            "light_direction": direction, "exposure": torch.full((len(window),), self._light.film.exposure_ev),
        }, window.start)
        return {"source": source, "behind": behind, "target": made["target"], "alpha": made["alpha"][..., 0]}

    def _run(self, tensors: dict[str, torch.Tensor], start: int) -> Layers:
        """``target`` and ``alpha`` (T, h, w, C) of tensors (T, ...), the last repeated to a length that networks take.
        """
        frames, step = len(tensors["source"]), self._pipeline.frame_step
        numbers = [min(t, frames - 1) for t in range(1 + -(-(frames - 1) // step) * step)]
        batch = SimpleNamespace(**{name: values[numbers][None].to(self._pipeline.device)
                                   for name, values in tensors.items()})
        made = self._pipeline.relight_batch(batch, self._options.seed, start)
        return {name: made[name][0, :frames].permute(0, 2, 3, 1).cpu().numpy() for name in ("target", "alpha")}

    def _behind(self, window: range) -> np.ndarray:
        """(T, h, w, 3) radiance of the environment behind the part that the networks see."""
        frames = window if self._light.moves or not self.framing.still else window[:1]
        seen = np.concatenate([self._light.behind([frame], self._rays(frame)) for frame in frames])
        return np.broadcast_to(seen, (len(window), *seen.shape[1:]))

    def _rays(self, frame: int) -> np.ndarray:
        """(h, w, 3) directions through the pixels of the part that the networks see, camera axes."""
        camera = self._light.camera(frame, self._footage.width, self._footage.height)
        return View(*self.framing.rectangle(frame), *self.framing.size).rays(camera)

    # --- at the footage's size ----------------------------------------------------------------------------------------

    def _finish(self, frame: int, given: _Given, layers: Layers) -> Relit:
        person = foreground(layers["target"], layers["alpha"], layers["behind"], self._developer)
        box = self.framing.rectangle(frame)
        colour, alpha = enlarge(person, layers["alpha"], layers["source"], given.picture, box)
        if given.mask is not None:
            part, alpha = region(box, alpha.shape), np.zeros_like(alpha)
            alpha[part] = given.mask[part][..., 0] * feather(box, alpha.shape)
        shown, behind = self._backdrop.seen(frame, given.picture)
        picture = put_before(colour, alpha, shown, behind, self._developer)
        radiance = None if self._options.exr is None else over(colour, alpha, behind, self._developer)
        return Relit(picture, radiance, alpha)


def _open_masks(path: Path, footage: Pictures) -> Pictures:
    from relight.footage.read import open_footage

    masks = open_footage(path)
    if (masks.width, masks.height, masks.frames) != (footage.width, footage.height, footage.frames):
        raise SpecError(f"{path}: {masks.frames} masks of {masks.width}x{masks.height}, expected {footage.frames} of "
                        f"{footage.width}x{footage.height}, as the source")
    return masks


@dataclasses.dataclass(frozen=True)
class Report:
    """How a shot was relit."""

    output: Path
    """The result."""
    frames: int
    """Of it."""
    resumed: int
    """Those that an earlier, interrupted run had finished."""
    warnings: tuple[str, ...]
    """What the user should know, a line each."""
    framing: Framing
    """Where the networks looked; the same source under another light need not be searched again."""


def relight_shot(pipeline: PortraitRelightPipeline, source: Path, output: Path, light: ShotLight,
                 options: ShotOptions = ShotOptions(), progress: Callable[[int, int], None] | None = None,
                 framing: Framing | None = None, keep_parts: bool = False) -> Report:
    """Relight a video, an image or a folder of images into ``output``, whose suffix says what it becomes.

    Interrupted, by whatever ``progress(done, total)`` raises too, the same call goes on where it stopped. framing: of
    an earlier report on the same source and pipeline. keep_parts: see :func:`relight.footage.write.open_writer`.
    AssetError or SpecError in one line.
    """
    from relight.footage.read import open_footage
    from relight.footage.write import open_writer

    footage = open_footage(source)
    shot = Shot(pipeline, footage, light, options, framing)
    key = "\n".join([importlib.metadata.version("pixelcube"), str(pipeline.device), pipeline.digest, light.digest,
                     repr(dataclasses.replace(options, exr=None))])
    if Path(options.background).is_file():
        key += digest_file(options.background)
    if options.mask is not None:
        key += open_footage(options.mask).identity()
    tell = progress or (lambda done, total: None)
    with open_writer(output, footage, key, options.exr, keep_parts) as writer:
        found = shot.framing.found
        resumed = writer.done
        tell(resumed, footage.frames)
        with contextlib.closing(shot.frames(resumed)) as frames:
            for done, relit in enumerate(frames, resumed + 1):
                writer.write(relit.picture, relit.radiance)
                tell(done, footage.frames)
    warnings = [] if found else ["no face was found: the middle of the picture was relit as it stands"]
    if footage.damage:
        warnings.append(footage.damage)
    return Report(output, footage.frames, resumed, tuple(warnings), shot.framing)
