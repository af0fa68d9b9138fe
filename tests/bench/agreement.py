"""How far Mitsuba and Cycles agree: the same subjects, cameras and maps through both, by the same interface.

    python -m tests.bench.agreement [--size 128] [--samples 256] [--most 16384] [--maps forest +X] [--kinds grey]

Under the eight bundled maps and from six axes (a disc of light 90 degrees wide, black elsewhere: by a narrow one from
behind nothing would be seen but a rim a pixel wide, and its mean be noise):

- ``mirror`` and ``grey`` spheres: the mean of the foreground, Cycles over Mitsuba, off 1 by at most .5 %.
- ``diffuse`` and ``principled`` heads (no scattering, no glass, no hair): the mean absolute difference of the
  foreground over its mean, at most 1 % and 4 %. Both renderers are noisy, so pixels are compared in blocks of
  ``--block`` a side. ``value`` is the principled head's under the worst map.
- Noise is told by a second picture of each: of a mean its standard error, of a difference what it alone would explain.
  It is printed, not subtracted. Where it is over a third of the limit, and a head differs by more than its limit, the
  light is drawn again with four times the samples, up to ``--most``.
- depth, normal, albedo, alpha of the principled head: how many pixels differ that are no edges, and by how much the
  edges lie apart (mean difference of alpha along the outline, pixels).
- ``--full N``: a head with scattering, corneas and hair under the first N maps: reported, not judged.
"""

from __future__ import annotations

import argparse
import dataclasses
import json

import numpy as np

from synth.lighting.envmap import EnvMap
from synth.lighting.library import LightingLibrary
from synth.lighting.sphere import directions
from synth.scene import Material, Subject
from tests.bench.appearance import cast_subjects

