"""What Cycles' light groups save: 1,000 lightings of one frame by them, against a direct render of each.

    python -m tests.bench.cycles_lightgroups [--size 128] [--samples 36] [--maps forest] [--side 11]

Both light the head by the same sphere of suns, whose radiance is that of a map, averaged over bins. The reference is
that sphere, converged. Direct renders give each sun its colour and have no groups; they may choose lights by the light
tree or evenly, whichever is cheaper. Their cost is what as many samples take as have the relative MSE of ours, at least
one, plus what a render costs before its first sample; ours is one render with groups, and for each lighting the vector
of its light and the product. ``value`` is the geometric mean of the ratio over the eight bundled maps. Seconds are the
processor's.

``discretisation`` is another matter: how far the converged sphere of suns is from the map itself (root of the relative
MSE). No number of samples makes it smaller.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from synth.lighting.envmap import EnvMap
from synth.lighting.library import LightingLibrary
from synth.lighting.sphere import rotation_from_euler
from synth.transport.codec import relative_mse
from synth.transport.directions import Basis
from synth.transport.light import project, project_all
from synth.transport.response import Transport, relight
from tests.bench.appearance import cast_subjects

TARGET = 60.0
THOUSAND = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("size", 128), ("samples", 36), ("rounds", 8), ("side", 11), ("lightings", 32),
                        ("subdivision", 1), ("texels", 512), ("strands", 20_000), ("seed", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--style", default="short")
    parser.add_argument("--kind", default="plain", choices=("plain", "full", "hair"), help="see tests.bench.appearance")
    parser.add_argument("--maps", nargs="*", help="those whose names contain one of these")
    options = parser.parse_args()

    library = LightingLibrary(("bundled",))
    maps = {entry.id.removeprefix("bundled/"): library.load(entry.id, 128) for entry in library.select(("bundled",))
            if not options.maps or any(part in entry.id for part in options.maps)}
    bench = Comparison(options)
    rows = [bench.compare(name, light) for name, light in maps.items()]
    value = float(np.exp(np.mean([np.log(row["ratio"]) for row in rows])))
    print(json.dumps({
        "name": "cycles_lightgroups", "value": round(value, 1), "target": TARGET, "ok": value >= TARGET,
        "detail": {**vars(options), "lights": options.side**2, "groups_s": round(bench.once, 3),
                   "direct_s": round(bench.plain, 3), "product_s": float(f"{bench.each:.3g}"),
                   "discretisation": round(float(np.mean([row["discretisation"] for row in rows])), 3), "maps": rows},
    }))  # fmt: skip


class Comparison:
    """One head at rest, by both ways."""

    def __init__(self, options: argparse.Namespace):
        from synth.renderers.cycles.device import choose_device
        from synth.renderers.cycles.light_groups import LightSphere
        from synth.renderers.cycles.scene import PortraitScene

        self.options = options
        subjects, camera = cast_subjects(options)
        subject = subjects[options.kind]
        self.portrait = PortraitScene(subject, camera.width, camera.height, choose_device())
        self.portrait.set_materials(subject.materials_at(0))
        self.portrait.set_frame(subject.vertices[0], subject.vertices[0], camera)
        self.suns = LightSphere(self.portrait.scene, Basis(options.side, 1))
        self.groups(options.samples, 0)  # what comes first, loads and compiles
        self.found, self.once = self.groups(options.samples, 1)
        rounds = [self.groups(4 * options.samples, 2 + number)[0] for number in range(options.rounds)]
        self.reference = Transport(camera.width, camera.height, self.found.basis, self.found.pixels,
                                   np.mean([self.on_pixels(found) for found in rounds], axis=0))
        self.each = self.product_seconds()
        self.plain = self.direct(np.ones((options.side**2, 3), np.float32), options.samples, 3, False)[1]
        print(f"{options.side**2} lights: groups {self.once:.2f} s, without groups {self.plain:.2f} s, product "
              f"{1e3 * self.each:.2f} ms a lighting", flush=True)

    def groups(self, samples: int, seed: int) -> tuple[Transport, float]:
        """A transport, and the processor's seconds that it took."""
        start = time.process_time()
        self.portrait._world.show(0.0)
        with self.suns.shining():
            found = self.suns.transport(self.portrait._render(samples, seed))
        return found, time.process_time() - start

    def on_pixels(self, other: Transport) -> np.ndarray:
        """The response of another transport on the pixels of the first."""
        whole = np.zeros((other.width * other.height, 3, other.basis.size), np.float32)
        whole[other.pixels] = other.response
        return whole[self.found.pixels]

    def product_seconds(self) -> float:
        """Of a lighting: its vector, and the product."""
        light = EnvMap(np.random.default_rng(0).random((128, 256, 3), np.float32))
        turned = [light.rotated(rotation_from_euler(11.0 * number)) for number in range(self.options.lightings)]
        relight(self.found, project_all(turned[:1], self.found.basis))
        start = time.process_time()
        relight(self.found, project_all(turned, self.found.basis))
        return (time.process_time() - start) / len(turned)

    def direct(self, radiance: np.ndarray, samples: int, seed: int, tree: bool) -> tuple[np.ndarray, float]:
        """(H, W, 3) picture under suns of radiance (N, 3), and the processor's seconds that it took."""
        import bpy

        for sun, colour in zip(self.suns.collection.objects, radiance, strict=True):
            peak = max(float(colour.max()), 1e-9)
            sun.data.energy, sun.data.color = self.suns.irradiance * peak, [float(part) / peak for part in colour]
        scene = self.portrait.scene
        scene.collection.children.link(self.suns.collection)
        before, scene.cycles.use_light_tree = scene.cycles.use_light_tree, tree
        self.portrait._world.show(0.0)
        bpy.context.view_layer.update()
        start = time.process_time()
        try:
            picture = self.portrait._render(samples, seed)["Combined"][..., :3]
        finally:
            seconds = time.process_time() - start
            scene.collection.children.unlink(self.suns.collection)
            scene.cycles.use_light_tree = before
            for sun in self.suns.collection.objects:
                sun.data.energy, sun.data.color = self.suns.irradiance, (1, 1, 1)
        return picture, seconds

    def error(self, picture: np.ndarray, reference: np.ndarray) -> float:
        """Relative MSE of covered pixels, as Rousselle et al. 2011 define it."""
        pixels = self.found.pixels
        pair = (image.reshape(-1, 3)[pixels][None] for image in (picture, reference))
        return float(relative_mse(*pair, floor=0.1)[0])

    def compare(self, name: str, light: EnvMap) -> dict:
        """Both ways under one map."""
        vector = project(light, self.found.basis)[None]
        reference, ours = (relight(found, vector)[0] for found in (self.reference, self.found))
        noise = self.error(ours, reference) / (1 + 1 / (4 * self.options.rounds))  # the reference has some of its own
        radiance, samples = vector[0, : self.options.side**2], self.options.samples
        costs = {}
        for tree in (True, False):
            self.direct(radiance, 1, 5, tree)
            start = self.direct(radiance, 1, 6, tree)[1]
            picture, seconds = self.direct(radiance, samples, 7, tree)
            theirs = max(self.error(picture, reference) - noise / (4 * self.options.rounds), 1e-9)
            needed = max(samples * theirs / noise, 1.0)
            costs[tree] = (start + needed * max(seconds - start, 1e-3) / (samples - 1), needed)
        tree = min(costs, key=lambda key: costs[key][0])
        cost, needed = costs[tree]
        self.portrait.set_light(light.data)
        itself = self.portrait.beauty(16 * samples, 8, False)[0]
        row = {"map": name, "ratio": round(cost * THOUSAND / (self.once + self.each * THOUSAND), 1),
               "equal_samples": round(needed, 1), "tree": tree, "direct_s": round(cost, 3),
               "noise": float(f"{noise:.3g}"), "discretisation": round(self.error(reference, itself) ** 0.5, 3)}
        print("  {map:10s} ratio {ratio:6.0f}  (direct: {equal_samples:6.1f} samples, {direct_s:.2f} s, tree {tree}), "
              "noise {noise:.3g}, discretisation {discretisation}".format(**row), flush=True)
        return row


if __name__ == "__main__":
    main()
