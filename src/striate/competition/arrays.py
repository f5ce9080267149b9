"""Truths and tables as named arrays in one NumPy file (no pickle), in memory: secrets touch no temporary file."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.benchmarks import BenchmarkSpec
from striate.errors import InputError
from striate.recordings import npy_format
from striate.submissions import Truth

Arrays = dict[str, NDArray[Any]]

_KEYS = ("unit_ids", "tier", "trial_idx", "image_id", "responses")
_LARGEST = 2**33  # bytes that an array may claim


def dump(arrays: Mapping[str, NDArray[Any] | str]) -> bytes:
    """Write named arrays and texts as the bytes of an ``.npz``; the same content gives the same bytes."""
    stream = io.BytesIO()
    plain = {name: np.asarray(value) for name, value in arrays.items()}
    np.savez(stream, allow_pickle=False, **plain)
    return stream.getvalue()


def load(content: bytes, what: str) -> Arrays:
    """Read what `dump` wrote.

    Raises
    ------
    InputError
        If it is damaged, or no such file; `what` names it.
    """
    try:
        return npy_format.read_npz(io.BytesIO(content), _LARGEST)
    except InputError as error:
        raise InputError(f"{what} is damaged, or no file of that kind ({str(error).rstrip('.')}).") from None


def of_truth(truth: Truth, prefix: str) -> Arrays:
    """A truth as named arrays."""
    return {f"{prefix}/{name}": getattr(truth, name) for name in _KEYS}


def truth_of(arrays: Mapping[str, NDArray[Any]], prefix: str, session: str, benchmark: BenchmarkSpec) -> Truth:
    """The truth that `of_truth` turned into arrays.

    Raises
    ------
    KeyError
        If an array is missing.
    InputError
        If they do not fit each other.
    """
    fields: dict[str, Any] = {name: arrays[f"{prefix}/{name}"] for name in _KEYS}
    return Truth(session, **fields, benchmark=benchmark)
