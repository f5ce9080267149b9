"""Sample the feature maps at each neuron's position and project them, with the fastest available backend."""

from typing import Any

import torch
from torch import Tensor

from striate.models.kernels import readout_reference
from striate.models.kernels.custom_ops import register_backward, register_operator
from striate.models.kernels.dispatch import current_backend, fused_kernels

_FUSED = (torch.float32, torch.float64)
_LARGEST = 2**31  # the kernels use 32-bit indices


def sample_and_project(maps: Tensor, positions: Tensor, features: Tensor, bias: Tensor) -> Tensor:
    """Sample feature maps bilinearly at each neuron's position and weight them by the neuron's features.

    ``out[b, n] = bias[n] + Σ_c features[n, c] · maps[b, c, position of n in b]``

    Parameters
    ----------
    maps : (B, C, H, W)
        Feature maps of a batch of images; fastest in the memory format ``torch.channels_last``.
    positions : (N, 2) or (B, N, 2)
        Position of each neuron, the same for all images or one for each; horizontal, then vertical; −1 is the
        centre of the first column (row), 1 that of the last. Outside, the maps are zero.
    features : (N, C)
        Weight of each feature map, by neuron.
    bias : (N,)
        Bias of each neuron.

    Returns
    -------
    Tensor, (B, N)
        Value of each neuron for each image.

    Notes
    -----
    The fused kernels (numba on a CPU, Triton on a GPU) never store the sampled features, (B, C, N), in memory. They have no
    second derivative. Without them, and within ``use_backend("reference")``, the reference implementation in PyTorch is
    used, which defines the correct result.

    Examples
    --------
    >>> maps = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    >>> position = torch.tensor([[0.5, 0.0]])
    >>> sample_and_project(maps, position, torch.tensor([[2.0]]), torch.tensor([10.0]))
    tensor([[15.]])
    """
    kernels = None if current_backend() == "reference" else fused_kernels(maps.device)
    same_type = maps.dtype in _FUSED and maps.dtype == positions.dtype == features.dtype
    sizes = (maps.numel(), features.numel(), positions.numel())
    if kernels is None or not same_type or min(sizes) == 0 or max(sizes) >= _LARGEST:
        return readout_reference.sample_and_project(maps, positions, features, bias)
    if positions.ndim == 2:
        positions = positions[None]
    value: Tensor = _sample_and_project(maps, positions, features)
    return value + bias


def _kernel(maps: Tensor, positions: Tensor, features: Tensor) -> Tensor:
    kernels = fused_kernels(maps.device)
    assert kernels is not None
    value: Tensor = kernels.forward(maps, positions, features)
    return value


def _fake(maps: Tensor, positions: Tensor, features: Tensor) -> Tensor:
    return maps.new_empty((maps.shape[0], features.shape[0]))


_sample_and_project = register_operator("sample_and_project", _kernel, fake=_fake)


def _gradients_kernel(
    grad_output: Tensor, maps: Tensor, positions: Tensor, features: Tensor, needs_grad_maps: bool
) -> tuple[Tensor, Tensor, Tensor]:
    kernels = fused_kernels(maps.device)
    assert kernels is not None
    grad_maps, grad_positions, grad_features = kernels.backward(grad_output, maps, positions, features, needs_grad_maps)
    return grad_maps, grad_positions, grad_features


def _gradients_fake(
    grad_output: Tensor, maps: Tensor, positions: Tensor, features: Tensor, needs_grad_maps: bool
) -> tuple[Tensor, Tensor, Tensor]:
    batch, channels, height, width = maps.shape
    grad_maps = maps.new_empty((batch if needs_grad_maps else 0, height, width, channels)).permute(0, 3, 1, 2)
    return grad_maps, positions.new_empty(positions.shape), features.new_empty(features.shape)


_gradients = register_operator("sample_and_project_gradients", _gradients_kernel, fake=_gradients_fake)


def _setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
    maps, positions, features = ctx.saved_tensors
    needs_grad = ctx.needs_input_grad[0]
    grad_maps, grad_positions, grad_features = _gradients(grad_output, maps, positions, features, needs_grad)
    return (grad_maps if needs_grad else None), grad_positions, grad_features


register_backward("sample_and_project", _backward, setup_context=_setup_context)
