"""FLAME and SMPL-X files as a :class:`synth.heads.head.HeadModel`."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np

from assets.errors import AssetError
from assets.files import DIGEST_BYTES, digest_file, one_line
from assets.pickles import load_model_arrays
from synth.heads.canonical import canonical
from synth.heads.driver import LIDS
from synth.heads.flame.companions import ALBEDO_FILES, beside, landmark_points, texture_coordinates
from synth.heads.flame.eyes import add_eyes
from synth.heads.flame.landmarks import find_landmarks
from synth.heads.flame.layout import LAYOUTS, check_arrays, find_file, form_problems
from synth.heads.flame.lids import lid_fields
from synth.heads.flame.mouth import add_mouth
from synth.heads.flame.parts import face_owner, make_parts
from synth.heads.flame.torso import cut_bust, garment
from synth.heads.flame.transfer import carried_names, carry_fields, keep_clear
from synth.heads.head import HeadModel, Identity

EYES_MIDDLE = np.array([0.0, 0.0, 0.076], np.float32)
"""Where the point between the eyes lies in every family, metres."""


@dataclasses.dataclass(frozen=True, eq=False)
class FlameHead(HeadModel):
    """FLAME or SMPL-X, with the files that lie beside the model."""

    albedo: Path | None = None
    """An albedo model in this head's texture coordinates (see :mod:`synth.appearance.albedo_models`)."""


def load_flame(family: str, path: Path) -> FlameHead:
    """The model in a file, or in a folder of files, of ``flame`` or ``smplx``."""
    file = find_file(family, path)
    layout, arrays = LAYOUTS[family], load_model_arrays(file)
    checked = check_arrays(one_line(file), arrays, family)
    for problem in form_problems(checked["v_template"], checked["f"], family):
        raise AssetError(f"{one_line(file)}: {problem}")
    faces, uv = checked["f"], texture_coordinates(family, file, arrays, checked["f"])
    embedded = landmark_points(family, file, arrays, checked["v_template"], faces)
    albedo = None if uv is None else beside(file, ALBEDO_FILES[family])
    files = (file, None if uv is None else uv[2], None if embedded is None else embedded[1], albedo)
    uv, embedded = None if uv is None else uv[:2], None if embedded is None else embedded[0]
    columns = checked["shapedirs"].shape[2]
    start = next((at for at in layout.expression_start if at < columns), columns)
    balls = tuple(np.arange(a, b) for a, b in layout.eyeballs)
    roles = layout.roles
    if family == "smplx":
        bust = cut_bust(checked)
        checked, faces = bust.arrays, bust.faces
        uv = None if uv is None else (uv[0], uv[1][bust.face_rows])
        if not np.isin(np.concatenate(balls), bust.kept).all():
            raise AssetError(f"{one_line(file)}: weights: the eyeballs hang on none of the joints of head and chest, "
                             f"as they do in {family}")
        balls = tuple(np.searchsorted(bust.kept, ball) for ball in balls)
        roles = {"head": 1, "neck": 2, "jaw": 3, "left_eye": 4, "right_eye": 5}
    return _assemble(family, _digest(*files), albedo, checked, faces, uv, embedded, balls, roles, start)


def _digest(model: Path, *used: Path | None) -> str:
    """BLAKE2b hex digest (20 digits) of the model file and of those beside it that texture coordinates, landmarks and
    albedo came from: people made with others look different. That of the file itself where it stands alone."""
    digests = {file: digest_file(file) for file in (model, *used) if file is not None}
    if len(digests) == 1:
        return digests[model]
    text = " ".join(digests.get(file, "-") for file in (model, *used))
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()


