"""The nonlinearity of the cores where nothing is differentiated: in place, and as fast as memory allows."""

import torch
from torch import Tensor
from torch.nn import functional as F

from striate.models.kernels.dispatch import form, fused_kernels


def elu_(values: Tensor) -> Tensor:
    """Put ELU(x) = x where x > 0, exp(x) − 1 elsewhere, in the place of x, and return it.

    PyTorch's own takes a third of a core's forward pass on a CPU, for the exponentials; where numba works, one of our
    own takes its place, for dense tensors in single precision that need no gradient. It differs from PyTorch's by
    rounding.

    Parameters
    ----------
    values
        Of any shape; changed.
    """
    dense = values.is_contiguous() or (values.ndim == 4 and values.is_contiguous(memory_format=torch.channels_last))
    simple = values.device.type == "cpu" and values.dtype == torch.float32 and not values.requires_grad and dense
    if simple and values.numel() and form() != "plain" and not torch.compiler.is_compiling():
        kernels = fused_kernels(values.device)
        if kernels is not None:
            kernels.elu_(values)
            return values
    return F.elu(values, inplace=True)
