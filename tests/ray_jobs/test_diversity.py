"""What ``pixelcube inspect`` says of a dataset's people."""

import numpy as np

from ray_jobs.cli.diversity import identity_lines
from synth.heads.load import load_head


def rows_of(shapes: list[np.ndarray], digest: str, family: str = "template", tone: tuple = ()) -> list[dict]:
    return [{"head_family": family, "head_hash": digest, "identity": f"{family}/{k}", "shape": shape.tolist(),
             "motion": "speech", "skin_tone": tone} for k, shape in enumerate(shapes)]


def test_independent_people_cover_what_independent_draws_do_and_copies_do_not():
    head = load_head()
    people = [head.sample_identity(np.random.default_rng(seed)).shape for seed in range(12)]
    line, motions = identity_lines(rows_of(people, head.source_hash))
    copies, _ = identity_lines(rows_of(people[:1] * 12, head.source_hash))
    assert "12 distinct of 12 people" in line and "1 distinct of 12 people" in copies
    assert float(line.partition("; ")[2].partition(" effective")[0]) > 5
    assert motions == "performances: 1 different ones in 12 clips"


def test_people_of_a_model_that_is_not_here_are_only_counted():
    rows = rows_of([np.zeros(3), np.ones(3), np.ones(3)], "ab" * 10, "flame")
    assert identity_lines(rows)[0].startswith("identities, flame: 2 distinct of 3 people (no model here")


def test_tones_of_skin_are_told_where_they_are_known():
    fair, unknown = (rows_of([np.zeros(3)] * 2, "ab" * 10, "flame", tone) for tone in ((0.5, 0.35, 0.27), ()))
    lines = identity_lines([*fair, *unknown])
    assert any(line.startswith("skin: 2 faces") for line in lines)
    assert not any("skin" in line for line in identity_lines(unknown))
