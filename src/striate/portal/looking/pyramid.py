"""A raster at several resolutions: each level has the means of 2 × 2 cells of the one below, cut into tiles of equal size.

The file holds the tiles one after another, each deflated; the index beside it says where each begins. A browser asks for
the bytes of the tiles that it shows.
"""

import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from striate.portal.looking.codes import MISSING, decoded, encoded

TILE = 256  # cells, down and across
_QUICK = 1  # of deflate: a stronger one gains little on noise
_SHOWN = (1.0, 99.0)  # percentiles between which colours are spread

Values = NDArray[np.float32]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Level:
    """One resolution.

    Attributes
    ----------
    rows, columns
        Its cells.
    low, high
        Most of its values lie between these.
    """

    rows: int
    columns: int
    low: float
    high: float


@dataclass
class _Means:
    """Means of 2 × 2 cells as sums and counts of cells that have a value, so that the next level is exact, too."""

    sums: Values
    counts: NDArray[np.float32]

    @classmethod
    def of(cls, values: Values, counts: NDArray[np.float32] | None = None) -> "_Means":
        """Halve a level; of the first one, which has NaN where there is no value, no counts are given."""
        if counts is None:
            known = np.isfinite(values)
            values, counts = np.where(known, values, np.float32(0)), known.astype(np.float32)
        return cls(_halved(values), _halved(counts))

    @property
    def values(self) -> Values:
        with np.errstate(invalid="ignore"):
            return self.sums / self.counts


def _halved(cells: Values) -> Values:
    """Sums of 2 × 2 cells; at an odd edge, of what there is."""
    down = np.add.reduceat(cells, np.arange(0, cells.shape[0], 2), axis=0)
    even = down[:, 0::2].copy()
    odd = down[:, 1::2]
    even[:, : odd.shape[1]] += odd
    return even


def write(file: Path, rows: Callable[[int, int], Values], shape: tuple[int, int]) -> list[Level]:
    """Write ``FILE.tiles`` and ``FILE.index``.

    Parameters
    ----------
    file
        Where to, without ending.
    rows
        Gives the rows from one to another, as many columns wide as the raster; NaN where there is no value.
    shape
        Rows and columns.

    Returns
    -------
    list of Level
        From the finest to the one that is a single tile.
    """
    levels: list[Level] = []
    starts = [0]
    with file.with_suffix(".tiles").open("wb") as target, ThreadPoolExecutor(2) as pool:

        def put(bands: Iterator[Bytes], rows: int, columns: int) -> None:
            counts = np.zeros(256, dtype=np.int64)
            for band in bands:
                counts += np.bincount(band.ravel(), minlength=256)
                for packed in pool.map(_deflated, _tiles(band)):
                    _append(target, packed, starts)
            levels.append(Level(rows, columns, *_range(counts)))

        halves: list[_Means] = []

        def first() -> Iterator[Bytes]:
            for start in range(0, shape[0], TILE):
                values = rows(start, min(start + TILE, shape[0]))
                halves.append(_Means.of(values))
                yield encoded(values)

        put(first(), *shape)
        while max(levels[-1].rows, levels[-1].columns) > TILE:
            means = _Means(np.concatenate([h.sums for h in halves]), np.concatenate([h.counts for h in halves]))
            values = means.values
            put((encoded(values[i : i + TILE]) for i in range(0, len(values), TILE)), *values.shape)
            halves = [_Means.of(means.sums, means.counts)]
    file.with_suffix(".index").write_bytes(np.asarray(starts, dtype="<u4").tobytes())
    return levels


def _append(target: BinaryIO, packed: bytes, starts: list[int]) -> None:
    target.write(packed)
    starts.append(starts[-1] + len(packed))


def _tiles(band: Bytes) -> Iterator[Bytes]:
    """Tiles of a band, from left to right; those at the edges are filled up with cells that have no value."""
    for left in range(0, band.shape[1], TILE):
        cells = band[:, left : left + TILE]
        if cells.shape != (TILE, TILE):
            full = np.full((TILE, TILE), MISSING, dtype=np.uint8)
            full[: cells.shape[0], : cells.shape[1]] = cells
            cells = full
        yield np.ascontiguousarray(cells)


def _deflated(tile: Bytes) -> bytes:
    return zlib.compress(tile.data, _QUICK)


def _range(counts: NDArray[np.int64]) -> tuple[float, float]:
    shown = counts[:MISSING].cumsum()
    if shown[-1] == 0:
        return 0.0, 1.0
    low, high = (int(np.searchsorted(shown, shown[-1] * share / 100)) for share in _SHOWN)
    found = decoded(np.array([low, max(high, low + 1)], dtype=np.uint8))
    return float(found[0]), float(found[1])
