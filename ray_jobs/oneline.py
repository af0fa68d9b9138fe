"""How a command ends: with an exit status, and with at most one line about what went wrong."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

from assets.errors import PixelCubeError


def guarded(program: str, action: Callable[[], int], debug: bool = False, interrupted: str = "interrupted") -> int:
    """Run ``action``; its exit status, or 2 after an error, 130 after Ctrl-C, 141 where the reader has left."""
    try:
        return action()
    except KeyboardInterrupt:
        print(f"{program}: {interrupted}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (`head`) has left: no more output, not even by the interpreter's closing flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if debug:
            traceback.print_exc()
        message = " ".join(str(error).split())
        if not isinstance(error, PixelCubeError):
            message = f"unexpected {type(error).__name__}: {message} (run with --debug for the traceback)"
        print(f"{program}: {message}", file=sys.stderr)
        return 2
