"""The loop: what callbacks see and may do, random numbers that belong to a batch, and losses of some of the neurons."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe
from torch import nn

from striate.data import Batch, loaders
from striate.errors import InputError
from striate.recordings import Recording
from striate.registry import Settings, callbacks
from striate.training import Callback, Recipe, Run, Trainer, train

RECORDING = small_recording(neurons=6, training=32)


def trainer_of(recipe: Recipe, module: nn.Module, *recordings: Recording) -> Trainer:
    data = loaders(list(recordings) or [RECORDING], recipe.data, tiers=("train", "validation"), seed=0)
    fabric = Fabric(accelerator="cpu", devices=1)
    return Trainer(recipe, module, data, seed=0, fabric=fabric, checkpoint=Path("none/none"))


class Noted(Callback):
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.count = 0

    def on_start(self, trainer: Trainer) -> None:
        assert trainer.history[-1]["epoch"] == trainer.epoch
        self.calls.append("resume" if trainer.resumed else "start")

    def on_step(self, trainer: Trainer) -> None:
        assert 0 < trainer.step <= trainer.steps
        assert np.isfinite(trainer.loss)
        self.count += 1
        self.calls.append(f"step {trainer.epoch}.{trainer.step}")

    def on_epoch(self, trainer: Trainer) -> None:
        row = trainer.history[-1]
        assert (row["epoch"], row["loss"]) == (trainer.epoch, trainer.loss)
        assert row["validation_correlation"] == trainer.validation_correlation
        assert row["improved"] == trainer.early_stopping.improved
        self.calls.append(f"epoch {trainer.epoch}")

    def on_end(self, trainer: Trainer) -> None:
        self.calls.append("finished" if trainer.finished else "ended")

    def state(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state(self, state: Any) -> None:
        self.count = state["count"]


def test_callbacks_see_the_course_of_a_training(tmp_path: Path) -> None:
    noted = Noted()
    train(small_recipe(schedule__max_epochs=2), RECORDING, tmp_path / "run", progress=False, callbacks=[noted])
    steps = [f"step {epoch}.{step}" for epoch in (0, 1) for step in (1, 2)]
    assert noted.calls == ["start", *steps[:2], "epoch 1", *steps[2:], "epoch 2", "finished"]


def test_a_callback_keeps_its_state_over_a_kill(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    class Kills(Callback):
        def on_step(self, trainer: Trainer) -> None:
            if trainer.epoch == 1:
                raise Killed

    recipe = small_recipe(schedule__max_epochs=3)
    first, second = Noted(), Noted()
    with pytest.raises(Killed):
        train(recipe, RECORDING, tmp_path / "run", progress=False, callbacks=[first, Kills()])
    assert first.calls[-2:] == ["step 1.1", "ended"]
    train(recipe, RECORDING, tmp_path / "run", progress=False, callbacks=[second])
    assert second.calls[0] == "resume"
    assert second.count == 6, "the step after the checkpoint is counted once"


def test_a_callback_may_end_training_and_restore_weights(tmp_path: Path) -> None:
    class Stops(Callback):
        def on_epoch(self, trainer: Trainer) -> None:
            if trainer.epoch == 2:
                trainer.restore_best()
                trainer.stop()

    run = train(small_recipe(schedule__max_epochs=9), RECORDING, tmp_path / "run", progress=False, callbacks=[Stops()])
    assert run.provenance["epochs"] == 2
    assert run.history["restored"].tolist()[2]


@pytest.fixture
def plugin() -> Iterator[list[str]]:
    said: list[str] = []

    class TellSettings(Settings):
        word: str = "epoch"

    @callbacks.register("tell", settings=TellSettings)
    class Tell(Callback):
        def __init__(self, settings: TellSettings) -> None:
            self.settings = settings

        def on_epoch(self, trainer: Trainer) -> None:
            said.append(f"{self.settings.word} {trainer.epoch}")

    @callbacks.register("plain")
    class Plain(Callback):
        def on_end(self, trainer: Trainer) -> None:
            said.append("end")

    yield said
    callbacks.forget(__name__)


@pytest.mark.slow
def test_callbacks_are_chosen_by_name(tmp_path: Path, plugin: list[str]) -> None:
    recipe = small_recipe(schedule__max_epochs=1)
    train(recipe, RECORDING, tmp_path / "a", progress=False, log=["tell", "plain"])
    train(recipe, RECORDING, tmp_path / "b", progress=False, log=[{"type": "tell", "word": "e"}])
    train(recipe, RECORDING, tmp_path / "c", progress=False, log="plain")
    assert plugin == ["epoch 1", "end", "e 1", "end"]


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"log": ["tel"]}, "There is no callback 'tel': did you mean 'tell'"),
        ({"log": [{"type": "tell", "word": 3}]}, "cannot be made.*word"),
        ({"callbacks": [Noted]}, "A callback is the class Noted; expected an object"),
        ({"callbacks": print}, "A callback is builtin_function_or_method; expected an object"),
    ],
)
def test_what_is_no_callback_is_refused(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        train(small_recipe(), RECORDING, tmp_path / "run", **options)
    assert list(tmp_path.iterdir()) == []


class Drawing(nn.Module):
    """Notes the random numbers that each batch gets."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(6))
        self.drawn: list[tuple[str, float]] = []

    def forward(self, batch: Batch) -> torch.Tensor:
        if self.training:
            self.drawn += [(batch.session, float(torch.rand(5)[index])) for index in (0,)]
        return torch.exp(self.weight).expand(len(batch), 6)


