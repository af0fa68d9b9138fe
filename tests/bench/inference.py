"""Seconds a frame of ``pixelcube relight`` over those of the networks' bare forward passes.

    python -m tests.bench.inference [--video FILE] [--model small] [--frames 96] [--size 512] [--rounds 3]

Both sides see the same number of frames, on the same device and with as many threads. The command's side is all of it:
finding the face, reading, framing, light, windows that overlap, putting together at full resolution, H.264; only
loading the weights is left out. The bare side calls the two networks on frames of the size that they see, window after
window without overlap, and throws the result away. Rounds alternate; ``value`` is the median ratio of wall seconds.
Without ``--video`` a rendered person from tests/relight/data is enlarged and panned.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from relight.conditioning.light_maps import direction_map
from relight.footage.encode import H264Stream
from relight.footage.read import open_footage
from relight.pipeline.light import read_light
from relight.pipeline.portrait import PortraitRelightPipeline
from relight.pipeline.shot import Shot, relight_shot

TARGET = 1.3
STILLS = Path(__file__).parents[1] / "relight" / "data" / "held_out.png"


def panned(path: Path, frames: int, size: int) -> Path:
    """A video of a still that moves sideways by an eighth of its width and back."""
    import av
    from PIL import Image

    strip = Image.open(STILLS)
    still = strip.crop((0, 0, strip.height, strip.height)).resize((size + size // 8, size + size // 8))
    whole = np.asarray(still, np.float32) / 255
    with av.open(str(path), "w") as container:
        stream = H264Stream(container, Fraction(25), crf=18, preset="veryfast")
        for frame in range(frames):
            left = round((0.5 - 0.5 * np.cos(2 * np.pi * frame / frames)) * (size // 8))
            stream.write(np.ascontiguousarray(whole[:size, left:left + size]))
        stream.close()
    return path


def bare_seconds(pipeline: PortraitRelightPipeline, frames: int, size: tuple[int, int]) -> float:
    """Wall seconds of the networks alone."""
    window, rows = pipeline.settings.window, pipeline.settings.light_height
    direction = torch.from_numpy(direction_map(rows).copy())
    generator = torch.Generator().manual_seed(0)
    if pipeline.device.type == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    for start in range(0, frames, window):
        count = min(window, frames - start)
        pictures = torch.rand((2, 1, count, 3, size[1], size[0]), generator=generator)
        light = torch.rand((2, 1, count, 3, rows, 2 * rows), generator=generator)
        given = {"source": pictures[0], "background": pictures[1], "light_ldr": light[0], "light_log": light[1],
                 "light_direction": direction.expand(1, count, -1, -1, -1), "exposure": torch.zeros(1, count)}
        moved = {name: part.to(pipeline.device) for name, part in given.items()}
        made = pipeline.relight_batch(SimpleNamespace(**moved))
        made["target"].cpu()  # waits for it
    return time.perf_counter() - began


def measure(video: Path | None, model: str, frames: int, size: int, rounds: int) -> dict[str, Any]:
    """Both sides in turn; what is printed as JSON."""
    pipeline = PortraitRelightPipeline.from_pretrained(model).on_best_device()
    ratios, seconds = [], []
    with tempfile.TemporaryDirectory() as folder:
        video = video or panned(Path(folder) / "source.mp4", frames, size)
        footage, light = open_footage(video), read_light("procedural/sunsky/0012")
        seen = Shot(pipeline, footage, light).framing.size
        bare_seconds(pipeline, pipeline.settings.window, seen)  # the first pass sets up
        for number in range(rounds):
            bare = bare_seconds(pipeline, footage.frames, seen)
            began = time.perf_counter()
            relight_shot(pipeline, video, Path(folder) / f"out{number}.mp4", light)
            whole = time.perf_counter() - began
            ratios.append(whole / bare)
            seconds.append((whole / footage.frames, bare / footage.frames))
            print(f"round {number}: {seconds[-1][0]:.4f} s a frame, bare {seconds[-1][1]:.4f}, ratio {ratios[-1]:.2f}",
                  flush=True)
    value = statistics.median(ratios)
    return {"name": "inference", "value": round(value, 3), "target": TARGET, "ok": value <= TARGET, "detail": {
        "frames": footage.frames, "picture": [footage.width, footage.height], "networks_see": seen,
        "device": str(pipeline.device), "threads": torch.get_num_threads(),
        "seconds_a_frame": [round(statistics.median(side), 4) for side in zip(*seconds, strict=True)],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--model", default="small")
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    print(json.dumps(measure(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
