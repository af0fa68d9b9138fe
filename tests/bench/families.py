"""Where the benchmarks find data and models that are no part of the project."""

from __future__ import annotations

import os
from pathlib import Path

SHARED = Path(os.environ.get("PIXELCUBE_SHARED") or Path(__file__).resolve().parents[3] / "shared" / "data")
"""Folder of real clips and of head models that are used for measurements and never committed."""


def find_head(family: str):
    """The family's model; None, and a line that says so, where its files are not here or can't be used."""
    from assets.errors import AssetError
    from synth.heads.load import load_head

    path = None if family == "template" else SHARED / family
    if path is not None and not path.is_dir():
        print(f"{family}: no data at {path.name}/ of the shared data, left out")
        return None
    try:
        return load_head(family, path)
    except (AssetError, ImportError) as error:
        print(f"{family}: {error}, left out")
        return None
