"""Strands, glass and scattering in the Mitsuba backend, against what is known in closed form or by a slower way."""

import dataclasses
import os

import numpy as np
import pytest

from synth.lighting.envmap import EnvMap
from synth.lighting.sphere import directions
from synth.renderers import limit_threads, make_renderer
from synth.scene import Fibre, Material
from tests.synth.flesh import cabinet, camera_on, place_of, surface_of, views
from tests.synth.probes import matte, spot, uniform

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


def soft() -> EnvMap:
    """A sky without edges."""
    x, y, z = np.moveaxis(directions(32), -1, 0)
    return EnvMap(np.stack([1 + 0.5 * y + 0.3 * z * x] * 3, axis=-1).astype(np.float32))


def test_no_pixel_of_flesh_depends_on_the_number_of_threads(vectorised):
    import drjit

    before, pictures, bodies = drjit.thread_count(), [], ("flesh", "hair", "lens")
    for threads in (1, 8):
        limit_threads(threads)
        pictures.append(views(vectorised, cabinet(), bodies, [spot((1, 0, 0.5))], seed=1))
    limit_threads(before)
    for body, one, other in zip(bodies, *pictures, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=f"{name} of {body}")


def test_strands_in_every_geometry_channel(renderer):
    fibre, step = Fibre(0.4), np.float32([0.012, -0.006, 0])
    subject = cabinet(fibre, hair=matte(0.5))
    subject = dataclasses.replace(subject, vertices=np.concatenate([subject.vertices, subject.vertices + step]))
    camera = camera_on("hair")
    first, last = views(renderer, subject, ["hair", "hair"], [uniform()])
    on_hair = np.abs(first["albedo"] - fibre.colour).max(axis=-1) < 1e-4
    bare = np.abs(first["albedo"] - 0.5).max(axis=-1) < 1e-4
    assert on_hair.sum() > 100 and bare.sum() > 100
    assert (on_hair | bare | (first["depth"] == 0)).all(), "hair's albedo is the fibre's colour and nothing else"
    assert (np.linalg.norm(first["position"][on_hair] - place_of("hair"), axis=-1) > 0.0995).all()
    np.testing.assert_allclose(np.linalg.norm(first["normal"][on_hair], axis=-1), 1, atol=1e-5)
    place = first["position"].astype(np.float64)
    moved = camera.project(place + step)[0] - camera.project(place)[0]
    np.testing.assert_allclose(first["flow"][on_hair], moved[on_hair], atol=0.02)
    edge = (first["alpha"] > 0) & (first["alpha"] < 1)
    assert edge.sum() > 50 and not last["flow"].any()


def test_fair_hair_is_brighter_and_warmer_than_black(renderer):
    fair, black = (views(renderer, cabinet(Fibre(pigment), hair=matte(0.05)), ["hair"], [uniform()])[0]["flat"]
                   for pigment in (0.15, 8.0))
    assert fair.sum() > 1.3 * black.sum()
    assert fair[..., 0].sum() > 1.1 * fair[..., 2].sum()


def test_strands_follow_another_head_in_the_same_scene(renderer):
    views(renderer, cabinet(), ["hair"], [uniform()])
    scene, other = renderer._scene, cabinet(size=0.07)
    warm, = views(renderer, other, ["hair"], [uniform()])
    assert renderer._scene is scene
    renderer._scene, renderer._key = None, ()
    cold, = views(renderer, other, ["hair"], [uniform()])
    for name in warm:
        np.testing.assert_array_equal(warm[name], cold[name], err_msg=name)


def test_living_materials_change_from_frame_to_frame(renderer):
    skin = surface_of("stone")
    pale, red = (cabinet(stone=Material(np.float32([0.6, green, green]))).materials[skin] for green in (0.5, 0.3))
    subject = dataclasses.replace(cabinet(stone=pale), living={skin: (pale, red, red)})
    albedos = [channels["albedo"][24, 24] for channels in views(renderer, subject, ["stone"] * 3, [uniform()])]
    np.testing.assert_allclose(albedos, [[0.6, 0.5, 0.5], [0.6, 0.3, 0.3], [0.6, 0.3, 0.3]], atol=1e-4)


def test_replayed_pictures_are_those_that_are_traced(vectorised, monkeypatch):
    """Within a frame kernels are replayed for the next pixels, and must see what has moved or changed since."""
    from synth.renderers.mitsuba import path

    subject, freeze = cabinet(), path.dr.freeze
    subject = dataclasses.replace(subject, vertices=np.concatenate([subject.vertices, subject.vertices + 0.01]),
                                  living={surface_of("hair"): (matte(0.5), matte(0.2))})
    monkeypatch.setattr(path, "PATHS", 5000)
    pictures = []
    for enabled in (True, False):
        monkeypatch.setattr(path.dr, "freeze", lambda f, enabled=True, on=enabled, **_: freeze(f, enabled=enabled & on))
        vectorised._scene, vectorised._key = None, ()
        pictures.append(views(vectorised, subject, ["hair", "hair"], [uniform(), spot((1, 0, 0.5))]))
    vectorised._scene, vectorised._key = None, ()
    for replayed, traced in zip(*pictures, strict=True):
        for name in traced:
            np.testing.assert_array_equal(replayed[name], traced[name], err_msg=name)


