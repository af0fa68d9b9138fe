"""Backbones: what is new adds nothing until trained, weights come back as they were, and clips keep to themselves."""

import dataclasses
import json
import resource
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from assets.errors import AssetError, SpecError
from relight.batch import STAGES
from relight.diffusion.guidance import Dropout
from relight.models.base import Conditions
from relight.models.light import Light, spiral
from relight.models.load import load_backbone, new_backbone
from relight.models.small_layers import TimeMixing, to_display, to_linear
from relight.relighter import Relighter
from tests.relight.tiny import FRAMES, backbone, clip, generator, lamp_maps

NAMES = ("svd", "wan", "small")


pytestmark = pytest.mark.usefixtures("one_thread")


def inputs(relighter: Relighter, clips: int = 2, frames: int | None = None):
    """Noisy latents, levels and conditions of tiny clips."""
    batch = clip(frames or FRAMES[relighter.backbone.name], clips=clips)
    conditions = relighter.conditions(batch)
    shape = list(conditions.latents.shape)
    shape[2] = len(relighter.stage.outputs) * relighter.backbone.latent_channels
    return torch.randn(shape, generator=generator()), torch.linspace(0.4, 0.6, clips), conditions


def prior_network(kind: type, folder: Path) -> torch.nn.Module:
    """The prior as diffusers runs it, its weights copied from the file (a mapped file's own are not aligned)."""
    network = kind.from_config(json.loads((folder / "config.json").read_text()))
    network.load_state_dict(load_file(folder / "diffusion_pytorch_model.safetensors"))
    return network


def stir(module: torch.nn.Module) -> None:
    """Every weight away from zero, as training would leave it."""
    rng = generator(3)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn(parameter.shape, generator=rng)


@pytest.mark.parametrize("lora", [0, 2])
@pytest.mark.parametrize("stage", ["relight", "delight"])
def test_an_untrained_svd_is_its_prior_to_the_bit(priors, stage, lora):
    model = Relighter(stage, backbone("svd", stage, priors, lora=lora))
    noisy, level, conditions = inputs(model)
    from diffusers import UNetSpatioTemporalConditionModel

    unet = prior_network(UNetSpatioTemporalConditionModel, priors / "svd" / "unet")
    picture = conditions.latents[:, :, :4] / model.backbone.vae.config.scaling_factor
    with torch.no_grad():
        ours = model.backbone(noisy, level, conditions)
        prior = unet(torch.cat([noisy[:, :, :4], picture], dim=2), level, torch.zeros(2, 1, 16),
                     torch.tensor([[6.0, 127.0, 0.0]] * 2)).sample
    assert torch.equal(ours[:, :, :4], prior)
    assert prior.std() > 0.01 and not ours[:, :, 4:].any()


@pytest.mark.parametrize("lora", [0, 2])
@pytest.mark.parametrize("stage", ["relight", "delight"])
def test_an_untrained_wan_is_its_prior_to_the_bit(priors, stage, lora):
    model = Relighter(stage, backbone("wan", stage, priors, lora=lora))
    noisy, level, conditions = inputs(model)
    from diffusers import WanTransformer3DModel

    transformer = prior_network(WanTransformer3DModel, priors / "wan" / "transformer")
    with torch.no_grad():
        ours = model.backbone(noisy, level, conditions)
        prior = transformer(noisy[:, :, :4].transpose(1, 2), 1000 * level, torch.zeros(2, 1, 16)).sample
    assert torch.equal(ours[:, :, :4], prior.transpose(1, 2))
    assert prior.std() > 0.01 and not ours[:, :, 4:].any()


def test_an_untrained_small_one_lights_the_flat_picture_from_the_front_before_the_background():
    model = Relighter("relight", backbone("small", "relight", Path()))
    batch = clip(1)
    log, direction = lamp_maps(torch.tensor([[[0.0, 0.0, 1.0]]]))
    front = model.sample(dataclasses.replace(batch, light_log=log, light_direction=direction), generator())["target"]
    behind, _ = lamp_maps(torch.tensor([[[0.0, 0.0, -1.0]]]))
    back = model.sample(dataclasses.replace(batch, light_log=behind, light_direction=direction), generator())["target"]
    outside = (batch.alpha == 0).expand_as(front)
    assert (front - batch.background)[outside].abs().max() < 0.05
    assert front[~outside].mean() > 2 * back[~outside].mean()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stage", ["relight", "delight"])
