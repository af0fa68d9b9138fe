import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from assets.files import digest_file
from assets.hdri import HdriEntry, bundled_entries, folder_entries, read_entry, verify
from assets.hdri import folder as folder_module
from assets.images import read_hdr, write_exr, write_hdr, write_npy
from tests.assets.test_files import refused

ROOT = Path(__file__).parents[2]
IMAGE = np.random.default_rng(0).uniform(0.1, 2.0, (8, 16, 3)).astype(np.float32)
NAMES = ["city", "courtyard", "forest", "interior", "night", "studio", "sunrise", "sunset"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELCUBE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "library"
    write_exr(folder / "a.exr", IMAGE)
    write_hdr(folder / "sub" / "b c.hdr", 2 * IMAGE)
    write_npy(folder / "c.npy", 3 * IMAGE)
    (folder / "notes.txt").write_text("not an image")
    (folder / ".hidden.exr").write_text("not an image")
    for path in folder.rglob("*.*"):
        os.utime(path, (1e9, 1e9))  # digests of files that were just written are not cached
    return folder


@pytest.mark.skipif(not bundled_entries(), reason="bpy is not installed")
def test_bundled_maps_are_real_light():
    entries = bundled_entries()
    assert [entry.id for entry in entries] == [f"bundled/{name}" for name in NAMES]
    assert {entry.licence for entry in entries} == {"CC0-1.0"}
    assert len({entry.source for entry in entries}) == len({entry.digest for entry in entries}) == 8
    assert verify(entries) == []
    night, city = (read_entry(entries[NAMES.index(name)]) for name in ("night", "city"))
    assert night.shape == city.shape == (512, 1024, 3) and night.min() == 0 and night.mean() < city.mean() / 5
    with refused("night.exr", "250 negative"):  # lossy compression; why these entries are read with repair
        read_hdr(entries[NAMES.index("night")].path)


def test_bundled_entries_do_not_start_blender():
    code = (
        "import sys; from assets.hdri import bundled_entries as b; print(len(b()));"
        "sys.exit(any(m in sys.modules for m in ('bpy', 'OpenImageIO', 'requests')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip() == str(len(bundled_entries())), done


def test_bundled_entries_without_bpy(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert bundled_entries() == []


def test_folder_entries(library):
    entries = folder_entries(library, licence="CC-BY-4.0")
    assert [entry.id for entry in entries] == ["folder/a", "folder/b_c", "folder/c"]
    assert entries[0] == HdriEntry(
        "folder/a", library / "a.exr", "CC-BY-4.0", digest_file(library / "a.exr"), "file a.exr", "a"
    )
    assert entries[1].tags == ("sub",) and folder_entries(library)[0].licence == "unknown"
    assert verify(entries) == []
    np.testing.assert_array_equal(read_entry(entries[2]), 3 * IMAGE)


SHARED = Path(os.environ.get("PIXELCUBE_SHARED", ROOT.parent / "shared" / "data")) / "hdri"


@pytest.mark.skipif(not SHARED.is_dir(), reason="no folder of real HDRIs (PIXELCUBE_SHARED)")
def test_real_radiance_files():
    entries = folder_entries(SHARED)
    assert len(entries) >= 8 and verify(entries) == []
    assert all(read_entry(entry).max() > 5 for entry in entries)


def test_folder_ids_survive_collisions(library):
    write_exr(library / "sub" / "a.exr", 5 * IMAGE)
    shutil.copy(library / "a.exr", library / "sub" / "c.exr")
    shutil.copy(library / "c.npy", library / "sub" / "c.npy")
    digests = {name: digest_file(library / name)[:8] for name in ("a.exr", "sub/a.exr", "c.npy")}
    # "c" is there three times: two are the same bytes, the third differs.
    assert {entry.id for entry in folder_entries(library)} == {
        f"folder/a-{digests['a.exr']}",
        f"folder/a-{digests['sub/a.exr']}",
        "folder/b_c",
        f"folder/c-{digests['a.exr']}",
        f"folder/c-{digests['c.npy']}",
    }


def test_a_folder_is_hashed_once(library, cache, monkeypatch):
    hashed = []
    monkeypatch.setattr(folder_module, "digest_file", lambda path: hashed.append(path.name) or digest_file(path))
    first = folder_entries(library)
    assert len(hashed) == 3
    assert folder_entries(library) == first and len(hashed) == 3
    write_exr(library / "a.exr", 7 * IMAGE)  # new, so neither trusted nor cached within the clock's resolution
    assert folder_entries(library)[0].digest == digest_file(library / "a.exr") != first[0].digest
    assert hashed[3:] == ["a.exr"] and folder_entries(library) and hashed[3:] == ["a.exr"] * 2
    for damage in ("{", "[1, 2]", '{"x": 1}', "[" * 100_000):
        (cache / "digests.json").write_text(damage)
        assert len(folder_entries(library)) == 3


def test_a_cache_that_cannot_be_written_is_no_error(library, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("PIXELCUBE_CACHE", str(tmp_path / "file" / "cache"))
    assert len(folder_entries(library)) == 3


def test_not_a_folder_and_an_empty_file(library, tmp_path):
    with refused("missing", "not a folder"):
        folder_entries(tmp_path / "missing")
    (library / "empty.hdr").touch()
    with refused("empty.hdr", "empty"):
        folder_entries(library)


def test_verify_names_every_problem(library):
    good = folder_entries(library)
    write_exr(library / "a.exr", 9 * IMAGE)
    write_exr(library / "square.exr", IMAGE[:, :8])
    write_exr(library / "black.exr", 0 * IMAGE)
    (library / "cut.exr").write_bytes((library / "a.exr").read_bytes()[:-100])
    fresh = {entry.id: entry for entry in folder_entries(library)}
    gone = dataclasses.replace(good[0], id="folder/gone", path=library / "gone.exr")
    known = dataclasses.replace(good[0], id="polyhaven/not_fetched", path=None)
    problems = verify(
        [good[0], good[0], *(fresh[f"folder/{name}"] for name in ("square", "black", "cut", "c")), gone, known]
    )
    expected = [
        ("folder/a", "digest is"),
        ("folder/a", "used twice"),
        ("folder/a", "digest is"),
        ("folder/square", "8 x 8"),
        ("folder/black", "black"),
        ("folder/cut", "truncated"),
        ("folder/gone", "no such file"),
    ]
    assert len(problems) == len(expected)
    for problem, (start, why) in zip(problems, expected, strict=True):
        assert problem.startswith(start + ": ") and why in problem and "\n" not in problem


def test_an_entry_that_is_not_here():
    with refused("polyhaven/x", "fetch it first"):
        read_entry(HdriEntry("polyhaven/x", None, "CC0-1.0", "", "", ""))
