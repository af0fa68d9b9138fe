"""Drawing plausible people from the template's shape space.

Measures and traits of one person hang together through a few latent causes: sex, overall size, length, weight, age, the
nose's size, and what is typical of ancestries. Each is drawn, adds its share, and chance adds the rest, such that every
measure keeps the mean and, but for cut tails, the deviation that the table of
:mod:`synth.heads.template.anthropometry` gives for the sex. Shares and offsets are estimates by the author, guided by
published correlations and group means, not a fit to data.
"""

from __future__ import annotations

import numpy as np

from synth.heads.head import Identity
from synth.heads.template.anthropometry import MEASURES, table
from synth.heads.template.identity import LID_DROOP, SHAPES, TRAITS, spread

LIMIT = 2.0
"""Deviations at which a coefficient is cut: of people with some seventy of them, most would be odd in one beyond it."""
_SIZE = {
    "head_breadth": 0.40, "head_length": 0.50, "head_height": 0.55, "frontal_breadth": 0.40, "face_breadth": 0.55,
    "jaw_breadth": 0.40, "face_length": 0.50, "nose_length": 0.35, "nasal_root_breadth": 0.15, "nose_breadth": 0.15,
    "nose_protrusion": 0.25, "eye_distance": 0.45, "mouth_breadth": 0.35, "upper_lip_height": 0.2, "ear_length": 0.35,
    "ear_breadth": 0.3, "neck_girth": 0.35,
}
_LENGTH = {"face_length": 0.6, "nose_length": 0.6, "upper_lip_height": 0.4, "head_height": 0.6, "jaw_line": 0.3}
_WEIGHT = {
    "neck_girth": 0.8, "jaw_breadth": 0.6, "face_breadth": 0.45, "head_breadth": 0.2, "frontal_breadth": 0.2,
    "nose_breadth": 0.15, "cheek_fullness": 0.8, "double_chin": 0.8, "cheek_hollow": -0.5, "jowls": 0.3,
    "cheekbones": -0.2, "larynx": -0.25, "neck_bands": -0.25, "chin_breadth": 0.3, "eye_bags": 0.15, "temple": -0.3,
    "jaw_line": 0.2,
}
_AGE = {
    "ear_length": 0.45, "nose_length": 0.2, "nose_breadth": 0.15, "upper_lip_height": 0.35, "upper_vermilion": -0.4,
    "lower_vermilion": -0.35, "neck_girth": 0.15, "brow_height": -0.3, "lid_droop": 0.45, "lid_fold": 0.55,
    "eye_bags": 0.65, "temple": 0.4, "cheek_hollow": 0.3, "nasolabial_fold": 0.75, "jowls": 0.7, "double_chin": 0.25,
    "neck_bands": 0.5, "ear_lobe": 0.6, "mouth_corners": -0.4, "nose_tip": -0.35, "cheek_fullness": -0.2,
    "lip_eversion": -0.3, "eye_depth": 0.3, "philtrum": -0.4,
}
_NOSE = {
    "nose_protrusion": 0.6, "nose_bridge": 0.5, "nose_bulb": 0.45, "nose_breadth": 0.3, "nostrils": 0.25,
    "nose_tip": -0.5, "nasal_root_breadth": 0.2, "mouth_breadth": 0.2,
}
"""A nose is large as a whole: without it, long ones come out thin and turned up, which is rare."""
_MALE = {
    "brow_ridge": 0.65, "forehead_slope": 0.4, "forehead_bulge": -0.35, "brow_height": -0.35, "eye_size": -0.25,
    "eye_depth": 0.3, "cheek_fullness": -0.3, "cheekbones": -0.2, "nose_bridge": 0.2, "nose_hump": 0.3,
    "nose_tip": -0.35, "nose_bulb": 0.2, "chin_projection": 0.3, "chin_breadth": 0.5, "chin_cleft": 0.25,
    "jaw_line": 0.4, "larynx": 0.75, "neck_bands": 0.2, "lip_eversion": -0.25, "ear_flare": 0.2, "canthal_tilt": -0.3,
    "shoulders": -0.3,
}
"""Shares, in standard deviations for one of the cause: their squares are what it explains of the variance."""
_ANCESTRY = {
    "head_breadth": (-0.4, 0.6, 0.0, -0.5), "head_length": (0.3, -0.5, 0.2, -0.2),
    "face_breadth": (0.0, 0.6, 0.0, -0.5), "nasal_root_breadth": (0.5, 0.4, -0.5, -0.4),
    "nose_breadth": (1.0, 0.2, -0.8, -0.2), "nose_protrusion": (-0.6, -0.5, 0.6, 0.3),
    "nose_length": (-0.4, 0.0, 0.3, 0.1), "eye_distance": (0.6, 0.3, -0.5, -0.2),
    "mouth_breadth": (0.5, -0.3, 0.0, 0.0), "upper_vermilion": (1.1, 0.1, -0.9, 0.0),
    "lower_vermilion": (0.9, 0.0, -0.8, 0.1), "ear_length": (-0.4, 0.1, 0.1, 0.2),
    "face_length": (0.3, -0.2, 0.0, -0.1), "prognathism": (1.1, 0.1, -0.8, -0.2),
    "lip_eversion": (0.9, 0.1, -0.7, 0.0), "epicanthus": (-0.5, 1.5, -0.6, -0.4), "lid_fold": (-0.2, 0.9, -0.3, -0.2),
    "nose_bridge": (-0.7, -0.7, 0.8, 0.5), "nose_hump": (-0.5, -0.4, 0.5, 0.5), "nose_bulb": (0.7, 0.2, -0.5, 0.0),
    "nostrils": (0.5, 0.1, -0.3, 0.0), "eye_depth": (-0.1, -0.8, 0.6, 0.3), "brow_ridge": (-0.2, -0.6, 0.4, 0.2),
    "cheekbones": (0.1, 0.8, -0.4, -0.2), "canthal_tilt": (0.1, 0.8, -0.6, -0.1),
    "chin_projection": (-0.6, -0.2, 0.5, 0.1), "forehead_slope": (-0.3, -0.2, 0.3, 0.0),
    "occiput": (-0.3, 0.7, -0.2, 0.1),
}
"""Typical of west African, east Asian, European and south Asian people, in deviations (after Farkas et al.,
J. Craniofac. Surg. 16:615-646, 2005)."""
_LEAST = {"lid_fold": -0.6, "epicanthus": -0.5, "eye_bags": -0.8, "jowls": -0.9, "double_chin": -1.0,
          "neck_bands": -1.0, "nasolabial_fold": -1.1, "chin_cleft": -0.8, "mouth_breadth": -1.4, "nose_bulb": -0.5,
          "nose_breadth": -1.5, "nostrils": -1.2, "upper_vermilion": -1.5, "lower_vermilion": -1.5,
          "prognathism": -1.4, "chin_projection": -1.6}