def test_weights_and_what_they_do_come_back_to_the_bit(priors, tmp_path, name, stage):
    model = Relighter(stage, backbone(name, stage, priors), dropout=Dropout(light=0.25))
    stir(model)
    model.save_pretrained(tmp_path / "saved")
    again = Relighter.from_pretrained(tmp_path / "saved")
    before, after = model.state_dict(), again.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)
    assert again.objective == model.objective and again.dropout == model.dropout
    batch = clip(FRAMES[name])
    first, second = (one.sample(batch, generator(), steps=2) for one in (model, again))
    assert first.keys() == set(STAGES[stage].outputs)
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", NAMES)
def test_weights_saved_as_halves_come_back_rounded_and_do_nearly_the_same(priors, tmp_path, name):
    model = Relighter("relight", backbone(name, "relight", priors))
    stir(model)
    model.save_pretrained(tmp_path / "whole")
    model.save_pretrained(tmp_path / "half", half=True)
    sizes = [(tmp_path / kind / "model.safetensors").stat().st_size for kind in ("whole", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    again = Relighter.from_pretrained(tmp_path / "half")
    for key, value in model.state_dict().items():
        expected = value.half().to(value.dtype) if value.is_floating_point() else value
        assert torch.equal(again.state_dict()[key], expected) and again.state_dict()[key].dtype == value.dtype
    batch = clip(FRAMES[name])
    first, second = (one.sample(batch, generator())["target"] for one in (model, again))
    assert 0 < (first - second).abs().max() < 0.01


def test_a_weight_beyond_halves_is_refused_before_anything_is_written(tmp_path):
    model = Relighter("relight", backbone("small", "relight", tmp_path))
    with torch.no_grad():
        model.backbone.stem.bias[3] = -70_000
    with pytest.raises(SpecError, match=r"^stem.bias: reaches 7e\+04, float16 holds no more than 65504"):
        model.save_pretrained(tmp_path / "half", half=True)
    assert not (tmp_path / "half").exists()


@pytest.mark.parametrize("name", ["svd", "wan"])
def test_a_lora_saves_what_was_trained_and_finds_its_prior_again(priors, tmp_path, name):
    model = backbone(name, "relight", priors, lora=2)
    stir(model)
    model.save_pretrained(tmp_path)
    again = load_backbone(tmp_path)
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in model.state_dict().items())
    whole = sum(file.stat().st_size for file in (priors / name).rglob("*.safetensors"))
    adapters = [key for key, value in model.network.named_parameters() if value.requires_grad]
    assert adapters and all("lora_" in key for key in adapters)
    assert not any(key.startswith("vae.") for key in model.saved_names()) and whole > 0


def test_the_same_seed_gives_the_same_weights_and_leaves_other_streams_alone(priors):
    state = torch.get_rng_state()
    first, second = (backbone("svd", "relight", priors, lora=2).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert torch.equal(state, torch.get_rng_state())
    one, other = (new_backbone("small", STAGES["relight"], seed, channels=(16,)).stem.weight for seed in (0, 1))
    assert not torch.equal(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_recomputing_activations_changes_nothing(priors, name):
    def gradients(recompute: bool) -> list[torch.Tensor]:
        model = Relighter("relight", backbone(name, "relight", priors))
        stir(model)
        model.backbone.checkpoint_gradients(recompute)
        model.train()(clip(FRAMES[name]), generator()).backward()
        return [value.grad for value in model.parameters() if value.grad is not None]

    kept, recomputed = gradients(False), gradients(True)
    assert len(kept) == len(recomputed) > 20
    for one, other in zip(kept, recomputed, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")  # Wan's norm of queries and keys: slower
@pytest.mark.parametrize("name", NAMES)
def test_mixed_precision_gives_nearly_the_same_loss(priors, name):
    model = Relighter("relight", backbone(name, "relight", priors))
    stir(model)
    batch = clip(FRAMES[name])
    with torch.no_grad():
        exact = model(batch, generator())
        with torch.autocast("cpu", torch.bfloat16):
            rough = model(batch, generator())
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=0.05, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_does_not_see_the_others_of_its_batch(priors, name):
    model = Relighter("relight", backbone(name, "relight", priors)).eval()
    stir(model)
    noisy, level, conditions = inputs(model)
    with torch.no_grad():
        both = model.backbone(noisy, level, conditions)
        noisy[1] = 3
        conditions.latents[1] = -1
        changed = model.backbone(noisy, level, conditions)
    assert torch.equal(both[0], changed[0])
    assert not torch.equal(both[1], changed[1])


@pytest.mark.parametrize("name", NAMES)
def test_dropped_light_is_not_seen_and_light_is(priors, name):
    model = Relighter("relight", backbone(name, "relight", priors)).eval()
    stir(model)
    noisy, level, conditions = inputs(model, clips=1)
    frames = FRAMES[name]
    other, _ = lamp_maps(torch.tensor([[[0.0, -1.0, 0.0]]]).expand(1, frames, -1))
    moved = dataclasses.replace(conditions.light, log=other, ldr=other)

    def output(light: Light, present: bool) -> torch.Tensor:
        light = dataclasses.replace(light, present=torch.tensor([present]))
        with torch.no_grad():
            return model.backbone(noisy, level, Conditions(conditions.latents, conditions.present, light))

    assert torch.equal(output(conditions.light, False), output(moved, False))
    assert not torch.equal(output(conditions.light, True), output(moved, True))


def test_light_of_one_frame_reaches_that_frame(priors):
    model = Relighter("relight", backbone("small", "relight", priors)).eval()
    batch = clip(3)
    log = batch.light_log.clone()
    log[:, 2] = 0
    one, other = (model.sample(part, generator())["target"]
                  for part in (batch, dataclasses.replace(batch, light_log=log)))
    assert torch.equal(one[:, :2], other[:, :2]) and not torch.equal(one[:, 2], other[:, 2])


def test_lobes_average_radiance_by_solid_angle_and_turn_with_the_map():
    log, direction = lamp_maps(torch.tensor([[[0.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]]]), height=32)
    yes, exposure = torch.ones(2, dtype=torch.bool), torch.zeros(2, 1)
    averages, axes = Light(log, log, direction, exposure, yes, yes).lobes(64)
    brightest = averages[..., 3].argmax(dim=1)
    assert axes[brightest[0], 1] > 0.95 and axes[brightest[1], 0] > 0.85
    # Both lamps have the same power, wherever they stand.
    torch.testing.assert_close(averages[0, :, 3].mean(), averages[1, :, 3].mean(), rtol=0.02, atol=0)
    torch.testing.assert_close(spiral(256).mean(dim=0), torch.zeros(3), atol=2e-3, rtol=0)


def test_time_mixing_sees_neighbours_only():
    mixing = TimeMixing(2)
    with torch.no_grad():
        mixing.taps.copy_(torch.tensor([1.0, 10.0, 100.0]).view(3, 1, 1, 1))
    frames = torch.arange(1.0, 5.0).view(4, 1, 1, 1).expand(4, 2, 1, 1)
    assert mixing(frames, 4)[:, 0, 0, 0].tolist() == [211, 1 + 22 + 300, 2 + 33 + 400, 3 + 44]
    assert mixing(frames, 1)[:, 0, 0, 0].tolist() == [11, 22, 33, 44]


def test_curves_are_inverse_and_rise_beyond_white():
    display = torch.linspace(0, 1, 100)
    torch.testing.assert_close(to_display(to_linear(display)), display)
    assert (to_display(torch.linspace(-0.1, 4, 200)).diff() > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_sizes_that_are_no_multiple_are_refused(priors, name):
    model = backbone(name, "relight", priors)
    odd = torch.zeros(1, 1, 3, model.pixel_multiple, model.pixel_multiple + 1)
    with pytest.raises(SpecError, match=f"^resolution: got .*, {name} takes multiples of {model.pixel_multiple}$"):
        model.encode(odd)


def test_wan_refuses_frames_that_its_vae_would_drop(priors):
    with pytest.raises(SpecError, match="^frames: got 4, wan takes 4 k \\+ 1"):
        backbone("wan", "relight", priors).encode(torch.zeros(1, 4, 3, 32, 32))


def test_small_takes_any_multiple_of_32():
    model = Relighter("relight", new_backbone("small", STAGES["relight"], 0, channels=(16, 16, 16, 16), blocks=1))
    assert model.backbone.pixel_multiple == 32
    batch = clip(1, size=96)
    wide = dataclasses.replace(batch, **{name: getattr(batch, name)[..., :64, :] for name in
                                         ("flat", "alpha", "background")})
    assert model.sample(wide, generator())["target"].shape == (1, 1, 3, 64, 96)


def test_a_pickle_is_refused_in_one_line(priors, tmp_path):
    for folder, load in ((tmp_path / "ours", load_backbone), (tmp_path / "prior", lambda place: new_backbone(
            "svd", STAGES["relight"], 0, place=place))):
        for part in ("", "unet", "vae"):
            (folder / part).mkdir(parents=True, exist_ok=True)
            (folder / part / "config.json").write_text("{}")
            (folder / part / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x04.")
        with pytest.raises(AssetError, match="a pickle, which could run anything") as error:
            load(folder)
        assert "\n" not in str(error.value)


def test_weights_of_another_network_are_refused(tmp_path):
    backbone("small", "relight", tmp_path).save_pretrained(tmp_path)
    config = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(config.replace('"lobes": 16', '"lobes": 36'))
    with pytest.raises(AssetError, match="has shape .* expected"):
        load_backbone(tmp_path)
    (tmp_path / "config.json").write_text(config.replace('"blocks": 1', '"blocks": 2'))
    with pytest.raises(AssetError, match="is missing, expected those of small"):
        load_backbone(tmp_path)
    with pytest.raises(SpecError, match="^small: field 'channels.0' is 20: Input should be a multiple of 16"):
        new_backbone("small", STAGES["relight"], 0, channels=(20,))
    with pytest.raises(SpecError, match="^backbone: got 'big', may be svd, wan, small"):
        new_backbone("big", STAGES["relight"], 0)


def write_config(folder, **facts):
    """Somebody else's config.json beside our weights."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | facts))


def test_a_network_larger_than_its_weights_is_refused_before_it_takes_memory(tmp_path):
    model = backbone("small", "relight", tmp_path)
    model.save_pretrained(tmp_path)
    write_config(tmp_path, settings=model.settings() | {"channels": [2048, 2048], "blocks": 3})  # 2 GB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(AssetError, match="is missing, expected those of small"):
        load_backbone(tmp_path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB
    load_tiny = new_backbone("small", STAGES["relight"], 0)  # what was made on no device has spoilt nothing
    assert {value.device.type for value in load_tiny.state_dict().values()} == {"cpu"}


@pytest.mark.parametrize(("facts", "message"), [
    ({"settings": {"blocks": 10**9}}, "small: field 'blocks' is 1000000000: Input should be less than or equal to 32"),
    ({"settings": {"blocks": "many"}}, "small: field 'blocks' is 'many': Input should be a valid integer"),
    ({"settings": {"channels": [32] * 99}}, "small: field 'channels' is .*at most 8 items"),
    ({"settings": {"depth": 3}}, "small: unknown field 'depth'; known fields: channels, blocks"),
    ({"settings": [1]}, r"settings is \[1\], expected an object"),
    ({"backbone": ["small"]}, r"backbone is \['small'\], expected a text"),
    ({"backbone": "svd", "settings": {"lora": 0}}, "settings make no svd"),
    ({"stage": "undress"}, "stage: got 'undress', may be delight or relight"),
])
def test_settings_that_make_no_network_are_refused_in_one_line(tmp_path, facts, message):
    backbone("small", "relight", tmp_path).save_pretrained(tmp_path)
    write_config(tmp_path, **facts)
    with pytest.raises(AssetError, match=rf"config\.json: {message}") as error:
        load_backbone(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("facts", "message"), [
    ({"dropout": {"light": "often"}}, "dropout: field 'light' is 'often'"),
    ({"dropout": {"lights": 1}}, "dropout: unknown field 'lights'"),
    ({"objective": {}}, "objective: got ''"),
    ({"objective": {"name": "flow", "shift": [3]}}, r"objective flow: shift is \[3\], expected a number"),
])
def test_facts_of_a_relighter_that_are_none_are_refused_in_one_line(tmp_path, facts, message):
    Relighter("relight", backbone("small", "relight", tmp_path)).save_pretrained(tmp_path)
    file = tmp_path / "relighter.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | facts))
    with pytest.raises(AssetError, match=rf"relighter\.json: {message}"):
        Relighter.from_pretrained(tmp_path)
