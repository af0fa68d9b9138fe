"""The template's expressions: what each action unit does, and that lids and lips stay whole while it does it."""

import dataclasses
import functools

import numpy as np
import pytest

from synth.heads.canonical import LANDMARKS
from synth.heads.driver import EXPRESSIONS, drive
from synth.heads.head import HeadModel, Identity, Person
from synth.heads.load import load_head
from synth.heads.template.eyes import eye_profile
from synth.heads.template.geometry import GROUPS, Geometry, build_geometry
from synth.heads.template.identity import SHAPES
from synth.motion.performance import ACTION_UNITS, Performance, neutral

FLIP = np.array([-1, 1, 1], np.float32)
MIDLINE = ("AU19", "AU29", "AU30")
"""Units that move both sides whichever side's direction is used."""
SHUT = ("AU12", "AU13", "AU14", "AU18", "AU20", "AU23", "AU24", "AU28", "AU34", "AU35")
"""Units that alone leave the lips together."""


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


@pytest.fixture(scope="module")
def geometry() -> Geometry:
    return build_geometry()


def performing(**curves) -> Performance:
    """One frame that holds units and rotations given by name."""
    still = neutral(1, 24.0)
    poses = {name: np.full((1, 3), value, np.float32) for name, value in curves.items() if name.islower()}
    units = {name: np.full(1, value, np.float32) for name, value in curves.items() if name.startswith("AU")}
    return dataclasses.replace(still, units=units, **poses)


@functools.cache
def somebody(head: HeadModel, seed: int | None) -> Person:
    """The sculpted head, or a random person."""
    if seed is None:
        return head.person(Identity(np.zeros(len(SHAPES), np.float32)))
    return head.person(head.sample_identity(np.random.default_rng(seed)))


def posed(head: HeadModel, act: Performance, seed: int | None = None) -> np.ndarray:
    """(N, 3) mm: somebody performing, before collisions are resolved: the expressions' own doing."""
    return somebody(head, seed).animate(act, resolve=False)[0].astype(np.float64) * 1000


@pytest.fixture(scope="module")
def moved(head, geometry):
    """From units and a landmark to its displacement, mm; left landmarks by their name alone."""
    skin = np.flatnonzero(geometry.group == GROUPS.index("skin"))
    rest = posed(head, performing())
    places = LANDMARKS | {
        "cheek": (40, -40, 82), "jaw_angle": (53, -62, 28), "neck_band": (20.7, -142, 31), "pouch": (44, -58, 72),
        "lip_fold": (30, -50, 86),
    }

    def displacement(place: str, **curves) -> np.ndarray:
        now = posed(head, performing(**curves))
        if place in GROUPS:
            rows = np.flatnonzero(geometry.group == GROUPS.index(place))
            if place == "teeth":
                rows = rows[geometry.jaw_share[rows] > 0.5]
            return (now[rows] - rest[rows])[np.argmax(rest[rows, 2])]
        row = skin[np.argmin(np.linalg.norm(rest[skin] - places[place], axis=1))]
        return now[row] - rest[row]

    return displacement


def test_every_unit_has_a_direction_for_each_side(head):
    assert head.expressions == EXPRESSIONS and len(EXPRESSIONS) >= 50
    assert set(head.units) == set(ACTION_UNITS)
    directions = head.arrays["expression_directions"] * 1000
    size = np.linalg.norm(directions, axis=1).max(axis=0)
    for k, name in enumerate(EXPRESSIONS):
        assert 0.1 < size[k] < (40 if name.startswith("AU19") else 16), f"{name} moves a vertex by {size[k]} mm"
        if name.endswith("_L"):
            twin = directions[:, :, EXPRESSIONS.index(f"{name[:-1]}R")]
            np.testing.assert_allclose(twin[head.mirror] * FLIP, directions[:, :, k], atol=1e-3, err_msg=name)
            if not name.startswith(MIDLINE):
                assert np.abs(directions[head.neutral[:, 0] < -0.0091, :, k]).max() < 1e-6, name


X, Y, Z = 0, 1, 2


