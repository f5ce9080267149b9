"""Scaling of the cost of training: ``python -m benchmarks.scaling``. Draws docs/figures/scaling.png and writes JSON.

Measures a training step against the number of neurons, the image size and the number of jointly trained recordings, and an epoch of
batches against the number of trials.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import training_step
from benchmarks.timing import median

NEURONS = (500, 1000, 2000, 4000, 8000, 16_000, 32_000, 50_000)
HEIGHTS = (18, 36, 72)
RECORDINGS = (1, 2, 4, 7)
TRIALS = (500, 1000, 2000, 4490)
_REFERENCE_NEURONS = 16_000  # more neurons need more memory than a laptop has
_REPEATS = 3


def striate_step(neurons: int, height: int, recordings: int) -> float:
    """Measure the seconds of a training step with a batch of 128 trials of each recording."""
    import torch

    from striate.models import build_encoder
    from striate.models.kernels import freed_memory_kept
    from striate.training import load_recipe
    from striate.training.losses import poisson

    random = np.random.default_rng(0)
    sessions = {f"{i}-1-1": random.uniform(-1, 1, (neurons, 2)) for i in range(recordings)}
    width = height * 64 // 36
    encoder = build_encoder(load_recipe("cnn-2022").model, sessions, (1, height, width)).train()
    optimiser = torch.optim.Adam(encoder.parameters(), lr=0.001)
    images, responses = torch.randn(128, 1, height, width), torch.rand(128, neurons)

    def step() -> None:
        optimiser.zero_grad()
        for session in sessions:
            loss = poisson(encoder.rates(images, session), responses).sum() + encoder.regulariser(session)
            loss.backward()
        optimiser.step()

    with freed_memory_kept():
        return median(step, _REPEATS)


def epoch_of_batches(trials: int) -> float:
    """Measure the seconds of a later epoch of batches."""
    import striate
    from benchmarks.data import mouse

    loaders = striate.loaders(
        striate.open(mouse()), behavior=True, training_images=trials, batch_size=128, tiers=("train",)
    )
    return median(lambda: sum(len(batch) for batch in loaders.train), _REPEATS)


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw the four panels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 5.6), layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    panels = (
        ("neurons", "neurons", "one step of training"),
        ("heights", "height of the images in pixels", "one step of training"),
        ("recordings", "recordings trained jointly (2,000 neurons each)", "one step of training"),
        ("trials", "training trials", "an epoch of batches"),
    )
    for panel, (name, label, work) in zip(axes, panels, strict=True):
        for implementation, colour in (("reference", "#9a9a9a"), ("striate", "#2f6db5")):
            points = results[name].get(implementation)
            if points:
                x, y = np.array([float(k) for k in points]), np.array(list(points.values()))
                panel.plot(x, y, "o-", color=colour, label=implementation)
        panel.set_xscale("log", base=2)
        panel.set_xticks(
            [float(k) for k in results[name]["striate"]], [f"{int(k):,}" for k in results[name]["striate"]]
        )
        panel.minorticks_off()
        panel.set_ylim(bottom=0)
        panel.set_xlabel(label)
        panel.set_ylabel(f"{work} (s)")
        panel.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False)
    axes[0].tick_params(axis="x", rotation=45)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Measure, draw the figure and write the results as JSON."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--figure", type=Path, default=Path("docs/figures/scaling.png"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/scaling.json"))
    arguments = parser.parse_args()
    results: dict[str, Any] = {
        "neurons": {
            "striate": {n: striate_step(n, 36, 1) for n in NEURONS},
            "reference": {
                n: median(training_step("reference", n), _REPEATS) for n in NEURONS if n <= _REFERENCE_NEURONS
            },
        },
        "heights": {"striate": {h: striate_step(2000, h, 1) for h in HEIGHTS}},
        "recordings": {"striate": {r: striate_step(2000, 36, r) for r in RECORDINGS}},
        "trials": {"striate": {t: epoch_of_batches(t) for t in TRIALS}},
    }
    arguments.out.write_text(json.dumps(results, indent=1) + "\n")
    draw(results, arguments.figure)
    print(json.dumps(results, indent=1))
    print(f"wrote {arguments.figure} and {arguments.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
