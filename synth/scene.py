"""The renderer-neutral scene: what a renderer is given, and what it gives back. Plain numpy, no renderer here."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from synth.camera.camera import Camera

if TYPE_CHECKING:
    from synth.heads.subdivision import Refined
    from synth.lighting.envmap import EnvMap
    from synth.transport.response import Transport


LABELS = ("skin", "lips", "sclera", "iris", "cornea", "lashes", "brows", "beard", "teeth", "gums", "tongue", "mouth",
          "hair", "garment", "frame", "lens", "cover")
"""What a piece of surface, or a strand, is, in every family of heads; ``mouth`` is the inner mouth, ``frame`` and
``lens`` are glasses, ``cover`` is what is worn on the head."""


@dataclasses.dataclass(frozen=True)
class Material:
    """A Disney-principled surface: a diffuse base under a dielectric gloss, optionally with a clear coat.

    With ``scatter`` the base is not a surface but flesh: light leaves it some way from where it entered. A surface with
    no gloss at all is Lambertian, see :attr:`lambertian`.
    """

    albedo: np.ndarray
    """Diffuse reflectance, linear Rec.709 in [0, 1]: (H, W, 3) float32 texture (row 0 is v = 1) or (3,) constant."""
    roughness: np.ndarray | float = 0.5
    """Disney roughness in [0, 1]: (H, W) float32 texture or a number."""
    specular: float = 0.5
    """Disney specular level; 0.5 is F0 = 4 %, skin (eta 1.4) is 0.35."""
    normal_map: np.ndarray | None = None
    """Tangent-space unit normals (H, W, 3) float32 in [-1, 1], x along +u, y along +v; None for none."""
    clearcoat: np.ndarray | float = 0.0
    """Weight in [0, 1] of a thin clear layer (tear film, saliva, sebum): (H, W) float32 texture or a number."""
    clearcoat_gloss: float = 1.0
    """1 for a mirror-like clear coat, 0 for satin."""
    scatter: np.ndarray | None = None
    """(3,) float32 metres: mean free path of red, green and blue light beneath the surface; None for none. With the
    albedo it fixes the diffusion profile (Christensen & Burley 2015); a random walk takes the same."""

    @property
    def lambertian(self) -> bool:
        """Whether it is exactly Lambertian, whatever its roughness: no gloss, no clear coat, no flesh."""
        return self.specular == 0 and self.scatter is None and np.ndim(self.clearcoat) == 0 and self.clearcoat == 0


@dataclasses.dataclass(frozen=True)
class Glass:
    """A smooth clear dielectric: a cornea over its iris, a lens of glasses. It absorbs nothing."""

    ior: float = 1.376
    """Index of refraction of what lies behind the surface, relative to air; 1.376 is a cornea, 1.5 a lens."""
    thin: bool = False
    """A sheet with air on both sides, which doesn't bend what is seen through it; otherwise a boundary of a body."""


@dataclasses.dataclass(frozen=True)
class Fibre:
    """Hair: a dielectric cylinder with pigment (Marschner et al. 2003; Chiang et al. 2016)."""

    eumelanin: float = 1.3
    """Concentration of the brown-black pigment: 0.1 fair, 0.6 light brown, 1.3 brown, 4 dark brown, 8 black."""
    pheomelanin: float = 0.0
    """Concentration of the red pigment: 0.3 to 1.5 in red hair."""
    longitudinal: float = 0.3
    """Roughness along the fibre in [0, 1] (beta_m)."""
    azimuthal: float = 0.3
    """Roughness around it in [0, 1] (beta_n)."""
    tilt_deg: float = 2.0
    """Tilt of the cuticle's scales towards the root, degrees."""

    @property
    def absorption(self) -> np.ndarray:
        """(3,) float64: absorption of red, green and blue over the fibre's radius (d'Eon et al. 2011)."""
        return self.eumelanin * np.array([0.419, 0.697, 1.37]) + self.pheomelanin * np.array([0.187, 0.4, 1.05])

    @property
    def colour(self) -> np.ndarray:
        """(3,) float32: diffuse reflectance, linear Rec.709, of a mass of such hair, by Chiang et al. 2016, eq. 9."""
        absorbed = self.absorption
        b = self.azimuthal
        spread = 5.969 - 0.215 * b + 2.532 * b**2 - 10.73 * b**3 + 5.574 * b**4 + 0.245 * b**5
        return np.clip(np.exp(-spread * np.sqrt(absorbed)), 0.01, 0.9).astype(np.float32)


AnyMaterial = Material | Glass | Fibre


@dataclasses.dataclass(frozen=True)
class MeshPart:
    """A piece of a head's surface with one material. Topology never changes over time."""

    name: str
    """Its label, see :data:`LABELS`, with ``left_`` or ``right_`` before those that come in pairs."""
    vertex_map: np.ndarray
    """(V,) int32: the model vertex behind each render vertex; UV seams repeat model vertices."""
    faces: np.ndarray
    """(F, 3) int32 into the V render vertices, counter-clockwise seen from outside."""
    uv: np.ndarray
    """(V, 2) float32, u to the right, v up; textures repeat, so a face across a seam may pass 1."""
    material: str
    """Key into the subject's materials."""
    smooth: bool = True
    """Whether subdivision refines it; hair and other fine meshes stay as they are."""

    @property
    def label(self) -> str:
        """The part's label, without its side."""
        return self.name.removeprefix("left_").removeprefix("right_")


