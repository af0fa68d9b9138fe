"""Stored radiance as a camera would have recorded it: background, exposure, sensor noise, white balance, response.

None of this is in the dataset. It is drawn on load from the clip's ``sensor`` seed stream, so that a clip can be
photographed again and again, each take different and each repeatable.
"""

from __future__ import annotations

import numpy as np

from synth.camera.film import Film, sample_film
from synth.camera.sensor import SensorNoise, sample_noise
from synth.dataset.reader import Clip
from synth.lighting.envmap import EnvMap
from synth.seeds import Seeds


def sample_take(clip: Clip, lighting: int, take: int = 0) -> tuple[Film, SensorNoise]:
    """Film and sensor of one take: the same for every frame, about the exposure that a meter at the head asks for."""
    metadata = clip.metadata()
    rng = Seeds(**metadata["spec"]["seeds"]).rng("sensor", lighting, take)
    return sample_film(rng, metered_ev=metadata["exposure_ev"][lighting]), sample_noise(rng)


def photograph(clip: Clip, frame: int, lighting: int, *, take: int = 0, film: Film | None = None,
               noise: SensorNoise | None = None, background: bool = True) -> np.ndarray:
    """One frame under one lighting as display values (H, W, 3) float32 in [0, 1].

    ``film`` and ``noise`` replace what :func:`sample_take` draws. Without ``background`` the subject stands on black;
    with it, before the environment that lights it, through the same exposure, white balance and response.
    """
    drawn_film, drawn_noise = sample_take(clip, lighting, take)
    film, noise = film or drawn_film, noise or drawn_noise
    radiance = clip.read(frame, f"rgb.{lighting:03d}")
    if background:
        behind = EnvMap(clip.envmap(lighting, frame)).look_up(clip.camera(frame).rays())
        radiance = radiance + (1 - clip.read(frame, "alpha")[..., None]) * behind
    rng = Seeds(**clip.metadata()["spec"]["seeds"]).rng("sensor", lighting, take, "frame", frame)
    return film.render(noise.apply(film.expose(radiance), rng)).astype(np.float32)
