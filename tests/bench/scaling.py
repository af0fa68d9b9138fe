"""Throughput of two one-core workers over one, on the same clips, workers warm.   python -m tests.bench.scaling

Real clips through the real pool, writer included. One worker and two take turns for a few rounds, and the best round of
each counts, so that a busy moment of the machine hits neither more than the other.
"""

from __future__ import annotations

import argparse
import collections
import json
import operator
import tempfile
import time
from pathlib import Path

import psutil

from ray_jobs.cluster import connected
from ray_jobs.machine import usable_cpus
from ray_jobs.worker import WorkerOptions
from synth.spec import ClipSpec, JobSpec, LightingChoice

TARGET = 1.8


def prepared_pool(workers: int, folder: str, warm_up: ClipSpec):
    """A pool whose every worker has rendered one clip."""
    from ray_jobs.pool import Pool

    pool = Pool(WorkerOptions(url=folder), workers)
    pool.grow(workers)
    while pool.idle < workers:
        pool.poll(1.0)
    render_all(pool, [warm_up] * workers)
    return pool


def render_all(pool, specs: list[ClipSpec]) -> float:
    """Seconds to render the clips."""
    queue = collections.deque(specs)
    start = time.perf_counter()
    ended = 0
    while ended < len(specs):
        if queue:
            pool.give(lambda _: queue.popleft() if queue else None, keep=True)
        for _, outcome in pool.poll(1.0):
            ended += 1
            if outcome.kind != "done":
                raise SystemExit(f"a clip failed: {outcome.reason}\n{outcome.detail}")
    return time.perf_counter() - start


def cores_used(pool, specs: list[ClipSpec]) -> tuple[float, float]:
    """Seconds to render the clips, and the CPU cores that all workers kept busy meanwhile."""
    processes = [psutil.Process(pid) for pid in pool.pids]
    before = sum(sum(process.cpu_times()[:2]) for process in processes)
    seconds = render_all(pool, specs)
    return seconds, (sum(sum(process.cpu_times()[:2]) for process in processes) - before) / seconds


def main() -> None:
    """Measure, then print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    from synth.generate import plan

    job = JobSpec(clips=arguments.clips + 1, frames=4, lightings=8, width=128, height=128, samples=16, samples_scalar=2,
                  seed=7, lighting=LightingChoice(height=64))
    *specs, warm_up = plan(job)
    seconds, cores = {1: [], 2: []}, {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder, connected("local", cpus=3):
        pools = {workers: prepared_pool(workers, str(Path(folder, str(workers))), warm_up) for workers in seconds}
        for number in range(arguments.rounds):
            for workers, pool in pools.items():
                took, used = cores_used(pool, specs)
                seconds[workers].append(took)
                cores[workers].append(used)
                print(f"round {number + 1}: {workers} worker(s): {len(specs) / took:.3f} clips/s, "
                      f"{used:.2f} cores busy", flush=True)
        for pool in pools.values():
            pool.close()
    value = min(seconds[1]) / min(seconds[2])
    detail = {"variant": specs[0].variant, "clips": len(specs), "usable_cpus": usable_cpus(),
              "clips_per_second": {workers: round(len(specs) / min(took), 3) for workers, took in seconds.items()},
              "cores_busy": {workers: round(max(used), 2) for workers, used in cores.items()},
              "cpu_seconds_per_clip": {workers: round(min(map(operator.mul, seconds[workers], used)) / len(specs), 3)
                                       for workers, used in cores.items()},
              "load": round(psutil.getloadavg()[0], 1)}
    print(json.dumps({"name": "scaling", "value": round(value, 3), "target": TARGET, "ok": value >= TARGET,
                      "detail": detail}))


if __name__ == "__main__":
    main()
