"""Faces are found and followed, framed as in training, cut out and put back in their place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from relight.data.view import View
from relight.pipeline.faces import find_faces, follow, track_faces
from relight.pipeline.framing import (
    ASIDE,
    DOWN,
    FACE,
    LOOSEST,
    TIGHTEST,
    cut,
    feather,
    frame_faces,
    frame_shot,
    lift,
    region,
)
from relight.pipeline.portrait import InMemory

GALLERY = Path(__file__).parents[2] / "docs" / "gallery" / "first-light.jpg"


def rendered() -> np.ndarray:
    """(232, 232, 3) a rendered head and shoulders."""
    picture = np.asarray(Image.open(GALLERY).convert("RGB"))[:232, 464:696]
    return picture.astype(np.float32) / 255


def on_canvas(x: int, y: int, size=(640, 360)) -> np.ndarray:
    """The render with its upper left at (x, y) of a grey picture of a width and height."""
    canvas = np.full((size[1], size[0], 3), 0.5, np.float32)
    canvas[y:y + 232, x:x + 232] = rendered()
    return canvas


def seen(*boxes: tuple[float, float, float], weight: float = 1.0) -> np.ndarray:
    return np.array([(*box, weight) for box in boxes], np.float64).reshape(-1, 4)


def boxes(track: np.ndarray) -> np.ndarray:
    """Centre x, centre y and side."""
    return np.column_stack([(track[:, :2] + track[:, 2:]) / 2, track[:, 3] - track[:, 1]])


def test_a_rendered_face_is_found_where_it_is_and_tracked_as_it_moves():
    (face,) = find_faces(rendered())
    assert abs(face[0] / 232 - 0.50) < 0.05 and abs(face[1] / 232 - 0.37) < 0.05 and 0.35 < face[2] / 232 < 0.5
    track = track_faces(InMemory([on_canvas(100 + 5 * t, 60) for t in range(7)]), fps=24)
    expected = face[:2] + [[100 + 5 * t, 60] for t in range(7)]
    assert track.shape == (7, 4) and np.abs(boxes(track)[:, :2] - expected).max() < 0.15 * face[2]
    assert track_faces(InMemory([np.full((90, 160, 3), 0.5, np.float32)] * 3)) is None
    assert track_faces(InMemory([np.zeros((1, 500, 3), np.float32)])) is None


def test_the_large_face_that_stays_is_followed_past_gaps_outliers_and_others():
    rng = np.random.default_rng(0)
    found = []
    for number in range(0, 200, 4):
        main = (300 + 0.5 * number + rng.normal(0, 2), 200 + rng.normal(0, 2), 120 + rng.normal(0, 2))
        other = (620.0, 180.0, 60.0)
        found.append((number, seen(other) if 80 <= number < 100 else seen(other, main)))
    found[10] = (40, seen((330.0, 260.0, 190.0)))
    track = follow(found, 200, 25.0)
    x, y, side = boxes(track)[10:-10].T
    assert np.abs(x - (300 + 0.5 * np.arange(10, 190))).max() < 5, "the face goes on evenly"
    assert np.abs(y - 200).max() < 4 and np.abs(side - 120).max() < 4
    assert np.abs(np.diff(track, 2, axis=0)).max() < 0.2, "no jitter of the search is left"
    assert follow([(0, seen())], 3, 25.0) is None


def test_a_still_head_has_one_rectangle_framed_as_in_training():
    rng = np.random.default_rng(1)
    found = [(number, seen(tuple((900, 500, 200) + rng.normal(0, 4, 3)))) for number in range(0, 60, 3)]
    framing = frame_faces(follow(found, 60, 25.0), (1920, 1080), 128, 32)
    left, top, right, bottom = framing.rectangle(59)
    assert framing.still and framing.rectangle(0) == framing.rectangle(59) and framing.size == (224, 128)
    assert abs(200 / (bottom - top) - FACE) < 0.02 and 0 <= left and right <= 1920 and 0 <= top and bottom <= 1080
    assert abs((right - left) / (bottom - top) - 16 / 9) < 0.01


@pytest.mark.parametrize("picture,face,size", [
    ((512, 512), (250, 260, 280), (128, 128)),  # fills the picture: all of it
    ((512, 480), (250, 240, 285), (128, 128)),
    ((1280, 720), (600, 340, 236), (224, 128)),
    ((720, 1280), (360, 500, 300), (128, 128)),
    ((640, 360), (60, 180, 120), (224, 128)),  # far left
    ((360, 360), (180, 180, 320), (128, 128)),  # larger than training ever saw
    ((100, 900), (50, 300, 90), (96, 128)),
])
def test_rectangles_stay_in_the_picture_and_faces_where_training_saw_them(picture, face, size):
    x, y, side = face
    track = np.array([[x - side / 2, y - side / 2, x + side / 2, y + side / 2]])
    framing = frame_faces(track, picture, 128, 32)
    left, top, right, bottom = framing.rectangle(0)
    high = bottom - top
    assert framing.size == size and abs((right - left) / high / (size[0] / size[1]) - 1) < 0.13
    assert LOOSEST - 1e-6 <= side / high <= TIGHTEST + 1e-6
    assert DOWN[0] - 1e-6 <= (y - top) / high <= DOWN[1] + 1e-6
    assert min(x - left, right - x) >= ASIDE * high - 1e-6
    if side < TIGHTEST * min(picture) and ASIDE * high <= x <= picture[0] - ASIDE * high:
        assert left >= 0 and top >= 0 and right <= picture[0] + 1e-6 and bottom <= picture[1] + 1e-6


def test_a_body_within_reach_is_not_cut_off_below_and_a_moving_head_is_followed_smoothly():
    framing = frame_faces(np.array([[482.0, 222, 718, 458]]), (1280, 720))
    assert framing.rectangle(0)[3] == pytest.approx(720)
    x = 300 + 600 * (1 - np.cos(np.linspace(0, np.pi, 100))) / 2
    track = np.stack([x - 75, np.full(100, 225.0), x + 75, np.full(100, 375.0)], axis=1)
    framing = frame_faces(track, (1280, 720))
    assert not framing.still and framing.rectangles.shape == (100, 4)
    assert np.abs(np.diff(framing.rectangles, axis=0)).max() <= 1.05 * np.abs(np.diff(x)).max()
    np.testing.assert_allclose(np.ptp(framing.rectangles[:, 2] - framing.rectangles[:, 0]), 0, atol=1e-6)


def test_without_a_face_it_is_the_middle_of_the_picture():
    for picture, expected in [((640, 360), (0, 0, 640, 360)), ((300, 900), (0, 250, 300, 650)),
                              ((900, 90), (370, 0, 530, 90))]:
        framing = frame_faces(None, picture)
        assert framing.rectangle(5) == pytest.approx(expected) and framing.still and not framing.found


def test_a_shot_is_framed_from_its_pictures():
    class Shot:
        width, height, frames, fps = 640, 360, 2, 25

        def pictures(self, start=0, step=1):
            return iter([on_canvas(200, 60)] * 2)

    framing = frame_shot(Shot(), 128, 32)
    left, top, right, bottom = framing.rectangle(0)
    assert framing.found and left < 316 < right and top < 146 < bottom


def test_cutting_is_what_training_does_and_exact_to_fractions_of_a_pixel():
    picture = np.random.default_rng(0).random((90, 120, 3), np.float32)
    rectangle = (10.3, 5.6, 100.3, 80.6)
    np.testing.assert_allclose(cut(picture, rectangle, (36, 30)), View(*rectangle, 36, 30).crop(picture), atol=1e-5)
    assert cut(picture, (0, 0, 120, 90), (120, 90)) is picture
    ramp = np.stack([np.broadcast_to(np.arange(120) + 0.5, (90, 120)).astype(np.float32),
                     np.broadcast_to(np.arange(90)[:, None] + 0.5, (90, 120)).astype(np.float32)], axis=-1)
    x = 10.3 + (np.arange(32) + 0.5) * 80 / 32
    np.testing.assert_allclose(cut(ramp, (10.3, 20.7, 90.3, 60.7), (32, 16))[3, :, 0], x, atol=0.01)
    beyond = cut(ramp, (-40, -30, 160, 120), (50, 50))
    assert np.allclose(beyond[25, :9, 0], 0.5, atol=0.3) and np.allclose(beyond[25, -8:, 0], 119.5, atol=0.3)


def test_lifting_puts_back_what_was_cut():
    y, x = np.mgrid[:90, :120].astype(np.float32)
    picture = np.stack([np.sin(x / 15), np.cos(y / 12), np.sin((x + y) / 20)], axis=-1)
    rectangle = (10.4, 5.7, 100.4, 80.7)
    part = region(rectangle, picture.shape)
    assert part == (slice(5, 81), slice(10, 101))
    back = lift(cut(picture, rectangle, (60, 50)), rectangle, part)
    assert back.shape == (76, 91, 3) and np.abs(back - picture[part])[3:-3, 3:-3].max() < 0.01
    shifted = lift(cut(picture, rectangle, (60, 50)), (10.9, 5.7, 100.9, 80.7), part)
    assert np.abs(shifted - picture[part])[3:-3, 3:-3].max() > 0.02, "half a pixel matters"


def test_edges_inside_the_picture_fade_and_others_do_not():
    weight = feather((0, 20, 120, 100), (100, 200, 3))
    assert weight.shape == (80, 120) and weight[-1, 40] == 1 and weight[40, 0] == 1
    assert weight[0, 40] < 0.05 and weight[40, -1] < 0.05 and weight[40, 60] == 1
    assert (np.diff(weight[:, 40]) >= 0).all()
