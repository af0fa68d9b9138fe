"""The template's people: measures as the table has them, directions that mean what they say, nobody broken."""

import dataclasses

import numpy as np
import pytest

from synth.heads.coverage import coverage
from synth.heads.head import HeadModel
from synth.heads.load import load_head
from synth.heads.surface import control_surface
from synth.heads.template.anthropometry import MEASURES, Tape, measures, table, tape
from synth.heads.template.geometry import GROUPS, Geometry, build_geometry
from synth.heads.template.identity import ASYMMETRIES, SHAPES, TRAITS, spread
from synth.heads.template.sampling import LIMIT, sample_identity
from synth.motion.performance import neutral

FLIP = np.array([-1, 1, 1], np.float32)
SAMPLES = 600


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


@pytest.fixture(scope="module")
def geometry() -> Geometry:
    return build_geometry()


@pytest.fixture(scope="module")
def calipers(geometry) -> Tape:
    return tape(geometry)


@pytest.fixture(scope="module")
def measured(head, calipers):
    """From a shape to its measures: the vertices that the calipers touch are all that it needs."""
    rows = np.unique(np.concatenate([*calipers.points.values(), calipers.girth[0].ravel()]))
    neutral_head, directions = head.neutral[rows], head.arrays["shape_directions"][rows]
    vertices = np.zeros(head.neutral.shape)

    def measure(shape) -> np.ndarray:
        vertices[rows] = 1000 * (neutral_head + directions @ np.asarray(shape, np.float32))
        return measures(vertices, calipers)

    return measure


def test_there_are_fifty_directions_of_the_face(head):
    assert len(SHAPES) == len(set(SHAPES)) == head.arrays["shape_directions"].shape[2]
    assert len(SHAPES) - 1 >= 50  # without `population`, which is everyone's
    size = np.linalg.norm(head.arrays["shape_directions"], axis=1).max(axis=0) * 1000
    for name, most in zip(SHAPES[1:], size[1:], strict=True):
        assert 0.3 < most < 12, f"{name} moves a vertex by {most} mm"
    face = head.arrays["shape_directions"].reshape(-1, len(SHAPES))
    unit = face / np.linalg.norm(face, axis=0)
    alike = np.abs(unit.T @ unit) - np.eye(len(SHAPES))
    assert alike[1:, 1:].max() < 0.97  # no direction says what another one says


@pytest.mark.parametrize("male", [True, False])
def test_measures_of_a_population_are_the_table_s(measured, male):
    rng = np.random.default_rng(7)
    values = np.stack([measured(sample_identity(rng, male).shape) for _ in range(SAMPLES)])
    wanted = table(male)
    # Four standard errors, what distances bend, and the twelfth at most that cut tails take from the deviations.
    off = np.abs(values.mean(axis=0) - wanted[:, 0]) / wanted[:, 1]
    ratio = values.std(axis=0) / wanted[:, 1]
    for k, name in enumerate(MEASURES):
        assert off[k] < 4 / np.sqrt(SAMPLES) + 0.03, f"{name}: mean {values[:, k].mean():.1f}, table {wanted[k, 0]}"
        assert 0.82 < ratio[k] < 1.10, f"{name}: sd {values[:, k].std():.2f}, table {wanted[k, 1]}"


def test_a_measure_s_direction_changes_that_measure_alone(measured):
    mean, sd = spread()
    centre = np.zeros(len(SHAPES))
    centre[0] = 1
    assert np.abs(measured(centre) - mean).max() < 1.0
    for k, name in enumerate(SHAPES[1:]):
        step = np.zeros(len(SHAPES))
        step[k + 1] = 1
        change = 0.5 * (measured(centre + step) - measured(centre - step)) / sd
        wanted = np.array([float(name == other) for other in MEASURES])
        np.testing.assert_allclose(change, wanted, atol=0.12, err_msg=name)


def test_traits_mirror_and_asymmetries_oppose(head):
    directions = head.arrays["shape_directions"]
    mirrored = directions[head.mirror] * FLIP[:, None]
    odd = [SHAPES.index(name) for name in ASYMMETRIES]
    even = [k for k in range(len(SHAPES)) if k not in odd]
    np.testing.assert_allclose(mirrored[:, :, even], directions[:, :, even], atol=1e-7)
    np.testing.assert_allclose(mirrored[:, :, odd], -directions[:, :, odd], atol=1e-7)


def test_a_population_is_plausible_and_repeats():
    rng = np.random.default_rng(3)
    shapes = np.stack([sample_identity(rng).shape for _ in range(600)])
    np.testing.assert_array_equal(shapes[0], sample_identity(np.random.default_rng(3)).shape)
    values = {name: shapes[:, k] for k, name in enumerate(SHAPES)}
    assert (values["population"] == 1).all()
    for name in (*TRAITS, *ASYMMETRIES):
        assert 0.6 < values[name].std() < 1.15 and np.abs(values[name]).max() <= LIMIT + 1e-6, name
    for one, other, least in (
        ("neck_girth", "jaw_breadth", 0.3), ("head_length", "head_breadth", 0.1), ("face_length", "nose_length", 0.3),
        ("upper_vermilion", "lower_vermilion", 0.15), ("jowls", "nasolabial_fold", 0.3), ("brow_ridge", "larynx", 0.3),
        ("nose_breadth", "prognathism", 0.1), ("cheek_fullness", "double_chin", 0.3),
    ):
        assert np.corrcoef(values[one], values[other])[0, 1] > least, f"{one} and {other}"


