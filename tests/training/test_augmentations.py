"""A training with augmentations: they have an effect, and a run that was killed goes on with the same batches."""

from pathlib import Path

import pytest
import torch
from tests.fixtures.recordings import small_recording
from tests.training.small import TABLES

from striate.training import Callback, Run, load_recipe, train
from striate.training.trainer import Trainer

CHOSEN = ["cutmix", "translate", "gaussian_noise"]
AUGMENTED = {
    **TABLES,
    "data": {
        **TABLES["data"],
        "augmentations": [{"type": each} | ({"shift_readout": True} if each == "translate" else {}) for each in CHOSEN],
    },
}


class Killed(BaseException):
    """Nothing may catch it, as nothing catches a kill."""


class Kills(Callback):
    def on_step(self, trainer: Trainer) -> None:
        if trainer.epoch == 1:
            raise Killed


def losses(run: Run) -> list[float]:
    return run.history["loss"].dropna().tolist()


def test_augmentations_change_a_run_and_survive_a_kill(tmp_path: Path) -> None:
    recording, recipe = small_recording(), load_recipe(AUGMENTED)
    whole = train(recipe, recording, tmp_path / "whole", progress=False, seed=1)
    with pytest.raises(Killed):
        train(recipe, recording, tmp_path / "killed", progress=False, seed=1, callbacks=[Kills()])
    torch.manual_seed(7)  # the state of the process does not matter
    resumed = train(recipe, recording, tmp_path / "killed", progress=False, seed=1)
    assert losses(resumed) == losses(whole)
    assert len(losses(whole)) == 3
    assert [each.type for each in resumed.recipe.data.augmentations] == CHOSEN
    plain = train(load_recipe(TABLES), recording, tmp_path / "plain", progress=False, seed=1)
    assert losses(plain)[0] != losses(whole)[0]
