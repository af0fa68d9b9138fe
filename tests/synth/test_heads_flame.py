"""FLAME and SMPL-X stand-ins: every published layout, texture coordinates, units, bust, and telling what is wrong."""

import dataclasses
import pickle
import types
from pathlib import Path

import numpy as np
import pytest

from assets.errors import AssetError
from assets.files import digest_file
from synth.heads.flame import layout, load
from synth.heads.flame.companions import _checked, landmark_points
from synth.heads.flame.lids import _opening
from synth.heads.flame.units import au_to_flame, basis_shares, flame_to_units
from synth.heads.flame.verify import describe_flame, verify_flame
from synth.heads.head import Identity, eye_centres
from synth.heads.load import load_head
from synth.motion.performance import Performance, neutral
from tests.synth import standins
from tests.synth.standins import BALL, FLAME_FILES, SMPLX_FILES, write_embedding, write_flame, write_smplx

OWN = 5023 - 2 * BALL
SKIN = ("skin", "lips", "mouth")
VARIANTS = [*(("flame", v) for v in FLAME_FILES), *(("smplx", v) for v in SMPLX_FILES)]


@pytest.fixture(scope="module")
def flame(tmp_path_factory):
    return load_head("flame", write_flame(tmp_path_factory.mktemp("flame"), "2023"))


@pytest.fixture(scope="module")
def smplx(tmp_path_factory):
    return load_head("smplx", write_smplx(tmp_path_factory.mktemp("smplx"), "1.0"))


def mean(head) -> Identity:
    identity = head.sample_identity(np.random.default_rng(0))
    return dataclasses.replace(identity, shape=np.zeros_like(identity.shape))


def performing(**poses) -> Performance:
    still = neutral(1, 24.0)
    units = {name: np.float32([value]) for name, value in poses.items() if name.startswith("AU")}
    turned = {name: np.float32([value]) for name, value in poses.items() if not name.startswith("AU")}
    return dataclasses.replace(still, units=units, **turned)


def moved(head, **poses) -> np.ndarray:
    """(N, 3) base vertices of the mean head in a pose."""
    return head.person(mean(head)).animate(performing(**poses))[0][: len(head.neutral)]


def skin_faces(head) -> np.ndarray:
    return np.concatenate([part.vertex_map[part.faces] for part in head.parts if part.label in SKIN])


@pytest.mark.parametrize("family, variant", VARIANTS)
def test_every_published_layout_loads(tmp_path, family, variant):
    file = (write_flame if family == "flame" else write_smplx)(tmp_path, variant)
    head = load_head(family, tmp_path)
    assert {"skin", "lips", "left_sclera", "left_iris", "right_sclera", "right_iris"} <= {p.name for p in head.parts}
    np.testing.assert_allclose(eye_centres(head, head.neutral), [[0.0315, 0, 0.076], [-0.0315, 0, 0.076]], atol=2e-4)
    assert {"AU1", "AU12", "AU26", "AU45"} <= set(head.units) and head.neutral.dtype == np.float32
    many = family == "flame" or variant.startswith("1.1")
    assert head.native.shape[2] == (100 if many else 10)
    assert head.arrays["shape_directions"].shape[2] == (300 if many else 10)
    assert head.source_hash == digest_file(file)


@pytest.mark.parametrize("family, variant", [("flame", "2020"), ("smplx", "1.0")])
def test_nothing_is_wrong_with_a_sound_file(tmp_path, family, variant):
    file = (write_flame if family == "flame" else write_smplx)(tmp_path, variant)
    assert verify_flame(tmp_path, family) == [] == verify_flame(file, family)
    line = describe_flame(tmp_path, family)
    assert file.name in line and "licence" in line and "\n" not in line


def test_the_best_file_of_a_folder_is_taken(tmp_path):
    write_flame(tmp_path, "2023_no_jaw")
    best = write_flame(tmp_path, "2023")
    write_embedding(tmp_path)
    (tmp_path / "FLAME_masks.pkl").write_bytes(pickle.dumps({"face": np.arange(5)}))
    assert load_head("flame", tmp_path).source_hash == load_head("flame", best).source_hash


