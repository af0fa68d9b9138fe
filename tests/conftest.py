"""What every test stands on."""

from __future__ import annotations

import os
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
