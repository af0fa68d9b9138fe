"""Albedo models in their published layouts, in miniature."""

import io
import struct
import types
import zipfile

import numpy as np
import pytest

from assets.errors import AssetError
from assets.npz_members import _BLOCK_BYTES, npz_shapes, read_npz_member
from synth.appearance.albedo_models import COMPONENTS, read_albedo_model, wear_albedo

SIZE = 32
SKIN = np.array([0.42, 0.26, 0.19])
"""Linear reflectance, red first."""


def srgb(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def layout(kind: str) -> dict[str, np.ndarray]:
    """What a model's file holds; a row of texels at the bottom is black, as outside of a face."""
    rng = np.random.default_rng(0)
    mean = np.tile(SKIN, (SIZE, SIZE, 1)) * (1 + 0.05 * rng.normal(size=(SIZE, SIZE, 1)))
    mean[-8:] = 0
    count = {"albedomm": 145, "bfm": 199, "flame": 200}[kind]
    basis = 0.01 * rng.normal(size=(SIZE, SIZE, 3, count)) / np.sqrt(1 + np.arange(count))
    basis[-8:] = 0
    if kind == "albedomm":
        return {"MU": mean, "PC": basis, "specMU": mean, "specPC": basis, "vt": np.zeros((4, 2)),
                "ft": np.zeros((2, 3), np.int64)}
    if kind == "bfm":
        return {"MU": srgb(mean)[..., ::-1].reshape(1, -1), "PC": basis[:, :, ::-1].reshape(-1, count),
                "specMU": mean.reshape(1, -1), "specPC": basis.reshape(-1, count)}
    return {"mean": 255 * srgb(mean)[..., ::-1], "tex_dir": 255 * basis[:, :, ::-1]}


@pytest.mark.parametrize("kind", ["albedomm", "bfm", "flame"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_layout_means_the_same_skin(tmp_path, kind, order):
    np.savez(tmp_path / "a.npz", **{key: np.asarray(array, order=order) for key, array in layout(kind).items()})
    model = read_albedo_model(tmp_path / "a.npz")
    assert model.kind == kind and model.components.shape == (SIZE, SIZE, 3, COMPONENTS)
    flat = model.texture(np.zeros(COMPONENTS, np.float32))
    np.testing.assert_allclose(flat[:-8].mean(axis=(0, 1)), SKIN, rtol=0.03)
    one, same, other = (model.sample(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.dtype == np.float32 and 0.0099 < one.min() and one.max() <= 0.9
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).mean() > 1e-3


@pytest.mark.parametrize("change, message", [
    ({"mean": np.zeros((SIZE, SIZE, 4))}, r"mean has shape \(32, 32, 4\), expected \(S, S, 3\)"),
    ({"tex_dir": np.zeros((SIZE, 8, 3, 9))}, r"tex_dir has shape \(32, 8, 3, 9\), expected \(32, 32, 3, 'K'\)"),
    ({"mean": np.full((SIZE, SIZE, 3), np.nan)}, "mean holds NaN"),
    ({"tex_dir": np.full((SIZE, SIZE, 3, 9), np.inf)}, "tex_dir holds NaN"),
    ({"mean": np.full((SIZE, SIZE, 3), 1e9)}, r"mean has values up to 1e\+09"),
    ({"tex_dir": np.full((SIZE, SIZE, 3, 9), 1e6)}, "changes albedo by"),
    ({"mean": np.array(["a"])}, "no albedo model"),
])
def test_hostile_albedo_models_are_one_line_errors(tmp_path, change, message):
    np.savez(tmp_path / "FLAME_texture.npz", **(layout("flame") | change))
    with pytest.raises(AssetError, match=message) as caught:
        read_albedo_model(tmp_path / "FLAME_texture.npz")
    assert "\n" not in str(caught.value) and "FLAME_texture.npz" in str(caught.value)


def test_a_member_that_claims_more_than_it_holds_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", **layout("flame"))
    data = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(data.replace(b"'shape': (32, 32, 3, 200)", b"'shape': (99, 99, 9, 999)"))
    with pytest.raises(AssetError, match="a.npz"):
        read_albedo_model(tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes(data[: len(data) // 2])
    with pytest.raises(AssetError, match="broken .npz"):
        read_albedo_model(tmp_path / "a.npz")


def test_a_head_wears_its_model(tmp_path):
    painted = np.full((48, 48, 3), 0.2, np.float32) * np.float32([1.2, 0.8, 0.6])
    bare = types.SimpleNamespace(albedo=None)
    assert wear_albedo(painted, bare, np.random.default_rng(0)) is painted
    np.savez(tmp_path / "a.npz", **layout("albedomm"))
    head = types.SimpleNamespace(albedo=tmp_path / "a.npz")
    worn = wear_albedo(painted, head, np.random.default_rng(0))
    assert worn.shape == painted.shape and worn.dtype == np.float32
    face, beyond = worn[:30], worn[-6:]
    np.testing.assert_allclose(face.mean(axis=(0, 1)), painted[0, 0], rtol=0.05)  # as dark as it was painted
    assert face.std(axis=(0, 1)).min() > 0.005  # but as uneven as the model
    np.testing.assert_allclose(beyond, painted[-6:], rtol=0.02)  # where the model is black the paint stays
    np.testing.assert_array_equal(worn, wear_albedo(painted, head, np.random.default_rng(0)))


def test_names_of_members_stay_on_their_line(tmp_path):
    np.savez(tmp_path / "a.npz", **{"one\ntwo": np.zeros(3)})
    with pytest.raises(AssetError, match="it holds one two, expected") as caught:
        read_albedo_model(tmp_path / "a.npz")
    assert "\n" not in str(caught.value)


def _changed_directory(data: bytes, offset: int, value: bytes) -> bytes:
    """A zip with bytes of its first entry in the central directory replaced."""
    at = data.index(b"PK\x01\x02") + offset
    return data[:at] + value + data[at + len(value):]


@pytest.mark.parametrize("change", [
    lambda data: _changed_directory(data, 6, struct.pack("<H", 99)),  # version 9.9: NotImplementedError
    lambda data: _changed_directory(data, 8, struct.pack("<H", 1)),  # encrypted: RuntimeError
    lambda data: _changed_directory(data, 10, struct.pack("<H", 77)),  # method 77: NotImplementedError
    lambda data: data[:-10] + struct.pack("<I", 1 << 31) + data[-6:],  # a directory of 2 GB
    lambda data: _changed_directory(data, 42, struct.pack("<I", 1 << 31)),  # a member beyond the end
])
def test_archives_that_zipfile_stumbles_over_are_one_line_errors(tmp_path, change):
    np.savez(tmp_path / "a.npz", mean=np.zeros(3))
    (tmp_path / "a.npz").write_bytes(change((tmp_path / "a.npz").read_bytes()))
    for read in (npz_shapes, lambda path: read_npz_member(path, "mean")):
        with pytest.raises(AssetError, match="a.npz: broken .npz") as caught:
            read(tmp_path / "a.npz")
        assert "\n" not in str(caught.value)


def test_a_row_too_long_to_be_held_is_refused(tmp_path):
    rows = io.BytesIO()
    np.save(rows, np.zeros((2, _BLOCK_BYTES + 1), np.uint8))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("PC.npy", rows.getvalue())
    with pytest.raises(AssetError, match=r"member PC: rows of 16,777,217 bytes, may have 16,777,216"):
        read_npz_member(tmp_path / "a.npz", "PC", columns=5)
