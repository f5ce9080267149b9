"""Local structure of pictures: what stays of a picture when its brightness, contrast, sharpness or size is changed."""

from dataclasses import dataclass
from functools import cache, reduce

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from striate.competition.fingerprints import averaging, greyscale

Floats = NDArray[np.floating]

_FLAT = 1.0  # grey levels among 3 × 3 pixels, below which there is no structure
_FINE, _COARSE, _AROUND = 0.7, 2.0, 4.0  # standard deviations of Gaussians, in pixels of the grid
_CHUNK = 256  # pictures at a time


@dataclass(frozen=True, eq=False)
class Grids:
    """Pictures on a common grid, with what of them counts.

    Attributes
    ----------
    grey : (I, h, w)
        Grey values, 0 where flat.
    counts : (I, h, w)
        1 where a picture has structure; 0 in flat areas, such as masks and filled edges, and next to them.
    """

    grey: Floats
    counts: Floats

    def __len__(self) -> int:
        return len(self.grey)

    def __getitem__(self, rows: slice) -> "Grids":
        return Grids(self.grey[rows], self.counts[rows])

    def scaled(self, scale: float, shape: tuple[int, int]) -> "Grids":
        """The same on a grid of `scale` times `shape` pixels about the same centre; both sides are even."""
        height, width = self.grey.shape[1:]
        rows = averaging(height, shape[0] * scale, even(shape[0] * scale)).astype(np.float32)
        columns = averaging(width, shape[1] * scale, even(shape[1] * scale)).astype(np.float32).T
        return Grids(rows @ self.grey @ columns, rows @ self.counts @ columns)

    @property
    def transposed(self) -> "Grids":
        """Rows and columns exchanged."""
        return Grids(self.grey.swapaxes(1, 2), self.counts.swapaxes(1, 2))

    @property
    def structure(self) -> Floats:
        """Differences from the surroundings, relative to how large they are there, (I, h, w).

        A difference of two Gaussians, divided by its local standard deviation (Jarrett et al. 2009, What is the best
        multi-stage architecture for object recognition?). Averages leave out what does not count, so that the edge of a mask
        is no structure.
        """
        found = np.empty(self.grey.shape, dtype=np.float32)
        for start in range(0, len(self), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            found[chunk] = _structure(self.grey[chunk], self.counts[chunk])
        return found


def _structure(grey: Floats, counts: Floats) -> Floats:
    fine, coarse = (_smooth(grey, s) / np.maximum(_smooth(counts, s), 1e-3) for s in (_FINE, _COARSE))
    detail = (fine - coarse) * counts
    around = np.maximum(_smooth(detail**2, _AROUND), 0) / np.maximum(_smooth(counts, _AROUND), 1e-3)
    sides = (1, 2)
    overall = (detail**2).sum(sides, keepdims=True) / np.maximum(counts.sum(sides, keepdims=True), 1)
    return np.asarray(counts * detail / (np.sqrt(around) + 0.3 * np.sqrt(overall) + 1))


def on_grid(images: NDArray[np.generic], shape: tuple[int, int]) -> Grids:
    """Average pictures, (I, C, H, W), on a grid, and find their flat areas. Several channels are averaged."""
    height, width = images.shape[-2:]
    rows = averaging(height, shape[0], shape[0]).astype(np.float32)
    columns = averaging(width, shape[1], shape[1]).astype(np.float32).T
    grey = np.empty((len(images), *shape), dtype=np.float32)
    counts = np.empty_like(grey)
    for start in range(0, len(images), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        averages = rows @ greyscale(images[chunk]).astype(np.float32) @ columns
        flat = _largest(averages, 1) + _largest(-averages, 1) < _FLAT
        counts[chunk] = 1 - _largest(flat.astype(np.float32), 2)
        grey[chunk] = averages * counts[chunk]
    return Grids(grey, counts)


def joined(parts: list[Grids]) -> Grids:
    """Pictures of several arrays, on one grid, as those of one."""
    if not parts:
        return Grids(*(np.empty((0, 2, 2), dtype=np.float32) for _ in range(2)))
    return Grids(np.concatenate([part.grey for part in parts]), np.concatenate([part.counts for part in parts]))


def grid_shape(height: int, width: int, pixels: int) -> tuple[int, int]:
    """Shape of a grid of about that many pixels, no larger than the picture; both sides are even."""
    factor = min(1.0, (pixels / (height * width)) ** 0.5)
    return even(height * factor), even(width * factor)


def even(size: float) -> int:
    """Nearest even number, at least 2."""
    return max(2, 2 * round(size / 2))


def local_mean(values: Floats, deviation: float = 2.0) -> Floats:
    """Average with a Gaussian, (…, h, w)."""
    return _smooth(values, deviation)


def _smooth(values: Floats, deviation: float) -> Floats:
    rows, columns = (_gaussian(size, deviation) for size in values.shape[-2:])
    return np.asarray(rows @ values @ columns.T)


@cache
def _gaussian(size: int, deviation: float) -> Floats:
    """Matrix that averages along one axis with a Gaussian; edges are reflected."""
    reach = int(4 * deviation + 1)
    place = np.arange(size)
    matrix = np.zeros((size, size))
    for step in range(-reach, reach + 1):
        other = (place + step) % (2 * size)
        np.add.at(matrix, (place, np.minimum(other, 2 * size - 1 - other)), np.exp(-0.5 * (step / deviation) ** 2))
    return np.asarray(matrix / matrix.sum(axis=1, keepdims=True), dtype=np.float32)


def _largest(values: Floats, reach: int) -> Floats:
    """Maximum over a square about each pixel."""
    for axis in (1, 2):
        around = np.pad(values, [(reach, reach) if a == axis else (0, 0) for a in range(3)], mode="edge")
        steps = np.moveaxis(sliding_window_view(around, values.shape[axis], axis), axis, 0)
        values = np.moveaxis(reduce(np.maximum, steps), -1, axis)
    return np.asarray(values)
