"""``pixelcube assets``: the environment maps that can light a scene."""

from __future__ import annotations

import collections
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import rich.progress
import rich.table

from assets import hdri
from assets.errors import AssetError, SpecError
from ray_jobs.cli.text import make_console
from synth.lighting.library import SOURCES, LightingEntry, LightingLibrary

SPLITS = ("train", "val", "test")


def list_lightings(source: str | None, split: str | None, search: str | None, limit: int, as_json: bool) -> int:
    """Print the maps that pass the filters, and how many there are of each family and split."""
    library = LightingLibrary((source,) if source else SOURCES)
    words = (search or "").lower().split()
    entries = [entry for entry in library.select(split=split or "all")
               if all(word in " ".join([entry.id, entry.title, *entry.tags]).lower() for word in words)]
    if as_json:
        for entry in entries:
            print(json.dumps(_record(entry)))
        return 0
    console = make_console()
    if entries:
        shown = entries[:limit] if limit else entries
        console.print(_entry_table(shown))
        if len(shown) < len(entries):
            console.print(f"... and {len(entries) - len(shown)} more (--limit 0 for all)")
        console.print()
        console.print(_family_table(entries))
    distinct = len({entry.digest for entry in entries})
    missing = "" if hdri.bundled_entries() else " (without the eight of the bpy wheel, which is not installed)"
    console.print(f"{distinct} distinct lightings available offline{missing}")
    return 0


def family(entry: LightingEntry) -> str:
    """``sunsky`` of ``procedural/sunsky/0012``; for photographs the name of their source."""
    parts = entry.id.split("/")
    return parts[1] if len(parts) > 2 else parts[0]


def _record(entry: LightingEntry) -> dict[str, Any]:
    """What ``--json`` prints of a map."""
    return {"id": entry.id, "source": entry.source, "family": family(entry), "licence": entry.licence,
            "split": entry.split, "digest": entry.digest, "title": entry.title, "tags": entry.tags,
            "path": str(entry.file.path) if entry.file else None}


def _entry_table(entries: Iterable[LightingEntry]) -> rich.table.Table:
    table = rich.table.Table(box=None, pad_edge=False, header_style="bold")
    for column in ("id", "split", "licence", "digest", "tags"):
        table.add_column(column, no_wrap=True)
    for entry in entries:
        table.add_row(entry.id, entry.split, entry.licence, entry.digest[:12], ", ".join(entry.tags[:5]))
    return table


def _family_table(entries: Iterable[LightingEntry]) -> rich.table.Table:
    counts: dict[tuple[str, str], collections.Counter] = collections.defaultdict(collections.Counter)
    for entry in entries:
        counts[entry.source, family(entry)][entry.split] += 1
    table = rich.table.Table(box=None, pad_edge=False, header_style="bold")
    for column in ("source", "family", *SPLITS, "all"):
        table.add_column(column, justify="left" if column in ("source", "family") else "right")
    for (source, name), splits in counts.items():
        table.add_row(source, name, *(str(splits[part]) for part in SPLITS), str(splits.total()))
    return table


def fetch(slugs: Sequence[str], count: int, category: str | None, resolution: str, api: str) -> int:
    """Download maps by name, or the most popular ones that are not here; 1 if any of them could not be had."""
    if not slugs and count < 1:
        raise SpecError("assets fetch: nothing to fetch; give names of maps, or --count N")
    console = make_console()
    client = hdri.PolyHavenClient(api)
    wanted = list(slugs)
    if count > 0:
        here = {entry.id for entry in hdri.polyhaven_entries()}
        catalogue = client.list(categories=(category,) if category else ())
        fresh = [asset.slug for asset in catalogue if f"polyhaven/{asset.slug}_{resolution}.hdr" not in here]
        wanted += [slug for slug in fresh if slug not in slugs][:count]
        if client.notice:
            console.print(client.notice)
        if not wanted:
            raise AssetError(f"assets fetch: the catalogue holds no further map of category {category!r} ({api})")
    failures = _download(client, wanted, resolution)
    console.print(f"{len(wanted) - len(failures)} of {len(wanted)} maps are in {client.cache} (CC0-1.0, Poly Haven)")
    for failure in failures:
        console.print(failure, markup=False)
    return 1 if failures else 0


def _download(client: hdri.PolyHavenClient, slugs: Sequence[str], resolution: str) -> list[str]:
    """Fetch each map under a progress bar; one line for each that failed. What arrived of it is kept for next time."""
    failures = []
    columns = (rich.progress.TextColumn("{task.description:<32}"), rich.progress.BarColumn(),
               rich.progress.DownloadColumn(), rich.progress.TransferSpeedColumn())
    with rich.progress.Progress(*columns, console=make_console(stderr=True)) as bar:
        for slug in slugs:
            task = bar.add_task(slug, total=None)

            def progress(done: int, total: int, task: rich.progress.TaskID = task) -> None:
                bar.update(task, completed=done, total=total)

            try:
                entry = client.fetch(slug, resolution, progress=progress)
            except AssetError as error:
                failures.append(str(error))
            else:
                size = entry.path.stat().st_size
                bar.update(task, completed=size, total=size)
    return failures


def verify(folder: Path | None) -> int:
    """Check every map of a folder, or all that this machine has; 1 after a list of what is wrong."""
    entries = hdri.folder_entries(folder) if folder else [*hdri.bundled_entries(), *hdri.polyhaven_entries()]
    if not entries:
        raise AssetError(f"{folder or 'bundled maps and offline cache'}: no .hdr, .exr or .npy map to verify")
    console = make_console()
    problems = []
    with rich.progress.Progress(console=make_console(stderr=True), transient=True) as bar:
        for entry in bar.track(entries, description="reading"):
            problems += hdri.verify([entry])
    for problem in problems:
        console.print(problem, markup=False, soft_wrap=True)
    console.print(f"{len(entries)} maps read: {f'{len(problems)} problems' if problems else 'all as recorded'}")
    return 1 if problems else 0
