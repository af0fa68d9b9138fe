"""Materials: ranges, independence of seeds, and that paint lands where it belongs."""

import numpy as np
import pytest

from synth.appearance import colours, texels
from synth.appearance.appearance import sample_appearance
from synth.heads.model import HeadModel, load_head


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


def test_materials_are_complete_and_in_range(head):
    for seed in range(3):
        materials = sample_appearance(np.random.default_rng(seed), head, size=128)
        assert set(materials) == {part.material for part in head.parts}
        for name, material in materials.items():
            assert material.albedo.dtype == np.float32, name
            assert material.albedo.min() >= 0.0099 and material.albedo.max() <= 0.9001, name
            roughness = np.asarray(material.roughness)
            assert roughness.min() >= 0.15 and roughness.max() <= 1
            if material.normal_map is not None:
                np.testing.assert_allclose(np.linalg.norm(material.normal_map, axis=2), 1, atol=1e-5)
                assert material.normal_map[..., 2].min() > 0.1


def test_same_seed_same_bits_other_seed_other_face(head):
    one, same, other = (sample_appearance(np.random.default_rng(seed), head, size=128) for seed in (4, 4, 5))
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


def test_lips_are_redder_and_brows_darker_than_the_cheek(head):
    size = 512
    places = texels.positions(head, "skin", size)
    for seed in range(4):
        albedo = sample_appearance(np.random.default_rng(seed), head, size=size)["skin"].albedo

        def mean(centre, reach, albedo=albedo):
            return albedo[np.linalg.norm(places - np.float32(centre), axis=2) < reach].mean(axis=0)

        forehead, lip, brow = mean((15, 45, 94), 6), mean((6, -71, 103), 3), mean((28, 18.2, 97), 2.5)
        assert lip[1] / lip[0] < forehead[1] / forehead[0]
        assert brow.mean() < forehead.mean() or forehead.mean() < 0.08


def test_pupil_is_black_and_sclera_white(head):
    eye = sample_appearance(np.random.default_rng(1), head, size=256)["eye"].albedo
    middle = len(eye) // 2
    assert eye[middle, middle].max() < 0.02
    assert eye[middle, middle + int(0.36 * len(eye))].min() > 0.25
