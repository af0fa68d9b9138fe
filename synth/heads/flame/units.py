"""Between action units and the coefficients of FLAME's (or SMPL-X's) own expression basis.

Each unit at full activation is a displacement of the head's surface. What of it the file's statistical basis can do is
found by ridge least squares, where a coefficient of 1 (one standard deviation) costs as much as ``_NOISE`` of error.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import lsq_linear

from synth.heads.driver import drive
from synth.heads.head import HeadModel
from synth.motion.performance import Performance, neutral

_NOISE = 5e-4
"""Metres of error, root of the sum over the surface, that one standard deviation of a coefficient is worth."""
_LEAST_SHARE = 0.08
"""Units of which the basis holds less are not read from coefficients: what it holds of them belongs to others."""


def unit_targets(head: HeadModel) -> tuple[tuple[str, ...], np.ndarray]:
    """Names, such as ``AU12_L``, and displacements (U, K, 3) float32 metres of the skin: each unit at full strength."""
    names = tuple(f"{unit}_{side}" for unit in head.units for side in "LR")
    still = neutral(len(names), 24.0)
    curves = {name: np.eye(len(names), dtype=np.float32)[k] for k, name in enumerate(names)}
    coefficients = drive(Performance(24.0, curves, still.head, still.neck, still.jaw, still.left_eye, still.right_eye,
                                     still.translation), head.expressions)
    return names, np.einsum("nce,ue->unc", head.arrays["expression_directions"][_skin(head)], coefficients)


def au_to_flame(head: HeadModel) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of units and sides, and (U, E) float32: the coefficients of the head's own basis that come closest to each.

    What a basis can't do (lids above all) is in ``head.expression_directions`` nonetheless; see :func:`basis_shares`.
    """
    names, targets = unit_targets(head)
    basis = _basis(head)
    gram = basis.T @ basis + _NOISE**2 * np.eye(basis.shape[1])
    return names, np.linalg.solve(gram, basis.T @ targets.reshape(len(names), -1).T).T.astype(np.float32)


def basis_shares(head: HeadModel) -> dict[str, float]:
    """Unit and side to how much of its displacement the head's own basis does, as a share of its square sum, 0 to 1.

    A unit that doesn't move the skin (the tongue's) has 0.
    """
    names, targets = unit_targets(head)
    _, matrix = au_to_flame(head)
    flat = targets.reshape(len(names), -1).astype(np.float64)
    left = flat - matrix @ _basis(head).T
    whole = (flat**2).sum(axis=1)
    return {name: float(1 - (left[k] ** 2).sum() / whole[k]) if whole[k] > 1e-10 else 0.0
            for k, name in enumerate(names)}


def flame_to_units(head: HeadModel, coefficients: np.ndarray) -> dict[str, np.ndarray]:
    """Curves (T,) float32 in [0, 1] of units and sides that look as near as possible to a track of coefficients (T, K).

    K may be smaller or larger than the head's basis: what either lacks counts as zero. Units that stay at rest are left
    out. This carries FLAME tracks to other families.
    """
    names, matrix = au_to_flame(head)
    shares = basis_shares(head)
    held = [k for k, name in enumerate(names) if shares[name] > _LEAST_SHARE]
    basis = _basis(head)
    used = min(coefficients.shape[1], basis.shape[1])
    # Distances between coefficients are those between the surfaces that they make.
    root = np.linalg.cholesky(basis.T @ basis + _NOISE**2 * np.eye(basis.shape[1])).T
    system = root @ matrix[held].T.astype(np.float64)
    damped = np.concatenate([system, 0.02 * np.linalg.norm(system) * np.eye(len(held)) / max(len(held), 1) ** 0.5])
    goals = coefficients[:, :used].astype(np.float64) @ root[:, :used].T
    curves = np.array([
        lsq_linear(damped, np.append(goal, np.zeros(len(held))), (0, 1)).x if goal.any() else np.zeros(len(held))
        for goal in goals
    ]).reshape(len(goals), len(held))
    return {names[k]: curves[:, row].astype(np.float32) for row, k in enumerate(held) if curves[:, row].max() > 0.01}


def _basis(head: HeadModel) -> np.ndarray:
    """(3 K, E) float64 metres: the head's own expression directions on its skin."""
    if head.native is None or head.native.shape[2] == 0:
        raise ValueError(f"{head.family}: has no expression basis of its own, expected flame or smplx")
    return head.native[_skin(head)].reshape(-1, head.native.shape[2]).astype(np.float64)


def _skin(head: HeadModel) -> np.ndarray:
    """Vertices of skin and lips: what a unit is told by."""
    return np.unique(np.concatenate([part.vertex_map for part in head.parts if part.label in ("skin", "lips")]))

