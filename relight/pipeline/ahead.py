"""Work on several frames of a stream at once: each stage of it in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterable[Item], count: int) -> Iterator[Item]:
    """The same items, up to ``count`` of them made before they are asked for, in a thread.

    What goes wrong there is raised here, in its place. Closing the iterator, or dropping it, ends the thread.
    """
    ready: queue.Queue = queue.Queue(count)
    closed = threading.Event()

    def put(entry: tuple) -> bool:
        while not closed.is_set():
            try:
                ready.put(entry, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            source = iter(items)
            for item in source:
                if not put((item, None)):
                    break
            else:
                put((None, StopIteration()))
        except BaseException as error:  # KeyboardInterrupt too: the one who iterates must hear of it
            put((None, error))
        finally:
            if isinstance(items, Generator):
                items.close()

    thread = threading.Thread(target=work, daemon=True, name="ahead")
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item
    finally:
        item = error = None  # an error's traceback holds this frame: nothing large may live as long as that
        closed.set()
        thread.join()
