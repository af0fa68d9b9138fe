"""What flesh costs: a 256x256 frame of the template actor in full appearance, against plain skin, at equal samples.

    python -m tests.bench.appearance [--lightings 8] [--style short] [--strands 40000] [--rounds 3]

(a) plain: the same parts, principled without scattering or clear coats, no cornea, no strands; (b) everything but hair;
(c) with strands. A frame is all that the renderer does for it (geometry, coverage, the flat image and the lightings).
``value`` is c/a; b/a has a target of its own. On a processor seconds are its time, which neighbours stretch less than
the clock's. Rounds alternate; a clip's first frame, which compiles kernels, doesn't count. One scene lives at a time,
as in production: Dr.Jit compiles the materials of all living ones into every kernel.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import time

import numpy as np

TARGET, TARGET_WITHOUT_HAIR = 2.0, 1.25
FRAMES = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("size", 256), ("samples", 36), ("lightings", 8), ("strands", 40_000), ("subdivision", 1),
                        ("texels", 1024), ("rounds", 3), ("seed", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--style", default="short")
    options = parser.parse_args()

    from synth.lighting.library import LightingLibrary
    from synth.renderers import make_renderer

    subjects, camera = cast_subjects(options)
    light = LightingLibrary().load("bundled/forest", 128)
    renderer = make_renderer("mitsuba", "auto")
    variant = renderer.variant
    clock = time.perf_counter if variant.startswith("cuda") else time.process_time
    seconds: dict[str, list[float]] = {kind: [] for kind in subjects}
    for number in range(options.rounds):
        for kind, subject in subjects.items():
            frames = renderer.render(subject, [camera] * FRAMES, [[light] * FRAMES] * options.lightings,
                                     samples=options.samples, seed=number)
            next(frames)  # makes the scene and compiles kernels
            start = clock()
            for _ in frames:
                pass
            seconds[kind].append((clock() - start) / (FRAMES - 1))
        print({kind: round(values[-1], 3) for kind, values in seconds.items()}, flush=True)
    median = {kind: statistics.median(values) for kind, values in seconds.items()}
    full, hair = (median[kind] / median["plain"] for kind in ("full", "hair"))
    print(json.dumps({
        "name": "appearance", "value": round(hair, 3), "target": TARGET,
        "ok": hair <= TARGET and full <= TARGET_WITHOUT_HAIR,
        "detail": {**vars(options), "variant": variant, "without_hair": round(full, 3),
                   "without_hair_target": TARGET_WITHOUT_HAIR,
                   "seconds": {kind: round(value, 3) for kind, value in median.items()},
                   "grown": sum(len(group.radii) for group in subjects["hair"].strands)},
    }))  # fmt: skip


def cast_subjects(options: argparse.Namespace) -> tuple[dict, object]:
    """One actor at rest as ``plain``, ``full`` and ``hair``, and a portrait camera."""
    from synth.actor import cast
    from synth.appearance.description import Appearance
    from synth.appearance.sampling import sample_appearance
    from synth.heads.load import load_head
    from synth.motion.performance import neutral
    from synth.preview import View, portrait_camera
    from synth.scene import Glass, Material

    head = load_head("template", None)
    identity = head.sample_identity(np.random.default_rng(options.seed))
    look = sample_appearance(np.random.default_rng(options.seed), identity, head).model_dump()
    look["hair"]["style"] = options.style
    look["worn"].update(glasses=None, cover=None)
    actor = cast(head, identity, Appearance.model_validate(look), subdivision=options.subdivision,
                 texels=options.texels, strands=options.strands)
    hair = actor.perform(neutral(FRAMES, 24.0))
    full = dataclasses.replace(hair, strands=())
    opaque = tuple(part for part in full.parts if not isinstance(full.materials[part.material], Glass))
    plain = dataclasses.replace(
        full, living={}, parts=opaque,
        materials={name: dataclasses.replace(material, scatter=None, clearcoat=0.0)
                   for name, material in full.materials.items() if isinstance(material, Material)})
    return {"plain": plain, "full": full, "hair": hair}, portrait_camera(actor.person, View(), options.size)


if __name__ == "__main__":
    main()
