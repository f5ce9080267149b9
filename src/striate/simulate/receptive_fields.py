"""Receptive fields: pairs of Gabors in quadrature, and the pool for normalisation by local contrast."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate.simulate.retina import Retina

Floats = NDArray[np.float32]

_POOL_UNIT = 32_768  # approximate sum of the integer weights of a pool
_SQUARE_UNIT = 64  # unit of squared grey values


@dataclass(frozen=True)
class Filters:
    """Weights of retinal cells in the receptive fields of some neurons, as whole numbers (see `Retina`).

    Attributes
    ----------
    even, odd : (cells, n)
        The two Gabors of each neuron, a quarter of a cycle apart, without a response to uniform luminance.
    simple : (cells, n)
        Filter of the simple-cell part: the even Gabor plus the Gaussian window, weighted by ``luminance``.
    pool : (cells, n)
        Gaussian window of the local contrast for normalisation.
    unit
        Norm of each column of `even`, `odd` and `simple`.
    """

    even: Floats
    odd: Floats
    simple: Floats
    pool: Floats
    unit: float

    @classmethod
    def from_neurons(cls, neurons: pd.DataFrame, retina: Retina) -> "Filters":
        """Make the filters of the neurons of a table with the columns of `Population.neurons`."""
        grid_x, grid_y = (values[:, None] for values in retina.cell_positions())

        def row(name: str) -> Floats:
            return neurons[name].to_numpy(dtype=np.float32)[None, :]

        dx, dy = grid_x - row("azimuth"), grid_y - row("elevation")
        angle, size = np.deg2rad(row("orientation")), row("size")
        across, along = np.sin(angle) * dx + np.cos(angle) * dy, np.cos(angle) * dx - np.sin(angle) * dy
        window = np.exp(-0.5 * ((across / size) ** 2 + (along / (size * row("aspect"))) ** 2))
        wave = 2 * np.float32(np.pi) * row("frequency") * across + np.deg2rad(row("phase"))
        pool = np.exp(-0.5 * (dx**2 + dy**2) / (row("pool_size") ** 2))
        unit = 110_000 / np.sqrt(retina.cells)  # keeps sums over all cells below 2^24, where float32 is exact
        total = np.maximum(pool.sum(axis=0), 1e-6)
        even, odd = (_normalise(_remove_mean(window * part, window)) for part in (np.cos(wave), np.sin(wave)))
        simple = _normalise(even + row("luminance") * _normalise(window))
        return cls(
            even=np.rint(even * unit),
            odd=np.rint(odd * unit),
            simple=np.rint(simple * unit),
            pool=np.rint(pool / total * _POOL_UNIT),
            unit=float(unit),
        )

    def amplitudes(self, retinal_images: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the outputs of `even`, `odd` and `simple` for retinal images (T, cells), in grey values, each (T, n)."""
        unit = np.float32(self.unit)
        return retinal_images @ self.even / unit, retinal_images @ self.odd / unit, retinal_images @ self.simple / unit

    def local_contrast(self, retinal_images: Floats) -> Floats:
        """Return the variance of the grey values within each neuron's pool, shape (T, n)."""
        weight = np.maximum(self.pool.sum(axis=0), 1)
        squares = np.rint(retinal_images * retinal_images / _SQUARE_UNIT) @ self.pool / weight * _SQUARE_UNIT
        return np.asarray(np.maximum(squares - (retinal_images @ self.pool / weight) ** 2, 0), dtype=np.float32)


def _remove_mean(pattern: Floats, window: Floats) -> Floats:
    """Subtract a multiple of the window, so that the response to uniform luminance is zero."""
    weight = np.maximum(window.sum(axis=0), 1e-6)
    return np.asarray(pattern - window * (pattern.sum(axis=0) / weight), dtype=np.float32)


def _normalise(pattern: Floats) -> Floats:
    """Scale each column to norm 1; the column of a receptive field outside of the screen stays zero."""
    length = np.sqrt((pattern**2).sum(axis=0))
    return np.asarray(pattern / np.maximum(length, 1e-6), dtype=np.float32)
