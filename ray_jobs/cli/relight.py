"""``pixelcube relight``: somebody's own footage under other light."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import rich.markup
import rich.progress
import tyro

from assets.errors import SpecError
from ray_jobs.cli.text import make_console


@dataclasses.dataclass(frozen=True)
class Relight:
    """Relight a portrait: a video of any length and size, an image, or a folder of images.

    The face is found, the part around it is delit and lit anew, and the result is put together at full resolution;
    sound, frame rate and time stamps stay. Interrupted, the same command goes on where it stopped.
    Example: pixelcube relight me.mp4 --hdri city studio my_place.exr --spin 0 0 360 --exposure 0.5"""

    source: Annotated[Path, tyro.conf.arg(metavar="VIDEO|IMAGE|FOLDER"), tyro.conf.Positional]
    """What is relit."""
    hdri: Annotated[tuple[str, ...], tyro.conf.arg(metavar="FILE|FOLDER|ID ...")] = ("studio/0000",)
    """The light, or several for a result each: a panorama (.hdr, .exr), a folder of panoramas that are played one a
    frame, or an id that 'pixelcube assets list' shows."""
    rotate: Annotated[tuple[float, float, float], tyro.conf.arg(metavar="YAW PITCH ROLL")] = (0.0, 0.0, 0.0)
    """How the light is turned, degrees; a positive yaw carries what is behind the camera to the picture's right."""
    spin: Annotated[tuple[float, ...], tyro.conf.arg(metavar="DEGREES ...")] = (0.0,)
    """Yaw by which the light turns on from the first frame to the last: one for all lights, or one for each."""
    exposure: Annotated[float, tyro.conf.arg(metavar="EV")] = 0.0
    """Stops brighter than an incident-light meter at the face asks for."""
    background: Annotated[str, tyro.conf.arg(metavar="{envmap,keep,IMAGE}")] = "envmap"
    """What the person stands before: the light's own panorama, the source's background, or an image."""
    mask: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Masks of the person, an image a frame, instead of the predicted ones."""
    output: Annotated[Path | None, tyro.conf.arg(metavar="OUT", aliases=["-o"])] = None
    """The result's file, or a folder for results that are named after source and light: out/relit if not given."""
    exr: bool = False
    """Write scene-linear half-float EXR frames too, into a folder beside the result."""
    model: Annotated[str, tyro.conf.arg(metavar="NAME|FOLDER|HUB")] = "small"
    """The relighter: 'small' comes with the package."""
    size: Annotated[int | None, tyro.conf.arg(metavar="PIXELS")] = None
    """Height at which the networks see the framed part; that of their training if not given."""
    steps: int | None = None
    """Steps of sampling, instead of the model's own number."""
    response: Literal["srgb", "filmic", "gamma"] = "srgb"
    """The camera's curve; filmic rolls highlights off."""
    focal: Annotated[float, tyro.conf.arg(metavar="MM")] = 50.0
    """Focal length that the background is seen through, for a 36 mm frame."""
    seed: int = 0
    """Of the networks' noise."""

    def execute(self) -> int:
        """Exit status."""
        from relight.footage.read import open_footage
        from relight.footage.write import remove_parts
        from relight.pipeline.light import read_light
        from relight.pipeline.portrait import PortraitRelightPipeline
        from relight.pipeline.shot import ShotOptions, relight_shot

        if len(self.spin) not in (1, len(self.hdri)):
            raise SpecError(f"--spin: {len(self.spin)} numbers for {len(self.hdri)} lights, expected one, or one each")
        spins = self.spin * len(self.hdri) if len(self.spin) == 1 else self.spin
        lights = [read_light(place, rotation=self.rotate, spin=spin, exposure=self.exposure, response=self.response,
                             focal_mm=self.focal) for place, spin in zip(self.hdri, spins, strict=True)]
        outputs, framing = self.outputs(open_footage(self.source).kind), None
        pipeline = PortraitRelightPipeline.from_pretrained(self.model).with_settings(size=self.size, steps=self.steps)
        pipeline.on_best_device()
        for light, output in zip(lights, outputs, strict=True):
            linear = output.with_name(f"{output.name.removesuffix(output.suffix)}-exr") if self.exr else None
            options = ShotOptions(self.background, self.mask, self.seed, linear)
            with _Progress(output.name) as progress:
                report = relight_shot(pipeline, self.source, output, light, options, progress, framing,
                                      keep_parts=len(lights) > 1)
            framing = report.framing
            for warning in report.warnings:
                make_console(stderr=True).print(f"warning: {warning}", style="yellow", soft_wrap=True, markup=False)
            print(output)
        for output in outputs:
            remove_parts(output)
        return 0

    def outputs(self, kind: str) -> list[Path]:
        """A result for each light. kind: of the source, as :class:`relight.footage.footage.Footage` has it."""
        from relight.footage.write import IMAGE_SUFFIXES, VIDEO_FORMATS

        own = self.source.suffix.lower()
        suffix = {"video": own if own in VIDEO_FORMATS else ".mp4", "images": "",
                  "image": own if own in IMAGE_SUFFIXES else ".png"}[kind]
        named = self.output is not None and (kind == "images" or self.output.suffix.lower() in
                                             (*VIDEO_FORMATS, *IMAGE_SUFFIXES))
        if named and len(self.hdri) == 1:
            return [self.output]
        folder, stem = self.output or Path("out/relit"), self.source.resolve().stem
        names = [f"{stem}-{Path(place).stem}".replace(".", "-") for place in self.hdri]
        return [folder / f"{name}{f'-{names[:k].count(name) + 1}' if name in names[:k] else ''}{suffix}"
                for k, name in enumerate(names)]


class _Progress:
    """A bar with an estimate on the terminal: ``progress(done, total)``."""

    def __init__(self, name: str):
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"), rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(), rich.progress.TextColumn("frames"),
            rich.progress.TimeRemainingColumn(), console=make_console(stderr=True))
        self._name = name

    def __enter__(self):
        self._bar.start()
        self._task = self._bar.add_task("looking for the face", total=None)
        return self

    def __exit__(self, *error) -> None:
        self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        self._bar.update(self._task, description=rich.markup.escape(self._name), completed=done, total=total)
