"""A recording on disk, and a folder of jobs that have run."""

import pytest
from tests.fixtures.recordings import small_recording
from tests.sweeps.in_process import InProcess
from tests.training.small import TABLES

import striate
from striate.recordings import Recording
from striate.sweeps import Job, JobResult, run_jobs
from striate.training import load_recipe


@pytest.fixture(scope="session")
def mouse(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A small recording that other processes can open."""
    return striate.open(striate.write(small_recording(), tmp_path_factory.mktemp("mouse") / "mouse.zip"))


@pytest.fixture(scope="session")
def two_jobs(mouse: Recording) -> list[Job]:
    recipe = load_recipe(TABLES, {"schedule.max_epochs": 1})
    return [Job(f"a-seed{seed}", recipe, [mouse], seed) for seed in range(2)]


@pytest.fixture(scope="session")
def two_results(two_jobs: list[Job], tmp_path_factory: pytest.TempPathFactory) -> list[JobResult]:
    return run_jobs(two_jobs, tmp_path_factory.mktemp("jobs"), test=True, executor=InProcess(), progress=False)
