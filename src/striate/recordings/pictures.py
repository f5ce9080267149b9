"""Images of a recording as pictures that people can look at: grey, in colour, or in false colours."""

import colorsys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.benchmarks.tables import Stimulus

RGB = ("red", "green", "blue")


def picture(image: NDArray[Any], stimulus: Stimulus) -> NDArray[np.uint8]:
    """Convert an image to 8 bits: grey if it has one channel, otherwise in the colours of `channel_colours`.

    Parameters
    ----------
    image : (C, H, W)
        Raw pixel values.
    stimulus
        Channels and range of the benchmark.

    Returns
    -------
    (H, W) or (H, W, 3) uint8
        A grey picture, or one with the channels red, green and blue.

    Examples
    --------
    >>> picture(np.array([[[0, 255]], [[255, 255]]]), Stimulus(channels=["uv", "green"])).tolist()
    [[[0, 255, 0], [255, 255, 255]]]
    """
    pixels = channel_pictures(image, stimulus)
    if len(pixels) == 1:
        return np.asarray(pixels[0], dtype=np.uint8)
    mixed = np.tensordot(pixels.astype(np.float64), channel_colours(stimulus.channels), axes=(0, 0))
    return np.asarray(np.rint(mixed), dtype=np.uint8)


def channel_pictures(image: NDArray[Any], stimulus: Stimulus) -> NDArray[np.uint8]:
    """Convert each channel of an image to a grey picture, (C, H, W) uint8: 0 is the smallest value of the range, 255 the largest.

    Examples
    --------
    >>> channel_pictures(np.array([[[-1.0, 0.0, 1.0]]]), Stimulus(range=(-1, 1))).tolist()
    [[[0, 128, 255]]]
    """
    if image.dtype == np.uint8 and stimulus.range == (0, 255):
        return np.ascontiguousarray(image)
    low, high = stimulus.range
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=low, posinf=high, neginf=low)
    return np.rint((np.clip(values, low, high) - low) * (255 / (high - low))).astype(np.uint8)


def channel_colours(channels: Sequence[str]) -> NDArray[np.float64]:
    """Return the colour in which each channel is drawn, (C, 3): its red, green and blue, from 0 to 1.

    The colours of all channels add up to white, so that a pixel with the same value in each channel is grey. Three channels
    are red, green and blue, by their names if they have these, otherwise in their order. Two channels are magenta and green,
    which people with red-green colour blindness can tell apart; a channel of the name ``green`` is green. More channels have
    hues at equal distances.

    Examples
    --------
    >>> channel_colours(["uv", "green"]).tolist()
    [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    >>> channel_colours(["blue", "green", "red"]).tolist()
    [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    count = len(channels)
    if count == 1:
        return np.ones((1, 3))
    first = 5 / 6 if count == 2 else 0.0  # magenta or red
    colours = np.array([colorsys.hsv_to_rgb((first + place / count) % 1, 1, 1) for place in range(count)]).round(12)
    if count == 2 and channels[0] == "green":
        colours = colours[::-1]
    if count == 3 and set(channels) == set(RGB):
        colours = colours[[RGB.index(name) for name in channels]]
    return np.asarray(colours / colours.sum(axis=0), dtype=np.float64)
