"""What the networks made, at their size, as a finished picture at the size of the footage."""

from __future__ import annotations

import functools

import numpy as np

from synth.camera.film import FILMIC_WHITE, RESPONSES, Film

_LAST = 65535
_EDGE = 1 / 512
"""Alpha that is nothing, or less than everything by nothing, at 8 bits."""
_FAINT = 0.1
"""Alpha below which a foreground's colour is not told from the little that is seen of it."""


class Developer:
    """A film by table: display values to scene-linear radiance and back, (..., 3) float32, within 1/65535 of a step.

    :class:`~synth.camera.film.Film` computes the same with powers, ten times as slowly.
    """

    def __init__(self, film: Film):
        self._gain = np.float32(2.0**film.exposure_ev) * np.asarray(film.white_balance, np.float32)
        self._display, self._exposed, self._white = _tables(film.response)

    def radiance(self, display: np.ndarray) -> np.ndarray:
        """Radiance of display values in [0, 1]; 1 gives the least that clips."""
        places = np.rint(np.clip(display, 0, 1) * np.float32(_LAST)).astype(np.uint16)
        return self._exposed.take(places) / self._gain

    def display(self, radiance: np.ndarray) -> np.ndarray:
        """Display values of radiance, clipped to [0, 1]."""
        share = radiance * (self._gain / np.float32(self._white))
        np.clip(share, 0, 1, out=share)
        np.sqrt(share, out=share)
        return self._display.take(np.rint(share * np.float32(_LAST)).astype(np.uint16))


@functools.cache
def _tables(response: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Display over the root of the exposed value's share of white, exposed over display, white; float32."""
    white = FILMIC_WHITE if response == "filmic" else 1.0
    places = np.arange(_LAST + 1) / _LAST
    forward, inverse = RESPONSES[response]
    return forward(white * places**2).astype(np.float32), inverse(places).astype(np.float32), white


def foreground(target: np.ndarray, alpha: np.ndarray, behind: np.ndarray, developer: Developer) -> np.ndarray:
    """(h, w, 3) float32 display values of the person alone, from the picture before a background.

    target, behind: (h, w, 3) display values; alpha: (h, w). Light adds up before the camera's curve, so it is taken
    apart there: L = (T - (1 - a) B) / a. Where alpha is faint the colour is dim rather than wild.
    """
    alpha = alpha[..., None]
    premultiplied = developer.radiance(target) - (1 - alpha) * developer.radiance(behind)
    return developer.display(np.maximum(premultiplied, 0) / np.maximum(alpha, np.float32(_FAINT)))


def over(person: np.ndarray, alpha: np.ndarray, behind: np.ndarray, developer: Developer) -> np.ndarray:
    """(H, W, 3) float32 radiance: a person (H, W, 3), display values, with alpha (H, W), before radiance ``behind``."""
    alpha = alpha[..., None]
    return alpha * developer.radiance(person) + (1 - alpha) * behind


def put_before(person: np.ndarray, alpha: np.ndarray, shown: np.ndarray, behind: np.ndarray, developer: Developer
               ) -> np.ndarray:
    """(H, W, 3) float32 display values of :func:`over`, computed where both are seen. shown: ``behind``, displayed."""
    picture = np.where(alpha[..., None] > 0.5, person, shown)
    mixed = (alpha > _EDGE) & (alpha < 1 - _EDGE)
    picture[mixed] = developer.display(over(person[mixed], alpha[mixed], behind[mixed], developer))
    return picture
