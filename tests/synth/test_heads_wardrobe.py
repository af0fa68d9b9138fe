"""What MakeHuman's people wear: hair cut into strands, brows, lashes, eyes, teeth, garments, and who wears what."""

from __future__ import annotations

import collections
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix, eye
from scipy.spatial import cKDTree

from assets.errors import AssetError
from synth.appearance.wardrobe import paint_wardrobe
from synth.heads.head import Attachment, HeadModel
from synth.heads.load import load_head
from synth.heads.makehuman.base import BaseMesh, read_base
from synth.heads.makehuman.hair import before_eyes, hold_to_skull
from synth.heads.makehuman.ribbons import thin
from synth.heads.makehuman.strips import Strips, find_strips
from synth.heads.makehuman.wardrobe import choose_wardrobe, read_wardrobe
from synth.heads.template.eyes import LIMBUS, eye_texture_radius
from synth.motion.performance import neutral

NAMES = ("eyes/a", "teeth/a", "teeth/b", "tongue/a", "eyelashes/a", "eyelashes/b", "eyebrows/a", "eyebrows/b",
         "hair/short02", "hair/long01", "hair/other", "clothes/male_suit", "clothes/female_suit")


def grid(rows: int, columns: int, flip: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """A half cylinder about the y axis, 10 cm high, of quads; ``flip``: every second one wound the other way."""
    height, turn = np.meshgrid(np.linspace(0.1, 0, rows + 1), np.linspace(0, np.pi, columns + 1), indexing="ij")
    points = np.stack([0.1 * np.cos(turn), height, 0.1 * np.sin(turn)], axis=2).reshape(-1, 3)
    index = np.arange(len(points)).reshape(rows + 1, columns + 1)
    quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], axis=2).reshape(-1, 4)
    if flip:
        quads[::2] = quads[::2, ::-1]
    return points, quads


def cut(points: np.ndarray, quads: np.ndarray, way=(0.0, -1.0, 0.0), **options) -> Strips:
    return find_strips(points, quads, lambda at: np.broadcast_to(way, at.shape), lambda at: at * (1, 0, 1), **options)


@pytest.mark.parametrize("flip", [False, True])
def test_strips_run_down_a_wall_from_edge_to_edge(flip):
    strips = cut(*grid(5, 8, flip), lengthwise=False)
    assert len(strips.length) == 8 and strips.ends.all()
    np.testing.assert_allclose(strips.length, 0.1, atol=1e-4)
    np.testing.assert_allclose(strips.area.sum(), 0.1 * 16 * 0.1 * np.sin(np.pi / 16), rtol=1e-3)
    assert (strips.points[strips.left][strips.start[:-1], 1] == 0.1).all(), "roots are on top"


def test_places_on_a_strip_and_beyond_its_ends():
    strips = cut(*grid(5, 8), lengthwise=False)
    strip, across = np.zeros(4, int), np.array([0, 1, 0.5, 0.5])
    at = strips.sample(strip, np.array([0.05, 0.05, -0.01, 0.11]), across) @ strips.points
    np.testing.assert_allclose(at[:, 1], [0.05, 0.05, 0.11, -0.01], atol=1e-4)
    np.testing.assert_allclose(np.hypot(at[:2, 0], at[:2, 2]), 0.1, atol=1e-9)
    normal = strips.normals(strip, np.full(4, 0.05), np.full(4, 0.5))
    assert (normal @ at[2] > 0).all() and np.allclose(normal[:, 1], 0, atol=1e-6)
    weights = strips.sample(strip, np.array([0.013, 0.09, -0.02, 0.12]), across)
    np.testing.assert_allclose(np.asarray(weights.sum(axis=1)).ravel(), 1)


def test_hairs_reach_to_where_they_go_away():
    strips = cut(*grid(5, 8), lengthwise=False)
    strip, middle = np.arange(8), np.full(8, 0.5)
    first, last = strips.reach(strip, middle, lambda at: at[:, 1] < 0.043).T
    assert (first == 0).all() and (last < 0.0571).all() and (last > 0.0540).all()
    first, last = strips.reach(strip, middle, lambda at: at[:, 1] > 0.043).T
    assert (first > 0.0569).all() and (first < 0.0600).all()
    np.testing.assert_allclose(last, strips.length)
    assert not np.ptp(strips.reach(strip, middle, lambda at: at[:, 1] < 1), axis=1).any()


