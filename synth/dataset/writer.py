"""Write one clip: frames are encoded one at a time into a tar that appears, checked and whole, or not at all."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tarfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from assets.errors import AssetError, DatasetError
from synth.channels import CHANNELS, describe, frame_channel_names
from synth.dataset import exr
from synth.dataset.check import lobe_error, verify_clip
from synth.dataset.index import CLIP_ID, STAGING, index_values
from synth.dataset.metadata import (
    FORMAT,
    camera_to_json,
    clip_hash,
    envmap_member,
    frame_member,
    tar_member,
    transport_member,
)
from synth.dataset.storage import Storage, brief
from synth.scene import Frame
from synth.spec import CODE_VERSION, ClipSpec
from synth.transport import codec
from synth.transport.response import Transport


@dataclasses.dataclass(frozen=True)
class ClipInfo:
    """What the dataset records about a clip beyond its specification."""

    domain: str
    """``mitsuba``, ``cycles`` or ``stage``: the renderer's ``domain``."""
    renderer: Mapping[str, Any]
    """The renderer's description of itself: version, variant, estimator."""
    identity: str
    """Id of the person; clips with the same id show the same face."""
    split_identity: str
    """``train``, ``val`` or ``test``, by identity."""
    split_hdri: str
    """``train``, ``val``, ``test`` or ``all``, by environment map."""
    head_licence: str
    """Licence of the head model's files."""
    job: str = ""
    """Name of the job that asked for the clip."""
    licences: tuple[str, ...] = ()
    """Licences of further assets (motion, textures)."""
    shape: tuple[float, ...] = ()
    """Coefficients of the person's shape, in the head family's directions."""
    wardrobe: tuple[str, ...] = ()
    """Names of what the person wears."""
    appearance: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """The description of skin, eyes, hair and what is worn (:class:`synth.appearance.description.Appearance`)."""
    skin_tone: tuple[float, ...] = ()
    """(3,) mean reflectance of the face's skin, linear Rec.709; empty where not known."""
    exposure_ev: tuple[float, ...] = ()
    """Suggested exposure of each lighting, stops; the images themselves are never exposed. 0 where not given."""


def write_clip(dataset_url: str, spec: ClipSpec, frames: Iterable[Frame], info: ClipInfo) -> dict[str, Any]:
    """Render (by consuming ``frames``), encode, check and stage one clip; returns its row of the index.

    Memory holds one frame. Whatever happens, a half-written clip is never visible: the tar gets its name once every
    member has been read back and compared, and the row beside it, which makes the clip exist, comes last.
    """
    storage = Storage(dataset_url)
    _preflight(storage, spec)
    with storage.draft(STAGING, f"{spec.clip_id}.tar") as draft:
        with draft.open("wb") as file:
            clip = _ClipTar(file, spec, info)
            render_seconds = 0.0
            for frame, seconds in _timed(frames):
                clip.add(frame)
                render_seconds += seconds
            row = clip.finish(render_seconds)
        _check_written(draft, row)
        storage.publish(draft, f"{STAGING}/{spec.clip_id}.tar")
    storage.publish_bytes(json.dumps(row).encode(), f"{STAGING}/{spec.clip_id}.json")
    return row


def existing_clip_ids(dataset_url: str) -> set[str]:
    """Ids of the clips that the dataset holds, packed or staged."""
    storage = Storage(dataset_url)
    # Staging first: a clip that pack moves in between is then seen twice, and never not at all.
    stems = {name.removesuffix(".json") for name in storage.list(STAGING) if name.endswith(".json")}
    return index_values(storage, "clip_id") | {stem for stem in stems if CLIP_ID.fullmatch(stem)}


