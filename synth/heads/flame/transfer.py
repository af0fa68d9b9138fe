"""The template's expressions carried to another mesh: by closest point in canonical space, lips and lids kept apart."""

from __future__ import annotations

import functools

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from synth.heads.driver import LIDS
from synth.heads.head import HeadModel

_NORMAL_MM = 4.0
"""What a normal's turn by 90 degrees counts, as a distance: the two sides of a lip or of a lid are far apart."""
_JAW_MM = 25.0
"""What the jaw's whole weight counts next to the lips."""
_MOUTH = np.array([0.0, -66.0, 95.0])


@functools.lru_cache(maxsize=1)
def template_head() -> HeadModel:
    """The template, from which expressions and the mouth's inside come."""
    from synth.heads.template.load import load_template

    return load_template()


def carried_names() -> tuple[str, ...]:
    """Names of the template's expression directions that are carried over: all but the lids', which are made anew."""
    return tuple(name for name in template_head().expressions if name[:-2] not in LIDS)


def carry_fields(canonical: np.ndarray, faces: np.ndarray, jaw: np.ndarray, scale: float) -> np.ndarray:
    """(N, 3, E) float32 metres: the fields of :func:`carried_names` on a mesh; 0 on vertices in no face.

    canonical: (N, 3) mm in the template's space; faces: (F, 3) of its skin; jaw: (N,) weight of its jaw's joint; scale:
    how much larger than the template the head is.
    """
    head = template_head()
    own = np.concatenate([part.vertex_map[part.faces] for part in head.parts if part.name in ("skin", "lips", "mouth")])
    samples = _samples(own, len(head.neutral))
    source = _features(head.canonical, own, head.arrays["weights"] @ _jaw_column(head))
    source = np.concatenate([source, source[own].mean(axis=1)])
    used, rows = np.unique(faces), np.unique(own)
    tree = cKDTree(source[np.concatenate([rows, len(head.neutral) + np.arange(len(own))])])
    pool = np.concatenate([rows, len(head.neutral) + np.arange(len(own))])
    distance, nearest = tree.query(_features(canonical, faces, jaw)[used], k=4)
    weight = 1 / (distance**2 + 1e-4)
    weight /= weight.sum(axis=1, keepdims=True)
    pick = csr_matrix((weight.ravel(), pool[nearest].ravel(), np.arange(0, 4 * len(used) + 1, 4)),
                      shape=(len(used), samples.shape[0]))
    names = head.expressions
    chosen = [names.index(name) for name in carried_names()]
    fields = head.arrays["expression_directions"][:, :, chosen]
    out = np.zeros((len(canonical), 3, len(chosen)), np.float32)
    out[used] = scale * (pick @ samples @ fields.reshape(len(fields), -1)).reshape(len(used), 3, -1)
    return out


def _samples(faces: np.ndarray, count: int) -> csr_matrix:
    """(count + F, count): every vertex, and every face's middle."""
    row = np.concatenate([np.arange(count), count + np.repeat(np.arange(len(faces)), 3)])
    values = np.concatenate([np.ones(count), np.full(faces.size, 1 / 3)])
    return csr_matrix((values, (row, np.concatenate([np.arange(count), faces.ravel()]))),
                      shape=(count + len(faces), count))


def _jaw_column(head: HeadModel) -> np.ndarray:
    """(J,) 1 at the jaw's joint."""
    column = np.zeros(head.arrays["weights"].shape[1], np.float32)
    column[head.roles["jaw"][0][0]] = 1
    return column


def _features(canonical: np.ndarray, faces: np.ndarray, jaw: np.ndarray) -> np.ndarray:
    """(N, 7): position, normal and share of the jaw, in millimetres that may be compared."""
    corners = canonical[faces].astype(float)
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal = np.stack([np.bincount(faces.ravel(), np.repeat(face[:, k], 3), minlength=len(canonical))
                       for k in range(3)], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    near = np.exp(-((np.linalg.norm((canonical - _MOUTH) / (1.5, 1, 1.5), axis=1) / 16) ** 2))
    return np.concatenate([canonical, _NORMAL_MM * normal, (_JAW_MM * near * jaw)[:, None]], axis=1)


def keep_clear(neutral: np.ndarray, fields: np.ndarray, skin: np.ndarray, centres: np.ndarray,
               radii: np.ndarray) -> np.ndarray:
    """Fields (N, 3, E) bent so that at full strength none moves the skin into an eyeball; metres."""
    out = fields
    for centre, radius in zip(centres, radii, strict=True):
        ray = neutral - centre
        start = np.linalg.norm(ray, axis=1)
        near = skin[start[skin] < 2 * radius]
        moved = ray[near, :, None] + out[near]
        length = np.linalg.norm(moved, axis=1, keepdims=True)
        least = np.minimum(start[near], 1.03 * radius)[:, None, None]
        out[near] = moved * np.maximum(1, least / np.maximum(length, 1e-9)) - ray[near, :, None]
    return out
