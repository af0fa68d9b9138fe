"""Turns the inert records of ``assets.pickles`` into arrays; sizes are checked against the bytes that are there."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import numpy as np

MAX_ARRAY_BYTES = 2 << 30
"""Limit of all arrays of one file together (a dense regressor counts with its dense size)."""
_MAX_LIST = 1_000_000
_MAX_DEPTH = 16


class Refused(Exception):
    """The file holds something that is broken or not allowed; the text says what."""


@dataclasses.dataclass(frozen=True)
class Global:
    """A name that the file mentions. It is never imported."""

    module: str
    """Dotted module name."""
    name: str
    """Attribute in that module."""


@dataclasses.dataclass(eq=False)
class Call:
    """What the file would have called. It never is."""

    function: Global
    """The class or function."""
    arguments: tuple
    """Its arguments."""
    state: Any = None
    """What BUILD would have given to ``__setstate__``."""
    items: dict = dataclasses.field(default_factory=dict)
    """What SETITEM would have set (an OrderedDict's entries)."""


def to_arrays(value: Any) -> dict[str, np.ndarray | str]:
    """The file's top-level dict with every entry converted; entries that mean neither array nor text are left out."""
    if type(value) is Call and value.function.name == "OrderedDict":
        value = value.items
    if type(value) is not dict:
        raise Refused(f"holds a {_kind(value)}, a dict of arrays was expected")
    converter, result = _Converter(), {}
    for key, item in value.items():
        key = key.decode("latin-1") if isinstance(key, bytes) else str(key)
        try:
            converted = converter.convert(item)
        except Refused as error:
            raise Refused(f"entry {key[:80]!r}: {error}") from None
        if converted is not None:
            result[key] = converted
    return result


def _kind(value: Any) -> str:
    return f"{value.function.module}.{value.function.name}" if type(value) is Call else type(value).__name__


class _Converter:
    """Converts values once each (a record that appears twice is one array), within one budget of bytes."""

    def __init__(self) -> None:
        self.done: dict[int, Any] = {}
        self.left = MAX_ARRAY_BYTES

    def convert(self, value: Any, depth: int = 0) -> np.ndarray | str | None:
        """The array or text that ``value`` means, None for anything else."""
        if isinstance(value, str):
            return value
        if isinstance(value, bytes):
            return value.decode("latin-1")
        if isinstance(value, bool | float):
            return np.asarray(value)
        if isinstance(value, int):
            return np.asarray(value) if -(2**63) <= value < 2**64 else None
        if not isinstance(value, Call | list | tuple):
            return None
        if depth > _MAX_DEPTH:
            raise Refused(f"nested deeper than {_MAX_DEPTH}")
        if id(value) not in self.done:
            self.done[id(value)] = self._call(value, depth) if isinstance(value, Call) else self._sequence(value)
        return self.done[id(value)]

    def _call(self, call: Call, depth: int) -> np.ndarray | str | None:
        module, name = call.function.module, call.function.name
        if name in ("_reconstruct", "ndarray"):
            return self._ndarray(call.state)
        if name == "_frombuffer":
            return self._frombuffer(call.arguments)
        if name == "scalar":
            return self._scalar(call.arguments)
        if name == "encode":
            text = call.arguments[0] if call.arguments else None
            return text if isinstance(text, str) else None
        if module.startswith("chumpy"):
            return self._chumpy(name, call.state, depth)
        if module.startswith("scipy.sparse"):
            return self._sparse(name, call.state, depth)
        return None

    def _spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise Refused(f"arrays of more than {MAX_ARRAY_BYTES:,} bytes in all")

    def _ndarray(self, state: Any) -> np.ndarray | None:
        """numpy's state is ([version,] shape, dtype, is_fortran, raw bytes)."""
        if type(state) is not tuple or len(state) not in (4, 5):
            raise Refused("array without data")
        shape, dtype, fortran, raw = state[-4:]
        return self._from_bytes(shape, _dtype(dtype), "F" if fortran is True or fortran == 1 else "C", raw)

    def _frombuffer(self, arguments: tuple) -> np.ndarray | None:
        if len(arguments) != 4 or arguments[3] not in ("C", "F"):
            raise Refused("array buffer with unknown arguments")
        raw, dtype, shape, order = arguments
        return self._from_bytes(shape, _dtype(dtype), order, raw)

    def _scalar(self, arguments: tuple) -> np.ndarray | None:
        if len(arguments) != 2:
            raise Refused("scalar with unknown arguments")
        return self._from_bytes((), _dtype(arguments[0]), "C", arguments[1])

    def _from_bytes(self, shape: Any, dtype: np.dtype | None, order: str, raw: Any) -> np.ndarray | None:
        """The array if ``raw`` has exactly its bytes; None for an array of objects, whose elements no one needs."""
        if dtype is None:
            return None
        if type(raw) is Call and raw.function.name == "encode" and raw.arguments:
            raw = raw.arguments[0]  # Python 3 writes bytes in protocol 2 as _codecs.encode(text, "latin1")
        if isinstance(raw, str):
            try:
                raw = raw.encode("latin-1")
            except UnicodeEncodeError:
                raise Refused("array data that is not bytes") from None
        if type(raw) is not bytes:
            raise Refused(f"array data is a {_kind(raw)}, bytes were expected")
        sides = shape if type(shape) is tuple else (shape,)
        if len(sides) > 32 or not all(type(side) is int and 0 <= side < 2**40 for side in sides):
            raise Refused("array with an impossible shape")
        if math.prod(sides) * dtype.itemsize != len(raw):
            raise Refused(
                f"array of shape {sides} {dtype} needs {math.prod(sides) * dtype.itemsize:,} bytes, has {len(raw):,}"
            )
        self._spend(len(raw))
        array = np.frombuffer(raw, dtype).reshape(sides, order=order)
        return array.astype(dtype.newbyteorder("="), order="C")  # a copy: native byte order, writable

    def _sequence(self, value: list | tuple) -> np.ndarray | None:
        """A (nested) list of numbers as an array, None if it holds anything else. Shared sublists can't blow it up."""
        shape, level = [], [value]
        while level and all(isinstance(item, list | tuple) for item in level):
            if len({len(item) for item in level}) != 1 or len(shape) == _MAX_DEPTH:
                return None
            shape.append(len(level[0]))
            if math.prod(shape) > _MAX_LIST:
                raise Refused(f"list of more than {_MAX_LIST:,} numbers")
            level = [element for item in level for element in item]
        if not all(isinstance(item, bool | float) or type(item) is int and abs(item) < 2**63 for item in level):
            return None
        array = np.array(level).reshape(shape)
        self._spend(array.nbytes)
        return array

    def _number_array(self, value: Any, what: str, depth: int) -> np.ndarray:
        array = self.convert(value, depth + 1)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
            raise Refused(f"{what} is not an array of numbers")
        return array

    def _sides(self, shape: Any, depth: int) -> tuple[int, ...] | None:
        """A shape whose sides are integers or integer scalars of numpy."""
        if type(shape) is not tuple or not 0 < len(shape) <= 32:
            return None
        sides = [self._number_array(side, "shape", depth) for side in shape]
        return tuple(int(side) if side.ndim == 0 and side.dtype.kind in "iu" else -1 for side in sides)

    def _chumpy(self, name: str, state: Any, depth: int) -> np.ndarray:
        """A chumpy variable holds its value as ``x``; a Select is ``a``'s flattened elements ``idxs``."""
        if type(state) is not dict:
            raise Refused(f"chumpy {name} without state")
        if name == "Ch":
            if "x" not in state:
                raise Refused("chumpy Ch without a value")
            return self._number_array(state["x"], "chumpy value", depth)
        source = self._number_array(state.get("a"), "chumpy Select source", depth).ravel()
        index = self._number_array(state.get("idxs"), "chumpy Select index", depth)
        _check_indices(index, len(source), "chumpy Select")
        self._spend(index.size * source.itemsize)
        selected = source[index]
        shape = state.get("preferred_shape")
        if shape is None:
            return selected
        shape = tuple(self._number_array(shape, "chumpy shape", depth).ravel().tolist())
        if not all(type(side) is int and side >= 0 for side in shape) or math.prod(shape) != selected.size:
            raise Refused(f"chumpy Select of {selected.size} elements with shape {shape}")
        return selected.reshape(shape)

    def _sparse(self, name: str, state: Any, depth: int) -> np.ndarray:
        """Dense (rows, columns) float64 of a csc, csr or coo matrix; indices are checked, duplicates add up."""
        if type(state) is not dict:
            raise Refused(f"{name} without state")
        shape = self._sides(state.get("_shape", state.get("shape")), depth)
        if shape is None or len(shape) != 2 or not all(0 < side < 2**31 for side in shape):
            raise Refused(f"{name} with an impossible shape")
        self._spend(math.prod(shape) * 8)
        data = self._number_array(state.get("data"), f"{name} data", depth).ravel()
        if name.startswith("coo"):
            first, second = state["coords"] if "coords" in state else (state.get("row"), state.get("col"))
            rows = self._number_array(first, f"{name} rows", depth).ravel()
            columns = self._number_array(second, f"{name} columns", depth).ravel()
        else:
            minor = self._number_array(state.get("indices"), f"{name} indices", depth).ravel()
            pointers = self._number_array(state.get("indptr"), f"{name} indptr", depth).ravel()
            length = shape[0] if name.startswith("csr") else shape[1]
            _check_indices(pointers, len(data) + 1, name)
            steps = np.diff(pointers.astype(np.int64))
            if len(steps) != length or pointers[0] != 0 or pointers[-1] != len(data) or (steps < 0).any():
                raise Refused(f"{name} with broken indptr")
            major = np.repeat(np.arange(length), steps)
            rows, columns = (major, minor) if name.startswith("csr") else (minor, major)
        if not len(rows) == len(columns) == len(data):
            raise Refused(f"{name} with {len(data)} values, {len(rows)} rows and {len(columns)} columns")
        _check_indices(rows, shape[0], name)
        _check_indices(columns, shape[1], name)
        dense = np.zeros(shape, np.float64)
        np.add.at(dense, (rows, columns), data)
        return dense


def _check_indices(indices: np.ndarray, length: int, what: str) -> None:
    if indices.dtype.kind not in "iu" or (indices.size and not 0 <= int(indices.min()) <= int(indices.max()) < length):
        raise Refused(f"{what} with indices outside 0..{length - 1}")


def _dtype(value: Any) -> np.dtype | None:
    """A plain numeric, bool or text dtype from its record; None for object; everything structured is refused."""
    if type(value) is not Call or value.function != Global("numpy", "dtype") or not value.arguments:
        raise Refused("array without a dtype")
    code, order = value.arguments[0], "="
    code = code.decode("latin-1") if isinstance(code, bytes) else code
    if value.state is not None:
        if type(value.state) is not tuple or len(value.state) < 5 or any(part is not None for part in value.state[2:5]):
            raise Refused("structured dtype, may be a plain number type")
        order = value.state[1].decode("latin-1") if isinstance(value.state[1], bytes) else value.state[1]
    if code in ("O", "O8", "O4"):
        return None
    if not isinstance(code, str) or order not in ("<", ">", "=", "|"):
        raise Refused("broken dtype")
    if not re.fullmatch(r"b1|[iu][1248]|f[248]|[SU]\d{1,6}", code) or code in ("S0", "U0"):
        raise Refused(f"dtype {code[:20]!r}, may be a plain number type")
    return np.dtype(code).newbyteorder(order)
