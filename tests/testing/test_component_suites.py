"""The conformance suites find the faults of broken components."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from striate.metrics import describe_metric
from striate.models import Core, CoreSettings, MapGeometry, Modulator, Readout, Shifter
from striate.registry import (
    Registry,
    Settings,
    augmentations,
    cores,
    losses,
    metrics,
    modulators,
    optimisers,
    readouts,
    schedules,
    shifters,
)
from striate.testing import (
    AugmentationTests,
    CoreTests,
    LossTests,
    MetricTests,
    ModulatorTests,
    OptimiserTests,
    ReadoutTests,
    ScheduleTests,
    ShifterTests,
)
from striate.training import OptimiserSettings, Schedule, ScheduleSettings


class PlainSettings(CoreSettings):
    """Settings of a sound core.

    Attributes
    ----------
    kernel
        Size of the kernels.
    """

    kernel: int = 5


class PlainCore(Core):
    """A sound core of one layer, which the broken ones derive from."""

    def __init__(self, settings: PlainSettings, inputs: Any) -> None:
        super().__init__(settings, inputs)
        self.layer = nn.Conv2d(inputs.image_shape[0], 6, getattr(settings, "kernel", 5), stride=2)

    @property
    def channels(self) -> int:
        return 6

    @property
    def geometry(self) -> MapGeometry:
        kernel = getattr(self.settings, "kernel", 5)
        return MapGeometry.identity(*self.inputs.image_shape[1:]).convolved(kernel, stride=2)

    def forward(self, images: Tensor, behavior: Tensor | None = None) -> Tensor:
        return self.layer(images).tanh()


class WrongShape(PlainCore):
    def forward(self, images: Tensor, behavior: Tensor | None = None) -> Tensor:
        return super().forward(images)[..., 1:]


class WrongOffset(PlainCore):
    @property
    def geometry(self) -> MapGeometry:
        true = super().geometry
        return MapGeometry(true.shape, true.stride, (true.offset[0] + 8, true.offset[1] - 8), (40.0, 40.0))


class TooSmallField(PlainCore):
    @property
    def geometry(self) -> MapGeometry:
        true = super().geometry
        return MapGeometry(true.shape, true.stride, true.offset, (3.0, 3.0))


class MixedBatch(PlainCore):
    def forward(self, images: Tensor, behavior: Tensor | None = None) -> Tensor:
        return super().forward(images - images.mean(dim=0, keepdim=True))


class RandomMaps(PlainCore):
    def forward(self, images: Tensor, behavior: Tensor | None = None) -> Tensor:
        maps = super().forward(images)
        return maps + torch.randn_like(maps)


class Detached(PlainCore):
    def forward(self, images: Tensor, behavior: Tensor | None = None) -> Tensor:
        return super().forward(images.detach()) + 0 * images.sum()


class UnusedSetting(PlainCore):
    def __init__(self, settings: Any, inputs: Any) -> None:
        super().__init__(PlainSettings(), inputs)
        self.settings = settings

    @property
    def geometry(self) -> MapGeometry:
        return MapGeometry.identity(*self.inputs.image_shape[1:]).convolved(5, stride=2)


class StillTrains(PlainCore):
    def freeze(self) -> None:
        self.frozen = True


class ShuffledReadout(Readout):
    """A readout that ignores which neurons are asked for."""

    def __init__(self, settings: Settings, coordinates: Any, maps: Any) -> None:
        super().__init__(settings, coordinates, maps)
        self.features = nn.Linear(maps.channels, self.neurons)

    def forward(self, maps: Tensor, shift: Tensor | None = None, neurons: Tensor | None = None) -> Tensor:
        drive: Tensor = self.features(maps.mean(dim=(2, 3)))
        return drive if neurons is None else drive[:, : len(neurons)]


class NegativeRates(Modulator):
    """A modulator whose rates can be negative."""

    def __init__(self, settings: Settings, inputs: Any, neurons: int) -> None:
        super().__init__(settings, inputs, neurons)
        self.weights = nn.Parameter(torch.zeros(neurons, inputs.behavior_size))

    def modulate_rates(self, rates: Tensor, behavior: Tensor, neurons: Tensor | None = None) -> Tensor:
        weights = self.weights if neurons is None else self.weights[neurons]
        return rates + behavior @ weights.T


class PlainShifter(Shifter):
    """A sound shifter, which the broken ones derive from."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.weights = nn.Parameter(torch.eye(2))

    def forward(self, pupil_center: Tensor) -> Tensor:
        return (pupil_center @ self.weights).tanh()


class HorizontalShifter(PlainShifter):
    def forward(self, pupil_center: Tensor) -> Tensor:
        return super().forward(pupil_center * torch.tensor([1.0, 0.0]))


