"""Relighting a compressed clip against bare matrix products of the size of the dense transport.

    python -m tests.bench.relight [--kind hair] [--frames 4] [--lightings 512] [--rounds 3]

Ours reads a frame's bytes, checks and unpacks them and gives finished images, frame by frame; the baseline, the faster
of NumPy and torch, multiplies matrices (L, D) by (D, P) for each channel, which lie in memory ready made, and leaves
the products where they are. Both count the processor's seconds, least of the rounds. ``value`` is our throughput over
theirs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import torch

from synth.transport.codec import decode, encode
from synth.transport.light import project
from tests.bench.portrait_transport import add_frame_options, environment_maps, estimate

TARGET = 0.6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_frame_options(parser)
    for name, value in (("frames", 4), ("lightings", 512), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    transport = estimate(options, lobes=False)
    maps = [project(light, transport.basis) for light in environment_maps().values()]
    lights = np.resize(np.stack(maps), (options.lightings, transport.basis.size, 3))
    clip = [encode(transport)] * options.frames
    plain = [np.ascontiguousarray(lights[..., channel]) for channel in range(3)]
    matrices = [np.ascontiguousarray(transport.response[:, channel].T) for channel in range(3)]
    tensors = [[torch.from_numpy(array) for array in arrays] for arrays in (plain, matrices)]
    ways: dict[str, Callable[[], object]] = {
        "compressed": lambda: decode(clip[0]).relight(lights),
        "numpy": lambda: [a @ b for a, b in zip(plain, matrices, strict=True)],
        "torch": lambda: [torch.mm(a, b) for a, b in zip(*tensors, strict=True)],
    }
    seconds = {way: [] for way in ways}
    for _ in range(options.rounds):
        for way, action in ways.items():
            start = time.process_time()
            for _ in clip:
                action()
            seconds[way].append((time.process_time() - start) / len(clip))
    least = {way: min(values) for way, values in seconds.items()}
    value = min(least["numpy"], least["torch"]) / least["compressed"]
    print(json.dumps({
        "name": "relight", "value": round(value, 3), "target": TARGET, "ok": value >= TARGET,
        "detail": {"pixels": len(transport.pixels), "lightings": options.lightings, "mb": round(len(clip[0]) / 1e6, 2),
                   "cpu_seconds_a_frame": {way: round(spent, 3) for way, spent in least.items()}},
    }))  # fmt: skip


if __name__ == "__main__":
    main()
