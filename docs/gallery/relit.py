"""docs/gallery/relit.jpg from a contact sheet's pictures: first

    pixelcube evaluate out/test128 --frames 2 --pairs 6

then this. Columns: given, the light that is asked for, what the shipped model makes, truth; people of the test split.
"""

from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, GAP = 128, 6


def row(folder: Path) -> np.ndarray:
    """(HEIGHT, 5 HEIGHT, 3) uint8."""
    pictures = [Image.open(folder / f"{name}.jpg").convert("RGB") for name in ("given", "light", "model", "truth")]
    return np.concatenate([np.asarray(picture.resize((HEIGHT * picture.width // picture.height, HEIGHT)))
                           for picture in pictures], axis=1)


def main() -> None:
    rows = [row(folder) for folder in sorted(Path("out/evaluation/thumbs").iterdir())[:12]]
    gap = np.full((HEIGHT, GAP, 3), 255, np.uint8)
    pairs = [np.concatenate([rows[k], gap, rows[k + 1]], axis=1) for k in range(0, len(rows) - 1, 2)]
    Image.fromarray(np.concatenate(pairs)).save(Path(__file__).with_name("relit.jpg"), quality=88)


if __name__ == "__main__":
    main()