def test_the_best_file_does_not_depend_on_the_order_of_a_folder(tmp_path, monkeypatch):
    names = [f"{letter}_model.pkl" for letter in "dacb"] + ["walk.npz", "sub/a_model.pkl", "flame_texture.npz"]
    monkeypatch.setattr(layout, "_MOST_FILES", 3)
    for order in (names, names[::-1]):
        monkeypatch.setattr(Path, "rglob", lambda folder, _, order=order: iter(folder / name for name in order))
        assert [file.name[0] for file in layout.candidates("flame", tmp_path)] == ["a", "b", "c"]


def test_companions_that_are_used_are_part_of_the_digest(tmp_path, monkeypatch):
    file = write_flame(tmp_path, "2023", shapedirs=standins.flame_arrays()["shapedirs"][:, :, 295:305])
    faces, uv = standins.flame_arrays()["f"].astype(np.int64), np.random.default_rng(0).random((5023, 2))
    head = load_head("flame", tmp_path)
    digests = [head.source_hash]
    assert digests == [digest_file(file)] and head.albedo is None
    monkeypatch.setattr(load, "_assemble", lambda family, digest, albedo, checked, faces, uv, *_: types.SimpleNamespace(
        source_hash=digest, albedo=albedo, uv=uv))  # the rest of a head takes long
    albedo = {"MU": np.full((8, 8, 3), 0.3), "PC": np.zeros((8, 8, 3, 145))}
    np.savez(tmp_path / "albedoModel2020_FLAME_albedoPart.npz", **albedo)  # of no use without texture coordinates
    head = load_head("flame", tmp_path)
    assert head.source_hash == digests[0] and head.albedo is None
    for scale in (1, 0.9):
        np.savez(tmp_path / "albedoModel2020_FLAME_albedoPart.npz", **albedo, vt=scale * uv, ft=faces)
        head = load_head("flame", tmp_path)
        assert head.albedo.name == "albedoModel2020_FLAME_albedoPart.npz" and len(head.uv[0]) == 5023
        digests.append(head.source_hash)
    write_embedding(tmp_path)
    digests.append(load_head("flame", tmp_path).source_hash)
    assert len(set(digests)) == 4 and load_head("flame", file).source_hash == digests[-1]


def test_smplx_does_not_wear_what_lies_beside_flame(tmp_path):
    texture = {"vt": np.random.default_rng(0).random((10475, 2)), "ft": standins.smplx_arrays()["f"].astype(int)}
    file = write_smplx(tmp_path, "1.0", **texture, lmk_faces_idx=None, lmk_bary_coords=None)
    write_embedding(tmp_path)
    np.savez(tmp_path / "FLAME_texture.npz", mean=np.zeros((8, 8, 3)), tex_dir=np.zeros((8, 8, 3, 2)))
    head = load_head("smplx", tmp_path)
    assert head.albedo is None and head.source_hash == digest_file(file)
    assert "no landmarks" in describe_flame(file, "smplx")


@pytest.mark.parametrize("kind", [None, "pkl", "npy"])
def test_canonical_space_is_the_templates(tmp_path, kind):
    write_flame(tmp_path, "2023")
    if kind:
        write_embedding(tmp_path, kind)
    truth = standins.template().canonical[standins.skin(OWN).source]
    face = (truth[:, 1] > -115) & (truth[:, 1] < 60) & (truth[:, 2] > 30)
    error = np.linalg.norm(load_head("flame", tmp_path).canonical[:OWN] - truth, axis=1)[face]
    assert np.median(error) < 2.5 and np.percentile(error, 95) < 6  # mm


def test_units_are_the_templates(flame):
    names, truth = standins.unit_fields(standins.skin(OWN).source)
    for k, name in enumerate(names):
        field = flame.arrays["expression_directions"][:OWN, :, flame.expressions.index(name)]
        size = np.linalg.norm(truth[:, :, k])
        if size > 1e-3:
            assert np.linalg.norm(field - truth[:, :, k]) < 0.35 * size, name


