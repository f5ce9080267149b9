"""A training with augmentations: they have an effect, and a run that was killed goes on with the same images."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.fixtures.recordings import small_recording
from tests.training.small import TABLES

from striate.training import Callback, load_recipe, train
from striate.training.trainer import Trainer

AUGMENTED = {
    **TABLES,
    "data": {**TABLES["data"], "augmentations": [{"type": "translate", "pixels": 2}, {"type": "gaussian_noise"}]},
}


class Killed(BaseException):
    """Nothing may catch it, as nothing catches a kill."""


class Kills(Callback):
    def on_step(self, trainer: Trainer) -> None:
        if trainer.epoch == 1:
            raise Killed


def same_weights(first: Path, second: Path) -> bool:
    one, other = (load_file(folder / "weights.safetensors") for folder in (first, second))
    return all(torch.equal(values, other[name]) for name, values in one.items())


def test_augmentations_change_a_run_and_survive_a_kill(tmp_path: Path) -> None:
    recording, recipe = small_recording(), load_recipe(AUGMENTED)
    train(recipe, recording, tmp_path / "whole", progress=False, seed=1)
    with pytest.raises(Killed):
        train(recipe, recording, tmp_path / "killed", progress=False, seed=1, callbacks=[Kills()])
    torch.manual_seed(7)  # the state of the process does not matter
    run = train(recipe, recording, tmp_path / "killed", progress=False, seed=1)
    assert same_weights(tmp_path / "killed", tmp_path / "whole")
    assert [each.type for each in run.recipe.data.augmentations] == ["translate", "gaussian_noise"]
    train(load_recipe(TABLES), recording, tmp_path / "plain", progress=False, seed=1)
    assert not same_weights(tmp_path / "plain", tmp_path / "whole")
