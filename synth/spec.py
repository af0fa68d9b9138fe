"""Job and clip specifications: YAML in, validated, resolved, hashed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml

from assets.errors import SpecError
from synth.lighting.sequence import SequenceSpec
from synth.seeds import Seeds

CODE_VERSION = "0.8"
"""Part of every clip's id: raise it whenever the pixels of an unchanged specification change."""


class SpecModel(pydantic.BaseModel):
    """Immutable, without unknown fields, each with its docstring beneath."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class HeadSpec(SpecModel):
    """Which family of heads."""

    family: Literal["template", "flame", "smplx", "makehuman"] = "template"
    """The project's own template, the user's licensed FLAME / SMPL-X files, or MakeHuman's CC0 ones."""
    path: str | None = None
    """Folder of the model's files; not needed for ``template``, nor for ``makehuman`` once fetched."""
    subdivision: Literal["auto"] | Annotated[int, pydantic.Field(ge=0, le=3)] = "auto"
    """How often the surface is subdivided, each time quartering its triangles; ``auto``: edges of about two pixels."""


class AppearanceChoice(SpecModel):
    """How finely people are painted and how much hair they grow; what they look like is drawn by the seed."""

    strands: int = pydantic.Field(40_000, ge=0, le=500_000)
    """Hairs of a full head; a beard adds up to a third. 0 grows none and paints brows and scalp instead."""
    texels: int = pydantic.Field(1024, ge=64, le=8192)
    """Texels a side of the skin's maps."""


class MotionChoice(SpecModel):
    """Where performances are drawn from."""

    performances: tuple[str, ...] = ()
    """Names of generated performances to draw from; none: all of them, by weight (docs/motion.md)."""
    tracks: tuple[str, ...] = ()
    """Files of recorded motion (FLAME parameters .npz, ARKit .csv, BVH .bvh): if given, each clip performs one."""


class MotionSpec(SpecModel):
    """The performance of one clip."""

    name: str = ""
    """A generated performance, or the file name of a track; the planner draws it."""
    track: str | None = None
    """The track's file. Not part of the id: its digest is."""
    digest: str = ""
    """BLAKE2b hex digest of the track's file."""


class CameraSpec(SpecModel):
    """Ranges of the portrait framing sampler."""

    focal_mm: tuple[float, float] = (35.0, 105.0)
    """35 mm equivalent focal length, drawn log-uniformly."""
    head_height: tuple[float, float] = (0.45, 0.65)
    """Chin to crown as a fraction of the image height."""
    yaw_deg: float = pydantic.Field(25.0, ge=0, le=180)
    """Camera azimuth about the head, standard deviation, degrees."""
    handheld: float = pydantic.Field(1.0, ge=0)
    """Amplitude of the handheld motion; 0 is a tripod."""

    @pydantic.field_validator("focal_mm", "head_height")
    @classmethod
    def _is_a_range(cls, value: tuple[float, float], info: pydantic.ValidationInfo) -> tuple[float, float]:
        low, high = value
        largest = {"focal_mm": 2000.0, "head_height": 1.0}[info.field_name]
        if not 0 < low <= high <= largest:
            raise ValueError(f"expected 0 < low <= high <= {largest:g}")
        return value


class LightingChoice(SpecModel):
    """Where lightings are drawn from."""

    sources: tuple[str, ...] = ("bundled", "procedural")
    """Source names of the lighting library: ``bundled``, ``procedural``, ``polyhaven``, or a folder of maps."""
    sequences: tuple[str, ...] = ()
    """Folders of maps, one a frame in the order of their names: each lights every clip, before the drawn lightings."""
    split: Literal["train", "val", "test", "all"] = "train"
    """HDRIs are split once, by map; a job draws from one part."""
    real_fraction: float = pydantic.Field(0.5, ge=0, le=1)
    """Fraction of lightings made from photographed HDRIs, where the sources hold any."""
    dynamic_fraction: float = pydantic.Field(0.5, ge=0, le=1)
    """Fraction of lightings that change over the clip (rotation, cross-fade, moving key...)."""
    height: int = pydantic.Field(128, ge=8, le=2048)
    """Rows of the rendered and stored environment maps; columns are twice that."""


