import io
import os
import re
import struct
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from PIL import Image

from assets.images import is_panorama, read_hdr, write_exr, write_hdr, write_npy
from tests.assets.test_files import refused

RADIANCE = np.random.default_rng(7).gamma(0.5, 4.0, (32, 64, 3)).astype(np.float32)
RADIANCE[3, 5] = 60000.0  # a sun


def write_with_oiio(path, image=RADIANCE, names=("R", "G", "B"), pixel_type="half", tile=0, **attributes):
    height, width, count = image.shape
    spec = oiio.ImageSpec(width, height, count, pixel_type)
    spec.channelnames = names
    spec.tile_width = spec.tile_height = tile
    for key, value in attributes.items():
        spec.attribute(key, *(value if isinstance(value, tuple) else (value,)))
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), spec)
    assert output.write_tiles(0, width, 0, height, 0, 1, image) if tile else output.write_image(image)
    assert output.close()
    return path


def exr_with(channels=("B", "G", "R"), width=64, height=32, tail=b"", version=2, window=None, kind=1) -> bytes:
    """The bytes of an uncompressed OpenEXR header that claims anything."""

    def attribute(name, kind, value):
        return name + b"\0" + kind + b"\0" + struct.pack("<i", len(value)) + value

    listed = b"".join(name.encode() + b"\0" + struct.pack("<iIii", kind, 0, 1, 1) for name in channels) + b"\0"
    box = struct.pack("<4i", *(window or (0, 0, width - 1, height - 1)))
    return (
        b"\x76\x2f\x31\x01"
        + struct.pack("<I", version)
        + attribute(b"channels", b"chlist", listed)
        + attribute(b"compression", b"compression", b"\0")
        + attribute(b"dataWindow", b"box2i", box)
        + attribute(b"displayWindow", b"box2i", struct.pack("<4i", 0, 0, width - 1, height - 1))
        + attribute(b"lineOrder", b"lineOrder", b"\0")
        + attribute(b"pixelAspectRatio", b"float", struct.pack("<f", 1))
        + attribute(b"screenWindowCenter", b"v2f", bytes(8))
        + attribute(b"screenWindowWidth", b"float", struct.pack("<f", 1))
        + b"\0"
        + tail
    )


