"""One interface for every family of heads: an identity makes a person, a performance moves it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from scipy.sparse import csr_matrix

from synth.heads.driver import drive, units_of
from synth.heads.subdivision import Refined, Refinement, refine
from synth.motion.performance import POSES, Performance
from synth.scene import MeshPart


@dataclasses.dataclass(frozen=True)
class Identity:
    """One person's shape and what they wear."""

    shape: np.ndarray
    """(S,) float32 coefficients of the family's shape directions."""
    wardrobe: tuple[str, ...] = ()
    """Names of the attachments (teeth, eyes, garment) that this person wears."""
    male: float | None = None
    """How male the shape is, 0 to 1; None where the family doesn't say."""
    age: float | None = None
    """Years that the shape looks; None where the family doesn't say."""


@dataclasses.dataclass(frozen=True, eq=False)
class Attachment:
    """A mesh bound to the head's surface at rest, and carried by it: hair, lashes, teeth, a garment."""

    name: str
    """For example ``hair/short02``."""
    parts: tuple[MeshPart, ...]
    """Its surface; ``vertex_map`` counts the attachment's own M vertices."""
    carry: csr_matrix
    """(M, N): for each vertex the base vertices that carry it; rows sum to 1."""
    offset: np.ndarray
    """(M, 3) float32 metres at rest, added to the carried place."""
    scale_pairs: np.ndarray | None = None
    """(3, 2) int: per axis two base vertices whose distance along that axis scales the offset; None: never scaled."""
    scale_reference: np.ndarray | None = None
    """(3,) float64 metres: the distances at which the scale is 1."""

    def place(self, base: np.ndarray) -> np.ndarray:
        """(M, 3) float32 metres: where the attachment lies on a base (N, 3) at rest."""
        scale = np.ones(3, np.float32)
        if self.scale_pairs is not None:
            ends = base[self.scale_pairs, np.arange(3)[:, None]]  # (3, 2): the axis' own coordinate of both ends
            scale = (np.abs(ends[:, 1] - ends[:, 0]) / self.scale_reference).astype(np.float32)
        return np.asarray(self.carry @ base, np.float32) + self.offset * scale


@dataclasses.dataclass(frozen=True, eq=False)
class Hairstyle:
    """Guide curves that a family brings for one style of hair; strands are grown between them."""

    carry: Attachment
    """Places the guides on a shaped base: its vertices are the G guides' control points, one guide after the other."""
    points: int
    """Control points of each guide, from root to tip."""
    curl: tuple[float, float] = (0.0, 0.5)
    """Range that a look's curl is brought into."""

    def guides(self, base: np.ndarray) -> np.ndarray:
        """(G, K, 3) float32 metres: guide curves on a base (N, 3) at rest."""
        return self.carry.place(base).reshape(-1, self.points, 3)


