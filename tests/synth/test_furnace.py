"""The white furnace: under even light of radiance 1 nothing may shine brighter than the light."""

import os

import numpy as np
import pytest

from synth.renderers import make_renderer
from synth.scene import Fibre, Material
from tests.synth.flesh import cabinet, camera_on, place_of, views
from tests.synth.probes import uniform


def tone(*colour: float) -> np.ndarray:
    return np.float32(colour)


CLOTH = Material(tone(0.8, 0.8, 0.8), roughness=0.9, specular=0.0)
KINDS = {
    "skin": ("flesh", Material(tone(0.8, 0.6, 0.5), roughness=0.45, specular=0.35, clearcoat=0.2)),
    "teeth": ("flesh", Material(tone(0.75, 0.7, 0.6), roughness=0.3, specular=0.6, clearcoat=0.5)),
    "coat": ("stone", Material(tone(0.8, 0.8, 0.8), roughness=0.4, clearcoat=1.0, clearcoat_gloss=0.97)),
    "cloth": ("stone", Material(tone(0.8, 0.8, 0.8), roughness=0.9, specular=0.2)),
    "hair": ("hair", Material(tone(0.5, 0.5, 0.5), roughness=0.6)),
    "cornea": ("cornea", CLOTH),
    "lens": ("lens", CLOTH),
}
"""What is tried, as which body of a cabinet."""


@pytest.fixture(scope="module")
def renderer():
    return make_renderer("mitsuba", os.environ.get("PIXELCUBE_TEST_VARIANT", "auto"))


@pytest.fixture(scope="module")
def furnace(renderer):
    """Kind to (pixels, 3) means of 3x3 pixels that lie wholly on it."""
    def thirds(image: np.ndarray) -> np.ndarray:
        return image.reshape(16, 3, 16, 3, -1).swapaxes(1, 2).reshape(16, 16, 9, -1)

    found = {}
    for kinds in (("skin", "coat", "hair", "cornea", "lens"), ("teeth", "cloth")):
        subject = cabinet(Fibre(0.02), **dict(KINDS[kind] for kind in kinds))
        bodies = [KINDS[kind][0] for kind in kinds]
        for kind, body, channels in zip(kinds, bodies, views(renderer, subject, bodies, [uniform()]), strict=True):
            edge = camera_on(body).project(place_of(body) + [[0.1, 0, 0], [0, 0, 0]])[0]
            y, x = np.mgrid[:16, :16] * 3 + 1.5
            on = np.hypot(x - edge[1, 0], y - edge[1, 1]) < 1.05 * abs(edge[0, 0] - edge[1, 0])
            whole = thirds(channels["alpha"]).min(axis=(2, 3)) == 1
            found[kind] = thirds(channels["flat"]).mean(axis=2)[on & whole]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_shines_brighter_than_the_light(furnace, kind):
    assert len(furnace[kind]) > 30
    assert furnace[kind].max() < 1.04, "324 samples' noise"
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
    subject = cabinet(stone=Material(texture, roughness=1.0, specular=0.0))
    channels, = views(renderer, subject, ["stone"], [uniform()])
    flat, albedo = (channels[name][12:36, 12:36].mean(axis=(0, 1)) for name in ("flat", "albedo"))
    np.testing.assert_allclose(flat, albedo, rtol=0.06)
