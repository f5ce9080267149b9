"""Schedules of the learning rate, and those of one's own."""

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from tests.fixtures.recordings import small_recording
from tests.training.small import TABLES

from striate.errors import InputError
from striate.registry import schedules
from striate.training import Run, Schedule, load_recipe, train
from striate.training.recipe import ScheduleSettings
from striate.training.schedules import (
    ConstantSchedule,
    ConstantSettings,
    CosineSchedule,
    CosineSettings,
)


def trained(folder: Path, schedule: dict[str, Any], validations: list[float], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Train with made-up validation correlations."""
    from striate.training.trainer import Trainer

    given_ = iter(validations)
    monkeypatch.setattr(Trainer, "validate", lambda _: next(given_))
    recipe = load_recipe({**TABLES, "schedule": schedule})
    return train(recipe, small_recording(neurons=4, training=20), folder, progress=False)


@given(
    epochs=st.integers(1, 50),
    warmup=st.floats(0, 5),
    steps=st.integers(1, 20),
    final=st.floats(0, 1),
)
def test_cosine_rises_and_falls(epochs: int, warmup: float, steps: int, final: float) -> None:
    chosen = CosineSettings(learning_rate=0.1, max_epochs=epochs, warmup_epochs=warmup, final_factor=final)
    schedule = CosineSchedule(chosen)
    rates = [schedule.learning_rate(epoch, step, steps) for epoch in range(epochs) for step in range(steps)]
    assert all(0 <= rate <= 0.1 for rate in rates)
    top = rates.index(max(rates))
    assert all(a <= b + 1e-12 for a, b in pairwise(rates[: top + 1]))
    assert all(a >= b - 1e-12 for a, b in pairwise(rates[top:]))
    half = (epochs - warmup) / 2 + warmup
    if epochs > warmup:
        at_half = schedule.learning_rate(0, half * steps, steps)  # type: ignore[arg-type]
        assert at_half == pytest.approx(0.1 * (1 + final) / 2)


@given(warmup=st.integers(1, 5), steps=st.integers(1, 10))
def test_warm_up_is_linear_and_ends_at_the_rate(warmup: int, steps: int) -> None:
    schedule = ConstantSchedule(ConstantSettings(learning_rate=1.0, warmup_epochs=warmup))
    rates = [schedule.learning_rate(epoch, step, steps) for epoch in range(warmup + 1) for step in range(steps)]
    number = warmup * steps
    assert rates[:number] == pytest.approx([(i + 1) / number for i in range(number)])
    assert rates[number:] == [1.0] * steps


def test_cosine_changes_the_rate_at_each_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained(tmp_path / "run", {"type": "cosine", "max_epochs": 4, "learning_rate": 0.01}, [0.1] * 5, monkeypatch)
    rates = run.history["learning_rate"]
    # two steps an epoch, one epoch of warm-up; the rate of an epoch is that of its last step
    expected = [0.01 * (1 + math.cos(math.pi * done / 3)) / 2 for done in (0.5, 1.5, 2.5)]
    assert rates.tolist() == pytest.approx([0.005, 0.01, *expected])
    assert run.provenance["epochs"] == 4, "no epoch improved, and training went on nevertheless"


@pytest.mark.slow
def test_steps_restore_the_best_weights_between_periods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = {"type": "step", "periods": [4, 3, 2], "patience": 2, "learning_rate": 0.09}
    # the first period ends early, by a plateau; the second at its end, with an improvement; the third at its end
    validations = [0.0, 0.5, 0.4, 0.4, 0.4, 0.6, 0.7, 0.1, 0.8]
    run = trained(tmp_path / "run", schedule, validations, monkeypatch)
    history = run.history
    assert history["learning_rate"][1:].tolist() == pytest.approx([0.09] * 3 + [0.03] * 3 + [0.01] * 2)
    assert history["restored"].tolist() == [False, False, False, True, False, False, False, False, False]
    assert run.provenance["best_epoch"] == 8


def test_a_period_without_improvement_at_its_end_restores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = {"type": "step", "periods": [2, 2], "patience": 2, "lr_decay_factor": 0.5, "learning_rate": 0.1}
    run = trained(tmp_path / "run", schedule, [0.0, 0.5, 0.4, 0.4, 0.6], monkeypatch)
    assert run.history["restored"].tolist() == [False, False, True, False, False]
    assert run.history["learning_rate"][1:].tolist() == pytest.approx([0.1, 0.1, 0.05, 0.05])


def test_constant_goes_on_over_plateaus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = {"type": "constant", "patience": 1, "max_plateaus": 3, "learning_rate": 0.1}
    run = trained(tmp_path / "run", schedule, [0.5, 0.4, 0.4, 0.4], monkeypatch)
    assert run.history["restored"].tolist() == [False, False, False, True], "only the end restores"
    assert run.history["learning_rate"].tolist() == [0.1] * 4


@pytest.fixture
def plugin() -> Iterator[None]:
    class HalvedSettings(ScheduleSettings):
        every: Annotated[int, Field(ge=1)] = 1

    @schedules.register("halved", settings=HalvedSettings)
    class Halved(Schedule):
        def learning_rate(self, epoch: int, step: int, steps: int) -> float:
            return self.settings.learning_rate * 0.5 ** (epoch // self.settings.every)  # type: ignore[attr-defined]

    yield
    schedules.forget(__name__)


@pytest.mark.slow
@pytest.mark.usefixtures("plugin")
def test_a_schedule_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = {"type": "halved", "every": 2, "max_epochs": 3, "learning_rate": 0.1}
    run = trained(tmp_path / "run", schedule, [0.1, 0.2, 0.3, 0.4], monkeypatch)
    assert run.history["learning_rate"].tolist() == [0.1, 0.1, 0.1, 0.05]
    with pytest.raises(InputError, match=r"schedule.every = 0: should be greater than or equal to 1"):
        load_recipe({"schedule": {**schedule, "every": 0}})


def test_keys_of_another_schedule_are_refused() -> None:
    with pytest.raises(InputError, match=r"the table \[schedule\] has no key 'lr_patience'"):
        load_recipe({"schedule": {"type": "cosine", "lr_patience": 3}})
    with pytest.raises(InputError, match="There is no schedule 'cosin': did you mean 'cosine'"):
        load_recipe({"schedule": {"type": "cosin"}})
