"""Where the time of a step goes, and how far it is from what the machine allows: ``python -m benchmarks.limits``.

Operations and bytes are counted from the shapes; the rates (a large matrix product, a copy from memory to memory) are
measured in the same run. The limit of a part is the longer of its operations at the matrix rate and its bytes at the
memory rate. Bytes are those that have to move if every map is read and written once.
"""

import json
import os
from pathlib import Path

from benchmarks.timing import median

BATCH, NEURONS, CHANNELS, HEIGHT, WIDTH = 128, 7776, 64, 28, 56
_MAP = 4 * BATCH * CHANNELS * HEIGHT * WIDTH  # bytes of one feature map of a batch


def rates() -> dict[str, float]:
    """Matrix products in GFLOP/s, and copying in GB/s (read and write counted)."""
    import torch

    a, b = torch.randn(4096, 4096), torch.randn(4096, 4096)
    source, target = torch.randn(256 * 2**20), torch.empty(256 * 2**20)
    return {
        "gflops": 2 * 4096**3 / median(lambda: a @ b, 3) / 1e9,
        "gbytes": 2 * source.nbytes / median(lambda: target.copy_(source), 3) / 1e9,
    }


def counted() -> dict[str, tuple[float, float]]:
    """GFLOP and GB of each part of a step, forward."""
    places = BATCH * HEIGHT * WIDTH
    first = 2 * places * CHANNELS * 81
    pointwise, depthwise = 2 * places * CHANNELS * CHANNELS, 2 * places * CHANNELS * 49
    core = first + 3 * (2 * pointwise + depthwise)
    # each convolution, normalisation (twice: statistics, then values) and nonlinearity reads and writes a map
    core_bytes = _MAP * (1 + 3 * 6 + 4 * (3 + 2))
    readout = BATCH * NEURONS * CHANNELS * 10
    readout_bytes = _MAP + 4 * (BATCH * NEURONS * 3 + NEURONS * CHANNELS)
    return {
        "core, forward": (core / 1e9, core_bytes / 1e9),
        "core, forward and backward": (3 * core / 1e9, 3 * core_bytes / 1e9),
        "readout, forward": (readout / 1e9, readout_bytes / 1e9),
        "readout, forward and backward": (3 * readout / 1e9, 3 * readout_bytes / 1e9),
    }


def measured() -> dict[str, float]:
    """Seconds of the same parts."""
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
    return {name: median(work, 7) for name, work in zip(counted(), works, strict=True)}


def main() -> None:
    """Measure, print, write JSON."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    machine, seconds = rates(), measured()
    print(f"matrix products {machine['gflops']:.0f} GFLOP/s, memory {machine['gbytes']:.0f} GB/s\n")
    print("| part | GFLOP | GB | at the limit | measured | of the limit |\n|---|--:|--:|--:|--:|--:|")
    rows = {}
    for name, (gflop, gbytes) in counted().items():
        limit = max(gflop / machine["gflops"], gbytes / machine["gbytes"])
        rows[name] = {"gflop": gflop, "gbytes": gbytes, "limit": limit, "measured": seconds[name]}
        share = limit / seconds[name]
        print(f"| {name} | {gflop:.1f} | {gbytes:.2f} | {limit:.3f} s | {seconds[name]:.3f} s | {share:.0%} |")
    Path("benchmarks/limits.json").write_text(json.dumps({"machine": machine, "parts": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
