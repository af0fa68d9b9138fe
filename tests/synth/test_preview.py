"""How pictures of people are exposed."""

import numpy as np
import pytest

from synth.camera.film import RESPONSES
from synth.preview import photographs
from synth.scene import Frame
from tests.synth.probes import front_camera, uniform


class Still:
    """A renderer of one picture."""

    def __init__(self, rgb: np.ndarray) -> None:
        self._rgb = rgb.astype(np.float32)

    def render(self, subject, cameras, lightings, **_):
        channels = {"rgb.000": self._rgb, "alpha": np.ones(self._rgb.shape[:2], np.float32)}
        yield Frame(0, channels, (lightings[0][0].data,), cameras[0])


@pytest.mark.parametrize("glints", [0.0, 0.05])
@pytest.mark.parametrize("skin", [0.02, 0.3])
def test_a_metered_face_is_mid_grey_whatever_glints_on_it(skin, glints):
    size = 20
    rgb = np.full((size, size, 3), skin)
    shiny = np.zeros((size, size), bool)
    shiny.ravel()[: int(glints * size * size)] = True
    rgb[shiny] *= 40
    ((picture,),) = photographs(Still(rgb), None, [front_camera(size)], [uniform()], spot=np.ones((size, size), bool))
    seen = RESPONSES["srgb"][1](picture[~shiny])
    assert 0.14 < seen.mean() < 0.19
    # The incident meter knows nothing of the skin.
    ((incident,),) = photographs(Still(rgb), None, [front_camera(size)], [uniform()])
    assert abs(RESPONSES["srgb"][1](incident[~shiny]).mean() - skin) < 0.01 * skin + 0.002
