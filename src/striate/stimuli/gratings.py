"""Gratings and Gabors: the classical stimuli of V1, and the classical model of its receptive fields."""

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError
from striate.stimuli.grayscale import validate_shape


def grating(
    shape: tuple[int, int], orientation: float, frequency: float, phase: float = 0.0, *, square: bool = False
) -> NDArray[np.float32]:
    """Draw a sinusoidal (or square-wave) grating.

    Parameters
    ----------
    shape
        Height and width in pixels.
    orientation
        Of the stripes, in degrees counter-clockwise from horizontal.
    frequency
        Spatial frequency in cycles per pixel, 0–0.5.
    phase
        In degrees, at the centre of the image: 0 is the middle of a bright stripe.
    square
        Draw sharp-edged stripes instead of sinusoidal ones.

    Returns
    -------
    (H, W) float32
        In [−1, 1].

    Raises
    ------
    InputError
        If the frequency cannot be drawn in pixels.
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
        Horizontal and vertical position of its middle in pixels; the middle of the image if not given.
    orientation
        Of the stripes, in degrees counter-clockwise from horizontal.
    frequency
        Spatial frequency in cycles per pixel, 0–0.5.
    phase
        In degrees, at `center`: 0 is even (a bright stripe in the middle), 90 odd.
    sigma
        Standard deviation of the window across the stripes, in pixels.
    aspect
        Its standard deviation along the stripes in multiples of `sigma`.

    Returns
    -------
    (H, W) float32
        In [−1, 1].

    Raises
    ------
    InputError
        If a width is not positive, or the frequency cannot be drawn in pixels.
    """
    height, width = validate_shape(shape)
    if not (sigma > 0 and aspect > 0):
        raise InputError(f"A Gabor with sigma {sigma} and aspect {aspect} has no extent: both must be above 0.")
    middle = center if center is not None else ((width - 1) / 2, (height - 1) / 2)
    across, along = _rotated(height, width, middle, orientation)
    window = np.exp(-0.5 * ((across / sigma) ** 2 + (along / (sigma * aspect)) ** 2))
    wave = np.cos(2 * np.pi * _valid_frequency(frequency) * across + np.deg2rad(phase))
    return np.asarray(window * wave, dtype=np.float32)


def _rotated(
    height: int, width: int, center: tuple[float, float], orientation: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates across and along stripes of an orientation, in pixels from `center`, each (H, W)."""
    angle = np.deg2rad(orientation)
    x = np.arange(width)[None, :] - center[0]
    y = np.arange(height)[:, None] - center[1]
    # y grows downwards, so a stripe that rises to the right runs along (cos, −sin)
    return np.sin(angle) * x + np.cos(angle) * y, np.cos(angle) * x - np.sin(angle) * y


def _valid_frequency(frequency: float) -> float:
    if not 0 <= frequency <= 0.5:
        raise InputError(f"{frequency} cycles per pixel cannot be drawn: the frequency must be between 0 and 0.5.")
    return frequency
