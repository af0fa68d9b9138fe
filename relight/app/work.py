"""What the page's buttons do, without the page: one frame, a whole shot, source and result beside each other."""

from __future__ import annotations

import dataclasses
import functools
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from relight.footage.read import open_footage
from relight.footage.write import open_writer
from relight.pipeline.light import ShotLight, read_light
from relight.pipeline.portrait import PortraitRelightPipeline
from relight.pipeline.shot import Report, ShotOptions, relight_shot
from synth.lighting.envmap import EnvMap

PREVIEW_SIDE = 720
"""Longer side of the picture that follows the sliders, at most, pixels."""
BESIDE_SIDE = 720
"""Longer side of source and of result where they are shown beside each other, at most, pixels."""
_KEPT = 4
"""Previews that a browser may still be asking for."""


@dataclasses.dataclass(frozen=True)
class Look:
    """What was chosen on the page."""

    place: str
    """The light, as :func:`relight.pipeline.light.read_light` takes it."""
    turn: float = 0.0
    tilt: float = 0.0
    roll: float = 0.0
    """Yaw, pitch and roll of the light, degrees."""
    spin: float = 0.0
    """Degrees that the light turns over the shot."""
    stops: float = 0.0
    """Exposure."""
    background: str = "envmap"
    """As in :class:`~relight.pipeline.shot.ShotOptions`."""

    def light(self, frames: int) -> ShotLight:
        """Of a shot of so many frames."""
        return ShotLight(_maps(self.place), frames, (self.turn, self.tilt, self.roll), self.spin, self.stops)

    def light_at(self, frame: int, frames: int) -> ShotLight:
        """Of one frame alone, exposed as it is in the whole shot."""
        shot = self.light(frames)
        if not shot.moves:
            return shot
        turned = (self.turn + self.spin * frame / frames, self.tilt, self.roll)
        alone = dataclasses.replace(shot, frames=1, rotation=turned, spin=0.0)
        return dataclasses.replace(alone, exposure=self.stops + shot.film.exposure_ev - alone.film.exposure_ev)


@functools.lru_cache(maxsize=8)
def _maps(place: str) -> Sequence[EnvMap]:
    """Read once for all the moves of a slider."""
    return read_light(place).maps


def still(source: Path, frame: int, folder: Path) -> tuple[Path, int]:
    """A PNG of one frame of the source, no larger than a preview, and the number of frames there are."""
    from PIL import Image

    footage = open_footage(source)
    frame = min(frame, footage.frames - 1)
    pictures = iter(footage.pictures(start=frame))
    path = _fresh(folder, "frame")
    Image.fromarray(_shrunk(next(pictures), PREVIEW_SIDE)).save(path, compress_level=1)
    return path, footage.frames


def preview(pipeline: PortraitRelightPipeline, picture: Path, look: Look, frame: int, frames: int,
            folder: Path) -> Path:
    """A PNG of one frame, relit."""
    path = _fresh(folder, "relit")
    return relight_shot(pipeline, picture, path, look.light_at(frame, frames), ShotOptions(look.background)).output


def whole(pipeline: PortraitRelightPipeline, source: Path, look: Look, folder: Path,
          progress: Callable[[int, int], None]) -> Report:
    """The whole shot relit: an MP4, or a PNG where the source is one picture."""
    footage = open_footage(source)
    path = folder / f"{source.stem[:60]}-relit{'.png' if footage.kind == 'image' else '.mp4'}"
    return relight_shot(pipeline, source, path, look.light(footage.frames), ShotOptions(look.background),
                        progress=progress)


def beside(source: Path, relit: Path, folder: Path, progress: Callable[[int, int], None]) -> Path:
    """Source (left) and result as one picture or one video, which any browser plays whatever the source was."""
    before, after = open_footage(source), open_footage(relit)
    path = folder / f"beside{relit.suffix}"
    height, width = _even(before.height, before.width, BESIDE_SIDE)
    both = dataclasses.replace(before, height=height, width=2 * width)
    with open_writer(path, both, key="beside") as writer:
        for number, pair in enumerate(zip(before.pictures(), after.pictures(), strict=True), 1):
            pictures = [_shrunk(picture, BESIDE_SIDE) for picture in pair]
            writer.write(np.hstack(pictures).astype(np.float32) / 255)
            progress(number, before.frames)
    return path


def _even(height: int, width: int, side: int) -> tuple[int, int]:
    """The size with the longer side at most ``side``, both even."""
    share = min(1.0, side / max(height, width))
    return max(2, round(height * share / 2) * 2), max(2, round(width * share / 2) * 2)


def _shrunk(picture: np.ndarray, side: int) -> np.ndarray:
    """(h, w, 3) uint8 with even sides, the longer at most ``side``, from (H, W, 3) display values."""
    from PIL import Image

    height, width = _even(*picture.shape[:2], side)
    image = Image.fromarray((picture * 255 + 0.5).astype(np.uint8))
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0))


def _fresh(folder: Path, kind: str) -> Path:
    """A new name for a PNG, so that no browser shows an older one; of those only the last few stay."""
    for old in sorted(folder.glob(f"{kind}-*.png"), key=lambda path: path.stat().st_mtime)[:-_KEPT]:
        old.unlink(missing_ok=True)
    return folder / f"{kind}-{secrets.token_hex(6)}.png"
