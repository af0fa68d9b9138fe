"""``pixelcube train``: one run of the relighter, in this process or in several that Ray starts."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro


@dataclasses.dataclass(frozen=True)
class Train:
    """Train a stage of the relighter as a configuration says; run it again to go on from its last checkpoint.

    Ctrl-C saves and stops. Curves and pictures: tensorboard --logdir OUTPUT/log. At the end the averaged weights are
    in OUTPUT/model. Example: pixelcube train relight/configs/small_relight.yaml --steps 200 --output out/try"""

    config: Annotated[Path, tyro.conf.arg(metavar="CONFIG.yaml"), tyro.conf.Positional]
    """Configuration in YAML, whose fields are those of relight.training.config.TrainConfig."""
    output: str | None = None
    """Folder of checkpoints, instead of the configuration's."""
    steps: int | None = None
    """Steps in all, instead of the configuration's."""
    batch: int | None = None
    """Clips a step, instead of the configuration's."""
    processes: int = 1
    """Processes that train together, started by Ray where there are several."""
    gpus: bool = False
    """Give each process a GPU of its own; one process takes a GPU anyway, if there is one."""
    address: str = "auto"
    """Ray to use with several processes, as for 'render'."""

    def execute(self) -> int:
        """Exit status: 0 all steps are done, 130 stopped before."""
        from relight.training.config import load_config
        from relight.training.start import export, train

        config = load_config(self.config, output=self.output, steps=self.steps, batch=self.batch)
        if self.processes == 1:
            outcome = train(config)
        else:
            from ray_jobs.training import train_together

            outcome = train_together(config, self.processes, self.gpus, self.address)
        if outcome.interrupted:
            print(f"stopped after step {outcome.step} of {config.steps}; the same command goes on from there")
            return 130
        export(Path(config.output), Path(config.output) / "model")
        print(f"{outcome.step} steps done; weights in {Path(config.output) / 'model'}")
        return 0
