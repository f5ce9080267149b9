"""A simulation depends on its seed only, not on the number of threads of matrix products."""

import os
import subprocess
import sys

import pytest

_PROGRAM = """
from striate.recordings.recording import content_hash
from striate.simulate import simulate
made = simulate(neurons=700, image_shape=(72, 128), train=600, validation=20, test_images=10, seed=4)
import hashlib
print(content_hash(made.recording), hashlib.sha256(made.truth.expected.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_simulation_does_not_depend_on_threads():
    def run(threads):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(names, str(threads))}
        return subprocess.run(
            [sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, text=True, check=True
        ).stdout

    assert run(1) == run(2) == run(4)
