"""What every metric asks of its arrays, and how they are walked through in blocks of neurons."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate._internal.arrays import as_array
from striate.errors import InputError

Floats = NDArray[np.float64]

_BLOCK = 2**17  # numbers in one block of neurons: 1 MiB of float64, which stays in a core's cache


def trials_by_neurons(values: ArrayLike, name: str) -> NDArray[Any]:
    """Return `values` as an array of trials × neurons.

    Raises
    ------
    InputError
        If it has other than two dimensions, no trial, no neuron, or is not of real numbers.
    """
    array = as_array(values, name)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"The {name} have shape {array.shape}; expected (trials, neurons), at least one of each.")
    if array.dtype.kind not in "fiub":
        raise InputError(f"The {name} are of type {array.dtype}; expected real numbers.")
    return array


def same_shape(responses: ArrayLike, predictions: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return both as arrays of trials × neurons.

    Raises
    ------
    InputError
        If their shapes differ, either is not trials × neurons, or both are DataFrames with the same labels in another order.
    """
    for axis in ("index", "columns"):
        _refuse_other_order(responses, predictions, axis)
    r, p = trials_by_neurons(responses, "responses"), trials_by_neurons(predictions, "predictions")
    if r.shape != p.shape:
        raise InputError(
            f"The predictions have shape {p.shape} and the responses {r.shape}; both must be the same trials × neurons."
        )
    return r, p


def _refuse_other_order(responses: Any, predictions: Any, axis: str) -> None:
    if not (hasattr(responses, "iloc") and hasattr(predictions, "iloc")):
        return
    measured, predicted = (list(getattr(values, axis, ())) for values in (responses, predictions))
    if measured != predicted and set(measured) == set(predicted):
        raise InputError(
            f"The responses and the predictions have the same labels in their {axis}, in another order: give "
            f"predictions.reindex_like(responses)."
        )


def neuron_blocks(neurons: int, rows: int) -> Iterator[slice]:
    """Slices of neurons, so narrow that `rows` numbers a neuron fit the cache."""
    width = max(16, _BLOCK // max(rows, 1))
    for start in range(0, neurons, width):
        yield slice(start, min(start + width, neurons))
