"""Base class of modulators."""

from torch import Tensor, nn

from striate.models.inputs import ModelInputs
from striate.models.penalties import no_penalty
from striate.registry import Settings


class Modulator(nn.Module):
    """Base class of modulators: change the responses of the neurons of one recording by the behaviour of the animal.

    A derived class is registered with ``@striate.registry.modulators.register(name, settings=...)``, is called with its settings,
    the `ModelInputs` and the number of neurons, and overrides `modulate_drive` or `modulate_rates`.

    Parameters
    ----------
    settings
        Settings of the modulator.
    inputs
        Shapes of the inputs.
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

    def modulate_drive(self, drive: Tensor, behavior: Tensor, neurons: Tensor | None = None) -> Tensor:
        """Change the drive of the neurons, before the output nonlinearity.

        Parameters
        ----------
        drive : (B, M)
            Output of the readout.
        behavior : (B, K)
            Standardised behaviour.
        neurons : (M,), optional
            Indices of the neurons; all by default.

        Returns
        -------
        Tensor, (B, M)
        """
        return drive

    def modulate_rates(self, rates: Tensor, behavior: Tensor, neurons: Tensor | None = None) -> Tensor:
        """Change the rates of the neurons, after the output nonlinearity; they must stay ≥ 0.

        Parameters
        ----------
        rates : (B, M)
            Rates ≥ 0.
        behavior : (B, K)
            Standardised behaviour.
        neurons : (M,), optional
            Indices of the neurons; all by default.

        Returns
        -------
        Tensor, (B, M)
        """
        return rates

    def regulariser(self) -> Tensor:
        """Return the penalty that is added to the loss, a scalar."""
        return no_penalty(self)
