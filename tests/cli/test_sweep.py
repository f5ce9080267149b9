"""The command ``sweep``: what it prints, what it refuses, and what is left when it is killed."""

import json
import os
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
import tomli_w
from tests.fixtures.command import assert_one_sentence, run_in_process, striate
from tests.fixtures.forked_python import ForkedPython
from tests.fixtures.recordings import small_recording
from tests.training.small import TABLES

import striate as package

PLUGIN = '''
from striate.registry import losses
from striate.training import LossSettings

@losses.register("cubic", settings=LossSettings)
def cubic(rates, responses, *, settings):
    """Cubed absolute error."""
    return (rates - responses).abs() ** 3
'''


@pytest.fixture
def place(tmp_path: Path) -> Path:
    package.write(small_recording(training=60), tmp_path / "mouse.zip")
    (tmp_path / "recipe.toml").write_text(tomli_w.dumps(TABLES))
    (tmp_path / "grid.toml").write_text("data.batch_size = [16, 32]\n")
    return tmp_path


@pytest.mark.parametrize(
    ("options", "mentions"),
    [
        ((), ("got nothing to vary: give one of --grid, --random, --optuna",)),
        (("--grid", "grid.toml", "--trials", "3"), ("leave --trials out, or use --random",)),
        (("--random", "grid.toml"), ("give --trials",)),
        (("--grid", "none.toml"), ("none.toml cannot be read",)),
        (("--grid", "mouse.zip"), ("mouse.zip",)),
        (("--grid", "wrong.toml"), ("wrong.toml: the table [data] has no key 'batch_sise'", "batch_size")),
        (("--grid", "grid.toml", "--jobs", "0"), ("The number of jobs must be at least 1, got 0",)),
        (("--grid", "grid.toml", "--seeds", "0"), ("The number of seeds must be at least 1, got 0",)),
        (("--grid", "grid.toml", "--metric", "fev"), ("'feve'",)),
        (("--grid", "grid.toml", "--executor", "slurm"), ("--executor is 'slurm'; expected 'local' or 'ray'",)),
        (("--grid", "grid.toml", "--set", "data.batch_sise=3"), ("--set", "batch_size")),
    ],
)
def test_wrong_options_are_one_sentence(
    options: tuple[str, ...], mentions: tuple[str, ...], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    (place / "wrong.toml").write_text("data.batch_sise = [1]\n")
    outcome = run_in_process("sweep", "recipe.toml", "mouse.zip", "--out", "out", *options)
    assert_one_sentence(outcome, *mentions)
    assert not (place / "out").exists()


@pytest.mark.slow
def test_killed_with_its_parent_a_training_resumes(place: Path, forked_python: ForkedPython) -> None:
    long = {**TABLES, "schedule": {"max_epochs": 20, "patience": 20}, "compute": {"checkpoint_minutes": 1000}}
    long["loss"] = {"type": "cubic"}
    (place / "recipe.toml").write_text(tomli_w.dumps(long))
    (place / "grid.toml").write_text("data.batch_size = [4]\n")
    (place / "cubic.py").write_text(PLUGIN)
    command = [
        "sweep",
        place / "recipe.toml",
        place / "mouse.zip",
        "--grid",
        place / "grid.toml",
        "--out",
        place / "out",
    ]
    command += ["--plugin", place / "cubic.py"]
    run, log = place / "out/runs/1-seed0", place / "out/jobs/1-seed0/log.txt"
    process = forked_python.start(*command, environment=dict(os.environ))
    deadline = time.monotonic() + 120
    while not (log.exists() and "epoch 1:" in log.read_text()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while not (run / "checkpoint.safetensors").exists() or (run / ".lock").exists():
        assert time.monotonic() < deadline, "the training noticed that its parent died"
        time.sleep(0.02)
    outcome = striate(*command)
    assert outcome.status == 0, outcome.err
    assert "Ranking, protocol image" in outcome.out
    assert f"wrote {place / 'out/index.html'}" in outcome.out
    assert "1-seed0 finished" in outcome.err
    attempts = json.loads((run / "provenance.json").read_text())["attempts"]
    assert [attempt["command"][:2] for attempt in attempts] == [["striate", "sweep"]] * 2
    assert pd.read_parquet(place / "out/results.parquet")["runs"].tolist() == [1]
