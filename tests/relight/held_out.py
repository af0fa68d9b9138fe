"""Makes ``data/held_out.png`` from the dataset of ``ray_jobs/jobs/test128.yaml``: python -m tests.relight.held_out."""

from pathlib import Path

import numpy as np
from PIL import Image

from ray_jobs.cli.showcase import photographs
from synth.dataset.reader import Dataset

if __name__ == "__main__":
    clips = Dataset.open("out/test128").clips()
    strip = np.concatenate([photographs(clip, number % 8, [0])[0] for number, clip in enumerate(clips)], axis=1)
    Image.fromarray(strip).save(Path(__file__).with_name("data") / "held_out.png", optimize=True)
