"""The Mitsuba backend against what is known in closed form."""

import dataclasses
import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from synth.lighting.envmap import EnvMap
from synth.lighting.sphere import directions, solid_angles
from synth.renderers import limit_threads, make_renderer
from synth.scene import Material
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


@pytest.fixture(scope="module")
def renderer():
    return make_renderer("mitsuba", os.environ.get("PIXELCUBE_TEST_VARIANT", "auto"))


def test_the_scalar_variant_passes_too(renderer):
    """A process has one variant for good, so the fallback goes through these tests in another."""
    if renderer.variant == "scalar_rgb":
        pytest.skip("this is the scalar variant")
    run = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__],
                         env=os.environ | {"PIXELCUBE_TEST_VARIANT": "scalar_rgb"}, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-3000:]


def test_no_pixel_depends_on_the_number_of_threads(renderer):
    import drjit

    before, pictures = drjit.thread_count(), []
    for threads in (1, 8):
        limit_threads(threads)
        pictures.append(render(renderer, sphere_subject(matte()), [spot((1, 0, 0.5))], seed=1)[0].channels)
    limit_threads(before)
    for name, image in pictures[0].items():
        np.testing.assert_array_equal(image, pictures[1][name], err_msg=name)


def test_a_normal_map_tilts_towards_u_and_v(renderer):
    """Map x is along +u (right, seen from +Z) and y along +v (up): tilted that way, the surface faces that light."""
    for axis, tilt in (((1, 0, 0), (0.6, 0, 0.8)), ((0, 1, 0), (0, 0.6, 0.8))):
        images = []
        for sign in (1, -1):
            bumps = np.zeros((4, 4, 3), np.float32) + np.array(tilt, np.float32) * [sign, sign, 1]
            material = Material(np.full(3, 0.5, np.float32), normal_map=bumps.astype(np.float32))
            images.append(render(renderer, sphere_subject(material), [spot(axis)])[0].channels["rgb.000"])
        towards, away = (image[28:36, 28:36].mean() for image in images)
        assert towards > 0.01 > 10 * away, f"light from {axis}: {towards} {away}"


def render(renderer, subject, lights, camera=None, samples=16, seed=0, lobes=True):
    frames = len(subject.vertices)
    cameras = [camera or front_camera()] * frames
    return list(renderer.render(subject, cameras, [[light] * frames for light in lights], samples=samples, seed=seed,
                                lobes=lobes))


@pytest.mark.parametrize("name", AXES)
def test_the_side_that_faces_the_light_is_lit(renderer, name):
    axis = np.array(AXES[name], np.float64)
    view = camera_at((0.6, 0.5, 0.62))
    channels = render(renderer, sphere_subject(matte()), [spot(axis)], camera=view)[0].channels
    assert_lit_from(axis, channels)


@pytest.mark.parametrize("name", AXES)
def test_a_mirror_shows_the_environment_where_it_is(renderer, name):
    """A mirror-like ball seen from the light's own side shows it at its middle."""
    axis = np.array(AXES[name], np.float64)
    mirror = Material(np.full(3, 0.0, np.float32), roughness=0.05, specular=1.0)
    image = render(renderer, sphere_subject(mirror), [spot(axis, cosine=0.98)], camera=camera_at(axis), samples=64)
    y, x = np.unravel_index(image[0].channels["rgb.000"].sum(-1).argmax(), (64, 64))
    assert abs(x - 31.5) < 4 and abs(y - 31.5) < 4


def test_background_ray_and_render_agree_on_the_map(renderer):
    """What a camera ray looks up in the EnvMap is what a mirror turned by half the angle reflects."""
    x, y, z = np.moveaxis(directions(32), -1, 0)
    light = EnvMap(np.stack([1 + 0.6 * x + 0.3 * y * z, 1 + 0.6 * y - 0.3 * x * z, 1 + 0.6 * z + 0.3 * x * y], -1)
                   .astype(np.float32))
    mirror = Material(np.full(3, 0.0, np.float32), roughness=0.03, specular=1.0)
    camera = front_camera()
    frame = render(renderer, sphere_subject(mirror, rows=96), [light, uniform()], camera=camera, samples=256)[0]
    view = camera.rays()
    normal = frame.channels["normal"].astype(np.float64)
    inside = -(view * normal).sum(-1) > 0.7  # away from grazing angles, where roughness widens the lobe
    reflected = view - 2 * (view * normal).sum(-1, keepdims=True) * normal
    # The white render divides out Fresnel and shadowing.
    measured = frame.channels["rgb.000"][inside] / frame.channels["rgb.001"][inside]
    expected = light.look_up(reflected[inside])
    assert abs(np.median(measured / expected) - 1) < 0.02
    assert np.corrcoef(measured.ravel(), expected.ravel())[0, 1] > 0.95


