"""``pixelcube validate``: every byte of a dataset, read and compared with what is said about it."""

from __future__ import annotations

import rich.progress

from ray_jobs.cli.text import make_console
from synth.dataset.validate import validate


def main(url: str) -> int:
    """0 if nothing is wrong, 1 after a list of what is; warnings alone are not wrong."""
    console = make_console()
    columns = (rich.progress.TextColumn("checking"), rich.progress.BarColumn(), rich.progress.MofNCompleteColumn(),
               rich.progress.TextColumn("clips"), rich.progress.TimeRemainingColumn())
    counts = [0, 0]
    with rich.progress.Progress(*columns, console=make_console(stderr=True), transient=True) as bar:
        task = bar.add_task("checking", total=None)

        def progress(done: int, total: int) -> None:
            counts[:] = done, total
            bar.update(task, completed=done, total=total)

        problems = validate(url, progress)
    for problem in problems:
        console.print(str(problem), markup=False, soft_wrap=True)
    errors = sum(problem.level == "error" for problem in problems)
    verdict = "every byte is as it should be" if not errors else f"{errors} errors"
    console.print(f"{url}: {counts[0]} clips checked: {verdict}, {len(problems) - errors} warnings", soft_wrap=True,
                  markup=False)
    return 1 if errors else 0
