"""Headers of Radiance and OpenEXR files, read before any decoder sees them: size, layout, and is every byte there?"""

from __future__ import annotations

import dataclasses
import math
import mmap
import re
import struct

import numpy as np

from assets.errors import AssetError

MAX_WIDTH, MAX_HEIGHT = 16384, 8192
"""Largest image that is read, pixels."""
_MAX_PARTS = 64
_MAX_ATTRIBUTES = 1024
_LINES_PER_CHUNK = (1, 1, 1, 16, 32, 16, 32, 32, 32, 256)
"""Scanlines a chunk, by OpenEXR compression code: none, RLE, ZIPS, ZIP, PIZ, PXR24, B44, B44A, DWAA, DWAB."""


def check_size(name: str, width: int, height: int) -> None:
    """Refuse what is not 1..MAX pixels a side, before anything is allocated."""
    if not (1 <= width <= MAX_WIDTH and 1 <= height <= MAX_HEIGHT):
        raise AssetError(f"{name}: header claims {width} x {height} pixels, may be 1 x 1 to {MAX_WIDTH} x {MAX_HEIGHT}")


def read_radiance_header(data: bytes | mmap.mmap, name: str) -> float:
    """Check a Radiance picture's header and length; returns its exposure, by which pixels are divided to get radiance.

    Format: Ward, "The RADIANCE picture file format" (radsite.lbl.gov/radiance/refer/filefmts.pdf).
    """
    end = data.find(b"\n\n", 0, 65536)
    lines = bytes(data[:end]).decode("latin-1").split("\n") if end > 0 else []
    resolution = bytes(data[end + 2 : end + 130]).split(b"\n")[0].decode("latin-1") if lines else ""
    match = re.fullmatch(r"([-+][XY]) (\d{1,9}) ([-+][XY]) (\d{1,9})\r?", resolution)
    if not match:
        raise AssetError(f"{name}: broken or truncated Radiance header (no resolution line)")
    axes, height, width = match[1] + match[3], int(match[2]), int(match[4])
    if axes != "-Y+X":
        raise AssetError(f"{name}: Radiance axes {match[1]} {match[3]}, only the standard -Y +X is read")
    check_size(name, width, height)
    exposure = 1.0
    for line in lines[1:]:
        key, _, value = line.partition("=")
        if key == "FORMAT" and value.strip() != "32-bit_rle_rgbe":
            raise AssetError(f"{name}: Radiance format {value.strip()[:40]!r}, may be '32-bit_rle_rgbe'")
        if key == "EXPOSURE":  # repeated lines multiply
            exposure *= _positive(value, name)
    # The shortest coding of a row: a 4-byte marker and, for each of 4 components, 2 bytes a run of at most 127 pixels.
    shortest = height * min(4 * width, 4 + 8 * math.ceil(width / 127))
    if len(data) - end - 3 - len(resolution) < shortest:
        raise AssetError(f"{name}: truncated: {len(data):,} bytes can't hold {width} x {height} pixels")
    return exposure


def _positive(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (value > 0 and math.isfinite(value)):
        raise AssetError(f"{name}: EXPOSURE={text.strip()[:40]!r} in the header, may be a positive number")
    return value


@dataclasses.dataclass(frozen=True)
class ExrPart:
    """What the header says of one part of an OpenEXR file."""

    channels: tuple[str, ...]
    """Channel names in file order."""
    width: int
    """Width of the data window, pixels."""
    height: int
    """Height of the data window, pixels."""
    chromaticities: tuple[float, ...] | None
    """CIE xy of red, green, blue and white, or None (then Rec.709, D65)."""


class _Cursor:
    """Reads little-endian values from a buffer; running off its end is a truncated header."""

    def __init__(self, data: bytes | mmap.mmap, name: str, position: int = 0):
        self.data, self.name, self.position = data, name, position

    def take(self, count: int) -> bytes:
        block = bytes(self.data[self.position : self.position + count]) if count >= 0 else b""
        if len(block) != count:
            raise AssetError(f"{self.name}: truncated OpenEXR header")
        self.position += count
        return block

    def text(self, limit: int = 256) -> str:
        end = self.data.find(b"\0", self.position, self.position + limit)
        if end < 0:
            raise AssetError(f"{self.name}: broken OpenEXR header (a name without end)")
        return self.take(end + 1 - self.position)[:-1].decode("latin-1")

    def unpack(self, layout: str) -> tuple:
        return struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout)))


