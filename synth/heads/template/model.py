"""The template as a FLAME model: skinning weights, joints and bases, and the file that keeps them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from assets.errors import AssetError
from assets.files import DIGEST_BYTES, atomic_write
from assets.pickles import load_model_arrays
from synth.heads.template.expression import EXPRESSIONS, expression_basis
from synth.heads.template.geometry import FLIP, GROUPS, Geometry, build_geometry
from synth.heads.template.identity import SHAPES, identity_basis
from synth.heads.template.labels import label_faces
from synth.heads.template.sculpt import CHEILION, EYE_CENTRE, lip_coordinates, mouth_line, smoothstep

JOINTS = ("global", "neck", "jaw", "left_eye", "right_eye")
"""FLAME's joints, in FLAME's order."""
PARENTS = (-1, 0, 1, 1, 1)
JOINT_POSITIONS = np.array([
    (0, -165, -28), (0, -72, -18), (0, -10, 10), EYE_CENTRE, EYE_CENTRE * FLIP,
], float)
"""(5, 3) mm: base of the neck, atlas, axis of the mandible's condyles, eyes."""
SHAPE_COLUMNS, EXPRESSION_COLUMNS = 300, 100
"""Columns of FLAME's ``shapedirs``: shapes first, then expressions. Those without a name in our tables are zero."""


GRID_DECIMALS = {"v_template": 7, "shapedirs": 7, "J_regressor": 7, "weights": 6, "uv": 7}
"""Decimals that are kept (0.1 um): what lies below them depends on the number of threads that BLAS has."""


def code_hash() -> str:
    """BLAKE2b hex digest (20 digits) of the code that makes the template."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    heads = Path(__file__).parents[1]
    for path in (*sorted((heads / "template").glob("*.py")), heads / "driver.py", heads / "canonical.py"):
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def arrays_digest(arrays: Mapping[str, np.ndarray]) -> str:
    """BLAKE2b hex digest (20 digits) of the template's arrays: names, types, shapes and every bit of their values."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def build_template() -> dict[str, np.ndarray]:
    """The template in FLAME's layout, metres, with UVs and parts beside it. Takes a few seconds.

    Values lie on the grid of ``GRID_DECIMALS``, so that builds agree to the bit whatever the number of threads.

    ``v_template`` (N, 3), ``f`` (F, 3), ``shapedirs`` (N, 3, 400), ``posedirs`` (N, 3, 36) of zeros, ``J_regressor``
    (5, N), ``kintree_table`` (2, 5), ``weights`` (N, 5), as in FLAME's own files; and ``uv`` (N, 2), ``mirror`` (N,),
    ``part_names``, ``part_of_face`` (F,), which FLAME keeps in other files or doesn't have.
    """
    geometry = build_geometry()
    vertices = 0.5 * (geometry.vertices + geometry.vertices[geometry.mirror] * FLIP)
    expression, upper_lids = expression_basis(geometry)
    identity = identity_basis(geometry, upper_lids)
    shapedirs = np.zeros((len(vertices), 3, SHAPE_COLUMNS + EXPRESSION_COLUMNS), np.float32)
    shapedirs[:, :, : len(SHAPES)] = _on_grid("shapedirs", identity / 1000)
    shapedirs[:, :, SHAPE_COLUMNS : SHAPE_COLUMNS + len(EXPRESSIONS)] = _on_grid("shapedirs", expression / 1000)
    parts = label_faces(geometry)
    names, counts = list(parts), [len(faces) for faces in parts.values()]
    return {
        "v_template": _on_grid("v_template", vertices / 1000),
        "f": np.concatenate([parts[name] for name in names]).astype(np.uint32),
        "shapedirs": shapedirs,
        "posedirs": np.zeros((len(vertices), 3, 9 * (len(JOINTS) - 1)), np.float32),
        "J_regressor": _on_grid("J_regressor", _joint_regressor(geometry, vertices)),
        "kintree_table": np.array([PARENTS, range(len(JOINTS))], np.int64),
        "weights": _on_grid("weights", _weights(geometry)),
        "uv": _on_grid("uv", geometry.uv),
        "mirror": geometry.mirror,
        "part_names": np.array(names),
        "part_of_face": np.repeat(np.arange(len(names)), counts).astype(np.uint8),
    }


