"""Orientation, power and validation of environment maps."""

import numpy as np
import pytest

from assets.errors import AssetError, SpecError
from synth.lighting import sphere
from synth.lighting.envmap import EnvMap, directions, rotation_from_euler, solid_angles

AXES = {
    "+x": ((1, 0, 0), lambda h: (h // 2, 3 * h // 2)),
    "-x": ((-1, 0, 0), lambda h: (h // 2, h // 2)),
    "+y": ((0, 1, 0), lambda h: (0, 0)),
    "-y": ((0, -1, 0), lambda h: (h - 1, 0)),
    "+z": ((0, 0, 1), lambda h: (h // 2, 0)),
    "-z": ((0, 0, -1), lambda h: (h // 2, h)),
}


def sun_map(height: int, row: int, column: int, radiance: float = 1000.0, ambient: float = 0.0) -> EnvMap:
    data = np.full((height, 2 * height, 3), ambient, np.float32)
    data[row, column] = radiance
    return EnvMap(data)


def power(envmap: EnvMap) -> np.ndarray:
    return (envmap.data.astype(np.float64) * solid_angles(envmap.height)[..., None]).sum(axis=(0, 1))


@pytest.mark.parametrize("axis", AXES)
def test_texel_lights_the_side_that_the_convention_says(axis):
    direction, place = AXES[axis]
    envmap = sun_map(64, *place(64))
    texel = np.pi / 64
    assert np.degrees(np.arccos(envmap.dominant_direction @ direction)) < np.degrees(texel)
    normals = np.array([d for d, _ in AXES.values()], float)
    irradiance = envmap.irradiance(normals)[:, 0]
    assert list(AXES)[irradiance.argmax()] == axis
    opposite = -np.array(direction, float)
    assert envmap.irradiance(opposite).max() == 0
    assert envmap.look_up(directions(64)[place(64)]) == pytest.approx(1000, rel=1e-3)


def test_grid_follows_the_formula_and_covers_the_sphere():
    i, j, height = 5, 40, 32
    theta, phi = np.pi * (i + 0.5) / height, 2 * np.pi * (j + 0.5) / (2 * height) - np.pi
    expected = [np.sin(theta) * np.sin(phi), np.cos(theta), -np.sin(theta) * np.cos(phi)]
    np.testing.assert_allclose(directions(height)[i, j], expected, atol=1e-6)
    assert solid_angles(37).sum() * 74 == pytest.approx(4 * np.pi, rel=1e-12)
    row, column = sphere.to_texels(directions(height), height)
    np.testing.assert_allclose(row, np.broadcast_to(np.arange(height)[:, None], row.shape), atol=1e-4)
    np.testing.assert_allclose(column, np.broadcast_to(np.arange(2 * height), row.shape), atol=1e-4)


def test_euler_angles_turn_the_way_they_are_documented():
    np.testing.assert_allclose(rotation_from_euler(90) @ [0, 0, 1], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(rotation_from_euler(0, 90) @ [0, 1, 0], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(rotation_from_euler(0, 0, 90) @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    composed = rotation_from_euler(30) @ rotation_from_euler(0, 20) @ rotation_from_euler(0, 0, 10)
    np.testing.assert_allclose(rotation_from_euler(30, 20, 10), composed, atol=1e-12)


def test_rotation_moves_a_sun_exactly_where_the_matrix_says_and_loses_none_of_it():
    rng = np.random.default_rng(3)
    for trial in range(40):
        row = [0, 63, 1, 62][trial] if trial < 4 else int(rng.integers(64))
        column = int(rng.integers(128))
        envmap = sun_map(64, row, column, radiance=30000, ambient=1.0)
        rotation = rotation_from_euler(*rng.uniform(-180, 180, 3))
        turned = envmap.rotated(rotation)
        target = rotation @ directions(64)[row, column]
        near = directions(64) @ target > np.cos(np.radians(10))
        excess = (turned.data[..., 0] - 1) * near * solid_angles(64)
        assert excess.sum() == pytest.approx(29999 * solid_angles(64)[row, 0], rel=1e-3)
        centre = (excess[..., None] * directions(64)).sum(axis=(0, 1))
        assert np.degrees(np.arccos(min(1, centre @ target / np.linalg.norm(centre)))) < 0.5  # a texel is 2.8 degrees
        assert np.abs(turned.data[~near] - 1).max() < 1e-3
        np.testing.assert_allclose(power(turned), power(envmap), rtol=1e-5)


@pytest.mark.parametrize("axis", AXES)
def test_right_angle_rotations_carry_each_axis_to_its_image(axis):
    direction, place = AXES[axis]
    rotation = rotation_from_euler(90, 90, 0)
    turned = sun_map(64, *place(64)).rotated(rotation)
    assert np.degrees(np.arccos(min(1, turned.dominant_direction @ (rotation @ direction)))) < 3


def test_rotation_of_a_smooth_map_is_the_map_looked_up_backwards():
    def field(vectors):
        return np.stack([1 + 0.5 * vectors @ axis for axis in np.eye(3)], axis=-1) + (
            vectors[..., :1] * vectors[..., 1:2]
        )

    rotation = rotation_from_euler(70, -40, 25)
    turned = EnvMap(field(directions(64)).astype(np.float32)).rotated(rotation)
    error = np.abs(turned.data - field(directions(64) @ rotation))
    assert error.mean() < 5e-4 and error.max() < 1e-2  # most of it where the source's poles went


def test_identity_keeps_the_bits_and_whole_columns_roll():
    envmap = EnvMap(np.random.default_rng(0).random((16, 32, 3), np.float32))
    assert envmap.rotated(np.eye(3)) is envmap
    rolled = envmap.rotated(rotation_from_euler(3 * 360 / 32))
    np.testing.assert_array_equal(rolled.data, np.roll(envmap.data, -3, axis=1))
    part = envmap.rotated(rotation_from_euler(10))
    np.testing.assert_allclose(power(part), power(envmap), rtol=1e-6)


def test_uniform_map_stays_uniform():
    turned = EnvMap(np.ones((32, 64, 3), np.float32)).rotated(rotation_from_euler(12, 34, 56))
    np.testing.assert_allclose(turned.data, 1, atol=1e-5)


def test_improper_rotations_are_refused():
    envmap = EnvMap(np.ones((4, 8, 3), np.float32))
    for wrong in (np.diag([1, 1, -1]), np.eye(3) * 2, np.eye(4), np.full((3, 3), np.nan)):
        with pytest.raises(SpecError, match="rotation"):
            envmap.rotated(wrong)


def test_resize_conserves_power_up_and_down():
    rng = np.random.default_rng(1)
    for _ in range(25):
        source, target = (int(n) for n in rng.integers(2, 200, 2))
        envmap = EnvMap((rng.random((source, 2 * source, 3)) ** 20 * 1e4).astype(np.float32))
        resized = envmap.resized(target)
        assert resized.data.shape == (target, 2 * target, 3)
        np.testing.assert_allclose(power(resized), power(envmap), rtol=1e-5)
    uniform = EnvMap(np.full((31, 62, 3), 0.7, np.float32)).resized(12)
    np.testing.assert_allclose(uniform.data, 0.7, rtol=1e-6)
    with pytest.raises(SpecError, match="height"):
        uniform.resized(1)


def test_resize_keeps_the_sun_where_it_is():
    sun = sun_map(128, 40, 200)
    assert np.degrees(np.arccos(sun.resized(16).dominant_direction @ sun.dominant_direction)) < 180 / 16


def test_measures():
    uniform = EnvMap(np.ones((32, 64, 3), np.float32))
    np.testing.assert_allclose(uniform.mean, 1, rtol=1e-6)
    assert uniform.irradiance(np.array([0.6, 0.8, 0])) == pytest.approx(np.pi, rel=1e-3)
    assert uniform.peak_over_mean == pytest.approx(1, rel=1e-5)
    assert not uniform.dominant_direction.any() and uniform.clipped_fraction == 0
    np.testing.assert_allclose(uniform.exposed(2).data, 4)
    np.testing.assert_allclose(uniform.tinted((1, 2, 3)).mean, [1, 2, 3], rtol=1e-6)
    data = np.random.default_rng(0).random((32, 64, 3), np.float32)
    assert EnvMap(data).clipped_fraction == 0
    flat_top = data.copy()
    flat_top[4:6, 10:14] = 5.0
    assert EnvMap(flat_top).clipped_fraction == pytest.approx(8 / (32 * 64))
    assert sun_map(32, 3, 3, radiance=65504.0, ambient=1).clipped_fraction == pytest.approx(1 / (32 * 64))
    black = EnvMap(np.zeros((4, 8, 3), np.float32))
    assert black.peak_over_mean == 0 and not black.rotated(rotation_from_euler(1, 2, 3)).data.any()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.full((4, 8, 3), np.nan, np.float32), "nan"),
        (np.full((4, 8, 3), np.inf, np.float32), "not finite"),
        (np.full((4, 8, 3), -1, np.float32), "negative"),
        (np.ones((4, 7, 3), np.float32), "7 x 4"),
        (np.ones((4, 8, 4), np.float32), "shape"),
        (np.ones((4, 8, 3), np.float64), "float64"),
        (np.ones((1, 2, 3), np.float32), "2 x 1"),
        ("text", "shape"),
    ],
)
def test_hostile_arrays_are_refused_in_one_line(data, words):
    with pytest.raises(AssetError) as caught:
        EnvMap(data)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_maps_are_read_only_and_survive_saving(tmp_path):
    envmap = sun_map(8, 2, 3, radiance=123.25, ambient=0.5)
    with pytest.raises(ValueError, match="read-only"):
        envmap.data[0] = 0
    for name in ("a.exr", "a.npy", "a.hdr"):
        envmap.save(tmp_path / name)
        np.testing.assert_allclose(EnvMap.load(tmp_path / name).data, envmap.data, rtol=0.01 if "hdr" in name else 0)
    with pytest.raises(AssetError, match="expected one of"):
        envmap.save(tmp_path / "a.png")
    np.save(tmp_path / "square.npy", np.ones((8, 8, 3), np.float32))
    with pytest.raises(AssetError, match="square.npy.*8 x 8"):
        EnvMap.load(tmp_path / "square.npy")
