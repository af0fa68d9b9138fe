"""The Cycles backend against what is known in closed form, and against Mitsuba."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import subprocess
import sys
import threading

import numpy as np
import pytest

from assets.errors import RenderError
from synth.lighting.envmap import EnvMap
from synth.lighting.sphere import directions
from synth.renderers import make_renderer
from synth.scene import Fibre, Glass, Material
from tests.synth.flesh import ball, eye, hairy, shelled
from tests.synth.probes import (
    AXES,
    assert_lambertian,
    assert_lit_from,
    camera_at,
    front_camera,
    matte,
    sphere_subject,
    spot,
    uniform,
)

needs_bpy = pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="needs bpy")
GEOMETRY = ("alpha", "albedo", "normal", "depth", "position", "flow")


@pytest.fixture(scope="module")
def renderer():
    return make_renderer("cycles", "cpu")


def render(renderer, subject, lights, camera=None, samples=16, seed=0, lobes=True, **options):
    frames = len(subject.vertices)
    cameras = [camera or front_camera(48)] * frames
    return list(renderer.render(subject, cameras, [[light] * frames for light in lights], samples=samples, seed=seed,
                                lobes=lobes, **options))


def digest(frame) -> bytes:
    return hashlib.blake2b(b"".join(frame.channels[k].tobytes() for k in sorted(frame.channels))).digest()


def test_without_bpy_an_error_says_how_to_get_it(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(RenderError, match="pip install") as caught:
        make_renderer("cycles", "cpu")
    assert "\n" not in str(caught.value)


def test_blender_is_loaded_by_the_first_picture_only():
    code = ("import sys; from synth.renderers.cycles.renderer import CyclesRenderer; "
            "assert not {'bpy', 'mitsuba'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", code], check=True)


@needs_bpy
def test_another_thread_is_told(renderer):
    caught = []

    def attempt():
        try:
            render(renderer, sphere_subject(matte()), [uniform()], samples=1)
        except RenderError as error:
            caught.append(str(error))

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert caught and "main thread" in caught[0]


@needs_bpy
def test_methods_that_are_mitsubas(renderer):
    with pytest.raises(RenderError, match="method: 'transport'"):
        render(renderer, sphere_subject(matte()), [uniform()], samples=1, method="transport")


@needs_bpy
@pytest.mark.parametrize("name", AXES)
def test_the_side_that_faces_the_light_is_lit(renderer, name):
    axis = np.array(AXES[name], np.float64)
    view = camera_at((0.6, 0.5, 0.62), 32)
    channels = render(renderer, sphere_subject(matte()), [spot(axis)], camera=view)[0].channels
    assert_lit_from(axis, channels)


@needs_bpy
@pytest.mark.parametrize(("row", "column"), [(5, 9), (11, 41)])
def test_one_bright_texel_is_where_its_direction_says(renderer, row, column):
    """A mirror-like ball seen from the texel's own side shows it at its middle."""
    light = np.zeros((32, 64, 3), np.float32)
    light[row, column] = 1000
    axis = directions(32)[row, column].astype(np.float64)
    mirror = Material(np.zeros(3, np.float32), roughness=0.1, specular=1.0)
    channels = render(renderer, sphere_subject(mirror), [EnvMap(light)], camera=camera_at(axis), samples=32)[0].channels
    image = channels["rgb.000"].sum(-1)
    y, x = np.mgrid[:64, :64]
    np.testing.assert_allclose([(y * image).sum() / image.sum(), (x * image).sum() / image.sum()], 31.5, atol=0.7)


@needs_bpy
def test_white_furnace(renderer):
    """Even light of radiance 1: a white surface shows it again, gloss and coat add what Disney's model adds."""
    lambert = Material(np.ones(3, np.float32), roughness=0.5, specular=0.0)
    channels = render(renderer, sphere_subject(lambert), [uniform()], samples=64)[0].channels
    facing = (channels["normal"] * -front_camera(48).rays()).sum(-1) > 0.6
    image = channels["rgb.000"][(channels["alpha"] == 1) & facing]
    assert abs(image.mean() - 1) < 0.02, image.mean()
    assert abs(channels["flat"][(channels["alpha"] == 1) & facing].mean() - 1) < 0.02


