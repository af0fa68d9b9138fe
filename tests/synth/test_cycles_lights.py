"""Light groups: as many pictures as suns from one render, relit by the product that Mitsuba's transport is relit by."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from assets.errors import RenderError, SpecError
from synth.lighting.envmap import EnvMap
from synth.scene import Material
from synth.transport import codec
from synth.transport.directions import Basis
from synth.transport.light import project
from synth.transport.response import flat, relight
from tests.synth.probes import AXES, front_camera, matte, sphere_subject, spot, uniform

pytestmark = pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="needs bpy")

CAMERA = front_camera(32)


@pytest.fixture(scope="module")
def renderer():
    from synth.renderers import make_renderer

    return make_renderer("cycles", "cpu")


def frame_of(renderer, subject, lights, **options):
    options = {"samples": 64, "seed": 1, "lobes": False} | options
    (frame,) = renderer.render(subject, [CAMERA], [[light] for light in lights], **options)
    return frame


@pytest.fixture(scope="module")
def grey(renderer):
    """A grey sphere, traced under a white sky and a spot, with its transport."""
    return frame_of(renderer, sphere_subject(matte(0.5)), [uniform(), spot((1, 0, 0), cosine=0.8)], transport=True)


def test_white_light_is_the_flat_image(grey):
    inside = grey.channels["alpha"] == 1
    ours = flat(grey.transport)[inside]
    assert ours.mean() == pytest.approx(grey.channels["flat"][inside].mean(), rel=0.01)
    assert np.abs(ours - grey.channels["flat"][inside]).mean() < 0.05 * ours.mean()


def test_a_mirror_sees_suns_of_radiance_one(renderer):
    """Of the sky that a sharp reflection sees, gaps and overlaps of the discs cancel."""
    gloss = sphere_subject(Material(np.zeros(3, np.float32), roughness=0.0, specular=1.0))
    frame = frame_of(renderer, gloss, [uniform()], transport=True, samples=256)
    middle = slice(11, 21)  # where Fresnel's reflectance is all but F0 = 8 %
    assert flat(frame.transport)[middle, middle].mean() == pytest.approx(
        frame.channels["flat"][middle, middle].mean(), rel=0.04)


def test_each_axis_lights_its_own_side(grey):
    transport = grey.transport
    for name, axis in AXES.items():
        light = spot(axis, cosine=0.8)
        image = relight(transport, project(light, transport.basis)[None])[0].mean(axis=-1)
        right, up = image[:, 16:].sum() - image[:, :16].sum(), image[:16].sum() - image[16:].sum()
        towards = np.array([right, up]) / image.sum() if name != "-Z" else np.zeros(2)
        np.testing.assert_allclose(towards, 0.75 * np.array(axis[:2]), atol=0.15, err_msg=name)
    front, back = (relight(transport, project(spot(axis, cosine=0.8), transport.basis)[None]).mean()
                   for axis in ((0, 0, 1), (0, 0, -1)))
    assert front > 20 * back


def test_it_comes_near_to_the_map_itself(grey):
    """A spot of 37 degrees about the axis is blurred by bins of 18, but has its power."""
    light = spot((1, 0, 0), cosine=0.8)
    ours, traced = relight(grey.transport, project(light, grey.transport.basis)[None])[0], grey.channels["rgb.001"]
    assert ours.mean() == pytest.approx(traced.mean(), rel=0.05)
    assert np.abs(ours - traced).mean() < 0.25 * traced.mean()


def test_pictures_are_the_product(renderer, grey):
    lights = [uniform(), spot((0, 1, 0), cosine=0.8)]
    frame = frame_of(renderer, sphere_subject(matte(0.5)), lights, method="light_groups", transport=True)
    vectors = np.stack([project(light, frame.transport.basis) for light in lights])
    for number, image in enumerate(relight(frame.transport, vectors)):
        np.testing.assert_array_equal(image, frame.channels[f"rgb.{number:03d}"])
    np.testing.assert_array_equal(frame.transport.response, grey.transport.response)  # the same seed, the same bits
    assert "diffuse.000" not in frame.channels and renderer.describe("light_groups")["lights"] == 121


def test_nothing_of_it_is_left(renderer, grey):
    """A picture after light groups is the one before, to the bit."""
    again = frame_of(renderer, sphere_subject(matte(0.5)), [uniform(), spot((1, 0, 0), cosine=0.8)])
    for name, image in again.channels.items():
        np.testing.assert_array_equal(image, grey.channels[name], err_msg=name)
    assert again.transport is None


def test_groups_add_up_to_the_whole(renderer, grey):
    """121 suns at once, each in its group, and in a picture without groups."""
    scene = renderer._scene
    scene._world.show(0.0)
    with scene._suns.shining():
        passes = scene._render(16, 3)
    total = np.sum([image for name, image in passes.items() if name.startswith("Combined_")], axis=0)
    np.testing.assert_allclose(total[..., :3], passes["Combined"][..., :3], rtol=1e-4, atol=1e-5)


def test_it_survives_compression(grey):
    """The dataset's ``transport`` member takes it as it is."""
    white = EnvMap(np.ones((2, 4, 3), np.float32))
    vector = project(white, grey.transport.basis)[None]
    back = codec.decode(codec.encode(grey.transport), size=(32, 32)).expand()
    assert back.basis == grey.transport.basis
    np.testing.assert_allclose(relight(back, vector), relight(grey.transport, vector), rtol=0.02, atol=1e-3)


def test_too_many_lights_are_refused(renderer, grey):
    from synth.renderers.cycles.light_groups import LightSphere

    with pytest.raises(SpecError, match="16x16 = 256 lights, expected at most 255"):
        LightSphere(renderer._scene.scene, Basis(16, 1))


def test_what_cycles_cannot_do_is_refused_in_one_line(renderer):
    subject = sphere_subject(matte(0.5))
    with pytest.raises(RenderError, match="'transport' is not one of path, light_groups"):
        frame_of(renderer, subject, [uniform()], method="transport")
    with pytest.raises(RenderError, match="lobes: light groups"):
        frame_of(renderer, subject, [uniform()], method="light_groups", lobes=True)


