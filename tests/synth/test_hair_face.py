"""Brows, lashes and beards: where they grow, that they clear what they must, and which hairs are grey."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np
import pytest

from synth.appearance.description import Appearance, HairLook, WornLook
from synth.hair.beard import BEARDS, REGIONS, growth, regions
from synth.hair.brows import brow_coordinates
from synth.hair.face import grow_beard, grow_brows, grow_lashes
from synth.hair.ground import Ground
from synth.hair.pigment import fibres, split_grey
from synth.heads.head import HeadModel, Person, eye_centres
from synth.heads.load import load_head
from synth.heads.surface import control_surface
from synth.heads.template.sculpt import lip_coordinates
from synth.heads.worn.covers import COVERS, covered
from synth.motion.performance import neutral
from synth.scene import Strands
from tests.synth.standins import template as template_head
from tests.synth.standins import write_flame

LOOK = HairLook(beard="full", beard_growth=0.8, seed=3)


@pytest.fixture(scope="module", params=["template", "makehuman", "flame"])
def head(request, tmp_path_factory) -> HeadModel:
    if request.param == "flame":
        return load_head("flame", write_flame(tmp_path_factory.mktemp("flame")))
    if request.param == "makehuman":
        folder: Path = request.getfixturevalue("shared_data") / "makehuman"
        return load_head("makehuman", folder) if folder.is_dir() else pytest.skip(f"no MakeHuman data at {folder}")
    return template_head()


@pytest.fixture(scope="module")
def person(head) -> Person:
    return head.person(head.sample_identity(np.random.default_rng(1)))


@pytest.fixture(scope="module")
def template() -> Person:
    head = template_head()
    return head.person(head.sample_identity(np.random.default_rng(0)))


def looking(**numbers) -> Appearance:
    return Appearance(hair=LOOK.model_copy(update=numbers))


def places(person: Person, group: Strands) -> np.ndarray:
    """(S, 3) canonical mm of the roots."""
    return np.einsum("sc,scx->sx", group.weights, person.head.canonical[group.roots])


def lengths(person: Person, group: Strands) -> np.ndarray:
    """(S,) mm."""
    return 1000 * np.linalg.norm(np.diff(group.place(person.rest), axis=1), axis=2).sum(axis=1)


def posed(person: Person, jaw: float = 0.0, **units: float) -> np.ndarray:
    """Control vertices; units at these values, the jaw open by degrees."""
    known = {name: np.full(1, value, np.float32) for name, value in units.items() if name in person.head.units}
    turn = np.float32([[np.radians(jaw), 0, 0]])
    return person.animate(dataclasses.replace(neutral(1, 24.0), units=known, jaw=turn))[0]


def both_sides(person: Person, group: Strands) -> None:
    left = (places(person, group)[:, 0] > 0).mean()
    assert 0.85 < left / (1 - left) < 1 / 0.85


def test_brows_lie_on_the_brow_and_flat(person):
    (brows,) = grow_brows(person, looking())
    s, t = brow_coordinates(places(person, brows))
    assert 600 < len(brows.roots) < 1500 and brows.label == "brows"
    assert (s > -0.2).all() and (s < 1.2).all()
    assert (np.abs(t) < 5).mean() > 0.97 and (np.abs(t) < 8).all()
    both_sides(person, brows)
    assert 2 < np.percentile(lengths(person, brows), 1) and lengths(person, brows).max() < 10
    points = brows.place(person.rest).astype(float)
    height, _ = Ground(person, points[:, 0], 0.02, 0.0006, ("skin",)).height(points[:, 1:].reshape(-1, 3))
    assert height.min() > -0.0002 and np.percentile(height, 99) < 0.0025


def test_brows_stand_up_at_the_head_and_lie_outwards_at_the_tail(template):
    (brows,) = grow_brows(template, looking())
    place = places(template, brows)
    way = np.diff(brows.place(template.rest)[:, [0, -1]], axis=1)[:, 0]
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    s, t = brow_coordinates(place)
    outwards = way[:, 0] * np.sign(place[:, 0])
    assert way[s < 0.12, 1].mean() > 0.6 > way[s > 0.8, 1].mean()
    assert outwards[s > 0.5].mean() > 0.75 > outwards[s < 0.1].mean()
    body = (s > 0.3) & (s < 0.7)
    assert way[body & (t < -1), 1].mean() > way[body & (t > 1), 1].mean() + 0.3, "rows do not meet at the ridge"


def test_brows_follow_the_look(template):
    few, many = (grow_brows(template, looking(brow_density=x))[0] for x in (0.5, 1.5))
    assert len(many.roots) > 2.5 * len(few.roots)
    thin, thick = (np.abs(brow_coordinates(places(template, grow_brows(template, looking(brow_thickness=x))[0]))[1])
                   for x in (0.6, 1.6))
    assert thick.mean() > 1.7 * thin.mean()


def test_lashes_root_on_the_lids_margins_and_point_away(person):
    (lashes,) = grow_lashes(person, looking())
    assert 2 * 150 < len(lashes.roots) < 2 * 220
    both_sides(person, lashes)
    points = lashes.place(person.rest)
    left = points[:, 0, 0] > 0
    for chosen, centre, sign in zip((left, ~left), eye_centres(person.head, person.rest), (1, -1), strict=True):
        ray = points[chosen] - centre
        distance = np.linalg.norm(ray, axis=2)
        assert (distance[:, 0] < 0.020).all(), "rooted beyond the margin"
        assert (distance[:, -1] > distance[:, 0] + 0.001).all()
        assert (ray[:, -1, 2] > ray[:, 0, 2]).mean() > 0.9
        outer = ray[:, 0, 0] * sign > 0.004
        assert (np.diff(ray[outer][:, [0, -1], 0] * sign, axis=1) > 0).mean() > 0.9, "no fan to the temple"
    upper = points[:, -1, 1] > points[:, 0, 1]
    reach = lengths(person, lashes)
    assert 1.2 * reach[~upper].mean() < reach[upper].mean() and reach.max() < 2 * 9.8
    assert 0.55 < upper.mean() < 0.8


@pytest.mark.parametrize("units", [{}, {"AU45": 0.5}, {"AU45": 1.0}, {"AU6": 1.0, "AU12": 1.0}])
def test_lashes_clear_the_eyeball(person, units):
    (lashes,) = grow_lashes(person, looking())
    surface, vertices = control_surface(person), posed(person, **units)
    left = lashes.place(person.rest)[:, 0, 0] > 0
    points = lashes.place(vertices)[:, 2:]
    for side, chosen in ((0, left), (1, ~left)):
        ball = surface.ball(side)
        there = ball.back(points[chosen].reshape(1, -1, 3).astype(float), vertices[None])
        assert ball.gap(there).min() > -0.0002


def test_upper_lashes_turn_down_as_the_lid_shuts(person):
    (lashes,) = grow_lashes(person, looking())
    rest, shut = lashes.place(person.rest), lashes.place(posed(person, AU45=1.0))
    upper = rest[:, -1, 1] > rest[:, 0, 1]

    def rise(points: np.ndarray) -> float:
        way = points[upper, -1] - points[upper, 0]
        return float((way[:, 1] / np.linalg.norm(way, axis=1)).mean())

    assert rise(shut) < rise(rest) - 0.12
    assert (shut[upper, 0, 1] < rest[upper, 0, 1] - 0.002).mean() > 0.8, "roots stay as the lid comes down"


@pytest.mark.parametrize("beard", ["full", "stubble", "handlebar"])
def test_beards_grow_where_beards_grow(person, beard):
    (group,) = grow_beard(person, looking(beard=beard), 20_000)
    place = places(person, group)
    assert (growth(place) > 0).all()
    s, t = lip_coordinates(place)
    assert not ((np.abs(t) < 1) & (s < 1) & (place[:, 2] > 70)).any(), "hair on the red of the lips"
    assert (place[:, 1] < 25).all() and (place[:, 1] > -145).all()
    assert not ((np.abs(place[:, 0]) < 12) & (place[:, 1] > -48) & (place[:, 2] > 60)).any(), "hair on the nose"
    if len(group.roots) > 1000:  # chance aside
        both_sides(person, group)


def test_growth_knows_the_face():
    at = np.float32([(0, -54, 103), (0, -104, 98), (40, -80, 68), (68.5, -10, 18), (0, -118, 66), (30, -45, 89),
                     (0, 40, 96), (0, -66, 103), (0, -160, 30), (76, -6, -10)])
    assert (growth(at)[:5] > 0.3).all() and (growth(at)[5:] == 0).all()
    np.testing.assert_allclose(regions(at).sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("beard", BEARDS)
def test_styles_keep_to_their_regions_and_lengths(template, beard):
    style = BEARDS[beard]
    (group,) = grow_beard(template, looking(beard=beard, beard_growth=1.0), 8000)
    share = regions(places(template, group))
    shaved = np.array([name not in style.lengths for name in REGIONS])
    assert share[:, shaved].sum(axis=1).mean() < 0.2
    reach = lengths(template, group)
    assert reach.max() < 2 * max(style.lengths.values()) and reach.max() > 0.4 * max(style.lengths.values())
    assert group.offsets.shape[1] >= 3 and (group.radii > 0).all()


def test_no_beard_unless_the_look_says_so(template):
    for beard in ("none", "shaved"):
        assert grow_beard(template, looking(beard=beard), 40_000) == ()
    assert grow_beard(template, looking(), 0) == ()
    short, long = (lengths(template, grow_beard(template, looking(beard_length=x), 4000)[0]).mean() for x in (0.5, 1.5))
    assert long > 2 * short
    thin, thick = (len(grow_beard(template, looking(beard_growth=x), 4000)[0].roots) for x in (0.1, 1.0))
    assert thick > 1.3 * thin


@pytest.mark.parametrize("pose", [{}, {"AU25": 1.0}, {"AU26": 1.0}, {"AU12": 1.0}, {"AU18": 1.0}, {"jaw": 12.0}])
def test_beards_go_with_lips_and_jaw(person, pose):
    (group,) = grow_beard(person, looking(beard="circle"), 8000)
    vertices = posed(person, **pose)
    points = group.place(vertices).astype(float)
    ground = Ground(dataclasses.replace(person, rest=vertices), points[:, 0], 0.015, 0.0015)
    height, _ = ground.height(points[:, 1:].reshape(-1, 3))
    assert (height > -0.0008).mean() > 0.98  # a few below the lip dive into its fold as the jaw drops


def test_no_beard_under_a_scarf(template):
    look = looking(beard="full").model_copy(update={"worn": WornLook(cover=next(
        name for name, cover in COVERS.items() if cover.opening is not None))})
    (bare,), (under,) = (grow_beard(template, x, 4000) for x in (looking(beard="full"), look))
    assert len(under.roots) < 0.9 * len(bare.roots)
    assert (covered(look.worn.cover, places(template, under)) < 1).all()


def test_a_seed_gives_the_same_bits_and_another_seed_other_hairs(template):
    for grow in (grow_brows, grow_lashes, functools.partial(grow_beard, count=3000)):
        (one,), (same,), (other,) = (grow(template, looking(seed=seed)) for seed in (3, 3, 4))
        for field in ("roots", "weights", "offsets", "radii"):
            np.testing.assert_array_equal(getattr(one, field), getattr(same, field))
        assert one.offsets.shape != other.offsets.shape or not np.array_equal(one.offsets, other.offsets)


def strands(name: str, count: int, template: Person) -> Strands:
    roots = np.random.default_rng(0).integers(0, 3000, (count, 3)).astype(np.int32)
    offsets = np.zeros((count, 2, 3), np.float32)
    offsets[:, 1, 0] = np.arange(count)
    return Strands(name, name, roots, np.full((count, 3), 1 / 3, np.float32), offsets,
                   np.full((count, 2), 5e-5, np.float32))


@pytest.mark.parametrize("grey", [0.0, 0.3, 1.0])
def test_grey_hairs_are_the_share_and_every_hair_is_in_one_group(template, grey):
    groups = tuple(strands(name, 2000, template) for name in ("hair", "brows", "lashes", "beard"))
    look = HairLook(grey=grey, seed=5)
    parted = split_grey(groups, look, template.head.canonical)
    names = [group.name for group in parted]
    assert len(set(names)) == len(names)
    for group in groups:
        halves = [half for half in parted if half.label == group.label]
        assert sorted(np.concatenate([half.offsets[:, 1, 0] for half in halves])) == list(range(2000))
        assert all(half.material == ("grey" if half.name.endswith("_grey") else group.material) for half in halves)
    share = {group.label: len(group.roots) / 2000 for group in parted if group.material == "grey"}
    assert share.get("hair", 0.0) == pytest.approx(grey)
    assert "lashes" not in share and share.get("brows", 0.0) <= grey
    assert share.get("beard", 0.0) >= grey
    if grey == 0:
        assert names == [group.name for group in groups]


def test_temples_go_grey_first(template):
    group = strands("hair", 4000, template)
    near = [np.argsort(np.linalg.norm(template.head.canonical - place, axis=1))[:3]
            for place in ((66, 20, 15), (0, 113, -8))]
    group = dataclasses.replace(group, roots=np.repeat(np.array(near, np.int32), 2000, axis=0))
    grey = split_grey((group,), HairLook(grey=0.3), template.head.canonical)[1]
    assert (places(template, grey)[:, 1] < 50).mean() > 0.6


def test_fibres_follow_the_pigments():
    dark, fair = fibres(HairLook(eumelanin=6.0)), fibres(HairLook(eumelanin=0.1))
    assert set(dark) == {"hair", "brows", "lashes", "beard", "grey"}
    assert fair["hair"].colour.mean() > 4 * dark["hair"].colour.mean()
    for look in (dark, fair):
        assert look["lashes"].colour.mean() <= look["brows"].colour.mean() <= look["hair"].colour.mean() + 1e-6
        assert look["grey"].colour.min() > 0.4 and look["grey"].longitudinal > look["hair"].longitudinal
        assert all(0.2 <= fibre.azimuthal <= 0.4 and 0.2 <= fibre.longitudinal <= 0.4 for fibre in look.values())
    brown = fibres(HairLook(eumelanin=1.0))
    assert brown["beard"].pheomelanin > brown["hair"].pheomelanin, "beards are redder"