@needs_bpy
@pytest.mark.parametrize("roughness", [0.0, 1.0])
def test_without_gloss_a_surface_is_lambertian(renderer, roughness):
    """Whatever its roughness, by which the principled base gets darker or brighter at grazing angles."""
    texel = np.zeros((32, 64, 3), np.float32)
    texel[9, 54] = 2000
    chalk = Material(np.full(3, 0.8, np.float32), roughness=roughness, specular=0.0)
    channels = render(renderer, sphere_subject(chalk, rows=96), [EnvMap(texel)], samples=64)[0].channels
    assert_lambertian(channels, EnvMap(texel), 0.8)


@needs_bpy
def test_flesh_has_the_colour_of_its_albedo(renderer):
    """A random walk with little gloss: on the whole of a ball nothing but colour is lost."""
    flesh = Material(np.float32([0.8, 0.6, 0.5]), roughness=0.5, specular=0.0, scatter=np.float32([2e-3, 1e-3, 5e-4]))
    channels = render(renderer, ball(flesh), [uniform()], samples=64)[0].channels
    facing = (channels["normal"] * -front_camera(48).rays()).sum(-1) > 0.6
    np.testing.assert_allclose(channels["flat"][facing].mean(axis=0), [0.8, 0.6, 0.5], rtol=0.05)


@needs_bpy
def test_same_seed_same_bits(renderer):
    def found(seed):
        return digest(render(renderer, sphere_subject(matte()), [spot((1, 0, 0)), uniform()], seed=seed)[0])

    first = found(5)
    assert first == found(5) != found(6)


@needs_bpy
def test_nothing_is_left_of_the_frame_before(renderer):
    """Vertices, light, materials, camera and samples change: the same bits as from a scene that never saw another."""
    a = sphere_subject(Material(np.full((4, 4, 3), 0.7, np.float32), roughness=0.3), frames=2, step=(0.02, 0, 0))
    b = sphere_subject(Material(np.full((4, 4, 3), 0.2, np.float32), roughness=0.6, specular=0.3), radius=0.09)
    render(renderer, a, [spot((1, 0, 0)), spot((0, 1, 0))], samples=4)
    scene = renderer._scene
    again = [spot((0, 1, 0.2)), uniform(radiance=0.5)]
    view = camera_at((0.3, 0.2, 1), 48)
    warm = render(renderer, b, again, camera=view, samples=9)[0]
    assert renderer._scene is scene
    renderer._scene, renderer._key = None, ()
    cold = render(renderer, b, again, camera=view, samples=9)[0]
    for name in warm.channels:
        np.testing.assert_array_equal(warm.channels[name], cold.channels[name], err_msg=name)


@needs_bpy
def test_two_renderers_share_a_process(renderer):
    """Blender holds one scene: a renderer whose scene another has replaced makes it again."""
    one = render(renderer, sphere_subject(matte()), [uniform()])[0]
    render(make_renderer("cycles", "cpu"), sphere_subject(matte(0.2), rows=12), [uniform()])
    assert digest(render(renderer, sphere_subject(matte()), [uniform()])[0]) == digest(one)


@needs_bpy
def test_light_leaves_geometry_alone(renderer):
    subject = sphere_subject(Material(np.full((8, 8, 3), 0.4, np.float32)), frames=2, step=(0.01, 0, 0))
    one = render(renderer, subject, [spot((1, 0, 0))], seed=1)
    other = render(renderer, subject, [spot((0, 1, 0)), uniform()], seed=2)
    for a, b in zip(one, other, strict=True):
        for name in GEOMETRY:
            np.testing.assert_array_equal(a.channels[name], b.channels[name], err_msg=name)
        assert not np.array_equal(a.channels["flat"], b.channels["flat"]), "noise follows the seed"


