"""Windows that overlap, and stages that work ahead of each other."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from assets.errors import SpecError
from relight.pipeline.ahead import ahead
from relight.pipeline.windows import Windows, cross_fade


def layers(windows: Windows, number: int, value) -> dict[str, np.ndarray]:
    return {"x": np.array([[value(number, frame)] for frame in range(windows.start(number), windows.stop(number))],
                          np.float32)}


@pytest.mark.parametrize("frames,length,overlap", [(1, 1, 0), (1, 8, 2), (8, 8, 2), (9, 8, 2), (100, 8, 2), (100, 7, 3),
                                                   (14, 8, 4), (15, 8, 0)])
def test_every_frame_is_yielded_once_and_windows_that_agree_change_nothing(frames, length, overlap):
    windows = Windows(frames, length, overlap)
    parts = [layers(windows, number, lambda _, frame: float(frame)) for number in range(len(windows))]
    assert windows.stop(len(windows) - 1) == frames
    found = [float(layer["x"][0]) for layer in cross_fade(windows, parts)]
    np.testing.assert_allclose(found, range(frames), atol=1e-4)


def test_an_overlap_goes_from_one_window_to_the_next_in_even_steps():
    windows = Windows(20, 8, 3)
    parts = [layers(windows, number, lambda number, _: float(number)) for number in range(len(windows))]
    found = [float(layer["x"][0]) for layer in cross_fade(windows, parts)]
    np.testing.assert_allclose(found[:9], [0, 0, 0, 0, 0, 0.25, 0.5, 0.75, 1], atol=1e-6)
    assert np.abs(np.diff(found)).max() <= 0.2501


@pytest.mark.parametrize("start", [0, 1, 4, 5, 6, 7, 8, 12, 19])
def test_beginning_in_the_middle_gives_the_same_frames(start):
    windows = Windows(20, 8, 3)

    def parts(first):
        return [layers(windows, number, lambda number, frame: number**2 + 0.1 * frame)
                for number in range(first, len(windows))]

    whole = [float(layer["x"][0]) for layer in cross_fade(windows, parts(0))]
    first = windows.first_with(start)
    rest = [float(layer["x"][0]) for layer in cross_fade(windows, parts(first), first)]
    assert rest[start - windows.start(first):] == whole[start:]


@pytest.mark.parametrize("frames,length,overlap", [(0, 8, 2), (5, 0, 0), (5, 8, 5), (5, 8, -1)])
def test_windows_that_cannot_be(frames, length, overlap):
    with pytest.raises(SpecError, match="^windows: "):
        Windows(frames, length, overlap)


def test_working_ahead_keeps_order_and_bounds_what_is_made():
    made: list[int] = []

    def items():
        for k in range(10):
            made.append(k)
            yield k

    stream = ahead(items(), 2)
    assert next(stream) == 0
    stream.close()
    assert len(made) <= 5
    assert not any(thread.name == "ahead" for thread in threading.enumerate())
    assert list(ahead(iter(range(100)), 3)) == list(range(100))


def test_what_goes_wrong_ahead_is_raised_in_its_place():
    def items():
        yield 1
        raise SpecError("broken")

    stream = ahead(items(), 4)
    assert next(stream) == 1
    with pytest.raises(SpecError, match="broken"):
        next(stream)
    assert not any(thread.name == "ahead" for thread in threading.enumerate())