class OverflowingShifter(PlainShifter):
    def forward(self, pupil_center: Tensor) -> Tensor:
        return super().forward(pupil_center).mul(500).exp()


class OneColumnShifter(PlainShifter):
    def forward(self, pupil_center: Tensor) -> Tensor:
        return super().forward(pupil_center)[:, :1]


class CentredShifter(PlainShifter):
    def forward(self, pupil_center: Tensor) -> Tensor:
        return super().forward(pupil_center - pupil_center.mean(dim=0))


class DetachedShifter(PlainShifter):
    def forward(self, pupil_center: Tensor) -> Tensor:
        return super().forward(pupil_center).detach() + 0 * super().forward(pupil_center)


class RandomShifter(PlainShifter):
    def forward(self, pupil_center: Tensor) -> Tensor:
        return super().forward(pupil_center + torch.randn_like(pupil_center))


class GrowingShifter(PlainShifter):
    """A shifter whose tensors depend on something else than its settings."""

    made = 0

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        GrowingShifter.made += 1
        self.register_buffer("unused", torch.zeros(GrowingShifter.made))


class FlipSettings(Settings):
    """Settings of a sound augmentation.

    Attributes
    ----------
    probability
        Share of the images that are flipped.
    """

    probability: float = 0.5


class Flip:
    """A sound augmentation, which the broken ones derive from."""

    def __init__(self, settings: Any, image_shape: tuple[int, int, int]) -> None:
        self.settings = settings

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        flipped = torch.rand(len(images), generator=generator) < self.settings.probability
        return torch.where(flipped[:, None, None, None].to(images.device), images.flip(-1), images)


class FlipInPlace(Flip):
    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        images.copy_(super().__call__(images, generator))
        return images


class GlobalFlip(Flip):
    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        return super().__call__(images, torch.default_generator)


class EverySecondFlip(Flip):
    def __init__(self, settings: Any, image_shape: tuple[int, int, int]) -> None:
        super().__init__(settings, image_shape)
        self.calls = 0

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        self.calls += 1
        return super().__call__(images, generator) if self.calls % 2 else images


class FixedFlip(Flip):
    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        return images.flip(-1)


class DoubleFlip(Flip):
    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        return super().__call__(images, generator).double()


class OneChannelFlip(Flip):
    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        return super().__call__(images, generator)[:, :1]


class SGDSettings(OptimiserSettings):
    """Settings of a sound optimiser.

    Attributes
    ----------
    momentum
        Decay of the running average of the gradient.
    """

    momentum: float = 0.5


class OneRate(torch.optim.SGD):
    """Uses the learning rate of the first group for all groups."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            group["lr"] = self.param_groups[-1]["lr"]
        super().step()


class Forgetful(torch.optim.SGD):
    """Keeps the number of steps where checkpoints do not see it."""

    steps = 0

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.steps += 1
        for group in self.param_groups:
            group["lr"] /= self.steps
        super().step()


class Upwards(torch.optim.SGD):
    """Climbs."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for each in group["params"]:
                each.grad.neg_()
        super().step()


class WaningSettings(ScheduleSettings):
    """Settings of a sound schedule.

    Attributes
    ----------
    decay
        Factor of the learning rate after each epoch without improvement.
    """

    decay: float = 0.5


class Waning(Schedule):
    """A sound schedule, which the broken ones derive from."""

    settings: Any

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.reductions = 0

    def learning_rate(self, epoch: int, step: int, steps: int) -> float:
        return float(self.settings.learning_rate * self.settings.decay**self.reductions)

    def update(self, early_stopping: Any) -> bool:
        self.reductions += not early_stopping.improved
        return False


class HiddenState(Waning):
    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self._reductions = 0  # private, so it is no part of the state

    def learning_rate(self, epoch: int, step: int, steps: int) -> float:
        return float(self.settings.learning_rate * self.settings.decay**self._reductions)

    def update(self, early_stopping: Any) -> bool:
        self._reductions += not early_stopping.improved
        return False


class Counting(Waning):
    def learning_rate(self, epoch: int, step: int, steps: int) -> float:
        self.reductions += 1
        return super().learning_rate(epoch, step, steps)


class BelowZero(Waning):
    def learning_rate(self, epoch: int, step: int, steps: int) -> float:
        return float(self.settings.learning_rate * (1 - self.settings.decay * self.reductions))


class NoRestart(Waning):
    def restart(self, epoch: int) -> None:
        self.first_epoch = epoch


class NoDecay(Waning):
    def learning_rate(self, epoch: int, step: int, steps: int) -> float:
        return float(self.settings.learning_rate)


def squared_error(r: Any, p: Any, repeats: Any) -> Any:
    """Mean squared error of single trials."""
    return np.square(r - p).mean(axis=0)


