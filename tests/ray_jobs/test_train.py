"""Processes that train together: one that is killed costs the steps since the last checkpoint, and nothing else."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml

from relight.training import checkpoint
from tests.ray_jobs.conftest import ROOT, clean_environment, hear_interrupts, wait_for
from tests.relight.clips import make_dataset
from tests.relight.test_training import config, losses


def trainers(home):
    """Ray's training processes of a home folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if "TrainWorker" in " ".join(process.cmdline()) and process.environ().get("HOME") == str(home):
                found.append(process)
        except psutil.Error:
            continue
    return found


def start(short_home, folder, run, *options):
    """``ray_jobs/train.py`` with a Ray of its own, in a process group of its own as a shell starts it."""
    file = folder / f"{Path(run.output).name}.yaml"
    file.write_text(yaml.safe_dump(run.model_dump(mode="json")))
    command = [sys.executable, str(ROOT / "ray_jobs/train.py"), str(file), *options, "--address", "local"]
    return subprocess.Popen(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            env=clean_environment(short_home) | {"TMPDIR": str(short_home)}, start_new_session=True,
                            preexec_fn=hear_interrupts)


@pytest.mark.slow
def test_a_killed_process_is_replaced_and_the_loss_curve_stays(short_home, tmp_path):
    make_dataset(str(tmp_path / "balls"))  # paths are relative, as in the configurations that ship
    alone, together = (config("balls", name, steps=12, batch=2) for name in ("alone", "together"))
    process = start(short_home, tmp_path, alone)
    output = process.communicate(timeout=250)[0]
    assert process.returncode == 0, output

    process = start(short_home, tmp_path, together, "--processes", "2")
    wait_for("checkpoint", lambda: list((tmp_path / "together").glob("step-*")), process, 300)
    victim = max(trainers(short_home), key=lambda worker: worker.pid)
    os.kill(victim.pid, signal.SIGKILL)
    output = process.communicate(timeout=250)[0]
    assert process.returncode == 0, output
    assert list(losses(tmp_path / "together")) == list(range(1, 13))
    np.testing.assert_allclose(list(losses(tmp_path / "together").values()),
                               list(losses(tmp_path / "alone").values()), rtol=5e-3)


@pytest.mark.slow
def test_ctrl_c_saves_in_every_process_and_the_same_command_goes_on(short_home, tmp_path):
    make_dataset(str(tmp_path / "balls"))
    run = config("balls", "run", steps=100_000, batch=2, save_every=100_000)
    process = start(short_home, tmp_path, run, "--processes", "2")
    wait_for("step", lambda: list((tmp_path / "run/log").glob("*")), process, 300)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it: to all that the command started
    output = process.communicate(timeout=200)[0]
    assert process.returncode == 130, output
    step = checkpoint.read_state(checkpoint.latest(tmp_path / "run"), check=True)["step"]
    assert f"stopped after step {step} of 100000; the same command goes on from there" in output
    assert not (tmp_path / "run/stop").exists() and list(losses(tmp_path / "run")) == list(range(1, step + 1))

    process = start(short_home, tmp_path, run, "--processes", "2", "--steps", str(step + 2))
    output = process.communicate(timeout=200)[0]
    assert process.returncode == 0, output
    assert list(losses(tmp_path / "run")) == list(range(1, step + 3))
