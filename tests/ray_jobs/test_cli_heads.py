"""``pixelcube heads``: sheets of people, expressions and performances."""

import numpy as np
import pytest
from PIL import Image

from ray_jobs.cli.main import main

SMALL = ["--size", "40", "--samples", "1", "--clay"]


@pytest.mark.parametrize("arguments, rows, columns", [
    (["--count", "2"], 1, 2),
    (["--count", "2", "--show", "views"], 1, 8),
    (["--count", "3", "--show", "performance", "--seed", "4"], 1, 3),
])
def test_sheet_shows_what_was_asked_for(tmp_path, capsys, arguments, rows, columns):
    file = tmp_path / "sheet.png"
    assert main(["heads", *arguments, *SMALL, "--output", str(file)]) == 0
    assert str(file) in capsys.readouterr().out
    picture = np.asarray(Image.open(file)).astype(float)
    assert picture.shape == (40 * rows, 40 * columns, 3)
    for column in range(columns):  # a head stands in the middle of each picture, before a dark ground
        tile = picture[:40, 40 * column : 40 * column + 40]
        assert tile[15:25, 15:25].mean() > tile[1:4, 1:4].mean() + 10
    first, second = picture[:40, :40], picture[:40, 40:80]
    assert np.abs(first - second).mean() > 1


@pytest.mark.parametrize("arguments, message", [
    (["--count", "0"], "expected 1 to 1000 pictures"),
    (["flame"], "needs the folder with its model files"),
    (["--light", "bundled/moon"], "bundled/moon"),
    (["--show", "performance", "--performance", "moonwalk"], "moonwalk"),
    (["--seed", "-1"], "seed: -1, expected 0 or more"),
    (["--count", "900", "--size", "2000"], "128 megapixels in all"),
])
def test_wrong_requests_are_one_line(tmp_path, capsys, arguments, message):
    assert main(["heads", *SMALL, *arguments, "--output", str(tmp_path / "x.png")]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error and "Traceback" not in error and len(error.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_an_unknown_kind_of_picture_is_refused_before_rendering(tmp_path, capsys):
    assert main(["heads", *SMALL, "--output", str(tmp_path / "x.exr")]) == 2
    assert "expected a name that ends with one of" in capsys.readouterr().err
