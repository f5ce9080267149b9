"""Output nonlinearities: from the drive of a neuron to a rate that is not negative."""

from abc import ABC, abstractmethod
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from striate.registry import Settings, nonlinearities


class Nonlinearity(nn.Module, ABC):
    """Base class of output nonlinearities: monotonic functions from drive to rate ≥ 0.

    A derived class is registered with ``@striate.registry.nonlinearities.register(name, settings=...)`` and is called with its
    settings.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings

    @abstractmethod
    def forward(self, drive: Tensor) -> Tensor:
        """Return the rates, ≥ 0, of drives of any shape."""

    @abstractmethod
    def inverse(self, rates: Tensor) -> Tensor:
        """Return the drives of rates > 0 of any shape, by which biases are initialised from mean responses."""


@nonlinearities.register("elu")
class ELUNonlinearity(Nonlinearity):
    """ELU + 1, as in the baselines of 2022: exponential below 0, linear above.

    Examples
    --------
    >>> ELUNonlinearity(Settings())(torch.tensor([0.0, 2.0])).tolist()
    [1.0, 3.0]
    """

    def forward(self, drive: Tensor) -> Tensor:
        """Return ELU(drive) + 1."""
        return F.elu(drive) + 1

    def inverse(self, rates: Tensor) -> Tensor:
        """Return r − 1 for rates above 1, and log r below."""
        return torch.where(rates > 1, rates - 1, rates.log())


class SoftplusSettings(Settings):
    """Settings of the nonlinearity ``softplus``.

    Attributes
    ----------
    beta
        Sharpness β of log(1 + exp(βx)) / β. A small value makes a smooth transition from 0 to linear.

    Examples
    --------
    >>> SoftplusSettings(beta=0.07).beta
    0.07
    """

    beta: Annotated[float, Field(gt=0, le=100)] = 1.0


@nonlinearities.register("softplus", settings=SoftplusSettings)
class SoftplusNonlinearity(Nonlinearity):
    """Softplus, log(1 + exp(βx)) / β.

    Examples
    --------
    >>> SoftplusNonlinearity(SoftplusSettings())(torch.zeros(1)).item()
    0.6931471824645996
    """

    def __init__(self, settings: SoftplusSettings) -> None:
        super().__init__(settings)
        self._beta = settings.beta

    def forward(self, drive: Tensor) -> Tensor:
        """Return log(1 + exp(β · drive)) / β."""
        return F.softplus(drive, beta=self._beta)

    def inverse(self, rates: Tensor) -> Tensor:
        """Return log(exp(βr) − 1) / β, in a form that does not overflow."""
        return rates + torch.log(-torch.expm1(-self._beta * rates)) / self._beta


@nonlinearities.register("exponential")
class ExponentialNonlinearity(Nonlinearity):
    """The exponential function, the canonical link of a Poisson model.

    Examples
    --------
    >>> ExponentialNonlinearity(Settings())(torch.zeros(1)).item()
    1.0
    """

    def forward(self, drive: Tensor) -> Tensor:
        """Return exp(drive); the drive is limited to 20, so that rates stay finite."""
        return drive.clamp(max=20).exp()

    def inverse(self, rates: Tensor) -> Tensor:
        """Return log r."""
        return rates.log()
