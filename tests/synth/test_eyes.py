"""Eyes of every family: anatomy, closed surfaces, rigid turns, lids before the cornea; and how irides are painted."""

import dataclasses

import numpy as np
import pytest

from synth.appearance.description import EyeLook
from synth.appearance.eyes import COLOURS, MAGNIFICATION, PATTERNS, paint_eyes
from synth.heads.collision import interpenetration
from synth.heads.head import HeadModel, Person
from synth.heads.load import load_head
from synth.heads.rigid import Ball
from synth.heads.template.eyes import CORNEA_RADIUS, CORNEA_SHAPE, LIMBUS_RADIUS
from synth.heads.template.identity import SHAPES
from synth.motion.performance import Performance, neutral
from synth.scene import Glass, vertex_normals
from tests.synth.standins import write_flame

NAMES = ("sclera", "iris", "cornea")
FAMILIES = ("template", "flame", "makehuman")


@pytest.fixture(scope="module", params=FAMILIES)
def head(request, tmp_path_factory) -> HeadModel:
    if request.param == "flame":
        return load_head("flame", write_flame(tmp_path_factory.mktemp("flame"), "2023"))
    if request.param == "makehuman":
        path = request.getfixturevalue("shared_data") / "makehuman"
        if not path.is_dir():
            pytest.skip(f"no MakeHuman data at {path}")
        return load_head("makehuman", path)
    return load_head("template")


@pytest.fixture(scope="module")
def people(head) -> list[Person]:
    """A few draws, and for the template the largest and the smallest eyes."""
    identities = [head.sample_identity(np.random.default_rng(seed)) for seed in (0, 3)]
    if head.family == "template":
        for size in (-2.5, 2.5):
            shape = np.zeros(head.arrays["shape_directions"].shape[2], np.float32)
            shape[SHAPES.index("eye_size")] = size
            identities.append(dataclasses.replace(identities[0], shape=shape))
    return [head.person(identity) for identity in identities]


def part(person: Person, name: str):
    return next(part for part in person.parts if part.name == name)


def places(person: Person, vertices: np.ndarray, side: str) -> dict[str, np.ndarray]:
    """Name of a part to its vertices (K, 3), mm."""
    return {name: 1000 * vertices[part(person, f"{side}_{name}").vertex_map].astype(float) for name in NAMES}


