"""``pixelcube assets``: environment maps that can light a scene, and models of heads."""

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


def fetch_heads(origin: str | None) -> int:
    """Bring MakeHuman's data here, from its publishers or from ``origin``; says what may be done with it and how."""
    from assets.makehuman.fetch import LICENCE, fetch_makehuman
    from assets.makehuman.verify import default_folder

    console = make_console()
    columns = (rich.progress.TextColumn("{task.description:<32}"), rich.progress.BarColumn(),
               rich.progress.TextColumn("{task.percentage:>3.0f}%"), rich.progress.TimeElapsedColumn())
    with rich.progress.Progress(*columns, console=make_console(stderr=True)) as bar:
        tasks: dict[str, rich.progress.TaskID] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=None)
            bar.update(tasks[what], completed=done, total=total or None)

        notes = fetch_makehuman(origin, progress=progress)
    for note in notes:
        console.print(note, markup=False, soft_wrap=True)
    console.print(f"MakeHuman's data is in {default_folder()} ({LICENCE}: use it for anything, nothing is asked in "
                  "return)", markup=False, soft_wrap=True)
    console.print("Next: put 'head: {family: makehuman}' into a job file", markup=False, soft_wrap=True)
    return 0


KINDS = ("hdri", "makehuman", "flame", "smplx")


def verify(what: Sequence[str]) -> int:
    """Check what the first word says, maps if it says nothing, at the path that follows; 1 if anything is wrong."""
    kind, rest = (what[0], what[1:]) if what and what[0] in KINDS else ("hdri", what)
    if len(rest) > 1:
        raise SpecError(f"assets verify: {rest[0]!r} and {rest[1]!r}: expected one of {', '.join(KINDS)}, and one path")
    path = Path(rest[0]) if rest else None
    if kind == "hdri":
        return _verify_maps(path)
    problems = _head_problems(kind, path)
    if not problems and kind != "makehuman":
        from synth.heads.flame.verify import describe_flame

        make_console().print(describe_flame(path, kind), markup=False, soft_wrap=True)
    return _report(f"{kind} {path or ''}".strip(), problems)


def _head_problems(kind: str, path: Path | None) -> list[str]:
    if kind == "makehuman":
        from assets.makehuman.verify import verify_makehuman

        with rich.progress.Progress(console=make_console(stderr=True), transient=True) as bar:
            task = bar.add_task("reading")
            return verify_makehuman(path, lambda done, total: bar.update(task, completed=done, total=total))
    if path is None:
        raise SpecError(f"assets verify {kind}: which file? Give the model, or the folder that it is in")
    from synth.heads.flame.verify import verify_flame

    return verify_flame(path, kind)


def _report(name: str, problems: Sequence[str]) -> int:
    console = make_console()
    for problem in problems:
        console.print(problem, markup=False, soft_wrap=True)
    found = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}" if problems else "all is well"
    console.print(f"{name}: {found}", markup=False, soft_wrap=True)
    return 1 if problems else 0


def _verify_maps(folder: Path | None) -> int:
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
