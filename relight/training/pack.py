"""Two trained stages as one model that people use: ``python -m relight.training.pack DELIGHT RELIGHT FOLDER``.

DELIGHT and RELIGHT are what ``pixelcube train`` leaves (OUTPUT/model). FOLDER is for
:meth:`PortraitRelightPipeline.from_pretrained`: weights of half precision, each stage's card beside them.
"""

from __future__ import annotations

import csv
import json
import os
import secrets
import shutil
import sys
from pathlib import Path

from assets.errors import AssetError
from assets.files import one_line
from relight.pipeline.portrait import PortraitRelightPipeline, Settings
from relight.relighter import Relighter

CARD = ("README.md", "training.json")
EVERY = 100


def pack(delight: Path, relight: Path, folder: Path, settings: Settings | None = None) -> None:
    """Write ``folder``, or replace what an earlier call left there; AssetError where it can't be written.

    settings: by default those that suit what the stages were trained on. Frames of a network that has only seen stills
    don't know of each other: windows need no overlap, and the same noise for all is what does not flicker.
    """
    places = delight, relight
    stages = [Relighter.from_pretrained(place) for place in places]
    stills = all(json.loads((place / "training.json").read_text())["data"]["frames"] == 1 for place in places)
    pipeline = PortraitRelightPipeline(*stages, settings or Settings(overlap=0 if stills else 2, still_noise=stills))
    staging = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        pipeline.save_pretrained(staging, half=True)
        for stage, source in (("delight", delight), ("relight", relight)):
            for name in CARD:
                shutil.copyfile(source / name, staging / stage / name)
            with (staging / stage / "log.csv").open("w", newline="") as file:
                csv.writer(file).writerows([("run", "step", "name", "value"), *history(source)])
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(staging, folder)
    except OSError as error:
        raise AssetError(f"{one_line(folder)}: cannot be written ({one_line(error)})") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def history(model: Path) -> list[tuple[str, int, str, str]]:
    """Run, step, name and value of a model's curves, those of the runs that it went on from first: what validation
    said, and the loss as means of EVERY steps. Empty where a run's log is not beside its model."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    start = json.loads((model / "training.json").read_text())["model"]["start"]
    rows = history(Path(start)) if start and (Path(start) / "training.json").is_file() else []
    if not (model.parent / "log").is_dir():
        return rows
    log, run = EventAccumulator(str(model.parent / "log"), {"scalars": 0}), model.parent.name
    log.Reload()
    for name in log.Tags()["scalars"]:
        points = [(event.step, event.value) for event in log.Scalars(name)]
        if name == "train/loss":
            points = [(points[k][0], sum(value for _, value in points[k:k + EVERY]) / EVERY)
                      for k in range(0, len(points) - EVERY + 1, EVERY)]
        elif not name.startswith("validation/"):
            continue
        rows += [(run, step, name, f"{value:.4g}") for step, value in points]
    return rows


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    pack(*map(Path, sys.argv[1:]))
