"""Materials: ranges, independence of seeds, and that paint lands where it belongs."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from synth.actor import cast
from synth.appearance import texels, tones
from synth.appearance.description import Appearance
from synth.appearance.sampling import sample_appearance
from synth.appearance.skin import paint_skin, skin_pigments
from synth.heads.head import HeadModel
from synth.heads.load import load_head
from synth.scene import vertex_normals


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


def looking(seed: int = 0, **changes: dict) -> Appearance:
    """A sampled appearance with some numbers changed: ``skin={"melanin": 0.1}``."""
    drawn = sample_appearance(np.random.default_rng(seed)).model_dump()
    for part, numbers in changes.items():
        drawn[part].update(numbers)
    return Appearance.model_validate(drawn)


def test_materials_are_complete_and_in_range(head):
    for seed in range(2):
        identity = head.sample_identity(np.random.default_rng(seed))
        appearance = looking(seed, worn={"glasses": None, "cover": None})
        actor = cast(head, identity, appearance, texels=128, strands=0)
        assert {part.material for part in actor.person.parts} == set(actor.materials)
        skin = actor.materials["skin"]
        assert skin.albedo.dtype == np.float32
        assert skin.albedo.min() >= 0.0099 and skin.albedo.max() <= 0.9001


@pytest.mark.parametrize("painted_hair", [False, True])
def test_skin_is_in_range_whatever_the_numbers(head, painted_hair):
    for high in (False, True):
        extreme = {"skin": {"seed": 1}, "hair": {"seed": 1, "style": "short", "beard": "shaved"}}
        for part, model in (("skin", Appearance().skin), ("hair", Appearance().hair)):
            for name, field in type(model).model_fields.items():
                bounds = [getattr(limit, "le" if high else "ge", None) for limit in field.metadata]
                bound = next((value for value in bounds if value is not None), None)
                if bound is not None and name != "seed":
                    extreme[part][name] = bound
        albedo = paint_skin(head, Appearance.model_validate(extreme), 96, painted_hair)
        assert albedo.shape == (96, 96, 3) and albedo.dtype == np.float32
        assert np.isfinite(albedo).all() and albedo.min() >= 0.0099 and albedo.max() <= 0.9001


def test_same_seed_same_bits_other_seed_other_face(head):
    one, same = (paint_skin(head, looking(4), 128, True) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    number = looking(4).skin.seed
    other = paint_skin(head, looking(4, skin={"seed": number + 1}), 128, True)
    assert 1e-4 < np.abs(one - other).mean() < 0.03  # other marks, the same complexion


def test_a_change_of_one_mark_leaves_the_others_where_they_are(head):
    plain = skin_pigments(head, looking(3, skin={"freckles": 0.0, "blemishes": 0.4, "veins": 0.4}), 128)
    freckled = skin_pigments(head, looking(3, skin={"freckles": 0.8, "blemishes": 0.4, "veins": 0.4}), 128)
    np.testing.assert_array_equal(plain.haemoglobin, freckled.haemoglobin)
    np.testing.assert_array_equal(plain.veins, freckled.veins)
    assert (freckled.melanin > plain.melanin + 0.001).mean() > 0.003


def test_texels_know_their_place(head):
    skin = next(part for part in head.parts if part.name == "skin")
    size = 512
    places = texels.positions(head, "skin", size)
    expected = head.neutral[skin.vertex_map] * 1000
    pixel = np.stack([(1 - skin.uv[:, 1]) * size, skin.uv[:, 0] * size], axis=1).astype(int).clip(0, size - 1)
    face = (expected[:, 2] > 85) & (np.abs(expected[:, 1]) < 40) & (expected[:, 2] < 102)
    error = np.linalg.norm(places[pixel[face, 0], pixel[face, 1]] - expected[face], axis=1)
    assert np.median(error) < 0.6


def sphere_faces(directions: np.ndarray) -> np.ndarray:
    """Closed triangulation (F, 3), outwards, of points (K, 3) by their directions from the origin."""
    ray = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    faces = ConvexHull(ray).simplices
    a, b, c = ray[faces].transpose(1, 0, 2)
    return np.where((np.einsum("kc,kc->k", np.cross(b - a, c - a), a) < 0)[:, None], faces[:, ::-1], faces)


@pytest.fixture(scope="module")
def flame_like(head, tmp_path_factory) -> HeadModel:
    """The template's skin and eyes resampled to FLAME's vertex numbers, through a file in FLAME's layout."""
    pieces, faces = [], []
    skin = np.unique(np.concatenate([part.vertex_map for part in head.parts if part.label in ("skin", "lips")]))
    for chosen, count, centre in ((skin, 3931, (0, 0, 0)), *((ball, 546, None) for ball in head.eyeballs)):
        points = head.neutral[chosen]
        if chosen is skin:  # no linings, nostrils and ears, which rays from the middle of the head meet twice
            outwards = np.einsum("kd,kd->k", points, vertex_normals(head.neutral, head.parts)[chosen])
            open_ = outwards > 0.35 * np.linalg.norm(points, axis=1)
            points = points[open_ & (points[:, 1] > -0.13) & (np.abs(points[:, 0]) < 0.072)]
        points = points[np.linspace(0, len(points) - 1, count).astype(int)]
        middle = points.mean(axis=0) if centre is None else np.float32(centre)
        faces.append(sphere_faces(points - middle) + sum(map(len, pieces)))
        pieces.append(points)
    n = 5023
    weights = np.tile(np.float32([0, 1, 0, 0, 0]), (n, 1))
    file = tmp_path_factory.mktemp("flame") / "FLAME_NEUTRAL.npz"
    np.savez(file, v_template=np.concatenate(pieces), f=np.concatenate(faces), weights=weights,
             shapedirs=np.zeros((n, 3, 400), np.float32), posedirs=np.zeros((n, 3, 36), np.float32),
             J_regressor=np.full((5, n), 1 / n, np.float32),
             kintree_table=np.array([[-1, 0, 1, 1, 1], range(5)]))
    return load_head("flame", file)


