"""One head under a turning sun, path traced and by light transport:   python docs/gallery/transport.py [--turns 24]

Writes ``transport.jpg``, eight moments of both, and ``out/transport.mp4``, all of them side by side.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import av
import numpy as np
from PIL import Image

from synth.actor import cast
from synth.appearance.sampling import sample_appearance
from synth.camera.film import Film, meter
from synth.heads.load import load_head
from synth.lighting.families.sunsky import SunSky, SunSkyParams
from synth.lighting.sphere import rotation_from_euler
from synth.motion.performance import neutral
from synth.preview import View, portrait_camera
from synth.renderers import make_renderer

FOLDER = Path(__file__).parent
SHOWN = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("turns", 24), ("size", 224), ("samples", 64), ("paths", 512), ("seed", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    turns = 360 / options.turns * np.arange(options.turns)
    sun = SunSky().render(SunSkyParams(azimuth=0.0, elevation=28.0), 128)
    maps = [sun.rotated(rotation_from_euler(float(turn))) for turn in turns]
    traced, relit = (pictures(maps, options, method) for method in ("path", "transport"))
    chosen = np.linspace(0, options.turns, SHOWN, endpoint=False).astype(int)
    sheet = np.concatenate([np.concatenate(row[chosen], axis=1) for row in (traced, relit)])
    Image.fromarray(eight_bits(sheet)).save(FOLDER / "transport.jpg", quality=88)
    video(Path("out/transport.mp4"), np.concatenate([traced, relit], axis=2))


def pictures(maps: list, options: argparse.Namespace, method: str) -> np.ndarray:
    """(L, H, W, 3) display values under each map, at one exposure, before black."""
    head = load_head("template", None)
    identity = head.sample_identity(np.random.default_rng(options.seed))
    look = sample_appearance(np.random.default_rng(options.seed), identity, head)
    bare = look.model_copy(update={"worn": look.worn.model_copy(update={"glasses": None, "cover": None})})
    actor = cast(head, identity, bare)
    camera = portrait_camera(actor.person, View(), options.size)
    film = Film(exposure_ev=meter(maps[0].irradiance(np.array([0.0, 0.0, 1.0]))))
    (frame,) = make_renderer("mitsuba").render(
        actor.perform(neutral(1, 24.0)), [camera], [[light] for light in maps], samples=options.samples, seed=1,
        lobes=False, method=method, paths=options.paths)
    return np.stack([film.develop(frame.channels[f"rgb.{number:03d}"]) for number in range(len(maps))])


def eight_bits(picture: np.ndarray) -> np.ndarray:
    return np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)


def video(path: Path, frames: np.ndarray) -> None:
    """Frames (T, H, W, 3) of display values in [0, 1] as a clip of 8 a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=8)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(eight_bits(frame), format="rgb24")))
        container.mux(stream.encode())


if __name__ == "__main__":
    main()
