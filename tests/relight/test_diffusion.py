"""Objectives against their papers' formulas, guidance and dropout, and whether every backbone can learn a clip."""

import dataclasses
import math

import pydantic
import pytest
import torch

from assets.errors import SpecError
from relight.diffusion.guidance import Dropout, Guidance, hide
from relight.diffusion.objective import Edm, FlowMatching, rand, randn
from relight.models.base import Conditions
from relight.models.light import Light
from relight.relighter import Relighter, objective_of
from tests.relight.tiny import FRAMES, backbone, clip, generator, lamp_maps

SHAPE = (3, 2, 4, 6, 5)
NOTHING_DROPPED = Dropout(picture=0, light=0, exposure=0, everything=0)
OBJECTIVES = [Edm(), FlowMatching(), FlowMatching(predicts="clean", noise_share=0.5, floor=0.3)]


pytestmark = pytest.mark.usefixtures("one_thread")


def ideal(objective, clean):
    """The network that knows the answer."""
    def network(noisy, level):
        level = level.view(-1, 1, 1, 1, 1)
        if isinstance(objective, Edm):
            # v of the variance-preserving process x / sqrt(1 + sigma^2) (Salimans and Ho 2022, eq. 10 on)
            sigma = torch.exp(4 * level)
            alpha, noise = (1 + sigma**2).rsqrt(), sigma * (1 + sigma**2).rsqrt()
            return alpha * (noisy - alpha * clean) / noise - noise * clean
        return clean if objective.predicts == "clean" else (noisy - clean) / level
    return network


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_a_network_that_knows_the_answer_has_no_loss_and_samples_it(objective):
    clean = randn(SHAPE, generator())
    loss = objective.loss(ideal(objective, clean), clean, generator(1))
    assert loss.shape == (3,) and loss.max() < 1e-4
    for steps in (1, 4):
        torch.testing.assert_close(objective.sample(ideal(objective, clean), randn(SHAPE, generator(2)), steps), clean,
                                   atol=2e-3, rtol=0)


@pytest.mark.parametrize("objective", OBJECTIVES[:2], ids=str)
def test_the_loss_is_that_of_what_the_prior_predicts_at_every_level(objective):
    clean, noise, error = (randn(SHAPE, generator(seed)) for seed in range(3))
    for level in (0.06, 0.5, 0.99):
        level = torch.full((3,), level)
        exact = ideal(objective, clean)
        noisy = objective.mix(clean, noise, level)
        off = objective.denoise(lambda *args, exact=exact: exact(*args) + error, noisy, level)
        weighted = objective.weight(level) * (off - clean).square().flatten(1).mean(dim=1)
        torch.testing.assert_close(weighted, error.square().flatten(1).mean(dim=1), rtol=2e-3, atol=0)


def test_edm_tells_the_network_a_quarter_of_log_sigma_and_unit_variance():
    seen = []
    clean, noise = (randn((400, 1, 1, 4, 4), generator(seed)) for seed in range(2))
    level = torch.full((400,), 5.0)
    Edm().denoise(lambda noisy, told: seen.append((noisy, told)) or noisy, Edm().mix(clean, noise, level), level)
    (noisy, told), = seen
    assert abs(noisy.std() - 1) < 0.03
    torch.testing.assert_close(told, torch.full((400,), math.log(5) / 4))


def test_levels_are_drawn_as_the_priors_were_trained():
    sigma = Edm().draw_levels(20_000, generator()).log()
    assert abs(sigma.mean() - 0.7) < 0.05 and abs(sigma.std() - 1.6) < 0.05
    plain, towards_noise = (FlowMatching(shift=shift).draw_levels(20_000, generator()) for shift in (1.0, 3.0))
    assert abs(plain.median() - 0.5) < 0.01 and abs(towards_noise.median() - 0.75) < 0.01
    share = (FlowMatching(noise_share=0.5).draw_levels(4000, generator()) == 1).float().mean()
    assert abs(share - 0.5) < 0.03


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_schedules_fall_from_the_highest_level_to_zero(objective):
    levels = objective.schedule(8)
    assert len(levels) == 9 and (levels.diff() < 0).all() and levels[-1] == 0
    assert levels[0] == pytest.approx(700 if isinstance(objective, Edm) else 1)
    assert objective.schedule(1).tolist() == [levels[0], 0]


