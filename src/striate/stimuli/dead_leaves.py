"""Dead leaves: overlapping shapes of every size, the simplest image with the edges and occlusions of natural scenes."""

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError
from striate.stimuli.grayscale import standardise, validate_shape

_COVER = 2.5  # leaves laid on each spot, on average; what then is still bare belongs to the ground


def dead_leaves(
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    radius: tuple[float, float] = (3.0, 90.0),
    exponent: float = 3.0,
    texture: NDArray[np.float32] | None = None,
    texture_strength: float = 0.5,
) -> NDArray[np.float32]:
    """Draw a dead-leaves image (Lee, Mumford & Huang 2001, Int. J. Comput. Vis. 41, 35).

    Ellipses and rectangles of random grey, orientation and elongation are laid one over another. With the
    default exponent, radii are distributed as r⁻³ and the image looks alike at every scale, as natural scenes
    do. Each leaf is shaded by a linear gradient and, if given, by a texture.

    Parameters
    ----------
    shape
        Height and width in pixels.
    rng
        Source of randomness.
    radius
        Smallest and largest radius in pixels.
    exponent
        Radii are drawn with density proportional to r^−exponent.
    texture : (H, W), optional
        A pattern of standard deviation 1 that shows on the leaves, on each with its own strength.
    texture_strength
        Mean strength of the texture, relative to the spread of the leaves' greys.

    Returns
    -------
    (H, W) float32
        Mean 0, standard deviation 1.

    Raises
    ------
    InputError
        If the radii are not positive and ascending, or the texture has another shape.
    """
    height, width = validate_shape(shape)
    if not 0 < radius[0] < radius[1]:
        raise InputError(
            f"Leaves cannot have radii from {radius[0]} to {radius[1]} pixels: give 0 < smallest < largest."
        )
    if texture is not None and texture.shape != (height, width):
        raise InputError(f"The texture has shape {texture.shape}, the image {(height, width)}: they must be the same.")
    owner, leaves = _lay(height, width, radius, exponent, rng)
    grey = rng.standard_normal(leaves, dtype=np.float32)
    slopes = rng.normal(0, 0.5 / max(height, width), (2, leaves)).astype(np.float32)
    image = grey[owner]
    image += slopes[0][owner] * np.arange(-height / 2, height / 2, dtype=np.float32)[:, None]
    image += slopes[1][owner] * np.arange(-width / 2, width / 2, dtype=np.float32)[None, :]
    if texture is not None:
        strength = (texture_strength * rng.gamma(2.0, 0.5, leaves)).astype(np.float32)
        image += strength[owner] * texture
    return standardise(image)


def _lay(
    height: int, width: int, radius: tuple[float, float], exponent: float, rng: np.random.Generator
) -> tuple[NDArray[np.int32], int]:
    """Lay leaves over the ground: the number of the topmost leaf at every pixel (0 is the ground), and how many."""
    radii, x, y = _scatter(height, width, radius, exponent, rng)
    count = len(radii)
    angle = rng.uniform(0, np.pi, count)
    stretch = np.exp(rng.uniform(-0.6, 0.6, count))  # keeps the area
    cosine, sine = np.cos(angle) / radii, np.sin(angle) / radii
    # a point is inside if |u|, |v| ≤ 1 (rectangle) or u² + v² ≤ 1 (ellipse), with u = ux·dx + uy·dy and so on
    ux, uy, vx, vy = cosine / stretch, sine / stretch, -sine * stretch, cosine * stretch
    rectangular = rng.random(count) < 0.4
    # half-extent of the box around the leaf; a rectangle's corners reach further than an ellipse
    long, short = radii * stretch, radii / stretch
    across, upright = np.abs(np.cos(angle)), np.abs(np.sin(angle))
    reach_x = np.where(rectangular, long * across + short * upright, np.hypot(long * across, short * upright))
    reach_y = np.where(rectangular, long * upright + short * across, np.hypot(long * upright, short * across))
    left, right = _span(x, reach_x, width)
    top, bottom = _span(y, reach_y, height)

    owner = np.zeros((height, width), dtype=np.int32)
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    seen = np.flatnonzero((left < right) & (top < bottom))
    # plain Python numbers: a loop over NumPy scalars would take twice as long
    parameters = zip(
        *(values[seen].tolist() for values in (left, right, top, bottom, x, y, ux, uy, vx, vy, rectangular)),
        strict=True,
    )
    for number, (x0, x1, y0, y1, cx, cy, a, b, c, d, boxy) in enumerate(parameters, start=1):
        dx, dy = columns[x0:x1] - cx, rows[y0:y1] - cy
        u, v = a * dx + b * dy, c * dx + d * dy
        inside = np.maximum(np.abs(u), np.abs(v)) <= 1 if boxy else u * u + v * v <= 1
        owner[y0:y1, x0:x1][inside] = number
    return owner, len(seen) + 1


def _scatter(
    height: int, width: int, radius: tuple[float, float], exponent: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Radii and middles of enough leaves to cover the image, including those that reach in from outside."""
    smallest, largest = radius
    margin = largest
    field = (height + 2 * margin) * (width + 2 * margin)
    sample = _radii(rng.random(512), smallest, largest, exponent)
    count = max(8, int(_COVER * field / (np.pi * float(np.mean(sample**2)))))
    radii = _radii(rng.random(count), smallest, largest, exponent)
    return radii, rng.uniform(-margin, width + margin, count), rng.uniform(-margin, height + margin, count)


def _radii(uniform: NDArray[np.float64], smallest: float, largest: float, exponent: float) -> NDArray[np.float64]:
    """Radii of density proportional to r^−exponent, by inverting their distribution function."""
    power = 1.0 - exponent
    if abs(power) < 1e-9:
        return np.asarray(smallest * (largest / smallest) ** uniform)
    low, high = smallest**power, largest**power
    return np.asarray((low + uniform * (high - low)) ** (1 / power))


def _span(
    middle: NDArray[np.float64], reach: NDArray[np.float64], side: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last-plus-one pixel that a leaf can touch along one side."""
    first = np.clip(np.ceil(middle - reach), 0, side).astype(np.int64)
    last = np.clip(np.floor(middle + reach) + 1, 0, side).astype(np.int64)
    return first, last
