import pickle
import pickletools
import struct
import sys
import time
import tracemalloc
import types

import numpy as np
import pytest
import scipy.sparse

from assets.pickles import load_model_arrays
from tests.assets.test_files import refused

ARRAYS = {
    "v_template": np.random.default_rng(0).normal(size=(12, 3)),
    "f": np.random.default_rng(1).integers(0, 12, (20, 3)).astype(np.uint32),
    "shapedirs": np.random.default_rng(2).normal(size=(12, 3, 7)),
    "posedirs": np.asfortranarray(np.random.default_rng(3).normal(size=(12, 3, 36))),
    "weights": np.random.default_rng(4).dirichlet(np.ones(5), 12),
    "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.int64),
    "J": np.random.default_rng(5).normal(size=(5, 3)),
    "J_regressor": scipy.sparse.random(5, 12, 0.3, "csc", random_state=6).toarray(),
}
"""A head in FLAME's layout, with 12 vertices instead of 5023."""


class Ch:
    """Stands for chumpy's variable while a fixture is written: pickles as ``chumpy.ch.Ch``, as the real one does."""

    def __init__(self, x):
        self.x = x
        self.dirty_vars = "x"


class Select:
    def __init__(self, a, idxs, preferred_shape):
        self.a, self.idxs, self.preferred_shape = a, idxs, preferred_shape


@pytest.fixture
def chumpy(monkeypatch):
    for module, cls in (("chumpy", None), ("chumpy.ch", Ch), ("chumpy.reordering", Select)):
        fake = types.ModuleType(module)
        monkeypatch.setitem(sys.modules, module, fake)
        if cls is not None:
            setattr(fake, cls.__name__, cls)
            monkeypatch.setattr(cls, "__module__", module)
    return Ch


def flame(chumpy, sparse=scipy.sparse.csc_matrix) -> dict:
    return {
        **ARRAYS,
        "v_template": chumpy(ARRAYS["v_template"]),
        "shapedirs": chumpy(chumpy(ARRAYS["shapedirs"])),
        "J_regressor": sparse(ARRAYS["J_regressor"]),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
        "pose_training_info": None,
    }


def check(loaded: dict) -> None:
    assert set(loaded) == {*ARRAYS, "bs_style", "bs_type"}
    assert (loaded["bs_style"], loaded["bs_type"]) == ("lbs", "lrotmin")
    for name, expected in ARRAYS.items():
        assert (
            type(loaded[name]) is np.ndarray and loaded[name].dtype == expected.dtype and loaded[name].flags.writeable
        )
        np.testing.assert_array_equal(loaded[name], expected)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_flame_layout_in_every_protocol(tmp_path, chumpy, protocol):
    (tmp_path / "FLAME.pkl").write_bytes(pickle.dumps(flame(chumpy), protocol))
    before = set(sys.modules)
    check(load_model_arrays(tmp_path / "FLAME.pkl"))
    assert {name for name in set(sys.modules) - before if not name.startswith("encodings.")} == set()


@pytest.mark.parametrize("kind", ["csc_matrix", "csr_matrix", "coo_matrix", "csc_array", "csr_array", "coo_array"])
def test_sparse_regressors_become_dense(tmp_path, chumpy, kind):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(flame(chumpy, getattr(scipy.sparse, kind)), 2))
    check(load_model_arrays(tmp_path / "a.pkl"))


def python2(value) -> bytes:
    """Protocol 2 as Python 2 wrote it: byte strings as BINSTRING, old module names, old-style numpy state."""
    if isinstance(value, dict):
        return b"}(" + b"".join(python2(key) + python2(item) for key, item in value.items()) + b"u"
    if isinstance(value, str | bytes):
        raw = value.encode("latin-1") if isinstance(value, str) else value
        return b"T" + struct.pack("<i", len(raw)) + raw
    if isinstance(value, tuple):
        return b"(" + b"".join(map(python2, value)) + b"t"
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, np.ndarray):
        code, order = value.dtype.str[1:].encode(), value.dtype.str[:1].encode()
        dtype = (
            b"cnumpy\ndtype\n(U\x02"
            + code
            + b"K\x00K\x01tR(K\x03U\x01"
            + order
            + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        )
        state = b"(K\x01" + python2(value.shape) + dtype + b"\x89" + python2(value.tobytes()) + b"tb"
        return b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR" + state
    if scipy.sparse.issparse(value):
        state = {
            "_shape": value.shape,
            "maxprint": 50,
            "indices": value.indices,
            "indptr": value.indptr,
            "data": value.data,
        }
        return (
            b"ccopy_reg\n_reconstructor\n(cscipy.sparse.csc\ncsc_matrix\nc__builtin__\nobject\nNtR"
            + python2(state)
            + b"b"
        )
    return b"cchumpy.ch\nCh\n)\x81" + python2({"x": value.x, "dirty_vars": "x"}) + b"b"


