"""Compressed transport: as exact as asked, relit from its tiles, and nothing hostile gets past the header."""

import dataclasses
import re
import struct
import tracemalloc
import zlib

import numpy as np
import pytest

from assets.errors import AssetError, SpecError
from synth.lighting.envmap import EnvMap
from synth.transport import codec
from synth.transport.directions import Basis
from synth.transport.response import Mirror, Transport, relight

BASIS = Basis(8, 4)


def ball(size=24, lobes=True, mirror=True):
    """A ball lit from each bin: cosine times a colour, a highlight, a shadow with a hard edge, a faint bounce."""
    y, x = np.mgrid[:size, :size] / (size / 2) - 1 + 1 / size
    inside = x**2 + y**2 < 0.9
    normal = np.stack([x, -y, np.sqrt(np.maximum(1 - x**2 - y**2, 0))], axis=-1)[inside]
    fine, coarse = (BASIS.centres(side) for side in (8, 4))
    shadow = ~((normal[:, None, 0] > 0) & (fine[None, :, 0] < -0.5))
    albedo = np.float32([0.8, 0.5, 0.3]) * np.random.default_rng(0).uniform(0.2, 1, (len(normal), 1))
    diffuse = np.maximum(normal @ fine.T, 0) * shadow / len(fine)
    mirrored = normal * 2 * normal[:, 2:] - [0, 0, 1]
    gloss = 0.3 * np.maximum(mirrored @ fine.T, 0) ** 8 * shadow / len(fine)
    bounce = 0.1 * (1 - 0.5 * normal @ coarse.T) / len(coarse)
    matte = np.concatenate([diffuse, bounce], axis=1)[:, None] * albedo[..., None]
    glossy = np.repeat(np.pad(gloss, ((0, 0), (0, len(coarse))))[:, None], 3, axis=1)
    pixels = np.flatnonzero(inside).astype(np.uint32)
    rays = Mirror(pixels[5:9], np.float32([[0, 1, 0], [1, 0, 0], [0, 0, -1], [0.6, 0, 0.8]]),
                  np.float32([0.1, 0.2, 0.3, 0.4]))  # fmt: skip
    return Transport(size, size, BASIS, pixels, np.float32(matte + glossy), np.float32(glossy) if lobes else None,
                     rays if mirror else None)


def lights(count=5):
    rng = np.random.default_rng(1)
    return np.float32(rng.random((count, BASIS.size, 3)) ** 8)


def covered(transport, images):
    return images.reshape(len(images), -1, 3)[:, transport.pixels]


@pytest.mark.parametrize("error", [1e-2, 1e-3, 1e-5])
def test_added_error_is_what_was_asked_for(error):
    frame = ball(mirror=False)
    packed = codec.decode(codec.encode(frame, error))
    lit = codec.probes(BASIS)
    pictures, reference = covered(frame, packed.relight(lit)), covered(frame, relight(frame, lit))
    assert error / 20 < codec.relative_mse(pictures, reference).mean() < 1.2 * error


def test_a_smaller_error_takes_more_bytes():
    sizes = [len(codec.encode(ball(), error)) for error in (1e-2, 1e-3, 1e-4)]
    assert sizes[0] < sizes[1] < sizes[2] < ball().response.nbytes / 8


def test_shadows_stay_black():
    frame = ball()
    expanded = codec.decode(codec.encode(frame)).expand()
    dark = frame.response == 0
    assert dark.any() and np.all(expanded.response[dark] == 0)


@pytest.mark.parametrize("tile", [64, 256])
def test_relighting_in_tiles_is_the_product_with_the_expanded_matrix(tile, monkeypatch):
    monkeypatch.setattr(codec, "TILE", tile)
    frame = ball()
    packed = codec.decode(codec.encode(frame))
    maps = [EnvMap(np.random.default_rng(n).random((8, 16, 3), np.float32)) for n in range(5)]
    for specular in (False, True):
        expected = relight(packed.expand(), lights(), maps, specular)
        assert np.allclose(packed.relight(lights(), maps, specular), expected, rtol=1e-4, atol=1e-6)


def test_white_light_and_lobes():
    frame = ball()
    packed = codec.decode(codec.encode(frame, 1e-2))
    white = np.ones((1, BASIS.size, 3), np.float32)
    for specular in (False, True):
        expected = covered(frame, relight(frame, white, (), specular))
        found = covered(frame, packed.relight(white, (), specular))
        assert np.allclose(found, expected, rtol=4e-3, atol=1e-4 * expected.mean())
    assert np.allclose(packed.flat(), relight(frame, white, [EnvMap(np.ones((2, 4, 3), np.float32))])[0], atol=5e-3)
    glossless = codec.decode(codec.encode(ball(lobes=False)))
    with pytest.raises(AssetError, match="no specular part"):
        glossless.relight(white, specular=True)


