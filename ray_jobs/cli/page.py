"""HTML pages with relative links and small pictures beside them, all of one look: ``page.html.j2``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from PIL import Image

from assets.files import atomic_write

THUMB = 160
"""Width of a picture on the page, pixels."""


def write_page(path: Path, template: str, **values: Any) -> Path:
    """Fill in a template of this folder; returns the page's path."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    with atomic_write(path) as temporary:
        temporary.write_text(environment.get_template(template).render(thumb=THUMB, **values))
    return path


def save_thumb(picture: np.ndarray, folder: Path, name: str, width: int = THUMB) -> str:
    """Store an (H, W, 3) uint8 picture, twice as wide as it is shown at most; returns its link from the page."""
    image = Image.fromarray(picture)
    if image.width > 2 * width:
        image = image.resize((2 * width, round(2 * width * image.height / image.width)), Image.Resampling.LANCZOS)
    image.save(folder / f"{name}.jpg", quality=90, subsampling=0)
    return f"thumbs/{folder.name}/{name}.jpg"
