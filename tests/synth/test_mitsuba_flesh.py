"""Strands, glass and scattering in the Mitsuba backend, against what is known in closed form or by a slower way."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

from synth.lighting.envmap import EnvMap
from synth.lighting.sphere import directions
from synth.renderers import make_renderer
from synth.scene import Fibre, Glass, Material
from tests.synth.flesh import ball, eye, hairy, shelled
from tests.synth.probes import front_camera, matte, spot, uniform

CHECKS = np.full((16, 32, 3), 0.2, np.float32)
CHECKS[::2, ::2] = [0.8, 0.6, 0.4]


@pytest.fixture(scope="module")
def renderer():
    return make_renderer("mitsuba", os.environ.get("PIXELCUBE_TEST_VARIANT", "auto"))


@pytest.fixture
def vectorised(renderer):
    if renderer.variant.startswith("scalar"):
        pytest.skip("the scalar variant has Mitsuba's own path tracer")
    return renderer


def render(renderer, subject, lights, camera=None, samples=16, seed=0):
    frames = len(subject.vertices)
    return [frame.channels for frame in renderer.render(
        subject, [camera or front_camera(48)] * frames, [[light] * frames for light in lights], samples=samples,
        seed=seed)]


def soft() -> EnvMap:
    """A sky without edges."""
    x, y, z = np.moveaxis(directions(32), -1, 0)
    return EnvMap(np.stack([1 + 0.5 * y + 0.3 * z * x] * 3, axis=-1).astype(np.float32))


_DIGEST = """
import hashlib, sys
import numpy as np
from synth.renderers import limit_threads, make_renderer
from synth.scene import Fibre, Glass, Material
from tests.synth.flesh import ball, hairy, shelled
from tests.synth.probes import front_camera, spot
renderer = make_renderer("mitsuba", "auto")
limit_threads(int(sys.argv[1]))
flesh = ball(Material(np.full(3, 0.5, np.float32), scatter=np.float32([4e-3, 2e-3, 1e-3])))
subject = hairy(shelled(flesh, Glass(1.5, thin=True), 1.2, lambda c: c[:, 2] > 0.09), Fibre(0.3), count=300)
frame, = renderer.render(subject, [front_camera(32)], [[spot((1, 0, 0.5))]], samples=4, seed=1)
print(hashlib.blake2b(b"".join(v.tobytes() for k, v in sorted(frame.channels.items()))).hexdigest())
"""


def test_no_pixel_of_flesh_depends_on_the_number_of_threads(vectorised):
    assert len({subprocess.run([sys.executable, "-c", _DIGEST, threads], capture_output=True, text=True,
                               check=True).stdout for threads in ("1", "8")}) == 1


def test_strands_in_every_geometry_channel(renderer):
    fibre = Fibre(0.4)
    subject = hairy(ball(matte(0.5), frames=2, step=(0.012, -0.006, 0)), fibre)
    camera = front_camera(48)
    first, last = render(renderer, subject, [uniform()], camera, samples=4)
    on_hair = np.abs(first["albedo"] - fibre.colour).max(axis=-1) < 1e-4
    bare = np.abs(first["albedo"] - 0.5).max(axis=-1) < 1e-4
    assert on_hair.sum() > 100 and bare.sum() > 100
    assert (on_hair | bare | (first["depth"] == 0)).all(), "hair's albedo is the fibre's colour and nothing else"
    assert (np.linalg.norm(first["position"][on_hair], axis=-1) > 0.0995).all()
    np.testing.assert_allclose(np.linalg.norm(first["normal"][on_hair], axis=-1), 1, atol=1e-5)
    place = first["position"].astype(np.float64)
    moved = camera.project(place + [0.012, -0.006, 0])[0] - camera.project(place)[0]
    np.testing.assert_allclose(first["flow"][on_hair], moved[on_hair], atol=0.02)
    edge = (first["alpha"] > 0) & (first["alpha"] < 1)
    assert edge.sum() > 50 and not last["flow"].any()


def test_fair_hair_is_brighter_and_warmer_than_black(renderer):
    fair, black = (render(renderer, hairy(ball(matte(0.05)), Fibre(pigment)), [uniform()])[0]["flat"]
                   for pigment in (0.15, 8.0))
    assert fair.sum() > 1.3 * black.sum()
    assert fair[..., 0].sum() > 1.1 * fair[..., 2].sum()


def test_strands_follow_another_head_in_the_same_scene(renderer):
    one, other = (hairy(ball(matte(), radius=size), Fibre()) for size in (0.1, 0.07))
    render(renderer, one, [uniform()], samples=1)
    scene = renderer._scene
    warm = render(renderer, other, [uniform()], samples=4)[0]
    assert renderer._scene is scene
    renderer._scene, renderer._key = None, ()
    cold = render(renderer, other, [uniform()], samples=4)[0]
    for name in warm:
        np.testing.assert_array_equal(warm[name], cold[name], err_msg=name)


def test_living_materials_change_from_frame_to_frame(renderer):
    pale, red = (Material(np.float32([0.6, green, green])) for green in (0.5, 0.3))
    subject = dataclasses.replace(ball(pale, frames=3), living={"surface": (pale, red, red)})
    albedos = [channels["albedo"][24, 24] for channels in render(renderer, subject, [uniform()], samples=1)]
    np.testing.assert_allclose(albedos, [[0.6, 0.5, 0.5], [0.6, 0.3, 0.3], [0.6, 0.3, 0.3]], atol=1e-4)


def test_only_new_textures_are_uploaded(renderer):
    from synth.renderers.mitsuba.bsdf import LiveBsdf

    rough = np.full((8, 8), 0.5, np.float32)
    live = LiveBsdf(Material(CHECKS, rough))
    live.show(Material(CHECKS, rough))
    assert list(live._changes(Material(CHECKS.copy(), rough))) == ["base_color.data"]
    assert not live._changes(Material(CHECKS, rough))


def test_glass_shows_the_albedo_behind_it(renderer):
    bare, cornea, lens = (render(renderer, subject, [uniform()], samples=1)[0] for subject in (
        ball(Material(CHECKS)), shelled(ball(Material(CHECKS)), Glass(1.376), 1.1),
        shelled(ball(Material(CHECKS)), Glass(1.5, thin=True), 1.1)))
    np.testing.assert_allclose(lens["albedo"], bare["albedo"], atol=1e-3)
    for name in ("position", "normal", "depth"):
        np.testing.assert_allclose(lens[name], bare[name], atol=2e-4, err_msg="a lens is no geometry")
    if not renderer.variant.startswith("scalar"):
        assert np.abs(lens["alpha"] - bare["alpha"]).max() <= 6 / 64
    inside = cornea["depth"] > 0
    assert abs(np.linalg.norm(cornea["position"][inside], axis=-1) - 0.11).max() < 1e-3
    assert 0.19 < cornea["albedo"][inside].min() and cornea["albedo"].max() < 0.81
    assert np.abs(cornea["albedo"] - bare["albedo"])[inside & (bare["depth"] > 0)].max() > 0.3, "it is bent"


def test_a_cornea_glints(vectorised):
    """A small light is mirrored at the normal half-way to it, in the specular part, with Fresnel's 2.5 %."""
    black = Material(np.zeros(3, np.float32), roughness=1.0, specular=0.0)
    image = render(vectorised, shelled(ball(black), Glass(1.376), 1.1), [spot((0.5, 0.5, 0.707), radiance=100.0)],
                   samples=64)[0]
    y, x = np.unravel_index(image["specular.000"].sum(-1).argmax(), (48, 48))
    np.testing.assert_allclose(image["normal"][y, x], np.float32([0.5, 0.5, 1.707]) / 1.848, atol=0.12)
    assert 2.0 < image["specular.000"].max() < 3.2
    assert image["diffuse.000"].max() < 0.01


