"""From a family's name, and a path where it needs one, to its model."""

from __future__ import annotations

from pathlib import Path

from assets.errors import AssetError
from assets.files import one_line
from synth.heads.head import HeadModel

FAMILIES = ("template", "flame", "smplx", "makehuman")
"""What ``load_head`` knows."""


def load_head(family: str = "template", path: str | Path | None = None) -> HeadModel:
    """Load a head model. ``template`` needs no path: it is built at first use and kept in the user's cache folder.

    ``flame`` and ``smplx`` want the file, or the folder, that the user downloaded from its authors; ``makehuman``
    takes a folder of its data, or what ``pixelcube assets fetch makehuman`` brought. Nothing in a file is executed.
    """
    if family not in FAMILIES:
        raise AssetError(f"head family: {one_line(family)!r} is not one of {', '.join(FAMILIES)}")
    if family == "template":
        from synth.heads.template.load import load_template

        return load_template(None if path is None else Path(path))
    if family == "makehuman":
        from synth.heads.makehuman.load import load_makehuman

        return load_makehuman(None if path is None else Path(path))
    if path is None:
        raise AssetError(f"head.path: missing; {family} needs the folder with its model files")
    from synth.heads.flame.load import load_flame

    return load_flame(family, Path(path))
