"""Relighting as a product: against analytic irradiance, and numpy against torch."""

import dataclasses

import numpy as np
import pytest

from assets.errors import SpecError
from synth.lighting.envmap import EnvMap
from synth.lighting.library import LightingLibrary
from synth.transport import response
from synth.transport.directions import Basis
from synth.transport.light import project_all
from synth.transport.response import Mirror, Transport, flat, parts, relight
from tests.synth.transport.test_light import responses

torch = pytest.importorskip("torch")
ALBEDO = np.array([0.8, 0.5, 0.3])


def sphere_transport(size: int = 24, basis: Basis | None = None) -> tuple[Transport, np.ndarray]:
    """A Lambertian ball of colour ALBEDO under direct light alone, seen from the front; and its normals (P, 3)."""
    basis = basis or Basis(32, 16)
    ticks = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(ticks, -ticks)
    inside = x**2 + y**2 < 1
    normals = np.stack([x, y, np.sqrt(np.maximum(1 - x**2 - y**2, 0))], axis=-1)[inside]
    matrix = np.zeros((len(normals), 3, basis.size), np.float32)
    matrix[:, :, : basis.fine**2] = responses(normals, basis.fine)[:, None] * ALBEDO[:, None] / np.pi
    return Transport(size, size, basis, np.flatnonzero(inside).astype(np.uint32), matrix), normals


def random_transport(pixels: int = 50, mirror: bool = True) -> Transport:
    """Anything, with a specular part and rays that share pixels, some of which nothing else covers."""
    rng, basis = np.random.default_rng(3), Basis(4, 2)
    matrix = rng.random((pixels, 3, basis.size), np.float32)
    size = 2 * pixels
    covered = np.sort(rng.choice(size, pixels, replace=False)).astype(np.uint32)
    rays = rng.normal(size=(40, 3))
    rays = (rays / np.linalg.norm(rays, axis=1, keepdims=True)).astype(np.float32)
    glints = Mirror(rng.integers(0, 20, 40).astype(np.uint32), rays, rng.random(40, np.float32))
    return Transport(2, pixels, basis, covered, matrix, matrix * np.float32(0.3), glints if mirror else None)


def random_lights(count: int, basis: Basis) -> tuple[np.ndarray, list[EnvMap]]:
    rng = np.random.default_rng(4)
    maps = [EnvMap(rng.random((height, 2 * height, 3), np.float32)) for height in [8, 16] * count][:count]
    return rng.random((count, basis.size, 3), np.float32), maps


def test_a_ball_has_the_irradiance_of_the_map():
    library = LightingLibrary(("procedural",))
    maps = [library.load(f"procedural/{name}", 64) for name in ("studio/0001", "gels/0001", "window/0011")]
    transport, normals = sphere_transport()
    images = relight(transport, project_all(maps, transport.basis))
    for image, light in zip(images, maps, strict=True):
        wanted = light.irradiance(normals) * ALBEDO / np.pi
        got = image.reshape(-1, 3)[transport.pixels]
        assert np.sqrt(((got - wanted) ** 2).mean() / (wanted**2).mean()) < 0.005
        np.testing.assert_allclose(got, wanted, atol=0.01 * wanted.max())
        outside = np.delete(image.reshape(-1, 3), transport.pixels, axis=0)
        assert len(outside) and (outside == 0).all()


def test_a_white_world_shows_the_albedo():
    transport, _ = sphere_transport(size=8)
    image = flat(transport).reshape(-1, 3)[transport.pixels]
    np.testing.assert_allclose(image, np.broadcast_to(ALBEDO, image.shape), rtol=2e-3)
    even = np.full((1, transport.basis.size, 3), 0.25, np.float32)
    np.testing.assert_allclose(relight(transport, even)[0], flat(transport) / 4, rtol=1e-5)
    mirrored = random_transport()
    gain = np.bincount(mirrored.mirror.pixels, mirrored.mirror.weights, mirrored.width * mirrored.height)
    gain[mirrored.pixels] += mirrored.response[:, 0].sum(axis=-1)
    np.testing.assert_allclose(flat(mirrored).reshape(-1, 3)[:, 0], gain, rtol=1e-5)


