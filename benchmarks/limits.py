"""Roofline analysis of a training step: ``python -m benchmarks.limits``.

The numbers of operations and bytes follow from the shapes; the rates (a large matrix product, a memory copy) are measured in the same
run. The lower bound of the time of a part is the maximum of its operations at the matrix rate and its bytes at the memory rate, if
every map is read and written once.
"""

import json
import os
from pathlib import Path

from benchmarks.timing import median

BATCH, NEURONS, CHANNELS, HEIGHT, WIDTH = 128, 7776, 64, 28, 56
_MAP = 4 * BATCH * CHANNELS * HEIGHT * WIDTH  # bytes of one feature map of a batch


def measure_rates() -> dict[str, float]:
    """Measure matrix products in GFLOP/s, and copying in GB/s (reads plus writes)."""
    import torch

    a, b = torch.randn(4096, 4096), torch.randn(4096, 4096)
    source, target = torch.randn(256 * 2**20), torch.empty(256 * 2**20)
    return {
        "gflops": 2 * 4096**3 / median(lambda: a @ b, 3) / 1e9,
        "gbytes": 2 * source.nbytes / median(lambda: target.copy_(source), 3) / 1e9,
    }


def count_operations() -> dict[str, tuple[float, float]]:
    """Return the GFLOP and GB of each part of a training step."""
    positions = BATCH * HEIGHT * WIDTH
    first = 2 * positions * CHANNELS * 81
    pointwise, depthwise = 2 * positions * CHANNELS * CHANNELS, 2 * positions * CHANNELS * 49
    core = first + 3 * (2 * pointwise + depthwise)
    # each convolution, normalisation (two passes: statistics and values) and nonlinearity reads and writes a map
    core_bytes = _MAP * (1 + 3 * 6 + 4 * (3 + 2))
    readout = BATCH * NEURONS * CHANNELS * 10
    readout_bytes = _MAP + 4 * (BATCH * NEURONS * 3 + NEURONS * CHANNELS)
    return {
        "core, forward": (core / 1e9, core_bytes / 1e9),
        "core, forward and backward": (3 * core / 1e9, 3 * core_bytes / 1e9),
        "readout, forward": (readout / 1e9, readout_bytes / 1e9),
        "readout, forward and backward": (3 * readout / 1e9, 3 * readout_bytes / 1e9),
    }


def measure_parts() -> dict[str, float]:
    """Measure the seconds of the same parts."""
    import torch

    from benchmarks.cases import _encoder
    from striate.models.kernels import sample_and_project

    encoder = _encoder("striate", NEURONS).train()
    images = torch.randn(BATCH, 1, 36, 64)
    maps = encoder.core(images).detach().requires_grad_()
    positions = (0.4 * torch.randn(BATCH, NEURONS, 2)).clamp(-1, 1).requires_grad_()
    features, bias = torch.randn(NEURONS, CHANNELS, requires_grad=True), torch.zeros(NEURONS)
    slopes = torch.randn_like(maps)

    def core_forward() -> None:
        with torch.no_grad():
            encoder.core(images)

    def core_both() -> None:
        encoder.core(images).backward(slopes)

    def readout_forward() -> None:
        with torch.no_grad():
            sample_and_project(maps, positions, features, bias)

    def readout_both() -> None:
        maps.grad = positions.grad = features.grad = None
        sample_and_project(maps, positions, features, bias).sum().backward()

    works = (core_forward, core_both, readout_forward, readout_both)
    return {name: median(work, 7) for name, work in zip(count_operations(), works, strict=True)}


def main() -> None:
    """Measure, print the results and write them as JSON."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    machine, seconds = measure_rates(), measure_parts()
    print(f"matrix products {machine['gflops']:.0f} GFLOP/s, memory {machine['gbytes']:.0f} GB/s\n")
    print("| part | GFLOP | GB | lower bound | measured | efficiency |\n|---|--:|--:|--:|--:|--:|")
    rows = {}
    for name, (gflop, gbytes) in count_operations().items():
        limit = max(gflop / machine["gflops"], gbytes / machine["gbytes"])
        rows[name] = {"gflop": gflop, "gbytes": gbytes, "limit": limit, "measured": seconds[name]}
        share = limit / seconds[name]
        print(f"| {name} | {gflop:.1f} | {gbytes:.2f} | {limit:.3f} s | {seconds[name]:.3f} s | {share:.0%} |")
    Path("benchmarks/limits.json").write_text(json.dumps({"machine": machine, "parts": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
