"""Head models: an identity, a performance, vertices. The project's template, FLAME and SMPL-X load through one path."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from assets.errors import AssetError
from assets.files import cache_dir, digest_file, one_line
from assets.pickles import load_model_arrays
from synth.heads import layout
from synth.heads.driver import UNITS, drive
from synth.heads.template import sampling
from synth.heads.template.expression import EXPRESSIONS
from synth.motion.performance import POSES, Performance, base_unit
from synth.scene import MeshPart

FAMILIES = tuple(layout.LAYOUTS)
"""What ``load_head`` knows."""


@dataclasses.dataclass(frozen=True)
class Identity:
    """One person's shape."""

    shape: np.ndarray
    """(S,) float32 coefficients of the model's shape directions, in standard deviations."""


@dataclasses.dataclass(frozen=True, eq=False)
class HeadModel:
    """A linear head model with blend skinning (Li et al. 2017), evaluated by ``smplx.lbs``. Compared by identity."""

    family: str
    """``template``, ``flame`` or ``smplx``."""
    licence: str
    """Licence of the model's files."""
    source_hash: str
    """BLAKE2b hex digest of the file; of the built template, of its arrays."""
    parts: tuple[MeshPart, ...]
    """Pieces of the surface, each with its material."""
    units: tuple[str, ...]
    """Action units that move it. FLAME's and SMPL-X's expressions are statistical and unnamed, so theirs is empty."""
    neutral: np.ndarray
    """(N, 3) float32 mean head at rest, metres, head frame."""
    mirror: np.ndarray | None
    """(N,) int32 mirror images of vertices, where known."""
    arrays: dict[str, np.ndarray]
    """``shape_directions`` (N, 3, S), ``expression_directions`` (N, 3, E), ``posedirs`` (P, 3 N), ``J_regressor``
    (J, N), ``weights`` (N, J): float32, metres; ``parents`` (J,) int64."""

    def sample_identity(self, rng: np.random.Generator) -> Identity:
        """A plausible person: independent traits, kept within what a population shows."""
        count = self.arrays["shape_directions"].shape[2]
        if self.family == "template":
            return Identity(sampling.sample_shape(rng, count))
        shape = np.zeros(count, np.float32)
        used = min(count, 40)  # statistical models: what follows is detail that random draws turn into noise
        shape[:used] = np.clip(rng.normal(size=used), -2.2, 2.2) * 0.9
        return Identity(shape)

    def shaped(self, identity: Identity) -> np.ndarray:
        """(N, 3) float32 head of an identity at rest, metres, head frame."""
        directions = self.arrays["shape_directions"]
        if identity.shape.shape != (directions.shape[2],):
            raise ValueError(f"identity: shape {identity.shape.shape}, expected ({directions.shape[2]},)")
        return self.neutral + directions @ identity.shape

    def animate(self, identity: Identity, performance: Performance) -> np.ndarray:
        """(T, N, 3) float32 vertices, metres, world axes: every frame of a performance.

        Rotations are about FLAME's joints: ``head`` turns everything about the base of the neck, ``neck`` the head on
        the neck, ``jaw`` (positive X opens) and eyes within the head. Unknown action units are an error, except on
        FLAME and SMPL-X, which have no named expressions: there action units are left out.
        """
        import torch
        from smplx.lbs import lbs

        frames = performance.frames
        arrays = self.arrays
        if self.family == "template":
            unknown = sorted({base_unit(name) for name in performance.units} - set(self.units))
            if unknown:
                raise ValueError(f"units: {unknown[0]!r} is not one of {', '.join(self.units)}")
            expression = drive(performance, sampling.lid_droop(identity.shape))
        else:
            expression = np.zeros((frames, arrays["expression_directions"].shape[2]), np.float32)
        pose = np.zeros((frames, len(arrays["parents"]), 3), np.float32)
        for name in POSES:
            pose[:, layout.LAYOUTS[self.family].roles[name]] += getattr(performance, name)
        tensors = {key: torch.from_numpy(value) for key, value in arrays.items() if key != "shape_directions"}
        shaped = torch.from_numpy(self.shaped(identity))
        out = np.empty((frames, len(self.neutral), 3), np.float32)
        with torch.no_grad(), _one_thread():
            for start in range(0, frames, 8):  # eight frames at a time keep memory flat
                rows = slice(start, start + 8)
                posed, _ = lbs(
                    torch.from_numpy(expression[rows]), torch.from_numpy(pose[rows].reshape(-1, pose.shape[1] * 3)),
                    shaped[None], tensors["expression_directions"], tensors["posedirs"], tensors["J_regressor"],
                    tensors["parents"], tensors["weights"],
                )
                out[rows] = posed.numpy()
        return out + performance.translation[:, None]


