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


LABELS = ("skin", "lips", "sclera", "iris", "cornea", "lashes", "brows", "teeth", "gums", "tongue", "mouth", "hair",
          "garment")
"""What a piece of surface is, in every family of heads; ``mouth`` is the inner mouth."""


@dataclasses.dataclass(frozen=True)
class Material:
    """A Disney-principled surface: a diffuse base under a dielectric gloss, optionally with a clear coat."""

    albedo: np.ndarray
    """Diffuse reflectance, linear Rec.709 in [0, 1]: (H, W, 3) float32 texture (row 0 is v = 1) or (3,) constant."""
    roughness: np.ndarray | float = 0.5
    """Disney roughness in [0, 1]: (H, W) float32 texture or a number."""
    specular: float = 0.5
    """Disney specular level; 0.5 is F0 = 4 %, skin (eta 1.4) is 0.35."""
    normal_map: np.ndarray | None = None
    """Tangent-space unit normals (H, W, 3) float32 in [-1, 1], x along +u, y along +v; None for none."""
    clearcoat: float = 0.0
    """Weight in [0, 1] of a thin clear layer (tear film, saliva)."""
    clearcoat_gloss: float = 1.0
    """1 for a mirror-like clear coat, 0 for satin."""


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


@dataclasses.dataclass(frozen=True)
class Subject:
    """One person performing: fixed topology and appearance, vertices that move."""

    parts: tuple[MeshPart, ...]
    materials: Mapping[str, Material]
    vertices: np.ndarray | Refined
    """(T, N, 3) float32 model vertices in world space, metres; any sequence of frames with a ``shape``."""
    licence: str
    """Licence of the model files that the geometry came from."""
    source_hash: str
    """BLAKE2b hex digest of those files."""


@dataclasses.dataclass(frozen=True)
class Frame:
    """What one frame holds: an image for each channel, and the light and camera that made it."""

    index: int
    channels: dict[str, np.ndarray]
    """Image name (see :func:`synth.channels.frame_channel_names`) to (H, W[, C]) float32, row 0 on top."""
    envmaps: tuple[np.ndarray, ...]
    """Per lighting, the exact map that was rendered: (He, We, 3) float32, scene-linear Rec.709 radiance, world axes."""
    camera: Camera


class Renderer(Protocol):
    """A renderer backend. One instance keeps its scene and updates it in place from frame to frame and clip to clip."""

    domain: str
    """The dataset's ``domain``: ``mitsuba`` or ``cycles``."""

    def describe(self) -> dict[str, object]:
        """Version, variant and estimator, stored with each clip."""
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
    ) -> Iterator[Frame]:
        """Render every frame under every lighting; ``lightings[l][t]`` is the map of lighting l at frame t."""
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
