import re

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from assets.errors import AssetError
from synth.motion.arkit import ANGLES, BLENDSHAPES, ROTATIONS, SHARED, UNITS, from_arkit, to_arkit
from synth.motion.generate import sample_performance
from synth.motion.imports.tracks import load_track, resample
from synth.motion.performance import ACTION_UNITS, POSES, base_unit


def refused(path, match: str) -> None:
    with pytest.raises(AssetError, match=match) as caught:
        load_track(path)
    assert "\n" not in str(caught.value) and path.name in str(caught.value)


# ARKit


def test_the_table_holds_all_52_and_only_known_units():
    assert len(BLENDSHAPES) == len(set(BLENDSHAPES)) == 52
    assert {*UNITS, *SHARED, *ROTATIONS} == set(BLENDSHAPES)
    assert {base_unit(unit) for unit in UNITS.values()} <= set(ACTION_UNITS) and len(set(UNITS.values())) == len(UNITS)


def test_arkit_round_trip():
    rng = np.random.default_rng(0)
    curves = {name: rng.random(20) for name in BLENDSHAPES} | {name: rng.uniform(-0.5, 0.5, 20) for name in ANGLES[:3]}
    ways = [(f"eyeLook{a}{side}", f"eyeLook{b}{side}") for side in ("Left", "Right")
            for a, b in (("Up", "Down"), ("In", "Out"))]
    for one, other in (("jawLeft", "jawRight"), *ways):
        curves[other] = np.where(curves[one] > 0.5, 0, curves[other])  # no eye looks both ways
        curves[one] = np.where(curves[one] > 0.5, curves[one], 0)
    curves["mouthRollUpper"], curves["mouthShrugUpper"] = curves["mouthRollLower"], np.zeros(20)
    back = to_arkit(from_arkit(curves, 60.0))
    for name, curve in curves.items():
        assert np.allclose(back[name], curve, atol=2e-3), name


def test_a_generated_performance_survives_arkit_where_arkit_has_the_units():
    performance = sample_performance(np.random.default_rng(3), 50, 24.0, "emotion")
    back = from_arkit(to_arkit(performance), 24.0)
    for name in ("head", "neck", "left_eye", "right_eye"):
        assert np.allclose(getattr(back, name), getattr(performance, name), atol=0.02), name
    for unit in ("AU2", "AU4", "AU6", "AU9", "AU12", "AU15", "AU45"):
        assert np.allclose(back.unit(unit), performance.unit(unit), atol=1e-6)


def test_arkit_directions():
    look = from_arkit({"eyeLookOutLeft": np.ones(1), "eyeLookUpLeft": np.ones(1), "jawOpen": np.ones(1),
                       "jawLeft": np.ones(1), "headYaw": np.full(1, 0.4)}, 60.0)
    line = Rotation.from_rotvec(look.left_eye[0]).apply([0, 0, 1])
    assert line[0] > 0.4 and line[1] > 0.3  # out is the subject's left, +X
    assert look.jaw[0, 0] > 0.3 and look.jaw[0, 1] > 0.1
    assert look.head[0, 1] + look.neck[0, 1] == pytest.approx(0.4)
    with pytest.raises(ValueError, match="eyeWink"):
        from_arkit({"eyeWink": np.ones(1)}, 60.0)


# CSV


def live_link(path, rows: int, fps: int = 60, **changes) -> None:
    names = [name[0].upper() + name[1:] for name in (*BLENDSHAPES, *ANGLES)]
    lines = ["Timecode,BlendShapeCount," + ",".join(names)]
    for row in range(rows):
        values = [0.0] * len(names)
        values[BLENDSHAPES.index("jawOpen")] = row / rows
        values[52] = 0.01 * row / rows
        lines.append(f"14:36:{row // fps + 5:02d}:{row % fps:02d}.123,61," + ",".join(map(str, values)))
    path.write_text(changes.get("start", "") + "\r\n".join(lines) + "\r\n")