def test_mirror_comes_back():
    frame = ball()
    mirror = codec.decode(codec.encode(frame)).mirror
    assert np.array_equal(mirror.pixels, frame.mirror.pixels) and np.array_equal(mirror.weights, frame.mirror.weights)
    assert np.abs(mirror.directions - frame.mirror.directions).max() < 1e-4
    assert codec.decode(codec.encode(ball(mirror=False))).mirror is None
    none = Mirror(np.zeros(0, np.uint32), np.zeros((0, 3), np.float32), np.zeros(0, np.float32))
    assert len(codec.decode(codec.encode(dataclasses.replace(frame, mirror=none))).mirror.pixels) == 0


def test_nothing_and_blackness_can_be_stored():
    frame = ball(mirror=False)
    nothing = dataclasses.replace(frame, pixels=frame.pixels[:0], response=frame.response[:0], specular=None)
    black = dataclasses.replace(frame, response=0 * frame.response, specular=None)
    for empty in (nothing, black):
        packed = codec.decode(codec.encode(empty))
        assert np.array_equal(packed.pixels, empty.pixels) and not packed.relight(lights()).any()


def test_same_transport_same_bytes():
    assert codec.encode(ball()) == codec.encode(ball())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {"response": t.response[:-1]}, "response of shape"),
        (lambda t: {"specular": np.where(t.specular == 0, np.nan, t.specular)}, "finite"),
        (lambda t: {"pixels": t.pixels[::-1]}, "ascending"),
        (lambda t: {"width": 4}, "indices of the image"),
        (lambda t: {"height": 1 << 20}, "sides of 1 to 8192"),
        (lambda t: {"mirror": dataclasses.replace(t.mirror, pixels=t.mirror.pixels + 10**6)}, "mirror"),
    ],
)
def test_what_is_no_transport_is_refused(change, message):
    with pytest.raises(AssetError, match=message):
        codec.encode(dataclasses.replace(ball(), **change(ball())))
    with pytest.raises(SpecError, match="error: 2"):
        codec.encode(ball(), 2)


def one_line(data):
    with pytest.raises(AssetError) as caught:
        codec.decode(data, "clip").flat()
    assert "\n" not in str(caught.value) and str(caught.value).startswith("clip: ")
    return str(caught.value)


def forged(data, body=None, **changes):
    """The same file with other header fields, and a checksum that agrees."""
    names = "magic version fine coarse lobes mirrored width height count rays unit length crc".split()
    body = data[codec._HEADER.size :] if body is None else body
    fields = dict(zip(names, codec._HEADER.unpack_from(data), strict=True)) | {"length": len(body)} | changes
    *fields, _ = fields.values()
    return codec._HEADER.pack(*fields, zlib.crc32(body, zlib.crc32(codec._HEADER.pack(*fields, 0)))) + body


def test_truncated_or_flipped():
    data = codec.encode(ball())
    for length in (0, 10, codec._HEADER.size, len(data) // 2, len(data) - 1):
        one_line(data[:length])
    one_line(data + b"\0")
    for place in np.random.default_rng(0).integers(0, len(data), 100):
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(place) % 8
        one_line(bytes(damaged))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"magic": b"EXRFILES"}, "expected b'PXTRNSPT'"),
        ({"version": 2}, "version 2, expected"),
        ({"width": 8192, "height": 8192}, "cannot hold|are marked|cannot be unpacked"),
        ({"width": 1 << 30}, "cannot be"),
        ({"count": 500}, "are marked"),
        ({"count": 4000}, "cannot be"),
        ({"fine": 100}, "cannot be unpacked|cannot hold"),
        ({"lobes": 3}, "cannot be"),
        ({"lobes": 1}, "tells of|have .* bytes"),
        ({"mirrored": 0}, "cannot be"),
        ({"rays": 30000}, "cannot hold|cannot be unpacked"),
        ({"rays": 1 << 24}, "cannot be"),
        ({"unit": np.inf}, "cannot be"),
        ({"length": 5}, "tells of"),
    ],
)
def test_headers_that_lie(changes, message):
    """Checked before they cost memory, even where the checksum has been made to agree."""
    data = forged(codec.encode(ball()), **changes)
    tracemalloc.start()
    try:
        found = one_line(data)
        assert tracemalloc.get_traced_memory()[1] < 80 << 20  # an 8192 x 8192 mask is 8 MB packed
    finally:
        tracemalloc.stop()
    assert re.search(message, found), found


def test_parts_that_lie():
    """A table of sizes, or a packed plane, that is not what it says."""
    data = codec.encode(ball())
    body = data[codec._HEADER.size :]
    one_line(forged(data, struct.pack("<I", 1 << 31) + body[4:]))
    one_line(forged(data, body[:-200] + bytes(200)))
    assert codec.decode(forged(data)).relight(lights(1)).any()
