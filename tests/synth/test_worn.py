import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from synth.appearance.description import WornLook
from synth.appearance.worn import paint_worn
from synth.hair.roots import bind, sample_roots
from synth.heads.head import Attachment, HeadModel, Person, eye_centres
from synth.heads.load import load_head
from synth.heads.rigid import Samples
from synth.heads.template.landmarks import RADIUS
from synth.heads.worn.covers import COVERS, covered, make_cover
from synth.heads.worn.drape import Drape, roll, unroll
from synth.heads.worn.fit import Fitting
from synth.heads.worn.glasses import GLASSES, make_glasses
from synth.heads.worn.tuck import tuck
from synth.motion.performance import neutral
from synth.scene import Glass, Material
from tests.synth.standins import write_flame

FAMILIES = ("template", "makehuman", "flame")


@pytest.fixture(scope="module")
def heads(request, tmp_path_factory):
    """A family's model, loaded once; skips where its files are missing."""
    loaded: dict[str, HeadModel] = {}

    def get(family: str) -> HeadModel:
        if family not in loaded:
            path = None
            if family == "makehuman":
                path = Path(request.getfixturevalue("shared_data")) / "makehuman"
                if not path.is_dir():
                    pytest.skip("no MakeHuman data")
            if family == "flame":
                path = write_flame(tmp_path_factory.mktemp("flame"))
            loaded[family] = load_head(family, path)
        return loaded[family]

    return get


def someone(head: HeadModel, seed: int) -> Person:
    return head.person(head.sample_identity(np.random.default_rng(seed)))


def placed(person: Person, item: Attachment) -> np.ndarray:
    return item.place(person.rest[: item.carry.shape[1]]).astype(float)


def expressive() -> tuple:
    """A smile with raised brows and an open mouth; then the same with the head turned."""
    act = neutral(3, 24.0)
    units = {name: np.float32([0, 1, 1]) for name in ("AU12", "AU6", "AU1", "AU2")}
    jaw, neck, head = (np.zeros((3, 3), np.float32) for _ in range(3))
    jaw[1:, 0], neck[2], head[2] = 0.25, (0.2, 0.7, 0.1), (0.1, 0.2, 0)
    return dataclasses.replace(act, units={**act.units, **units}, jaw=jaw, neck=neck, head=head)


@pytest.mark.parametrize("family", FAMILIES)
def test_glasses_fit_everyone(heads, family):
    for seed in range(3 if family == "template" else 1):
        person = someone(heads(family), seed)
        style = list(GLASSES)[(3 * seed + FAMILIES.index(family)) % len(GLASSES)]
        item = make_glasses(person, style)
        fitting = Fitting(person)
        vertices = fitting.local(placed(person, item))
        away, _ = cKDTree(vertices).query(vertices * (-1, 1, 1))
        assert away.max() < 1.0
        clearance = fitting.clearance(vertices)
        # A stand-in's ears are crumpled by edge collapses: what is inside them is not well defined.
        assert (np.percentile(clearance, 1) if family == "flame" else clearance.min()) > -1.0
        assert clearance[np.abs(vertices[:, 0]) < 40].min() > -1.0 and 0 <= np.median(clearance) < 25
        for eye, part in zip(eye_centres(person.head, person.rest), item.parts[1:], strict=True):
            lens, eye = vertices[part.vertex_map], fitting.local(eye)
            near = lens[np.hypot(*(lens - eye)[:, :2].T) < 4]
            assert len(near) and 5 < near[:, 2].min() - fitting.cornea and near[:, 2].max() - fitting.cornea < 20
        assert [part.name for part in item.parts] == ["frame", "left_lens", "right_lens"]
        assert np.abs(vertices[:, 0]).max() < 100 and vertices[:, 2].min() < 5  # it reaches back to the ears


@pytest.mark.parametrize("family", FAMILIES)
def test_glasses_are_rigid(heads, family):
    head = heads(family)
    identity = head.sample_identity(np.random.default_rng(3))
    person = head.person(identity, 0, (make_glasses(head.person(identity), "aviator"),))
    own = np.unique(np.concatenate([part.vertex_map for part in person.parts if part.label in ("frame", "lens")]))
    frames = 1000 * person.animate(expressive())[:][:, own].astype(float)
    pairs = np.random.default_rng(0).integers(len(own), size=(2000, 2))
    length = np.linalg.norm(frames[:, pairs[:, 0]] - frames[:, pairs[:, 1]], axis=2)
    assert np.abs(length - length[0]).max() < 0.05
    assert np.abs(frames[2] - frames[0]).max() > 10  # the turn does move it
    assert np.abs(frames[1] - frames[0]).max() < 1.0  # the face's expression doesn't


def test_glasses_are_the_same_to_the_bit_and_differ_by_style(heads):
    person = someone(heads("template"), 1)
    first, second = (make_glasses(person, "round") for _ in range(2))
    assert np.array_equal(first.offset, second.offset)
    assert len({len(make_glasses(person, style).offset) + i / 100 for i, style in enumerate(("round", "cat_eye"))}) == 2


