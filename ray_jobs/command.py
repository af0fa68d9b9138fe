"""The command line of ``render.py``."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import tyro

from ray_jobs.driver import RunOptions, run_job
from ray_jobs.oneline import guarded
from synth.spec import JobSpec, load_job, parse_job


@dataclasses.dataclass(frozen=True)
class JobOverrides:
    """Fields of the job that may be given here instead of in the file."""

    output: str | None = None
    """Dataset folder, or any fsspec URL (s3://bucket/path)."""
    seed: int | None = None
    """The only number that randomness starts from."""
    clips: int | None = None
    """How many clips."""
    frames: int | None = None
    """Frames a clip."""
    lightings: int | None = None
    """Lightings a clip."""
    width: int | None = None
    """Image width, pixels."""
    height: int | None = None
    """Image height, pixels."""
    samples: int | None = None
    """Samples a pixel."""
    variant: str | None = None
    """Renderer variant."""


@dataclasses.dataclass(frozen=True)
class RenderCommand:
    """Render a dataset of relightable clips with Ray. Running it again does nothing twice."""

    job: tyro.conf.Positional[Path | None] = None
    """Job file (YAML); without one, every field has its default."""
    overrides: tyro.conf.OmitArgPrefixes[JobOverrides] = JobOverrides()
    """Job."""
    run: tyro.conf.OmitArgPrefixes[RunOptions] = RunOptions()
    """Run."""
    debug: bool = False
    """Show the traceback of an error."""


def load(path: Path | None, overrides: JobOverrides) -> JobSpec:
    """The job of a file, or of the defaults, with fields replaced from the command line."""
    fields = {name: value for name, value in dataclasses.asdict(overrides).items() if value is not None}
    return parse_job(fields, "command line") if path is None else load_job(path, **fields)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one job; returns the exit status: 0 complete, 1 some clips are missing, 2 an error, 130 interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)

    def run() -> int:
        command = tyro.cli(RenderCommand, args=arguments)
        report = run_job(load(command.job, command.overrides), command.run)
        print(report.summary())
        return report.exit_code

    return guarded("render", run, "--debug" in arguments, interrupted="stopped before any clip was begun")