def test_live_link_face(tmp_path):
    file = tmp_path / "take.csv"
    live_link(file, 200, fps=30, start="\ufeff")
    performance = load_track(file)
    assert performance.fps == 30 and performance.frames == 200
    assert np.all(np.diff(performance.jaw[:, 0]) > 0) and performance.neck[-1, 1] > 0
    part = load_track(file, 24.0).window(10, 8)
    assert part.fps == 24 and part.jaw[0, 0] == pytest.approx(performance.jaw[:, 0][12:14].mean(), rel=0.05)


@pytest.mark.parametrize(("fps", "told"), [(12, 12), (15, 15), (24, 24), (29, 30), (61, 60), (90, 90)])
def test_time_codes_at_unusual_rates_are_counted(tmp_path, fps, told):
    live_link(tmp_path / "take.csv", 4 * fps, fps=fps)
    assert load_track(tmp_path / "take.csv").fps == told


def test_rows_without_a_face_repeat_the_one_before(tmp_path):
    file = tmp_path / "take.csv"
    live_link(file, 10)
    lines = file.read_text().splitlines()
    lines[1] = "14:36:05:00.0,0"
    lines[5] = "14:36:05:04.0,0"
    file.write_text("\n".join(lines))
    jaw = load_track(file).jaw[:, 0]
    assert jaw[0] == jaw[1] and jaw[4] == jaw[3]


def test_plain_tables(tmp_path):
    rng = np.random.default_rng(0)
    table = rng.random((5, 52)).round(4)
    bare, named = tmp_path / "bare.csv", tmp_path / "named.csv"
    np.savetxt(bare, table, delimiter=",", fmt="%.4f")
    short = (re.sub("Left$", "_L", re.sub("Right$", "_R", name)) for name in BLENDSHAPES)
    header = "timestamp_ms,frame," + ",".join(short)
    rows = np.concatenate([np.arange(5)[:, None] * 40, np.arange(5)[:, None], table], axis=1)
    np.savetxt(named, rows, delimiter=",", fmt="%.4f", header=header, comments="")
    one, other = load_track(bare, 25.0), load_track(named)
    assert other.fps == 25 and one.fps == 25
    for unit in ("AU45", "AU30", "AU12"):
        assert np.allclose(one.unit(unit), other.unit(unit))
    assert np.allclose(one.jaw, other.jaw)


@pytest.mark.parametrize(("text", "match"), [
    ("a,b\n1,2\n", "no ARKit curve"), ("1,2,3\n", "3 columns"), ("EyeBlinkLeft\nNaN\n", "NaN"),
    ("jawOpen\n", "no rows"),
    ("jawOpen\n0.5\nx\n", "row 2.*'x'"), ("jawOpen\n70\n", "jawOpen.*70"), ("jawOpen\n1e999\n", "NaN or infinity|inf"),
    ("jawOpen,jawLeft\n1\n", "no row has"), ("\0\0\0\0,", "CSV|ARKit|columns"), ("," * 5000, "columns"),
])
def test_hostile_csv(tmp_path, text, match):
    file = tmp_path / "take.csv"
    file.write_text(text)
    refused(file, match)


# FLAME


def test_vhap_style(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"expr": rng.normal(size=(30, 100)), "jaw_pose": rng.normal(0, 0.1, (30, 3)),
              "neck_pose": rng.normal(0, 0.1, (30, 3)), "eyes_pose": rng.normal(0, 0.1, (30, 6)),
              "rotation": rng.normal(0, 0.1, (30, 3)), "translation": rng.normal(0, 0.01, (30, 3)) + 1,
              "shape": rng.normal(size=300), "fps": np.array(30)}
    np.savez(tmp_path / "track.npz", **arrays)
    track = load_track(tmp_path / "track.npz")
    assert track.fps == 30 and track.flame.shape == (30, 100)
    for key, name in (("head", "rotation"), ("neck", "neck_pose"), ("jaw", "jaw_pose")):
        assert np.allclose(getattr(track, key), arrays[name], atol=1e-6)
    assert np.allclose(track.right_eye, arrays["eyes_pose"][:, 3:]) and not track.translation[0].any()


