"""NumPy ``.npy`` and ``.npz`` files from strangers: sizes checked before anything is allocated, nothing unpickled."""

from __future__ import annotations

import lzma
import math
import os
import tokenize
import warnings
import zipfile
import zlib
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from assets.errors import AssetError
from assets.files import check_regular_file, one_line

MAX_ARRAY_BYTES = 2 << 30
"""Largest array, and largest sum of arrays, read from one file."""
_MAX_MEMBERS = 1000
BROKEN_ZIP = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError,
              NotImplementedError, ValueError, OverflowError, OSError)
"""What zipfile raises on files that are no sound archives: it seeks and unpacks as they say."""


def read_npy_header(file: BinaryIO, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """(shape, dtype) of the ``.npy`` that starts at the file's position, which is left at the first data byte."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", UserWarning
            )  # headers written by Python 2 are fine, numpy says they're slow
            version = npy.read_magic(file)
            read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
            if read is None:
                raise ValueError(f"version {version}, expected (1, 0) or (2, 0)")
            shape, _, dtype = read(file)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError, EOFError) as error:
        raise AssetError(f"{name}: broken .npy header ({one_line(error)[:200]})") from None
    if any(side < 0 for side in shape):
        raise AssetError(f"{name}: .npy header claims the shape {shape}")
    return shape, dtype


def read_npz(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Every numeric or text array of an ``.npz``, by name. Members that hold Python objects are left out, unread.

    (SMPL-X files carry two such members, name tables that no one needs here.)
    """
    name = one_line(path)
    check_regular_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if len(members) > _MAX_MEMBERS or total > MAX_ARRAY_BYTES:
                raise AssetError(
                    f"{name}: {len(members):,} members of {total:,} bytes in all, may be at most {_MAX_MEMBERS:,} and "
                    f"{MAX_ARRAY_BYTES:,} (a zip bomb?)"
                )
            arrays = {member.filename.removesuffix(".npy"): _read_member(archive, member, name) for member in members}
    except BROKEN_ZIP as error:
        raise AssetError(f"{name}: broken .npz ({one_line(error)[:200]})") from None
    return {key: array for key, array in arrays.items() if array is not None}


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> np.ndarray | None:
    label = f"{name}: member {one_line(member.filename)}"
    with archive.open(member) as file:
        shape, dtype = read_npy_header(file, label)
        if dtype.hasobject:
            return None
        header, claimed = file.tell(), math.prod(shape) * dtype.itemsize
        if header + claimed != member.file_size:
            raise AssetError(
                f"{label}: header claims {claimed:,} bytes of data, {member.file_size - header:,} are there"
            )
        file.seek(0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                return npy.read_array(file, allow_pickle=False)
        except (ValueError, TypeError) as error:
            raise AssetError(f"{label}: {one_line(error)[:200]}") from None