@pytest.mark.parametrize("units, place, axis, least", [
    ("AU1", "brow_inner", Y, 4), ("AU2", "brow_outer", Y, 3), ("AU4", "brow_inner", Y, -2),
    ("AU4", "brow_inner", X, -1.5), ("AU6", "cheek", Y, 1.5), ("AU9", "alare", Y, 2),
    ("AU10", "labiale_superius", Y, 2), ("AU11", "lip_fold", Z, 0.2), ("AU12", "cheilion", Y, 4.5),
    ("AU12", "cheilion", X, 4), ("AU12", "cheilion", Z, -3), ("AU12", "cheek", Y, 3), ("AU13", "cheilion", Y, 5),
    ("AU14", "cheilion", Z, -3), ("AU15", "cheilion", Y, -4), ("AU16", "labiale_inferius", Y, -3),
    ("AU17", "pogonion", Y, 3), ("AU17", "labiale_inferius", Y, 1.5), ("AU18", "cheilion", X, -6),
    ("AU18", "labiale_superius", Z, 4), ("AU19", "tongue", Z, 25), ("AU20", "cheilion", X, 5),
    ("AU21", "neck_band", Z, 1), ("AU22", "labiale_superius", Z, 4), ("AU22", "labiale_inferius", Y, -2),
    ("AU23", "labiale_superius", Y, -1), ("AU24", "labiale_superius", Y, -2), ("AU25", "labiale_inferius", Y, -3),
    ("AU26", "labiale_inferius", Y, -4), ("AU28", "labiale_superius", Y, -3), ("AU28", "labiale_superius", Z, -3),
    ("AU29", "pogonion", Z, 4), ("AU29", "teeth", Z, 5), ("AU29", "tongue", Z, 5),
    ("AU30_L", "labiale_superius", X, 3.5), ("AU30_R", "labiale_superius", X, -3.5), ("AU31", "jaw_angle", X, 2.5),
    ("AU34", "pouch", X, 4), ("AU35", "pouch", X, -3), ("AU38", "alare", X, 1.2), ("AU39", "alare", X, -1.2),
])
def test_units_do_what_facs_says(moved, units, place, axis, least):
    amount = moved(place, **{units: 1.0})[axis]
    assert amount * np.sign(least) > abs(least), f"{units} moves the {place} by {amount:.2f} mm"


def test_grief_slants_the_brows_and_smiles_thin_the_lips(moved):
    together = [moved(f"brow_{part}", AU1=1.0, AU4=1.0)[1] for part in ("inner", "outer")]
    assert together[0] > 0.8 and together[1] < -0.5
    heights = [moved("labiale_superius", **act)[1] - moved("labiale_inferius", **act)[1] for act in ({"AU12": 1.0}, {})]
    assert heights[0] < heights[1] - 1.0


def lip_gap(geometry: Geometry, vertices: np.ndarray) -> np.ndarray:
    """(K,) mm: how far the upper lip's edge is above the lower one's along the mouth."""
    return (vertices[geometry.skin.upper_lip] - vertices[geometry.skin.lower_lip])[:, 1]


@pytest.mark.parametrize("units", [
    *((unit,) for unit in ACTION_UNITS if unit not in ("AU5", "AU7", "AU45")),
    ("AU12", "AU6"), ("AU12", "AU20"), ("AU15", "AU17"), ("AU17", "AU24"), ("AU18", "AU22"), ("AU12", "AU24"),
])
def test_lips_neither_cross_nor_let_teeth_through(head, geometry, units):
    teeth = (geometry.group == GROUPS.index("teeth")) & (geometry.vertices[:, 2] > 80)
    edge = geometry.skin.upper_lip
    for seed in (None, 4):
        now = posed(head, performing(**dict.fromkeys(units, 1.0)), seed)
        gap = lip_gap(geometry, now)
        assert gap.min() > (-2.0 if units in (("AU8",), ("AU28",)) else -0.4)  # these two press lips together
        if units[0] in SHUT and len(units) == 1:
            assert gap.max() < 0.3
        order = np.argsort(now[edge, 0])
        lip = np.interp(now[teeth, 0], now[edge[order], 0], now[edge[order], 2])
        if units != ("AU19",):
            assert (now[teeth, 2] - lip).max() < 0.5


