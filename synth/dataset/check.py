"""Check one clip: every byte, every pixel, and that the two agree with what is said about them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from assets.errors import AssetError, DatasetError
from synth.channels import frame_channel_names, lighting_channel
from synth.dataset import exr
from synth.dataset.metadata import (
    clip_hash,
    envmap_member,
    frame_member,
    parse_metadata,
    tar_header,
    transport_member,
)
from synth.transport import codec

_BLOCK = 512
_FLAT_DIFFERENCE = 0.25
"""Mean difference between the flat image and that of the transport, over the mean, that noise may explain."""
_SAID_TWICE = (
    "job", "index", "domain", "variant", "code_version", "seeds", "frames", "fps", "width", "height", "samples",
    "lobes", "identity", "split_identity", "split_hdri", "head_hash", "head_licence", "licences", "alpha_mean",
    "lobe_error", "nonfinite",
)  # fmt: skip
"""Columns that repeat what clip.json says."""


def lobe_error(images: Mapping[str, np.ndarray], lightings: int) -> float:
    """Largest |rgb - diffuse - specular| over a frame, where 1 is what rounding all three to half can explain.

    images: the stored channels of a frame. Rounding to half moves x by up to 2^-11 |x|, or 2^-25 where x is subnormal;
    a hundredth more is left to the renderer's own sums in float32.
    """
    worst = 0.0
    for lighting in range(lightings):
        rgb, diffuse, specular = (
            images[lighting_channel(name, lighting)].astype(np.float32) for name in ("rgb", "diffuse", "specular")
        )
        allowed = 1.01 * ((np.abs(rgb) + np.abs(diffuse) + np.abs(specular)) * 2.0**-11 + 3 * 2.0**-25)
        with np.errstate(invalid="ignore"):  # infinities are reported for what they are
            worst = max(worst, float((np.abs(rgb - diffuse - specular) / allowed).max()))
    return worst


def verify_clip(read: Callable[[int, int], bytes], row: dict[str, Any]) -> Iterator[str]:
    """Every problem of a clip, a line each.

    read: (offset, length) to the bytes of the tar that the offsets of ``row`` refer to. Memory holds one frame.
    """
    clip_id, start = row["clip_id"], row["offset"]
    where = {member["name"]: (member["offset"], member["length"]) for member in row["members"]}
    try:
        metadata = parse_metadata(read(*where["clip.json"]), row, f"clip {clip_id}")
    except KeyError:
        yield "no clip.json among its members"
        return
    except DatasetError as error:
        yield str(error)
        return
    frames = {frame_member(number): number for number in range(row["frames"])}
    transports = {transport_member(number): number for number in range(row["frames"])
                  if "transport" in metadata["frames"][number]}
    maps = {envmap_member(digest) for frame in metadata["frames"] for digest in frame["envmaps"]}
    used = {"clip.json", *frames, *transports, *maps}
    if used != set(where):
        yield f"members missing or unexpected: {', '.join(sorted(used ^ set(where))[:5])}"
        return
    digest, position = hashlib.blake2b(digest_size=16), start
    flat: tuple[int, np.ndarray | None] = (-1, None)  # of the last frame: its transport follows it
    for name, (offset, length) in sorted(where.items(), key=lambda item: item[1]):
        block = read(position, _BLOCK + length + -length % _BLOCK) if offset == position + _BLOCK else b""
        if block[:_BLOCK] != tar_header(f"{clip_id}/{name}", length):
            yield f"{name}: the tar does not have this member at byte {offset}"
            return
        digest.update(block)
        data = block[_BLOCK : _BLOCK + length]
        position += len(block)
        if name in frames:
            images, problems = _frame_problems(data, metadata, row, frames[name])
            flat = frames[name], images.get("flat")
            yield from (f"{name}: {problem}" for problem in problems)
        elif name in transports:
            number = transports[name]
            said, shown = metadata["frames"][number]["transport"], flat[1] if flat[0] == number else None
            yield from (f"{name}: {problem}" for problem in _transport_problems(data, said, row, shown))
        elif name != "clip.json":
            yield from (f"{name}: {problem}" for problem in _envmap_problems(data, metadata, name[4:-4]))
    if position != start + row["length"] or digest.hexdigest() != row["hash"]:
        yield "its bytes are not those that were written (hash differs)"
    hashes = [frame["pixel_hash"] for frame in metadata["frames"]]
    if row["frame_hashes"] != hashes or row["pixel_hash"] != clip_hash(metadata["frames"]):
        yield "pixel hashes of the index and of clip.json differ"
    said = {**metadata, **metadata["quality"], **metadata["spec"]}
    differ = [name for name in _SAID_TWICE if said.get(name) != row[name]]
    if differ:
        yield f"index and clip.json differ in {', '.join(differ)}"
    if not row["licences"]:
        yield "no licence is recorded"


def _frame_problems(data: bytes, metadata: dict[str, Any], row: dict[str, Any], number: int
                    ) -> tuple[Mapping[str, np.ndarray], list[str]]:
    """The images of a frame, none if it cannot be decoded, and what is wrong with it."""
    frame, lightings = metadata["frames"][number], len(row["lightings"])
    depths = {name: frame["parts"][name][2] for name in frame_channel_names(lightings, row["lobes"])}
    try:
        images = exr.decode_frame(data, depths, row["width"], row["height"])
    except DatasetError as error:
        return {}, [str(error)]
    problems = []
    if {name: list(record) for name, record in exr.part_records(data, images).items()} != {
        name: list(record) for name, record in frame["parts"].items()
    }:
        problems.append("parts are not where clip.json says")
    if exr.pixel_hash(images) != frame["pixel_hash"]:
        problems.append("pixels are not those that were written (hash differs)")
    for name, image in images.items():
        if not np.isfinite(image).all():
            problems.append(f"{name}: {int((~np.isfinite(image)).sum())} values are NaN or infinite")
    if images["alpha"].min() < 0 or images["alpha"].max() > 1:
        problems.append(f"alpha: reaches from {images['alpha'].min()} to {images['alpha'].max()}, outside [0, 1]")
    if row["lobes"]:
        error = lobe_error(images, lightings)
        if not error <= 1:
            problems.append(f"diffuse + specular differ from rgb by {error:.3g} times what rounding to half explains")
    return images, problems


def _transport_problems(data: bytes, said: str, row: dict[str, Any], flat: np.ndarray | None) -> Iterator[str]:
    """said: its hash; flat: (H, W, 3), the frame's channel of that name, or None where it could not be read."""
    if hashlib.blake2b(data, digest_size=16).hexdigest() != said:
        yield "its bytes are not those that were written (hash differs)"
    try:
        shown = codec.decode(data, size=(row["width"], row["height"])).flat()
    except AssetError as error:
        yield str(error)
        return
    if flat is None:
        yield "does not follow its frame, or that cannot be read"
        return
    difference = float(np.abs(shown - flat.astype(np.float32)).mean(dtype=np.float64))
    if not difference <= _FLAT_DIFFERENCE * float(flat.mean(dtype=np.float64)):
        yield f"its answer to white light differs from the flat image by {difference:.3g} on average"


def _envmap_problems(data: bytes, metadata: dict[str, Any], digest: str) -> Iterator[str]:
    try:
        radiance = exr.decode_envmap(data, *metadata["maps"][digest])
    except DatasetError as error:
        yield str(error)
        return
    if exr.pixel_hash({"envmap": radiance}) != digest:
        yield "pixels are not those that its name says (hash differs)"
    if not np.isfinite(radiance).all() or radiance.min() < 0:
        yield "radiance is negative, NaN or infinite"
