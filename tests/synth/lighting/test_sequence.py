"""Lighting sequences: their parameters, their frames, their pins."""

import numpy as np
import pydantic
import pytest

from assets.errors import AssetError, SpecError
from synth.lighting.envmap import EnvMap
from synth.lighting.library import LightingLibrary
from synth.lighting.sequence import (
    LightingRef,
    Played,
    SequenceSpec,
    folder_sequence,
    render_sequence,
    sample_sequence,
)
from synth.lighting.sphere import LUMINANCE, direction_from_angles, rotation_about, rotation_from_euler

SUN, BOX = "procedural/sunsky/0001", "procedural/studio/0002"


@pytest.fixture(scope="module")
def library():
    return LightingLibrary(("procedural",))


def spec_of(library, kind, *ids, **params):
    return SequenceSpec(kind=kind, maps=tuple(LightingRef.to(library[i]) for i in ids), params=params)


def test_still_is_one_object(library):
    maps = render_sequence(spec_of(library, "still", SUN, rotation=(30, 5, 0), stops=-1), library, 5, 24, 32)
    assert len(maps) == 5 and all(envmap is maps[0] for envmap in maps)
    expected = library.load(SUN, 32).rotated(rotation_from_euler(30, 5, 0)).data / 2
    np.testing.assert_array_equal(maps[0].data, expected)


@pytest.mark.parametrize("axis", [(0, 1, 0), (1, 0, 0), (1, 2, 3)])
def test_rotation_turns_about_its_axis_and_comes_back(library, axis):
    spec = spec_of(library, "rotate", BOX, axis=axis, speed=90.0, rotation=(20, 0, 0))
    maps = render_sequence(spec, library, 5, 1.0, 32)
    np.testing.assert_allclose(maps[4].data, maps[0].data, atol=1e-4)
    source = library.load(BOX, 32)
    quarter = rotation_about(axis, 90) @ rotation_from_euler(20)
    np.testing.assert_array_equal(maps[1].data, source.rotated(quarter).data)
    expected = rotation_about(axis, 180) @ maps[0].dominant_direction
    assert maps[2].dominant_direction @ expected > 0.999
    assert np.abs(maps[1].data - maps[0].data).max() > 0.1


def test_moving_key_swings_between_its_ends_with_the_promised_strength(library):
    spec = spec_of(library, "move_key", BOX, start=(-60, 10), end=(60, 40), period=4.0, ratio=5.0, colour=(2, 1, 0.5))
    maps = render_sequence(spec, library, 5, 1.0, 32)
    base = library.load(BOX, 32)
    for frame, place in ((0, (-60, 10)), (2, (60, 40)), (4, (-60, 10))):
        key = EnvMap(np.maximum(maps[frame].data - base.data, 0))
        direction = direction_from_angles(*place)
        assert key.dominant_direction @ direction > 0.999
        assert key.irradiance(direction) @ LUMINANCE == pytest.approx(5 * np.pi * (base.mean @ LUMINANCE), rel=0.01)
        assert key.mean[0] / key.mean[2] == pytest.approx(4, rel=0.01)


def test_cross_fade_ends_on_both_maps(library):
    spec = spec_of(library, "cross_fade", SUN, BOX, end_rotation=(45, 0, 0), end_stops=1.0)
    maps = render_sequence(spec, library, 5, 24, 32)
    np.testing.assert_array_equal(maps[0].data, library.load(SUN, 32).data)
    np.testing.assert_array_equal(maps[-1].data, library.load(BOX, 32).rotated(rotation_from_euler(45)).data * 2)
    np.testing.assert_allclose(maps[2].data, (maps[0].data + maps[-1].data) / 2, rtol=1e-5)
    assert len(render_sequence(spec, library, 1, 24, 32)) == 1


def test_flicker_scales_the_whole_map(library):
    waves = {"frequencies": (2.0,), "amplitudes": (0.5,), "phases": (0.0,)}
    maps = render_sequence(spec_of(library, "flicker", SUN, **waves), library, 24, 24.0, 16)
    base = library.load(SUN, 16)
    gains = np.array([float((envmap.mean / base.mean)[0]) for envmap in maps])
    expected = 2 ** (0.5 * np.sin(2 * np.pi * 2 * np.arange(24) / 24))
    np.testing.assert_allclose(gains, expected, rtol=1e-5)


@pytest.mark.parametrize(("shutter", "ripple"), [(0.0, 0.4 * np.sin(np.radians(60))), (0.24, 0.0)])
def test_a_shutter_of_whole_mains_periods_hides_the_ripple(library, shutter, ripple):
    """At 24 frames a second, 1/100 s is 0.24 of a frame; frames meet the ripple at multiples of 60 degrees."""
    silent = {"frequencies": (), "amplitudes": (), "phases": ()}
    spec = spec_of(library, "flicker", SUN, mains=100.0, mains_depth=0.4, shutter=shutter, **silent)
    means = np.array([envmap.mean[0] for envmap in render_sequence(spec, library, 24, 24.0, 16)])
    assert np.abs(means / library.load(SUN, 16).mean[0] - 1).max() == pytest.approx(ripple, abs=0.002)


