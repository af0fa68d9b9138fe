"""Who is looking at the page: a folder and a stop flag each."""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path

_PATIENCE = 10.0
"""Seconds that a shot may take to end."""


class Stopped(Exception):
    """Somebody pressed Stop, or left."""


class Session:
    """One opened page."""

    def __init__(self, folder: Path):
        self.folder, self.shot = folder, folder / "shot"
        """Its files, and those of the last shot among them."""
        self.busy = threading.Lock()
        """Held while a shot is made."""
        self._stop = threading.Event()

    def stop(self) -> None:
        """Let the running shot end at its next frame."""
        self._stop.set()

    def begin(self) -> None:
        """Before a shot: an empty folder for it, and nobody has said stop."""
        self._stop.clear()
        shutil.rmtree(self.shot, ignore_errors=True)
        self.shot.mkdir()

    def check(self) -> None:
        """Stopped where :meth:`stop` was called since :meth:`begin`."""
        if self._stop.is_set():
            raise Stopped


class Sessions:
    """Sessions by the name that gradio gives them."""

    def __init__(self, folder: Path):
        self._folder, self._open, self._lock = folder, {}, threading.Lock()

    def of(self, name: str | None) -> Session:
        """The session of a name, which is the client's word: no path is made of it."""
        with self._lock:
            if name not in self._open:
                self._open[name] = Session(Path(tempfile.mkdtemp(prefix="session-", dir=self._folder)))
            return self._open[name]

    def close(self, name: str | None) -> None:
        """Stop a session's shot and remove its files."""
        with self._lock:
            session = self._open.pop(name, None)
        if session is not None:
            session.stop()
            if session.busy.acquire(timeout=_PATIENCE):  # the next frame is where it hears of it
                session.busy.release()
            shutil.rmtree(session.folder, ignore_errors=True)

    def close_all(self) -> None:
        """The same for every one."""
        for name in list(self._open):
            self.close(name)
