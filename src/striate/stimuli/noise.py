"""Noise images: white noise, pink noise (1/f, as in natural scenes), and noise with any power-law spectrum."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from striate.stimuli.greyscale import standardise, validate_shape


def white_noise(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw an image of independent standard normal pixels.

    Parameters
    ----------
    shape
        Height and width in pixels.
    rng
        Random generator.

    Returns
    -------
    (H, W) float32

    Examples
    --------
    >>> import numpy as np
    >>> from striate.stimuli import white_noise
    >>> white_noise((36, 64), np.random.default_rng(0)).shape
    (36, 64)
    """
    return rng.standard_normal(validate_shape(shape), dtype=np.float32)


def pink_noise(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw noise with a 1/f amplitude spectrum, as natural scenes have (Field 1987).

    The image is `power_law_noise` with an exponent of 1.

    Parameters
    ----------
    shape
        Height and width in pixels.
    rng
        Random generator.

    Returns
    -------
    (H, W) float32
        Image of mean 0 and standard deviation 1.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.stimuli import pink_noise
    >>> image = pink_noise((36, 64), np.random.default_rng(0))
    >>> round(float(image.std()), 3)
    1.0
    """
    return power_law_noise(shape, rng, 1.0)


def power_law_noise(
    shape: tuple[int, int],
    rng: np.random.Generator,
    exponent: float,
    *,
    orientation: float = 0.0,
    anisotropy: float = 0.0,
) -> NDArray[np.float32]:
    """Draw Gaussian noise whose amplitude spectrum falls as 1/f^exponent.

    Natural scenes have exponents near 1 (Field 1987, J. Opt. Soc. Am. A 4, 2379).

    Parameters
    ----------
    shape
        Height and width in pixels.
    rng
        Random generator.
    exponent
        Exponent of the amplitude spectrum: 0 for white, 1 for pink, 2 for Brownian noise.
    orientation
        Dominant orientation of the stripes, in degrees counter-clockwise from horizontal.
    anisotropy
        Dominance of `orientation`: amplitudes are multiplied by exp(anisotropy · cos 2Δ), where Δ is the angle between
        the stripes of a Fourier component and `orientation`. 0 gives isotropic noise.

    Returns
    -------
    (H, W) float32
        Image of mean 0 and standard deviation 1.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.stimuli import power_law_noise
    >>> image = power_law_noise((36, 64), np.random.default_rng(0), 1.5, orientation=45, anisotropy=1.0)
    >>> image.shape, round(float(image.std()), 3)
    ((36, 64), 1.0)
    """
    height, width = validate_shape(shape)
    # The inverse Fourier transform is periodic: crop a larger image, so that opposite borders are not correlated.
    padded_height, padded_width = _padded_length(height), _padded_length(width)
    frequency, stripes = _components(padded_height, padded_width)
    spectrum = rng.standard_normal((padded_height, padded_width // 2 + 1, 2), dtype=np.float32).view(np.complex64)[
        ..., 0
    ]
    amplitude = frequency ** np.float32(-exponent)
    if anisotropy:
        amplitude *= np.exp(np.float32(anisotropy) * np.cos(2 * (stripes - np.float32(np.deg2rad(orientation)))))
    amplitude[0, 0] = 0
    return standardise(np.fft.irfft2(spectrum * amplitude, s=(padded_height, padded_width))[:height, :width])


def _padded_length(side: int) -> int:
    """An even length of about 1.5 times the side."""
    return 2 * ((3 * side + 3) // 4)


@lru_cache(maxsize=8)
def _components(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Spatial frequency (cycles per pixel) and orientation of the stripes (radians) of every Fourier component."""
    vertical = np.fft.fftfreq(height)[:, None]
    horizontal = np.fft.rfftfreq(width)[None, :]
    frequency = np.hypot(vertical, horizontal)
    frequency[0, 0] = 1.0
    stripes = np.arctan2(horizontal, vertical)
    return frequency.astype(np.float32), stripes.astype(np.float32)