class _ClipTar:
    """The tar of one clip while it grows."""

    def __init__(self, file: BinaryIO, spec: ClipSpec, info: ClipInfo):
        if len(info.exposure_ev) not in (0, len(spec.lightings)):
            raise DatasetError(f"exposure_ev: {len(info.exposure_ev)} values for {len(spec.lightings)} lightings")
        try:
            self.described = json.loads(json.dumps(dataclasses.asdict(info)))
        except (TypeError, ValueError) as error:  # found now, and not after hours of rendering
            raise DatasetError(f"clip {spec.clip_id}: its description is not plain data: {brief(error)}") from error
        self.file, self.spec, self.info = file, spec, info
        self.names = frame_channel_names(len(spec.lightings), spec.lobes)
        self.bytes_hash = hashlib.blake2b(digest_size=16)
        self.members: list[dict[str, Any]] = []
        self.frames: list[dict[str, Any]] = []
        self.maps: dict[str, list[int]] = {}
        self.position, self.alpha_sum, self.lobe_error = 0, 0.0, 0.0

    def _append(self, name: str, data: bytes) -> None:
        header, body = tar_member(f"{self.spec.clip_id}/{name}", data)
        self.members.append({"name": name, "offset": self.position + len(header), "length": len(data)})
        for block in (header, body):
            self.file.write(block)
            self.bytes_hash.update(block)
            self.position += len(block)

    def add(self, frame: Frame) -> None:
        """Encode one frame and the environment maps it is the first to show."""
        number = len(self.frames)
        where = f"clip {self.spec.clip_id}, frame {number}"
        if number >= self.spec.frames:
            raise DatasetError(f"{where}: the renderer gave more than the {self.spec.frames} frames of the clip")
        _check_frame(frame, number, self.names, self.spec, where)
        images = {name: exr.stored(name, frame.channels[name]) for name in self.names}
        data, parts = exr.encode_frame(images)
        self._append(frame_member(number), data)
        self.frames.append({
            "camera": camera_to_json(frame.camera),
            "envmaps": [self._add_envmap(radiance) for radiance in frame.envmaps],
            "parts": parts,
            "pixel_hash": exr.pixel_hash(images),
        })  # fmt: skip
        if frame.transport is not None:
            self._add_transport(frame.transport, where)
        self.alpha_sum += float(images["alpha"].mean(dtype=np.float64))
        if self.spec.lobes:
            self.lobe_error = max(self.lobe_error, lobe_error(images, len(self.spec.lightings)))

    def _add_transport(self, transport: Transport, where: str) -> None:
        """Encode the last frame's transport: it follows the frame, read alone or not at all."""
        if (transport.width, transport.height) != (self.spec.width, self.spec.height):
            raise DatasetError(f"{where}: transport of {transport.width}x{transport.height} pixels, expected "
                               f"{self.spec.width}x{self.spec.height}")
        try:
            data = codec.encode(transport)
        except AssetError as error:
            raise DatasetError(f"{where}: {error}") from error
        self._append(transport_member(len(self.frames) - 1), data)
        self.frames[-1]["transport"] = hashlib.blake2b(data, digest_size=16).hexdigest()

    def _add_envmap(self, radiance: np.ndarray) -> str:
        radiance = np.ascontiguousarray(radiance, np.float32)
        digest = exr.pixel_hash({"envmap": radiance})
        if digest not in self.maps:
            self._append(envmap_member(digest), exr.encode_envmap(radiance))
            self.maps[digest] = [radiance.shape[1], radiance.shape[0]]
        return digest

    def finish(self, render_seconds: float) -> dict[str, Any]:
        """Close the tar with clip.json and give the clip's row."""
        spec, info = self.spec, self.info
        if len(self.frames) != spec.frames:
            raise DatasetError(f"clip {spec.clip_id}: the renderer gave {len(self.frames)} of {spec.frames} frames")
        refs = [ref for lighting in spec.lightings for ref in lighting.maps]
        licences = sorted({info.head_licence, *info.licences, *(ref.licence for ref in refs)} - {""})
        quality = {"alpha_mean": self.alpha_sum / spec.frames, "lobe_error": self.lobe_error, "nonfinite": 0}
        hashes = [frame["pixel_hash"] for frame in self.frames]
        metadata = {
            "format": FORMAT,
            "clip_id": spec.clip_id,
            "code_version": CODE_VERSION,
            "spec": spec.model_dump(mode="json"),
            **self.described,
            "exposure_ev": list(info.exposure_ev) or [0.0] * len(spec.lightings),
            "licences": licences,
            "quality": quality,
            "maps": self.maps,
            "frames": self.frames,
        }
        self._append("clip.json", json.dumps(metadata, sort_keys=True, separators=(",", ":")).encode())
        length = self.position
        self.file.write(bytes(2 * tarfile.BLOCKSIZE))
        return {
            **_spec_columns(spec),
            "job": info.job,
            "domain": info.domain,
            "identity": info.identity,
            "split_identity": info.split_identity,
            "split_hdri": info.split_hdri,
            "head_licence": info.head_licence,
            "licences": licences,
            "shape": list(info.shape),
            "wardrobe": list(info.wardrobe),
            "appearance": json.dumps(self.described["appearance"], sort_keys=True),
            "skin_tone": list(info.skin_tone),
            **quality,
            "render_seconds": render_seconds,
            "pixel_hash": clip_hash(self.frames),
            "frame_hashes": hashes,
            "shard": None,
            "offset": 0,
            "length": length,
            "hash": self.bytes_hash.hexdigest(),
            "members": self.members,
        }


