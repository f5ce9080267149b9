"""Loss functions, without the penalties of the model.

A loss is a function of predicted rates and measured responses, both (B, N). It returns one value for each neuron and trial,
(B, N), or one for each neuron, (N,): the trainer multiplies these by the weights of the neurons and sums them. Register
your own by ``@striate.registry.losses.register("name")``; with ``settings=``, it gets its settings as keyword argument
``settings``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from striate.errors import InputError
from striate.registry import losses

if TYPE_CHECKING:
    from torch import Tensor

_EPSILON = 1e-8  # keeps the logarithm of a rate of zero finite


@losses.register("poisson")
def poisson(rates: Tensor, responses: Tensor) -> Tensor:
    """Negative Poisson log-likelihood without its constant term, p − r log(p + 1e-8).

    Parameters
    ----------
    rates, responses : (B, N)
        Predicted rates p and measured responses r, standardised.

    Returns
    -------
    Tensor, (B, N)
        Loss of each neuron in each trial.

    Examples
    --------
    >>> import torch
    >>> poisson(torch.ones(1, 2), torch.ones(1, 2))
    tensor([[1., 1.]])
    """
    return rates - responses * (rates + _EPSILON).log()


@losses.register("squared_error")
def squared_error(rates: Tensor, responses: Tensor) -> Tensor:
    """Squared error, (p − r)².

    Parameters
    ----------
    rates, responses : (B, N)
        Predicted rates p and measured responses r, standardised.

    Returns
    -------
    Tensor, (B, N)
        Loss of each neuron in each trial.

    Examples
    --------
    >>> import torch
    >>> squared_error(torch.zeros(1, 2), torch.ones(1, 2))
    tensor([[1., 1.]])
    """
    return (rates - responses).square()


def total_loss(values: Tensor, neuron_weights: Tensor | None = None) -> Tensor:
    """Sum the values of a loss over trials and neurons.

    Parameters
    ----------
    values : (B, N) or (N,)
        Values that a loss function returned.
    neuron_weights : (N,), optional
        Weight of each neuron; by default 1.

    Returns
    -------
    Tensor
        A scalar.

    Raises
    ------
    InputError
        If the last axis of `values` has not one entry for each weight.

    Examples
    --------
    >>> import torch
    >>> total_loss(torch.ones(3, 2), torch.tensor([1.0, 0.5])).item()
    4.5
    """
    if neuron_weights is None:
        return values.sum()
    if values.ndim == 0 or values.shape[-1] != len(neuron_weights):
        raise InputError(
            f"The loss returned a tensor of shape {tuple(values.shape)}, which cannot be weighted by neuron: return one value for each "
            f"trial and neuron, (batch, {len(neuron_weights)}), or one for each neuron, ({len(neuron_weights)},)."
        )
    return (values * neuron_weights).sum()


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