def test_random_numbers_belong_to_recording_epoch_and_batch() -> None:
    """They do not depend on what was drawn for other recordings, nor on how batches are grouped into steps."""
    one, other = small_recording("1-1-1", neurons=6, training=32), small_recording("2-1-1", neurons=6, training=32)
    drawn = []
    for settings in ({}, {"optimiser__accumulate_steps": 2}):
        module = Drawing()
        trainer = trainer_of(small_recipe(**settings), module, one, other)
        trainer._train_epoch()
        drawn.append(module.drawn)
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 4, "two batches of two recordings, each with its own numbers"
    alone = Drawing()
    trainer_of(small_recipe(), alone, one)._train_epoch()
    assert alone.drawn == [each for each in drawn[0] if each[0] == "1-1-1"]


class Counting(nn.Module):
    """Predicts all neurons, or those of the batch, whichever it is told."""

    def __init__(self, knows: bool) -> None:
        super().__init__()
        self.knows = knows
        self.weight = nn.Parameter(torch.zeros(6))
        self.asked: list[list[int]] = []

    def forward(self, batch: Batch) -> torch.Tensor:
        rates = torch.exp(self.weight).expand(len(batch), 6)
        if batch.neurons is None:
            return rates
        self.asked.append(batch.neurons.tolist())
        return rates[:, batch.neurons] if self.knows else rates


@pytest.mark.slow
def test_the_loss_of_some_neurons_estimates_that_of_all() -> None:
    recipe = small_recipe(compute__neurons_per_step=2)
    gradients = {}
    for knows in (True, False):
        module = Counting(knows)
        trainer = trainer_of(recipe, module)
        batch = next(iter(trainer.data.cycle("train", epoch=0)))[RECORDING.session]
        total = torch.zeros(6)
        for number in range(600):
            module.zero_grad()
            trainer._batch_loss(batch, (0, 0, number)).backward()
            assert module.weight.grad is not None
            assert (module.weight.grad != 0).sum() == 2
            total += module.weight.grad
        gradients[knows] = total / 600
        assert all(asked == sorted(set(asked)) and len(asked) == 2 for asked in module.asked)
    torch.testing.assert_close(gradients[True], gradients[False])
    whole = Counting(True)
    trainer_of(small_recipe(), whole)._batch_loss(batch, (0, 0, 0)).backward()
    # each neuron is drawn with probability 1/3: the standard error of its mean gradient is √2/√600 of the gradient
    np.testing.assert_allclose(gradients[True], whole.weight.grad, rtol=5 * np.sqrt(2 / 600))


@pytest.mark.slow
def test_neurons_are_drawn_anew_for_each_batch_and_the_same_after_a_kill(tmp_path: Path) -> None:
    def weights(run: Run) -> dict[str, torch.Tensor]:
        return load_file(run.folder / "weights.safetensors")

    recipe = small_recipe(compute__neurons_per_step=3, schedule__max_epochs=1)
    one, another = (weights(train(recipe, RECORDING, tmp_path / name, progress=False)) for name in ("a", "b"))
    assert all(torch.equal(one[name], another[name]) for name in one)
    everyone = weights(
        train(
            small_recipe(compute__neurons_per_step=6, schedule__max_epochs=1), RECORDING, tmp_path / "c", progress=False
        )
    )
    plain = weights(train(small_recipe(schedule__max_epochs=1), RECORDING, tmp_path / "d", progress=False))
    assert all(torch.equal(everyone[name], plain[name]) for name in plain)


def test_rates_of_another_shape_are_refused() -> None:
    class Wrong(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(5))

        def forward(self, batch: Batch) -> torch.Tensor:
            return self.weight.exp().expand(len(batch), 5)

    with pytest.raises(
        InputError, match=r"rates of shape \(16, 5\) for recording 7-1-1; a batch of 16 trials and 6 neurons"
    ):
        trainer_of(small_recipe(), Wrong())._train_epoch()
