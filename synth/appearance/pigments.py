"""The colour of skin from two pigments: melanin in the epidermis over blood in the dermis.

Each wavelength is solved by Kubelka and Munk's two fluxes: an absorbing epidermis of finite thickness over a dermis
without end, under a surface that reflects part of the light back inside (Saunderson 1942). Layers and their pigments
are those of Jacques (1998, "Skin optics", omlc.org); the two-layer solution and the map from two fractions to a colour
follow Alotaibi and Smith (2017, "A biophysical 3D morphable model of face appearance"). The reflected spectrum is seen
under D65 by the CIE 1931 observer. It is the diffuse reflectance alone: gloss is the renderer's.
"""

from __future__ import annotations

import functools

import numpy as np
from scipy.ndimage import map_coordinates

NANOMETRES = np.arange(400, 701, 10.0)
"""Wavelengths of the spectra below."""
_OXY = np.array([266232, 466840, 480360, 246072, 102580, 62816, 44480, 33209, 26629, 23684, 20933, 20035, 24202, 39957,
                 53236, 43016, 32613, 44496, 50104, 14401, 3200, 1506, 942, 610, 442, 368, 320, 294, 278, 276, 290.0])
_DEOXY = np.array([223296, 303956, 407560, 528600, 413280, 103292, 23389, 16156, 14550, 16684, 20862, 25774, 31590,
                   39036, 46592, 53412, 53788, 45072, 37020, 28324, 14677, 9444, 6510, 5149, 4345, 3750, 3227, 2795,
                   2408, 2052, 1794.0])
"""Molar extinction of oxygenated and of deoxygenated haemoglobin, 1/(cm M), compiled by S. Prahl (omlc.org, 1999)."""
_D65 = np.array([82.75, 91.49, 93.43, 86.68, 104.87, 117.01, 117.81, 114.86, 115.92, 108.81, 109.35, 107.80, 104.79,
                 107.69, 104.41, 104.05, 100.0, 96.33, 95.79, 88.69, 90.01, 89.60, 87.70, 83.29, 83.70, 80.03, 80.21,
                 82.28, 78.28, 69.72, 71.61])
"""Relative power of CIE standard illuminant D65."""
_XYZ_TO_REC709 = np.array([[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560],
                           [0.0556434, -0.2040259, 1.0572252]])

OXYGENATION = 0.75
"""Share of haemoglobin that carries oxygen in the skin's mixed blood."""
PIGMENTED_CM, HORNY_CM = 0.0036, 0.0024
"""Thickness, cm, of the epidermis' lower part, which holds the melanosomes, and of the horny layer above, which mostly
scatters and keeps dark skin from being black (Sandby-Moller et al. 2003: 0.05 to 0.08 mm together)."""
_DUST = 0.08
"""Melanin of the horny layer, as a share of the lower part's."""
_HORNY_SCATTERING = np.full(len(NANOMETRES), 42.0)
"""Reduced scattering of the horny layer, 1/cm: its cells are coarse and scatter all colours alike."""
_YELLOW = 0.6
"""Peak absorption, 1/cm, of carotene and bilirubin: chosen so that pale skin is as yellow as measured."""
_VESSEL_CM = 0.0010
"""Radius of a vessel, cm: blood in vessels shades itself (van Veen et al. 2002, Opt. Lett. 27, 246)."""
_INTERNAL, _EXTERNAL = 0.52, 0.03
"""Share of diffuse light that the surface reflects back inside, and of incoming light back outside (n = 1.4)."""
_MELANIN = np.geomspace(0.001, 0.95, 112)
_BLOOD = np.geomspace(0.001, 0.5, 80)


def skin_albedo(melanin: np.ndarray | float, haemoglobin: np.ndarray | float) -> np.ndarray:
    """(..., 3) float32 linear Rec.709 diffuse reflectance of skin, in [0.01, 0.9].

    melanin: (...) volume fraction of melanosomes in the epidermis. haemoglobin: (...) of blood in the dermis. Beyond
    [0.001, 0.95] and [0.001, 0.5] the nearest value counts.
    """
    return _look_up(_albedo_table(), melanin, haemoglobin)


