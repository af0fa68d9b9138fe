"""Pigment of hair: from melanin to fibres, and which hairs are grey."""

from __future__ import annotations

import dataclasses
import zlib

import numpy as np

from synth.appearance.description import HairLook
from synth.scene import Fibre, Strands

_LATE = {"hair": (0.0, 1.0), "beard": (-0.12, 1.0), "brows": (0.4, 1.6)}
"""By label: share of the scalp's grey at which greying begins, and a power. Beards go before the scalp, brows after
it, lashes keep their pigment (Keogh & Walsh 1965; Panhard et al. 2012)."""
_TEMPLE = np.array([66.0, 20.0, 15.0]), 38.0
"""Where a scalp goes grey first, canonical mm on the left, and how far that reaches."""


def fibres(look: HairLook) -> dict[str, Fibre]:
    """Materials by name: ``hair``, ``brows``, ``lashes``, ``beard`` and ``grey``.

    Roughness is what Chiang et al. 2016 fit to human hair; beards are coarser, and hair without pigment is wirier.
    """
    eu, pheo = look.eumelanin, look.pheomelanin
    # The sun bleaches the scalp's hair; what is short and shaded keeps its colour, lashes most of all.
    fair = np.exp(-eu / 0.8)
    red = 0.22 * eu / (eu + 0.4) * np.exp(-eu / 3.0)
    return {
        "hair": Fibre(eu, pheo, 0.28, 0.30),
        "brows": Fibre(1.15 * eu + 0.35 * fair, 1.1 * pheo, 0.30, 0.30),
        "lashes": Fibre(1.6 * eu + 0.55, pheo, 0.28, 0.30),
        "beard": Fibre(0.8 * eu, 1.2 * pheo + red, 0.33, 0.34),
        "grey": Fibre(0.015, 0.0, 0.35, 0.38),
    }


def split_grey(groups: tuple[Strands, ...], look: HairLook, canonical: np.ndarray) -> tuple[Strands, ...]:
    """Each group in two, pigmented hairs and those of material ``grey``, by the look's share.

    canonical: (N, 3) mm of the head's vertices: temples go grey first.
    """
    out = []
    for group in groups:
        grey = _grey(group, look, canonical)
        out += [_part(group, ~grey, group.name, group.material), _part(group, grey, f"{group.name}_grey", "grey")]
    return tuple(group for group in out if len(group.roots))


def _part(group: Strands, chosen: np.ndarray, name: str, material: str) -> Strands:
    if chosen.all():
        return dataclasses.replace(group, name=name, material=material)
    return Strands(name, material, group.roots[chosen], group.weights[chosen], group.offsets[chosen],
                   group.radii[chosen])


def _grey(group: Strands, look: HairLook, canonical: np.ndarray) -> np.ndarray:
    """(S,) which hairs are grey: exactly the group's share, those first that chance and place put first."""
    count = len(group.roots)
    start, power = _LATE.get(group.label, (1.0, 1.0))
    begun = np.clip((look.grey - start) / max(1 - start, 1e-6), 0, 1) if look.grey > 0 else 0.0
    number = round(float(begun**power) * count)
    rng = np.random.default_rng([look.seed, zlib.crc32(group.label.encode())])
    rank = rng.random(count)
    if group.label == "hair":
        place = np.einsum("sc,scx->sx", group.weights, canonical[group.roots])
        place[:, 0] = np.abs(place[:, 0])
        near = np.exp(-np.square((place - _TEMPLE[0]) / _TEMPLE[1]).sum(axis=1))
        rank -= 0.3 * near
    grey = np.zeros(count, bool)
    grey[np.argsort(rank, kind="stable")[:number]] = True
    return grey
