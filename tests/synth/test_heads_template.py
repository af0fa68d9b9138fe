"""The project's own head: its mesh, and how it moves."""

import dataclasses

import numpy as np
import pytest
from scipy.spatial import cKDTree

from synth.heads.canonical import LANDMARKS, template_landmark
from synth.heads.head import HeadModel, Identity, eye_centres, head_extent
from synth.heads.load import load_head
from synth.heads.surface import control_surface
from synth.heads.template.expression import DEEP, SHIFTS
from synth.heads.template.eyes import eye_profile
from synth.heads.template.garment import COLUMNS
from synth.heads.template.identity import SHAPES
from synth.motion.performance import Performance, neutral
from synth.scene import vertex_normals

FLIP = np.array([-1, 1, 1], np.float32)


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


@pytest.fixture(scope="module")
def average(head) -> Identity:
    return Identity(np.zeros(len(SHAPES), np.float32))


def performing(frames: int = 1, **curves) -> Performance:
    """A performance that holds units and rotations given by name."""
    still = neutral(frames, 24.0)
    poses = {name: np.full((frames, 3), value, np.float32) for name, value in curves.items() if name.islower()}
    units = {name: np.full(frames, value, np.float32) for name, value in curves.items() if name.startswith("AU")}
    return dataclasses.replace(still, units=units, **poses)


def part(head: HeadModel, name: str):
    return next(part for part in head.parts if part.name == name)


def faces_of(head: HeadModel, *names: str) -> np.ndarray:
    return np.concatenate([part(head, name).vertex_map[part(head, name).faces] for name in names])


def half_edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directed edges, and how often each one's reverse occurs."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    key, reverse = edges @ [1 << 32, 1], edges @ [1, 1 << 32]
    assert len(np.unique(key)) == len(key), "two faces walk an edge in the same direction"
    return edges, np.isin(reverse, key)


def loops(edges: np.ndarray) -> int:
    """Number of closed loops that boundary edges form."""
    following = dict(edges.tolist())
    assert len(following) == len(edges), "a boundary touches itself"
    count = 0
    while following:
        start, at = following.popitem()
        while at != start:
            at = following.pop(at)
        count += 1
    return count


def test_surface_is_closed_where_it_should_be(head):
    edges, paired = half_edges(faces_of(head, "skin", "lips", "mouth"))
    # Open: the bust's edge, the linings of both lids inside the orbit, both ears' roots inside the head.
    assert loops(edges[~paired]) == 5
    for side in ("left", "right"):
        assert half_edges(faces_of(head, f"{side}_sclera", f"{side}_cornea"))[1].all()


def test_faces_have_area_and_point_outwards(head):
    v = head.neutral.astype(np.float64) * 1000
    for piece in head.parts:
        corner = v[piece.vertex_map[piece.faces]]
        normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        assert np.linalg.norm(normal, axis=1).min() > 1e-3, piece.name
        if piece.label in ("sclera", "cornea", "skin"):
            outward = corner.mean(axis=1) - v[piece.vertex_map].mean(axis=0)
            assert np.einsum("kc,kc->", normal, outward) > 0, piece.name
    nose = np.argmax(v[part(head, "skin").vertex_map][:, 2])
    assert vertex_normals(head.neutral, head.parts)[part(head, "skin").vertex_map[nose], 2] > 0.8


def test_template_is_mirror_symmetric(head):
    assert (head.mirror[head.mirror] == np.arange(len(head.neutral))).all()
    np.testing.assert_allclose(head.neutral[head.mirror] * FLIP, head.neutral, atol=1e-8)
    even = [k for k, name in enumerate(SHAPES) if not name.startswith("asymmetry")]
    shapes = head.arrays["shape_directions"][:, :, even]
    np.testing.assert_allclose(shapes[head.mirror] * FLIP[:, None], shapes, atol=1e-7)
    faces = np.sort(faces_of(head, "skin", "lips"), axis=1)
    mirrored = np.sort(head.mirror[faces], axis=1)
    assert {tuple(face) for face in faces.tolist()} == {tuple(face) for face in mirrored.tolist()}


def test_measures_are_those_of_an_adult(head, average):
    skin = head.neutral[part(head, "skin").vertex_map] * 1000
    chin, crown = head_extent(head.person(average))
    assert 215 < (crown - chin) * 1000 < 237
    skull = skin[(skin[:, 1] > 20)]
    assert 140 < np.ptp(skull[np.abs(skull[:, 1] - 35) < 8][:, 0]) < 160
    assert 180 < np.ptp(skull[:, 2]) < 205
    eyes = eye_centres(head, head.neutral)
    assert eyes[0, 0] - eyes[1, 0] == pytest.approx(0.063, abs=0.001)


