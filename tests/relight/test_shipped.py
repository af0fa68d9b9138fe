"""What the weights that ship must do, on people that they never saw.

``data/held_out.png`` is twelve stills in a row, each under another light, of the clips of
``ray_jobs/jobs/test128.yaml``, whose people and maps are of the test split; ``python -m tests.relight.held_out``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from relight.pipeline.light import ShotLight
from relight.pipeline.portrait import SHIPPED, PortraitRelightPipeline
from relight.pipeline.shot import Shot
from synth.camera.film import RESPONSES
from synth.lighting import sphere
from synth.lighting.envmap import EnvMap
from synth.lighting.sphere import LUMINANCE

STILLS = Path(__file__).with_name("data") / "held_out.png"
MOST_BYTES = 60 * 10**6


@pytest.fixture(scope="module")
def pipeline() -> PortraitRelightPipeline:
    return PortraitRelightPipeline.from_pretrained("small")


@pytest.fixture(scope="module")
def people() -> list[np.ndarray]:
    from PIL import Image

    strip = np.asarray(Image.open(STILLS))
    return [strip[:, left:left + len(strip)] for left in range(0, strip.shape[1], len(strip))]


def side_lamp() -> EnvMap:
    """A large lamp to the camera's right in a dim room."""
    near = sphere.directions(64) @ np.array([1.0, 0.0, 0.0])
    return EnvMap(np.repeat((0.1 + 8 * np.exp(8 * (near - 1)))[..., None], 3, axis=2).astype(np.float32))


def person(made) -> tuple[np.ndarray, np.ndarray]:
    """Exposed luminance (N,) of the person's pixels in a still, and which of them lie to the right of the middle."""
    covered = made.alpha[0] > 0.9
    linear = RESPONSES["srgb"][1](made.pictures[0]) @ LUMINANCE
    columns = np.broadcast_to(np.arange(covered.shape[1]), covered.shape)[covered]
    return linear[covered], columns > np.median(columns)


def test_they_fit_into_the_repository():
    assert sum(file.stat().st_size for file in SHIPPED.rglob("*.safetensors")) <= MOST_BYTES


def test_turning_the_light_by_180_degrees_swaps_the_lit_side(pipeline, people):
    swapped = 0
    for still in people:
        ratios = []
        for yaw in (0, 180):
            light, right = person(pipeline([still], ShotLight([side_lamp()], rotation=(yaw, 0, 0))))
            ratios.append(light[right].mean() / light[~right].mean())
        swapped += ratios[0] > 1.1 and ratios[1] < 1 / 1.1
    assert swapped >= 0.8 * len(people)


def test_a_stop_of_exposure_is_about_a_stop_of_the_person(pipeline, people):
    good = 0
    for still in people:
        dim, bright = (np.median(person(pipeline([still], ShotLight([side_lamp()], exposure=ev)))[0])
                       for ev in (0, 1))
        good += 0.7 <= np.log2(bright / dim) <= 1.3
    assert good >= 0.8 * len(people)


def test_windows_meet_without_a_seam(pipeline, people):
    """Mean absolute frame difference across the borders of windows, over that within them: 100 frames of a panned still
    under a turning light."""
    from relight.pipeline.portrait import InMemory

    wide = np.concatenate([people[0], people[0][:, ::-1]], axis=1)
    pictures = [np.ascontiguousarray(wide[:, shift:shift + 128]) for shift in range(100)]
    shot = Shot(pipeline, InMemory(pictures), ShotLight([side_lamp()], spin=90))
    made = np.stack([relit.picture for relit in shot.frames()])
    steps = np.abs(np.diff(made, axis=0)).mean(axis=(1, 2, 3))
    settings = pipeline.settings
    hop = settings.window - settings.overlap
    border = np.array([k % hop in range(settings.overlap + 1) and k >= hop - 1 for k in range(1, 100)])
    assert steps[border].mean() / steps[~border].mean() <= 1.05


def test_the_same_bits_twice(pipeline, people):
    torch.manual_seed(1)
    one = pipeline([people[1]], ShotLight([side_lamp()])).pictures
    torch.manual_seed(2)
    np.testing.assert_array_equal(one, pipeline([people[1]], ShotLight([side_lamp()])).pictures)
