"""Where a FLAME or SMPL-X head's craniofacial landmarks are: from the authors' embedding, else from its form."""

from __future__ import annotations

import numpy as np

from synth.heads.canonical import LANDMARKS, template_landmark

IBUG = {
    "right_brow_outer": 0, "right_brow_middle": 2, "right_brow_inner": 4, "left_brow_inner": 5, "left_brow_middle": 7,
    "left_brow_outer": 9, "sellion": 10, "pronasale": 13, "subnasale": 16, "right_exocanthion": 19,
    "right_endocanthion": 22, "left_endocanthion": 25, "left_exocanthion": 28, "right_cheilion": 31,
    "labiale_superius": 34, "left_cheilion": 37, "labiale_inferius": 40,
}
"""Landmark to its place among the 51 of iBUG (Sagonas et al. 2013, 300-W), counted from the right brow's end."""
_FARTHEST = 22.0
"""How far, in template millimetres, an embedded landmark may lie from where it is on the mean template."""


def find_landmarks(neutral: np.ndarray, skin: np.ndarray, eyes: np.ndarray, jaw: np.ndarray,
                   embedded: np.ndarray | None) -> dict[str, np.ndarray]:
    """Name in ``canonical.LANDMARKS`` (paired ones with a side) to a place (3,) metres on ``neutral`` (N, 3) metres.

    skin: vertices of the skin; eyes: (2, 3) centres of the left and right eyeball; jaw: (N,) weight of the jaw's joint;
    embedded: (51, 3) the authors' landmarks or None. Landmarks that contradict a face's proportions are left out.
    """
    scale = np.linalg.norm(eyes[0] - eyes[1]) / 63.0
    middle = eyes.mean(axis=0)
    to_mm = np.array([0.0, 0.0, 76.0])
    points = (neutral[skin] - middle) / scale + to_mm
    found = {"left_eye": (eyes[0] - middle) / scale + to_mm, "right_eye": (eyes[1] - middle) / scale + to_mm}
    found |= _profile(points) | _mouth(points, jaw[skin])
    if embedded is not None:
        found |= {name: (embedded[row] - middle) / scale + to_mm for name, row in IBUG.items()}
    names = {name for name in found if np.linalg.norm(found[name] - template_landmark(name)) < _FARTHEST
             or name in ("left_eye", "right_eye", "crown", "gnathion")}
    return {name: (found[name] - to_mm) * scale + middle for name in sorted(names)}


def _profile(points: np.ndarray) -> dict[str, np.ndarray]:
    """Landmarks of the midline, from its outline seen from the side. Points in mm, eyes level at z = 76."""
    near = points[(np.abs(points[:, 0]) < 5) & (points[:, 2] > 40)]
    if len(near) < 12:
        return {}
    height = np.arange(-135.0, 60.0, 1.0)
    rise = np.abs(near[:, 1] - height[:, None])
    depth = np.max(np.where(rise < 4, near[:, 2] - 0.5 * rise, -np.inf), axis=1)  # the outline, a little rounded

    def at(low: float, high: float, extreme) -> float | None:
        window = np.flatnonzero((height > low) & (height < high) & np.isfinite(depth))
        return float(height[window[extreme(depth[window])]]) if len(window) else None

    tip = at(-60, -15, np.argmax)
    if tip is None:
        return {}
    out = {"crown": points[np.argmax(points[:, 1])], "pronasale": _on(height, depth, tip)}
    sellion = at(-12, 16, np.argmin)
    line = at(tip - 18, tip - 3, lambda z: np.argmax(_beyond_chord(z)))
    for name, where in (("sellion", sellion), ("subnasale", line)):
        if where is not None:
            out[name] = _on(height, depth, where)
    pogonion = at(-112, -88, np.argmax)
    if pogonion is not None:
        out["pogonion"] = _on(height, depth, pogonion)
    return out


def _beyond_chord(z: np.ndarray) -> np.ndarray:
    """How far an outline lies behind the straight line between its ends: the nose's base is its deepest point."""
    return np.linspace(z[0], z[-1], len(z)) - z


def _on(height: np.ndarray, depth: np.ndarray, where: float) -> np.ndarray:
    return np.array([0.0, where, np.interp(where, height, depth)])


def _mouth(points: np.ndarray, jaw: np.ndarray) -> dict[str, np.ndarray]:
    """The lips, from where skin that the jaw carries meets skin that it doesn't."""
    from scipy.spatial import cKDTree

    front = (np.abs(points[:, 0]) < 32) & (points[:, 1] > -95) & (points[:, 1] < -45) & (points[:, 2] > 78)
    upper, lower = points[front & (jaw < 0.45)], points[front & (jaw > 0.55)]
    if len(upper) < 5 or len(lower) < 5:
        return {}
    distance, partner = cKDTree(upper).query(lower)
    meeting = 0.5 * (lower + upper[partner])[distance < 4.0]
    if len(meeting) < 5:
        return {}
    centre = meeting[np.abs(meeting[:, 0]) < 8]
    if not len(centre):
        return {}
    contact = np.array([0.0, np.median(centre[:, 1]), np.max(centre[:, 2])])
    rest = np.array([0.0, -66.2, 0.0])  # the contact on the template
    out = {}
    for name in ("labiale_superius", "labiale_inferius"):
        home = np.array(LANDMARKS[name])
        out[name] = np.array([0.0, contact[1] + home[1] - rest[1], home[2] + contact[2] - 100.0])
    return out