def test_deca_style_in_a_camera_and_metrical_tracker_style(tmp_path):
    pose = np.zeros((12, 6))
    flipped = Rotation.from_rotvec([np.pi, 0, 0]) * Rotation.from_rotvec(np.stack(
        [np.zeros(12), np.linspace(0, 0.3, 12), np.zeros(12)], axis=1))
    pose[:, :3], pose[:, 3] = flipped.as_rotvec(), 0.2
    np.savez(tmp_path / "deca.npz", exp=np.zeros((12, 50)), pose=pose, cam=np.zeros((12, 3)))
    track = load_track(tmp_path / "deca.npz", 25.0)
    assert np.allclose(track.head[:, 1], np.linspace(0, 0.3, 12), atol=1e-5) and np.allclose(track.jaw[:, 0], 0.2)
    turn = Rotation.from_rotvec([[0.1, 0.2, 0.0]] * 4)
    six = turn.as_matrix()[:, :2].reshape(4, 6)
    np.savez(tmp_path / "metrical.npz", exp=np.zeros((4, 100)), jaw=six, eyes=np.concatenate([six, six], axis=1),
             eyelids=np.full((4, 2), 0.4), R=turn.as_matrix())
    track = load_track(tmp_path / "metrical.npz")
    assert np.allclose(track.jaw, turn.as_rotvec(), atol=1e-5) and np.allclose(track.left_eye, track.right_eye)
    assert np.allclose(track.head, turn.as_rotvec(), atol=1e-5) and np.allclose(track.unit("AU45"), 0.4)


def test_a_camera_turns_the_way_a_head_goes_too(tmp_path):
    turn = Rotation.from_rotvec([0.1, 0.2, 0.0])
    way = np.linspace(0, 1, 5)[:, None] * [0.03, 0.02, 0.05]
    half = Rotation.from_rotvec([np.pi, 0, 0])
    np.savez(tmp_path / "ours.npz", R=np.tile(turn.as_rotvec(), (5, 1)), t=way)
    np.savez(tmp_path / "opencv.npz", R=np.tile((half * turn).as_rotvec(), (5, 1)), t=half.apply(way) + [0, 0, 2])
    ours, opencv = load_track(tmp_path / "ours.npz"), load_track(tmp_path / "opencv.npz")
    assert np.allclose(ours.translation, way, atol=1e-6) and np.allclose(opencv.translation, way, atol=1e-6)
    assert np.allclose(opencv.head, ours.head, atol=1e-5)


@pytest.mark.parametrize("stamps", [np.arange(5) / 25, np.array(0.04), np.arange(5)[:, None], np.array(["0:00"] * 5)])
def test_one_letter_names_of_other_things_are_left_alone(tmp_path, stamps):
    np.savez(tmp_path / "track.npz", expr=np.zeros((5, 10)), t=stamps, R=np.zeros((5, 4)))
    track = load_track(tmp_path / "track.npz")
    assert track.frames == 5 and not track.translation.any() and not track.head.any()


