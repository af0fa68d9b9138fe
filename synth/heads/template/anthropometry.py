"""How heads are measured, and what the measures are in a population: the table that calibrates the template's people.

Means and standard deviations by sex are those of adults in North America: heads and faces from the survey of 3,997
respirator users (Z. Zhuang and B. Bradtmiller, "Head-and-face anthropometric survey of U.S. respirator users",
J. Occup. Environ. Hyg. 2:567-576, 2005), soft tissue that it doesn't have from L. G. Farkas, "Anthropometry of the
Head and Face" (2nd ed., 1994, young adults), head height from NASA-STD-3000 (vol. I, 1995). They were written down from
memory of these sources, not copied from them: trust them to about 1 mm in the mean and a tenth of the deviation.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.spatial import cKDTree

from synth.heads.canonical import LANDMARKS
from synth.heads.template.geometry import GROUPS, Geometry


@dataclasses.dataclass(frozen=True)
class Measure:
    """One dimension of the head, taken with calipers or tape, and its spread among adults."""

    male: tuple[float, float]
    """Mean and standard deviation among men, mm."""
    female: tuple[float, float]
    """Mean and standard deviation among women, mm."""
    source: str
    """``NIOSH`` (Zhuang & Bradtmiller 2005), ``Farkas`` (1994) or ``NASA`` (1995)."""
    between: tuple[str, str]
    """The two landmarks that it spans, of ears the left one's, for the mean of both; ``("", "")``: around the neck."""
    axis: int | None = None
    """Along which axis alone (0 across, 1 up, 2 forward); None for the straight distance."""


MEASURES: dict[str, Measure] = {
    "head_breadth": Measure((153.0, 6.0), (146.8, 5.6), "NIOSH", ("left_euryon", "right_euryon")),
    "head_length": Measure((197.3, 7.4), (187.5, 7.0), "NIOSH", ("glabella", "opisthocranion")),
    "head_height": Measure((232.0, 9.0), (218.0, 8.5), "NASA", ("crown", "gnathion"), 1),
    "frontal_breadth": Measure((105.5, 5.7), (102.9, 5.4), "NIOSH", ("left_frontotemporale", "right_frontotemporale")),
    "face_breadth": Measure((143.5, 6.9), (135.1, 6.5), "NIOSH", ("left_zygion", "right_zygion")),
    "jaw_breadth": Measure((120.4, 10.4), (110.1, 8.9), "NIOSH", ("left_gonion", "right_gonion")),
    "face_length": Measure((122.7, 7.0), (113.4, 6.1), "NIOSH", ("sellion", "gnathion")),
    "nose_length": Measure((52.0, 4.1), (48.2, 3.8), "NIOSH", ("sellion", "subnasale")),
    "nasal_root_breadth": Measure((16.6, 2.3), (16.3, 2.0), "NIOSH", ("left_maxillofrontale", "right_maxillofrontale")),
    "nose_breadth": Measure((36.6, 4.1), (33.2, 3.9), "NIOSH", ("left_alare", "right_alare")),
    "nose_protrusion": Measure((21.1, 2.7), (19.8, 2.7), "NIOSH", ("left_alare", "pronasale"), 2),
    "eye_distance": Measure((64.5, 3.6), (61.9, 3.5), "NIOSH", ("left_pupil", "right_pupil")),
    "mouth_breadth": Measure((51.1, 4.2), (48.0, 4.0), "NIOSH", ("left_cheilion", "right_cheilion")),
    "upper_lip_height": Measure((22.3, 2.1), (20.1, 2.0), "Farkas", ("subnasale", "stomion")),
    "upper_vermilion": Measure((8.9, 1.5), (8.4, 1.3), "Farkas", ("labiale_superius", "stomion"), 1),
    "lower_vermilion": Measure((10.4, 1.9), (9.7, 1.6), "Farkas", ("labiale_inferius", "stomion"), 1),
    "ear_length": Measure((62.4, 3.7), (58.5, 3.5), "Farkas", ("left_superaurale", "left_subaurale")),
    "ear_breadth": Measure((36.0, 2.4), (33.5, 2.2), "Farkas", ("left_preaurale", "left_postaurale"), 2),
    "neck_girth": Measure((406.7, 32.6), (344.9, 31.0), "NIOSH", ("", "")),
}
"""What the template's identities are calibrated to, by name."""
NECK_GIRTH_AT = -136.0
"""Height on the mean template at which the tape goes round the neck, mm: below the Adam's apple's peak."""


