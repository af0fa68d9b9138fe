"""What training adds to the network: a step of ``pixelcube train`` over a bare step on random tensors.

    python -m tests.bench.train [--size 128] [--batch 4] [--steps 8] [--rounds 3]

Both take the same network, objective and optimizer. Bare: one batch of random tensors made once; loss, gradient, its
norm clipped, AdamW. Ours: everything else too: samples read from a dataset and photographed by a worker process, light
maps, noise of each clip's own, averaged weights, TensorBoard, the bar. Rounds alternate. ``value`` is the ratio of
medians of the clock's time (a worker's time counts where it makes the trainer wait, and here where cores are shared).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
import time

TARGET = 1.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("size", 128), ("batch", 4), ("steps", 8), ("rounds", 3), ("clips", 16)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--dataset", help="a dataset to read; by default shaded balls, made for this")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = options.dataset or balls(f"{folder}/balls", options)
        ours, bare = runs(url, folder, options)
        times: dict[str, list[float]] = {"ours": [], "bare": []}
        for number in range(options.rounds):
            times["ours"].append(ours(number))
            times["bare"].append(bare())
            print({name: round(values[-1], 3) for name, values in times.items()}, flush=True)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    value = seconds["ours"] / seconds["bare"]
    print(json.dumps({"name": "train", "value": round(value, 3), "target": TARGET, "ok": value <= TARGET,
                      "detail": {**vars(options), "seconds": {k: round(v, 3) for k, v in seconds.items()}}}))


def balls(url: str, options: argparse.Namespace) -> str:
    from tests.relight import clips

    clips.SIZE = options.size
    return clips.make_dataset(url, options.clips)


def runs(url: str, folder: str, options: argparse.Namespace):
    """Seconds a step, by training and by the bare loop: two functions."""
    import torch

    from relight.data.loader import PortraitLoader
    from relight.training.config import TrainConfig
    from relight.training.start import new_relighter
    from relight.training.trainer import Trainer

    data = {"datasets": [{"url": url}], "frames": 1, "width": options.size, "height": options.size}
    config = TrainConfig.model_validate({
        "data": data, "batch": options.batch, "steps": 100_000, "output": f"{folder}/run", "save_every": 100_000,
        "validate_every": 100_000, "workers": 1})

    def ours(number: int) -> float:
        run = config.model_copy(update={"output": f"{folder}/run{number}"})
        trainer = Trainer(run, new_relighter(run))
        stamps: list[float] = []

        def until() -> bool:
            stamps.append(time.perf_counter())
            return len(stamps) > options.steps + 1

        trainer.run(until)  # its first steps start the worker and fill caches
        return (stamps[-1] - stamps[1]) / (len(stamps) - 2)

    relighter = new_relighter(config)
    batch = next(iter(PortraitLoader(config.data, options.batch)))
    noise = {field.name: torch.rand_like(getattr(batch, field.name)) for field in dataclasses.fields(batch)}
    random = dataclasses.replace(batch, **noise)
    optimizer = torch.optim.AdamW(relighter.parameters(), lr=1e-5)
    generator = torch.Generator().manual_seed(0)

    def bare() -> float:
        for step in range(options.steps + 1):
            if step == 1:
                start = time.perf_counter()
            relighter(random, generator).backward()
            torch.nn.utils.clip_grad_norm_(relighter.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        return (time.perf_counter() - start) / options.steps

    return ours, bare


if __name__ == "__main__":
    main()
