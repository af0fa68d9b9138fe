"""From a configuration to a run: the network it names, and the trainer around it."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from assets.errors import AssetError, SpecError
from assets.files import one_line
from relight.batch import STAGES
from relight.models.load import load_backbone, new_backbone
from relight.relighter import Relighter
from relight.training import checkpoint
from relight.training.card import write_card
from relight.training.config import TrainConfig
from relight.training.trainer import Outcome, Trainer
from relight.training.world import World, load_weights
from synth.seeds import derive_seed


def new_relighter(config: TrainConfig) -> Relighter:
    """The relighter that a run starts from; the same in every process."""
    stage, model = STAGES[config.stage], config.model
    if model.start:
        backbone = load_backbone(model.start)
        if (backbone.name, backbone.stage.name) != (model.backbone, config.stage):
            raise SpecError(f"model.start: {model.start} is {backbone.name} for {backbone.stage.name}, the run trains "
                            f"{model.backbone} for {config.stage}")
    elif model.backbone == "small":
        backbone = new_backbone("small", stage, derive_seed(config.seed, "weights"), **model.settings)
    else:
        backbone = new_backbone(model.backbone, stage, derive_seed(config.seed, "weights"), place=model.prior,
                                lora=model.lora)
    return Relighter(stage, backbone, dropout=config.dropout)


def train(config: TrainConfig, until: Callable[[], bool] = lambda: False) -> Outcome:
    """This process's part in a run, from its last checkpoint on; after a step ``until`` may say that it shall stop."""
    return Trainer(config, new_relighter(config)).run(until)


def outcome(config: TrainConfig) -> Outcome:
    """How a run that other processes carried out has ended, as its checkpoints tell."""
    found = checkpoint.latest(Path(config.output))
    step = 0 if found is None else int(checkpoint.read_state(found)["step"])
    return Outcome(step, step < config.steps, found)


def export(run: Path, folder: Path) -> int:
    """Write the averaged weights of a run's newest whole checkpoint as a relighter that can be used; its step."""
    found = checkpoint.latest(run)
    if found is None:
        raise SpecError(f"{run}: holds no checkpoint (step-... with its state.json)")
    state = checkpoint.read_state(found)
    config = TrainConfig.model_validate(state["config"])
    relighter = new_relighter(config)
    load_weights(relighter, checkpoint.read_tensors(found, "average"), World())
    staging = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        relighter.save_pretrained(staging)
        write_card(staging, config, state["step"])
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(staging, folder)
    except (OSError, SafetensorError) as error:
        raise AssetError(f"{folder}: cannot be written ({one_line(error)})") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return state["step"]
