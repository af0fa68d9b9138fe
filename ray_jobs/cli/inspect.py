"""``pixelcube inspect``: what a dataset holds, as a table, a contact sheet and a video per clip."""

from __future__ import annotations

import collections
from pathlib import Path
from typing import Any

import rich.console
import rich.table

from assets.errors import DatasetError
from ray_jobs.cli import sheet
from ray_jobs.cli.diversity import identity_lines
from ray_jobs.cli.text import make_console
from synth.dataset.reader import Clip, Dataset
from synth.dataset.storage import Storage

COLUMNS = ["clip_id", "identity", "split_identity", "split_hdri", "domain", "variant", "frames", "width", "height",
           "samples", "lightings", "hdri_ids", "licences", "alpha_mean", "lobe_error", "nonfinite", "render_seconds",
           "length", "head_family", "head_hash", "shape", "skin_tone", "motion"]
PICTURES = 32
"""Most clips on one contact sheet."""


def main(url: str, clip: str | None = None, output: Path | None = None, video: bool = True) -> int:
    """Print the table, write the pictures, say where they are."""
    dataset = Dataset.open(url)
    rows = [row for row in dataset.table(COLUMNS).to_pylist() if row["clip_id"].startswith(clip or "")]
    if not rows:
        raise DatasetError(f"{url}: no clip whose id starts with {clip!r} among its {len(dataset)}")
    console = make_console()
    summary = summarise(rows, url) + identity_lines(rows)
    _print(console, rows, summary)
    shown = rows[:PICTURES]
    folder = output or _default_folder(url)
    clips = [Clip(dataset, row["clip_id"]) for row in shown]
    with console.status("writing pictures"):
        index = sheet.write(folder, clips, f"Pixel Cube: {url}", summary, video)
    if len(shown) < len(rows):
        console.print(f"table and pictures: the first {len(shown)} clips of {len(rows)}; --clip shows another")
    for name, place in _places(url, index, folder, shown, video):
        console.print(f"{name:<14} {place}", soft_wrap=True)
    return 0


def _default_folder(url: str) -> Path:
    """``inspect`` inside a local dataset; for a remote one a folder here, named after it."""
    storage = Storage(url)
    return Path(storage.root, "inspect") if storage.local else Path(f"inspect-{storage.root.rpartition('/')[2]}")


def _places(url: str, index: Path, folder: Path, rows: list[dict[str, Any]], video: bool) -> list[tuple[str, str]]:
    places = [("dataset", url), ("contact sheet", str(index))]
    if video:
        places += [("video" if i == 0 else "", str(folder / f"{row['clip_id']}.mp4")) for i, row in enumerate(rows)]
    return places


def summarise(rows: list[dict[str, Any]], url: str) -> list[str]:
    """Statistics of the clips, a line each."""
    def distinct(column: str) -> int:
        return len({row[column] for row in rows})

    def counted(column: str) -> str:
        counts = collections.Counter(row[column] for row in rows)
        return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))

    frames = sum(row["frames"] for row in rows)
    images = sum(row["frames"] * len(row["lightings"]) for row in rows)
    hdris = {name for row in rows for name in row["hdri_ids"]}
    licences = {licence for row in rows for licence in row["licences"]}
    seconds = sum(row["render_seconds"] for row in rows)
    gigabytes = sum(row["length"] for row in rows) / 1e9
    coverage = [row["alpha_mean"] for row in rows]
    lines = [
        f"{len(rows)} clips of {distinct('identity')} identities, {frames} frames, {images} lit images under "
        f"{len(hdris)} distinct environment maps; {gigabytes:.2f} GB",
        f"domain: {counted('domain')}; variant: {counted('variant')}; rendered in {seconds / images:.2f} s an image",
        f"split by identity: {counted('split_identity')}; by HDRI: {counted('split_hdri')}",
        f"licences: {', '.join(sorted(licences))}",
        f"coverage {min(coverage):.2f} to {max(coverage):.2f} of the image; diffuse + specular = rgb within "
        f"{max(row['lobe_error'] for row in rows):.2f} of half's rounding; values not finite: "
        f"{sum(row['nonfinite'] for row in rows)}",
    ]
    quarantined = Storage(url).list("quarantine")
    if quarantined:
        lines.append(f"{len(quarantined)} clips in quarantine: {url}/quarantine")
    return lines


def _print(console: rich.console.Console, rows: list[dict[str, Any]], summary: list[str]) -> None:
    table = rich.table.Table(box=None, pad_edge=False, header_style="bold")
    names = ("clip", "identity", "split", "frames", "size", "lights", "samples", "coverage", "s/image", "MB")
    for name in names:
        table.add_column(name, justify="left" if name in ("clip", "identity", "split") else "right", no_wrap=True)
    for row in rows[:PICTURES]:
        lit = row["frames"] * len(row["lightings"])
        table.add_row(row["clip_id"], row["identity"][:12], f"{row['split_identity']}/{row['split_hdri']}",
                      str(row["frames"]), f"{row['width']}x{row['height']}", str(len(row["lightings"])),
                      str(row["samples"]), f"{row['alpha_mean']:.2f}", f"{row['render_seconds'] / lit:.2f}",
                      f"{row['length'] / 1e6:.1f}")
    console.print(table)
    for line in summary:
        console.print(line)
