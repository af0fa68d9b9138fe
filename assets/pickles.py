"""Head-model pickles from strangers (FLAME, SMPL-X, MANO), read without running anything that is in them.

Python's ``pickle`` is a program for a stack machine that may call any function. This module runs that program on a
machine of its own, which can't call: a global is only a name on a short list, REDUCE and BUILD only record what would
have been called, and ``assets.pickle_values`` turns the records that mean arrays into arrays.
"""

from __future__ import annotations

import codecs
import io
import os
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from assets.arrays import read_npy_header, read_npz
from assets.errors import AssetError
from assets.files import check_regular_file, one_line
from assets.pickle_values import Call, Global, Refused, to_arrays

MAX_FILE_BYTES = 1 << 30
_MAX_OPCODES = 5_000_000

_NUMPY = {"_reconstruct", "scalar"}
ALLOWED_GLOBALS = frozenset(
    [(f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in _NUMPY]
    + [(f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")]
    + [("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"), ("collections", "OrderedDict")]
    + [("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor"), ("__builtin__", "object"), ("builtins", "object")]
    + [("chumpy.ch", "Ch"), ("chumpy", "Ch"), ("chumpy.reordering", "Select")]
    + [(f"scipy.sparse{sub}", f"{kind}_{shape}") for kind in ("csc", "csr", "coo") for shape in ("matrix", "array")
       for sub in (f".{kind}", f"._{kind}")]
    + [("torch._utils", "_rebuild_tensor_v2"), ("torch.storage", "_load_from_bytes")]  # of landmark embeddings
)  # fmt: skip
"""Every (module, name) that may appear in a file. They are recognised, never imported."""


def load_model_arrays(path: str | os.PathLike) -> dict[str, np.ndarray | str]:
    """Arrays and texts of a model file (``.pkl``, ``.npz``, or a ``.npy`` that holds a dict) by name, as stored.

    FLAME: ``v_template`` (5023, 3) metres, ``f`` (9976, 3) uint32, ``shapedirs`` (5023, 3, 400), ``J_regressor``
    (5, 5023) dense, ``weights`` (5023, 5), ``kintree_table`` (2, 5), ``bs_type`` text... Chumpy variables become their
    values, sparse matrices dense float64, numbers 0-d arrays. Entries that are none of these (None, tables of objects)
    are left out.

    Nothing in the file is executed; a global that is not on the short list is refused by name.
    """
    size = check_regular_file(path)
    with open(path, "rb") as file:
        magic = file.read(4)
    if magic.startswith(b"PK"):
        arrays = read_npz(path)
        return {
            key: str(array) if array.dtype.kind == "U" and array.ndim == 0 else array for key, array in arrays.items()
        }
    name = one_line(path)
    if size > MAX_FILE_BYTES:
        raise AssetError(f"{name}: {size:,} bytes, a model pickle may have at most {MAX_FILE_BYTES:,}")
    try:
        data = Path(path).read_bytes()
        return to_arrays(_npy_object(data, name) if magic == b"\x93NUM" else _run(data))
    except Refused as error:
        raise AssetError(f"{name}: {one_line(error)}") from None
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, MemoryError, RecursionError, Warning) as error:
        raise AssetError(f"{name}: not a readable model pickle ({one_line(error)[:200]})") from None


def _npy_object(data: bytes, name: str) -> Any:
    """What ``np.save`` of one Python object left: an array of shape () whose element the pickle holds."""
    stream = io.BytesIO(data)
    shape, dtype = read_npy_header(stream, name)
    if shape != () or not dtype.hasobject:
        raise Refused(f"a .npy of {dtype} and shape {shape}, a dict of arrays was expected")
    array = _run(data[stream.tell() :])
    state = array.state if type(array) is Call else None
    if type(state) is not tuple or type(state[-1]) is not list or len(state[-1]) != 1:
        raise Refused("a .npy without the object that it claims")
    return state[-1][0]


def _run(data: bytes) -> Any:
    """Interpret the pickle in ``data``; returns what it leaves, made of plain values and inert records."""
    stream, machine = io.BytesIO(data), _Machine()
    for _ in range(_MAX_OPCODES):
        code = stream.read(1)
        opcode = pickletools.code2op.get(code.decode("latin-1"))
        if opcode is None:
            raise Refused("truncated pickle" if not code else f"not a pickle (byte {code!r} at {stream.tell() - 1})")
        if opcode.name == "STRING":
            # pickletools insists on ASCII here; Python 2 wrote arrays as escaped bytes.
            argument = codecs.escape_decode(_line(stream)[1:-1])[0].decode("latin-1")
        else:
            argument = None if opcode.arg is None else opcode.arg.reader(stream)
        if opcode.name == "STOP":
            return machine.pop()
        machine.step(opcode.name, argument)
    raise Refused(f"more than {_MAX_OPCODES:,} pickle instructions")


def _line(stream: io.BytesIO) -> bytes:
    line = stream.readline().strip()
    if len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1:] != line[:1]:
        raise Refused("broken string in the pickle")
    return line


_PUSH = {"BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "INT", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
         "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES",
         "BINBYTES8", "BYTEARRAY8"}  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_MAKE = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple}
