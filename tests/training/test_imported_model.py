"""A model that the recipe names by its module: ``[model] type = "my_lab.models:Net"``."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fixtures.recordings import small_recording
from tests.training.small import TABLES

from striate.errors import InputError
from striate.training import Run, predict, train

CODE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, inputs, width=4):
        super().__init__()
        channels, height, width_ = inputs.image_shape
        self.core = nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width_, width))
        self.readouts = nn.ModuleDict({s: nn.Linear(width, n) for s, n in inputs.neurons.items()})

    def forward(self, batch):
        return nn.functional.softplus(self.readouts[batch.session](self.core(batch.images)))
"""
RECORDINGS = [small_recording("1-1-1", neurons=6, training=32), small_recording("2-1-1", neurons=4, training=32)]
RECIPE: dict[str, Any] = {**TABLES, "model": {"type": "lab_of_mine:Net", "width": 3}, "schedule": {"max_epochs": 1}}


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "code").mkdir()
    path = tmp_path / "code" / "lab_of_mine.py"
    path.write_text(CODE)
    monkeypatch.syspath_prepend(str(path.parent))
    yield path
    sys.modules.pop("lab_of_mine", None)


def test_it_is_trained_saved_and_loaded(tmp_path: Path) -> None:
    run = train(RECIPE, RECORDINGS, tmp_path / "run", progress=False)
    encoder = run.encoder()
    assert type(encoder).__name__ == "Net"
    assert encoder.core[1].out_features == 3  # type: ignore[index, union-attr]
    again = train(RECIPE, RECORDINGS, tmp_path / "again", progress=False)
    values = [predict(each, RECORDINGS[1], "validation").values for each in (run, again)]
    assert values[0].shape[1] == 4
    np.testing.assert_array_equal(*values, err_msg="the seed decides the initial weights")
    images = np.zeros((2, *RECORDINGS[0].image_shape), np.uint8)
    assert run.respond(images, recording="1-1-1").shape == (2, 6)
    (entry,) = run.provenance["plugins"]
    assert (entry["kind"], entry["name"], entry["module"]) == ("models", "lab_of_mine:Net", "lab_of_mine")


def test_its_core_cannot_be_reused(tmp_path: Path) -> None:
    run = train(RECIPE, RECORDINGS[0], tmp_path / "run", progress=False)
    with pytest.raises(InputError, match="holds a Net, which has no core that can be reused"):
        train(RECIPE, RECORDINGS[1], tmp_path / "new", core=run)


def test_without_its_code_a_run_says_what_to_load(tmp_path: Path, lab: Path) -> None:
    train(RECIPE, RECORDINGS[0], tmp_path / "run", progress=False)
    del sys.modules["lab_of_mine"]
    with pytest.raises(
        InputError, match=r"needs the plugin lab_of_mine, which has the model 'lab_of_mine:Net': load it first"
    ):
        Run.open(tmp_path / "run")
    assert "lab_of_mine" not in sys.modules, "no code is executed"


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ({"type": "lab_of_mine:Nett"}, "lab_of_mine has no 'Nett': did you mean 'Net'"),
        ({"type": "lab_of_mine:Net", "wdth": 3}, "lab_of_mine:Net cannot be made .*wdth"),
        ({"type": "no_lab:Net"}, "There is no module 'no_lab'"),
    ],
)
def test_what_cannot_be_built_is_one_sentence(model: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        train({**RECIPE, "model": model}, RECORDINGS[0], tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()
