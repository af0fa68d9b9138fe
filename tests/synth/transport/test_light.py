"""Vectors of light: power, orientation, rotation; sources; panels."""

import numpy as np
import pytest

from assets.errors import SpecError
from synth.lighting.envmap import EnvMap, directions, rotation_from_euler, solid_angles
from synth.lighting.library import LightingLibrary
from synth.transport.directions import Basis, to_sphere
from synth.transport.light import MOST_SOURCES, SPREAD, project, project_all, split_sources
from synth.transport.panels import panel_matrix, project_panels
from tests.synth.lighting.test_envmap import AXES, sun_map

BASIS = Basis(32, 16)
FINE = BASIS.fine**2
NORMALS = np.array([d for d, _ in AXES.values()], float)


def noisy_map(height: int, lamps: int = 0) -> EnvMap:
    rng = np.random.default_rng(height)
    data = rng.random((height, 2 * height, 3), np.float32)
    for row, column in rng.integers(0, height, (lamps, 2)):
        data[row, column] += 40000 * rng.random(3, np.float32) / height
    return EnvMap(data)


def responses(normals: np.ndarray, side: int = BASIS.fine, cells: int = 8) -> np.ndarray:
    """(N, side²) irradiance on surfaces facing ``normals`` for unit radiance from each bin."""
    ticks = (np.arange(side * cells) + 0.5) / (side * cells)
    rays = to_sphere(np.stack(np.meshgrid(ticks, ticks), axis=-1)).reshape(side, cells, side, cells, 3)
    cosines = np.maximum(rays.swapaxes(1, 2) @ np.asarray(normals, float).T, 0).mean(axis=(2, 3))
    return cosines.reshape(side * side, -1).T * (4 * np.pi / side**2)


