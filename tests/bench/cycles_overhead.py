"""What the pipeline adds to Cycles: seconds a picture over a bare ``bpy.ops.render.render()``, and memory over time.

    python -m tests.bench.cycles_overhead [--size 256] [--samples 64] [--lightings 8] [--frames 3] [--long 200]

The pipeline side is everything a worker does for a clip after its first frame (vertices, materials, maps, every
channel, reading the passes, EXR, check, tar), divided by the beauty images in it (``rgb`` of each lighting and
``flat``). The baseline is the operator on the same scene as it stands after the last frame, with the same samples,
passes and map, writing the same kind of file, with persistent data; its first picture is not counted. ``--lobes``
asks for diffuse and specular parts too, for which a head with hair is rendered twice under each map: no mere overhead.

Memory: ``--long`` frames of 64x64 pixels, each with other vertices and another map; growth of resident memory from
the twentieth frame to the last, which is to stay below 100 MB. ``value`` is the ratio.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

TARGET, TARGET_GROWTH_MB = 1.15, 100.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("size", 256), ("samples", 64), ("lightings", 8), ("frames", 3), ("rounds", 2), ("long", 200),
                        ("strands", 10_000), ("texels", 512)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--lobes", action="store_true")
    options = parser.parse_args()

    ratios = []
    for number in range(options.rounds):
        ours, bare = one_round(options, number)
        ratios.append(ours / bare)
        print(f"round {number + 1}: {ours:.3f} s an image, bare {bare:.3f} s, ratio {ratios[-1]:.3f}", flush=True)
    growth = memory_growth(options.long) if options.long else 0.0
    value = float(np.median(ratios))
    print(json.dumps({
        "name": "cycles_overhead", "value": round(value, 3), "target": TARGET,
        "ok": value <= TARGET and growth < TARGET_GROWTH_MB,
        "detail": {**vars(options), "ratios": [round(ratio, 3) for ratio in ratios],
                   "growth_mb": round(growth, 1), "growth_target_mb": TARGET_GROWTH_MB},
    }))  # fmt: skip


def one_round(options: argparse.Namespace, seed: int) -> tuple[float, float]:
    """The processor's seconds an image: of the pipeline after the first frame, and of the bare operator."""
    from synth.dataset.writer import ClipInfo, write_clip
    from synth.generate import _released, open_renderer, plan, prepare_clip
    from synth.spec import JobSpec

    spec, = plan(JobSpec(
        seed=seed, clips=1, frames=options.frames, lightings=options.lightings, width=options.size,
        height=options.size, samples=options.samples, renderer="cycles", lobes=options.lobes,
        appearance={"strands": options.strands, "texels": options.texels}))
    clip = prepare_clip(spec)
    renderer = open_renderer(spec.renderer, spec.variant)
    frames = renderer.render(clip.subject, clip.cameras, clip.lightings, samples=spec.samples, seed=seed,
                             lobes=options.lobes)
    started = []

    def timed():
        for frame in _released(frames):
            yield frame
            started or started.append(time.process_time())  # the first is written, the second not yet begun

    info = ClipInfo(domain=renderer.domain, renderer=renderer.describe(), identity="bench", split_identity="train",
                    split_hdri="train", head_licence=clip.subject.licence, exposure_ev=clip.exposure_ev)
    with tempfile.TemporaryDirectory() as folder:
        write_clip(folder, spec, timed(), info)
        images = (options.frames - 1) * (options.lightings + 1)
        ours = (time.process_time() - started[0]) / images
        return ours, bare_image(renderer._scene.scene, Path(folder), images)


def bare_image(scene, folder: Path, images: int) -> float:
    """The processor's seconds of a picture of the scene as it stands."""
    import bpy

    scene.render.filepath = str(folder / "bare.exr")
    seconds = []
    for number in range(1 + min(images, 8)):
        scene.cycles.seed = number
        scene.update_tag()
        start = time.process_time()
        bpy.ops.render.render(write_still=True)
        seconds.append(time.process_time() - start)
    return float(np.mean(seconds[1:]))


def memory_growth(frames: int) -> float:
    """Megabytes of resident memory gained between the twentieth frame and the last."""
    from synth.generate import open_renderer
    from synth.lighting.envmap import EnvMap
    from synth.renderers import plan_renderer
    from tests.bench.appearance import cast_subjects

    subjects, camera = cast_subjects(argparse.Namespace(seed=3, style="short", subdivision=0, texels=256, strands=2000,
                                                        size=64))
    rng = np.random.default_rng(0)
    subject = _Trembling.of(subjects["hair"].frames([0] * frames))
    maps = [EnvMap(rng.random((32, 64, 3), np.float32)) for _ in range(frames)]
    renderer = open_renderer("cycles", plan_renderer("cycles")[0])
    resident = []
    for _ in renderer.render(subject, [camera] * frames, [maps], samples=4, seed=0, lobes=False):
        resident.append(psutil.Process().memory_info().rss / 1e6)
    print("resident memory, MB:", [round(value) for value in resident[:: max(frames // 10, 1)]], flush=True)
    return resident[-1] - resident[min(19, frames - 1)]


class _Trembling:
    """Vertices that are elsewhere in every frame, made when they are asked for."""

    def __init__(self, rest: np.ndarray, frames: int):
        self._rest, self.shape = rest, (frames, *rest.shape)

    @classmethod
    def of(cls, subject):
        """The subject with vertices of this kind."""
        return dataclasses.replace(subject, vertices=cls(subject.vertices[0], len(subject.vertices)))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, frame: int) -> np.ndarray:
        return self._rest + np.float32([0.001 * np.sin(frame), 0, 0])


if __name__ == "__main__":
    main()
