"""Head-model files: the template's round trip, FLAME's and SMPL-X's layouts, and hostile ones."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from assets.errors import AssetError
from assets.files import cache_dir
from assets.pickles import load_model_arrays
from synth.heads.load import load_head
from synth.heads.template import model as template_model
from synth.motion.performance import neutral
from tests.synth.standins import write_smplx


def make_model(vertices: int, joints: int, columns: int, parents: list[int], balls: list[tuple[int, int]]) -> dict:
    """Random arrays in FLAME's layout: a blob with two balls for eyes."""
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(vertices, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    v = 0.1 * direction
    for sign, (first, last) in zip((1, -1), balls, strict=True):
        v[first:last] = 0.012 * direction[first:last] + (sign * 0.032, 0.02, 0.08)
    faces = np.concatenate([np.stack([np.arange(a, b - 2), np.arange(a + 1, b - 1), np.arange(a + 2, b)], axis=1)
                            for a, b in [(0, balls[0][0]), *balls]])
    shapes = np.zeros((vertices, 3, columns), np.float32)
    shapes[:, :, :5] = 0.002 * rng.normal(size=(vertices, 3, 5))
    weights = np.zeros((vertices, joints))
    weights[:, 1] = 1
    regressor = np.zeros((joints, vertices))
    regressor[:, :100] = 0.01
    return {
        "v_template": v, "f": faces.astype(np.uint32), "shapedirs": shapes,
        "posedirs": np.zeros((vertices, 3, 9 * (joints - 1)), np.float32), "J_regressor": regressor, "weights": weights,
        "kintree_table": np.array([[2**32 - 1, *parents[1:]], range(joints)], np.int64),
    }


@pytest.fixture(scope="module")
def flame() -> dict:
    return make_model(5023, 5, 400, [-1, 0, 1, 1, 1], [(3931, 4477), (4477, 5023)])


def save_pickle(folder, model: dict) -> None:
    with open(folder / "FLAME_NEUTRAL.pkl", "wb") as file:
        pickle.dump(model, file, protocol=2)


def test_template_survives_its_file():
    built = load_head()
    (file,) = (cache_dir() / "heads").glob("template-*.npz")
    arrays = load_model_arrays(file)
    n = len(arrays["v_template"])
    assert arrays["shapedirs"].shape == (n, 3, 400) and arrays["posedirs"].shape == (n, 3, 36)
    assert arrays["J_regressor"].shape == (5, n) and arrays["kintree_table"].tolist()[0] == [-1, 0, 1, 1, 1]
    assert template_model.read_template(file).keys() == set(arrays) - {"digest"}
    loaded = load_head("template", file)
    np.testing.assert_array_equal(built.neutral, loaded.neutral)
    for name, array in built.arrays.items():
        np.testing.assert_array_equal(array, loaded.arrays[name])


def test_every_number_of_threads_builds_the_same_template():
    code = "from synth.heads.template.model import *; print(arrays_digest(build_template()))"
    built = {
        subprocess.run([sys.executable, "-c", code], env=os.environ | {"OPENBLAS_NUM_THREADS": threads}, check=True,
                       capture_output=True, text=True).stdout.strip()
        for threads in ("1", "4")
    }
    assert built == {load_head().source_hash}


def test_spoilt_cache_is_built_anew(tmp_path, monkeypatch):
    sound = load_head()
    arrays = template_model.read_template(next((cache_dir() / "heads").glob("template-*.npz")))
    monkeypatch.setattr(template_model, "build_template", lambda: arrays)
    monkeypatch.setenv("PIXELCUBE_CACHE", str(tmp_path))
    file = cache_dir() / "heads" / f"template-{template_model.code_hash()}.npz"
    file.parent.mkdir(parents=True)
    other = arrays | {"v_template": arrays["v_template"] + np.float32(0.001)}
    np.savez(file, **other, digest=np.array(sound.source_hash))  # someone else's heads under our digest
    head = load_head()
    assert head.source_hash == sound.source_hash
    np.testing.assert_array_equal(head.neutral, sound.neutral)
    np.testing.assert_array_equal(template_model.read_template(file)["v_template"], arrays["v_template"])


def test_failed_animation_leaves_torch_its_threads(monkeypatch):
    import smplx.lbs
    import torch

    head, before = load_head(), torch.get_num_threads()
    seen = []

    def fail(*_):
        seen.append(torch.get_num_threads())
        raise MemoryError

    monkeypatch.setattr(smplx.lbs, "lbs", fail)
    torch.set_num_threads(2)
    try:
        with pytest.raises(MemoryError):
            head.animate(head.sample_identity(np.random.default_rng(0)), neutral(1, 24.0))
        assert seen == [1] and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_flame_folder_loads_and_moves(tmp_path, flame):
    save_pickle(tmp_path, flame)
    head = load_head("flame", tmp_path)
    named = {part.name: part for part in head.parts}
    assert {"skin", "left_sclera", "left_iris", "right_sclera", "right_iris"} <= set(named)
    assert (head.eyeballs[0] == np.arange(3931, 4477)).all() and named["left_sclera"].vertex_map.min() >= 5023
    assert head.native.shape[1:] == (3, 100) and "FLAME" in head.licence
    assert len(head.expressions) == head.arrays["expression_directions"].shape[2]
    identity = head.sample_identity(np.random.default_rng(0))
    moved = head.person(identity).animate(neutral(2, 24.0), resolve=False)
    np.testing.assert_allclose(moved[1], head.shaped(identity), atol=1e-6)


def test_smplx_loads_and_turns_about_its_neck(tmp_path):
    write_smplx(tmp_path, "1.0")
    head = load_head("smplx", tmp_path)
    assert head.native.shape[1:] == (3, 10)
    person = head.person(head.sample_identity(np.random.default_rng(0)))
    assert person.animate(neutral(1, 24.0)).shape == (1, len(person.rest), 3)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda m: m.pop("weights"), "no array 'weights'"),
        (lambda m: m.update(v_template=m["v_template"][:100]), "v_template has 100 vertices, flame has 5023"),
        (lambda m: m.update(J_regressor=m["J_regressor"].T), r"J_regressor has shape \(5023, 5\), expected \(5,"),
        (lambda m: m.update(v_template=m["v_template"] * np.nan), "v_template holds NaN"),
        (lambda m: m.update(f=m["f"] + 5000), "f refers to vertices 5000 to"),
        (lambda m: m.update(kintree_table=np.array([[-1, 2, 1, 1, 1], range(5)])), "joint 1 the parent 2"),
        (lambda m: m.update(weights=m["weights"] * 2), "weights rows sum to 2 to 2"),
        (lambda m: m.update(shapedirs=np.array(["a"])), r"shapedirs has shape \(1,\)"),
    ],
)
def test_broken_models_are_one_line_errors(tmp_path, flame, change, message):
    model = dict(flame)
    change(model)
    save_pickle(tmp_path, model)
    with pytest.raises(AssetError, match=message) as caught:
        load_head("flame", tmp_path)
    assert "\n" not in str(caught.value) and "FLAME_NEUTRAL.pkl" in str(caught.value)


def test_pickle_that_runs_a_command_does_not(tmp_path):
    marker = tmp_path / "ran"

    class Bomb:
        def __reduce__(self):
            return (eval, (f"open({str(marker)!r}, 'w').close()",))

    save_pickle(tmp_path, {"v_template": Bomb()})
    with pytest.raises(AssetError, match="eval"):
        load_head("flame", tmp_path)
    assert not marker.exists()


def test_wrong_family_and_missing_files(tmp_path):
    with pytest.raises(AssetError, match="'mano' is not one of template, flame, smplx"):
        load_head("mano")
    with pytest.raises(AssetError, match="head.path: missing"):
        load_head("flame")
    with pytest.raises(AssetError, match="no smplx model file here"):
        load_head("smplx", tmp_path)


def test_unwritable_cache_only_costs_time(tmp_path, monkeypatch):
    load_head()
    arrays = template_model.read_template(next((cache_dir() / "heads").glob("template-*.npz")))
    monkeypatch.setattr(template_model, "build_template", lambda: arrays)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PIXELCUBE_CACHE", str(tmp_path / "file"))
    assert load_head().family == "template"
