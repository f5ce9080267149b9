"""Natural-like pictures: mixtures of dead leaves and power-law textures with the grey statistics of photographs."""

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError, nearest
from striate.stimuli.dead_leaves import dead_leaves
from striate.stimuli.grayscale import GREY_MEAN, standardise, to_grey, validate_shape
from striate.stimuli.noise import power_law_noise

# kind of picture -> how often it is drawn
NATURAL_LIKE_KINDS = {"dead_leaves": 0.6, "texture": 0.15, "mixture": 0.25}

# Photographs differ in brightness and contrast. Together: mean near 114, standard deviation near 60 over all pixels.
_BRIGHTNESS_SPREAD = 33.0
_CONTRAST = 55.0
_CONTRAST_SPREAD = 0.28  # of its logarithm
_SKEW = 0.35


def natural_like(
    shape: tuple[int, int], rng: np.random.Generator, kind: str | None = None
) -> tuple[NDArray[np.uint8], str]:
    """Draw one natural-like picture.

    Dead leaves give occlusion, edges and objects of every size (Lee, Mumford & Huang 2001), power-law noise the
    1/f spectrum of textures (Field 1987). Brightness and contrast vary from picture to picture.

    Parameters
    ----------
    shape
        Height and width in pixels.
    rng
        Source of randomness.
    kind
        ``"dead_leaves"``, ``"texture"`` or ``"mixture"``; drawn (see `NATURAL_LIKE_KINDS`) if not given.

    Returns
    -------
    picture : (H, W) uint8
        Grey values 0–255.
    kind
        Which kind it is.

    Raises
    ------
    InputError
        If there is no such kind.
    """
    height, width = validate_shape(shape)
    if kind is not None and kind not in NATURAL_LIKE_KINDS:
        raise InputError(f"There is no kind of picture {kind!r}: {nearest(kind, NATURAL_LIKE_KINDS)}.")
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
        unit = np.sqrt(height * width) / 192  # 1 at 144×256: leaves keep their size relative to the picture
        leaves = dead_leaves(
            (height, width),
            rng,
            radius=(4 * unit * float(np.exp(rng.uniform(-0.3, 0.9))), 90 * unit),
            texture=texture,
            texture_strength=rng.uniform(0.1, 0.7),
        )
        pattern = _blurred(leaves) if unit > 0.3 else leaves
        if drawn == "mixture":
            pattern = standardise(pattern + rng.uniform(0.4, 1.0) * texture)
    pattern = standardise(_bent(pattern, rng.normal(0, _SKEW)))
    mean = rng.normal(GREY_MEAN, _BRIGHTNESS_SPREAD)
    contrast = _CONTRAST * float(np.exp(rng.normal(0, _CONTRAST_SPREAD)))
    return to_grey(pattern, mean, contrast), drawn


def _bent(pattern: NDArray[np.float32], bend: float) -> NDArray[np.float32]:
    """Skew the histogram: few bright spots on a dark ground if `bend` is above 0, the reverse below."""
    return np.expm1(np.float32(bend) * pattern) / np.float32(bend) if bend else pattern


def _blurred(pattern: NDArray[np.float32]) -> NDArray[np.float32]:
    """Soften by a binomial 3×3 window, as any lens does to an edge."""
    padded = np.pad(pattern, 1, mode="edge")
    upright = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    return np.asarray((upright[:, :-2] + 2 * upright[:, 1:-1] + upright[:, 2:]) / 16, dtype=np.float32)
