"""Training relight on what delight predicts, and packing both stages."""

from __future__ import annotations

import pytest
import torch

from assets.errors import SpecError
from relight.pipeline.portrait import PortraitRelightPipeline, Settings
from relight.relighter import Relighter
from relight.training.delit import Delit
from relight.training.pack import CARD, pack
from tests.relight.tiny import backbone, clip, generator


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """Folders of an untrained relighter of each stage, with cards."""
    folder = tmp_path_factory.mktemp("stages")
    for stage in ("delight", "relight"):
        Relighter(stage, backbone("small", stage, folder)).save_pretrained(folder / stage)
        for name in CARD:
            facts = '{"model": {"start": null}, "data": {"frames": 1}}'
            (folder / stage / name).write_text(facts if name.endswith("json") else stage)
    return folder


def test_some_clips_get_what_delight_predicts_and_the_same_ones_again(stages):
    batch, delit = clip(1, clips=8), Delit(str(stages / "delight"), 0.5, torch.device("cpu"))
    changed = delit(batch, [generator(k) for k in range(8)])
    same = (changed.flat == batch.flat).flatten(1).all(dim=1)
    assert 0 < same.sum() < 8
    assert torch.equal(same, (changed.alpha == batch.alpha).flatten(1).all(dim=1))
    assert torch.equal(changed.target, batch.target)
    again = delit(batch, [generator(k) for k in range(8)])
    assert torch.equal(again.flat, changed.flat)


def test_only_a_delight_relighter_can_delight(stages):
    with pytest.raises(SpecError, match="is a relighter of stage relight"):
        Delit(str(stages / "relight"), 0.5, torch.device("cpu"))


def test_packed_they_are_a_pipeline_with_their_cards(stages, tmp_path):
    for _ in range(2):  # the second call replaces what the first has left
        pack(stages / "delight", stages / "relight", tmp_path / "model", Settings(size=32))
    made = PortraitRelightPipeline.from_pretrained(tmp_path / "model").relight_batch(clip(1))["target"]
    assert made.isfinite().all()
    assert (tmp_path / "model" / "relight" / "README.md").read_text() == "relight"
    assert (tmp_path / "model" / "relight" / "log.csv").read_text() == "run,step,name,value\n"
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