def blood_sensitivity(melanin: np.ndarray | float, haemoglobin: np.ndarray | float) -> np.ndarray:
    """(..., 3) float32: d log albedo / d log haemoglobin, 0 or less; the arguments are :func:`skin_albedo`'s.

    Blood that grows by the factor k multiplies albedo by about ``k ** blood_sensitivity(...)``.
    """
    return _look_up(_sensitivity_table(), melanin, haemoglobin)


def scatter_mfp(melanin: float, haemoglobin: float) -> np.ndarray:
    """(3,) float32 metres: the mean free path ``l`` of Christensen and Burley (2015) for R(r) with albedo A.

    It goes with s = 1.9 - A + 3.5 (A - 0.8)^2, the fit for l as the *volume* mean free path under diffuse light. That
    fit knows no surface that reflects light back inside, so l is chosen for the profile to be as wide as the one for
    the dermis' own diffuse mean free path ld (:func:`diffuse_mfp`), s_d = 3.5 + 100 (A - 0.33)^4: l = ld s / s_d.
    """
    albedo = skin_albedo(melanin, haemoglobin).astype(float)
    s = 1.9 - albedo + 3.5 * (albedo - 0.8) ** 2
    return (diffuse_mfp(melanin, haemoglobin) * s / (3.5 + 100 * (albedo - 0.33) ** 4)).astype(np.float32)


def diffuse_mfp(melanin: float, haemoglobin: float) -> np.ndarray:
    """(3,) float64 metres: ld = 1 / sqrt(3 mu_a (mu_a + mu_s')) of the dermis (Jensen et al. 2001).

    The mean over the wavelengths of red, green and blue, each weighing as much as skin reflects.
    """
    absorption, scattering = dermis(haemoglobin)
    depth = 0.01 / np.sqrt(3 * absorption * (absorption + scattering))
    weight = np.maximum(_observer(), 0) * reflectance(melanin, haemoglobin)[:, None]
    return (weight * depth[:, None]).sum(axis=0) / weight.sum(axis=0)


def reflectance(melanin: np.ndarray | float, haemoglobin: np.ndarray | float) -> np.ndarray:
    """(..., 31) float64: the spectrum of skin's diffuse reflectance at ``NANOMETRES``."""
    absorption, scattering = dermis(np.asarray(haemoglobin, float)[..., None])
    beneath = _semi_infinite(2 * absorption, _backward(absorption, scattering))
    share = np.asarray(melanin, float)[..., None]
    pigment = 6.6e11 * NANOMETRES**-3.33  # Jacques 1998: melanosomes, 1/cm
    absorption = share * pigment + (1 - share) * _baseline()
    inside = _over(absorption, _scattering(), PIGMENTED_CM, beneath)
    dust = _DUST * share
    inside = _over(dust * pigment + (1 - dust) * _baseline(), _HORNY_SCATTERING, HORNY_CM, inside)
    return (1 - _EXTERNAL) * (1 - _INTERNAL) * inside / (1 - _INTERNAL * inside)