def one_number(r: Any, p: Any, repeats: Any) -> Any:
    """Mean squared error of all neurons."""
    return np.square(r - p).mean()


def successive_trials(r: Any, p: Any, repeats: Any) -> Any:
    """Product of responses and the predictions of the next trial."""
    return (r[1:] * p[:-1]).mean(axis=0)


def cumulative_error(r: Any, p: Any, repeats: Any) -> Any:
    """Squared error of all neurons up to each neuron."""
    return -np.square(r - p).mean(axis=0).cumsum()


def overwriting(r: Any, p: Any, repeats: Any) -> Any:
    """Mean squared error, computed in place."""
    r -= p
    return -np.square(r).mean(axis=0)


def infinite(r: Any, p: Any, repeats: Any) -> Any:
    """Mean response over the standard deviation of predictions."""
    with np.errstate(divide="ignore"):
        return 1 / np.ptp(p, axis=0)


def random_values(r: Any, p: Any, repeats: Any) -> Any:
    """Random numbers."""
    return np.random.default_rng().normal(size=r.shape[1])


METRICS = [squared_error, one_number, successive_trials, cumulative_error, overwriting, infinite, random_values]


def sgd_of(kind: Any) -> Callable[..., torch.optim.Optimizer]:
    """Return the function of settings and groups that makes an optimiser."""

    def make(settings: Any, groups: list[dict[str, Any]]) -> Any:
        return kind(groups, momentum=settings.momentum)

    make.__module__ = __name__
    return make


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """Register the components of this file for one test."""
    for registry, classes in (
        (cores, [PlainCore, WrongShape, WrongOffset, TooSmallField, MixedBatch, RandomMaps, Detached, StillTrains]),
        (readouts, [ShuffledReadout]),
        (modulators, [NegativeRates]),
    ):
        for each in classes:
            settings = type(f"{each.__name__}Settings", (PlainSettings,), {}) if registry is cores else None
            registry.register(each.__name__.lower(), settings=settings)(each)
    several: tuple[tuple[Registry[Any], type[Settings], list[Any]], ...] = (
        (shifters, Settings, [PlainShifter, HorizontalShifter, OverflowingShifter, OneColumnShifter, CentredShifter]),
        (shifters, Settings, [DetachedShifter, RandomShifter, GrowingShifter]),
        (augmentations, FlipSettings, [Flip, FlipInPlace, GlobalFlip, EverySecondFlip, FixedFlip, DoubleFlip]),
        (augmentations, FlipSettings, [OneChannelFlip]),
        (optimisers, SGDSettings, [torch.optim.SGD, OneRate, Forgetful, Upwards]),
        (schedules, WaningSettings, [Waning, HiddenState, Counting, BelowZero, NoRestart, NoDecay]),
    )
    for kind, base, components in several:
        for each in components:
            settings = type(f"{each.__name__}Settings", (base,), {})
            value = sgd_of(each) if kind is optimisers else each
            kind.register(each.__name__.lower(), settings=settings)(value)
    cores.register("unusedsetting", settings=type("UnusedSettings", (PlainSettings,), {}))(UnusedSetting)
    losses.register("meanloss")(lambda rates, responses: (rates - responses).square().mean())
    losses.register("upsidedown")(lambda rates, responses: -(rates - responses).square())
    for metric in METRICS:
        metrics.register(metric.__name__)(metric)
    metrics.register("sound")(
        describe_metric("error", higher_is_better=False)(lambda r, p, repeats: squared_error(r, p, repeats))
    )
    yield
    for registry in (cores, readouts, modulators, losses, metrics, shifters, augmentations, optimisers, schedules):
        registry.forget(__name__)


def outcome(suite: type, name: str, test: str, tmp_path: Any = None) -> str:
    """Run one test of a suite on a component; return "passed" or "failed"."""
    case = type(f"{suite.__name__}OfOne", (suite,), {"settings": {"type": name}})()
    method: Callable[..., None] = getattr(case, test)
    try:
        method(tmp_path) if "tmp_path" in inspect.signature(method).parameters else method()
    except (AssertionError, RuntimeError, ValueError):
        return "failed"
    return "passed"


CORE_TESTS = [
    name for name in vars(CoreTests) if name.startswith("test_") and "gpu" not in name and "behavior" not in name
]


@pytest.mark.parametrize("test", CORE_TESTS)
def test_a_sound_core_passes(test: str, tmp_path: Any) -> None:
    assert outcome(CoreTests, "plaincore", test, tmp_path) == "passed"


