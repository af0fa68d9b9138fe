"""``ray submit`` over ssh with the shipped cluster file, and ``ray job submit``: for real, on loopback."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.ray_jobs.conftest import FAKE, ROOT, clean_environment, free_ports, wait_for
from tests.ray_jobs.test_render import contents

SSHD = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
MISSING = [name for name, path in {"sshd": SSHD, **{n: shutil.which(n) for n in ("ssh", "ssh-keygen", "rsync")}}.items()
           if path is None]
needs_sshd = pytest.mark.skipif(bool(MISSING), reason=f"no {', '.join(MISSING)} (Debian: openssh-server rsync)")


def run(command: list[object], environment: dict[str, str], timeout: float = 120) -> subprocess.CompletedProcess:
    return subprocess.run([str(word) for word in command], env=environment, cwd=ROOT, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def sshd(short_home: Path) -> Iterator[int]:
    """An sshd on a free loopback port that lets the test in, with ``short_home`` as HOME; yields the port."""
    folder = short_home / "ssh"
    folder.mkdir(mode=0o700)
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
    shutil.copy(folder / "user.pub", folder / "authorized_keys")
    (port,) = free_ports(1)
    config = folder / "sshd_config"
    config.write_text(f"""
        Port {port}
        ListenAddress 127.0.0.1
        HostKey {folder}/host
        AuthorizedKeysFile {folder}/authorized_keys
        PasswordAuthentication no
        PermitRootLogin prohibit-password
        StrictModes no
        UsePAM no
        PidFile none
        SetEnv HOME={short_home}
        Subsystem sftp internal-sftp
    """)
    if os.getuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)  # what its service would do
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_for("sshd", lambda: listens(port), server, 20)
    yield port
    server.kill()
    server.wait()
    server.stdout.close()


def cluster_file(home: Path, ssh_port: int) -> Path:
    """The shipped file with what a user would fill in, ports of our own, and an installation that is there already."""
    config = yaml.safe_load((ROOT / "ray_jobs/synth_cluster.yaml").read_text())
    ray_port, client_port, dashboard_port = free_ports(3)
    config["auth"] = {"ssh_user": getpass.getuser(), "ssh_private_key": str(home / "ssh/user"),
                      "ssh_proxy_command": f"{sys.executable} {ROOT}/tests/ray_jobs/tcp_proxy.py 127.0.0.1 {ssh_port}"}
    extra = os.pathsep.join(filter(None, ["$HOME/pixelcube", os.environ.get("PYTHONPATH")]))
    installed = (f"ln -sfn {sys.prefix} ~/pixelcube/.venv && "
                 f"echo 'export PYTHONPATH={extra} RAY_TMPDIR={home}/r' >> ~/.bashrc")
    assert config["setup_commands"][0] == "make -C ~/pixelcube install"
    config["setup_commands"][0] = installed
    config["rsync_exclude"] += ["docs", ".ci"]
    assert config["head_start_ray_commands"][0] == "ray stop"  # would stop every Ray of this user, ours or not
    config["head_start_ray_commands"] = [
        config["head_start_ray_commands"][1].replace("6379", str(ray_port))
        + f" --num-cpus=1 --ray-client-server-port={client_port} --dashboard-port={dashboard_port}"
          f" --dashboard-agent-listen-port=0 --metrics-export-port=0 --object-store-memory=100000000"]
    path = home / "cluster.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.mark.slow
@needs_sshd
def test_ray_submit_over_ssh(sshd: int, short_home: Path):
    environment = clean_environment(short_home)
    token = run(["ray", "get-auth-token", "--generate"], environment)
    assert token.returncode == 0, token.stdout
    cluster = cluster_file(short_home, sshd)
    up = run(["ray", "up", "-y", "--no-config-cache", cluster], environment)
    assert up.returncode == 0, up.stdout
    dataset = short_home / "ds"
    submit = ["ray", "submit", "--no-config-cache", cluster, "ray_jobs/render.py", "--",
              "~/pixelcube/ray_jobs/jobs/smoke.yaml", "--output", dataset, "--price-per-node-hour", "2.5", *FAKE]
    first = run(submit, environment)
    assert first.returncode == 0, first.stdout
    assert "2 of 2 clips" in first.stdout and "cost" in first.stdout and "the Ray at" in first.stdout
    assert (short_home / "render.py").exists() and len(contents(dataset)) == 2


@pytest.mark.slow
def test_ray_job_submit(short_home: Path):
    """The working directory travels, without what git ignores, and the job joins the cluster that runs it."""
    environment = clean_environment(short_home) | {"RAY_AUTH_MODE": "disabled"}
    port, client, dashboard = free_ports(3)
    head = run(["ray", "start", "--head", "--node-ip-address=127.0.0.1", f"--port={port}", "--num-cpus=1",
                f"--dashboard-port={dashboard}", "--dashboard-agent-listen-port=0", "--metrics-export-port=0",
                f"--ray-client-server-port={client}", "--object-store-memory=100000000"], environment)
    assert head.returncode == 0, head.stdout
    dataset = short_home / "ds"
    submit = ["ray", "job", "submit", "--address", f"http://127.0.0.1:{dashboard}", "--working-dir", ".", "--",
              "python", "ray_jobs/render.py", "ray_jobs/jobs/smoke.yaml", "--output", dataset, *FAKE]
    done = run(submit, environment)
    assert done.returncode == 0 and "2 of 2 clips" in done.stdout and "the Ray at" in done.stdout, done.stdout
    assert len(contents(dataset)) == 2
