import zipfile

import numpy as np

from assets.pickles import load_model_arrays
from tests.assets.test_files import refused
from tests.assets.test_pickles import ARRAYS


def test_npz_like_smplx(tmp_path):
    path = tmp_path / "SMPLX.npz"
    np.savez(path, **ARRAYS, bs_type="lrotmin", joint2num=np.array({"Pelvis": 0}, object))
    loaded = load_model_arrays(path)
    assert set(loaded) == {*ARRAYS, "bs_type"}
    np.testing.assert_array_equal(loaded["posedirs"], ARRAYS["posedirs"])
    np.savez_compressed(path, **ARRAYS)
    np.testing.assert_array_equal(load_model_arrays(path)["f"], ARRAYS["f"])


def test_hostile_npz(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **ARRAYS)
    whole = path.read_bytes()
    for length in (4, 100, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:length])
        with refused("a.npz", "broken"):
            load_model_arrays(path)
    damaged = bytearray(whole)
    damaged[300:400] = bytes(100)
    path.write_bytes(damaged)
    with refused("a.npz"):
        load_model_arrays(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for index in range(3):
            archive.writestr(f"a{index}.npy", bytes(1 << 20))
    assert path.stat().st_size < 10_000
    monkeypatch.setattr("assets.arrays.MAX_ARRAY_BYTES", 2 << 20)
    with refused("a.npz", "zip bomb"):
        load_model_arrays(path)
    with zipfile.ZipFile(path, "w") as archive:
        np.save(tmp_path / "x.npy", np.zeros(3))
        header = (tmp_path / "x.npy").read_bytes()
        archive.writestr("x.npy", header.replace(b"(3,)", b"(9999999999,)").replace(b"          \n", b" \n"))
    with refused("a.npz", "member x.npy"):
        load_model_arrays(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with refused("a.npz", "readme.txt", "header"):
        load_model_arrays(path)


def test_npz_text_is_text(tmp_path):
    np.savez(tmp_path / "a.npz", bs_type="lrotmin")
    assert load_model_arrays(tmp_path / "a.npz") == {"bs_type": "lrotmin"}