def powers(vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    fine, coarse = vector[:FINE].astype(np.float64), vector[FINE:].astype(np.float64)
    return fine.mean(axis=0) * 4 * np.pi, coarse.mean(axis=0) * 4 * np.pi


# --- bins -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("height", [2, 3, 16, 128, 600])
def test_power_and_constants_are_kept_at_any_height(height):
    envmap = noisy_map(height)
    vector = project(envmap, BASIS)
    assert vector.shape == (BASIS.size, 3) and vector.dtype == np.float32 and (vector >= 0).all()
    for power in powers(vector):
        np.testing.assert_allclose(power, envmap.mean * 4 * np.pi, rtol=2e-6)
    even = project(EnvMap(np.full((height, 2 * height, 3), 0.75, np.float32)), BASIS)
    np.testing.assert_allclose(even, 0.75, rtol=1e-4)


def test_a_batch_is_its_maps():
    maps = [noisy_map(16), noisy_map(64), EnvMap(np.zeros((4, 8, 3), np.float32))]
    np.testing.assert_array_equal(project_all(maps, BASIS), [project(light, BASIS) for light in maps])
    assert (project_all(maps, BASIS)[2] == 0).all()


@pytest.mark.parametrize("axis", AXES)
def test_a_lamp_falls_into_the_bin_that_is_nearest(axis):
    direction, place = AXES[axis]
    vector = project(sun_map(128, *place(128)), BASIS)[:, 0]
    lamp = directions(128)[place(128)]
    for side, bins in ((32, vector[:FINE]), (16, vector[FINE:])):
        centres = BASIS.centres(side)
        assert bins.argmax() == (centres @ lamp).argmax()
        mean = bins @ centres / bins.sum()
        assert mean @ direction / np.linalg.norm(mean) > np.cos(np.radians(11))


def test_a_quarter_turn_permutes_the_bins():
    envmap, turn = noisy_map(64), rotation_from_euler(90)
    moved = BASIS.bins(BASIS.centres(32) @ turn.T, 32)
    assert sorted(moved) == list(range(FINE))
    np.testing.assert_allclose(project(envmap.rotated(turn), BASIS)[moved], project(envmap, BASIS)[:FINE], rtol=1e-4)


def test_irradiance_turns_with_the_map():
    envmap = LightingLibrary(("procedural",)).load("procedural/studio/0011", 64)
    turn = rotation_from_euler(35, -20, 10)
    turned = responses(NORMALS @ turn.T) @ project(envmap.rotated(turn), BASIS)[:FINE]
    np.testing.assert_allclose(turned, responses(NORMALS) @ project(envmap, BASIS)[:FINE], rtol=0.01)
    np.testing.assert_allclose(turned, envmap.irradiance(NORMALS), rtol=0.01)


# --- sources --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "lamps"), [(2, 1), (16, 3), (64, 20), (128, 4), (600, 2)])
def test_a_split_map_keeps_its_power(height, lamps):
    envmap = noisy_map(height, lamps)
    vector, sources = split_sources(envmap, BASIS)
    assert len(sources) <= MOST_SOURCES and (vector >= 0).all()
    fine, coarse = powers(vector)
    for source in sources:
        assert source.directions.shape == (SPREAD, 3) and source.directions.dtype == np.float32
        assert source.irradiance.shape == (3,) and (source.irradiance >= 0).all()
        np.testing.assert_allclose(np.linalg.norm(source.directions, axis=1), 1, atol=1e-5)
        fine = fine + source.irradiance
    np.testing.assert_allclose(fine, envmap.mean * 4 * np.pi, rtol=5e-6)
    np.testing.assert_allclose(coarse, envmap.mean * 4 * np.pi, rtol=5e-6)
    np.testing.assert_array_equal(vector[FINE:], project(envmap, BASIS)[FINE:])


@pytest.mark.parametrize("row", [0, 1, 40, 64, 127])
@pytest.mark.parametrize("column", [0, 3, 128, 255])
def test_a_sun_is_found_wherever_it_stands(row, column):
    sun = sun_map(128, row, column, radiance=20 / solid_angles(128)[row, 0], ambient=1)
    vector, (source,) = split_sources(sun, BASIS)
    np.testing.assert_allclose(source.irradiance, [20, 20, 20], rtol=1e-3)
    np.testing.assert_allclose(vector[:FINE], 1, rtol=1e-3)
    mean = source.directions.mean(axis=0)
    mean /= np.linalg.norm(mean)
    assert np.linalg.norm(mean - directions(128)[row, column]) < np.radians(0.75 if row in (0, 127) else 0.05)


def test_a_source_is_as_soft_as_its_texels_look():
    """The share of it above an edge is that of the bilinear picture of one texel: a tent, two texels wide."""
    (source,) = split_sources(sun_map(128, 60, 130, radiance=50000, ambient=1), BASIS)[1]
    theta = np.arccos(source.directions[:, 1]) * 128 / np.pi - 60.5
    phi = (np.arctan2(source.directions[:, 0], -source.directions[:, 2]) + np.pi) * 128 / np.pi - 130.5
    for offset in (theta, phi):
        for edge, share in ((-1.001, 0), (-0.5, 0.125), (0, 0.5), (0.5, 0.875), (1.001, 1)):
            assert (offset < edge).mean() == pytest.approx(share, abs=0.035)
    first = np.stack([theta, phi])[:, :8]
    assert np.abs(first.mean(axis=1)).max() < 0.2 and first.std(axis=1).min() > 0.3


def test_two_texels_share_the_directions_by_power():
    data = np.ones((128, 256, 3), np.float32)
    data[50, 20], data[52, 20] = 30000, 10000
    _, (source,) = split_sources(EnvMap(data), BASIS)
    upper = np.arccos(source.directions[:, 1]) * 128 / np.pi < 51.5
    assert upper.mean() == pytest.approx(0.75, abs=0.04)


def test_a_lamp_fades_into_a_source():
    """One that brightens in small steps is never traced all at once."""
    traced = []
    for power in np.linspace(0, 1, 41):
        lamp = sun_map(128, 60, 130, radiance=1 + power / solid_angles(128)[60, 0], ambient=1)
        _, sources = split_sources(lamp, BASIS, 0.003)
        traced.append(sum(float(source.irradiance[0]) for source in sources))
    assert traced[0] == 0 and traced[-1] == pytest.approx(1, rel=1e-3)
    assert 0 <= np.diff(traced).min() and np.diff(traced).max() < 0.15


def test_wide_and_even_light_has_no_source():
    data = np.full((64, 128, 3), 0.1, np.float32)
    data[20:30, 40:56] = 50
    for envmap in (EnvMap(data), noisy_map(64), EnvMap(np.zeros((8, 16, 3), np.float32))):
        vector, sources = split_sources(envmap, BASIS)
        assert sources == []
        np.testing.assert_allclose(vector, project(envmap, BASIS), rtol=1e-6)


def test_sunny_maps_have_sources_and_soft_ones_none():
    library = LightingLibrary(("procedural", "bundled"))
    counts = {"points/0001": 1, "sunsky/0011": 1, "sunsky/0021": 0, "gradient/0001": 0, "studio/0001": 0}
    counts = {f"procedural/{name}": count for name, count in counts.items()}
    if "bundled/sunrise" in {entry.id for entry in library}:
        counts |= {"bundled/sunrise": 1, "bundled/city": 1, "bundled/courtyard": 0}
    for name, count in counts.items():
        envmap = library.load(name, 128)
        vector, sources = split_sources(envmap, BASIS)
        assert len(sources) == count, name
        for source in sources:
            brightest = directions(128).reshape(-1, 3)[envmap.luminance.argmax()]
            assert source.directions.mean(axis=0) @ brightest > np.cos(np.radians(3))
        # Where light is sharp the sources make irradiance exact that bins alone get wrong by several per cent.
        lit = responses(NORMALS) @ vector[:FINE]
        for source in sources:
            lit += np.maximum(NORMALS @ source.directions.T, 0).mean(axis=1)[:, None] * source.irradiance
        truth = envmap.irradiance(NORMALS)
        np.testing.assert_allclose(lit, truth, rtol=0.01, atol=0.005 * truth.max(), err_msg=name)


def test_a_split_is_repeated_to_the_bit():
    envmap = noisy_map(64, 20)
    (a, first), (b, second) = (split_sources(light, BASIS, 0.003) for light in (envmap, EnvMap(envmap.data.copy())))
    np.testing.assert_array_equal(a, b)
    assert len(first) > 1
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.directions, other.directions)