def test_an_iris_is_as_bright_as_under_a_true_dielectric(vectorised):
    """Straight light against Mitsuba's own path tracer, which bends it, under a map that its noise can bear."""
    import mitsuba as mi

    subject = eye(Material(np.full(3, 0.4, np.float32), roughness=1.0, specular=0.0), Glass(1.376))
    ours = render(vectorised, subject, [soft()], samples=64)[0]["rgb.000"]
    scene = vectorised._scene
    truth = mi.render(scene.scene, sensor=0, spp=256, seed=0, integrator=mi.load_dict(
        {"type": "path", "max_depth": 24, "rr_depth": 12, "hide_emitters": True}))
    truth = np.array(truth)[..., :3]
    middle = np.hypot(*(np.mgrid[:48, :48] - 23.5)) < 8
    assert abs(ours[middle].mean() / truth[middle].mean() - 1) < 0.1


def test_lenses_let_light_through(vectorised):
    """What is behind a thin lens is lit through it: dimmed twice by Fresnel, not black."""
    bare, worn = (render(vectorised, subject, [soft()], samples=64)[0]["diffuse.000"] for subject in (
        ball(matte(0.5)), shelled(ball(matte(0.5)), Glass(1.5, thin=True), 1.1)))
    ratio = worn[18:30, 18:30].mean() / bare[18:30, 18:30].mean()
    assert 0.72 < ratio < 0.92


def test_red_bleeds_into_the_shadow(vectorised):
    skin = Material(np.full(3, 0.6, np.float32), specular=0.0, roughness=1.0, scatter=np.float32([0.02, 0.008, 0.004]))
    sun = spot((1, 0, 0), cosine=0.99, radiance=300.0)
    images = [render(vectorised, ball(material), [sun], samples=64)[0]["rgb.000"]
              for material in (skin, dataclasses.replace(skin, scatter=None))]
    flesh, stone = (image[20:28, 17:23].mean(axis=(0, 1)) for image in images)  # just beyond the terminator
    assert flesh[0] > 1.5 * flesh[2] and flesh[0] > 2 * stone[0] + 1e-3
    assert stone[0] == pytest.approx(stone[2], rel=1e-3, abs=1e-6)
    totals = [image.sum(axis=(0, 1)) for image in images]
    np.testing.assert_allclose(totals[0] / totals[1], 1, atol=0.25)


def test_flesh_and_hair_are_linear_in_light(vectorised):
    """Twice the light is twice the picture, sample by sample: nothing is decided by brightness."""
    subject = hairy(shelled(ball(Material(CHECKS, scatter=np.float32([4e-3, 2e-3, 1e-3]))), Glass(1.376), 1.02,
                            lambda c: c[:, 2] > 0.09), Fibre(0.3), count=300)
    once = render(vectorised, subject, [spot((1, 0, 0.5))], samples=4, seed=3)[0]
    twice = render(vectorised, subject, [spot((1, 0, 0.5), radiance=40.0)], samples=4, seed=3)[0]
    for name in ("rgb.000", "specular.000"):
        np.testing.assert_allclose(twice[name], 2 * once[name], rtol=1e-4, atol=1e-5, err_msg=name)
