"""Results of a zoo and of a low-data curve that have run."""

from pathlib import Path

import pytest
import tomli_w
from tests.fixtures.recordings import small_recording
from tests.sweeps.in_process import InProcess
from tests.training.small import TABLES

import striate
from striate.recordings import Recording
from striate.zoo import ZooResults, run_curve, run_zoo

ONE_EPOCH = {"schedule.max_epochs": 2, "schedule.patience": 1}


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two recipes: ``tiny``, of the image alone, and ``tiny-behavior``."""
    folder = tmp_path_factory.mktemp("zoo")
    (folder / "tiny.toml").write_text(tomli_w.dumps(TABLES | {"description": "A tiny model."}))
    data = {**TABLES["data"], "behavior": True, "pupil_center": True}
    model = {**TABLES["model"], "shifter": {"type": "mlp"}}
    (folder / "tiny-behavior.toml").write_text(tomli_w.dumps(TABLES | {"data": data, "model": model}))
    return folder


@pytest.fixture(scope="session")
def mouse(place: Path) -> Recording:
    return striate.open(striate.write(small_recording(), place / "mouse.zip"))


@pytest.fixture(scope="session")
def other(place: Path) -> Recording:
    return striate.open(striate.write(small_recording("8-1-1", seed=1), place / "other.zip"))


@pytest.fixture(scope="session")
def results(place: Path, mouse: Recording) -> ZooResults:
    recipes = [str(place / "tiny.toml"), str(place / "tiny-behavior.toml")]
    return run_zoo(
        [mouse], place / "out", recipes=recipes, seeds=2, test=True, ensembles=True, overrides=ONE_EPOCH, executor=InProcess(),
        progress=False,
    )  # fmt: skip


@pytest.fixture(scope="session")
def curve(place: Path, mouse: Recording, other: Recording) -> ZooResults:
    return run_curve(
        str(place / "tiny.toml"), [mouse], place / "curve", images=(10, 900), core_recordings=[other], seeds=2,
        overrides=ONE_EPOCH, executor=InProcess(), progress=False,
    )  # fmt: skip
