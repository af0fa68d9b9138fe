"""The template's identity space: directions that anthropometry scales, others that sculpt. Millimetres.

The first directions are the measures of :mod:`synth.heads.template.anthropometry`: at 1 each changes its measure by one
standard deviation and, to first order, no other one. So a person's coefficients are their measures in deviations. All
other directions are freed of any effect on the measures. Eyeballs only ever translate and scale.
"""

from __future__ import annotations

import numpy as np

from synth.heads.template import traits
from synth.heads.template.anthropometry import MEASURES, measures, table, tape
from synth.heads.template.geometry import FLIP, GROUPS, Geometry
from synth.heads.template.sculpt import EYE_CENTRE, smoothstep

TRAITS = (
    "forehead_slope", "forehead_bulge", "occiput", "temple", "brow_ridge", "brow_height", "eye_size", "eye_depth",
    "canthal_tilt", "lid_droop", "lid_fold", "epicanthus", "eye_bags", "cheekbones", "cheek_fullness", "cheek_hollow",
    "nose_bridge", "nose_hump", "nose_tip", "nose_bulb", "nostrils", "prognathism", "lip_eversion", "philtrum",
    "mouth_corners", "chin_projection", "chin_breadth", "chin_cleft", "jaw_line", "nasolabial_fold", "jowls",
    "double_chin", "larynx", "neck_bands", "shoulders", "ear_flare", "ear_lobe", "ear_tilt",
)
"""Directions of form, at 1 for one standard deviation."""
ASYMMETRIES = ("asymmetry_eye", "asymmetry_brow", "asymmetry_nose", "asymmetry_mouth", "asymmetry_jaw",
               "asymmetry_cheek", "asymmetry_ear", "asymmetry_skull")
"""Directions in which left and right differ: their mirror images are their negatives."""
SHAPES = ("population", *MEASURES, *TRAITS, *ASYMMETRIES)
"""Names of the shape directions, in the file's order. ``population`` at 1 brings the sculpted head to the table's means
and is 1 for everyone; a shape of zeros is the sculpted head."""
LID_DROOP = 0.09
"""Share of the upper lid's way to shut for one standard deviation of ``lid_droop``."""
_TILT = np.radians(2.0)
"""One standard deviation of the eye fissure's inclination (Farkas 1994: 2 degrees)."""


def identity_basis(geometry: Geometry, lid_droop: np.ndarray) -> np.ndarray:
    """(N, 3, S) float64 mm. ``lid_droop`` (N, 3) is the upper lids' motion for the trait of that name."""
    v = geometry.vertices
    fields = traits.measured(v) | traits.shaped(v) | traits.asymmetric(v)
    fields = {name: _keep_eyes(geometry, field) for name, field in fields.items()}
    fields["eye_size"] = _scale_eyes(v, 0.03, 20.0)
    fields["canthal_tilt"] = _tilt_eyes(geometry)
    fields["lid_droop"] = LID_DROOP * lid_droop
    for name in (*MEASURES, *TRAITS):
        fields[name] = 0.5 * (fields[name] + fields[name][geometry.mirror] * FLIP)
    for name in ASYMMETRIES:
        fields[name] = 0.5 * (fields[name] - fields[name][geometry.mirror] * FLIP)
    return _calibrated(geometry, fields)


def spread() -> tuple[np.ndarray, np.ndarray]:
    """Mean of both sexes and their mean deviation for each measure, (M,) each, mm: the unit of its direction."""
    return tuple(0.5 * (table(True) + table(False)).T)


def _calibrated(geometry: Geometry, fields: dict[str, np.ndarray]) -> np.ndarray:
    """(N, 3, S): directions of one measure each, and all others made neutral to measures.

    With G = d measures / d raw fields, the raw fields times G^-1 diag(sd) change one measure by one sd. G is taken by
    central differences of +-1: the distances' curvature cancels.
    """
    at = tape(geometry)
    v = 0.5 * (geometry.vertices + geometry.vertices[geometry.mirror] * FLIP)

    def response(field: np.ndarray) -> np.ndarray:
        return 0.5 * (measures(v + field, at) - measures(v - field, at))

    mean, sd = spread()
    raw = np.stack([fields[name] for name in MEASURES], axis=2)
    gain = np.stack([response(fields[name]) for name in MEASURES], axis=1)
    if np.linalg.cond(gain / sd[:, None]) > 60:
        raise RuntimeError("template: the measures' fields do not tell the measures apart")
    one_measure = raw @ np.linalg.solve(gain, np.diag(sd))
    columns = [one_measure @ ((mean - measures(v, at)) / sd)]
    columns += list(one_measure.transpose(2, 0, 1))
    columns += [fields[name] - one_measure @ (response(fields[name]) / sd) for name in TRAITS]
    columns += [fields[name] for name in ASYMMETRIES]
    return np.stack(columns, axis=2)


def _scale_eyes(v: np.ndarray, amount: float, reach: float) -> np.ndarray:
    """Scale about both eyes' centres, fading out at ``reach`` mm."""
    field = np.zeros_like(v)
    for sign in (1, -1):
        ray = v - EYE_CENTRE * (sign, 1, 1)
        field += ray * (amount * smoothstep(reach * 1.6, reach * 0.75, np.linalg.norm(ray, axis=1)))[:, None]
    return field


def _tilt_eyes(geometry: Geometry) -> np.ndarray:
    """Raise the outer corners by turning lids about the eyes' axes: they stay at their distance from the eyeball."""
    field = np.zeros_like(geometry.vertices)
    ball = np.isin(geometry.group, (GROUPS.index("left_eye"), GROUPS.index("right_eye")))
    for sign in (1, -1):
        ray = geometry.vertices - EYE_CENTRE * (sign, 1, 1)
        turn = sign * _TILT * smoothstep(27, 15, np.linalg.norm(ray, axis=1)) * ~ball * (ray[:, 2] > 0)
        field += np.stack([-turn * ray[:, 1], turn * ray[:, 0], 0 * turn], axis=1)
    return field


def _keep_eyes(geometry: Geometry, field: np.ndarray) -> np.ndarray:
    """Make a field carry eyeballs, and the lids on them, rigidly: their centres' mean motion."""
    field = field.copy()
    for sign, name in ((1, "left_eye"), (-1, "right_eye")):
        centre = EYE_CENTRE * (sign, 1, 1)
        ball = geometry.group == GROUPS.index(name)
        mean = field[ball].mean(axis=0)
        hold = smoothstep(19, 14.4, np.linalg.norm(geometry.vertices - centre, axis=1))
        hold[ball] = 1.0
        field += hold[:, None] * (mean - field)
    return field
