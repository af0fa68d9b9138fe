"""Procedural lights and the library: variety, physics, ids, splits."""

import hashlib

import numpy as np
import pytest

from assets.errors import AssetError
from synth.lighting import procedural, sphere
from synth.lighting.emitters import area_light, blackbody, small_disc
from synth.lighting.envmap import EnvMap, solid_angles
from synth.lighting.families.sunsky import SUN_RADIUS, SunSky, SunSkyParams
from synth.lighting.library import LightingLibrary, split_of


@pytest.fixture(scope="module")
def library():
    return LightingLibrary(("procedural",))


def test_catalogue_is_large_and_distinct(library):
    assert len(library) >= 2000
    assert len({entry.digest for entry in library}) == len(library)
    sample = list(library)[:: len(library) // 60]
    pixels = {hashlib.sha256(library.load(entry.id, 16).data.tobytes()).digest() for entry in sample}
    assert len(pixels) == len(sample)
    assert {entry.licence for entry in library} == {"CC0-1.0"}


def test_every_family_renders_plausible_light_at_any_size():
    for family in procedural.FAMILIES.values():
        for i in range(12):
            light_id = f"procedural/{family.name}/{i:04d}"
            small, large = procedural.render(light_id, 16), procedural.render(light_id, 64)
            mean = float(large.mean @ sphere.LUMINANCE)
            assert 0.01 < mean < 10, light_id
            # The same light at every size: area lights are anti-aliased, suns and bulbs keep their power.
            assert float(small.mean @ sphere.LUMINANCE) == pytest.approx(mean, rel=0.12), light_id


def test_ids_stand_for_the_same_light_for_ever():
    """If this fails, catalogue ids have changed their meaning: every data set made before would be wrong."""
    assert procedural.digest_of("procedural/sunsky/0042") == "9eb428d149cabcfd7c22df543d7b7b7f3dec8267"
    assert procedural.digest_of("procedural/gels/0007") == "513e3ddae1d7bcea229ebd558a217b20d7bbc927"
    assert procedural.digest_of("procedural/window/0100") == "2736440f95e91c496ae02e3c7300a0676e97c3e8"
    assert procedural.params_of("procedural/sunsky/0042") == procedural.params_of("procedural/sunsky/0042")


@pytest.mark.parametrize("azimuth", [0, 90, 180, -90, 37])
@pytest.mark.parametrize("elevation", [15, 45, 75])
def test_sun_stands_where_its_angles_say(azimuth, elevation):
    envmap = SunSky().render(SunSkyParams(azimuth=azimuth, elevation=elevation, turbidity=2.5), 64)
    expected = sphere.direction_from_angles(azimuth, elevation)
    brightest = np.unravel_index(envmap.luminance.argmax(), envmap.luminance.shape)
    assert np.degrees(np.arccos(sphere.directions(64)[brightest] @ expected)) < 3
    assert np.degrees(np.arccos(envmap.dominant_direction @ expected)) < 25  # the sky pulls it up, the ground down


def test_daylight_has_daylight_numbers():
    """Clear noon: 60-110 klx from the sun, 8-35 klx from the sky (bright, as Preetham is); low suns are redder."""
    noon = SunSky().render(SunSkyParams(azimuth=0, elevation=60, turbidity=3), 128)
    sun_texels = noon.luminance > 100
    up = np.maximum(sphere.directions(128)[..., 1], 0)
    lux = noon.luminance * solid_angles(128) * 10
    assert 60 < lux[sun_texels].sum() < 110
    assert 8 < (lux * up)[~sun_texels].sum() < 35
    low = SunSky().render(SunSkyParams(azimuth=0, elevation=4, turbidity=3), 128)
    for envmap, redder_than in ((noon, 0.8), (low, 2.0)):
        sun = envmap.data.reshape(-1, 3)[envmap.luminance.argmax()]
        assert sun[0] / sun[2] > redder_than


@pytest.mark.parametrize("height", [16, 128, 333])
def test_small_discs_keep_their_power_at_every_size(height):
    expected = 2 * np.pi * (1 - np.cos(np.radians(SUN_RADIUS)))
    for direction in ([0, 1, 0], [0, 0, 1], sphere.direction_from_angles(30, 50)):
        mask = small_disc(height, np.array(direction, float), SUN_RADIUS)
        assert (mask * solid_angles(height)).sum() == pytest.approx(expected, rel=1e-5)


def test_area_lights_have_their_shape_and_side():
    direction = sphere.direction_from_angles(60, 30)
    mask = area_light(64, direction, 20, 10, falloff=0)
    centre = (mask[..., None] * solid_angles(64)[..., None] * sphere.directions(64)).sum(axis=(0, 1))
    assert np.degrees(np.arccos(min(1, centre @ direction / np.linalg.norm(centre)))) < 0.5
    # Solid angle of a rectangle a x b at distance 1: 4 asin(sin atan a sin atan b).
    expected = 4 * np.arcsin(np.sin(np.radians(20)) * np.sin(np.radians(10)))
    assert (mask * solid_angles(64)).sum() == pytest.approx(expected, rel=0.01)
    assert ((mask > 0.01) & (mask < 0.99)).any()
    ring = area_light(64, direction, 20, 20, shape="disc", hollow=0.7, falloff=0)
    row, column = (int(round(float(v))) for v in sphere.to_texels(direction, 64))
    assert ring[row, column] == 0 and ring.max() > 0.99


def test_blackbody_colours():
    assert blackbody(2700)[0] > 1.5 > blackbody(2700)[2]
    assert blackbody(12000)[2] > blackbody(12000)[0]
    np.testing.assert_allclose(blackbody(6500), 1, atol=0.12)
    assert blackbody(3000) @ sphere.LUMINANCE == pytest.approx(1)


def test_splits_are_stable_and_of_the_size_promised(library):
    counts = {split: len(library.select(("procedural",), split)) for split in ("train", "val", "test")}
    assert sum(counts.values()) == len(library) == len(library.select(split="all"))
    assert counts["train"] / len(library) == pytest.approx(0.8, abs=0.03)
    assert min(counts.values()) / len(library) > 0.08
    parts = [{entry.id for entry in library.select(split=split)} for split in counts]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    pinned = {"procedural/sunsky/0042": "train", "procedural/gels/0000": "val", "procedural/rim/0029": "test"}
    assert {light_id: library[light_id].split for light_id in pinned} == pinned


def test_bundled_maps_fill_every_split_with_their_place():
    library = LightingLibrary(("bundled",))
    if not len(library):
        pytest.skip("bpy is not installed, so there are no bundled maps")
    assert {entry.split for entry in library} == {"train", "val", "test"}
    assert library["bundled/sunset"].split == split_of("https://polyhaven.com/a/venice_sunset")
    envmap = library.load("bundled/sunset", 32)
    assert envmap.height == 32 and envmap.peak_over_mean > 5
    assert library.load("bundled/sunset", 32) is envmap


def test_folder_source(tmp_path):
    data = np.random.default_rng(0).random((16, 32, 3), np.float32)
    EnvMap(data).save(tmp_path / "mine.exr")
    library = LightingLibrary((str(tmp_path),))
    (entry,) = library.select((str(tmp_path),), "all")
    np.testing.assert_array_equal(library.load(entry.id, 16).data, data)
    with pytest.raises(AssetError, match="existing folder"):
        LightingLibrary((str(tmp_path / "missing"),))


def test_unknown_ids_name_their_neighbours(library):
    with pytest.raises(AssetError, match="procedural/sunsky/0012"):
        library["procedural/sunski/0012"]
    with pytest.raises(AssetError, match="expected procedural"):
        procedural.render("procedural/sunsky/12", 16)


def test_cache_is_bounded():
    library = LightingLibrary(("procedural",), cached_maps=2)
    first = library.load("procedural/points/0000", 8)
    library.load("procedural/points/0001", 8)
    assert library.load("procedural/points/0000", 8) is first
    library.load("procedural/points/0002", 8)
    library.load("procedural/points/0003", 8)
    assert library.load("procedural/points/0000", 8) is not first
