"""Receptive fields: pairs of Gabors in quadrature, and the pool of local contrast that normalises them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate.simulate.retina import Retina

Floats = NDArray[np.float32]

_POOL_UNIT = 32_768  # a pool's weights are whole numbers that add up to about this
_SQUARE_UNIT = 64  # squares of grey values are counted in these


@dataclass(frozen=True)
class Filters:
    """What some neurons weigh the retina with; whole numbers (see `Retina`).

    Attributes
    ----------
    even, odd : (cells, n)
        The two Gabors of each neuron, a quarter of a cycle apart; blind to uniform light.
    simple : (cells, n)
        What its simple part sees: the even Gabor, and by the neuron's ``luminance`` some of the light in its window.
    pool : (cells, n)
        The neighbourhood whose contrast normalises it.
    unit
        What the Gabors are multiplied by: without it each has length 1.
    """

    even: Floats
    odd: Floats
    simple: Floats
    pool: Floats
    unit: float

    @classmethod
    def of(cls, neurons: pd.DataFrame, retina: Retina) -> "Filters":
        """Make the filters of the neurons of a table, with the columns that `Population.neurons` documents."""
        grid_x, grid_y = (values[:, None] for values in retina.cell_positions())

        def each(name: str) -> Floats:
            return neurons[name].to_numpy(dtype=np.float32)[None, :]

        dx, dy = grid_x - each("azimuth"), grid_y - each("elevation")
        angle, size = np.deg2rad(each("orientation")), each("size")
        across, along = np.sin(angle) * dx + np.cos(angle) * dy, np.cos(angle) * dx - np.sin(angle) * dy
        window = np.exp(-0.5 * ((across / size) ** 2 + (along / (size * each("aspect"))) ** 2))
        wave = 2 * np.float32(np.pi) * each("frequency") * across + np.deg2rad(each("phase"))
        pool = np.exp(-0.5 * (dx**2 + dy**2) / (each("pool_size") ** 2))
        unit = 110_000 / np.sqrt(retina.cells)  # so that sums over all cells stay below 2^24
        total = np.maximum(pool.sum(axis=0), 1e-6)
        even, odd = (_of_length_one(_balanced(window * part, window)) for part in (np.cos(wave), np.sin(wave)))
        simple = _of_length_one(even + each("luminance") * _of_length_one(window))
        return cls(
            even=np.rint(even * unit),
            odd=np.rint(odd * unit),
            simple=np.rint(simple * unit),
            pool=np.rint(pool / total * _POOL_UNIT),
            unit=float(unit),
        )

    def amplitudes(self, seen: Floats) -> tuple[Floats, Floats, Floats]:
        """Return what `even`, `odd` and `simple` make of what the retina has seen, in grey values, each (T, n)."""
        unit = np.float32(self.unit)
        return seen @ self.even / unit, seen @ self.odd / unit, seen @ self.simple / unit

    def local_contrast(self, seen: Floats) -> Floats:
        """Variance of the grey values within each neuron's pool, (T, n)."""
        weight = np.maximum(self.pool.sum(axis=0), 1)
        squares = np.rint(seen * seen / _SQUARE_UNIT) @ self.pool / weight * _SQUARE_UNIT
        return np.asarray(np.maximum(squares - (seen @ self.pool / weight) ** 2, 0), dtype=np.float32)


def _balanced(pattern: Floats, window: Floats) -> Floats:
    """Subtract so much of the window that uniform light cancels."""
    weight = np.maximum(window.sum(axis=0), 1e-6)
    return np.asarray(pattern - window * (pattern.sum(axis=0) / weight), dtype=np.float32)


def _of_length_one(pattern: Floats) -> Floats:
    """Scale each column to length 1; one that lies beyond the screen stays zero."""
    length = np.sqrt((pattern**2).sum(axis=0))
    return np.asarray(pattern / np.maximum(length, 1e-6), dtype=np.float32)