def test_a_clip_s_own_generator_gives_its_noise_whatever_else_is_in_the_batch():
    both = randn(SHAPE[1:], [generator(4), generator(5)])
    assert torch.equal(both[1:], randn((1, *SHAPE[2:]), [generator(5)]))
    assert not torch.equal(both[0], both[1])
    with pytest.raises(SpecError, match="^generator: got 2, expected one, or one for each of 3 clips"):
        rand(3, [generator(), generator()])


def conditions(clips: int = 2, pictures: int = 3) -> Conditions:
    log, direction = lamp_maps(torch.tensor([[[0.0, 1.0, 0.0]]]).expand(clips, 1, -1))
    yes = torch.ones(clips, dtype=torch.bool)
    light = Light(log, log, direction, torch.ones(clips, 1), yes, yes)
    return Conditions(torch.ones(clips, 1, 4 * pictures, 2, 2), torch.ones(clips, pictures, dtype=torch.bool), light)


def test_dropout_hides_each_condition_as_often_as_it_says():
    dropped = Dropout(picture=0.2, light=0.3, exposure=0.4, everything=0.1).apply(conditions(8000), generator())
    for present, share in ((dropped.present[:, 0], 0.28), (dropped.present[:, 2], 0.28), (dropped.light.present, 0.37),
                           (dropped.light.exposure_known, 0.46), (dropped.present.any(dim=1), 0.1 + 0.9 * 0.2**3)):
        assert abs(1 - present.float().mean() - share) < 0.02
    assert torch.equal(dropped.latents.view(8000, 3, -1).any(dim=2), dropped.present)
    assert torch.equal(dropped.light.exposure[:, 0] == 0, ~dropped.light.exposure_known)
    kept = NOTHING_DROPPED.apply(conditions(), generator())
    assert kept.present.all() and kept.light.present.all() and kept.light.exposure_known.all()
    with pytest.raises(pydantic.ValidationError, match="light\n  Input should be less than or equal to 1"):
        Dropout(light=2)


def test_guidance_weighs_light_and_pictures_apart_and_runs_no_more_than_it_must():
    calls = []

    def network(noisy, level, told):
        calls.append(1)
        return noisy + 10.0 * told.present.any() + 100.0 * told.light.present.any()

    noisy, level = torch.zeros(2, 1, 1, 1, 1), torch.ones(2)
    for source, light, value, count in ((1, 1, 110, 1), (1, 3, 310, 2), (2, 1, 120, 3), (2, 2, 220, 2), (0, 0, 0, 1)):
        calls.clear()
        assert (Guidance(source, light).predict(network, noisy, level, conditions()) == value).all()
        assert len(calls) == count


def test_hidden_pictures_are_zeros_and_say_so():
    light, exposure = torch.tensor([True, False]), torch.tensor([False, True])
    told = hide(conditions(), torch.tensor([True, False, True]), light, exposure)
    planes = told.planes()[0, 0, :, 0, 0].tolist()
    assert planes == [1] * 4 + [0] * 4 + [1] * 4 + [1, 0, 1]
    assert told.light.present.tolist() == [True, False] and told.light.exposure[:, 0].tolist() == [0, 1]


def test_objectives_refuse_what_they_cannot_do():
    for name, fields, message in (("edm", {"lowest": 0}, "^edm: got"), ("flow", {"shift": 0}, "^flow: got"),
                                  ("flow", {"predicts": "noise"}, "^predicts: got 'noise', may be velocity or clean"),
                                  ("flow", {"sigma": 1}, "^objective flow: got sigma, may have predicts, shift"),
                                  ("flow", {"shift": "3"}, "^objective flow: shift is '3', expected a number"),
                                  ("ddpm", {}, "^objective: got 'ddpm', may be edm, flow")):
        with pytest.raises(SpecError, match=message):
            objective_of(name, **fields)
    with pytest.raises(SpecError, match="^steps: got 0"):
        Edm().sample(lambda noisy, level: noisy, torch.zeros(SHAPE), 0)