TARGET = 0.04
LIMITS = {"mirror": 0.005, "grey": 0.005, "diffuse": 0.01, "principled": TARGET}
SPHERES = ("mirror", "grey")
RENDERERS = ("mitsuba", "cycles")
AXES = {"+X": (1, 0, 0), "-X": (-1, 0, 0), "+Y": (0, 1, 0), "-Y": (0, -1, 0), "+Z": (0, 0, 1), "-Z": (0, 0, -1)}
ROWS = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("size", 128), ("samples", 256), ("most", 16384), ("block", 4), ("subdivision", 1),
                        ("texels", 512), ("strands", 20_000), ("seed", 3), ("full", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--style", default="short")
    parser.add_argument("--maps", nargs="*", help="those whose names contain one of these")
    parser.add_argument("--kinds", nargs="*", default=list(LIMITS), choices=LIMITS)
    options = parser.parse_args()

    lights = {name: light for name, light in all_lights().items()
              if not options.maps or any(part in name for part in options.maps)}
    heads, portrait = cast_subjects(options)
    cases = {kind: case for kind, case in all_cases(heads["plain"], portrait, options.size).items()
             if kind in options.kinds}
    rows, shapes = [], {}
    for kind, case in cases.items():
        found, pictures = measure(kind, case, lights, options)
        rows += found
        if kind == "principled":
            shapes = geometry(*(frames[0] for frames in pictures))
    if len(cases) > 1:
        table(rows)
    print("geometry of the principled head:", json.dumps(shapes), flush=True)
    worst = {kind: max((row for row in rows if row["kind"] == kind), key=lambda row: row["error"]) for kind in cases}
    value = worst["principled"]["error"] if "principled" in worst else float("nan")
    full = whole_head(heads["hair"], portrait, dict(list(lights.items())[:options.full]), options)
    print(json.dumps({
        "name": "agreement", "value": round(value, 5), "target": TARGET,
        "ok": bool(all(row["error"] <= LIMITS[kind] for kind, row in worst.items()) and shapes.get("ok", True)),
        "detail": {"worst": {kind: [row["map"], round(row["error"], 5), LIMITS[kind]] for kind, row in worst.items()},
                   "geometry": shapes, "flesh_and_hair": full, "size": options.size, "samples": options.samples,
                   "most": max(row["samples"] for row in rows)},
    }))  # fmt: skip


def all_lights() -> dict[str, EnvMap]:
    """The bundled maps and a disc of light from each axis."""
    library = LightingLibrary(("bundled",))
    lights = {entry.id.removeprefix("bundled/"): library.load(entry.id, ROWS) for entry in library.select(("bundled",))}
    for name, axis in AXES.items():
        disc = directions(ROWS) @ np.float64(axis) > np.cos(np.radians(45))
        lights[name] = EnvMap(disc[..., None].repeat(3, -1).astype(np.float32))
    return lights


def all_cases(head: Subject, portrait, size: int) -> dict[str, tuple]:
    """Subject and camera by kind."""
    from tests.synth.probes import front_camera, sphere_subject

    black, grey = (np.full(3, value, np.float32) for value in (0.0, 0.5))
    camera = front_camera(size)

    def repainted(change) -> Subject:
        return dataclasses.replace(head, materials={name: change(old) for name, old in head.materials.items()})

    return {
        "mirror": (sphere_subject(Material(black, roughness=0.1, specular=1.0), rows=96), camera),
        "grey": (sphere_subject(Material(grey, roughness=0.5, specular=0.0), rows=96), camera),
        "diffuse": (repainted(lambda material: Material(material.albedo, roughness=0.5, specular=0.0)), portrait),
        "principled": (head, portrait),
    }


def measure(kind: str, case: tuple, lights: dict, options: argparse.Namespace) -> tuple[list[dict], list]:
    """A row for each light, in their order, and the first pictures of both renderers."""
    rows, first, left, samples = {}, None, lights, options.samples
    while left:
        pictures = [draw(renderer, *case, left, samples) for renderer in RENDERERS]
        first = first or pictures
        found = compare(kind, *pictures, left, options)
        rows |= {row["map"]: row | {"samples": samples} for row in found}
        samples *= 4
        limit = LIMITS[kind]
        noisy = [row["map"] for row in found if row["floor"] > limit / 3 and (kind in SPHERES or row["error"] > limit)]
        left = {name: lights[name] for name in noisy} if samples <= options.most else {}
        table(found)
    return [rows[name] for name in lights], first


def draw(renderer: str, subject: Subject, camera, lights: dict, samples: int) -> list:
    """Two frames of the same moment: channels, with pictures under every light, of different noise."""
    from synth.generate import open_renderer
    from synth.renderers import plan_renderer

    backend = open_renderer(renderer, plan_renderer(renderer)[0])
    still = subject.frames([0])
    found = []
    for seed in (1, 2):
        frame, = backend.render(still, [camera], [[light] for light in lights.values()], samples=samples, seed=seed,
                                lobes=False)
        found.append(frame.channels)
    return found


def blocks(image: np.ndarray, side: int) -> np.ndarray:
    """(h, w, 3) means of square blocks."""
    height, width = (length // side * side for length in image.shape[:2])
    return image[:height, :width].reshape(height // side, side, width // side, side, 3).mean(axis=(1, 3))


def compare(kind: str, mitsuba: list, cycles: list, lights: dict, options: argparse.Namespace) -> list[dict]:
    """A row for each light."""
    rows = []
    for number, name in enumerate(lights):
        one, other = ([blocks(np.float64(frame[f"rgb.{number:03d}"]), options.block) for frame in frames]
                      for frames in (mitsuba, cycles))
        a, b = np.mean(one, axis=0), np.mean(other, axis=0)
        ratio, total = b.sum() / a.sum(), a.sum()
        difference = np.abs(a - b).sum() / total
        if kind in SPHERES:  # colours of a sample share its noise
            spread = [np.square((pair[0] - pair[1]).sum(-1)).sum() for pair in (one, other)]
            error, floor = abs(ratio - 1), np.sqrt(sum(spread)) / 2 / total
        else:
            noise = np.sqrt(np.square(one[0] - one[1]) + np.square(other[0] - other[1])) / 2
            error, floor = difference, noise.sum() / total
        rows.append({"kind": kind, "map": name, "ratio": ratio, "difference": difference, "floor": floor,
                     "error": float(error)})
    return rows


def table(rows: list[dict]) -> None:
    """A line for each map: for spheres the ratio of means less 1, for heads difference and noise, in per cent."""
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    print(f"{'map':12s}" + "".join(f"{kind:>34s}" for kind in kinds))
    print(f"{'':12s}" + f"{'mean':>14s}{'difference':>12s}{'noise':>8s}" * len(kinds))
    for name in dict.fromkeys(row["map"] for row in rows):
        print(f"{name:12s}" + "".join(
            f"{100 * (row['ratio'] - 1):+13.2f}%{100 * row['difference']:11.2f}%{100 * row['floor']:7.2f}%"
            for row in rows if row["map"] == name), flush=True)


def geometry(mitsuba: dict, cycles: dict) -> dict:
    """How far the channels without light agree; ``ok`` if but for edges they are the same."""
    inside = (mitsuba["alpha"] == 1) & (cycles["alpha"] == 1)
    depth = np.abs(mitsuba["depth"] - cycles["depth"])
    cosine = (mitsuba["normal"] * cycles["normal"]).sum(-1)
    albedo = np.abs(mitsuba["albedo"] - cycles["albedo"]).max(-1)
    outline = (mitsuba["alpha"] > 0) & (mitsuba["alpha"] < 1)
    # Along an outline a shift by d pixels changes alpha by d for each pixel of its length.
    shift = float(np.abs(mitsuba["alpha"] - cycles["alpha"]).sum() / max(outline.sum(), 1))
    share = {name: float(np.mean(bad[inside])) for name, bad in (
        ("depth off by over 0.5 mm", depth > 5e-4), ("normal off by over 2 degrees", cosine < np.cos(np.radians(2))),
        ("albedo off by over 0.02", albedo > 0.02))}
    median = {"depth_mm": 1e3 * float(np.median(depth[inside])),
              "normal_degrees": float(np.degrees(np.arccos(np.clip(np.median(cosine[inside]), -1, 1)))),
              "albedo": float(np.median(albedo[inside]))}
    return {"ok": bool(shift < 0.1 and max(share.values()) < 0.02), "outline_pixels_apart": round(shift, 4),
            "share_of_pixels": {name: round(value, 4) for name, value in share.items()},
            "median": {name: float(f"{value:.2g}") for name, value in median.items()}}


def whole_head(subject: Subject, camera, lights: dict, options: argparse.Namespace) -> dict:
    """The mean of a head with everything on, Cycles over Mitsuba, and its difference in blocks, by map."""
    if not lights:
        return {}
    pictures = [draw(renderer, subject, camera, lights, options.samples) for renderer in RENDERERS]
    rows = compare("flesh and hair", *pictures, lights, options)
    table(rows)
    return {row["map"]: {"ratio": round(float(row["ratio"]), 4), "difference": round(float(row["difference"]), 4)}
            for row in rows}


if __name__ == "__main__":
    main()
