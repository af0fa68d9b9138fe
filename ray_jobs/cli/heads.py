"""``pixelcube heads``: sheets of a family's people, expressions and performances, to look at before rendering a job."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import rich.progress
import tyro

from assets.errors import SpecError
from assets.files import atomic_write
from ray_jobs.cli.text import make_console
from synth.actor import STRANDS, cast
from synth.appearance.sampling import sample_appearance
from synth.heads.head import HeadModel, Person
from synth.heads.load import load_head
from synth.lighting.envmap import EnvMap
from synth.lighting.library import LightingLibrary
from synth.lighting.sphere import rotation_from_euler
from synth.motion.catalogue import PERFORMANCES
from synth.motion.generate import sample_performance
from synth.motion.performance import ACTION_UNITS, POSES, Performance, neutral
from synth.preview import View, in_clay, photographs, portrait_camera, sheet
from synth.renderers import make_renderer
from synth.scene import Renderer, Subject

VIEWS = {"front": View(), "threequarter": View(40, 4), "side": View(88, 0), "below": View(25, -32)}
"""Sides that a head is judged from."""
BACKGROUND = 0.16


@dataclasses.dataclass(frozen=True)
class Heads:
    """Look at a family of heads: random people, every expression unit at full strength, or a performance as a strip.

    Example: pixelcube heads makehuman --show views --count 4 --clay"""

    family: Annotated[Literal["template", "flame", "smplx", "makehuman"], tyro.conf.Positional] = "template"
    """Which family of heads."""
    path: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Folder of the model's files, where the family needs one."""
    show: Literal["people", "views", "expressions", "performance"] = "people"
    """People from the front; people from four sides; one person's units; one person performing."""
    count: int = 12
    """How many people, or how many frames of the performance."""
    seed: int = 0
    """First person's seed; the next ones follow."""
    clay: bool = False
    """Grey clay instead of skin and hair."""
    strands: int = STRANDS
    """Hairs of a full head; 0 grows none and paints brows and scalp instead."""
    performance: Annotated[str, tyro.conf.arg(metavar="NAME")] = ""
    """Name of the performance; drawn by the seed if not given."""
    light: Annotated[str, tyro.conf.arg(metavar="ID")] = "procedural/beauty/0104"
    """The map that lights them, see 'pixelcube assets list'."""
    turn: float = 0.0
    """Degrees that the map is turned about the vertical."""
    size: int = 256
    """Pixels a side of each picture."""
    samples: int = 36
    """Samples a pixel."""
    output: Annotated[Path, tyro.conf.arg(metavar="FILE.png")] = Path("out/heads.png")
    """Where the sheet is written."""

    def check(self) -> None:
        """Refuse what would fail after minutes of rendering."""
        pixels = self.count * self.size**2
        for good, what in (
            (1 <= self.count <= 1000 and 16 <= self.size <= 2048 and pixels < 1 << 27,
             f"count, size: {self.count}, {self.size}, expected 1 to 1000 pictures of 16 to 2048 pixels, 128 "
             "megapixels in all"),
            (0 <= self.strands <= 500_000, f"strands: {self.strands}, expected 0 to 500000"),
            (self.samples > 0, f"samples: {self.samples}, expected at least 1"),
            (self.seed >= 0, f"seed: {self.seed}, expected 0 or more"),
            (self.performance in ("", *PERFORMANCES),
             f"performance: {self.performance!r} is not one of {', '.join(PERFORMANCES)}"),
            (self.output.suffix.lower() in _formats(),
             f"output: {str(self.output)!r}, expected a name that ends with one of {', '.join(_formats())}"),
        ):
            if not good:
                raise SpecError(what)

    def execute(self) -> int:
        """Exit status."""
        self.check()
        picture = draw(self, load_head(self.family, self.path))
        save(picture, self.output)
        make_console().print(str(self.output), soft_wrap=True)
        return 0


@functools.cache
def _formats() -> dict[str, str]:
    from PIL import Image

    return {suffix: name for suffix, name in Image.registered_extensions().items() if name in ("PNG", "JPEG", "WEBP")}


def draw(options: Heads, head: HeadModel) -> np.ndarray:
    """(H, W, 3) display values: the sheet that ``options`` ask for."""
    light = lighting(options.light, options.turn)
    pictures, columns = SHEETS[options.show](options, head, light, make_renderer("mitsuba", "auto"))
    return sheet(pictures, columns)


