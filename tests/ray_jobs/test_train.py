"""Processes that train together: one that is killed costs the steps since the last checkpoint, and nothing else."""

import os
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest
import yaml

from tests.ray_jobs.conftest import ROOT, clean_environment, wait_for
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


@pytest.mark.slow
def test_a_killed_process_is_replaced_and_the_loss_curve_stays(short_home, tmp_path):
    make_dataset(str(tmp_path / "balls"))  # paths are relative, as in the configurations that ship
    alone, together = (config("balls", name, steps=12, batch=2) for name in ("alone", "together"))
    files = []
    for run in (alone, together):
        files.append(tmp_path / f"{len(files)}.yaml")
        files[-1].write_text(yaml.safe_dump(run.model_dump(mode="json")))
    command = [sys.executable, str(ROOT / "ray_jobs/train.py")]
    done = subprocess.run([*command, str(files[0])], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    process = subprocess.Popen([*command, str(files[1]), "--processes", "2", "--address", "local"], cwd=tmp_path,
                               text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env=clean_environment(short_home) | {"TMPDIR": str(short_home)})
    wait_for("checkpoint", lambda: list((tmp_path / "together").glob("step-*")), process, 150)
    victim = max(trainers(short_home), key=lambda worker: worker.pid)
    os.kill(victim.pid, signal.SIGKILL)
    output = process.communicate(timeout=250)[0]
    assert process.returncode == 0, output
    assert list(losses(tmp_path / "together")) == list(range(1, 13))
    np.testing.assert_allclose(list(losses(tmp_path / "together").values()),
                               list(losses(tmp_path / "alone").values()), rtol=5e-3)