@pytest.mark.parametrize(("arrays", "match"), [
    ({"expr": np.array(0.5)}, r"expr is float64 \(\), expected numbers"), ({"t": np.arange(5)}, "found t, expected"),
    ({"something": np.zeros(3)}, "found something, expected expr"),
    ({"expr": np.zeros((5, 10)), "jaw_pose": np.zeros((6, 3))}, "has 5 frames, others have 6|has 6 frames"),
    ({"jaw_pose": np.full((5, 3), np.nan)}, "jaw_pose holds NaN.*frame 0"),
    ({"jaw_pose": np.zeros((5, 4))}, "jaw_pose has 4"), ({"pose": np.zeros((5, 7))}, "pose has 7"),
    ({"expr": np.zeros((5, 10)), "translation": np.arange(15.0).reshape(5, 3) * 100}, "translation moves"),
    ({"expr": np.full((5, 10), 1e5)}, "expr has 10 coefficients"), ({"expr": np.array(["a"])}, "expr is"),
    ({"expr": np.zeros((5, 10)), "fps": np.array(0)}, "fps is 0"), ({"R": np.zeros((5, 9))}, "no rotations"),
])
def test_hostile_flame_tracks(tmp_path, arrays, match):
    np.savez(tmp_path / "track.npz", **arrays)
    refused(tmp_path / "track.npz", match)


def test_objects_are_never_unpickled(tmp_path):
    np.savez(tmp_path / "track.npz", expr=np.array([{"a": 1}], object))
    refused(tmp_path / "track.npz", "no FLAME track")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "track.npz").read_bytes()[:60])
    refused(tmp_path / "cut.npz", "broken")


# BVH

