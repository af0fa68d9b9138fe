"""Pictures by way of light transport against those of the path tracer, and what holds for both."""

import os

import numpy as np
import pytest

from assets.errors import RenderError
from synth.camera.camera import Camera, look_at
from synth.dataset.pack import pack
from synth.dataset.reader import Dataset
from synth.dataset.validate import validate
from synth.dataset.writer import write_clip
from synth.lighting.envmap import EnvMap
from synth.lighting.library import LightingLibrary
from synth.lighting.sphere import directions, solid_angles
from synth.renderers import make_renderer
from synth.renderers.mitsuba.renderer import check_method
from synth.scene import Material
from synth.transport.directions import Basis
from synth.transport.light import project_all, split_sources
from synth.transport.on_the_fly import LightingPairs
from synth.transport.response import relight
from tests.synth.dataset.clips import INFO, make_spec
from tests.synth.flesh import cabinet, camera_on, place_of
from tests.synth.probes import AXES, spot, uniform

BODIES = ("stone", "flesh", "hair", "eye")
GEOMETRY = ("alpha", "albedo", "normal", "depth", "position", "flow")
PATHS = 128


@pytest.fixture(scope="module")
def renderer():
    renderer = make_renderer("mitsuba", os.environ.get("PIXELCUBE_TEST_VARIANT", "auto"))
    if renderer.variant == "scalar_rgb":
        pytest.skip("the scalar variant has no light transport")
    return renderer


def sky() -> EnvMap:
    """Soft coloured light from everywhere, most from above and the right."""
    x, y, z = np.moveaxis(directions(32), -1, 0)
    return EnvMap(np.stack([1 + 0.5 * x + 0.4 * y, 1 + 0.6 * y, 1 + 0.3 * y * z], axis=-1).astype(np.float32))


def sun() -> EnvMap:
    """One hot texel above the right shoulder of the camera, in a dim sky."""
    data = np.full((64, 128, 3), 0.1, np.float32)
    row, column = 18, 108
    data[row, column] += np.float32([3, 2.7, 2.2]) / solid_angles(64)[row, 0]
    return EnvMap(data)


LIGHTS = [sky(), sun(), *(spot(axis) for axis in AXES.values())]


def frames(renderer, bodies, lights, **options):
    """The cabinet seen once before each body; the white stone from aslant."""
    subject = cabinet(stone=Material(np.ones(3, np.float32), roughness=0.5, specular=0.0),
                      flesh=Material(np.float32([0.6, 0.35, 0.25]), roughness=0.35, specular=0.5),
                      eye=Material(np.float32([0.2, 0.3, 0.4]), roughness=0.5, clearcoat=0.3))
    subject = subject.frames([0] * len(bodies))
    aslant = Camera(look_at(place_of("stone") + [0.36, 0.3, 0.37], place_of("stone")), 85.0, 48, 48)
    cameras = [aslant if body == "stone" else camera_on(body) for body in bodies]
    return list(renderer.render(subject, cameras, [[light] * len(bodies) for light in lights], seed=3,
                                **{"samples": 36, "paths": PATHS} | options))


@pytest.fixture(scope="module")
def relit(renderer):
    return dict(zip(BODIES, frames(renderer, BODIES, LIGHTS, method="transport"), strict=True))


@pytest.fixture(scope="module")
def traced(renderer):
    return dict(zip(BODIES, frames(renderer, BODIES, LIGHTS[:2], samples=400), strict=True))


@pytest.fixture(scope="module")
def kept(renderer):
    """The eye, by path tracing, with its transport."""
    return frames(renderer, ["eye"], LIGHTS[:2], transport=True)[0]


@pytest.fixture(scope="module")
def again(renderer):
    """The same by transport."""
    return frames(renderer, ["eye"], LIGHTS[:2], method="transport", transport=True)[0]


def test_both_estimators_agree(relit, traced):
    assert [len(split_sources(light, Basis())[1]) for light in LIGHTS[:2]] == [0, 1]
    for name in ("rgb.000", "rgb.001", "flat"):
        for body in BODIES:
            mine, its = relit[body].channels[name], traced[body].channels[name]
            np.testing.assert_allclose(mine.mean((0, 1)), its.mean((0, 1)), rtol=0.025, err_msg=f"{body} {name}")
            assert np.corrcoef(mine.ravel(), its.ravel())[0, 1] > 0.97, f"{body} {name}"
        mine, its = (np.mean([frame.channels[name] for frame in by.values()], axis=(0, 1, 2)) for by in (relit, traced))
        np.testing.assert_allclose(mine, its, rtol=0.015, err_msg=name)
    for lobe in ("diffuse", "specular"):
        mine, its = (by["flesh"].channels[f"{lobe}.000"].mean((0, 1)) for by in (relit, traced))
        np.testing.assert_allclose(mine, its, rtol=0.04, err_msg=lobe)


