"""Choice of the backend of an operation: fused kernels where they are available, the PyTorch reference elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import ModuleType
from typing import Literal

import torch

from striate._internal.user_warnings import warn

Backend = Literal["auto", "reference"]

_BACKEND: ContextVar[Backend] = ContextVar("striate_backend", default="auto")


def current_backend() -> Backend:
    """Return the backend in use: ``"auto"`` (fused kernels where available) or ``"reference"`` (PyTorch only).

    Within the transformations of ``torch.func``, such as ``vmap`` and ``jacrev``, it is ``"reference"``, because fused kernels have
    neither batching rules nor second derivatives.

    Examples
    --------
    >>> current_backend()
    'auto'
    """
    return "reference" if _is_function_transform_active() else _BACKEND.get()


def _is_function_transform_active() -> bool:
    """Return whether a transformation of ``torch.func`` is running."""
    return torch._C._functorch.peek_interpreter_stack() is not None


@contextmanager
def use_backend(backend: Backend) -> Iterator[None]:
    """Select the backend of the operations within a ``with`` block.

    Use ``"reference"`` to compare results, or to differentiate twice: fused kernels have no second derivative.

    Parameters
    ----------
    backend
        ``"auto"`` for fused kernels where they are available, ``"reference"`` for PyTorch only.

    Raises
    ------
    ValueError
        If there is no such backend.

    Examples
    --------
    >>> with use_backend("reference"):
    ...     current_backend()
    'reference'
    """
    if backend not in ("auto", "reference"):
        raise ValueError(f"There is no backend {backend!r}: use 'auto' or 'reference'.")
    token = _BACKEND.set(backend)
    try:
        yield
    finally:
        _BACKEND.reset(token)


def fused_kernels(device: torch.device) -> ModuleType | None:
    """Return the fused kernels for a device, or None if there are none."""
    if device.type == "cpu":
        return cpu_kernels()
    if device.type == "cuda":
        return gpu_kernels()
    return None


@cache
def cpu_kernels() -> ModuleType | None:
    """Return the CPU kernels that numba compiles; None, with a warning, if numba does not work."""
    try:
        from striate.models.kernels import readout_numba

        readout_numba.start_threads()
    except Exception as error:  # compilers fail in many ways; the reference implementation still works
        _warn("numba", error)
        return None
    return readout_numba


def normalisation_kernels(device: torch.device) -> ModuleType | None:
    """Return the fused kernels of batch normalisation and ELU; None on other devices than CPUs, and without numba."""
    if device.type != "cpu" or cpu_kernels() is None:
        return None
    from striate.models.kernels import batchnorm_elu_numba

    return batchnorm_elu_numba


@cache
def vector_kernels() -> ModuleType | None:
    """Return the kernels in vector instructions; None if the CPU has neither AVX2 nor AVX-512, or numba does not work."""
    if cpu_kernels() is None:
        return None
    try:
        from striate.models.kernels import separable_core_numba
    except Exception as error:
        _warn("numba", error)
        return None
    return separable_core_numba if separable_core_numba.SUPPORTED else None


@cache
def depthwise_kernels() -> ModuleType | None:
    """Return the gradient kernels of depthwise convolutions; None under the conditions of `vector_kernels`."""
    if vector_kernels() is None:
        return None
    from striate.models.kernels import depthwise_conv_numba

    return depthwise_conv_numba


@cache
def gpu_kernels() -> ModuleType | None:
    """Return the GPU kernels that Triton compiles; None, with a warning, if Triton does not work."""
    try:
        from striate.models.kernels import readout_triton
    except Exception as error:
        _warn("Triton", error)
        return None
    return readout_triton


def _warn(compiler: str, error: Exception) -> None:
    # the callers are cached, so each warning is shown once
    warn(
        f"The fused operations need {compiler}, which does not work here ({error}). Plain PyTorch is used: the results are the same, but slower."
    )
