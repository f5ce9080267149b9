"""Stochastic weight averaging: the mean of the ends of epochs, with its own batch statistics, kept where it is better."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe
from torch import nn

from striate.data import loaders
from striate.errors import InputError
from striate.metrics import single_trial_correlation
from striate.training import Callback, Run, predict, train
from striate.training.interrupt_signals import TrainingStopped
from striate.training.trainer import Trainer
from striate.training.weight_averages import update_batch_statistics

SETTINGS: dict[str, Any] = {
    "schedule__swa_start": 3,
    "schedule__max_epochs": 7,
    "schedule__type": "constant",
    "schedule__learning_rate": 0.02,
    "schedule__patience": 9,
    "compute__checkpoint_minutes": 1e-9,
}


class Ends(Callback):
    """Keeps the weights at the end of each epoch, and their mean."""

    def __init__(self) -> None:
        self.weights: list[dict[str, torch.Tensor]] = []
        self.better: list[bool] = []
        self.mean: dict[str, torch.Tensor] = {}

    def on_step(self, trainer: Trainer) -> None:
        if trainer.step == trainer.steps:
            self.weights.append({name: value.clone() for name, value in trainer.encoder.state_dict().items()})

    def on_epoch(self, trainer: Trainer) -> None:
        assert trainer._average is not None
        self.mean = {name: value.clone() for name, value in trainer._average.module.state_dict().items()}
        self.better.append(trainer._average_is_better)


@pytest.fixture(scope="module")
def averaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Ends]:
    ends = Ends()
    folder = tmp_path_factory.mktemp("averaged") / "run"
    return train(small_recipe(**SETTINGS), small_recording(), folder, callbacks=[ends], progress=False, seed=2), ends


def test_it_is_the_mean_of_the_ends_of_epochs(averaged: tuple[Run, Ends]) -> None:
    run, ends = averaged
    parameters = dict(run.encoder().named_parameters())
    for name in parameters:
        expected = torch.stack([weights[name] for weights in ends.weights[2:]]).mean(0)
        torch.testing.assert_close(ends.mean[name], expected)
    variances = [name for name in ends.mean if name.endswith("running_var")]
    assert variances
    assert not torch.allclose(
        ends.mean[variances[0]], torch.stack([weights[variances[0]] for weights in ends.weights[2:]]).mean(0), rtol=1e-4
    ), "statistics of the averaged weights"


def test_the_better_of_both_is_validated_and_kept(averaged: tuple[Run, Ends], tmp_path: Path) -> None:
    run, ends = averaged
    plain = train(small_recipe(**SETTINGS | {"schedule__swa_start": 0}), small_recording(), tmp_path / "run", seed=2)
    assert run.history["loss"].equals(plain.history["loss"]), "each step is the same"
    column = "validation_correlation"
    gains = (run.history[column] - plain.history[column]).to_numpy()[1:]
    assert not any(ends.better[:3])
    assert any(better and improved for better, improved in zip(ends.better, run.history["improved"][1:], strict=True))
    assert [gain > 0 for gain in gains] == ends.better
    data = loaders(small_recording(), run.recipe.data, tiers=("validation",))
    predicted = predict(run, small_recording(), "validation").values
    correlation = np.nan_to_num(single_trial_correlation(data.responses("validation"), predicted)).mean()
    assert correlation == pytest.approx(run.history[column].max(), abs=1e-6)


class Killed(BaseException):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["step", "first validation", "second validation"])
def test_interrupted_it_ends_with_the_same_bits(
    averaged: tuple[Run, Ends], moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = lambda: train(small_recipe(**SETTINGS), small_recording(), tmp_path / "run", progress=False, seed=2)  # noqa: E731
    with monkeypatch.context() as patch:
        if moment == "step":
            step = Trainer._step

            def dies(trainer: Trainer, rounds: Any) -> float:
                if (trainer.epoch, trainer.step) == (3, 1):
                    raise Killed
                return step(trainer, rounds)

            patch.setattr(Trainer, "_step", dies)
        else:
            validate = Trainer._validation_correlation

            def stops(trainer: Trainer) -> float:
                if trainer.epoch == 3 and trainer._average_is_better == (moment == "second validation"):
                    raise TrainingStopped(resumable=True)
                return validate(trainer)

            patch.setattr(Trainer, "_validation_correlation", stops)
        with pytest.raises(BaseException):  # noqa: B017, PT011 - what is raised depends on the moment
            start()
    resumed, whole = start(), averaged[0]
    weights = whole.encoder().state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in resumed.encoder().state_dict().items())
    assert resumed.history["validation_correlation"].equals(whole.history["validation_correlation"])


def test_frozen_statistics_are_kept() -> None:
    class Frozen(nn.BatchNorm1d):
        def train(self, mode: bool = True) -> "Frozen":
            return super().train(False)

    module = nn.Sequential(Frozen(1), nn.BatchNorm1d(1))
    update_batch_statistics(module, [torch.tensor([[2.0], [4.0]])], module)
    frozen, new = module[0], module[1]
    assert isinstance(frozen, nn.BatchNorm1d)
    assert isinstance(new, nn.BatchNorm1d)
    assert frozen.running_mean is not None
    assert new.running_mean is not None
    assert frozen.running_mean.item() == 0
    assert new.running_mean.item() == pytest.approx(3, abs=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"schedule__ema_decay": 0.9, "schedule__swa_start": 1}, "ema_decay and swa_start both average the weights"),
        (
            {"schedule__swa_start": 3},
            "swa_start = 3 leaves fewer than two of max_epochs = 3 epochs to average; lower it",
        ),
        ({"schedule__swa_start": -1}, "swa_start"),
    ],
)
def test_a_mistake_is_one_sentence(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small_recipe(**settings)