@needs_bpy
def test_geometry_channels(renderer):
    camera = front_camera(64)
    subject = sphere_subject(matte(), frames=2, step=(0.012, -0.006, 0))
    first, last = render(renderer, subject, [uniform()], camera=camera, samples=1)
    inside = first.channels["depth"] > 0
    assert 0.52 > first.channels["depth"][inside].min() > 0.499
    radius = np.linalg.norm(first.channels["position"][inside], axis=-1)
    assert np.abs(radius - 0.1).max() < 3e-4  # chords of the tessellation
    facing = first.channels["position"][inside] / radius[:, None]
    assert (facing * first.channels["normal"][inside]).sum(-1).min() > 0.999
    pixels, depth = camera.project(first.channels["position"].astype(np.float64))
    y, x = np.nonzero(inside)
    np.testing.assert_allclose(pixels[inside], np.stack([x, y], -1) + 0.5, atol=1e-2)
    np.testing.assert_allclose(depth[inside], first.channels["depth"][inside], atol=1e-6)
    moved = camera.project(first.channels["position"].astype(np.float64) + [0.012, -0.006, 0])[0]
    np.testing.assert_allclose(first.channels["flow"][inside], (moved - pixels)[inside], atol=5e-3)
    assert not last.channels["flow"].any()
    assert first.channels["alpha"][32, 32] == 1 and first.channels["alpha"][0, 0] == 0


@needs_bpy
def test_lobes_sum_to_beauty_and_mean_what_they_say(renderer):
    glossy = Material(np.float32([0.6, 0.1, 0.1]), roughness=0.3, specular=0.5, clearcoat=0.5)
    channels = render(renderer, sphere_subject(glossy), [spot((0.5, 0.5, 0.7))], samples=32)[0].channels
    diffuse, specular = channels["diffuse.000"], channels["specular.000"]
    np.testing.assert_allclose(diffuse + specular, channels["rgb.000"], atol=1e-6)
    assert diffuse.min() >= 0 and specular.min() >= 0
    np.testing.assert_allclose(specular.sum((0, 1)) / specular.sum((0, 1)).max(), 1, atol=0.02)
    red, green, _ = diffuse.sum((0, 1))
    assert red / green > 5, "the diffuse part takes the surface's colour"


@needs_bpy
def test_of_hair_the_cuticle_is_specular(renderer):
    """Fair hair is coloured by what comes from inside; what its cuticle reflects is white."""
    subject = hairy(ball(matte(0.0)), Fibre(0.0, 0.5), count=400, radius=6e-4)
    channels = render(renderer, subject, [uniform()], camera=front_camera(32), samples=128)[0].channels
    on = channels["albedo"].any(-1)
    red, _, blue = (channels["diffuse.000"][on].mean(0) / channels["specular.000"][on].mean(0))
    assert red > 1.5 * blue
    red, _, blue = channels["specular.000"][on].mean(0)
    assert red / blue == pytest.approx(1, abs=0.05) and red > 0.01


@needs_bpy
def test_a_cornea_shows_its_iris_and_a_lens_what_is_behind(renderer):
    texture = np.zeros((64, 64, 3), np.float32) + [0.6, 0.3, 0.1]
    iris = Material(texture.astype(np.float32), roughness=1.0, specular=0.0)
    behind, bare = (render(renderer, eye(iris, pane), [uniform()], samples=64)[0].channels
                    for pane in (Glass(1.376), None))
    middle = np.s_[22:26, 22:26]
    np.testing.assert_allclose(behind["albedo"][middle], bare["albedo"][middle], atol=1e-4)
    assert behind["depth"][24, 24] < bare["depth"][24, 24] - 0.01, "geometry is the cornea's"
    assert 0.75 < behind["flat"][middle].mean() / bare["flat"][middle].mean() < 1.1, "the iris is lit"
    lens = render(renderer, shelled(ball(matte()), Glass(1.5, thin=True), 1.3), [uniform()], samples=64)[0].channels
    plain = render(renderer, ball(matte()), [uniform()])[0].channels
    for name in GEOMETRY:
        np.testing.assert_allclose(lens[name], plain[name], atol=2e-5, err_msg=name)
    assert lens["rgb.000"][(plain["alpha"] == 0) & (lens["rgb.000"][..., 0] > 0)].max() < 0.6, "a lens glints"