def test_identities_tell_sex_and_age():
    rng = np.random.default_rng(5)
    people = [sample_identity(rng) for _ in range(400)]
    age, male = np.array([(one.age, one.male) for one in people]).T
    assert set(male) == {0.0, 1.0} and 0.4 < male.mean() < 0.6
    assert 18 <= age.min() < 22 and 70 < age.max() <= 85 and 36 < age.mean() < 45
    jowls = [one.shape[SHAPES.index("jowls")] for one in people]
    assert np.corrcoef(age, jowls)[0, 1] > 0.5, "age shows"


def test_everyone_s_eyes_and_lips_are_whole(head, geometry):
    blink = dataclasses.replace(neutral(2, 24.0), units={"AU45": np.array([0, 1], np.float32)})
    upper, lower = geometry.skin.upper_lip, geometry.skin.lower_lip
    rim = geometry.lid_rows[0]
    half = len(rim) // 2
    skin = np.isin(geometry.group, (GROUPS.index("skin"), GROUPS.index("lid_lining")))
    near = skin & (np.linalg.norm(geometry.vertices - (31.5, 0, 76), axis=1) < 20)
    ball = geometry.group == GROUPS.index("left_eye")
    teeth = (geometry.group == GROUPS.index("teeth")) & (geometry.vertices[:, 2] > 70)
    for seed in range(8):
        person = head.person(head.sample_identity(np.random.default_rng(seed)))
        tucked = control_surface(person).tucked  # the lining ends within the eyeball, so that no gap shows
        assert not (tucked & (geometry.group != GROUPS.index("lid_lining"))).any(), seed
        rest, closed = np.float64(person.animate(blink)[:]) * 1000
        assert np.abs(rest[upper] - rest[lower]).max() < 1e-3, seed
        front = rest[upper].mean(axis=0)[2]
        assert rest[teeth, 2].max() < front, seed
        for vertices in (rest, closed):
            eye = vertices[ball]
            centre = 0.5 * (eye.min(axis=0) + eye.max(axis=0))
            centre[2] = eye[:, 2].min() + 0.5 * np.ptp(eye[:, 0])
            lid = vertices[near & ~tucked & (vertices[:, 2] > centre[2])]
            assert np.linalg.norm(lid - centre, axis=1).min() > 0.5 * np.ptp(eye[:, 0]) + 0.1, seed
        margins = [closed[rim[1:half]], closed[rim[half + 1 :]]]
        low, high = (margin[np.argsort(margin[:, 0])] for margin in margins)
        x = np.linspace(low[2, 0], low[-3, 0], 20)
        assert (np.interp(x, high[:, 0], high[:, 1]) - np.interp(x, low[:, 0], low[:, 1])).max() < 0.6, seed


def test_coverage_tells_crowds_from_clones():
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(800, 20)) * np.arange(1, 21)
    crowd = coverage(rng.normal(size=(100, 20)) * np.arange(1, 21), reference)
    assert crowd.people == crowd.distinct == 100
    assert crowd.dimensions == pytest.approx(crowd.population_dimensions, rel=0.1)
    assert 15 < crowd.dimensions < 20  # 100 / (1 + 20 / 100) of 20, the sampled spectrum's
    assert crowd.nearest == pytest.approx(crowd.population_nearest, rel=0.06)
    np.testing.assert_allclose(crowd.spread, 1, atol=0.3)
    line = coverage(np.linspace(-1, 1, 50)[:, None] * np.arange(1, 21), reference)
    assert line.dimensions == pytest.approx(1) and line.nearest < 0.1 * line.population_nearest
    clones = coverage(np.repeat(reference[:2], 10, axis=0), reference)
    assert (clones.people, clones.distinct) == (20, 2) and clones.dimensions == pytest.approx(1)
    one = coverage(reference[:1], reference)
    assert one.dimensions == 0 and np.isnan(one.nearest) and "1 distinct of 1" in one.summary()


def test_coverage_refuses_what_it_cannot_measure():
    reference = np.random.default_rng(0).normal(size=(5, 3))
    for shapes, message in (
        (np.zeros((2, 4)), r"shapes: \(2, 4\)"), (np.full((2, 3), np.nan), "shapes: holds NaN"),
        (np.arange(30.0).reshape(10, 3), "reference: 5 draws, expected at least 10"),
    ):
        with pytest.raises(ValueError, match=message):
            coverage(shapes, reference)
    constant = reference.copy()
    constant[:, 0] = 1
    assert np.isnan(coverage(reference, constant).spread[0])