def test_white_furnace(renderer):
    """Albedo 1 in a uniform environment reflects what it receives."""
    lambert = Material(np.ones(3, np.float32), roughness=0.5, specular=0.0)
    frame = render(renderer, sphere_subject(lambert), [uniform()], samples=128)[0]
    solid = frame.channels["alpha"] == 1
    facing = (frame.channels["normal"] * -front_camera().rays()).sum(-1) > 0.6
    image = frame.channels["rgb.000"][solid & facing]
    assert abs(image.mean() - 1) < 0.02, image.mean()
    np.testing.assert_array_equal(frame.channels["rgb.000"].shape, frame.channels["flat"].shape)


@pytest.mark.parametrize("roughness", [0.0, 1.0])
def test_without_gloss_a_surface_is_lambertian(renderer, roughness):
    """Whatever its roughness, by which the principled base gets darker or brighter at grazing angles."""
    texel = np.zeros((32, 64, 3), np.float32)
    texel[9, 54] = 2000
    chalk = Material(np.full(3, 0.8, np.float32), roughness=roughness, specular=0.0)
    channels = render(renderer, sphere_subject(chalk, rows=96), [EnvMap(texel)], samples=64)[0].channels
    assert_lambertian(channels, EnvMap(texel), 0.8)


def disney_diffuse(normal, view, light, roughness):
    """Burley 2012, section 5.3, without the albedo: (P, L) from (P, 3), (P, 3) and (L, 3) unit vectors."""
    half = light[None] + view[:, None]
    half /= np.linalg.norm(half, axis=-1, keepdims=True)
    light_cos, view_cos = normal @ light.T, (normal * view).sum(-1)[:, None]
    retro = 2 * roughness * (half * light[None]).sum(-1) ** 2
    light_weight, view_weight = (1 - np.clip(light_cos, 0, 1)) ** 5, (1 - view_cos) ** 5
    base = (1 - light_weight / 2) * (1 - view_weight / 2)
    back = retro * (light_weight + view_weight + light_weight * view_weight * (retro - 1))
    return np.maximum(light_cos, 0) * (base + back) / np.pi


def test_diffuse_lobe_equals_its_integral_over_the_stored_map(renderer):
    """The probe is shaded again in numpy from nothing but the environment map that the frame carries."""
    rng = np.random.default_rng(0)
    key = spot((0.6, 0.5, 0.6), height=16, cosine=0.8, radiance=5).data
    light = EnvMap(key + rng.uniform(0, 1, (16, 32, 3)).astype(np.float32))
    material = Material(np.full(3, 0.5, np.float32), roughness=0.4)
    frame = render(renderer, sphere_subject(material), [light], samples=256)[0]
    view, normal = -front_camera().rays(), frame.channels["normal"].astype(np.float64)
    inside = ((normal * view).sum(-1) > 0.4) & (frame.channels["alpha"] == 1)
    stored = EnvMap(frame.envmaps[0]).resized(64)
    lobe = disney_diffuse(normal[inside], view[inside], directions(64).reshape(-1, 3), 0.4)
    expected = 0.5 * lobe @ (stored.data * solid_angles(64)[..., None]).reshape(-1, 3)
    measured = frame.channels["diffuse.000"][inside]
    np.testing.assert_allclose(measured.mean(0) / expected.mean(0), 1, atol=0.01)
    assert np.corrcoef(measured.ravel(), expected.ravel())[0, 1] > 0.98


def test_lobes_sum_to_beauty_and_mean_what_they_say(renderer):
    glossy = Material(np.array([0.6, 0.1, 0.1], np.float32), roughness=0.3, specular=0.5)
    channels = render(renderer, sphere_subject(glossy), [uniform(), spot((0.5, 0.5, 0.7))], samples=64)[0].channels
    for light in ("000", "001"):
        total = channels[f"diffuse.{light}"] + channels[f"specular.{light}"]
        np.testing.assert_allclose(total, channels[f"rgb.{light}"], atol=1e-5)
        assert channels[f"diffuse.{light}"].min() >= 0 and channels[f"specular.{light}"].min() >= 0
        specular = channels[f"specular.{light}"].sum((0, 1))
        np.testing.assert_allclose(specular / specular.max(), 1, atol=0.02, err_msg="gloss takes the light's colour")
        red, green, _ = channels[f"diffuse.{light}"].sum((0, 1))
        assert red / green > 5, "the diffuse part takes the surface's colour"


def test_light_leaves_geometry_alone(renderer):
    material = Material(np.full((8, 8, 3), 0.4, np.float32), roughness=0.4)
    subject = sphere_subject(material, frames=2, step=(0.01, 0, 0))
    one = render(renderer, subject, [spot((1, 0, 0))], seed=1)
    other = render(renderer, subject, [spot((0, 1, 0)), uniform()], seed=2)
    for a, b in zip(one, other, strict=True):
        for name in ("alpha", "albedo", "normal", "depth", "position", "flow"):
            np.testing.assert_array_equal(a.channels[name], b.channels[name], err_msg=name)
        assert not np.array_equal(a.channels["flat"], b.channels["flat"]), "noise follows the seed"


