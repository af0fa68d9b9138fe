"""Both stages as one tool: a portrait video in, the same performance under another light out."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from assets.errors import AssetError, SpecError
from assets.files import DIGEST_BYTES, one_line
from relight.diffusion.guidance import Guidance
from relight.models.places import local_folder, read_config
from relight.models.small_layers import to_display, to_linear
from relight.pipeline.light import ShotLight
from relight.relighter import Inputs, Relighter
from synth.lighting.envmap import EnvMap
from synth.seeds import derive_seed

CONFIG = "pipeline.json"
_FAINT = 0.1
"""Alpha below which a person's colour is not told from the little that is seen of it."""
SHIPPED = Path(__file__).parents[1] / "weights"
"""Folder of the models that come with the package, each a folder of its own."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a pipeline's weights want of those who use them."""

    size: int = 128
    """Height of pictures that the networks are given, pixels: that of their training."""
    window: int = 16
    """Frames that are predicted together."""
    overlap: int = 2
    """Frames that a window shares with the next."""
    steps: int = 1
    """Steps of sampling."""
    light_height: int = 32
    """Rows of the light maps."""
    still_noise: bool = True
    """Whether all frames of a window start from the same noise: for networks that were trained on stills."""

    def __post_init__(self) -> None:
        for name, most in (("size", 4096), ("window", 1024), ("steps", 1000), ("light_height", 1024)):
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value <= most:
                raise SpecError(f"{name}: got {value!r}, may be 1 to {most}")
        if not isinstance(self.overlap, int) or not 0 <= self.overlap <= self.window // 2:
            raise SpecError(f"overlap: got {self.overlap!r}, may be 0 to half of window, {self.window}")
        if not isinstance(self.still_noise, bool):
            raise SpecError(f"still_noise: got {self.still_noise!r}, may be true or false")


def find_model(place: str | Path) -> Path:
    """The folder of a pipeline's files; fetched, if ``place`` is a hub id. AssetError where there is none."""
    shipped = SHIPPED / str(place)
    known = isinstance(place, str) and place.isidentifier() and shipped.is_dir() and not Path(place).exists()
    return local_folder(shipped if known else place, ["*.json", "*/*.json", "*/*.safetensors"])


@dataclasses.dataclass(frozen=True, eq=False)
class RelitVideo:
    """What a pipeline made of pictures in memory."""

    pictures: np.ndarray
    """(T, H, W, 3) float32 display values in [0, 1]."""
    alpha: np.ndarray
    """(T, H, W) float32 coverage by the person."""


class InMemory:
    """Pictures in memory, read as footage is."""

    def __init__(self, pictures: Sequence[np.ndarray] | np.ndarray):
        self._pictures = pictures
        self.height, self.width = pictures[0].shape[:2]
        self.frames = len(pictures)

    def pictures(self, start: int = 0, step: int = 1) -> Iterator[np.ndarray]:
        """(H, W, 3) float32 display values of every ``step``-th frame from ``start`` on."""
        for number in range(start, self.frames, step):
            picture = self._pictures[number]
            yield np.float32(picture / np.float32(255)) if picture.dtype == np.uint8 else np.float32(picture)


