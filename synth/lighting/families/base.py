"""What a procedural family is made of."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pydantic

from synth.lighting.envmap import EnvMap


class Params(pydantic.BaseModel):
    """Parameters of one light. Angles are degrees, colours linear Rec.709, radiances in scene units.

    Azimuth 0 is in front of the face (+Z), +90 is +X, the camera's right; elevation 90 is +Y. One scene unit of
    radiance is about 10,000 cd/m2, so that a white wall in daylight and a lit softbox are both near 1.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Family(Protocol):
    """One kind of light: draws parameters, and renders them at any size."""

    name: str
    """Second part of its ids, ``procedural/<name>/0001``."""
    count: int
    """How many of it the catalogue holds."""
    tags: tuple[str, ...]
    """Words that a user may look for."""

    def sample(self, rng: np.random.Generator) -> Params:
        """Draw the parameters of one light, through ``emitters.draw`` and ``emitters.pick`` only."""
        ...

    def render(self, params: Params, height: int) -> EnvMap:
        """The map at ``height`` rows."""
        ...
