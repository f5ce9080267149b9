"""The forward pass of a whole separable core at once, where nothing is differentiated."""

from collections.abc import Sequence

import torch
from torch import Tensor

from striate.models.kernels.dispatch import form, vector_kernels

_LARGEST = 2**31  # bytes of one padded map, far more than there is to see


def separable_core(
    images: Tensor,
    first: tuple[Tensor, Tensor],
    hidden: Sequence[tuple[Tensor, Tensor, Tensor, Tensor]],
    nonlinear: bool,
) -> Tensor | None:
    """Feature maps of a first convolution and hidden layers; None where only layer by layer works.

    The first layer is a convolution without padding. A hidden one is a point-wise, a depth-wise and a point-wise
    convolution, padded so that maps keep their size. After each layer comes its bias and, in a nonlinear core, an ELU.

    Parameters
    ----------
    images : (B, planes, h, w)
    first : (C, planes, k, k) and (C,)
        Weight and bias of the first layer.
    hidden : (C, C, 1, 1), (C, 1, k, k), (C, C, 1, 1) and (C,)
        Weights of the three convolutions of each hidden layer, and the bias of the last; k is odd.
    nonlinear
        Whether there are ELUs.

    Returns
    -------
    Tensor, (B, C, H, W), channels-last, or None
        None on other devices than a CPU with AVX2 or AVX-512, in other types than single precision, for numbers of
        channels that do not fill whole registers (64 with AVX-512, 16 with AVX2), in the plain form, and where numba
        does not work.

    Notes
    -----
    An image goes through the whole core before the next one begins, so its maps never leave the cache, and does not
    depend on those beside it in the batch. Layer by layer PyTorch computes the same but for rounding.
    """
    weight = first[0]
    tensors = (images, *first, *(part for layer in hidden for part in layer))
    simple = all(t.device.type == "cpu" and t.dtype == torch.float32 for t in tensors)
    if not simple or form() == "plain" or torch.compiler.is_compiling():
        return None
    kernels = vector_kernels()
    if kernels is None or len(weight) % kernels.BLOCK or images[:1].numel() * len(weight) >= _LARGEST:
        return None
    channels, kernel = len(weight), hidden[0][1].shape[-1] if hidden else 1

    def together(part: int, *shape: int) -> Tensor:
        return torch.stack([layer[part].reshape(shape) for layer in hidden]) if hidden else weight.new_empty(0, *shape)

    maps: Tensor = kernels.core(
        images,
        *first,
        together(0, channels, channels),
        together(1, channels, kernel, kernel),
        together(2, channels, channels),
        together(3, channels),
        nonlinear,
    )
    return maps
