"""What a training run shows: curves and pictures in TensorBoard, a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_SECONDS = 20.0


class Log:
    """Of the first process; the others are silent."""

    def __init__(self, folder: Path, steps: int, done: int, active: bool = True):
        """folder: where TensorBoard's events go. done: steps that a checkpoint has behind it already."""
        self._console = Console(file=sys.stderr, quiet=not active)
        self._writer = self._bar = None
        self._next_line = time.monotonic() + LINE_SECONDS
        self._recent: list[float] = []
        self._steps, self._start = steps, (time.monotonic(), done)
        if active:
            from torch.utils.tensorboard import SummaryWriter

            # Points of steps that are taken again after a crash replace those that the crash left behind.
            self._writer = SummaryWriter(str(folder), purge_step=done + 1)
            if self._console.is_terminal:
                self._bar = Progress(TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(),
                                     TimeRemainingColumn(), console=self._console)
                self._task = self._bar.add_task("training", total=steps, completed=done)
                self._bar.start()

    def close(self) -> None:
        """Write what is left."""
        if self._bar:
            self._bar.stop()
        if self._writer:
            self._writer.close()

    def step(self, step: int, loss: float, **scalars: float) -> None:
        """One step's numbers."""
        if self._writer is None:
            return
        for name, value in {"loss": loss, **scalars}.items():
            self._writer.add_scalar(f"train/{name}", value, step)
        self._recent = [*self._recent[-99:], loss]
        text = f"loss {np.mean(self._recent):.4f}"
        if self._bar:
            self._bar.update(self._task, completed=step, description=text)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LINE_SECONDS
            start, before = self._start
            rate = (step - before) / (time.monotonic() - start)
            self.say(f"step {step}/{self._steps}  {text}  {rate:.3g} steps/s  {(self._steps - step) / rate:.0f} s left")

    def validation(self, step: int, scalars: dict[str, float], sheet: np.ndarray) -> None:
        """scalars: by name. sheet: (H, W, 3) float32 display values in [0, 1]."""
        if self._writer is None:
            return
        for name, value in scalars.items():
            self._writer.add_scalar(f"validation/{name}", value, step)
        self._writer.add_image("validation/pictures", sheet, step, dataformats="HWC")
        self._writer.flush()
        self.say(f"step {step}: validation " + "  ".join(f"{name} {value:.4g}" for name, value in scalars.items()))

    def say(self, text: str) -> None:
        """A line of its own."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
