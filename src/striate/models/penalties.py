"""Penalties of the components of a model, which are added to the loss."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.errors import InputError, describe_type


def no_penalty(module: nn.Module) -> Tensor:
    """Return a penalty of 0, a scalar, on the device of a module.

    Examples
    --------
    >>> no_penalty(nn.Linear(1, 1)).item()
    0.0
    """
    weight = next(module.parameters(), None)
    return torch.zeros(()) if weight is None else weight.new_zeros(())


def laplace_penalty(weight: Tensor, strength: float) -> Tensor:
    """Return strength · Σ(L∗w)² / Σw² of the kernels w of a convolution, a scalar.

    L is the discrete Laplacian. Both sums run over all kernels and input channels; kernels are padded with zeros. The penalty makes
    filters smooth, as receptive fields of visual neurons are.

    Parameters
    ----------
    weight : (C, K, h, w)
        Weights of the convolution.
    strength
        Weight of the penalty.

    Examples
    --------
    >>> laplace_penalty(torch.ones(1, 1, 3, 3), 1.0) < laplace_penalty(torch.eye(3)[None, None], 1.0)
    tensor(True)
    """
    kernel = weight.new_tensor([[0.0, -1.0, 0.0], [-1.0, 4.0, -1.0], [0.0, -1.0, 0.0]])
    roughness = F.conv2d(weight.flatten(0, 1)[:, None], kernel[None, None], padding=1)
    return strength * roughness.square().sum() / weight.square().sum()


def valid_penalty(penalty: Any, name: str) -> Tensor:
    """Return a penalty, which must be a tensor without axes, or a number.

    Parameters
    ----------
    penalty
        What the method ``regulariser`` returned.
    name
        What returned it, for the message.

    Raises
    ------
    InputError
        If it is something else.

    Examples
    --------
    >>> valid_penalty(torch.ones(3), "regulariser() of the core 'tiny'")
    Traceback (most recent call last):
    ...
    striate.errors.InputError: regulariser() of the core 'tiny' returned a tensor of shape (3,); expected a scalar, such as ...
    """
    if isinstance(penalty, int | float):
        return torch.tensor(float(penalty))
    if isinstance(penalty, Tensor) and penalty.ndim == 0:
        return penalty
    got = f"a tensor of shape {tuple(penalty.shape)}" if isinstance(penalty, Tensor) else describe_type(penalty)
    raise InputError(
        f"{name} returned {got}; expected a scalar, such as 0.01 * weights.abs().sum(), or torch.zeros(()) for no penalty."
    )
