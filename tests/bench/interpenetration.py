"""Never a lid through an eye or teeth through lips: every performance on several people, before and after the cure.

    python -m tests.bench.interpenetration [--people 3] [--frames 6] [--family template ...]

``value`` is the worst depth in millimetres, after :class:`synth.heads.collision.Resolver`, of anything in anything.
Families without data are left out; MakeHuman's and FLAME's folders are ``makehuman`` and ``flame`` of the shared data.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from tests.bench.families import find_head

TARGET = 0.3
KINDS = ("lids", "teeth", "tongue", "lips")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=3, help="identities of each family")
    parser.add_argument("--frames", type=int, default=6, help="frames of each performance and person, at 4 a second")
    parser.add_argument("--family", nargs="*", default=["template", "makehuman", "flame"])
    parser.add_argument("--seconds", type=float, default=120.0, help="no further people of a family after its share")
    options = parser.parse_args()

    rows, detail = [], {}
    heads = {family: head for family in options.family if (head := find_head(family)) is not None}
    for family, head in heads.items():
        depths, detail[family] = measure(head, options.people, options.frames, options.seconds / len(heads))
        rows.append((family, depths))
        table(family, depths, detail[family])
    value = max((depths["after"][..., 0].max() for _, depths in rows), default=float("nan"))
    print(json.dumps({"name": "interpenetration", "value": round(float(value), 3), "target": TARGET,
                      "ok": bool(value <= TARGET), "detail": detail}))  # fmt: skip


def measure(head, people: int, frames: int, seconds: float) -> tuple[dict, dict]:
    """Depths ``before`` and ``after`` (people x performances, frames, 1 + kinds) in mm, and the report's detail."""
    from synth.heads.collision import Resolver, interpenetration
    from synth.motion.catalogue import PERFORMANCES
    from synth.motion.generate import sample_performance

    depths, cost, checks, done = {"before": [], "after": []}, 0.0, 0.0, 0
    names, begun = [], time.perf_counter()
    for seed in range(people):
        person = head.person(head.sample_identity(np.random.default_rng(seed)))
        resolver = Resolver(person)
        for name in PERFORMANCES:
            if seed and time.perf_counter() - begun > seconds:
                break
            act = sample_performance(np.random.default_rng(100 + seed), frames, 4.0, name)
            vertices = person.animate(act, resolve=False)[:]
            start = time.process_time()
            cured = resolver(vertices)
            middle = time.process_time()
            for key, clip in (("before", vertices), ("after", cured)):
                reports = [interpenetration(person, frame) for frame in clip]
                depths[key].append([[each.worst, *(getattr(each, kind) for kind in KINDS)] for each in reports])
            cost, checks, done = cost + middle - start, checks + time.process_time() - middle, done + frames
            names.append(name)
    arrays = {key: np.array(values) for key, values in depths.items()}
    deepest = np.unravel_index(arrays["after"][..., 0].argmax(), arrays["after"].shape[:2])
    return arrays, {
        "frames": done, "resolve_ms": round(1000 * cost / done, 2), "measure_ms": round(500 * checks / done, 1),
        "worst_in": names[deepest[0]],
        **{f"{kind}_{key}": [round(float(arrays[key][..., k].max()), 3),
                             round(float(np.percentile(arrays[key][..., k], 99)), 3)]
           for k, kind in enumerate(KINDS, start=1) for key in arrays},
    }


def table(family: str, depths: dict, detail: dict) -> None:
    """One row a kind: the worst and the 99th percentile in mm, before and after."""
    print(f"\n{family}: {detail['frames']} frames, {detail['resolve_ms']} ms to resolve one, deepest in "
          f"{detail['worst_in']!r}")
    print(f"{'':8}{'worst before':>14}{'after':>9}{'99 % before':>14}{'after':>9}   mm")
    for kind in KINDS:
        (worst, most), (worst_after, most_after) = detail[f"{kind}_before"], detail[f"{kind}_after"]
        print(f"{kind:8}{worst:14.3f}{worst_after:9.3f}{most:14.3f}{most_after:9.3f}", flush=True)


if __name__ == "__main__":
    main()
