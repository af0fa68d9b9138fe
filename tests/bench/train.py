"""What training adds to the network: a step of ``pixelcube train`` over a bare step on random tensors.

    python -m tests.bench.train [--size 128] [--batch 4] [--steps 8] [--rounds 5] [--clock wall|cpu] [--dataset URL]

Both take the same network, objective, optimizer and number of threads. Bare: one batch of random tensors made once;
loss, gradient, its norm clipped, AdamW. Ours: everything else too: samples read from a dataset and photographed by a
worker process, light maps, noise of each clip's own, averaged weights, TensorBoard, the bar. One run of the trainer
pauses after each round for a bare one in the same process; the first steps of both do not count, in which memory is
met and the worker reads ahead. ``value`` is the median of the rounds' ratios. ``--clock wall``: a worker's time counts
where it makes the trainer wait. ``--clock cpu``, for a machine that others use: seconds of a core, a worker's counted
whole, though it works beside.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import statistics
import tempfile
import time

import psutil

TARGET = 1.1
CLOCKS = ("wall", "cpu")
SKIPPED = 4
"""Steps at the beginning of a round that do not count."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("size", 128), ("batch", 4), ("steps", 8), ("rounds", 5), ("clips", 16)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--dataset", help="a dataset to read; by default shaded balls, made for this")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="what value is by")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = options.dataset or balls(f"{folder}/balls", options)
        rounds = measure(url, folder, options)
    seconds = {f"{name} {clock}": round(statistics.median(each[name][index] for each in rounds), 3)
               for name in ("ours", "bare") for index, clock in enumerate(CLOCKS)}
    ratios = {clock: [each["ours"][index] / each["bare"][index] for each in rounds]
              for index, clock in enumerate(CLOCKS)}
    value = statistics.median(ratios[options.clock])
    print(json.dumps({"name": "train", "value": round(value, 3), "target": TARGET, "ok": value <= TARGET, "detail": {
        **vars(options), "seconds_a_step": seconds, "threads": threads(),
        "ratios": {clock: [round(ratio, 3) for ratio in each] for clock, each in ratios.items()}}}))


def threads() -> int:
    import torch

    return torch.get_num_threads()


def clocks() -> tuple[float, float]:
    """Seconds on the wall, and those of cores that this process and its workers have used."""
    spent = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
    return time.perf_counter(), time.process_time() + sum(times.user + times.system for times in spent)


def balls(url: str, options: argparse.Namespace) -> str:
    from tests.relight import clips

    clips.SIZE = options.size
    return clips.make_dataset(url, options.clips)


def measure(url: str, folder: str, options: argparse.Namespace) -> list[dict[str, tuple[float, ...]]]:
    """Seconds a step of each round, by each of CLOCKS, of training (``ours``) and of the bare loop."""
    import torch

    from relight.data.loader import PortraitLoader
    from relight.training.config import TrainConfig
    from relight.training.start import new_relighter
    from relight.training.trainer import Trainer, new_optimizer

    data = {"datasets": [{"url": url}], "frames": 1, "width": options.size, "height": options.size}
    config = TrainConfig.model_validate({
        "data": data, "batch": options.batch, "steps": 100_000, "output": f"{folder}/run", "save_every": 100_000,
        "validate_every": 100_000, "workers": 1})
    relighter = new_relighter(config)
    batch = next(iter(PortraitLoader(config.data, options.batch)))
    noise = {field.name: torch.rand_like(getattr(batch, field.name)) for field in dataclasses.fields(batch)}
    random = dataclasses.replace(batch, **noise)
    optimizer = new_optimizer(config, relighter.parameters())
    generator = torch.Generator().manual_seed(0)

    def spent(begin: tuple[float, ...]) -> tuple[float, ...]:
        return tuple((now - then) / options.steps for then, now in zip(begin, clocks(), strict=True))

    def bare() -> tuple[float, ...]:
        for step in range(SKIPPED + options.steps):
            if step == SKIPPED:
                begin = clocks()
            relighter(random, generator).backward()
            torch.nn.utils.clip_grad_norm_(relighter.parameters(), config.clip_gradient)
            optimizer.step()
            optimizer.zero_grad()
        return spent(begin)

    rounds: list[dict[str, tuple[float, ...]]] = []
    begin, done = clocks(), itertools.count(1)

    def until() -> bool:
        """Asked after each step of the trainer."""
        nonlocal begin
        step = next(done) % (SKIPPED + options.steps)
        if step == SKIPPED:
            begin = clocks()
        elif step == 0:
            rounds.append({"ours": spent(begin), "bare": bare()})
            print({name: [round(value, 3) for value in each] for name, each in rounds[-1].items()}, flush=True)
        return len(rounds) == options.rounds

    Trainer(config, new_relighter(config)).run(until)
    return rounds


if __name__ == "__main__":
    main()
