"""Convert array-likes to NumPy arrays: lists, tensors of any framework and device, half-precision numbers."""

import contextlib
import sys
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_MAX_INT64 = 2**63 - 1
_MAX_EXACT_FLOAT = 2**53  # largest integer up to which float64 is exact


def as_array(values: Any, what: str) -> NDArray[Any]:
    """Convert values to a NumPy array. Types that NumPy lacks, such as bfloat16, become float32.

    Parameters
    ----------
    values
        An array; a PyTorch tensor on any device, with or without gradient; a JAX or TensorFlow tensor; or nested lists of
        numbers.
    what
        Plural noun for error messages, such as ``"predictions"``.

    Raises
    ------
    InputError
        If the values do not form a rectangular array of real numbers, or some of them are masked.

    Examples
    --------
    >>> from striate._internal.arrays import as_array
    >>> as_array([[1, 2], [3, 4]], "predictions").shape
    (2, 2)
    """
    if hasattr(values, "detach"):
        if getattr(values, "is_meta", False):
            raise InputError(
                f"The {what} are a tensor on the device 'meta', which holds no values: give one that does."
            )
        values = values.detach().cpu()
        if values.dtype.is_floating_point and values.dtype.itemsize <= 2:  # bfloat16 and float8: unknown to NumPy
            values = values.float()
    elif isinstance(values, list | tuple) and any(hasattr(value, "detach") for value in values):
        values = [as_array(value, what) for value in values]
    refuse_masked(values, what)
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise InputError(
            f"The {what} are no array ({str(error).splitlines()[0][:100]}): give a rectangular array of numbers, with rows of equal length."
        ) from error
    if array.dtype.kind == "V" and array.dtype.names is None:  # the bfloat16 of JAX
        try:
            return array.astype(np.float32)
        except (ValueError, TypeError):
            pass
    if array.dtype.kind == "O" and array.ndim:  # as pandas gives columns of several types
        with contextlib.suppress(ValueError, OverflowError):
            array = np.array(array.tolist())
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = to_storable_dtype(array)
    if array.dtype.kind not in "biuf":
        got = type(values).__name__ if array.ndim == 0 else f"type {array.dtype}"
        raise InputError(f"The {what} are of {got}; expected real numbers (integers or floats).")
    return array


def refuse_masked(values: Any, what: str) -> None:
    """Raise `InputError` if entries of a masked array are masked, because conversion would silently unmask them.

    Parameters
    ----------
    values
        Any value; lists and tuples are searched for masked arrays.
    what
        Plural noun for the error message, such as ``"predictions"``.
    """
    parts = values if isinstance(values, list | tuple) else (values,)
    hidden = sum(int(np.ma.getmaskarray(part).sum()) for part in parts if isinstance(part, np.ma.MaskedArray))
    if hidden:
        raise InputError(
            f"The {what} have {hidden} masked entries, and striate keeps no masks: leave these rows out, or fill them "
            "with numpy.ma.filled."
        )


def to_storable_dtype(values: NDArray[Any]) -> NDArray[Any]:
    """Convert floats to float32 or float64, the types that all file formats support."""
    if values.dtype.kind != "f" or values.dtype.itemsize in (4, 8):
        return values
    return values.astype(np.float32 if values.dtype.itemsize < 4 else np.float64)


def to_int64(values: NDArray[Any]) -> NDArray[np.int64]:
    """Convert integers to int64 without changing any value.

    Parameters
    ----------
    values
        Integers of any type, floats with integer values, or objects of these types.

    Raises
    ------
    InputError
        If a value is not an integer, does not fit 64 bits, or is a float too large to be exact. The message is a clause,
        ``"got 0.5, which is not whole"``, for use in the message of the caller.
    """
    if values.dtype.kind == "i":
        return values.astype(np.int64)
    if values.dtype.kind == "u":
        if values.size and values.max() > _MAX_INT64:
            raise InputError(f"got {values.max()}, which does not fit 64 bits")
        return values.astype(np.int64)
    if values.dtype.kind == "f":
        whole = np.isfinite(values) & (values == np.round(values))
        if not whole.all():
            raise InputError(f"got {values[~whole].flat[0]}, which is not whole")
        if (large := np.abs(values) > _MAX_EXACT_FLOAT).any():
            raise InputError(f"got {values[large].flat[0]}, a float that is too large to be exact")
        return values.astype(np.int64)
    numbers: list[int] = []
    for value in values.tolist():
        if isinstance(value, int | np.integer) and not isinstance(value, bool):
            number = int(value)
        elif isinstance(value, float | np.floating):
            number = int(to_int64(np.asarray(value, dtype=np.float64)))
        else:
            raise InputError(f"got {value!r}")
        if not -_MAX_INT64 <= number <= _MAX_INT64:
            raise InputError(f"got {number}, which does not fit 64 bits")
        numbers.append(number)
    return np.array(numbers, dtype=np.int64)


def is_data_frame(value: object) -> "TypeGuard[pd.DataFrame]":
    """Whether a value is a pandas DataFrame. Does not import pandas, which is slow."""
    frame = getattr(sys.modules.get("pandas"), "DataFrame", None)  # None, too, while another thread imports pandas
    return frame is not None and isinstance(value, frame)