def load_head(family: str = "template", path: str | Path | None = None) -> HeadModel:
    """Load a head model. ``template`` needs no path: it is built at first use and kept in the user's cache folder.

    ``flame`` and ``smplx`` want the file, or the folder, that the user downloaded from its authors. Nothing in it is
    executed.
    """
    if family not in layout.LAYOUTS:
        raise AssetError(f"head family: {one_line(family)!r} is not one of {', '.join(FAMILIES)}")
    if path is None and family != "template":
        raise AssetError(f"head.path: missing; {family} needs the folder with its model files")
    if family == "template" and path is None:
        return _template()
    file = layout.find_file(family, Path(path))
    return _assemble(family, one_line(file), load_model_arrays(file), digest_file(file))


def head_extent(head: HeadModel, identity: Identity) -> tuple[float, float]:
    """Heights of the chin and of the crown without hair, metres, head frame: what a camera frames."""
    shaped = head.shaped(identity)
    eyes = [shaped[part.vertex_map].mean(axis=0) for part in head.parts if part.name in ("left_eye", "right_eye")]
    between = np.mean(eyes, axis=0)
    skin = shaped[next(part for part in head.parts if part.name == "skin").vertex_map]
    top = float(skin[:, 1].max())
    # The chin is the foremost point of the midline between 80 and 150 mm below the eyes.
    drop = between[1] - skin[:, 1]
    near = skin[(np.abs(skin[:, 0]) < 0.012) & (drop > 0.08) & (drop < 0.15) & (skin[:, 2] > between[2] - 0.01)]
    chin = float(near[:, 1].min()) if len(near) else float(between[1] - 0.115)
    return chin, top


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Torch on one thread: sums in one order, so that vertices repeat to the bit on any machine's cores."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _template() -> HeadModel:
    from synth.heads.template.model import arrays_digest, build_template, code_hash, read_template, write_template

    file = cache_dir() / "heads" / f"template-{code_hash()}.npz"
    arrays = read_template(file)
    if arrays is None:
        arrays = build_template()
        with contextlib.suppress(AssetError):  # no room or no right to write: the cache only saves seconds
            write_template(file, arrays)
    return _assemble("template", file.name, arrays, arrays_digest(arrays))


def _assemble(family: str, name: str, arrays: dict, digest: str) -> HeadModel:
    from synth.heads.parts import make_parts

    checked = layout.check_arrays(name, arrays, family)
    family_layout = layout.LAYOUTS[family]
    columns = checked["shapedirs"].shape[2]
    start = next((at for at in family_layout.expression_start if at < columns), columns)
    shapes, expressions = checked["shapedirs"][:, :, :start], checked["shapedirs"][:, :, start:]
    if family == "template":
        if expressions.shape[2] < len(EXPRESSIONS):
            raise AssetError(f"{name}: shapedirs has {columns} columns, expected at least {start + len(EXPRESSIONS)}")
        shapes, expressions = shapes[:, :, : sampling.SHAPE_COUNT], expressions[:, :, : len(EXPRESSIONS)]
    joints = len(checked["parents"])
    model = {
        "shape_directions": np.ascontiguousarray(shapes), "expression_directions": np.ascontiguousarray(expressions),
        "posedirs": np.ascontiguousarray(checked["posedirs"].reshape(-1, 9 * (joints - 1)).T),
        "J_regressor": checked["J_regressor"], "weights": checked["weights"], "parents": checked["parents"],
    }
    mirror = arrays.get("mirror") if family == "template" else None
    return HeadModel(
        family=family, licence=family_layout.licence, source_hash=digest,
        parts=make_parts(name, family, arrays, checked), units=UNITS if family == "template" else (),
        neutral=checked["v_template"], mirror=None if mirror is None else mirror.astype(np.int32), arrays=model,
    )
