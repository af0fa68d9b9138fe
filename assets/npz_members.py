"""Single arrays, or the first columns of one, out of ``.npz`` files that are too large to be read whole."""

from __future__ import annotations

import math
import os
import zipfile
from typing import BinaryIO

import numpy as np

from assets.arrays import BROKEN_ZIP, MAX_ARRAY_BYTES, read_npy_header
from assets.errors import AssetError
from assets.files import check_regular_file, one_line

_MOST_BYTES = 4 << 30
"""Largest array that is read through (FLAME's texture space has 1.3 GB)."""
_BLOCK_BYTES = 1 << 24
"""What is read at a time, and the longest row of which the first columns are taken."""


def npz_shapes(path: str | os.PathLike) -> dict[str, tuple[int, ...]]:
    """Name to shape of every array of numbers in an ``.npz``; nothing but headers is read."""
    with _opened(path) as archive:
        found = {}
        for member in archive.infolist()[:1000]:
            with archive.open(member) as file:
                shape, dtype = read_npy_header(file, f"{one_line(path)}: member {one_line(member.filename)}")
            if dtype.kind in "fiub":
                found[member.filename.removesuffix(".npy")] = shape
        return found


def read_npz_member(path: str | os.PathLike, key: str, columns: int | None = None) -> np.ndarray:
    """One array of numbers; with ``columns`` only so many of its last axis, as float32, without the rest in memory."""
    label = f"{one_line(path)}: member {one_line(key)}"
    with _opened(path) as archive:
        try:
            member = archive.getinfo(f"{key}.npy")
        except KeyError:
            raise AssetError(f"{one_line(path)}: no array {key!r}") from None
        with archive.open(member) as file:
            shape, dtype = read_npy_header(file, label)
            start = file.tell()
            if member.file_size > _MOST_BYTES:
                raise AssetError(f"{label}: {member.file_size:,} bytes, may be at most {_MOST_BYTES:,}")
            if dtype.kind not in "fiub" or math.prod(shape) * dtype.itemsize != member.file_size - start:
                raise AssetError(f"{label}: {dtype} of shape {shape} in {member.file_size:,} bytes")
            fortran = _is_fortran(file)
            file.seek(start)
            return _values(file, shape, dtype, fortran, columns, label)


def _values(file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype, fortran: bool, columns: int | None,
            label: str) -> np.ndarray:
    if columns is None or not shape or shape[-1] <= columns:
        if math.prod(shape) * dtype.itemsize > MAX_ARRAY_BYTES:
            raise AssetError(f"{label}: more than {MAX_ARRAY_BYTES:,} bytes")
        flat = np.frombuffer(_exactly(file, math.prod(shape) * dtype.itemsize, label), dtype)
        array = flat.reshape(shape, order="F" if fortran else "C")
        return array.astype(dtype.newbyteorder("=") if columns is None else np.float32, order="C")
    rows = math.prod(shape[:-1])
    if rows * columns * 4 > MAX_ARRAY_BYTES:
        raise AssetError(f"{label}: {rows:,} rows, more than fit {MAX_ARRAY_BYTES:,} bytes")
    if fortran:  # the last axis is the slowest: what is wanted comes first
        flat = np.frombuffer(_exactly(file, rows * columns * dtype.itemsize, label), dtype)
        return flat.reshape(*shape[:-1], columns, order="F").astype(np.float32, order="C")
    out = np.empty((rows, columns), np.float32)
    width = shape[-1] * dtype.itemsize
    if width > _BLOCK_BYTES:
        raise AssetError(f"{label}: rows of {width:,} bytes, may have {_BLOCK_BYTES:,}")
    step = _BLOCK_BYTES // width
    for first in range(0, rows, step):
        last = min(first + step, rows)
        block = np.frombuffer(_exactly(file, (last - first) * width, label), dtype).reshape(last - first, -1)
        out[first:last] = block[:, :columns]
    return out.reshape(*shape[:-1], columns)


def _exactly(file: BinaryIO, size: int, label: str) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise AssetError(f"{label}: {len(data):,} bytes of data, expected {size:,}")
    return data


def _is_fortran(file: BinaryIO) -> bool:
    """Whether the header before the file's first data byte says so."""
    end = file.tell()
    file.seek(0)
    return b"'fortran_order': True" in file.read(end)


class _opened(zipfile.ZipFile):
    """The archive; whatever is wrong with it is an AssetError that names it."""

    def __init__(self, path: str | os.PathLike):
        self._name = one_line(path)
        check_regular_file(path)
        try:
            super().__init__(path)
        except BROKEN_ZIP as error:
            raise AssetError(f"{self._name}: broken .npz ({one_line(error)[:200]})") from None

    def __exit__(self, kind, error, trace):
        super().__exit__(kind, error, trace)
        if isinstance(error, BROKEN_ZIP):
            raise AssetError(f"{self._name}: broken .npz ({one_line(error)[:200]})") from None
