"""Several processes that train together: Ray Train starts them, joins them, and starts them again when one is lost."""

from __future__ import annotations

import concurrent.futures
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.errors import RenderError, SpecError
from ray_jobs.cluster import check_fits, connected

if TYPE_CHECKING:
    from relight.training.config import TrainConfig
    from relight.training.trainer import Outcome

STOP = "stop"
"""A file of this name in a run's folder ends the run after its step, on whatever machine its processes are."""
RESTARTS = 3
"""How often a run whose process died goes on from its last checkpoint, before somebody should look."""


def train_together(config: TrainConfig, processes: int, gpus: bool = False, address: str = "auto",
                   cpus_per_process: int = 1) -> Outcome:
    """Train on ``processes`` workers of a Ray cluster, which see ``config.output`` and the datasets at the same paths.

    Ctrl-C (or a file STOP in ``config.output``) ends the step everywhere, saves, and stops; a second one at once.
    RenderError where they fail more than RESTARTS times; the last checkpoint is then whole, as after any crash.
    """
    if config.batch % processes:
        raise SpecError(f"batch: {config.batch} clips a step can't be shared by {processes} processes")
    check_fits(address, processes * cpus_per_process, int(gpus))
    config = config.with_absolute_paths()
    os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
    from relight.training.interrupt import interrupts_call

    stop = Path(config.output) / STOP
    stop.parent.mkdir(parents=True, exist_ok=True)
    stop.unlink(missing_ok=True)  # left by a run that was killed as it stopped
    with connected(address):
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        trainer = TorchTrainer(
            _work, train_loop_config={"config": config.model_dump(mode="json"), "gpus": gpus},
            torch_config=TorchConfig(backend="nccl" if gpus else "gloo"),
            scaling_config=ScalingConfig(num_workers=processes, use_gpu=gpus,
                                         resources_per_worker={"CPU": cpus_per_process}),
            run_config=RunConfig(name="ray", storage_path=config.output, failure_config=FailureConfig(RESTARTS)))
        try:
            with interrupts_call(stop.touch, lambda text: print(text, file=sys.stderr)):
                _aside(trainer.fit)
        except Exception as error:
            raise RenderError(f"training: {_cause(error)}") from error
        finally:
            stop.unlink(missing_ok=True)
    from relight.training.start import outcome

    return outcome(config)


def _aside(action: Callable[[], Any]) -> None:
    """Run it in a thread of its own: in the main one Ray Train would answer Ctrl-C by killing the processes."""
    done: concurrent.futures.Future[None] = concurrent.futures.Future()

    def run() -> None:
        try:
            action()
        except BaseException as error:  # for the thread that waits
            done.set_exception(error)
        else:
            done.set_result(None)

    threading.Thread(target=run, daemon=True).start()  # daemon: a second Ctrl-C does not wait for it
    done.result()


def _work(task: dict[str, Any]) -> None:
    """What each process does."""
    if not task["gpus"]:  # Ray hides none from those that asked for none, and all would share the first
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    from relight.training.config import TrainConfig
    from relight.training.start import train

    config = TrainConfig.model_validate(task["config"])
    train(config, until=(Path(config.output) / STOP).exists)


def _cause(error: BaseException) -> str:
    """The last line of what a worker said, without Ray's wrapping."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if "Error: " in line and not line.startswith("ray.")]
    return (named or lines or [type(error).__name__])[-1]