@needs_bpy
def test_surfaces_have_two_sides(renderer):
    subject = sphere_subject(matte(0.6))
    part = subject.parts[0]
    inside_out = dataclasses.replace(subject, parts=(dataclasses.replace(part, faces=part.faces[:, ::-1].copy()),))
    channels = render(renderer, inside_out, [uniform()])[0].channels
    assert channels["albedo"][24, 24, 0] == pytest.approx(0.6, abs=1e-4)
    assert channels["rgb.000"][24, 24].min() > 0.4
    assert channels["normal"][24, 24, 2] < -0.9, "outwards, also where one looks at its back"


@needs_bpy
def test_denoised_pictures_are_smooth_and_say_so(renderer):
    smooth = make_renderer("cycles", "cpu")
    smooth.denoise = True
    assert smooth.describe()["denoised"] and not renderer.describe()["denoised"]
    light = [spot((0.5, 0.5, 0.7), cosine=0.8, radiance=5)]
    noisy, clean = (render(who, sphere_subject(matte()), light, samples=4, seed=3)[0].channels
                    for who in (renderer, smooth))
    truth = render(renderer, sphere_subject(matte()), light, samples=256)[0].channels["rgb.000"]
    errors = [np.abs(channels["rgb.000"] - truth).mean() for channels in (noisy, clean)]
    assert errors[1] < 0.7 * errors[0]
    np.testing.assert_allclose(clean["diffuse.000"] + clean["specular.000"], clean["rgb.000"], atol=1e-6)


@needs_bpy
def test_facets_shade_themselves(renderer):
    """Blender moves shadow rays off coarse meshes unless told not to: light from behind reaches further round, by 15 %
    of the picture instead of 6 %."""
    light = [spot((0.3, 0.2, -0.93), cosine=0.8)]
    coarse = sphere_subject(matte(), rows=8)
    ours, theirs = (render(who, coarse, light, samples=64)[0].channels["rgb.000"].mean()
                    for who in (renderer, make_renderer("mitsuba")))
    assert ours == pytest.approx(theirs, rel=0.1)


@needs_bpy
def test_mitsuba_sees_the_same(renderer):
    """Geometry to the last digits, light to what noise and another model of the same surface leave."""
    other = make_renderer("mitsuba")
    rng = np.random.default_rng(0)
    bumps = np.zeros((32, 64, 3), np.float32) + np.float32([0, 0, 1])
    bumps[:, ::4] = [0.6, 0, 0.8]
    skin = Material(rng.uniform(0.2, 0.8, (16, 32, 3)).astype(np.float32), roughness=0.45, specular=0.35,
                    normal_map=bumps)
    light = EnvMap(rng.uniform(0, 1, (16, 32, 3)).astype(np.float32) + spot((0.6, 0.5, 0.6), 16, 0.8, 3).data)
    subject = hairy(sphere_subject(skin, frames=2, step=(0.01, -0.004, 0.006)), Fibre(1.0), count=150)
    ours, theirs = (render(who, subject, [light], samples=100)[0].channels for who in (renderer, other))
    inside = (ours["depth"] > 0) & (theirs["depth"] > 0)
    assert np.count_nonzero((ours["depth"] > 0) != (theirs["depth"] > 0)) < 6
    for name in GEOMETRY[1:]:
        off = np.abs(ours[name] - theirs[name])[inside]
        assert np.quantile(off, 0.98) < 2e-3, name
    assert np.abs(ours["alpha"] - theirs["alpha"]).mean() < 0.005
    for name in ("flat", "rgb.000", "diffuse.000"):
        assert ours[name].mean() == pytest.approx(theirs[name].mean(), rel=0.03), name
    assert ours["specular.000"].mean() == pytest.approx(theirs["specular.000"].mean(), rel=0.1)