@dataclasses.dataclass(frozen=True, eq=False)
class Strands:
    """Hair of one kind: S smooth curves that follow K points each, from the first to the last, rooted in the skin."""

    name: str
    """Its label: ``hair``, ``brows``, ``lashes`` or ``beard``; a second group of one label adds ``_grey``."""
    material: str
    """Key into the subject's materials, a :class:`Fibre`."""
    roots: np.ndarray
    """(S, 3) int32 model vertices: the triangle that each strand grows from."""
    weights: np.ndarray
    """(S, 3) float32 barycentric coordinates of the root on it."""
    offsets: np.ndarray
    """(S, K, 3) float32 metres: points from the root, in the triangle's frame (see :func:`triangle_frames`)."""
    radii: np.ndarray
    """(S, K) float32 metres."""

    @property
    def label(self) -> str:
        """The label, without what tells its groups apart."""
        return self.name.removesuffix("_grey")

    def place(self, vertices: np.ndarray) -> np.ndarray:
        """(S, K, 3) float32 points on a frame's model vertices (N, 3), metres, world axes."""
        corners = vertices[self.roots].astype(np.float32)
        root = (self.weights[:, :, None] * corners).sum(axis=1)
        along, across, up = np.moveaxis(triangle_frames(corners)[:, None], 2, 0)
        # Plain products: BLAS may round differently where memory is aligned differently.
        x, y, z = (self.offsets[..., k : k + 1] for k in range(3))
        return root[:, None] + (x * along + y * across + z * up)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) of length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def triangle_frames(corners: np.ndarray) -> np.ndarray:
    """(S, 3, 3) float32 orthonormal frames of triangles (S, 3, 3): rows lie along the first edge, across, outwards."""
    edge = corners[:, 1] - corners[:, 0]
    normal = np.cross(edge, corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)
    edge = edge / np.maximum(np.linalg.norm(edge, axis=1, keepdims=True), 1e-20)
    return np.stack([edge, np.cross(normal, edge), normal], axis=1).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Subject:
    """One person performing: fixed topology, vertices that move, and skin that lives."""

    parts: tuple[MeshPart, ...]
    materials: Mapping[str, AnyMaterial]
    vertices: np.ndarray | Refined
    """(T, N, 3) float32 model vertices in world space, metres; any sequence of frames with a ``shape``."""
    licence: str
    """Licence of the model files that the geometry came from."""
    source_hash: str
    """BLAKE2b hex digest of those files."""
    strands: tuple[Strands, ...] = ()
    """Hair, carried by the vertices."""
    living: Mapping[str, Sequence[Material]] = dataclasses.field(default_factory=dict)
    """Materials that change over time, by name: T of them, of the same shapes as the one in ``materials``, and
    Lambertian where it is; frames that don't change may repeat the same object."""

    def frames(self, chosen: Sequence[int]) -> Subject:
        """The same person in chosen frames only, in their order."""
        living = {name: _Chosen(sequence, chosen) for name, sequence in self.living.items()}
        return dataclasses.replace(self, vertices=self.vertices[chosen], living=living)

    def materials_at(self, frame: int) -> dict[str, AnyMaterial]:
        """The materials of one frame."""
        return {**self.materials, **{name: sequence[frame] for name, sequence in self.living.items()}}


class _Chosen(Sequence):
    """Some items of a sequence, each made when it is asked for."""

    def __init__(self, sequence: Sequence, chosen: Sequence[int]):
        self._sequence, self._chosen = sequence, chosen

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, number: int):
        return self._sequence[self._chosen[number]]


@dataclasses.dataclass(frozen=True)
class Frame:
    """What one frame holds: an image for each channel, and the light and camera that made it."""

    index: int
    channels: dict[str, np.ndarray]
    """Image name (see :func:`synth.channels.frame_channel_names`) to (H, W[, C]) float32, row 0 on top."""
    envmaps: tuple[np.ndarray, ...]
    """Per lighting, the exact map that was rendered: (He, We, 3) float32, scene-linear Rec.709 radiance, world axes."""
    camera: Camera
    transport: Transport | None = None
    """The response to light from every direction, where it is to be stored."""


class Renderer(Protocol):
    """A renderer backend. One instance keeps its scene and updates it in place from frame to frame and clip to clip."""

    domain: str
    """The dataset's ``domain``: ``mitsuba`` or ``cycles``."""

    def describe(self, method: str = "path", paths: int = 0) -> dict[str, object]:
        """Version, variant and estimator, stored with each clip; ``method`` and ``paths`` as in :meth:`render`."""
        ...

    def render(
        self,
        subject: Subject,
        cameras: Sequence[Camera],
        lightings: Sequence[Sequence[EnvMap]],
        *,
        samples: int,
        seed: int,
        lobes: bool = True,
        method: str = "path",
        paths: int = 512,
        transport: bool = False,
    ) -> Iterator[Frame]:
        """Render every frame under every lighting; ``lightings[l][t]`` is the map of lighting l at frame t.

        method: ``path`` traces ``samples`` paths a pixel for each lighting; ``transport`` (Mitsuba) traces ``paths``,
        and ``light_groups`` (Cycles) ``samples``, once, and each lighting is a product with what they found.
        transport: also give each frame's ``transport``. Memory holds one frame. RenderError where the backend's
        variant cannot.
        """
        ...


def vertex_normals(vertices: np.ndarray, parts: Sequence[MeshPart]) -> np.ndarray:
    """Smooth normals on model vertices, so that they agree across UV seams and parts that share vertices.

    vertices: (N, 3) float, metres. Returns (N, 3) float32 unit vectors (0 for vertices in no face), area weighted.
    """
    triangles = np.concatenate([part.vertex_map[part.faces] for part in parts])
    corners = vertices[triangles].astype(np.float64)
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.stack(
        [np.bincount(triangles.ravel(), np.repeat(face[:, k], 3), minlength=len(vertices)) for k in range(3)], axis=1
    )
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return (normals / np.maximum(length, 1e-20)).astype(np.float32)