def test_a_python_2_pickle(tmp_path):
    data = b"\x80\x02" + python2(dict(flame(Ch), pose_training_info={})) + b"."
    assert b"BINUNICODE" not in data and "BINSTRING" in {op.name for op, _, _ in pickletools.genops(data)}
    (tmp_path / "generic_model.pkl").write_bytes(data)
    check(load_model_arrays(tmp_path / "generic_model.pkl"))


def test_a_python_2_text_pickle(tmp_path):
    raw = "".join(f"\\x{byte:02x}" for byte in ARRAYS["J"].tobytes())
    data = (
        "(dp0\nS'J'\np1\ncnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n(I0\ntp4\nS'b'\np5\ntp6\nRp7\n"
        "(I1\n(I5\nI3\ntp8\ncnumpy\ndtype\np9\n(S'f8'\np10\nI0\nI1\ntp11\nRp12\n(I3\nS'<'\np13\nNNNI-1\nI-1\nI0\ntp14\nb"
        f"I00\nS'{raw}'\np15\ntp16\nbs."
    )
    (tmp_path / "a.pkl").write_bytes(data.encode())
    np.testing.assert_array_equal(load_model_arrays(tmp_path / "a.pkl")["J"], ARRAYS["J"])


def test_values_that_are_not_arrays(tmp_path, chumpy):
    content = {
        "list": [[1, 2], [3, 4]],
        "scalar": np.float64(2.5),
        "number": 3,
        "big_endian": np.arange(3, dtype=">f4"),
        "text": np.array(["a", "bc"]),
        "select": Select(Ch(np.arange(6.0)), np.array([5, 0]), (2, 1)),
        "objects": np.array([1, "x", None], object),
        "table": {"a": np.arange(3)},
        "ragged": [[1], [2, 3]],
        b"bytes": np.arange(2),
    }
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
    loaded = load_model_arrays(tmp_path / "a.pkl")
    assert {name: value.tolist() for name, value in loaded.items()} == {
        "list": [[1, 2], [3, 4]],
        "scalar": 2.5,
        "number": 3,
        "big_endian": [0, 1, 2],
        "text": ["a", "bc"],
        "select": [[5.0], [0.0]],
        "bytes": [0, 1],
    }
    assert loaded["big_endian"].dtype == np.float32


class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def attacks(marker: str) -> dict[str, tuple[object, str]]:
    import os
    import subprocess

    command = f"touch {marker}"
    evil = Evil(os.system, command)
    state = types.SimpleNamespace  # an allowed-looking class that is not on the list
    return {
        "os.system": ({"f": evil}, "posix.system"),
        "eval": ({"f": Evil(eval, f"open({marker!r}, 'w')")}, "builtins.eval"),
        "subprocess": ({"f": Evil(subprocess.Popen, command)}, "(subprocess|commands).Popen"),
        "getattr": ({"f": Evil(getattr, "x", "format")}, "builtins.getattr"),
        "object array": ({"f": np.array([evil], object)}, "posix.system"),
        "inside a list in a dict in chumpy": ({"f": Ch({"x": [evil]})}, "posix.system"),
        "key": ({("a", evil): 1}, "posix.system"),
        "namespace": ({"f": state(a=1)}, "types.SimpleNamespace"),
        "numpy": ({"f": Evil(np.load, "x")}, "numpy.load"),
        "bytearray": ({"f": Evil(bytearray, 10**12)}, "builtins.bytearray"),
        "type": ({"f": Ch}, None),
    }


@pytest.mark.parametrize("name", [*attacks("")])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_attacks_are_refused_by_name(tmp_path, chumpy, name, protocol):
    content, why = attacks(str(tmp_path / "executed"))[name]
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(content, protocol))
    if why is None:  # the bare name of an allowed class means nothing and is left out
        assert load_model_arrays(tmp_path / "evil.pkl") == {}
        return
    with refused(
        "evil.pkl", f"refused to run ({why}|{why.replace('builtins', '__builtin__')})", "nothing was executed"
    ):
        load_model_arrays(tmp_path / "evil.pkl")
    assert not (tmp_path / "executed").exists()


