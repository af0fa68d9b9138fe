"""The Poly Haven client against a loopback server that answers in the form of the real API."""

import hashlib
import http.server
import json
import os
import re
import threading

import numpy as np
import pytest

from assets.hdri import PolyHavenClient, polyhaven_entries, read_entry, verify
from assets.images import write_hdr
from tests.assets.test_files import refused


def asset(name: str, downloads: int, categories: list[str], tags: list[str], width: int = 16384) -> dict:
    """One value of ``GET /assets?t=hdris``, with the fields that swagger.yml documents for HDRIs."""
    return {
        "name": name,
        "description": f"Free, unclipped 16K HDRI: {name}.",
        "type": 0,
        "date_published": 1600725600,
        "download_count": downloads,
        "files_hash": "8746a9a941bebe5743d0a710e11cb91beb225ca6",
        "authors": {"Sergej Majboroda": "All"},
        "categories": categories,
        "category": "Streets & Town/Rooftops & Balconies/City Rooftops",
        "category_id": "8133f881-e55d-5c6c-a360-99dbf7204ee5",
        "tags": tags,
        "attributes": {"time_of_day": "dusk", "light_type": "natural", "environment": "outdoor"},
        "max_resolution": [width, width // 2],
        "thumbnail_url": "https://cdn.polyhaven.com/asset_img/thumbs/x.png?width=256&height=256&format=webp",
        "whitebalance": 5450,
        "evs_cap": 15,
        "coords": [50.995194, 35.105417],
        "date_taken": 1591789620,
    }


ASSETS = {
    "venice_sunset": asset("Venice Sunset", 900_000, ["outdoor", "urban", "sunrise-sunset"], ["sea", "sun"]),
    "studio_small_03": asset("Studio Small 03", 700_000, ["indoor", "studio", "artificial light"], ["softbox"], 8192),
    "studio_small_08": asset("Studio Small 08", 800_000, ["indoor", "studio"], ["window", "softbox"]),
    "forest_slope": asset("Forest Slope", 10, ["outdoor", "nature"], ["trees"]),
}


class Server(http.server.ThreadingHTTPServer):
    """Loopback copy of the API and of the download host; ``plan`` lists how the next requests misbehave."""

    daemon_threads = True

    def __init__(self, blob: bytes):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.blob, self.md5, self.size = blob, hashlib.md5(blob).hexdigest(), len(blob)
        self.link = f"{self.url}/file/ph-assets/HDRIs/hdr/1k/venice_sunset_1k.hdr"
        self.assets: object = ASSETS
        self.plan: list[str] = []
        self.log: list[tuple[str, str | None]] = []

    def files(self) -> dict:
        one = {"size": self.size, "md5": self.md5, "url": self.link}
        return {
            "hdri": {"1k": {"hdr": one, "exr": {**one, "size": 5}}, "2k": {"hdr": one}},
            "colorchart": one,
            "tonemapped": one,
        }


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_):
        pass

    def reply(self, status: int, body: bytes, length: int | None = None, **headers: str):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        server.log.append((self.path, wanted))
        assert self.headers["User-Agent"].startswith("pixelcube/")
        if server.plan and (plan := server.plan.pop(0)) != "ok":
            return getattr(self, f"plan_{plan}")()
        if self.path == "/assets?t=hdris":
            return self.reply(200, json.dumps(server.assets).encode(), Content_Type="application/json")
        if self.path == "/files/venice_sunset":
            return self.reply(200, json.dumps(server.files()).encode(), Content_Type="application/json")
        if self.path.startswith("/file/"):
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
            total = len(server.blob)
            if start >= total:
                return self.reply(416, b"", Content_Range=f"bytes */{total}")
            span = {"Content_Range": f"bytes {start}-{total - 1}/{total}"} if wanted else {}
            return self.reply(206 if wanted else 200, server.blob[start:], **span)
        return self.reply(404, b"No asset with id")

    def plan_500(self):
        self.reply(500, b"")

    def plan_429(self):
        self.reply(429, b"", Retry_After="0")

    def plan_half(self):
        self.reply(200, self.server.blob[:40_000], length=len(self.server.blob))
        self.close_connection = True

    def plan_norange(self):
        self.reply(200, self.server.blob)

    def plan_otherrange(self):
        self.reply(
            206, self.server.blob[7:], Content_Range=f"bytes 7-{len(self.server.blob) - 1}/{len(self.server.blob)}"
        )

    def plan_corrupt(self):
        self.reply(200, bytes([self.server.blob[0] ^ 1]) + self.server.blob[1:])

    def plan_toolong(self):
        self.reply(200, self.server.blob + b"more")

    def plan_text(self):
        self.reply(200, b"<html>captive portal</html>")

    def plan_nested(self):
        self.reply(200, b"[" * 200_000)

    def plan_loop(self):
        self.server.plan.append("loop")
        self.reply(302, b"", Location=self.path)

    def plan_elsewhere(self):
        self.reply(302, b"", Location="file:///etc/passwd")


