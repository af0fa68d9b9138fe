"""The page: what it does without a browser, then the whole of it in a headless Chromium."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import requests

from assets.errors import SpecError

pytest.importorskip("gradio", reason="gradio is not installed: pip install 'pixelcube[app]'")

FRAMES = 6
TINY = {"channels": (16, 16), "blocks": 1, "attention": 1, "lit": 1, "embedding": 32, "lobes": 16}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline that has learnt nothing."""
    from relight.batch import STAGES
    from relight.models.load import new_backbone
    from relight.pipeline.portrait import PortraitRelightPipeline, Settings
    from relight.relighter import Relighter

    stages = [Relighter(name, new_backbone("small", STAGES[name], 0, **TINY)) for name in ("delight", "relight")]
    folder = tmp_path_factory.mktemp("model")
    PortraitRelightPipeline(*stages, Settings(size=32, window=4)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny video, wider than high, whose pictures differ."""
    import av

    path = tmp_path_factory.mktemp("footage") / "grey.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for shade in np.linspace(50, 200, FRAMES):
            picture = np.full((64, 96, 3), shade, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


# --- without a browser ------------------------------------------------------------------------------------------------


def test_small_pictures_of_lights_are_lit_from_the_light_s_side():
    from relight.app.lights import lit_ball
    from synth.lighting.envmap import EnvMap
    from synth.lighting.sphere import directions

    for axis, name in ((0, "right"), (1, "above")):
        lamp = np.exp(8 * (directions(64)[..., axis] - 1))[..., None] * np.float32([3, 2, 1])
        picture = lit_ball(EnvMap(lamp))
        middle = picture[40:80, 60:100].mean(axis=-1)
        lit, dark = (middle[:, 30:], middle[:, :10]) if axis == 0 else (middle[:10], middle[30:])
        assert lit.mean() > dark.mean() + 0.1, name


def test_one_frame_is_exposed_and_turned_as_in_the_whole_shot():
    from relight.app.work import Look

    look = Look("procedural/studio/0000", turn=30, tilt=10, roll=5, spin=180, stops=1.5)
    shot, alone = look.light(40), look.light_at(10, 40)
    assert shot.film.exposure_ev == pytest.approx(alone.film.exposure_ev, abs=1e-9)
    assert alone.camera(0, 8, 6).camera_to_world == pytest.approx(shot.camera(10, 8, 6).camera_to_world, abs=1e-9)


def test_stopping_leaves_no_result_and_the_next_shot_starts_afresh(model, footage, tmp_path):
    from relight.app import work
    from relight.app.sessions import Sessions, Stopped
    from relight.pipeline.portrait import PortraitRelightPipeline

    session, told = Sessions(tmp_path).of("../../name of a client"), []
    assert session.folder.parent == tmp_path

    def tell(done: int, total: int) -> None:
        told.append((done, total))
        if done == 2:
            session.stop()
        session.check()

    pipeline, look = PortraitRelightPipeline.from_pretrained(model), work.Look("procedural/studio/0000")
    session.begin()
    with pytest.raises(Stopped):
        work.whole(pipeline, footage, look, session.shot, tell)
    assert told[-1] == (2, FRAMES) and not list(session.shot.glob("*.mp4"))
    session.begin()
    assert not list(session.shot.iterdir())
    session.check()


def test_a_port_that_is_taken_is_said_in_one_line():
    from relight.app.app import serve

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(SpecError, match=r"^port: \d+ cannot be used \(Address already in use\)"):
            serve("small", other.getsockname()[1])
    with pytest.raises(SpecError, match="^port: got 70000, may be"):
        serve("small", 70000)


# --- the real one -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app(model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, psutil.Process]]:
    """Address and process of an app; when it has ended, nothing may be left of its files."""
    temporary = tmp_path_factory.mktemp("temporary")
    process = subprocess.Popen([sys.executable, "-m", "ray_jobs.cli.main", "app", "--model", str(model), "--port", "0"],
                               stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(temporary)})
    try:
        line = process.stdout.readline()
        assert line.startswith("http://127.0.0.1:"), line
        yield line.split()[0], psutil.Process(process.pid)
        assert [path for path in temporary.iterdir() if path.name.startswith("pixelcube-app-")]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)
        process.stdout.close()
    assert process.returncode == 130
    assert not [path for path in temporary.iterdir() if path.name.startswith("pixelcube-app-")]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_only_this_machine_and_its_own_page_are_answered(app):
    address, process = app
    listening = [item.laddr.ip for item in process.net_connections() if item.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]
    ask = requests.Session()
    ask.trust_env = False  # no proxy
    port = address.rsplit(":", 1)[1]
    for headers, status in (({}, 200), ({"Host": f"localhost:{port}"}, 200), ({"Origin": address}, 200),
                            ({"Host": f"evil.example:{port}"}, 403), ({"Host": "["}, 403),
                            ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403)):
        assert ask.get(address, headers=headers, timeout=60).status_code == status, headers
    config = ask.get(f"{address}/config", timeout=60).json()
    assert config["analytics_enabled"] is False
    assert ask.get(f"{address}/gradio_api/file=/etc/passwd", timeout=60).status_code in (403, 404)


@pytest.fixture
def browser(tmp_path, monkeypatch):
    """A headless Chromium. Its driver is named, so that selenium looks for none on the network."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("no Chromium with its chromedriver (apt: chromium chromium-driver)")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1500,1100",
                     f"--user-data-dir={tmp_path / 'profile'}", "--disable-background-networking",
                     *(["--no-sandbox"] if os.geteuid() == 0 else [])):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(tmp_path / "downloads")})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    window = webdriver.Chrome(options=options, service=Service(driver))
    yield window
    window.quit()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_video_is_relit_on_the_page(app, browser, footage, tmp_path):
    from selenium.webdriver.support.ui import WebDriverWait

    def find(selector: str):
        return WebDriverWait(browser, 200).until(lambda window: window.find_elements("css selector", selector))[0]

    def relit(unlike: str = "") -> str:
        """Address of the relit frame, once it is another."""
        return WebDriverWait(browser, 200).until(lambda window: next(
            (found.get_attribute("src") for found in window.find_elements("css selector", "#after img")
             if found.get_attribute("src") != unlike), None))

    def said(text: str) -> str:
        """What a message on the page says, once one has the text."""
        return WebDriverWait(browser, 200).until(lambda window: next(
            (found.text for found in window.find_elements("css selector", ".toast-body") if text in found.text), None))

    address, _ = app
    browser.get(address)
    lights = WebDriverWait(browser, 200).until(lambda window: window.find_elements("css selector", "#lights button"))
    assert len(lights) >= 8

    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all" * 100)
    find("#source input[type=file]").send_keys(str(broken))
    message = said("broken.mp4")
    assert "Traceback" not in message and "/" not in message.replace("I/O", "")
    assert not find("#run").is_enabled()
    find("#source button[aria-label='Clear'], #source button[aria-label='Remove this file']").click()

    find("#source input[type=file]").send_keys(str(footage))
    first = relit()
    lights[-2].click()
    second = relit(unlike=first)
    turn = find("#turn input[type=number]")
    turn.clear()
    turn.send_keys("90\t")
    relit(unlike=second)

    WebDriverWait(browser, 200).until(lambda window: find("#run").is_enabled())
    find("#run").click()
    both = find("#video video").get_attribute("src")
    said("no face was found")
    with requests.Session() as ask:
        ask.trust_env = False
        shown = tmp_path / "shown.mp4"
        shown.write_bytes(ask.get(both, timeout=60).content)
    assert frames_of(shown) == (FRAMES, 192, 64)
    find("#download").click()
    fetched = WebDriverWait(browser, 200).until(lambda _: list(tmp_path.glob("downloads/*.mp4")))
    assert frames_of(fetched[0]) == (FRAMES, 96, 64) and fetched[0].name == "grey-relit.mp4"

    asked = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert asked and not [place for place in asked if not place.startswith((address, "data:", "blob:"))]
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def frames_of(path: Path) -> tuple[int, int, int]:
    """Pictures, all of which decode, width and height of a video."""
    from relight.footage.read import open_footage

    footage = open_footage(path)
    assert sum(1 for _ in footage) == footage.frames and footage.damage is None
    return footage.frames, footage.width, footage.height
