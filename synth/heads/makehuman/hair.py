"""Hair styles: MakeHuman's hair meshes, made for textures with holes, cut into thin tapered ribbons. Metres."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.sparse import csr_matrix, vstack
from scipy.spatial import cKDTree

from assets.errors import AssetError
from assets.makehuman.mhclo import MhClo
from synth.heads.head import Attachment
from synth.heads.makehuman.base import BaseMesh
from synth.heads.makehuman.binding import affine_weights, attach, bind, pieces, quads
from synth.heads.makehuman.ribbons import lay, thin
from synth.heads.makehuman.strips import Strips, find_strips
from synth.heads.template.sculpt import smoothstep
from synth.scene import MeshPart

UNDER = 0.125
"""Textures of hair keep u below this for the dark undercoat; beyond it each strand has a u of its own, and v runs from
root (0) to tip (1)."""


_CAP = 50
"""Pieces of a mesh with more faces than this are caps over the scalp, not loose cards."""
_UNDERCOAT = 32_000
"""About the most triangles under the strands."""


@dataclasses.dataclass(frozen=True)
class Style:
    """How a style's strands lie."""

    gather: tuple[float, float, float] | None = None
    """Where hair is combed to and tied, head frame of the mean body; None: it falls from the whorl."""
    whorl: tuple[float, float, float] = (0.0, 0.12, -0.04)
    """Where falling hair starts from."""
    length: tuple[float, float] = (0.05, 0.10)
    """Shortest and longest strand."""
    width: float = 0.0011
    """Of a strand's ribbon at its widest."""
    lift: float = 0.003
    """How far strands rise from the mesh."""
    wave: float = 0.002
    """How far strands wander sideways."""
    strands: int = 5000
    """Ribbons in all."""
    nodes: int = 6
    """Points along each ribbon."""
    curl: float = 0.0
    """Radius of curls that stand off the mesh, instead of strands that lie along it."""
    sink: float = 0.0012
    """How far the undercoat lies beneath the mesh."""
    sideburns: float = -1.0
    """Height below which nothing grows in front of the ears; the rest is cut off."""


STYLES: dict[str, Style] = {
    "afro01": Style(lift=0.018, curl=0.0042, strands=5200, nodes=8, width=0.0024, sink=0.004),
    "bob01": Style(whorl=(-0.02, 0.13, 0.0), length=(0.08, 0.16), nodes=7, strands=4000),
    "bob02": Style(whorl=(0.02, 0.12, -0.01), length=(0.08, 0.16), nodes=7),
    "braid01": Style(gather=(0.0, -0.06, -0.09), length=(0.07, 0.14)),
    "long01": Style(whorl=(0.0, 0.13, -0.01), length=(0.14, 0.30), nodes=8, strands=4500),
    "ponytail01": Style(gather=(0.0, 0.055, -0.11), length=(0.07, 0.16), lift=0.0015, sink=0.0004),
    "short01": Style(length=(0.018, 0.035), nodes=4, strands=8000, lift=0.005),
    "short02": Style(length=(0.04, 0.075), lift=0.004),
    "short03": Style(whorl=(0.03, 0.12, -0.01), length=(0.05, 0.09)),
    "short04": Style(gather=(0.0, -0.08, -0.10), length=(0.05, 0.10), sink=-0.0006, sideburns=-0.012),
}
"""Of the styles that MakeHuman ships."""


def make_hair(name: str, clo: MhClo, mesh: BaseMesh) -> Attachment:
    """A style as ribbons over an undercoat, fitted to the mean body; the same style is the same always."""
    rng = np.random.Generator(np.random.PCG64(sum(name.encode())))
    style = STYLES.get(name, Style())
    base = mesh.vertices.astype(np.float64)
    carry, offset = bind(clo, len(base))
    card = carry @ base + offset
    carry, offset = hold_to_skull(carry, offset, base)
    faces = quads(clo.mesh)
    centre = card[faces].mean(axis=1)
    kept = (centre[:, 1] > style.sideburns) | (centre[:, 2] < 0.0)
    if style.curl:  # loose cards say where curls end; ours stand on the cap beneath them
        piece = pieces(clo.mesh)
        kept &= np.bincount(piece)[piece] > _CAP
    strips = find_strips(card, faces[kept], lambda at: _guide(style, at), outward)
    under, under_faces, under_uv, under_lift = _undercoat(strips, style.sink, rng)
    strand, strand_faces, strand_uv, strand_lift = (_curls if style.curl else _strands)(strips, style, rng)
    rows = vstack([under, strand]).tocsr()
    part = MeshPart("hair", np.arange(rows.shape[0], dtype=np.int32),
                    np.concatenate([under_faces, strand_faces + len(under_uv)]).astype(np.int32),
                    np.concatenate([under_uv, strand_uv]).astype(np.float32), "strands", smooth=False)
    lift = np.concatenate([under_lift, strand_lift])
    bound = thin(rows @ carry)
    at = rows @ (carry @ base + offset) + lift
    return attach(f"hair/{name}", (part,), bound, at - bound @ base, clo)


