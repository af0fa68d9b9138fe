"""``pixelcube assets``: the catalogue, fetching from a server on this machine, and checking."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from assets.makehuman import verify as makehuman_verify
from ray_jobs.cli.main import main
from synth.lighting.envmap import EnvMap
from tests.assets.test_makehuman_wardrobe import COUNT, data_folder


def listed(capsys: pytest.CaptureFixture, *options: str) -> list[dict]:
    assert main(["assets", "list", "--json", *options]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_two_thousand_distinct_lightings(capsys):
    entries = listed(capsys)
    assert len({entry["id"] for entry in entries}) == len(entries)
    assert len({entry["digest"] for entry in entries}) >= 2000
    assert all(entry["licence"] and entry["split"] in ("train", "val", "test") for entry in entries)
    assert main(["assets", "list"]) == 0
    distinct = len({entry["digest"] for entry in entries})
    assert f"{distinct} distinct lightings available offline" in capsys.readouterr().out


def test_filters(capsys):
    everything, train, val, test = (listed(capsys, *options) for options in
                                    ([], ["--split", "train"], ["--split", "val"], ["--split", "test"]))
    assert len(train) + len(val) + len(test) == len(everything) and val and test
    found = listed(capsys, "--source", "procedural", "--search", "sun sky")
    assert found and all(entry["source"] == "procedural" and "sun" in entry["tags"] for entry in found)


def test_table_is_limited_and_counted(capsys):
    assert main(["assets", "list", "--source", "procedural", "--limit", "3"]) == 0
    text = capsys.readouterr().out
    assert text.count("procedural/") == 3 and "more (--limit 0 for all)" in text


def test_folder_as_source(tmp_path, capsys):
    for name in ("a", "b"):
        EnvMap(np.random.default_rng(ord(name)).random((4, 8, 3), np.float32)).save(tmp_path / f"{name}.exr")
    assert {entry["path"] for entry in listed(capsys, "--source", str(tmp_path))} == {
        str(tmp_path / "a.exr"), str(tmp_path / "b.exr")}
    assert main(["assets", "list", "--source", str(tmp_path / "none")]) == 2


def test_verify_names_the_broken_map(tmp_path, capsys):
    EnvMap(np.ones((4, 8, 3), np.float32)).save(tmp_path / "good.exr")
    assert main(["assets", "verify", str(tmp_path)]) == 0
    (tmp_path / "bad.exr").write_bytes((tmp_path / "good.exr").read_bytes()[:60])
    assert main(["assets", "verify", str(tmp_path)]) == 1
    text = capsys.readouterr().out
    assert "bad" in text and "2 maps read: 1 problems" in text


@contextlib.contextmanager
def poly_haven(folder: Path) -> Iterator[str]:
    """A server that answers in Poly Haven's form for one map, ``sky``; yields its address."""
    EnvMap(np.random.default_rng(0).random((8, 16, 3), np.float32)).save(folder / "sky_1k.hdr")
    content = (folder / "sky_1k.hdr").read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            base = f"http://127.0.0.1:{self.server.server_port}"
            file = {"url": f"{base}/sky_1k.hdr", "md5": hashlib.md5(content).hexdigest(), "size": len(content)}
            asset = {"name": "Sky", "type": 0, "categories": ["outdoor"], "tags": ["sky"], "authors": {"a": "All"},
                     "date_published": 1500000000, "download_count": 10, "max_resolution": [1024, 512]}
            answers = {"/assets?t=hdris": {"sky": asset}, "/files/sky": {"hdri": {"1k": {"hdr": file}}}}
            body = content if self.path == "/sky_1k.hdr" else json.dumps(answers.get(self.path)).encode()
            self.send_response(200 if self.path == "/sky_1k.hdr" or self.path in answers else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_fetch_by_category_then_list_and_verify(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PIXELCUBE_CACHE", str(tmp_path / "cache"))
    with poly_haven(tmp_path) as api:
        assert main(["assets", "fetch", "--count", "3", "--category", "outdoor", "--api", api]) == 0
        assert "1 of 1 maps are in" in capsys.readouterr().out
        assert main(["assets", "fetch", "--count", "3", "--category", "outdoor", "--api", api]) == 2, "no further map"
        assert main(["assets", "fetch", "sky", "moon", "--api", api]) == 1
        assert "1 of 2 maps" in capsys.readouterr().out
    assert [entry["licence"] for entry in listed(capsys, "--source", "polyhaven")] == ["CC0-1.0"]
    assert main(["assets", "verify"]) == 0


def test_fetch_of_nothing_is_an_error(capsys):
    assert main(["assets", "fetch"]) == 2
    assert "--count" in capsys.readouterr().err


def test_makehuman_from_a_folder_then_verify(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PIXELCUBE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(makehuman_verify, "VERTICES", COUNT)
    data = data_folder(tmp_path / "data")
    assert main(["assets", "verify", "makehuman"]) == 1
    assert "assets fetch makehuman" in capsys.readouterr().out
    assert main(["assets", "fetch", "makehuman", "--from", str(data)]) == 0
    text = capsys.readouterr().out
    assert "CC0-1.0" in text and "family: makehuman" in text
    assert main(["assets", "verify", "makehuman"]) == 0
    (data / "3dobjs" / "base.obj").unlink()
    assert main(["assets", "verify", "makehuman", str(data)]) == 1
    text = capsys.readouterr().out
    assert "base.obj: no such file" in text and "1 problem" in text


def test_verify_of_head_models(tmp_path, capsys):
    assert main(["assets", "verify", "flame", str(tmp_path / "none.pkl")]) == 1
    text = capsys.readouterr().out
    assert "none.pkl" in text and "1 problem" in text
    assert main(["assets", "verify", "smplx"]) == 2
    assert "assets verify smplx" in capsys.readouterr().err


def test_verify_says_which_kinds_there_are(tmp_path, capsys):
    assert main(["assets", "verify", "hdrj", str(tmp_path)]) == 2
    assert "hdri, makehuman, flame, smplx" in capsys.readouterr().err
    EnvMap(np.ones((4, 8, 3), np.float32)).save(tmp_path / "good.exr")
    assert main(["assets", "verify", "hdri", str(tmp_path)]) == 0


def test_from_is_for_makehuman_only(capsys):
    assert main(["assets", "fetch", "sky", "--from", "somewhere"]) == 2
    assert "--from" in capsys.readouterr().err