@pytest.mark.parametrize("family", ["flame", "smplx"])
def test_lids_shut_over_the_eyeball_and_never_enter_it(family, request):
    head = request.getfixturevalue(family)
    faces = skin_faces(head)
    faces = faces[(faces < len(head.neutral)).all(axis=1)]
    heights = []
    for closure in (0.0, 0.5, 1.0):
        vertices = moved(head, AU45=closure)
        for ball, centre in zip(head.eyeballs, eye_centres(head, vertices), strict=True):
            radius = 0.5 * np.ptp(vertices[ball, 1])
            ray = (vertices - centre) / radius
            near = np.unique(faces[(np.linalg.norm(ray[faces], axis=2) < 1.5).all(axis=1)])
            assert np.linalg.norm(ray[near], axis=1).min() > min(1.0, np.linalg.norm(
                (head.neutral - centre)[near] / radius, axis=1).min() - 0.01)
            around = faces[(np.linalg.norm(ray[faces], axis=2) < 2.4).all(axis=1) & (ray[faces, 2] > 0).all(axis=1)]
            across, upper, lower = _opening(ray, around)
            inside = np.abs(across) < 0.4
            heights.append(np.degrees((upper - lower)[inside].mean()) if closure < 1 else _open_share(ray, around))
    assert min(heights[:2]) > 25 and 5 < min(heights[2:4]) <= max(heights[2:4]) < 0.75 * min(heights[:2])
    assert max(heights[4:]) < 0.06, heights


def _open_share(ray: np.ndarray, faces: np.ndarray) -> float:
    """Share of directions about the gaze in which no skin covers the eye."""
    grid = np.stack(np.meshgrid(np.linspace(-30, 30, 13), np.linspace(-25, 25, 11)), axis=-1).reshape(-1, 2)
    aim = np.append(np.tan(np.radians(grid)), np.ones((len(grid), 1)), axis=1)
    corners = ray[faces]
    side = [np.cross(corners[:, k], corners[:, (k + 1) % 3]) @ aim.T for k in range(3)]  # (F, A): on one side of each
    return 1 - ((np.min(side, axis=0) > 0) | (np.max(side, axis=0) < 0)).any(axis=0).mean()


def test_coefficients_and_units_convert_both_ways(flame):
    names, matrix = au_to_flame(flame)
    assert matrix.shape == (len(names), 100)
    shares = basis_shares(flame)
    spanned = [name for name in names if name[:-2] not in ("AU5", "AU7", "AU45", "AU6", "AU19")]
    weak = {name: shares[name] for name in spanned if shares[name] < 0.9}
    assert not weak, weak
    assert shares["AU45_L"] < 0.3  # lids are made for the head, the basis hasn't got them
    wanted = {"AU12_L": 0.7, "AU12_R": 0.6, "AU1_L": 0.5, "AU4_R": 0.8, "AU25_L": 0.4}
    track = np.outer([0.0, 0.5, 1.0], sum(value * matrix[names.index(name)] for name, value in wanted.items()))
    got = flame_to_units(flame, track)
    for name in got.keys() | wanted.keys():
        curve = got.get(name, np.zeros(3))
        np.testing.assert_allclose(curve, np.array([0, 0.5, 1]) * wanted.get(name, 0.0), atol=0.12, err_msg=name)
    assert flame_to_units(flame, np.zeros((2, 50))) == {}


def test_the_jaw_and_the_lips_part(flame):
    at_rest, opened = moved(flame), moved(flame, jaw=(0.25, 0, 0))
    lips = next(part for part in flame.parts if part.name == "lips")
    rows = lips.vertex_map[np.abs(flame.neutral[lips.vertex_map, 0]) < 0.008]
    drop = (at_rest - opened)[rows, 1]
    low = flame.canonical[rows, 1] < -70
    assert drop[low].mean() > 0.01 and np.abs(drop[flame.canonical[rows, 1] > -62]).max() < 0.002


def test_a_head_that_ends_at_its_lips_gets_a_mouth(tmp_path):
    faces, home = standins.flame_arrays()["f"].astype(int), standins.template().canonical[standins.skin(OWN).source]
    skin = (faces < OWN).all(axis=1)
    middle = home[np.minimum(faces, OWN - 1)].mean(axis=1)
    deep = skin & (np.abs(middle[:, 0]) < 40) & (np.abs(middle[:, 1] + 66) < 34) & (middle[:, 2] < 84)
    deep &= np.linalg.norm(middle - (0, -66, 60), axis=1) < 40
    head = load_head("flame", write_flame(tmp_path, "2023", f=faces[~deep].astype(np.uint32)))
    parts = {part.name: part for part in head.parts}
    assert len(parts) == len(head.parts) and {"teeth", "gums", "tongue", "mouth"} <= set(parts)
    lining = parts["mouth"].vertex_map
    assert lining.max() >= 5023 and head.canonical[lining, 2].min() < 50
    drop = (moved(head) - moved(head, jaw=(0.25, 0, 0)))[parts["teeth"].vertex_map, 1]
    assert np.abs(drop).min() < 1e-4 and drop.max() > 0.01  # one row stays with the skull, the other goes with the jaw