@dataclasses.dataclass(frozen=True, eq=False)
class HeadModel:
    """A family of heads: a linear model with blend skinning (Li et al. 2017). Compared by identity."""

    family: str
    """``template``, ``flame``, ``smplx`` or ``makehuman``."""
    licence: str
    """Licence of the model's files."""
    source_hash: str
    """BLAKE2b hex digest of the files; of the built template, of its arrays."""
    parts: tuple[MeshPart, ...]
    """Pieces of the base surface, each with its material, named by label: see :data:`synth.scene.LABELS`."""
    expressions: tuple[str, ...]
    """Names of the expression directions: a unit or lid and a side, as :func:`synth.heads.driver.drive` makes them."""
    neutral: np.ndarray
    """(N, 3) float32 mean head at rest, metres, head frame."""
    canonical: np.ndarray
    """(N, 3) float32 mm: where each vertex would lie on the template (see :mod:`synth.heads.canonical`)."""
    mirror: np.ndarray | None
    """(N,) int32 mirror images of vertices, where known."""
    eyeballs: tuple[np.ndarray, np.ndarray]
    """Base vertices of the left and of the right eyeball, (K,) int: their bounding box's middle is the eye's centre."""
    roles: Mapping[str, tuple[tuple[int, float], ...]]
    """Which joints a performance's rotation turns, and by what share each: ``head``, ``neck``, ``jaw``, both eyes."""
    arrays: dict[str, np.ndarray]
    """``shape_directions`` (N, 3, S), ``expression_directions`` (N, 3, E), ``posedirs`` (P, 3 N), ``J_regressor``
    (J, N), ``weights`` (N, J): float32, metres; ``parents`` (J,) int64."""
    draw: Callable[[np.random.Generator], Identity]
    """The family's population: a plausible identity from a generator."""
    droop: Callable[[np.ndarray], float] = lambda shape: 0.0
    """How far a shape's upper lids hang at rest, as a share of their way to shut."""
    wardrobe: Mapping[str, Attachment] = dataclasses.field(default_factory=dict)
    """What an identity may wear, by name."""
    hairstyles: Mapping[str, Hairstyle] = dataclasses.field(default_factory=dict)
    """Styles of hair that come with the family's files, by name (``hair/short02``)."""
    native: np.ndarray | None = None
    """(N, 3, K) float32: a statistical family's own expression directions (FLAME's), for tracks in its coefficients."""

    @property
    def units(self) -> tuple[str, ...]:
        """Action units that move it (see :data:`synth.motion.performance.ACTION_UNITS`); others are left out."""
        return units_of(self.expressions)

    def sample_identity(self, rng: np.random.Generator) -> Identity:
        """A plausible person: traits drawn as they spread in a population."""
        return self.draw(rng)

    def shaped(self, identity: Identity) -> np.ndarray:
        """(N, 3) float32 base surface of an identity at rest, metres, head frame, without what it wears."""
        directions = self.arrays["shape_directions"]
        if identity.shape.shape != (directions.shape[2],):
            raise ValueError(f"identity: shape {identity.shape.shape}, expected ({directions.shape[2]},)")
        used = np.flatnonzero(identity.shape)
        return self.neutral + directions[:, :, used] @ identity.shape[used]

    def person(self, identity: Identity, subdivision: int = 0, also: tuple[Attachment, ...] = ()) -> Person:
        """An identity dressed, and subdivided ``subdivision`` times (each quarters every smooth triangle).

        ``also``: what it wears beside its wardrobe, made for this very person: glasses, a cap.
        """
        unknown = sorted(set(identity.wardrobe) - set(self.wardrobe))
        if unknown:
            raise ValueError(f"wardrobe: {unknown[0]!r} is not one of {', '.join(self.wardrobe)}")
        return _dress(self, identity, subdivision, also)

    def animate(self, identity: Identity, performance: Performance, resolve: bool = True) -> np.ndarray:
        """(T, M, 3) float32 vertices, metres, world axes: every frame of a performance, not subdivided."""
        return self.person(identity).animate(performance, resolve)[:]


@dataclasses.dataclass(frozen=True, eq=False)
class Person:
    """One identity, dressed: fixed topology, ready to perform."""

    head: HeadModel
    """The family's model."""
    identity: Identity
    """Whose shape it is."""
    control_parts: tuple[MeshPart, ...]
    """Base and attachments over ``rest``, before subdivision."""
    rest: np.ndarray
    """(M, 3) float32 metres, head frame: base vertices, then each attachment's, before subdivision."""
    rig: dict[str, np.ndarray]
    """``expression_directions`` (M, 3, E), ``posedirs`` (P, 3 M), ``J_regressor`` (J, M), ``weights`` (M, J)."""
    refinement: Refinement
    """From the M vertices to the rendered ones."""
    worn: tuple[Attachment, ...] = ()
    """Everything worn, in the order of its vertices after the base's."""

    @property
    def parts(self) -> tuple[MeshPart, ...]:
        """The surface as it is rendered: base and attachments, subdivided."""
        return self.refinement.parts

    def animate(self, performance: Performance, resolve: bool = True) -> Refined:
        """Every frame of a performance: a sequence of T arrays (V, 3) float32, metres, world axes.

        Rotations are about the model's joints: ``head`` turns everything about the base of the neck, ``neck`` the head
        on the neck, ``jaw`` (positive X opens) and eyes within the head. Action units that the family doesn't know are
        left out. With ``resolve`` lids end up before the eyeballs and lips before the teeth.
        """
        head = self.head
        coefficients = drive(performance, head.expressions, head.droop(self.identity.shape))
        pose = np.zeros((performance.frames, len(head.arrays["parents"]), 3), np.float32)
        for name in POSES:
            for joint, share in head.roles[name]:
                pose[:, joint] += np.float32(share) * getattr(performance, name)
        directions = self.rig["expression_directions"]
        if performance.flame is not None and head.native is not None:
            used = min(performance.flame.shape[1], head.native.shape[2])
            coefficients = np.concatenate([coefficients, performance.flame[:, :used]], axis=1)
            directions = np.concatenate([directions, self._native(used)], axis=2)
        vertices = _skin(self.rest, directions, coefficients, pose, self.rig, head.arrays["parents"])
        if resolve:
            vertices = self._resolver(vertices)
        return Refined(vertices + performance.translation[:, None], self.refinement)

    @functools.cached_property
    def _resolver(self) -> Callable[[np.ndarray], np.ndarray]:
        from synth.heads.collision import Resolver

        return Resolver(self)

    def _native(self, used: int) -> np.ndarray:
        """(M, 3, used) the family's own expression directions on base and attachments."""
        base = self.head.native[:, :, :used]
        return np.concatenate([base, *(_carried(item, base) for item in self.worn)])


