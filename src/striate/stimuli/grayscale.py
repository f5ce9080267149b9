"""From patterns around zero to 8-bit grey pictures."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError

# Grey crops of natural photographs have about this mean and standard deviation over all their pixels.
GREY_MEAN = 114.0
GREY_STD = 60.0


def validate_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Return (height, width) as integers.

    Raises
    ------
    InputError
        If it is not two positive whole numbers.
    """
    try:
        height, width = (int(side) for side in shape)
    except (TypeError, ValueError):
        height = width = 0
    if height < 1 or width < 1 or (height, width) != tuple(shape):
        raise InputError(f"An image cannot have the shape {shape}: give (height, width) in pixels, like (144, 256).")
    return height, width


def standardise(pattern: NDArray[Any]) -> NDArray[np.float32]:
    """Shift and scale a pattern to mean 0 and standard deviation 1; a constant one becomes zero."""
    centred = np.asarray(pattern, dtype=np.float32) - np.float32(np.mean(pattern, dtype=np.float64))
    deviation = float(np.std(centred, dtype=np.float64))
    return centred / np.float32(deviation) if deviation > 1e-12 else np.zeros_like(centred)


def to_grey(pattern: NDArray[Any], mean: float = GREY_MEAN, scale: float = GREY_STD) -> NDArray[np.uint8]:
    """Turn a pattern into grey values: ``mean + scale · pattern``, rounded and clipped to 0–255.

    Parameters
    ----------
    pattern : (..., H, W)
        Values around zero. For a grating in [−1, 1], `scale` / `mean` is its Michelson contrast.
    mean
        Grey value of a zero.
    scale
        Grey values per unit of the pattern.

    Returns
    -------
    (..., H, W) uint8
    """
    grey = np.asarray(pattern, dtype=np.float32) * np.float32(scale) + np.float32(mean)
    return np.asarray(np.clip(np.rint(grey), 0, 255), dtype=np.uint8)