def texture_file(folder, model) -> np.ndarray:
    """Write ``head_template.obj``, seam at x = 0, shuffled faces; returns UVs (F, 3, 2) in the model's order."""
    faces, vertices = model["f"].astype(int), model["v_template"]
    side = (vertices[faces].mean(axis=1)[:, 0] > 0).astype(int)
    flat = (vertices[:, :2] - vertices[:, :2].min(axis=0)) / np.ptp(vertices[:, :2], axis=0).max()
    vt = np.concatenate([flat * 0.4, flat * 0.4 + 0.5])
    ft = faces + len(vertices) * side[:, None]
    order = np.random.default_rng(0).permutation(len(faces))
    lines = [f"vt {u:.6f} {v:.6f}" for u, v in vt]
    lines += ["f " + " ".join(f"{faces[k, c] + 1}/{ft[k, c] + 1}" for c in (1, 2, 0)) for k in order]
    (folder / "head_template.obj").write_text("\n".join(lines))
    return vt[ft]


def test_texture_coordinates_with_seams(tmp_path):
    write_flame(tmp_path, "2023")
    wanted = texture_file(tmp_path, standins.flame_arrays())
    head = load_head("flame", tmp_path)
    table = {tuple(sorted(face)): dict(zip(face, uv.round(4).tolist(), strict=True))
             for face, uv in zip(standins.flame_arrays()["f"].tolist(), wanted, strict=True)}
    skin = head.parts[0]
    assert len(skin.vertex_map) > len(np.unique(skin.vertex_map))  # the seam's vertices are there twice
    model = skin.vertex_map[skin.faces]
    for face, local in zip(model[::50].tolist(), skin.faces[::50], strict=True):
        for vertex, uv in zip(face, skin.uv[local], strict=True):
            np.testing.assert_allclose(uv, table[tuple(sorted(face))][vertex], atol=2e-4)


def test_smplx_keeps_its_own_texture_coordinates(tmp_path):
    faces = standins.smplx_arrays()["f"].astype(int)
    write_smplx(tmp_path, "1.0", vt=np.random.default_rng(0).random((10475, 2)), ft=faces)
    skin = load_head("smplx", tmp_path).parts[0]
    assert len(skin.vertex_map) == len(np.unique(skin.vertex_map)) and 0 <= skin.uv.min() <= skin.uv.max() <= 1
    write_smplx(tmp_path, "1.0", vt=np.zeros((4, 2)), ft=faces)
    with pytest.raises(AssetError, match="ft counts from 0 to 10474, vt has 4 rows"):
        load_head("smplx", tmp_path)


def test_smplx_is_a_bust_in_a_shirt(smplx):
    skin = smplx.neutral[smplx.parts[0].vertex_map]
    assert -0.75 < skin[:, 1].min() < -0.4 and np.abs(skin[:, 0]).max() < 0.33  # chest and upper arms, lowered
    assert len(smplx.arrays["parents"]) == 6 and smplx.arrays["posedirs"].shape == (45, 3 * len(smplx.neutral))
    person = smplx.person(mean(smplx))
    shirt = next(part for part in person.parts if part.name == "garment")
    item = smplx.wardrobe["garment/shirt"]
    shell = np.linalg.norm(item.offset, axis=1)
    assert 0.003 < np.median(shell) < 0.005 and len(shirt.faces) > 500
    neckline = item.place(smplx.neutral)[:, 1].max()
    assert -0.22 < neckline < -0.11  # below the chin at -0.11
    base = len(smplx.neutral)
    still, turned = (person.animate(performing(**pose))[0] for pose in ({}, {"neck": (0, 0.6, 0)}))
    np.testing.assert_allclose(turned[base:], still[base:], atol=2e-3)  # the shirt stays when the head turns
    nose = np.argmax(smplx.neutral[:, 2] * (np.abs(smplx.neutral[:, 0]) < 0.02))
    assert turned[nose, 0] > 0.04