def _carried(item: Attachment, values: np.ndarray) -> np.ndarray:
    """Values on base vertices (N, ...) carried to an attachment's (M, ...)."""
    return np.asarray(item.carry @ values.reshape(len(values), -1), np.float32).reshape(-1, *values.shape[1:])


def _dress(head: HeadModel, identity: Identity, subdivision: int, also: tuple[Attachment, ...]) -> Person:
    base = head.shaped(identity).astype(np.float32)
    worn = (*(head.wardrobe[name] for name in identity.wardrobe), *also)
    rest, parts, start = [base], list(head.parts), len(base)
    for item in worn:
        placed = item.place(base)
        parts += [dataclasses.replace(part, vertex_map=part.vertex_map + np.int32(start)) for part in item.parts]
        rest.append(placed)
        start += len(placed)
    arrays = head.arrays
    rig = {
        name: np.concatenate([arrays[name], *(_carried(item, arrays[name]) for item in worn)]) if worn else arrays[name]
        for name in ("expression_directions", "weights")
    }
    rig["posedirs"] = _pose_directions(arrays["posedirs"], worn, start)
    rig["J_regressor"] = np.pad(arrays["J_regressor"], ((0, 0), (0, start - len(base))))
    refinement = refine(tuple(parts), start, subdivision)
    return Person(head, identity, tuple(parts), np.concatenate(rest), rig, refinement, worn)


def _pose_directions(base: np.ndarray, worn: Sequence[Attachment], count: int) -> np.ndarray:
    """(P, 3 count) pose directions of the base (P, 3 N) and of what it wears; zeros take no memory until touched."""
    poses = len(base)
    if not base.any():
        return np.zeros((poses, 3 * count), np.float32)
    per_vertex = base.reshape(poses, -1, 3).transpose(1, 2, 0)
    whole = np.concatenate([per_vertex, *(_carried(item, per_vertex) for item in worn)])
    return np.ascontiguousarray(whole.transpose(2, 0, 1).reshape(poses, -1))


def _skin(rest: np.ndarray, directions: np.ndarray, coefficients: np.ndarray, pose: np.ndarray, rig: dict,
          parents: np.ndarray) -> np.ndarray:
    """(T, M, 3) float32: expression and blend skinning by ``smplx.lbs``, the code that FLAME's users trust."""
    import torch
    from smplx.lbs import lbs

    used = np.flatnonzero(coefficients.any(axis=0))
    if not len(used):  # lbs wants at least one
        used, directions, coefficients = np.arange(1), np.zeros((*rest.shape, 1)), np.zeros((len(pose), 1))
    tensors = {key: torch.from_numpy(np.ascontiguousarray(rig[key])) for key in ("posedirs", "J_regressor", "weights")}
    basis = torch.from_numpy(np.ascontiguousarray(directions[:, :, used], np.float32))
    coefficients = np.ascontiguousarray(coefficients[:, used], np.float32)
    frames = len(pose)
    out = np.empty((frames, len(rest), 3), np.float32)
    with torch.no_grad(), _one_thread():
        for start in range(0, frames, 8):  # eight frames at a time keep memory flat
            rows = slice(start, start + 8)
            posed, _ = lbs(
                torch.from_numpy(coefficients[rows]), torch.from_numpy(pose[rows].reshape(-1, pose.shape[1] * 3)),
                torch.from_numpy(rest)[None], basis, tensors["posedirs"], tensors["J_regressor"],
                torch.from_numpy(parents), tensors["weights"],
            )
            out[rows] = posed.numpy()
    return out


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


def eye_centres(head: HeadModel, vertices: np.ndarray) -> np.ndarray:
    """(2, 3) metres: the centres of the left and the right eyeball of a head's vertices (M, 3)."""
    balls = [vertices[ball] for ball in head.eyeballs]
    return np.stack([0.5 * (ball.min(axis=0) + ball.max(axis=0)) for ball in balls])


def head_extent(person: Person) -> tuple[float, float]:
    """Heights of the chin and of the crown without hair, metres, head frame: what a camera frames."""
    shaped = person.rest
    between = np.mean(eye_centres(person.head, shaped), axis=0)
    skin = shaped[next(part for part in person.head.parts if part.name == "skin").vertex_map]
    top = float(skin[:, 1].max())
    # The chin is the foremost point of the midline between 80 and 150 mm below the eyes.
    drop = between[1] - skin[:, 1]
    near = skin[(np.abs(skin[:, 0]) < 0.012) & (drop > 0.08) & (drop < 0.15) & (skin[:, 2] > between[2] - 0.03)]
    chin = float(near[:, 1].min()) if len(near) else float(between[1] - 0.115)
    return chin, top
