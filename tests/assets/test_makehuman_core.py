"""Readers of MakeHuman's files: what is right comes out, what is wrong is one line that names the file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from assets.errors import AssetError
from assets.makehuman import obj
from assets.makehuman.skeleton import read_poses, read_skeleton, read_weights
from assets.makehuman.targets import Slider, read_json, read_sliders, read_target

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"


def write(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def refused(read, path: Path, *arguments) -> str:
    with pytest.raises(AssetError) as caught:
        read(path, *arguments)
    message = str(caught.value)
    assert path.name in message and "\n" not in message
    return message


def test_obj_quads_triangles_and_groups(tmp_path):
    path = write(tmp_path, "a.obj", SQUARE + "f 1/1 2/2 3/3 4/4\ng lid upper\ns off\nf 1/1 2/2 3/3\nf 1 2 3//9\n")
    mesh = obj.read_obj(path)
    assert mesh.groups == ("", "lid upper") and mesh.group.tolist() == [0, 1, 1]
    assert mesh.faces.tolist() == [[0, 1, 2, 3], [0, 1, 2, -1], [0, 1, 2, -1]]
    assert mesh.uv_faces[2].tolist() == [-1, -1, -1, -1]
    triangles, corners = mesh.triangles()
    assert triangles.tolist() == [[0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 2, 3]]
    assert corners[0].tolist() == [0, 1, 2] and corners[3].tolist() == [0, 2, 3]
    assert len(mesh.triangles(mesh.group == 1)[0]) == 2


@pytest.mark.parametrize("text, said", [
    (SQUARE + "f 1/1 2/2 5/3\n", "vertex 5 of 4"),
    (SQUARE + "f 1/1 2/2 3/9\n", "UV 9 of 4"),
    (SQUARE + "f 1 2 -1\n", "below 1"),
    (SQUARE + "f 1 2 0\n", "below 1"),
    (SQUARE + "f 1 2\n", "2 corners"),
    (SQUARE + "f 1 2 3 4 1\n", "5 corners"),
    (SQUARE + "f 1 2 x\n", "vertex/uv"),
    (SQUARE + "f 1 2 99999999999999999999999\n", "vertex/uv"),
    ("v 0 0 0\nv 1 nan 0\nf 1 2 1\n", "NaN"),
    ("v 0 0 0\nv 1 0\nf 1 2 1\n", "3 numbers"),
    ("v 0 0 0\nv 1 0 1e999\nf 1 2 1\n", "infinity"),
    ("v 0 0 0\n", "0 faces"),
    ("\x00\x01 binary", "0 vertices"),
])
def test_hostile_obj(tmp_path, text, said):
    assert said in refused(obj.read_obj, write(tmp_path, "a.obj", text))


def test_obj_sizes_are_bounded(tmp_path, monkeypatch):
    path = write(tmp_path, "a.obj", SQUARE + "f 1 2 3\n")
    monkeypatch.setattr(obj, "MAX_COUNT", 3)
    assert "more than 3" in refused(obj.read_obj, path)
    monkeypatch.setattr(obj, "MAX_TEXT_BYTES", 10)
    assert "at most 10" in refused(obj.read_obj, path)
    assert "no such file" in refused(obj.read_obj, tmp_path / "none.obj")


def test_target(tmp_path):
    target = read_target(write(tmp_path, "a.target", "# note\n2 .5 0 -1\n0 0 0 .25\n\n"), 3)
    assert target.dense(3).tolist() == [[0, 0, 0.25], [0, 0, 0], [0.5, 0, -1]]
    assert not read_target(write(tmp_path, "none.target", "# nothing moves\n"), 3).dense(3).any()


@pytest.mark.parametrize("text, said", [
    ("3 0 0 0\n", "vertex 3"), ("-1 0 0 0\n", "vertex -1"), ("0.5 0 0 0\n", "vertex 0.5"), ("1 0 0\n", "4 numbers"),
    ("1 0 0 nan\n", "NaN"), ("1 0 0 1e6\n", "at most 100"), ("one 0 0 0\n", "4 numbers"),
])
def test_hostile_target(tmp_path, text, said):
    assert said in refused(read_target, write(tmp_path, "a.target", text), 3)


def test_sliders(tmp_path):
    path = write(tmp_path, "a.json", [{"group": "nose", "modifiers": [
        {"target": "nose-hump", "min": "decr", "max": "incr"}, {"target": "nose-odd"}, {"macrovar": "Age"}]}])
    assert read_sliders(path) == (Slider("nose", "nose-hump-decr", "nose-hump-incr"), Slider("nose", None, "nose-odd"))


@pytest.mark.parametrize("value, said", [
    ([{"group": "nose", "modifiers": [{"target": "../../secret"}]}], "letters"),
    ([{"group": "/etc", "modifiers": [{"target": "a"}]}], "letters"),
    ([{"group": "nose", "modifiers": [{"target": "a", "min": 5}]}], "letters"),
    ([{"group": "nose"}], "expected a list"), ({"a": 1}, "expected a list"), ("[" * 100, "nested"),
    ("[" + "9" * 5000 + "]", "broken JSON"), ("{", "broken JSON"),
])
def test_hostile_sliders(tmp_path, value, said):
    assert said in refused(read_sliders, write(tmp_path, "a.json", value))


def test_deep_json_is_refused_before_it_is_parsed(tmp_path):
    assert "nested" in refused(read_json, write(tmp_path, "a.json", "[" * 100_000 + "]" * 100_000))


def bones(**parents: str | None) -> dict:
    return {"bones": {name: {"head": "j", "tail": "j", "parent": parent} for name, parent in parents.items()},
            "joints": {"j": [0, 2]}}


def test_skeleton_has_parents_first(tmp_path):
    skeleton = read_skeleton(write(tmp_path, "a.mhskel", bones(jaw="head", head="root", root=None)), 3)
    assert skeleton.names == ("root", "head", "jaw") and skeleton.parents == (-1, 0, 1)
    assert skeleton.chain("jaw") == ("jaw", "head", "root")
    assert skeleton.joints(np.eye(3))[0].tolist() == [0.5, 0, 0.5]


@pytest.mark.parametrize("value, said", [
    (bones(a="b", b="c", c="a", root=None), "own ancestor"), (bones(a="a", root=None), "own ancestor"),
    (bones(a="none", root=None), "not a bone"), (bones(a=None, b=None), "2 root bones"), (bones(), "1 to 1000 bones"),
    ({"bones": {"a": {"parent": ["a"], "head": "j", "tail": "j"}}, "joints": {}}, "not a bone"),
    ({"bones": {"a": {"parent": None, "head": "j", "tail": "j"}}, "joints": {"j": [3]}}, "from 0 to 2"),
    ({"bones": {"a": {"parent": None, "head": "j", "tail": "j"}}, "joints": {"j": []}}, "from 0 to 2"),
    ({"bones": {"a": {"parent": None, "head": [], "tail": "j"}}, "joints": {"j": [0]}}, "from 0 to 2"),
    ({"bones": {"a": {"parent": None, "head": "j", "tail": "j"}}, "joints": {"j": [0] * 1001}}, "1 to 1000 vertices"),
    ({"bones": {"a": 5}, "joints": {}}, "not an object"), ([], "1 to 1000 bones"),
])
def test_hostile_skeleton(tmp_path, value, said):
    assert said in refused(read_skeleton, write(tmp_path, "a.mhskel", value), 3)


def test_weights(tmp_path):
    read = read_weights(write(tmp_path, "a.mhw", {"weights": {"jaw": [[2, 0.25], [0, 1]], "none": []}}), 3)
    index, weight = read["jaw"]
    assert index.tolist() == [2, 0] and weight.tolist() == [0.25, 1] and len(read["none"][0]) == 0


@pytest.mark.parametrize("value, said", [
    ('{"weights": {"jaw": [[0, NaN]]}}', "outside"), ({"weights": {"jaw": [[3, 0.5]]}}, "outside"),
    ({"weights": {"jaw": [[0, 1.5]]}}, "0 to 1"), ({"weights": {"jaw": [[0, 1, 2]]}}, "[vertex, weight]"),
    ({"weights": {"jaw": "no"}}, "[vertex, weight]"), ({"weights": []}, "expected weights"), ([], "expected weights"),
])
def test_hostile_weights(tmp_path, value, said):
    assert said in refused(read_weights, write(tmp_path, "a.mhw", value), 3)


BVH = """HIERARCHY
ROOT root
{
 OFFSET 0 0 0
 CHANNELS 6 Xposition Yposition Zposition Xrotation Yrotation Zrotation
 JOINT jaw
 {
  OFFSET 0 0 1
  CHANNELS 3 Xrotation Yrotation Zrotation
 }
}
MOTION
Frames: 2
Frame Time: 0.04
0 0 0 0 0 0 0 0 0
0 0 0 0 0 90 90 0 0
"""


def test_poses_come_with_y_up(tmp_path):
    names, rotations = read_poses(write(tmp_path, "a.bvh", BVH))
    assert names == ("root", "jaw") and np.allclose(rotations[0], np.eye(3))
    # A turn about the file's Z, which is up, takes its X to its Y; that is the house's X to -Z (Y forward is -Z).
    assert np.allclose(rotations[1, 0] @ [1, 0, 0], [0, 0, -1])
    assert np.allclose(rotations[1, 1] @ [0, 1, 0], [0, 0, 1])  # about X: up goes forward


@pytest.mark.parametrize("old, new, said", [
    ("0 0 0 0 0 90 90 0 0", "0 0", "frames of 9"), ("90 90", "90 nan", "NaN"), ("90 90", "90 x", "numbers"),
    ("CHANNELS 3 Xrotation", "CHANNELS 3 Wrotation", "channels may be"), ("JOINT jaw", "JOINT", "channels may be"),
    ("0 0 0 0 0 90 90 0 0", "0 0 0 0 0 90 90 0 0\n" * 200_000, "at most 1,000,000"),
    ("MOTION", "", "frames of 9"), ("ROOT root", "", "channels may be"),
])
def test_hostile_poses(tmp_path, old, new, said):
    assert said in refused(read_poses, write(tmp_path, "a.bvh", BVH.replace(old, new)))


def test_joints_without_channels_count_too(tmp_path):
    still = "".join(f"JOINT j{k}\n{{\nCHANNELS 0\n}}\n" for k in range(900))
    with pytest.raises(AssetError, match="2,000 frames of 901 joints"):
        read_poses(write(tmp_path, "a.bvh", f"ROOT a\n{{\nCHANNELS 1 Xrotation\n{still}}}\nMOTION\n" + "0\n" * 2000))


def test_bones_share_their_joints(tmp_path):
    skeleton = read_skeleton(write(tmp_path, "a.mhskel", bones(jaw="head", head="root", root=None)), 3)
    assert skeleton.heads[0] is skeleton.heads[1]
