"""Noise images: white, pink (1/f, as natural scenes have), and any power law between and beyond."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from striate.stimuli.grayscale import standardise, validate_shape


def white_noise(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw independent standard normal pixels, float32 of shape (H, W)."""
    return rng.standard_normal(validate_shape(shape), dtype=np.float32)


def pink_noise(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw noise with an amplitude spectrum of 1/f, like natural scenes (Field 1987); see `power_law_noise`."""
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
        Source of randomness.
    exponent
        0 is white noise, 1 pink, 2 Brownian.
    orientation
        Preferred orientation of its stripes, in degrees counter-clockwise from horizontal.
    anisotropy
        How much that orientation dominates: amplitudes are multiplied by exp(anisotropy · cos 2Δ), where Δ is the
        angle between a component's stripes and `orientation`; 0 is isotropic.

    Returns
    -------
    (H, W) float32
        Mean 0, standard deviation 1.
    """
    height, width = validate_shape(shape)
    # drawn larger and cut, so that opposite borders are not neighbours
    tall, wide = _roomy(height), _roomy(width)
    frequency, stripes = _components(tall, wide)
    spectrum = rng.standard_normal((tall, wide // 2 + 1, 2), dtype=np.float32).view(np.complex64)[..., 0]
    amplitude = frequency ** np.float32(-exponent)
    if anisotropy:
        amplitude *= np.exp(np.float32(anisotropy) * np.cos(2 * (stripes - np.float32(np.deg2rad(orientation)))))
    amplitude[0, 0] = 0
    return standardise(np.fft.irfft2(spectrum * amplitude, s=(tall, wide))[:height, :width])


def _roomy(side: int) -> int:
    """Half as large again, and even."""
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
