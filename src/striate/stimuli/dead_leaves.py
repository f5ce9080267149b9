"""Dead leaves: overlapping shapes of all sizes, the simplest image with the edges and occlusions of natural scenes."""

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError
from striate.stimuli.greyscale import standardise, validate_shape

_LEAVES_PER_PIXEL = 2.5  # average number of leaves over a pixel; pixels without a leaf show the background
_SMALL = 300  # pixels in its bounding box up to which a leaf is tested together with others
_BLOCK = 1 << 14  # pixels of small leaves that are tested at once: their arrays stay in the cache


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

    Ellipses and rectangles of random grey value, orientation and elongation occlude each other. With the default
    exponent, the density of radii is proportional to r⁻³ and the image is scale-invariant, as natural scenes are. Each
    leaf is shaded by a linear gradient and, if given, by a texture.

    Parameters
    ----------
    shape
        Height and width in pixels.
    rng
        Random generator.
    radius
        Smallest and largest radius in pixels.
    exponent
        The density of radii is proportional to r^−exponent.
    texture : (H, W), optional
        Pattern of standard deviation 1 that is added to the leaves, with a random strength for each leaf.
    texture_strength
        Mean strength of the texture, relative to the standard deviation of the leaves' grey values.

    Returns
    -------
    (H, W) float32
        Image of mean 0 and standard deviation 1.

    Raises
    ------
    InputError
        If the radii are not positive and ascending, or the texture does not have the shape of the image.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.stimuli import dead_leaves
    >>> image = dead_leaves((36, 64), np.random.default_rng(0), radius=(2, 20))
    >>> image.shape, abs(float(image.mean())) < 1e-6
    ((36, 64), True)
    """
    height, width = validate_shape(shape)
    if not 0 < radius[0] < radius[1]:
        raise InputError(
            f"Leaves cannot have radii from {radius[0]} to {radius[1]} pixels: give 0 < smallest < largest."
        )
    if texture is not None and texture.shape != (height, width):
        raise InputError(
            f"The texture has shape {texture.shape}, the image {(height, width)}: both need the same shape."
        )
    leaf_index, leaves = _place_leaves(height, width, radius, exponent, rng)
    grey = rng.standard_normal(leaves, dtype=np.float32)
    slopes = rng.normal(0, 0.5 / max(height, width), (2, leaves)).astype(np.float32)
    image = grey[leaf_index]
    image += slopes[0][leaf_index] * np.arange(-height / 2, height / 2, dtype=np.float32)[:, None]
    image += slopes[1][leaf_index] * np.arange(-width / 2, width / 2, dtype=np.float32)[None, :]
    if texture is not None:
        strength = (texture_strength * rng.gamma(2.0, 0.5, leaves)).astype(np.float32)
        image += strength[leaf_index] * texture
    return standardise(image)


def _place_leaves(
    height: int, width: int, radius: tuple[float, float], exponent: float, rng: np.random.Generator
) -> tuple[NDArray[np.int32], int]:
    """Place leaves over the background: the index of the topmost leaf of each pixel (0: background), and their number."""
    radii, x, y = _draw_leaves(height, width, radius, exponent, rng)
    count = len(radii)
    angle = rng.uniform(0, np.pi, count)
    stretch = np.exp(rng.uniform(-0.6, 0.6, count))  # keeps the area
    cosine, sine = np.cos(angle) / radii, np.sin(angle) / radii
    # a point is inside if |u|, |v| ≤ 1 (rectangle) or u² + v² ≤ 1 (ellipse), with u = ux·dx + uy·dy and so on
    ux, uy, vx, vy = cosine / stretch, sine / stretch, -sine * stretch, cosine * stretch
    rectangular = rng.random(count) < 0.4
    # half-extents of the bounding box of each leaf; the corners of a rectangle extend further than an ellipse
    long, short = radii * stretch, radii / stretch
    across, upright = np.abs(np.cos(angle)), np.abs(np.sin(angle))
    reach_x = np.where(rectangular, long * across + short * upright, np.hypot(long * across, short * upright))
    reach_y = np.where(rectangular, long * upright + short * across, np.hypot(long * upright, short * across))
    left, right = _pixel_range(x, reach_x, width)
    top, bottom = _pixel_range(y, reach_y, height)

    visible = np.flatnonzero((left < right) & (top < bottom))
    boxes = np.stack([left, right, top, bottom])[:, visible]
    parameters = np.stack([x, y, ux, uy, vx, vy]).astype(np.float32)[:, visible]
    leaf_index = np.zeros((height, width), dtype=np.int32)
    small = (boxes[1] - boxes[0]) * (boxes[3] - boxes[2]) <= _SMALL
    _add_small_leaves(leaf_index, np.flatnonzero(small), boxes, parameters, rectangular[visible])
    _add_large_leaves(leaf_index, np.flatnonzero(~small), boxes, parameters, rectangular[visible])
    return leaf_index, len(visible) + 1


def _add_small_leaves(
    leaf_index: NDArray[np.int32],
    chosen: NDArray[np.int64],
    boxes: NDArray[np.int64],
    parameters: NDArray[np.float32],
    rectangular: NDArray[np.bool_],
) -> None:
    """Enter the chosen leaves, all pixels of their bounding boxes at once: most leaves have only a few."""
    left, right, top, bottom = boxes[:, chosen]
    sizes = (right - left) * (bottom - top)
    ends = np.cumsum(sizes)
    for start in range(0, int(sizes.sum()), _BLOCK):
        first, last = np.searchsorted(ends - sizes, [start, start + _BLOCK])
        if first == last:
            continue
        block, size = slice(first, last), sizes[first:last]
        place = np.arange(int(size.sum())) - np.repeat(np.cumsum(size) - size, size)  # in the bounding box, row by row
        leaf = np.repeat(chosen[block], size)
        row, column = np.divmod(place, np.repeat((right - left)[block], size))
        row, column = row + np.repeat(top[block], size), column + np.repeat(left[block], size)
        cx, cy, a, b, c, d = np.repeat(parameters[:, chosen[block]], size, axis=1)
        dx, dy = column.astype(np.float32) - cx, row.astype(np.float32) - cy
        u, v = a * dx + b * dy, c * dx + d * dy
        inside = np.where(rectangular[leaf], np.maximum(np.abs(u), np.abs(v)), u * u + v * v) <= 1
        # where several leaves cover a pixel, NumPy keeps the value that is assigned last: the topmost leaf
        leaf_index[row[inside], column[inside]] = leaf[inside] + 1


def _add_large_leaves(
    leaf_index: NDArray[np.int32],
    chosen: NDArray[np.int64],
    boxes: NDArray[np.int64],
    parameters: NDArray[np.float32],
    rectangular: NDArray[np.bool_],
) -> None:
    """Enter the chosen leaves one after the other, under the leaves of larger index that are there already."""
    height, width = leaf_index.shape
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    for leaf, (x0, x1, y0, y1), (cx, cy, a, b, c, d), is_rectangle in zip(
        chosen.tolist(),
        boxes.T[chosen].tolist(),
        parameters.T[chosen].tolist(),
        rectangular[chosen].tolist(),
        strict=True,
    ):
        dx, dy = columns[x0:x1] - cx, rows[y0:y1] - cy
        u, v = a * dx + b * dy, c * dx + d * dy
        inside = np.maximum(np.abs(u), np.abs(v)) <= 1 if is_rectangle else u * u + v * v <= 1
        box = leaf_index[y0:y1, x0:x1]
        np.maximum(box, np.int32(leaf + 1), out=box, where=inside)


def _draw_leaves(
    height: int, width: int, radius: tuple[float, float], exponent: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Radii and centres of enough leaves to cover the image, including leaves centred outside of it."""
    smallest, largest = radius
    margin = largest
    field = (height + 2 * margin) * (width + 2 * margin)
    sample = _radii(rng.random(512), smallest, largest, exponent)
    count = max(8, int(_LEAVES_PER_PIXEL * field / (np.pi * float(np.mean(sample**2)))))
    radii = _radii(rng.random(count), smallest, largest, exponent)
    return radii, rng.uniform(-margin, width + margin, count), rng.uniform(-margin, height + margin, count)


def _radii(uniform: NDArray[np.float64], smallest: float, largest: float, exponent: float) -> NDArray[np.float64]:
    """Radii with density proportional to r^−exponent, by inverting the cumulative distribution function."""
    power = 1.0 - exponent
    if abs(power) < 1e-9:
        return np.asarray(smallest * (largest / smallest) ** uniform)
    low, high = smallest**power, largest**power
    return np.asarray((low + uniform * (high - low)) ** (1 / power))


def _pixel_range(
    centre: NDArray[np.float64], reach: NDArray[np.float64], side: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First pixel that each leaf can cover along one axis, and the pixel after the last."""
    first = np.clip(np.ceil(centre - reach), 0, side).astype(np.int64)
    last = np.clip(np.floor(centre + reach) + 1, 0, side).astype(np.int64)
    return first, last
