"""What light transport saves: 1,000 lightings of one frame by it, against path tracing each at equal relative MSE.

    python -m tests.bench.transport [--subjects 3 11] [--kinds plain] [--maps NAME ...] [--hdris FOLDER]

Under each map (the eight bundled ones, those of a folder, four sun skies) the reference is the mean of two path-traced
pictures. Their difference tells the variance of a sample, and so how many samples reach the error of our picture, and
how far the reference is off itself, which is taken from our error. Cost by path tracing: the time of so many samples, a
thousand times. Ours: the transport once, and a thousand times the vector of light, its sources, the product and the
mirrors, measured on as many lightings as ``--lightings`` says, each the map turned by another angle. No denoiser.

Kinds of subject: ``plain`` has no scattering, no glass and no hair, since the baseline there is Mitsuba's ``path`` with
its own importance sampling, which can do none of these as we do; of ``full`` and ``hair`` (see tests.bench.appearance)
the baseline is our path tracer. ``value`` is the geometric mean of plain subjects. Seconds are the processor's time.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from synth.transport.codec import relative_mse
from tests.bench.appearance import cast_subjects
from tests.bench.families import SHARED
from tests.bench.portrait_transport import environment_maps

TARGET, TARGET_WORST, TARGET_BIAS = 200.0, 50.0, 0.005
THOUSAND = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("size", 256), ("paths", 512), ("half", 256), ("lightings", 20), ("strands", 40_000),
                        ("subdivision", 1), ("texels", 1024)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--subjects", type=int, nargs="*", default=[3, 11], help="their seeds")
    parser.add_argument("--kinds", nargs="*", default=["plain"], choices=("plain", "full", "hair"))
    parser.add_argument("--maps", nargs="*", help="those whose names contain one of these")
    parser.add_argument("--hdris", type=Path, default=SHARED / "hdri", help="a folder of further maps")
    parser.add_argument("--style", default="short")
    options = parser.parse_args()

    maps = {name: light for name, light in environment_maps(options.hdris).items()
            if not options.maps or any(part in name for part in options.maps)}
    results = []
    for seed in options.subjects:
        subjects, camera = cast_subjects(argparse.Namespace(**vars(options), seed=seed))
        for kind in options.kinds:
            results += Comparison(subjects[kind], camera, kind, seed, options).run(maps)
    judged = [r for r in results if r["kind"] == "plain"] or results
    ratios = np.array([r["ratio"] for r in judged])
    value, worst = float(np.exp(np.log(ratios).mean())), min(judged, key=lambda r: r["ratio"])
    bias = max(judged, key=lambda r: abs(r["bias"]))
    print(json.dumps({
        "name": "transport", "value": round(value, 1), "target": TARGET,
        "ok": bool(value >= TARGET and worst["ratio"] >= TARGET_WORST and abs(bias["bias"]) < TARGET_BIAS),
        "detail": {"worst": [worst["map"], worst["ratio"]], "worst_target": TARGET_WORST,
                   "bias": [bias["map"], bias["bias"]], "bias_target": TARGET_BIAS,
                   "size": options.size, "paths": options.paths, "maps": results},
    }))  # fmt: skip


class Comparison:
    """One subject, by both ways."""

    def __init__(self, subject, camera, kind: str, seed: int, options: argparse.Namespace):
        from synth.renderers import make_renderer

        make_renderer("mitsuba", "auto")
        from synth.renderers.mitsuba.scene import PortraitScene

        self.kind, self.seed, self.options = kind, seed, options
        self.scene = PortraitScene(subject, camera.width, camera.height, 128)
        self.scene.set_materials(subject.materials_at(0))
        self.scene.set_frame(subject.vertices[0], camera)

    def run(self, maps: dict) -> list[dict]:
        """The figures under every map."""
        tiles, once = self.transport()
        print(f"{self.kind} {self.seed}: transport {once:.1f} s of the processor", flush=True)
        rows = []
        for name, light in maps.items():
            row = self.compare(name, light, tiles, once)
            rows.append(row)
            print("  {map:22s} {sources} sources  equal to {equal_samples:6.0f} samples of {sample:.4f} s, ours "
                  "{ours:.4f} s a lighting: ratio {ratio:6.0f}, bias {bias:+.4f}".format(**row), flush=True)
        return rows

    def transport(self) -> tuple[list, float]:
        """Tiles, and the processor's seconds that they took; kernels are compiled before."""
        from synth.renderers.mitsuba.transport import FrameTransport
        from synth.transport.directions import Basis

        for paths in (1, self.options.paths):
            start = time.process_time()
            tiles = list(FrameTransport(self.scene, Basis(), paths, 1, lobes=False).tiles())
        return tiles, time.process_time() - start

    def compare(self, name: str, light, tiles: list, once: float) -> dict:
        """Both ways under one map."""
        halves, sample = self.paths(light)
        covered = self.scene.coverage > 0
        reference = halves.mean(axis=0)
        ours = self.relit(tiles, [light])[0]
        turned = [light.rotated(yaw(360 * k / self.options.lightings)) for k in range(self.options.lightings)]
        start = time.process_time()
        self.relit(tiles, turned)
        each = (time.process_time() - start) / len(turned)
        error, difference = self.errors([ours - reference, halves[0] - halves[1]], reference)
        error = max(error - difference / 4, 1e-9)
        samples = self.options.half * (difference / 2) / error
        cost = each + once / THOUSAND
        return {"map": name, "kind": self.kind, "subject": self.seed, "sources": len(self.split(light)[1]),
                "ratio": float(f"{samples * sample / cost:.4g}"), "equal_samples": float(f"{samples:.4g}"),
                "error": float(f"{error:.3g}"), "sample": float(f"{sample:.4g}"), "ours": float(f"{cost:.4g}"),
                "bias": round(float(ours[covered].mean() / reference[covered].mean() - 1), 5)}

    def paths(self, light) -> tuple[np.ndarray, float]:
        """Two path-traced pictures (2, H, W, 3), and the processor's seconds of one sample a pixel."""
        self.scene.set_light(light.data)

        def ours(samples: int, seed: int) -> np.ndarray:
            return self.scene.beauty([light.data], samples, seed, False)[0][0]

        draw = self.scene.reference if self.kind == "plain" else ours
        draw(1, 0)
        start = time.process_time()
        halves = np.stack([draw(self.options.half, seed) for seed in (1, 2)])
        return halves, (time.process_time() - start) / (2 * self.options.half)

    def split(self, light) -> tuple[np.ndarray, list]:
        from synth.transport.directions import Basis
        from synth.transport.light import split_sources

        return split_sources(light, Basis())

    def errors(self, differences: list, reference: np.ndarray) -> list[float]:
        """Relative MSE of covered pixels, as Rousselle et al. 2011 define it, of images (H, W, 3)."""
        true = reference[self.scene.coverage > 0][None]
        return [float(relative_mse(true + x[self.scene.coverage > 0], true, floor=0.1)[0]) for x in differences]

    def relit(self, tiles: list, maps: list) -> np.ndarray:
        """(L, H, W, 3) float32, by all that a lighting costs."""
        from synth.renderers.mitsuba.relit import Lights, light_tile

        vectors, sources = Lights().of(maps)
        height, width = self.scene.touched.shape
        images = np.zeros((len(maps), height * width, 3), np.float32)
        for tile, hits in tiles:
            light_tile(tile, hits, vectors, maps, sources, images, None)
        return images.reshape(-1, height, width, 3)


def yaw(degrees: float) -> np.ndarray:
    from synth.lighting.sphere import rotation_from_euler

    return rotation_from_euler(degrees)


if __name__ == "__main__":
    main()