def test_light_leaves_geometry_alone(relit, traced):
    for body in BODIES:
        for name in GEOMETRY:
            np.testing.assert_array_equal(relit[body].channels[name], traced[body].channels[name], err_msg=name)


@pytest.mark.parametrize(("number", "name"), list(enumerate(AXES, 2)))
def test_the_side_that_faces_the_light_is_lit(relit, number, name):
    channels, axis = relit["stone"].channels, np.array(AXES[name], np.float64)
    image = channels[f"rgb.{number:03d}"]
    weight = image.sum(-1)[..., None]
    lit = (channels["normal"] * weight).sum((0, 1)) / weight.sum()
    visible = channels["normal"][channels["normal"].any(-1)].mean(0)
    assert (lit - visible) @ axis > 0.15, f"light from {name} lights normals about {lit}"
    away = channels["normal"] @ axis < -0.5  # but for what the other bodies throw back
    assert image[away].sum() < 0.01 * away.sum() * image.max()


def test_white_furnace(relit):
    """Nothing gives more than it gets; a white stone gives all of it."""
    for body in BODIES:
        flat = relit[body].channels["flat"]
        assert np.percentile(flat, 99) < 1.1 and flat[flat > 0].mean() < 1.005, body
    frame = relit["stone"]
    facing = (frame.channels["normal"] * -frame.camera.rays()).sum(-1) > 0.6  # Burley's model is not white aslant
    white = frame.channels["flat"][facing & (frame.channels["alpha"] == 1)]
    assert abs(white.mean() - 1) < 0.02 and white.std() < 0.03


def test_lobes_sum_to_beauty(relit):
    for body in BODIES:
        for number in range(len(LIGHTS)):
            rgb, diffuse, specular = (relit[body].channels[f"{name}.{number:03d}"]
                                      for name in ("rgb", "diffuse", "specular"))
            assert diffuse.min() >= 0 and specular.min() >= 0
            np.testing.assert_allclose(diffuse + specular, rgb, rtol=1e-6, atol=1e-7)
    assert 0.02 < relit["flesh"].channels["specular.000"].mean() / relit["flesh"].channels["rgb.000"].mean() < 0.5


def test_same_seed_same_bits(kept, again):
    """Whatever the pictures are made by."""
    for name in ("pixels", "response", "specular"):
        np.testing.assert_array_equal(getattr(kept.transport, name), getattr(again.transport, name), err_msg=name)
    for name in ("pixels", "directions", "weights"):
        one, other = (getattr(frame.transport.mirror, name) for frame in (kept, again))
        np.testing.assert_array_equal(one, other, err_msg=name)


def test_noise_follows_the_frame(again, relit):
    assert again.index != relit["eye"].index
    assert not np.array_equal(again.channels["rgb.000"], relit["eye"].channels["rgb.000"])


def test_a_kept_transport_is_the_frame_under_any_light(kept, again):
    assert (np.diff(kept.transport.pixels.astype(np.int64)) > 0).all()
    vectors = project_all(LIGHTS[:1], kept.transport.basis)
    for specular, name in ((False, "rgb.000"), (True, "specular.000")):
        picture = relight(kept.transport, vectors, LIGHTS[:1], specular)[0]
        np.testing.assert_allclose(picture, again.channels[name], atol=1e-5, err_msg=name)
    assert not np.array_equal(kept.channels["rgb.000"], again.channels["rgb.000"]), "the first is path traced"


def test_a_stored_transport_is_lit_while_training(kept, tmp_path):
    spec = make_spec(frames=1, size=(48, 48))
    write_clip(str(tmp_path), spec, [kept], INFO)
    pack(str(tmp_path))
    assert validate(str(tmp_path)) == []
    clip = Dataset.open(str(tmp_path)).clip(spec.clip_id)
    pairs = LightingPairs(LightingLibrary(("procedural",)), height=32)
    one, again, other = (next(pairs.draw(clip, np.random.default_rng(seed))) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.source, again.source)
    np.testing.assert_array_equal(one.target, again.target)
    assert not np.array_equal(one.source, one.target) and not np.array_equal(one.source, other.source)
    for picture, light in ((one.source, one.source_map), (other.target, other.target_map)):
        (expected,) = relight(kept.transport, project_all([light], kept.transport.basis), [light])
        assert np.abs(picture - expected).mean() < 0.05 * expected.mean()


def test_what_cannot_be_rendered_is_said_in_one_line(renderer):
    with pytest.raises(RenderError, match="vectorised variant, and this is scalar_rgb: use 'path'"):
        check_method("transport", False, "scalar_rgb")
    with pytest.raises(RenderError, match="scalar_rgb"):
        check_method("path", True, "scalar_rgb")
    with pytest.raises(RenderError, match="method: 'auto' is not one of path, transport"):
        frames(renderer, ["stone"], [uniform()], method="auto")
    assert renderer.describe("transport", 64)["paths"] == 64
