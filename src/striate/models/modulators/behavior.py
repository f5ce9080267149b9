"""Modulators that multiply or shift each neuron's response by a function of behaviour."""

from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from striate.models.inputs import ModelInputs
from striate.models.modulators.base import Modulator, ModulatorSettings, bounded_gain
from striate.registry import modulators

if TYPE_CHECKING:
    from striate.data.context import Context


class BehaviorSettings(ModulatorSettings):
    """Settings of a function from behaviour to one value for each neuron.

    Attributes
    ----------
    hidden_units
        Number of hidden units, which all neurons share. 0 makes the function linear in behaviour.
    l2_weight
        Weight of the L2 penalty on the neurons' weights.

    Examples
    --------
    >>> BehaviorSettings(hidden_units=10).l2_weight
    0.1
    """

    hidden_units: Annotated[int, Field(ge=0, le=1024)] = 0
    l2_weight: Annotated[float, Field(ge=0)] = 0.1


class GainSettings(BehaviorSettings):
    """Settings of the modulator ``gain``.

    Attributes
    ----------
    hidden_units
        Number of hidden units, which all neurons share. 0 makes the logarithm of the gain linear in behaviour.
    l2_weight
        Weight of the L2 penalty on the neurons' weights.
    """


class OffsetSettings(BehaviorSettings):
    """Settings of the modulator ``offset``.

    Attributes
    ----------
    hidden_units
        Number of hidden units, which all neurons share. 0 makes the offset linear in behaviour.
    l2_weight
        Weight of the L2 penalty on the neurons' weights.
    """


class _BehaviorModulator(Modulator):
    """A linear function or a perceptron from behaviour to one value for each neuron, which is 0 at first."""

    def __init__(self, settings: BehaviorSettings, inputs: ModelInputs, neurons: int) -> None:
        super().__init__(settings, inputs, neurons)
        size = settings.hidden_units or inputs.behavior_size
        self.hidden = (
            nn.Sequential(nn.Linear(inputs.behavior_size, size), nn.ELU()) if settings.hidden_units else nn.Identity()
        )
        self.weights = nn.Parameter(torch.zeros(neurons, size))
        self.constants = nn.Parameter(torch.zeros(neurons))
        self._l2_weight = settings.l2_weight

    def values(self, behavior: Tensor, neurons: Tensor | None) -> Tensor:
        """Return the value of each neuron, (B, M), from behaviour, (B, K)."""
        weights = self.weights if neurons is None else self.weights[neurons]
        constants = self.constants if neurons is None else self.constants[neurons]
        hidden: Tensor = self.hidden(behavior)
        return hidden @ weights.T + constants

    def regulariser(self) -> Tensor:
        """Return the L2 penalty, ``l2_weight`` times the sum of the squared weights of the neurons, a scalar."""
        return self._l2_weight * self.weights.square().sum()


@modulators.register("gain", settings=GainSettings)
class GainModulator(_BehaviorModulator):
    """Multiplies each neuron's rate by a gain: the exponential of a function of behaviour, between exp(−3) and exp(3).

    Parameters
    ----------
    settings
        Settings of the modulator.
    inputs
        Shapes of the inputs.
    neurons
        Number of neurons.

    Examples
    --------
    >>> gain = GainModulator(GainSettings(), ModelInputs((1, 36, 64), behavior_size=3), neurons=2)
    >>> gain.modulate_rates(torch.ones(1, 2), torch.ones(1, 3)).tolist()  # before training
    [[1.0, 1.0]]
    """

    def modulate_rates(
        self, rates: Tensor, behavior: Tensor, neurons: Tensor | None = None, context: "Context | None" = None
    ) -> Tensor:
        """Multiply rates, (B, M), by their gains."""
        return rates * bounded_gain(self.values(behavior, neurons))


@modulators.register("offset", settings=OffsetSettings)
class OffsetModulator(_BehaviorModulator):
    """Adds a function of behaviour to each neuron's drive, before the output nonlinearity.

    Parameters
    ----------
    settings
        Settings of the modulator.
    inputs
        Shapes of the inputs.
    neurons
        Number of neurons.

    Examples
    --------
    >>> offset = OffsetModulator(OffsetSettings(), ModelInputs((1, 36, 64), behavior_size=3), neurons=2)
    >>> offset.modulate_drive(torch.ones(1, 2), torch.ones(1, 3)).tolist()  # before training
    [[1.0, 1.0]]
    """

    def modulate_drive(
        self, drive: Tensor, behavior: Tensor, neurons: Tensor | None = None, context: "Context | None" = None
    ) -> Tensor:
        """Add the offsets to the drive, (B, M)."""
        return drive + self.values(behavior, neurons)
