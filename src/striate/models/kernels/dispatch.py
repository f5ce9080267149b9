"""Which form of an operation is used: the fused one where it can be had, the plain one otherwise."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import ModuleType
from typing import Literal

import torch

Form = Literal["auto", "plain"]

_FORM: ContextVar[Form] = ContextVar("striate_form_of_operations", default="auto")


def form() -> Form:
    """Which form of the operations is in use: ``"auto"`` (fused where possible) or ``"plain"``."""
    return _FORM.get()


@contextmanager
def use_form(chosen: Form) -> Iterator[None]:
    """Use another form of the operations within a ``with`` block, to compare them or to differentiate twice.

    Parameters
    ----------
    chosen
        ``"plain"`` for plain PyTorch, ``"auto"`` for fused kernels wherever they can be had.

    Raises
    ------
    ValueError
        If there is no such form.
    """
    if chosen not in ("auto", "plain"):
        raise ValueError(f"There is no form {chosen!r} of the operations: use 'auto' or 'plain'.")
    token = _FORM.set(chosen)
    try:
        yield
    finally:
        _FORM.reset(token)


def fused_kernels(device: torch.device) -> ModuleType | None:
    """Fused kernels for a device; None where only the plain form works."""
    if device.type == "cpu":
        return cpu_kernels()
    if device.type == "cuda":
        return gpu_kernels()
    return None


@cache
def cpu_kernels() -> ModuleType | None:
    """Loops that numba compiles; None, with a warning, where it cannot."""
    try:
        from striate.models.kernels import readout_numba

        readout_numba.start_threads()
    except Exception as error:  # whatever is wrong with a compiler, the plain form still works
        _say_once("numba", error)
        return None
    return readout_numba


def normalisation_kernels(device: torch.device) -> ModuleType | None:
    """Batch normalisation and ELU in one; None elsewhere than on a CPU, and without numba."""
    if device.type != "cpu" or cpu_kernels() is None:
        return None
    from striate.models.kernels import batchnorm_elu_numba

    return batchnorm_elu_numba


@cache
def vector_kernels() -> ModuleType | None:
    """Instructions for the vector units of this CPU; None where they are not known, or numba does not work."""
    if cpu_kernels() is None:
        return None
    try:
        from striate.models.kernels import separable_core_numba
    except Exception as error:
        _say_once("numba", error)
        return None
    return separable_core_numba if separable_core_numba.SUPPORTED else None


@cache
def depthwise_kernels() -> ModuleType | None:
    """Gradients of depth-wise convolutions on this CPU; None where its vector units are not known, or without numba."""
    if vector_kernels() is None:
        return None
    from striate.models.kernels import depthwise_conv_numba

    return depthwise_conv_numba


@cache
def gpu_kernels() -> ModuleType | None:
    """Kernels that Triton compiles; None, with a warning, where it cannot."""
    try:
        from striate.models.kernels import readout_triton
    except Exception as error:
        _say_once("Triton", error)
        return None
    return readout_triton


def _say_once(compiler: str, error: Exception) -> None:
    # once: its callers keep what they return
    warnings.warn(
        f"The fused operations need {compiler}, which does not work here ({error}). Plain PyTorch is used: the results are the same, but slower.",
        RuntimeWarning,
        stacklevel=4,
    )
