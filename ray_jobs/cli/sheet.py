"""Contact sheet of a dataset: an HTML page with relative links, small pictures beside it, and a video per clip."""

from __future__ import annotations

import concurrent.futures
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ray_jobs.cli import display
from ray_jobs.cli.page import save_thumb, write_page
from ray_jobs.cli.video import write_mp4
from ray_jobs.machine import usable_cpus
from synth.dataset.reader import Clip

VIDEO_PANEL = 384
"""Least height of a video's panels, pixels."""
VIDEO_SECONDS = 1.0
"""Least time a lighting is shown, seconds; short clips go back and forth."""


def write(folder: Path, clips: Sequence[Clip], title: str, summary: Sequence[str], video: bool) -> Path:
    """Write pictures, videos and, last, ``index.html`` into ``folder``; returns the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    # Decoding, resizing and encoding release the interpreter: a thread a core halves the time on two.
    with concurrent.futures.ThreadPoolExecutor(usable_cpus()) as pool:
        entries = list(pool.map(functools.partial(_entry, folder, video), clips))
    return write_page(folder / "index.html", "sheet.html.j2", title=title, summary=summary, clips=entries,
                      depth_range=display.DEPTH_RANGE, flow_range=display.FLOW_RANGE)


def _entry(folder: Path, video: bool, clip: Clip) -> dict[str, Any]:
    """Write one clip's pictures and video; returns what the page says of it."""
    thumbs = folder / "thumbs" / clip.clip_id
    thumbs.mkdir(parents=True, exist_ok=True)
    entry = {"id": clip.clip_id, "facts": _facts(clip), "channels": list(_channel_pictures(clip, thumbs)),
             "lightings": list(_lighting_pictures(clip, thumbs)), "video": None}
    if video:
        write_mp4(folder / f"{clip.clip_id}.mp4", video_pictures(clip), clip.row["fps"])
        entry["video"] = f"{clip.clip_id}.mp4"
    return entry


def _middle(clip: Clip) -> int:
    """The frame to show; never the last of several, whose flow is 0."""
    return (clip.frames - 1) // 2


def _facts(clip: Clip) -> str:
    row, camera = clip.row, clip.camera(_middle(clip))
    return " · ".join([
        f"identity {row['identity']}", f"split {row['split_identity']} (HDRI {row['split_hdri']})",
        f"{row['frames']} frames at {row['fps']:g}/s", f"{row['width']}x{row['height']}", f"{camera.focal_mm:.0f} mm",
        f"{row['samples']} samples", f"{row['domain']}, {row['variant']}", f"coverage {row['alpha_mean']:.2f}",
        f"licences {', '.join(row['licences'])}",
    ])


def _channel_pictures(clip: Clip, folder: Path) -> Iterator[dict[str, str]]:
    """The channels of the middle frame that don't depend on the lighting, and the lobes of the first."""
    read = functools.partial(clip.read, _middle(clip))
    ev = clip.metadata()["exposure_ev"][0]
    pictures = {
        "flat": display.srgb8(read("flat")),
        "albedo": display.srgb8(read("albedo")),
        "normal": display.normal8(read("normal")),
        "depth": display.depth8(read("depth")),
        "alpha": display.grey8(read("alpha")),
        "flow": display.flow8(read("flow")),
    }
    if clip.row["lobes"]:
        pictures |= {name: display.srgb8(read(name), ev) for name in ("diffuse.000", "specular.000")}
    for name, picture in pictures.items():
        yield {"name": name, "src": save_thumb(picture, folder, name)}


def _lighting_pictures(clip: Clip, folder: Path) -> Iterator[dict[str, str]]:
    middle = _middle(clip)
    camera, alpha = clip.camera(middle), clip.read(middle, "alpha")
    for number, (light, ev) in enumerate(_lightings(clip)):
        envmap = clip.envmap(number, middle)
        picture = display.over_environment(clip.read(middle, f"rgb.{number:03d}"), alpha, envmap, camera)
        yield {
            "name": f"{number:03d} {' > '.join(light['ids'])}",
            "facts": f"{light['kind']}, EV {ev:+.1f}, {', '.join(sorted(set(light['licences'])))}",
            "src": save_thumb(display.srgb8(picture, ev), folder, f"rgb.{number:03d}"),
            "envmap": save_thumb(display.srgb8(envmap, ev), folder, f"envmap.{number:03d}"),
        }


def _lightings(clip: Clip) -> list[tuple[dict[str, Any], float]]:
    """Each lighting's columns of the index and its suggested exposure in stops."""
    return list(zip(clip.row["lightings"], clip.metadata()["exposure_ev"], strict=True))


def video_pictures(clip: Clip) -> Iterator[np.ndarray]:
    """(H, 2H or so, 3) uint8: lighting after lighting, the relit clip with its environment beside the flat-lit one."""
    alphas = [clip.read(frame, "alpha") for frame in range(clip.frames)]
    flats = [_panel(display.srgb8(clip.read(frame, "flat"))) for frame in range(clip.frames)]
    for number, (light, ev) in enumerate(_lightings(clip)):
        shown: dict[int, np.ndarray] = {}
        for frame in _order(clip.frames, clip.row["fps"]):
            if frame not in shown:
                envmap = clip.envmap(number, frame)
                rgb = clip.read(frame, f"rgb.{number:03d}")
                lit = display.over_environment(rgb, alphas[frame], envmap, clip.camera(frame))
                panel = _panel(display.srgb8(lit, ev))
                _inset(panel, display.srgb8(envmap, ev), f"{number:03d} {light['kind']} {' > '.join(light['ids'])}")
                shown[frame] = np.concatenate([panel, flats[frame]], axis=1)
            yield shown[frame]


def _order(frames: int, fps: float) -> list[int]:
    """Frame numbers for one showing of a lighting: once through, or to and fro until VIDEO_SECONDS have passed."""
    order = list(range(frames))
    if frames / fps >= VIDEO_SECONDS:
        return order
    swing = order + order[-2:0:-1]
    return swing * -(-int(fps * VIDEO_SECONDS) // len(swing))


def _panel(picture: np.ndarray) -> np.ndarray:
    """A picture enlarged to at least VIDEO_PANEL rows, with even sides as H.264 wants."""
    height, width = picture.shape[:2]
    scale = max(1.0, VIDEO_PANEL / height)
    size = (round(width * scale / 2) * 2, round(height * scale / 2) * 2)
    return np.array(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def _inset(panel: np.ndarray, envmap: np.ndarray, text: str) -> None:
    """Draw the environment into the lower left corner of a panel and its name over it, in place."""
    height, width = panel.shape[:2]
    small = Image.fromarray(envmap).resize((width // 3, width // 6), Image.Resampling.BOX)
    image = Image.fromarray(panel)
    image.paste(small, (8, height - small.height - 8))
    place = (9, height - small.height - 26)
    ImageDraw.Draw(image).text(place, text, fill=(255, 255, 255), stroke_width=2, stroke_fill=(0, 0, 0),
                               font_size=12)
    panel[:] = np.array(image)