@pytest.mark.parametrize("suffix", ["exr", "hdr", "npy"])
def test_round_trip(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    {"exr": write_exr, "hdr": write_hdr, "npy": write_npy}[suffix](path, RADIANCE)
    image = read_hdr(path)
    assert image.dtype == np.float32 and image.shape == (32, 64, 3) and is_panorama(image)
    if suffix == "hdr":  # one shared exponent: within 1/128 of the pixel's largest channel
        assert (np.abs(image - RADIANCE) <= RADIANCE.max(axis=-1, keepdims=True) / 128).all()
    else:
        np.testing.assert_array_equal(image, RADIANCE)
    assert os.listdir(tmp_path) == [path.name]


def test_half_exr_keeps_half_precision_and_refuses_overflow(tmp_path):
    write_exr(tmp_path / "a.exr", RADIANCE, half=True)
    np.testing.assert_array_equal(read_hdr(tmp_path / "a.exr"), RADIANCE.astype(np.float16).astype(np.float32))
    with refused("b.exr", "70000 does not fit half"):
        write_exr(tmp_path / "b.exr", np.full((2, 4, 3), 70000.0), half=True)


def test_reads_tiles_extra_channels_and_first_rgb_part(tmp_path):
    expected = RADIANCE.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(read_hdr(write_with_oiio(tmp_path / "tiled.exr", tile=16)), expected)
    deep = np.concatenate([np.full((32, 64, 1), 9.0, np.float32), RADIANCE, np.zeros((32, 64, 2), np.float32)], axis=-1)
    path = write_with_oiio(tmp_path / "extra.exr", deep, ("A", "R", "G", "B", "Z", "id"))
    np.testing.assert_array_equal(read_hdr(path), expected)

    depth = oiio.ImageSpec(64, 32, 1, "half")
    depth.channelnames = ("Z",)
    specs = [depth, oiio.ImageSpec(64, 32, 3, "half"), oiio.ImageSpec(64, 32, 3, "half")]
    for index, spec in enumerate(specs):
        spec["oiio:subimagename"] = f"part{index}"
    output = oiio.ImageOutput.create(str(tmp_path / "parts.exr"))
    assert output.open(str(tmp_path / "parts.exr"), tuple(specs))
    for index, pixels in enumerate([RADIANCE[..., :1], RADIANCE, 2 * RADIANCE[::-1] % 100]):
        assert index == 0 or output.open(str(tmp_path / "parts.exr"), specs[index], "AppendSubimage")
        assert output.write_image(np.ascontiguousarray(pixels))
    assert output.close()
    np.testing.assert_array_equal(read_hdr(tmp_path / "parts.exr"), expected)


def test_radiance_exposure_is_undone(tmp_path):
    write_hdr(tmp_path / "a.hdr", RADIANCE)
    data = (tmp_path / "a.hdr").read_bytes().replace(b"\n\n", b"\nEXPOSURE=2.0\nEXPOSURE=2.0\n\n", 1)
    (tmp_path / "b.hdr").write_bytes(data)
    np.testing.assert_array_equal(read_hdr(tmp_path / "b.hdr"), read_hdr(tmp_path / "a.hdr") / 4)
    (tmp_path / "c.hdr").write_bytes(data.replace(b"EXPOSURE=2.0", b"EXPOSURE=nan", 1))
    with refused("c.hdr", "EXPOSURE"):
        read_hdr(tmp_path / "c.hdr")


@pytest.mark.parametrize("kind", ["none", "zip", "piz", "dwaa", "tiled", "hdr", "npy"])
def test_a_truncated_file_is_an_error_at_every_length(tmp_path, kind, capfd):
    if kind in ("hdr", "npy"):
        {"hdr": write_hdr, "npy": write_npy}[kind](tmp_path / f"a.{kind}", RADIANCE)
        whole = (tmp_path / f"a.{kind}").read_bytes()
    else:
        options = {"tile": 16} if kind == "tiled" else {"compression": kind}
        whole = write_with_oiio(tmp_path / "a.exr", **options).read_bytes()
    cut = tmp_path / f"cut.{kind if kind in ('hdr', 'npy') else 'exr'}"
    for length in sorted({1, 3, 9, 30, 200, 400, *np.linspace(500, len(whole) - 1, 25).astype(int).tolist()}):
        cut.write_bytes(whole[:length])
        with refused(cut.name):
            read_hdr(cut)
    assert capfd.readouterr().err == ""  # the decoder's own chatter would be a second line


def test_an_exr_whose_writer_was_killed_is_an_error(tmp_path):
    path = write_with_oiio(tmp_path / "a.exr", compression="none")
    data = bytearray(path.read_bytes())
    start = data.index(struct.pack("<Q", len(data) - (8 + 64 * 6)))  # the last scanline's entry of the offset table
    data[start : start + 8] = bytes(8)
    path.write_bytes(data)
    with refused("a.exr", "truncated"):
        read_hdr(path)


@pytest.mark.parametrize("name", ["huge.hdr", "huge.exr", "huge.npy"])
def test_a_huge_claim_is_refused_before_allocating(tmp_path, name):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"shape": (100_000, 100_000, 3), "descr": "<f4", "fortran_order": False}
    )
    claims = {
        "huge.hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 100000 +X 100000\n" + bytes(1000),
        "huge.exr": exr_with(width=100_000, height=100_000, tail=bytes(1000)),
        "huge.npy": header.getvalue() + bytes(1000),
    }
    (tmp_path / name).write_bytes(claims[name])
    tracemalloc.start()
    start = time.perf_counter()
    with refused(name, "100000 x 100000"):
        read_hdr(tmp_path / name)
    seconds, (_, peak) = time.perf_counter() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 0.1 and peak < 1 << 20


