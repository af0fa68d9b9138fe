"""The training loop: steps, an average of the weights, validation on unseen people and light, and exact resume."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from assets.errors import AssetError, SpecError
from relight.batch import PortraitBatch
from relight.data.loader import PortraitLoader
from relight.relighter import Relighter
from relight.training import checkpoint
from relight.training.average import Average
from relight.training.config import TrainConfig
from relight.training.delit import Delit
from relight.training.interrupt import interrupts_call
from relight.training.log import Log
from relight.training.validation import Validator
from relight.training.world import World, load_moments, load_weights, whole_moments, whole_weights
from synth.seeds import derive_seed


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    step: int
    """Steps behind it, those of earlier runs included."""
    interrupted: bool
    """Whether somebody stopped it; the same command goes on from there."""
    folder: Path | None
    """Its newest checkpoint, if there is any."""


def new_optimizer(config: TrainConfig, trained: Iterable[nn.Parameter]) -> torch.optim.AdamW:
    """AdamW as the configuration says. Fused: one pass over the weights, a quarter of the time on a CPU."""
    return torch.optim.AdamW(trained, lr=config.learning_rate, betas=config.betas, weight_decay=config.weight_decay,
                             fused=True)


class Trainer:
    """One process's part in a run. A run is its folder: whoever starts it again goes on from its last checkpoint."""

    def __init__(self, config: TrainConfig, relighter: Relighter):
        """relighter: untrained, the same in every process."""
        self.config, self.world = config, World.here()
        if config.batch % (self.world.size * config.accumulate):
            raise SpecError(f"batch: {config.batch} clips a step can't be shared by {self.world.size} processes in "
                            f"{config.accumulate} parts each")
        self.relighter = relighter.to(self.world.device)
        relighter.backbone.checkpoint_gradients(config.checkpoint_gradients)
        self._module = self.world.wrap(relighter, config.parallel)
        trained = [parameter for parameter in self._module.parameters() if parameter.requires_grad]
        self._optimizer = new_optimizer(config, trained)
        self._average = Average(self._module, config.average)
        self._delit = Delit(config.delight, config.delight_share, self.world.device) if config.delight else None
        self._loader = PortraitLoader(config.data, config.batch // config.accumulate, workers=config.workers,
                                      rank=self.world.rank, world_size=self.world.size, device=self.world.device,
                                      stage=None if self._delit else relighter.stage)
        self._folder = Path(config.output)
        self._stop = False
        self.step = self._resume()

    def run(self, until: Callable[[], bool] = lambda: False) -> Outcome:
        """Train to ``config.steps``, or until a signal or ``until`` says stop; then save."""
        log = Log(self._folder / "log", self.config.steps, self.step, self.world.first)
        validator = Validator(self.config, self.relighter, self.world)
        batches = iter(self._loader)
        saved = self.step
        try:
            with interrupts_call(self.stop, log.say):
                while self.step < self.config.steps:
                    started = time.monotonic()
                    loss, norm = self._take_step(self._my_micro_batches(batches))
                    self.step += 1
                    self._average.update(self.step)
                    log.step(self.step, loss, gradient_norm=norm, learning_rate=self._rate(self.step - 1),
                             clips_a_second=self.config.batch / (time.monotonic() - started))
                    stopping = self.world.any(self._stop or until())
                    if stopping or self.step % self.config.save_every == 0 or self.step == self.config.steps:
                        self._save()
                        saved = self.step
                    if stopping:
                        break
                    if self.step % self.config.validate_every == 0 or self.step == self.config.steps:
                        with self._average.swapped_in():
                            validator.report(log, self.step)
        finally:
            log.close()
        return Outcome(self.step, self.step < self.config.steps, self._folder / f"step-{saved:08d}")

    # --- a step -----------------------------------------------------------------------------------------------------

    def _my_micro_batches(self, batches: Iterator[PortraitBatch]) -> list[PortraitBatch]:
        return [next(batches) for _ in range(self.config.accumulate)]

    def _take_step(self, batches: list[PortraitBatch]) -> tuple[float, float]:
        """Loss and norm of the gradient, both of the whole batch."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate(self.step)
        self._module.train()
        total = torch.zeros((), device=self.world.device)
        for number, batch in enumerate(batches):
            # Noise belongs to the clip's place in the whole batch: however many processes share it, it is the same.
            first = (number * self.world.size + self.world.rank) * len(batch)
            if self._delit is not None:
                batch = self._delit(batch, self._generators("delight", first, len(batch)))
            generators = self._generators("noise", first, len(batch))
            # Gradients of several parts are exchanged once, with the last.
            ddp, last = isinstance(self._module, DistributedDataParallel), number == len(batches) - 1
            with self._module.no_sync() if ddp and not last else contextlib.nullcontext():
                with torch.autocast(self.world.device.type, torch.bfloat16, enabled=self.config.precision == "bf16"):
                    loss = self._module(batch, generators) / len(batches)
                loss.backward()
            total += loss.detach()
        norm = nn.utils.clip_grad_norm_(self._module.parameters(), self.config.clip_gradient)
        norm = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
        if not math.isfinite(float(norm)):
            raise SpecError(f"step {self.step}: the gradient's norm is {float(norm)}: a smaller learning_rate "
                            f"(is {self.config.learning_rate:g}) may help; the last checkpoint is whole")
        self._optimizer.step()
        self._optimizer.zero_grad()
        return float(self.world.mean(total)), float(norm)

    def _generators(self, purpose: str, first: int, count: int) -> list[torch.Generator]:
        """One for each clip of this step, from number ``first`` on."""
        return [torch.Generator().manual_seed(derive_seed(self.config.seed, purpose, self.step, first + k))
                for k in range(count)]

    def _rate(self, step: int) -> float:
        """Learning rate: a linear warm-up, then constant, then a cosine down to a tenth over the last part."""
        config = self.config
        warm = min(1.0, (step + 1) / max(config.warmup, 1))
        begin = config.steps * (1 - config.cooldown)
        falling = min(max((step - begin) / max(config.steps - begin, 1), 0.0), 1.0)
        return config.learning_rate * warm * (0.55 + 0.45 * math.cos(math.pi * falling))

    # --- checkpoints ------------------------------------------------------------------------------------------------

    def _save(self) -> None:
        weights, moments = whole_weights(self._module), whole_moments(self._module, self._optimizer)
        with self._average.swapped_in():
            average = whole_weights(self._module)
        problem = ""
        if self.world.first:
            try:
                checkpoint.save(self._folder, self.step, {"weights": weights, "average": average, "optimizer": moments},
                                {"config": self.config.model_dump(mode="json"), "data": self._loader.state_dict()},
                                keep=self.config.keep)
            except AssetError as error:
                problem = str(error)
        if self.world.any(bool(problem)):  # all stop, or the others would wait for ever
            raise AssetError(problem or "the first process could not write its checkpoint")

    def _resume(self) -> int:
        found = checkpoint.latest(self._folder)
        if found is None:
            return 0
        state = checkpoint.read_state(found)
        if changed := self.config.changed(state["config"]):
            raise SpecError(f"{found}: was trained with another {changed}; take another output, or the same {changed}")
        load_weights(self._module, checkpoint.read_tensors(found, "average"), self.world)
        self._average = Average(self._module, self.config.average)
        load_weights(self._module, checkpoint.read_tensors(found, "weights"), self.world)
        load_moments(self._module, self._optimizer, checkpoint.read_tensors(found, "optimizer"), self.world)
        self._loader.load_state_dict(state["data"])
        return int(state["step"])

    def stop(self) -> None:
        """End after this step, with a checkpoint."""
        self._stop = True
