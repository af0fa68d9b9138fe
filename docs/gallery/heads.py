"""Renders the sheets of heads in this folder:   python docs/gallery/heads.py [template makehuman flame smplx]

48 people of each family in clay, twelve in skin, views, and every expression unit at full strength. The licensed files
of FLAME and SMPL-X can not be shown: stand-ins in their layout are, made from the template (tests/synth/standins.py).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from ray_jobs.cli.heads import Heads, draw, save
from synth.heads.load import load_head

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
LIGHT, TURN = "bundled/city", 60.0
SHEETS = {
    "clay": Heads(show="people", count=48, clay=True, size=128, samples=16, light=LIGHT, turn=TURN),
    "skin": Heads(show="people", count=12, size=192, samples=25, light=LIGHT, turn=TURN),
    "views": Heads(show="views", count=4, size=200, samples=25, light=LIGHT, turn=TURN),
    "expressions": Heads(show="expressions", seed=1, size=144, samples=25, light=LIGHT, turn=TURN),
}


def files_of(family: str, data: Path, folder: Path) -> Path | None:
    """Where a family's files are."""
    if family == "template":
        return None
    if family == "makehuman":
        return data / "makehuman"
    sys.path.insert(0, str(ROOT))
    from tests.synth import standins

    {"flame": standins.write_flame, "smplx": standins.write_smplx}[family](folder)
    return folder


def main() -> None:
    """Render the sheets of the families asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("families", nargs="*", default=["template", "makehuman", "flame"])
    parser.add_argument("--sheets", nargs="*", default=list(SHEETS), choices=list(SHEETS))
    parser.add_argument("--data", type=Path, help="folder that holds 'makehuman'",
                        default=Path(os.environ.get("PIXELCUBE_SHARED") or ROOT.parent / "shared" / "data"))
    arguments = parser.parse_args()
    for family in arguments.families:
        with tempfile.TemporaryDirectory() as folder:
            head = load_head(family, files_of(family, arguments.data, Path(folder)))
            for name in arguments.sheets:
                path = FOLDER / f"heads-{family}-{name}.jpg"
                save(draw(SHEETS[name], head), path)
                print(path)


if __name__ == "__main__":
    main()
