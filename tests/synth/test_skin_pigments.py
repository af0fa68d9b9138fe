"""The two-pigment model of skin against what is known of skin, and the population's colours against measured ones."""

import numpy as np
import pytest

from synth.appearance import tones
from synth.appearance.description import Appearance
from synth.appearance.face import face_mask
from synth.appearance.pigments import (
    NANOMETRES,
    blood_sensitivity,
    diffuse_mfp,
    reflectance,
    scatter_mfp,
    skin_albedo,
)
from synth.appearance.sampling import sample_appearance
from synth.appearance.skin import paint_skin
from synth.heads.load import load_head

MELANIN, BLOOD = np.geomspace(0.006, 0.42, 12), np.geomspace(0.006, 0.1, 8)


def test_more_melanin_is_darker_and_more_blood_redder():
    lab = tones.lab(skin_albedo(MELANIN[:, None], BLOOD[None, :]))
    assert (np.diff(lab[..., 0], axis=0) < 0).all() and (np.diff(lab[..., 0], axis=1) < 0).all()
    light = MELANIN < 0.12  # blood hardly shows through more
    assert (np.diff(lab[light][..., 1], axis=1) > 0).all()
    albedo = skin_albedo(MELANIN[:, None], BLOOD[None, :])
    assert albedo.dtype == np.float32 and (albedo[..., 0] > albedo[..., 1]).all()
    assert (albedo[..., 1] > albedo[..., 2]).all()  # skin of any tone reflects red before green before blue


def test_oxygenated_blood_bites_a_w_out_of_the_spectrum():
    spectrum = dict(zip(NANOMETRES, reflectance(0.02, 0.03), strict=True))
    assert spectrum[540] < spectrum[510] and spectrum[580] < spectrum[600]
    assert spectrum[540] < spectrum[560] > spectrum[580]
    assert spectrum[650] > 2 * spectrum[540]


def test_measured_skin_is_within_reach():
    """Some melanin and blood give each group's measured mean, but for what two pigments can't tell apart."""
    table = tones.lab(skin_albedo(np.geomspace(0.005, 0.4, 60)[:, None], np.geomspace(0.005, 0.1, 50)[None, :]))
    for name, (mean, _) in tones.MEASURED.items():
        error = np.linalg.norm(table - np.array(mean), axis=2).min()
        assert error < 7, (name, error)


def test_maps_give_what_numbers_give():
    melanin, blood = np.random.default_rng(0).uniform(0.01, 0.3, (2, 40, 30))
    image = skin_albedo(melanin, blood)
    assert image.shape == (40, 30, 3)
    np.testing.assert_array_equal(image[7, 9], skin_albedo(melanin[7, 9], blood[7, 9]))
    np.testing.assert_array_equal(skin_albedo(0.05, blood)[3, 4], skin_albedo(0.05, blood[3, 4]))
    beyond = skin_albedo(np.array([0, 1e-9, 5.0]), np.array([0, 9.0, 0.0]))
    assert np.isfinite(beyond).all() and beyond.min() >= 0.0099 and beyond.max() <= 0.9001


def test_the_table_follows_the_model():
    from synth.appearance.pigments import _observer

    for melanin, blood in ((0.0113, 0.0171), (0.083, 0.031), (0.31, 0.012)):
        np.testing.assert_allclose(skin_albedo(melanin, blood), reflectance(melanin, blood) @ _observer(), rtol=2e-3)


def test_sensitivity_is_the_albedos_slope():
    melanin, blood, factor = np.geomspace(0.01, 0.2, 9), np.geomspace(0.01, 0.06, 9), 1.3
    after = skin_albedo(melanin, factor * blood)
    predicted = skin_albedo(melanin, blood) * factor ** blood_sensitivity(melanin, np.sqrt(factor) * blood)
    np.testing.assert_allclose(predicted, after, rtol=5e-3)
    slope = blood_sensitivity(0.02, 0.02)
    assert slope[1] < slope[0] < 0  # green loses most


