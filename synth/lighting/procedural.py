"""The catalogue of procedural lights: families, stable ids, parameters and digests."""

from __future__ import annotations

import hashlib
import json

from assets.errors import AssetError
from synth.lighting.envmap import EnvMap
from synth.lighting.families.base import Family, Params
from synth.lighting.families.coloured import Gels, Gradient, Points
from synth.lighting.families.studio import Beauty, Rim, Studio
from synth.lighting.families.sunsky import SunSky
from synth.lighting.families.window import Window
from synth.seeds import keyed

FAMILIES: dict[str, Family] = {
    family.name: family for family in (SunSky(), Studio(), Beauty(), Rim(), Gels(), Points(), Gradient(), Window())
}
"""By name. Counts may grow, so that ids only ever appear; a family whose pixels change gets a new RENDER_VERSION."""

RENDER_VERSION = 1
"""Part of every digest: raise it when the same parameters render to other pixels."""

LICENCE = "CC0-1.0"
"""Licence of every procedural light."""


def catalogue_ids() -> tuple[str, ...]:
    """Every id, such as ``procedural/sunsky/0042``."""
    return tuple(f"procedural/{family.name}/{i:04d}" for family in FAMILIES.values() for i in range(family.count))


def params_of(light_id: str) -> Params:
    """The parameters that an id stands for, drawn from a seed made of the id alone."""
    family = _family(light_id)
    return family.sample(keyed(light_id))


def digest_of(light_id: str) -> str:
    """BLAKE2b hex digest of a light's family, parameters and render version."""
    params = params_of(light_id).model_dump(mode="json")
    content = json.dumps([RENDER_VERSION, _family(light_id).name, params], sort_keys=True)
    return hashlib.blake2b(content.encode(), digest_size=20).hexdigest()


def render(light_id: str, height: int) -> EnvMap:
    """The map of an id at ``height`` rows."""
    return _family(light_id).render(params_of(light_id), height)


def _family(light_id: str) -> Family:
    """The family that an id belongs to."""
    root, _, rest = light_id.partition("/")
    name, _, number = rest.partition("/")
    if root != "procedural" or name not in FAMILIES or not (number.isdecimal() and len(number) == 4):
        raise AssetError(
            f"lighting id {light_id!r}: expected procedural/<family>/<four digits> "
            f"with family one of {', '.join(FAMILIES)}"
        )
    return FAMILIES[name]
