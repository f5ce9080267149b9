"""Conformance suites for optimisers and learning-rate schedules."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from striate._internal.safe_parsing import parse_json
from striate.registry import optimisers, schedules
from striate.testing.settings_changes import assert_every_setting_has_an_effect
from striate.training import OptimiserSettings, Schedule, ScheduleSettings, checkpoints
from striate.training.early_stopping import EarlyStopping
from striate.training.optimisers import build_optimiser, evaluation_weights, set_learning_rate

_STEPS = 20  # of an epoch


class OptimiserTests:
    """Test suite for an optimiser: derive a class from it in a test module, name the optimiser, and run pytest.

    ::

        from striate.testing import OptimiserTests

        class TestMomentum(OptimiserTests):
            settings = {"type": "momentum"}

    Attributes
    ----------
    settings
        Settings of the optimiser, with the key ``type``.
    learning_rate
        Learning rate with which 50 steps reduce the loss of a linear regression.
    other_values
        Other values of settings for which the suite cannot guess one: name of the setting → value.
    without_effect
        Names of settings that do not change the weights.
    """

    settings: ClassVar[Mapping[str, Any]] = {}
    learning_rate: ClassVar[float] = 0.01
    other_values: ClassVar[Mapping[str, Any]] = {}
    without_effect: ClassVar[frozenset[str]] = frozenset()

    def module(self) -> nn.Module:
        """Return a small model of two layers, ``core`` and ``readout``, the same each time."""
        torch.manual_seed(0)
        return nn.ModuleDict({"core": nn.Linear(4, 8), "readout": nn.Linear(8, 3)})

    def build(self, module: nn.Module, settings: Any = None, **factors: float) -> Optimizer:
        """Build the optimiser of a module, with factors of the learning rate by part."""
        chosen: Any = optimisers.settings(self.settings) if settings is None else settings
        return build_optimiser(chosen, module, self.learning_rate, factors or None)

    def step(self, module: Any, optimiser: Optimizer, learning_rate: float | None = None, seed: int = 0) -> float:
        """Take one step of a regression, and return the loss before it."""
        set_learning_rate(optimiser, self.learning_rate if learning_rate is None else learning_rate)
        inputs = torch.randn(16, 4, generator=torch.Generator().manual_seed(seed))
        targets = inputs[:, :3] - 2 * inputs[:, 1:]
        optimiser.zero_grad()
        loss = (module["readout"](module["core"](inputs)) - targets).square().mean()
        loss.backward()
        optimiser.step()
        return float(loss.detach())

    def test_settings_derive_from_optimiser_settings(self) -> None:
        """The class of the settings derives from `OptimiserSettings`."""
        assert isinstance(optimisers.settings(self.settings), OptimiserSettings)

    def test_steps_reduce_the_loss(self) -> None:
        """After 50 steps the loss is smaller, with the weights that are evaluated as well."""
        module = self.module()
        optimiser = self.build(module)
        losses = [self.step(module, optimiser) for _ in range(50)]
        assert losses[-1] < losses[0]
        with evaluation_weights(optimiser):
            weights = [parameter.detach().clone() for parameter in module.parameters()]
        assert all(torch.isfinite(each).all() for each in weights)

    def test_the_learning_rate_of_each_group_is_used(self) -> None:
        """With a learning rate of 0, weights stay the same; with a factor for a part, it is that part's alone."""
        module = self.module()
        optimiser = self.build(module, core=0.0)
        before = {name: value.clone() for name, value in module.state_dict().items()}
        self.step(module, optimiser, learning_rate=0.0)
        for name, value in module.state_dict().items():
            torch.testing.assert_close(value, before[name], msg=f"{name} changed at a learning rate of 0")
        self.step(module, optimiser)
        self.step(module, optimiser)
        for name, value in module.state_dict().items():
            same = torch.allclose(value, before[name])
            assert same == name.startswith("core."), f"the factor of the learning rate does not apply to {name}"

    def test_a_checkpoint_continues_with_the_same_weights(self, tmp_path: Path) -> None:
        """Training that resumes from a checkpoint ends with exactly the same weights as without interruption."""
        whole = self.module()
        optimiser = self.build(whole)
        for seed in range(6):
            if seed == 3:
                checkpoints.write(tmp_path / "c.safetensors", whole, None, {}, optimiser, checkpoints.TrainingState())
            self.step(whole, optimiser, seed=seed)
        resumed = self.module()
        again = self.build(resumed)
        checkpoints.read(tmp_path / "c.safetensors", resumed, None, again)
        for seed in range(3, 6):
            self.step(resumed, again, seed=seed)
        for name, value in whole.state_dict().items():
            assert torch.equal(value, resumed.state_dict()[name]), name

    def test_evaluation_leaves_the_training_alone(self) -> None:
        """An evaluation between two steps changes neither the weights nor the steps that follow."""
        one, other = self.module(), self.module()
        first, second = self.build(one), self.build(other)
        for seed in range(4):
            self.step(one, first, seed=seed)
            self.step(other, second, seed=seed)
            with evaluation_weights(second):
                pass
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name]), name

    def test_every_setting_has_an_effect(self) -> None:
        """Changing a setting of the optimiser changes the weights after a few steps."""
        common = frozenset(OptimiserSettings.model_fields)  # what the trainer does for every optimiser
        assert_every_setting_has_an_effect(
            optimisers, self.settings, self.other_values, self.without_effect | common, self._behaviour
        )

    def _behaviour(self, settings: Any) -> Iterator[Tensor]:
        module = self.module()
        optimiser = self.build(module, settings)
        for seed in range(5):
            self.step(module, optimiser, seed=seed)
            with evaluation_weights(optimiser):
                yield from [parameter.detach().clone() for parameter in module.parameters()]


