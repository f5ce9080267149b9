"""Depth-wise convolutions, whose gradient in the weights is taken by a kernel of our own where it can be."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from striate.models.kernels.custom_ops import differentiable, operator
from striate.models.kernels.dispatch import depthwise_kernels, form


def depthwise(maps: Tensor, weight: Tensor) -> Tensor:
    """Convolve each feature map with a kernel of its own, padded so that it keeps its size.

    Parameters
    ----------
    maps : (B, C, H, W)
        Fastest in the memory format ``torch.channels_last``.
    weight : (C, 1, k, k)
        k is odd.

    Returns
    -------
    Tensor, (B, C, H, W)

    Notes
    -----
    PyTorch's gradient in the weights was measured to take a third of a step of training on a CPU, twelve times as long
    as the convolution itself. Where there are vector units and numba, another takes its place, in single precision, for
    kernels of 3, 5 and 7 and numbers of channels that fill registers. It can be differentiated once.
    """
    kernels = None if form() == "plain" or torch.compiler.is_compiling() else depthwise_kernels()
    channels, kernel = weight.shape[0], weight.shape[-1]
    wanted = torch.is_grad_enabled() and weight.requires_grad
    simple = all(t.device.type == "cpu" and t.dtype == torch.float32 for t in (maps, weight))
    if kernels is None or not wanted or not simple or channels % kernels.LANES or kernel not in kernels.KERNELS:
        return _convolve(maps, weight)
    convolved: Tensor = _depthwise(maps, weight)
    return convolved


def _convolve(maps: Tensor, weight: Tensor) -> Tensor:
    return F.conv2d(maps, weight, padding=weight.shape[-1] // 2, groups=len(weight))


def _kernel(maps: Tensor, weight: Tensor) -> Tensor:
    return _convolve(maps, weight)


def _fake(maps: Tensor, weight: Tensor) -> Tensor:
    return torch.empty_like(maps)


_depthwise = operator("depthwise", _kernel, fake=_fake)


def _gradients_kernel(slopes: Tensor, maps: Tensor, weight: Tensor, maps_wanted: bool) -> tuple[Tensor, Tensor]:
    kernels = depthwise_kernels()
    assert kernels is not None
    of_maps = maps.new_empty(0)
    if maps_wanted:
        margin, mask = weight.shape[-1] // 2, [True, False, False]
        settings = ([1, 1], [margin, margin], [1, 1], False, [0, 0], len(weight))
        of_maps = torch.ops.aten.convolution_backward(slopes, maps, weight, None, *settings, mask)[0]
    of_weight: Tensor = kernels.weight_gradient(slopes, maps, weight.shape[-1])
    return of_maps, of_weight


def _gradients_fake(slopes: Tensor, maps: Tensor, weight: Tensor, maps_wanted: bool) -> tuple[Tensor, Tensor]:
    return (torch.empty_like(maps) if maps_wanted else maps.new_empty(0)), weight.new_empty(weight.shape)


_gradients = operator("depthwise_gradients", _gradients_kernel, fake=_gradients_fake)


def _keep(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _differentiate(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, Tensor]:
    maps, weight = ctx.saved_tensors
    wanted = ctx.needs_input_grad[0]
    of_maps, of_weight = _gradients(slopes, maps, weight, wanted)
    return (of_maps if wanted else None), of_weight


differentiable("depthwise", _differentiate, keep=_keep)