def test_hair_runs_along_a_narrow_card_whatever_the_guide_says():
    points, quads = grid(1, 12)
    points[:, 1] *= 0.2
    strips = cut(points, quads, way=(-0.3, -1.0, 0.0))
    assert len(strips.length) == 1 and strips.length[0] > 0.25
    assert strips.points[strips.left[0], 0] > 0 > strips.points[strips.left[-1], 0], "to the guide's side"


def test_everyone_wears_what_everyone_has():
    rng = np.random.default_rng(0)
    for age in (20, 70):
        for female in (0.0, 0.5, 1.0):
            kinds = collections.Counter(name.partition("/")[0] for name in choose_wardrobe(rng, NAMES, female, age))
            assert kinds.pop("hair", 1) == 1
            assert kinds == dict.fromkeys(("eyes", "teeth", "tongue", "eyelashes", "eyebrows", "clothes"), 1)


def test_wardrobe_follows_sex_and_age():
    def share(word: str, female: float, age: float) -> float:
        rng = np.random.default_rng(1)
        return np.mean([any(word in name for name in choose_wardrobe(rng, NAMES, female, age)) for _ in range(600)])

    assert share("long01", 1, 30) > 0.5 > 0.15 > share("long01", 0, 30)
    assert share("clothes/male", 0, 30) > 0.98 and share("clothes/female", 1, 30) > 0.98
    assert share("hair/", 1, 80) == 1.0
    assert 0.90 < share("hair/", 0, 20) < 0.98 and 0.45 < share("hair/", 0, 80) < 0.65, "men go bald with age"
    first, second = (choose_wardrobe(np.random.default_rng(3), NAMES, 1.0, 40) for _ in range(2))
    assert first == second
    assert choose_wardrobe(np.random.default_rng(3), (), 1.0, 40) == ()


def test_thin_rows_keep_their_sums():
    rows = csr_matrix([[0.5, 0.49, 0.01, 0.0], [1.5, -0.52, 0.0, 0.02], [0.25, 0.25, 0.25, 0.25]])
    np.testing.assert_allclose(thin(rows).toarray(), [[0.51, 0.49, 0, 0], [1.52, -0.52, 0, 0], [0.25] * 4])


def wear(folder: Path, base: BaseMesh, name: str, rows: str, note: str = "# CC0", tail: str = "") -> None:
    """Put a square that hangs on the base by ``rows`` into a data folder; HEAD, BUST, FOOT stand for vertices there."""
    (folder / name).mkdir(parents=True)
    (folder / name / "x.obj").write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1 2 3 4\n")
    y = base.vertices[:, 1]
    for word, height in (("HEAD", 0.1), ("BUST", -0.3), ("FOOT", -1.5)):
        rows = rows.replace(word, str(np.argmin(np.abs(y - height) + np.abs(base.vertices[:, 0]))))
    path = folder / name / f"{name.partition('/')[2]}.mhclo"
    path.write_text(f"{note}\nobj_file x.obj\nverts 0\n{rows}{tail}")


def test_shoes_and_hats_are_no_garments(base, tmp_path):
    bust, shoe, hat = 4 * "BUST\n", 4 * "FOOT\n", 4 * "HEAD\n"
    wear(tmp_path, base, "clothes/shoes01", shoe)
    wear(tmp_path, base, "clothes/fedora", hat)
    assert not read_wardrobe(tmp_path, base) and not len(read_wardrobe(tmp_path, base).covered)
    wear(tmp_path, base, "clothes/shirt", bust, tail="delete_verts\n5 - 8\n")
    wear(tmp_path, base, "clothes/suit", bust[:5] + shoe[:15], tail="delete_verts\n7 - 9\n")
    wardrobe = read_wardrobe(tmp_path, base)
    assert list(wardrobe) == ["clothes/shirt"] and wardrobe.covered.tolist() == [5, 6, 7, 8]
    wear(tmp_path, base, "clothes/dress", 2 * "BUST\n" + 2 * "FOOT\n", tail="delete_verts\n7 - 9\n")
    assert read_wardrobe(tmp_path, base).covered.tolist() == [7, 8], "whatever shoes and hats hide"


def test_what_is_not_cc0_is_not_worn(base, tmp_path):
    wear(tmp_path, base, "hair/free", 4 * "HEAD\n", note="# released as CC0 in 2020")
    wear(tmp_path, base, "hair/other", 4 * "HEAD\n", note="# licence: CC-BY 4.0")
    wear(tmp_path, base, "clothes/other", 4 * "BUST\n", note="# AGPL3", tail="delete_verts\n7 - 9\n")
    assert list(read_wardrobe(tmp_path, base)) == ["hair/free"] and not len(read_wardrobe(tmp_path, base).covered)


