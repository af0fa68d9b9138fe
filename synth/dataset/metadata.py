"""What a clip says about itself: its clip.json and its place in a tar."""

from __future__ import annotations

import hashlib
import json
import tarfile
from typing import Any

import numpy as np

from assets.errors import DatasetError
from synth.camera.camera import Camera
from synth.channels import frame_channel_names
from synth.dataset.storage import brief

FORMAT = 3
"""Version of clip.json and of the layout of a clip."""


def frame_member(frame: int) -> str:
    """Name of a frame's file in its clip."""
    return f"{frame:04d}.exr"


def transport_member(frame: int) -> str:
    """Name of a frame's transport in its clip."""
    return f"{frame:04d}.transport"


def envmap_member(digest: str) -> str:
    """Name of an environment map's file in its clip."""
    return f"env/{digest}.exr"


def tar_member(name: str, data: bytes) -> tuple[bytes, bytes]:
    """Header and padded data of a tar member that is the same on every machine and day (owner, group, time 0)."""
    return tar_header(name, len(data)), data + bytes(-len(data) % tarfile.BLOCKSIZE)


def tar_header(name: str, length: int) -> bytes:
    """The 512 bytes before a member's data."""
    header = tarfile.TarInfo(name)
    header.size = length
    return header.tobuf(tarfile.USTAR_FORMAT)


def clip_hash(frames: list[dict[str, Any]]) -> str:
    """Pixel hash of a clip from the pixel hashes of its frames and of the environment maps they were lit by."""
    text = "\n".join(" ".join([frame["pixel_hash"], *frame["envmaps"]]) for frame in frames)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def camera_to_json(camera: Camera) -> dict[str, Any]:
    """A camera as plain JSON."""
    return {
        "camera_to_world": np.asarray(camera.camera_to_world, np.float64).tolist(),
        "focal_mm": float(camera.focal_mm),
        "width": int(camera.width),
        "height": int(camera.height),
    }


def camera_from_json(data: dict[str, Any]) -> Camera:
    """The inverse of :func:`camera_to_json`."""
    matrix = np.array(data["camera_to_world"], np.float64)
    if matrix.shape != (4, 4):
        raise ValueError(f"camera_to_world has shape {matrix.shape}, expected (4, 4)")
    return Camera(matrix, float(data["focal_mm"]), int(data["width"]), int(data["height"]))


def parse_metadata(data: bytes, row: dict[str, Any], where: str) -> dict[str, Any]:
    """clip.json, checked against the clip's row so that a reader can follow it blindly; DatasetError otherwise."""
    try:
        metadata = json.loads(data)
        _check(metadata, row)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DatasetError(f"{where}: clip.json cannot be used: {type(error).__name__}: {brief(error)}") from error
    return metadata


def _check(metadata: dict[str, Any], row: dict[str, Any]) -> None:
    """Raise ValueError, TypeError or KeyError where clip.json disagrees with the row or with itself."""
    lengths = {member["name"]: member["length"] for member in row["members"]}
    lightings = len(row["lightings"])
    names = list(frame_channel_names(lightings, row["lobes"]))
    for key, expected in (("format", FORMAT), ("clip_id", row["clip_id"]), ("licences", row["licences"])):
        if metadata[key] != expected:
            raise ValueError(f"{key} is {metadata[key]!r}, expected {expected!r}")
    if not (isinstance(metadata["spec"], dict) and isinstance(metadata["quality"], dict)):
        raise ValueError("spec and quality are not mappings")
    if len(metadata["frames"]) != row["frames"] or len(metadata["exposure_ev"]) != lightings:
        raise ValueError(f"{len(metadata['frames'])} frames, expected {row['frames']}")
    for number, frame in enumerate(metadata["frames"]):
        camera_from_json(frame["camera"])
        if not isinstance(frame["pixel_hash"], str):
            raise ValueError(f"frame {number}: pixel_hash is {frame['pixel_hash']!r}")
        if sorted(frame["parts"]) != sorted(names):
            raise ValueError(f"frame {number}: the parts are not those of {lightings} lightings")
        for name, (offset, length, depth) in frame["parts"].items():
            if not (isinstance(offset, int) and isinstance(length, int) and depth in ("half", "float")):
                raise ValueError(f"frame {number}: {name} lies at {offset!r} + {length!r} as {depth!r}")
            if not 0 <= offset <= offset + length <= lengths[frame_member(number)]:
                raise ValueError(f"frame {number}: {name} claims bytes {offset} + {length}, outside its file")
        kept = transport_member(number) in lengths
        if "transport" in frame and not (kept and isinstance(frame["transport"], str)):
            raise ValueError(f"frame {number}: its transport {frame['transport']!r} is not in the clip")
        if len(frame["envmaps"]) != lightings:
            raise ValueError(f"frame {number}: {len(frame['envmaps'])} environment maps for {lightings} lightings")
        for digest in frame["envmaps"]:
            width, height = metadata["maps"][digest]
            if not isinstance(height, int) or width != 2 * height or envmap_member(digest) not in lengths:
                raise ValueError(f"frame {number}: environment map {digest} is {width}x{height}, or not in the clip")
