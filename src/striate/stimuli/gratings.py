"""Gratings and Gabors: the standard stimuli for V1, and the standard model of its receptive fields."""

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError
from striate.stimuli.greyscale import validate_shape


def grating(
    shape: tuple[int, int], orientation: float, frequency: float, phase: float = 0.0, *, square: bool = False
) -> NDArray[np.float32]:
    """Draw a sinusoidal (or square-wave) grating.

    Parameters
    ----------
    shape
        Height and width in pixels.
    orientation
        Orientation of the stripes, in degrees counter-clockwise from horizontal.
    frequency
        Spatial frequency in cycles per pixel, 0–0.5.
    phase
        Phase at the centre of the image, in degrees; 0 is the middle of a bright stripe.
    square
        Whether to draw a square wave instead of a sine wave.

    Returns
    -------
    (H, W) float32
        Values in [−1, 1].

    Raises
    ------
    InputError
        If the frequency is negative or above the Nyquist frequency of 0.5 cycles per pixel.

    Examples
    --------
    >>> from striate.stimuli import grating
    >>> grating((1, 5), orientation=90, frequency=0.25).round(1).tolist()
    [[-1.0, 0.0, 1.0, 0.0, -1.0]]
    """
    height, width = validate_shape(shape)
    across, _ = _rotated(height, width, ((width - 1) / 2, (height - 1) / 2), orientation)
    wave = np.cos(2 * np.pi * _valid_frequency(frequency) * across + np.deg2rad(phase))
    return (np.where(wave >= 0, 1.0, -1.0) if square else wave).astype(np.float32)


def gabor(
    shape: tuple[int, int],
    center: tuple[float, float] | None = None,
    *,
    orientation: float = 0.0,
    frequency: float,
    phase: float = 0.0,
    sigma: float,
    aspect: float = 1.0,
) -> NDArray[np.float32]:
    """Draw a Gabor: a sinusoidal grating under a Gaussian window (Daugman 1985, J. Opt. Soc. Am. A 2, 1160).

    Parameters
    ----------
    shape
        Height and width in pixels.
    center
        Horizontal and vertical position of the centre in pixels (default: the centre of the image).
    orientation
        Orientation of the stripes, in degrees counter-clockwise from horizontal.
    frequency
        Spatial frequency in cycles per pixel, 0–0.5.
    phase
        Phase at `center`, in degrees; 0 gives an even Gabor (a bright stripe in the middle), 90 an odd one.
    sigma
        Standard deviation of the window across the stripes, in pixels.
    aspect
        Ratio of the standard deviation along the stripes to `sigma`.

    Returns
    -------
    (H, W) float32
        Values in [−1, 1].

    Raises
    ------
    InputError
        If `sigma` or `aspect` is not positive, or the frequency is not in 0–0.5 cycles per pixel.

    Examples
    --------
    >>> from striate.stimuli import gabor
    >>> image = gabor((15, 21), center=(10, 7), frequency=0.1, sigma=3)
    >>> float(image[7, 10])  # x is the column, y the row
    1.0
    """
    height, width = validate_shape(shape)
    if not (sigma > 0 and aspect > 0):
        raise InputError(f"A Gabor with sigma {sigma} and aspect {aspect} has no extent: both must be above 0.")
    position = center if center is not None else ((width - 1) / 2, (height - 1) / 2)
    across, along = _rotated(height, width, position, orientation)
    window = np.exp(-0.5 * ((across / sigma) ** 2 + (along / (sigma * aspect)) ** 2))
    wave = np.cos(2 * np.pi * _valid_frequency(frequency) * across + np.deg2rad(phase))
    return np.asarray(window * wave, dtype=np.float32)


def _rotated(
    height: int, width: int, center: tuple[float, float], orientation: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates across and along stripes of the given orientation, in pixels from `center`, each (H, W)."""
    angle = np.deg2rad(orientation)
    x = np.arange(width)[None, :] - center[0]
    y = np.arange(height)[:, None] - center[1]
    # y grows downwards, so a stripe that rises to the right runs along (cos, −sin)
    return np.sin(angle) * x + np.cos(angle) * y, np.cos(angle) * x - np.sin(angle) * y


def _valid_frequency(frequency: float) -> float:
    if not 0 <= frequency <= 0.5:
        raise InputError(f"{frequency} cycles per pixel cannot be drawn: the frequency must be between 0 and 0.5.")
    return frequency
