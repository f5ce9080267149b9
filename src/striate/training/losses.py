"""What training minimises for one batch of one recording, besides the penalties of the model."""

import math

from torch import Tensor

_EPSILON = 1e-8  # keeps the logarithm of a rate of zero finite


def poisson(rates: Tensor, responses: Tensor) -> Tensor:
    """Negative log-likelihood of Poisson responses but for constants: Σ (p − r log(p + 1e-8)); a scalar."""
    return (rates - responses * (rates + _EPSILON).log()).sum()


def squared_error(rates: Tensor, responses: Tensor) -> Tensor:
    """Squared error Σ (p − r)²; a scalar."""
    return (rates - responses).square().sum()


LOSSES = {"poisson": poisson, "squared_error": squared_error}


def batch_weight(trials: int, batch_size: int) -> float:
    """Weight of the loss of a batch: √(trials of the recording, of every tier / trials of the batch).

    It decides how strong the penalties are beside the loss, so it must be that of the baselines of 2022, which count
    all trials.
    """
    return math.sqrt(trials / batch_size)