def dermis(haemoglobin: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Absorption and reduced scattering, 1/cm at ``NANOMETRES``, of dermis with a volume fraction of blood."""
    molar = 150.0 / 64500  # 150 g of haemoglobin in a litre of whole blood
    blood = 2.303 * molar * (OXYGENATION * _OXY + (1 - OXYGENATION) * _DEOXY)
    seen = (1 - np.exp(-2 * _VESSEL_CM * blood)) / (2 * _VESSEL_CM)
    return haemoglobin * seen + (1 - haemoglobin) * _baseline(), _scattering()


def _baseline() -> np.ndarray:
    """Absorption of skin without pigment, 1/cm (Jacques 1998), and a trace of carotene and bilirubin, whose broad
    bands about 460 nm make pale skin yellowish (Krishnaswamy and Baranoski 2004)."""
    yellow = _YELLOW * np.exp(-0.5 * ((NANOMETRES - 460) / 30) ** 2)
    return 0.244 + 85.3 * np.exp(-(NANOMETRES - 154) / 66.2) + yellow


def _scattering() -> np.ndarray:
    """Reduced scattering of skin, 1/cm (Jacques 2013, "Optical properties of biological tissues", the mean of skin)."""
    return 46.0 * (NANOMETRES / 500) ** -1.421


def _backward(absorption: np.ndarray, scattering: np.ndarray) -> np.ndarray:
    """Kubelka and Munk's S of transport coefficients (Mudgett and Richards 1971); their K is 2 mu_a."""
    return np.maximum(0.75 * scattering - 0.25 * absorption, 0.05 * scattering)


def _semi_infinite(k: np.ndarray, s: np.ndarray) -> np.ndarray:
    ratio = k / s
    return 1 + ratio - np.sqrt(ratio * ratio + 2 * ratio)


def _over(absorption: np.ndarray, scattering: np.ndarray, thickness: float, beneath: np.ndarray) -> np.ndarray:
    """Reflectance of a layer (Kubelka 1948), thickness in cm, over what reflects ``beneath``."""
    s = _backward(absorption, scattering)
    a = 1 + 2 * absorption / s
    b = np.sqrt(a * a - 1)
    x = b * s * thickness
    below = a * np.sinh(x) + b * np.cosh(x)
    layer, through = np.sinh(x) / below, b / below
    return layer + through**2 * beneath / (1 - layer * beneath)


@functools.cache
def _observer() -> np.ndarray:
    """(31, 3): linear Rec.709 of light reflected at each wavelength under D65; columns sum to 1 (white is 1, 1, 1).

    Colour matching by the fits of Wyman, Sloan and Shirley (2013).
    """
    def lobe(centre: float, left: float, right: float) -> np.ndarray:
        t = (NANOMETRES - centre) / np.where(NANOMETRES < centre, left, right)
        return np.exp(-0.5 * t * t)

    x = 1.056 * lobe(599.8, 37.9, 31.0) + 0.362 * lobe(442.0, 16.0, 26.7) - 0.065 * lobe(501.1, 20.4, 26.2)
    y = 0.821 * lobe(568.8, 46.9, 40.5) + 0.286 * lobe(530.9, 16.3, 31.1)
    z = 1.217 * lobe(437.0, 11.8, 36.0) + 0.681 * lobe(459.0, 26.0, 13.8)
    rgb = _D65[:, None] * np.stack([x, y, z], axis=1) @ _XYZ_TO_REC709.T
    return rgb / rgb.sum(axis=0)


@functools.cache
def _albedo_table() -> np.ndarray:
    """(3, M, B) float32: albedo at every pair of ``_MELANIN`` and ``_BLOOD``."""
    colour = reflectance(_MELANIN[:, None], _BLOOD[None, :]) @ _observer()
    return np.ascontiguousarray(np.clip(colour, 0.01, 0.9).transpose(2, 0, 1), np.float32)


@functools.cache
def _sensitivity_table() -> np.ndarray:
    slope = np.gradient(np.log(_albedo_table().astype(float)), np.log(_BLOOD), axis=2)
    return np.ascontiguousarray(np.minimum(slope, 0), np.float32)


def _look_up(table: np.ndarray, melanin: np.ndarray | float, haemoglobin: np.ndarray | float) -> np.ndarray:
    """(..., 3) float32: a table (3, M, B) read linearly in the logarithms of both fractions."""
    at = np.broadcast_arrays(_place(melanin, _MELANIN), _place(haemoglobin, _BLOOD))
    grid = np.stack([a.ravel() for a in at])
    out = np.empty((grid.shape[1], 3), np.float32)
    for channel in range(3):
        out[:, channel] = map_coordinates(table[channel], grid, np.float32, order=1, mode="nearest")
    return out.reshape(*at[0].shape, 3)


def _place(value: np.ndarray | float, knots: np.ndarray) -> np.ndarray:
    scale = (len(knots) - 1) / np.log(knots[-1] / knots[0])
    value = np.clip(np.asarray(value, np.float32), np.float32(knots[0]), np.float32(knots[-1]))
    return (np.log(value) - np.float32(np.log(knots[0]))) * np.float32(scale)
