"""Frames and environment maps as OpenEXR: lossless, and readable one part at a time.

A frame is a standard multi-part file that any software opens. OpenEXR's Python reader decodes every part, so for random
access we remember where the compressed chunks of a part lie, and hand the library a one-part file made of these bytes
and of a header of our own: one small range is read, and no foreign header is ever believed.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import struct
from collections.abc import Mapping, Sequence

import numpy as np
import OpenEXR

from assets.errors import DatasetError
from assets.images import HALF_MAX
from synth.channels import describe
from synth.dataset.storage import brief

MAX_SIDE = 16384
"""Largest width or height that is ever decoded, pixels."""

_MAGIC = b"\x76\x2f\x31\x01"
_LINES = 16  # scanlines in a ZIP chunk
_PIXEL_TYPE = {"half": 1, "float": 2}
_DTYPE = {"half": np.dtype("<f2"), "float": np.dtype("<f4")}
_HEADER = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}

PartRecord = tuple[int, int, str]
"""Where a part lies in its EXR file: byte offset and length of its run of chunks, and ``half`` or ``float``."""


def stored(name: str, image: np.ndarray) -> np.ndarray:
    """The image as the master keeps it: float16 for colour within half's range, float32 otherwise.

    image: (H, W[, C]) float of the channel ``name``. Returns a C-contiguous (H, W[, C]) float16 or float32 array.
    """
    image = np.asarray(image, np.float32)
    if describe(name).dtype == np.float16 and max(image.max(), -image.min()) <= HALF_MAX:
        return image.astype(np.float16)
    return np.ascontiguousarray(image)


def pixel_hash(images: Mapping[str, np.ndarray]) -> str:
    """32 hex digits of BLAKE2b over names, shapes, depths and values of the stored images, in the order given."""
    digest = hashlib.blake2b(digest_size=16)
    for name, image in images.items():
        digest.update(f"{name} {image.shape} {image.dtype.name}\n".encode())
        digest.update(np.ascontiguousarray(image, image.dtype.newbyteorder("<")).data)
    return digest.hexdigest()


def _planes(image: np.ndarray, components: Sequence[str]) -> dict[str, np.ndarray]:
    planes = image[..., None] if image.ndim == 2 else image
    return {component: np.ascontiguousarray(planes[..., k]) for k, component in enumerate(components)}


def _encode(images: Mapping[str, np.ndarray], components: Mapping[str, Sequence[str]]) -> bytes:
    parts = [OpenEXR.Part(dict(_HEADER), _planes(image, components[name]), name=name) for name, image in images.items()]
    stream = io.BytesIO()
    # Threads do not pay for chunks this small, and workers are one-core: 110 ms without, 140 ms with two.
    OpenEXR.File(parts, num_threads=0).write(stream)
    return stream.getvalue()


def encode_frame(images: Mapping[str, np.ndarray]) -> tuple[bytes, dict[str, PartRecord]]:
    """A multi-part EXR file of stored images (see :func:`stored`), and where each of its parts lies."""
    data = _encode(images, {name: describe(name).components for name in images})
    return data, part_records(data, images)


def part_records(data: bytes, images: Mapping[str, np.ndarray]) -> dict[str, PartRecord]:
    """Where the parts of a file lie, from its offset tables; the images say how many chunks each has."""
    tables = np.frombuffer(data, "<u8", offset=_tables_start(data), count=sum(map(_chunks, images.values())))
    starts = np.cumsum([0] + [_chunks(image) for image in images.values()])[:-1]
    offsets = [int(tables[start]) for start in starts] + [len(data)]
    return {
        name: (offsets[i], offsets[i + 1] - offsets[i], "half" if image.dtype == np.float16 else "float")
        for i, (name, image) in enumerate(images.items())
    }


def _chunks(image: np.ndarray) -> int:
    return -(-image.shape[0] // _LINES)


def _tables_start(data: bytes) -> int:
    """Byte after the headers: each is a list of (name, type, size, value) closed by a zero, as is the list of them."""
    position = 8
    while data[position]:
        while data[position]:
            type_start = data.index(b"\0", position) + 1
            size_start = data.index(b"\0", type_start) + 1
            position = size_start + 4 + struct.unpack_from("<i", data, size_start)[0]
        position += 1
    return position + 1


def decode_part(run: bytes, part: int, name: str, depth: str, width: int, height: int) -> np.ndarray:
    """Decode one part of a frame from its run of chunks.

    run: the bytes named by the part's record; part: its number in the file. Returns (H, W[, C]) float16 or float32 in
    the unit and space of the channel. DatasetError where the bytes are anything else.
    """
    components = describe(name).components
    if depth not in _PIXEL_TYPE or not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise DatasetError(f"{name}: {width}x{height} {depth!r} is not a size and depth (half, float) that can be read")
    header = _part_header(components, depth, width, height)
    count = -(-height // _LINES)
    body, offsets, position = [], [], 0
    base = len(header) + 8 * count
    for chunk in range(count):
        number, y, size = struct.unpack_from("<iii", run, position) if position + 12 <= len(run) else (-1, -1, -1)
        if number != part or y != chunk * _LINES or not 0 < size <= len(run) - position - 12:
            raise DatasetError(f"{name}: byte {position} of the part is not chunk {chunk} of part {part}")
        offsets.append(base + position - 4 * chunk)
        body.append(run[position + 4 : position + 12 + size])
        position += 12 + size
    if position != len(run):
        raise DatasetError(f"{name}: {len(run) - position} bytes too many in the part")
    data = b"".join([header, struct.pack(f"<{count}Q", *offsets), *body])
    try:
        channels = OpenEXR.File(io.BytesIO(data), num_threads=0).channels()
    except Exception as error:  # the binding raises RuntimeError, ValueError, TypeError... for broken data
        raise DatasetError(f"{name}: cannot be decoded: {brief(error)}") from error
    if not channels:  # the binding says what was wrong on the console only
        raise DatasetError(f"{name}: cannot be decoded: its chunks are damaged")
    return _assembled(channels, name, components, depth, width, height)


def _part_header(components: Sequence[str], depth: str, width: int, height: int) -> bytes:
    """Header of a one-part ZIP scanline file (OpenEXR file layout, version 2)."""
    channels = b"".join(
        struct.pack(f"<{len(c) + 1}siBxxxii", c.encode(), _PIXEL_TYPE[depth], 0, 1, 1) for c in sorted(components)
    )
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    attributes = (
        ("channels", "chlist", channels + b"\0"),
        ("compression", "compression", b"\x03"),
        ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window),
        ("lineOrder", "lineOrder", b"\0"),
        ("pixelAspectRatio", "float", struct.pack("<f", 1)),
        ("screenWindowCenter", "v2f", bytes(8)),
        ("screenWindowWidth", "float", struct.pack("<f", 1)),
    )
    packed = (f"{n}\0{t}\0".encode() + struct.pack("<i", len(value)) + value for n, t, value in attributes)
    return _MAGIC + struct.pack("<i", 2) + b"".join(packed) + b"\0"


def _assembled(
    channels: Mapping, name: str, components: Sequence[str], depth: str, width: int, height: int
) -> np.ndarray:
    """One array from what the library gives: R, G and B come interleaved, anything else as planes."""
    if "".join(components) in channels:
        image = channels["".join(components)].pixels
    elif all(component in channels for component in components):
        image = np.stack([channels[component].pixels for component in components], axis=-1)
    else:
        raise DatasetError(f"{name}: holds components {', '.join(channels)}, expected {', '.join(components)}")
    shape = (height, width) if len(components) == 1 else (height, width, len(components))
    if image.shape != shape or image.dtype != _DTYPE[depth]:
        raise DatasetError(f"{name}: holds {image.shape} {image.dtype}, expected {shape} {depth}")
    return image


def decode_frame(data: bytes, depths: Mapping[str, str], width: int, height: int) -> dict[str, np.ndarray]:
    """Every part of a frame's file as any software sees it; the headers are checked before a pixel is decoded.

    depths: image name to ``half`` or ``float``, in file order. Returns name to (H, W[, C]) float16 or float32.
    """
    components = {name: describe(name).components for name in depths}
    parts = _parts(data, components, width, height)
    return {
        name: _assembled(part.channels, name, components[name], depth, width, height)
        for part, (name, depth) in zip(parts, depths.items(), strict=True)
    }


def encode_envmap(radiance: np.ndarray) -> bytes:
    """A float32 EXR file of an environment map (He, We, 3), scene-linear Rec.709 radiance, world axes."""
    return _encode({"envmap": np.asarray(radiance, np.float32)}, {"envmap": "RGB"})


def decode_envmap(data: bytes, width: int, height: int) -> np.ndarray:
    """(height, width, 3) float32 scene-linear Rec.709 radiance of a map written by :func:`encode_envmap`."""
    part = _parts(data, {"envmap": "RGB"}, width, height)[0]
    return _assembled(part.channels, "envmap", "RGB", "float", width, height)


def _parts(data: bytes, components: Mapping[str, Sequence[str]], width: int, height: int) -> list[OpenEXR.Part]:
    """The decoded parts of a file whose headers say exactly what they should; else nothing is decoded."""
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise DatasetError(f"{width}x{height} pixels is not a size that can be read (at most {MAX_SIDE} a side)")
    window = [[0, 0], [width - 1, height - 1]]
    expected = [(n, window, sorted(c), OpenEXR.ZIP_COMPRESSION, OpenEXR.scanlineimage) for n, c in components.items()]
    try:
        found = [_layout(part) for part in OpenEXR.File(io.BytesIO(data), header_only=True).parts]
        parts = OpenEXR.File(io.BytesIO(data), num_threads=0).parts if found == expected else []
    except Exception as error:  # the binding raises RuntimeError, ValueError, TypeError... for broken data
        raise DatasetError(f"cannot be decoded: {brief(error)}") from error
    if len(parts) == len(expected):
        return parts
    if found == expected:  # the binding stops at the first broken part, and says so on the console only
        raise DatasetError(f"{expected[len(parts)][0]}: cannot be decoded: its chunks are damaged")
    wrong = next(pair for pair in itertools.zip_longest(found, expected) if pair[0] != pair[1])
    raise DatasetError(f"a header says {wrong[0]}, expected {wrong[1]}")


def _layout(part: OpenEXR.Part) -> tuple:
    header = part.header
    window = [[int(value) for value in corner] for corner in header["dataWindow"]]
    names = sorted(channel.name for channel in header["channels"])
    return part.name(), window, names, part.compression(), part.type()
