"""Conversion of patterns with values around zero to 8-bit grey values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError

# Approximate mean and standard deviation of the grey values of crops of natural photographs.
GREY_MEAN = 114.0
GREY_STD = 60.0


def validate_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Validate the shape of an image, and return (height, width) as integers.

    Raises
    ------
    InputError
        If the shape is not two positive integers.

    Examples
    --------
    >>> validate_shape((144, 256))
    (144, 256)
    """
    try:
        height, width = (int(side) for side in shape)
    except (TypeError, ValueError):
        height = width = 0
    if height < 1 or width < 1 or (height, width) != tuple(shape):
        raise InputError(f"An image cannot have the shape {shape}: give (height, width) in pixels, like (144, 256).")
    return height, width


def standardise(pattern: NDArray[Any]) -> NDArray[np.float32]:
    """Shift and scale a pattern to mean 0 and standard deviation 1.

    Parameters
    ----------
    pattern
        Array of any shape.

    Returns
    -------
    float32 array
        Array of the same shape; all zero if the pattern is constant.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.stimuli import standardise
    >>> standardise(np.array([[1.0, 3.0]])).tolist()
    [[-1.0, 1.0]]
    """
    centred = np.asarray(pattern, dtype=np.float32) - np.float32(np.mean(pattern, dtype=np.float64))
    deviation = float(np.std(centred, dtype=np.float64))
    return centred / np.float32(deviation) if deviation > 1e-12 else np.zeros_like(centred)


def to_grey(pattern: NDArray[Any], mean: float = GREY_MEAN, scale: float = GREY_STD) -> NDArray[np.uint8]:
    """Convert a pattern to grey values: ``mean + scale · pattern``, rounded and clipped to 0–255.

    Parameters
    ----------
    pattern : (..., H, W)
        Values around zero. For a grating in [−1, 1], `scale` / `mean` is its Michelson contrast.
    mean
        Grey value of zero.
    scale
        Grey values per unit of the pattern.

    Returns
    -------
    (..., H, W) uint8
        Grey values 0–255.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.stimuli import to_grey
    >>> to_grey(np.array([[-1.0, 0.0, 1.0]]), mean=128, scale=64).tolist()
    [[64, 128, 192]]
    """
    grey = np.asarray(pattern, dtype=np.float32) * np.float32(scale) + np.float32(mean)
    return np.asarray(np.clip(np.rint(grey), 0, 255), dtype=np.uint8)
