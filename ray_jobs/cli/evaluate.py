"""``pixelcube evaluate``: a relighter's figures beside those of the baselines."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Judge a relighter on clips whose people and light it never saw, beside doing nothing and a colour transfer.

    PSNR and SSIM of the person alone, higher is better. Example: pixelcube evaluate out/val128 --model small"""

    dataset: Annotated[str, tyro.conf.arg(metavar="DATASET"), tyro.conf.Positional]
    """Dataset folder or fsspec URL."""
    model: str = "small"
    """A model that ships, a folder of PortraitRelightPipeline.save_pretrained, or a hub id; 'none': baselines alone."""
    split: Literal["test", "val"] = "test"
    """Clips to judge by: those whose person and maps are in this part. There is no way to ask for training data."""
    clips: int | None = None
    """Only the first so many clips, by id."""
    pairs: int = 4
    """Pairs of lights for each clip."""
    frames: int = 4
    """Frames in a row of each pair; shorter clips are left out."""
    size: int = 128
    """Height and width of the pictures in pixels: that which the model was trained for."""
    seed: int = 0
    """What pairs and noise are drawn from: the same seed gives the same figures."""
    output: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("out/evaluation")
    """Where evaluation.json and the contact sheet are written."""

    def execute(self) -> int:
        """Exit status."""
        import pydantic

        from assets.errors import SpecError
        from ray_jobs.cli import evaluation
        from relight.evaluation.evaluate import EvaluationConfig
        from synth.spec import describe_validation

        fields = {name: getattr(self, name) for name in EvaluationConfig.model_fields}
        try:
            config = EvaluationConfig.model_validate(fields)
        except pydantic.ValidationError as error:
            raise SpecError(f"evaluate: {describe_validation(error, EvaluationConfig)}") from error
        return evaluation.main(config, None if self.model == "none" else self.model, self.output)
