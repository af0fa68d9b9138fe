"""A renderer of noise that misbehaves on order, shipped to workers by its import path.

Everything but the pixels is real: clips go through the dataset's writer. Orders are read from ``faults.json`` beside
the dataset: clip index -> ``raise``, ``kill``, ``raise_once``, ``kill_once``, ``full`` or seconds to sleep.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import synth.generate
from synth.camera.camera import Camera
from synth.channels import describe, frame_channel_names
from synth.dataset.writer import ClipInfo, write_clip
from synth.lighting.sequence import LightingRef, SequenceSpec
from synth.scene import Frame
from synth.seeds import Seeds
from synth.spec import ClipSpec, JobSpec

INFO = ClipInfo(domain="mitsuba", renderer={"name": "noise"}, identity="nobody", split_identity="train",
                split_hdri="train", head_licence="CC0-1.0")


def plan(job: JobSpec) -> list[ClipSpec]:
    """Clips as the real planner makes them, without starting a renderer."""
    light = SequenceSpec(kind="still", maps=(LightingRef(id="test/grey", digest="0" * 32, licence="CC0-1.0"),))
    return [ClipSpec(index=index, seeds=Seeds.for_clip(job.seed, index), frames=job.frames, width=job.width,
                     height=job.height, samples=job.samples, variant="scalar_rgb", lobes=False,
                     lightings=(light,) * job.lightings)
            for index in range(job.clips)]


def render_clip(spec: ClipSpec, url: str, job: str) -> dict[str, Any]:
    """Noise that depends on the clip's seeds alone."""
    orders = Path(url).parent / "faults.json"
    order = json.loads(orders.read_text()).get(str(spec.index)) if orders.exists() else None
    return write_clip(url, spec, _frames(spec, order, Path(url).parent / f"done-once-{spec.index}"),
                      dataclasses.replace(INFO, job=job))


def render_really(spec: ClipSpec, url: str, job: str) -> dict[str, Any]:
    """The real renderer, whose process is killed once, as soon as a part of clip 0 is on disk."""
    marker = Path(url).parent / "killed-once"
    if spec.index == 0 and not marker.exists():
        threading.Thread(target=_kill_with_half_a_clip, args=(Path(url), spec.clip_id, marker), daemon=True).start()
    return synth.generate.render_clip(spec, url, job)


def _kill_with_half_a_clip(dataset: Path, clip_id: str, marker: Path) -> None:
    while not any(draft.stat().st_size for draft in dataset.glob(f"staging/.{clip_id}.tar.*")):
        time.sleep(0.002)
    marker.touch()
    os.kill(os.getpid(), signal.SIGKILL)


def render_in_cycles(spec: ClipSpec, url: str, job: str) -> dict[str, Any]:
    """The real renderers. The process of the first clip in Cycles is killed once, in the middle of its second frame."""
    marker = Path(url).parent / "killed-once"
    if spec.renderer == "cycles" and not marker.exists():
        _die_in_the_second_frame(Path(url), spec.clip_id, marker)
    return synth.generate.render_clip(spec, url, job)


def _die_in_the_second_frame(dataset: Path, clip_id: str, marker: Path) -> None:
    from synth.renderers.cycles import passes

    render = passes.render

    def doomed(scene):
        if any(draft.stat().st_size for draft in dataset.glob(f"staging/.{clip_id}.tar.*")):
            marker.touch()
            scene.cycles.samples = 1 << 20  # which would take minutes
            subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -9 {os.getpid()}"])  # Blender keeps Python's lock
        return render(scene)

    passes.render = doomed


def _frames(spec: ClipSpec, order: Any, marker: Path) -> Iterator[Frame]:
    rng = spec.seeds.rng("sensor")
    camera = Camera(camera_to_world=np.eye(4), focal_mm=50.0, width=spec.width, height=spec.height)
    for index in range(spec.frames):
        channels = {}
        for name in frame_channel_names(len(spec.lightings), spec.lobes):
            components = len(describe(name).components)
            shape = (spec.height, spec.width, components)[: 3 if components > 1 else 2]
            channels[name] = rng.random(shape, dtype=np.float32)
        envmap = rng.random((4, 8, 3), dtype=np.float32)
        yield Frame(index=index, channels=channels, envmaps=(envmap,) * len(spec.lightings), camera=camera)
        _misbehave(order, marker)


def _misbehave(order: Any, marker: Path) -> None:
    """After the first frame, with a half-written clip on disk: the worst moment."""
    if isinstance(order, int | float):
        time.sleep(order)
    elif order is not None:
        if order.endswith("_once"):
            if marker.exists():
                return
            marker.touch()
        if order.startswith("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        if order == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise ValueError("this clip was told to fail")
