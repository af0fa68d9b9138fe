"""What light transport knows about a surface, and about what hides a source, against asking Mitsuba and every hit."""

import os

import numpy as np
import pytest

from synth.renderers import make_renderer
from synth.scene import Material
from synth.transport.directions import Basis
from synth.transport.light import split_sources
from tests.synth.flesh import cabinet, camera_on
from tests.synth.test_transport_render import sun


def bumpy():
    """A cabinet whose stone is bumpy and lacquered; the ball under the hair is Lambertian."""
    bumps = np.random.default_rng(0).normal(0, 0.4, (32, 32, 3)).astype(np.float32)
    bumps[..., 2] = 1
    bumps /= np.linalg.norm(bumps, axis=-1, keepdims=True)
    return cabinet(
        stone=Material(np.float32([0.8, 0.6, 0.4]), roughness=0.3, specular=0.7, clearcoat=0.8, clearcoat_gloss=0.6,
                       normal_map=bumps),
        flesh=Material(np.float32([0.6, 0.35, 0.25]), roughness=0.35, specular=0.5),
        hair=Material(np.float32([0.4, 0.5, 0.8]), roughness=1.0, specular=0.0, normal_map=bumps))


@pytest.fixture(scope="module")
def portrait():
    """The cabinet, seen before its stone."""
    if make_renderer("mitsuba", os.environ.get("PIXELCUBE_TEST_VARIANT", "auto")).variant == "scalar_rgb":
        pytest.skip("the scalar variant has no light transport")
    from synth.renderers.mitsuba.scene import PortraitScene

    subject = bumpy()
    scene = PortraitScene(subject, 48, 48, 32)
    scene.set_materials(subject.materials_at(0))
    scene.set_frame(subject.vertices[0], camera_on("stone"))
    return scene


@pytest.mark.parametrize("body", ["hair", "stone"])
def test_surfaces_answer_as_mitsubas_do(portrait, body):
    """Its BSDF in random directions, seen from either side: of a Lambertian ball between strands, and of the stone."""
    import drjit as dr
    import mitsuba as mi

    from synth.renderers.mitsuba.path import camera_rays

    portrait.set_frame(bumpy().vertices[0], camera_on(body))
    pixels = np.flatnonzero(portrait.touched).astype(np.uint32)
    sampler, ray = camera_rays(portrait.scene.sensors()[0], pixels, 16, 1)
    si = portrait.scene.ray_intersect(ray)
    si.wi.z = dr.select(sampler.next_1d() < 0.5, si.wi.z, -si.wi.z)
    palette = portrait.palette()
    known = si.is_valid() & (palette.number(si, True) != 0)
    surface = palette.read(si, si.bsdf(), known)
    light = mi.warp.square_to_uniform_sphere(sampler.next_2d())
    facing = known & surface.facing(light)
    gloss = dr.select(facing, surface.gloss(light), 0)
    value = dr.select(facing, surface.diffuse(light), 0) + gloss
    context, local = mi.BSDFContext(), si.to_local(light)
    assert 0.3 < np.array(facing).sum() / np.array(known).sum() < 0.6
    assert np.array(known).sum() > 10_000 and np.array(gloss).any() == (body == "stone")
    expected = si.bsdf().eval(context, si, local, known)
    np.testing.assert_allclose(np.array(value), np.array(expected), rtol=2e-3, atol=1e-5)
    expected = portrait.surfaces.twin(si, known).eval(context, si, local, known).x
    np.testing.assert_allclose(np.array(gloss), np.array(expected), rtol=2e-3, atol=1e-5)


def test_a_few_hits_speak_for_a_pixel(portrait):
    """What is lit by a sun where probes agree, against asking every hit what it sees."""
    from synth.renderers.mitsuba.first_hits import FirstHits
    from synth.renderers.mitsuba.sources import PROBES, SourceLight

    _, sources = split_sources(sun(), Basis())
    for rough, chosen in ((False, ~portrait.edges()), (True, portrait.edges())):
        pixels = np.flatnonzero((portrait.touched > 0) & chosen).astype(np.uint32)
        hits = FirstHits(portrait.scene, portrait.scene.sensors()[0], portrait.surfaces, portrait.palette(), pixels, 36,
                         1, rough)
        light = SourceLight(hits, sources, True)
        (few, few_gloss), (every, every_gloss) = light.radiance(), light.radiance(probes=0)
        assert every.mean() > 0 and (every_gloss <= every + 1e-6).all()
        if rough:
            np.testing.assert_array_equal(few, every)
            continue
        np.testing.assert_allclose(few.mean(), every.mean(), rtol=0.003)
        np.testing.assert_allclose(few_gloss.mean(), every_gloss.mean(), rtol=0.01)
        assert np.sqrt(((few - every) ** 2).mean()) < 0.03 * every.mean()
        free, mixed = light._asked(PROBES)
        assert len(free) > 0 and 0 < len(mixed) < 0.6 * len(pixels)


def test_pixels_know_what_lies_beside_them():
    from synth.renderers.mitsuba.first_hits import neighbours

    up, left, right, down = neighbours(np.uint32([1, 5, 6, 9]), 4)
    np.testing.assert_array_equal(up, [0, 0, 2, 1])
    np.testing.assert_array_equal(left, [0, 1, 1, 3])
    np.testing.assert_array_equal(right, [0, 2, 2, 3])
    np.testing.assert_array_equal(down, [1, 3, 2, 3])