@pytest.mark.parametrize(("width", "height"), [(16384, 8192), (0, 4), (-5, 4), (2**31, 4)])
def test_small_files_with_large_or_odd_claims(tmp_path, width, height):
    (tmp_path / "a.hdr").write_bytes(b"#?RADIANCE\n\n-Y %d +X %d\n" % (height, width) + bytes(1000))
    with refused("a.hdr"):
        read_hdr(tmp_path / "a.hdr")
    if width < 2**31:
        (tmp_path / "a.exr").write_bytes(exr_with(width=width, height=height, tail=bytes(1000)))
        with refused("a.exr"):
            read_hdr(tmp_path / "a.exr")


def test_exr_without_colour(tmp_path):
    with refused("a.exr", "channels Y", "R, G and B"):
        read_hdr(write_with_oiio(tmp_path / "a.exr", np.ascontiguousarray(RADIANCE[..., :1]), ("Y",)))


def test_broken_exr_headers(tmp_path):
    cases = {
        "window": (exr_with(window=(0, 0, 31, 31)), "cropped"),
        "integers": (exr_with(kind=0), "integers"),
        "version": (exr_with(version=3), "version 3"),
        "deep": (exr_with(version=2 | 0x800), "deep"),
        "negative attribute": (b"\x76\x2f\x31\x01\2\0\0\0a\0b\0" + struct.pack("<i", -1), "truncated"),
        "no attributes": (b"\x76\x2f\x31\x01\2\0\0\0" + bytes(99), "broken"),
        "endless name": (b"\x76\x2f\x31\x01\2\0\0\0" + b"a" * 999, "without end"),
    }
    for data, why in cases.values():
        (tmp_path / "a.exr").write_bytes(data)
        with refused("a.exr", why):
            read_hdr(tmp_path / "a.exr")


def test_damaged_bytes_never_crash(tmp_path):
    rng = np.random.default_rng(3)
    for name, write in (("a.exr", write_exr), ("a.hdr", write_hdr), ("a.npy", write_npy)):
        write(tmp_path / name, RADIANCE)
        whole = np.frombuffer((tmp_path / name).read_bytes(), np.uint8)
        for _ in range(60):
            damaged = whole.copy()
            damaged[rng.integers(0, min(len(whole), 600), 4)] = rng.integers(0, 256, 4)
            (tmp_path / name).write_bytes(damaged.tobytes())
            try:
                image = read_hdr(tmp_path / name)
            except Exception as error:
                with refused(name):
                    raise error
            else:
                assert np.isfinite(image).all() and image.min() >= 0


def test_impossible_radiance_is_counted_or_repaired(tmp_path):
    image = RADIANCE.copy()
    image[0, 0] = image[0, 1, 1] = np.nan
    image[1, 0, 0], image[1, 1, 2], image[2, 2, 1] = np.inf, -1.0, -np.inf
    np.save(tmp_path / "a.npy", image)
    for path in (tmp_path / "a.npy", write_with_oiio(tmp_path / "a.exr", image, pixel_type="float")):
        with refused(path.name, "2 NaN, 2 infinite, 1 negative of 2048 pixels", "repair"):
            read_hdr(path)
        repaired = read_hdr(path, repair=True)
        assert repaired[0, 0].tolist() == [0, 0, 0] and repaired[1, 0, 0] == 60000 and repaired[1, 1, 2] == 0
        assert repaired[2, 2, 1] == 0
        np.testing.assert_array_equal(repaired[4:], image[4:])


def test_pictures_are_refused_whatever_they_are_called(tmp_path):
    picture = Image.fromarray(np.full((8, 16, 3), 128, np.uint8))
    for name, kind in (("a.png", "PNG"), ("b.jpg", "JPEG"), ("c.tiff", "TIFF"), ("d.bmp", "BMP")):
        picture.save(tmp_path / name)
        (tmp_path / f"{name}.hdr").write_bytes((tmp_path / name).read_bytes())
        (tmp_path / f"{name}.exr").write_bytes((tmp_path / name).read_bytes())
        for path in (tmp_path / name, tmp_path / f"{name}.hdr", tmp_path / f"{name}.exr"):
            with refused(path.name, kind, "HDR image"):
                read_hdr(path)


def test_content_decides_not_the_suffix(tmp_path):
    write_exr(tmp_path / "a.exr", RADIANCE)
    (tmp_path / "a.exr").rename(tmp_path / "a.hdr")
    np.testing.assert_array_equal(read_hdr(tmp_path / "a.hdr"), RADIANCE)