def read_exr_header(data: bytes | mmap.mmap, name: str) -> list[ExrPart]:
    """Check every part's header, then that every pixel chunk lies inside the file; returns the parts.

    Format: "OpenEXR File Layout" (openexr.com/en/latest/OpenEXRFileLayout.html).
    """
    cursor = _Cursor(data, name, 4)
    (version,) = cursor.unpack("I")
    if version & 0xFF != 2:
        raise AssetError(f"{name}: OpenEXR version {version & 0xFF}, may be 2")
    multi_part = bool(version & 0x1000)
    if version & 0x800:
        raise AssetError(f"{name}: deep OpenEXR data, a flat image is needed")
    headers = [_attributes(cursor)]
    while multi_part and cursor.data[cursor.position : cursor.position + 1] != b"\0":
        headers.append(_attributes(cursor))
        if len(headers) > _MAX_PARTS:
            raise AssetError(f"{name}: more than {_MAX_PARTS} OpenEXR parts")
    cursor.position += multi_part
    parts = [_part(header, name) for header in headers]
    for header, part in zip(headers, parts, strict=True):
        tiled = "tiles" in header if multi_part else bool(version & 0x200)
        _check_chunks(cursor, header, part, tiled, multi_part)
    return parts


def _attributes(cursor: _Cursor) -> dict[str, bytes]:
    """One header: attribute name -> raw value, until the empty name that ends it."""
    attributes: dict[str, bytes] = {}
    while key := cursor.text():
        cursor.text()  # the type's name
        (size,) = cursor.unpack("i")
        attributes[key] = cursor.take(size)
        if len(attributes) > _MAX_ATTRIBUTES:
            raise AssetError(f"{cursor.name}: more than {_MAX_ATTRIBUTES} OpenEXR attributes")
    return attributes


def _part(header: dict[str, bytes], name: str) -> ExrPart:
    try:
        x0, y0, x1, y1 = struct.unpack("<4i", header["dataWindow"])
        display = struct.unpack("<4i", header["displayWindow"])
        raw = header.get("chromaticities")
        chromaticities = struct.unpack("<8f", raw) if raw is not None else None
        raw_channels = header["channels"]
    except (KeyError, struct.error) as error:
        raise AssetError(f"{name}: broken OpenEXR header ({error})") from None
    width, height = x1 - x0 + 1, y1 - y0 + 1
    check_size(name, width, height)
    if (x0, y0, x1, y1) != display:
        raise AssetError(
            f"{name}: cropped OpenEXR: data window {(x0, y0, x1, y1)}, display window {display}; must be equal"
        )
    channels, cursor = [], _Cursor(raw_channels, name)
    while channel := cursor.text():
        channels.append(channel)
        pixel_type, _, x_step, y_step = cursor.unpack("iIii")
        if channel in ("R", "G", "B") and (x_step, y_step) != (1, 1):
            raise AssetError(f"{name}: OpenEXR channel {channel} is subsampled, every pixel is needed")
        if channel in ("R", "G", "B") and pixel_type not in (1, 2):
            raise AssetError(f"{name}: OpenEXR channel {channel} holds integers, half or float is needed")
    return ExrPart(tuple(channels), width, height, chromaticities)


def _check_chunks(cursor: _Cursor, header: dict[str, bytes], part: ExrPart, tiled: bool, multi_part: bool) -> None:
    """Every chunk that the offset table lists must lie inside the file (a killed writer leaves zeros in the table)."""
    name, data = cursor.name, cursor.data
    count = _chunk_count(header, part, tiled, name)
    if count is None:
        return
    offsets = np.frombuffer(cursor.take(8 * count), "<u8")
    leader = 4 * multi_part + (20 if tiled else 8)
    if count and (int(offsets.min()) < cursor.position or int(offsets.max()) > len(data) - leader):
        raise AssetError(
            f"{name}: truncated: some of the {count} pixel blocks are not in the file ({len(data):,} bytes)"
        )
    for offset in offsets.tolist():
        (size,) = struct.unpack_from("<i", data, offset + leader - 4)
        if not 0 <= size <= len(data) - offset - leader:
            raise AssetError(f"{name}: truncated: a pixel block ends beyond the file ({len(data):,} bytes)")


def _chunk_count(header: dict[str, bytes], part: ExrPart, tiled: bool, name: str) -> int | None:
    """Entries of the part's offset table; None for single-part mip- and rip-maps (left to the decoder)."""
    try:
        if tiled:
            tile_width, tile_height, mode = struct.unpack("<IIB", header["tiles"])
            if not (tile_width and tile_height):
                raise AssetError(f"{name}: OpenEXR tiles of {tile_width} x {tile_height} pixels")
            count = math.ceil(part.width / tile_width) * math.ceil(part.height / tile_height)
            if mode & 15 and "chunkCount" not in header:
                return None
        else:
            count = math.ceil(part.height / _LINES_PER_CHUNK[header["compression"][0]])
        if "chunkCount" in header:
            (count,) = struct.unpack("<i", header["chunkCount"])
    except (KeyError, IndexError, struct.error) as error:
        raise AssetError(f"{name}: broken or unknown OpenEXR header ({error})") from None
    return count
