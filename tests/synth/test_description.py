import numpy as np
import pydantic
import pytest

from synth.appearance.description import Appearance, HairLook, SkinLook, WornLook
from synth.appearance.sampling import sample_appearance
from synth.hair.beard import BEARDS
from synth.hair.styles import STYLES
from synth.heads.head import Identity
from synth.heads.worn.covers import COVERS
from synth.heads.worn.glasses import GLASSES

PARTS = ("skin", "eyes", "mouth", "hair", "worn")


def draw(seed: int, male: float | None = None, age: float | None = None) -> Appearance:
    identity = None if male is None else Identity(np.zeros(1, np.float32), male=male, age=age)
    return sample_appearance(np.random.default_rng(seed), identity)


@pytest.mark.parametrize("seed", range(20))
def test_an_appearance_survives_json(seed):
    appearance = draw(seed)
    assert Appearance.model_validate_json(appearance.model_dump_json()) == appearance


@pytest.mark.parametrize("part", PARTS)
def test_unknown_fields_are_refused(part):
    with pytest.raises(pydantic.ValidationError, match="colour_of_socks"):
        Appearance.model_validate({part: {"colour_of_socks": 1}})
    with pytest.raises(pydantic.ValidationError, match="socks"):
        Appearance.model_validate({"socks": {}})


@pytest.mark.parametrize(("part", "name", "value"), [
    ("skin", "melanin", 0.6), ("skin", "melanin", 0.0), ("skin", "moles", -1), ("skin", "moles", 2.5),
    ("skin", "roughness", float("nan")), ("eyes", "iris", "violet"), ("eyes", "pupil_mm", 9), ("mouth", "wet", 1.1),
    ("hair", "eumelanin", -0.1), ("hair", "hairline", 3), ("hair", "curl", "tight"), ("worn", "dye", 100),
    ("worn", "seed", -1),
])
def test_values_out_of_range_are_refused(part, name, value):
    with pytest.raises(pydantic.ValidationError, match=name):
        Appearance.model_validate({part: {name: value}})


def test_descriptions_dont_change():
    with pytest.raises(pydantic.ValidationError):
        SkinLook().melanin = 0.3
    assert SkinLook.model_fields["melanin"].description and WornLook.model_fields["glasses"].description


def test_the_same_seed_is_the_same_person_and_others_differ():
    assert draw(5) == draw(5)
    drawn = [draw(seed) for seed in range(30)]
    assert len({appearance.model_dump_json() for appearance in drawn}) == 30
    for part in ("skin", "eyes", "mouth", "hair"):
        assert len({getattr(appearance, part).model_dump_json() for appearance in drawn}) == 30


@pytest.mark.parametrize("part", PARTS)
def test_what_is_drawn_for_one_part_never_moves_another(monkeypatch, part):
    """A part that draws more than before leaves the others as they were."""
    from synth.appearance import sampling

    before = draw(11)
    own = getattr(sampling, f"_{part}")

    def greedy(rng, *arguments):
        rng.random(17)
        return own(rng, *arguments)

    monkeypatch.setattr(sampling, f"_{part}", greedy)
    after = draw(11)
    assert [name for name in PARTS if getattr(before, name) != getattr(after, name)] == [part]


def test_only_one_generator_step_is_taken():
    one, two = np.random.default_rng(3), np.random.default_rng(3)
    sample_appearance(one)
    two.integers(2**62)
    assert one.random() == two.random()


def test_sex_decides_on_beards():
    women, men = ([draw(seed, male, 40.0).hair for seed in range(80)] for male in (0.2, 0.9))
    assert {hair.beard for hair in women} == {"none"} and not any(hair.beard_growth for hair in women)
    assert sum(hair.beard not in ("none", "shaved") for hair in men) > 20 and all(hair.beard_growth for hair in men)


def test_age_greys_and_wrinkles():
    young, middle, old = ([draw(seed, 0.5, age) for seed in range(40)] for age in (20.0, 50.0, 80.0))
    grey = [np.mean([look.hair.grey for look in looks]) for looks in (young, middle, old)]
    assert grey[0] == 0 and grey[0] < grey[1] < grey[2] and grey[2] > 0.7
    lines = [np.mean([look.skin.wrinkles for look in looks]) for looks in (young, middle, old)]
    assert lines[0] + 0.1 < lines[1] and lines[1] + 0.1 < lines[2]
    assert not any(look.skin.age_spots for look in young)


def test_every_style_that_is_drawn_exists_and_the_population_is_spread():
    looks = [draw(seed) for seed in range(400)]
    assert {look.worn.glasses for look in looks} <= {None, *GLASSES}
    assert {look.worn.cover for look in looks} <= {None, *COVERS}
    assert {look.hair.style for look in looks} <= {"bald", *STYLES}
    assert {look.hair.beard for look in looks} <= {"none", "shaved", *BEARDS}
    assert 0.05 < np.mean([look.worn.glasses is not None for look in looks]) < 0.4
    melanin = np.array([look.skin.melanin for look in looks])
    assert np.percentile(melanin, 10) < 0.025 and np.percentile(melanin, 90) > 0.2
    assert len({look.eyes.iris for look in looks}) >= 6


def test_a_family_brings_its_own_hair(monkeypatch):
    class Head:
        hairstyles = {"hair/mine": None}

    styles = [sample_appearance(np.random.default_rng(seed), None, Head()).hair.style for seed in range(40)]
    assert 5 < styles.count("hair/mine") < 35
    assert HairLook(style="hair/mine").style == "hair/mine"
