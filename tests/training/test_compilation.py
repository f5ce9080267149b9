"""Kernels that a process compiles give the bits of those that a later process loads from the cache."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")

CODE = """
import sys
import striate
recording = striate.simulate(neurons=20, train=40, validation=10, test_images=4, seed=1, image_shape=(36, 64))
striate.train("cnn-behavior", recording, sys.argv[1], overrides={"schedule.max_epochs": 1}, progress=False)
"""


@pytest.mark.slow
def test_a_training_that_compiles_kernels_gives_the_same_weights_as_one_that_loads_them(tmp_path: Path) -> None:
    weights = []
    for name in ("compiles", "loads"):
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "numba"), "OMP_NUM_THREADS": "1"}
        subprocess.run([sys.executable, "-c", CODE, str(tmp_path / name)], check=True, env=environment)
        weights.append(hashlib.sha256((tmp_path / name / "weights.safetensors").read_bytes()).hexdigest())
    assert any((tmp_path / "numba").rglob("*.nbc")), "the first process has filled the cache"
    assert weights[0] == weights[1]
