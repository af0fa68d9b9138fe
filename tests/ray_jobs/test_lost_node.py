"""A node that goes away in mid-clip costs time, and is not held against the clip."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.ray_jobs.conftest import FAKE, ROOT, clean_environment, wait_for
from tests.ray_jobs.test_render import JOB, contents, drafts

CLUSTER = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args=dict(num_cpus=0, object_store_memory=80 << 20))
node = cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
print("address", cluster.address, flush=True)
sys.stdin.readline()
cluster.remove_node(node, allow_graceful=False)
cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
sys.stdin.readline()
cluster.shutdown()
"""


@pytest.fixture
def environment(short_home):
    path = f"{ROOT}:{clean_environment(short_home).get('PYTHONPATH', '')}".rstrip(":")
    return clean_environment(short_home) | {"RAY_AUTH_MODE": "disabled", "PYTHONPATH": path}


@pytest.fixture
def cluster(environment):
    """Two simulated nodes on this machine; a line on its stdin replaces the worker node, another ends it."""
    process = subprocess.Popen([sys.executable, "-c", CLUSTER], env=environment, text=True, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_lost_node(cluster, environment, short_home):
    address = next(line.split()[1] for line in cluster.stdout if line.startswith("address"))
    dataset = short_home / "ds"
    (short_home / "faults.json").write_text(json.dumps({"0": 2.0}))
    driver = subprocess.Popen([sys.executable, str(ROOT / "ray_jobs/render.py"), str(JOB), "--output", str(dataset),
                               "--address", address, *FAKE], env=environment, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_for("draft", lambda: drafts(dataset), driver)
    cluster.stdin.write("\n")
    cluster.stdin.flush()
    output, _ = driver.communicate(timeout=100)
    assert driver.returncode == 0 and "its node was lost" in output, output
    assert len(contents(dataset)) == 2 and not (dataset / "quarantine").exists()
