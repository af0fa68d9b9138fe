"""``pixelcube showcase``: rendered clips relit as a user relights footage, beside what the renderer says is true."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from assets.errors import SpecError


@dataclasses.dataclass(frozen=True)
class Showcase:
    """Relight clips of a dataset as one relights footage, and show source, result and truth side by side.

    Only clips of the test split are taken: their people and their light are unknown to the model.
    Example: pixelcube showcase out/demo_relight --output out/demo"""

    dataset: Annotated[str, tyro.conf.arg(metavar="DATASET"), tyro.conf.Positional]
    """Dataset folder or fsspec URL."""
    model: str = "small"
    """A model that ships, a folder or a hub id."""
    clips: int = 2
    """How many clips; of the last one a still is relit, of the others the video."""
    lights: int = 2
    """Lights for each."""
    output: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("out/showcase")
    """Folder of index.html, pictures and videos."""

    def execute(self) -> int:
        """Exit status."""
        from ray_jobs.cli.page import write_page
        from relight.pipeline.portrait import PortraitRelightPipeline
        from synth.dataset.reader import Clip, Dataset

        if self.clips < 1 or self.lights < 1:
            raise SpecError(f"showcase: {self.clips} clips and {self.lights} lights, expected 1 or more of both")
        dataset = Dataset.open(self.dataset)
        rows = [row for row in dataset.table(["clip_id", "split_identity", "split_hdri", "lightings"]).to_pylist()
                if row["split_identity"] == row["split_hdri"] == "test" and len(row["lightings"]) > self.lights]
        if not rows:
            raise SpecError(f"{self.dataset}: has no clip of the test split with more than {self.lights} lightings")
        pipeline = PortraitRelightPipeline.from_pretrained(self.model).on_best_device()
        chosen = [Clip(dataset, row["clip_id"]) for row in rows[:self.clips]]
        shots = [_shot(pipeline, clip, target, self.output, still=clip is chosen[-1])
                 for clip in chosen for target in range(1, self.lights + 1)]
        links = [{"href": "inspect/index.html", "text": "the rendered dataset"}
                 ] if (self.output / "inspect" / "index.html").is_file() else []
        page = write_page(self.output / "index.html", "showcase.html.j2", shots=shots, links=links,
                          title=f"Pixel Cube: relit by {self.model}",
                          summary=["People and lights that the model never saw. Each source was relit by the steps of "
                                   "'pixelcube relight'; the truth is the same frame rendered under that light."])
        print(f"relit beside truth   {page}")
        return 0


def _shot(pipeline: Any, clip: Any, target: int, output: Path, still: bool) -> dict[str, Any]:
    """Relight a clip from its first lighting to another; write pictures, and return what the page says of them."""
    from PIL import Image

    from ray_jobs.cli import display
    from ray_jobs.cli.page import save_thumb
    from ray_jobs.cli.video import write_mp4
    from relight.footage.read import open_footage
    from relight.pipeline.shot import relight_shot

    frames = range(1 if still else clip.frames)
    source, truth = (photographs(clip, lighting, frames) for lighting in (0, target))
    light = _light(clip, target, frames)
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder, "source.png" if still else "source.mp4")
        made = given.with_stem("relit")
        if still:
            Image.fromarray(source[0]).save(given)
        else:
            write_mp4(given, source, clip.row["fps"])
        relight_shot(pipeline, given, made, light)
        relit = [(picture * 255 + 0.5).astype(np.uint8) for picture in open_footage(made)]
    name = f"{clip.clip_id}-{target:03d}"
    thumbs = output / "thumbs" / name
    thumbs.mkdir(parents=True, exist_ok=True)
    middle = len(frames) // 2
    seen = display.srgb8(light.map(middle).data, light.film.exposure_ev)
    shown = {"source": source[middle], "light": seen, "result": relit[middle], "truth": truth[middle]}
    video = None if still else f"{name}.mp4"
    if video:
        swing = [*frames, *frames[-2:0:-1]] * 4
        write_mp4(output / video, (_beside(source[t], relit[t], truth[t]) for t in swing), clip.row["fps"])
    ids = " > ".join(clip.row["lightings"][target]["ids"])
    return {"title": f"{'still' if still else 'video'} of {clip.clip_id}", "facts": f"{ids}, not in training",
            "video": video, "pictures": [{"name": key, "src": save_thumb(picture, thumbs, key)}
                                         for key, picture in shown.items()]}


def photographs(clip: Any, lighting: int, frames: Sequence[int]) -> list[np.ndarray]:
    """(H, W, 3) uint8 of each frame under a lighting, before its environment, through the clip's exposure."""
    from ray_jobs.cli import display

    ev = clip.metadata()["exposure_ev"][lighting]
    return [display.srgb8(display.over_environment(clip.read(frame, f"rgb.{lighting:03d}"), clip.read(frame, "alpha"),
                                                   clip.envmap(lighting, frame), clip.camera(frame)), ev)
            for frame in frames]


def _light(clip: Any, lighting: int, frames: Sequence[int]) -> Any:
    """A clip's lighting as a user has it: maps about the camera, exposed as the truth is."""
    from relight.pipeline.light import ShotLight
    from synth.lighting.envmap import EnvMap

    cameras = [clip.camera(frame) for frame in frames]
    maps = [EnvMap(np.asarray(clip.envmap(lighting, frame), np.float32)).rotated(camera.camera_to_world[:3, :3].T)
            for frame, camera in zip(frames, cameras, strict=True)]
    focal = cameras[0].focal_mm * cameras[0].width / max(cameras[0].width, cameras[0].height)
    light = ShotLight(maps, frames=len(maps), focal_mm=focal)
    wanted = clip.metadata()["exposure_ev"][lighting]
    return dataclasses.replace(light, exposure=wanted - light.film.exposure_ev)


def _beside(*pictures: np.ndarray) -> np.ndarray:
    """Pictures in a row, each with 256 rows."""
    from PIL import Image

    return np.concatenate([np.asarray(Image.fromarray(picture).resize((256, 256), Image.Resampling.BICUBIC))
                           for picture in pictures], axis=1)
