"""Two trained stages as one model that people use: ``python -m relight.training.pack DELIGHT RELIGHT FOLDER``.

DELIGHT and RELIGHT are what ``pixelcube train`` leaves (OUTPUT/model). FOLDER is for
:meth:`PortraitRelightPipeline.from_pretrained`: weights of half precision, each stage's card beside them.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from pathlib import Path

from assets.errors import AssetError
from assets.files import one_line
from relight.pipeline.portrait import PortraitRelightPipeline, Settings
from relight.relighter import Relighter

CARD = ("README.md", "training.json")


def pack(delight: Path, relight: Path, folder: Path, settings: Settings | None = None) -> None:
    """Write ``folder``, or replace what an earlier call left there; AssetError where it can't be written."""
    stages = [Relighter.from_pretrained(place) for place in (delight, relight)]
    pipeline = PortraitRelightPipeline(*stages, settings or Settings())
    staging = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        pipeline.save_pretrained(staging, half=True)
        for stage, source in (("delight", delight), ("relight", relight)):
            for name in CARD:
                shutil.copyfile(source / name, staging / stage / name)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(staging, folder)
    except OSError as error:
        raise AssetError(f"{one_line(folder)}: cannot be written ({one_line(error)})") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    pack(*map(Path, sys.argv[1:]))