def test_landmarks_lie_on_the_skin(head):
    """Within 1 mm, the eyes' centres excepted; 28 points a face are dense enough to measure by."""
    corner = head.neutral[faces_of(head, "skin", "lips")].astype(np.float64) * 1000
    shares = np.array([(a, b, 6 - a - b) for a in range(7) for b in range(7 - a)]) / 6
    tree = cKDTree(np.einsum("sk,fkd->sfd", shares, corner).reshape(-1, 3))
    for name in LANDMARKS:
        if name != "eye":
            assert tree.query(template_landmark(name))[0] < 1.0, name
    np.testing.assert_allclose(eye_centres(head, head.neutral)[0] * 1000, LANDMARKS["eye"], atol=0.5)


def test_garment_lies_outside_the_skin(head):
    """Every piece of cloth below the collar's folded edge has skin behind it, not in front of it."""
    shirt = part(head, "garment")
    skin = faces_of(head, "skin")
    normal = vertex_normals(head.neutral, head.parts)
    used = np.unique(skin)
    distance, nearest = cKDTree(head.neutral[used]).query(head.neutral[shirt.vertex_map])
    height = np.einsum("kd,kd->k", head.neutral[shirt.vertex_map] - head.neutral[used[nearest]], normal[used[nearest]])
    assert height[4 * COLUMNS:].min() > 0 and np.median(height) > 0.002 and distance.max() < 0.03


def test_smplx_agrees_with_plain_numpy(head):
    identity = head.sample_identity(np.random.default_rng(1))
    act = performing(1, AU12=0.6, AU4_L=0.3, jaw=(0.2, 0.02, 0), neck=(0.1, 0.3, 0.05), head=(0, 0.2, 0.1),
                     left_eye=(0.1, 0.2, 0), translation=(0.01, 0.02, 0.03))
    from synth.heads.driver import drive
    from synth.heads.template.sampling import lid_droop

    a = head.arrays
    coefficients = drive(act, head.expressions, lid_droop(identity.shape))[0].astype(np.float64)
    shaped = head.neutral + a["shape_directions"] @ identity.shape.astype(np.float64)
    shaped = shaped + a["expression_directions"] @ coefficients
    joints = a["J_regressor"].astype(np.float64) @ shaped
    poses = np.stack([act.head, act.neck, act.jaw, act.left_eye, act.right_eye])[:, 0]
    world = []
    for k, vector in enumerate(poses):
        local = np.eye(4)
        local[:3, :3] = rotation(vector)
        parent = a["parents"][k]
        local[:3, 3] = joints[k] - (joints[parent] if parent >= 0 else 0)
        world.append(world[parent] @ local if parent >= 0 else local)
    for k, matrix in enumerate(world):
        matrix[:3, 3] -= matrix[:3, :3] @ joints[k]
    blended = np.einsum("nj,jab->nab", a["weights"].astype(np.float64), np.array(world))
    expected = np.einsum("nab,nb->na", blended[:, :3, :3], shaped) + blended[:, :3, 3] + act.translation[0]
    np.testing.assert_allclose(head.animate(identity, act, resolve=False)[0], expected, atol=2e-6)


def rotation(vector: np.ndarray) -> np.ndarray:
    """Rodrigues' formula, float64."""
    angle = np.linalg.norm(vector.astype(np.float64))
    if angle == 0:
        return np.eye(3)
    x, y, z = vector / angle
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


