"""The white furnace: under even light of radiance 1 nothing may shine brighter than the light."""

import os

import numpy as np
import pytest

from synth.camera.camera import Camera, look_at
from synth.renderers import make_renderer
from synth.scene import Fibre, Glass, Material
from tests.synth.flesh import ball, hairy, shelled, together
from tests.synth.probes import front_camera, sphere_subject, uniform

FLESH = np.float32([3e-3, 1.5e-3, 0.8e-3])


@pytest.fixture(scope="module")
def renderer():
    return make_renderer("mitsuba", os.environ.get("PIXELCUBE_TEST_VARIANT", "auto"))


def tone(*colour: float) -> np.ndarray:
    return np.float32(colour)


KINDS = {
    "skin": ball(Material(tone(0.8, 0.6, 0.5), roughness=0.45, specular=0.35, clearcoat=0.2, scatter=FLESH)),
    "coat": ball(Material(tone(0.8, 0.8, 0.8), roughness=0.4, clearcoat=1.0, clearcoat_gloss=0.97)),
    "teeth": ball(Material(tone(0.75, 0.7, 0.6), roughness=0.3, specular=0.6, clearcoat=0.5, scatter=FLESH)),
    "cloth": ball(Material(tone(0.8, 0.8, 0.8), roughness=0.9, specular=0.2)),
    "hair": hairy(ball(Material(tone(0.5, 0.5, 0.5), roughness=0.6)), Fibre(0.02), count=3000),
    "cornea": shelled(ball(Material(tone(0.8, 0.8, 0.8), roughness=0.9, specular=0.0)), Glass(1.376), 1.1),
    "lens": shelled(ball(Material(tone(0.8, 0.8, 0.8), roughness=0.9, specular=0.0)), Glass(1.5, thin=True), 1.1),
}


@pytest.fixture(scope="module")
def furnace(renderer):
    """Every kind in one picture: kind to (pixels, 3) means of 2x2 pixels that lie wholly on it."""
    places = [(0.3 * (i % 4), 0.3 * (i // 4), 0.0) for i in range(len(KINDS))]
    camera = Camera(look_at(np.array([0.45, 0.15, 6.0]), np.array([0.45, 0.15, 0.0])), 180.0, 96, 96)
    frame, = renderer.render(together(list(KINDS.values()), places), [camera], [[uniform()]], samples=64, seed=0)
    flat = frame.channels["flat"].reshape(48, 2, 48, 2, 3).mean(axis=(1, 3))
    whole = frame.channels["alpha"].reshape(48, 2, 48, 2).min(axis=(1, 3)) == 1
    centres = camera.project(np.array(places))[0] / 2
    y, x = np.mgrid[:48, :48]
    radius = 0.105 / 0.3 * abs(centres[1, 0] - centres[0, 0])
    return {kind: flat[whole & (np.hypot(x + 0.5 - c[0], y + 0.5 - c[1]) < radius)]
            for kind, c in zip(KINDS, centres, strict=True)}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_shines_brighter_than_the_light(furnace, kind):
    assert len(furnace[kind]) > 30
    assert furnace[kind].max() < 1.04, "256 samples' noise"
    assert furnace[kind].mean() < 0.95


def test_flesh_has_the_colour_of_its_albedo(furnace):
    """Scattering moves light about; on the whole of a ball it takes none (gloss adds a little)."""
    red, green, blue = furnace["skin"].mean(axis=0)
    assert 0.74 < red < 0.86 and 0.56 < green < 0.66 and 0.46 < blue < 0.56


def test_glass_takes_little_and_gives_nothing(furnace):
    assert 0.62 < furnace["lens"].mean() < 0.9


def test_a_lambertian_under_even_light_is_its_texture(renderer):
    """No light is baked into an albedo map: what the renderer makes of it is the map."""
    texture = np.full((16, 32, 3), 0.3, np.float32)
    texture[:, ::2] = [0.7, 0.5, 0.4]
    subject = sphere_subject(Material(np.repeat(np.repeat(texture, 16, 0), 16, 1), roughness=1.0, specular=0.0))
    frame, = renderer.render(subject, [front_camera(32)], [[uniform()]], samples=64, seed=0)
    flat, albedo = (frame.channels[name][8:24, 8:24].mean(axis=(0, 1)) for name in ("flat", "albedo"))
    np.testing.assert_allclose(flat, albedo, rtol=0.06)
