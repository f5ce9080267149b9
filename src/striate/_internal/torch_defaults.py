"""PyTorch's global settings, as the computations of striate expect them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

_AUTOCAST = ("cpu", "cuda", "mps")


@contextmanager
def torch_defaults(*, gradients: bool = False) -> Iterator[None]:
    """Compute within the block as in a fresh process, whatever the caller has set for code of their own.

    New tensors are float32 and on the CPU unless the code says otherwise, and nothing is cast automatically: the default
    dtype, the default device and ``torch.autocast`` of the caller are suspended, and stand again after the block.

    Parameters
    ----------
    gradients
        Whether gradients are computed even where the caller has turned them off (``torch.no_grad``,
        ``torch.inference_mode``), as training needs.
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
