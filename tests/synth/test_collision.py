import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from synth.heads.collision import Resolver, interpenetration
from synth.heads.head import Person, eye_centres
from synth.heads.load import load_head
from synth.heads.rigid import Ball
from synth.heads.subdivision import Refined
from synth.motion.generate import sample_performance
from synth.motion.performance import neutral


@pytest.fixture(scope="module")
def person() -> Person:
    head = load_head("template")
    return head.person(head.sample_identity(np.random.default_rng(4)))


@pytest.fixture(scope="module")
def rest(person) -> np.ndarray:
    """(1, M, 3) float32 metres."""
    return person.animate(neutral(1, 24.0), resolve=False)[:]


@pytest.fixture(scope="module")
def resolver(person) -> Resolver:
    return Resolver(person)


def of(person: Person, *labels: str) -> np.ndarray:
    return np.unique(np.concatenate([part.vertex_map for part in person.parts if part.label in labels]))


def pushed(person: Person, frame: np.ndarray, where: np.ndarray, by: np.ndarray) -> np.ndarray:
    moved = frame.copy()
    moved[where] += by.astype(np.float32)
    return moved


def lids_into_eyes(person: Person, frame: np.ndarray, by: float) -> np.ndarray:
    """The frame with the skin in front of the left eye pulled towards its centre, metres."""
    centre, skin = eye_centres(person.head, frame)[0], of(person, "skin")
    ray = frame[skin] - centre
    distance = np.linalg.norm(ray, axis=1)
    close = (distance < 0.0145) & (ray[:, 2] > 0.003)
    return pushed(person, frame, skin[close], -by * ray[close] / distance[close, None])


def test_rest_is_clean_and_left_alone(person, rest, resolver):
    assert interpenetration(person, rest[0]).worst < 0.3
    assert np.array_equal(resolver(rest), rest)


@pytest.mark.parametrize("depth", [0.0015, 0.003])
def test_lids_in_an_eye_are_seen_and_put_before_it(person, rest, resolver, depth):
    bad = lids_into_eyes(person, rest[0], depth)
    found = interpenetration(person, bad)
    assert 600 * depth < found.lids <= 1000 * depth + 0.05
    cured = resolver(bad[None])
    assert interpenetration(person, cured[0]).lids == 0
    far = np.linalg.norm(rest[0] - eye_centres(person.head, rest[0])[0], axis=1) > 0.03
    assert np.array_equal(cured[0][far], bad[far])


def test_the_cornea_is_where_the_eye_looks(person, rest):
    centre, eye = eye_centres(person.head, rest[0])[0].astype(float), person.head.eyeballs[0]
    ball = Ball(rest[0].astype(float), eye, centre)
    apex = rest[0][eye[np.argmax(rest[0][eye, 2])]].astype(float)
    up = Rotation.from_rotvec([-0.5, 0, 0])
    posed = rest.astype(float).copy()
    posed[0, eye] = up.apply(posed[0, eye] - centre) + centre
    points = np.stack([up.apply(apex - centre) + centre, apex])[None]
    bulge, beside = ball.gap(ball.back(points, posed))[0]
    assert abs(bulge) < 5e-5 and 2e-4 < beside < 2e-3


def test_teeth_through_lips_are_seen_and_covered(person, rest, resolver):
    lips = of(person, "lips")
    skin = of(person, "skin", "mouth")
    middle = rest[0][lips].mean(axis=0)
    near = skin[np.linalg.norm(rest[0][skin] - middle, axis=1) < 0.035]
    bad = pushed(person, rest[0], np.union1d(lips, near), np.array([0, 0, -0.0135]))
    assert interpenetration(person, bad).teeth > 1
    worst = [interpenetration(person, resolver(bad[None])[0]).teeth, interpenetration(person, bad).teeth]
    assert worst[0] < 0.3 * worst[1]
    turned = dataclasses.replace(neutral(1, 24.0), neck=np.float32([[0.2, 0.9, 0.1]]))
    frame = person.animate(turned, resolve=False)[0]
    assert interpenetration(person, frame).teeth < 0.1  # the head's turn is no collision


def test_tongue_and_lips_are_seen(person, rest):
    tongue, lips = of(person, "tongue"), of(person, "lips")
    assert interpenetration(person, pushed(person, rest[0], tongue, np.array([0, 0, 0.03]))).tongue > 2
    head = person.head
    opening = head.arrays["expression_directions"][lips, 1, head.expressions.index("AU25_L")]
    lower = lips[opening < -1e-5]
    assert interpenetration(person, pushed(person, rest[0], lower, np.array([0, 0.003, 0]))).lips > 1


def test_performances_are_clean_after_and_hardly_touched(person, resolver):
    for name in ("speech", "saccades", "laughter", "yawn"):
        vertices = person.animate(sample_performance(np.random.default_rng(2), 12, 8.0, name), resolve=False)[:]
        cured = resolver(vertices)
        assert cured.dtype == np.float32 and cured.shape == vertices.shape
        assert max(interpenetration(person, frame).lids for frame in cured) <= 1e-3
        assert np.abs(cured - vertices).max() < 0.006


def test_a_subdivided_person_is_measured_too():
    head = load_head("template")
    fine = head.person(head.sample_identity(np.random.default_rng(4)), 1)
    control = fine.animate(neutral(1, 24.0), resolve=False)._control
    frame = Refined(Resolver(fine)(control), fine.refinement)[0]
    assert len(frame) > len(control[0]) and interpenetration(fine, frame).worst < 0.4
