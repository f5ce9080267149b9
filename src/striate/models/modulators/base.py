"""Base class of modulators."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from striate.models.inputs import ModelInputs
from striate.models.penalties import no_penalty
from striate.registry import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from striate.data import Batch
    from striate.data.context import Context
    from striate.data.context_settings import ContextSettings


_LARGEST_EXPONENT = 3.0


class ModulatorSettings(Settings):
    """Base class of the settings of a modulator.

    Examples
    --------
    >>> class StrengthSettings(ModulatorSettings):
    ...     strength: float = 1.0
    >>> StrengthSettings().uses_behavior, StrengthSettings().uses_context
    (True, False)
    """

    @property
    def uses_behavior(self) -> bool:
        """Whether the modulator takes the behaviour of the trial."""
        return True

    @property
    def uses_context(self) -> bool:
        """Whether the modulator takes the context of the trial, `striate.data.Context`."""
        return False

    def check_context(self, context: "ContextSettings") -> None:
        """Raise `InputError` if the context lacks what the modulator uses; called when a recipe is validated."""


class Modulator(nn.Module):
    """Base class of modulators: change the responses of the neurons of one recording by the behaviour of the animal.

    A derived class is registered with ``@striate.registry.modulators.register(name, settings=...)``, where the class of the settings
    derives from `ModulatorSettings`. It is called with its settings, the `ModelInputs` of its recording and the number of neurons, and
    overrides `modulate_drive` or `modulate_rates`. If its settings have `uses_context`, both get the context of the trials as a fourth
    argument.

    Parameters
    ----------
    settings
        Settings of the modulator.
    inputs
        Shapes of the inputs, and the recording.
    neurons
        Number of neurons, N.

    Examples
    --------
    >>> import torch
    >>> class Damped(Modulator):
    ...     def modulate_rates(self, rates, behavior, neurons=None):
    ...         return rates / (1 + behavior[:, 2:3].abs())
    >>> damped = Damped(Settings(), ModelInputs((1, 36, 64), behavior_size=3), neurons=2)
    >>> damped.modulate_rates(torch.ones(1, 2), torch.ones(1, 3)).tolist()
    [[0.5, 0.5]]
    """

    def __init__(self, settings: Settings, inputs: ModelInputs, neurons: int) -> None:
        super().__init__()
        self.settings = settings
        self.inputs = inputs
        self.neurons = neurons

    def modulate_drive(
        self, drive: Tensor, behavior: Tensor, neurons: Tensor | None = None, context: "Context | None" = None
    ) -> Tensor:
        """Change the drive of the neurons, before the output nonlinearity.

        Parameters
        ----------
        drive : (B, M)
            Output of the readout.
        behavior : (B, K)
            Standardised behaviour; (B, 0) if neither a modulator nor the core uses it.
        neurons : (M,), optional
            Indices of the neurons; all by default.
        context
            Context of the trials; given only if the settings have `uses_context`.

        Returns
        -------
        Tensor, (B, M)
        """
        return drive

    def modulate_rates(
        self, rates: Tensor, behavior: Tensor, neurons: Tensor | None = None, context: "Context | None" = None
    ) -> Tensor:
        """Change the rates of the neurons, after the output nonlinearity; they must stay ≥ 0.

        Parameters
        ----------
        rates : (B, M)
            Rates ≥ 0.
        behavior : (B, K)
            Standardised behaviour; (B, 0) if neither a modulator nor the core uses it.
        neurons : (M,), optional
            Indices of the neurons; all by default.
        context
            Context of the trials; given only if the settings have `uses_context`.

        Returns
        -------
        Tensor, (B, M)
        """
        return rates

    def initialise(self, batches: "Iterable[Batch]") -> None:
        """Estimate what the modulator takes from the training trials, before any training; by default nothing.

        Parameters
        ----------
        batches
            Batches of training trials, in the order of the recording, with responses.
        """

    def regulariser(self) -> Tensor:
        """Return the penalty that is added to the loss, a scalar."""
        return no_penalty(self)


def bounded_gain(exponents: Tensor) -> Tensor:
    """Return ``exp(x)`` for exponents x near 0, bounded smoothly by exp(−3) and exp(3): ``exp(3 tanh(x / 3))``.

    Examples
    --------
    >>> bounded_gain(torch.tensor([0.0, 100.0])).log()
    tensor([0., 3.])
    """
    return (_LARGEST_EXPONENT * torch.tanh(exponents / _LARGEST_EXPONENT)).exp()