def before_eyes(at: np.ndarray) -> np.ndarray:
    """(L,) bool: where hair is cut, to keep eyes and brows clear: from some 15 mm above the brows, temple to temple."""
    side = np.abs(at[:, 0])
    line = 0.036 - 0.9 * np.maximum(side - 0.045, 0)
    return (at[:, 1] < line) & (side < 0.075) & (at[:, 2] > 0.05)


def outward(at: np.ndarray) -> np.ndarray:
    """(L, 3): roughly where the outside of a head of hair is; below the skull away from its axis."""
    return at - np.stack([np.zeros(len(at)), np.minimum(at[:, 1], 0.04), np.full(len(at), -0.005)], axis=1)


def _guide(style: Style, at: np.ndarray) -> np.ndarray:
    if style.gather is not None:
        to = np.array(style.gather) - at
        passed = np.clip(0.03 - np.linalg.norm(to, axis=1, keepdims=True), 0, 1) / 0.03
        return to / np.linalg.norm(to, axis=1, keepdims=True) + passed * (0, -2.0, 0)
    away = at - np.array(style.whorl)
    return away / np.linalg.norm(away, axis=1, keepdims=True) + (0, -1.0, 0)


def hold_to_skull(carry: csr_matrix, offset: np.ndarray, base: np.ndarray) -> tuple[csr_matrix, np.ndarray]:
    """A binding that follows the skull alone, fading to the given one from the chin down to the shoulders.

    What hangs beside the face must turn with the head, though MakeHuman binds it to cheeks and neck. The skull's part
    is the affine map that its vertices undergo: of all weights that give a point from them, the smallest.
    """
    rigid = smoothstep(0.03, 0.05, base[:, 1]) * smoothstep(0, 0.05, 0.085 - base[:, 2] + base[:, 1])
    loose = 1 - np.clip(carry @ rigid, 0, 1)
    at = carry @ base + offset
    clear = cKDTree(base[:BODY]).query(at)[0]
    share = loose * smoothstep(-0.20, -0.08, at[:, 1]) * smoothstep(0.012, 0.032, clear)
    share[share < 1e-3] = 0
    anchors = _anchors(base)
    weights = affine_weights(at, base[anchors])
    to = csr_matrix((np.ones(len(anchors)), (np.arange(len(anchors)), anchors)), shape=(len(anchors), len(base)))
    chosen = np.flatnonzero(share)
    pick = csr_matrix((share[chosen], (chosen, np.arange(len(chosen)))), shape=(len(at), len(chosen)))
    scale = csr_matrix((1 - share, (np.arange(len(at)), np.arange(len(at)))))
    blended = scale @ carry + pick @ (csr_matrix(weights[chosen]) @ to)
    return blended.tocsr(), at - blended @ base


def _anchors(base: np.ndarray) -> np.ndarray:
    """A dozen vertices of the scalp, spread out: behind and above the face, where no expression reaches."""
    scalp = np.flatnonzero((base[:, 1] > 0.05) & (base[:, 2] < 0.05) & (np.arange(len(base)) < BODY))
    chosen = [scalp[np.argmax(base[scalp, 1])]]
    while len(chosen) < 12:  # the farthest from those that there are
        gap = np.min([np.linalg.norm(base[scalp] - base[k], axis=1) for k in chosen], axis=0)
        chosen.append(scalp[np.argmax(gap)])
    return np.array(chosen)


BODY = 13380
"""Base vertices below this are the body's; helpers and joints follow."""


