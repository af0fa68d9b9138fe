"""MakeHuman's people: who they are, how they move, what a broken folder says."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from assets.errors import AssetError
from assets.files import cache_dir
from synth.heads.canonical import template_landmark
from synth.heads.head import HeadModel, Identity, eye_centres
from synth.heads.load import load_head
from synth.heads.makehuman import load
from synth.heads.makehuman.base import VERTICES, BaseMesh, read_base
from synth.heads.makehuman.identity import MACROS, macro_weights, sample_traits
from synth.heads.makehuman.lids import find_opening
from synth.heads.makehuman.parts import VERTICES_AT
from synth.motion.performance import POSES, Performance
from synth.scene import LABELS


@pytest.fixture(scope="module")
def folder(shared_data) -> Path:
    path = shared_data / "makehuman"
    if not path.is_dir():
        pytest.skip(f"no MakeHuman data at {path}")
    return path


@pytest.fixture(scope="module")
def base(folder) -> BaseMesh:
    return read_base(folder)


@pytest.fixture(scope="module")
def head(folder) -> HeadModel:
    return load_head("makehuman", folder)


def mean_person(head: HeadModel) -> Identity:
    return Identity(np.zeros(head.arrays["shape_directions"].shape[2], np.float32))


def frames(model: HeadModel, identity: Identity, units: dict[str, list[float]] | None = None, **poses) -> np.ndarray:
    """(T, N, 3) base vertices; units and poses by name, a value a frame."""
    count = len(next(iter((units or poses).values())))
    curves = {name: np.zeros((count, 3), np.float32) for name in (*POSES, "translation")}
    curves |= {name: np.float32(value) for name, value in poses.items()}
    performance = Performance(24.0, {name: np.float32(value) for name, value in (units or {}).items()}, **curves)
    return model.animate(identity, performance)


def test_a_second_load_reads_no_target_and_is_the_same(folder, head, monkeypatch):
    monkeypatch.setattr("synth.heads.makehuman.identity.read_target", None)
    again = load_head("makehuman", folder)
    assert again.source_hash == head.source_hash and again.licence == "CC0-1.0 (MakeHuman)"
    for name, values in head.arrays.items():
        assert np.array_equal(values, again.arrays[name]), name


def test_a_damaged_cache_is_made_anew(folder, head):
    (file,) = (cache_dir() / "heads").glob("makehuman-*.npz")
    whole = file.read_bytes()
    file.write_bytes(whole[:5000])
    again = load_head("makehuman", folder)
    assert np.array_equal(again.arrays["shape_directions"], head.arrays["shape_directions"])
    assert file.stat().st_size == len(whole)


def test_only_what_is_read_makes_another_head(tmp_path):
    def put(name: str, text: str) -> str:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
        return load._digest(tmp_path, (*load._SHAPING, *load._WORN))

    first = put("hair/a/a.mhclo", "# CC0")
    for name in ("hair/a/a.png", "hair/a/a.mhmat", "hair/a/a.thumb", "rigs/other.mhskel", "clothes/b/b.mhpxy"):
        assert put(name, "x") == first, name
    seen = {first}
    for name in ("hair/a/a.mhclo", "hair/a/a.obj", "teeth/b/mesh/b.obj", "rigs/default.mhskel", "targets/nose/n.target",
                 "poseunits/face-poseunits.bvh"):
        seen.add(put(name, "x"))
    assert len(seen) == 7


def test_arrays(head):
    columns, joints = head.arrays["shape_directions"].shape[2], len(head.arrays["parents"])
    assert head.neutral.shape == head.canonical.shape == (VERTICES, 3) and columns > 250
    for name in ("shape_directions", "expression_directions", "weights", "J_regressor"):
        assert head.arrays[name].dtype == np.float32 and np.isfinite(head.arrays[name]).all(), name
    assert np.allclose(head.arrays["weights"].sum(axis=1), 1, atol=1e-5) and joints == 8
    assert np.allclose(head.arrays["J_regressor"].sum(axis=1), 1, atol=1e-5)
    for role, shares in head.roles.items():
        assert sum(share for _, share in shares) == pytest.approx(1), role
    assert set(head.units) >= {"AU1", "AU4", "AU6", "AU12", "AU26", "AU45"} and len(head.units) >= 30
    assert np.array_equal(head.mirror[head.mirror], np.arange(VERTICES))


def test_parts_are_those_of_a_bust(head):
    assert [part.name for part in head.parts] == ["skin", "lips", "mouth"]
    for part in head.parts:
        assert part.label in LABELS and part.faces.max() < len(part.vertex_map) == len(part.uv)
        assert part.uv.min() >= 0 and part.uv.max() <= 1
    skin, lips = (head.neutral[part.vertex_map] for part in head.parts[:2])
    assert -0.55 < skin[:, 1].min() < -0.2 and np.abs(skin[:, 0]).max() < 0.4
    assert np.abs(lips[:, 0]).max() < 0.03 and -0.095 < lips[:, 1].min() and lips[:, 1].max() < -0.05


def test_lips_and_inner_mouth_meet(head):
    """Skin, lips and mouth share their borders' vertices: no crack between them."""
    skin, lips, mouth = (set(part.vertex_map) for part in head.parts)
    assert len(skin & lips) > 30 and len(lips & mouth) > 10


