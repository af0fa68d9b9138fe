"""Scalp hair as strands: every style on every family."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from synth.appearance.description import Appearance, HairLook, WornLook
from synth.hair.grow import curl, lengths, make_shell, resample, shorten
from synth.hair.scalp import Density, grow_scalp
from synth.hair.styles import STYLES, frequency
from synth.heads.head import HeadModel, Person, eye_centres
from synth.heads.load import load_head
from synth.motion.performance import neutral
from synth.scene import Strands
from tests.synth.standins import write_flame

COUNT = 500
BROUGHT = ("afro01", "bob01", "bob02", "braid01", "long01", "ponytail01", "short01", "short02", "short03", "short04")


@pytest.fixture(scope="module")
def template() -> HeadModel:
    return load_head()


@pytest.fixture(scope="module")
def person(template) -> Person:
    return template.person(template.sample_identity(np.random.default_rng(2)))


@pytest.fixture(scope="module")
def flame(tmp_path_factory) -> Person:
    head = load_head("flame", write_flame(tmp_path_factory.mktemp("flame")))
    return head.person(head.sample_identity(np.random.default_rng(0)))


@pytest.fixture(scope="module")
def makehuman(shared_data) -> Person:
    head = load_head("makehuman", shared_data / "makehuman")
    return head.person(head.sample_identity(np.random.default_rng(3)))


def grow(person: Person, style: str, count: int = COUNT, cover: str | None = None, **look: float) -> Strands:
    (strands,) = grow_scalp(person, Appearance(hair=HairLook(style=style, **look), worn=WornLook(cover=cover)), count)
    return strands


def check(person: Person, style: str) -> np.ndarray:
    """A style's strands (S, K, 3), of sound numbers, on the head and not in it, and out of the eyes."""
    strands = grow(person, style)
    count, points, _ = strands.offsets.shape
    assert strands.name == strands.material == "hair" and strands.roots.dtype == np.int32
    assert strands.offsets.dtype == strands.radii.dtype == strands.weights.dtype == np.float32
    assert 0.4 * COUNT < count <= COUNT and 3 <= points <= 14
    np.testing.assert_allclose(strands.weights.sum(axis=1), 1, atol=1e-5)
    assert (strands.radii > 5e-6).all() and (strands.radii[:, -1] < strands.radii[:, 0]).all(), "tips taper"
    at = strands.place(person.rest)
    assert np.isfinite(at).all()
    shell = make_shell(person, style in STYLES and STYLES[style].over_ears)
    depth = -shell.height(at[:, 1:].reshape(-1, 3))[0]
    assert np.mean(depth > 1e-3) < 0.003, f"{np.mean(depth > 1e-3):.3f} of all points are in the head"
    assert depth.max() < 0.006
    for eye in eye_centres(person.head, person.rest):
        ray = at.reshape(-1, 3) - eye
        before = (ray[:, 2] > 0) & (np.abs(ray[:, 0]) < 0.013) & (ray[:, 1] < 0.008) & (ray[:, 1] > -0.1)
        assert before.mean() < 5e-4, "the eyes are clear"
    return at


@pytest.mark.parametrize("style", STYLES)
def test_every_style_grows_on_the_template(person, style):
    at = check(person, style)
    length = lengths(at.astype(float))[:, -1]
    longest = max(STYLES[style].lengths) * 1e-3
    assert 0.2 * min(STYLES[style].lengths) * 1e-3 < np.median(length) < 1.4 * longest


@pytest.mark.parametrize("style", ["long_wavy", "bun"])
def test_styles_grow_on_a_flame_stand_in(flame, style):
    check(flame, style)


@pytest.mark.parametrize("style", ["quiff", "ponytail"])
def test_styles_grow_on_makehuman(makehuman, style):
    check(makehuman, style)


@pytest.mark.parametrize("name", BROUGHT)
def test_makehuman_s_own_styles_give_guides_and_grow(makehuman, name):
    head = makehuman.head
    style = head.hairstyles[f"hair/{name}"]
    guides = style.guides(head.neutral)
    assert len(guides) > 1000 and np.isfinite(guides).all()
    assert np.abs(np.asarray(style.carry.carry.sum(axis=1)) - 1).max() < 1e-4
    larger = style.guides(head.neutral * np.float32(1.2))
    np.testing.assert_allclose(np.ptp(larger, axis=(0, 1)), 1.2 * np.ptp(guides, axis=(0, 1)), rtol=2e-3)
    head.hairstyles._made.pop(f"hair/{name}")
    np.testing.assert_array_equal(head.hairstyles[f"hair/{name}"].guides(head.neutral), guides)
    check(makehuman, f"hair/{name}")