class ScheduleTests:
    """Test suite for a learning-rate schedule: derive a class from it in a test module, name the schedule, and run pytest.

    ::

        from striate.testing import ScheduleTests

        class TestExponential(ScheduleTests):
            settings = {"type": "exponential"}

    Attributes
    ----------
    settings
        Settings of the schedule, with the key ``type``.
    other_values
        Other values of settings for which the suite cannot guess one: name of the setting → value.
    without_effect
        Names of settings that do not change the learning rate.
    """

    settings: ClassVar[Mapping[str, Any]] = {}
    other_values: ClassVar[Mapping[str, Any]] = {}
    without_effect: ClassVar[frozenset[str]] = frozenset()

    def build(self, settings: Any = None) -> Schedule:
        """Build the schedule."""
        schedule: Schedule = schedules.build(schedules.settings(self.settings) if settings is None else settings)
        return schedule

    def validations(self) -> list[float]:
        """Return validation correlations of epochs: they rise, stand still, rise again and fall."""
        return [0.1, 0.2, 0.3, *[0.3] * 14, 0.4, 0.5, *[0.45] * 30]

    def test_settings_derive_from_schedule_settings(self) -> None:
        """The class of the settings derives from `ScheduleSettings`."""
        assert isinstance(schedules.settings(self.settings), ScheduleSettings)

    def test_learning_rates_are_not_negative(self) -> None:
        """Learning rates are finite and ≥ 0, and not all of them 0."""
        rates = torch.stack(list(self._behaviour(schedules.settings(self.settings))))
        assert torch.isfinite(rates).all()
        assert (rates >= 0).all()
        assert rates.any()

    def test_asking_for_the_learning_rate_changes_nothing(self) -> None:
        """The learning rate of a step is the same each time, in whichever order steps are asked for."""
        schedule = self.build()
        forwards = [schedule.learning_rate(0, step, _STEPS) for step in range(_STEPS)]
        assert forwards == [schedule.learning_rate(0, step, _STEPS) for step in reversed(range(_STEPS))][::-1]

    def test_a_checkpoint_continues_with_the_same_learning_rates(self) -> None:
        """A schedule whose state is saved after each epoch and loaded into a new one goes on in the same way."""
        whole, stopped = self.build(), self.build()
        early_stopping = EarlyStopping(whole.settings)
        early_stopping.start(0.0)
        for epoch, validation in enumerate(self.validations()):
            for step in range(_STEPS):
                assert whole.learning_rate(epoch, step, _STEPS) == stopped.learning_rate(epoch, step, _STEPS)
            early_stopping.update(validation)
            assert whole.update(early_stopping) == stopped.update(early_stopping)
            state: Any = parse_json(json.dumps(dict(stopped.state())))
            stopped = self.build()
            stopped.load_state(state)
            assert whole.finished == stopped.finished
            if whole.finished:
                break

    def test_a_restart_begins_anew(self) -> None:
        """After `restart`, the first learning rate is that of a new schedule."""
        schedule = self.build()
        first = schedule.learning_rate(0, 0, _STEPS)
        early_stopping = EarlyStopping(schedule.settings)
        for epoch, validation in enumerate(self.validations()[:5]):
            schedule.learning_rate(epoch, 0, _STEPS)
            early_stopping.update(validation)
            schedule.update(early_stopping)
        schedule.restart(5)
        assert not schedule.finished
        assert schedule.learning_rate(5, 0, _STEPS) == first

    def test_every_setting_has_an_effect(self) -> None:
        """Changing a setting of the schedule changes the learning rates, or when training ends."""
        common = frozenset(ScheduleSettings.model_fields) - {"learning_rate"}  # those of early stopping
        assert_every_setting_has_an_effect(
            schedules, self.settings, self.other_values, self.without_effect | common, self._behaviour
        )

    def _behaviour(self, settings: Any) -> Iterator[Tensor]:
        schedule, early_stopping = self.build(settings), EarlyStopping(settings)
        early_stopping.start(0.0)
        for epoch, validation in enumerate(self.validations()):
            yield torch.tensor([schedule.learning_rate(epoch, step, _STEPS) for step in range(_STEPS)])
            early_stopping.update(validation)
            schedule.update(early_stopping)
            if schedule.finished:
                break
