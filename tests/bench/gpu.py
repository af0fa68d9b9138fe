"""What a GPU does: training steps and sampling of the relighter, as large as SVD, Wan and ``small``; Mitsuba on CUDA.

    tests/bench/gpu.sh [RESULTS.jsonl]
    python -m tests.bench.gpu --tiny --results /tmp/tiny.jsonl      # the same steps on a CPU, at toy sizes

Weights are random, in the published sizes: time and memory don't depend on them. A measurement that is in the results
file already is not taken again. FLOPs are counted by torch on the very step that is timed; utilisation is their rate
over the card's dense bf16 peak, measured here as the best of some matrix products. ``value``: utilisation of SVD's
training step. Sampling is one step of the sampler, decoding excluded.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

TARGET = 0.35
SVD = {"sample_size": 96, "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 768,
       "layers_per_block": 2, "cross_attention_dim": 1024, "transformer_layers_per_block": 1,
       "num_attention_heads": (5, 10, 20, 20)}
"""Of stable-video-diffusion-img2vid, beside diffusers' defaults: 1.5 billion parameters."""
WAN = {"num_attention_heads": 12, "attention_head_dim": 128, "ffn_dim": 8960, "num_layers": 30}
"""Of Wan2.1-T2V-1.3B."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=Path("out/gpu.jsonl"))
    parser.add_argument("--seconds", type=float, default=500, help="begin nothing new after so long")
    parser.add_argument("--tiny", action="store_true", help="toy sizes, on whatever there is")
    options = parser.parse_args()
    if not (options.tiny or torch.cuda.is_available()):
        raise SystemExit("gpu: no CUDA device; --tiny runs the same steps on a CPU")
    options.results.parent.mkdir(parents=True, exist_ok=True)
    done = {row["name"]: row for row in map(json.loads, options.results.read_text().splitlines())} \
        if options.results.exists() else {}
    start = time.monotonic()
    for name, measure in measurements(options.tiny):
        if name in done:
            continue
        if time.monotonic() - start > options.seconds:
            print(f"out of time before {name}: run again")
            break
        try:
            row = {"name": name, **measure()}
        except Exception as error:  # the others are worth having
            row = {"name": name, "error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
        done[name] = row
        with options.results.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    report(done)


def report(rows: dict[str, dict]) -> None:
    """The table, then one line of JSON."""
    peak = rows.get("matrix product", {}).get("tflops")
    for row in rows.values():
        if peak and "tflops" in row:
            row["utilisation"] = round(row["tflops"] / peak, 3)
    columns = ("name", "seconds", "tflops", "utilisation", "gigabytes", "error")
    for row in [dict.fromkeys(columns), *rows.values()]:
        cells = [str(row.get(column) if row.get("name") else column) for column in columns]
        print("  ".join(f"{'' if cell == 'None' else cell:24.60}" for cell in cells).rstrip())
    value = rows.get("svd train", {}).get("utilisation")
    print(json.dumps({"name": "gpu", "value": value, "target": TARGET, "ok": value is not None and value >= TARGET,
                      "detail": {"rows": list(rows.values())}}))


def measurements(tiny: bool) -> Iterator[tuple[str, Callable[[], dict]]]:
    """Names, and what takes each measurement."""
    yield "matrix product", lambda: matrix_product(256 if tiny else 16384)
    for backbone, frames, size in (("small", 8, 128), ("small", 8, 512), ("svd", 14, 512), ("wan", 17, 480)):
        label = backbone if size < 512 or backbone != "small" else "small 512"
        shape = (2 if tiny and backbone != "wan" else 5 if tiny else frames, 32 if tiny else size)
        yield f"{label} train", lambda b=backbone, s=shape: relighter_step(b, *s, tiny, train=True)
        yield f"{label} sample", lambda b=backbone, s=shape: relighter_step(b, *s, tiny, train=False)
    if not tiny:
        yield "relight command", relight_command
    yield "mitsuba cuda", lambda: mitsuba_cuda(64 if tiny else 512)


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def matrix_product(side: int) -> dict:
    """The rate of the best of a few square bf16 products."""
    a, b = (torch.randn(side, side, device=device(), dtype=torch.bfloat16) for _ in range(2))
    seconds = timed(lambda: a @ b, 10)
    return {"seconds": round(seconds, 5), "tflops": round(2 * side**3 / seconds / 1e12, 3), "side": side}


def relighter_step(name: str, frames: int, size: int, tiny: bool, train: bool) -> dict:
    """One clip of a stage that is lit: loss and gradients and AdamW, or one step of the sampler."""
    from torch.utils.flop_counter import FlopCounterMode

    from relight.relighter import Relighter

    batch = random_batch(frames, size)
    relighter = Relighter("relight", backbone(name, tiny)).to(device())
    parameters = [parameter for parameter in relighter.parameters() if parameter.requires_grad]
    if train:
        relighter.backbone.checkpoint_gradients(name != "small")
        optimizer = torch.optim.AdamW(parameters, lr=1e-5, fused=device().type == "cuda")

    def step() -> None:
        with torch.autocast(device().type, torch.bfloat16):
            if not train:
                relighter.sample(batch, torch.Generator(), steps=1)
                return
            loss = relighter(batch, torch.Generator())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    if device().type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with FlopCounterMode(display=False) as flops:
        step()
    seconds = timed(step, 3)
    memory = torch.cuda.max_memory_allocated() / 2**30 if device().type == "cuda" else 0.0
    return {"seconds": round(seconds, 4), "tflops": round(flops.get_total_flops() / seconds / 1e12, 3),
            "gigabytes": round(memory, 2), "parameters": sum(p.numel() for p in parameters), "frames": frames,
            "size": size}


def relight_command() -> dict:
    """The shipped model on footage, whole, beside its bare networks (``tests.bench.inference``)."""
    from tests.bench.inference import measure

    made = measure(None, "small", 96, 512, 3)
    return {"seconds": made["detail"]["seconds_a_frame"][0], "ratio": made["value"]}


def backbone(name: str, tiny: bool):
    """A backbone of random weights."""
    import tempfile

    from relight.batch import STAGES
    from relight.models.load import new_backbone

    if tiny:
        from tests.relight.tiny import backbone as tiny_backbone

        return tiny_backbone(name, "relight", Path(tempfile.mkdtemp()))
    if name == "small":
        return new_backbone("small", STAGES["relight"], 0)
    with torch.device(device()):
        if name == "svd":
            from diffusers import AutoencoderKLTemporalDecoder, UNetSpatioTemporalConditionModel

            from relight.models.svd import SvdBackbone

            widths = (128, 256, 512, 512)
            vae = AutoencoderKLTemporalDecoder(block_out_channels=widths, layers_per_block=2, latent_channels=4,
                                               down_block_types=("DownEncoderBlock2D",) * 4)
            return SvdBackbone(STAGES["relight"], UNetSpatioTemporalConditionModel(**SVD), vae, "random", 0)
        from diffusers import AutoencoderKLWan, WanTransformer3DModel

        from relight.models.wan import WanBackbone

        return WanBackbone(STAGES["relight"], WanTransformer3DModel(**WAN), AutoencoderKLWan(), "random", 0)


def random_batch(frames: int, size: int):
    """A clip of noise under light of noise."""
    from relight.batch import PortraitBatch

    def noise(channels: int, *shape: int) -> torch.Tensor:
        return torch.rand(1, frames, channels, *shape, device=device())

    pictures = {name: noise(3, size, size) for name in ("source", "flat", "target", "background")}
    maps = {name: noise(3, 32, 64) for name in ("light_ldr", "light_log", "light_direction")}
    exposure = torch.zeros(1, frames, device=device())
    return PortraitBatch(**pictures, **maps, alpha=noise(1, size, size), exposure=exposure)


def mitsuba_cuda(size: int) -> dict:
    """Seconds of one picture of Mitsuba's own Cornell box, 64 samples, after its kernels are compiled."""
    import mitsuba as mi

    mi.set_variant("cuda_ad_rgb")
    scene = mi.load_dict({**mi.cornell_box(), "sensor": {**mi.cornell_box()["sensor"], "film": {
        "type": "hdrfilm", "width": size, "height": size}}})
    import numpy as np

    return {"seconds": round(timed(lambda: np.array(mi.render(scene, spp=64)), 3), 4), "size": size,
            "version": mi.__version__}


def timed(action: Callable[[], object], repeats: int) -> float:
    """Median seconds, after one run that does not count."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        action()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return sorted(times[1:])[repeats // 2]


if __name__ == "__main__":
    main()
