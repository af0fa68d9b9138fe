"""Relief and gloss: real sizes on any texture, shine that doesn't depend on it, gloss where a face has it."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from synth.appearance import texels, wrinkles
from synth.appearance.description import Appearance, SkinLook
from synth.appearance.relief import Relief, make_relief, normals
from synth.heads.head import HeadModel
from synth.heads.load import load_head
from synth.motion.performance import ACTION_UNITS

LOOK = Appearance(skin=SkinLook(wrinkles=0.5, pores=0.6, blemishes=0.4, oil=0.8, seed=3))
SIZE = 512


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


@pytest.fixture(scope="module")
def relief(head) -> Relief:
    return make_relief(head, LOOK, SIZE)


def at(head: HeadModel, centre: tuple[float, float, float], reach: float, size: int = SIZE) -> np.ndarray:
    """(size, size) bool: texels within ``reach`` mm of a canonical place."""
    near = np.linalg.norm(texels.positions(head, "skin", size) - np.float32(centre), axis=2) < reach
    assert near.any()
    return near & texels.metric(head, "skin", size).whole


def changed(**skin) -> Appearance:
    return LOOK.model_copy(update={"skin": LOOK.skin.model_copy(update=skin)})


def test_maps_are_finite_and_in_range(relief):
    assert relief.slopes.dtype == relief.roughness.dtype == relief.clearcoat.dtype == np.float32
    assert np.isfinite(relief.slopes).all() and 0.05 < np.abs(relief.slopes).max() <= 2.5
    assert relief.roughness.min() >= 0.2 and relief.roughness.max() <= 0.8
    assert relief.clearcoat.min() >= 0 and relief.clearcoat.max() <= 1
    normal = normals(relief.slopes)
    np.testing.assert_allclose(np.linalg.norm(normal, axis=2), 1, atol=1e-5)
    assert normal[..., 2].min() > 0.2


def test_same_seed_same_bits_other_seed_other_pores(head, relief):
    wrinkles.layers.cache_clear()
    same, other = make_relief(head, LOOK, SIZE), make_relief(head, changed(seed=4), SIZE)
    for name in ("slopes", "roughness", "clearcoat"):
        np.testing.assert_array_equal(getattr(same, name), getattr(relief, name))
    cheek = at(head, (32, -32, 86), 12)
    assert np.corrcoef(other.slopes[cheek, 0], relief.slopes[cheek, 0])[0, 1] < 0.3


def test_slopes_are_angles_on_the_skin(head):
    """The height above the eyes climbs by at most 1 mm a mm, and by just that where the skin stands upright."""
    place = texels.positions(head, "skin", SIZE)
    steep = np.linalg.norm(texels.metric(head, "skin", SIZE).slopes(place[..., 1]), axis=2)
    assert steep.max() < 1.02
    np.testing.assert_allclose(steep[at(head, (32, -45, 87), 5)].mean(), 0.97, atol=0.05)


def test_relief_has_the_same_size_on_any_texture(head, relief):
    fine = make_relief(head, LOOK, 2 * SIZE)
    halved = fine.slopes.reshape(SIZE, 2, SIZE, 2, 2).mean(axis=(1, 3))
    cheek = at(head, (32, -32, 86), 14)

    def coarse(slopes: np.ndarray) -> np.ndarray:
        return np.stack([gaussian_filter(slopes[..., k], 2.5) for k in (0, 1)], axis=2)[cheek]

    one, two = coarse(relief.slopes), coarse(halved)
    assert one.std() == pytest.approx(two.std(), rel=0.12)
    assert np.corrcoef(one.ravel(), two.ravel())[0, 1] > 0.9
    # What the coarse one can't hold it adds to its roughness: alpha^2 + 2 sigma^2 an axis is the same from afar.
    def shine(relief: Relief, where: np.ndarray) -> float:
        return float((relief.roughness[where] ** 4 + np.square(relief.slopes[where]).sum(axis=1)).mean())

    assert shine(relief, cheek) == pytest.approx(shine(fine, at(head, (32, -32, 86), 14, 2 * SIZE)), rel=0.06)
    assert relief.roughness[cheek].mean() > fine.roughness[at(head, (32, -32, 86), 14, 2 * SIZE)].mean()


def test_gloss_follows_the_face(head, relief):
    nose, cheek, lip = at(head, (0, -36, 116), 6), at(head, (52, -45, 70), 8), at(head, (8, -73, 102), 4)
    assert relief.clearcoat[nose].mean() > 3 * relief.clearcoat[cheek].mean()
    assert relief.roughness[lip].mean() < relief.roughness[cheek].mean() - 0.05
    assert relief.clearcoat[at(head, (31.5, -6.2, 88), 3)].max() > 0.45  # the lids' wet rim
    dry = make_relief(head, changed(oil=0.0), SIZE)
    assert dry.clearcoat[nose].mean() < 0.1 * relief.clearcoat[nose].mean()
    assert dry.roughness[nose].mean() > relief.roughness[nose].mean() + 0.015


def test_more_of_it_is_deeper(head, relief):
    def rms(look: Appearance, centre: tuple[float, float, float], reach: float) -> float:
        return float(np.sqrt(np.square(make_relief(head, look, SIZE).slopes[at(head, centre, reach)]).mean()))

    assert rms(changed(wrinkles=1.0), (0, 40, 95), 20) > 1.5 * rms(changed(wrinkles=0.0), (0, 40, 95), 20)
    assert rms(changed(pores=1.0), (30, -32, 88), 10) > 1.4 * rms(changed(pores=0.0), (30, -32, 88), 10)


def test_sides_differ(head):
    both = wrinkles.layers(head, LOOK.skin, SIZE)
    left, right = (next(layer for layer in both if layer.name == f"crows_feet_{side}") for side in "LR")
    assert not np.array_equal(left.slopes, right.slopes[:, ::-1] * (-1, 1))
    assert {layer.name[:-2] for layer in both if layer.name.endswith("_L")} >= {*wrinkles.PLACES, "chin"}


def test_a_line_too_fine_for_the_texture_becomes_roughness(head):
    """The mean square slope of one furrow and of what is lost of it is the same on every texture."""
    totals = []
    line = np.column_stack([np.linspace(25, 40, 60), np.full(60, -35.0), np.full(60, 0.2), np.full(60, 0.5)])
    for size in (256, 512, 1024):
        place, metric = texels.positions(head, "skin", size), texels.metric(head, "skin", size)
        height, lost = wrinkles.furrows(line, place, metric)
        area = metric.along * metric.across * at(head, (30, -35, 88), 12, size)
        totals.append([(np.square(metric.slopes(height)).sum(axis=2) * area).sum(), (lost * area).sum()])
    totals = np.array(totals)
    assert (np.diff(totals[:, 1]) < 0).all()  # the finer the texture, the less is lost
    np.testing.assert_allclose(totals.sum(axis=1) / totals[-1].sum(), 1, atol=0.25)


def test_layers_know_their_units():
    named = {unit for place in wrinkles.PLACES.values() for unit in (*place.drivers, *place.stretched_by)}
    assert named <= set(ACTION_UNITS)
