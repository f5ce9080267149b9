"""Conformance suites for modulators and output nonlinearities."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, cast

import pytest
import torch
from torch import Tensor

from striate.data import Context, ContextSettings
from striate.models import ModelInputs, Modulator, ModulatorSettings, Nonlinearity
from striate.registry import modulators, nonlinearities
from striate.testing.settings_changes import assert_every_setting_has_an_effect


class ModulatorTests:
    """Test suite for a modulator: derive a class from it in a test module, name the modulator, and run pytest.

    ::

        from striate.testing import ModulatorTests

        class TestDamping(ModulatorTests):
            settings = {"type": "damping"}

    Attributes
    ----------
    settings
        Settings of the modulator, with the key ``type``.
    neurons
        Number of neurons.
    behavior_size
        Number of behaviour variables.
    context
        Context of trials, for a modulator that uses it.
    other_values
        Other values of settings for which the suite cannot guess one: name of the setting → value.
    without_effect
        Names of settings that change neither the responses nor the penalty.
    """

    settings: ClassVar[Mapping[str, Any]] = {}
    neurons: ClassVar[int] = 7
    behavior_size: ClassVar[int] = 3
    context: ClassVar[ContextSettings] = ContextSettings(past=4, future=3)
    other_values: ClassVar[Mapping[str, Any]] = {}
    without_effect: ClassVar[frozenset[str]] = frozenset()

    def build(self, settings: Any = None) -> Modulator:
        """Build the modulator with random weights, the same each time."""
        torch.manual_seed(0)
        chosen = modulators.settings(self.settings) if settings is None else settings
        modulator: Modulator = modulators.build(chosen, self.inputs(), self.neurons)
        for values in modulator.state_dict().values():  # weights, and what is estimated, often start at zero
            if values.is_floating_point():
                torch.nn.init.normal_(values, std=0.3)
        return modulator.eval()

    def inputs(self) -> ModelInputs:
        """Return the inputs that the modulator is built from: a recording of forty trials."""
        size = self.behavior_size
        return ModelInputs(
            (1, 36, 64),
            behavior_size=size,
            context=self.context,
            context_size=size,
            trials={"mouse": 40},
            measured_trials={"mouse": 30},
        )

    def modulated(
        self,
        modulator: Modulator,
        drive: Tensor,
        behavior: Tensor,
        neurons: Tensor | None = None,
        context: Context | None = None,
    ) -> Tensor:
        """Return the rates of a drive."""
        uses_context = cast("ModulatorSettings", modulator.settings).uses_context
        around = (self.random_context() if context is None else context,) if uses_context else ()
        driven = modulator.modulate_drive(drive, behavior, neurons, *around)
        return modulator.modulate_rates(driven.exp(), behavior, neurons, *around)

    def random_context(self) -> Context:
        """Return a random context of four trials, the same each time; the first begins the session, the last ends it."""
        generator, positions = torch.Generator().manual_seed(3), torch.tensor([0, 5, 17, 39])
        places = positions[:, None] + torch.arange(-self.context.past, self.context.future + 1)
        exists = (places >= 0) & (places < 40)
        behavior = torch.randn(4, self.context.window, self.behavior_size, generator=generator)
        windows = len(self.context.past_responses)
        past = torch.randn(4, windows, self.neurons, generator=generator) if windows else None
        return Context(
            behavior * exists[:, :, None], exists, positions, past, positions * 30 // 40 if windows else None
        )

    def behavior(self) -> Tensor:
        """Return random behaviour of four trials, the same each time."""
        return torch.randn(4, self.behavior_size, generator=torch.Generator().manual_seed(1))

    def drive(self) -> Tensor:
        """Return a random drive of four trials, the same each time."""
        return torch.randn(4, self.neurons, generator=torch.Generator().manual_seed(2))

    def test_rates_keep_their_shape_and_are_not_negative(self) -> None:
        """Modulated rates are finite and ≥ 0, even for extreme behaviour."""
        for scale in (1.0, 100.0):
            rates = self.modulated(self.build(), self.drive(), scale * self.behavior())
            assert rates.shape == (4, self.neurons)
            assert torch.isfinite(rates).all()
            assert (rates >= 0).all()

    def test_rates_depend_on_behavior(self) -> None:
        """Other behaviour gives other rates, if the modulator takes behaviour."""
        modulator = self.build()
        if not cast("ModulatorSettings", modulator.settings).uses_behavior:
            pytest.skip("this modulator does not take the behaviour of the trial")
        one, other = (self.modulated(modulator, self.drive(), b) for b in (self.behavior(), 0 * self.behavior()))
        assert not torch.equal(one, other)

    def test_rates_depend_on_the_context(self) -> None:
        """Another context gives other rates, if the modulator takes it, and none are NaN without any."""
        modulator = self.build()
        if not cast("ModulatorSettings", modulator.settings).uses_context:
            pytest.skip("this modulator does not take the context of trials")
        average = Context.average(4, self.context, self.behavior_size, self.neurons)
        one = self.modulated(modulator, self.drive(), self.behavior())
        other = self.modulated(modulator, self.drive(), self.behavior(), context=average)
        assert torch.isfinite(other).all()
        assert not torch.equal(one, other)

    def test_a_subset_of_neurons_is_computed_alone(self) -> None:
        """With indices of neurons, the rates are those of these neurons, in this order."""
        modulator, chosen = self.build(), torch.tensor([self.neurons - 1, 0])
        whole = self.modulated(modulator, self.drive(), self.behavior())
        part = self.modulated(modulator, self.drive()[:, chosen], self.behavior(), chosen)
        torch.testing.assert_close(part, whole[:, chosen])

    def test_gradients_reach_the_drive_and_the_weights(self) -> None:
        """Gradients of the rates and the penalty are finite, and reach the drive and every weight."""
        modulator, drive = self.build().train(), self.drive().requires_grad_()
        (self.modulated(modulator, drive, self.behavior()).square().sum() + modulator.regulariser()).backward()  # type: ignore[no-untyped-call]
        assert drive.grad is not None
        assert drive.grad.abs().sum() > 0
        for name, parameter in modulator.named_parameters():
            assert parameter.grad is not None, f"no gradient reaches {name}"
            assert torch.isfinite(parameter.grad).all(), name

    def test_every_setting_has_an_effect(self) -> None:
        """Changing a setting changes the rates, the weights or the penalty."""
        assert_every_setting_has_an_effect(
            modulators, self.settings, self.other_values, self.without_effect, self._behaviour
        )

    def _behaviour(self, settings: Any) -> Iterator[Tensor]:
        modulator = self.build(settings)
        yield from (parameter.detach() for parameter in modulator.parameters())
        yield self.modulated(modulator, self.drive(), self.behavior()).detach()
        yield modulator.regulariser().detach()


class NonlinearityTests:
    """Test suite for an output nonlinearity: derive a class from it in a test module, name the nonlinearity, and run pytest.

    Attributes
    ----------
    settings
        Settings of the nonlinearity, with the key ``type``.
    """

    settings: ClassVar[Mapping[str, Any]] = {}

    def build(self) -> Nonlinearity:
        """Build the nonlinearity."""
        nonlinearity: Nonlinearity = nonlinearities.build(nonlinearities.settings(self.settings))
        return nonlinearity

    def test_rates_are_not_negative_and_increase(self) -> None:
        """Rates are finite, ≥ 0 and do not decrease with the drive."""
        rates = self.build()(torch.linspace(-30, 15, 1000, dtype=torch.float64))
        assert torch.isfinite(rates).all()
        assert (rates >= 0).all()
        assert (rates.diff() >= 0).all()

    @pytest.mark.parametrize("rate", [0.01, 0.5, 1.0, 2.0, 30.0])
    def test_the_inverse_gives_the_drive_of_a_rate(self, rate: float) -> None:
        """The rate of the inverse of a rate is that rate."""
        nonlinearity, rates = self.build(), torch.tensor([rate], dtype=torch.float64)
        torch.testing.assert_close(nonlinearity(nonlinearity.inverse(rates)), rates)
