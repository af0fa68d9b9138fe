"""Brows, lashes, stubble and beards."""

from __future__ import annotations

from synth.hair.beard import grow_beard
from synth.hair.brows import grow_brows
from synth.hair.lashes import grow_lashes

__all__ = ["grow_beard", "grow_brows", "grow_lashes"]
