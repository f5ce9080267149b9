"""Batch normalisation and ELU in one, where a batch is trained on."""

from typing import Any

import torch
from torch import Tensor, nn

from striate.models.kernels.custom_ops import differentiable, operator
from striate.models.kernels.dispatch import form, normalisation_kernels
from striate.models.kernels.elu import elu_


def normalised_elu(maps: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    """Batch normalisation of maps, (B, C, H, W), then ELU.

    Parameters
    ----------
    maps : (B, C, H, W)
        Fused only in the memory format ``torch.channels_last``.
    norm
        Its running statistics move if it is in training mode, as PyTorch moves them.

    Notes
    -----
    Both together take a fifth of a step of training on a CPU: they wait for memory. In one they read and write it a
    little more than half as often. Fused are training mode on a CPU in single precision; it can be differentiated once.
    """
    kernels = None if form() == "plain" or torch.compiler.is_compiling() else normalisation_kernels(maps.device)
    tensors = (maps, norm.weight, norm.bias, norm.running_mean, norm.running_var)
    simple = all(t is not None and t.dtype == torch.float32 and t.device == maps.device for t in tensors)
    dense = maps.ndim == 4 and maps.is_contiguous(memory_format=torch.channels_last)
    several = maps.numel() > maps.shape[1] and norm.momentum is not None
    watched = norm._forward_hooks or norm._forward_pre_hooks or norm._backward_hooks
    if kernels is None or not (norm.training and simple and dense and several) or watched:
        # in place: neither the convolution nor the normalisation needs what it put out to be differentiated
        return elu_(norm(maps))
    values, mean, variance = _normalised_elu(maps, norm.weight, norm.bias, norm.eps)
    _track(norm, mean.detach(), variance.detach(), maps.numel() // maps.shape[1])
    result: Tensor = values
    return result


@torch.no_grad()
def _track(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor, number: int) -> None:
    """Move the running statistics; the variance is that of a population of which the batch is a sample."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.momentum is not None
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
    for running, new in ((norm.running_mean, mean), (norm.running_var, variance * number / (number - 1))):
        running.copy_((1 - norm.momentum) * running.double() + norm.momentum * new)


def _kernel(maps: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    kernels = normalisation_kernels(maps.device)
    assert kernels is not None
    values, mean, variance = kernels.forward(maps, weight, bias, eps)
    return values, mean, variance


def _fake(maps: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    mean = weight.new_empty(weight.shape, dtype=torch.float64)
    return torch.empty_like(maps), mean, torch.empty_like(mean)


_normalised_elu = operator("normalised_elu", _kernel, fake=_fake)


def _gradients_kernel(
    slopes: Tensor, values: Tensor, maps: Tensor, mean: Tensor, variance: Tensor, weight: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    kernels = normalisation_kernels(maps.device)
    assert kernels is not None
    of_maps, of_weight, of_bias = kernels.backward(slopes, values, maps, mean, variance, weight, eps)
    return of_maps, of_weight, of_bias


def _gradients_fake(
    slopes: Tensor, values: Tensor, maps: Tensor, mean: Tensor, variance: Tensor, weight: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(maps), torch.empty_like(weight), torch.empty_like(weight)


_gradients = operator("normalised_elu_gradients", _gradients_kernel, fake=_gradients_fake)


def _keep(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, float], output: tuple[Tensor, Tensor, Tensor]) -> None:
    maps, weight, _, ctx.eps = inputs
    values, mean, variance = output
    ctx.mark_non_differentiable(mean, variance)
    ctx.save_for_backward(values, maps, mean, variance, weight)


def _differentiate(ctx: Any, slopes: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor, None]:
    of_maps, of_weight, of_bias = _gradients(slopes, *ctx.saved_tensors, ctx.eps)
    return of_maps, of_weight, of_bias, None


differentiable("normalised_elu", _differentiate, keep=_keep)
