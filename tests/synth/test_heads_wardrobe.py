"""What MakeHuman's people wear: eyes, teeth, garments, and who wears what; strips of hair meshes."""

from __future__ import annotations

import collections
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from assets.errors import AssetError
from synth.heads.head import Attachment, HeadModel
from synth.heads.load import load_head
from synth.heads.makehuman.base import BaseMesh, read_base
from synth.heads.makehuman.binding import thin
from synth.heads.makehuman.hair import read_hairstyles
from synth.heads.makehuman.strips import Strips, find_strips
from synth.heads.makehuman.wardrobe import choose_wardrobe, read_wardrobe
from synth.heads.template.eyes import LIMBUS_RADIUS

NAMES = ("eyes/a", "teeth/a", "teeth/b", "tongue/a", "clothes/male_suit", "clothes/female_suit")


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
    assert len(strips.length) == 8
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
    for female in (0.0, 0.5, 1.0):
        for _ in range(2):
            kinds = collections.Counter(name.partition("/")[0] for name in choose_wardrobe(rng, NAMES, female))
            assert kinds == dict.fromkeys(("eyes", "teeth", "tongue", "clothes"), 1)


def test_wardrobe_follows_sex():
    def share(word: str, female: float) -> float:
        rng = np.random.default_rng(1)
        return np.mean([any(word in name for name in choose_wardrobe(rng, NAMES, female)) for _ in range(600)])

    assert share("clothes/male", 0) > 0.98 and share("clothes/female", 1) > 0.98
    first, second = (choose_wardrobe(np.random.default_rng(3), NAMES, 1.0) for _ in range(2))
    assert first == second
    assert choose_wardrobe(np.random.default_rng(3), (), 1.0) == ()


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
    assert list(read_hairstyles(tmp_path, base)) == ["hair/free"]
    assert not read_wardrobe(tmp_path, base) and not len(read_wardrobe(tmp_path, base).covered)


@pytest.mark.parametrize(("kind", "row"), [
    *((kind, "100\n") for kind in ("hair", "eyes")),
    ("eyes", "100 101 102 1 0 0 900 -900 0\n"), ("clothes", "BUST BUST BUST 1 0 0 900 -900 0\n")])
def test_items_of_no_use_are_refused_in_one_line(base, tmp_path, kind, row):
    wear(tmp_path, base, f"{kind}/x", 4 * row)
    with pytest.raises(AssetError, match=r"^[^\n]*x\.mhclo: [^\n]+$"):
        (read_hairstyles if kind == "hair" else read_wardrobe)(tmp_path, base)[f"{kind}/x"]


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


def test_eyeballs_turn_with_their_joints_and_show_the_iris(wardrobe, base, head):
    item = wardrobe["eyes/high-poly"]
    labels = ("sclera", "iris", "cornea")
    assert {part.name for part in item.parts} == {f"{side}_{label}" for side in ("left", "right") for label in labels}
    at, weights = item.place(base.vertices), carried(item, head)
    for side, joint, sign in (("left", 6, 1), ("right", 7, -1)):
        sclera, iris, cornea = (next(p for p in item.parts if p.name == f"{side}_{label}") for label in labels)
        own = np.concatenate([part.vertex_map for part in (sclera, iris, cornea)])
        assert weights[own, joint].min() > 0.99
        helper = base.vertices[base.vertices_of(f"helper-{side[0]}-eye")]
        centre = 0.5 * (helper.min(axis=0) + helper.max(axis=0))
        assert np.sign(centre[0]) == sign
        ray = at[iris.vertex_map] - centre
        assert (ray[:, 2] > 0).all()
        assert np.hypot(ray[:, 0], ray[:, 1]).max() == pytest.approx(1e-3 * LIMBUS_RADIUS, abs=2e-4)
        assert 0.49 < np.hypot(*(iris.uv - 0.5).T).max() < 0.5
        ball = np.linalg.norm(at[sclera.vertex_map] - centre, axis=1)
        bulge = np.linalg.norm(at[cornea.vertex_map] - centre, axis=1).max() - np.median(ball)
        assert bulge > 0.0008, "a cornea stands out"


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