def test_a_stage_works_with_part_of_its_conditions(priors):
    from types import SimpleNamespace

    batch = clip(2)
    model = Relighter("relight", backbone("small", "relight", priors))
    some = SimpleNamespace(flat=batch.flat, alpha=batch.alpha, background=None)
    assert model.sample(some, generator())["target"].isfinite().all()
    with pytest.raises(SpecError, match="^batch: has none of flat, alpha, background"):
        model.sample(SimpleNamespace(), generator())
    with pytest.raises(SpecError, match="^backbone: made for relight, expected one for delight"):
        Relighter("delight", model.backbone)


@pytest.mark.parametrize("name, stage, steps, rate", [
    ("svd", "relight", 100, 4e-3), ("wan", "relight", 320, 4e-3), ("small", "relight", 120, 2e-2),
    ("small", "delight", 240, 2e-2)])
def test_every_backbone_learns_a_clip(priors, name, stage, steps, rate):
    """PSNR of latents, with their range for a peak: the priors' VAEs are random here, small's latents are pictures.

    The tiny UNet normalises each of its channels alone and cannot hand noise on, so it learns high sigmas and is
    sampled in one step.
    """
    batch = clip(FRAMES[name], size=16)
    objective, euler_steps = (Edm(log_mean=4.0), 1) if name == "svd" else (None, 8)
    model = Relighter(stage, backbone(name, stage, priors), objective).train()
    told = model.conditions(batch)
    clean = model.targets(batch)
    several, told_each = clean.expand(3, -1, -1, -1, -1), repeated(told, 3)
    optimizer = torch.optim.AdamW([value for value in model.parameters() if value.requires_grad], rate, (0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.1)
    rng = generator(7)
    for _ in range(steps):
        loss = model.objective.loss(lambda noisy, level: model.backbone(noisy, level, told_each), several, rng)
        loss.mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    with torch.no_grad():
        found = model.objective.sample(lambda noisy, level: model.backbone(noisy, level, told),
                                       randn(clean.shape, rng), euler_steps)
    peak = clean.max() - clean.min()
    psnr = -10 * torch.log10((found - clean).square().mean() / peak**2)
    assert psnr >= 30, f"{name}: {psnr:.1f} dB"


def repeated(told: Conditions, count: int) -> Conditions:
    """The conditions of one clip, ``count`` times."""
    light = told.light and Light(**{field.name: getattr(told.light, field.name).repeat_interleave(count, dim=0)
                                    for field in dataclasses.fields(Light)})
    return Conditions(told.latents.repeat_interleave(count, dim=0), told.present.repeat_interleave(count, dim=0), light)


@pytest.mark.parametrize("name", ["svd", "wan"])
def test_light_that_an_untrained_prior_ignores_is_seen_after_some_steps(priors, name):
    frames = FRAMES[name]
    batch, turned = (clip(frames, size=16, clips=2, seed=seed) for seed in (0, 9))
    model = Relighter("relight", backbone(name, "relight", priors), dropout=NOTHING_DROPPED)
    told = model.conditions(batch)
    moved = Conditions(told.latents, told.present, model.conditions(turned).light)
    noisy, level = randn(told.latents[:, :, :4].shape, generator()), torch.full((2,), 0.5)

    def difference() -> float:
        with torch.no_grad():
            return float((model.backbone(noisy, level, told) - model.backbone(noisy, level, moved)).abs().max())

    assert difference() == 0
    optimizer, rng = torch.optim.AdamW(model.parameters(), 1e-2), generator(8)
    for _ in range(3):
        model(batch, rng).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert difference() > 1e-4
