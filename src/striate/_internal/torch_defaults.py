"""Isolate computations from the global PyTorch settings of the caller."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

_AUTOCAST = ("cpu", "cuda", "mps")


@contextmanager
def torch_defaults(*, gradients: bool = False) -> Iterator[None]:
    """Reset PyTorch's default dtype, default device and autocast inside the block.

    New tensors are float32 and on the CPU unless the code says otherwise, and autocast is off. The settings of the caller are
    restored after the block.

    Parameters
    ----------
    gradients
        Whether to enable gradients even inside ``torch.no_grad`` or ``torch.inference_mode``, as training needs.
    """
    with ExitStack() as stack:
        if (dtype := torch.get_default_dtype()) != torch.float32:
            stack.callback(torch.set_default_dtype, dtype)
            torch.set_default_dtype(torch.float32)
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        for device in _AUTOCAST:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if gradients:
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
        yield
