"""Drawing appearances as they spread over the world's people, from a stream of their own."""

from __future__ import annotations

import numpy as np

from synth.appearance.description import Appearance, EyeLook, HairLook, MouthLook, SkinLook, WornLook
from synth.appearance.tones import melanin_of
from synth.heads.head import HeadModel, Identity
from synth.seeds import keyed


def sample_appearance(rng: np.random.Generator, identity: Identity | None = None,
                      head: HeadModel | None = None) -> Appearance:
    """A plausible appearance; sex and age are the identity's where it tells them, and drawn otherwise.

    Every part has a generator of its own, so that what is drawn for one never moves another.
    """
    seed = int(rng.integers(2**62))

    person = keyed(seed, "person")
    drawn = float(person.random() < 0.5), float(18 + 67 * person.beta(1.2, 1.7))
    male = drawn[0] if identity is None or identity.male is None else identity.male
    age = drawn[1] if identity is None or identity.age is None else identity.age
    # Uniform in the individual typology angle, so that every tone is as frequent; 0 is the lightest, 1 the darkest.
    dark = float(person.random())
    styles = tuple(head.hairstyles) if head is not None else ()
    return Appearance(
        skin=_skin(keyed(seed, "skin"), dark, age, male), eyes=_eyes(keyed(seed, "eyes"), dark, age),
        mouth=_mouth(keyed(seed, "mouth"), age), hair=_hair(keyed(seed, "hair"), dark, age, male, styles),
        worn=_worn(keyed(seed, "worn")),
    )


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _skin(rng: np.random.Generator, dark: float, age: float, male: float) -> SkinLook:
    old = np.clip((age - 30) / 45, 0, 1)
    fair = np.clip(1 - 2.2 * dark, 0, 1)
    blood = float(np.clip(0.0155 * np.exp(0.3 * rng.normal()), 0.006, 0.05))
    return SkinLook(
        melanin=melanin_of(73 - 135 * dark, blood), haemoglobin=blood,
        redness=rng.uniform(0.3, 1.2), lips=rng.uniform(0.5, 1.15), shadows=rng.uniform(0.3, 1.1) + 0.3 * old,
        veins=rng.uniform(0, 0.5) + 0.3 * old,
        freckles=float(rng.random() < 0.15 + 0.35 * fair) * rng.uniform(0.2, 1.0) * (0.35 + 0.65 * fair),
        moles=int(rng.poisson(5)), age_spots=float(old * rng.uniform(0, 0.9)),
        blemishes=float(rng.uniform(0, 0.5) * (1 - 0.6 * old)), mottling=rng.uniform(0.25, 0.9),
        oil=rng.uniform(0.15, 1.0), roughness=rng.uniform(0.42, 0.58) + 0.03 * old,
        pores=float(np.clip(rng.uniform(0.2, 0.8) + 0.15 * (male - 0.5) + 0.1 * old, 0, 1)),
        wrinkles=float(np.clip(rng.uniform(0.02, 0.25) + 0.75 * old * rng.uniform(0.6, 1.1), 0, 1)),
        flushing=rng.uniform(0.2, 1.0), seed=_seed(rng),
    )


def _eyes(rng: np.random.Generator, dark: float, age: float) -> EyeLook:
    fair = np.clip(1 - 2.4 * dark, 0, 1)
    odds = {"blue": 0.30 * fair, "grey": 0.10 * fair, "green": 0.13 * fair, "hazel": 0.05 + 0.12 * fair, "amber": 0.05,
            "brown": 0.3, "dark_brown": 0.2 + 0.5 * (1 - fair)}
    weights = np.array(list(odds.values()))
    old = np.clip((age - 40) / 45, 0, 1)
    pattern = str(rng.choice(["fibres", "crypts", "furrows", "smooth"], p=[0.45, 0.25, 0.15, 0.15]))
    return EyeLook(
        iris=str(rng.choice(list(odds), p=weights / weights.sum())), tone=rng.uniform(0, 1), pattern=pattern,
        pupil_mm=float(np.clip(rng.normal(4.2 - 1.1 * old, 0.7), 2.2, 6.5)),
        limbal_ring=float(np.clip(rng.uniform(0.35, 1.0) - 0.4 * old, 0, 1)),
        sclera_yellow=float(np.clip(rng.uniform(0, 0.35) + 0.35 * old + 0.25 * dark, 0, 1)),
        veins=float(np.clip(rng.uniform(0.05, 0.6) + 0.2 * old, 0, 1)), seed=_seed(rng),
    )