def test_same_seed_same_bits(renderer):
    def digest(seed):
        frames = render(renderer, sphere_subject(matte()), [spot((1, 0, 0)), uniform()], seed=seed)
        return hashlib.blake2b(b"".join(frames[0].channels[k].tobytes() for k in sorted(frames[0].channels))).digest()

    assert digest(5) == digest(5) != digest(6)


def test_geometry_channels(renderer):
    camera = front_camera(distance=0.6)
    subject = sphere_subject(matte(), frames=2, step=(0.012, -0.006, 0))
    first, last = render(renderer, subject, [uniform()], camera=camera, samples=1)
    inside = first.channels["depth"] > 0
    assert 0.52 > first.channels["depth"][inside].min() > 0.499
    radius = np.linalg.norm(first.channels["position"][inside], axis=-1)
    assert np.abs(radius - 0.1).max() < 3e-4  # chords of the tessellation
    pixels, depth = camera.project(first.channels["position"].astype(np.float64))
    y, x = np.nonzero(inside)
    np.testing.assert_allclose(pixels[inside], np.stack([x, y], -1) + 0.5, atol=5e-3)
    np.testing.assert_allclose(depth[inside], first.channels["depth"][inside], atol=1e-6)
    # A rigid move: flow is the difference of projections, to the right and down.
    moved = camera.project(first.channels["position"].astype(np.float64) + [0.012, -0.006, 0])[0]
    np.testing.assert_allclose(first.channels["flow"][inside], (moved - pixels)[inside], atol=5e-3)
    assert not last.channels["flow"].any()
    assert set(np.unique(first.channels["alpha"] * 64 % 1)) == {0.0}
    assert first.channels["alpha"][32, 32] == 1 and first.channels["alpha"][0, 0] == 0


def test_texture_is_the_right_way_up(renderer):
    """Row 0 of a texture is v = 1 (up), column 0 is u = 0 (the left, seen from +Z)."""
    texture = np.full((8, 16, 3), 0.05, np.float32)
    texture[:4, :8] = [0.8, 0.05, 0.05]
    channels = render(renderer, sphere_subject(Material(texture)), [uniform()], samples=1)[0].channels
    red = channels["albedo"][..., 0] > 0.5
    assert red[18:26, 18:26].all() and not red[38:, :].any() and not red[:, 38:].any()


def test_one_scene_serves_many_subjects(renderer):
    """Re-using the scene for a second subject gives the same bits as a renderer that never saw the first."""
    a = sphere_subject(Material(np.full((4, 4, 3), 0.7, np.float32), roughness=0.3))
    b = sphere_subject(Material(np.full((4, 4, 3), 0.2, np.float32), roughness=0.6, specular=0.3))
    render(renderer, a, [spot((1, 0, 0))])
    scene = renderer._scene
    warm = render(renderer, b, [spot((0, 1, 0))])[0].channels
    assert renderer._scene is scene
    renderer._scene, renderer._key = None, ()
    cold = render(renderer, b, [spot((0, 1, 0))])[0].channels
    for name in warm:
        np.testing.assert_array_equal(warm[name], cold[name], err_msg=name)


def test_large_pictures_are_traced_in_parts(renderer, monkeypatch):
    from synth.renderers.mitsuba import path

    if renderer.variant.startswith("scalar"):
        pytest.skip("the scalar variant renders in blocks of its own")
    whole = render(renderer, sphere_subject(matte()), [spot((1, 0, 0))], samples=64)[0].channels["rgb.000"]
    monkeypatch.setattr(path, "PATHS", 64 * 64 * 7)
    parts = render(renderer, sphere_subject(matte()), [spot((1, 0, 0))], samples=64)[0].channels["rgb.000"]
    assert parts.shape == whole.shape and abs(parts.mean() / whole.mean() - 1) < 0.01
    assert np.corrcoef(parts.ravel(), whole.ravel())[0, 1] > 0.99


def test_surfaces_have_two_sides(renderer):
    """Lashes, ears and hair are open sheets: their backs are not black."""
    subject = sphere_subject(matte(0.6))
    part = subject.parts[0]
    inside_out = dataclasses.replace(subject, parts=(dataclasses.replace(part, faces=part.faces[:, ::-1].copy()),))
    channels = render(renderer, inside_out, [uniform()])[0].channels
    assert channels["albedo"][32, 32, 0] == pytest.approx(0.6, abs=1e-4)
    assert channels["rgb.000"][32, 32].min() > 0.4