class PortraitRelightPipeline:
    """Delights a portrait video, then relights it, as pipelines of ``diffusers`` are used.

    Example::

        pipeline = PortraitRelightPipeline.from_pretrained("small")
        relit = pipeline(pictures, EnvMap.load("studio.exr"), exposure=0.5)      # pictures (T, H, W, 3) in [0, 1]
        relit.pictures, relit.alpha
    """

    def __init__(self, delight: Relighter, relight: Relighter, settings: Settings = Settings()) -> None:
        """SpecError where a relighter is of another stage, or the two want clips of other lengths."""
        for relighter, name in ((delight, "delight"), (relight, "relight")):
            if relighter.stage.name != name:
                raise SpecError(f"{name}: got a relighter of stage {relighter.stage.name}")
        self.delight, self.relight, self.settings = delight.eval(), relight.eval(), settings
        self.pixel_multiple = int(np.lcm(delight.backbone.pixel_multiple, relight.backbone.pixel_multiple))
        """Height and width of pictures are multiples of this."""
        self.frame_step = int(np.lcm(delight.backbone.frame_step, relight.backbone.frame_step))
        """Clips have 1 + k times this many frames."""
        if (settings.window - settings.overlap) % self.frame_step and settings.overlap:
            raise SpecError(f"overlap: got {settings.overlap}, for these networks window less overlap must be a "
                            f"multiple of {self.frame_step}")
        for name in ("size", "window"):
            step, rest = ((self.pixel_multiple, 0) if name == "size" else (self.frame_step, 1 % self.frame_step))
            if getattr(settings, name) % step != rest:
                raise SpecError(f"{name}: got {getattr(settings, name)}, these networks take multiples of {step}"
                                f"{' and 1' if rest else ''}")

    # --- weights ----------------------------------------------------------------------------------------------------

    @classmethod
    def from_pretrained(cls, place: str | Path = "small") -> PortraitRelightPipeline:
        """The pipeline of a name that ships (``small``), a folder of :meth:`save_pretrained` or a hub id.

        AssetError where it cannot be read; SpecError where its configuration is wrong.
        """
        folder = find_model(place)
        if not (folder / CONFIG).is_file():
            raise AssetError(f"{one_line(folder)}: has no {CONFIG}; expected a folder with {CONFIG}, delight and "
                             f"relight, as PortraitRelightPipeline.save_pretrained writes it")
        facts = read_config(folder / CONFIG, {})
        names = [field.name for field in dataclasses.fields(Settings)]
        if odd := sorted(set(facts) - {*names, "pipeline"}):
            raise AssetError(f"{one_line(folder / CONFIG)}: got {one_line(odd[0])}, may have {', '.join(names)}")
        settings = Settings(**{name: facts[name] for name in names if name in facts})
        return cls(*(Relighter.from_pretrained(folder / stage) for stage in ("delight", "relight")), settings)

    def save_pretrained(self, folder: str | Path, half: bool = False) -> None:
        """Write ``pipeline.json`` beside the folders of the two stages; half: weights in float16."""
        folder = Path(folder)
        for relighter in (self.delight, self.relight):
            relighter.save_pretrained(folder / relighter.stage.name, half)
        facts = {"pipeline": type(self).__name__, **dataclasses.asdict(self.settings)}
        (folder / CONFIG).write_text(json.dumps(facts, indent=1) + "\n")

    def with_settings(self, **changes: int | bool | None) -> PortraitRelightPipeline:
        """The same networks under other :class:`Settings`; those that are None stay."""
        given = {name: value for name, value in changes.items() if value is not None}
        return PortraitRelightPipeline(self.delight, self.relight, dataclasses.replace(self.settings, **given))

    @functools.cached_property
    def digest(self) -> str:
        """Hex digest of weights and settings: of all that a result depends on beside what is given."""
        digest = hashlib.blake2b(repr(self.settings).encode(), digest_size=DIGEST_BYTES)
        for relighter in (self.delight, self.relight):
            digest.update(repr((relighter.backbone.settings(), relighter.objective)).encode())
            for name, tensor in relighter.state_dict().items():
                digest.update(name.encode())
                digest.update(tensor.detach().cpu().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    def on_best_device(self) -> PortraitRelightPipeline:
        """Both networks on the GPU, if there is one; returns the pipeline."""
        return self.to("cuda" if torch.cuda.is_available() else "cpu")

    def to(self, device: torch.device | str) -> PortraitRelightPipeline:
        """Move both networks; returns the pipeline."""
        self.delight.to(device)
        self.relight.to(device)
        return self

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.relight.parameters()).device

    # --- use --------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def __call__(self, pictures: Sequence[np.ndarray] | np.ndarray, light: EnvMap | Sequence[EnvMap] | ShotLight,
                 exposure: float = 0.0, background: str = "envmap", seed: int = 0) -> RelitVideo:
        """Relight pictures in memory; :func:`relight.pipeline.shot.relight_shot` takes files of any length.

        pictures: T of (H, W, 3) float32 display values in [0, 1], or uint8; light: one map, one a frame, or a
        :class:`~relight.pipeline.light.ShotLight`; exposure: stops over a meter's, unless the light has its own;
        background: ``envmap``, ``keep`` or the path of an image. SpecError where :meth:`check_inputs` finds fault.
        """
        from relight.pipeline.shot import Shot, ShotOptions

        self.check_inputs(pictures, light, exposure, background)
        if not isinstance(light, ShotLight):
            light = ShotLight([light] if isinstance(light, EnvMap) else light, exposure=exposure)
        found = list(Shot(self, InMemory(pictures), light, ShotOptions(background, seed=seed)).frames())
        return RelitVideo(np.stack([one.picture for one in found]), np.stack([one.alpha for one in found]))

    @staticmethod
    def check_inputs(pictures: Sequence[np.ndarray] | np.ndarray, light: EnvMap | Sequence[EnvMap] | ShotLight,
                     exposure: float = 0.0, background: str = "envmap") -> None:
        """SpecError in one line where something given can't be used."""
        shapes = {np.shape(picture) for picture in pictures}
        if len(shapes) != 1 or len(shape := shapes.pop()) != 3 or shape[2] != 3 or 0 in shape:
            raise SpecError("pictures: expected one or more (H, W, 3) arrays of one size")
        for number, picture in enumerate(pictures):
            if not (picture.dtype == np.uint8 or (np.issubdtype(picture.dtype, np.floating)
                                                  and picture.min() >= 0 and picture.max() <= 1)):  # NaN fails too
                raise SpecError(f"pictures: {number} holds {picture.dtype} from {picture.min()} to {picture.max()}, "
                                f"expected uint8, or display values in [0, 1]")
        if not isinstance(light, (EnvMap, ShotLight)) and not (
                isinstance(light, Sequence) and light and all(isinstance(one, EnvMap) for one in light)):
            raise SpecError(f"light: got {type(light).__name__}, expected an EnvMap, a sequence of them or a ShotLight")
        if not np.isfinite(exposure):
            raise SpecError(f"exposure: got {exposure}, expected a number of stops")
        if background not in ("envmap", "keep") and not Path(background).is_file():
            raise SpecError(f"background: got {background!r}, may be envmap, keep or the path of an image")

    # --- networks ---------------------------------------------------------------------------------------------------

    def relight_batch(self, batch: Inputs, seed: int = 0, start: int = 0, steps: int | None = None,
                      guidance: Guidance | None = None) -> dict[str, torch.Tensor]:
        """``flat`` (B, T, 3, H, W), ``alpha`` (B, T, 1, H, W) and ``target`` (B, T, 3, H, W), float32 in [0, 1].

        batch: has ``source``, ``background``, the light maps and ``exposure`` of a
        :class:`~relight.batch.PortraitBatch`; an ``alpha`` is not read, but an attribute ``matte`` (B, T, 1, H, W)
        takes the place of the one that delight predicts. H and W are multiples of ``pixel_multiple``. seed, start:
        noise of a frame depends on these and its number, counted from ``start``, not on who else is in the batch.
        """
        steps = self.settings.steps if steps is None else steps
        delit = self.delight.sample(SimpleNamespace(source=batch.source), self._noise(seed, start, "delight"), steps,
                                    guidance)
        flat, alpha = delit["flat"], delit["alpha"]
        if (matte := getattr(batch, "matte", None)) is not None:
            # flat is premultiplied, before the curve, by the alpha that goes with it.
            colour = to_linear(flat) / alpha.clamp_min(_FAINT)
            flat, alpha = to_display((colour * matte).clamp(0, 1)), matte
        inputs = SimpleNamespace(
            flat=flat, alpha=alpha, background=batch.background,
            light_ldr=batch.light_ldr, light_log=batch.light_log, light_direction=batch.light_direction,
            exposure=batch.exposure)
        made = self.relight.sample(inputs, self._noise(seed, start, "relight"), steps, guidance)
        return {"flat": inputs.flat, "alpha": inputs.alpha, "target": made["target"]}

    def _noise(self, seed: int, start: int, stage: str) -> Callable[[tuple[int, ...]], torch.Tensor]:
        """Draws noise frame by frame, so that windows agree on the frames that they share."""
        def draw(shape: tuple[int, ...]) -> torch.Tensor:
            clips, frames, *rest = shape
            first = start // self.frame_step
            numbers = [0] * frames if self.settings.still_noise else range(first, first + frames)
            keyed = {number: torch.Generator().manual_seed(derive_seed(seed, stage, number)) for number in set(numbers)}
            noise = {number: torch.randn(rest, generator=generator) for number, generator in keyed.items()}
            return torch.stack([noise[number] for number in numbers]).expand(clips, *shape[1:])

        return draw