def _spec_columns(spec: ClipSpec) -> dict[str, Any]:
    """The columns of a row that the specification decides."""
    refs = [ref for lighting in spec.lightings for ref in lighting.maps]
    same = ("index", "renderer", "variant", "frames", "fps", "width", "height", "samples", "lobes", "head_hash")
    return {
        **{name: getattr(spec, name) for name in same},
        "clip_id": spec.clip_id,
        "code_version": CODE_VERSION,
        "seeds": dataclasses.asdict(spec.seeds),
        "head_family": spec.head.family,
        "motion": spec.motion.name,
        "hdri_ids": sorted({ref.id for ref in refs}),
        "lightings": [
            {
                "kind": lighting.kind,
                "ids": [ref.id for ref in lighting.maps],
                "digests": [ref.digest for ref in lighting.maps],
                "licences": [ref.licence for ref in lighting.maps],
            }
            for lighting in spec.lightings
        ],
    }


def _timed(frames: Iterable[Frame]) -> Iterator[tuple[Frame, float]]:
    """Each frame with the seconds that it took to come."""
    iterator = iter(frames)
    while True:
        start = time.perf_counter()
        try:
            frame = next(iterator)
        except StopIteration:
            return
        yield frame, time.perf_counter() - start


def _check_frame(frame: Frame, number: int, names: tuple[str, ...], spec: ClipSpec, where: str) -> None:
    """Refuse a frame that the dataset could not hold or that no image could be."""
    if frame.index != number:
        raise DatasetError(f"{where}: the renderer gave frame {frame.index}; frames come in order")
    if set(frame.channels) != set(names):
        difference = sorted(set(frame.channels) ^ set(names))
        raise DatasetError(f"{where}: channels missing or unknown: {', '.join(difference)}")
    if len(frame.envmaps) != len(spec.lightings):
        raise DatasetError(f"{where}: {len(frame.envmaps)} environment maps for {len(spec.lightings)} lightings")
    for name in names:
        components = len(describe(name).components)
        shape = (spec.height, spec.width, components)[: 3 if components > 1 else 2]
        _check_image(frame.channels[name], shape, f"{where}: {name}")
    for lighting, radiance in enumerate(frame.envmaps):
        height = np.shape(radiance)[0] if np.ndim(radiance) else 0
        _check_image(radiance, (height, 2 * height, 3), f"{where}: envmap {lighting}")


def _check_image(image: np.ndarray, shape: tuple[int, ...], where: str) -> None:
    if np.shape(image) != shape:
        raise DatasetError(f"{where}: shape is {np.shape(image)}, expected {shape}")
    if not np.isfinite(image).all():
        raise DatasetError(f"{where}: {int((~np.isfinite(image)).sum())} values are NaN or infinite")


def _preflight(storage: Storage, spec: ClipSpec) -> None:
    """Refuse to start rendering a clip that cannot possibly fit."""
    values = sum(
        len(channel.components) * channel.dtype.itemsize * (len(spec.lightings) if channel.per_lighting else 1)
        for channel in CHANNELS.values()
        if spec.lobes or channel.name not in ("diffuse", "specular")
    )
    # Background compresses away and noise barely does: clips take a half to a fifth. None that fits may be refused.
    needed = spec.frames * spec.width * spec.height * values // 10
    free = storage.free_bytes()
    if free is not None and free < needed:
        raise DatasetError(
            f"{storage.url}: no space left for clip {spec.clip_id}: {free} bytes free, it needs at least {needed}"
        )


def _check_written(path: Path, row: dict[str, Any]) -> None:
    """Read the finished tar back, every byte and pixel, before anyone can see it."""
    with path.open("rb") as file:
        problems = list(verify_clip(lambda offset, length: os.pread(file.fileno(), length, offset), row))
    if problems:
        raise DatasetError(f"clip {row['clip_id']}: does not read back as written: {problems[0]}")
