"""NumPy arrays of whatever people's models return: lists, tensors on a GPU, half-precision numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError


def as_array(values: Any, what: str) -> NDArray[Any]:
    """Return `values` as an array; types that NumPy lacks, such as bfloat16, become float32.

    Parameters
    ----------
    values
        An array, a tensor of PyTorch (on any device, or still part of a computation), of JAX or TensorFlow, or
        nested lists of numbers.
    what
        What the values are, for the sentence, such as ``"predictions"``.

    Raises
    ------
    InputError
        If they are no array: ragged lists, strings, or other objects.

    Examples
    --------
    >>> as_array([[1, 2], [3, 4]], "predictions").shape
    (2, 2)
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        if values.dtype.is_floating_point and values.dtype.itemsize <= 2:  # bfloat16 and float8: unknown to NumPy
            values = values.float()
    elif isinstance(values, list | tuple) and any(hasattr(value, "detach") for value in values):
        values = [as_array(value, what) for value in values]
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise InputError(
            f"The {what} are no array ({str(error).splitlines()[0][:100]}): give a rectangular array of numbers."
        ) from error
    if array.dtype.kind == "V" and array.dtype.names is None:  # the bfloat16 of JAX
        try:
            return array.astype(np.float32)
        except (ValueError, TypeError):
            pass
    if array.dtype.kind not in "biuf":
        got = type(values).__name__ if array.ndim == 0 else f"type {array.dtype}"
        raise InputError(f"The {what} are of {got}; expected real numbers.")
    return array