def write_template(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the template to ``path`` as a compressed ``.npz`` with its digest, whole or not at all."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays, digest=np.array(arrays_digest(arrays)))
    with atomic_write(path, size=buffer.getbuffer().nbytes) as temporary:
        temporary.write_bytes(buffer.getvalue())


def read_template(path: Path) -> dict[str, np.ndarray] | None:
    """What ``write_template`` wrote, or None where there is no such file or it isn't what was written any more."""
    try:
        arrays = load_model_arrays(path)
    except AssetError:
        return None
    stated = arrays.pop("digest", None)
    sound = all(isinstance(array, np.ndarray) for array in arrays.values())
    return arrays if sound and stated == arrays_digest(arrays) else None


def _on_grid(name: str, values: np.ndarray) -> np.ndarray:
    """``values`` rounded to what ``GRID_DECIMALS`` keeps, float32, without negative zeros."""
    return (np.round(values, GRID_DECIMALS[name]) + 0.0).astype(np.float32)


def _weights(geometry: Geometry) -> np.ndarray:
    """(N, 5) skinning weights, rows sum to 1."""
    v = geometry.vertices
    x, y, z = v.T
    head = smoothstep(-172, -112, y + 0.35 * np.clip(z, -60, 40))
    jaw = _jaw_weight(v)
    known = ~np.isnan(geometry.jaw_share)
    jaw[known] = geometry.jaw_share[known]
    jaw[np.isin(geometry.group, [GROUPS.index(name) for name in ("ear", "lid_lining")])] = 0
    # The two lips meet on the slit: each keeps its own side, and the corner goes half-way.
    upper, lower = geometry.skin.upper_lip, geometry.skin.lower_lip
    s = np.abs(v[upper, 0]) / CHEILION[0]
    jaw[upper], jaw[lower] = _corner_share(s), 1 - _corner_share(s)
    weights = np.zeros((len(v), 5))
    weights[:, 2] = jaw * head
    weights[:, 1] = (1 - jaw) * head
    weights[:, 0] = 1 - head
    for joint, name in ((3, "left_eye"), (4, "right_eye")):
        rows = geometry.group == GROUPS.index(name)
        weights[rows] = np.eye(5)[joint]
    return weights


def _jaw_weight(v: np.ndarray) -> np.ndarray:
    """Share (N,) of the mandible in how the skin of the lower face moves."""
    x, y, z = v.T
    s, _ = lip_coordinates(v)
    # The line between the jaws runs along the lips' contact and on to below the ear. Across it the share steps from 0
    # to 1 at the middle of the mouth, and passes through a half, ever more gently, from the mouth's corner on.
    beyond = np.clip((np.abs(x) - CHEILION[0]) / 30, 0, 1)
    over = y - mouth_line(np.minimum(np.abs(x), CHEILION[0])) - 24 * beyond
    mix = _corner_share(s) * np.exp(-((over / (9 + 17 * beyond)) ** 2))
    low = np.where(over > 0, mix, 1 - mix)
    return low * smoothstep(8, 48, z) * smoothstep(-142, -112, y)


def _corner_share(s: np.ndarray) -> np.ndarray:
    """How much a lip follows the other jaw at s of the way to the mouth's corner: makes an open mouth an oval."""
    return 0.5 * np.clip(s, 0, 1) ** 2.4


def _joint_regressor(geometry: Geometry, vertices: np.ndarray) -> np.ndarray:
    """(5, N): each joint as the smallest affine combination of the vertices that carry it. Rows sum to 1."""
    skin = geometry.group == GROUPS.index("skin")
    sets = [
        skin & (np.abs(vertices[:, 1] + 165) < 12), skin & (np.abs(vertices[:, 1] + 72) < 14),
        skin & (np.linalg.norm(np.abs(vertices) * (1, 0, 0) + vertices * (0, 1, 1) - (68, -10, 10), axis=1) < 16),
        geometry.group == GROUPS.index("left_eye"), geometry.group == GROUPS.index("right_eye"),
    ]
    regressor = np.zeros((5, len(vertices)))
    for row, (joint, chosen) in enumerate(zip(JOINT_POSITIONS, sets, strict=True)):
        system = np.concatenate([vertices[chosen].T, np.ones((1, chosen.sum()))])
        regressor[row, chosen] = np.linalg.lstsq(system, np.append(joint, 1.0), rcond=None)[0]
    return regressor
