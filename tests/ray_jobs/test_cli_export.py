"""``pixelcube export``: a file that Blender opens again, with everything in it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

from ray_jobs.cli import export
from ray_jobs.cli.main import main
from synth.generate import plan
from synth.spec import load_job

pytestmark = pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="needs bpy")

JOB = """
{clips: 1, frames: 2, lightings: 2, width: 32, height: 32, samples: 9, appearance: {strands: 200, texels: 64},
 head: {subdivision: 0}, lighting: {height: 16}}
"""
LOOK = """
import bpy, json, sys
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
scene = bpy.context.scene
images = [image for image in bpy.data.images if image.type == 'IMAGE']
world = next(node for node in scene.world.node_tree.nodes if node.type == 'TEX_ENVIRONMENT').image
print(json.dumps({
    'engine': scene.render.engine, 'samples': scene.cycles.samples, 'objects': [item.name for item in scene.objects],
    'size': [scene.render.resolution_x, scene.render.resolution_y], 'lens': scene.camera.data.lens,
    'packed': [image.packed_file is not None for image in images], 'light': list(world.pixels),
}))
"""


@pytest.fixture
def job(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(JOB)
    return path


def test_a_scene_is_whole_when_it_is_opened_again(job, tmp_path, capsys):
    import numpy as np

    from synth.generate import prepare_clip

    spec, = plan(load_job(job))
    output = tmp_path / "some" / "clip.blend"
    arguments = ["export", str(job), "--clip", spec.clip_id[:6], "--lighting", "1", "--output", str(output)]
    assert main(arguments) == 0
    assert capsys.readouterr().out.split() == [str(output)]
    run = subprocess.run([sys.executable, "-c", LOOK, str(output)], capture_output=True, text=True, check=True)
    found = json.loads(run.stdout.splitlines()[-1])
    assert (found["engine"], found["samples"], found["size"]) == ("CYCLES", 9, [32, 32])
    names = " ".join(found["objects"])
    assert all(name in names for name in ("skin", "left_iris", "left_cornea", "strands_hair", "camera"))
    assert len(found["packed"]) > 5 and all(found["packed"])
    clip = prepare_clip(spec)
    assert found["lens"] == pytest.approx(clip.cameras[0].focal_mm, rel=1e-6)
    light = np.reshape(found["light"], (16, 32, 4))[::-1, :, :3]
    np.testing.assert_allclose(light, clip.lightings[1][0].data, rtol=1e-3, atol=1e-4)  # half floats


@pytest.mark.parametrize(("arguments", "message"), [
    (["--clip", "7"], "clip: '7' is no clip of the job, expected a number from 0 to 0"),
    (["--frame", "2"], "frame: 2, but clip 0 has 2 of them, expected 0 to 1"),
    (["--lighting", "-1"], "lighting: -1, but clip 0 has 2"),
    (["--output", "clip.obj"], "output: 'clip.obj', expected a name that ends with .blend"),
])
def test_what_is_not_there_is_one_line(job, arguments, message, capsys, monkeypatch):
    monkeypatch.setattr(export, "prepare_clip", lambda spec: pytest.fail("too late"))
    assert main(["export", str(job), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and message in error
