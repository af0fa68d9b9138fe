"""What ``pixelcube evaluate`` does: scores pair after pair, then writes a table, JSON and a contact sheet."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rich.console
import rich.progress
import rich.table
import torch

from assets.errors import SpecError
from assets.files import atomic_write
from ray_jobs.cli.page import save_thumb, write_page
from ray_jobs.cli.text import make_console
from relight.evaluation.evaluate import (
    BASELINES,
    REFERENCES,
    Evaluation,
    EvaluationConfig,
    Method,
    Result,
    relighter,
    score,
    summarise,
)
from relight.evaluation.held_out import trained_apart
from relight.pipeline.portrait import PortraitRelightPipeline, find_model

LABELS = {"do_nothing": "do nothing", "colour_transfer": "colour transfer", "true_grade": "grade by the truth",
          "model": "model"}
PICTURES = 32
"""Most clips on the contact sheet."""
Scores = dict[str, list[dict[str, dict[str, float]]]]
"""Clip id -> pairs -> method -> figure -> value."""


def main(config: EvaluationConfig, model: str | None, output: Path) -> int:
    """Everything is written at the end: an interrupted run leaves nothing."""
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpecError(f"output: {output} cannot be a folder ({error.strerror})") from error
    methods, held_out = BASELINES | REFERENCES, []
    if model is not None:
        methods["model"], held_out = _model(model, config)
    with make_console(stderr=True).status("verifying the dataset"):
        evaluation = Evaluation(config)
    scores, shown = _score(evaluation, methods)
    summary = summarise(scores)
    lines = _lines(summary, model, held_out)
    clips = [_pictures(output, result) for result in shown]
    page = write_page(output / "index.html", "evaluation.html.j2", summary=lines, clips=clips,
                      title=f"Pixel Cube: {model or 'baselines'} on {config.dataset}, {config.split}")
    report = _write(output / "evaluation.json", evaluation, model, held_out, scores, summary)
    console = make_console()
    _print(console, summary, config.pairs)
    for line in [*lines, f"figures        {report}", f"contact sheet  {page}"]:
        console.print(line, soft_wrap=True, markup=False)
    return 0


def _model(place: str, config: EvaluationConfig) -> tuple[Method, list[str]]:
    """A model as a method, on the GPU if there is one, and how it is known that it never saw these clips."""
    held_out = trained_apart(find_model(place), config.data())
    pipeline = PortraitRelightPipeline.from_pretrained(place).on_best_device()
    return relighter(pipeline, config), held_out


def _score(evaluation: Evaluation, methods: dict[str, Method]) -> tuple[Scores, list[Result]]:
    """All scores, and the first pair of some clips with its pictures."""
    scores: Scores = {clip_id: [] for clip_id in evaluation.clip_ids}
    shown: list[Result] = []
    for pair in rich.progress.track(evaluation, "relighting pairs", console=make_console(stderr=True), transient=True):
        result = score(pair, methods)
        scores[pair.clip_id].append(result.scores)
        if pair.number == 0 and len(shown) < PICTURES:
            shown.append(result)
    return scores, shown


# --- what is said ---------------------------------------------------------------------------------------------------


def _write(path: Path, evaluation: Evaluation, model: str | None, held_out: Sequence[str], scores: Scores,
           summary: dict[str, Any]) -> Path:
    """``evaluation.json``. Figures have the names of :class:`relight.evaluation.evaluate.Result`, methods are
    ``do_nothing``, ``colour_transfer``, ``true_grade`` and, with a model, ``model``.

    ``format``: 1. ``version``: of pixelcube. ``config``: fields of EvaluationConfig. ``digest``: of the dataset.
    ``model``: what was asked for, or null; ``held_out``: a line for each of its stages. ``clips``: clip id -> ``pairs``
    (a list: method -> figure -> value) and ``mean`` (method -> figure -> value). ``mean`` and ``gain``: as
    :func:`relight.evaluation.evaluate.summarise` makes them.
    """
    clips = {clip_id: {"pairs": pairs, "mean": summary["clips"][clip_id]} for clip_id, pairs in scores.items()}
    report = {"format": 1, "version": importlib.metadata.version("pixelcube"),
              "config": evaluation.config.model_dump(mode="json"), "digest": evaluation.digest, "model": model,
              "held_out": list(held_out), "mean": summary["mean"], "gain": summary["gain"], "clips": clips}
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
    return path


def _spread(figure: dict[str, float | None], digits: int, sign: str = "") -> str:
    error = figure["standard_error"]
    return f"{figure['mean']:{sign}.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}")


def _figures(mean: dict[str, dict[str, float | None]], suffix: str = "") -> str:
    return f"PSNR {_spread(mean[f'psnr{suffix}'], 2)}, SSIM {_spread(mean[f'ssim{suffix}'], 3)}"


def _lines(summary: dict[str, Any], model: str | None, held_out: Sequence[str]) -> list[str]:
    """What the table does not say, a line each."""
    mean = summary["mean"]
    lines = [f"one grade for each picture, from the true person: {_figures(mean['true_grade'])}",
             *(f"{LABELS[method]}, after a fitted factor for each channel: {_figures(mean[method], '_fitted')}"
               for method in mean if method != "true_grade")]
    if model is None:
        return lines
    psnr, ssim = (summary["gain"]["model"][name] for name in ("psnr", "ssim"))
    made = mean["model"]
    return [
        f"{model} gains {_spread(psnr, 2, '+')} dB PSNR over {LABELS[psnr['over']]} and {_spread(ssim, 3, '+')} SSIM "
        f"over {LABELS[ssim['over']]}, the better baselines",
        *lines,
        f"its delit person: PSNR {_spread(made['psnr_flat'], 2)}; its matte: IoU {_spread(made['alpha_iou'], 3)}, "
        f"mean absolute error {_spread(made['alpha_mae'], 4)}",
        *(f"held out: {line}" for line in held_out),
    ]


def _print(console: rich.console.Console, summary: dict[str, Any], pairs: int) -> None:
    """PSNR and SSIM: a row a clip, then their mean and its standard error."""
    methods = [method for method in summary["mean"] if method not in REFERENCES]
    table = rich.table.Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("clip", no_wrap=True)
    for title in ("pairs", *(LABELS[method] for method in methods)):
        table.add_column(title, justify="right")

    def row(title: str, count: int | str, value: Callable[[str, str], float], style: str | None = None) -> None:
        cells = [f"{value(method, 'psnr'):.2f} / {value(method, 'ssim'):.3f}" for method in methods]
        table.add_row(title, str(count), *cells, style=style)

    for clip_id, made in summary["clips"].items():
        row(clip_id, pairs, lambda method, name, made=made: made[method][name])
    mean = summary["mean"]
    row("mean", pairs * len(summary["clips"]), lambda method, name: mean[method][name]["mean"], "bold")
    if len(summary["clips"]) > 1:
        row("standard error", "", lambda method, name: mean[method][name]["standard_error"])
    console.print(table)


def _pictures(output: Path, result: Result) -> dict[str, Any]:
    """Write the first frames of a pair; returns what the page says of it."""
    batch, clip_id = result.pair.batch, result.pair.clip_id
    folder = output / "thumbs" / clip_id
    folder.mkdir(parents=True, exist_ok=True)
    facts = {method: f"{figures['psnr']:.2f} dB, {figures['ssim']:.3f}" for method, figures in result.scores.items()}
    shown = [("given", batch.source, facts["do_nothing"]), ("light", batch.light_ldr, "")]
    for method, made in result.made.items():
        if "flat" in made:
            shown.append(("delit", made["flat"], f"{result.scores[method]['psnr_flat']:.2f} dB"))
        if method in ("colour_transfer", "model"):
            shown.append((LABELS[method], made["target"], facts[method]))
    shown.append(("truth", batch.target, ""))
    return {"id": clip_id, "pictures": [
        {"name": name, "facts": text, "src": save_thumb(_first_frame(pictures), folder, name.replace(" ", "-"))}
        for name, pictures, text in shown]}


def _first_frame(pictures: torch.Tensor) -> np.ndarray:
    """Display values (1, T, 3, H, W) to (H, W, 3) uint8."""
    return (pictures[0, 0].permute(1, 2, 0).clamp(0, 1) * 255 + 0.5).byte().numpy()
