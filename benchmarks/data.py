"""What is measured: a simulated recording of the size of a real mouse, made once and kept."""

import os
import subprocess
import sys
from pathlib import Path

PLACE = Path(os.environ.get("STRIATE_BENCHMARKS", Path(__file__).parent / "data"))
NEURONS, TRAIN, BATCH = 7776, 4490, 128


def mouse() -> Path:
    """Archive of 7,776 neurons and 6,990 trials of 144 × 256; simulated if it is not there (two minutes)."""
    folder = PLACE / "mouse"
    found = list(folder.glob("*.zip"))
    if not found:
        command = [sys.executable, "-m", "striate", "simulate", folder, "--full-size", "--competition", "sensorium+"]
        command += ["--pretraining", 0, "--no-withhold", "--seed", 7]
        print("simulating a recording of the size of a real mouse ...", file=sys.stderr)
        subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr)
        found = list(folder.glob("*.zip"))
    return found[0]


def scratch(name: str) -> Path:
    """A folder for what a benchmark writes."""
    folder = PLACE / "scratch" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def shared() -> Path | None:
    """Folder of the archives of others, if it is at hand."""
    folder = Path(os.environ.get("STRIATE_SHARED", "../shared")) / "archives"
    return folder if folder.is_dir() else None
