"""In-place ELU for the forward pass without gradients."""

import torch
from torch import Tensor
from torch.nn import functional as F

from striate.models.kernels.dispatch import current_backend, fused_kernels


def elu_(values: Tensor) -> Tensor:
    """Apply ELU(x) = x where x > 0 and exp(x) − 1 elsewhere, in place.

    PyTorch's ELU takes a third of the forward pass of a core on a CPU. A numba kernel replaces it for dense tensors in
    single precision that need no gradient; its results differ from PyTorch's by rounding only.

    Parameters
    ----------
    values
        Tensor of any shape; it is changed.

    Returns
    -------
    Tensor
        The same tensor.

    Examples
    --------
    >>> elu_(torch.tensor([2.0, 0.0]))
    tensor([2., 0.])
    """
    dense = values.is_contiguous() or (values.ndim == 4 and values.is_contiguous(memory_format=torch.channels_last))
    supported = values.device.type == "cpu" and values.dtype == torch.float32 and not values.requires_grad and dense
    if supported and values.numel() and current_backend() != "reference" and not torch.compiler.is_compiling():
        kernels = fused_kernels(values.device)
        if kernels is not None:
            kernels.elu_(values)
            return values
    return F.elu(values, inplace=True)