class RenderChoice(SpecModel):
    """How pictures are made."""

    method: Literal["auto", "path", "transport", "light_groups"] = "auto"
    """``path`` traces paths for every lighting: ground truth. ``transport`` (Mitsuba) traces the response to all
    directions of light once, and each lighting is a product with it; so does ``light_groups`` (Cycles), coarsely.
    ``auto``: transport where it is faster (docs/transport.md), which is never in Cycles."""
    paths: int = pydantic.Field(512, ge=1, le=1 << 14)
    """Paths a pixel of the transport."""
    store: bool = False
    """Keep each frame's transport beside its pictures: whoever reads the clip may light it anew."""
    denoise: bool = False
    """Smooth Cycles' pictures with Open Image Denoise; a clip's metadata says so, since it is no ground truth."""


class ClipSpec(SpecModel):
    """Everything that decides a clip's pixels; its id is a hash of this (with asset digests) and the code version."""

    index: int = pydantic.Field(ge=0)
    """Number of the clip in its job."""
    seeds: Seeds
    """One seed a stream."""
    frames: int = pydantic.Field(8, ge=1, le=100_000)
    """Frames in the clip."""
    fps: float = pydantic.Field(24.0, gt=0, le=1000)
    """Frames a second."""
    width: int = pydantic.Field(192, ge=16, le=8192)
    """Image width, pixels."""
    height: int = pydantic.Field(192, ge=16, le=8192)
    """Image height, pixels."""
    samples: int = pydantic.Field(36, ge=1, le=1 << 20)
    """Samples a pixel of each beauty image; a square number is stratified best."""
    lobes: bool = True
    """Whether diffuse and specular parts are kept beside rgb."""
    render: RenderChoice = RenderChoice(method="path")
    """How pictures are made; no ``auto`` any more, the planner has chosen."""
    renderer: Literal["mitsuba", "cycles"] = "mitsuba"
    """Renderer backend."""
    variant: str
    """Renderer variant, already chosen by the planner. Part of the id: variants differ in noise."""
    head: HeadSpec = HeadSpec()
    """Family of heads."""
    appearance: AppearanceChoice = AppearanceChoice()
    """Maps and hair."""
    motion: MotionSpec = MotionSpec()
    """Performance."""
    renderer_version: str = ""
    """Version of the renderer, filled in by the planner; another one on a worker is refused."""
    head_hash: str = ""
    """Digest of the head model's files, filled in by the planner."""
    camera: CameraSpec = CameraSpec()
    """Framing sampler."""
    lightings: tuple[SequenceSpec, ...] = pydantic.Field(min_length=1)
    """The light of each version of the clip, with the hashes of the maps they use."""
    envmap_height: int = pydantic.Field(128, ge=8, le=2048)
    """Rows of the rendered environment maps."""
    split_hdri: Literal["train", "val", "test", "all"] = "train"
    """The part of the lighting library that the maps were drawn from."""
    sources: tuple[str, ...] = ("bundled", "procedural")
    """Where the maps of ``lightings`` are found. Not part of the id: their digests are."""

    @property
    def clip_id(self) -> str:
        """20 hex digits of BLAKE2b over the resolved specification and the code version; local paths do not count."""
        resolved = self.model_dump(mode="json", exclude={"sources": True, "head": {"path"}, "motion": {"track"}})
        if not self.render.denoise:  # ids are older than the field
            resolved["render"].pop("denoise")
        for lighting in resolved["lightings"]:
            if lighting["kind"] == "folder":
                lighting["params"].pop("path")
        content = json.dumps([CODE_VERSION, resolved], sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(content.encode(), digest_size=10).hexdigest()


class JobSpec(SpecModel):
    """A dataset to render: what a user writes in YAML."""

    output: str = pydantic.Field("out/dataset", min_length=1)
    """Dataset folder, or any fsspec URL (``s3://bucket/path``)."""
    seed: int = pydantic.Field(0, ge=0)
    """The only number that randomness starts from."""
    clips: int = pydantic.Field(8, ge=1)
    """How many clips, each with an identity, motion and camera of its own."""
    identities: Literal["train", "val", "test", "all"] = "all"
    """People are split once, by identity: a job may draw from one part, as ``lighting.split`` does for maps."""
    frames: int = pydantic.Field(8, ge=1, le=100_000)
    """Frames a clip."""
    fps: float = pydantic.Field(24.0, gt=0, le=1000)
    """Frames a second."""
    lightings: int = pydantic.Field(16, ge=1, le=4096)
    """Lightings a clip."""
    width: int = pydantic.Field(192, ge=16, le=8192)
    """Image width, pixels."""
    height: int = pydantic.Field(192, ge=16, le=8192)
    """Image height, pixels."""
    samples: int = pydantic.Field(36, ge=1, le=1 << 20)
    """Samples a pixel of each beauty image; a square number is stratified best."""
    samples_scalar: int | None = pydantic.Field(None, ge=1, le=1 << 20)
    """Samples where only the slow scalar variant starts; a quarter of ``samples`` if not given."""
    lobes: bool = True
    """Keep diffuse and specular parts."""
    render: RenderChoice = RenderChoice()
    """How pictures are made."""
    renderer: Literal["mitsuba", "cycles", "both"] = "mitsuba"
    """Renderer backend. ``both`` renders every clip with each, from the same seeds: two domains of the same people."""
    variant: str = "auto"
    """Renderer variant, or ``auto`` for the fastest that starts. Of Mitsuba ``cuda_ad_rgb``, ``llvm_ad_rgb`` or
    ``scalar_rgb``; of Cycles a kind of device: ``optix``, ``cuda``, ``hip``, ``metal`` or ``cpu``."""
    head: HeadSpec = HeadSpec()
    """Family of heads."""
    appearance: AppearanceChoice = AppearanceChoice()
    """Maps and hair."""
    motion: MotionChoice = MotionChoice()
    """Where performances come from."""
    camera: CameraSpec = CameraSpec()
    """Framing sampler."""
    lighting: LightingChoice = LightingChoice()
    """Where lightings come from."""
    shard_mb: int = pydantic.Field(512, ge=1, le=4096)
    """Target size of a tar shard, MiB."""


def parse_job(data: Any, where: str = "job") -> JobSpec:
    """A validated job from plain YAML or JSON data; one-line SpecError naming the field, its value and the rule."""
    if not isinstance(data, dict):
        got = "an empty document" if data is None else type(data).__name__
        raise SpecError(f"{where}: got {got}, expected a mapping of fields such as 'clips: 8'")
    try:
        return JobSpec.model_validate(data)
    except pydantic.ValidationError as error:
        raise SpecError(f"{where}: {describe_validation(error, JobSpec)}") from error


def describe_validation(error: pydantic.ValidationError, model: type[pydantic.BaseModel]) -> str:
    """The first problem of a pydantic error as one line: field, what it got, what it may be."""
    problem = error.errors()[0]
    field = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        for part in problem["loc"][:-1]:  # down to the part of the specification that holds the field
            model = getattr(model.model_fields.get(part), "annotation", model)
        known = ", ".join(getattr(model, "model_fields", {}))
        return f"unknown field {field!r}; known fields: {known}"
    rest = len(error.errors()) - 1
    more = f" (and {rest} more)" if rest else ""
    message = problem["msg"].replace("a valid tuple", "a list")  # what YAML calls it
    return f"field {field!r} is {problem['input']!r}: {message}{more}"


def load_job(path: str | Path, **overrides: Any) -> JobSpec:
    """Read a job from a YAML file; ``overrides`` that are not None replace top-level fields."""
    return parse_job(read_yaml(path, "job file", overrides), str(path))


def read_yaml(path: str | Path, what: str, overrides: dict[str, Any]) -> Any:
    """The data of a YAML file, ``overrides`` that are not None in place of top-level fields; SpecError in one line."""
    path = Path(path)
    try:
        data = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise SpecError(f"{path}: no such {what}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise SpecError(f"{path}: not valid YAML{line}: {getattr(error, 'problem', error)}") from error
    if isinstance(data, dict):
        data |= {key: value for key, value in overrides.items() if value is not None}
    return data
