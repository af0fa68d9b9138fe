"""Ctrl-C and termination, which end a run after its step."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def interrupts_call(stop: Callable[[], None], tell: Callable[[str], None]) -> Iterator[None]:
    """Within the block the first SIGINT or SIGTERM calls ``stop``, and says so to ``tell``; a second one is a
    KeyboardInterrupt. In a thread that is not the main one nothing changes: whoever started it hears them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def caught(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        stop()
        tell("stopping after this step; once more to stop at once, without a checkpoint")

    before = {number: signal.signal(number, caught) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
