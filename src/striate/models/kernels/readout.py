"""Read each neuron's features out of the core's maps at its own position, by the fastest form that works here."""

from typing import Any

import torch
from torch import Tensor

from striate.models.kernels import readout_reference
from striate.models.kernels.custom_ops import differentiable, operator
from striate.models.kernels.dispatch import form, fused_kernels

_FUSED = (torch.float32, torch.float64)
_LARGEST = 2**31  # kernels count in 32 bits


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
        Added to each neuron's sum.

    Returns
    -------
    Tensor, (B, N)

    Notes
    -----
    Where numba (on a CPU) or Triton (on a GPU) works, a fused kernel goes from maps to values, and back, without
    the sampled features, (B, C, N), ever being there. It can be differentiated once. Otherwise, and within
    ``use_form("plain")``, plain PyTorch does the same, and defines what is right.
    """
    kernels = None if form() == "plain" else fused_kernels(maps.device)
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


_sample_and_project = operator("sample_and_project", _kernel, fake=_fake)


def _gradients_kernel(
    slopes: Tensor, maps: Tensor, positions: Tensor, features: Tensor, maps_wanted: bool
) -> tuple[Tensor, Tensor, Tensor]:
    kernels = fused_kernels(maps.device)
    assert kernels is not None
    of_maps, of_positions, of_features = kernels.backward(slopes, maps, positions, features, maps_wanted)
    return of_maps, of_positions, of_features


def _gradients_fake(
    slopes: Tensor, maps: Tensor, positions: Tensor, features: Tensor, maps_wanted: bool
) -> tuple[Tensor, Tensor, Tensor]:
    batch, channels, height, width = maps.shape
    of_maps = maps.new_empty((batch if maps_wanted else 0, height, width, channels)).permute(0, 3, 1, 2)
    return of_maps, positions.new_empty(positions.shape), features.new_empty(features.shape)


_gradients = operator("sample_and_project_gradients", _gradients_kernel, fake=_gradients_fake)


def _keep(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _differentiate(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
    maps, positions, features = ctx.saved_tensors
    wanted = ctx.needs_input_grad[0]
    of_maps, of_positions, of_features = _gradients(slopes, maps, positions, features, wanted)
    return (of_maps if wanted else None), of_positions, of_features


differentiable("sample_and_project", _differentiate, keep=_keep)
