"""Materials: ranges, independence of seeds, and that paint lands where it belongs."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from synth.appearance import colours, texels
from synth.appearance.appearance import sample_appearance
from synth.heads.head import HeadModel, Person
from synth.heads.load import load_head
from synth.scene import vertex_normals


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


@pytest.fixture(scope="module")
def person(head) -> Person:
    return head.person(head.sample_identity(np.random.default_rng(0)))


def test_materials_are_complete_and_in_range(person):
    for seed in range(3):
        materials = sample_appearance(np.random.default_rng(seed), person, size=128)
        assert set(materials) == {part.material for part in person.parts}
        for name, material in materials.items():
            assert material.albedo.dtype == np.float32, name
            assert material.albedo.min() >= 0.0099 and material.albedo.max() <= 0.9001, name
            roughness = np.asarray(material.roughness)
            assert roughness.min() >= 0.15 and roughness.max() <= 1
            if material.normal_map is not None:
                np.testing.assert_allclose(np.linalg.norm(material.normal_map, axis=2), 1, atol=1e-5)
                assert material.normal_map[..., 2].min() > 0.1


def test_same_seed_same_bits_other_seed_other_face(person):
    one, same, other = (sample_appearance(np.random.default_rng(seed), person, size=128) for seed in (4, 4, 5))
    for name in one:
        np.testing.assert_array_equal(one[name].albedo, same[name].albedo)
        np.testing.assert_array_equal(one[name].roughness, same[name].roughness)
    assert np.abs(one["skin"].albedo - other["skin"].albedo).mean() > 0.005


def test_skin_tones_span_the_monk_scale():
    tones = np.array([colours.skin_reflectance(tone) for tone in np.linspace(1, 10, 19)])
    luminance = tones @ [0.2126, 0.7152, 0.0722]
    assert luminance[0] > 0.4 and luminance[-1] < 0.06
    assert (tones[:, 0] >= tones[:, 1]).all() and (tones[:, 1] > tones[:, 2]).all()  # skin is red before it is blue
    assert tones.max() < 0.7


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


def test_lips_are_redder_and_brows_darker_than_the_cheek(head, person):
    size = 512
    places = texels.positions(head, "skin", size)
    for seed in range(4):
        albedo = sample_appearance(np.random.default_rng(seed), person, size=size)["skin"].albedo

        def mean(centre, reach, albedo=albedo):
            return albedo[np.linalg.norm(places - np.float32(centre), axis=2) < reach].mean(axis=0)

        forehead, lip, brow = mean((15, 45, 94), 6), mean((6, -71, 103), 3), mean((28, 18.2, 94.5), 2.5)
        assert lip[1] / lip[0] < forehead[1] / forehead[0]
        assert brow.mean() < forehead.mean() or forehead.mean() < 0.08


def test_pupil_is_black_and_sclera_white(person):
    eye = sample_appearance(np.random.default_rng(1), person, size=256)["eye"].albedo
    middle = len(eye) // 2
    assert eye[middle, middle].max() < 0.02
    assert eye[middle, middle + int(0.36 * len(eye))].min() > 0.25