def lighting(name: str, turn: float, height: int = 128) -> EnvMap:
    """A map of the library, turned by ``turn`` degrees about +Y."""
    return LightingLibrary().load(name, height).rotated(rotation_from_euler(turn))


def save(picture: np.ndarray, path: Path) -> None:
    """Write display values as an 8-bit picture, whole or not at all."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        eight = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
        Image.fromarray(eight).save(temporary, format=_formats()[path.suffix.lower()], quality=88)


def _shots(options: Heads, head: HeadModel, renderer: Renderer, light: EnvMap, work: list) -> list[np.ndarray]:
    """Pictures of (seed, performance, views) one after the other, with a progress bar."""
    out = []
    console = make_console(stderr=True)
    for seed, performance, views in rich.progress.track(work, "rendering", console=console, transient=True):
        person, subject = _subject(options, head, seed, performance)
        frames = [(frame, view) for frame in range(len(subject.vertices)) for view in views]
        stills = subject.frames([frame for frame, _ in frames])
        cameras = [portrait_camera(person, view, options.size) for _, view in frames]
        pictures = photographs(renderer, stills, cameras, [light], samples=options.samples, grey=BACKGROUND)
        out += [picture for (picture,) in pictures]
    return out


def _subject(options: Heads, head: HeadModel, seed: int, performance: Performance | None) -> tuple[Person, Subject]:
    identity = head.sample_identity(np.random.default_rng(seed))
    if options.clay:
        person = head.person(identity)
        return person, in_clay(person, performance)
    appearance = sample_appearance(np.random.default_rng([seed, 1]), identity, head)
    actor = cast(head, identity, appearance, texels=int(np.clip(4 * options.size, 256, 1024)), strands=options.strands)
    return actor.person, actor.perform(performance)


def _people(options: Heads, head: HeadModel, light: EnvMap, renderer: Renderer) -> tuple[list[np.ndarray], int]:
    work = [(seed, None, [VIEWS["front"]]) for seed in _seeds(options)]
    return _shots(options, head, renderer, light, work), min(options.count, 12 if options.count > 24 else 6)


def _views(options: Heads, head: HeadModel, light: EnvMap, renderer: Renderer) -> tuple[list[np.ndarray], int]:
    views = list(VIEWS.values())
    work = [(seed, None, views) for seed in _seeds(options)]
    return _shots(options, head, renderer, light, work), len(views) * (2 if options.count > 1 else 1)


def _seeds(options: Heads) -> range:
    return range(options.seed, options.seed + options.count)


def _expressions(options: Heads, head: HeadModel, light: EnvMap, renderer: Renderer) -> tuple[list[np.ndarray], int]:
    still = neutral(1, 24.0)
    work = [(options.seed, still, [View(12, 2, 0.75)])]
    for unit in (unit for unit in ACTION_UNITS if unit in head.units):
        names = [f"{unit}_L"] if unit == "AU30" else [unit]  # mouth sideways: both sides cancel
        act = dataclasses.replace(still, units={name: np.ones(1, np.float32) for name in names})
        work.append((options.seed, act, [View(12, 2, 0.75)]))
    return _shots(options, head, renderer, light, work), 8


def _performance(options: Heads, head: HeadModel, light: EnvMap, renderer: Renderer) -> tuple[list[np.ndarray], int]:
    act = perform(options.performance, options.seed, options.count)
    return _shots(options, head, renderer, light, [(options.seed, act, [View(0, 0, 0.6)])]), min(options.count, 12)


def perform(name: str, seed: int, frames: int, every: float = 1 / 6) -> Performance:
    """``frames`` moments of a performance, ``every`` seconds apart."""
    step = max(1, round(24 * every))
    whole = sample_performance(np.random.default_rng(seed), step * (frames - 1) + 1, 24.0, name or None)
    chosen = slice(0, None, step)
    curves = {key: value[chosen] for key, value in whole.units.items()}
    poses = {key: getattr(whole, key)[chosen] for key in (*POSES, "translation")}
    return Performance(24.0 / step, curves, **poses)


SHEETS: dict[str, Callable] = {"people": _people, "views": _views, "expressions": _expressions,
                               "performance": _performance}
