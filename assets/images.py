"""HDR images in and out: Radiance ``.hdr``/``.pic``, OpenEXR and ``.npy``, checked before they are decoded."""

from __future__ import annotations

import errno
import math
import mmap
import os
import shutil
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from assets.arrays import read_npy_header
from assets.errors import AssetError
from assets.files import atomic_write, check_regular_file, one_line
from assets.image_headers import ExrPart, check_size, read_exr_header, read_radiance_header

HDR_SUFFIXES = (".hdr", ".pic", ".exr", ".npy")
"""What is looked for in folders; the content, not the suffix, decides how a file is read."""
HALF_MAX = 65504.0
"""Largest finite half float: maps that were stored as half pile up here when their sun did not fit."""
_LDR_MAGIC = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"BM": "BMP", b"RIFF": "WebP",
              b"II*\0": "TIFF", b"MM\0*": "TIFF", b"DDS ": "DDS", b"8BPS": "Photoshop"}  # fmt: skip


def read_hdr(path: str | os.PathLike, repair: bool = False) -> np.ndarray:
    """Read an HDR image: (H, W, 3) float32, scene-linear Rec.709 radiance as stored, row 0 on top.

    Reads Radiance (exposure lines undone), OpenEXR (scanline or tiled, half or float; of a multi-part file the first
    part with R, G and B) and ``.npy``. Size and completeness are checked from the header before any pixel is allocated;
    a truncated file is an error, never zero-filled. NaN, infinite or negative radiance is an error, unless ``repair``:
    then NaN and negative become 0, and +inf the channel-wide largest finite value.
    """
    path, name = Path(path), one_line(path)
    size = check_regular_file(path)
    with open(path, "rb") as file:
        magic = file.read(10)
    if magic.startswith(b"\x93NUMPY"):
        image = _read_npy(path, name, size)
    elif magic.startswith((b"#?", b"\x76\x2f\x31\x01")):
        image = _decode(path, name, magic.startswith(b"#?"))
    else:
        raise AssetError(_not_hdr(name, path, magic))
    return _check_radiance(image, name, repair)


def is_panorama(image: np.ndarray) -> bool:
    """True for a full equirectangular shape: twice as wide as high."""
    return image.shape[1] == 2 * image.shape[0]


def write_exr(path: str | os.PathLike, array: np.ndarray, half: bool = False) -> None:
    """Write (H, W, 3) finite scene-linear Rec.709 radiance as a ZIP OpenEXR (lossless), float32 or ``half``; atomic."""
    array = _check_writable(path, array)
    if half and (peak := float(np.abs(array).max())) > HALF_MAX:
        raise AssetError(
            f"{one_line(path)}: radiance {peak:g} does not fit half floats (max {HALF_MAX:g}), write float32"
        )
    _encode(path, array, ".exr", "half" if half else "float")


def write_hdr(path: str | os.PathLike, array: np.ndarray) -> None:
    """Write (H, W, 3) finite, non-negative scene-linear radiance as Radiance RGBE (1 % precision a pixel); atomic."""
    array = _check_writable(path, array)
    if float(array.min()) < 0:
        raise AssetError(f"{one_line(path)}: negative radiance {float(array.min()):g}, Radiance files hold none")
    _encode(path, array, ".hdr", "float")


def write_npy(path: str | os.PathLike, array: np.ndarray) -> None:
    """Write (H, W, 3) finite scene-linear radiance as float32 ``.npy``; atomic."""
    array = _check_writable(path, array)
    with atomic_write(path, array.nbytes + 128) as temporary, open(temporary, "wb") as file:
        npy.write_array_header_1_0(file, npy.header_data_from_array_1_0(array))
        file.write(array.data)


def _not_hdr(name: str, path: Path, magic: bytes) -> str:
    for start, kind in _LDR_MAGIC.items():
        if magic.startswith(start):
            return f"{name}: is a {kind} (low dynamic range); light needs an HDR image: .hdr, .exr or float .npy"
    if path.suffix.lower() in HDR_SUFFIXES:
        return f"{name}: is not a Radiance, OpenEXR or .npy file (starts with {magic!r})"
    return f"{name}: unknown image format, may be .hdr, .pic, .exr or .npy with linear radiance"


def _read_npy(path: Path, name: str, size: int) -> np.ndarray:
    with open(path, "rb") as file:
        shape, dtype = read_npy_header(file, name)
        start = file.tell()
    if dtype.kind != "f":
        raise AssetError(f"{name}: dtype {dtype}, may be float16, float32 or float64")
    if len(shape) != 3 or shape[2] != 3:
        raise AssetError(f"{name}: shape {shape}, may be (height, width, 3)")
    check_size(name, shape[1], shape[0])
    if size - start != math.prod(shape) * dtype.itemsize:
        raise AssetError(
            f"{name}: truncated: {size - start:,} bytes of pixels, {math.prod(shape) * dtype.itemsize:,} expected"
        )
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes inf, which is reported as such
        return np.load(path, allow_pickle=False).astype(np.float32)


