"""Renders the pictures of this folder:   python docs/gallery/make.py [first-light channels performance] [--seed 1]

Each renderer change makes them again, and someone looks at them (docs/mitsuba.md).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from synth.camera.film import Film
from synth.generate import open_library, open_renderer, plan, prepare_clip
from synth.lighting.sequence import LightingRef, SequenceSpec
from synth.spec import CameraSpec, JobSpec, LightingChoice

FOLDER = Path(__file__).parent
LIGHTS = (("bundled/forest", 0), ("bundled/sunset", -120), ("procedural/beauty/0104", 0), ("bundled/interior", 150),
          ("bundled/sunrise", -110), ("procedural/gels/0012", 30))
"""Map and yaw in degrees of each column."""


def still(light: str, yaw: float) -> SequenceSpec:
    """A lighting that does not move."""
    return SequenceSpec(kind="still", maps=(LightingRef.to(open_library(("bundled", "procedural"))[light]),),
                        params={"rotation": (yaw, 0.0, 0.0)})


def clips(seed: int, count: int, frames: int, size: int, lights) -> list:
    """Specifications of ``count`` people under the same lights."""
    job = JobSpec(seed=seed, clips=count, frames=frames, width=size, height=size, samples=144, samples_scalar=16,
                  lighting=LightingChoice(height=256),
                  camera=CameraSpec(focal_mm=(70, 90), head_height=(0.52, 0.58), yaw_deg=18))
    lightings = tuple(still(*light) for light in lights)
    return [spec.model_copy(update={"lightings": lightings}) for spec in plan(job)]


def render(spec):
    """The prepared clip and its frames."""
    clip = prepare_clip(spec)
    renderer = open_renderer(spec.renderer, spec.variant)
    return clip, list(renderer.render(clip.subject, clip.cameras, clip.lightings, samples=spec.samples,
                                      seed=spec.seeds.light))


def composed(clip, frame, number: int) -> np.ndarray:
    """(H, W, 3) display values in [0, 1]: the head before its environment, at its metered exposure."""
    background = clip.lightings[number][frame.index].look_up(frame.camera.rays())
    picture = frame.channels[f"rgb.{number:03d}"] + (1 - frame.channels["alpha"][..., None]) * background
    return Film(exposure_ev=clip.exposure_ev[number]).develop(picture)


def first_light(seed: int) -> np.ndarray:
    """Four people, a row each, under six lights."""
    rows = []
    for spec in clips(seed, 4, 1, 232, LIGHTS):
        clip, (frame,) = render(spec)
        rows.append(np.concatenate([composed(clip, frame, number) for number in range(len(LIGHTS))], axis=1))
    return np.concatenate(rows)


def channels(seed: int) -> np.ndarray:
    """Every channel of one frame."""
    clip, (frame, _) = render(clips(seed, 1, 2, 320, LIGHTS[1:2])[0])
    ev = clip.exposure_ev[0]
    show, signed = Film().develop, lambda image: image * 0.5 + 0.5
    c = frame.channels
    depth = np.where(c["depth"] > 0, 1 - (c["depth"] - c["depth"][c["depth"] > 0].min()) / 0.3, 0)
    flow = np.concatenate([signed(c["flow"] / 8), np.full((*c["flow"].shape[:2], 1), 0.5)], axis=-1)
    lit = Film(exposure_ev=ev).develop
    panels = [composed(clip, frame, 0), lit(c["diffuse.000"]), lit(c["specular.000"]), show(c["flat"]),
              show(c["albedo"]), signed(c["normal"]), depth[..., None].repeat(3, -1), flow,
              c["alpha"][..., None].repeat(3, -1), signed(c["position"] / 0.25)]
    return np.concatenate([np.concatenate(panels[i:i + 5], axis=1) for i in (0, 5)])


def performance(seed: int) -> np.ndarray:
    """Two people performing: a frame every sixth of a second."""
    rows = []
    for spec in clips(seed, 2, 29, 232, LIGHTS[:1]):
        clip = prepare_clip(spec)
        chosen = list(range(0, 29, 4))
        subject = clip.subject.frames(chosen)
        frames = open_renderer(spec.renderer, spec.variant).render(
            subject, [clip.cameras[i] for i in chosen], [[maps[i] for i in chosen] for maps in clip.lightings],
            samples=64, seed=0, lobes=False)
        rows.append(np.concatenate([composed(clip, frame, 0) for frame in frames], axis=1))
    return np.concatenate(rows)


PICTURES = {"first-light": first_light, "channels": channels, "performance": performance}


def main() -> None:
    """Render the pictures asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(PICTURES), help=", ".join(PICTURES))
    parser.add_argument("--seed", type=int, default=2)
    arguments = parser.parse_args()
    for name in arguments.names:
        picture = (np.clip(PICTURES[name](arguments.seed), 0, 1) * 255 + 0.5).astype(np.uint8)
        Image.fromarray(picture).save(FOLDER / f"{name}.jpg", quality=88)
        print(FOLDER / f"{name}.jpg")


if __name__ == "__main__":
    main()
