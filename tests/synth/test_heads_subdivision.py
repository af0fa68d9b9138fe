"""Subdivision: smooth, without cracks, without shrinking, frame by frame."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from synth.heads.load import load_head
from synth.heads.subdivision import Refined, level_for, refine
from synth.motion.performance import neutral
from synth.scene import MeshPart


def icosahedron() -> tuple[np.ndarray, np.ndarray]:
    golden = (1 + 5**0.5) / 2
    v = np.array([p for s in (-1, 1) for t in (-golden, golden) for p in ((0, s, t), (s, t, 0), (t, 0, s))], float)
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    faces = ConvexHull(v).simplices
    a, b, c = v[faces].transpose(1, 0, 2)
    return v, np.where((np.einsum("kc,kc->k", np.cross(b - a, c - a), a) < 0)[:, None], faces[:, ::-1], faces)


def part_of(faces: np.ndarray, uv: np.ndarray, vertex_map: np.ndarray | None = None, smooth: bool = True) -> MeshPart:
    vertex_map = np.arange(len(uv)) if vertex_map is None else vertex_map
    return MeshPart("skin", vertex_map.astype(np.int32), faces.astype(np.int32), uv.astype(np.float32), "skin", smooth)


def open_edges(faces: np.ndarray) -> set[tuple[int, int]]:
    directed = {tuple(edge) for edge in np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).tolist()}
    return {edge for edge in directed if edge[::-1] not in directed}


def test_a_ball_stays_a_ball_of_its_size():
    v, faces = icosahedron()
    refinement = refine((part_of(faces, np.zeros((12, 2))),), 12, 3)
    points = refinement.matrix @ v
    radius = np.linalg.norm(points, axis=1)
    assert len(refinement.parts[0].faces) == 20 * 64
    # Loop's limit of this mesh has a radius of about .8; the vertices lie on 1, the middles of its edges on .85.
    assert radius.min() > 0.88 and radius.max() < 1.04
    assert radius.std() < 0.04
    corners = points[refinement.parts[0].vertex_map[refinement.parts[0].faces]]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert np.einsum("kc,kc->k", normal, corners.mean(axis=1)).min() > 0


def test_a_plane_and_its_straight_edge_stay_where_they_are():
    x, y = np.meshgrid(np.arange(5.0), np.arange(5.0))
    v = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1)
    corner = np.arange(25).reshape(5, 5)
    a, b, c, d = (corner[i:i + 4, j:j + 4].ravel() for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)))
    faces = np.concatenate([np.stack([a, b, d], axis=1), np.stack([a, d, c], axis=1)])
    points = refine((part_of(faces, v[:, :2] / 4),), 25, 2).matrix @ v
    np.testing.assert_allclose(points[:, 2], 0)
    assert points[:, :2].min() > -0.07 and points[:, :2].max() < 4.07  # the sheet's four corners are rounded
    edge = points[(points[:, 1] < 0.1) & (np.abs(points[:, 0] - 2) < 1.01)]
    assert len(edge) >= 7 and np.abs(edge[:, 1]).max() < 0.03


def test_uv_seams_and_parts_that_meet_do_not_crack():
    v, faces = icosahedron()
    first, second = faces[:10], faces[10:]
    mapping, local = np.unique(second, return_inverse=True)
    seam = part_of(local.reshape(-1, 3), np.full((len(mapping), 2), 0.7), mapping)
    parts = refine((part_of(first, np.zeros((12, 2))), seam), 12, 2).parts
    assert not open_edges(np.concatenate([part.vertex_map[part.faces] for part in parts]))
    assert (parts[0].uv == 0).all() and (parts[1].uv == np.float32(0.7)).all()


def test_what_is_not_smooth_keeps_its_vertices():
    v, faces = icosahedron()
    far = np.concatenate([v, v + 5])
    shell = part_of(faces + 12, np.zeros((24, 2)), smooth=False)
    refinement = refine((part_of(faces, np.zeros((24, 2))), shell), 24, 1)
    np.testing.assert_array_equal(refinement.parts[1].faces, shell.faces)
    np.testing.assert_allclose((refinement.matrix @ far)[12:24], v + 5, atol=1e-6)


@pytest.mark.parametrize("level", [1, 2])
def test_head_has_the_same_openings_when_subdivided(level):
    head = load_head()
    person = head.person(head.sample_identity(np.random.default_rng(3)), level)
    before, after = (open_edges(np.concatenate([part.vertex_map[part.faces] for part in parts if part.smooth]))
                     for parts in (head.parts, person.parts))
    assert len(after) == len(before) * 2**level  # lids, lips and parts meet in the vertices that they share
    vertices = person.animate(neutral(1, 24.0))[0]
    control = head.shaped(person.identity)
    skin = next(part for part in head.parts if part.name == "skin").vertex_map
    moved = np.linalg.norm(vertices[: len(control)] - control, axis=1)[skin]
    assert np.percentile(moved, 99) < 5e-4  # half a millimetre


def test_frames_are_refined_one_by_one():
    v, faces = icosahedron()
    frames = np.stack([v, 2 * v, 3 * v]).astype(np.float32)
    refined = Refined(frames, refine((part_of(faces, np.zeros((12, 2))),), 12, 1))
    assert refined.shape == (3, 42, 3) and len(refined) == 3
    np.testing.assert_allclose(refined[1], 2 * refined[0], rtol=1e-6)
    assert refined[1:].shape == (2, 42, 3) and refined[[0, 2]].shape == (2, 42, 3)
    np.testing.assert_array_equal(refined[:][2], refined[2])


def test_level_follows_the_picture():
    assert [level_for(0.003, pixel) for pixel in (0.004, 0.0018, 0.0007, 0.0003)] == [0, 0, 1, 2]