"""Folds that can hardly be less than the average's, and forms whose lower tail looks like a mistake."""
_MOST = {"nose_protrusion": 1.2, "nose_hump": 1.4, "nose_bridge": 1.6, "nose_tip": 1.2, "upper_lip_height": 1.6}
"""Forms whose upper tail does."""
_MEAN = {"lid_droop": -0.4}
"""What the average person differs by: the sculpted fissure is 10.4 mm high, adults' 10.8 mm (Farkas 1994)."""
_AGES = (-1.3, 2.6)
"""Deviations of the cause age at 18 and at 85 years."""
_BLEND = 0.35
"""Concentration of the ancestry mixture: most people near one corner, some between."""


def sample_identity(rng: np.random.Generator, male: bool | None = None) -> Identity:
    """A plausible adult; ``male`` picks the sex, None leaves it to chance."""
    drawn = bool(rng.random() < 0.5)
    male = drawn if male is None else male
    own, age = _own(rng, 1.0 if male else -1.0)
    mean, sd = spread()
    sex_mean, sex_sd = table(male).T
    measured = (sex_mean - mean + sex_sd * own[: len(MEASURES)]) / sd
    shape = np.concatenate([[1.0], measured, own[len(MEASURES):]])
    return Identity(shape.astype(np.float32), male=float(male), age=float(np.interp(age, _AGES, (18.0, 85.0))))


def lid_droop(shape: np.ndarray) -> float:
    """How far an identity's upper lids hang at rest, as a share of their way to shut."""
    return LID_DROOP * float(shape[SHAPES.index("lid_droop")])


def _own(rng: np.random.Generator, sex: float) -> tuple[np.ndarray, float]:
    """(S - 1,) deviations from the sex's mean measures, traits and asymmetries, and the cause age."""
    size, length, weight, nose = np.clip(rng.normal(size=4), -2.3, 2.3)
    age = np.clip((rng.gamma(2.0, 1.0) - 2.0) / np.sqrt(2.0), *_AGES)
    mixture = rng.dirichlet(np.full(4, _BLEND)) - 0.25
    chance = rng.normal(size=len(SHAPES) - 1)
    out = np.zeros(len(SHAPES) - 1)
    for k, name in enumerate((*MEASURES, *TRAITS)):
        loads = np.array([cause.get(name, 0.0) for cause in (_SIZE, _LENGTH, _WEIGHT, _AGE, _NOSE)])
        offsets = np.array(_ANCESTRY.get(name, (0, 0, 0, 0)))
        male = _MALE.get(name, 0.0)  # the table already tells the sexes' measures apart
        explained = (loads**2).sum() + male**2 + _mixture_variance(offsets)
        out[k] = loads @ (size, length, weight, age, nose) + male * sex + offsets @ mixture
        out[k] += np.sqrt(max(1 - explained, 0.1)) * chance[k] + _MEAN.get(name, 0.0)
    out[len(MEASURES) + len(TRAITS):] = chance[len(MEASURES) + len(TRAITS):]
    least = np.array([_LEAST.get(name, -LIMIT) for name in SHAPES[1:]])
    most = np.array([_MOST.get(name, LIMIT) for name in SHAPES[1:]])
    return np.clip(out, least, most), float(age)


def _mixture_variance(offsets: np.ndarray) -> float:
    """Variance of ``offsets @ w`` for w from the symmetric Dirichlet distribution of concentration ``_BLEND``."""
    count = len(offsets)
    return float(((offsets - offsets.mean()) ** 2).mean() / (count * _BLEND + 1))
