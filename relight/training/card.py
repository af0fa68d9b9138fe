"""A model card beside the weights: what they are, what they were trained on, how to use them."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relight.training.config import TrainConfig


def write_card(folder: Path, config: TrainConfig, step: int) -> None:
    """``README.md`` and the whole configuration, ``training.json``."""
    (folder / "training.json").write_text(json.dumps(config.model_dump(mode="json"), indent=1) + "\n")
    sets = "\n".join(f"- `{choice.url}`, weight {choice.weight:g}" for choice in config.data.datasets)
    prior = f"`{config.model.prior}`" if config.model.prior else "nothing: its weights started at random"
    (folder / "README.md").write_text(f"""---
license: apache-2.0
library_name: pixelcube
tags: [relighting, video, portrait]
---
# {config.stage}, `{config.model.backbone}`

The {config.stage} stage of Pixel Cube's portrait relighter after {step:,} steps of {config.batch} clips,
averaged weights. It started from {prior}. Written by pixelcube {importlib.metadata.version("pixelcube")}.

Trained on rendered portraits (the part `{config.data.split}` of their identities and of their environment maps):

{sets}

`training.json` holds the whole configuration. Limits: it has seen what its data hold and no more; what lies outside
(occluders, several people, other framings) is untested.
""")