def test_lights_of_a_frame_share_its_paths(vectorised, monkeypatch):
    """Edges agree to the bit; nor does a picture depend on which others are made, or on how many fit into memory."""
    from synth.renderers.mitsuba import path

    lights, bodies = [soft(), uniform(), uniform(radiance=2)], ["flesh", "hair", "lens"]
    together = views(vectorised, cabinet(), bodies, lights, seed=4)
    again = views(vectorised, cabinet(), bodies, lights, seed=4)
    others = views(vectorised, cabinet(), bodies, [soft(), spot((1, 0, 0.5)), uniform()], seed=4)
    monkeypatch.setattr(path, "FILM_BYTES", 1)
    apart = views(vectorised, cabinet(), bodies, lights, seed=4)
    for body, channels in enumerate(together):
        np.testing.assert_array_equal(2 * channels["rgb.001"], channels["rgb.002"])
        np.testing.assert_array_equal(channels["flat"], channels["rgb.001"])
        for name in ("flat", "rgb.000", "specular.000"):
            np.testing.assert_array_equal(channels[name], others[body][name], err_msg=name)
        for name in channels:
            np.testing.assert_array_equal(channels[name], again[body][name], err_msg=name)
            np.testing.assert_array_equal(channels[name], apart[body][name], err_msg=name)


def test_uploads_begin_at_cache_lines():
    from synth.renderers.mitsuba.arrays import aligned

    for first in range(4):
        image = np.arange(24, dtype=np.float32)[first:first + 20].reshape(4, 5).T
        copy = aligned(image)
        assert copy.ctypes.data % 64 == 0 and copy.flags.c_contiguous
        np.testing.assert_array_equal(copy, image)


def test_only_new_textures_are_uploaded(renderer):
    from synth.renderers.mitsuba.bsdf import LiveBsdf

    rough = np.full((8, 8), 0.5, np.float32)
    live = LiveBsdf(Material(CHECKS, rough))
    live.show(Material(CHECKS, rough))
    assert list(live._changes(Material(CHECKS.copy(), rough))) == ["base_color.data"]
    assert not live._changes(Material(CHECKS, rough))


def test_glass_shows_the_albedo_behind_it(renderer):
    bodies = ("stone", "cornea", "lens")
    bare, cornea, lens = views(renderer, cabinet(**dict.fromkeys(bodies, Material(CHECKS))), bodies, [uniform()])
    for body, channels in zip(bodies, (bare, cornea, lens), strict=True):
        channels["position"] = np.where(channels["depth"][..., None] > 0, channels["position"] - place_of(body), 0)
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
    image, = views(vectorised, cabinet(cornea=black), ["cornea"], [spot((0.5, 0.5, 0.707), radiance=100.0)])
    y, x = np.unravel_index(image["specular.000"].sum(-1).argmax(), (48, 48))
    np.testing.assert_allclose(image["normal"][y, x], np.float32([0.5, 0.5, 1.707]) / 1.848, atol=0.12)
    assert 2.0 < image["specular.000"].max() < 3.2
    assert image["diffuse.000"].max() < 0.01


def test_an_iris_is_as_bright_as_under_a_true_dielectric(vectorised):
    """Straight light against Mitsuba's own path tracer, which bends it, under a map that its noise can bear."""
    import mitsuba as mi

    iris = Material(np.full(3, 0.4, np.float32), roughness=1.0, specular=0.0)
    ours = views(vectorised, cabinet(eye=iris), ["eye"], [soft()])[0]["rgb.000"]
    scene = vectorised._scene
    truth = mi.render(scene.scene, sensor=0, spp=256, seed=0, integrator=mi.load_dict(
        {"type": "path", "max_depth": 24, "rr_depth": 12, "hide_emitters": True}))
    truth = np.array(truth)[..., :3]
    middle = np.hypot(*(np.mgrid[:48, :48] - 23.5)) < 8
    assert abs(ours[middle].mean() / truth[middle].mean() - 1) < 0.1


def test_lenses_let_light_through(vectorised):
    """What is behind a thin lens is lit through it: dimmed twice by Fresnel, not black."""
    bare, worn = (channels["diffuse.000"] for channels in views(
        vectorised, cabinet(stone=matte(0.5), lens=matte(0.5)), ["stone", "lens"], [soft()]))
    ratio = worn[18:30, 18:30].mean() / bare[18:30, 18:30].mean()
    assert 0.72 < ratio < 0.92


def test_red_bleeds_into_the_shadow(vectorised):
    stone = Material(np.full(3, 0.6, np.float32), specular=0.0, roughness=1.0)
    skin = dataclasses.replace(stone, scatter=np.float32([0.02, 0.008, 0.004]))
    images = [channels["rgb.000"] for channels in views(vectorised, cabinet(flesh=skin, stone=stone), [
        "flesh", "stone"], [spot((1, 0, 0), cosine=0.99, radiance=300.0)])]
    flesh, stone = (image[20:28, 17:23].mean(axis=(0, 1)) for image in images)  # just beyond the terminator
    assert flesh[0] > 1.5 * flesh[2] and flesh[0] > 2 * stone[0] + 1e-3
    assert stone[0] == pytest.approx(stone[2], rel=1e-3, abs=1e-6)
    totals = [image.sum(axis=(0, 1)) for image in images]
    np.testing.assert_allclose(totals[0] / totals[1], 1, atol=0.25)


def test_flesh_and_hair_are_linear_in_light(vectorised):
    """Twice the light is twice the picture, sample by sample: nothing is decided by brightness."""
    subject, bodies = cabinet(flesh=Material(CHECKS)), ("flesh", "hair", "cornea")
    pictures = [views(vectorised, subject, bodies, [spot((1, 0, 0.5), radiance=light)], seed=3) for light in (20, 40)]
    for body, once, twice in zip(bodies, *pictures, strict=True):
        for name in ("rgb.000", "specular.000"):
            np.testing.assert_allclose(twice[name], 2 * once[name], rtol=1e-4, atol=1e-5, err_msg=f"{name} of {body}")
