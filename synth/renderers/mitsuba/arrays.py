"""Numpy's arrays as Dr.Jit's. Import only after a variant has been set."""

from __future__ import annotations

import numpy as np

_LINE = 64


def aligned(array: np.ndarray, kind: type = np.float32) -> np.ndarray:
    """A copy in row-major order that begins at a multiple of 64 bytes.

    Dr.Jit uses numpy's memory where it lies, and writes into its kernels how that is aligned: a matter of chance, by
    which any frame could be the first of its kind, and wait seconds for kernels of its own.
    """
    size = array.size * np.dtype(kind).itemsize
    memory = np.empty(size + _LINE, np.uint8)
    first = -memory.ctypes.data % _LINE
    copy = memory[first:first + size].view(kind).reshape(array.shape)
    copy[...] = array
    return copy
