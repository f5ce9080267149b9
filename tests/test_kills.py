"""Every command, killed for real at random moments, leaves nothing that the same command does not mend by itself."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from striate.recordings import write
from striate.submissions import Submission, Truth
from tests.fixtures.recordings import small_recording
from tests.training.small import TABLES

KILLS = 6


def commands(place: Path) -> dict[str, list[str]]:
    """Command lines whose outputs stand below ``out``; what they read stands in `place`."""
    size = ["--neurons", "15", "--train", "30", "--validation", "5", "--test-images", "4", "--final-images", "4"]
    return {
        "convert": [f"{place}/arrays.npz", "--session", "1-2-3", "--out", "out/converted.zip"],
        "simulate": ["out/public", "--truth", "out/secret", "--competition", "all", "--seed", "5", *size],
        "predict": [f"{place}/run", f"{place}/withheld.zip", "--out", "out/submission.parquet"],
        "score": [f"{place}/submission.parquet", f"{place}/truth.parquet", "--out", "out/scorecard.json"],
        "submission": ["reformat", f"{place}/submission.parquet", "out/csv"],
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs for all commands, made once."""
    import striate
    from striate.training import predict

    folder = tmp_path_factory.mktemp("inputs")
    rng = np.random.default_rng(0)
    np.savez(
        folder / "arrays.npz",
        images=rng.integers(0, 256, (400, 72, 128), dtype=np.uint8),
        responses=rng.exponential(1, (400, 50)),
        **{f"neurons/{axis}": rng.normal(size=50) for axis in "xyz"},
    )
    whole = small_recording("8-1-1", final_images=4, shape=(36, 64))
    write(small_recording("8-1-1", final_images=4, shape=(36, 64), withhold=True), folder / "withheld.zip")
    withheld = striate.open(folder / "withheld.zip")
    tables = {**TABLES, "schedule": {"max_epochs": 1}}
    run = striate.train(tables, withheld, folder / "run", progress=False)
    predictions = predict(run, withheld)
    Submission.from_array(withheld, predictions.values, protocol="image").write(folder / "submission.parquet")
    Truth.from_recording(whole).write(folder / "truth.parquet")
    return folder


def start(command: list[str], where: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "STRIATE_CACHE": str(where / "cache"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "striate", *command], cwd=where, env=environment, stdout=subprocess.DEVNULL
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["convert", "simulate", "predict", "score", "submission"])
def test_killed_at_random_moments(name: str, place: Path, tmp_path: Path) -> None:
    command = [name, *commands(place)[name], "--overwrite"]
    reference, victim = tmp_path / "reference", tmp_path / "victim"
    for folder in (reference, victim):
        (folder / "out").mkdir(parents=True)
    began = time.monotonic()
    assert start(command, reference).wait(timeout=300) == 0
    lasted = time.monotonic() - began
    rng = random.Random(7)
    killed = 0
    for _ in range(KILLS):
        process = start(command, victim)
        time.sleep(rng.uniform(0.3, 1.0) * lasted)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
    assert killed >= 2, "most were caught at work"
    assert start(command, victim).wait(timeout=300) == 0
    made = contents(reference / "out")
    assert made
    assert contents(victim / "out") == made
    left_over = [p for p in victim.rglob("*") if p.name.endswith(".partial")]
    assert not left_over


@pytest.mark.slow
def test_a_demonstration_that_was_killed_goes_on(tmp_path: Path) -> None:
    """Interrupted in the middle, it uses what it has made already and ends with the same scores."""
    from striate.demo import DemoSettings, run_demo

    script = (
        "from pathlib import Path; from striate.demo import *; import sys\n"
        "run_demo(Path(sys.argv[1]), DemoSettings(neurons=12, train=60, validation=20, test_images=5, repeats=4, bootstrap=20))"
    )
    settings = DemoSettings(neurons=12, train=60, validation=20, test_images=5, repeats=4, bootstrap=20)
    whole = run_demo(tmp_path / "whole", settings)
    process = subprocess.Popen([sys.executable, "-c", script, tmp_path / "killed"])
    run = tmp_path / "killed" / "runs" / "cnn" / "provenance.json"
    for _ in range(6000):
        if run.exists() or process.poll() is not None:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    again = run_demo(tmp_path / "killed", settings)
    for first, second in zip(whole.models, again.models, strict=True):
        assert np.array_equal(first.submission.predictions, second.submission.predictions)
