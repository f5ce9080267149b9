"""The conformance suites find the faults of broken components."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from striate.metrics import describe_metric
from striate.models import Core, CoreSettings, MapGeometry, Modulator, Readout
from striate.registry import Settings, cores, losses, metrics, modulators, readouts
from striate.testing import CoreTests, LossTests, MetricTests, ModulatorTests, ReadoutTests


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
    cores.register("unusedsetting", settings=type("UnusedSettings", (PlainSettings,), {}))(UnusedSetting)
    losses.register("meanloss")(lambda rates, responses: (rates - responses).square().mean())
    losses.register("upsidedown")(lambda rates, responses: -(rates - responses).square())
    for metric in METRICS:
        metrics.register(metric.__name__)(metric)
    metrics.register("sound")(
        describe_metric("error", higher_is_better=False)(lambda r, p, repeats: squared_error(r, p, repeats))
    )
    yield
    for registry in (cores, readouts, modulators, losses, metrics):
        registry.forget(__name__)


def outcome(suite: type, name: str, test: str, tmp_path: Any = None) -> str:
    """Run one test of a suite on a component; return "passed" or "failed"."""
    case = type(f"{suite.__name__}OfOne", (suite,), {"settings": {"type": name}})()
    method: Callable[..., None] = getattr(case, test)
    try:
        method(tmp_path) if "saved" in test else method()
    except (AssertionError, RuntimeError, ValueError):
        return "failed"
    return "passed"


CORE_TESTS = [
    name for name in vars(CoreTests) if name.startswith("test_") and "gpu" not in name and "behavior" not in name
]


@pytest.mark.parametrize("test", CORE_TESTS)
def test_a_sound_core_passes(test: str, tmp_path: Any) -> None:
    assert outcome(CoreTests, "plaincore", test, tmp_path) == "passed"


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
def test_a_fault_is_found(suite: type, component: str, test: str) -> None:
    assert outcome(suite, component, test) == "failed"
