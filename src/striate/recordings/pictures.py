"""Images of a recording as pictures that people can look at."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.benchmarks.tables import Stimulus

RGB = ("red", "green", "blue")


def picture(image: NDArray[Any], stimulus: Stimulus) -> NDArray[np.uint8]:
    """Convert an image to 8 bits: grey, in colour, or with its channels side by side.

    Parameters
    ----------
    image : (C, H, W)
        Raw pixel values.
    stimulus
        Channels and range of the benchmark.

    Returns
    -------
    (H, W), (H, W, 3) or (H, C·W) uint8
        A grey picture of one channel, a picture in colour of the channels red, green and blue, or the channels from left to
        right.

    Examples
    --------
    >>> picture(np.full((2, 3, 4), 255), Stimulus(channels=["uv", "green"])).shape
    (3, 8)
    """
    low, high = stimulus.range
    values = np.clip(image, low, high)
    if (low, high) != (0, 255):
        values = np.rint((values.astype(np.float64) - low) * (255 / (high - low)))
    pixels = values.astype(np.uint8)
    if stimulus.channels == RGB:
        return np.ascontiguousarray(np.moveaxis(pixels, 0, -1))
    return np.concatenate(list(pixels), axis=1)
