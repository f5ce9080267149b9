"""Loss functions, without the penalties of the model."""

import math

from torch import Tensor

_EPSILON = 1e-8  # keeps the logarithm of a rate of zero finite


def poisson(rates: Tensor, responses: Tensor) -> Tensor:
    """Return the negative Poisson log-likelihood without its constant term, Σ (p − r log(p + 1e-8)).

    Parameters
    ----------
    rates, responses : (B, N)
        Predicted rates p and measured responses r, standardised.

    Returns
    -------
    Tensor
        A scalar.

    Examples
    --------
    >>> import torch
    >>> poisson(torch.ones(1, 2), torch.ones(1, 2)).item()
    2.0
    """
    return (rates - responses * (rates + _EPSILON).log()).sum()


def squared_error(rates: Tensor, responses: Tensor) -> Tensor:
    """Return the squared error, Σ (p − r)².

    Parameters
    ----------
    rates, responses : (B, N)
        Predicted rates p and measured responses r, standardised.

    Returns
    -------
    Tensor
        A scalar.

    Examples
    --------
    >>> import torch
    >>> squared_error(torch.zeros(1, 2), torch.ones(1, 2)).item()
    2.0
    """
    return (rates - responses).square().sum()


LOSSES = {"poisson": poisson, "squared_error": squared_error}


def batch_weight(trials: int, batch_size: int) -> float:
    """Return the weight of the loss of a batch: √(trials of the recording / trials of the batch).

    The weight balances the loss and the penalties. As in the baselines of 2022, the trials of all tiers count.

    Parameters
    ----------
    trials
        Number of trials of the recording, in all tiers.
    batch_size
        Number of trials of the batch.

    Examples
    --------
    >>> batch_weight(6400, 64)
    10.0
    """
    return math.sqrt(trials / batch_size)
