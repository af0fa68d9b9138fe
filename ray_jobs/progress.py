"""How far a job is: a bar on a terminal, a line every ten seconds in a log."""

from __future__ import annotations

import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

LOG_SECONDS = 10.0


def duration(seconds: float) -> str:
    """Seconds as 45s, 3m20s, 2h05m or 3d04h."""
    whole = int(round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


class Meter:
    """Counts clips, images, node-seconds and money."""

    def __init__(self, total: int, images_per_clip: int, price: float | None = None, clock=time.monotonic):
        self.total, self.price = total, price
        self.clips = self.failed = self.attempts = self.crashes = 0
        self.node_seconds = 0.0
        self._images_per_clip, self._clock = images_per_clip, clock
        self._start = self._last = clock()

    @property
    def seconds(self) -> float:
        """Wall-clock seconds since the start."""
        return self._last - self._start

    @property
    def images(self) -> int:
        """Beauty images: one a frame and lighting."""
        return self.clips * self._images_per_clip

    def tick(self, nodes: int) -> None:
        """Time passes, on so many nodes."""
        now = self._clock()
        self.node_seconds += (now - self._last) * nodes
        self._last = now

    @property
    def cost(self) -> float | None:
        """Money spent so far, in the currency of the price."""
        return None if self.price is None else self.node_seconds / 3600 * self.price

    def line(self, workers: int) -> str:
        """One line: done, rates, time left, cost."""
        parts = [f"{self.clips}/{self.total} clips"]
        if self.failed:
            parts.append(f"{self.failed} quarantined")
        if self.clips:
            rate = self.clips / max(self.seconds, 1e-9)
            left = (self.total - self.clips - self.failed) / rate
            parts += [f"{rate:.3g} clips/s", f"{self.images / max(self.seconds, 1e-9):.3g} images/s",
                      f"{duration(left)} left"]
            if self.cost is not None:
                parts.append(f"cost {self.cost:.2f} of about {self.cost / self.clips * self.total:.2f}")
        elif workers:
            parts.append("first clips under way")
        else:
            parts.append("waiting for workers to start")
        return " · ".join([*parts, f"{workers} worker{'s' if workers != 1 else ''}"])


class Display:
    """Shows a Meter on stderr until closed."""

    def __init__(self, meter: Meter, console: Console | None = None):
        self._meter = meter
        self._console = console or Console(file=sys.stderr)
        self._bar: Progress | None = None
        self._next_line = meter.seconds + LOG_SECONDS
        if self._console.is_terminal:
            self._bar = Progress(BarColumn(bar_width=24), TextColumn("{task.description}"), console=self._console)
            self._task = self._bar.add_task("starting workers", total=meter.total)

    def __enter__(self) -> Display:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, workers: int) -> None:
        """Bring the bar up to date, or log a line when one is due."""
        if self._bar:
            self._bar.update(self._task, completed=self._meter.clips + self._meter.failed,
                             description=self._meter.line(workers))
        elif self._meter.seconds >= self._next_line:
            self._next_line = self._meter.seconds + LOG_SECONDS
            self.say(self._meter.line(workers))

    def say(self, text: str) -> None:
        """A line above the bar."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