@pytest.mark.parametrize(("kind", "row"), [
    *((kind, "100\n") for kind in ("hair", "eyebrows", "eyelashes", "eyes")),
    ("eyes", "100 101 102 1 0 0 900 -900 0\n"), ("clothes", "BUST BUST BUST 1 0 0 900 -900 0\n")])
def test_items_of_no_use_are_refused_in_one_line(base, tmp_path, kind, row):
    wear(tmp_path, base, f"{kind}/x", 4 * row)
    with pytest.raises(AssetError, match=r"^[^\n]*x\.mhclo: [^\n]+$"):
        read_wardrobe(tmp_path, base)[f"{kind}/x"]


# -- on the real files -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def base(shared_data) -> BaseMesh:
    return read_base(shared_data / "makehuman")


@pytest.fixture(scope="module")
def wardrobe(shared_data, base):
    return read_wardrobe(shared_data / "makehuman", base)


@pytest.fixture(scope="module")
def head(shared_data) -> HeadModel:
    return load_head("makehuman", shared_data / "makehuman")


def carried(item: Attachment, head: HeadModel) -> np.ndarray:
    """(M, J) weights of joints on an item's vertices."""
    return np.asarray(item.carry @ head.arrays["weights"])


@pytest.mark.parametrize("name", [
    "afro01", "bob01", "bob02", "braid01", "long01", "ponytail01", "short01", "short02", "short03", "short04"])
def test_hair_is_strands_near_the_head(wardrobe, base, name):
    item = wardrobe[f"hair/{name}"]
    (part,) = item.parts
    assert part.name == "hair" and not part.smooth and len(part.faces) <= 80_000
    at = item.place(base.vertices)
    assert np.isfinite(at).all() and np.abs(np.asarray(item.carry.sum(axis=1)) - 1).max() < 1e-4
    assert item.carry.nnz / len(at) < 16, "a strand needs few base vertices"
    front = before_eyes(at) & (at[:, 1] > -0.02)
    lower = before_eyes(at + (0, 0.003, 0)) & (at[:, 1] > -0.02) & (np.abs(at[:, 0]) < 0.06)
    assert front.mean() < 0.01 and lower.mean() < 0.0005, "eyes and brows are clear"
    crown = at[(at[:, 1] > 0.0) & (at[:, 2] > -0.11)]  # a ponytail hangs behind that
    clear = cKDTree(base.vertices[base.vertices_of("body")]).query(crown[::7])[0]
    assert np.quantile(clear, 0.99) < 0.06
    corner = at[part.vertex_map[part.faces]]
    area = 0.5 * np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
    assert (area > 0).mean() > 0.999 and area.max() < 3e-4
    again = read_again(wardrobe, item.name)
    np.testing.assert_array_equal(item.offset, again.offset)


def read_again(wardrobe, name: str) -> Attachment:
    """The same item, made once more."""
    wardrobe._made.pop(name)
    return wardrobe[name]


def test_hair_scales_with_the_head(wardrobe, base):
    item = wardrobe["hair/short02"]
    small = np.ptp(item.place(base.vertices), axis=0)
    np.testing.assert_allclose(np.ptp(item.place(base.vertices * np.float32(1.2)), axis=0), 1.2 * small, rtol=1e-3)


def test_hair_that_hangs_turns_with_the_head(wardrobe, head):
    for name, low in (("hair/bob01", -0.03), ("hair/long01", -0.03), ("hair/short02", 0.02)):
        item = wardrobe[name]
        at = item.place(head.neutral)
        off = 1 - carried(item, head)[:, 4]
        assert np.quantile(np.abs(off[at[:, 1] > low]), 0.9) < 0.1, name


def test_binding_to_the_skull_is_the_same_place_at_rest(wardrobe, base):
    at = base.vertices.astype(float)
    carry, offset = hold_to_skull(eye(len(at), format="csr"), np.zeros((len(at), 3)), at)
    np.testing.assert_allclose(carry @ at + offset, at, atol=1e-9)