_KEYS = (str, int, float, bytes, type(None))


class _Machine:
    """The pickle machine's stack and memo, without any instruction that calls, imports or looks outside."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise Refused("broken pickle (nothing on the stack)")
        return self.stack.pop()

    def pop_mark(self) -> list[Any]:
        if not self.marks:
            raise Refused("broken pickle (no mark)")
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def step(self, name: str, argument: Any) -> None:
        """Execute one instruction."""
        if name in _PUSH:
            self.stack.append(bytes(argument) if isinstance(argument, bytearray) else argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _MAKE:
            self.stack.append(_MAKE[name]())
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            value = self.pop()
            self.stack.append(value)
            self.memo[len(self.memo) if argument is None else argument] = value
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            if argument not in self.memo:
                raise Refused(f"broken pickle (memo {argument} is empty)")
            self.stack.append(self.memo[argument])
        elif name not in ("PROTO", "FRAME"):
            handler = getattr(self, f"_{name.lower()}", None)
            if handler is None:
                raise Refused(f"refused the pickle instruction {name}, model files have no need of it")
            handler(argument)

    def _mark(self, _: None) -> None:
        self.marks.append(len(self.stack))

    def _pop(self, _: None) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.pop()

    def _pop_mark(self, _: None) -> None:
        self.pop_mark()

    def _dup(self, _: None) -> None:
        value = self.pop()
        self.stack += [value, value]

    def _list(self, _: None) -> None:
        self.stack.append(self.pop_mark())

    def _tuple(self, _: None) -> None:
        self.stack.append(tuple(self.pop_mark()))

    def _tuple1(self, _: None) -> None:
        self.stack.append((self.pop(),))

    def _tuple2(self, _: None) -> None:
        second, first = self.pop(), self.pop()
        self.stack.append((first, second))

    def _tuple3(self, _: None) -> None:
        third, second, first = self.pop(), self.pop(), self.pop()
        self.stack.append((first, second, third))

    def _dict(self, _: None) -> None:
        items = self.pop_mark()
        self.stack.append({})
        self._set(items)

    def _append(self, _: None) -> None:
        self._extend([self.pop()])

    def _appends(self, _: None) -> None:
        self._extend(self.pop_mark())

    def _setitem(self, _: None) -> None:
        value, key = self.pop(), self.pop()
        self._set([key, value])

    def _setitems(self, _: None) -> None:
        self._set(self.pop_mark())

    def _extend(self, items: list[Any]) -> None:
        target = self.pop()
        if type(target) is not list:
            raise Refused("broken pickle (appends to something that is not a list)")
        target += items
        self.stack.append(target)

    def _set(self, items: list[Any]) -> None:
        target = self.pop()
        table = target.items if type(target) is Call else target
        if type(table) is not dict or len(items) % 2:
            raise Refused("broken pickle (sets an item of something that is not a dict)")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, _KEYS):
                raise Refused(f"broken pickle (a {type(key).__name__} as a key)")
            table[key] = value
        self.stack.append(target)

    def _global(self, argument: str) -> None:
        module, _, attribute = argument.partition(" ")
        self._push_global(module, attribute)

    def _stack_global(self, _: None) -> None:
        attribute, module = self.pop(), self.pop()
        self._push_global(module, attribute)

    def _push_global(self, module: Any, attribute: Any) -> None:
        if not (isinstance(module, str) and isinstance(attribute, str)):
            raise Refused("broken pickle (a global whose name is not text)")
        if (module, attribute) not in ALLOWED_GLOBALS:
            raise Refused(
                f"refused to run {module[:80]}.{attribute[:80]}, which no head model needs; nothing was executed"
            )
        self.stack.append(Global(module, attribute))

    def _inst(self, argument: str) -> None:
        self._global(argument)  # an old-style class; if its name is harmless the instruction still is not one of ours
        raise Refused("refused the pickle instruction INST, model files have no need of it")

    def _reduce(self, _: None) -> None:
        arguments, function = self.pop(), self.pop()
        self._record(function, arguments)

    _newobj = _reduce

    def _record(self, function: Any, arguments: Any) -> None:
        if type(function) is not Global or type(arguments) is not tuple:
            raise Refused("refused to call something that is not a name on the list; nothing was executed")
        if function.name == "_reconstructor":  # protocol 0 and 1: the class is the first argument
            if not arguments or type(arguments[0]) is not Global:
                raise Refused("broken pickle (rebuilds something that is not a class)")
            function, arguments = arguments[0], ()
        self.stack.append(Call(function, arguments))

    def _build(self, _: None) -> None:
        state, target = self.pop(), self.pop()
        if type(target) is not Call or target.state is not None:
            raise Refused("refused to set the state of something that is not a fresh record; nothing was executed")
        target.state = state
        self.stack.append(target)
