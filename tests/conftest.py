"""Fixtures of all tests: seeds, small recordings, and the shared material if it is available."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before anything imports PyTorch

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from striate.recordings import Recording
from striate.registry import plugins
from tests.fixtures.forked_python import ForkedPython, shared_python
from tests.fixtures.recordings import small_recording

# `make test` runs the same examples everywhere; `make test-slow` passes --hypothesis-profile=explore and a new seed.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("explore", derandomize=False, max_examples=50, deadline=None, database=None, print_blob=True)
settings.load_profile("fixed")


collect_ignore = ["models/kernels/gpu_agreement.py"]  # a script for machines with a GPU, without tests


@pytest.fixture(autouse=True)
def seeded(request: pytest.FixtureRequest) -> None:
    """Seed the global random generators, with `--hypothesis-seed` where it is given and with 0 otherwise."""
    given = request.config.getoption("--hypothesis-seed")
    seed = int(given) % 2**32 if given and str(given).isdigit() else 0
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - for code that uses NumPy's global generator
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


@pytest.fixture(autouse=True)
def plugins_of_the_test() -> Iterator[None]:
    """Forget which plugins a test loaded, because striate loads those in the processes that it starts."""
    before = dict(plugins._loaded)
    yield
    plugins._loaded.clear()
    plugins._loaded.update(before)


@pytest.fixture(scope="session")
def forked_python() -> ForkedPython:
    """Processes of Python that need not import PyTorch each."""
    return shared_python()


@pytest.fixture
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, for tests about packing itself."""
    cache = tmp_path_factory.mktemp("own-cache")
    monkeypatch.setenv("STRIATE_CACHE", str(cache))
    return cache


@pytest.fixture
def recording() -> Recording:
    """A small pre-training recording."""
    return small_recording()


@pytest.fixture
def competition_recording() -> Recording:
    """A small competition recording of track Sensorium+: test responses withheld."""
    return small_recording("8-1-1", final_images=4, withhold=True, seed=1)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of archives, published weights and golden values that no test may do without silently."""
    folder = Path(os.environ.get("STRIATE_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "FACTS.md").exists():
        pytest.skip(f"no shared material in {folder} (set STRIATE_SHARED)")
    return folder
