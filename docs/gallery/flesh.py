"""Renders the pictures of skin, eyes and hair:   python docs/gallery/flesh.py [tones closeups states ...]

``tones`` is a chart of twelve subjects from light to dark under two lights; ``closeups`` an eye, a mouth, a beard and
a hairline; ``states`` the same people calm and flushed, smooth and frowning; the others show hair and occluders.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ray_jobs.cli.heads import lighting, save
from synth.actor import Actor, cast
from synth.appearance.description import Appearance
from synth.appearance.sampling import sample_appearance
from synth.hair.beard import BEARDS
from synth.hair.styles import STYLES
from synth.heads.load import load_head
from synth.heads.worn.covers import COVERS
from synth.heads.worn.glasses import GLASSES
from synth.motion.performance import Performance, neutral
from synth.preview import View, close_up, photographs, portrait_camera, sheet
from synth.renderers import make_renderer

FOLDER = Path(__file__).parent
BARE = {"worn.glasses": None, "worn.cover": None}
SOFT, HARD = ("procedural/beauty/0104", 0.0), ("bundled/courtyard", 150.0)


def actor(seed: int, texels: int = 1024, subdivision: int = 1, **changes: Any) -> Actor:
    """A random person of the template with some numbers of its appearance changed (``skin__melanin=0.1``)."""
    head = load_head()
    identity = head.sample_identity(np.random.default_rng(seed))
    numbers = sample_appearance(np.random.default_rng([seed, 1]), identity, head).model_dump()
    for name, value in {**BARE, **{key.replace("__", "."): value for key, value in changes.items()}}.items():
        group, field = name.split(".")
        numbers[group][field] = value
    return cast(head, identity, Appearance.model_validate(numbers), subdivision=subdivision, texels=texels)


def shoot(person: Actor, view: View, light: tuple[str, float], size: int, *, at: Sequence[float] | None = None,
          width: float = 0.05, act: Performance | None = None, samples: int = 64) -> np.ndarray:
    """(size, size, 3) display values: a portrait, or a close-up of a canonical place (mm) ``width`` metres wide."""
    camera = portrait_camera(person.person, view, size) if at is None else close_up(person.person, tuple(at), width,
                                                                                    view, size)
    subject = person.perform(act)
    still = subject.frames([len(subject.vertices) - 1])
    renderer = make_renderer("mitsuba", "auto")
    ((picture,),) = photographs(renderer, still, [camera], [lighting(*light, height=256)], samples=samples, grey=0.2)
    return picture


def doing(seconds: float = 0.0, **units: float) -> Performance:
    """Action units held for some seconds: blood takes its time."""
    frames = 1 + round(24 * seconds)
    return dataclasses.replace(neutral(frames, 24.0), units={
        name: np.full(frames, value, np.float32) for name, value in units.items()})


def tones() -> np.ndarray:
    """Twelve subjects from light to dark, each under two lights."""
    melanin = np.geomspace(0.012, 0.4, 12)
    people = [actor(40 + k, skin__melanin=float(value)) for k, value in enumerate(melanin)]
    rows = [[shoot(person, View(12, 2, 0.72), light, 192) for person in people] for light in (SOFT, HARD)]
    half = len(people) // 2
    return np.concatenate([sheet(row[part], half) for part in (slice(half), slice(half, None)) for row in rows])


def closeups() -> np.ndarray:
    """An eye, a mouth, a beard and a hairline, 512x512 each."""
    eye = actor(3, 2048, eyes__iris="hazel", skin__melanin=0.03)
    mouth = actor(5, 2048)
    beard = actor(4, 2048, hair__beard="full", hair__beard_growth=1.0, hair__eumelanin=0.9)
    line = actor(6, 2048, hair__style="slick_back", hair__eumelanin=1.2)
    return sheet([
        shoot(eye, View(8, 2), SOFT, 512, at=(32, 2, 88), width=0.05),
        shoot(mouth, View(12, 0), SOFT, 512, at=(0, -70, 103), width=0.075, act=doing(AU25=0.7, AU12=0.5)),
        shoot(beard, View(30, 0), SOFT, 512, at=(18, -80, 92), width=0.13),
        shoot(line, View(25, 12), SOFT, 512, at=(20, 78, 85), width=0.12),
    ], 2)


def states() -> np.ndarray:
    """The same people calm and flushed, smooth and frowning."""
    pictures = []
    for seed, melanin, wrinkles in ((7, 0.02, 0.35), (8, 0.15, 0.7)):
        person = actor(seed, skin__melanin=melanin, skin__wrinkles=wrinkles, skin__flushing=1.0)
        for act in (doing(), doing(4, AU4=0.9, AU7=0.8, AU23=0.9, AU24=0.7), doing(AU4=1.0, AU9=0.5),
                    doing(AU1=1.0, AU2=1.0), doing(AU6=1.0, AU12=1.0)):
            pictures.append(shoot(person, View(10, 0, 0.8), HARD, 288, act=act))
    return sheet(pictures, 5)


def styles() -> np.ndarray:
    """Every style of hair."""
    views = (View(20, 5, 0.55), View(150, 5, 0.55))
    people = [actor(20 + k, 512, hair__style=name, hair__hairline=0.0) for k, name in enumerate(STYLES)]
    return sheet([shoot(person, view, SOFT, 160, samples=36) for person in people for view in views], 12)


def beards() -> np.ndarray:
    """Every beard."""
    people = [actor(60 + k, hair__beard=name, hair__beard_growth=0.8) for k, name in enumerate(BEARDS)]
    return sheet([shoot(person, View(20, 0, 0.75), SOFT, 200, samples=36) for person in people], 6)


def worn() -> np.ndarray:
    """Glasses and head covers."""
    items = [("worn__glasses", name) for name in GLASSES] + [("worn__cover", name) for name in COVERS]
    return sheet([shoot(actor(80 + k, **{field: name}), View(25, 3, 0.6), SOFT, 200, samples=36)
                  for k, (field, name) in enumerate(items)], 6)


PICTURES = {"tones": tones, "closeups": closeups, "states": states, "styles": styles, "beards": beards, "worn": worn}


def main() -> None:
    """Render the pictures asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(PICTURES), help=", ".join(PICTURES))
    for name in parser.parse_args().names:
        path = FOLDER / f"flesh-{name}.jpg"
        save(PICTURES[name](), path)
        print(path)


if __name__ == "__main__":
    main()