@pytest.mark.parametrize("count", [1, 5])
def test_a_product_is_the_sum_over_bins_and_rays(monkeypatch, count):
    monkeypatch.setattr(response, "_TILE", 1)
    transport = random_transport(2500)  # three tiles
    lights, maps = random_lights(count, transport.basis)
    for specular in (False, True):
        matrix = transport.specular if specular else transport.response
        wanted = np.zeros((count, 5000, 3))
        wanted[:, transport.pixels] = np.einsum("pcd,ldc->lpc", matrix.astype(float), lights)
        np.testing.assert_allclose(
            relight(transport, lights, specular=specular).reshape(count, -1, 3), wanted, rtol=1e-5
        )
        mirror = transport.mirror
        for image, light in zip(wanted, maps, strict=True):
            np.add.at(image, mirror.pixels, mirror.weights[:, None] * light.look_up(mirror.directions))
        images = relight(transport, lights, maps, specular)
        assert images.shape == (count, 2500, 2, 3) and images.dtype == np.float32
        np.testing.assert_allclose(images.reshape(count, -1, 3), wanted, rtol=1e-5)


def test_light_adds_up():
    transport = random_transport()
    lights, maps = random_lights(2, transport.basis)
    maps = [maps[0].resized(16), maps[1]]
    both = relight(transport, lights.sum(axis=0, keepdims=True), [EnvMap(maps[0].data + maps[1].data)])
    np.testing.assert_allclose(both[0], relight(transport, lights, maps).sum(axis=0), rtol=1e-5)


def test_lobes_add_up():
    transport = random_transport()
    lights, maps = random_lights(2, transport.basis)
    rgb, diffuse, specular = parts(transport, lights, maps)
    np.testing.assert_array_equal(rgb, relight(transport, lights, maps))
    np.testing.assert_allclose(diffuse + specular, rgb, rtol=1e-6)
    # What a mirror shows is specular: the diffuse part knows nothing of it.
    np.testing.assert_allclose(diffuse, relight(transport, lights) * 0.7, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("specular", [False, True])
def test_torch_agrees(specular):
    from synth.transport.torch_relight import TorchTransport

    transport = random_transport(300)
    lights, maps = random_lights(4, transport.basis)
    maps = [light.resized(16) for light in maps]
    moved = TorchTransport(transport)
    stacked = torch.from_numpy(np.stack([light.data for light in maps]))
    tensors = torch.from_numpy(lights)
    for given, tensor in (((), None), (maps, stacked)):
        wanted = relight(transport, lights, given, specular)
        got = moved.relight(tensors, tensor, specular)
        assert got.dtype == torch.float32
        np.testing.assert_allclose(got.numpy(), wanted, rtol=1e-5)


def test_torch_differentiates_the_light():
    from synth.transport.torch_relight import TorchTransport

    transport = random_transport()
    lights, maps = random_lights(1, transport.basis)
    lights = torch.from_numpy(lights).requires_grad_()
    maps = torch.from_numpy(maps[0].data.copy())[None].requires_grad_()
    TorchTransport(transport).relight(lights, maps).sum().backward()
    np.testing.assert_allclose(lights.grad[0].numpy(), transport.response.sum(axis=0).T, rtol=1e-4)
    np.testing.assert_allclose(maps.grad.sum(dim=(0, 1, 2)).numpy(), transport.mirror.weights.sum(), rtol=1e-4)


def test_what_does_not_fit_is_refused():
    from synth.transport.torch_relight import TorchTransport

    transport = dataclasses.replace(random_transport(), specular=None)
    lights, maps = random_lights(2, transport.basis)
    moved = TorchTransport(transport)
    with pytest.raises(SpecError, match=r"lights: .*\(L, 20, 3\)"):
        relight(transport, lights[:, :-1])
    with pytest.raises(SpecError, match="maps: got 1 for 2 lights"):
        relight(transport, lights, maps[:1])
    with pytest.raises(SpecError, match="specular: "):
        relight(transport, lights, specular=True)
    with pytest.raises(SpecError, match=r"lights: .*\(L, 20, 3\)"):
        moved.relight(torch.zeros(2, 19, 3))
    with pytest.raises(SpecError, match=r"maps: .*\(2, h, 2h, 3\)"):
        moved.relight(torch.zeros(2, 20, 3), torch.zeros(1, 4, 8, 3))
    with pytest.raises(SpecError, match="specular: "):
        moved.relight(torch.zeros(2, 20, 3), specular=True)
