"""How often OpenCV's frontal-face cascade finds the face in frontal renders, beside the same figure for real clips.

    python -m tests.bench.faces [--subjects 200] [--families template makehuman] [--sheet FILE.jpg]

Each subject is a random identity in a random appearance, seen from a camera within 20 degrees of the front in a random
moment of a random performance, with head and neck turned at most a few degrees and nothing worn on the head, under five
photographed maps as background and light, exposed by what comes from the face, as cameras do. A face counts as found
where a detection covers the middle of the rendered face and is of about its size. Real clips, and MakeHuman's files,
are looked for under PIXELCUBE_SHARED (or ../shared/data).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np

from tests.bench.families import SHARED, find_head

TARGETS = {"template": 0.95, "makehuman": 0.97}
SCAN = 1.03
"""Step from one size of window to the next: at 1.05 the cascade steps over faces that it finds at 1.03."""
LIGHTS = ("bundled/courtyard", "bundled/forest", "bundled/interior", "bundled/sunrise", "bundled/city")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("subjects", 200), ("size", 256), ("samples", 16), ("seed", 0), ("strands", 20_000)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--families", nargs="*", default=list(TARGETS))
    parser.add_argument("--sheet", type=Path, help="write the pictures in which no face was found")
    options = parser.parse_args()

    rates, by_light, missed = {}, {}, []
    for family in options.families:
        head = find_head(family)
        if head is None:
            continue
        found, pictures = measure(head, options)
        rates[family] = float(found.mean())
        by_light[family] = dict(zip(LIGHTS, found.mean(axis=0).round(3).tolist(), strict=True))
        missed += pictures
        count = options.subjects * len(LIGHTS)
        print(f"{family}: found in {100 * rates[family]:.1f} % of {count} pictures", flush=True)
    real = real_rate(SHARED / "portraits")
    print("real clips: " + (f"{100 * real:.1f} %" if real is not None else "none here"))
    if options.sheet and missed:
        from ray_jobs.cli.heads import save
        from synth.preview import sheet

        save(sheet(missed[:64], 8), options.sheet)
    value = rates.get("template")
    print(json.dumps({
        "name": "faces", "value": value, "target": TARGETS["template"],
        "ok": bool(rates) and all(rate >= TARGETS[family] for family, rate in rates.items()),
        "detail": {"rates": rates, "by_light": by_light, "targets": TARGETS, "real_clips": real,
                   "subjects": options.subjects, "size": options.size, "samples": options.samples,
                   "strands": options.strands},
    }))  # fmt: skip


def measure(head, options: argparse.Namespace) -> tuple[np.ndarray, list[np.ndarray]]:
    """Whether each face is found under each light, (subjects, lights); and the pictures where it isn't."""
    from synth.actor import cast
    from synth.appearance.sampling import sample_appearance
    from synth.lighting.library import LightingLibrary
    from synth.preview import View, photographs, portrait_camera
    from synth.renderers import make_renderer
    from synth.seeds import Seeds

    renderer, library = make_renderer("mitsuba", "auto"), LightingLibrary()
    maps = [library.load(name, 128) for name in LIGHTS]
    found, missed = [], []
    for number in range(options.subjects):
        seeds = Seeds.for_clip(options.seed, number)
        identity = head.sample_identity(seeds.rng("identity"))
        appearance = sample_appearance(seeds.rng("appearance"), identity, head)
        worn = appearance.worn.model_copy(update={"glasses": None, "cover": None})
        bare = appearance.model_copy(update={"worn": worn})
        actor = cast(head, identity, bare, texels=512, strands=options.strands)
        subject = actor.perform(moment(seeds.rng("motion")))
        rng = seeds.rng("camera")
        view = View(rng.uniform(-20, 20), rng.uniform(-8, 8), rng.uniform(0.45, 0.65))
        camera = portrait_camera(actor.person, view, options.size)
        face = face_box(subject, camera)
        (pictures,) = photographs(renderer, subject, [camera], maps, samples=options.samples, seed=number,
                                  spot=around(face, options.size))
        found.append([is_found(picture, face) for picture in pictures])
        missed += [picture for picture, hit in zip(pictures, found[-1], strict=True) if not hit]
        if (number + 1) % 10 == 0:
            print(f"{head.family}: {number + 1} subjects, {len(missed)} pictures missed", flush=True)
    return np.array(found), missed


def moment(rng: np.random.Generator):
    """One frame of a random performance, without what turns the face away."""
    from synth.motion.generate import sample_performance

    act = sample_performance(rng, 1, 24.0)
    return dataclasses.replace(act, head=0.1 * act.head, neck=0.1 * act.neck, translation=0 * act.translation)


def face_box(subject, camera) -> tuple[float, float, float]:
    """Middle (x, y) and height of the face in pixels: between brows and chin, from the eyes and the mouth."""
    vertices = subject.vertices[0]
    centres = {part.name: camera.project(vertices[part.vertex_map].mean(axis=0))[0] for part in subject.parts}
    eyes = (centres["left_iris"] + centres["right_iris"]) / 2
    lips = centres["lips"]
    return *(0.45 * eyes + 0.55 * lips), 2.6 * float(np.linalg.norm(lips - eyes))


def around(face: tuple[float, float, float], size: int) -> np.ndarray:
    """(size, size) mask of the face's middle, which a camera with face priority meters."""
    x, y, height = face
    row, column = np.mgrid[:size, :size] + 0.5
    return np.hypot(column - x, row - y) < 0.35 * height


def is_found(picture: np.ndarray, face: tuple[float, float, float] | None) -> bool:
    """Whether a detection covers the face's middle at about its size; any detection where the face is not known."""
    import cv2

    cascade = _cascade()
    grey = cv2.cvtColor((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8), cv2.COLOR_RGB2GRAY)
    # The cascade normalises each window's contrast itself; equalising the whole picture first only lifts its noise.
    boxes = cascade.detectMultiScale(grey, scaleFactor=SCAN, minNeighbors=3, minSize=(len(grey) // 6,) * 2)
    if face is None:
        return len(boxes) > 0
    x, y, height = face
    return any(abs(left + w / 2 - x) < 0.3 * height and abs(top + h / 2 - y) < 0.3 * height
               and 0.6 < h / height < 1.8 for left, top, w, h in boxes)


def _cascade():
    import cv2

    return cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"))


def real_rate(folder: Path) -> float | None:
    """The same detector's rate on every 10th frame of the clips in a folder, scaled to 256 rows."""
    import av
    import cv2

    hits = []
    for file in sorted(folder.glob("*.mp4")):
        with av.open(str(file)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if number % 10 == 0:
                    picture = frame.to_ndarray(format="rgb24")
                    width = round(picture.shape[1] * 256 / picture.shape[0])
                    hits.append(is_found(cv2.resize(picture, (width, 256), interpolation=cv2.INTER_AREA) / 255, None))
    return sum(hits) / len(hits) if hits else None


if __name__ == "__main__":
    main()