def _undercoat(strips: Strips, sink: float, rng: np.random.Generator):
    """The mesh itself, a little sunk, each strip in lanes that end raggedly: what shows between strands."""
    count = np.maximum(np.diff(strips.start), 3)
    lanes = int(np.clip(_UNDERCOAT // (2 * count.sum()), 1, 3))
    edges, every = np.linspace(0, 1, lanes + 1), np.repeat(np.arange(len(count)), lanes + 1)
    reach = strips.reach(every, np.tile(edges, len(count)), before_eyes).reshape(-1, lanes + 1, 2)
    length = strips.length
    faces, total = [], 0
    strip, distance, across = [], [], []
    for k in range(len(count)):
        ragged = strips.ends[k] * np.minimum(rng.uniform((0.0, 0.002), (0.004, 0.012), (lanes, 2)), 0.3 * length[k])
        for lane in range(lanes):
            span = reach[k, lane : lane + 2]
            # Where one edge is cut far above the other the lane ends near the higher one: no sheet across the face.
            span = np.stack([np.maximum(span[:, 0], span[:, 0].max() - 0.012),
                             np.minimum(span[:, 1], span[:, 1].min() + 0.012)], axis=1)
            if (span[:, 1] - span[:, 0]).min() < min(0.003, 0.9 * length[k]):
                continue
            for (first, last), edge in zip(span, edges[lane : lane + 2], strict=True):
                room = last - first
                strip.append(np.full(count[k], k))
                distance.append(np.linspace(first + min(ragged[lane, 0], 0.3 * room),
                                            last - min(ragged[lane, 1], 0.3 * room), count[k]))
                across.append(np.full(count[k], edge))
            a = total + np.arange(count[k] - 1)
            b = a + count[k]
            faces += [np.stack([a, b, a + 1], axis=1), np.stack([a + 1, b, b + 1], axis=1)]
            total += 2 * count[k]
    if not faces:
        raise AssetError("nothing of its mesh is left: all of it hangs before the eyes")
    strip, distance, across = (np.concatenate(x) for x in (strip, distance, across))
    rows = strips.sample(strip, distance, across)
    uv = np.stack([UNDER * (0.2 + 0.6 * rng.random(len(strip))), distance / np.maximum(length[strip], 1e-6)], axis=1)
    return rows, np.concatenate(faces), uv, -sink * strips.normals(strip, distance, across)


def _strands(strips: Strips, style: Style, rng: np.random.Generator):
    """Tapered ribbons along the strips: rows of weights on the mesh, faces, UVs, and how far each point is raised."""
    number, nodes = style.strands, style.nodes
    length = strips.length
    strip = strips.draw(rng, number)
    long = rng.uniform(*style.length, number)
    first = rng.uniform(-0.4 * long, np.maximum(length[strip] - 0.4 * long, 0.0))
    first = np.maximum(first, rng.uniform(-0.004, 0.003, number))
    last = np.minimum(first + long, length[strip] + rng.exponential(0.004, number) - 0.002)
    last = np.maximum(last, first + 0.006)
    middle = rng.random(number)
    start, stop = strips.reach(strip, middle, before_eyes).T
    trimmed = stop < length[strip]
    first = np.where(start > 0, np.maximum(first, start), first)
    last = np.where(trimmed, np.minimum(last, stop - rng.exponential(0.004, number)), last)
    left = np.flatnonzero(last - first > 0.005)
    strip, first, last, middle, number = strip[left], first[left], last[left], middle[left], len(left)
    t = np.linspace(0, 1, nodes)
    distance = first[:, None] + (last - first)[:, None] * t
    breadth = strips.breadth(np.repeat(strip, nodes), distance.ravel()).reshape(number, nodes)
    phase, turns = rng.uniform(0, 2 * np.pi, (2, number, 1)), rng.uniform(0.3, 1.2, (number, 1))
    sway = style.wave * (np.sin(phase[0] + 2 * np.pi * turns * t) - np.sin(phase[0])) * rng.normal(0, 0.7, (number, 1))
    across = middle[:, None] + sway / breadth
    taper = np.minimum(1, 0.5 + 3 * t) * (1 - t**2.2) + 0.06
    half = 0.5 * style.width * rng.uniform(0.6, 1.3, (number, 1)) * taper
    raised = style.lift * rng.uniform(0.05, 1.0, (number, 1)) * (0.25 + 0.75 * smoothstep(0, 0.5, t))
    tilt = 0.35 * style.width * rng.normal(0, 1, (number, 1))
    column = UNDER + (1 - UNDER) * rng.random((number, 1))
    return lay(strips, strip, distance, across, half, raised, tilt, column)


def _curls(strips: Strips, style: Style, rng: np.random.Generator):
    """As ``_strands``, for coils that grow out of the mesh: each is carried whole by the place of its root."""
    number, nodes = style.strands, style.nodes
    strip = strips.draw(rng, number)
    distance = rng.random((number, 1)) * strips.length[strip][:, None] * np.ones(nodes)
    t = np.linspace(0, 1, nodes)
    across = rng.random((number, 1))
    rows, faces, uv, _ = lay(strips, strip, distance, across, np.zeros((number, 1)), np.zeros((number, 1)),
                             np.zeros((number, 1)), UNDER + (1 - UNDER) * rng.random((number, 1)))
    normal = strips.normals(strip, distance[:, 0], across[:, 0])
    lean = _unit(normal + 0.45 * rng.standard_normal((number, 3)))
    one = _unit(np.cross(lean, rng.standard_normal((number, 3))))
    two = np.cross(lean, one)
    turn = rng.uniform(0, 2 * np.pi, (number, 1)) + 2 * np.pi * rng.uniform(0.9, 1.6, (number, 1)) * t
    radius = style.curl * rng.uniform(0.6, 1.3, (number, 1)) * smoothstep(0, 0.25, t)
    height = style.lift * rng.uniform(0.25, 1.0, (number, 1)) * t - 0.002
    coil = np.einsum("nt,nk->ntk", height, lean) + np.einsum("nt,nk->ntk", radius * np.cos(turn), one)
    coil += np.einsum("nt,nk->ntk", radius * np.sin(turn), two)
    half = 0.5 * style.width * rng.uniform(0.6, 1.3, (number, 1)) * (1.05 - t**2)
    side = np.einsum("nt,nk->ntk", half, lean)  # the band of a coil stands along its axis
    return rows, faces, uv, np.concatenate([(coil + k * side).reshape(-1, 3) for k in (-1, 1)])


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