def _decode(path: Path, name: str, radiance: bool) -> np.ndarray:
    """Check the header ourselves, decode the pixels with OpenImageIO (which reports short data, and is asked)."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if radiance:
            exposure, part, subimage = read_radiance_header(data, name), None, 0
        else:
            exposure, parts = 1.0, read_exr_header(data, name)
            subimage = next((i for i, part in enumerate(parts) if {"R", "G", "B"} <= set(part.channels)), None)
            if subimage is None:
                raise AssetError(f"{name}: OpenEXR channels {', '.join(parts[0].channels)[:80]}; R, G and B are needed")
            part = parts[subimage]
    if part is not None and part.chromaticities is not None:
        _check_primaries(name, part)
    pixels = _decode_pixels(path, name, subimage, part)
    return pixels if exposure == 1.0 else pixels / np.float32(exposure)


def _decode_pixels(path: Path, name: str, subimage: int, part: ExrPart | None) -> np.ndarray:
    import OpenImageIO as oiio

    source = oiio.ImageInput.open(str(path))
    if source is None:
        raise AssetError(f"{name}: cannot be decoded ({one_line(oiio.geterror())[:200]})")
    try:
        spec = source.spec(subimage)
        check_size(name, spec.width, spec.height)
        if part is not None and (spec.width, spec.height) != (part.width, part.height):
            raise AssetError(f"{name}: header and decoder disagree on the size")
        if not {"R", "G", "B"} <= set(spec.channelnames):
            raise AssetError(f"{name}: header and decoder disagree on the channels")
        order = [spec.channelnames.index(channel) for channel in ("R", "G", "B")]
        first, last = min(order), max(order) + 1
        pixels = source.read_image(subimage, 0, first, last, "float")
        if pixels is None or source.has_error:
            raise AssetError(f"{name}: truncated or corrupt pixels ({one_line(source.geterror())[:200]})")
    finally:
        source.close()
    return np.ascontiguousarray(pixels[..., [channel - first for channel in order]], np.float32)


def _check_primaries(name: str, part: ExrPart) -> None:
    """Refuse stored primaries that are not Rec.709 after adaptation of the white point (Bradford), for example ACES."""
    xy = np.array(part.chromaticities, np.float64).reshape(4, 2)
    rec709 = np.array([[0.64, 0.33], [0.30, 0.60], [0.15, 0.06], [0.3127, 0.3290]])
    try:
        to_rec709 = np.linalg.solve(_rgb_to_xyz(rec709), _adapt(xy[3], rec709[3]) @ _rgb_to_xyz(xy))
        different = not np.abs(to_rec709 - np.eye(3)).max() < 0.1
    except np.linalg.LinAlgError:
        different = True
    if different:
        raise AssetError(
            f"{name}: primaries are not Rec.709 (red {xy[0].round(3)}, white {xy[3].round(3)}); convert it first"
        )


_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def _xyz(xy: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.stack([xy[..., 0], xy[..., 1], 1 - xy.sum(axis=-1)], axis=-1) / xy[..., 1:]


def _rgb_to_xyz(xy: np.ndarray) -> np.ndarray:
    primaries = _xyz(xy[:3]).T
    return primaries * np.linalg.solve(primaries, _xyz(xy[3]))


def _adapt(white: np.ndarray, target: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        scale = (_BRADFORD @ _xyz(target)) / (_BRADFORD @ _xyz(white))
    return np.linalg.solve(_BRADFORD, scale[:, None] * _BRADFORD)


def _check_radiance(image: np.ndarray, name: str, repair: bool) -> np.ndarray:
    low, high = float(image.min()), float(image.max())  # NaN makes both NaN
    if low >= 0 and math.isfinite(high):
        return image
    nan, infinite, negative = np.isnan(image), np.isinf(image), image < 0
    if not repair:
        kinds = {"NaN": nan, "infinite": infinite, "negative": negative & ~infinite}
        counts = {kind: int(mask.any(axis=-1).sum()) for kind, mask in kinds.items()}
        listed = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
        raise AssetError(
            f"{name}: radiance must be finite and not negative: {listed} of {image.shape[0] * image.shape[1]} pixels "
            f"(repair=True clamps them)"
        )
    finite = image[np.isfinite(image)]
    peak = max(float(finite.max()), 0.0) if finite.size else 0.0
    return np.clip(np.nan_to_num(image, nan=0.0, posinf=peak, neginf=0.0), 0.0, None)


def _check_writable(path: str | os.PathLike, array: np.ndarray) -> np.ndarray:
    name = one_line(path)
    array = np.ascontiguousarray(array, np.float32)
    if array.ndim != 3 or array.shape[2] != 3:
        raise AssetError(f"{name}: array of shape {array.shape}, may be (height, width, 3)")
    check_size(name, array.shape[1], array.shape[0])
    if not np.isfinite(array).all():
        raise AssetError(
            f"{name}: {int((~np.isfinite(array)).any(axis=-1).sum())} pixels are NaN or infinite (as float32)"
        )
    return array


def _encode(path: str | os.PathLike, array: np.ndarray, suffix: str, pixel_type: str) -> None:
    import OpenImageIO as oiio

    path = Path(path)
    if path.suffix.lower() != suffix:
        raise AssetError(f"{one_line(path)}: suffix {path.suffix!r}, may be {suffix!r}")
    height, width, _ = array.shape
    with atomic_write(path) as temporary:
        spec = oiio.ImageSpec(width, height, 3, pixel_type)
        if suffix == ".exr":
            spec["compression"] = "zip"
        output = oiio.ImageOutput.create(str(temporary))
        ok = output.open(str(temporary), spec) and output.write_image(array)
        problem = "" if ok else one_line(output.geterror())
        if not (output.close() and ok and _is_whole(temporary, suffix)):
            full = shutil.disk_usage(path.parent).free < array.nbytes
            raise OSError(errno.ENOSPC if full else errno.EIO, problem or "the encoder left it incomplete")


def _is_whole(path: Path, suffix: str) -> bool:
    """Read back: OpenImageIO doesn't notice when the last block, or all of a small file, found no room on the disk."""
    try:
        check_regular_file(path)
        _decode(path, path.name, suffix == ".hdr")
    except AssetError:
        return False
    return True
