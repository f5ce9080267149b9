"""Natural-like images: mixtures of dead leaves and power-law textures with the grey statistics of photographs."""

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError, nearest
from striate.stimuli.dead_leaves import dead_leaves
from striate.stimuli.greyscale import GREY_MEAN, standardise, to_grey, validate_shape
from striate.stimuli.noise import power_law_noise

# kind of image -> probability of drawing it
NATURAL_LIKE_KINDS = {"dead_leaves": 0.6, "texture": 0.15, "mixture": 0.25}

# Photographs differ in brightness and contrast. These values give a mean near 114 and a standard deviation near 60.
_BRIGHTNESS_SPREAD = 33.0
_CONTRAST = 55.0
_CONTRAST_SPREAD = 0.28  # standard deviation of the logarithm
_SKEW = 0.35


def natural_like(
    shape: tuple[int, int], rng: np.random.Generator, kind: str | None = None
) -> tuple[NDArray[np.uint8], str]:
    """Draw one natural-like image.

    Dead leaves give occlusion, edges and objects of all sizes (Lee, Mumford & Huang 2001); power-law noise gives the 1/f
    amplitude spectrum of textures (Field 1987). Brightness and contrast vary between images.

    Parameters
    ----------
    shape
        Height and width in pixels.
    rng
        Random generator.
    kind
        ``"dead_leaves"``, ``"texture"`` or ``"mixture"`` (default: drawn with the probabilities of `NATURAL_LIKE_KINDS`).

    Returns
    -------
    image : (H, W) uint8
        Grey values 0–255.
    kind : str
        Kind of the image.

    Raises
    ------
    InputError
        If `kind` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.stimuli import natural_like
    >>> image, kind = natural_like((36, 64), np.random.default_rng(0), "texture")
    >>> image.shape, str(image.dtype), kind
    ((36, 64), 'uint8', 'texture')
    """
    height, width = validate_shape(shape)
    if kind is not None and kind not in NATURAL_LIKE_KINDS:
        raise InputError(f"There is no kind of image {kind!r}: {nearest(kind, NATURAL_LIKE_KINDS)}.")
    drawn = kind or str(rng.choice(list(NATURAL_LIKE_KINDS), p=list(NATURAL_LIKE_KINDS.values())))
    texture = power_law_noise(
        (height, width),
        rng,
        rng.uniform(0.9, 1.6),
        orientation=rng.uniform(0, 180),
        anisotropy=rng.exponential(0.35),
    )
    if drawn == "texture":
        pattern = texture
    else:
        unit = np.sqrt(height * width) / 192  # 1 at 144×256: the size of leaves is relative to the image
        leaves = dead_leaves(
            (height, width),
            rng,
            radius=(4 * unit * float(np.exp(rng.uniform(-0.3, 0.9))), 90 * unit),
            texture=texture,
            texture_strength=rng.uniform(0.1, 0.7),
        )
        pattern = _blur(leaves) if unit > 0.3 else leaves
        if drawn == "mixture":
            pattern = standardise(pattern + rng.uniform(0.4, 1.0) * texture)
    pattern = standardise(_skew_histogram(pattern, rng.normal(0, _SKEW)))
    mean = rng.normal(GREY_MEAN, _BRIGHTNESS_SPREAD)
    contrast = _CONTRAST * float(np.exp(rng.normal(0, _CONTRAST_SPREAD)))
    return to_grey(pattern, mean, contrast), drawn


def _skew_histogram(pattern: NDArray[np.float32], skew: float) -> NDArray[np.float32]:
    """Skew the histogram: few bright spots on a dark background if `skew` is positive, the reverse if it is negative."""
    return np.expm1(np.float32(skew) * pattern) / np.float32(skew) if skew else pattern


def _blur(pattern: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blur with a binomial 3×3 filter, as a lens blurs edges."""
    padded = np.pad(pattern, 1, mode="edge")
    vertical = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    return np.asarray((vertical[:, :-2] + 2 * vertical[:, 1:-1] + vertical[:, 2:]) / 16, dtype=np.float32)
