"""What the pipeline adds to Mitsuba: whole-pipeline seconds per rendered image over a bare ``mitsuba.render``.

    python -m tests.bench.overhead [--size 256] [--samples 64] [--lightings 8] [--frames 4] [--rounds 3]

The pipeline side is everything a worker does for a clip (pose, textures, maps, every channel, lobes, EXR, check, tar),
with kernels already compiled, divided by the beauty images in it (``rgb`` of each lighting and ``flat``). The baseline
is ``mitsuba.render`` with the built-in ``path`` integrator on the same prepared scene: last frame, one map after the
other, same sampler and samples, picture brought to numpy. Rounds alternate, so that a drift of the machine hits both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time

import numpy as np

TARGET = 1.25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("size", 256), ("samples", 64), ("lightings", 8), ("frames", 4), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()

    from synth.generate import open_renderer, plan, prepare_clip, render_clip
    from synth.spec import JobSpec

    def job(seed: int, **change) -> JobSpec:
        fields = dict(seed=seed, clips=1, frames=options.frames, lightings=options.lightings, width=options.size,
                      height=options.size, samples=options.samples)
        return JobSpec(**(fields | change))

    with tempfile.TemporaryDirectory() as folder:
        # Warm-up compiles both kernels and loads head, library and maps.
        spec = plan(job(0, frames=1, lightings=2))[0]
        render_clip(spec, folder)
        renderer = open_renderer(spec.renderer, spec.variant)
        bare_images(renderer, spec, prepare_clip(spec), 1)

        ratios, rows = [], []
        for round_number in range(options.rounds):
            spec = plan(job(1 + round_number))[0]
            start = time.perf_counter()
            row = render_clip(spec, folder)
            images = options.frames * (options.lightings + 1)
            pipeline = (time.perf_counter() - start) / images
            bare = bare_images(renderer, spec, prepare_clip(spec), images)
            ratios.append(pipeline / bare)
            rows.append({"pipeline_s": round(pipeline, 4), "bare_s": round(bare, 4),
                         "rendering_share": round(row["render_seconds"] / images / pipeline, 3)})
            print(f"round {round_number + 1}: {pipeline:.3f} s an image, bare {bare:.3f} s, ratio {ratios[-1]:.3f}",
                  flush=True)
    value = statistics.median(ratios)
    print(json.dumps({
        "name": "overhead", "value": round(value, 3), "target": TARGET, "ok": value <= TARGET,
        "detail": {**vars(options), "variant": renderer.variant, "rounds": rows},
    }))  # fmt: skip


def bare_images(renderer, spec, clip, images: int) -> float:
    """Seconds an image of ``mitsuba.render`` over at least as many images as the pipeline made."""
    import mitsuba as mi

    scene = renderer._scene  # the pipeline's own scene, as it stands after the last frame
    seconds, done = 0.0, 0
    while done < images:
        for maps in clip.lightings:
            scene.set_light(maps[-1].data)
            start = time.perf_counter()
            np.array(mi.render(scene.scene, sensor=0, integrator=scene._path, spp=spec.samples, seed=done))
            seconds += time.perf_counter() - start
            done += 1
    return seconds / done


if __name__ == "__main__":
    main()
