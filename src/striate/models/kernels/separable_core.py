"""Forward pass of a whole depth-separable core in one fused kernel, without gradients."""

from collections.abc import Sequence

import torch
from torch import Tensor

from striate.models.kernels.dispatch import current_backend, vector_kernels

_LARGEST = 2**31  # bytes of one padded map; far larger than any real input


def separable_core(
    images: Tensor,
    first: tuple[Tensor, Tensor],
    hidden: Sequence[tuple[Tensor, Tensor, Tensor, Tensor]],
    nonlinear: bool,
    every: bool = False,
) -> list[Tensor] | None:
    """Compute the feature maps of the last layer of a core, or of every layer; None if the fused kernel does not support it.

    The first layer is a convolution without padding. Each hidden layer is a pointwise, a depthwise and a pointwise
    convolution with padding that keeps the size of the maps. A bias and, in a nonlinear core, an ELU follow each layer.

    Parameters
    ----------
    images : (B, channels, h, w)
        Standardised images.
    first : (C, channels, k, k) and (C,)
        Weight and bias of the first layer.
    hidden : (C, C, 1, 1), (C, 1, k, k), (C, C, 1, 1) and (C,)
        Weights of the three convolutions of each hidden layer, and the bias of the last one; k is odd.
    nonlinear
        Whether an ELU follows each layer.
    every
        Whether the maps of every layer are returned, instead of those of the last one alone.

    Returns
    -------
    list of (B, C, H, W), channels-last, or None
        None unless the device is a CPU with AVX2 or AVX-512, the data type is float32, the number of channels is a
        multiple of 64 (AVX-512) or 16 (AVX2), the backend is ``"auto"``, and numba works.

    Notes
    -----
    Each image passes through the whole core before the next one, so that its maps stay in the cache, and its result does not
    depend on the other images of the batch. The result differs from PyTorch's layer-by-layer computation by rounding only.
    """
    weight = first[0]
    tensors = (images, *first, *(part for layer in hidden for part in layer))
    supported = all(t.device.type == "cpu" and t.dtype == torch.float32 for t in tensors)
    if not supported or current_backend() == "reference" or torch.compiler.is_compiling():
        return None
    kernels = vector_kernels()
    if kernels is None or len(weight) % kernels.BLOCK or images[:1].numel() * len(weight) >= _LARGEST:
        return None
    channels, kernel = len(weight), hidden[0][1].shape[-1] if hidden else 1

    def stacked(part: int, *shape: int) -> Tensor:
        return torch.stack([layer[part].reshape(shape) for layer in hidden]) if hidden else weight.new_empty(0, *shape)

    maps: list[Tensor] = kernels.core(
        images,
        *first,
        stacked(0, channels, channels),
        stacked(1, channels, kernel, kernel),
        stacked(2, channels, channels),
        stacked(3, channels),
        nonlinear,
        every,
    )
    return maps
