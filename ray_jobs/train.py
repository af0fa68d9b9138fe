"""Train the relighter with Ray: on a laptop, on a cluster, or as a Ray job.

    python ray_jobs/train.py relight/configs/small_relight.yaml --processes 2
    ray submit ray_jobs/synth_cluster.yaml ray_jobs/train.py -- my_config.yaml --processes 8 --gpus

``ray submit`` copies this file alone to the head's home, so it leans on the installed package; inside a checkout it
uses the checkout.
"""

import os
import sys
from pathlib import Path

_here = Path(__file__).resolve().parent
if (_here / "driver.py").exists():
    # Replaces this folder, which Python put first, so that ``ray_jobs`` is a package and its modules shadow nothing.
    sys.path[0] = str(_here.parent)
    # The workers of a local Ray find the checkout there.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [sys.path[0], os.environ.get("PYTHONPATH")]))

from ray_jobs.cli.main import main  # noqa: E402  (the path must be set first)

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
