"""What the benchmarks of light transport share: the maps they light by, and the transport of one frame."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from synth.lighting.envmap import EnvMap
from synth.lighting.families.sunsky import SunSky, SunSkyParams
from synth.lighting.library import LightingLibrary
from synth.transport.response import Transport
from tests.bench.appearance import cast_subjects
from tests.bench.families import SHARED

SUNS = ((20.0, 8.0), (-50.0, 20.0), (60.0, 40.0), (-20.0, 65.0))
"""Azimuth and elevation of the sun skies, degrees."""


def environment_maps(folder: Path | None = SHARED / "hdri") -> dict[str, EnvMap]:
    """The bundled maps, those of a folder where there is one and four sun skies, of 128 rows, by name."""
    sources = ("bundled", *([str(folder)] if folder and folder.is_dir() else []))
    library = LightingLibrary(sources)
    maps = {entry.id: library.load(entry.id, 128) for entry in library.select(sources)}
    for azimuth, elevation in SUNS:
        maps[f"sun {elevation:.0f}"] = SunSky().render(SunSkyParams(azimuth=azimuth, elevation=elevation), 128)
    return maps


def add_frame_options(parser: argparse.ArgumentParser) -> None:
    """Which frame :func:`estimate` takes."""
    for name, value in (("size", 256), ("paths", 512), ("strands", 40_000), ("subdivision", 1), ("texels", 1024),
                        ("seed", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--style", default="short")
    parser.add_argument("--kind", default="hair", choices=("plain", "full", "hair"),
                        help="see tests.bench.appearance")


def estimate(options: argparse.Namespace, lobes: bool) -> Transport:
    """The whole transport of one actor at rest."""
    from synth.renderers import make_renderer

    subjects, camera = cast_subjects(options)
    dark = EnvMap(np.zeros((128, 256, 3), np.float32))
    (frame,) = make_renderer("mitsuba", "auto").render(
        subjects[options.kind].frames([0]), [camera], [[dark]], samples=1, seed=1, lobes=lobes, method="transport",
        paths=options.paths, transport=True)
    return frame.transport