# --- panels ---------------------------------------------------------------------------------------------------------


def wall(normal: np.ndarray, distance: float, half: float) -> tuple[np.ndarray, np.ndarray]:
    """Centre and half axes of a square panel that shines along ``normal``, standing at the other end of it."""
    across = np.roll(normal, 1)
    return -distance * normal, half * np.stack([across, np.cross(normal, across)])


@pytest.mark.parametrize("axis", AXES)
def test_a_far_small_panel_is_a_point(axis):
    direction = np.array(AXES[axis][0], float)
    centre, axes = wall(-direction, 10.0, 0.05)
    tilted = axes @ rotation_from_euler(20, 10, 0).T
    cosine = -np.cross(*tilted) @ direction / 0.05**2
    vector = project_panels([centre], [tilted], [[1, 2, 3]], BASIS)
    wanted = 0.1**2 / 10**2 * cosine * np.array([1, 2, 3])
    for power in powers(vector):
        np.testing.assert_allclose(power, wanted, rtol=1e-3)
    mean = vector[:FINE, 0] @ BASIS.centres(32)
    assert mean @ direction / np.linalg.norm(mean) > np.cos(np.radians(5))
    dimmed = project_panels([centre], [tilted], [[1, 2, 3]], BASIS, exponent=2)
    np.testing.assert_allclose(dimmed, vector * cosine**2, rtol=0.02)
    behind = project_panels([centre], [tilted[::-1]], [[1, 2, 3]], BASIS)
    assert (behind == 0).all()
    moved = project_panels([centre + [1, 2, 3]], [tilted], [[1, 2, 3]], BASIS, eye=[1, 2, 3])
    np.testing.assert_allclose(moved, vector, rtol=1e-6)


def test_a_cube_of_panels_is_a_furnace():
    centres, axes = (np.array(part) for part in zip(*(wall(n, 1.0, 1.0) for n in -NORMALS), strict=True))
    for eye in ((0, 0, 0), (0.1, -0.2, 0.1)):
        vector = panel_matrix(centres, axes, BASIS, eye) @ np.ones((6, 3), np.float32)
        for power in powers(vector):
            np.testing.assert_allclose(power, 4 * np.pi, rtol=1e-5)
        np.testing.assert_allclose(vector, 1, atol=0.08)
        assert vector.std() < 0.02


def test_panels_that_cannot_be_are_refused():
    centre, axes = wall(np.array([0.0, 0, 1]), 1.0, 0.1)
    with pytest.raises(SpecError, match=r"radiance: .*\(1, 3\)"):
        project_panels([centre], [axes], [1, 1, 1], BASIS)
    with pytest.raises(SpecError, match="half_axes: a panel has no area"):
        panel_matrix([centre], [[axes[0], axes[0]]], BASIS)
    with pytest.raises(SpecError, match="centres: "):
        panel_matrix([[0, 0, np.nan]], [axes], BASIS)
    with pytest.raises(SpecError, match="exponent: -1"):
        panel_matrix([centre], [axes], BASIS, exponent=-1)
    assert panel_matrix(np.zeros((0, 3)), np.zeros((0, 2, 3)), BASIS).shape == (BASIS.size, 0)
