"""A module of one's own in the trainer: trained, killed, resumed, loaded, predicting."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.fixtures.recordings import small_recording
from tests.training.small import TABLES, small_recipe
from torch import nn

import striate
from striate.data import Batch
from striate.errors import InputError
from striate.training import Run, Trainer, load_recipe, predict, train

RECORDING = small_recording(neurons=6, training=48)
SESSION = RECORDING.session


class Net(nn.Module):
    """With batch normalisation, dropout, tied weights and a penalty: all that a trainer can get wrong."""

    def __init__(self, neurons: int = 6) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.core = nn.Sequential(nn.Conv2d(1, 4, 5), nn.BatchNorm2d(4), nn.ELU(), nn.Dropout(0.2))
            self.readout = nn.Linear(4 * 14 * 28, neurons)
        self.tied = self.readout.weight

    def forward(self, batch: Batch) -> torch.Tensor:
        return nn.functional.softplus(self.readout(self.core(batch.images).flatten(1)))

    def regulariser(self, session: str) -> torch.Tensor:
        return 1e-3 * self.readout.weight.abs().sum()


def weights(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.folder / "weights.safetensors")


def killed_after(steps: int, monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any]) -> None:
    class Killed(BaseException):
        pass

    step, taken = Trainer._step, iter(range(1000))

    def counted(self: Trainer, rounds: Any) -> float:
        if next(taken) == steps:
            raise Killed
        return step(self, rounds)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Trainer, "_step", counted)
        call()


@pytest.mark.slow
def test_a_module_is_trained_and_predicts(tmp_path: Path) -> None:
    module = Net()
    run = train(
        small_recipe(schedule__learning_rate=0.003), RECORDING, tmp_path / "run", encoder=module, progress=False
    )
    assert run.finished
    assert {p.name for p in run.folder.iterdir()} >= {"weights.safetensors", "history.parquet", "tensorboard"}
    assert run.recipe.model.type == "own"
    assert run.provenance["module"]["class"] == "Net"
    assert run.history["loss"].iloc[-1] < run.history["loss"].iloc[1], "it learns"
    loaded = run.encoder(Net())
    assert not loaded.training
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in module.state_dict().items())
    predictions = predict(run, RECORDING, "validation", encoder=Net())
    same = predict(module, RECORDING, "validation", data=run.recipe.data)
    np.testing.assert_allclose(predictions.values, same.values, rtol=1e-6)
    images = np.random.default_rng(0).integers(0, 255, (3, *RECORDING.image_shape), dtype=np.uint8)
    rates = run.respond(images, encoder=Net())
    assert rates.shape == (3, 6)
    assert rates.columns.tolist() == RECORDING.unit_ids.tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"schedule__ema_decay": 0.8, "optimiser__accumulate_steps": 2, "compute__neurons_per_step": 4},
        {"optimiser__type": "schedule_free_adamw", "schedule__type": "constant"},
    ],
    ids=["plain", "average, accumulation, some neurons", "schedule-free"],
)
def test_killed_it_ends_with_the_same_weights(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small_recipe(
        schedule__learning_rate=0.003, schedule__patience=1, compute__checkpoint_minutes=1e-9, **settings
    )
    start = lambda name: train(recipe, RECORDING, tmp_path / name, encoder=Net(), progress=False)  # noqa: E731
    whole = start("whole")
    for steps in (3, 1):
        killed_after(steps, monkeypatch, lambda: start("killed"))
    again = start("killed")
    assert all(torch.equal(value, weights(again)[name]) for name, value in weights(whole).items())
    assert again.history["validation_correlation"].equals(whole.history["validation_correlation"])


@pytest.mark.slow
def test_modules_see_behaviour_and_eye_position_and_several_recordings(tmp_path: Path) -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gains = nn.ParameterDict({"1-1-1": torch.zeros(5, 6), "2-1-1": torch.zeros(5, 4)})

        def forward(self, batch: Batch) -> torch.Tensor:
            assert batch.behavior is not None
            assert batch.pupil_center is not None
            return torch.exp(torch.cat([batch.behavior, batch.pupil_center], dim=1) @ self.gains[batch.session])

    recordings = [small_recording("1-1-1", neurons=6), small_recording("2-1-1", neurons=4)]
    recipe = {**TABLES, "data": {**TABLES["data"], "behavior": True, "behavior_planes": False, "pupil_center": True}}
    run = train(recipe, recordings, tmp_path / "run", encoder=Both(), progress=False)
    assert run.protocol == "image + behaviour"
    assert predict(run, recordings[1], "validation", encoder=Both()).values.shape[1] == 4


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"encoder": Net}, "encoder is the class Net; expected a torch.nn.Module: give an object of it"),
        ({"encoder": print}, "encoder is builtin_function_or_method; expected a torch.nn.Module"),
        ({"encoder": nn.Flatten()}, "The module Flatten has no parameters to train"),
        ({"encoder": Net(), "core": "run"}, "encoder has its own core|no run"),
        ({"encoder": Net(), "recipe": {"initialisation": {"positions": "retinotopy"}}},
         "initialisation.positions = 'retinotopy' needs an encoder of striate, and the model is a Net: set"),
        ({"encoder": Net(), "recipe": {"initialisation": {"biases": "mean"}}}, "initialisation.biases = 'mean' needs"),
        ({"encoder": Net(neurons=9)}, r"rates of shape \(8, 9\) for recording 7-1-1; a batch of 8 trials and 6 neurons"),
        ({"recipe": {"model": {"type": "own"}}}, "This recipe is for a module of one's own"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_one_sentence(options: dict[str, Any], says: str, tmp_path: Path) -> None:
    arguments = {"recipe": {}, "recordings": RECORDING, "out": tmp_path / "run", "progress": False, **options}
    arguments["recipe"] = load_recipe({**TABLES, **arguments["recipe"]})
    with pytest.raises(InputError, match=says):
        train(**arguments)
    assert not (tmp_path / "run").exists()


def test_a_failed_replacement_leaves_the_old_run(tmp_path: Path) -> None:
    run = train(small_recipe(schedule__max_epochs=1), RECORDING, tmp_path / "run", progress=False)
    recipe = small_recipe(initialisation__biases="mean")
    with pytest.raises(InputError, match=r"initialisation\.biases"):
        train(recipe, RECORDING, tmp_path / "run", encoder=Net(), overwrite=True, progress=False)
    assert Run.open(run.folder).finished


def test_lazy_modules_are_initialised(tmp_path: Path) -> None:
    class Lazy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.LazyLinear(6)

        def forward(self, batch: Batch) -> torch.Tensor:
            return nn.functional.softplus(self.layer(batch.images.flatten(1)))

    assert train(small_recipe(schedule__max_epochs=1), RECORDING, tmp_path / "run", encoder=Lazy(), progress=False)


def test_without_the_module_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    run = train(small_recipe(schedule__max_epochs=1), RECORDING, tmp_path / "run", encoder=Net(), progress=False)
    says = r"was trained with a module of one's own \(Net\): make one, and give it: run.encoder\(module\), or encoder=module"
    images = np.zeros((1, *RECORDING.image_shape), np.uint8)
    for use in (run.encoder, lambda: predict(run, RECORDING, "validation"), lambda: run.respond(images)):
        with pytest.raises(InputError, match=says):
            use()
    with pytest.raises(InputError, match="was trained with a module of one's own"):
        train(small_recipe(), RECORDING, tmp_path / "new", core=run)
    with pytest.raises(InputError, match=r"has shape|lacks|holds"):
        run.encoder(Net(neurons=9))
    with pytest.raises(InputError, match="it is the module of a run"):
        predict(Net(), RECORDING, "validation", encoder=Net())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run.encoder(Net())
    run.provenance["module"]["sha256"] = "0" * 64  # type: ignore[index]
    striate.training.run_folder.write_json(run.folder / "provenance.json", run.provenance)
    with pytest.warns(UserWarning, match=r"The code of Net .* has changed since"):
        run.encoder(Net())


def test_an_unfinished_run_goes_on_with_the_same_class_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_after(
        1, monkeypatch, lambda: train(small_recipe(), RECORDING, tmp_path / "run", encoder=Net(), progress=False)
    )

    class Other(Net):
        pass

    with pytest.raises(InputError, match=r"its module is Net there and .*Other now"):
        train(small_recipe(), RECORDING, tmp_path / "run", encoder=Other(), progress=False)
