"""Statistics of the variables of a recording, as ``meta/statistics`` stores them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate._internal import notebook_html
from striate.recordings.layout import STATISTICS, VARIABLES

_BLOCK = 32 * 2**20  # bytes of float64 that a block may take


@dataclass(frozen=True)
class VariableStatistics:
    """Mean, standard deviation (ddof 0), median, minimum and maximum of one variable.

    Scalars of shape () for images; one value per element, shape (N,), (3,) or (2,), for the others.
    """

    mean: NDArray[np.floating]
    std: NDArray[np.floating]
    median: NDArray[np.floating]
    min: NDArray[np.floating]
    max: NDArray[np.floating]

    def __repr__(self) -> str:
        said = ", ".join(f"{name} {notebook_html.summarise_values(getattr(self, name))}" for name in STATISTICS)
        return f"<VariableStatistics of shape {np.shape(self.mean)}: {said}>"


class RecordingStatistics(dict[str, VariableStatistics]):
    """The statistics of the variables of a recording by name; a dictionary that is shown as a table."""

    def __repr__(self) -> str:
        return "\n".join(["<RecordingStatistics", *(f"  {name}: {one!r}" for name, one in self.items()), ">"])

    def _repr_html_(self) -> str:
        rows = [
            (
                name,
                np.shape(one.mean) or "scalar",
                *(notebook_html.summarise_values(getattr(one, field)) for field in STATISTICS),
            )
            for name, one in self.items()
        ]
        return notebook_html.section(
            "Statistics",
            notebook_html.table(("variable", "shape", *STATISTICS), rows, text_columns=2),
            notebook_html.small_text("of more than three values, the smallest and the largest"),
        )


def compute_statistics(
    name: str, values: NDArray[np.generic], rows: Sequence[int] | NDArray[np.integer]
) -> VariableStatistics:
    """Compute the statistics of one variable over some trials.

    Parameters
    ----------
    name
        ``images``, ``responses``, ``behavior`` or ``pupil_center``.
    values : (T, ...)
        The variable, trials first; may be memory-mapped, is read in blocks.
    rows
        The trials to count: by the benchmark's convention the training trials.

    Returns
    -------
    VariableStatistics
        In float64. All zero if there are no rows.
    """
    index = np.sort(np.asarray(rows, dtype=np.int64))
    per_element = VARIABLES[name].per_element
    if index.size == 0:
        zero = np.zeros(values.shape[1:] if per_element else ())
        return VariableStatistics(zero, zero, zero, zero, zero)
    return _of_elements(values, index) if per_element else _of_scalar(values, index)


def _of_elements(values: NDArray[np.generic], index: NDArray[np.int64]) -> VariableStatistics:
    columns = values.shape[1]
    width = max(1, _BLOCK // (8 * index.size))
    parts = []
    for start in range(0, columns, width):
        block = values[:, start : start + width][index].astype(np.float64)
        parts.append((block.mean(0), block.std(0), np.median(block, axis=0), block.min(0), block.max(0)))
    if not parts:
        empty = np.zeros(0)
        return VariableStatistics(empty, empty, empty, empty, empty)
    return VariableStatistics(*(np.concatenate(p) for p in zip(*parts, strict=True)))


def _of_scalar(values: NDArray[np.generic], index: NDArray[np.int64]) -> VariableStatistics:
    """Two passes (mean, then variance) in blocks; the median from counts where values are whole numbers."""
    per_row = int(np.prod(values.shape[1:]))
    step = max(1, _BLOCK // (8 * max(per_row, 1)))
    blocks = [index[i : i + step] for i in range(0, index.size, step)]
    if values.dtype == np.uint8:
        counts = np.zeros(256, dtype=np.int64)
        for rows in blocks:
            counts += np.bincount(values[rows].ravel(), minlength=256)
        return _of_counts(counts)
    total = index.size * per_row
    mean = sum(float(values[rows].sum(dtype=np.float64)) for rows in blocks) / total
    variance = sum(float(((values[rows].astype(np.float64) - mean) ** 2).sum()) for rows in blocks) / total
    median = np.median(np.concatenate([values[rows].ravel() for rows in blocks]))
    low = min(float(values[rows].min()) for rows in blocks)
    high = max(float(values[rows].max()) for rows in blocks)
    return VariableStatistics(*(np.asarray(v, dtype=np.float64) for v in (mean, np.sqrt(variance), median, low, high)))


def _of_counts(counts: NDArray[np.int64]) -> VariableStatistics:
    levels = np.arange(counts.size, dtype=np.float64)
    total = int(counts.sum())
    mean = float(counts @ levels) / total
    variance = float(counts @ (levels - mean) ** 2) / total
    cumulative = np.cumsum(counts)
    lower = int(np.searchsorted(cumulative, (total - 1) // 2 + 1))
    upper = int(np.searchsorted(cumulative, total // 2 + 1))
    present = np.flatnonzero(counts)
    values = (mean, np.sqrt(variance), (lower + upper) / 2, present[0], present[-1])
    return VariableStatistics(*(np.asarray(v, dtype=np.float64) for v in values))
