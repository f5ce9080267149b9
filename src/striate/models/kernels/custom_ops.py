"""Register operators with PyTorch, for autograd and `torch.compile`.

`torch.library.custom_op` would do the same, but wraps each kernel such that its first call imports ``torch._dynamo``, which takes
seconds. Kernels that are registered with a `torch.library.Library` do without.
"""

from collections.abc import Callable
from typing import Any

import torch

_DEVICES = ("CPU", "CUDA")

_library: Any = torch.library.Library("striate", "FRAGMENT")  # type: ignore[no-untyped-call]


def operator(name: str, kernel: Callable[..., Any], *, fake: Callable[..., Any]) -> Any:
    """Register an operator that changes none of its arguments and returns none of them.

    Parameters
    ----------
    name
        Its name in ``torch.ops.striate``.
    kernel
        What it computes; the schema comes from its annotations.
    fake
        Gives outputs of the right shape, type and memory format without computing them.

    Returns
    -------
    torch._ops.OpOverload
        To be called in place of the kernel.
    """
    _library.define(f"{name}{torch.library.infer_schema(kernel, mutates_args=())}")
    for device in _DEVICES:
        _library.impl(name, kernel, device)
    torch.library.register_fake(f"striate::{name}", fake, lib=_library)
    return getattr(torch.ops.striate, name).default


def differentiable(name: str, backward: Callable[..., Any], *, keep: Callable[..., None]) -> None:
    """Say how an operator is differentiated.

    Parameters
    ----------
    name
        Its name in ``torch.ops.striate``.
    backward
        Takes a context and the gradients of the outputs; returns those of the inputs.
    keep
        Takes a context, the inputs and the output, and keeps in the context what `backward` needs.
    """
    torch.library.register_autograd(f"striate::{name}", backward, setup_context=keep, lib=_library)
