"""Renders the same people by Mitsuba (above) and by Cycles (below):   python docs/gallery/renderers.py [--size 256]

Same scene, camera, light, exposure and number of samples; neither is denoised. (A script named cycles.py would stand in
for Blender's own module of that name, and Blender would be without Cycles.)
"""

from __future__ import annotations

import argparse
from pathlib import Path

from flesh import actor  # beside this file

from ray_jobs.cli.heads import lighting, save
from synth.preview import View, photographs, portrait_camera, sheet
from synth.renderers import make_renderer

FOLDER = Path(__file__).parent
PEOPLE = (
    (3, {"skin__melanin": 0.03, "hair__style": "short"}, View(20, 4, 0.62), ("bundled/forest", 0.0)),
    (5, {"skin__melanin": 0.25, "hair__style": "short"}, View(-25, 0, 0.62), ("bundled/courtyard", 150.0)),
    (4, {"hair__beard": "full", "hair__beard_growth": 1.0}, View(35, 0, 0.62), ("bundled/interior", 150.0)),
    (6, {"skin__melanin": 0.015, "hair__eumelanin": 0.3, "worn__glasses": "round"}, View(10, -3, 0.62),
     ("bundled/sunset", -120.0)),
)
"""Who they are, from where, and in which light."""


def main() -> None:
    """Render and save the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--output", type=Path, default=FOLDER / "cycles-mitsuba.jpg")
    options = parser.parse_args()
    people = [(actor(seed, **looks), view, lighting(*light, height=256)) for seed, looks, view, light in PEOPLE]
    pictures = []
    for name in ("mitsuba", "cycles"):
        renderer = make_renderer(name)
        for person, view, light in people:
            camera = portrait_camera(person.person, view, options.size)
            ((picture,),) = photographs(renderer, person.perform(None).frames([0]), [camera], [light],
                                        samples=options.samples)
            pictures.append(picture)
    save(sheet(pictures, len(people)), options.output)
    print(options.output)


if __name__ == "__main__":
    main()
