"""Lids that shut, on any head whose eyeballs are known: FLAME's own expressions barely blink.

The opening is what can be seen from the eyeball's centre. Skin around it turns about the eye's transverse axis, so that
it slides over the eyeball; where skin from the fold comes down it unrolls onto the ball.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_matrix, eye

from synth.heads.template.sculpt import smoothstep

UPPER_SHARE = 0.86
"""Where the lids meet when shut, as a share of the opening from above (as the template's)."""
_COLUMNS, _ROWS = 81, 181
_SWEEP = np.radians(80.0)
"""Elevations looked at, up and down."""


def lid_fields(neutral: np.ndarray, faces: np.ndarray, centre: np.ndarray, radius: float) -> dict[str, np.ndarray]:
    """``upper_lid``, ``upper_lid_arc``, ``lower_lid``, ``lower_lid_arc`` of one eye: (N, 3) float64 metres each.

    neutral: (N, 3) metres; faces: (F, 3) of the skin; centre (3,) and radius of the eyeball, metres.
    """
    ray = (neutral - centre) / radius  # the eyeball is the unit sphere
    near = np.linalg.norm(ray, axis=1) < 2.4
    around = faces[(near[faces] & (ray[faces, 2] > 0)).all(axis=1)]
    across, upper_edge, lower_edge = _opening(ray, around)
    x = ray[:, 0]
    up_edge, low_edge = np.interp(x, across, upper_edge), np.interp(x, across, lower_edge)
    meet = up_edge + UPPER_SHARE * (low_edge - up_edge)
    distance, angle = np.linalg.norm(ray, axis=1), np.arctan2(ray[:, 1], ray[:, 2])
    skin = np.zeros(len(neutral), bool)
    skin[np.unique(faces)] = True
    within = skin * smoothstep(2.0, 1.45, distance) * smoothstep(-0.25, 0.1, ray[:, 2])
    upper = angle > 0.5 * (up_edge + low_edge)
    follow_up = smoothstep(np.radians(42), np.radians(4), angle - up_edge)
    follow_low = smoothstep(np.radians(30), np.radians(3), low_edge - angle)
    out, average = {}, _averages(faces, len(neutral))
    for name, turn, beyond in (
        ("upper_lid", np.where(upper, follow_up, 0) * within * (meet - up_edge), angle - up_edge),
        ("lower_lid", np.where(upper, 0, follow_low) * within * (meet - low_edge), low_edge - angle),
    ):
        free = beyond > np.radians(4)  # all but the margin follows its neighbours: no creases of the mesh's making
        for _ in range(4):
            turn = np.where(free, average @ turn, turn)
        full, halfway = _turned(ray, turn), _turned(ray, 0.5 * turn)
        out[name] = radius * full
        out[f"{name}_arc"] = radius * 4 * (halfway - 0.5 * full)
    return out


def _averages(faces: np.ndarray, count: int) -> csr_matrix:
    """(N, N): the mean of a vertex and its neighbours."""
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    ends = np.concatenate([pairs, pairs[:, ::-1]])
    link = csr_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count))
    link.data[:] = 1
    link = link + eye(count, format="csr")
    return (link.multiply(1 / link.sum(axis=1))).tocsr()


def _opening(ray: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x (K,) in eye radii, and the elevations (K,) of the upper and lower lid's margin there, radians.

    Faces are drawn over (x, elevation); the opening is what stays uncovered about the gaze.
    """
    covered = np.zeros((_ROWS, _COLUMNS), bool)
    corner = np.stack([ray[faces, 0] / 1.25 * (_COLUMNS // 2) + _COLUMNS // 2,
                       np.arctan2(ray[faces, 1], ray[faces, 2]) / _SWEEP * (_ROWS // 2) + _ROWS // 2], axis=2)
    for a, b, c in corner:
        low = np.maximum(np.floor(np.minimum(np.minimum(a, b), c)).astype(int), 0)
        high = np.minimum(np.ceil(np.maximum(np.maximum(a, b), c)).astype(int), (_COLUMNS - 1, _ROWS - 1))
        if (high < low).any():
            continue
        column, row = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
        at = np.stack([column, row], axis=-1)
        area = _cross(b - a, c - a)
        if abs(area) < 1e-9:
            continue
        wb, wc = _cross(at - a, c - a) / area, _cross(b - a, at - a) / area
        covered[row, column] |= (wb >= -1e-6) & (wc >= -1e-6) & (wb + wc <= 1 + 1e-6)
    angles = np.linspace(-_SWEEP, _SWEEP, _ROWS)
    x, upper, lower = [], [], []
    middle, level = _COLUMNS // 2, _start(covered)
    for step in (1, -1):
        row = level
        for column in range(middle, _COLUMNS if step > 0 else -1, step):
            if covered[row, column]:  # the opening bends: follow it
                free = np.flatnonzero(~covered[:, column])
                if not len(free) or np.abs(free - row).min() > 8:
                    break
                row = free[np.argmin(np.abs(free - row))]
            above, below = np.flatnonzero(covered[row:, column]), np.flatnonzero(covered[row::-1, column])
            if not len(above) or not len(below):
                break
            x.append((column - _COLUMNS // 2) / (_COLUMNS // 2) * 1.25)
            upper.append(angles[row + above[0]])
            lower.append(angles[row - below[0]])
            row = (2 * row + above[0] - below[0]) // 2
    if len(x) < 5:  # no opening is seen: lids as an average eye has them
        x = np.linspace(-0.85, 0.85, 9)
        vault = 1 - (x / 0.9) ** 2
        return x, np.radians(2 + 16 * vault), np.radians(2 - 25 * vault)
    order = np.argsort(x, kind="stable")
    x, upper, lower = (np.array(values)[order] for values in (x, upper, lower))
    upper, lower = (gaussian_filter1d(values, 1.5, mode="nearest") for values in (upper, lower))
    corner = 0.5 * (upper + lower)[[0, -1]]  # the margins meet just beyond the last column that is open
    ends = x[0] - 0.06, x[-1] + 0.06
    return (np.array([ends[0], *x, ends[1]]), np.array([corner[0], *upper, corner[1]]),
            np.array([corner[0], *lower, corner[1]]))


def _start(covered: np.ndarray) -> int:
    """The row, nearest to straight ahead, of the opening in the middle column."""
    free = np.flatnonzero(~covered[:, covered.shape[1] // 2])
    return int(free[np.argmin(np.abs(free - covered.shape[0] // 2))]) if len(free) else covered.shape[0] // 2


def _cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


def _turned(ray: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Displacement (N, 3), eye radii, of points turned up by ``angle`` about the x axis."""
    distance = np.linalg.norm(ray, axis=1)
    unroll = 0.9 * smoothstep(0, np.radians(20), np.abs(angle)) * (distance > 1.2)
    scale = 1 - unroll * np.clip(1 - 1.2 / np.maximum(distance, 1e-9), 0, 1)
    c, s = np.cos(angle), np.sin(angle)
    y, z = c * ray[:, 1] + s * ray[:, 2], c * ray[:, 2] - s * ray[:, 1]
    return np.stack([ray[:, 0] * (scale - 1), y * scale - ray[:, 1], z * scale - ray[:, 2]], axis=1)
