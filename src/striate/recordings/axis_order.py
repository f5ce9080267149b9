"""Axis order of images and responses: transposition to trials first, and inference from the shapes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError

Array = NDArray[Any]

IMAGE_AXES, RESPONSE_AXES = "THW", "TN"
CHANNEL_IMAGE_AXES = "TCHW"  # of images with several channels
_AXIS_NAMES = {"T": "trials or images", "C": "channels", "H": "height", "W": "width", "N": "neurons"}


def transpose_axes(array: Array, axes: str, target_axes: str, name: str) -> Array:
    """Return a view of an array with its axes in another order.

    Parameters
    ----------
    array
        Array with one dimension per letter of `axes`, and optionally one of length 1 (the channel of grey images).
    axes
        Order of the axes of `array`, a permutation of `target_axes`.
    target_axes
        Order of the axes of the result: ``"THW"`` for images (trials, height, width), ``"TCHW"`` for images with several
        channels, ``"TN"`` for responses (trials, neurons).
    name
        Name of the array for error messages.

    Raises
    ------
    InputError
        If `axes` is not a permutation of `target_axes`, or the array has another number of dimensions.

    Examples
    --------
    >>> transpose_axes(np.zeros((36, 64, 10)), "HWT", "THW", "images").shape
    (10, 36, 64)
    """
    letters = axes.upper()
    if sorted(letters) != sorted(target_axes):
        meanings = ", ".join(f"{letter} {_AXIS_NAMES[letter]}" for letter in target_axes)
        raise InputError(
            f"The axes of {name} are {axes!r}: give the letters of {target_axes} in their order ({meanings})."
        )
    if letters == target_axes:
        return array
    if array.ndim == len(target_axes) + 1 and 1 in array.shape[1:]:
        array = np.squeeze(array, axis=1 + array.shape[1:].index(1))
    if array.ndim != len(target_axes):
        raise InputError(
            f"{name} has shape {array.shape}, and {axes} names {len(target_axes)} axes: give one letter an axis."
        )
    return array.transpose([letters.index(letter) for letter in target_axes])


def infer_axes(arrays: Mapping[str, Any], *, from_matlab: bool, channels: int = 1) -> dict[str, str]:
    """Infer the axis order of ``images`` and ``responses`` from the numbers of trials, neurons and images.

    Parameters
    ----------
    arrays
        Arguments of `striate.convert`, read from an HDF5 file. ``image_axes`` and ``response_axes`` are not changed if they
        are given.
    from_matlab
        Whether MATLAB wrote the file. The last axis of MATLAB arrays is often trials; other programs put trials first.
    channels
        Number of channels of the images.

    Returns
    -------
    dict
        ``image_axes`` and ``response_axes`` for `striate.convert`.

    Raises
    ------
    InputError
        If more than one order fits, or images would be higher than wide, which suggests exchanged axes.

    Examples
    --------
    >>> arrays = {"images": np.zeros((36, 64, 10)), "responses": np.zeros((5, 10)), "neurons": {"x": np.zeros(5)}}
    >>> infer_axes(arrays, from_matlab=True)
    {'response_axes': 'NT', 'image_axes': 'HWT'}
    """
    images, responses = (np.asarray(arrays[name]) for name in ("images", "responses"))
    response_axes = str(arrays.get("response_axes", RESPONSE_AXES)).upper()
    if from_matlab and responses.ndim == 2 and "response_axes" not in arrays:
        neurons = _number_of_neurons(arrays["neurons"])
        if responses.shape == (neurons, neurons):
            raise InputError(
                f"There are as many trials as neurons ({neurons}), so the order of the axes of responses is ambiguous: "
                "give it, response_axes='TN' (--response-axes TN) or NT."
            )
        if responses.shape[0] == neurons:
            response_axes = "NT"
    axes = {"response_axes": response_axes}
    if images.ndim in (3, 4) and "image_axes" not in arrays:
        trials = responses.shape[max(response_axes.find("T"), 0)] if responses.ndim == 2 else 0
        shape = _without_channel(images.shape) if channels == 1 else images.shape
        candidates = _candidate_axes(shape, channels, from_matlab=from_matlab)
        axes["image_axes"] = _image_axes(shape, candidates, trials, arrays, from_matlab=from_matlab)
    return axes


def _candidate_axes(shape: tuple[int, ...], channels: int, *, from_matlab: bool) -> list[str]:
    """Return the usual orders of the axes of images, as far as they agree with the number of channels."""
    if channels == 1:
        return ["THW", "HWT"] if from_matlab else ["THW"]
    usual = ["TCHW", "THWC", *(["HWCT", "CHWT", "HWTC"] if from_matlab else [])]
    return [axes for axes in usual if len(shape) == 4 and shape[axes.index("C")] == channels]


def _image_axes(
    shape: tuple[int, ...], candidates: list[str], trials: int, arrays: Mapping[str, Any], *, from_matlab: bool
) -> str:
    fitting = candidates
    if from_matlab:
        fitting = [axes for axes in candidates if shape[axes.index("T")] == trials]
        if not fitting:  # one image per id: at least as many images as the largest id requires
            ids = np.asarray(arrays.get("trials", {}).get("image_id", ()))
            minimum = int(ids.max()) + 1 if ids.size and ids.dtype.kind in "iuf" else 1
            fitting = [axes for axes in candidates if shape[axes.index("T")] >= minimum]
    if len(fitting) == 1:
        height, width = (shape[fitting[0].index(letter)] for letter in "HW")
        if height <= width:
            return fitting[0]
        problem = f"images would be {height} pixels high and {width} wide, as if height and width were exchanged"
    else:
        problem = f"images have shape {shape}, and the order of their axes is ambiguous"
    raise InputError(
        f"The {problem}: give the axes by a letter each, such as image_axes='HWT' (--image-axes HWT); T is trials or images, "
        "H height, W width."
    )


def _without_channel(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) == 4 and 1 in shape[1:]:
        channel = 1 + shape[1:].index(1)
        return (*shape[:channel], *shape[channel + 1 :])
    return shape[:3]


def _number_of_neurons(neurons: Mapping[str, Any]) -> int:
    """Number of neurons, from the columns of their table."""
    for values in map(np.asarray, neurons.values()):
        if values.ndim == 1 or (values.ndim == 2 and 1 in values.shape):
            return int(values.size)
    for values in map(np.asarray, neurons.values()):
        if values.ndim == 2 and 3 in values.shape:
            return int(values.size) // 3
    return 0