def hit_from_front(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Whether a ray along +z from each point meets a face."""
    a, b, c = (vertices[faces[:, k], :2] for k in range(3))
    depth = vertices[faces].max(axis=1)[:, 2]
    area = np.cross(b - a, c - a)
    hit = np.zeros(len(points), bool)
    for k, p in enumerate(points):
        q = p[:2] - a
        wb, wc = np.cross(q, c - a) / area, np.cross(b - a, q) / area
        hit[k] = ((wb >= 0) & (wc >= 0) & (wb + wc <= 1) & (depth > p[2])).any()
    return hit


@pytest.mark.parametrize("seed", [None, 2, 7])
def test_blink_covers_the_eyeball(head, average, seed):
    identity = average if seed is None else head.sample_identity(np.random.default_rng(seed))
    frame_open, shut = (head.animate(identity, performing(1, AU45=a))[0].astype(np.float64) for a in (0.0, 1.0))
    skin = faces_of(head, "skin")
    for eye in head.eyeballs:
        ball = shut[eye]
        front = ball[ball[:, 2] > ball[:, 2].max() - 0.006]
        near = skin[(np.abs(shut[skin].mean(axis=1) - front.mean(axis=0)) < 0.03).all(axis=1)]
        assert hit_from_front(front, shut, near).all()
        assert hit_from_front(front, frame_open, near).mean() < 0.7  # and the open eye shows


@pytest.mark.parametrize("act", [{}, {"AU45": 0.5}, {"AU45": 0.75}, {"AU45": 1.0}, {"AU5": 1.0}, {"AU7": 1.0}])
def test_lids_stay_in_front_of_the_eyeball(head, average, act):
    v = head.animate(average, performing(1, **act))[0].astype(np.float64) * 1000
    skin = part(head, "skin").vertex_map
    skin = skin[~control_surface(head.person(average)).tucked[skin]]
    for eye in head.eyeballs:
        ball = v[eye]
        centre = np.append(0.5 * (ball.min(axis=0) + ball.max(axis=0))[:2], ball[:, 2].min() + 12)
        ray = v[skin] - centre
        radius = np.linalg.norm(ray, axis=1)
        angle = np.arccos(np.clip(ray[:, 2] / radius, -1, 1))
        aperture = (angle < np.radians(45)) & (radius < 30)
        assert aperture.sum() > 50
        assert (radius - eye_profile(angle))[aperture].min() > 0.05


def test_eyes_rotate_rigidly(head):
    identity = head.sample_identity(np.random.default_rng(3))
    rest = head.animate(identity, performing())[0]
    turned = head.animate(identity, performing(1, left_eye=(0.2, 0.4, 0)))[0]
    ball, other = head.eyeballs
    apex = ball[np.argmax(rest[ball, 2])]
    assert turned[apex, 0] > rest[apex, 0] + 0.003 and turned[apex, 1] < rest[apex, 1] - 0.0015
    distances = [np.linalg.norm(v[ball] - v[ball[::7]][:, None], axis=2) for v in (rest, turned)]
    np.testing.assert_allclose(distances[0], distances[1], atol=1e-6)
    np.testing.assert_array_equal(rest[other], turned[other])


def test_mouth_is_shut_at_rest_and_opens_with_the_jaw(head, average):
    lips, bag = part(head, "lips").vertex_map, part(head, "mouth").vertex_map
    slit = np.intersect1d(lips, bag)
    slit = slit[np.abs(head.neutral[slit, 0]) < 0.02]
    rest = head.animate(average, performing())[0][slit]
    gap = np.linalg.norm(rest - rest[:, None], axis=2) + np.eye(len(slit))
    assert gap.min(axis=1).max() < 1e-6  # each lip vertex has its twin on the other lip
    opened = head.animate(average, performing(1, jaw=(0.35, 0, 0)))[0][slit]
    middle = np.abs(rest[:, 0]) < 0.001
    assert np.ptp(opened[middle, 1]) > 0.02
    parted = head.animate(average, performing(1, AU25=1.0))[0][slit]
    assert 0.004 < np.ptp(parted[middle, 1]) < 0.012


def test_shut_lips_cover_the_teeth(head, average):
    rest = head.animate(average, performing())[0].astype(np.float64)
    skin = faces_of(head, "skin", "lips")
    near = skin[(np.abs(rest[skin].mean(axis=1) - (0, -0.067, 0.09)) < (0.04, 0.04, 0.05)).all(axis=1)]
    assert hit_from_front(rest[part(head, "teeth").vertex_map[::4]], rest, near).all()


def test_every_unit_moves_its_own_side(head, average):
    rest = head.animate(average, performing(), resolve=False)[0]
    for unit in head.units:
        both = head.animate(average, performing(1, **{unit: 1.0}), resolve=False)[0] - rest
        left = head.animate(average, performing(1, **{f"{unit}_L": 1.0}), resolve=False)[0] - rest
        right = head.animate(average, performing(1, **{f"{unit}_R": 1.0}), resolve=False)[0] - rest
        reach = 0.04 if unit == "AU19" else 0.02  # a tongue comes out further than any skin moves
        assert 0.0003 < np.linalg.norm(left, axis=1).max() < reach, unit
        np.testing.assert_allclose(right[head.mirror] * FLIP, left, atol=2e-6)
        if unit not in (*DEEP, *SHIFTS):
            far_left = rest[:, 0] > 0.02
            np.testing.assert_allclose(left[far_left], both[far_left], atol=1e-6)
            np.testing.assert_allclose(right[far_left], 0, atol=1e-6)


def test_units_that_a_head_lacks_are_left_out(head, average):
    kept = [k for k, name in enumerate(head.expressions) if not name.startswith("AU10")]
    arrays = head.arrays | {"expression_directions": head.arrays["expression_directions"][:, :, kept]}
    poorer = dataclasses.replace(head, expressions=tuple(head.expressions[k] for k in kept), arrays=arrays)
    both, rest = (poorer.animate(average, performing(1, AU4=0.3, **more)) for more in ({"AU10_L": 0.5}, {}))
    np.testing.assert_array_equal(both, rest)


def test_identities_differ_and_repeat_to_the_bit(head):
    people = [head.sample_identity(np.random.default_rng(seed)) for seed in range(8)]
    again = head.sample_identity(np.random.default_rng(5))
    np.testing.assert_array_equal(again.shape, people[5].shape)
    moving = performing(3, AU45=0.3, jaw=(0.1, 0, 0))
    np.testing.assert_array_equal(head.animate(again, moving), head.animate(people[5], moving))
    face = part(head, "skin").vertex_map
    face = face[(head.neutral[face, 2] > 0.05) & (np.abs(head.neutral[face, 1]) < 0.1)]
    shapes = [head.shaped(person)[face] for person in people]
    for k, one in enumerate(shapes):
        assert np.abs(one - head.neutral[face]).max() < 0.02  # nobody is a monster
        for other in shapes[:k]:
            assert np.sqrt(((one - other) ** 2).sum(axis=1).mean()) > 0.001
