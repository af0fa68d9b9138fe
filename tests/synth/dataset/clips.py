"""Small synthetic clips for the tests of the dataset."""

from __future__ import annotations

import numpy as np

from synth.camera.camera import Camera, look_at
from synth.channels import describe, frame_channel_names
from synth.dataset.writer import ClipInfo
from synth.lighting.sequence import LightingRef, SequenceSpec
from synth.scene import Frame
from synth.seeds import Seeds
from synth.spec import ClipSpec

INFO = ClipInfo(
    domain="mitsuba",
    renderer={"name": "mitsuba", "version": "3.9.1", "variant": "scalar_rgb"},
    identity="template/1",
    split_identity="train",
    split_hdri="train",
    head_licence="Apache-2.0",
    job="test",
    licences=("CC0-1.0",),
)


def make_spec(
    index: int = 0, frames: int = 2, lightings: int = 2, size: tuple[int, int] = (40, 32), lobes: bool = True
) -> ClipSpec:
    """A resolved specification of width x height ``size``."""
    light = tuple(
        SequenceSpec(kind="still", maps=(LightingRef(id=f"test/{i}", digest=f"{i:032x}", licence="CC0-1.0"),))
        for i in range(lightings)
    )
    return ClipSpec(
        index=index, seeds=Seeds.for_clip(0, index), frames=frames, width=size[0], height=size[1], lobes=lobes,
        lightings=light, variant="scalar_rgb", head_hash="ab" * 16,
    )  # fmt: skip


def make_frame(spec: ClipSpec, number: int) -> Frame:
    """A frame of smooth noise inside a disc; lobes sum to rgb in float32, the second lighting is still."""
    rng = np.random.default_rng([spec.index, number])
    y, x = np.mgrid[: spec.height, : spec.width]
    mask = (np.hypot(x / spec.width - 0.5, y / spec.height - 0.5) < 0.4).astype(np.float32)

    def image(name: str) -> np.ndarray:
        components = len(describe(name).components)
        noise = rng.random((spec.height, spec.width, components), np.float32) * mask[..., None]
        return noise[..., 0] if components == 1 else noise

    channels = {name: image(name) for name in frame_channel_names(len(spec.lightings), spec.lobes)}
    for lighting in range(len(spec.lightings) if spec.lobes else 0):
        lobes = channels[f"diffuse.{lighting:03d}"] + channels[f"specular.{lighting:03d}"]
        channels[f"rgb.{lighting:03d}"] = lobes
    envmaps = tuple(
        np.random.default_rng([lighting, number if lighting == 0 else 0]).random((8, 16, 3), np.float32)
        for lighting in range(len(spec.lightings))
    )
    camera = Camera(look_at([0.1 * number, 0, 1], [0, 0, 0]), 50.0, spec.width, spec.height)
    return Frame(number, channels, envmaps, camera)


def make_frames(spec: ClipSpec) -> list[Frame]:
    """All frames of a clip."""
    return [make_frame(spec, number) for number in range(spec.frames)]
