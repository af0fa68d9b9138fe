"""Tones of skin: CIELAB, the individual typology angle, and the Fitzpatrick and Monk classes that follow from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synth.appearance.pigments import skin_albedo

_REC709_TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                           [0.0193339, 0.1191920, 0.9503041]])
_WHITE = _REC709_TO_XYZ.sum(axis=1)  # D65

ITA_CLASSES = ("very light", "light", "intermediate", "tan", "brown", "dark")
"""Classes of the individual typology angle (Chardon et al. 1991; Del Bino and Bernerd 2013), lightest first."""
_ITA_LIMITS = np.array([55.0, 41, 28, 10, -30])
FITZPATRICK = ("I", "II", "III", "IV", "V", "VI")
"""Phototypes, one for each ITA class: they are asked for, not measured, and the angle is a usual stand-in."""
_MONK_LIMITS = np.array([55.0, 46, 38, 30, 10, -10, -30, -46, -60])
"""Degrees between Monk's ten tones, lightest first. 30 parts tones 1-4 from 5-7 and -30 those from 8-10, the cohorts of
the FDA's draft guidance on pulse oximeters (2025; figures from memory); the limits within cohorts are ours. Distance
to the swatches wouldn't do: they are colours of pictures, the first four lighter than any skin reflects."""

MEASURED = {
    "Chinese, forehead": ((56.4, 11.7, 16.3), (3.2, 2.1, 1.4)), "Chinese, cheek": ((58.9, 11.4, 14.2), (3.1, 2.1, 1.5)),
    "Thai, forehead": ((56.8, 11.6, 17.7), (4.1, 2.2, 1.8)), "Thai, cheek": ((60.7, 10.5, 17.2), (4.0, 2.3, 2.1)),
    "Kurdish, forehead": ((56.1, 11.3, 16.4), (4.5, 2.1, 2.2)), "Kurdish, cheek": ((58.0, 11.7, 15.8), (4.4, 2.3, 2.1)),
    "Caucasian, forehead": ((59.2, 11.6, 15.1), (5.1, 2.8, 2.3)),
    "Caucasian, cheek": ((59.6, 11.8, 14.6), (5.5, 3.1, 2.6)),
    "African-American, forehead": ((44.0, 14.0, 19.0), (2.0, 1.0, 1.0)),
    "African-American, cheek": ((48.0, 15.0, 20.0), (1.0, 1.0, 1.0)),
    "Mexican, forehead": ((58.0, 15.0, 21.0), (1.0, 1.0, 1.0)), "Mexican, cheek": ((63.0, 16.0, 21.0), (1.0, 1.0, 1.0)),
    "darkest of five shades, nose and lip": ((26.7, 14.6, 14.7), None),
}
"""Mean and standard deviation of L*, a*, b* (D65) of facial skin. The first eight rows are Xiao et al. 2017 (187 to 426
people each), the next four de Rigal et al. 2010, read off its graphs by others (deviations are of that reading);
the last is the darkest cluster of 120 Americans (IADR 2009, abstract 120461)."""
GAMUT = np.array([[22.0, 75.0], [5.0, 20.0], [5.0, 27.0]])
"""Lowest and highest L*, a* and b* that a face's mean may have: the table above, three deviations either way, and for
dark skin, of which few means are published, down to the darkest of Del Bino and Bernerd's faces (from memory)."""


def lab(albedo: np.ndarray) -> np.ndarray:
    """(..., 3) float64 CIELAB (D65) of linear Rec.709 reflectances (..., 3)."""
    ratio = np.asarray(albedo, float) @ _REC709_TO_XYZ.T / _WHITE
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def ita(albedo: np.ndarray) -> np.ndarray:
    """(...) degrees: the individual typology angle atan2(L* - 50, b*) of reflectances (..., 3): 90 is palest."""
    lightness, _, yellow = np.moveaxis(lab(albedo), -1, 0)
    return np.degrees(np.arctan2(lightness - 50, yellow))


def melanin_of(angle: float, haemoglobin: float) -> float:
    """The melanin of skin that, with a volume fraction of blood, has an individual typology angle, degrees.

    Between 0.006 and 0.42: the palest and the darkest healthy skin.
    """
    melanin = np.geomspace(0.006, 0.42, 64)
    return float(np.interp(-angle, -ita(skin_albedo(melanin, haemoglobin)), melanin))


def ita_class(albedo: np.ndarray) -> str:
    """Which of ``ITA_CLASSES`` a reflectance (3,) is in."""
    return ITA_CLASSES[int((ita(albedo) <= _ITA_LIMITS).sum())]


def fitzpatrick(albedo: np.ndarray) -> str:
    """The phototype, I to VI, that a reflectance (3,) stands for."""
    return FITZPATRICK[ITA_CLASSES.index(ita_class(albedo))]


def monk_class(albedo: np.ndarray) -> int:
    """Place of a reflectance (3,) on the Monk Skin Tone scale, 1 (lightest) to 10."""
    return 1 + int((ita(albedo) <= _MONK_LIMITS).sum())


def tone_lines(albedos: Sequence[np.ndarray]) -> list[str]:
    """Histograms of mean skin reflectances (3,) each, as lines of text: by ITA and phototype, and by Monk's scale."""
    if not len(albedos):
        return ["skin: none"]
    angles = ita(np.stack(albedos))
    lines = [f"skin: {len(albedos)} faces, ITA {angles.min():.0f} to {angles.max():.0f} degrees"]
    by_ita, by_monk = [ita_class(a) for a in albedos], [monk_class(a) for a in albedos]
    lines += [_bar(f"{name} ({kind})", by_ita.count(name), len(albedos))
              for name, kind in zip(ITA_CLASSES, FITZPATRICK, strict=True)]
    return lines + [_bar(f"Monk {tone}", by_monk.count(tone), len(albedos)) for tone in range(1, 11)]


def _bar(name: str, count: int, total: int) -> str:
    return f"  {name:<18}{100 * count / total:5.1f} % {'#' * round(40 * count / total)}".rstrip()