def _assemble(family: str, digest: str, albedo: Path | None, checked: dict[str, np.ndarray], faces: np.ndarray,
              uv: tuple[np.ndarray, np.ndarray] | None, embedded: np.ndarray | None,
              balls: tuple[np.ndarray, np.ndarray], roles: dict[str, int], start: int) -> FlameHead:
    """A head from checked arrays, shifted so that its eyes are where every family has them."""
    centres = np.array([_middle(checked["v_template"][ball]) for ball in balls])
    shift = EYES_MIDDLE - centres.mean(axis=0, dtype=np.float64).astype(np.float32)
    neutral = (checked["v_template"] + shift).astype(np.float32)
    centres = centres + shift
    skin_faces = faces[face_owner(faces, len(neutral), balls) == 0]
    skin = np.unique(skin_faces)
    jaw = checked["weights"][:, roles["jaw"]]
    marks = find_landmarks(neutral, skin, centres, jaw, None if embedded is None else embedded + shift)
    space = canonical(neutral, marks)
    radii = np.array([0.5 * np.ptp(neutral[ball], axis=0)[1] for ball in balls])
    names, directions = _expressions(neutral, space, skin_faces, skin, jaw, centres, radii)
    joints = len(checked["parents"])
    shapes, native = checked["shapedirs"][:, :, :start], checked["shapedirs"][:, :, start:]
    shapes = shapes - shapes[np.concatenate(balls)].mean(axis=0)  # a tall body's eyes stay where cameras look
    rows = {"neutral": neutral, "canonical": space, "directions": directions, "shapes": shapes, "native": native,
            "weights": checked["weights"], "posedirs": checked["posedirs"], "regressor": checked["J_regressor"].T}
    parts, rows = add_mouth(make_parts(faces, neutral, space, balls, uv), rows, names, roles["neck"], roles["jaw"])
    parts, rows = add_eyes(parts, rows, balls)
    shirt = garment(rows["neutral"], skin_faces, rows["weights"], rows["regressor"][:, 1] @ rows["neutral"]) \
        if family == "smplx" else None
    wardrobe = {} if shirt is None else {shirt.name: shirt}
    return FlameHead(
        family=family, licence=LAYOUTS[family].licence, source_hash=digest,
        parts=parts, expressions=names, neutral=rows["neutral"], canonical=rows["canonical"],
        mirror=None, eyeballs=balls, roles={role: ((joint, 1.0),) for role, joint in roles.items()},
        arrays={
            "shape_directions": np.ascontiguousarray(rows["shapes"]), "expression_directions": rows["directions"],
            "posedirs": np.ascontiguousarray(rows["posedirs"].reshape(-1, 9 * (joints - 1)).T),
            "J_regressor": np.ascontiguousarray(rows["regressor"].T), "weights": rows["weights"],
            "parents": checked["parents"],
        },
        draw=lambda rng: Identity(_sample_shape(rng, start), tuple(wardrobe)), wardrobe=wardrobe,
        native=np.ascontiguousarray(rows["native"]), albedo=albedo,
    )


def _expressions(neutral: np.ndarray, space: np.ndarray, skin_faces: np.ndarray, skin: np.ndarray, jaw: np.ndarray,
                 centres: np.ndarray, radii: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Names, and (N, 3, E) float32 metres: the template's units carried over, and lids made for this head."""
    scale = float(np.linalg.norm(centres[0] - centres[1]) / 0.063)
    carried = keep_clear(neutral, carry_fields(space, skin_faces, jaw, scale), skin, centres, radii)
    lids = [lid_fields(neutral, skin_faces, centre, radius) for centre, radius in zip(centres, radii, strict=True)]
    names = (*carried_names(), *(f"{lid}_{side}" for lid in LIDS for side in "LR"))
    fields = np.stack([lids[side][lid] for lid in LIDS for side in (0, 1)], axis=2)
    return names, np.ascontiguousarray(np.concatenate([carried, fields], axis=2), np.float32)


def _middle(points: np.ndarray) -> np.ndarray:
    """(3,) of the bounding box."""
    return 0.5 * (points.min(axis=0) + points.max(axis=0))


def _sample_shape(rng: np.random.Generator, count: int) -> np.ndarray:
    shape = np.zeros(count, np.float32)
    used = min(count, 40)  # what follows is detail that random draws turn into noise
    shape[:used] = np.clip(rng.normal(size=used), -2.2, 2.2) * 0.9
    return shape