def wrap(value: bytes) -> bytes:
    """A protocol 2 pickle of {"f": value}."""
    return b"\x80\x02}(X\x01\x00\x00\x00f" + value + b"u."


def stored(shape: bytes, raw: bytes, dtype: bytes = b"(U\x02f8K\x00K\x01tR") -> bytes:
    """{"f": an array record with this shape, dtype record's arguments and data}."""
    state = b"(K\x01" + shape + b"cnumpy\ndtype\n" + dtype + b"\x89U" + bytes([len(raw)]) + raw + b"tb"
    return wrap(b"cnumpy.core.multiarray\n_reconstruct\n)R" + state)


RAW_ATTACKS = {
    "persistent id": (b"\x80\x02X\x01\x00\x00\x00aQ.", "instruction BINPERSID"),
    "persistent id, text": (b"Pabc\n.", "instruction PERSID"),
    "extension": (wrap(b"\x82\x01"), "instruction EXT1"),
    "extension 4": (wrap(b"\x84\x01\x00\x00\x00"), "instruction EXT4"),
    "inst": (b"(S'touch x'\nios\nsystem\n.", "os.system"),
    "inst of an allowed class": (b"(ichumpy.ch\nCh\n.", "instruction INST"),
    "obj": (b"(cchumpy.ch\nCh\no.", "instruction OBJ"),
    "newobj_ex": (wrap(b"cchumpy.ch\nCh\n)}\x92"), "instruction NEWOBJ_EX"),
    "buffer": (wrap(b"\x97"), "instruction NEXT_BUFFER"),
    "dotted name": (b"\x80\x04\x8c\x05numpy\x8c\x12ndarray.__reduce__\x93.", "numpy.ndarray.__reduce__"),
    "name that is not text": (b"\x80\x04K\x01K\x02\x93.", "not text"),
    "reduce of a reduce": (wrap(b"cchumpy.ch\nCh\n)R)R"), "refused to call"),
    "reduce of a string": (wrap(b"X\x02\x00\x00\x00os)R"), "refused to call"),
    "reduce without tuple": (wrap(b"cchumpy.ch\nCh\n]R"), "refused to call"),
    "build on a dict": (wrap(b"}}b"), "refused to set the state"),
    "build on a class": (wrap(b"cchumpy.ch\nCh\n}b"), "refused to set the state"),
    "build twice": (wrap(b"cchumpy.ch\nCh\n)R}b}b"), "refused to set the state"),
    "reconstructor of nothing": (wrap(b"ccopy_reg\n_reconstructor\n(K\x01tR"), "not a class"),
    "huge array": (stored(b"(\x8a\x06\x00\x00\x00\x00\x01\x00t", b"x"), "needs 34,359,738,368 bytes, has 1"),
    "huger array": (stored(b"(\x8a\x06\x00\x00\x00\x00\x00\x01t", b"x"), "impossible shape"),
    "negative shape": (stored(b"(J\xff\xff\xff\xfft", b""), "impossible shape"),
    "huge reconstruct": (
        wrap(b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(\x8a\x06\x00\x00\x00\x00\x00\x01tU\x01btR"),
        "without data",
    ),
    "structured dtype": (stored(b"(K\x01t", b"12345678", b"(U\x02V8tR(K\x03U\x01|N(U\x01at}tb"), "structured"),
    "dtype of void": (stored(b"(K\x01t", b"12345678", b"(U\x02V8tR"), "plain number"),
    "dtype of text of 0 bytes": (stored(b"(K\x01t", b"", b"(U\x02S0tR"), "plain number"),
    "dtype that is a string": (wrap(b"cnumpy.core.multiarray\nscalar\n(U\x02f8U\x08aaaaaaaatR"), "without a dtype"),
    "chumpy of itself": (wrap(b"cchumpy.ch\nCh\n)Rq\x01}X\x01\x00\x00\x00xh\x01sb"), "nested deeper"),
    "memo that is empty": (wrap(b"h\x07"), "memo 7 is empty"),
    "stack underflow": (b"\x80\x020.", "nothing on the stack"),
    "no mark": (b"\x80\x02t.", "no mark"),
    "unhashable key": (b"\x80\x02}]K\x01s.", "a list as a key"),
    "append to a tuple": (wrap(b")K\x01a"), "not a list"),
    "not a dict": (b"\x80\x02]K\x01a.", "a dict of arrays was expected"),
    "not a pickle": (b"hello, world, this is text", "pickle"),
    "truncated": (wrap(b"U\x08aaa")[:-3], "pickle"),
    "long string claimed": (b"\x80\x04\x8e\xff\xff\xff\xff\xff\x00\x00\x00x.", "pickle"),
    "bytearray claimed": (b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00x.", "pickle"),
    "decimal bomb": (b"L" + b"9" * 200_000 + b"L\n.", "pickle"),
}


@pytest.mark.parametrize("name", RAW_ATTACKS)
def test_hand_made_attacks(tmp_path, name):
    data, why = RAW_ATTACKS[name]
    (tmp_path / "evil.pkl").write_bytes(data)
    tracemalloc.start()
    with refused("evil.pkl", why):
        load_model_arrays(tmp_path / "evil.pkl")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_bombs_stay_small(tmp_path):
    path = tmp_path / "bomb.pkl"
    memo = b"\x80\x02Nr\xff\xff\xff\xff0}."  # LONG_BINPUT to slot 2^32-1 makes C pickle allocate 64 GB
    laughs = [1] * 10
    for _ in range(12):
        laughs = [laughs] * 10
    shared = np.zeros(1000)
    nested = ()
    for _ in range(200):
        nested = (nested,)
    tracemalloc.start()
    start = time.perf_counter()
    path.write_bytes(memo)
    assert load_model_arrays(path) == {}
    path.write_bytes(pickle.dumps({"a": laughs}))
    with refused("bomb.pkl", "'a'", "list of more than"):
        load_model_arrays(path)
    path.write_bytes(b"\x80\x02}(X\x01\x00\x00\x00a" + b")" + b"\x85" * 100_000 + b"u.")
    assert load_model_arrays(path) == {}
    path.write_bytes(b"\x80\x02})" + b"\x85" * 50_000 + b"K\x01s.")
    with refused("bomb.pkl", "a tuple as a key"):
        load_model_arrays(path)
    path.write_bytes(pickle.dumps({f"a{i}": shared for i in range(2000)}))
    assert len(load_model_arrays(path)) == 2000
    path.write_bytes(pickle.dumps({"a": scipy.sparse.csc_matrix((2_000_000, 200))}))
    with refused("bomb.pkl", "more than 2,147,483,648 bytes"):
        load_model_arrays(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 << 20 and time.perf_counter() - start < 20


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("indices", np.array([0, 1, 99], np.int32), "indices outside 0..4"),
        ("indices", np.array([0, -1, 2], np.int32), "indices outside"),
        ("indices", np.array([0.5, 1, 2]), "indices outside"),
        ("indices", np.array([0, 1], np.int32), "3 values, 2 rows"),
        ("indptr", np.array([0, 2, 1, 3], np.int32), "broken indptr"),
        ("indptr", np.array([0, 3], np.int32), "broken indptr"),
        ("indptr", np.array([0, 1, 2, 900], np.int32), "indices outside"),
        ("data", np.array(["a", "b", "c"]), "not an array of numbers"),
        ("_shape", (-5, 3), "impossible shape"),
        ("_shape", "53", "impossible shape"),
    ],
)
def test_sparse_indices_are_not_trusted(tmp_path, field, value, why):
    matrix = scipy.sparse.csc_matrix(np.eye(5, 3))
    matrix.__dict__[field] = value
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"J_regressor": matrix}))
    with refused("a.pkl", "'J_regressor'", why):
        load_model_arrays(tmp_path / "a.pkl")


def test_select_indices_are_not_trusted(tmp_path, chumpy):
    for select, why in (
        (Select(np.arange(3.0), np.array([7]), None), "indices outside"),
        (Select(np.arange(3.0), np.array([1]), (5, 5)), "1 elements with shape"),
    ):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps({"v": select}))
        with refused("a.pkl", why):
            load_model_arrays(tmp_path / "a.pkl")


def test_damaged_pickles_never_crash(tmp_path, chumpy):
    whole = np.frombuffer(pickle.dumps(flame(chumpy), 2), np.uint8)
    rng = np.random.default_rng(9)
    for _ in range(300):
        damaged = whole.copy()
        damaged[rng.integers(0, len(whole), 6)] = rng.integers(0, 256, 6)
        (tmp_path / "a.pkl").write_bytes(damaged.tobytes())
        try:
            load_model_arrays(tmp_path / "a.pkl")
        except Exception as error:
            with refused("a.pkl"):
                raise error
