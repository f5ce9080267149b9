"""Register operators with PyTorch, for autograd and `torch.compile`.

`torch.library.custom_op` would do the same, but the first call of each of its kernels imports ``torch._dynamo``, which takes
seconds. Kernels that are registered with a `torch.library.Library` do not import it.
"""

from collections.abc import Callable
from typing import Any

import torch

_DEVICES = ("CPU", "CUDA")

_library: Any = torch.library.Library("striate", "FRAGMENT")  # type: ignore[no-untyped-call]


def register_operator(name: str, kernel: Callable[..., Any], *, fake: Callable[..., Any]) -> Any:
    """Register an operator that neither changes nor returns its arguments.

    Parameters
    ----------
    name
        Name of the operator in ``torch.ops.striate``.
    kernel
        Implementation; the schema is inferred from its annotations.
    fake
        Function of the same arguments that returns empty outputs of the right shape, data type and memory format.

    Returns
    -------
    torch._ops.OpOverload
        The operator, to be called instead of the kernel.
    """
    _library.define(f"{name}{torch.library.infer_schema(kernel, mutates_args=())}")
    for device in _DEVICES:
        _library.impl(name, kernel, device)
    torch.library.register_fake(f"striate::{name}", fake, lib=_library)
    return getattr(torch.ops.striate, name).default


def register_backward(name: str, backward: Callable[..., Any], *, setup_context: Callable[..., None]) -> None:
    """Register the backward pass of an operator.

    Parameters
    ----------
    name
        Name of the operator in ``torch.ops.striate``.
    backward
        Function of a context and the gradients of the outputs that returns the gradients of the inputs.
    setup_context
        Function of a context, the inputs and the output that saves in the context what `backward` needs.
    """
    torch.library.register_autograd(f"striate::{name}", backward, setup_context=setup_context, lib=_library)