def sphere(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre and radius of the sphere that fits points (K, 3) best."""
    solved = np.linalg.lstsq(np.c_[2 * points, np.ones(len(points))], (points**2).sum(axis=1), rcond=None)[0]
    return solved[:3], float(np.sqrt(solved[3] + solved[:3] @ solved[:3]))


def performing(**values) -> Performance:
    units = {name: np.float32([value]) for name, value in values.items() if name.startswith("AU")}
    turned = {name: np.float32([value]) for name, value in values.items() if not name.startswith("AU")}
    return dataclasses.replace(neutral(1, 24.0), units=units, **turned)


@pytest.mark.parametrize("side", ["left", "right"])
def test_eyes_are_those_of_an_adult(head, people, side):
    for person in people:
        eye = places(person, person.rest, side)
        centre, radius = sphere(eye["sclera"][eye["sclera"][:, 2] < np.median(eye["sclera"][:, 2])])
        if head.family != "makehuman":  # whose eyeballs, and the lids on them, are larger than life
            assert 10.8 < radius < 13.2
        apex = eye["cornea"][np.argmax(np.linalg.norm(eye["cornea"] - centre, axis=1))]
        axis = (apex - centre) / np.linalg.norm(apex - centre)
        assert axis[2] > 0.98
        off_axis = {name: np.linalg.norm(np.cross(eye[name] - centre, axis), axis=1) for name in NAMES}
        assert 7.0 < sphere(eye["cornea"][off_axis["cornea"] < 2.5])[1] < 8.8
        assert 5.2 < off_axis["cornea"].max() < 6.4 and 0.85 < (apex - centre) @ axis - radius < 1.8
        depth = (apex - eye["iris"]) @ axis
        pupil = depth[off_axis["iris"] < 2]
        assert 2.8 < pupil.min() and pupil.max() < 3.7
        assert pupil.mean() < depth[(off_axis["iris"] > 4) & (off_axis["iris"] < 5.3)].mean()  # a dome


@pytest.mark.parametrize("subdivision", [0, 1])
def test_the_eye_is_closed_and_its_cornea_covers_the_iris(head, people, subdivision):
    person = head.person(people[0].identity, subdivision)
    rest = person.animate(neutral(1, 24.0))[0]
    for side in ("left", "right"):
        shell = np.concatenate([p.vertex_map[p.faces] for p in (part(person, f"{side}_{n}") for n in ("sclera",
                                                                                                    "cornea"))])
        edges = np.concatenate([shell[:, [0, 1]], shell[:, [1, 2]], shell[:, [2, 0]]])
        forward = {tuple(edge) for edge in edges.tolist()}
        assert len(forward) == len(edges) and all((b, a) in forward for a, b in forward)
        eye = places(person, rest, side)
        centre = sphere(eye["sclera"])[0]
        iris, cornea = part(person, f"{side}_iris"), eye["cornea"] - centre
        ray = eye["iris"] - centre
        distance, outer = np.linalg.norm(ray, axis=1), np.linalg.norm(cornea, axis=1)
        behind = outer[np.argmax((ray / distance[:, None]) @ (cornea / outer[:, None]).T, axis=1)]
        edge = np.isin(np.arange(len(ray)), _rim(iris.faces))
        assert (behind - distance)[~edge].min() > 0.1  # in a closed shell: covered from wherever it is seen
        assert np.abs(behind - distance)[edge].max() < 0.05
        corners = eye["iris"][iris.faces]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        assert normal[:, 2].min() > 0


def _rim(faces: np.ndarray) -> np.ndarray:
    ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    edges, count = np.unique(ends, axis=0, return_counts=True)
    return np.unique(edges[count == 1])


def test_highlights_are_those_of_a_smooth_cornea():
    person = load_head("template").person(load_head("template").sample_identity(np.random.default_rng(1)), 1)
    rest = person.animate(neutral(1, 24.0))[0]
    normals = vertex_normals(rest, person.parts)
    cornea = part(person, "left_cornea").vertex_map
    points, normals = 1000 * rest[cornea].astype(float), normals[cornea]
    points = points - points[np.argmax(points[:, 2])]
    scale = np.hypot(*points[:, :2].T).max() / LIMBUS_RADIUS
    points /= scale
    true = np.stack([points[:, 0], points[:, 1], CORNEA_RADIUS + CORNEA_SHAPE * points[:, 2]], axis=1)
    true /= np.linalg.norm(true, axis=1, keepdims=True)
    error = np.degrees(np.arccos(np.clip((true * normals).sum(axis=1), -1, 1)))
    assert error[np.hypot(*points[:, :2].T) < 4.8].max() < 0.7


def test_eyes_turn_rigidly_and_together(people):
    person = people[0]
    rest, turned = (person.animate(performing(left_eye=(x, y, 0)), resolve=False)[0] for x, y in ((0, 0), (0.2, 0.4)))
    for side in ("left", "right"):
        still, moved = (np.concatenate(list(places(person, v, side).values())) for v in (rest, turned))
        distances = [np.linalg.norm(v - v[::97][:, None], axis=2) for v in (still, moved)]
        np.testing.assert_allclose(*distances, atol=0.03)  # MakeHuman's helpers hang a little on the head, too
        assert (np.abs(still - moved).max() > 2) == (side == "left")


@pytest.mark.parametrize("act", [
    {"AU45": 0.5}, {"AU45": 1.0}, {"AU5": 1.0}, {"left_eye": (0.3, 0.0, 0), "right_eye": (0.3, 0.0, 0)},
    {"left_eye": (0.1, 0.55, 0), "right_eye": (0.1, 0.55, 0), "AU45": 0.3},
])
def test_lids_stay_before_the_cornea(people, act):
    for person in people:
        assert interpenetration(person, person.animate(performing(**act))[0]).lids <= 1e-3


def test_what_collides_is_the_outer_surface(people):
    person = people[0]
    rest = person.rest.astype(float)
    eye = {name: part(person, f"left_{name}").vertex_map for name in NAMES}
    centre = sphere(rest[eye["sclera"]])[0]
    for parts in (("sclera", "cornea"), NAMES):  # an iris among them changes nothing
        ball = Ball(rest, np.unique(np.concatenate([eye[name] for name in parts])), centre)
        assert np.abs(ball.gap(rest[eye["cornea"]][None])).max() < 3e-4
        assert ball.gap(rest[eye["iris"]][None])[0][:37].max() < -2e-3


def test_painting_is_deterministic_and_within_bounds():
    for colour in COLOURS:
        look = EyeLook(iris=colour, veins=0.9, sclera_yellow=0.8, seed=5)
        first, again = paint_eyes(look, 128), paint_eyes(look, 128)
        assert isinstance(first["cornea"], Glass) and first["cornea"].ior == pytest.approx(1.376)
        for name in ("eye", "iris"):
            np.testing.assert_array_equal(first[name].albedo, again[name].albedo)
            np.testing.assert_array_equal(first[name].normal_map, again[name].normal_map)
            assert first[name].albedo.dtype == np.float32 and first[name].normal_map.dtype == np.float32
            assert first[name].albedo.min() > 0.0099 and first[name].albedo.max() <= 0.9
            np.testing.assert_allclose(np.linalg.norm(first[name].normal_map, axis=2), 1, atol=1e-4)


def _annulus(image: np.ndarray, low: float, high: float) -> np.ndarray:
    """Pixels of an iris' texture between two radii, mm."""
    at = ((np.arange(len(image)) + 0.5) / len(image) - 0.5) / 0.499 * LIMBUS_RADIUS
    radius = np.hypot(*np.meshgrid(at, at))
    return image[(radius > low) & (radius < high)]


@pytest.mark.parametrize("diameter", [2.2, 3.6, 6.5])
def test_the_pupil_is_black_and_as_wide_as_it_is_seen(diameter):
    iris = paint_eyes(EyeLook(iris="blue", pupil_mm=diameter), 256)["iris"].albedo
    edge = 0.5 * diameter / MAGNIFICATION
    assert _annulus(iris, 0, edge - 0.1).max() <= 0.0101
    assert _annulus(iris, edge + 0.3, edge + 0.7).mean() > 0.05


def test_families_of_irides_look_different():
    means = {colour: np.mean([_annulus(paint_eyes(EyeLook(iris=colour, seed=seed), 128)["iris"].albedo, 3.2, 4.8).mean(
        axis=0) for seed in range(2)], axis=0) for colour in COLOURS}
    assert means["blue"][2] > 1.3 * means["blue"][0] and means["amber"][0] > 3 * means["amber"][2]
    assert means["green"][1] >= means["green"][0] and means["green"][1] > 1.2 * means["green"][2]
    assert means["dark_brown"].sum() < 0.6 * means["brown"].sum() < 0.4 * means["grey"].sum()
    colours = np.log(np.stack(list(means.values())))
    apart = np.linalg.norm(colours[:, None] - colours, axis=2) + 9 * np.eye(len(colours))
    assert apart.min() > 0.2
    relief = {name: _annulus(paint_eyes(EyeLook(pattern=name), 128)["iris"].normal_map, 2.5, 4.8)[:, :2].std()
              for name in PATTERNS}
    assert relief["smooth"] < 0.7 * relief["fibres"]


def test_looks_show():
    soft, hard = (paint_eyes(EyeLook(iris="blue", limbal_ring=ring), 128)["iris"].albedo for ring in (0.0, 1.0))
    assert _annulus(hard, 5.1, 5.5).mean() < 0.6 * _annulus(soft, 5.1, 5.5).mean()
    calm, red = (paint_eyes(EyeLook(veins=veins), 256)["eye"].albedo for veins in (0.0, 1.0))
    assert (red[..., 0] / red[..., 1]).mean() > 1.05 * (calm[..., 0] / calm[..., 1]).mean()
    white = calm[20:60, 108:148]  # above the iris
    assert 0.34 < white.mean() < 0.46, "no brighter than light skin"
    yellow = paint_eyes(EyeLook(sclera_yellow=1.0), 256)["eye"].albedo[20:60, 108:148]
    assert yellow[..., 2].mean() < 0.85 * white[..., 2].mean()
    nose, temple = calm[128, 18], calm[128, 237]
    assert nose[1] / nose[0] < temple[1] / temple[0]  # flesh in the inner corner