def test_what_is_not_a_file(tmp_path):
    (tmp_path / "empty.hdr").touch()
    (tmp_path / "folder.exr").mkdir()
    (tmp_path / "text.hdr").write_text("hello")
    os.mkfifo(tmp_path / "pipe.hdr")
    (tmp_path / "loop.hdr").symlink_to("loop.hdr")
    for name, why in (
        ("missing.hdr", "no such"),
        ("empty.hdr", "empty"),
        ("folder.exr", "folder"),
        ("text.hdr", "not a"),
        ("pipe.hdr", "regular"),
        ("loop.hdr", "cannot be read"),
        ("a\nb.hdr", "no such"),
    ):
        with refused(name.split("\n")[-1], why):
            read_hdr(tmp_path / name)


def test_npy_of_the_wrong_kind(tmp_path):
    path = tmp_path / "a.npy"
    cases = [
        (np.array([[{"a": 1}]], object), "dtype object"),
        (np.zeros((4, 8, 3), np.uint8), "dtype uint8"),
        (np.zeros((4, 8), np.float32), r"shape \(4, 8\)"),
        (np.zeros((4, 8, 4), np.float32), "shape"),
        (np.zeros((0, 8, 3), np.float32), "pixels"),
        (np.full((4, 8, 3), 1e300), "32 infinite"),
    ]
    for array, why in cases:
        np.save(path, array, allow_pickle=True)
        with refused("a.npy", why):
            read_hdr(path)
    path.write_bytes(b"\x93NUMPY\x01\x00\x76\x00" + b"(" * 118)
    with refused("a.npy", "header"):
        read_hdr(path)


def test_other_primaries_are_refused_d50_adapted_rec709_is_not(tmp_path):
    aces = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)
    with refused("aces.exr", "primaries"):
        read_hdr(write_with_oiio(tmp_path / "aces.exr", chromaticities=("float[8]", aces)))
    # As stored in the maps that come with Blender.
    d50 = (0.64845, 0.33088, 0.32119, 0.59789, 0.15590, 0.06606, 0.34571, 0.35854)
    assert read_hdr(write_with_oiio(tmp_path / "d50.exr", chromaticities=("float[8]", d50))).shape == (32, 64, 3)
    with refused("bad.exr", "primaries"):
        read_hdr(write_with_oiio(tmp_path / "bad.exr", chromaticities=("float[8]", (0.0,) * 8)))


def test_writers_check_what_they_write(tmp_path):
    with refused("a.exr", r"shape \(4, 8\)"):
        write_exr(tmp_path / "a.exr", np.zeros((4, 8)))
    with refused("a.npy", "1 pixels are NaN"):
        write_npy(tmp_path / "a.npy", np.where(np.arange(24).reshape(2, 4, 3) == 5, np.nan, 1.0))
    with refused("a.hdr", "negative radiance -1"):
        write_hdr(tmp_path / "a.hdr", np.full((2, 4, 3), -1.0))
    with refused("a.png", "suffix '.png'"):
        write_exr(tmp_path / "a.png", RADIANCE)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    code = (
        "import resource, sys, numpy as np; from assets import images; from assets.errors import AssetError\n"
        "image = np.random.default_rng(0).random((32, 64, 3))\n"
        "for limit in (0, 50, 5000):\n"
        "  resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))\n"
        "  for kind in ('exr', 'hdr', 'npy'):\n"
        "    for part in (image, image[:4, :8]):\n"
        "      try: getattr(images, f'write_{kind}')(f'{sys.argv[1]}/a.{kind}', part)\n"
        "      except AssetError as error: print(error)\n"
        "      else: assert limit == 5000 and part is not image, (limit, kind)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    why = re.compile(r"a\.(exr|hdr|npy): (cannot be written|needs)")
    assert len(lines) == 15 and not [line for line in lines if not why.search(line)]
    assert sorted(os.listdir(tmp_path)) == ["a.exr", "a.hdr", "a.npy"]
    for name in os.listdir(tmp_path):
        assert read_hdr(tmp_path / name).shape == (4, 8, 3)
