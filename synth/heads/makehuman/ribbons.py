"""Weights on the base mesh with few entries a row."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix


def thin(rows: csr_matrix, least: float = 0.03) -> csr_matrix:
    """Rows without weights below ``least`` times their largest one, which takes those over: sums stay."""
    rows = rows.tocsr()
    rows.eliminate_zeros()
    size, owner = np.abs(rows.data), np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    largest = np.maximum.reduceat(size, rows.indptr[:-1])[owner]
    small = size < least * largest
    heirs = np.flatnonzero(size == largest)
    heirs = heirs[np.unique(owner[heirs], return_index=True)[1]]
    rows.data[heirs] += np.bincount(owner, np.where(small, rows.data, 0.0), minlength=rows.shape[0])
    rows.data[small] = 0
    rows.eliminate_zeros()
    return rows