SOUND = [
    (suite, component, test)
    for suite, component in (
        (ShifterTests, "plainshifter"),
        (AugmentationTests, "flip"),
        (OptimiserTests, "sgd"),
        (ScheduleTests, "waning"),
    )
    for test in vars(suite)
    if test.startswith("test_") and "gpu" not in test
]


@pytest.mark.parametrize(("suite", "component", "test"), SOUND)
def test_sound_components_pass(suite: type, component: str, test: str, tmp_path: Any) -> None:
    assert outcome(suite, component, test, tmp_path) == "passed"


@pytest.mark.parametrize("test", [name for name in vars(MetricTests) if name.startswith("test_")])
def test_a_sound_metric_passes(test: str) -> None:
    expected = "failed" if "description" in test else "passed"  # it has no docstring
    assert outcome(MetricTests, "sound", test) == expected


@pytest.mark.parametrize(
    ("suite", "component", "test"),
    [
        (CoreTests, "wrongshape", "test_maps_have_the_declared_shape"),
        (CoreTests, "wrongoffset", "test_locations_look_where_the_geometry_says"),
        (CoreTests, "toosmallfield", "test_nothing_outside_the_receptive_field_matters"),
        (CoreTests, "mixedbatch", "test_images_of_a_batch_do_not_interact"),
        (CoreTests, "randommaps", "test_results_are_deterministic"),
        (CoreTests, "detached", "test_gradients_reach_images_and_weights"),
        (CoreTests, "unusedsetting", "test_every_setting_has_an_effect"),
        (CoreTests, "stilltrains", "test_a_frozen_core_does_not_change"),
        (ReadoutTests, "shuffledreadout", "test_a_subset_of_neurons_is_computed_alone"),
        (ModulatorTests, "negativerates", "test_rates_keep_their_shape_and_are_not_negative"),
        (ShifterTests, "onecolumnshifter", "test_there_is_a_shift_of_each_image"),
        (ShifterTests, "overflowingshifter", "test_there_is_a_shift_of_each_image"),
        (ShifterTests, "horizontalshifter", "test_shifts_depend_on_the_eye"),
        (ShifterTests, "centredshifter", "test_images_of_a_batch_do_not_interact"),
        (ShifterTests, "detachedshifter", "test_gradients_reach_the_weights"),
        (ShifterTests, "randomshifter", "test_results_are_deterministic"),
        (ShifterTests, "growingshifter", "test_a_saved_shifter_is_loaded_as_it_was"),
        (AugmentationTests, "doubleflip", "test_images_keep_their_shape_and_type"),
        (AugmentationTests, "onechannelflip", "test_images_keep_their_shape_and_type"),
        (AugmentationTests, "fixedflip", "test_images_change_at_random"),
        (AugmentationTests, "fixedflip", "test_every_setting_has_an_effect"),
        (AugmentationTests, "globalflip", "test_the_generator_alone_decides"),
        (AugmentationTests, "everysecondflip", "test_the_generator_alone_decides"),
        (AugmentationTests, "flipinplace", "test_inputs_are_not_changed"),
        (AugmentationTests, "globalflip", "test_inputs_are_not_changed"),
        (OptimiserTests, "upwards", "test_steps_reduce_the_loss"),
        (OptimiserTests, "onerate", "test_the_learning_rate_of_each_group_is_used"),
        (OptimiserTests, "forgetful", "test_a_checkpoint_continues_with_the_same_weights"),
        (ScheduleTests, "belowzero", "test_learning_rates_are_not_negative"),
        (ScheduleTests, "counting", "test_asking_for_the_learning_rate_changes_nothing"),
        (ScheduleTests, "hiddenstate", "test_a_checkpoint_continues_with_the_same_learning_rates"),
        (ScheduleTests, "norestart", "test_a_restart_begins_anew"),
        (ScheduleTests, "nodecay", "test_every_setting_has_an_effect"),
        (LossTests, "meanloss", "test_there_is_a_value_for_each_neuron"),
        (LossTests, "upsidedown", "test_perfect_predictions_are_best"),
        (MetricTests, "sound", "test_there_is_a_description"),
        (MetricTests, "one_number", "test_there_is_a_value_for_each_neuron"),
        (MetricTests, "random_values", "test_results_are_deterministic"),
        (MetricTests, "successive_trials", "test_the_order_of_trials_does_not_matter"),
        (MetricTests, "cumulative_error", "test_the_order_of_neurons_does_not_matter"),
        (MetricTests, "overwriting", "test_inputs_are_not_changed"),
        (MetricTests, "infinite", "test_constant_predictions_are_no_error"),
        (MetricTests, "squared_error", "test_good_predictions_are_better_than_others"),
    ],
)
def test_a_fault_is_found(suite: type, component: str, test: str, tmp_path: Any) -> None:
    assert outcome(suite, component, test, tmp_path) == "failed"