def table(male: bool) -> np.ndarray:
    """(M, 2) mean and standard deviation of one sex in the order of ``MEASURES``, mm."""
    return np.array([measure.male if male else measure.female for measure in MEASURES.values()])


@dataclasses.dataclass(frozen=True)
class Tape:
    """Where to put the calipers on the template's vertices."""

    points: dict[str, np.ndarray]
    """Landmark to the vertices (K,) int whose mean it is."""
    girth: tuple[np.ndarray, np.ndarray]
    """Around the neck, in order: edges (L, 2) int and how far (L,) along each the tape crosses it."""


def tape(geometry: Geometry) -> Tape:
    """Landmarks and neck line on the mean template."""
    v = geometry.vertices
    skin = np.flatnonzero(geometry.group == GROUPS.index("skin"))
    face = skin[np.isin(skin, np.concatenate([geometry.skin.upper_lip, geometry.skin.lower_lip]), invert=True)]
    tree = cKDTree(v[face])

    def nearest(point) -> np.ndarray:
        return face[[tree.query(point)[1]]]

    points = {name: nearest(LANDMARKS[name]) for name in (
        "crown", "glabella", "sellion", "pronasale", "subnasale", "labiale_superius", "labiale_inferius", "gnathion")}
    skull = skin[v[skin, 1] > 12]
    ear = np.flatnonzero((geometry.group == GROUPS.index("ear")) & (v[:, 0] > 69))
    left = {
        "zygion": nearest(LANDMARKS["zygion"]), "gonion": nearest(LANDMARKS["gonion"]),
        "alare": nearest(LANDMARKS["alare"]), "frontotemporale": nearest((51.0, 22.0, 77.0)),
        "maxillofrontale": nearest((8.2, 3.0, 91.0)), "euryon": skull[[np.argmax(v[skull, 0])]],
        "cheilion": geometry.skin.upper_lip[[-1]],
        "superaurale": ear[[np.argmax(v[ear, 1])]], "subaurale": ear[[np.argmin(v[ear, 1])]],
        "preaurale": ear[[np.argmax(v[ear, 2])]], "postaurale": ear[[np.argmin(v[ear, 2])]],
    }
    for name, rows in left.items():
        points[f"left_{name}"], points[f"right_{name}"] = rows, geometry.mirror[rows]
    middle = len(geometry.skin.upper_lip) // 2
    points |= {
        "opisthocranion": skull[[np.argmin(v[skull, 2])]], "stomion": geometry.skin.upper_lip[[middle]],
        "left_pupil": np.flatnonzero(geometry.group == GROUPS.index("left_eye")),
        "right_pupil": np.flatnonzero(geometry.group == GROUPS.index("right_eye")),
    }
    return Tape(points, _girth(v, geometry.skin.faces))


def _girth(v: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges of the skin that the level ``NECK_GIRTH_AT`` crosses, by azimuth, and where."""
    edges = np.unique(np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1), axis=0)
    height = v[edges, 1] - NECK_GIRTH_AT
    crossed = height[:, 0] * height[:, 1] < 0
    edges, height = edges[crossed], height[crossed]
    share = height[:, 0] / (height[:, 0] - height[:, 1])
    point = v[edges[:, 0]] + share[:, None] * (v[edges[:, 1]] - v[edges[:, 0]])
    middle = point.mean(axis=0)
    order = np.argsort(np.arctan2(point[:, 0] - middle[0], point[:, 2] - middle[2]))
    return edges[order], share[order]


def measures(vertices: np.ndarray, at: Tape) -> np.ndarray:
    """(M,) mm: the measures in the order of ``MEASURES``, taken on vertices (N, 3) mm with the template's topology."""
    place = {name: vertices[rows].mean(axis=0) for name, rows in at.points.items()}
    out = []
    for measure in MEASURES.values():
        if measure.between == ("", ""):
            edges, share = at.girth
            loop = vertices[edges[:, 0]] + share[:, None] * (vertices[edges[:, 1]] - vertices[edges[:, 0]])
            out.append(np.linalg.norm(np.roll(loop, -1, axis=0) - loop, axis=1).sum())
            continue
        pairs = [measure.between]
        if all(name.startswith("left_") for name in measure.between):
            pairs.append(tuple(name.replace("left_", "right_") for name in measure.between))
        spans = [place[end] - place[start] for start, end in pairs]
        out.append(np.mean([np.linalg.norm(s) if measure.axis is None else abs(s[measure.axis]) for s in spans]))
    return np.array(out)