def test_landmarks_fall_on_the_template(base, head):
    for name, chosen in VERTICES_AT.items():
        for side, at in (("left_", chosen), ("right_", head.mirror[list(chosen)])):
            place = head.canonical[list(at)].mean(axis=0)
            target = template_landmark(side + name)
            assert np.linalg.norm(place - target) < 2.5, (side + name, place, target)
    for side, ball in zip((1, -1), head.eyeballs, strict=True):
        middle = 0.5 * (head.neutral[ball].min(axis=0) + head.neutral[ball].max(axis=0))
        assert np.allclose(middle, (side * 0.029, 0, 0.076), atol=0.002)


def test_macro_weights_are_a_product():
    weights = macro_weights(1.0, 25.0, np.array([0, 0, 1.0]))
    assert weights.sum() == pytest.approx(1) and weights[MACROS.index("caucasian-female-young")] == 1
    weights = macro_weights(0.25, 57.5, np.array([0.5, 0.5, 0]))
    assert weights.sum() == pytest.approx(1) and weights[MACROS.index("asian-male-old")] == pytest.approx(0.1875)
    rng = np.random.default_rng(0)
    traits = [sample_traits(rng) for _ in range(300)]
    assert all(18 <= one.years <= 85 and sum(one.ancestry) == pytest.approx(1) for one in traits)
    assert 0.4 < np.mean([one.female > 0.5 for one in traits]) < 0.6
    assert np.mean([0.3 < one.female < 0.7 for one in traits]) < 0.05


def test_people_are_repeatable_differ_and_stay_human(head):
    first, again, other = (head.sample_identity(np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first.shape, again.shape) and first.wardrobe == again.wardrobe
    assert not np.array_equal(first.shape, other.shape)
    heads = np.stack([head.shaped(head.sample_identity(np.random.default_rng(seed))) for seed in range(40)])
    centres = np.stack([eye_centres(head, one) for one in heads])
    assert np.abs(centres.mean(axis=1) - (0, 0, 0.076)).max() < 0.008  # the head stays where it is
    crown, chin = VERTICES_AT["crown"][0], VERTICES_AT["gnathion"][0]
    height = heads[:, crown, 1] - heads[:, chin, 1]
    assert 0.20 < height.mean() < 0.24 and 0.005 < height.std() < 0.016  # Farkas: 0.226 +- 0.009 m
    zygion = VERTICES_AT["zygion"][0]
    width = heads[:, zygion, 0] - heads[:, head.mirror[zygion], 0]
    assert 0.128 < width.mean() < 0.140 and 0.003 < width.std() < 0.008  # Farkas: 0.134 +- 0.005 m


def test_units_move_their_side(head):
    identity = mean_person(head)
    neutral = head.shaped(identity)
    left = neutral[:, 0] > 0.012
    for unit in ("AU1", "AU4", "AU12", "AU15", "AU38"):
        moved = frames(head, identity, {f"{unit}_L": [1.0]})[0] - neutral
        distance = np.linalg.norm(moved, axis=1)
        assert 0.001 < distance[left].max() < 0.03, unit
        assert distance[neutral[:, 0] < -0.012].max() < 1e-5, unit
        right = frames(head, identity, {f"{unit}_R": [1.0]})[0] - neutral
        assert np.allclose(right[head.mirror] * (-1, 1, 1), moved, atol=1e-5), unit
    corner, lip = VERTICES_AT["cheilion"][0], VERTICES_AT["labiale_inferius"][0]
    smile = frames(head, identity, {"AU12": [1.0]})[0] - neutral
    assert smile[corner, 1] > 0.003 and smile[corner, 0] > 0.001
    assert (frames(head, identity, {"AU30_L": [1.0]})[0] - neutral)[lip, 0] > 0.002


def test_the_jaw_takes_teeth_and_tongue_along(base, head):
    identity = mean_person(head)
    shut, opened = frames(head, identity, jaw=[[0, 0, 0], [0.3, 0, 0]])
    moved = opened - shut
    lower, upper, tongue = (moved[base.vertices_of(f"helper-{name}")] for name in ("lower-teeth", "upper-teeth",
                                                                                   "tongue"))
    assert moved[VERTICES_AT["gnathion"][0], 1] < -0.015
    assert lower[:, 1].max() < -0.005 and np.abs(upper).max() < 5e-4 and tongue[:, 1].mean() < -0.008
    assert np.abs(moved[VERTICES_AT["pronasale"][0]]).max() < 5e-4


def test_a_turn_is_spread_over_the_neck(base, head):
    identity = mean_person(head)
    ahead, turned = frames(head, identity, head=[[0, 0, 0], [0, 0.6, 0]], neck=[[0, 0, 0], [0, 0.45, 0]])
    nose = turned[VERTICES_AT["pronasale"][0]] - eye_centres(head, turned).mean(axis=0)
    assert np.degrees(np.arctan2(nose[0], nose[2])) == pytest.approx(60, abs=1.5)
    shoulder = base.vertices_of("joint-l-shoulder")
    assert np.abs(turned[shoulder] - ahead[shoulder]).max() < 1e-4


def test_shut_lids_meet_round_the_eyeball(base, head):
    """Seen from the eye's centre, between the corners: skin everywhere, in front of the eyeball with its cornea."""
    for identity in (mean_person(head), *(head.sample_identity(np.random.default_rng(seed)) for seed in (0, 4))):
        identity = dataclasses.replace(identity, wardrobe=())
        shut = frames(head, identity, {"AU45": [1.0]})[0]
        eye = find_opening(base, head.shaped(identity))
        (azimuth0, _), (azimuth1, _) = eye.corners
        azimuth = np.linspace(azimuth0 + 0.15, azimuth1 - 0.15, 15)
        upper, lower = eye.margins(azimuth)
        height = lower + (upper - lower) * np.linspace(0.02, 1, 9)[:, None]
        ray = np.stack([np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height)], axis=2)
        skin = head.parts[0]
        farthest = _farthest_hit(eye.centre, ray.reshape(-1, 3), shut[skin.vertex_map[skin.faces]].astype(float))
        assert farthest.min() > 1.0005 * eye.radius  # no gap shows the eyeball
        middle = farthest.reshape(9, 15)[2:7, 4:11]
        assert middle.min() > 1.055 * eye.radius + 0.0002  # over the cornea


