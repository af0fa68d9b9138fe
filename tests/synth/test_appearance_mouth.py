"""The painted mouth: teeth of plausible shades with edges and necks, gums, tongue; wet, and the same every time."""

import numpy as np
import pytest

from synth.appearance.description import MouthLook
from synth.appearance.mouth import paint_mouth
from synth.heads.load import load_head

SIZE = 256


@pytest.fixture(scope="module")
def mouth():
    return paint_mouth(MouthLook(seed=3), SIZE)


def height(image: np.ndarray, low: float, high: float) -> np.ndarray:
    """Mean colour of the upper teeth's texture between two heights: 0 to 0.28 is gum, 1 the edge."""
    rows = [int((1 - (0.51 + 0.48 * h)) * SIZE) for h in (high, low)]
    return image[rows[0] : rows[1]].reshape(-1, 3).mean(axis=0)


def test_every_material_is_wet_flesh_within_bounds(mouth):
    assert set(mouth) == {"teeth", "tongue", "mouth", "enamel", "gums"}
    for name, material in mouth.items():
        assert material.albedo.dtype == np.float32 and 0.01 <= material.albedo.min() <= material.albedo.max() <= 0.9
        assert np.mean(material.clearcoat) > 0.3 and material.specular >= 0.4, name
        assert (2e-4 <= material.scatter).all() and (material.scatter <= 1.1e-3).all(), name
        if material.normal_map is not None:
            np.testing.assert_allclose(np.linalg.norm(material.normal_map, axis=2), 1, atol=1e-4)


def test_the_same_look_paints_the_same_and_another_seed_does_not(mouth):
    again, other = paint_mouth(MouthLook(seed=3), SIZE), paint_mouth(MouthLook(seed=4), SIZE)
    for name in ("teeth", "tongue", "enamel", "gums"):
        np.testing.assert_array_equal(mouth[name].albedo, again[name].albedo)
        assert not np.array_equal(mouth[name].albedo, other[name].albedo)


def test_teeth_are_warm_with_yellow_necks_and_grey_edges(mouth):
    albedo = mouth["teeth"].albedo
    gum, neck, middle, edge = (height(albedo, *at) for at in ((0.05, 0.2), (0.36, 0.45), (0.6, 0.75), (0.94, 0.99)))
    assert 0.5 < middle.mean() < 0.75 and middle[0] > middle[2]
    assert neck[2] / neck[0] < 0.9 * middle[2] / middle[0]
    assert edge.mean() < 0.95 * middle.mean() and edge[2] / edge[0] > middle[2] / middle[0]
    assert gum[1] < 0.55 * gum[0] and gum.mean() < 0.6 * middle.mean()


def test_every_tooth_has_its_own_shade(mouth):
    row = mouth["teeth"].albedo[int((1 - (0.51 + 0.48 * 0.68)) * SIZE)]
    columns = [int((0.5 + 0.49 * arc / 56.5) * SIZE) for arc in (-12, -4.2, 4.2, 12)]
    shades = row[columns].mean(axis=1)
    assert np.ptp(shades) > 0.004 and np.ptp(shades) < 0.15
    between = row[SIZE // 2 - 1 : SIZE // 2 + 1].mean()
    assert between < 0.97 * shades.min()  # the gap in the midline


def test_stains_gums_and_saliva_follow_the_look():
    low, high = (paint_mouth(MouthLook(yellow=x, gums=x, wet=x), SIZE) for x in (0.0, 1.0))
    assert height(high["teeth"].albedo, 0.6, 0.75)[2] < 0.7 * height(low["teeth"].albedo, 0.6, 0.75)[2]
    ratio = [(m["gums"].albedo[..., 1] / m["gums"].albedo[..., 0]).mean() for m in (low, high)]
    assert ratio[1] < 0.8 * ratio[0]
    assert np.mean(high["teeth"].clearcoat) > 2 * np.mean(low["teeth"].clearcoat)


def test_the_tongue_has_a_groove_papillae_and_a_coat(mouth):
    tongue = mouth["tongue"]
    across = np.abs(tongue.normal_map[SIZE // 3 : 2 * SIZE // 3, :, 0]).mean(axis=0)
    assert across[SIZE // 2 - 8 : SIZE // 2 + 8].max() > 2 * np.median(across)
    assert np.median(across) > 0.02
    middle, edge = (tongue.albedo[2 * SIZE // 3 :, columns].mean(axis=(0, 1)) for columns in (
        slice(SIZE // 4, 3 * SIZE // 4), slice(0, SIZE // 16)))
    assert middle[1] / middle[0] > edge[1] / edge[0]


def test_the_tongue_is_closed_in_front():
    head = load_head("template")
    part = next(part for part in head.parts if part.name == "tongue")
    faces, at = part.vertex_map[part.faces], head.neutral
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    there = {tuple(edge) for edge in ends.tolist()}
    opened = np.array([a for a, b in there if (b, a) not in there])
    assert len(opened) and at[opened, 2].max() < at[part.vertex_map, 2].mean()  # only its root ends