@pytest.fixture(scope="module")
def blob(tmp_path_factory):
    path = tmp_path_factory.mktemp("blob") / "a.hdr"
    write_hdr(path, np.random.default_rng(0).uniform(0.1, 5.0, (128, 256, 3)))
    return path.read_bytes()


@pytest.fixture
def server(blob):
    with Server(blob) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def client(server, tmp_path):
    return PolyHavenClient(server.url, cache=tmp_path / "cache", retries=2, retry_wait=0.0)


def test_list_filters_and_sorts_by_popularity(client, server):
    assert [found.slug for found in client.list()] == [
        "venice_sunset",
        "studio_small_08",
        "studio_small_03",
        "forest_slope",
    ]
    assert [found.slug for found in client.list(categories=["studio", "indoor"])] == [
        "studio_small_08",
        "studio_small_03",
    ]
    assert [found.slug for found in client.list(search="Window")] == ["studio_small_08"]
    assert [found.slug for found in client.list(categories=["studio"], min_width=16384)] == ["studio_small_08"]
    first = client.list(limit=1)[0]
    assert first.name == "Venice Sunset" and first.authors == ("Sergej Majboroda",)
    assert (first.max_resolution, first.download_count) == ((16384, 8192), 900_000)
    assert server.log == [("/assets?t=hdris", None)] and client.notice == ""  # one request, then the fresh copy


def test_the_catalogue_works_offline_and_says_how_old_it_is(client, server, tmp_path):
    client.list()
    server.plan = ["500"] * 3
    assert len(client.list(refresh=True)) == 4
    assert re.match(r"offline: using the catalogue of 0\.0 days ago \(.*500\)", client.notice)
    saved = json.loads((tmp_path / "cache/catalogue.json").read_text())
    saved["fetched"] -= 3 * 86400
    (tmp_path / "cache/catalogue.json").write_text(json.dumps(saved))
    away = PolyHavenClient("http://127.0.0.1:9", cache=tmp_path / "cache", retries=0)
    assert len(away.list()) == 4 and "3.0 days ago" in away.notice
    assert len(client.list()) == 4 and client.notice == "" and len(server.log) == 5
    with refused("http://127.0.0.1:9/assets", "ConnectionError"):
        PolyHavenClient("http://127.0.0.1:9", cache=tmp_path / "other", retries=0).list()


def test_fetch_gives_a_verified_entry_that_works_offline(client, server, tmp_path):
    client.list()
    seen = []
    entry = client.fetch("venice_sunset", progress=lambda done, total: seen.append((done, total)))
    assert entry.id == "polyhaven/venice_sunset_1k.hdr" and entry.licence == "CC0-1.0"
    assert (entry.source, entry.title) == ("https://polyhaven.com/a/venice_sunset", "Venice Sunset")
    assert entry.tags == ("outdoor", "sea", "sun", "sunrise-sunset", "urban")
    assert entry.path.read_bytes() == server.blob and read_entry(entry).shape == (128, 256, 3)
    assert seen[-1] == (server.size, server.size) and seen == sorted(seen)
    assert verify([entry]) == [] and polyhaven_entries(tmp_path / "cache") == [entry]
    requests = len(server.log)
    assert client.fetch("venice_sunset") == entry and len(server.log) == requests
    assert sorted(os.listdir(tmp_path / "cache")) == [
        "catalogue.json",
        "venice_sunset_1k.hdr",
        "venice_sunset_1k.hdr.json",
    ]
    entry.path.write_bytes(server.blob[:-1])
    assert "digest is" in verify(polyhaven_entries(tmp_path / "cache"))[0]


def test_an_interrupted_download_resumes(client, server):
    server.plan = ["ok", "half"]
    assert client.fetch("venice_sunset").path.read_bytes() == server.blob
    assert [span for _, span in server.log] == [None, None, "bytes=32768-"]