def _farthest_hit(origin: np.ndarray, rays: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Distance (K,) to the farthest of the triangles (F, 3, 3) near the origin that each ray hits; 0 for none."""
    a, b, c = np.moveaxis(triangles[np.linalg.norm(triangles.mean(axis=1) - origin, axis=1) < 0.04], 1, 0)
    first, second = b - a, c - a
    p = np.cross(rays[:, None], second)
    scale = (p * first).sum(axis=2)
    u = (p * (origin - a)).sum(axis=2) / scale
    q = np.cross(origin - a, first)
    v = rays @ q.T / scale
    distance = (q * second).sum(axis=1) / scale
    return np.where((u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 0), distance, 0.0).max(axis=1)


def test_half_shut_lids_go_round_the_eyeball_not_through_it(base, head):
    identity = mean_person(head)
    half = frames(head, identity, {"AU45": [0.5]})[0]
    eye = find_opening(base, head.neutral)
    edge = (eye.ring == 3) & (np.abs(eye.polar[:, 1]) < np.radians(20))
    assert np.linalg.norm(half[edge] - eye.centre, axis=1).min() > 1.055 * eye.radius


def test_missing_data_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELCUBE_CACHE", str(tmp_path))
    for path in (None, tmp_path / "elsewhere"):
        with pytest.raises(AssetError, match="pixelcube assets fetch makehuman") as caught:
            load_head("makehuman", path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spoil, said", [
    (lambda text: text[: len(text) // 3], "0 faces"),
    (lambda text: text.replace("v -0.3492", "v nan", 1), "NaN"),
    (lambda text: text.replace("g joint-l-eye", "g other", 1), "joint-l-eye"),
    (lambda text: text.replace("f 4849/1", "f 99999/1", 1), "99,999"),
])
def test_a_spoilt_base_mesh(folder, tmp_path, spoil, said):
    (tmp_path / "3dobjs").mkdir()
    text = (folder / "3dobjs" / "base.obj").read_text()
    (tmp_path / "3dobjs" / "base.obj").write_text(spoil(text))
    with pytest.raises(AssetError) as caught:
        load_head("makehuman", tmp_path)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_target_is_named(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELCUBE_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "data"
    for name in ("3dobjs", "modifiers"):
        shutil.copytree(folder / name, data / name)
    with pytest.raises(AssetError, match="african-female-young.target: no such file"):
        load_head("makehuman", data)
