"""One HDRI that can light a scene: where it is, whose it is, and what its bytes were."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from assets.errors import AssetError
from assets.images import read_hdr


@dataclasses.dataclass(frozen=True)
class HdriEntry:
    """A map of a library."""

    id: str
    """Stable id: library, slash, name; for example ``bundled/city`` or ``polyhaven/venice_sunset_1k.hdr``."""
    path: Path | None
    """The file on this machine; None for a map that is known but not fetched."""
    licence: str
    """SPDX id, or ``unknown``."""
    digest: str
    """BLAKE2b of the file's bytes, 20 hex digits (``assets.files.digest_file``)."""
    source: str
    """Where the picture comes from. Two entries with one source are one place: keep them in one split."""
    title: str
    """Name for people."""
    tags: tuple[str, ...] = ()
    """Words to filter by, lower case."""
    repair: bool = False
    """Clamp negative radiance on reading: lossy compression left a few (down to -0.002) in the bundled maps."""


def read_entry(entry: HdriEntry) -> np.ndarray:
    """The entry's image: (H, W, 3) float32, scene-linear Rec.709 radiance, equirectangular, row 0 = +Y."""
    if entry.path is None:
        raise AssetError(f"{entry.id}: is not on this machine, fetch it first")
    return read_hdr(entry.path, repair=entry.repair)
