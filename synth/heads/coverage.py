"""How much of a family's identity space a set of people covers."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.spatial import cKDTree


@dataclasses.dataclass(frozen=True, eq=False)
class Coverage:
    """A set of people against independent draws from the same population."""

    people: int
    """How many there are."""
    distinct: int
    """How many of them differ in any coefficient."""
    dimensions: float
    """Effective dimensions: participation ratio (sum of variances)^2 / sum of squared variances of the covariance's
    spectrum, in units of the population's deviations. S for isotropic people, 1 for people on a line, 0 for one."""
    population_dimensions: float
    """The same of as many independent draws: fewer people span fewer dimensions."""
    spread: np.ndarray
    """(S,) float64: each direction's deviation over the population's; NaN where the population doesn't vary."""
    nearest: float
    """Mean distance from each distinct person to the most similar other one, in the population's deviations (Euclidean
    over all directions that vary); NaN for fewer than two."""
    population_nearest: float
    """The same of as many independent draws."""

    def summary(self) -> str:
        """One line for people."""
        spread = self.spread[np.isfinite(self.spread)]
        middle = f"{np.median(spread):.2f} (least {spread.min():.2f})" if len(spread) else "nothing"
        return (f"{self.distinct} distinct of {self.people} people; {self.dimensions:.1f} effective dimensions "
                f"(as many independent draws: {self.population_dimensions:.1f}); median spread {middle} of the "
                f"population's; nearest other {self.nearest:.2f} sd (independent: {self.population_nearest:.2f})")


def coverage(shapes: np.ndarray, reference: np.ndarray) -> Coverage:
    """Measure the identities ``shapes`` against a ``reference`` sample from their family's population.

    shapes: (P, S) coefficients of the people, P >= 1; reference: (R, S) of independent draws, R >= 2 and at least as
    many as there are distinct people. What "as many independent draws" have is the mean over up to eight parts of it.
    """
    shapes, reference = np.asarray(shapes, np.float64), np.asarray(reference, np.float64)
    for name, values in (("shapes", shapes), ("reference", reference)):
        if values.ndim != 2 or values.shape[1] != reference.shape[-1] or not len(values):
            raise ValueError(f"{name}: {values.shape}, expected (people, directions) with the same directions")
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: holds NaN or infinity")
    unique = np.unique(shapes, axis=0)
    count = len(unique)
    if len(reference) < max(count, 2):
        raise ValueError(f"reference: {len(reference)} draws, expected at least {max(count, 2)}")
    deviation = reference.std(axis=0)
    varies = deviation > 1e-9
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(varies, shapes.std(axis=0) / deviation, np.nan)
    scale = deviation[varies]
    parts = [reference[k * count : (k + 1) * count, varies] / scale for k in range(min(8, len(reference) // count))]
    drawn = [_extent(part) for part in parts]
    own = _extent(unique[:, varies] / scale)
    return Coverage(len(shapes), count, own[0], float(np.mean([d[0] for d in drawn])), spread, own[1],
                    float(np.mean([d[1] for d in drawn])))


def _extent(points: np.ndarray) -> tuple[float, float]:
    """Effective dimensions of a set of points (P, K), and the mean distance to the nearest other one."""
    if len(points) < 2:
        return 0.0, float("nan")
    centred = points - points.mean(axis=0)
    # The spectrum of the smaller of both Gram matrices: the other one's differs in zeros alone.
    gram = centred @ centred.T if len(points) < points.shape[1] else centred.T @ centred
    total, squares = np.trace(gram), (gram**2).sum()
    near = cKDTree(points).query(points, k=2)[0][:, 1]
    return float(total**2 / squares) if squares > 0 else 0.0, float(near.mean())