def _mouth(rng: np.random.Generator, age: float) -> MouthLook:
    old = np.clip((age - 25) / 50, 0, 1)
    return MouthLook(yellow=float(np.clip(rng.uniform(0.05, 0.6) + 0.35 * old, 0, 1)), gums=rng.uniform(0.2, 0.8),
                     wet=rng.uniform(0.4, 1.0), seed=_seed(rng))


def _pigments(rng: np.random.Generator, dark: float) -> tuple[float, float]:
    """Eumelanin and pheomelanin: fair and red hair are rarer the darker the skin."""
    fair = np.clip(1 - 2.2 * dark, 0, 1)
    kinds = {"blond": ((0.06, 0.25), (0.02, 0.12), 0.22 * fair), "light": ((0.3, 0.7), (0.05, 0.2), 0.22 * fair),
             "red": ((0.08, 0.4), (0.5, 1.2), 0.07 * fair), "brown": ((0.8, 1.8), (0.05, 0.3), 0.05 + 0.3 * fair),
             "dark": ((1.8, 4.0), (0.0, 0.2), 0.3), "black": ((4.0, 9.0), (0.0, 0.1), 0.15 + 0.6 * (1 - fair))}
    weights = np.array([kind[2] for kind in kinds.values()])
    eu, pheo, _ = kinds[str(rng.choice(list(kinds), p=weights / weights.sum()))]
    return float(np.exp(rng.uniform(*np.log(eu)))), float(rng.uniform(*pheo))


def _hair(rng: np.random.Generator, dark: float, age: float, male: float, own: tuple[str, ...]) -> HairLook:
    from synth.hair.beard import BEARDS
    from synth.hair.styles import STYLES, frequency

    eumelanin, pheomelanin = _pigments(rng, dark)
    grey = float(np.clip((age - 30) / 50 + 0.18 * rng.normal(), 0, 1) ** 1.7) if age > 28 else 0.0
    receding = float(np.clip((age - 25) / 55 * male * 1.6 + 0.5 * rng.normal() - 0.3, -1, 2)) if male > 0.5 else float(
        np.clip(0.35 * rng.normal(), -1, 1))
    odds = np.array([frequency(name, male) for name in STYLES])
    style = str(rng.choice(list(STYLES), p=odds / odds.sum()))
    family_own = rng.random() < 0.5, rng.random()  # drawn whether or not there are any: streams never shift
    if own and family_own[0]:
        odds = np.cumsum([frequency(name, male) for name in own])
        style = own[int(np.searchsorted(odds, family_own[1] * odds[-1], "right"))]
    bald = rng.random() < (0.14 if male > 0.5 else 0.02)
    weights = np.array([beard.weight for beard in BEARDS.values()])
    grown = str(rng.choice(list(BEARDS), p=weights / weights.sum()))
    beard = "none" if male < 0.5 else grown if rng.random() < 0.55 else "shaved"
    curl = rng.beta(1.2, 2.5) if dark < 0.7 else rng.beta(2.5, 1.2)
    return HairLook(
        eumelanin=eumelanin, pheomelanin=pheomelanin, grey=grey, style="bald" if bald else style,
        length=rng.uniform(0.7, 1.4), curl=float(curl), density=float(np.clip(rng.normal(1.0, 0.15) - 0.2 * (age > 60),
                                                                             0.5, 1.4)),
        hairline=receding, brow_thickness=float(np.clip(rng.normal(1.0 + 0.2 * male, 0.18), 0.6, 1.7)),
        brow_density=float(np.clip(rng.normal(0.95 + 0.15 * male, 0.18), 0.4, 1.5)),
        lash_length=float(np.clip(rng.normal(1.1 - 0.2 * male, 0.12), 0.6, 1.5)), beard=beard,
        beard_length=rng.uniform(0.7, 1.4), beard_growth=float(rng.uniform(0.3, 1.0)) if male > 0.5 else 0.0,
        seed=_seed(rng),
    )


def _worn(rng: np.random.Generator) -> WornLook:
    from synth.heads.worn.covers import COVERS
    from synth.heads.worn.glasses import GLASSES

    glasses = rng.random() < 0.15, str(rng.choice(list(GLASSES)))
    cover = rng.random() < 0.06, str(rng.choice(list(COVERS)))
    return WornLook(dye=int(rng.integers(100)), glasses=glasses[1] if glasses[0] else None,
                    cover=cover[1] if cover[0] else None, seed=_seed(rng))
