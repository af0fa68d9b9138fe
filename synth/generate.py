"""From a job to clips, and from a clip's specification to its files: plain functions that a laptop can call."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assets.errors import AssetError, RenderError, SpecError
from assets.files import digest_file
from synth.actor import cast
from synth.appearance.description import Appearance
from synth.appearance.sampling import sample_appearance
from synth.camera.camera import Camera
from synth.camera.film import meter_clip
from synth.camera.framing import sample_cameras
from synth.dataset.writer import ClipInfo, write_clip
from synth.heads.head import HeadModel, Identity, head_extent
from synth.heads.load import load_head
from synth.heads.subdivision import level_for, typical_edge
from synth.lighting.envmap import EnvMap
from synth.lighting.library import SOURCES, LightingLibrary, split_of
from synth.lighting.sequence import Played, folder_sequence, render_sequence, sample_sequence
from synth.motion.catalogue import PERFORMANCES
from synth.motion.generate import sample_performance
from synth.motion.imports.tracks import load_track
from synth.motion.performance import Performance
from synth.renderers import RENDERERS, make_renderer, plan_renderer
from synth.scene import Frame, Renderer, Subject
from synth.seeds import Seeds
from synth.spec import ClipSpec, JobSpec, MotionSpec, RenderChoice


@functools.lru_cache(maxsize=4)
def open_library(sources: tuple[str, ...]) -> LightingLibrary:
    """The maps of some sources; listed once a process."""
    return LightingLibrary(sources)


def effective_samples(job: JobSpec, variant: str) -> int:
    """Samples a pixel: the job's, or fewer where only the slow scalar variant starts."""
    if not variant.startswith("scalar"):
        return job.samples
    return job.samples_scalar or max(4, job.samples // 4)


TRANSPORT_COST = 4.4
"""Samples a pixel of path tracing that cost as much as one path of a transport, whose first hits cost as much as 270.

CPU seconds a frame, 192x192, 36 samples, with lobes: by paths 1.5 bald, 2.5 with 40,000 hairs, and .25 and .4 more
for each lighting; a transport of 512 paths 24 and 37, of 128 12.5 and 20, and .05 more for each lighting with a sun. At
equal error, which this does not ask, transport wins from fewer lightings on.
"""
_FIRST_HITS = 270


def choose_method(job: JobSpec, variant: str, renderer: str = "mitsuba") -> RenderChoice:
    """How the job's pictures are made with a variant, ``auto`` decided; SpecError where it cannot be as asked."""
    render = job.render
    other, methods = ("transport", "auto, path or light_groups") if renderer == "cycles" else (
        "light_groups", "auto, path or transport")
    if render.method == other:
        raise SpecError(f"render.method: got {other}, which {renderer} does not have: expected {methods}")
    if render.denoise and render.method == "light_groups":
        raise SpecError("render.denoise: got true with light_groups, whose pictures are sums: expected false")
    if render.denoise and renderer != "cycles":
        raise SpecError(f"render.denoise: got true, which {renderer} does not have: expected false")
    if render.method == "light_groups" and job.lobes:
        raise SpecError("lobes: got true, but render.method light_groups does not tell lobes apart: expected false")
    if renderer == "cycles":
        return render.model_copy(update={"method": "path"}) if render.method == "auto" else render
    if variant.startswith("scalar"):
        if render.method == "transport" or render.store:
            field, value = ("method", "transport") if render.method == "transport" else ("store", "true")
            raise SpecError(f"render.{field}: got {value}, which needs a vectorised variant, and this is {variant}: "
                            f"take method 'path' and store false ('pixelcube doctor' says how to get one)")
        return render.model_copy(update={"method": "path"})
    if render.method != "auto":
        return render
    pays = render.store or job.lightings * job.samples >= TRANSPORT_COST * (render.paths + _FIRST_HITS)
    return render.model_copy(update={"method": "transport" if pays else "path"})


def plan(job: JobSpec) -> list[ClipSpec]:
    """Every clip of a job, resolved: the same job gives the same clip ids on any number of workers."""
    backends = [_backend(job, name) for name in renderers_of(job)]
    head_path = str(_absolute(job.head.path)) if job.head.path else None
    head_spec = job.head.model_copy(update={"path": head_path})
    head = open_head(head_spec.family, head_path)
    sources = tuple(source if source in SOURCES else str(_absolute(source)) for source in job.lighting.sources)
    library = open_library(sources)
    folders = tuple(folder_sequence(_absolute(path), "unknown") for path in job.lighting.sequences)
    head_spec = head_spec.model_copy(update={"subdivision": subdivision_for(head, job)})
    tracks = _tracks(job)
    names = ("frames", "fps", "width", "height", "lobes", "camera", "appearance")
    shared = {name: getattr(job, name) for name in names} | {
        "head": head_spec, "head_hash": head.source_hash, "envmap_height": job.lighting.height,
        "split_hdri": job.lighting.split, "sources": sources,
    }
    clips = []
    for index in _indices(job):
        seeds = Seeds.for_clip(job.seed, index)
        lightings = folders[:job.lightings] + tuple(
            sample_sequence(seeds.rng("light", "sequence", number), library, sources, job.lighting.split,
                            job.lighting.real_fraction, job.lighting.dynamic_fraction, number)
            for number in range(len(folders), job.lightings)
        )
        motion = _choose_motion(seeds.rng("motion", "choice"), job, tracks)
        clips.append(ClipSpec(index=index, seeds=seeds, lightings=lightings, motion=motion, **shared, **backends[0]))
    # One renderer after the other, so that a worker changes over once.
    return clips + [clip.model_copy(update=backend) for backend in backends[1:] for clip in clips]


def _indices(job: JobSpec) -> Iterator[int]:
    """Numbers of a job's clips: the first whose people are in the part that it draws from."""
    numbers = (index for index in itertools.count() if job.identities in (
        "all", split_of(_identity(job.head.family, Seeds.for_clip(job.seed, index)))))
    return itertools.islice(numbers, job.clips)


def _identity(family: str, seeds: Seeds) -> str:
    return f"{family}/{seeds.identity:016x}"


def renderers_of(job: JobSpec) -> tuple[str, ...]:
    """The renderers that a job's clips are rendered with; SpecError where their variants cannot be as asked."""
    if job.renderer != "both":
        return (job.renderer,)
    if job.variant != "auto":
        raise SpecError(f"variant: got {job.variant!r} with renderer both, expected auto: each has variants of its own")
    return RENDERERS


def _backend(job: JobSpec, renderer: str) -> dict[str, Any]:
    """The fields of a clip that depend on its renderer and on this machine."""
    variant, version = plan_renderer(renderer, job.variant)
    return {"renderer": renderer, "variant": variant, "renderer_version": version,
            "samples": effective_samples(job, variant), "render": choose_method(job, variant, renderer)}


def subdivision_for(head: HeadModel, job: JobSpec | ClipSpec) -> int:
    """Levels that bring the skin's edges to about two pixels when the head is framed as large as the job allows."""
    if job.head.subdivision != "auto":
        return job.head.subdivision
    bottom, top = head_extent(head.person(Identity(np.zeros(head.arrays["shape_directions"].shape[2], np.float32))))
    pixel = (top - bottom) / (job.camera.head_height[1] * job.height)
    skin = next(part for part in head.parts if part.name == "skin")
    return level_for(typical_edge(head.neutral, skin), pixel)


def _tracks(job: JobSpec) -> list[MotionSpec]:
    """The recorded motions of a job; its generated ones are checked too."""
    unknown = sorted(set(job.motion.performances) - set(PERFORMANCES))
    if unknown:
        raise SpecError(f"motion.performances: {unknown[0]!r} is not one of {', '.join(PERFORMANCES)}")
    tracks = []
    for path in map(_absolute, job.motion.tracks):
        track = MotionSpec(name=path.name, track=str(path), digest=digest_file(path))
        _long_enough(track, job)
        tracks.append(track)
    return tracks


def _absolute(path: str) -> Path:
    return Path(path).expanduser().resolve()


def _long_enough(motion: MotionSpec, job: JobSpec | ClipSpec) -> Performance:
    track = _open_track(motion, job.fps)
    if track.frames < job.frames:
        raise AssetError(f"motion {motion.name}: {track.frames} frames at {job.fps:g} fps, a clip needs {job.frames}")
    return track


@functools.lru_cache(maxsize=4)
def _open_track(motion: MotionSpec, fps: float) -> Performance:
    """A recorded performance, read once a process."""
    if digest_file(Path(motion.track)) != motion.digest:
        raise AssetError(f"motion {motion.name}: the file has changed since the clip was planned")
    return load_track(Path(motion.track), fps)


def _choose_motion(rng: np.random.Generator, job: JobSpec, tracks: list[MotionSpec]) -> MotionSpec:
    if tracks:
        return tracks[int(rng.integers(len(tracks)))]
    names = job.motion.performances or tuple(PERFORMANCES)
    weights = np.array([PERFORMANCES[name].weight for name in names])
    return MotionSpec(name=str(rng.choice(names, p=weights / weights.sum())))


def open_performance(spec: ClipSpec) -> Performance:
    """A clip's performance: generated, or a window of a recorded track."""
    rng = spec.seeds.rng("motion")
    if spec.motion.track is None:
        return sample_performance(rng, spec.frames, spec.fps, spec.motion.name or None)
    track = _long_enough(spec.motion, spec)
    part = track.window(int(rng.integers(track.frames - spec.frames + 1)), spec.frames)
    # The camera frames the head at rest: a window starts there, wherever the track has gone by then.
    return dataclasses.replace(part, translation=part.translation - part.translation[0])


@functools.lru_cache(maxsize=4)
def open_head(family: str, path: str | None) -> HeadModel:
    """The head model of a family, loaded once a process."""
    return load_head(family, path)


def open_renderer(name: str, variant: str, denoise: bool = False) -> Renderer:
    """The renderer of this process: it keeps its scene and its compiled kernels from clip to clip."""
    return _started(name, variant, denoise)


_started = functools.lru_cache(maxsize=1)(make_renderer)


@dataclasses.dataclass(frozen=True)
class PreparedClip:
    """Everything that a renderer needs for one clip."""

    subject: Subject
    """The person, performing."""
    cameras: list[Camera]
    """One a frame."""
    lightings: list[Sequence[EnvMap]]
    """``lightings[l][t]``: the map of lighting l at frame t."""
    identity: Identity
    """The person's shape and wardrobe."""
    appearance: Appearance
    """What the person looks like."""
    skin_tone: np.ndarray
    """(3,) float32 mean reflectance of the face's skin, linear Rec.709."""
    exposure_ev: tuple[float, ...]
    """For each lighting, the stops that an incident-light meter at the head would ask for, constant over the clip."""


MAPS_IN_MEMORY = 1 << 29
"""Bytes that the maps of a clip may take; those of a larger one are made when they are asked for, and so twice."""


def prepare_clip(spec: ClipSpec) -> PreparedClip:
    """Pose the head, place the camera and make the maps, each from its own seed stream."""
    head = open_head(spec.head.family, spec.head.path)
    if spec.head_hash and head.source_hash != spec.head_hash:
        raise AssetError(f"head {spec.head.family}: files have digest {head.source_hash}, the clip was planned with "
                         f"{spec.head_hash}")
    identity = head.sample_identity(spec.seeds.rng("identity"))
    appearance = sample_appearance(spec.seeds.rng("appearance"), identity, head)
    actor = cast(head, identity, appearance, subdivision=subdivision_for(head, spec), texels=spec.appearance.texels,
                 strands=spec.appearance.strands)
    subject = actor.perform(open_performance(spec))
    bottom, top = head_extent(actor.person)
    cameras = sample_cameras(spec.seeds.rng("camera"), spec.camera, np.array([0.0, (bottom + top) / 2, 0.0]),
                             top - bottom, spec.width, spec.height, spec.frames, spec.fps)
    library = open_library(spec.sources)
    size = spec.frames * len(spec.lightings) * 24 * spec.envmap_height**2
    play = render_sequence if size <= MAPS_IN_MEMORY else Played
    lightings = [play(lighting, library, spec.frames, spec.fps, spec.envmap_height) for lighting in spec.lightings]
    return PreparedClip(subject, cameras, lightings, identity, appearance, actor.skin_tone,
                        tuple(meter_clip(maps, cameras) for maps in lightings))


def render_clip(spec: ClipSpec, url: str, job: str = "") -> dict[str, Any]:
    """Render one clip and stage it in the dataset at ``url``; returns its index row. Safe to repeat and to kill."""
    clip = prepare_clip(spec)
    renderer = open_renderer(spec.renderer, spec.variant, spec.render.denoise)
    estimator = {"method": spec.render.method, "paths": spec.render.paths}
    described = renderer.describe(**estimator)
    version = described["version"]
    if spec.renderer_version not in ("", version):
        raise RenderError(f"{spec.renderer}: version {version} here, the clip was planned with {spec.renderer_version}")
    frames = renderer.render(clip.subject, clip.cameras, clip.lightings, samples=spec.samples, seed=spec.seeds.light,
                             lobes=spec.lobes, transport=spec.render.store, **estimator)
    identity = _identity(spec.head.family, spec.seeds)
    info = ClipInfo(domain=renderer.domain, renderer=described, identity=identity,
                    split_identity=split_of(identity), split_hdri=spec.split_hdri,
                    head_licence=clip.subject.licence, job=job, exposure_ev=clip.exposure_ev,
                    shape=tuple(clip.identity.shape.tolist()), wardrobe=clip.identity.wardrobe,
                    appearance=clip.appearance.model_dump(mode="json"), skin_tone=tuple(clip.skin_tone.tolist()))
    return write_clip(url, spec, _released(frames), info)


def _released(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Frames that are used once: the pictures of one, by the thousand perhaps, make room for those of the next."""
    for frame in frames:
        yield frame
        frame.channels.clear()
        del frame  # and its transport, or it would live on while the next is rendered