def test_red_light_travels_furthest():
    mfp, published = scatter_mfp(0.02, 0.015), np.array([3.67, 1.37, 0.68])  # Jensen et al. 2001, skin1, dmfp in mm
    assert mfp.dtype == np.float32 and mfp.shape == (3,)
    assert mfp[0] > 1.5 * mfp[1] > 1.5 * mfp[2] > 0
    ratio = 1000 * diffuse_mfp(0.02, 0.015) / published
    assert (ratio > 0.25).all() and (ratio < 1.5).all()
    assert (scatter_mfp(0.02, 0.05) < mfp).all()  # blood shortens the way


def test_scatter_reproduces_the_diffuse_mean_free_path():
    """Both of Christensen and Burley's fits, each with its own path, give one profile."""
    for melanin in (0.01, 0.1, 0.3):
        albedo = skin_albedo(melanin, 0.02).astype(float)
        by_volume = scatter_mfp(melanin, 0.02) / (1.9 - albedo + 3.5 * (albedo - 0.8) ** 2)
        by_diffusion = diffuse_mfp(melanin, 0.02) / (3.5 + 100 * (albedo - 0.33) ** 4)
        np.testing.assert_allclose(by_volume, by_diffusion, rtol=1e-5)


def test_lab_of_known_colours():
    np.testing.assert_allclose(tones.lab(np.ones(3)), [100, 0, 0], atol=0.01)
    np.testing.assert_allclose(tones.lab(np.array([0.18418652] * 3)), [50, 0, 0], atol=0.01)
    np.testing.assert_allclose(tones.lab(np.array([1.0, 0, 0])), [53.24, 80.09, 67.20], atol=0.05)


@pytest.mark.parametrize("melanin, phototype, monk", [(0.006, "I", 1), (0.13, "V", 7), (0.42, "VI", 10)])
def test_classes_of_tone(melanin, phototype, monk):
    albedo = skin_albedo(melanin, 0.01 if melanin < 0.1 else 0.02)
    assert tones.fitzpatrick(albedo) == phototype and abs(tones.monk_class(albedo) - monk) <= 1


def test_melanin_of_an_angle():
    for angle in (50, 20, -10, -45):
        np.testing.assert_allclose(tones.ita(skin_albedo(tones.melanin_of(angle, 0.015), 0.015)), angle, atol=1.0)
    assert tones.melanin_of(89, 0.02) == pytest.approx(0.006) and tones.melanin_of(-89, 0.02) == pytest.approx(0.42)


def test_tone_lines():
    lines = tones.tone_lines([skin_albedo(m, 0.02) for m in (0.01, 0.01, 0.3, 0.3)])
    assert lines[0].startswith("skin: 4 faces, ITA") and len(lines) == 17
    assert "dark (VI)" in lines[6] and "50.0 %" in lines[6]
    assert tones.tone_lines([]) == ["skin: none"]


def test_a_population_covers_the_measured_gamut_and_stays_inside():
    head = load_head()
    face = face_mask(head, 32)
    means = []
    for seed in range(400):
        look = sample_appearance(np.random.default_rng(seed)).skin
        # Marks cost most of the time and move the mean least.
        plain = look.model_copy(update={"freckles": 0.0, "moles": 0, "age_spots": 0.0, "blemishes": 0.0, "seed": 1})
        means.append(paint_skin(head, Appearance(skin=plain), 32)[face].mean(axis=0))
    lab = tones.lab(np.array(means))
    assert (lab >= tones.GAMUT[:, 0]).all() and (lab <= tones.GAMUT[:, 1]).all(), (lab.min(axis=0), lab.max(axis=0))
    assert np.ptp(lab[:, 0]) > 38 and np.ptp(lab[:, 1]) > 5
    by_ita = np.array([tones.ITA_CLASSES.index(tones.ita_class(mean)) for mean in means])
    share = np.bincount(by_ita, minlength=6) / len(means)
    assert (share > 0.02).all() and share.max() < 0.35, share
    monk = np.bincount([tones.monk_class(mean) for mean in means], minlength=11)[1:]
    assert (monk > 0).sum() >= 9 and monk.max() < 0.35 * len(means), monk
