"""Validation of the arrays passed to metrics, and iteration over blocks of neurons."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate._internal.arrays import as_array
from striate.errors import InputError

Floats = NDArray[np.float64]

_BLOCK = 2**17  # values in a block of neurons: 1 MiB of float64, which fits in the cache of a CPU core


def validate_trials_by_neurons(values: ArrayLike, name: str) -> NDArray[Any]:
    """Return `values` as an array of shape (trials, neurons).

    Parameters
    ----------
    values
        Array or DataFrame.
    name
        Plural noun for `values` in error messages, such as "responses".

    Raises
    ------
    InputError
        If the array is not two-dimensional, is empty, or does not hold real numbers.
    """
    array = as_array(values, name)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"The {name} have shape {array.shape}; expected (trials, neurons), at least one of each.")
    if array.dtype.kind not in "fiub":
        raise InputError(f"The {name} are of type {array.dtype}; expected real numbers.")
    return array


def validate_same_shape(responses: ArrayLike, predictions: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return responses and predictions as arrays of the same shape (trials, neurons).

    Raises
    ------
    InputError
        If the shapes differ, an array is not (trials, neurons), or both are DataFrames whose labels differ in order.
    """
    for axis in ("index", "columns"):
        _refuse_other_order(responses, predictions, axis)
    r, p = validate_trials_by_neurons(responses, "responses"), validate_trials_by_neurons(predictions, "predictions")
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
    """Yield slices of neurons, small enough that arrays of `rows` values per neuron fit in the cache."""
    width = max(16, _BLOCK // max(rows, 1))
    for start in range(0, neurons, width):
        yield slice(start, min(start + width, neurons))
