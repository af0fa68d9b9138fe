"""Is every map of a library still what its catalogue says, complete and usable as light?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from assets.errors import AssetError
from assets.files import digest_file, one_line
from assets.hdri.bundled import recorded_sha256
from assets.hdri.entry import HdriEntry, read_entry
from assets.images import is_panorama


def verify(entries: Iterable[HdriEntry]) -> list[str]:
    """One line for each problem, starting with the entry's id; an empty list when all is well.

    Every byte is hashed and every pixel decoded: digests, finite and non-negative radiance, 2:1 shape, ids used once.
    Entries that are known but not fetched are skipped.
    """
    problems, seen = [], set()
    for entry in entries:
        if entry.id in seen:
            problems.append(f"{entry.id}: this id is used twice")
        seen.add(entry.id)
        if entry.path is not None:
            problems += [f"{entry.id}: {problem}" for problem in _problems(entry)]
    return problems


def _problems(entry: HdriEntry) -> list[str]:
    problems, name = [], one_line(entry.path)
    try:
        if (digest := digest_file(entry.path)) != entry.digest:
            problems.append(f"{name}: digest is {digest}, {entry.digest} was recorded")
        recorded = recorded_sha256(entry.path) if entry.id.startswith("bundled/") else None
        if recorded and hashlib.sha256(entry.path.read_bytes()).hexdigest() != recorded:
            problems.append(f"{name}: differs from the bpy wheel's own record, reinstall bpy")
        image = read_entry(entry)
    except AssetError as error:
        return [*problems, str(error)]
    if not is_panorama(image):
        problems.append(f"{name}: is {image.shape[1]} x {image.shape[0]} pixels, a full panorama is 2:1")
    if not image.any():
        problems.append(f"{name}: is black everywhere")
    return problems
