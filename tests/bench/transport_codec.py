"""Compressed transport: megabytes a frame against the relative MSE that it adds to relit pictures.

    python -m tests.bench.transport_codec [--kind hair] [--maps FOLDER] [--plot CURVE.png]

The frame is an actor with hair, with both lobes. The pictures are those under the eight bundled maps, the maps of a
folder and four sun skies; the reference is the product with the matrix as it was estimated, so that noise which is not
kept counts as an error. ``value`` is megabytes at the error of 1e-3 that was asked for; ``detail`` has the curve.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from synth.transport.codec import decode, encode, relative_mse
from synth.transport.light import project
from synth.transport.response import Transport, relight
from tests.bench.families import SHARED
from tests.bench.portrait_transport import add_frame_options, environment_maps, estimate

TARGET_MB, TARGET_ERROR = 12.0, 1e-3
ERRORS = (1e-2, 3e-3, 1e-3, 5e-4, 2.5e-4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_frame_options(parser)
    parser.add_argument("--maps", type=Path, default=SHARED / "hdri", help="a folder of .hdr or .exr maps")
    parser.add_argument("--plot", type=Path, help="where to draw the curve, a .png")
    options = parser.parse_args()
    transport = estimate(options, lobes=True)
    maps = environment_maps(options.maps)
    points = curve(transport, np.stack([project(light, transport.basis) for light in maps.values()]))
    if options.plot:
        plot(points, options.plot)
    chosen = points[ERRORS.index(TARGET_ERROR)]
    worst = int(np.argmax(chosen["errors"]))
    print(json.dumps({
        "name": "transport_codec", "value": round(chosen["mb"], 2), "target": TARGET_MB,
        "ok": bool(chosen["mb"] <= TARGET_MB and chosen["error"] <= TARGET_ERROR * 1.05),
        "detail": {
            "pixels": len(transport.pixels), "maps": len(maps), "added_error": float(f"{chosen['error']:.3g}"),
            "worst_map": {list(maps)[worst]: float(f"{chosen['errors'][worst]:.3g}")},
            "curve": [{key: float(f"{point[key]:.3g}") for key in ("asked", "error", "mb", "encode_seconds")}
                      for point in points],
        },
    }))  # fmt: skip


def curve(transport: Transport, lights: np.ndarray) -> list[dict]:
    """For each of ERRORS: megabytes, the error under lights (L, D, 3), mean and each, and seconds to encode."""
    reference = covered(transport, relight(transport, lights))
    points = []
    for error in ERRORS:
        start = time.process_time()
        data = encode(transport, error)
        seconds = time.process_time() - start
        errors = relative_mse(covered(transport, decode(data).relight(lights)), reference)
        points.append({"asked": error, "error": float(errors.mean()), "errors": errors.tolist(),
                       "mb": len(data) / 1e6, "encode_seconds": seconds})  # fmt: skip
        print(f"{error:g}: {points[-1]['mb']:.2f} MB, added error {points[-1]['error']:.3g}", flush=True)
    return points


def covered(transport: Transport, images: np.ndarray) -> np.ndarray:
    """The pixels (L, P, 3) of images (L, H, W, 3) that the transport covers."""
    return images.reshape(len(images), -1, 3)[:, transport.pixels]


def plot(points: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw megabytes (across, 0 to the next ten) against the added error (upwards, decades)."""
    import cv2

    width, height, left, bottom = 640, 440, 90, 60
    most = 10 * np.ceil(max(max(point["mb"] for point in points), TARGET_MB) / 10)
    low, high = (f(np.log10([point["error"] for point in points] + [TARGET_ERROR])) for f in (np.min, np.max))
    low, high = np.floor(low), np.ceil(high)

    def place(mb: float, error: float) -> tuple[int, int]:
        return (int(left + (width - left - 30) * mb / most),
                int(height - bottom - (height - bottom - 30) * (np.log10(error) - low) / (high - low)))

    image = np.full((height, width, 3), 255, np.uint8)
    grey, black, red, blue = (200, 200, 200), (0, 0, 0), (60, 60, 220), (180, 90, 20)

    def write(text: str, where: tuple[int, int]) -> None:
        cv2.putText(image, text, where, cv2.FONT_HERSHEY_SIMPLEX, 0.5, black, 1, cv2.LINE_AA)

    for decade in range(int(low), int(high) + 1):
        cv2.line(image, place(0, 10.0**decade), place(most, 10.0**decade), grey)
        write(f"1e{decade}", (left - 45, place(0, 10.0**decade)[1] + 5))
    for mb in range(0, int(most) + 1, 2 if most <= 20 else 10):
        cv2.line(image, place(mb, 10.0**low), place(mb, 10.0**high), grey)
        write(str(mb), (place(mb, 1)[0] - 8, height - bottom + 20))
    cv2.line(image, place(TARGET_MB, 10.0**low), place(TARGET_MB, TARGET_ERROR), red, 1, cv2.LINE_AA)
    cv2.line(image, place(0, TARGET_ERROR), place(TARGET_MB, TARGET_ERROR), red, 1, cv2.LINE_AA)
    route = [place(point["mb"], point["error"]) for point in points]
    for start, end in zip(route, route[1:], strict=False):
        cv2.line(image, start, end, blue, 2, cv2.LINE_AA)
    for point in route:
        cv2.circle(image, point, 4, blue, -1, cv2.LINE_AA)
    write("MB a frame (target: inside red)", (left + 130, height - 15))
    write("added relative MSE", (8, 20))
    cv2.imwrite(str(path), image)


if __name__ == "__main__":
    main()