def rays(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    azimuth, fall, radius = unroll(points)
    return roll(azimuth, fall, np.full(len(points), RADIUS)), radius


@pytest.mark.parametrize(("family", "style"), [*(("template", style) for style in COVERS), ("makehuman", "beanie"),
                                               ("makehuman", "headscarf"), ("flame", "cap"), ("flame", "turban")])
def test_covers_hide_what_they_cover(heads, family, style):
    head = heads(family)
    person = someone(head, 7)
    item, fitting = make_cover(person, style), Fitting(person)
    cloth = fitting.local(placed(person, item))
    (part,) = item.parts
    samples = Samples(cloth, part.vertex_map[part.faces], 2.0)(cloth)
    skin = np.unique(np.concatenate([p.vertex_map for p in head.parts if p.label == "skin"]))
    skin = skin[(covered(style, head.canonical[skin]) >= 1) & (head.canonical[skin, 1] > -150)]
    assert len(skin) > 150
    ray, radius = rays(samples)
    place, depth = rays(fitting.local(person.rest[skin]))
    away, near = cKDTree(ray).query(place, k=6)
    outermost = np.where(away < 3.0, radius[near], -1).max(axis=1)
    assert (depth < outermost).mean() > 0.995 and (depth - outermost).max() < 1.0
    for eye in fitting.local(eye_centres(head, person.rest)):
        before = (np.hypot(*(samples - eye)[:, :2].T) < 15) & (samples[:, 2] > eye[2])
        assert not before.any()
    triangles = cloth[part.vertex_map[part.faces]]
    area = np.linalg.norm(np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1)
    assert np.isfinite(cloth).all() and (area > 0).all() and np.isfinite(part.uv).all()


@pytest.mark.parametrize("style", ["headscarf", "cap"])
def test_covers_stay_on_a_moving_head(heads, style):
    head = heads("template")
    identity = head.sample_identity(np.random.default_rng(2))
    person = head.person(identity, 0, (make_cover(head.person(identity), style),))
    own = next(part for part in person.parts if part.label == "cover").vertex_map
    frames = 1000 * person.animate(expressive())[:][:, own].astype(float)
    edges = next(part for part in person.parts if part.label == "cover").faces[:, :2]
    length = np.linalg.norm(frames[:, edges[:, 0]] - frames[:, edges[:, 1]], axis=2)
    assert np.abs(length - length[0]).max() < (0.05 if style == "cap" else 12)
    assert np.abs(frames[2] - frames[0]).max() > 20


@pytest.mark.parametrize("style", ["beanie", "headscarf"])
def test_hair_doesnt_pass_through_a_cover(heads, style):
    person = someone(heads("template"), 7)
    roots = sample_roots(np.random.default_rng(0), person, lambda place: (place[:, 1] > -60) * 1.0, 1500)
    up = roots.points[:, None] + np.linspace(0, 0.03, 6)[:, None] * (roots.normals[:, None] + (0, 1, 0))
    hair = bind("hair", "hair", roots, up, np.full((1, 1), 5e-5), person)
    (left,) = tuck(person, style, (hair,))
    assert 50 < len(left.roots) < len(hair.roots)
    points, drape = left.place(person.rest), Drape(person)
    azimuth, fall, _ = unroll(drape.fitting.local(points))
    inside = COVERS[style].over(drape.canonical(azimuth, fall))[:, 1:]
    assert (inside > 6).mean() < 0.002  # the edge is smoother than the mask
    root = np.einsum("sc,scx->sx", left.weights, person.rest[left.roots])
    assert np.allclose(points[:, 0], root, atol=1e-6)
    assert tuck(person, style, ()) == ()


def test_covered_is_a_share_and_grows_no_hair_on_the_crown():
    places = np.random.default_rng(0).uniform((-90, -150, -100), (90, 115, 115), (4000, 3))
    for style in COVERS:
        share = covered(style, places)
        assert share.dtype == np.float32 and share.shape == (4000,) and 0 <= share.min() and share.max() <= 1
        bare = covered(style, np.array([(0, -40, 110), (32, 0, 85), (33, 19, 92)]))  # nose, eye, brow
        assert covered(style, np.array([(0, 113, -8)])) == 1 and not bare.any()


def test_materials_are_drawn_from_the_look(heads):
    def paint(seed: int, **look) -> dict:
        return paint_worn(np.random.default_rng(seed), WornLook(**look))

    assert isinstance(paint(1, glasses="round")["lens"], Glass) and paint(1, glasses="round")["lens"].thin
    dark = paint(1, glasses="sunglasses")["lens"]
    assert isinstance(dark, Material) and np.max(dark.albedo) < 0.05
    frames = [np.mean(paint(seed, glasses="rectangular")["frame"].albedo) for seed in range(12)]
    assert len({round(float(value), 4) for value in frames}) > 3
    for style in (*COVERS, None):
        one, same = (paint(5, cover=style)["cover"] for _ in range(2))
        assert np.array_equal(one.albedo, same.albedo) and 0 < one.albedo.min() and one.albedo.max() <= 0.9
        assert np.allclose(np.linalg.norm(one.normal_map, axis=2), 1, atol=1e-5)
    assert not np.array_equal(paint(5, cover="cap")["cover"].albedo, paint(6, cover="cap")["cover"].albedo)