def test_lips_meet_over_an_open_jaw(head, geometry):
    middle = len(geometry.skin.upper_lip) // 2
    opened, met = (lip_gap(geometry, posed(head, performing(jaw=(0.085, 0, 0), **units)))[middle]
                   for units in ({}, {"AU8": 1.0}))
    assert opened > 5 and abs(met) < 0.35 * opened
    shut = drive(performing(AU8=1.0), ("AU8_L", "AU8_R"))
    np.testing.assert_allclose(shut, 0.08)  # there is little to close


def test_lips_close_over_an_open_jaw(head, geometry):
    """AU8 shuts what five degrees of jaw open; AU28 draws the lips towards each other too."""
    middle = len(geometry.skin.upper_lip) // 2

    def gap(degrees: float, **units) -> float:
        return lip_gap(geometry, posed(head, performing(jaw=(np.radians(degrees), 0, 0), **units)))[middle]

    assert gap(5) > 6 and abs(gap(5, AU8=1.0)) < 0.8
    assert gap(3, AU28=1.0) < gap(3) - 1.3


def test_tongue_shows_between_the_lips(head, geometry):
    now = posed(head, performing(AU19=1.0))
    tongue = now[geometry.group == GROUPS.index("tongue")]
    tip = tongue[np.argmax(tongue[:, 2])]
    upper, lower = (now[row[len(row) // 2]] for row in (geometry.skin.upper_lip, geometry.skin.lower_lip))
    assert tip[2] > max(upper[2], lower[2]) + 5
    assert lower[1] - 2 < tip[1] < upper[1]


@pytest.mark.parametrize("act", [
    {"AU45": 0.3}, {"AU45": 0.6}, {"AU45": 0.85}, {"AU45": 1.0}, {"AU5": 1.0}, {"AU7": 1.0}, {"AU6": 1.0, "AU12": 1.0},
    {"AU1": 1.0, "AU2": 1.0, "AU5": 1.0}, {"AU9": 1.0, "AU4": 1.0}, {"left_eye": (0.45, 0, 0)},
    {"left_eye": (-0.4, 0, 0)}, {"left_eye": (0.2, 0.6, 0)},
])
def test_lids_stay_on_the_eyeball(head, geometry, act):
    lids = geometry.group == GROUPS.index("skin")
    lids[geometry.lid_rows[:3]] = True  # what lies deeper is conjunctiva behind the lid, and slides on the eye
    ball = geometry.group == GROUPS.index("left_eye")
    rim = geometry.lid_rows[0]
    half = len(rim) // 2
    for seed in (None, 1, 6):
        now = somebody(head, seed).animate(performing(**act))[0].astype(np.float64) * 1000
        eye = now[ball]
        centre = np.linalg.lstsq(np.c_[2 * eye[-200:], np.ones(200)], (eye[-200:] ** 2).sum(axis=1), rcond=None)[0][:3]
        scale = np.linalg.norm(eye[-1] - centre) / 12
        axis = centre - eye[-1]
        ray = now[lids & (np.linalg.norm(now - centre, axis=1) < 22)] - centre
        radius = np.linalg.norm(ray, axis=1)
        angle = np.arccos(np.clip(ray @ axis / radius / np.linalg.norm(axis), -1, 1))
        ahead = ray[:, 2] > 6
        assert (radius - scale * eye_profile(angle))[ahead].min() > 0.02, seed
        if act.get("AU45") == 1.0:
            low, high = (margin[np.argsort(margin[:, 0])] for margin in (now[rim[1:half]], now[rim[half + 1 :]]))
            x = np.linspace(low[2, 0], low[-3, 0], 20)
            assert (np.interp(x, high[:, 0], high[:, 1]) - np.interp(x, low[:, 0], low[:, 1])).max() < 0.5, seed
