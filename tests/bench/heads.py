"""What a frame of a head costs (pose, skinning, subdivision), as a fraction of the 64-sample 256x256 render after it.

    python -m tests.bench.heads [--families template makehuman] [--subdivision 1] [--frames 16] [--rounds 3]

One lighting; the render is all that the renderer does for a frame: geometry channels, the flat image and one lit image.
MakeHuman's files are looked for under PIXELCUBE_SHARED (or ../shared/data). ``value`` is the worst family's fraction.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import time

import numpy as np

from tests.bench.families import find_head

TARGET = 0.10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("subdivision", 1), ("frames", 16), ("rounds", 3), ("size", 256), ("samples", 64)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--families", nargs="*", default=["template", "makehuman"])
    options = parser.parse_args()
    rows = {}
    for family in options.families:
        head = find_head(family)
        if head is None:
            continue
        rows[family] = measure(head, options)
        print(f"{family}: {rows[family]}", flush=True)
    value = max(row["fraction"] for row in rows.values())
    print(json.dumps({"name": "heads", "value": value, "target": TARGET, "ok": value <= TARGET,
                      "detail": {"families": rows, "subdivision": options.subdivision, "frames": options.frames}}))


def measure(head, options: argparse.Namespace) -> dict:
    """Milliseconds a frame of evaluation and of rendering, and their ratio: medians of the rounds."""
    from synth.actor import cast
    from synth.appearance.sampling import sample_appearance
    from synth.lighting.library import LightingLibrary
    from synth.motion.generate import sample_performance
    from synth.preview import View, portrait_camera
    from synth.renderers import make_renderer

    renderer = make_renderer("mitsuba", "auto")
    light = LightingLibrary().load("bundled/forest", 128)
    identity = head.sample_identity(np.random.default_rng(0))
    appearance = sample_appearance(np.random.default_rng(0), identity, head)
    actor = cast(head, identity, appearance, subdivision=options.subdivision, strands=0)
    person = actor.person
    camera = portrait_camera(person, View(), options.size)
    evaluations, renders = [], []
    for number in range(options.rounds + 1):  # the first one compiles kernels
        act = sample_performance(np.random.default_rng(number), options.frames, 24.0)
        start = time.perf_counter()
        vertices = person.animate(act)
        posed = [vertices[frame] for frame in range(options.frames)]
        evaluations.append((time.perf_counter() - start) / options.frames)
        subject = dataclasses.replace(actor.perform(), vertices=np.stack(posed[:2]), living={})
        start = time.perf_counter()
        for _ in renderer.render(subject, [camera] * 2, [[light] * 2], samples=options.samples, seed=number):
            pass
        renders.append((time.perf_counter() - start) / 2)
    evaluation, render = statistics.median(evaluations[1:]), statistics.median(renders[1:])
    triangles = sum(len(part.faces) for part in person.parts)
    return {"evaluation_ms": round(1000 * evaluation, 2), "render_ms": round(1000 * render, 1),
            "fraction": round(evaluation / render, 4), "triangles": triangles}


if __name__ == "__main__":
    main()
