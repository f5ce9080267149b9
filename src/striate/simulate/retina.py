"""The retina: samples the screen at the acuity of a mouse, shifted by the gaze."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.stimuli import GREY_MEAN

Floats = NDArray[np.float32]

SCREEN_DEGREES = 128.0  # width of the screen in degrees of visual angle
_CELLS = 64  # retinal cells along the width of the screen: 0.5 cells per degree, the acuity of a mouse
_BLOCK = 128  # trials


class Retina:
    """Averages the screen over a coarse grid of cells that moves with the gaze.

    Its output and the weights of the receptive fields are whole numbers, so that sums of their products are exact in
    float32 in any order. Responses therefore do not depend on the number of threads of a matrix product.

    Parameters
    ----------
    image_shape
        Height and width of the images in pixels.
    """

    def __init__(self, image_shape: tuple[int, int]) -> None:
        height, width = image_shape
        columns = min(_CELLS, width)
        self.image_shape = (height, width)
        self.shape = (max(1, round(height * columns / width)), columns)
        self.cells_per_degree = columns / SCREEN_DEGREES
        self.pixels_per_degree = width / SCREEN_DEGREES

    @property
    def cells(self) -> int:
        """Number of cells."""
        return self.shape[0] * self.shape[1]

    def cell_positions(self) -> tuple[Floats, Floats]:
        """Return the horizontal and vertical position of every cell in degrees from the screen centre, each (cells,)."""
        rows, columns = self.shape
        x = (np.arange(columns) - (columns - 1) / 2) / self.cells_per_degree
        y = (np.arange(rows) - (rows - 1) / 2) / self.cells_per_degree
        grid_y, grid_x = np.meshgrid(y, x, indexing="ij")
        return grid_x.ravel().astype(np.float32), grid_y.ravel().astype(np.float32)

    def sample(self, images: NDArray[Any], shift: NDArray[np.floating] | None = None) -> Floats:
        """Return the mean contrast within each cell in each trial.

        Parameters
        ----------
        images : (T, 1, H, W) or (T, H, W)
            Grey values 0–255.
        shift : (T, 2), optional
            Horizontal and vertical shift of the gaze in pixels. The surround of the screen is grey.

        Returns
        -------
        (T, cells) float32
            Grey values minus `GREY_MEAN`, rounded to whole numbers.
        """
        height, width = self.image_shape
        screen = images.reshape(len(images), height, width)
        output = np.empty((len(screen), self.cells), dtype=np.float32)
        for block in _blocks(len(screen)):
            contrast = screen[block].astype(np.float32) - np.float32(GREY_MEAN)
            gaze = np.zeros((len(contrast), 2)) if shift is None else shift[block]
            rows = _box_means(contrast, self.shape[0], gaze[:, 1], axis=1)
            means = _box_means(rows, self.shape[1], gaze[:, 0], axis=2)
            output[block] = np.rint(means).reshape(len(contrast), -1)
        return output


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, count, _BLOCK))


def _box_means(values: Floats, cells: int, shift: NDArray[np.floating], axis: int) -> Floats:
    """Average along one axis over boxes that are shifted by `shift` pixels in each trial; values outside are 0.

    The sum over a box is the difference of two cumulative sums. For arrays of this size, the threads of a matrix product
    would cost more time than they save.
    """
    pixels = values.shape[axis]
    size = pixels / cells
    edges = np.clip(np.arange(cells + 1) * size + np.asarray(shift)[:, None], 0, pixels)
    last = np.minimum(edges.astype(np.int64), pixels - 1)  # the pixel that contains each edge
    expand: tuple[slice | None, ...] = (
        (slice(None), slice(None), None) if axis == 1 else (slice(None), None, slice(None))
    )
    index = np.broadcast_to(last[expand], (*values.shape[:axis], cells + 1, *values.shape[axis + 1 :]))
    edge_values = np.take_along_axis(values, index, axis)
    before = np.take_along_axis(np.cumsum(values, axis=axis, dtype=np.float32), index, axis) - edge_values
    running = before + (edges - last).astype(np.float32)[expand] * edge_values
    return np.asarray(np.diff(running, axis=axis) / np.float32(size))
