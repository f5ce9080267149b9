"""Images of a recording as pictures that people can look at: grey, in colour, or in false colours."""

import colorsys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.benchmarks.spec_tables import Stimulus

RGB = ("red", "green", "blue")
_HUES = ("red", "orange", "yellow", "lime", "green", "turquoise", "cyan", "azure", "blue", "violet", "magenta", "pink")


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
    if len(channels) == 1:
        return np.ones((1, 3))
    colours = np.array([colorsys.hsv_to_rgb(hue / 360, 1, 1) for hue in _hues(channels)]).round(12)
    return np.asarray(colours / colours.sum(axis=0), dtype=np.float64)


def colour_names(channels: Sequence[str]) -> list[str]:
    """Return the name of the colour in which each channel is drawn.

    Examples
    --------
    >>> colour_names(["uv", "green"]), colour_names(["grey"])
    (['magenta', 'green'], ['grey'])
    """
    if len(channels) == 1:
        return ["grey"]
    return [_HUES[round(hue / 30) % 12] for hue in _hues(channels)]


def _hues(channels: Sequence[str]) -> list[float]:
    """Return the hue of each of several channels in degrees: 0 is red, 120 green, 240 blue."""
    if len(channels) == 2:
        return [120.0, 300.0] if channels[0] == "green" else [300.0, 120.0]
    if set(channels) == set(RGB):
        return [120.0 * RGB.index(name) for name in channels]
    return [360 * place / len(channels) for place in range(len(channels))]