def test_colour_sweep_changes_colour_and_not_the_tints_luminance(library):
    spec = spec_of(library, "colour_sweep", BOX, start=(1, 0.2, 0.2), end=(0.2, 0.2, 1), period=2.0)
    maps = render_sequence(spec, library, 3, 1.0, 16)
    base = library.load(BOX, 16).mean
    tints = [envmap.mean / base for envmap in maps]
    np.testing.assert_allclose(tints[0] / tints[0][1], [5, 1, 1], rtol=1e-4)
    np.testing.assert_allclose(tints[1] / tints[1][1], [1, 1, 5], rtol=1e-4)
    np.testing.assert_allclose(tints[2], tints[0], rtol=1e-4)
    assert [tint @ LUMINANCE for tint in tints] == pytest.approx([1, 1, 1], rel=1e-4)


def test_folder_plays_one_file_a_frame_and_loops(library, tmp_path):
    for number in (10, 1, 2):
        EnvMap(np.full((8, 16, 3), number, np.float32)).save(tmp_path / f"frame_{number}.exr")
    (tmp_path / "notes.txt").write_text("not a map")
    spec = folder_sequence(tmp_path, "CC-BY-4.0")
    maps = render_sequence(spec, library, 5, 24, 8)
    assert [float(envmap.data[0, 0, 0]) for envmap in maps] == [1, 2, 10, 1, 2]
    assert maps[3] is maps[0]
    EnvMap(np.zeros((8, 16, 3), np.float32)).save(tmp_path / "frame_2.exr")
    with pytest.raises(AssetError, match="planned with"):
        render_sequence(spec, library, 5, 24, 8)
    with pytest.raises(AssetError, match="no such folder"):
        folder_sequence(tmp_path / "missing", "CC0-1.0")
    (tmp_path / "empty").mkdir()
    with pytest.raises(AssetError, match="holds no map"):
        folder_sequence(tmp_path / "empty", "CC0-1.0")


def test_a_map_that_changed_since_planning_is_refused(library):
    ref = LightingRef.to(library[SUN]).model_copy(update={"digest": "0" * 40})
    with pytest.raises(AssetError, match="digest") as caught:
        render_sequence(SequenceSpec(kind="still", maps=(ref,)), library, 1, 24, 8)
    assert "\n" not in str(caught.value)
    with pytest.raises(SpecError, match="frames"):
        render_sequence(spec_of(library, "still", SUN), library, 0, 24, 8)


@pytest.mark.parametrize(
    ("kind", "count", "params", "words"),
    [
        ("spin", 1, {}, "still"),
        ("cross_fade", 1, {}, "2 map"),
        ("rotate", 1, {}, "speed"),
        ("rotate", 1, {"speed": 1.0, "axis": (0, 0, 0)}, "axis"),
        ("still", 1, {"yaw": 3.0}, "yaw"),
        ("still", 1, {"stops": float("nan")}, "stops"),
        ("flicker", 1, {"frequencies": (1.0,), "amplitudes": (), "phases": ()}, "each"),
        ("move_key", 1, {"start": (0, 0), "end": (1, 1), "period": 0.0}, "period"),
    ],
)
def test_wrong_parameters_are_named(library, kind, count, params, words):
    with pytest.raises(pydantic.ValidationError, match=words):
        spec_of(library, kind, *[SUN] * count, **params)


def test_drawn_sequences_are_resolved_reproducible_and_of_their_split(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(12):
        EnvMap(rng.random((8, 16, 3), np.float32)).save(tmp_path / f"place_{i}.exr")
    sources = (str(tmp_path), "procedural")
    library = LightingLibrary(sources)
    specs = [sample_sequence(np.random.default_rng(i), library, sources, "train", 0.5, 0.5, i) for i in range(64)]
    again = [sample_sequence(np.random.default_rng(i), library, sources, "train", 0.5, 0.5, i) for i in range(64)]
    assert specs == again
    assert all(SequenceSpec.model_validate_json(spec.model_dump_json()) == spec for spec in specs)
    assert all(library[ref.id].split == "train" for spec in specs for ref in spec.maps)
    real = [library[spec.maps[0].id].file is not None for spec in specs]
    dynamic = [spec.kind != "still" for spec in specs]
    assert 30 <= sum(real) <= 34 and 30 <= sum(dynamic) <= 34
    assert 12 <= sum(r and d for r, d in zip(real, dynamic, strict=True)) <= 20  # neither decides the other
    assert {spec.kind for spec in specs} >= {"still", "rotate", "move_key", "cross_fade"}
    for spec in specs[:24]:
        assert len(render_sequence(spec, library, 2, 24, 16)) == 2


def test_fractions_of_none_and_all(library):
    for index in range(8):
        rng = np.random.default_rng(index)
        assert sample_sequence(rng, library, ("procedural",), "test", 1.0, 0.0, index).kind == "still"
        assert sample_sequence(rng, library, ("procedural",), "test", 0.0, 1.0, index).kind != "still"
    with pytest.raises(AssetError, match="bundled"):
        sample_sequence(np.random.default_rng(0), library, ("bundled",), "train", 0.5, 0.5, 0)


@pytest.mark.parametrize(("kind", "params"), [("still", {}), ("rotate", {"axis": (0, 1, 0), "speed": 90.0})])
def test_maps_made_when_asked_for_are_the_same(library, kind, params):
    spec = spec_of(library, kind, SUN, **params)
    whole, played = render_sequence(spec, library, 4, 24.0, 16), Played(spec, library, 4, 24.0, 16)
    for frame in (0, 1, 1, 3, 2, 0):
        np.testing.assert_array_equal(played[frame].data, whole[frame].data)
    assert len(played) == 4 and len({id(light) for light in list(played)}) == (1 if kind == "still" else 4)
    with pytest.raises(IndexError):
        played[4]
