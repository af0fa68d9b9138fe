"""MakeHuman's bindings read as foreign files, and its data fetched from a server on this machine, a file, a folder."""

from __future__ import annotations

import contextlib
import errno
import http.server
import io
import re
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from assets.errors import AssetError
from assets.makehuman import fetch, verify
from assets.makehuman.fetch import fetch_makehuman, kept
from assets.makehuman.mhclo import read_mhclo
from assets.makehuman.verify import verify_makehuman
from tests.assets.test_files import refused

OBJ = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nf 1/1 2/2 3/3 4/4\n"
HEAD = "# released as CC0\nname patch\nobj_file patch.obj\nx_scale 0 1 2.0\ny_scale 0 2 1.0\nz_scale 0 3 1.0\nverts 0\n"
ROWS = "5\n0 1 2 0.5 0.25 0.25 0.1 0.2 0.3\n1 1 1 1 0 0 0 0 0\n7\n"


def write(folder: Path, head: str = HEAD, rows: str = ROWS, tail: str = "", obj: str = OBJ) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "patch.obj").write_text(obj)
    path = folder / "patch.mhclo"
    path.write_text(head + rows + tail)
    return path


def test_both_kinds_of_lines_scales_and_ranges(tmp_path):
    clo = read_mhclo(write(tmp_path, tail="delete_verts\n3 5 - 8\n"), 10)
    np.testing.assert_array_equal(clo.corners, [[5, 5, 5], [0, 1, 2], [1, 1, 1], [7, 7, 7]])
    np.testing.assert_allclose(clo.weights, [[1, 0, 0], [0.5, 0.25, 0.25], [1, 0, 0], [1, 0, 0]])
    np.testing.assert_allclose(clo.offset[1], [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(clo.scale_pairs, [[0, 1], [0, 2], [0, 3]])
    np.testing.assert_allclose(clo.scale_reference, [2, 1, 1])
    np.testing.assert_array_equal(clo.deleted, [3, 5, 6, 7, 8])


def test_weights_are_made_to_sum_to_one(tmp_path):
    clo = read_mhclo(write(tmp_path, rows=ROWS.replace("0.25 0.1", "0.25001 0.1")), 10)
    np.testing.assert_allclose(clo.weights.sum(axis=1), 1, atol=1e-12)


def test_no_scale_is_no_scaling(tmp_path):
    clo = read_mhclo(write(tmp_path, head="obj_file patch.obj\nverts 0\n"), 10)
    assert clo.scale_pairs is None and clo.scale_reference is None


@pytest.mark.parametrize(("parts", "word"), [
    ({"rows": ROWS.replace("7\n", "10\n")}, "0 to 9"),
    ({"rows": ROWS.replace("7\n", "-1\n")}, "0 to 9"),
    ({"rows": ROWS.replace("7\n", "6.5\n")}, "whole number"),
    ({"rows": ROWS.replace("0.3", "nan")}, "NaN"),
    ({"rows": ROWS.replace("0.5 ", "5000 ")}, "sum to 1"),
    ({"rows": ROWS.replace("1 1 1 1 0 0 0 0 0", "1 1 1")}, "expected 1 or 9"),
    ({"rows": "5\n"}, "binds 1 vertices"),
    ({"head": HEAD.replace("2.0", "0")}, "more than 0"),
    ({"head": HEAD.replace("y_scale 0 2 1.0\n", "")}, "y_scale"),
    ({"head": HEAD.replace("x_scale 0 1", "x_scale 0 99")}, "scale"),
    ({"tail": "delete_verts\n5 - 999999\n"}, "delete_verts"),
    ({"tail": "delete_verts\n- 4\n"}, "delete_verts"),
    ({"head": HEAD.replace("patch.obj", "../patch.obj")}, "obj_file"),
    ({"head": HEAD.replace("patch.obj", "/etc/passwd")}, "obj_file"),
    ({"head": HEAD.replace("patch.obj", "c:\\patch.obj")}, "obj_file"),
    ({"head": HEAD.replace("obj_file patch.obj", "obj_file")}, "obj_file"),
    ({"head": HEAD.replace("obj_file patch.obj\n", "")}, "obj_file"),
])
def test_hostile_bindings(tmp_path, parts, word):
    with refused(word):
        read_mhclo(write(tmp_path / "item", **parts), 10)


def test_obj_file_may_not_leave_through_a_link(tmp_path):
    path = write(tmp_path / "item")
    shutil.move(tmp_path / "item" / "patch.obj", tmp_path / "patch.obj")
    (tmp_path / "item" / "patch.obj").symlink_to(tmp_path / "patch.obj")
    with refused("link"):
        read_mhclo(path, 10)


# -- a data folder small enough for tests: the base mesh has as many vertices as the groups need ----------------------

COUNT = 4 * len(verify.GROUPS)


def data_folder(folder: Path) -> Path:
    """A whole data folder in MakeHuman's layout, for a base mesh of ``COUNT`` vertices."""
    files = {"3dobjs/base.obj": "".join(
        "".join(f"v {k % 2} {k // 2} {g}\n" for k in range(4)) for g in range(len(verify.GROUPS)))
        + "".join(f"g {name}\nf {4 * g + 1} {4 * g + 2} {4 * g + 4} {4 * g + 3}\n" for g, name in
                  enumerate(verify.GROUPS))}
    files["rigs/default.mhskel"] = ('{"bones": {"root": {"head": "a", "tail": "b", "parent": null}}, '
                                    '"joints": {"a": [0, 1], "b": [2, 3]}}')
    files["rigs/default_weights.mhw"] = '{"weights": {"root": [[0, 1.0], [1, 0.5]]}}'
    files["poseunits/face-poseunits.json"] = '{"framemapping": ["Rest"]}'
    files["poseunits/face-poseunits.bvh"] = ("HIERARCHY\nROOT root\n{\nOFFSET 0 0 0\nCHANNELS 3 Xrotation Yrotation "
                                             "Zrotation\n}\nMOTION\nFrames: 1\nFrame Time: 0.04\n0 0 0\n")
    files["modifiers/modeling_modifiers.json"] = '[{"group": "nose", "modifiers": []}]'
    for people in ("african", "asian", "caucasian"):
        for sex in ("female", "male"):
            for age in ("young", "old"):
                files[f"targets/macrodetails/{people}-{sex}-{age}.target"] = "# CC0\n3 0.1 0 0\n"
    for kind in verify.WORN:
        files[f"{kind}/patch/patch.obj"] = OBJ
        files[f"{kind}/patch/patch.mhclo"] = HEAD + ROWS
    files["LICENSE.ASSETS.md"] = "# CC0 1.0\n"
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(verify, "VERTICES", COUNT)
    monkeypatch.setenv("PIXELCUBE_CACHE", str(tmp_path / "cache"))
    return data_folder(tmp_path / "data")


def test_whole_folder_has_no_problems(data):
    assert verify_makehuman(data) == []


@pytest.mark.parametrize(("path", "text", "word"), [
    ("3dobjs/base.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "3 vertices"),
    ("targets/macrodetails/asian-male-old.target", None, "asian-male-old.target: no such file"),
    ("targets/macrodetails/asian-male-old.target", f"{COUNT} 0 0 0\n", "asian-male-old.target"),
    ("hair/patch/patch.mhclo", HEAD + ROWS.replace("7\n", "nan\n"), "patch.mhclo"),
    ("eyes/patch/patch.mhclo", None, "eyes: no item"),
    ("rigs/default.mhskel", "{}", "default.mhskel"),
])
def test_each_problem_is_one_line_that_names_the_file(data, path, text, word):
    (data / path).write_text(text) if text is not None else (data / path).unlink()
    problems = verify_makehuman(data)
    assert len(problems) == 1 and word in problems[0] and "\n" not in problems[0]


@pytest.mark.parametrize(("path", "place"), [
    ("makehuman-1.2.0/makehuman/data/3dobjs/base.obj", "3dobjs/base.obj"),
    ("makehuman-1.2.0/LICENSE.ASSETS.md", "LICENSE.ASSETS.md"),
    ("hair/short02/short02.mhclo", "hair/short02/short02.mhclo"),
    ("makehuman-assets-master/base/hair/short02/short02.obj", "hair/short02/short02.obj"),
    ("data/targets/nose/nose-hump-incr.target", "targets/nose/nose-hump-incr.target"),
    ("hair/short02/short02_diffuse.png", None), ("makehuman-1.2.0/makehuman/makehuman.py", None),
    ("other/hair/short02/short02.obj", None), ("skins/young/young.mhmat", None), ("3dobjs/axis.obj", None),
])
def test_what_is_kept_of_an_archive(path, place):
    assert kept(PurePosixPath(path)) == place


def tar_of(folder: Path, prefix: str, extra: tuple[tarfile.TarInfo, ...] = ()) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder, prefix)
        for member in extra:
            archive.addfile(member)
    return buffer.getvalue()


def zip_of(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder).as_posix())
    return buffer.getvalue()


@contextlib.contextmanager
def server(answers: dict[str, bytes], cut: dict[str, int], log: list[tuple[str, str | None]]) -> Iterator[str]:
    """Serves ``answers`` by path, with ETags and ranges; ``cut``: bytes after which a first answer breaks off."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            log.append((self.path, wanted))
            body = answers.get(self.path)
            if body is None:
                return self.send_error(404)
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
            self.send_response(206 if wanted else 200)
            if wanted:
                assert self.headers["If-Range"] == '"one"'
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(body) - start))
            self.send_header("ETag", '"one"')
            self.end_headers()
            self.wfile.write(body[start : cut.pop(self.path, len(body))])
            self.close_connection = True

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@contextlib.contextmanager
def publishers(data: Path, tmp_path: Path, monkeypatch, extra=(), cut=None) -> Iterator[list]:
    """MakeHuman's two sites on this machine: base, targets and rigs in a tar, things to wear in a zip."""
    worn = tmp_path / "pack"
    body = tmp_path / "repository" / "makehuman" / "data"
    shutil.copytree(data, body)
    shutil.move(body / "LICENSE.ASSETS.md", tmp_path / "repository")
    (tmp_path / "repository" / "noise.bin").write_bytes(np.random.default_rng(0).bytes(60_000))
    for kind in verify.WORN:
        shutil.move(body / kind, worn / kind)
    (worn / "hair" / "patch" / "patch_diffuse.png").write_bytes(b"\x89PNG")
    answers = {"/data.tar.gz": tar_of(tmp_path / "repository", "makehuman-1.2.0", extra), "/pack.zip": zip_of(worn)}
    log: list = []
    with server(answers, cut or {}, log) as url:
        monkeypatch.setattr(fetch, "SOURCES", (f"{url}/data.tar.gz", f"{url}/pack.zip"))
        yield log


def test_fetch_from_both_publishers(data, tmp_path, monkeypatch):
    link = tarfile.TarInfo("makehuman-1.2.0/docs/latest")
    link.type, link.linkname = tarfile.SYMTYPE, "1.2.0"
    seen = []
    with publishers(data, tmp_path, monkeypatch, extra=(link,)) as log:
        notes = fetch_makehuman(progress=lambda what, done, total: seen.append((what, done, total)))
        assert notes == [] and verify_makehuman() == []
        assert fetch_makehuman() == [] and len(log) == 2, "a whole folder is not fetched again"
    folder = verify.default_folder()
    assert (folder / "LICENSE.ASSETS.md").is_file() and not list(folder.rglob("*.png"))
    assert [path.name for path in folder.parent.iterdir()] == ["makehuman"], "archives and staging folders are gone"
    assert {what for what, _, _ in seen} == {"data.tar.gz", "pack.zip", "checking"}
    assert all(done <= total for _, done, total in seen)


def test_broken_download_goes_on_where_it_stopped(data, tmp_path, monkeypatch):
    with publishers(data, tmp_path, monkeypatch, cut={"/data.tar.gz": 40_000}) as log:
        with pytest.raises(AssetError, match="40000 bytes read"):
            fetch_makehuman(retries=0)
        assert not verify.default_folder().exists()
        fetch_makehuman(retries=0)
    (first, _), (again, where), last = log
    assert first == again == "/data.tar.gz" and last == ("/pack.zip", None)
    assert re.fullmatch(r"bytes=[1-9]\d{4}-", where)
    assert verify_makehuman() == []


def test_missing_pack_leaves_nothing_that_passes_for_whole(data, tmp_path, monkeypatch):
    with publishers(data, tmp_path, monkeypatch):
        monkeypatch.setattr(fetch, "SOURCES", (fetch.SOURCES[0], fetch.SOURCES[0].replace("data.tar.gz", "gone.zip")))
        with refused("404"):
            fetch_makehuman(retries=0)
    assert not verify.default_folder().exists()
    assert not [path for path in verify.default_folder().parent.iterdir() if path.is_dir()]


@pytest.mark.parametrize(("path", "text", "word"), [
    ("3dobjs/base.obj", None, "base.obj: no such file"),
    ("eyes/patch/patch.mhclo", HEAD + "nan\n" * 4, "eyes: no item"),
])
def test_archive_without_all_of_it_is_refused(data, path, text, word):
    (data / path).write_text(text) if text is not None else (data / path).unlink()
    with refused(word):
        fetch_makehuman(str(data))
    assert not verify.default_folder().exists()


def test_member_outside_the_folder_is_refused(data, tmp_path):
    evil = tarfile.TarInfo("../../hair/evil/evil.obj")
    (tmp_path / "evil.tar.gz").write_bytes(tar_of(data, "makehuman", (evil,)))
    with refused("outside"):
        fetch_makehuman(str(tmp_path / "evil.tar.gz"))


def test_wanted_member_that_is_a_link_is_refused(data, tmp_path):
    evil = tarfile.TarInfo("base/hair/evil/evil.obj")
    evil.type, evil.linkname = tarfile.SYMTYPE, "/etc/passwd"
    (tmp_path / "evil.tar.gz").write_bytes(tar_of(data, "base", (evil,)))
    with refused("link"):
        fetch_makehuman(str(tmp_path / "evil.tar.gz"))


def test_item_that_does_not_parse_is_left_out_with_a_note(data):
    (data / "hair/patch/patch.mhclo").write_text(HEAD + ROWS.replace("7\n", "nan\n"))
    (note,) = fetch_makehuman(str(data))
    assert re.match(r"hair/patch/patch\.mhclo: left out, hair/patch/patch\.mhclo: [^\n]+$", note) and ".tmp" not in note
    folder = verify.default_folder()
    assert not (folder / "hair/patch/patch.mhclo").exists() and verify_makehuman(folder) == []


def cached() -> list[str]:
    return sorted(path.name for path in verify.default_folder().parent.iterdir())


def test_archives_that_do_not_hold_it_are_not_kept(data, tmp_path, monkeypatch):
    (data / "3dobjs/base.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    with publishers(data, tmp_path, monkeypatch), refused("3 vertices"):
        fetch_makehuman()
    assert cached() == []


def test_sound_archive_outlives_a_full_disk(data, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with publishers(data, tmp_path, monkeypatch) as log:
        with monkeypatch.context() as patch, refused("disk full"):
            patch.setattr("assets.files._copy_member", full)
            fetch_makehuman()
        assert len(cached()) == 1 and len(log) == 1
        fetch_makehuman()
        assert [path for path, _ in log] == ["/data.tar.gz", "/pack.zip"]


def test_broken_archive_is_fetched_again(data):
    whole = tar_of(data, "base")
    with server({"/data.tar.gz": whole[:1000] + whole[1100:]}, {}, log := []) as url:
        for _ in range(2):
            with refused("data.tar.gz|no such file"):  # where the cut falls decides which
                fetch_makehuman(f"{url}/data.tar.gz", retries=0)
        assert len(log) == 2 and cached() == []


def test_archives_of_one_name_are_told_apart(data, tmp_path, monkeypatch):
    names, download = [], fetch.download_archive
    monkeypatch.setattr(fetch, "download_archive", lambda url, path, *others: (names.append(path.name),
                                                                               download(url, path, *others)))
    answers = dict.fromkeys(("/a/data.tar.gz", "/b/data.tar.gz"), tar_of(data, "base"))
    with server(answers, {}, []) as url:
        for folder in "ab":
            fetch_makehuman(f"{url}/{folder}/data.tar.gz", retries=0)
            shutil.rmtree(verify.default_folder())
    assert len(set(names)) == 2 and all(name.endswith("-data.tar.gz") for name in names)


def test_local_copy_drops_what_is_not_cc0_and_follows_no_link(data):
    (data / "hair" / "other").mkdir()
    shutil.copy(data / "hair/patch/patch.obj", data / "hair/other/patch.obj")
    (data / "hair/other/other.mhclo").write_text((HEAD + ROWS).replace("CC0", "CC-BY 4.0"))
    (data / "targets/macrodetails/stray.target").symlink_to("/etc/passwd")
    notes = fetch_makehuman(str(data))
    assert len(notes) == 1 and "hair/other/other.mhclo" in notes[0]
    folder = verify.default_folder()
    assert not (folder / "hair/other/other.mhclo").exists()
    assert not (folder / "targets/macrodetails/stray.target").exists()
    assert verify_makehuman(folder) == []


def test_folder_that_is_not_whole_is_not_overwritten(data):
    verify.default_folder().mkdir(parents=True)
    with refused("delete it"):
        fetch_makehuman(str(data))


def test_nothing_in_a_folder(data, tmp_path):
    (tmp_path / "empty").mkdir()
    with refused("no MakeHuman data"):
        fetch_makehuman(str(tmp_path / "empty"))


def test_shared_copy_is_whole_where_there_is_one(shared_data):
    assert verify_makehuman(shared_data / "makehuman") == []