SKELETON = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT LeftUpLeg
  {
    OFFSET %(left)s
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 -40 0
    }
  }
  JOINT RightUpLeg
  {
    OFFSET %(right)s
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 -40 0
    }
  }
  JOINT Neck
  {
    OFFSET %(up)s
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT Head
    {
      OFFSET 0 0 0
      CHANNELS 3 %(order)s
      JOINT LeftEye
      {
        OFFSET 3 5 8
        CHANNELS 3 Zrotation Xrotation Yrotation
        End Site
        {
          OFFSET 0 0 1
        }
      }
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0333333
"""
UPRIGHT = {"left": "10 0 0", "right": "-10 0 0", "up": "0 60 2", "order": "Zrotation Xrotation Yrotation"}


def bvh(path, layout=UPRIGHT, neck=(0, 0, 0), head=(0, 0, 0), eye=(0, 0, 0)) -> None:
    row = [0, 90, 0, 5, 20, 30, *[0] * 6, *neck, *head, *eye]
    path.write_text(SKELETON % layout + "\n".join([" ".join(["0"] * len(row)), " ".join(map(str, row))]))


def test_bvh_neck_and_head_with_their_channel_order(tmp_path):
    bvh(tmp_path / "walk.bvh", neck=(0, 0, 20), head=(10, 5, 15), eye=(0, -8, 4))
    track = load_track(tmp_path / "walk.bvh")
    assert track.fps == 30 and track.frames == 2 and not track.head[0].any()
    expected = Rotation.from_euler("Y", 20, degrees=True) * Rotation.from_euler("ZXY", [10, 5, 15], degrees=True)
    got = Rotation.from_rotvec(track.head[1]) * Rotation.from_rotvec(track.neck[1])
    assert np.allclose(got.as_rotvec(), expected.as_rotvec(), atol=1e-5)  # the hips' turn is left out
    assert np.allclose(Rotation.from_rotvec(track.left_eye[1]).as_matrix(),
                       Rotation.from_euler("ZXY", [0, -8, 4], degrees=True).as_matrix(), atol=1e-5)
    other = dict(UPRIGHT, order="Yrotation Xrotation Zrotation")
    bvh(tmp_path / "other.bvh", other, head=(15, 5, 10))
    again = load_track(tmp_path / "other.bvh")
    assert np.allclose(Rotation.from_euler("YXZ", [15, 5, 10], degrees=True).as_rotvec(),
                       (again.head + again.neck)[1], atol=1e-5)


def test_bvh_that_stands_along_z_is_turned(tmp_path):
    # Z up, the subject's left along +X, so it faces -Y: a look to the left is a turn about Z.
    bvh(tmp_path / "z.bvh", {"left": "10 0 0", "right": "-10 0 0", "up": "0 -2 60", "order": UPRIGHT["order"]},
        head=(30, 0, 0))
    track = load_track(tmp_path / "z.bvh")
    assert np.allclose((track.head + track.neck)[1], [0, np.radians(30), 0], atol=1e-5)


@pytest.mark.parametrize(("change", "match"), [
    (lambda text: text.replace("HIERARCHY", "HIERARCHIE"), "expected HIERARCHY"),
    (lambda text: text.replace("MOTION", ""), "no MOTION"),
    (lambda text: text.replace("Head", "Skull").replace("Neck", "Spine"), "no joint called head"),
    (lambda text: text.replace("CHANNELS 3", "CHANNELS 4"), "CHANNELS|Channels|expected a count"),
    (lambda text: text.replace("Frames: 2", "Frames: 999999999"), "999,999,999 frames"),
    (lambda text: text.replace("Frames: 2", "Frames: 3"), "expected 3 frames"),
    (lambda text: text.replace("0.0333333", "0"), "Frame Time"), (lambda text: text + " nan", "numbers"),
    (lambda text: text[:-1] + "nan", "NaN"),
    (lambda text: text.replace("OFFSET 10 0 0", "OFFSET 10 zero 0"), "3 numbers"),
    (lambda text: text.replace("}\nMOTION", "MOTION"), "ends within"),
    (lambda text: text.replace("{\n", "{\n" + "{\n" * 1000, 1), "line 1003: more than 1000 braces"),
    (lambda text: "HIERARCHY\nMOTION\n", "no joint"),
])
def test_hostile_bvh(tmp_path, change, match):
    file = tmp_path / "walk.bvh"
    bvh(file)
    file.write_text(change(file.read_text()))
    refused(file, match)


# Any track


def test_content_decides_where_the_suffix_says_nothing(tmp_path):
    bvh(tmp_path / "walk.txt")
    live_link(tmp_path / "take.txt", 5)
    np.savez(tmp_path / "track.npz", expr=np.zeros((4, 10)))
    (tmp_path / "track.npz").rename(tmp_path / "track.dat")
    assert [load_track(tmp_path / name).frames for name in ("walk.txt", "take.txt", "track.dat")] == [2, 5, 4]
    (tmp_path / "noise.dat").write_bytes(bytes(range(256)))
    refused(tmp_path / "noise.dat", "no motion track")
    refused(tmp_path / "missing.bvh", "no such file")


def test_resampling_takes_the_short_arc_and_keeps_the_ends():
    slow = sample_performance(np.random.default_rng(8), 13, 12.0, "profile")
    fast = resample(slow, 48.0)
    assert fast.frames == 49 and fast.fps == 48
    for name in POSES:
        assert np.allclose(getattr(fast, name)[::4], getattr(slow, name), atol=1e-5)
    start, middle, end = (Rotation.from_rotvec(fast.neck[k]) for k in (4, 6, 8))
    assert (start.inv() * middle).magnitude() == pytest.approx((middle.inv() * end).magnitude(), abs=1e-5)
    assert np.allclose(fast.unit("AU45")[0][::4], slow.unit("AU45")[0]) and resample(slow, 12.0) is slow
    assert resample(sample_performance(np.random.default_rng(8), 1, 12.0), 24.0).frames == 1


def test_resampling_is_bounded(tmp_path):
    bvh(tmp_path / "slow.bvh")
    head, rows = (tmp_path / "slow.bvh").read_text().split("Frames: 2")
    row = rows.splitlines()[-1]
    (tmp_path / "slow.bvh").write_text(f"{head}Frames: 5000\nFrame Time: 10\n" + f"{row}\n" * 5000)
    assert load_track(tmp_path / "slow.bvh").frames == 5000
    with pytest.raises(AssetError, match="slow.bvh: 5,000 frames at 0.1 a second are 1,199,761 at 24, may be"):
        load_track(tmp_path / "slow.bvh", 24.0)
    with pytest.raises(AssetError, match="may be 1,000,000"):
        resample(sample_performance(np.random.default_rng(8), 3, 12.0), 1e300)
