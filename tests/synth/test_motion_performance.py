import dataclasses

import numpy as np
import pytest

from synth.motion.performance import POSES, Performance, neutral


def test_unit_falls_back_to_both_sides_then_to_zero():
    smile = np.linspace(0, 1, 4, dtype=np.float32)
    performance = dataclasses.replace(neutral(4, 24.0), units={"AU12_L": smile, "AU45": 1 - smile})
    left, right = performance.unit("AU12")
    assert np.array_equal(left, smile) and not right.any()
    assert all(np.array_equal(side, 1 - smile) for side in performance.unit("AU45"))
    assert not np.any(performance.unit("AU1"))
    with pytest.raises(KeyError, match="AU99"):
        performance.unit("AU99")


def test_window_is_the_part():
    base = neutral(6, 24.0)
    jaw = np.arange(18, dtype=np.float32).reshape(6, 3)
    performance = dataclasses.replace(base, jaw=jaw, units={"AU6": np.linspace(0, 1, 6, dtype=np.float32)})
    part = performance.window(2, 3)
    assert part.frames == 3 and np.array_equal(part.jaw, jaw[2:5])
    assert np.array_equal(part.units["AU6"], performance.units["AU6"][2:5])
    with pytest.raises(ValueError, match="window"):
        performance.window(4, 3)


@pytest.mark.parametrize("field", [*POSES, "translation"])
def test_poses_are_checked(field):
    with pytest.raises(ValueError, match=field):
        dataclasses.replace(neutral(4, 24.0), **{field: np.zeros((3 if field != "head" else 5, 3), np.float32)[:, :2]})
    with pytest.raises(ValueError, match=f"{field}: holds NaN"):
        dataclasses.replace(neutral(4, 24.0), **{field: np.full((4, 3), np.nan, np.float32)})


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ({"AU99": np.zeros(4, np.float32)}, "AU99"),
        ({"AU12_": np.zeros(4, np.float32)}, "AU12_"),
        ({"AU12_left": np.zeros(4, np.float32)}, "AU12_left"),
        ({"AU12": np.zeros(4)}, "float64"),
        ({"AU12": np.zeros(3, np.float32)}, r"\(3,\)"),
        ({"AU12": np.full(4, 1.5, np.float32)}, r"expected \[0, 1\]"),
        ({"AU12": np.zeros(4, np.float32), "AU12_L": np.zeros(4, np.float32)}, "both"),
    ],
)
def test_units_are_checked(units, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(neutral(4, 24.0), units=units)


def test_rate_and_length_are_checked():
    with pytest.raises(ValueError, match="fps"):
        neutral(4, 0.0)
    with pytest.raises(ValueError, match="0 frames"):
        neutral(0, 24.0)
    assert isinstance(neutral(1, 24.0), Performance)
