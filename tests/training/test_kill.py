"""Killed for real, at any moment, a training that is started again ends with the bits of one that was not."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import tomli_w
import torch
from safetensors.torch import load_file
from tests.fixtures.forked_python import ForkedProcess, ForkedPython
from tests.fixtures.recordings import small_recording
from tests.training.small import TABLES

import striate
from striate.training import Run


def start(python: ForkedPython, place: Path, name: str) -> ForkedProcess:
    command = ["train", place / "recipe.toml", place / "a.zip", place / "b.zip", "--out", place / name, "--seed", "6"]
    environment = {**os.environ, "STRIATE_CACHE": str(place / "cache"), "OMP_NUM_THREADS": "1"}
    return python.start(*command, environment=environment)


def wait_for(path: Path, process: ForkedProcess) -> None:
    while not path.exists():
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("minutes", [1e-9, 5.0])
def test_killed_at_random_moments(tmp_path: Path, minutes: float, forked_python: ForkedPython) -> None:
    tables = {**TABLES, "schedule": {"max_epochs": 12}, "compute": {"checkpoint_minutes": minutes}}
    tables["data"] = {**TABLES["data"], "image_size": [36, 64]}  # a little work, so that a kill falls into it
    tables["model"] = {"core": {**TABLES["model"]["core"], "channels": 16}}  # as many as the fused kernels need
    (tmp_path / "recipe.toml").write_text(tomli_w.dumps(tables))
    striate.write(small_recording("1-1-1", training=200, seed=1), tmp_path / "a.zip")
    striate.write(small_recording("2-1-1", training=90, seed=2), tmp_path / "b.zip")
    assert start(forked_python, tmp_path, "whole").wait(timeout=300) == 0
    lasted = Run.open(tmp_path / "whole").history["seconds"].sum()
    rng = np.random.default_rng(int(time.time()))
    kills = 0
    for moment in rng.uniform(0, 0.4 * lasted, 5):
        process = start(forked_python, tmp_path, "killed")
        wait_for(tmp_path / "killed" / "provenance.json", process)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        if Run.open(tmp_path / "killed").finished:
            break
    assert kills >= 1
    if not Run.open(tmp_path / "killed").finished:
        assert start(forked_python, tmp_path, "killed").wait(timeout=300) == 0
    whole, killed = (load_file(tmp_path / name / "weights.safetensors") for name in ("whole", "killed"))
    assert whole.keys() == killed.keys()
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
    assert not list((tmp_path / "killed").glob("*.partial*")), "nothing is left over"


@pytest.mark.slow
def test_two_processes_on_one_folder(tmp_path: Path, forked_python: ForkedPython) -> None:
    (tmp_path / "recipe.toml").write_text(tomli_w.dumps({**TABLES, "schedule": {"max_epochs": 2000, "patience": 2000}}))
    striate.write(small_recording("1-1-1", training=200, seed=1), tmp_path / "a.zip")
    striate.write(small_recording("2-1-1", training=90, seed=2), tmp_path / "b.zip")
    first = start(forked_python, tmp_path, "run")
    try:
        wait_for(tmp_path / "run" / "provenance.json", first)
        assert start(forked_python, tmp_path, "run").wait(timeout=120) == 1
        assert first.poll() is None, "the first goes on undisturbed"
    finally:
        first.kill()
        first.wait()
    again = start(forked_python, tmp_path, "run")  # a dead process holds nothing
    try:
        wait_for(tmp_path / "run" / ".lock", again)
        time.sleep(5)
        assert again.poll() is None
    finally:
        again.kill()
        again.wait()