def test_a_second_run_resumes_where_the_first_gave_up(server, tmp_path):
    client = PolyHavenClient(server.url, cache=tmp_path, retries=0)
    server.plan = ["ok", "half"]
    with refused("venice_sunset_1k.hdr", "1 attempts"):
        client.fetch("venice_sunset")
    assert polyhaven_entries(tmp_path) == [] and not (tmp_path / "venice_sunset_1k.hdr").exists()
    assert client.fetch("venice_sunset").path.read_bytes() == server.blob
    assert server.log[-1][1] == "bytes=32768-"


@pytest.mark.parametrize("answer", ["norange", "otherrange"])
def test_servers_that_cannot_resume(client, server, answer):
    server.plan = ["ok", "half", answer]
    assert client.fetch("venice_sunset").path.read_bytes() == server.blob


def test_errors_that_pass_are_retried(client, server):
    server.plan = ["500", "429", "ok", "500", "ok"]
    assert client.fetch("venice_sunset").path.read_bytes() == server.blob
    assert len(server.log) == 5


@pytest.mark.parametrize(
    ("plan", "why"),
    [("corrupt", "MD5 is"), ("toolong", "more than the"), ("loop", "TooManyRedirects"), ("elsewhere", "InvalidSchema")],
)
def test_bad_downloads_leave_nothing_and_can_be_repeated(client, server, tmp_path, plan, why):
    server.plan = ["ok", plan]
    with refused("venice_sunset_1k.hdr", why):
        client.fetch("venice_sunset")
    server.plan = []
    assert not (tmp_path / "cache/venice_sunset_1k.hdr").exists()
    assert not [name for name in os.listdir(tmp_path / "cache") if os.path.getsize(tmp_path / "cache" / name)]
    assert client.fetch("venice_sunset").path.read_bytes() == server.blob


def test_unknown_assets_and_files(client):
    with refused("files/nowhere", "404"):
        client.fetch("nowhere")
    with refused("venice_sunset", "no 8k hdr file, may be: 1k hdr, 1k exr, 2k hdr"):
        client.fetch("venice_sunset", "8k")


@pytest.mark.parametrize(
    "arguments",
    [
        ("../../etc/passwd",),
        ("a/b",),
        ("",),
        ("a" * 51,),
        ("a\nb",),
        ("venice_sunset", "../1k"),
        ("venice_sunset", "1k", "png"),
        (None,),
    ],
)
def test_names_that_are_no_names(client, server, arguments):
    with refused("slug|resolution|format", "may be"):
        client.fetch(*arguments)
    assert server.log == []


def test_hostile_answers(client, server):
    changes = [
        ("link", "file:///etc/passwd", "file:///etc/passwd"),
        ("link", "ftp://127.0.0.1/a", "may be http"),
        ("link", 5, "lacks url"),
        ("md5", "../../x", "lacks url, md5 or size"),
        ("size", 10**15, "1,000,000,000,000,000"),
        ("size", -1, "-1"),
        ("size", "5", "lacks"),
    ]
    for field, value, why in changes:
        before = getattr(server, field)
        setattr(server, field, value)
        with refused("files/venice_sunset", re.escape(why)):
            client.fetch("venice_sunset")
        setattr(server, field, before)
    for plan, why in (("text", "not JSON"), ("nested", "not JSON")):
        server.plan = [plan]
        with refused("files/venice_sunset", why):
            client.fetch("venice_sunset")
    server.assets = ["not", "a", "dict"]
    with refused("catalogue is a list"):
        client.list()
    server.assets = {
        "../evil": ASSETS["venice_sunset"],
        "ok": {"name": "a\nb", "categories": 5, "max_resolution": "x"},
        "b": 3,
    }
    assert [(found.slug, found.name, found.categories) for found in client.list()] == [("ok", "a b", ())]


def test_json_is_bounded(client, server, monkeypatch):
    monkeypatch.setattr("assets.hdri.polyhaven._MAX_CATALOGUE_BYTES", 1000)
    with refused("assets", "more than 1,000 bytes"):
        client.list()


def test_tampered_records_are_ignored(client, tmp_path):
    entry = client.fetch("venice_sunset")
    record = entry.path.with_name(entry.path.name + ".json")
    for text in ("", "[]", '{"slug": "../x", "digest": "", "title": ""}', '{"slug": 5}'):
        record.write_text(text)
        assert polyhaven_entries(tmp_path / "cache") == []
    assert client.fetch("venice_sunset").digest == entry.digest


def test_a_full_disk_is_said_before_the_download(client, monkeypatch, tmp_path):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10}))
    with refused("venice_sunset_1k.hdr", "disk full: needs", "has 10"):
        client.fetch("venice_sunset")


def test_base_url_is_checked():
    with refused("base_url", "file:///x"):
        PolyHavenClient("file:///x")
