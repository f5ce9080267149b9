"""The losses, optimisers and schedules of striate pass the conformance suites, as those of other packages must."""

import pytest

from striate.registry import Registry, losses, optimisers, schedules
from striate.testing import LossTests, OptimiserTests, ScheduleTests


class TestPoisson(LossTests):
    settings = {"type": "poisson"}


class TestSquaredError(LossTests):
    settings = {"type": "squared_error"}


class TestAdam(OptimiserTests):
    settings = {"type": "adam"}
    other_values = {"betas": [0.5, 0.9]}


class TestAdamW(OptimiserTests):
    settings = {"type": "adamw"}
    other_values = {"betas": [0.5, 0.9]}


class TestScheduleFreeAdamW(OptimiserTests):
    settings = {"type": "schedule_free_adamw"}
    other_values = {"betas": [0.5, 0.9], "warmup_steps": 10}


class TestPlateau(ScheduleTests):
    settings = {"type": "plateau"}


class TestCosine(ScheduleTests):
    settings = {"type": "cosine", "max_epochs": 40}


class TestStep(ScheduleTests):
    settings = {"type": "step", "periods": [10, 20]}
    other_values = {"periods": [5, 5]}


class TestConstant(ScheduleTests):
    settings = {"type": "constant"}


@pytest.mark.parametrize("registry", [losses, optimisers, schedules], ids=lambda registry: registry.kind)
def test_every_component_is_tested_and_says_what_it_is(registry: Registry[object]) -> None:
    suites = [value for name, value in globals().items() if name.startswith("Test")]
    tested = {suite.settings["type"] for suite in suites}
    for name in registry:
        if registry[name].module.startswith("striate."):
            assert name in tested
            assert registry[name].summary.endswith("."), name
