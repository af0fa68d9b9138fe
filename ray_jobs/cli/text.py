"""Where commands print."""

from __future__ import annotations

import sys

import rich.console


def make_console(stderr: bool = False) -> rich.console.Console:
    """A console as wide as the terminal; wide enough for any table where the output goes to a file or a pipe."""
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return rich.console.Console(stderr=stderr, highlight=False, width=None if terminal else 160)
