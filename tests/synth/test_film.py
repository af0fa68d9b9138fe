import dataclasses

import numpy as np
import pytest

from assets.errors import SpecError
from synth.camera.film import FILMIC_WHITE, GREY, RESPONSES, Film, balance_for, meter, sample_film, white_point

RADIANCE = np.random.default_rng(0).lognormal(-2, 1.5, (40, 30, 3)).astype(np.float32)


@pytest.mark.parametrize("response", RESPONSES)
def test_responses_are_monotonic_from_black_to_white_with_exact_inverse(response):
    curve, inverse = RESPONSES[response]
    white = FILMIC_WHITE if response == "filmic" else 1.0
    x = np.concatenate([[0.0], np.geomspace(1e-5, white, 4000)])
    y = curve(x)
    assert y[0] == 0 and y[-1] == pytest.approx(1) and np.diff(y).min() > 0
    assert np.allclose(inverse(y), x, rtol=1e-9, atol=1e-12)
    assert curve(np.array([-1.0, 2 * white])) == pytest.approx([0, 1])


def test_srgb_is_the_standard_and_filmic_agrees_on_grey():
    srgb, filmic = RESPONSES["srgb"][0], RESPONSES["filmic"][0]
    assert srgb(np.array([0.0031308, GREY, 0.5])) == pytest.approx([0.040450, 0.461356, 0.735357], abs=2e-6)
    assert filmic(np.array([GREY])) == pytest.approx(srgb(np.array([GREY])))
    # toe: deeper shadows than sRGB; shoulder: highlights kept apart that sRGB clips
    assert filmic(np.array([0.001]))[0] < srgb(np.array([0.001]))[0]
    assert filmic(np.array([4.0]))[0] - filmic(np.array([1.0]))[0] > 0.1


@pytest.mark.parametrize("response", RESPONSES)
def test_invert_undoes_develop_where_nothing_clips(response):
    film = Film(-0.7, (1.3, 1.0, 0.8), response)
    display = film.develop(RADIANCE)
    assert display.dtype == np.float32 and display.min() >= 0 and display.max() <= 1
    kept = display < 1 - 1e-4
    assert kept.mean() > 0.8
    # float32 display values near the top of the filmic shoulder carry few steps of radiance
    assert np.allclose(film.invert(display)[kept], RADIANCE[kept], rtol=2e-3, atol=1e-6)


def test_doubling_radiance_is_one_stop():
    film = Film(0.25, (1.2, 1.0, 0.9), "filmic")
    assert np.array_equal(film.develop(2 * RADIANCE), dataclasses.replace(film, exposure_ev=1.25).develop(RADIANCE))
    assert np.array_equal(film.expose(2 * RADIANCE), 2 * film.expose(RADIANCE))


def test_nothing_is_normalised_by_the_image():
    film = sample_film(np.random.default_rng(1))
    whole = film.develop(RADIANCE)
    brighter = RADIANCE.copy()
    brighter[20:] *= 100
    assert np.array_equal(film.develop(RADIANCE[:9, 3:7]), whole[:9, 3:7])
    assert np.array_equal(film.develop(brighter)[:20], whole[:20])


@pytest.mark.parametrize("irradiance", [(np.pi, np.pi, np.pi), (0.02, 0.01, 0.004), (300.0, 500.0, 900.0)])
def test_metering_exposes_a_grey_card(irradiance):
    card = GREY * np.array(irradiance) / np.pi
    ev = meter(np.array(irradiance))
    exposed = Film(ev, balance_for(card)).expose(card)
    assert exposed @ [0.2126, 0.7152, 0.0722] == pytest.approx(GREY, rel=1e-5)
    if irradiance[0] == irradiance[1]:
        assert Film(ev).develop(card) == pytest.approx([0.461356] * 3, abs=1e-5)


def test_metering_needs_light():
    with pytest.raises(SpecError, match="irradiance"):
        meter(np.zeros(3))
    with pytest.raises(SpecError, match="irradiance"):
        meter(np.array([np.nan, 1, 1]))


@pytest.mark.parametrize("kelvin", [2500, 3200, 4300, 5600, 6504, 9000, 20000])
def test_white_balance_neutralises_the_card_under_its_illuminant(kelvin):
    colour = white_point(kelvin)
    assert colour.min() > 0 and colour @ [0.2126, 0.7152, 0.0722] == pytest.approx(1, abs=1e-4)
    film = Film(0.0, balance_for(colour), "linear")
    assert film.white_balance[1] == 1
    card = film.develop(0.18 * colour)
    assert np.ptp(card) < 1e-6


def test_white_points_run_from_orange_to_blue_through_d65():
    assert white_point(6504) == pytest.approx([1, 1, 1], abs=2e-3)
    kelvin = np.geomspace(2000, 25000, 200)
    points = np.array([white_point(k) for k in kelvin])
    ratio = points[:, 2] / points[:, 0]
    assert np.diff(ratio).min() > 0
    assert np.abs(np.diff(points, axis=0)).max() < 0.1  # the loci join smoothly
    # CIE illuminant A (2856 K) is x, y = 0.44757, 0.40745
    assert white_point(2856) == pytest.approx([1.8450, 0.8261, 0.2333], abs=0.005)


def test_tint_is_green_when_positive():
    plain, green, magenta = (white_point(5600, tint) for tint in (0.0, 0.01, -0.01))
    assert green[1] > plain[1] > magenta[1]


@pytest.mark.parametrize(
    "arguments",
    [{"exposure_ev": np.inf}, {"white_balance": (1, 2, 1)}, {"white_balance": (0, 1, 1)}, {"response": "kodak"}],
)
def test_bad_settings_are_refused(arguments):
    with pytest.raises(SpecError, match=f"film.{next(iter(arguments))}"):
        Film(**arguments)
    with pytest.raises(SpecError, match="kelvin"):
        white_point(100)
    with pytest.raises(SpecError, match="grey card"):
        balance_for(np.array([1.0, 0.0, 1.0]))


def test_sampled_films_scatter_about_the_metered_exposure():
    films = [sample_film(np.random.default_rng(seed), metered_ev=2.0) for seed in range(400)]
    exposure = np.array([film.exposure_ev for film in films])
    assert exposure.mean() == pytest.approx(2.0, abs=0.08) and 0.3 < exposure.std() < 0.5
    gains = np.array([film.white_balance for film in films])
    assert 0.01 < gains[:, 0].std() < 0.15 and np.abs(np.log(gains).mean(axis=0)).max() < 0.03
    assert {film.response for film in films} == {"srgb", "filmic", "gamma"}
    assert films[7] == sample_film(np.random.default_rng(7), metered_ev=2.0)
