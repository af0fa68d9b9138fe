"""What every test stands on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before any test imports Ray: no telemetry from a test.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


@pytest.fixture(scope="session", autouse=True)
def cache_of_its_own(tmp_path_factory: pytest.TempPathFactory):
    """Downloads and digests go to a temporary folder, and what the user has downloaded changes no test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIXELCUBE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of data that is used for measurements and never committed; the test is skipped where it is missing."""
    folder = Path(os.environ.get("PIXELCUBE_SHARED") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder} (PIXELCUBE_SHARED names another place)")
    return folder


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of a dataset to be, in a bucket of an S3 that is served on loopback."""
    import boto3
    import fsspec
    import requests
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in (
        ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("NO_PROXY", host),
    ):
        monkeypatch.setenv(name, value)
    # The objects of every server in this process live in one place, and outlive the server.
    requests.post(f"http://{host}:{port}/moto-api/reset", timeout=10).raise_for_status()
    boto3.client("s3").create_bucket(Bucket="faces")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    yield "s3://faces/some/dataset"
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()
