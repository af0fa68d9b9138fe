"""``pixelcube export``: one moment of a clip as a file that Blender opens."""

from __future__ import annotations

from pathlib import Path

from assets.errors import SpecError
from ray_jobs.cli.text import make_console
from synth.generate import open_renderer, plan, prepare_clip
from synth.renderers import plan_renderer
from synth.spec import ClipSpec, load_job


def main(job: Path, clip: str, frame: int, lighting: int, output: Path) -> int:
    """Write the file; 0. SpecError where the job has no such clip, frame or lighting."""
    if output.suffix != ".blend":
        raise SpecError(f"output: {str(output)!r}, expected a name that ends with .blend")
    spec = find(plan(load_job(job)), clip)
    for name, number, count in (("frame", frame, spec.frames), ("lighting", lighting, len(spec.lightings))):
        if not 0 <= number < count:
            raise SpecError(f"{name}: {number}, but clip {clip} has {count} of them, expected 0 to {count - 1}")
    renderer = open_renderer("cycles", plan_renderer("cycles")[0])
    prepared = prepare_clip(spec)
    renderer.export(output, prepared.subject.frames([frame]), prepared.cameras[frame],
                    prepared.lightings[lighting][frame], spec.samples)
    make_console().print(str(output), soft_wrap=True)
    return 0


def find(specs: list[ClipSpec], clip: str) -> ClipSpec:
    """The clip of a job with this number, or whose id starts so."""
    for spec in specs:
        if clip == str(spec.index) or (len(clip) >= 4 and spec.clip_id.startswith(clip)):
            return spec
    last = max(spec.index for spec in specs)
    raise SpecError(f"clip: {clip!r} is no clip of the job, expected a number from 0 to {last} or the start of an id")
