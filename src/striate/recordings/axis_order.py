"""Which axis of an array is what: images and responses of a lab brought to trials first."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError

Array = NDArray[Any]

IMAGE_AXES, RESPONSE_AXES = "THW", "TN"
_MEANING = {"T": "trials or images", "H": "height", "W": "width", "N": "neurons"}


def transpose_axes(array: Array, axes: str, wanted: str, name: str) -> Array:
    """Return a view of an array with its axes in the order that is wanted.

    Parameters
    ----------
    array
        Of as many dimensions as `axes` has letters, or one more of length 1 (the channel of grey images).
    axes
        A letter for each axis: a permutation of `wanted`.
    wanted
        ``"THW"`` for images (trials, height, width), ``"TN"`` for responses (trials, neurons).
    name
        What the array is, for the message.

    Raises
    ------
    InputError
        If `axes` is no permutation of `wanted`, or the array has another number of dimensions.
    """
    letters = axes.upper()
    if sorted(letters) != sorted(wanted):
        said = ", ".join(f"{letter} {_MEANING[letter]}" for letter in wanted)
        raise InputError(f"The axes of {name} are {axes!r}: give the letters of {wanted} in their order ({said}).")
    if letters == wanted:
        return array
    if array.ndim == len(wanted) + 1 and 1 in array.shape[1:]:
        array = np.squeeze(array, axis=1 + array.shape[1:].index(1))
    if array.ndim != len(wanted):
        raise InputError(
            f"{name} has shape {array.shape}, and {axes} names {len(wanted)} axes: give one letter an axis."
        )
    return array.transpose([letters.index(letter) for letter in wanted])


def infer_axes(arrays: Mapping[str, Any], *, from_matlab: bool) -> dict[str, str]:
    """Tell the axes of ``images`` and ``responses`` from how many trials, neurons and images there are.

    Parameters
    ----------
    arrays
        Arguments of `striate.convert`, as they were read from an HDF5 file; ``image_axes`` or ``response_axes`` among
        them are taken as true.
    from_matlab
        Whether MATLAB wrote the file. There, trials are often the last axis; elsewhere they are the first.

    Returns
    -------
    dict
        ``image_axes`` and ``response_axes``, as `striate.convert` takes them.

    Raises
    ------
    InputError
        If two orders fit, or the images would be higher than wide, as they are where height and width were exchanged.
    """
    images, responses = (np.asarray(arrays[name]) for name in ("images", "responses"))
    response_axes = str(arrays.get("response_axes", RESPONSE_AXES)).upper()
    if from_matlab and responses.ndim == 2 and "response_axes" not in arrays:
        neurons = _number_of_neurons(arrays["neurons"])
        if responses.shape == (neurons, neurons):
            raise InputError(
                f"There are as many trials as neurons ({neurons}), so it cannot be told which axis of responses is which: "
                "state it, response_axes='TN' (--response-axes TN) or NT."
            )
        if responses.shape[0] == neurons:
            response_axes = "NT"
    axes = {"response_axes": response_axes}
    if images.ndim in (3, 4) and "image_axes" not in arrays:
        trials = responses.shape[max(response_axes.find("T"), 0)] if responses.ndim == 2 else 0
        axes["image_axes"] = _image_axes(_without_channel(images.shape), trials, arrays, from_matlab=from_matlab)
    return axes


def _image_axes(shape: tuple[int, ...], trials: int, arrays: Mapping[str, Any], *, from_matlab: bool) -> str:
    fitting = ["THW"]
    if from_matlab:
        fitting = [axes for axes in ("THW", "HWT") if shape[axes.index("T")] == trials]
        if not fitting:  # each distinct image once: at least as many as the ids say
            ids = np.asarray(arrays.get("trials", {}).get("image_id", ()))
            least = int(ids.max()) + 1 if ids.size and ids.dtype.kind in "iuf" else 1
            fitting = [axes for axes in ("THW", "HWT") if shape[axes.index("T")] >= least]
    if len(fitting) == 1:
        height, width = (shape[fitting[0].index(letter)] for letter in "HW")
        if height <= width:
            return fitting[0]
        problem = f"images would be {height} pixels high and {width} wide, as if height and width were exchanged"
    else:
        problem = f"images have shape {shape}, and it cannot be told which axis is which"
    raise InputError(
        f"The {problem}: state the axes by a letter each, such as image_axes='HWT' (--image-axes HWT); T is trials or images, "
        "H height, W width."
    )


def _without_channel(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) == 4 and 1 in shape[1:]:
        channel = 1 + shape[1:].index(1)
        return (*shape[:channel], *shape[channel + 1 :])
    return shape[:3]


def _number_of_neurons(neurons: Mapping[str, Any]) -> int:
    """Number of neurons by the columns of their table."""
    for values in map(np.asarray, neurons.values()):
        if values.ndim == 1 or (values.ndim == 2 and 1 in values.shape):
            return int(values.size)
    for values in map(np.asarray, neurons.values()):
        if values.ndim == 2 and 3 in values.shape:
            return int(values.size) // 3
    return 0