def test_flame_heads_are_painted_where_their_faces_are(flame_like):
    skin = flame_like.parts[0]
    assert (np.ptp(skin.uv[skin.faces, 0], axis=1) > 0.5).sum() <= 3  # only a face around the axis may
    assert skin.vertex_map.max() < 3931 and len(skin.vertex_map) > len(np.unique(skin.vertex_map))
    size = 256
    places = texels.positions(flame_like, "skin", size)
    rows = slice(int(0.16 * size), int(0.48 * size))  # forehead to chin
    assert places[rows, size // 2, 2].min() > 35  # the middle of the texture is the face,
    assert places[rows, [0, -1], 2].max() < 0  # its sides are the back of the head
    expected = flame_like.canonical[skin.vertex_map]
    pixel = np.stack([(1 - skin.uv[:, 1]) * size, skin.uv[:, 0] * size], axis=1).astype(int) % size
    error = np.linalg.norm(places[pixel[:, 0], pixel[:, 1]] - expected, axis=1)
    assert np.median(error) < 1.5 and (error > 5).mean() < 0.1


@pytest.mark.parametrize("reach", [0.2, 0.35, 0.7, 1.0])
def test_faces_of_every_size_are_painted(reach):
    size = 1024
    uv = np.float32([(0, 1), (reach, 1), (reach, 1 - reach), (0, 1 - reach)])
    image = texels._rasterise(uv, np.array([[0, 2, 1], [0, 3, 2]]), uv, size)
    middle = int(reach * size / 2)
    np.testing.assert_allclose(image[middle, middle], [(middle + 0.5) / size, 1 - (middle + 0.5) / size], atol=1e-4)


def test_texture_repeats():
    size = 64
    uv = np.float32([(0.75, 1), (1.25, 1), (1.25, 0), (0.75, 0)])
    image = texels._rasterise(uv, np.array([[0, 2, 1], [0, 3, 2]]), uv, size)
    np.testing.assert_allclose(image[20, [50, 5], 0], [50.5 / size, 1 + 5.5 / size], atol=1e-4)


SIZE = 512


@pytest.fixture(scope="module")
def places(head) -> np.ndarray:
    return texels.positions(head, "skin", SIZE)


def about(places: np.ndarray, image: np.ndarray, centre: tuple[float, float, float], reach: float) -> np.ndarray:
    """Mean of an image within ``reach`` mm of a canonical place."""
    return image[np.linalg.norm(places - np.float32(centre), axis=2) < reach].mean(axis=0)


@pytest.mark.parametrize("melanin", [0.01, 0.04, 0.12, 0.3])
def test_lips_are_redder_and_brows_darker_than_the_cheek(head, places, melanin):
    look = looking(1, skin={"melanin": melanin, "lips": 1.0, "blemishes": 0}, hair={"eumelanin": 4.0, "grey": 0})
    albedo = paint_skin(head, look, SIZE, painted_hair=True)
    cheek, lip = (tones.lab(about(places, albedo, *where)) for where in (((40, -45, 80), 6), ((6, -73, 103), 3)))
    assert lip[1] > cheek[1] + (4 if melanin < 0.1 else 0)
    forehead, brow = (about(places, albedo, *where).mean() for where in (((15, 45, 94), 6), ((28, 18.2, 94.5), 2.5)))
    assert brow < forehead or forehead < 0.08


def test_blood_rises_where_faces_flush(head, places):
    pale, flushed = (skin_pigments(head, looking(2, skin={"redness": redness}), SIZE).haemoglobin
                     for redness in (0.2, 1.5))
    ratio = flushed / pale
    nose, cheek, temple = (about(places, ratio, *where) for where in
                           (((0, -37, 116), 5), ((37, -29, 84), 5), ((60, 20, 50), 5)))
    assert nose > 2 and cheek > 1.7 and temple < 1.25


def test_only_a_beard_leaves_its_shadow(head, places):
    skin = {"melanin": 0.015, "haemoglobin": 0.015}
    bare, grown, fair = (
        paint_skin(head, looking(5, skin=skin, hair={"beard_growth": growth, "eumelanin": dark, "pheomelanin": 0.0,
                                                     "grey": 0.0, "beard": "shaved"}), SIZE)
        for growth, dark in ((0.0, 6.0), (1.0, 6.0), (1.0, 0.06)))
    chin, cheek = ((0, -104, 95), 7), ((38, -25, 84), 6)
    without, with_beard, with_fair = (tones.lab(about(places, image, *chin)) for image in (bare, grown, fair))
    assert with_beard[0] < without[0] - 4 and with_beard[1] < without[1]  # darker, and less red: bluish
    assert with_fair[0] > with_beard[0] + 2
    np.testing.assert_allclose(about(places, grown, *cheek), about(places, bare, *cheek), rtol=0.02)


def test_strands_leave_brows_and_scalp_to_hair(head, places):
    look = looking(1, skin={"melanin": 0.02}, hair={"eumelanin": 6.0, "grey": 0.0, "style": "short", "hairline": 0.0})
    grown, painted = (paint_skin(head, look, SIZE, painted_hair) for painted_hair in (False, True))
    for centre, reach in (((28, 18.2, 94.5), 2.5), ((0, 112, -8), 10)):
        assert about(places, painted, centre, reach).mean() < 0.6 * about(places, grown, centre, reach).mean()
    forehead = (0, 45, 95), 8
    np.testing.assert_allclose(about(places, painted, *forehead), about(places, grown, *forehead), rtol=0.01)


def test_moles_are_marks_of_their_number(head):
    none, some = (skin_pigments(head, looking(6, skin={"freckles": 0, "age_spots": 0, "moles": moles}), SIZE).melanin
                  for moles in (0, 40))
    changed = (some - none) > 0.05
    assert 0 < changed.mean() < 0.01


def test_flame_heads_have_lips_where_their_mouths_are(flame_like):
    look = looking(1, skin={"melanin": 0.02, "lips": 1.0, "freckles": 0})
    places = texels.positions(flame_like, "skin", SIZE)
    skin = paint_skin(flame_like, look, SIZE)
    lip, chin = (tones.lab(about(places, skin, *where)) for where in (((6, -73, 103), 4), ((20, -95, 90), 6)))
    assert lip[1] > chin[1] + 3