def test_smplx_shapes_move_joints_as_in_the_whole_body(smplx):
    model = standins.smplx_arrays()
    whole = model["J_regressor"] @ (model["v_template"] + model["shapedirs"][:, :, :10] @ np.full(10, 1.5))
    shaped = smplx.shaped(Identity(np.full(10, 1.5, np.float32)))
    joints = smplx.arrays["J_regressor"] @ shaped
    np.testing.assert_allclose(np.diff(joints[1:], axis=0), np.diff(whole[[12, 15, 22, 23, 24]], axis=0), atol=1e-5)


def test_eyes_stay_where_cameras_look(smplx):
    for seed in range(3):
        centres = eye_centres(smplx, smplx.shaped(smplx.sample_identity(np.random.default_rng(seed))))
        np.testing.assert_allclose(centres.mean(axis=0), (0, 0, 0.076), atol=2e-3)


def names_of(lines: list[str], *words: str) -> bool:
    return all("\n" not in line for line in lines) and all(any(word in line for line in lines) for word in words)


def test_verify_names_every_problem(tmp_path):
    v = standins.flame_arrays()["v_template"].copy()
    v[7, 1] = np.nan
    write_flame(tmp_path, "2023", weights=None, v_template=v, posedirs=np.zeros((5023, 3, 9)),
                kintree_table=np.array([[-1, 2, 1, 1, 1], range(5)]))
    lines = verify_flame(tmp_path)
    assert len(lines) == 4 and names_of(lines, "no array 'weights'", "the first at [7, 1]", "(5023, 3, 36)",
                                        "joint 1 the parent 2")
    write_flame(tmp_path, "2023", v_template=standins.flame_arrays()["v_template"] * 1000)
    assert names_of(verify_flame(tmp_path), "expected metres")
    write_flame(tmp_path, "2023", v_template=standins.flame_arrays()["v_template"][:, [2, 1, 0]])
    assert names_of(verify_flame(tmp_path), "does not face +Z")
    write_flame(tmp_path, "2023", shapedirs=standins.flame_arrays()["shapedirs"][:, :, :100])
    assert names_of(verify_flame(tmp_path), "shapedirs has 100 columns")
    write_flame(tmp_path, "2023")
    (tmp_path / "head_template.obj").write_text("vt 0 0\nf 1/1 2/1 3/1\n")
    assert names_of(verify_flame(tmp_path), "beside the model", "head_template.obj")


