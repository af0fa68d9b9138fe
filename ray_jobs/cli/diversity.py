"""How diverse a dataset's people are: identity-space coverage by family, tones of skin, for ``pixelcube inspect``."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from assets.errors import PixelCubeError
from synth.appearance.tones import tone_lines
from synth.heads.coverage import coverage
from synth.heads.load import load_head

REFERENCE = 2000
"""Independent draws that the dataset's people are compared with."""


def identity_lines(rows: list[dict[str, Any]]) -> list[str]:
    """Lines on an index's rows: coverage of each family's identity space, tones of skin, how often who does what."""
    lines = []
    for family, digest in sorted({(row["head_family"], row["head_hash"]) for row in rows}):
        people = {row["identity"]: row["shape"] for row in rows if (row["head_family"], row["head_hash"])
                  == (family, digest) and row["shape"]}
        if len({len(shape) for shape in people.values()}) == 1:  # versions of the code may differ in directions
            lines.append(f"identities, {family}: {_describe(family, digest, np.array(list(people.values())))}")
    tones = [row["skin_tone"] for row in rows if len(row["skin_tone"]) == 3]
    lines += tone_lines(tones) if tones else []
    motions = {row["motion"] for row in rows}
    lines.append(f"performances: {len(motions)} different ones in {len(rows)} clips")
    return lines


def _describe(family: str, digest: str, shapes: np.ndarray) -> str:
    reference = None
    with contextlib.suppress(PixelCubeError):  # no files here, or others: the rows alone don't tell the population
        head = load_head(family)
        if head.source_hash == digest and head.arrays["shape_directions"].shape[2] == shapes.shape[1]:
            count = max(REFERENCE, 2 * len(shapes))
            reference = np.stack([head.sample_identity(np.random.default_rng([7, k])).shape for k in range(count)])
    if reference is None:
        distinct = len(np.unique(shapes, axis=0))
        return f"{distinct} distinct of {len(shapes)} people (no model here to compare them with its population)"
    return coverage(shapes, reference).summary()
