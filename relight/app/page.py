"""The page: what is on it, and what happens when something on it changes."""

from __future__ import annotations

import contextlib
import functools
import html
import re
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from assets.errors import PixelCubeError
from assets.files import one_line
from relight.app import work
from relight.app.lights import Offer, library_offers, own_offer
from relight.app.sessions import Sessions, Stopped
from relight.pipeline.portrait import PortraitRelightPipeline

STYLE = """
.gradio-container { max-width: 1500px !important; padding-top: 8px !important; }
#title p { margin: 0; }
#lights { overflow: visible; min-height: 0; }
#lights .grid-wrap { height: auto; min-height: 0; max-height: none !important; overflow: visible; padding: 0; }
#lights .grid-container { grid-template: none / repeat(4, minmax(0, 1fr)); grid-auto-rows: auto; gap: 6px; padding: 0; }
#lights .thumbnail-lg { aspect-ratio: 1; height: auto; }
#lights .caption-label { left: 0; right: 0; bottom: 0; max-width: none; padding: 0 4px; border: 0; border-radius: 0;
    font-size: 11px; text-align: center; }
"""
_PICTURE = "picture"
_BACKGROUNDS = [("The light's surroundings", "envmap"), ("As filmed", "keep"), ("A picture", _PICTURE)]
_VIDEOS = [".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi"]
_IMAGES = [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"]
_HIDDEN = {"api_visibility": "private"}
_PROGRESS = gr.Progress()


class Page:
    """One pipeline behind one page, for any number of visitors; their files are in ``folder``."""

    def __init__(self, pipeline: PortraitRelightPipeline, folder: Path):
        self._pipeline, self._folder, self.sessions = pipeline, folder, Sessions(folder)
        offers = library_offers(folder / "lights")
        with gr.Blocks(title="Pixel Cube", analytics_enabled=False) as self.blocks:
            gr.Markdown("**Pixel Cube** · the same performance under another light. Everything stays on this computer.",
                        elem_id="title")
            with gr.Row():
                with gr.Column(scale=2, min_width=340):
                    self._add_controls(offers)
                with gr.Column(scale=5, min_width=480):
                    self._add_results()
            self._connect()

    def _add_controls(self, offers: list[Offer]) -> None:
        self._source = gr.File(label="Your video or photo", file_types=_VIDEOS + _IMAGES, height=110, elem_id="source")
        self._lights = gr.Gallery([(offer.picture, offer.title) for offer in offers], show_label=False, container=False,
                                  columns=4, allow_preview=False, object_fit="cover", interactive=False, buttons=[],
                                  selected_index=0, elem_id="lights")
        self._offers, self._place = gr.State(offers), gr.State(offers[0].place)
        self._own = gr.UploadButton("Add a panorama of your own (.hdr, .exr)", file_types=[".hdr", ".exr"], size="sm")
        self._turn = gr.Slider(-180, 180, 0, step=1, label="Turn the light (degrees)", elem_id="turn")
        self._stops = gr.Slider(-4, 4, 0, step=0.1, label="Brightness (stops)", elem_id="brightness")
        with gr.Accordion("More about the light", open=False):
            self._spin = gr.Slider(-720, 720, 0, step=5, label="Keep turning (degrees)")
            self._tilt = gr.Slider(-90, 90, 0, step=1, label="Tilt forwards (degrees)")
            self._roll = gr.Slider(-180, 180, 0, step=1, label="Tilt sideways (degrees)")
        self._background = gr.Radio(_BACKGROUNDS, value="envmap", label="Background")
        self._picture = gr.Image(label="Background picture", type="filepath", sources=["upload"], visible=False,
                                 height=160)

    def _add_results(self) -> None:
        with gr.Tabs() as self._tabs:
            with gr.Tab("One frame", id="frame"):
                with gr.Row():
                    shown = {"type": "filepath", "interactive": False, "height": 520, "buttons": ["fullscreen"]}
                    self._before = gr.Image(label="Source", elem_id="before", **shown)
                    self._after = gr.Image(label="Relit", elem_id="after", **shown)
                self._frame = gr.Slider(0, 1, 0, step=1, label="Frame", visible=False, elem_id="frame")
            with gr.Tab("Result", id="result"):
                self._photo = gr.Image(label="Source and relit", visible=False, type="filepath", interactive=False,
                                       height=560, buttons=["fullscreen"], elem_id="photo")
                self._video = gr.Video(label="Source and relit", interactive=False, height=560, autoplay=True,
                                       buttons=[], elem_id="video")
                self._download = gr.DownloadButton("Download the relit video or photo", interactive=False,
                                                   elem_id="download")
        with gr.Row():
            self._run = gr.Button("Relight", variant="primary", interactive=False, scale=3, elem_id="run")
            self._stop = gr.Button("Stop", interactive=False, scale=1, min_width=80, elem_id="stop")
        self._frames = gr.State(1)

    def _connect(self) -> None:
        look = [self._place, self._turn, self._tilt, self._roll, self._spin, self._stops, self._background,
                self._picture]
        quiet = {"show_progress": "hidden", **_HIDDEN}
        self._source.change(self._open, [self._source], [self._before, self._after, self._frame, self._frames,
                                                         self._run, self._tabs], **_HIDDEN)
        self._frame.change(self._look_at, [self._source, self._frame], self._before, trigger_mode="always_last",
                           **quiet)
        self._lights.select(self._choose, self._offers, self._place, **quiet)
        self._own.upload(self._add, [self._own, self._offers], [self._lights, self._offers, self._place], **_HIDDEN)
        self._background.change(lambda kind: gr.Image(visible=kind == _PICTURE), self._background, self._picture,
                                **quiet)
        gr.on([part.change for part in (self._before, *look)], self._preview,
              [self._before, self._frame, self._frames, *look], self._after, trigger_mode="always_last", **quiet)
        self._run.click(self._begin, None, [self._run, self._stop, self._tabs, self._video, self._photo,
                                            self._download], **quiet).then(
            self._relight, [self._source, *look], [self._video, self._photo, self._download],
            show_progress_on=[self._video, self._photo], **_HIDDEN).then(
            lambda: (gr.Button(interactive=True), gr.Button(interactive=False)), None, [self._run, self._stop], **quiet)
        self._stop.click(self._halt, queue=False, **quiet)
        self.blocks.unload(self._leave)

    # --- what happens -------------------------------------------------------------------------------------------------

    def _open(self, source: str | None, request: gr.Request):
        nothing = None, None, gr.Slider(value=0, visible=False), 1, gr.Button(interactive=False), gr.Tabs()
        if source is None:
            return nothing
        with self._said():
            picture, frames = work.still(Path(source), 0, self._session(request).folder)
        return (str(picture), None, gr.Slider(0, max(1, frames - 1), 0, visible=frames > 1), frames,
                gr.Button(interactive=True), gr.Tabs(selected="frame"))

    def _look_at(self, source: str | None, frame: int, request: gr.Request):
        if source is None:
            return None
        with self._said():
            return str(work.still(Path(source), int(frame), self._session(request).folder)[0])

    def _choose(self, offers: list[Offer], event: gr.SelectData) -> str:
        return offers[event.index].place

    def _add(self, path: str, offers: list[Offer]):
        with self._said():
            offers = [*offers, own_offer(self._folder / "lights", Path(path))]
        shown = [(offer.picture, offer.title) for offer in offers]
        return gr.Gallery(shown, selected_index=len(offers) - 1), offers, offers[-1].place

    def _preview(self, request: gr.Request, picture: str | None, frame: int, frames: int, *look):
        if picture is None or look[-2:] == (_PICTURE, None):
            return None
        with self._said():
            return str(work.preview(self._pipeline, Path(picture), _look(*look), int(frame), frames,
                                    self._session(request).folder))

    def _begin(self, request: gr.Request):
        self._session(request).begin()
        return (gr.Button(interactive=False), gr.Button(interactive=True), gr.Tabs(selected="result"), None, None,
                gr.DownloadButton(value=None, interactive=False))

    def _relight(self, request: gr.Request, source: str | None, progress: gr.Progress = _PROGRESS, *look):
        session = self._session(request)

        def tell(what: str, done: int, total: int) -> None:
            session.check()
            progress((done, total), desc=what, unit="frames")

        try:
            with session.busy, self._said():
                report = work.whole(self._pipeline, Path(source), _look(*look), session.shot,
                                    functools.partial(tell, "Relighting"))
                relit = report.output
                both = work.beside(Path(source), relit, session.shot, functools.partial(tell, "Side by side"))
        except Stopped:
            gr.Info("Stopped.")
            return gr.skip(), gr.skip(), gr.skip()
        for warning in report.warnings:
            gr.Warning(html.escape(warning))
        moving = relit.suffix == ".mp4"
        return (gr.Video(str(both) if moving else None, visible=moving),
                gr.Image(None if moving else str(both), visible=not moving),
                gr.DownloadButton(value=str(relit), interactive=True))

    def _halt(self, request: gr.Request) -> None:
        self._session(request).stop()

    def _leave(self, request: gr.Request) -> None:
        self.sessions.close(request.session_hash)

    def _session(self, request: gr.Request):
        return self.sessions.of(request.session_hash)

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        """What goes wrong is said in one line, with names of files but not of folders."""
        try:
            yield
        except (Stopped, gr.Error):
            raise
        except Exception as error:
            known = isinstance(error, PixelCubeError)
            message = one_line(error if known else f"unexpected {type(error).__name__}: {error}")
            message = re.sub(rf"{re.escape(str(self._folder))}\S*/", "", message)
            raise gr.Error(html.escape(message), print_exception=not known) from error


def _look(place: str, turn: float, tilt: float, roll: float, spin: float, stops: float, background: str,
          picture: str | None) -> work.Look:
    if background == _PICTURE and picture is None:
        raise gr.Error("Background: choose a picture, or another background.", print_exception=False)
    return work.Look(place, turn, tilt, roll, spin, stops, picture if background == _PICTURE else background)