def test_verify_tells_what_other_files_are(tmp_path):
    def said(name: str, content: bytes, family: str = "flame") -> str:
        (tmp_path / name).write_bytes(content)
        (line,) = verify_flame(tmp_path / name, family)
        assert name in line and "\n" not in line
        return line

    assert "git-lfs" in said("a.pkl", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    assert "login" in said("b.pkl", b"\n <!DOCTYPE html><html>Please log in")
    assert "unpack" in said("c.pkl", b"\x1f\x8b\x08\x00rest")
    assert "broken or half-downloaded" in said("d.npz", b"PK\x03\x04rest")
    assert "a mesh" in said("e.pkl", b"# Wavefront\nv 0 0 0\n")
    assert "is empty" in said("f.pkl", b"")
    assert "landmark embedding" in said("g.pkl", write_embedding(tmp_path).read_bytes())
    assert "it holds hello" in said("h.pkl", pickle.dumps({"hello": np.zeros(3)}))
    assert "eval" in said("i.pkl", b"cbuiltins\neval\n(S'1'\ntR.")
    np.savez(tmp_path / "j.npz", mean=np.zeros((8, 8, 3)), tex_dir=np.zeros((8, 8, 3, 2)))
    assert "texture space" in verify_flame(tmp_path / "j.npz")[0]
    assert "no such file" in verify_flame(tmp_path / "k.pkl")[0]
    np.savez(tmp_path / "l.npz", v_template=np.array([standins.Ch(np.zeros(3))], object), f=np.zeros((4, 3), int))
    assert "v_template is a Python object" in verify_flame(tmp_path / "l.npz")[0]
    assert "this is a smplx model" in verify_flame(write_smplx(tmp_path, "1.0"), "flame")[0]
    assert "this is a flame model" in verify_flame(write_flame(tmp_path, "npz"), "smplx")[0]


def test_verify_looks_into_folders_and_archives(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "FLAME2020.zip", "w") as archive:
        archive.writestr("FLAME2020/generic_model.pkl", b"x")
    assert "FLAME2020.zip: unpack it" in verify_flame(tmp_path)[0]
    assert "generic_model.pkl" in verify_flame(tmp_path / "FLAME2020.zip")[0]
    (tmp_path / "none").mkdir()
    assert "no flame model file here" in verify_flame(tmp_path / "none")[0]
    write_smplx(tmp_path / "none", "1.0")
    assert "but a smplx one (SMPLX_NEUTRAL.npz)" in verify_flame(tmp_path / "none")[0]


@pytest.mark.parametrize("change, message", [
    ({"weights": np.full((5023, 5), 0.4)}, "weights rows sum to 2 to 2"),
    ({"J_regressor": np.full((5, 5023), 0.01)}, "J_regressor rows sum to 50.2 to 50.2"),
    ({"f": np.zeros((200_000, 3), np.uint32)}, "f has 200,000 faces"),
    ({"shapedirs": np.full((5023, 3, 400), np.inf, np.float32)}, "shapedirs holds NaN or infinity"),
    ({"shapedirs": np.zeros((5023, 2, 400))}, r"shapedirs has shape \(5023, 2, 400\), expected \(5023, 3, 400\)"),
    ({"kintree_table": np.array([[2**32 - 1, 4, 1, 2, 3], range(5)])}, "joint 1 the parent 4"),
    ({"f": np.zeros((9000, 3), np.uint32)}, "f has 0 faces of skin with an area"),
    ({"v_template": 0.1 * np.random.default_rng(0).normal(size=(5023, 3))}, "vertices in another order, or not in"),
])
def test_hostile_models_are_one_line_errors(tmp_path, change, message):
    write_flame(tmp_path, "2023", **change)
    with pytest.raises(AssetError, match=message) as caught:
        load_head("flame", tmp_path)
    assert "\n" not in str(caught.value) and "flame2023.pkl" in str(caught.value)


def test_hostile_companions_are_one_line_errors(tmp_path):
    write_flame(tmp_path, "2023")
    broken = {"lmk_face_idx": np.full(51, 10**6), "lmk_b_coords": np.full((51, 3), 1 / 3)}
    (tmp_path / "flame_static_embedding.pkl").write_bytes(pickle.dumps(broken, 2))
    with pytest.raises(AssetError, match="refers to faces 1000000 to 1000000"):
        load_head("flame", tmp_path)
    (tmp_path / "flame_static_embedding.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(AssetError, match="os.system"):
        load_head("flame", tmp_path)


@pytest.mark.parametrize("vt, ft, message", [
    (np.zeros((0, 2)), np.zeros((4, 3), int), r"vt is float64 of shape \(0, 2\)"),
    (np.array([["a", "b"]]), np.zeros((4, 3), int), "vt is <U1"),
    (np.zeros((5, 2)), np.full((4, 3), np.nan), "ft is float64"),
])
def test_hostile_texture_coordinates_are_one_line_errors(vt, ft, message):
    with pytest.raises(AssetError, match=f"m.npz: {message}"):
        _checked("m.npz", vt, ft, np.zeros((4, 3), int))


@pytest.mark.parametrize("index, weights, message", [
    (np.zeros(51, int), np.full((51, 3), "a"), "lmk_bary_coords is <U1"),
    (np.zeros(51, int), np.full((51, 3), np.nan), "lmk_bary_coords is float64"),
    (np.full(51, "a"), np.zeros((51, 3)), "lmk_faces_idx is <U1"),
    (np.full(51, np.nan), np.zeros((51, 3)), "lmk_faces_idx is float64"),
])
def test_hostile_landmarks_are_one_line_errors(tmp_path, index, weights, message):
    arrays = {"lmk_faces_idx": index, "lmk_bary_coords": weights}
    with pytest.raises(AssetError, match=f"m.npz: {message}"):
        landmark_points("flame", tmp_path / "m.npz", arrays, np.zeros((5, 3)), np.zeros((4, 3), int))
