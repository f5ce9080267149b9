"""Time to accuracy: time from an archive to the final validation correlation of the existing tools.

``python -m benchmarks.accuracy`` uses recording 90001-1-1 with behaviour. The reference time is the number of epochs of the existing
tools, from their learning curve, times the seconds per epoch of the reference implementation on this machine.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RECIPES = ("cnn-behavior", "cnn-2022-behavior")
_EPOCHS = 3  # timed epochs of the reference implementation; the first is a warm-up


def reference_epoch_seconds(archive: Path) -> float:
    """Return the median time of an epoch of the reference implementation, including validation."""
    import numpy as np
    import torch

    import striate
    from benchmarks.data import scratch
    from benchmarks.reference import Encoder, Trials, step
    from striate.models.readouts import cortical_positions

    trials = Trials(archive, scratch("accuracy") / "files")
    encoder = Encoder(cortical_positions(striate.open(archive).coordinates), planes=4)
    optimiser = torch.optim.Adam(encoder.parameters(), lr=0.009)
    seconds = []
    for _ in range(_EPOCHS):
        start = time.perf_counter()
        encoder.train()
        for batch in trials.batches():
            step(encoder, optimiser, batch["images"], batch["responses"], batch["pupil_center"], len(trials.tiers))
        encoder.eval()
        with torch.inference_mode():
            pairs = [
                (encoder(batch["images"], batch["pupil_center"]), batch["responses"])
                for batch in trials.batches("validation")
            ]
        predicted, measured = (torch.cat(part).numpy() for part in zip(*pairs, strict=True))
        with np.errstate(invalid="ignore"):  # predictions of a neuron may be constant
            np.mean([np.corrcoef(p, r)[0, 1] for p, r in zip(predicted.T, measured.T, strict=True)])
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def measure_training(archive: Path, recipe: str, goal: float, seed: int) -> dict[str, Any]:
    """Train a model, and return the time and the epoch at which it reached the goal, including opening and preprocessing."""
    import striate

    with tempfile.TemporaryDirectory() as folder:
        os.environ["STRIATE_CACHE"] = f"{folder}/cache"
        start = time.perf_counter()
        run = striate.train(recipe, striate.open(archive), f"{folder}/run", seed=seed)
        wall = time.perf_counter() - start
        history = run.history
    reached = history.index[history["validation_correlation"] >= goal]
    before = wall - history["seconds"].sum()
    return {
        "recipe": recipe,
        "seed": seed,
        "epochs": len(history) - 1,
        "seconds": wall,
        "validation": float(history["validation_correlation"].max()),
        "epochs_to_goal": int(reached[0]) if len(reached) else None,
        "seconds_to_goal": float(before + history["seconds"].loc[: reached[0]].sum()) if len(reached) else None,
    }


def main() -> None:
    """Measure, print the results and write them as JSON."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from benchmarks.data import shared

    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recipes", nargs="*", default=RECIPES[:1])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/accuracy.json"))
    arguments = parser.parse_args()
    folder = shared()
    if folder is None:
        parser.error("recording 90001-1-1 is missing: set STRIATE_SHARED to the parent of its folder archives/")
    archive = next(folder.glob("static90001-1-1*.zip"))
    existing = json.loads((folder / "90001-1-1-existing-tools.json").read_text())
    goal = float(existing["final_validation"])
    epoch = reference_epoch_seconds(archive)
    reference = epoch * int(existing["epochs"])
    print(
        f"reference implementation: {epoch:.2f} s per epoch × {existing['epochs']} epochs = {reference:.0f} s to {goal:.3f}"
    )
    rows = []
    for recipe in arguments.recipes:
        for seed in range(arguments.seeds):
            row = measure_training(archive, recipe, goal, seed)
            rows.append(row)
            if row["seconds_to_goal"] is None:
                print(f"{recipe}, seed {seed}: not reached; best {row['validation']:.3f} after {row['seconds']:.0f} s")
                continue
            ratio = reference / row["seconds_to_goal"]
            print(
                f"{recipe}, seed {seed}: {row['seconds_to_goal']:.0f} s ({row['epochs_to_goal']} epochs), {ratio:.1f}× faster; "
                f"best {row['validation']:.3f} after {row['seconds']:.0f} s"
            )
            sys.stdout.flush()
    arguments.out.write_text(
        json.dumps({"reference_epoch": epoch, "reference": reference, "rows": rows}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