def test_eyeballs_turn_with_their_joints_and_show_the_iris(wardrobe, base, head):
    item = wardrobe["eyes/high-poly"]
    assert {part.name for part in item.parts} == {"left_sclera", "left_iris", "right_sclera", "right_iris"}
    at, weights = item.place(base.vertices), carried(item, head)
    for side, joint, sign in (("left", 6, 1), ("right", 7, -1)):
        iris, sclera = (next(p for p in item.parts if p.name == f"{side}_{label}") for label in ("iris", "sclera"))
        own = np.union1d(iris.vertex_map, sclera.vertex_map)
        assert weights[own, joint].min() > 0.99
        helper = base.vertices[base.vertices_of(f"helper-{side[0]}-eye")]
        centre = 0.5 * (helper.min(axis=0) + helper.max(axis=0))
        assert np.sign(centre[0]) == sign
        ray = at[iris.vertex_map] - centre
        assert (ray[:, 2] > 0).all() and np.hypot(ray[:, 0], ray[:, 1]).max() < 0.0068
        assert np.hypot(*(iris.uv - 0.5).T).max() < eye_texture_radius(np.array(LIMBUS)) + 0.03
        ball = np.linalg.norm(at[sclera.vertex_map] - centre, axis=1)
        assert np.linalg.norm(ray, axis=1).max() > np.median(ball) + 0.0008, "a cornea stands out"


def test_lashes_and_brows_lie_outside(wardrobe, base):
    body = cKDTree(base.vertices[base.vertices_of("body")])
    for name, label in (("eyelashes/eyelashes01", "lashes"), ("eyebrows/eyebrow003", "brows")):
        item = wardrobe[name]
        at = item.place(base.vertices)
        assert {part.name for part in item.parts} == {label} and body.query(at)[0].max() < 0.014
        for side in "lr":
            ray = at - base.vertices[base.vertices_of(f"joint-{side}-eye")].mean(axis=0)
            assert np.linalg.norm(ray, axis=1).min() > 0.0145, "nothing inside the eyeball"


def test_teeth_follow_jaw_and_skull(wardrobe, head):
    item = wardrobe["teeth/teeth_base"]
    at, weights = item.place(head.neutral), carried(item, head)
    teeth = next(part for part in item.parts if part.name == "teeth").vertex_map
    jaw = weights[teeth, 5] > 0.9
    skull = weights[teeth, 4] > 0.9
    assert (jaw | skull).all() and 0.35 < jaw.mean() < 0.65
    assert at[teeth[skull], 1].mean() > at[teeth[jaw], 1].mean() + 0.005
    assert {part.name for part in item.parts} == {"teeth", "gums"}


@pytest.mark.parametrize("name", ["female_casualsuit01", "male_casualsuit04", "male_elegantsuit01"])
def test_garments_are_cut_to_the_bust_and_hold_their_weave(wardrobe, base, name):
    item = wardrobe[f"clothes/{name}"]
    (part,) = item.parts
    at = item.place(base.vertices)
    assert part.name == "garment" and at[:, 1].min() > -0.43 and np.abs(at[:, 0]).max() < 0.30
    assert len(part.vertex_map) and np.unique(part.vertex_map).size == len(at), "only what is worn is carried"
    one, two = part.faces[:, 0], part.faces[:, 1]
    ratio = np.linalg.norm(at[part.vertex_map[two]] - at[part.vertex_map[one]], axis=1)
    ratio /= np.maximum(np.linalg.norm(part.uv[two] - part.uv[one], axis=1), 1e-9)
    assert abs(np.median(ratio) - 0.012) < 0.002


def test_skin_under_every_garment_is_known(wardrobe, base):
    hidden = wardrobe.covered
    assert 1000 < len(hidden) < 10_000 and base.vertices[hidden, 1].max() < -0.12, "faces and necks stay"


def test_head_turned_on_the_neck_takes_its_hair_along(head):
    identity = dataclasses.replace(head.sample_identity(np.random.default_rng(0)), wardrobe=("hair/bob02",))
    still = neutral(2, 24.0)
    turned = dataclasses.replace(still, neck=np.float32([[0, 0, 0], [0, 0.8, 0]]))
    rest, moved = head.animate(identity, turned)
    hair = slice(len(head.neutral), None)
    high = rest[hair][:, 1] > 0.0
    a, b = rest[hair][high], moved[hair][high]
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    u, _, vt = np.linalg.svd(a.T @ b)
    turn = (u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt).T
    left = np.linalg.norm(b - a @ turn.T, axis=1)
    assert np.quantile(left, 0.98) < 0.004, "rigid but for a few millimetres"


def test_materials_are_there_and_belong_to_the_person():
    first, again, other = (paint_wardrobe(np.random.default_rng(k), np.array([0.2, 0.1, 0.05])) for k in (0, 0, 1))
    assert set(first) == {"strands", "brows", "enamel", "gums"}
    for name, material in first.items():
        assert material.albedo.dtype == np.float32 and 0.01 <= material.albedo.min() <= material.albedo.max() <= 0.9
        np.testing.assert_array_equal(material.albedo, again[name].albedo)
    assert not np.array_equal(first["strands"].albedo, other["strands"].albedo)