def test_styles_differ_where_they_should(person):
    low = {style: np.quantile(grow(person, style).place(person.rest)[:, -1, 1], 0.05)
           for style in ("buzz", "bob", "long_straight")}
    assert low["buzz"] > low["bob"] + 0.01 > low["long_straight"] + 0.08
    wide = {style: np.ptp(grow(person, style, 1000).place(person.rest)[..., 0]) for style in ("buzz", "afro")}
    assert wide["afro"] > wide["buzz"] + 0.05
    tips = grow(person, "bun").place(person.rest)[:, -1]
    assert np.quantile(np.linalg.norm(tips - np.median(tips, axis=0), axis=1), 0.9) < 0.06, "all hair ends in the bun"
    for style in ("short", "bob"):
        longer, shorter = (np.median(lengths(grow(person, style, length=k).place(person.rest).astype(float))[:, -1])
                           for k in (1.5, 0.6))
        assert longer > shorter


def test_the_same_look_gives_the_same_bits(person):
    one, two, other = grow(person, "long_wavy", seed=4), grow(person, "long_wavy", seed=4), grow(
        person, "long_wavy", seed=5)
    for field in ("roots", "weights", "offsets", "radii"):
        np.testing.assert_array_equal(getattr(one, field), getattr(two, field))
    assert not np.array_equal(one.offsets[:100], other.offsets[:100])


def test_strands_follow_the_head_rigidly(person):
    strands = grow(person, "bob")
    turned = dataclasses.replace(neutral(1, 24.0), head=np.float32([[0.2, 0.5, -0.1]]))
    rest, posed = strands.place(person.rest), strands.place(person.animate(turned)[0])
    a, b = rest.reshape(-1, 3).astype(float), posed.reshape(-1, 3).astype(float)
    assert np.linalg.norm(b - a, axis=1).mean() > 0.02
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    u, _, vt = np.linalg.svd(a.T @ b)
    turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
    assert np.linalg.norm(a @ turn - b, axis=1).max() < 1e-4


def test_a_receding_hairline_moves_back_and_the_crown_goes_bald(person):
    def front(**look: float) -> float:
        roots = grow(person, "short", 3000, **look).place(person.rest)[:, 0]
        return float(np.quantile(roots[np.abs(roots[:, 0]) < 0.02][:, 2], 0.97))

    assert front(hairline=-1) > front(hairline=0) > front(hairline=1) + 0.002 > front(hairline=2) + 0.04
    top = grow(person, "bald", 3000).place(person.rest)[:, 0]
    full = grow(person, "short", 3000).place(person.rest)[:, 0]
    crown = full[:, 1].max() - 0.025
    assert (full[:, 1] > crown).mean() > 0.1 and not (top[:, 1] > crown).any() and len(top) > 100
    vertex = np.array([[0, 103.0, -40.0]])
    thick, thin = (Density(HairLook(hairline=k))(vertex)[0] for k in (0.0, 1.3))
    assert thick > 0.9 and thin < 0.1


def test_hair_has_no_place_under_a_cover(person):
    bare, covered = (grow(person, "short", cover=cover).place(person.rest) for cover in (None, "beanie"))
    assert len(covered) < 0.6 * len(bare)


def test_unknown_styles_are_named(person):
    with pytest.raises(ValueError, match="'mullet' is not one of bald, buzz"):
        grow(person, "mullet")


def test_frequencies_follow_sex():
    assert frequency("long_straight", 0.0) > 3 * frequency("long_straight", 1.0)
    assert frequency("hair/ponytail01", 0.0) > 3 * frequency("hair/ponytail01", 1.0) and frequency("x", 0.5) > 0


def test_curves_are_resampled_and_cut_along_their_length():
    t = np.linspace(0, 1, 9)[:, None] ** 2
    curve = (t * (0.0, 0.0, 0.2))[None].repeat(2, axis=0)
    even = resample(curve, np.array([1.0, 0.5]), 5)
    np.testing.assert_allclose(even[..., 2], np.linspace(0, 1, 5) * [[0.2], [0.1]], atol=1e-6)
    share = shorten(curve, np.stack([curve[0, :, 2] > 0.1, np.zeros(9, bool)]))
    assert 0.35 < share[0] < 0.55 and share[1] == 1
    gathered = resample(curve, np.ones(2), 5, 2.0)
    assert gathered[0, 1, 2] < 0.4 * even[0, 1, 2]


def test_curls_wind_about_their_strand():
    strand = np.linspace(0, 0.08, 10)[:, None] * np.array([1.0, 0, 0]) * np.ones((50, 1, 1))
    normals, lock = np.tile([0.0, 1.0, 0.0], (50, 1)), np.zeros(50, int)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(curl(rng, strand, 0.0, normals, lock), strand)
    away = {}
    for amount in (0.5, 0.9):
        wound = curl(np.random.default_rng(0), strand, amount, normals, lock)
        np.testing.assert_allclose(wound[:, 0], strand[:, 0], atol=1e-9)
        away[amount] = np.linalg.norm(wound - strand, axis=2).max()
        assert 0.002 < away[amount] < 0.012
