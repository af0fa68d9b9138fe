"""``pixelcube render``: the job that ``ray_jobs/render.py`` runs, and pictures of what came out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from ray_jobs.command import JobOverrides, load
from ray_jobs.driver import RunOptions, run_job
from synth.renderers import plan_renderer
from synth.spec import JobSpec


@dataclasses.dataclass(frozen=True)
class Render:
    """Render the dataset that a job file describes, through Ray on this machine or on a cluster; then inspect it.

    Running it again does nothing twice: finished clips are kept, missing ones are rendered.
    Example: pixelcube render ray_jobs/jobs/demo.yaml --clips 2 --output out/two"""

    job: Annotated[Path | None, tyro.conf.arg(metavar="JOB.yaml"), tyro.conf.Positional] = None
    """Job file in YAML, whose fields are those of synth.spec.JobSpec; every field has a default."""
    overrides: tyro.conf.OmitArgPrefixes[JobOverrides] = JobOverrides()
    """Instead of the job file's fields."""
    options: tyro.conf.OmitArgPrefixes[RunOptions] = RunOptions()
    """How the job runs; none of this changes a pixel."""
    inspect: bool = True
    """Write the contact sheet and the videos afterwards."""

    def execute(self) -> int:
        """Exit status."""
        job = load(self.job, self.overrides)
        if not self.options.gpus_per_worker:  # else the workers know their variant, and the driver may have no GPU
            print(announcement(job), flush=True)
        report = run_job(job, self.options)
        print(report.summary())
        if self.inspect and not report.interrupted and _has_index(report.output):
            from ray_jobs.cli import inspect

            inspect.main(report.output)
        return report.exit_code


def _has_index(url: str) -> bool:
    """Whether there is anything to inspect: not if nothing was packed, and nothing before."""
    from synth.dataset.index import INDEX
    from synth.dataset.storage import Storage

    return Storage(url).exists(INDEX)


def announcement(job: JobSpec) -> str:
    """What the job will be rendered with here, and what that costs where only the slow variant starts."""
    from synth.generate import renderers_of

    return "\n".join(_announced(job, renderer) for renderer in renderers_of(job))


def _announced(job: JobSpec, renderer: str) -> str:
    from synth.generate import choose_method, effective_samples

    variant, _ = plan_renderer(renderer, job.variant)
    method, samples = choose_method(job, variant, renderer).method, effective_samples(job, variant)
    if renderer == "cycles":
        by = ", relit by light groups" if method == "light_groups" else ""
        return f"rendering with Cycles on {variant}, {samples} samples a pixel{by}"
    if method == "transport":
        return f"rendering with {variant}, light transport of {job.render.paths} paths a pixel"
    line = f"rendering with {variant}, {samples} samples a pixel"
    if variant.startswith("scalar") and job.variant == "auto":
        line += f" (slow, so fewer than the {job.samples} asked for; 'pixelcube doctor' says how to get a fast variant)"
    return line
